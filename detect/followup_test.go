package detect

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
)

// oracle is an Enricher that says what the test says it to.
type oracle struct {
	severity map[string]alert.Severity // by the value of the first entity
	score    *int64
	found    map[string]alert.FindingKind // of those in severity or not
	// late are those who give in after their alert, from a time on.
	late   map[string]time.Time
	panics bool
	asked  int // how often for the aftermath
	most   int // alerts at once
}

func who(a alert.Alert) string { return a.Entities[0].Fields[0].Value }

func (o *oracle) Enrich(_ context.Context, alerts []alert.Alert, _ time.Time) []string {
	if o.panics {
		panic("no idea")
	}
	for i := range alerts {
		alerts[i].Context = &alert.Context{RuleSeverity: alerts[i].Severity, RiskScore: o.score}
		o.most = max(o.most, len(alerts))
		if kind, ok := o.found[who(alerts[i])]; ok {
			alerts[i].Context.Findings = []alert.Finding{{Kind: kind, Text: "found of " + who(alerts[i])}}
		}
		if s, ok := o.severity[who(alerts[i])]; ok {
			if s != alerts[i].Severity {
				alerts[i].Context.Steps = []alert.Step{{Severity: s, Kind: o.found[who(alerts[i])], Text: "seen by the oracle"}}
			}
			alerts[i].Severity = s
		}
	}
	return []string{"the stars are hidden"}
}

func (o *oracle) Aftermath(_ context.Context, alerts []alert.Alert, now time.Time) (updates []alert.Alert, _ []string) {
	o.asked++
	for _, a := range alerts {
		if from, ok := o.late[who(a)]; ok && !from.After(now) {
			a.Updates, a.ID, a.Created = &alert.Reference{ID: a.ID, Created: a.Created}, alert.UpdateID(a.ID, alert.FoundSuccessSameIP), now
			a.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundSuccessSameIP}}}
			updates = append(updates, a)
		}
	}
	return updates, nil
}

// Each alert is updated once, however many ticks and processes there are, and
// whatever was reported days ago is left alone.
func TestUpdates(t *testing.T) {
	t.Parallel()
	w := &world{events: []event{happened("1", "alice", "09:10"), happened("2", "bob", "09:20"), happened("3", "carol", "10:20")}}
	o := &oracle{late: map[string]time.Time{"alice": clock("12:00"), "carol": clock("96:00")}}
	in := &inbox{name: "inbox"}
	led := ledger.NewMemory()
	config := Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour, Enricher: o}
	var sent []string
	for hour := 10; hour < 110; hour++ {
		// A new process each hour.
		d, err := New(config, []*rule.Rule{counting(time.Hour, time.Hour)}, w, led, in)
		if err != nil {
			t.Fatal(err)
		}
		w.now = clock("00:05").Add(time.Duration(hour) * time.Hour)
		report, err := d.Tick(t.Context(), w.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Rules {
			for _, u := range r.Updates {
				sent = append(sent, who(u)+" "+w.now.Format("15:04"))
			}
		}
	}
	if want := []string{"alice 12:05"}; !slices.Equal(sent, want) {
		t.Errorf("updates of %q, want %q", sent, want)
	}
	ids := map[string]bool{}
	for _, a := range in.alerts {
		ids[a.ID] = true
	}
	if len(in.alerts) != 4 || len(ids) != 4 {
		t.Errorf("%d alerts with %d ids, want 3 and an update", len(in.alerts), len(ids))
	}
	// For three days after each alert and not longer.
	if o.asked == 0 || o.asked > 75 {
		t.Errorf("asked %d times for the aftermath", o.asked)
	}
}

// What is below the least severity, or not above the risk cutoff, is sent to
// nobody, is not reported later either, and is counted.
func TestHoldsBack(t *testing.T) {
	t.Parallel()
	score := func(n int64) *int64 { return &n }
	for _, test := range []struct {
		name   string
		oracle oracle
		config Config
		want   []string
		held   int
	}{
		{"nothing", oracle{}, Config{}, []string{"alice", "bob"}, 0},
		{"severity", oracle{severity: map[string]alert.Severity{"alice": alert.High, "bob": alert.Low}}, Config{MinSeverity: alert.Medium}, []string{"alice"}, 1},
		{"score", oracle{score: score(20)}, Config{RiskCutoff: score(20)}, nil, 2},
		{"higher score", oracle{score: score(21)}, Config{RiskCutoff: score(20)}, []string{"alice", "bob"}, 0},
		{"no score", oracle{}, Config{RiskCutoff: score(20)}, []string{"alice", "bob"}, 0},
		{"score, but somebody got in", oracle{score: score(20), found: map[string]alert.FindingKind{"alice": alert.FoundSuccessSameIP, "bob": alert.FoundBombing}}, Config{RiskCutoff: score(20)}, []string{"alice"}, 1},
		{"severity, but methods changed", oracle{severity: map[string]alert.Severity{"alice": alert.Low, "bob": alert.Low}, found: map[string]alert.FindingKind{"bob": alert.FoundMethodChanged}}, Config{MinSeverity: alert.High}, []string{"bob"}, 1},
		{"both, and many prompts", oracle{score: score(0), found: map[string]alert.FindingKind{"alice": alert.FoundBombing}}, Config{RiskCutoff: score(20), MinSeverity: alert.High}, nil, 2},
		{"no context", oracle{panics: true}, Config{RiskCutoff: score(20)}, []string{"alice", "bob"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := &world{events: []event{happened("1", "alice", "09:10"), happened("2", "bob", "09:20")}}
			in := &inbox{name: "inbox"}
			test.config.Delay, test.config.Lateness, test.config.Enricher = 5*time.Minute, 2*time.Hour, &test.oracle
			l := ledger.NewMemory()
			d, err := New(test.config, []*rule.Rule{counting(time.Hour, time.Hour)}, w, l, in)
			if err != nil {
				t.Fatal(err)
			}
			var total Totals
			warned := false
			for _, at := range []string{"10:05", "11:05", "12:05"} {
				w.now = clock(at)
				report, err := d.Tick(t.Context(), w.now)
				if err != nil {
					t.Fatal(err)
				}
				sum := report.Totals()
				total.HeldBack, total.Alerts = total.HeldBack+sum.HeldBack, total.Alerts+sum.Alerts
				for _, r := range report.Rules {
					warned = warned || len(r.Warnings) > 0
				}
			}
			var sent []string
			for _, a := range in.alerts {
				sent = append(sent, who(a))
			}
			if !slices.Equal(sent, test.want) || total.HeldBack != test.held || total.Alerts != 2 || !warned {
				t.Errorf("reported %q, %d of %d held back, want %q, %d of 2; warned: %v", sent, total.HeldBack, total.Alerts, test.want, test.held, warned)
			}
			recent, _, err := l.Recent(t.Context(), "counting", clock("00:00"))
			if err != nil {
				t.Fatal(err)
			}
			reasons := 0
			for _, a := range recent {
				switch {
				case a.HeldBack == nil:
				case a.HeldBack.By == alert.HeldBySeverity && strings.Contains(a.HeldBack.Reason, "PUSHBACK_MIN_SEVERITY") && test.config.MinSeverity > a.Severity,
					a.HeldBack.By == alert.HeldByRisk && strings.Contains(a.HeldBack.Reason, "PUSHBACK_RISK_CUTOFF") && test.config.RiskCutoff != nil:
					reasons++
				default:
					t.Errorf("held back for %+v", *a.HeldBack)
				}
			}
			if reasons != test.held {
				t.Errorf("the ledger has the reasons of %d, want %d", reasons, test.held)
			}
		})
	}
}
