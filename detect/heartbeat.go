package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	if c.config.Heartbeat == 0 || c.book == nil {
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
			case !a.Refused.IsZero() && !a.Next.After(now), a.Refused.IsZero() && now.Sub(last) >= c.config.Heartbeat:
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

// heartbeat sends a heartbeat where one is due. Each is claimed first, so that of
// two processes one sends it, and after a crash nobody does. One that has no
// answer counts as sent.
func (d *Detector) heartbeat(ctx context.Context, report *Report, clock func() time.Time) {
	if ctx.Err() != nil {
		return
	}
	now := clock()
	c := d.courier
	due := c.beats(report.Deliveries, now)
	if len(due) == 0 {
		return
	}
	fail := func(to notify.Beater, err error) {
		for i := range report.Deliveries {
			if out := &report.Deliveries[i]; out.Destination == to.Name() {
				out.Err = errors.Join(out.Err, err)
			}
		}
	}
	for _, b := range due {
		if ctx.Err() != nil {
			return
		}
		key := addressKey(b.to.Name(), b.name)
		since := later(c.book.Addresses[key].Since, c.book.Addresses[key].Taken)
		what, err := d.alive(ctx, since, now, report)
		if err != nil {
			fail(b.to, fmt.Errorf("destination %s: making a heartbeat: %w", key, err))
			return
		}
		claimed := c.book.clone()
		claimed.of(key, now).Beat = now
		saving, cancel := finishing(ctx, saveTimeout)
		claimed, ok, err := claimed.save(saving, c.notes)
		cancel()
		if err != nil {
			fail(b.to, fmt.Errorf("destination %s: claiming a heartbeat: %w", key, err))
			return
		}
		if !ok {
			c.book = nil // another process was here: the next tick reads what it noted
			return
		}
		c.book = claimed
		sending, cancel := finishing(ctx, d.config.SendTimeout)
		err = guarded(func() error { return b.to.Heartbeat(sending, b.name, what) })
		cancel()
		read, book := c.book, c.book.clone()
		a := book.of(key, clock())
		verdict := judge(err)
		switch {
		case err == nil:
			a.accepted(clock())
			report.Heartbeats++
		case verdict.Unanswered:
			fail(b.to, fmt.Errorf("destination %s: sending a heartbeat, which counts as sent: %w", key, err))
		default:
			a.refused(report.Time, clock(), verdict.RetryAfter, err.Error())
			fail(b.to, fmt.Errorf("destination %s: sending a heartbeat: %w", key, err))
		}
		if c.book, err = saveAddresses(ctx, c.notes, read, book); err != nil {
			fail(b.to, err)
			return
		}
	}
}

// alive says what was watched since a time, what was found, and what is wrong.
func (d *Detector) alive(ctx context.Context, since, now time.Time, report *Report) (notify.Heartbeat, error) {
	h := notify.Heartbeat{Since: since, Now: now}
	ids := make([]string, 0, len(report.Rules))
	for i, r := range report.Rules {
		h.Rules = append(h.Rules, r.RuleName)
		ids = append(ids, r.RuleID)
		if i == 0 || r.LastSuccess.Before(h.LastRun) {
			h.LastRun = r.LastSuccess
		}
	}
	ctx, cancel := finishing(ctx, readTimeout)
	defer cancel()
	var tally ledger.Tally
	err := guarded(func() (err error) {
		tally, err = d.ledger.Tally(ctx, ids, since)
		return err
	})
	if err != nil {
		return h, err
	}
	h.Reported, h.HeldBack, h.More = tally.Reported, tally.HeldBack, tally.More
	h.Wrong = slices.Clone(report.Wrong)
	return h, nil
}
