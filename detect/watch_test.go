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
	"pushback/detect/notify"
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

// expect compares what was reported of Pushback itself.
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
			w.t.Errorf("%q was reported twice", a.Title)
		}
		ids[a.ID] = true
		if over := strings.HasPrefix(a.Title, "Over: "); over != (a.Updates != nil) || over && !ids[a.Updates.ID] {
			w.t.Errorf("%q updates %+v", a.Title, a.Updates)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("reported (-want +got):\n%s", diff)
	}
}

func (w *watched) last() alert.Alert { return w.inbox.alerts[len(w.inbox.alerts)-1] }

const fails = `The rule "Counting" fails`

// Whatever part of a rule fails, and in whatever tick it is noticed, it is reported
// once and ended once.
func TestHealthFailingRule(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		spoil  func(w *watched)
		repair func(w *watched)
		text   string
	}{
		{"its query", func(w *watched) { w.world.fail = down }, func(w *watched) { w.world.fail = nil }, "it is down"},
		{"a ledger that is ahead of the clock", func(w *watched) {
			ahead, err := w.ledger.State(context.Background(), "counting")
			if err != nil {
				w.t.Fatal(err)
			}
			ahead.Watermark = w.now.Add(9 * time.Hour)
			if err := w.ledger.Record(context.Background(), ledger.Entry{RuleID: "counting", State: ahead}); err != nil {
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
			test.repair(w)
			w.ticks(2)
			w.expect(fails, "Over: "+fails)
			w.ticks(5)
			w.expect(fails, "Over: "+fails)
			w.world.fail = down // and it is reported again
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

func (l flakyLedger) Record(ctx context.Context, e ledger.Entry) error {
	if e.RuleID != HealthRuleID {
		return l.Ledger.Record(ctx, e)
	}
	before, after := l.fail()
	if before {
		return errDown
	}
	err := l.Ledger.Record(ctx, e)
	if after {
		return errDown
	}
	return err
}

// Wherever it is cut off, and however many processes watch, what is wrong is reported
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

// titles lists what an inbox was sent about Pushback itself.
func (i *inbox) titles() (list []string) {
	for _, a := range i.alerts {
		if a.RuleID == HealthRuleID {
			list = append(list, a.Title)
		}
	}
	return list
}

// A destination that takes none, one that is no more, one that takes less than
// there is, and one that refuses.
func TestHealthDestinations(t *testing.T) {
	t.Parallel()
	// watch ticks from 10:05 to the evening, with something done at a time.
	watch := func(t *testing.T, c Config, fail func(alert.Alert) error, events []event, do func(d *day, now string)) []string {
		t.Helper()
		c.Health = DefaultHealth()
		d := newDay(t, c, events, counting(time.Hour, time.Hour))
		other := &inbox{name: "other", fail: fail}
		detector, err := New(d.config, d.rules, d.world, d.ledger, d.inbox, other)
		if err != nil {
			t.Fatal(err)
		}
		d.detector = detector
		for now := clock("10:05"); now.Before(clock("20:00")); now = now.Add(10 * time.Minute) {
			if do != nil {
				do(d, hhmm(now))
			}
			_, _ = d.tick(now)
		}
		for _, title := range other.titles() {
			if !strings.HasPrefix(title, "Over: ") && strings.Contains(title, "other") {
				t.Errorf("the other was sent %q about itself", title)
			}
		}
		return d.inbox.titles()
	}
	expect := func(t *testing.T, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("reported (-want +got):\n%s", diff)
		}
	}
	one := []event{happened("a1", "alice", "09:10")}
	var many []event
	for i := range 40 {
		many = append(many, happened(fmt.Sprint("m", i), fmt.Sprint("user", i), "09:10"))
	}
	const stuck, orphaned = "The destination other does not take alerts", "Alerts wait for other, which is not set up any more"
	t.Run("down, and the outbox cannot be read for a while", func(t *testing.T) {
		t.Parallel()
		broken := false
		var d *day
		got := watch(t, config(), func(alert.Alert) error {
			if d.world.now.Before(clock("16:00")) {
				return errDown
			}
			return nil
		}, one, func(x *day, now string) {
			if d = x; now == "10:05" {
				d.ledger = outboxLedger{d.ledger, &broken}
				both := d.detector.courier.notifiers
				d.restart(both[1:]...)
			}
			broken = now > "12:00" && now < "12:40"
		})
		expect(t, got, stuck, "Over: "+stuck)
	})
	t.Run("no more", func(t *testing.T) {
		t.Parallel()
		got := watch(t, config(), failing(errDown), one, func(d *day, now string) {
			switch now {
			case "10:15":
				d.restart() // without it
			case "15:05":
				for _, title := range d.inbox.titles() {
					if title != orphaned {
						t.Errorf("reported %q", title)
					}
				}
				m := d.ledger.(*ledger.Memory)
				owed, err := m.OwedOf(t.Context(), d.inbox.alerts[0].ID, "other")
				if err != nil {
					t.Fatal(err)
				}
				if err := m.Drop(t.Context(), owed[0]); err != nil {
					t.Fatal(err)
				}
			}
		})
		expect(t, got, orphaned, "Over: "+orphaned)
	})
	t.Run("more than it takes", func(t *testing.T) {
		t.Parallel()
		c := config()
		c.SendLimit = 2
		got := watch(t, c, nil, many, nil)
		expect(t, got, "Alerts for other come late", "Over: Alerts for inbox come late", "Over: Alerts for other come late")
	})
	t.Run("wants to be left alone", func(t *testing.T) {
		t.Parallel()
		n := 0
		got := watch(t, config(), func(alert.Alert) error {
			if n++; n%3 == 0 { // two, and then no more in this tick
				return &notify.Error{Err: errRefused, RetryAfter: time.Minute}
			}
			return nil
		}, many, nil)
		expect(t, got, "Alerts for other come late", "Over: Alerts for other come late")
	})
	t.Run("refuses", func(t *testing.T) {
		t.Parallel()
		got := watch(t, config(), failing(&notify.Error{Err: errRefused, Message: true}), one, nil)
		expect(t, got, "Alerts for other are parked")
	})
}

// outboxLedger fails to read what is owed.
type outboxLedger struct {
	Ledger
	broken *bool
}

func (l outboxLedger) Rules(ctx context.Context) ([]string, error) {
	if *l.broken {
		return nil, errDown
	}
	return l.Ledger.Rules(ctx)
}

// Windows that were skipped are reported, whatever becomes of the tick that skips
// them.
func TestHealthSkipped(t *testing.T) {
	t.Parallel()
	const skipped = `The rule "Counting" did not look at some windows`
	for _, test := range []struct {
		name  string
		spoil func(w *watched)
	}{
		{"at once", func(*watched) {}},
		{"when the time is up", func(w *watched) {
			ctx, cancel := context.WithCancel(t.Context())
			w.world.fail = func(workspace.Query) error { cancel(); return context.Canceled }
			_, _ = w.detector.Tick(ctx, w.now)
			w.world.fail = nil
			w.restart()
		}},
		{"when the note fails", func(w *watched) {
			n := 0
			w.ledger = flakyLedger{w.ledger, func() (bool, bool) { n++; return n <= 2, false }}
			w.restart()
		}},
		{"when others note something", func(w *watched) {
			w.ledger = &busyLedger{Ledger: w.ledger}
			w.restart()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := watchedDay(t, func(c *Config) { c.CatchUp = 24 * time.Hour })
			w.ticks(2)
			w.now = w.now.Add(40 * time.Hour)
			test.spoil(w)
			w.ticks(4)
			w.expect(skipped, "Over: "+skipped)
		})
	}
}

// busyLedger has another process note something before the first note.
type busyLedger struct {
	Ledger
	n int
}

func (l *busyLedger) SetNote(ctx context.Context, ruleID, name, text, tag string) (string, bool, error) {
	if l.n++; l.n == 1 {
		_, now, err := l.Ledger.Note(ctx, ruleID, name)
		if err != nil {
			return "", false, err
		}
		if _, _, err := l.Ledger.SetNote(ctx, ruleID, name, `{"failing":{"other":{"ticks":1,"last":"2026-03-14T00:00:00Z"}}}`, now); err != nil || tag == now {
			return "", false, err
		}
	}
	return l.Ledger.SetNote(ctx, ruleID, name, text, tag)
}

// A table that the workspace lacks does not keep the others from being watched.
func TestHealthTables(t *testing.T) {
	t.Parallel()
	missing := &workspace.QueryError{Code: "SemanticError", Message: "no such table", Table: "A"}
	w := watchedDay(t, func(c *Config) { c.Health.Tables = []string{"A", "B", "C"} })
	// The world's only table of its own kind is asked through a querier that knows
	// them apart.
	gone := false
	asks := querier(func(q workspace.Query) (*workspace.Table, error) {
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
	w.detector.runner.querier, w.detector.watch.querier = asks, asks
	w.ticks(4)
	gone = true
	w.ticks(30)
	w.expect("The table C is silent")
	gone = false
	w.ticks(1)
	w.expect("The table C is silent", "Over: The table C is silent")
	warnings := strings.Join(w.reports[len(w.reports)-1].HealthWarnings, "\n")
	note, _, err := w.ledger.Note(t.Context(), HealthRuleID, "health")
	s, readErr := readHealth(note)
	if err != nil || readErr != nil || len(s.Tables["C"].Gaps) != 1 {
		t.Errorf("the silence is not left out of the rhythm: %v, %v, %.300s", err, readErr, note)
	}
	if strings.Contains(warnings, "table A") || !strings.Contains(warnings, "the table B is not watched for silence: ") || strings.Contains(warnings, "table C") {
		t.Errorf("warnings %q", warnings)
	}
}

type querier func(q workspace.Query) (*workspace.Table, error)

func (f querier) Query(_ context.Context, q workspace.Query) (*workspace.Table, error) { return f(q) }

// A note that somebody damaged is said and begun anew.
func TestHealthDamagedNote(t *testing.T) {
	t.Parallel()
	w := watchedDay(t, nil)
	if _, _, err := w.ledger.SetNote(t.Context(), HealthRuleID, "health", "{", ""); err != nil {
		t.Fatal(err)
	}
	report, err := w.tick(w.now)
	if err != nil || len(report.HealthWarnings) != 1 || !strings.Contains(report.HealthWarnings[0], `the note "health"`) {
		t.Errorf("warnings %q, %v", report.HealthWarnings, err)
	}
	w.now = w.now.Add(time.Hour)
	w.world.fail = down
	w.ticks(3)
	w.expect(fails)
}

// The note has room for what there can be at the worst.
func TestHealthNoteIsBounded(t *testing.T) {
	t.Parallel()
	w := watchedDay(t, nil)
	long := strings.Repeat("é", 4000)
	w.rules = nil
	for i := range 300 {
		r := counting(time.Hour, time.Hour)
		r.ID, r.Name, r.File = fmt.Sprint("r", i), long, fmt.Sprint(i, ".yaml")
		w.rules = append(w.rules, r)
	}
	for i := range 300 {
		w.config.Health.Tables = append(w.config.Health.Tables, fmt.Sprint("Table", i))
	}
	w.config.Health.Broken = []string{long}
	w.restart()
	asks := querier(func(q workspace.Query) (*workspace.Table, error) {
		if q.RuleID != "health" {
			return nil, errors.New(long)
		}
		table := &workspace.Table{Columns: []workspace.Column{{Name: "Hour"}}}
		for h := q.Start.Truncate(time.Hour); h.Before(q.End); h = h.Add(time.Hour) {
			table.Rows = append(table.Rows, []any{h})
		}
		return table, nil
	})
	w.detector.runner.querier, w.detector.watch.querier = asks, asks
	w.ticks(5)
	for _, r := range w.reports {
		if r.HealthErr != nil {
			t.Fatal(r.HealthErr)
		}
	}
	if n := len(w.inbox.titles()); n != mostOpen {
		t.Errorf("%d were reported", n)
	}
}

func down(workspace.Query) error { return errDown }

// After an upgrade from a version that knew nothing of addresses, what was open
// stays so until the destination takes something.
func TestHealthAfterUpgrade(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	d := oneAlert(t, c)
	d.inbox.fail = failing(errDown)
	other := &inbox{name: "other"}
	start := func() {
		t.Helper()
		var err error
		if d.detector, err = New(d.config, d.rules, d.world, d.ledger, d.inbox, other); err != nil {
			t.Fatal(err)
		}
	}
	set := func(name, text string) {
		t.Helper()
		_, tag, err := d.ledger.Note(t.Context(), HealthRuleID, name)
		if err == nil {
			_, _, err = d.ledger.SetNote(t.Context(), HealthRuleID, name, text, tag)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	start()
	_, _ = d.tick(clock("10:05"))
	owed, err := outboxOf(t, d.ledger)
	if err != nil || len(owed) != 1 {
		t.Fatal(owed, err)
	}
	if err := d.ledger.Failed(t.Context(), owed[0], ledger.Failure{Err: "down", Next: clock("11:00")}); err != nil {
		t.Fatal(err)
	}
	set(addressNote, "{}")
	set(healthNote, `{"open":{"destination inbox":{"title":"The destination inbox does not take alerts","text":"x","since":"2026-03-14T10:05:00Z","not":"inbox","found":"2026-03-14T10:25:00Z","told":true}}}`)
	start()
	for now := clock("10:30"); now.Before(clock("13:00")); now = now.Add(5 * time.Minute) {
		_, _ = d.tick(now)
	}
	if got := other.titles(); len(got) > 0 {
		t.Errorf("reported %q while it is down", got)
	}
	d.inbox.fail = nil
	for now := clock("13:00"); now.Before(clock("15:00")); now = now.Add(5 * time.Minute) {
		_, _ = d.tick(now)
	}
	if diff := cmp.Diff([]string{"Over: The destination inbox does not take alerts"}, other.titles()); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// The keys of conditions are noted as the versions before noted them.
func TestConditionKeys(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]conditionKey{
		"rule d99cf5c3": {kind: ruleFails, name: "d99cf5c3"}, "skipped a b": {kind: windowsSkipped, name: "a b"}, "rules": {kind: rulesBroken},
		"destination sentinel": {kind: destinationRefuses, name: "sentinel"}, "destination teams teams.example/…ca5a": {destinationRefuses, "teams", "teams.example/…ca5a"},
		"destination inbox to other": {destinationRefuses, "inbox", "to other"}, "late teams": {kind: alertsLate, name: "teams"},
		"parked teams": {kind: alertsParked, name: "teams"}, "table SigninLogs": {kind: tableSilent, name: "SigninLogs"}, "ledger": {kind: ledgerGone},
	} {
		var read conditionKey
		if err := read.UnmarshalText([]byte(text)); err != nil || read != key {
			t.Errorf("%q is read as %+v, %v", text, read, err)
		}
		if written, err := key.MarshalText(); err != nil || string(written) != text {
			t.Errorf("%+v is written as %q, %v", key, written, err)
		}
	}
}
