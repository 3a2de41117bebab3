package ledger

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
)

func TestPurge(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		l, ctx := open(), t.Context()
		const day = 24 * 60
		count := func(prefix string) int {
			t.Helper()
			n := 0
			for _, err := range l.store.list(ctx, partitionOf("rule"), prefix, prefixEnd(prefix), true) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			return n
		}
		// 130 alerts on each of the days 0, 20 and 40, all sent but for ten.
		for _, d := range []int{0, 20, 40} {
			c.t = at(d * day)
			var alerts []alert.Alert
			for i := range 130 {
				alerts = append(alerts, newAlert("rule", activity(fmt.Sprint(d, i), d*day-5, d*day-4)))
			}
			record(t, l, "rule", State{First: at(0), Watermark: c.now()}, []string{"teams"}, alerts...)
			for _, a := range alerts[10:] {
				if err := l.Sent(ctx, owed("teams", a)); err != nil {
					t.Fatal(err)
				}
			}
		}
		expect := func(now, removed, seen, sent int) {
			t.Helper()
			n, err := l.Purge(ctx, at(now))
			if err != nil || n != removed {
				t.Errorf("Purge at day %d = %d, %v; want %d", now/day, n, err, removed)
			}
			if gotSeen, gotSent, out := count(seenPrefix), count(sentPrefix), count(outPrefix); gotSeen != seen || gotSent != sent || out != 30 {
				t.Errorf("after the purge at day %d: %d seen, %d sent, %d out; want %d, %d, 30", now/day, gotSeen, gotSent, out, seen, sent)
			}
		}
		// Cut short, it goes on the next time.
		cancelled, cancel := context.WithCancel(ctx)
		l.store = &cutStore{store: l.store, commits: 1, cancel: cancel}
		if n, err := l.Purge(cancelled, at(41*day)); err == nil || n != 100 {
			t.Errorf("Purge that is cut short = %d, %v; want 100 and an error", n, err)
		}
		l.store = l.store.(*cutStore).store
		expect(41*day, 30, 260, 360)
		expect(42*day-1, 0, 260, 360)  // not again on the same day
		expect(51*day, 130, 130, 360)  // 30 days after day 20
		expect(110*day, 250, 0, 240)   // the rest of seen, and 90 days after day 0
		expect(200*day, 240, 0, 0)     // what is owed stays
		expect(200*day+60*24, 0, 0, 0) // nothing left
	})
}

// cutStore ends a context after a number of commits.
type cutStore struct {
	store
	commits int
	cancel  func()
}

func (s *cutStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	etags, err := s.store.commit(ctx, partition, changes...)
	if s.commits--; s.commits == 0 {
		s.cancel()
	}
	return etags, err
}

func TestSeenHour(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		end  time.Time
		want string
	}{
		{at(-1000), "2026-03-14T12"},
		{at(70), "2026-03-14T13"},
		{at(1 << 27), "2026-03-15T12"},
		{time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), "2026-03-15T12"},
		{time.Time{}, "2026-03-14T12"},
	} {
		got := seenHour(noon, []alert.Activity{{Span: alert.Span{End: tt.end}}})
		if got != tt.want {
			t.Errorf("what ends at %s and is reported at noon is kept under %s, want %s", tt.end, got, tt.want)
		}
	}
}
