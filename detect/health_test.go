package detect

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/workspace"
)

// watched is a day with a watch over Pushback itself. Its ticks may fail.
type watched struct {
	*day
	now time.Time
}

func watchedDay(t *testing.T, change func(*Config)) *watched {
	c := config()
	c.Health = DefaultHealth()
	c.CatchUp = 0
	if change != nil {
		change(&c)
	}
	return &watched{newDay(t, c, nil, counting(time.Hour, time.Hour)), clock("09:05")}
}

// ticks lets ticks pass, one an hour.
func (w *watched) ticks(n int) {
	for range n {
		_, _ = w.tick(w.now) // the report has what failed
		w.now = w.now.Add(time.Hour)
	}
}

// expect compares what was told of Pushback itself.
func (w *watched) expect(want ...string) {
	w.t.Helper()
	w.ticks(1) // which delivers it
	var got []string
	ids := map[string]bool{}
	for _, a := range w.inbox.alerts {
		if a.RuleID != HealthRuleID {
			continue
		}
		got = append(got, a.Title)
		if ids[a.ID] {
			w.t.Errorf("%q was told twice", a.Title)
		}
		ids[a.ID] = true
		if over := strings.HasPrefix(a.Title, "Over: "); over != (a.Updates != nil) || over && !ids[a.Updates.ID] {
			w.t.Errorf("%q updates %+v", a.Title, a.Updates)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("told (-want +got):\n%s", diff)
	}
}

func (w *watched) last() alert.Alert { return w.inbox.alerts[len(w.inbox.alerts)-1] }

const fails = `The rule "Counting" fails`

// Whatever part of a rule fails, and in whatever tick it is noticed, it is told
// once and ended once.
func TestHealthFailingRule(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spoil func(w *watched)
		mend  func(w *watched)
		text  string
	}{
		{"its query", func(w *watched) { w.world.fail = down }, func(w *watched) { w.world.fail = nil }, "it is down"},
		{"a ledger that is ahead of the clock", func(w *watched) {
			ahead, err := w.ledger.State(context.Background(), "counting")
			if err != nil {
				w.t.Fatal(err)
			}
			ahead.Watermark = w.now.Add(9 * time.Hour)
			if err := w.ledger.Keep(context.Background(), ledger.Entry{RuleID: "counting", State: ahead}); err != nil {
				w.t.Fatal(err)
			}
		}, func(w *watched) { w.ticks(9) }, "ahead of this tick's"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := watchedDay(t, nil)
			w.ticks(3)
			test.spoil(w)
			w.ticks(2)
			w.expect()
			w.expect(fails)
			if text := w.last().Description; !strings.Contains(text, "failed in 3 ticks in a row") || !strings.Contains(text, test.text) || !strings.Contains(text, "was last run at 2026-03-14T11:05:00Z") {
				t.Errorf("the text is %q", text)
			}
			w.restart()
			w.ticks(2)
			test.mend(w)
			w.ticks(2)
			w.expect(fails, "Over: "+fails)
			w.ticks(5)
			w.expect(fails, "Over: "+fails)
			w.world.fail = down // and it is told again
			w.ticks(3)
			w.expect(fails, "Over: "+fails, fails)
		})
	}
}

// The host tries a tick that failed again: that is no other tick.
func TestHealthRetries(t *testing.T) {
	t.Parallel()
	w := watchedDay(t, nil)
	w.ticks(1)
	w.world.fail = down
	for range 3 {
		_, _ = w.tick(w.now)
		w.now = w.now.Add(30 * time.Second)
	}
	w.world.fail = nil
	w.ticks(2)
	w.expect()
}

// flakyLedger fails before or after it did what was asked.
type flakyLedger struct {
	Ledger
	fail func() (before, after bool)
}

func (l flakyLedger) SetNote(ctx context.Context, ruleID, name, text, tag string) (string, bool, error) {
	before, after := l.fail()
	if before {
		return "", false, errDown
	}
	newTag, ok, err := l.Ledger.SetNote(ctx, ruleID, name, text, tag)
	if after {
		return "", false, errDown
	}
	return newTag, ok, err
}

func (l flakyLedger) Keep(ctx context.Context, e ledger.Entry) error {
	if e.RuleID != HealthRuleID {
		return l.Ledger.Keep(ctx, e)
	}
	before, after := l.fail()
	if before {
		return errDown
	}
	err := l.Ledger.Keep(ctx, e)
	if after {
		return errDown
	}
	return err
}

// Wherever it is cut off, and however many processes watch, what is wrong is told
// once and ended once.
func TestHealthTellsOnce(t *testing.T) {
	t.Parallel()
	for cut := range 12 {
		t.Run(fmt.Sprint("cut ", cut), func(t *testing.T) {
			t.Parallel()
			w := watchedDay(t, nil)
			step := 0
			w.ledger = flakyLedger{w.ledger, func() (bool, bool) {
				step++
				return step == cut/2 && cut%2 == 0, step == cut/2 && cut%2 == 1
			}}
			w.restart()
			other, err := New(w.config, w.rules, w.world, w.ledger, w.inbox)
			if err != nil {
				t.Fatal(err)
			}
			both := func(n int) {
				for range n {
					w.ticks(1)
					if cut%3 == 0 { // a process of its own, which dies at once
						w.restart()
					}
					_, _ = other.Tick(t.Context(), w.now.Add(-time.Hour+time.Second))
				}
			}
			both(3)
			w.world.fail = down
			both(6)
			w.world.fail = nil
			both(4)
			w.expect(fails, "Over: "+fails)
		})
	}
}

// What is no more is not wrong any more.
func TestHealthGone(t *testing.T) {
	t.Parallel()
	w := watchedDay(t, func(c *Config) { c.Health.Broken = []string{"a.yaml:1:2: no query"} })
	other := counting(time.Hour, time.Hour)
	other.ID, other.Name, other.File = "other", "Other", "other.yaml"
	w.rules = append(w.rules, other)
	w.restart()
	const broken = "Rules are not run, since their files are wrong"
	w.expect()
	w.expect(broken)
	if text := w.last().Description; text != "a.yaml:1:2: no query" {
		t.Errorf("the text is %q", text)
	}
	w.world.fail = down
	w.ticks(4)
	w.rules = w.rules[:1]
	w.restart()
	w.ticks(1)
	w.expect(broken, fails, `The rule "Other" fails`, `Over: The rule "Other" fails`)
	if text := w.last().Description; text != "It is not set up any more." {
		t.Errorf("the text is %q", text)
	}
	w.world.fail = nil
	w.config.Health.Broken = nil
	w.restart()
	w.ticks(1)
	w.expect(broken, fails, `The rule "Other" fails`, `Over: The rule "Other" fails`, "Over: "+fails, "Over: "+broken)
}

// A destination that is no more, and one that takes less than there is.
func TestHealthDestinations(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	c.SendLimit = 2
	d := newDay(t, c, dayOfEvents(), counting(time.Hour, time.Hour))
	old := &inbox{name: "old", fail: failing(errDown)}
	detector, err := New(d.config, d.rules, d.world, d.ledger, d.inbox, old)
	if err != nil {
		t.Fatal(err)
	}
	d.detector = detector
	titles := func() (list []string) {
		for _, a := range d.inbox.alerts {
			if a.RuleID == HealthRuleID {
				list = append(list, a.Title)
			}
		}
		return list
	}
	// Seven alerts wait, of which two go in a tick, and to the old one none.
	for now := clock("17:05"); now.Before(clock("23:00")); now = now.Add(time.Hour) {
		_, _ = d.tick(now)
		if now.Equal(clock("19:05")) {
			d.restart() // without the old one
		}
	}
	late, stuck := "Alerts for inbox come late", "The destination old does not take alerts"
	orphaned := "Alerts wait for old, which is not set up any more"
	for _, title := range titles() {
		if title != late && title != stuck && title != orphaned && title != "Over: "+late && title != "Over: "+stuck {
			t.Errorf("told %q", title)
		}
	}
	if list := strings.Join(titles(), "|"); !strings.Contains(list, stuck) {
		t.Errorf("told %q", list)
	}
}

// A table that the workspace lacks does not keep the others from being watched.
func TestHealthTables(t *testing.T) {
	t.Parallel()
	missing := &workspace.QueryError{Code: "SemanticError", Message: "no such table", Table: "A"}
	w := watchedDay(t, func(c *Config) { c.Health.Tables = []string{"A", "B", "C"} })
	// The world's only table of its own kind is asked through a querier that knows
	// them apart.
	gone := false
	w.detector.querier = querier(func(q workspace.Query) (*workspace.Table, error) {
		table := &workspace.Table{Columns: []workspace.Column{{Name: "Hour"}}}
		switch {
		case strings.HasPrefix(q.Text, "['A']"):
			return nil, missing
		case strings.HasPrefix(q.Text, "['B']"):
			return nil, &workspace.QueryError{Code: "SemanticError", Message: "something else"}
		case strings.HasPrefix(q.Text, "['C']"):
			for h := q.Start.Truncate(time.Hour); h.Before(q.End); h = h.Add(time.Hour) {
				if !gone || h.Before(clock("20:00")) {
					table.Rows = append(table.Rows, []any{h})
				}
			}
		default:
			return w.world.Query(t.Context(), q)
		}
		return table, nil
	})
	w.ticks(4)
	gone = true
	w.ticks(30)
	w.expect("The table C is silent")
	gone = false
	w.ticks(1)
	w.expect("The table C is silent", "Over: The table C is silent")
	warnings := strings.Join(w.reports[len(w.reports)-1].HealthWarnings, "\n")
	if strings.Contains(warnings, "table A") || !strings.Contains(warnings, "the table B is not watched for silence: ") || strings.Contains(warnings, "table C") {
		t.Errorf("warnings %q", warnings)
	}
}

type querier func(q workspace.Query) (*workspace.Table, error)

func (f querier) Query(_ context.Context, q workspace.Query) (*workspace.Table, error) { return f(q) }

// A note that somebody damaged is said, and stops nothing else.
func TestHealthDamagedNote(t *testing.T) {
	t.Parallel()
	w := watchedDay(t, nil)
	if _, _, err := w.ledger.SetNote(t.Context(), HealthRuleID, "health", "{", ""); err != nil {
		t.Fatal(err)
	}
	report, err := w.tick(w.now)
	if err == nil || !strings.Contains(err.Error(), `the note "health" of rule`) || len(report.Rules[0].Windows) != 1 || !errors.Is(err, report.HealthErr) {
		t.Errorf("error %v", err)
	}
}

func down(workspace.Query) error { return errDown }
