package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// functionTimeout is the deadline of the tests' ticks: queries are run in the
// first eight minutes of it, alerts are sent in the first nine.
const functionTimeout = 10 * time.Minute

// within ticks with a deadline.
func (d *day) within(timeout time.Duration, now time.Time) (Report, error) {
	ctx, cancel := context.WithTimeout(d.t.Context(), timeout)
	defer cancel()
	return d.tickIn(ctx, now)
}

func (d *day) tickIn(ctx context.Context, now time.Time) (Report, error) {
	d.world.now = now
	report, err := d.detector.Tick(ctx, now)
	d.reports = append(d.reports, report)
	return report, err
}

func each(took time.Duration) func(workspace.Query) time.Duration {
	return func(workspace.Query) time.Duration { return took }
}

func TestTickKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		query, send  time.Duration
		done, left   int // windows
		sent, unsent int // alerts
		took         time.Duration
		stopped      error
		failure      string
	}{
		{name: "all fits", query: 10 * time.Second, send: time.Second, done: 13, sent: 7, took: 137 * time.Second},
		{name: "not all queries fit", query: 50 * time.Second, send: time.Second, done: 9, left: 4, sent: 4,
			took: 8*time.Minute + 4*time.Second, stopped: context.DeadlineExceeded},
		// The fourth alert is on its way at nine minutes and is finished.
		{name: "not all alerts fit", query: 36 * time.Second, send: 22 * time.Second, done: 13, sent: 4, unsent: 3,
			took: 13*36*time.Second + 4*22*time.Second, stopped: context.DeadlineExceeded},
		{name: "no query fits", query: 20 * time.Minute, left: 13, took: 8 * time.Minute, stopped: context.DeadlineExceeded,
			failure: "the time of the tick was up before anything was done: 13 windows and 0 alerts are left for the next"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
				d.run("05:00", "05:10") // so that twelve windows are due next, and a late pass
				d.world.takes, d.inbox.takes = each(tt.query), tt.send
				before, _ := d.ledger.State(t.Context(), "counting")
				began := time.Now()
				report, err := d.within(functionTimeout, clock("17:05"))
				if took := time.Since(began); took != tt.took || took > functionTimeout {
					t.Errorf("the tick took %s, want %s", took, tt.took)
				}
				if tt.failure == "" && err != nil || tt.failure != "" && (err == nil || !strings.Contains(err.Error(), tt.failure)) {
					t.Errorf("error = %v, want %q", err, tt.failure)
				}
				if tt.failure != "" && (!errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), `rule "Counting", window`)) {
					t.Errorf("error %v does not say which query was cut", err)
				}
				if !errors.Is(report.Stopped, tt.stopped) || (report.Stopped == nil) != (tt.stopped == nil) {
					t.Errorf("stopped = %v, want %v", report.Stopped, tt.stopped)
				}
				run, delivery := report.Rules[0], report.Deliveries[0]
				if len(run.Windows) != tt.done || run.Left != tt.left || run.Waiting != tt.left || (run.Cut != nil) != (tt.left > 0) {
					t.Errorf("%d windows done, %d left, %d waiting, cut: %v; want %d and %d", len(run.Windows), run.Left, run.Waiting, run.Cut, tt.done, tt.left)
				}
				if delivery.Sent != tt.sent || delivery.Left != tt.unsent || delivery.Pending != tt.unsent || delivery.Err != nil {
					t.Errorf("delivery = %+v, want %d sent and %d left", delivery, tt.sent, tt.unsent)
				}
				after, _ := d.ledger.State(t.Context(), "counting")
				if len(after.Pending) != tt.left || !before.First.Equal(after.First) {
					t.Errorf("state = %+v, with %d pending, want %d", after, len(after.Pending), tt.left)
				}

				d.world.takes, d.inbox.takes = nil, 0
				if _, err := d.within(functionTimeout, clock("17:06")); err != nil {
					t.Error(err)
				}
				d.run("17:06", "30:00")
				checkEveryEvent(t, d)
				if len(d.inbox.alerts) != 7 {
					t.Errorf("reported %v", d.inbox.lines())
				}
			})
		})
	}
}

// A destination that is slow and has much to take leaves the next one time.
func TestDestinationsShareTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
		slow := &inbox{name: "slow"}
		detector, err := New(d.config, d.rules, d.world, d.ledger, slow, d.inbox)
		if err != nil {
			t.Fatal(err)
		}
		d.detector = detector
		d.run("05:00", "05:10")
		// The queries leave 72 seconds: half of them are the slow one's, which
		// finishes what it began. What the other does not need it has as well.
		d.world.takes, slow.takes, d.inbox.takes = each(36*time.Second), 22*time.Second, time.Second
		report, err := d.within(functionTimeout, clock("17:05"))
		if err != nil {
			t.Error(err)
		}
		if first, second := report.Deliveries[0], report.Deliveries[1]; first.Sent != 3 || first.Left != 4 || second.Sent != 7 || second.Left != 0 {
			t.Errorf("deliveries %+v", report.Deliveries)
		}
	})
}

// TestTurns is about rules that share a tick.
func TestTurns(t *testing.T) {
	t.Parallel()
	// slow makes the queries of rule a take that long, those of b a second.
	slow := func(d *day, took time.Duration) {
		d.world.takes = func(q workspace.Query) time.Duration {
			if q.RuleID == "a" {
				return took
			}
			return time.Second
		}
	}
	rules := func(t *testing.T) *day {
		a, b := counting(time.Hour, time.Hour), counting(time.Hour, time.Hour)
		a.ID, a.Name, a.File = "a", "A", "a.yaml"
		b.ID, b.Name, b.File = "b", "B", "b.yaml"
		c := config()
		c.Lateness, c.Concurrency = 0, 1
		d := newDay(t, c, nil, a, b)
		d.run("05:30", "06:10")
		d.world.queries = nil
		return d
	}
	order := func(d *day) string {
		var lines []string
		for _, q := range d.world.queries {
			lines = append(lines, q.RuleID+hhmm(q.End)[:2])
		}
		d.world.queries = nil
		return strings.Join(lines, " ")
	}

	t.Run("the oldest of each first", func(t *testing.T) {
		t.Parallel()
		d := rules(t)
		if _, err := d.tick(clock("09:05")); err != nil {
			t.Fatal(err)
		}
		if got, want := order(d), "a07 b07 a08 b08 a09 b09"; got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
	})
	t.Run("who was left out comes first", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := rules(t)
			slow(d, time.Hour)
			before, _ := d.ledger.State(t.Context(), "b")
			report, err := d.within(functionTimeout, clock("07:05"))
			if err == nil || report.Rules[0].Left != 1 || report.Rules[1].Left != 1 || report.Rules[1].Cut != nil {
				t.Errorf("report = %+v, %v", report, err)
			}
			after, _ := d.ledger.State(t.Context(), "b")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the state of the rule that was left out changed:\n%s", diff)
			}
			report, err = d.within(functionTimeout, clock("08:05"))
			if err != nil { // b got on
				t.Error(err)
			}
			if got, want := order(d), "a07 b07 a07"; got != want {
				t.Errorf("ran %s, want %s", got, want)
			}
			if report.Rules[1].Left != 1 || len(report.Rules[1].Windows) != 1 {
				t.Errorf("report = %+v", report.Rules[1])
			}
		})
	})
	t.Run("a rule beside one whose queries fail slowly", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := rules(t)
			slow(d, 195*time.Second)
			d.world.fail = func(q workspace.Query) error {
				if q.RuleID == "a" {
					return withText{&workspace.TimeoutError{}}
				}
				return nil
			}
			for now := clock("07:05"); now.Before(clock("14:00")); now = now.Add(time.Hour) {
				if report, err := d.within(functionTimeout, now); err == nil || report.Rules[1].Failure() != nil || report.Rules[1].Waiting > 0 {
					t.Errorf("at %s: %+v, %v", hhmm(now), report.Rules[1], err)
				}
			}
		})
	})
	t.Run("who was cut short comes first", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := rules(t)
			d.world.takes = each(5 * time.Minute)
			for _, at := range []string{"07:05", "08:05"} {
				if _, err := d.within(functionTimeout, clock(at)); err != nil {
					t.Error(err)
				}
			}
			// One window fits into a tick; b, cut in the first, is first in the second.
			if got, want := order(d), "a07 b07 b07 a08"; got != want {
				t.Errorf("ran %s, want %s", got, want)
			}
		})
	})
}

// TestCancel ends a tick from outside, as a process that is asked to end does.
func TestCancel(t *testing.T) {
	t.Parallel()
	t.Run("in a query", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
			d.run("08:30", "09:10")
			d.world.takes = each(time.Minute)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(90*time.Second, cancel)
			began := time.Now()
			report, err := d.tickIn(ctx, clock("11:05"))
			if took := time.Since(began); took != 90*time.Second {
				t.Errorf("the tick went on until %s", took)
			}
			if !errors.Is(err, context.Canceled) || report.Stopped != context.Canceled || !strings.Contains(err.Error(), "the tick was asked to end: 2 windows") {
				t.Errorf("stopped %v, error %v", report.Stopped, err)
			}
			if run := report.Rules[0]; len(run.Windows) != 1 || run.Left != 2 || run.Cut == nil {
				t.Errorf("run = %+v", run)
			}
			if d0 := report.Deliveries[0]; d0.Unread || d0.Pending > 0 || len(d.inbox.alerts) > 0 { // there was nothing to send
				t.Errorf("delivery = %+v, %+v", report.Deliveries[0], report.Rules[0].Windows)
			}
			d.world.takes = nil
			d.run("11:05", "30:00")
			checkEveryEvent(t, d)
		})
	})
	t.Run("in a delivery", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
			d.run("08:30", "09:10")
			d.inbox.takes = 10 * time.Second
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(15*time.Second, cancel)
			began := time.Now()
			report, err := d.tickIn(ctx, clock("10:05"))
			if took := time.Since(began); took != 20*time.Second {
				t.Errorf("the tick ended after %s: what was being sent takes 20s", took)
			}
			if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "0 windows and 1 alert are left") {
				t.Errorf("error = %v", err)
			}
			if diff := cmp.Diff(Delivery{Destination: "inbox", Sent: 2, Pending: 1, Left: 1, Behind: 1, Oldest: clock("10:05"),
				Addresses: []AddressRun{{LastTaken: clock("10:05"), Waiting: 1, Oldest: clock("10:05")}}}, report.Deliveries[0]); diff != "" {
				t.Errorf("delivery (-want +got):\n%s", diff)
			}
			d.inbox.takes = 0
			d.run("10:05", "30:00")
			checkEveryEvent(t, d)
			if len(d.inbox.alerts) != 8 {
				t.Errorf("reported %v", d.inbox.lines())
			}
		})
	})
	t.Run("after all was done", func(t *testing.T) {
		t.Parallel()
		d := newDay(t, config(), nil, counting(time.Hour, time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		d.inbox.fail = func(alert.Alert) error { cancel(); return nil }
		d.world.events = []event{happened("a", "alice", "09:10")}
		if report, err := d.tickIn(ctx, clock("10:05")); err != nil || report.Stopped != nil || report.Deliveries[0].Sent != 1 {
			t.Errorf("report = %+v, %v", report, err)
		}
	})
}

// TestSendTimeout is about a destination that does not answer.
func TestSendTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
		d.run("08:30", "09:10")
		d.inbox.takes = time.Hour
		began := time.Now()
		report, err := d.within(functionTimeout, clock("10:05"))
		if took := time.Since(began); took != maxFailures*d.config.SendTimeout {
			t.Errorf("the tick took %s", took)
		}
		if !errors.Is(err, context.DeadlineExceeded) || report.Stopped != nil || report.Deliveries[0].Pending != 3 {
			t.Errorf("report = %+v, %v", report, err)
		}
	})
}

// silentLedger takes no state: it does not answer.
type silentLedger struct{ Ledger }

func (l silentLedger) Save(ctx context.Context, list []ledger.Saving) []error {
	<-ctx.Done()
	return slices.Repeat([]error{ctx.Err()}, len(list))
}

// TestSilentLedger is about many rules whose states can not be saved: they do not
// wait one after the other.
func TestSilentLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var rules []*rule.Rule
		for i := range 50 {
			r := counting(time.Hour, time.Hour)
			r.ID = fmt.Sprint("rule", i)
			rules = append(rules, r)
		}
		d := newDay(t, config(), nil, rules...)
		d.ledger = silentLedger{d.ledger}
		d.restart()
		began := time.Now()
		report, err := d.within(functionTimeout, clock("10:05"))
		if took := time.Since(began); took != statesTimeout {
			t.Errorf("the tick took %s", took)
		}
		if err == nil || report.Rules[49].Err == nil || report.Rules[49].Failure() == nil {
			t.Errorf("error = %v", err)
		}
	})
}

// TestTickDuringTick is about two ticks at once.
func TestTickDuringTick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
		d.world.now = clock("12:05")
		d.world.takes = each(time.Minute)
		first := make(chan error)
		go func() {
			_, err := d.detector.Tick(t.Context(), clock("10:05"))
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.detector.Tick(ctx, clock("10:06")); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "waiting for the tick before") {
			t.Errorf("an impatient tick: %v", err)
		}
		report, err := d.detector.Tick(t.Context(), clock("10:06"))
		if err != nil || len(windows(report)) > 0 {
			t.Errorf("a patient tick: %v, %v", windows(report), err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}

// panicky panics wherever it is asked to.
type panicky struct {
	Ledger
	in string
}

func (p *panicky) at(verb string) {
	if verb == p.in {
		panic("no such\n\x1b[31mluck")
	}
}

func (p *panicky) Query(context.Context, workspace.Query) (*workspace.Table, error) {
	p.at("Query")
	return &workspace.Table{Columns: worldColumns, Rows: [][]any{{clock("09:10"), clock("09:10"), "alice", int64(1), nil}}}, nil
}

func (p *panicky) Notify(context.Context, alert.Alert) error { p.at("Notify"); return nil }
func (p *panicky) Name() string                              { return "panicky" }

// panickyDigest is a destination that panics when it is asked how many alerts it
// takes one by one.
type panickyDigest struct{ panicky }

func (p *panickyDigest) Most() int { p.at("Most"); return 5 }

func (p *panickyDigest) NotifyAll(context.Context, []alert.Alert) error { return nil }

// TestPanics checks that a panic fails what it happens in, and nothing else.
func TestPanics(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Query", "Notify", "Most"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			a, b := counting(time.Hour, time.Hour), counting(time.Hour, time.Hour)
			a.ID, a.Name, a.File = "a", "A", "a.yaml"
			d := newDay(t, config(), []event{happened("x", "bob", "09:30")}, a, b)
			bad := &panickyDigest{panicky{in: in}}
			d.world.fail = func(q workspace.Query) error {
				if q.RuleID == "a" {
					_, err := bad.Query(context.Background(), q)
					return err
				}
				return nil
			}
			var err error
			if d.detector, err = New(d.config, d.rules, d.world, d.ledger, bad, d.inbox); err != nil {
				t.Fatal(err)
			}
			report, err := d.tick(clock("10:05"))
			var failure *PanicError
			if !errors.As(err, &failure) || !strings.Contains(string(failure.Stack), "panicky") || !strings.Contains(err.Error(), "panic: no such [31mluck") {
				t.Fatalf("error = %v", err)
			}
			if strings.Contains(err.Error(), "goroutine") {
				t.Errorf("the stack is in the error's text: %v", err)
			}
			if !slices.ContainsFunc(d.inbox.alerts, func(a alert.Alert) bool { return a.RuleID == "counting" }) {
				t.Errorf("the other rule or destination got nothing: %+v", report)
			}
			bad.in = ""
			if _, err := d.tick(clock("10:06")); err != nil {
				t.Errorf("the tick after that: %v", err)
			}
			if len(d.inbox.alerts) != 2 {
				t.Errorf("reported %v", d.inbox.lines())
			}
		})
	}
}

// panickyLedger is a brokenLedger that panics instead.
type panickyLedger struct{ brokenLedger }

func (p *panickyLedger) State(ctx context.Context, ruleID string) (s ledger.State, err error) {
	s, err = p.brokenLedger.State(ctx, ruleID)
	if errors.Is(err, errDown) {
		panic(err)
	}
	return s, err
}

func (p *panickyLedger) Rules(ctx context.Context) ([]string, error) {
	ids, err := p.brokenLedger.Rules(ctx)
	if errors.Is(err, errDown) {
		panic(err)
	}
	return ids, err
}

func (p *panickyLedger) Waiting(ctx context.Context, ruleID string, from ledger.Place) iter.Seq2[[]ledger.Owed, error] {
	if p.err("Waiting") != nil {
		panic(errDown)
	}
	return p.brokenLedger.Waiting(ctx, ruleID, from)
}

func TestLedgerPanics(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"State", "Rules", "Waiting"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
			bad := &panickyLedger{brokenLedger{Ledger: d.ledger, verb: verb}}
			d.ledger = bad
			d.restart()
			_, err := d.tick(clock("10:05"))
			var failure *PanicError
			if !errors.As(err, &failure) || !errors.Is(err, errDown) {
				t.Fatalf("error = %v", err)
			}
			bad.verb = ""
			if _, err := d.tick(clock("10:06")); err != nil || len(d.inbox.alerts) != 3 {
				t.Errorf("reported %v, %v", d.inbox.lines(), err)
			}
		})
	}
}

// TestHopeless is about failures that the next window of the rule would share.
func TestHopeless(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		runs int // of three windows
	}{
		{"a wrong query", &workspace.QueryError{Kind: "SemanticError"}, 1},
		{"no access", &workspace.ServiceError{Status: 403}, 1},
		{"throttled", &workspace.ServiceError{Status: 429}, 1},
		{"down", &workspace.ServiceError{Status: 503}, 1},
		{"no token", &workspace.CredentialError{}, 1},
		{"no connection", &workspace.ConnectionError{}, 1},
		{"a cut answer", &workspace.ConnectionError{Answered: true}, 3},
		{"a result too large", &workspace.PartialError{}, 3},
		{"a slow query", &workspace.ServiceError{Status: 504}, 3},
		{"a slower one", &workspace.TimeoutError{}, 3},
		{"an unknown failure", errDown, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, config(), nil, counting(time.Hour, time.Hour))
			d.run("08:30", "09:10")
			d.world.fail = func(workspace.Query) error { return withText{tt.err} }
			report, err := d.tick(clock("11:05"))
			if run := report.Rules[0]; err == nil || len(run.Windows) != tt.runs || run.Waiting != 3 || run.Left != 0 {
				t.Errorf("%d windows, %d waiting, %d left: %v", len(run.Windows), run.Waiting, run.Left, err)
			}
		})
	}
}

// withText gives an error that was made without its parts a text.
type withText struct{ error }

func (e withText) Error() string { return fmt.Sprintf("%T", e.error) }
func (e withText) Unwrap() error { return e.error }
