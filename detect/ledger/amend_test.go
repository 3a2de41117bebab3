package ledger

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// marking adds a stretch to what is to be run once more.
func marking(minute int) func(State) State {
	return func(s State) State {
		s.Rerun = append(s.Rerun, Stretch{at(minute), at(minute)})
		return s
	}
}

// TestAmend changes the state of a rule beside the processes that run it: no change
// is lost, and none is made under a lease.
func TestAmend(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, clock *testClock) {
		ctx := t.Context()
		first := State{First: at(0), Watermark: at(60)}
		runs := open()
		if err := runs.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		if errs := runs.Save(ctx, []Saving{{RuleID: "rule", State: first}}); errs[0] != nil {
			t.Fatal(errs[0])
		}
		begun := open() // reads how far rules have run before the change
		if err := begun.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		if err := open().Amend(ctx, "rule", marking(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := begun.Lease(ctx, "rule", 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		want := first
		want.Rerun = []Stretch{{at(1), at(1)}}
		check := func(l *Ledger) {
			t.Helper()
			got, err := l.State(ctx, "rule")
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("State, %v (-want +got):\n%s", err, diff)
			}
		}
		check(begun)
		var busy *LeasedError
		if err := open().Amend(ctx, "rule", marking(2)); !errors.As(err, &busy) || busy.RuleID != "rule" || busy.Until.IsZero() {
			t.Errorf("Amend under a lease = %v", err)
		}
		if errs := begun.Save(ctx, []Saving{{RuleID: "rule", State: want}}); errs[0] != nil { // and gives the lease back
			t.Fatal(errs[0])
		}
		check(open())

		// A process was paused for longer than its lease, and saves what it knew.
		paused := open()
		lease, err := paused.Lease(ctx, "rule", 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		clock.add(6 * time.Minute)
		if err := open().Amend(ctx, "rule", marking(3)); err != nil {
			t.Fatal(err)
		}
		want.Rerun = append(want.Rerun, Stretch{at(3), at(3)})
		if errs := paused.Save(ctx, []Saving{{RuleID: "rule", State: first}}); !errors.As(errs[0], &busy) {
			t.Errorf("Save with a lease that was over = %v", errs[0])
		}
		if err := lease.Release(ctx); err != nil {
			t.Error(err)
		}
		check(open())

		// Several at a time.
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				if err := open().Amend(ctx, "rule", marking(10+i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		got, err := open().State(ctx, "rule")
		if err != nil || len(got.Rerun) != 6 {
			t.Errorf("State = %+v, %v", got, err)
		}
		// Of a rule that never ran.
		if err := open().Amend(ctx, "fresh", marking(1)); err != nil {
			t.Fatal(err)
		}
		if got, err := open().State(ctx, "fresh"); err != nil || !got.IsZero() || len(got.Rerun) != 1 {
			t.Errorf("State of a rule that never ran = %+v, %v", got, err)
		}
	})
}
