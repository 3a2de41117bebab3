package detect

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"pushback/detect/ledger"
)

// slowLedger takes its time to record and to note.
type slowLedger struct {
	Ledger
	takes time.Duration
}

func (l slowLedger) Record(ctx context.Context, e ledger.Entry) error {
	select {
	case <-time.After(l.takes):
		return l.Ledger.Record(ctx, e)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestStoppable stops a tick in each of its parts, with four seconds for the
// tick and eight for its end: it ends in time, and what could be recorded or
// sent by then was.
func TestStoppable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name               string
		query, keep, send  time.Duration
		stop               time.Duration // after the tick began
		took               time.Duration
		sent               int
		queried, forgotten bool // its window was run; what was recorded is not in the ledger
	}{
		{name: "a query that ends in time", query: 12 * time.Second, stop: 10 * time.Second, took: 12 * time.Second, sent: 1, queried: true},
		{name: "a query that does not", query: time.Minute, stop: 10 * time.Second, took: 14 * time.Second},
		{name: "a card that arrives in time", send: 10 * time.Second, stop: 5 * time.Second, took: 10 * time.Second, sent: 1, queried: true},
		{name: "a card that does not", send: 15 * time.Second, stop: 5 * time.Second, took: 11500 * time.Millisecond, queried: true},
		{name: "a record that is written in time", query: time.Second, keep: 6 * time.Second, stop: 2 * time.Second, took: 7 * time.Second, queried: true},
		{name: "a ledger that hangs", query: time.Second, keep: time.Hour, stop: 2 * time.Second, took: 8500 * time.Millisecond, forgotten: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := config()
				c.SendTimeout, c.Lateness = 15*time.Second, 0
				d := newDay(t, c, dayOfEvents()[:1], counting(time.Hour, time.Hour))
				first := clock("00:00").Add(dayOfEvents()[0].at.Sub(midnight)).Truncate(time.Hour)
				if _, err := d.tick(first.Add(5 * time.Minute)); err != nil { // from here on
					t.Fatal(err)
				}
				inner := d.ledger
				d.ledger = slowLedger{inner, tt.keep}
				d.restart()
				d.world.takes, d.inbox.takes = each(tt.query), tt.send
				stopped, stop := context.WithCancel(t.Context())
				time.AfterFunc(tt.stop, stop)
				ctx, cancel := Stoppable(t.Context(), stopped, 4*time.Second, 8*time.Second)
				defer cancel()
				began := time.Now()
				now := first.Add(time.Hour + 5*time.Minute)
				report, err := d.tickIn(ctx, now)
				if took := time.Since(began); took != tt.took {
					t.Errorf("the tick took %s, want %s: %v", took, tt.took, err)
				}
				if len(d.inbox.alerts) != tt.sent {
					t.Errorf("%d alerts arrived, want %d", len(d.inbox.alerts), tt.sent)
				}
				if ran := len(report.Rules[0].Windows) == 1 && report.Rules[0].Failure() == nil; ran != tt.queried {
					t.Errorf("run = %+v, %v", report.Rules[0], err)
				}
				// The next process goes on at once: nobody has the lease.
				lease, err := inner.(*ledger.Memory).Lease(t.Context(), "counting", time.Minute)
				var busy *ledger.LeasedError
				if errors.As(err, &busy) {
					t.Fatal("the lease was not given up")
				}
				if err != nil {
					t.Fatal(err)
				}
				if err := lease.Release(t.Context()); err != nil {
					t.Fatal(err)
				}
				d.ledger = inner
				d.restart()
				d.world.takes, d.inbox.takes = nil, 0
				if _, err := d.tick(now.Add(10 * time.Minute)); err != nil {
					t.Error(err)
				}
				if len(d.inbox.alerts) != 1 {
					t.Errorf("after the next tick %d alerts had arrived", len(d.inbox.alerts))
				}
			})
		})
	}
}
