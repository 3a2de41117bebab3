package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// crowd returns an event of each of n users, and more of the first few: so many
// of user 0 that it is the worst, and so on.
func crowd(name string, n int, at, arrived string) []event {
	var events []event
	for i := range n {
		for j := range max(1, 5-i) {
			e := happened(fmt.Sprintf("%s%d.%d", name, i, j), fmt.Sprintf("%s%02d", name, i), at).arriving(arrived)
			events = append(events, e)
		}
	}
	return events
}

// stormConfig has a limit of ten alerts.
func stormConfig() Config {
	c := config()
	c.MaxAlerts = 10
	return c
}

func TestStorm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		events []event
		single bool
		want   []int // how many alerts each alert stands for, 1 unless it is a storm
	}{
		{"as many as the limit", crowd("a", 10, "09:10", "09:10"), false, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"one more", crowd("a", 11, "09:10", "09:10"), false, []int{11}},
		{"a rule of one alert", crowd("a", 30, "09:10", "09:10"), true, []int{1}},
		{"a few that came late", slices.Concat(crowd("a", 30, "09:10", "09:10"), crowd("b", 2, "09:20", "10:30")), false, []int{30, 1, 1}},
		{"very many that came late", slices.Concat(crowd("a", 12, "09:10", "09:10"), crowd("b", 11, "09:20", "10:30")), false, []int{12, 11}},
		{"very many after a few", slices.Concat(crowd("a", 1, "09:10", "09:10"), crowd("b", 11, "09:20", "10:30")), false, []int{1, 11}},
		{"two windows", slices.Concat(crowd("a", 11, "09:10", "09:10"), crowd("b", 12, "10:20", "10:20")), false, []int{11, 12}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := counting(time.Hour, time.Hour)
			r.Events = []string{"Events"}
			if tc.single {
				r.Grouping = rule.SingleAlert
			}
			d := newDay(t, stormConfig(), tc.events, r)
			d.run("09:30", "13:00")
			d.restart()
			var got []int
			activities, storms := 0, 0
			for _, a := range d.inbox.alerts {
				n := 1
				if a.Storm != nil {
					n = a.Storm.Alerts
					storms += n
				}
				got = append(got, n)
			}
			for _, report := range d.reports {
				activities += report.Totals().New
				storms -= report.Totals().Storm
			}
			users := map[string]bool{}
			for _, e := range tc.events {
				users[e.user] = true
			}
			if !slices.Equal(got, tc.want) || activities != len(users) || storms != 0 {
				t.Errorf("alerts stand for %v, want %v; %d activities of %d are new; %d more in storms than reported", got, tc.want, activities, len(users), storms)
			}
		})
	}
}

func TestStormSays(t *testing.T) {
	t.Parallel()
	d := newDay(t, stormConfig(), slices.Concat(crowd("a", 3, "09:10", "09:10"), crowd("z", 1200, "09:30", "09:30")), counting(time.Hour, time.Hour))
	d.rules[0].Events = []string{"Events"}
	d.rules[0].Description, d.rules[0].Tactics, d.rules[0].Techniques = "What the rule says.", []string{"CredentialAccess"}, []string{"T1621"}
	d.restart()
	d.run("09:30", "10:30")
	if len(d.inbox.alerts) != 1 {
		t.Fatalf("%d alerts", len(d.inbox.alerts))
	}
	a := d.inbox.alerts[0]
	if want := (&alert.Storm{Alerts: 1203, Identities: 1203, Rows: 1203, Limit: 10}); !cmp.Equal(a.Storm, want) {
		t.Errorf("%+v", a.Storm)
	}
	if a.Title != "Storm: 1,203 alerts of Counting in one window" || a.Severity != alert.Medium || a.Tactics[0] != "CredentialAccess" || a.Techniques[0] != "T1621" ||
		hhmm(a.Span.Start) != "09:10" || hhmm(a.Span.End) != "09:30" {
		t.Errorf("%s %q %v %v %s to %s", a.Severity, a.Title, a.Tactics, a.Techniques, hhmm(a.Span.Start), hhmm(a.Span.End))
	}
	if want := "This alert stands for 1,203 alerts about 1,203 identities in 1,203 rows, more than the 10 of a rule in one window (PUSHBACK_MAX_ALERTS). " +
		"All of their activities are recorded, and none is reported by itself.\n\nWhat the rule says."; a.Description != want {
		t.Errorf("%q", a.Description)
	}
	want := []string{"“a00” (5 events in 1 row)", "“z00” (5 events in 1 row)", "“a01” (4 events in 1 row)", "“z01” (4 events in 1 row)", "“a02” (3 events in 1 row)", "“z02” (3 events in 1 row)", "“z03” (2 events in 1 row)"}
	if got := a.CustomDetails[0]; got.Name != alert.WorstIdentities || len(got.Values) != 10 || !cmp.Equal(got.Values[:7], want) {
		t.Errorf("%q", a.CustomDetails)
	}
	if len(a.Entities) != 10 || len(a.Rows) != 10 || !strings.Contains(strings.Join(a.Notes, "\n"), "the worst identities: 10 of 1,203.") {
		t.Errorf("%d entities, %d rows, notes %q", len(a.Entities), len(a.Rows), a.Notes)
	}
}

// TestStormIsTheSame expects the same storm whatever the order of the rows.
func TestStormIsTheSame(t *testing.T) {
	t.Parallel()
	r := parse(t, mapped+"eventGroupingSettings: {aggregationKind: AlertPerResult}\n")
	table := workspace.Table{Columns: rejections.Columns}
	for i := range 40 { // each user twice
		row := slices.Clone(rejections.Rows[0])
		row[0], row[1], row[2] = clock("09:10").Add(time.Duration(i%7)*time.Minute), clock("09:30").Add(time.Duration(i)*time.Second), fmt.Sprintf("user%d", i/2)
		row[7] = []string{"low", "High", "", "of no kind"}[i%4]
		table.Rows = append(table.Rows, row)
	}
	var first string
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		random.Shuffle(len(table.Rows), func(i, j int) { table.Rows[i], table.Rows[j] = table.Rows[j], table.Rows[i] })
		shuffled := workspace.Table{Columns: table.Columns, Rows: slices.Clone(table.Rows)}
		d := newDay(t, stormConfig(), nil, r)
		var err error
		if d.detector, err = New(d.config, d.rules, fixed{shuffled}, d.ledger, d.inbox); err != nil {
			t.Fatal(err)
		}
		if _, err := d.detector.Tick(t.Context(), clock("10:05")); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(d.inbox.alerts)
		if err != nil || len(d.inbox.alerts) != 1 {
			t.Fatalf("%d alerts, %v", len(d.inbox.alerts), err)
		}
		if first == "" {
			first = string(text)
		}
		if diff := cmp.Diff(first, string(text)); diff != "" {
			t.Fatal(diff)
		}
	}
	var storms []alert.Alert
	if err := json.Unmarshal([]byte(first), &storms); err != nil {
		t.Fatal(err)
	}
	if a := storms[0]; a.Severity != alert.High || a.Storm.Alerts != 40 || a.Storm.Identities != 20 || !strings.HasSuffix(a.CustomDetails[0].Values[0], " (2 rows, High)") {
		t.Errorf("%s %+v %q", a.Severity, a.Storm, a.CustomDetails[0].Values)
	}
}

func TestStormSeverity(t *testing.T) {
	t.Parallel()
	for rated, want := range map[string]alert.Severity{"informational": alert.Medium, "low": alert.Medium, "high": alert.High, "?": alert.Medium, "": alert.Medium} {
		r := parse(t, mapped+"eventGroupingSettings: {aggregationKind: AlertPerResult}\n")
		table := workspace.Table{Columns: rejections.Columns}
		for i := range 11 {
			row := slices.Clone(rejections.Rows[0])
			row[2], row[7] = fmt.Sprintf("user%d", i), "low"
			if i == 10 {
				row[7] = rated
			}
			table.Rows = append(table.Rows, row)
		}
		in := &inbox{name: "inbox"}
		d, err := New(stormConfig(), []*rule.Rule{r}, fixed{table}, ledger.NewMemory(), in)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Tick(t.Context(), clock("10:05")); err != nil {
			t.Fatal(err)
		}
		if a := in.alerts[0]; a.Severity != want || strings.Contains(strings.Join(a.Notes, "\n"), "severity") {
			t.Errorf("with %q: %s, %q", rated, a.Severity, a.Notes)
		}
	}
}

// lowering is an enricher that finds all alerts harmless.
type lowering struct{ accounts int }

func (l *lowering) Enrich(_ context.Context, alerts []alert.Alert, _ time.Time) []string {
	for i := range alerts {
		a := &alerts[i]
		l.accounts = max(l.accounts, len(a.Entities))
		score := int64(0)
		a.Context = &alert.Context{RuleSeverity: a.Severity, RiskScore: &score, Steps: []alert.Step{{Severity: alert.Informational}}}
		a.Severity = alert.Informational
	}
	return nil
}

func (*lowering) Aftermath(context.Context, []alert.Alert, time.Time) ([]alert.Alert, []string) {
	return nil, nil
}

// TestStormIsSent expects a storm to be sent whatever is known of the worst
// identities, and nothing to be looked up about the others.
func TestStormIsSent(t *testing.T) {
	t.Parallel()
	c := stormConfig()
	e := &lowering{}
	cutoff := int64(20)
	c.Enricher, c.RiskCutoff, c.MinSeverity = e, &cutoff, alert.High
	d := newDay(t, c, crowd("a", 500, "09:10", "09:10"), counting(time.Hour, time.Hour))
	d.run("09:30", "10:30")
	if len(d.inbox.alerts) != 1 || e.accounts != 10 {
		t.Fatalf("%d alerts are sent, %d entities were looked up", len(d.inbox.alerts), e.accounts)
	}
	if a := d.inbox.alerts[0]; a.Severity != alert.Medium || len(a.Context.Steps) > 0 || !strings.Contains(strings.Join(a.Notes, "\n"), "was not looked up for the others") {
		t.Errorf("%s %v %q", a.Severity, a.Context.Steps, a.Notes)
	}
}

// TestStormByWeight expects a storm to name first whom the context says somebody
// got into, however little of them there is.
func TestStormByWeight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		found    map[string]alert.FindingKind
		severity map[string]alert.Severity
		want     string // the first of the worst identities
		is       alert.Severity
		step     string
	}{
		{"nothing", nil, nil, "“a00” (5 events in 1 row)", alert.Medium, ""},
		{"a compromise", map[string]alert.FindingKind{"a07": alert.FoundSuccessSameIP, "a00": alert.FoundBombing}, map[string]alert.Severity{"a07": alert.High},
			"“a07” (1 event in 1 row, High: seen by the oracle)", alert.High, "seen by the oracle"},
		{"a compromise that raises nothing", map[string]alert.FindingKind{"a07": alert.FoundSuccessSameNetwork, "a00": alert.FoundBombing}, nil,
			"“a07” (1 event in 1 row, Medium: found of a07)", alert.Medium, ""},
		{"harmless", nil, map[string]alert.Severity{"a00": alert.Low}, "“a01” (4 events in 1 row)", alert.Medium, ""},
		{"beyond those that are assessed", map[string]alert.FindingKind{"a15": alert.FoundSuccessSameIP}, nil, "“a00” (5 events in 1 row)", alert.Medium, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			events := crowd("a", 20, "09:10", "09:10")
			for i := range events { // the order of those of one event is that of their times
				var n int
				if _, err := fmt.Sscanf(events[i].user, "a%d", &n); err != nil {
					t.Fatal(err)
				}
				events[i].at = events[i].at.Add(time.Duration(n) * time.Minute)
				events[i].arrived = events[i].at
			}
			r := counting(time.Hour, time.Hour)
			r.Events = []string{"Events"}
			c := stormConfig()
			c.Enricher = &oracle{found: test.found, severity: test.severity}
			d := newDay(t, c, events, r)
			d.run("09:30", "10:30")
			if len(d.inbox.alerts) != 1 {
				t.Fatalf("%d alerts", len(d.inbox.alerts))
			}
			a := d.inbox.alerts[0]
			first, step := a.CustomDetails[0].Values[0], ""
			if n := len(a.Context.Steps); n > 0 {
				step = a.Context.Steps[n-1].Text
			}
			if first != test.want || a.Severity != test.is || step != test.step || !strings.HasPrefix(test.want, "“"+who(a)+"” ") || len(a.Entities) != 10 || len(a.Activities) != 20 {
				t.Errorf("%q first of %s, about %s, because %q, %d entities, %d activities; want %q", first, a.Severity, who(a), step, len(a.Entities), len(a.Activities), test.want)
			}
		})
	}
}

// absent is a ledger whose answers to a few Keeps are lost, before or after
// they were done.
type absent struct {
	Ledger
	before, after int
}

func (f *absent) Record(ctx context.Context, e ledger.Entry) error {
	if len(e.Alerts) > 0 && f.before > 0 {
		f.before--
		return errDown
	}
	err := f.Ledger.Record(ctx, e)
	if err == nil && len(e.Alerts) > 0 && f.after > 0 {
		f.after--
		return errDown
	}
	return err
}

// TestStormAgain expects a storm whose recording failed to be reported once, and
// under the same id.
func TestStormAgain(t *testing.T) {
	t.Parallel()
	id := ""
	for _, f := range []absent{{}, {before: 2}, {after: 1}, {before: 1, after: 1}} {
		d := newDay(t, stormConfig(), crowd("a", 50, "09:10", "09:10"), counting(time.Hour, time.Hour))
		f.Ledger = d.ledger
		d.ledger = &f
		d.restart()
		for m := range 20 {
			if _, err := d.tick(clock("10:05").Add(time.Duration(m) * 5 * time.Minute)); err != nil && !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
		if len(d.inbox.alerts) != 1 || id != "" && d.inbox.alerts[0].ID != id {
			t.Fatalf("%d alerts", len(d.inbox.alerts))
		}
		id = d.inbox.alerts[0].ID
	}
}

// The context of a storm keeps the findings that its rule brings, each once.
func TestStormKeepsOwnFindings(t *testing.T) {
	t.Parallel()
	of := func(steps []alert.Step, kinds ...alert.FindingKind) alert.Alert {
		c := &alert.Context{Steps: steps}
		for _, kind := range kinds {
			c.Findings = append(c.Findings, alert.Finding{Kind: kind})
		}
		return alert.Alert{Severity: alert.High, Context: c}
	}
	c := contextOf([]alert.Alert{
		of([]alert.Step{{Severity: alert.High, Kind: "vip"}}, "vip", alert.FoundBombing, "seen"),
		of(nil, alert.FoundSuccessSameIP, "seen", "vip"), {},
	}, alert.Medium)
	var kinds []alert.FindingKind
	for _, f := range c.Findings {
		kinds = append(kinds, f.Kind)
	}
	want := []alert.FindingKind{alert.FoundSuccessSameIP, "vip", alert.FoundBombing, "seen"}
	if !slices.Equal(kinds, want) {
		t.Errorf("the findings are %q, want %q", kinds, want)
	}
}
