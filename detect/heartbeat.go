package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/ledger"
	"pushback/detect/notify"
)

// beat is a heartbeat that is due.
type beat struct {
	to   notify.Beater
	name string
}

// beats lists the addresses that took nothing for so long that they are sent a
// heartbeat, and those that refused one. An address to which something is owed
// has what it is sent.
func (c *courier) beats(deliveries []Delivery, now time.Time) []beat {
	if c.config.Heartbeat == 0 || c.book == nil || !c.config.Share.first() {
		return nil
	}
	var due []beat
	for _, n := range c.notifiers {
		to, ok := n.(notify.Beater)
		if !ok {
			continue
		}
		for _, name := range addressesOf(n) {
			a := c.book.Addresses[addressKey(n.Name(), name)]
			if a == nil || waiting(deliveries, n.Name(), name) {
				continue
			}
			last := later(later(a.Since, a.Taken), a.Beat).Truncate(time.Minute) // whatever part of its tick it took
			switch {
			case a.due(now), a.Refused.IsZero() && now.Sub(last) >= c.config.Heartbeat:
				due = append(due, beat{to, name})
			}
		}
	}
	return due
}

// waiting reports whether an address is owed something, or may be.
func waiting(deliveries []Delivery, destination, name string) bool {
	for _, out := range deliveries {
		if out.Destination != destination {
			continue
		}
		for _, a := range out.Addresses {
			if a.Name == name {
				return a.Waiting > 0 || out.Incomplete
			}
		}
	}
	return true
}

// heartbeat sends a heartbeat where one is due.
func (c *courier) heartbeat(ctx context.Context, report *Report, clock func() time.Time) {
	for _, b := range c.beats(report.Deliveries, clock()) {
		key := addressKey(b.to.Name(), b.name)
		var err error
		switch state := c.known(key); {
		case ctx.Err() == nil && state != nil:
			err = c.sendHeartbeat(ctx, b, report, clock)
		case state != nil && !state.Refused.IsZero(): // the tick fails while it refuses
			err = refusedError(b.to.Name(), AddressRun{Name: b.name, Refused: state.Refused, Next: state.Next, Error: state.Error})
		}
		if err == nil {
			continue
		}
		for i := range report.Deliveries {
			if out := &report.Deliveries[i]; out.Destination == b.to.Name() {
				out.Err = errors.Join(out.Err, err)
			}
		}
	}
}

// known returns what is known of an address, or nil.
func (c *courier) known(key string) *address {
	if c.book == nil {
		return nil
	}
	return c.book.Addresses[key]
}

// sendHeartbeat sends a heartbeat. It is claimed first, so that of two processes
// one sends it, and after a crash nobody does. One that has no answer counts as
// sent, and so does one that is refused for what it holds: nothing else would
// come of another.
func (c *courier) sendHeartbeat(ctx context.Context, b beat, report *Report, clock func() time.Time) error {
	key, now := addressKey(b.to.Name(), b.name), clock()
	state := *c.known(key)
	what, uncounted := c.alive(ctx, later(state.Since, state.Taken), now, report)
	if uncounted != nil {
		uncounted = fmt.Errorf("destination %s: making a heartbeat: %w", key, uncounted)
	}
	claimed := c.book.clone()
	claimed.of(key, now).Beat = now
	saving, cancel := finishing(ctx, saveTimeout)
	claimed, ok, err := claimed.save(saving, c.notes)
	cancel()
	if err != nil {
		return errors.Join(uncounted, fmt.Errorf("destination %s: claiming a heartbeat: %w", key, err))
	}
	if !ok { // another process was here, and the next tick reads what it noted
		c.book = nil
		if state.Refused.IsZero() {
			return uncounted
		}
		return errors.Join(uncounted, refusedError(b.to.Name(), AddressRun{Name: b.name, Refused: state.Refused, Next: state.Next, Error: state.Error}))
	}
	c.book = claimed
	sending, cancel := finishing(ctx, c.config.SendTimeout)
	err = guarded(func() error { return b.to.Heartbeat(sending, b.name, what) })
	cancel()
	read, book := c.book, c.book.clone()
	a := book.of(key, now)
	verdict := judge(err)
	switch {
	case err == nil:
		a.accepted(clock())
		report.Heartbeats++
	case verdict.Unanswered, verdict.Message:
		a.reopen(clock())
		err = fmt.Errorf("destination %s: sending a heartbeat, which counts as sent: %w", key, err)
	default:
		a.refused(report.Time, clock(), verdict.RetryAfter, err.Error())
		err = fmt.Errorf("destination %s: sending a heartbeat: %w", key, err)
	}
	var unsaved error
	c.book, unsaved = saveAddresses(ctx, c.notes, read, book)
	return errors.Join(uncounted, err, unsaved)
}

// alive says what was watched since a time, what was found, and what is wrong.
// If the alerts could not be counted it says so, and returns why.
func (c *courier) alive(ctx context.Context, since, now time.Time, report *Report) (notify.Heartbeat, error) {
	h := notify.Heartbeat{Since: since, Now: now, Wrong: slices.Clone(report.Wrong)}
	ids := make([]string, 0, len(report.Rules))
	for i, r := range report.Rules {
		h.Rules = append(h.Rules, r.RuleName)
		ids = append(ids, r.RuleID)
		if i == 0 || r.LastSuccess.Before(h.LastRun) {
			h.LastRun = r.LastSuccess
		}
		if fails := fmt.Sprintf("The rule %q fails", r.RuleName); r.failed() && !slices.Contains(h.Wrong, fails) {
			h.Wrong = append(h.Wrong, fails)
		}
	}
	if report.HealthErr != nil {
		h.Wrong = append(h.Wrong, "What is wrong is not known, since the ledger fails")
	}
	for _, out := range report.Deliveries {
		if out.Err != nil && !slices.ContainsFunc(h.Wrong, func(title string) bool { return strings.Contains(title, out.Destination) }) {
			h.Wrong = append(h.Wrong, "The destination "+out.Destination+" fails")
		}
	}
	ctx, cancel := finishing(ctx, readTimeout)
	defer cancel()
	var tally ledger.Tally
	err := guarded(func() (err error) {
		tally, err = c.outbox.Tally(ctx, ids, since)
		return err
	})
	h.Reported, h.HeldBack, h.More, h.Uncounted = tally.Reported, tally.HeldBack, tally.More, err != nil
	return h, err
}
