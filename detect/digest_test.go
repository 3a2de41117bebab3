package detect

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
)

// board is a destination that takes digests.
type board struct {
	inbox
	digests [][]alert.Alert
	refuse  error
	refuses func(...alert.Alert) error
}

func (b *board) Most() int { return 5 }

func (b *board) NotifyAll(_ context.Context, alerts []alert.Alert) error {
	if b.refuse != nil {
		return b.refuse
	}
	if b.refuses != nil {
		if err := b.refuses(alerts...); err != nil {
			return err
		}
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

// Up to so many alerts of a rule are reported one by one, and more at once: also
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
		sent := 0
		for _, digest := range b.digests {
			sent += len(digest)
		}
		if len(b.alerts) != test.singles || sent != test.digested || len(b.digests) > 1 {
			t.Errorf("%d users: %d reported one by one, %d in %d digests", test.users, len(b.alerts), sent, len(b.digests))
		}
		if r := report.Deliveries[0]; r.Sent != test.users || r.Pending != 0 {
			t.Errorf("%d users: delivery %+v", test.users, r)
		}
		if _, err := d.tick(clock("10:10")); err != nil || len(b.digests) > 1 || len(b.alerts) != test.singles {
			t.Errorf("%d users: reported again: %v", test.users, err)
		}
	}
}

// A digest that is refused waits as a whole. Then one of its alerts is tried
// alone, and the others follow at once.
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
	if report, err = d.tick(clock("10:05")); err == nil || report.Deliveries[0].Sent != 0 {
		t.Errorf("%+v, %v: it is not to be tried for a minute", report.Deliveries, err)
	}
	if report, err = d.tick(clock("10:15")); err != nil || report.Deliveries[0].Sent != 20 {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
	if len(b.digests) != 1 || len(b.digests[0]) != 19 || len(b.alerts) != 1 {
		t.Fatalf("%d digests, %d sent one by one", len(b.digests), len(b.alerts))
	}
	for _, a := range b.digests[0] {
		if a.Late() != 10*time.Minute {
			t.Errorf("sent at %s, made at %s", a.SentAt, a.Created)
		}
	}
}

// One alert that is refused, for what it holds or whatever the answer says, does
// not have those parked that would be sent with it.
func TestDigestWithPoison(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]error{
		"about the message": &notify.Error{Err: errRefused, Message: true},
		"about nothing":     errDown,
		"unanswered":        &notify.Error{Err: errRefused, Unanswered: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config()
			d := newDay(t, c, users(200, "09:10"), counting(time.Hour, time.Hour))
			b := &board{inbox: inbox{name: "board"}}
			refuse := func(alerts ...alert.Alert) error {
				for _, a := range alerts {
					if c, _ := a.Rows[0].Get("User"); c.Text() == "user77" {
						return poison
					}
				}
				return nil
			}
			b.fail = func(a alert.Alert) error { return refuse(a) }
			b.refuses = refuse
			var err error
			if d.detector, err = New(c, d.rules, d.world, d.ledger, b); err != nil {
				t.Fatal(err)
			}
			// Others come, which the destination takes.
			for h := 10; h < 24; h++ {
				d.world.events = append(d.world.events, happened(fmt.Sprint("e", h), fmt.Sprint("later", h), fmt.Sprintf("%d:10", h)))
			}
			parked := 0
			for now := clock("10:05"); now.Before(clock("25:00")); now = now.Add(5 * time.Minute) {
				report, _ := d.tick(now)
				parked = report.Deliveries[0].Parked
			}
			sent := map[string]int{}
			for _, g := range append(b.digests, b.alerts) {
				for _, a := range g {
					sent[a.ID]++
				}
			}
			if parked != 1 || len(sent) != 199+14 {
				t.Errorf("%d parked, %d sent", parked, len(sent))
			}
			for id, n := range sent {
				if n != 1 {
					t.Errorf("%s is sent %d times", id, n)
				}
			}
		})
	}
}
