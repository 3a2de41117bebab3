package detect

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
)

// board is a destination that takes digests.
type board struct {
	inbox
	digests [][]alert.Alert
	refuse  error
}

func (b *board) Most() int { return 5 }

func (b *board) NotifyAll(_ context.Context, alerts []alert.Alert) error {
	if b.refuse != nil {
		return b.refuse
	}
	b.digests = append(b.digests, alerts)
	return nil
}

func users(n int, at string) []event {
	var events []event
	for i := range n {
		events = append(events, happened(fmt.Sprint(at, i), fmt.Sprintf("user%d", i), at))
	}
	return events
}

// Up to so many alerts of a rule are told one by one, and more at once: also
// more than a tick sends of single ones, and those of other rules by themselves.
func TestDigest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ users, singles, digested int }{{5, 5, 0}, {6, 0, 6}, {500, 0, 500}} {
		c := config()
		c.SendLimit = 100
		d := newDay(t, c, users(test.users, "09:10"), counting(time.Hour, time.Hour))
		b := &board{inbox: inbox{name: "board"}}
		var err error
		if d.detector, err = New(c, d.rules, d.world, d.ledger, b); err != nil {
			t.Fatal(err)
		}
		report, err := d.tick(clock("10:05"))
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, digest := range b.digests {
			told += len(digest)
		}
		if len(b.alerts) != test.singles || told != test.digested || len(b.digests) > 1 {
			t.Errorf("%d users: %d told one by one, %d in %d digests", test.users, len(b.alerts), told, len(b.digests))
		}
		if r := report.Deliveries[0]; r.Sent != test.users || r.Pending != 0 {
			t.Errorf("%d users: delivery %+v", test.users, r)
		}
		if _, err := d.tick(clock("10:10")); err != nil || len(b.digests) > 1 || len(b.alerts) != test.singles {
			t.Errorf("%d users: told again: %v", test.users, err)
		}
	}
}

// A digest that is refused waits as a whole, and is told later.
func TestDigestFails(t *testing.T) {
	t.Parallel()
	c := config()
	d := newDay(t, c, users(20, "09:10"), counting(time.Hour, time.Hour))
	b := &board{inbox: inbox{name: "board"}, refuse: errors.New("not now")}
	var err error
	if d.detector, err = New(c, d.rules, d.world, d.ledger, b); err != nil {
		t.Fatal(err)
	}
	report, err := d.tick(clock("10:05"))
	if err == nil || report.Deliveries[0].Pending != 20 || report.Deliveries[0].Sent != 0 {
		t.Fatalf("%v, %+v", err, report.Deliveries)
	}
	b.refuse = nil
	for _, at := range []string{"10:05", "10:15"} {
		if _, err := d.tick(clock(at)); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.digests) != 1 || len(b.digests[0]) != 20 || len(b.alerts) != 0 {
		t.Errorf("%d digests, %d told one by one", len(b.digests), len(b.alerts))
	}
}
