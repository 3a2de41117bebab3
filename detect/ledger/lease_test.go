package ledger

import (
	"errors"
	"testing"
	"time"

	"pushback/detect/alert"
)

func TestLease(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		one, two := open(), open()
		ctx := t.Context()
		isLeased := func(err error) {
			t.Helper()
			var leased *LeasedError
			if !errors.As(err, &leased) || leased.RuleID != "rule" {
				t.Errorf("error = %v, want a LeasedError", err)
			}
		}
		write := func(l *Ledger, minute int) error {
			a := newAlert("rule", activity("a", minute, minute))
			return l.Record(ctx, Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(minute)}, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}})
		}
		lease, err := one.Lease(ctx, "rule", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		_, err = two.Lease(ctx, "rule", time.Minute)
		isLeased(err)
		isLeased(write(two, 1))
		if other, err := two.Lease(ctx, "other", time.Minute); err != nil {
			t.Errorf("the lease of another rule: %v", err)
		} else if err := other.Release(ctx); err != nil {
			t.Error(err)
		}
		if state, err := two.State(ctx, "rule"); err != nil || !state.IsZero() {
			t.Errorf("State of a leased rule that never ran = %v, %v", state, err)
		}

		// Every Record begins the lease anew.
		for minute := range 5 {
			if err := write(one, minute); err != nil {
				t.Fatal(err)
			}
			c.add(45 * time.Second)
		}
		_, err = two.Lease(ctx, "rule", time.Minute)
		isLeased(err)

		// It ran out, but nobody took it.
		c.add(time.Hour)
		if err := write(one, 5); err != nil {
			t.Fatal(err)
		}
		// It ran out and somebody did.
		c.add(time.Hour)
		taken, err := two.Lease(ctx, "rule", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		isLeased(write(one, 6))
		isLeased(lease.Renew(ctx))
		if err := lease.Release(ctx); err != nil {
			t.Errorf("Release of a lost lease: %v", err)
		}
		if err := taken.Renew(ctx); err != nil {
			t.Errorf("the other's lease after that: %v", err)
		}
		if err := write(two, 7); err != nil {
			t.Fatal(err)
		}
		if err := taken.Release(ctx); err != nil {
			t.Fatal(err)
		}
		if err := write(one, 8); err != nil {
			t.Errorf("Record after the release: %v", err)
		}
		pending, err := owedTo(ctx, one, "teams")
		if err != nil || len(pending) != 8 {
			t.Errorf("%d pending, %v; want 8: what a lost lease wrote must not be there", len(pending), err)
		}
		if state, err := two.State(ctx, "rule"); err != nil || !state.Watermark.Equal(at(8)) {
			t.Errorf("State = %v, %v", state, err)
		}
	})
}

// A lease that was given back, or asked for in vain, while the table did not answer is
// this process's to take again at once, and not another's.
func TestLeaseRetaken(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		lose func(l *Ledger) error
	}{
		{"given back", func(l *Ledger) error {
			return l.Save(t.Context(), []Saving{{RuleID: "rule", State: State{First: at(0), Watermark: at(1)}}})[0]
		}},
		{"released", func(l *Ledger) error { return l.leaseOf("rule").Release(t.Context()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &testClock{t: noon}
			whole := NewMemory().store
			l, other := memoryAt(whole, c), memoryAt(whole, c)
			take := func(l *Ledger) error { _, err := l.Lease(t.Context(), "rule", time.Minute); return err }
			if err := take(l); err != nil {
				t.Fatal(err)
			}
			l.store = crashAt(whole, 1, false)
			if err := test.lose(l); !errors.Is(err, errCrashed) {
				t.Fatal(err)
			}
			l.store = whole
			if err := take(other); !errors.As(err, new(*LeasedError)) {
				t.Errorf("another process takes it: %v", err)
			}
			if err := take(l); err != nil {
				t.Errorf("the process itself: %v", err)
			}
			if err := take(l); !errors.As(err, new(*LeasedError)) {
				t.Errorf("twice: %v", err)
			}
		})
	}
	t.Run("asked for", func(t *testing.T) {
		t.Parallel()
		c := &testClock{t: noon}
		whole := NewMemory().store
		l, other := memoryAt(whole, c), memoryAt(whole, c)
		for _, l := range []*Ledger{l, other} {
			if err := l.Save(t.Context(), []Saving{{RuleID: "rule", State: State{First: at(0), Watermark: at(1)}}})[0]; err != nil {
				t.Fatal(err)
			}
		}
		l.store = crashAt(whole, 2, true) // the row is written, and the answer is lost
		if _, err := l.Lease(t.Context(), "rule", time.Minute); !errors.Is(err, errCrashed) {
			t.Fatal(err)
		}
		l.store = whole
		if _, err := other.Lease(t.Context(), "rule", time.Minute); !errors.As(err, new(*LeasedError)) {
			t.Errorf("another process takes it: %v", err)
		}
		if _, err := l.Lease(t.Context(), "rule", time.Minute); err != nil {
			t.Errorf("the process itself: %v", err)
		}
	})
}
