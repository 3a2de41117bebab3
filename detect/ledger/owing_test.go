package ledger

import (
	"testing"
	"time"

	"pushback/detect/alert"
)

// TestOwing follows whether a rule is said to owe something. Only partitions of such
// rules are read.
func TestOwing(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		ctx := t.Context()
		says := func(want bool) {
			t.Helper()
			ids, err := open().Rules(ctx)
			if err != nil || (len(ids) > 0) != want {
				t.Errorf("%q are said to owe something, %v; want %v", ids, err, want)
			}
		}
		read := func(l *Ledger) (owed []Owed) {
			t.Helper()
			for list, err := range l.Waiting(ctx, "rule", FirstPlace) {
				if err != nil {
					t.Fatal(err)
				}
				owed = append(owed, list...)
			}
			return owed
		}
		purge := func(l *Ledger) {
			t.Helper()
			if _, err := l.Purge(ctx, c.now()); err != nil {
				t.Fatal(err)
			}
		}
		begin := func(l *Ledger) {
			t.Helper()
			if err := l.Begin(ctx); err != nil {
				t.Fatal(err)
			}
		}
		lease := func(l *Ledger) {
			t.Helper()
			if _, err := l.Lease(ctx, "rule", time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		save := func(l *Ledger) {
			t.Helper()
			if errs := l.Save(ctx, []Saving{{RuleID: "rule", Keep: true}}); errs[0] != nil {
				t.Fatal(errs[0])
			}
		}
		state := State{First: at(0), Watermark: at(1)}
		a, b := newAlert("rule", activity("a", 0, 1)), newAlert("rule", activity("b", 0, 1))

		one := open()
		begin(one)
		lease(one)
		says(false)
		record(t, one, "rule", state, nil, newAlert("rule", activity("nobody", 0, 1)))
		says(false) // nobody is owed it
		record(t, one, "rule", state, []string{"teams"}, a)
		says(true)
		// It is sent while the rule still runs, and another comes after that.
		for _, o := range read(one) {
			if err := one.Sent(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		record(t, one, "rule", state, []string{"teams"}, b)
		purge(one)
		says(true) // the lease is held
		save(one)
		purge(one)
		says(true) // b is owed
		begin(one)
		owed := read(one)
		if len(owed) != 1 {
			t.Fatalf("%d are owed", len(owed))
		}
		purge(one)
		says(true)
		if err := one.Sent(ctx, owed[0]); err != nil {
			t.Fatal(err)
		}
		purge(one)
		says(false) // in the tick in which the last one is sent

		// A process that does not know who else had leases fences them first.
		lease(one)
		record(t, one, "rule", state, []string{"teams"}, newAlert("rule", activity("c", 0, 1)))
		save(one)
		two := open()
		begin(two)
		for _, o := range read(two) {
			if err := two.Sent(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		purge(two)
		says(true)
		begin(two)
		read(two)
		purge(two)
		says(false)

		// What is parked is owed.
		lease(two)
		record(t, two, "rule", state, []string{"teams"}, newAlert("rule", activity("d", 0, 1)))
		save(two)
		for _, o := range read(two) {
			if err := two.Failed(ctx, o, Failure{Err: "x", Park: true}); err != nil {
				t.Fatal(err)
			}
		}
		purge(two)
		says(true)
		begin(two)
		for _, o := range read(two) {
			if err := two.Drop(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		purge(two)
		says(false)
	})
}

// TestNothingSince reads nothing of a rule that recorded nothing lately.
func TestNothingSince(t *testing.T) {
	t.Parallel()
	c := &testClock{t: noon}
	s := &watchedStore{store: NewMemory().store}
	l := memoryAt(s, c)
	ctx := t.Context()
	made := newAlert("rule", activity("a", 0, 1)) // at noon
	record(t, l, "rule", State{First: at(0), Watermark: at(-10)}, []string{"teams"}, made)
	if err := l.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	for _, held := range []bool{false, true} {
		if held {
			if _, err := l.Lease(ctx, "rule", time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		for _, test := range []struct {
			since time.Time
			want  int
			reads bool
		}{{at(-1), 1, true}, {at(0), 1, true}, {at(1), 0, false}} {
			before := s.lists
			recent, _, err := l.Recent(ctx, "rule", test.since)
			if err != nil || len(recent) != test.want || (s.lists > before) != test.reads {
				t.Errorf("Recent since %s = %d, %v with %d lists", test.since, len(recent), err, s.lists-before)
			}
			before = s.lists
			related, err := l.Related(ctx, "rule", test.since, func(alert.Alert) bool { return true })
			if err != nil || len(related) != test.want || (s.lists > before) != test.reads {
				t.Errorf("Related since %s = %d, %v with %d lists", test.since, len(related), err, s.lists-before)
			}
		}
	}
}
