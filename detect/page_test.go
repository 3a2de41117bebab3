package detect

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
)

// outboxOf lists all that is owed.
func outboxOf(t *testing.T, l outbox) (all []ledger.Owed, err error) {
	t.Helper()
	rules, err := l.Rules(t.Context())
	if err != nil {
		return nil, err
	}
	for _, id := range rules {
		for list, err := range l.Waiting(t.Context(), id, ledger.FirstPlace) {
			if err != nil {
				return all, err
			}
			all = append(all, list...)
		}
	}
	return all, nil
}

// readingOutbox counts the alerts that are read of the outbox.
type readingOutbox struct {
	*ledger.Memory
	read int
}

func (l *readingOutbox) Waiting(ctx context.Context, ruleID string, from ledger.Place) iter.Seq2[[]ledger.Owed, error] {
	return func(yield func([]ledger.Owed, error) bool) {
		l.Memory.Waiting(ctx, ruleID, from)(func(list []ledger.Owed, err error) bool {
			l.read++
			return yield(list, err)
		})
	}
}

// postOffice is a courier with much to do.
type postOffice struct {
	*courier
	outbox *readingOutbox
	t      *testing.T
	now    time.Time
	made   int
	places map[string]ledger.Place
}

func newPostOffice(t *testing.T, notifiers ...notify.Notifier) *postOffice {
	c := config()
	c.SendLimit, c.ParkAfter = 200, 5
	o := &readingOutbox{Memory: ledger.NewMemory()}
	p := &postOffice{outbox: o, t: t, now: clock("10:00")}
	c.Clock = nil
	p.courier = newCourier(c, division{}, notifiers, o, o)
	return p
}

// record records alerts of a rule that are owed to destinations, and returns them.
func (p *postOffice) record(ruleID string, n int, to ...string) (alerts []alert.Alert) {
	p.t.Helper()
	for range n {
		p.made++
		activity := alert.Activity{Fingerprint: alert.Fingerprint(fmt.Sprint(p.made)), Span: alert.Between(p.now, p.now)}
		alerts = append(alerts, alert.Alert{ID: alert.NewID(ruleID, []alert.Activity{activity}), RuleID: ruleID, RuleName: ruleID, Title: fmt.Sprint(p.made), Created: p.now})
	}
	if err := p.outbox.Record(p.t.Context(), ledger.Entry{RuleID: ruleID, State: ledger.State{Watermark: p.now}, Alerts: alerts, Destinations: to}); err != nil {
		p.t.Fatal(err)
	}
	return alerts
}

// tick delivers, and returns how many alerts were read for that.
func (p *postOffice) tick() (outs []Delivery, read int) {
	p.now = p.now.Add(5 * time.Minute)
	p.outbox.read = 0
	outs = p.deliver(p.t.Context(), p.now, func() time.Time { return p.now }).end()
	return outs, p.outbox.read
}

// What waits for a destination that is down, much more than a tick looks at, does
// not keep what is new from another; once a tick knows it, it costs nothing; and
// all of it is sent in its order in the end.
func TestMuchWaits(t *testing.T) {
	t.Parallel()
	good, bad := &inbox{name: "good"}, &inbox{name: "bad", fail: failing(&notify.Error{Err: errRefused, Shut: true})}
	p := newPostOffice(t, good, bad)
	const many = 3*mostScanned + 500
	old := p.record("rule", many, "good", "bad")
	for _, o := range old { // what came of them when they were new
		if err := p.outbox.Sent(t.Context(), owedNow(t, p, o, "good")); err != nil {
			t.Fatal(err)
		}
	}
	whole := 0
	for i := range 12 {
		p.record("rule", 1, "good", "bad")
		outs, read := p.tick()
		if outs[0].Sent != 1 {
			t.Errorf("tick %d sent %d alerts to the other destination", i, outs[0].Sent)
		}
		// When it was first found that it refuses, and not tried, all is looked at, once.
		if read > mostPaged+mostScanned+20 {
			whole++
		}
		if i > 4 && (read > mostCounted+20 || read > 20 && !strings.HasPrefix(outs[1].Err.Error(), "destination bad: sending")) {
			t.Errorf("tick %d read %d alerts: %v", i, read, outs[1].Err)
		}
		if i > 4 && (outs[1].Pending != many+i+1 || outs[1].More || outs[1].Addresses[0].Waiting != many+i+1 || !outs[1].Oldest.Equal(clock("10:00"))) {
			t.Errorf("tick %d: %+v", i, outs[1])
		}
	}
	if whole > 3 { // and again to see that nothing came before it
		t.Errorf("%d ticks looked at all that waits", whole)
	}
	if len(good.alerts) != 12 {
		t.Errorf("the other destination has %d alerts, want 12", len(good.alerts))
	}
	bad.fail = nil
	for range (many+12)/p.config.SendLimit + 20 {
		if _, read := p.tick(); read > mostPaged+mostScanned+20 {
			t.Fatalf("a tick read %d alerts", read)
		}
	}
	if len(bad.alerts) != many+12 {
		t.Fatalf("%d alerts were sent, want %d", len(bad.alerts), many+12)
	}
	inOrder := slices.IsSortedFunc(bad.alerts[maxFailures:], func(a, b alert.Alert) int { return len(a.Title) - len(b.Title) })
	if !inOrder {
		t.Error("they were not sent in the order in which they were recorded")
	}
	if all, err := outboxOf(t, p.outbox); err != nil || len(all) > 0 {
		t.Errorf("%d alerts are owed, %v", len(all), err)
	}
}

// owedNow returns what a destination waits for of an alert.
func owedNow(t *testing.T, p *postOffice, a alert.Alert, destination string) ledger.Owed {
	t.Helper()
	if p.places == nil {
		p.places = map[string]ledger.Place{}
		all, err := outboxOf(t, p.outbox)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all {
			p.places[o.Alert.ID] = o.Place
		}
	}
	return ledger.Owed{Place: p.places[a.ID], Alert: &a, Destination: destination}
}

// Alerts that are parked, or wait for a time, do not keep those that are due from
// being sent, however many they are; nor do those of another rule or address.
func TestParkedDoNotStarve(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name            string
		f               ledger.Failure
		pending, parked int
	}{
		{"parked", ledger.Failure{Err: "400", Park: true}, 0, mostCounted},
		{"wait", ledger.Failure{Err: "503", Next: clock("23:00")}, mostCounted, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			good, other := &inbox{name: "good"}, &inbox{name: "other"}
			p := newPostOffice(t, good, other)
			for _, a := range p.record("rule", 2*mostScanned, "good") {
				if err := p.outbox.Failed(t.Context(), owedNow(t, p, a, "good"), test.f); err != nil {
					t.Fatal(err)
				}
			}
			p.record("rule", 3, "good", "other")
			p.record("another", 2, "good")
			outs, read := p.tick()
			if read > mostCounted+10 {
				t.Errorf("%d alerts were read", read)
			}
			if len(good.alerts) != 5 || len(other.alerts) != 3 {
				t.Errorf("sent %d and %d", len(good.alerts), len(other.alerts))
			}
			if out := outs[0]; out.Pending != test.pending || out.Parked != test.parked || !out.More {
				t.Errorf("%+v", out)
			}
		})
	}
}

// What an alert waits for by itself holds for each destination apart.
func TestParkedForOneOfTwo(t *testing.T) {
	t.Parallel()
	good, bad := &inbox{name: "good"}, &inbox{name: "bad"}
	p := newPostOffice(t, good, bad)
	a := p.record("rule", 1, "good", "bad")[0]
	if err := p.outbox.Failed(t.Context(), owedNow(t, p, a, "bad"), ledger.Failure{Err: "400", Park: true}); err != nil {
		t.Fatal(err)
	}
	outs, _ := p.tick()
	if len(good.alerts) != 1 || len(bad.alerts) != 0 || outs[1].Parked != 1 {
		t.Errorf("sent %d and %d: %+v", len(good.alerts), len(bad.alerts), outs[1])
	}
	owed, err := outboxOf(t, p.outbox)
	if err != nil || len(owed) != 1 || owed[0].Place < ledger.ParkedPlace {
		t.Fatalf("%+v, %v", owed, err)
	}
	if err := p.outbox.Retry(t.Context(), owed[0]); err != nil {
		t.Fatal(err)
	}
	p.tick()
	if len(good.alerts) != 1 || len(bad.alerts) != 1 {
		t.Errorf("sent %d and %d", len(good.alerts), len(bad.alerts))
	}
}
