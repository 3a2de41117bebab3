package verdict

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/silence"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		of   string
		want time.Duration
	}{
		{"", -1}, {"5m", 5 * time.Minute}, {"3h 1h", 2 * time.Hour}, {"9h 1m 2h", 2 * time.Hour}, {"1h 1h 3h 100h", 2 * time.Hour}, {"0s 0s", 0},
	} {
		var list []time.Duration
		for text := range strings.FieldsSeq(test.of) {
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, d)
		}
		before := slices.Clone(list)
		got, ok := median(list)
		if !ok {
			got = -1
		}
		if got != test.want || !slices.Equal(before, list) {
			t.Errorf("of %q: %s, want %s", test.of, got, test.want)
		}
	}
	if got, _ := median([]time.Duration{math.MaxInt64, math.MaxInt64 - 2}); got != math.MaxInt64-1 {
		t.Errorf("of very long ones: %d", got)
	}
}

func TestTookToClose(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		of   Incident
		want time.Duration // negative if it is not known
	}{
		{"closed", Incident{Class: Undetermined, Created: noon, Closed: noon.Add(time.Hour)}, time.Hour},
		{"at once", Incident{Class: Undetermined, Created: noon, Closed: noon}, 0},
		{"open", Incident{Created: noon, Closed: noon.Add(time.Hour)}, -1},
		{"merged", Incident{Class: Undetermined, Created: noon, Closed: noon.Add(time.Hour), Merged: true}, -1},
		{"before it was made", Incident{Class: Undetermined, Created: noon, Closed: noon.Add(-time.Hour)}, -1},
		{"at no time", Incident{Class: Undetermined, Created: noon}, -1},
	} {
		got, ok := test.of.TookToClose()
		if !ok {
			got = -1
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// An alert counts for its rule by what became of its incident, and an incident once for
// the time that it took.
func TestCount(t *testing.T) {
	t.Parallel()
	c := NewCount(noon.Add(-10*24*time.Hour), noon)
	n := 0
	add := func(ruleID string, ago time.Duration, i *Incident, change func(*alert.Alert)) {
		n++
		a := alert.Alert{ID: fmt.Sprint(n), RuleID: ruleID, RuleName: "Rule " + ruleID, Created: noon.Add(-ago)}
		if change != nil {
			change(&a)
		}
		c.Add(a, i, true)
	}
	closed := func(number int, class Class, reason string, took time.Duration) *Incident {
		return &Incident{Number: number, Class: class, Reason: reason, Created: noon.Add(-20 * time.Hour), Closed: noon.Add(took - 20*time.Hour)}
	}
	day := 24 * time.Hour
	long := closed(1, TruePositive, "SuspiciousActivity", 10*time.Hour)
	for range 3 {
		add("a", day, long, nil)
	}
	add("a", 2*day, closed(2, BenignPositive, "SuspiciousButExpected", time.Hour), nil)
	add("a", 2*day, closed(3, BenignPositive, "", 2*time.Hour), nil)
	add("a", 2*day, closed(4, FalsePositive, "InaccurateData", 4*time.Hour), nil)
	add("a", 2*day, closed(5, Undetermined, "", 3*time.Hour), nil)
	add("a", 3*day, &Incident{Number: 6, Created: noon}, nil)
	add("a", 3*day, nil, nil)
	add("a", 3*day, nil, func(a *alert.Alert) { a.HeldBack = &alert.HeldBack{} })
	add("a", time.Minute, nil, func(a *alert.Alert) { a.RuleName = "Its new name" })
	add("a", 11*day, long, nil)
	add("a", -2*time.Hour, long, nil)
	c.Add(alert.Alert{RuleID: "c", Created: noon}, long, false)
	add("b", day, closed(7, FalsePositive, "", 5*time.Hour), nil)
	seconds := func(d time.Duration) *Seconds { s := Seconds(d.Seconds()); return &s }
	want := []Stats{
		{RuleID: "a", RuleName: "Its new name", Alerts: 10, PerDay: 1, HeldBack: 1, TruePositive: 3, FalsePositive: 1, BenignPositive: 2, Undetermined: 1, Open: 1, Unknown: 2,
			Reasons:   map[Class]map[string]int{TruePositive: {"SuspiciousActivity": 3}, BenignPositive: {"SuspiciousButExpected": 1}, FalsePositive: {"InaccurateData": 1}},
			Incidents: 6, Closed: 5, MedianToClose: seconds(3 * time.Hour)},
		{RuleID: "b", RuleName: "Rule b", Alerts: 1, PerDay: 0.1, FalsePositive: 1, Incidents: 1, Closed: 1, MedianToClose: seconds(5 * time.Hour)},
	}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	total := c.Total()
	if total.Alerts != 11 || total.Incidents != 7 || total.FalsePositive != 2 || total.MedianToClose.Duration() != 3*time.Hour+30*time.Minute {
		t.Errorf("in all %+v, %s", total, total.MedianToClose.Duration())
	}
	if empty := NewCount(noon, noon); len(empty.Stats()) != 0 || empty.Total().Alerts != 0 {
		t.Error("nothing is not counted as nothing")
	}
}

var shipped = sync.OnceValue(rule.Default)

// counted is a count of alerts of the shipped rule, each with an incident of its own.
type counted struct {
	*Count
	n int
}

func newCounted() *counted { return &counted{Count: NewCount(noon.Add(-30*24*time.Hour), noon)} }

func account(name string, more ...string) alert.Entity {
	e := alert.Entity{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: name}}}
	for i := 0; i < len(more); i += 2 {
		e.Fields = append(e.Fields, alert.Field{Identifier: more[i], Value: more[i+1]})
	}
	return e
}

func address(ip string) alert.Entity {
	return alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: ip}}}
}

func (c *counted) add(class Class, severity alert.Severity, entities ...alert.Entity) {
	c.with(class, severity, func(*alert.Alert, *Incident) {}, entities...)
}

func (c *counted) with(class Class, severity alert.Severity, change func(*alert.Alert, *Incident), entities ...alert.Entity) {
	c.n++
	at := noon.Add(-20*24*time.Hour + time.Duration(c.n)*time.Hour)
	a := alert.Alert{ID: ours(c.n), RuleID: shipped().ID, RuleName: shipped().Name, Created: at, Severity: severity, Entities: entities, Span: alert.Span{Start: at.Add(-time.Minute), End: at}}
	i := &Incident{Number: c.n, Class: class, Created: at, Closed: at.Add(time.Hour), Changed: at}
	change(&a, i)
	c.Add(a, i, true)
}

func desk() Desk {
	r := shipped()
	return Desk{
		Words: silence.Words{EntityType: rule.EntityType, Rules: []silence.Rule{{ID: r.ID, Name: r.Name, Runs: true}}},
		Holds: func(set *silence.Set, a alert.Alert) bool {
			by, _ := detect.WouldSilence(set, a, r)
			return by != nil
		},
		By: "amy",
	}
}

// Who was benign again and again is proposed, as narrowly as it was found, and nobody
// who was in a true positive.
func TestPropose(t *testing.T) {
	t.Parallel()
	const svc, home = "svc@contoso.example", "203.0.113.9"
	benignTimes := func(n int, entities ...alert.Entity) func(*counted) {
		return func(c *counted) {
			for range n {
				c.add(BenignPositive, alert.Low, entities...)
			}
		}
	}
	for _, test := range []struct {
		name  string
		steps []func(*counted)
		desk  func(*Desk)
		want  []string
	}{
		{"four times", []func(*counted){benignTimes(4, account(svc), address(home))}, nil, nil},
		{"five times", []func(*counted){benignTimes(5, account(svc), address(home))}, nil, []string{"Low 5: Account.FullName=svc@contoso.example, IP.Address=203.0.113.9"}},
		{"from several addresses", []func(*counted){benignTimes(3, account(svc), address(home)), benignTimes(3, account(svc), address("198.51.100.1"))}, nil, []string{"Low 6: Account.FullName=svc@contoso.example"}},
		{"an address of several", []func(*counted){benignTimes(3, account("a@contoso.example"), address(home)), benignTimes(4, account("b@contoso.example"), address(home))}, nil, []string{"Low 7: IP.Address=203.0.113.9"}},
		{"in other spellings", []func(*counted){benignTimes(3, account(svc)), benignTimes(2, account(" SVC@Contoso.example"))}, nil, []string{"Low 5: Account.FullName=svc@contoso.example"}},
		{"and once a true positive", []func(*counted){benignTimes(9, account(svc), address(home)), func(c *counted) { c.add(TruePositive, alert.Low, account(strings.ToUpper(svc))) }}, nil, nil},
		{"whose address was in one", []func(*counted){benignTimes(9, account(svc), address(home)), func(c *counted) {
			c.add(TruePositive, alert.Low, account("eve@contoso.example"), address("::ffff:"+home))
		}}, nil, nil},
		{"under another name", []func(*counted){benignTimes(9, account(svc, "AadUserId", "0a")), func(c *counted) { c.add(TruePositive, alert.Low, account("old@contoso.example", "AadUserId", "0A")) }}, nil, nil},
		{"of another rule, long ago", []func(*counted){benignTimes(9, account(svc)), func(c *counted) {
			c.with(TruePositive, alert.Low, func(a *alert.Alert, _ *Incident) { a.RuleID, a.Created = "other", noon.Add(-80*24*time.Hour) }, account(svc))
		}}, nil, nil},
		{"of somebody else", []func(*counted){benignTimes(5, account(svc)), func(c *counted) {
			c.add(TruePositive, alert.Low, account("eve@contoso.example", "UPNSuffix", "contoso.example"))
		}}, nil, []string{"Low 5: Account.FullName=svc@contoso.example"}},
		{"up to the severity that they had", []func(*counted){benignTimes(5, account(svc)), func(c *counted) { c.add(BenignPositive, alert.High, account(svc)) }}, nil, []string{"High 6: Account.FullName=svc@contoso.example"}},
		{"false positives", []func(*counted){func(c *counted) {
			for range 9 {
				c.add(FalsePositive, alert.Low, account(svc))
			}
		}}, nil, nil},
		{"in one incident", []func(*counted){func(c *counted) {
			for range 9 {
				c.with(BenignPositive, alert.Low, func(_ *alert.Alert, i *Incident) { i.Number = 1 }, account(svc))
			}
		}}, nil, nil},
		{"before the days that count", []func(*counted){func(c *counted) {
			for range 9 {
				c.with(BenignPositive, alert.Low, func(a *alert.Alert, _ *Incident) { a.Created = noon.Add(-31 * 24 * time.Hour) }, account(svc))
			}
		}}, nil, nil},
		{"that no silence would hold back", []func(*counted){func(c *counted) {
			for range 9 {
				c.with(BenignPositive, alert.Low, func(a *alert.Alert, _ *Incident) {
					a.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundSuccessSameIP}}}
				}, account(svc))
			}
		}}, nil, nil},
		{"two of whom each is beside others", []func(*counted){func(c *counted) {
			for n := range 9 {
				c.add(BenignPositive, alert.Low, account(svc), account(fmt.Sprintf("u%d@contoso.example", n)))
			}
		}}, nil, nil},
		{"that is silenced already", []func(*counted){benignTimes(9, account(svc))}, func(d *Desk) {
			d.InForce = []silence.Silence{{ID: "s", Match: []silence.Matcher{{Entity: "Account", Identifier: "FullName", Values: []string{"svc@*"}}}, From: noon.Add(-time.Hour), Until: noon.Add(time.Hour), MaxSeverity: alert.Medium}}
		}, nil},
		{"that was silenced", []func(*counted){benignTimes(9, account(svc))}, func(d *Desk) {
			d.InForce = []silence.Silence{{ID: "s", Match: []silence.Matcher{{Entity: "Account", Identifier: "FullName", Values: []string{"svc@*"}}}, Until: noon.Add(-time.Hour), MaxSeverity: alert.Medium}}
		}, []string{"Low 9: Account.FullName=svc@contoso.example"}},
		{"whose name is no text", []func(*counted){benignTimes(9, account("svc\xff@contoso.example"))}, nil, nil},
		{"whose name has no end", []func(*counted){benignTimes(9, account(strings.Repeat("x", 2000)))}, nil, nil},
		{"of a type that nobody knows", []func(*counted){benignTimes(9, alert.Entity{Type: "Planet", Fields: []alert.Field{{Identifier: "Name", Value: "Mars"}}})}, nil, nil},
		{"the one with most first", []func(*counted){benignTimes(5, account("a@contoso.example")), benignTimes(6, account("b@contoso.example"))}, nil,
			[]string{"Low 6: Account.FullName=b@contoso.example", "Low 5: Account.FullName=a@contoso.example"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, d := newCounted(), desk()
			for _, step := range test.steps {
				step(c)
			}
			if test.desk != nil {
				test.desk(&d)
			}
			list, more := c.Propose(d)
			var got []string
			for _, p := range list {
				var matchers []string
				for _, m := range p.Silence.Match {
					matchers = append(matchers, m.Entity+"."+m.Identifier+"="+strings.Join(m.Exactly, " or "))
				}
				got = append(got, fmt.Sprintf("%s %d: %s", p.Silence.MaxSeverity, p.Incidents, strings.Join(matchers, ", ")))
			}
			if diff := cmp.Diff(test.want, got); diff != "" || more != 0 {
				t.Errorf("%d more (-want +got):\n%s", more, diff)
			}
		})
	}
}

// What is proposed is a file of silences as it stands, whatever the names in the log.
func TestProposalsAreAFile(t *testing.T) {
	t.Parallel()
	names := []string{"svc@contoso.example", "a\"}\nsilences: []", "\u202egnp.exe@contoso.example", "\x1b[31mred", "m*@contoso.example", "null", "müller@contoso.example", "# x: {y}"}
	c, d := newCounted(), desk()
	for _, name := range names {
		for range LeastBenign {
			c.add(BenignPositive, alert.Medium, account(name))
		}
	}
	list, _ := c.Propose(d)
	if len(list) != len(names) {
		t.Fatalf("%d proposals for %d names", len(list), len(names))
	}
	var silences []silence.Silence
	for _, p := range list {
		silences = append(silences, p.Silence)
	}
	written := silence.Format(silences, nil)
	read, problems := silence.Parse("silences.yaml", []byte(written), d.Words)
	if len(problems) > 0 || len(read) != len(list) {
		t.Fatalf("%v\n%s", problems, written)
	}
	for _, name := range names {
		set := silence.New(read, d.Words.Rules)
		a := alert.Alert{RuleID: shipped().ID, Severity: alert.Medium, Entities: []alert.Entity{account(name)}, Span: alert.Span{Start: noon, End: noon}}
		if !d.Holds(set, a) {
			t.Errorf("%q is not held back", name)
		}
		for _, later := range []time.Time{noon.Add(31 * 24 * time.Hour)} {
			if a.Span = (alert.Span{Start: later, End: later}); d.Holds(set, a) {
				t.Errorf("%q is held back for ever", name)
			}
		}
		a.Span, a.Severity = alert.Span{Start: noon, End: noon}, alert.High
		if d.Holds(set, a) {
			t.Errorf("what is more severe of %q is held back", name)
		}
	}
	for _, s := range read {
		if !strings.Contains(s.Reason, "benign in 5 incidents with 5 alerts between 2026-02-2") || s.By != "amy" || s.Until != time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC) {
			t.Errorf("%+v", s)
		}
	}
}

// However many there are, nobody is shown more than they review.
func TestMostProposals(t *testing.T) {
	t.Parallel()
	c := newCounted()
	for n := range mostProposals + 7 {
		for range LeastBenign {
			c.with(BenignPositive, alert.Low, func(a *alert.Alert, _ *Incident) { a.Created = noon.Add(-time.Hour) }, account(fmt.Sprintf("u%d@contoso.example", n)))
		}
	}
	if list, more := c.Propose(desk()); len(list) != mostProposals || more != 7 {
		t.Errorf("%d, and %d more", len(list), more)
	}
}
