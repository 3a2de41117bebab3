package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

func span(start, end int) alert.Span { return alert.Span{Start: at(start), End: at(end)} }

func activity(f string, start, end int, previously ...alert.Span) alert.Activity {
	return alert.Activity{Fingerprint: alert.Fingerprint(f), Span: span(start, end), Previously: previously}
}

// newAlert returns an alert of a rule about activities, created at noon.
func newAlert(ruleID string, activities ...alert.Activity) alert.Alert {
	a := alert.Alert{ID: alert.NewID(ruleID, activities), RuleID: ruleID, Activities: activities, Created: noon}
	a.Span = activities[0].Span
	for _, activity := range activities {
		a.Span = a.Span.Hull(activity.Span)
	}
	return a
}

func record(t *testing.T, l *Ledger, ruleID string, state State, to []string, alerts ...alert.Alert) {
	t.Helper()
	if err := l.Record(t.Context(), Entry{RuleID: ruleID, State: state, Alerts: alerts, Destinations: to}); err != nil {
		t.Fatal(err)
	}
}

// unseen returns what is news, without suppression.
func unseen(ctx context.Context, l *Ledger, ruleID string, activities []alert.Activity) ([]alert.Activity, error) {
	answer, err := l.Unseen(ctx, Question{RuleID: ruleID, Activities: activities})
	return answer.News, err
}

// owed is an alert as a destination waits for it, wherever it is.
func owed(destination string, a alert.Alert) Owed {
	return Owed{Alert: &a, Destination: destination}
}

// owedTo returns the alerts that are owed to a destination and not parked, whole.
func owedTo(ctx context.Context, l *Ledger, destination string) ([]alert.Alert, error) {
	all, err := l.Outbox(ctx)
	var list []alert.Alert
	for _, o := range all {
		if o.Destination != destination || o.Parked {
			continue
		}
		i, err := l.store.get(ctx, partitionOf(o.Alert.RuleID), string(o.Place))
		if errors.Is(err, errMissing) { // meanwhile
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, i.row.(*outRow).alert)
	}
	return list, err
}

func checkUnseen(t *testing.T, l *Ledger, ruleID string, activities, want []alert.Activity) {
	t.Helper()
	got, err := unseen(t.Context(), l, ruleID, activities)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Unseen (-want +got):\n%s", diff)
	}
}

func checkOwed(t *testing.T, l *Ledger, destination string, want ...alert.Alert) {
	t.Helper()
	got, err := owedTo(t.Context(), l, destination)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("owed to %s (-want +got):\n%s", destination, diff)
	}
}

// testLedger is what every ledger must pass. open returns an empty one.
func testLedger(t *testing.T, open func(t *testing.T) *Ledger) {
	to := []string{"teams", "sentinel"}
	state := State{First: at(0), Watermark: at(60)}

	t.Run("a rule that never ran", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		got, err := l.State(t.Context(), "rule")
		if err != nil || !got.IsZero() {
			t.Errorf("State = %+v, %v", got, err)
		}
		checkUnseen(t, l, "rule", []alert.Activity{activity("a", 0, 1)}, []alert.Activity{activity("a", 0, 1)})
		checkUnseen(t, l, "rule", nil, nil)
		checkOwed(t, l, "teams")
	})

	t.Run("what alerts lack is kept with them", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		sent, held := newAlert("rule", activity("a", 0, 50)), newAlert("rule", activity("b", 0, 50))
		sent.Created, held.Created = at(61), at(61)
		complete := func(a alert.Alert) alert.Alert {
			a.Rows = []alert.Row{{{Column: "ID", Value: fmt.Appendf(nil, "%q", a.ID)}}}
			return a
		}
		rows := 0 // of what was routed
		targets := func(_ string, a alert.Alert) ([]Target, bool) {
			rows += len(a.Rows)
			return nil, false
		}
		e := Entry{RuleID: "rule", State: state, Alerts: []alert.Alert{sent}, HeldBack: []alert.Alert{held}, Destinations: to[:1], Complete: complete, Targets: targets}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		checkOwed(t, l, "teams", complete(sent))
		got, err := l.Whole(t.Context(), "rule", at(60), func(a alert.Alert) bool { return a.ID == held.ID })
		if diff := cmp.Diff([]alert.Alert{complete(held)}, got); err != nil || diff != "" {
			t.Errorf("%v; of what is held back (-want +got):\n%s", err, diff)
		}
		if rows != 1 || e.Alerts[0].Rows != nil || e.HeldBack[0].Rows != nil {
			t.Errorf("it was routed with %d rows, and the entry is %+v", rows, e)
		}
	})

	t.Run("what is held back is remembered, and owed to nobody", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		sent, held := newAlert("rule", activity("a", 0, 50)), newAlert("rule", activity("b", 0, 50))
		sent.Created, held.Created = at(61), at(62)
		held.Context = &alert.Context{Findings: []alert.Finding{{Kind: "bombing", Text: "many"}}, Timeline: []alert.Moment{{Text: "x"}}}
		held.Rows = []alert.Row{{{Column: "A", Value: []byte("1")}}}
		e := Entry{RuleID: "rule", State: state, Alerts: []alert.Alert{sent}, HeldBack: []alert.Alert{held}, Destinations: to}
		for range 2 { // as after an answer that got lost
			if err := l.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		checkOwed(t, l, "teams", sent)
		checkUnseen(t, l, "rule", []alert.Activity{activity("a", 0, 50), activity("b", 0, 50)}, nil)
		for _, d := range to {
			if err := l.Sent(t.Context(), owed(d, sent)); err != nil {
				t.Fatal(err)
			}
		}
		checkOwed(t, l, "teams")
		light := held
		light.Rows, light.Context = nil, &alert.Context{Findings: held.Context.Findings}
		for _, test := range []struct {
			since time.Time
			want  []alert.Alert
		}{{at(60), []alert.Alert{sent, light}}, {at(62), []alert.Alert{light}}, {at(63), nil}} {
			got, _, err := l.Recent(t.Context(), "rule", test.since)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Recent since %s (-want +got):\n%s", test.since, diff)
			}
			wantTally := Tally{}
			for _, a := range test.want {
				if a.ID == held.ID {
					wantTally.HeldBack++
				} else {
					wantTally.Reported++
				}
			}
			if got, err := l.Tally(t.Context(), []string{"rule", "another"}, test.since); err != nil || got != wantTally {
				t.Errorf("Tally since %s = %+v, %v; want %+v", test.since, got, err, wantTally)
			}
		}
	})

	t.Run("events decide what is news where there are any", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		with := func(a alert.Activity, ids ...string) alert.Activity {
			for _, id := range ids {
				a.Events = append(a.Events, alert.NewEventID(id))
			}
			return a
		}
		first := with(activity("a", 0, 50), "x", "z")
		record(t, l, "rule", state, to, newAlert("rule", first))
		same := with(activity("a", 0, 50), "x", "z")
		late := with(activity("a", 0, 50), "x", "y", "z") // y came late, between the two
		longer := with(activity("a", 0, 53), "x", "z")    // a later row of what was reported
		other := with(activity("b", 0, 50), "x")          // of somebody else
		lateTold := late
		lateTold.Previously = []alert.Span{span(0, 50)}
		checkUnseen(t, l, "rule", []alert.Activity{same, late, longer, other}, []alert.Activity{lateTold, other})
		record(t, l, "rule", state, to, newAlert("rule", late))
		checkUnseen(t, l, "rule", []alert.Activity{same, late}, nil)
		if newAlert("rule", same).ID == newAlert("rule", late).ID {
			t.Error("two alerts of the same time, about different events, have one id")
		}
	})

	t.Run("the state of each rule", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		one := State{First: at(0), Watermark: at(65).Add(alert.Resolution), Pending: []time.Time{at(0), at(60)}, LastSuccess: at(30), Failures: 3,
			Looks: Looks{Looked: at(65), Late: []Stretch{{at(-600), at(-300)}, {at(-60), at(-60)}}, Mark: at(64).Add(alert.Resolution), Beyond: at(-900)}}
		record(t, l, "one", one, to)
		record(t, l, "two", state, to)
		one.Pending = one.Pending[:1]
		record(t, l, "one", one, to)
		one.Pending[0] = at(-60) // the ledger must have its own copy
		one.Looks.Late[0].First = at(-700)
		want := map[string]State{
			"one": {First: at(0), Watermark: at(65).Add(alert.Resolution), Pending: []time.Time{at(0)}, LastSuccess: at(30), Failures: 3,
				Looks: Looks{Looked: at(65), Late: []Stretch{{at(-600), at(-300)}, {at(-60), at(-60)}}, Mark: at(64).Add(alert.Resolution), Beyond: at(-900)}},
			"two":   state,
			"three": {},
		}
		for rule, want := range want {
			got, err := l.State(t.Context(), rule)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("State of %s (-want +got):\n%s", rule, diff)
			}
		}
	})

	t.Run("what is news", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		record(t, l, "rule", state, to,
			newAlert("rule", activity("a", 10, 20), activity("b", 10, 10)),
			newAlert("rule", activity("a", 30, 40)))
		checkUnseen(t, l, "rule",
			[]alert.Activity{
				activity("a", 10, 20), // the same
				activity("c", 10, 20), // somebody else
				activity("a", 12, 12), // inside
				activity("a", 40, 40), // its very end
				activity("a", 25, 26), // in the gap
				activity("a", 18, 32), // over the gap
				activity("a", 40, 41), // continues
				activity("a", 5, 50),  // around it
				activity("b", 10, 10), // a moment
				activity("b", 11, 11), // another moment
				activity("A", 10, 20), // another case
			},
			[]alert.Activity{
				activity("c", 10, 20),
				activity("a", 25, 26),
				activity("a", 18, 32, span(10, 20), span(30, 40)),
				activity("a", 40, 41, span(30, 40)),
				activity("a", 5, 50, span(10, 20), span(30, 40)),
				activity("b", 11, 11),
				activity("A", 10, 20),
			})
		checkUnseen(t, l, "other", []alert.Activity{activity("a", 10, 20)}, []alert.Activity{activity("a", 10, 20)})

		record(t, l, "rule", state, to, newAlert("rule", activity("a", 18, 32)))
		checkUnseen(t, l, "rule",
			[]alert.Activity{activity("a", 10, 40), activity("a", 9, 40)},
			[]alert.Activity{activity("a", 9, 40, span(10, 40))})
	})

	t.Run("one question, same identity", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		both := []alert.Activity{activity("a", 0, 10), activity("a", 2, 3)}
		checkUnseen(t, l, "rule", both, both)
		checkUnseen(t, l, "rule", both, both) // asking changes nothing
	})

	t.Run("the outbox", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		early := newAlert("rule", activity("a", 0, 10))
		late := newAlert("rule", activity("a", 5, 20))
		later := newAlert("rule", activity("a", 0, 30))
		record(t, l, "rule", state, to, late, early)
		record(t, l, "rule", state, to, later)
		checkOwed(t, l, "teams", late, early, later)
		checkOwed(t, l, "sentinel", late, early, later)
		checkOwed(t, l, "console")

		for range 2 { // noting it twice is noting it once
			if err := l.Sent(t.Context(), owed("teams", late)); err != nil {
				t.Fatal(err)
			}
		}
		checkOwed(t, l, "teams", early, later)
		checkOwed(t, l, "sentinel", late, early, later)
		for _, a := range []alert.Alert{early, late, later} {
			for _, d := range to {
				if err := l.Sent(t.Context(), owed(d, a)); err != nil {
					t.Fatal(err)
				}
			}
		}
		checkOwed(t, l, "teams")
		checkOwed(t, l, "sentinel")

		record(t, l, "rule", state, to, late) // as after a crash
		checkOwed(t, l, "teams")
		if err := l.Sent(t.Context(), owed("teams", newAlert("rule", activity("z", 0, 1)))); err != nil {
			t.Errorf("Sent of an alert that is not owed: %v", err)
		}
	})

	t.Run("an alert recorded twice", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		a := newAlert("rule", activity("a", 0, 10))
		record(t, l, "rule", state, to, a)
		record(t, l, "rule", state, to, a, a)
		checkOwed(t, l, "teams", a)
	})

	t.Run("no destination", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		record(t, l, "rule", state, nil, newAlert("rule", activity("a", 0, 10)))
		checkUnseen(t, l, "rule", []alert.Activity{activity("a", 0, 10)}, nil)
		checkOwed(t, l, "teams")
	})

	t.Run("a whole alert", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		a := newAlert("rule", activity("a", 0, 10, span(-5, 2)))
		a.Title, a.Severity, a.Tactics = "Title \" <b>\u2028", alert.High, []string{"InitialAccess"}
		a.Entities = []alert.Entity{{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "192.0.2.1/#?\\"}}}}
		a.Rows = []alert.Row{{{Column: "Count", Value: []byte(`9007199254740993`)}}}
		record(t, l, "rule", state, to, a)
		checkOwed(t, l, "teams", a)
	})

	t.Run("hostile names", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		for _, rule := range []string{"a/b", "a\\b", "a#b?", "a\nb", "a b", "ä", ""} {
			record(t, l, rule, state, to, newAlert(rule, activity("a", 0, 10)))
			checkUnseen(t, l, rule, []alert.Activity{activity("a", 0, 10)}, nil)
		}
	})

	t.Run("many at once", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		const workers, each = 8, 10
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				rule := fmt.Sprintf("rule%d", w)
				for i := range each {
					a := newAlert(rule, activity("a", 10*i, 10*i+5))
					if err := l.Record(t.Context(), Entry{RuleID: rule, State: State{First: at(0), Watermark: at(i)}, Alerts: []alert.Alert{a}, Destinations: to}); err != nil {
						t.Error(err)
					}
					if _, err := unseen(t.Context(), l, rule, a.Activities); err != nil {
						t.Error(err)
					}
					if _, err := owedTo(t.Context(), l, "teams"); err != nil {
						t.Error(err)
					}
					if err := l.Sent(t.Context(), owed("teams", a)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		checkOwed(t, l, "teams")
		if got, err := owedTo(t.Context(), l, "sentinel"); err != nil || len(got) != workers*each {
			t.Errorf("%d alerts are pending for sentinel, %v; want %d", len(got), err, workers*each)
		}
	})

	// Minutes of a day, one by one, are the reference.
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		rng := rand.New(rand.NewPCG(3, 4))
		var minutes [2][120]bool // odd indexes are the gaps between two minutes
		for range 300 {
			who := rng.IntN(2)
			start := rng.IntN(50)
			end := start + rng.IntN(8)
			a := activity(string(rune('a'+who)), start, end)
			covered := true
			for i := 2 * start; i <= 2*end; i++ {
				covered = covered && minutes[who][i]
			}
			got, err := unseen(t.Context(), l, "rule", []alert.Activity{a})
			if err != nil {
				t.Fatal(err)
			}
			if (len(got) == 0) != covered {
				t.Fatalf("Unseen(%v) = %v, but covered is %v", a, got, covered)
			}
			if !covered && rng.IntN(3) == 0 {
				record(t, l, "rule", state, nil, newAlert("rule", got...))
				for i := 2 * start; i <= 2*end; i++ {
					minutes[who][i] = true
				}
			}
		}
	})
}
