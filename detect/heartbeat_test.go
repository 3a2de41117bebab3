package detect

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/workspace"
)

// pulse is a destination that is sent heartbeats.
type pulse struct {
	inbox
	beats []notify.Heartbeat
	err   error
	when  func() string
	at    []string
}

func (p *pulse) Address(alert.Alert) string { return "one" }
func (p *pulse) Addresses() []string        { return []string{"one"} }
func (p *pulse) Heartbeat(_ context.Context, address string, h notify.Heartbeat) error {
	p.at = append(p.at, p.when())
	if p.err != nil {
		return p.err
	}
	p.beats = append(p.beats, h)
	return nil
}

// beating is a quiet detector over months, which ticks every hour.
func beating(t *testing.T, p *pulse, c Config, events ...event) *day {
	t.Helper()
	c.Health = DefaultHealth()
	d := newDay(t, c, events, counting(time.Hour, time.Hour))
	p.name, p.when = "pulse", func() string { return fmt.Sprint(d.world.now.Sub(midnight).Hours() / 24) }
	var err error
	if d.detector, err = New(c, d.rules, d.world, d.ledger, p); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *day) hours(from, to int) {
	for h := from; h < to; h++ {
		_, _ = d.tick(midnight.Add(time.Duration(h) * time.Hour))
	}
}

// An address that took nothing for a month is sent a heartbeat, and so once a
// month while nothing else is.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	c := config()
	c.Heartbeat = 30 * 24 * time.Hour
	p := &pulse{}
	d := beating(t, p, c, event{"a", "alice", midnight.Add(10*24*time.Hour + 30*time.Minute), midnight.Add(10*24*time.Hour + 30*time.Minute)})
	d.hours(0, 24*105)
	var want []string
	for _, day := range []float64{40, 70, 100} { // from when the alert was taken
		want = append(want, fmt.Sprint(day+2.0/24))
	}
	if diff := cmp.Diff(want, p.at); diff != "" || len(p.alerts) != 1 {
		t.Fatalf("%d alerts, heartbeats (-want +got):\n%s", len(p.alerts), diff)
	}
	first, second := p.beats[0], p.beats[1]
	if second.Reported != 0 || len(first.Wrong) != 0 || !cmp.Equal(first.Rules, []string{"Counting"}) ||
		!first.LastRun.Equal(first.Now) || first.Now.Sub(first.Since) != 30*24*time.Hour {
		t.Errorf("%+v, %+v", first, second)
	}
	// Two processes, or one that starts again, send no other.
	other := beating(t, &pulse{}, c)
	other.ledger = d.ledger
	var err error
	if other.detector, err = New(c, d.rules, d.world, d.ledger, p); err != nil {
		t.Fatal(err)
	}
	other.hours(24*105, 24*129)
	if len(p.at) != 3 {
		t.Errorf("heartbeats at %v", p.at)
	}
}

// What is wrong with Pushback is said.
func TestHeartbeatOfTheSick(t *testing.T) {
	t.Parallel()
	c := config()
	c.Heartbeat = 24 * time.Hour
	p := &pulse{inbox: inbox{fail: func(a alert.Alert) error {
		if a.RuleID == HealthRuleID {
			return &notify.Error{Err: errRefused, Message: true}
		}
		return nil
	}}}
	d := beating(t, p, c)
	d.world.fail = func(workspace.Query) error { return errDown }
	d.hours(0, 24*3)
	if len(p.beats) == 0 || !cmp.Equal(p.beats[0].Wrong, []string{`Alerts for pulse are parked`, `The rule "Counting" fails`, `The rule "Counting" did not look at some windows`}) || !p.beats[0].LastRun.IsZero() {
		t.Errorf("%+v", p.beats)
	}
}

// A heartbeat without an answer counts as sent; one that is refused says that the
// address is, and is sent until it is taken.
func TestHeartbeatFails(t *testing.T) {
	t.Parallel()
	c := config()
	c.Heartbeat = 30 * 24 * time.Hour
	p := &pulse{err: &notify.Error{Err: errRefused, Unanswered: true}}
	d := beating(t, p, c)
	d.hours(0, 24*59)
	if !cmp.Equal(p.at, []string{"30"}) {
		t.Fatalf("heartbeats at %v", p.at)
	}
	p.err = &notify.Error{Err: errRefused, Shut: true}
	p.at = nil
	d.hours(24*59, 24*61)
	if len(p.at) != 24 {
		t.Errorf("%d heartbeats at %v", len(p.at), p.at)
	}
	for _, r := range d.reports[24*60:] {
		if r.Err() == nil || r.Deliveries[0].Err == nil {
			t.Fatalf("the tick of %s does not fail", r.Time)
		}
	}
	p.err = nil
	d.hours(24*61, 24*62)
	if len(p.beats) != 1 || d.reports[len(d.reports)-1].Err() != nil || !d.reports[len(d.reports)-1].Deliveries[0].Addresses[0].Refused.IsZero() {
		t.Errorf("%+v, %v", p.beats, d.reports[len(d.reports)-1])
	}
}

// Without heartbeats none is sent.
func TestNoHeartbeat(t *testing.T) {
	t.Parallel()
	p := &pulse{}
	beating(t, p, config()).hours(0, 24*100)
	if len(p.at) != 0 {
		t.Errorf("heartbeats at %v", p.at)
	}
}

// While an address refuses, one heartbeat that has no answer, or that is refused
// for what it holds, ends the tries: nothing is posted in every tick.
func TestHeartbeatIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, err := range []error{&notify.Error{Err: errRefused, Unanswered: true}, &notify.Error{Err: errRefused, Message: true}} {
		c := config()
		c.Heartbeat = 30 * 24 * time.Hour
		p := &pulse{err: &notify.Error{Err: errRefused}}
		d := beating(t, p, c)
		d.hours(0, 24*30+1)
		p.err, p.at = err, nil
		d.hours(24*30+1, 24*40)
		if len(p.at) != 1 {
			t.Errorf("%+v: %d heartbeats in ten days", err, len(p.at))
		}
	}
}

// brokenNotes is a ledger of which a part fails.
type brokenNotes struct {
	Ledger
	health, claims, tally bool
}

func (l *brokenNotes) Note(ctx context.Context, ruleID, name string) (string, string, error) {
	if l.health && name == healthNote {
		return "", "", errDown
	}
	return l.Ledger.Note(ctx, ruleID, name)
}

func (l *brokenNotes) SetNote(ctx context.Context, ruleID, name, text, tag string) (string, bool, error) {
	if l.claims && name == addressNote {
		return "", false, nil
	}
	return l.Ledger.SetNote(ctx, ruleID, name, text, tag)
}

func (l *brokenNotes) Tally(ctx context.Context, ids []string, since time.Time) (ledger.Tally, error) {
	if l.tally {
		return ledger.Tally{}, errDown
	}
	return l.Ledger.Tally(ctx, ids, since)
}

// What is not known is not called well, and is no reason to be silent.
func TestHeartbeatOfTheUnknown(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]*brokenNotes{"health": {health: true}, "tally": {tally: true}} {
		c := config()
		c.Heartbeat = 24 * time.Hour
		p := &pulse{}
		d := beating(t, p, c)
		l.Ledger = d.ledger
		var err error
		if d.detector, err = New(d.config, d.rules, d.world, l, p); err != nil {
			t.Fatal(err)
		}
		d.hours(0, 26)
		if len(p.beats) != 1 || (len(p.beats[0].Wrong) > 0) != l.health || p.beats[0].Uncounted != l.tally || d.reports[24].Err() == nil {
			t.Errorf("%s: %+v, %v", name, p.beats, d.reports[24].Err())
		}
	}
}

// A tick fails while an address refuses, also if another process tries it.
func TestHeartbeatOfAnotherProcess(t *testing.T) {
	t.Parallel()
	c := config()
	c.Heartbeat = 24 * time.Hour
	p := &pulse{err: &notify.Error{Err: errRefused, Shut: true}}
	d := beating(t, p, c)
	l := &brokenNotes{Ledger: d.ledger}
	d.hours(0, 25)
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, l, p); err != nil {
		t.Fatal(err)
	}
	l.claims = true
	if _, err = d.tick(midnight.Add(26 * time.Hour)); err == nil {
		t.Error("the tick succeeds")
	}
}
