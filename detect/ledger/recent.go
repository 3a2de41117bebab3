package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// mostRecent is how many alerts Recent returns.
const mostRecent = 2000

// Recent returns the alerts of a rule that were made since a time, whether they
// are owed, sent or held back, oldest first: the last 2,000 of them, and how many
// more there are. They come without their rows, and of their context with the
// findings and what is usual. What was sent longer ago than it is kept is not
// among them.
func (l *Ledger) Recent(ctx context.Context, ruleID string, since time.Time) (recent []alert.Alert, left int, err error) {
	var all []alert.Alert
	trim := func(most int) {
		slices.SortStableFunc(all, func(a, b alert.Alert) int { return a.Created.Compare(b.Created) })
		if n := len(all) - most; n > 0 {
			all, left = slices.Delete(all, 0, n), left+n
		}
	}
	for o, err := range l.recorded(ctx, ruleID, since, false) {
		if err != nil {
			return nil, 0, fmt.Errorf("ledger: reading what rule %q reported lately: %w", ruleID, err)
		}
		if a := o.alert; !a.Created.Before(since) {
			a.Rows = nil
			if c := a.Context; c != nil {
				a.Context = &alert.Context{RuleSeverity: c.RuleSeverity, Findings: c.Findings, Usual: c.Usual, Regulars: c.Regulars}
			}
			if all = append(all, a); len(all) == mostRecent+mostRecent/8 {
				trim(mostRecent)
			}
		}
	}
	trim(mostRecent)
	return all, left, nil
}

// Tally is how many alerts were recorded.
type Tally struct {
	Reported int // and are owed or were sent
	HeldBack int
	More     bool // than the 10,000 that are counted at most
}

// mostTallied bounds what Tally reads.
const mostTallied = 10_000

// Tally counts the alerts of rules that were made since a time. What was sent
// longer ago than it is kept is not counted.
func (l *Ledger) Tally(ctx context.Context, ruleIDs []string, since time.Time) (Tally, error) {
	var t Tally
	for _, id := range ruleIDs {
		for o, err := range l.recorded(ctx, id, since, true) {
			if err != nil {
				return t, fmt.Errorf("ledger: counting the alerts of rule %q: %w", id, err)
			}
			switch {
			case o.alert.Created.Before(since):
			case t.Reported+t.HeldBack == mostTallied:
				t.More = true
				return t, nil
			case len(o.to) == 0:
				t.HeldBack++
			default:
				t.Reported++
			}
		}
	}
	return t, nil
}

const (
	// mostOld is how many alerts of the outbox that are too old are read in a row
	// before the rest of them is passed.
	mostOld = 100
	// clockSkew is how far the clock by which alerts are recorded may be behind the
	// time of the ticks that make them.
	clockSkew = time.Hour
)

// recorded yields the alerts of a rule that were sent since a time, and those of
// the outbox that may have been recorded since then. Much that waits for longer
// does not make it slow.
func (l *Ledger) recorded(ctx context.Context, ruleID string, since time.Time, brief bool) iter.Seq2[*outRow, error] {
	return func(yield func(*outRow, error) bool) {
		if l.nothingSince(ruleID, since) {
			return
		}
		partition := partitionOf(ruleID)
		// What is sent meanwhile moves from the outbox to what was sent, and what is tried
		// again from what waits back to what is due: in this order it is read twice
		// rather than not at all.
		yielded := map[string]bool{}
		read := func(from, end string, passed func(key string) bool) bool {
			for i, err := range l.store.list(ctx, partition, from, end, brief) {
				var o *outRow
				if err == nil {
					o, err = as[*outRow](i)
				}
				if err == nil && passed(i.key) {
					return true
				}
				if err == nil {
					if yielded[o.alert.ID] {
						continue
					}
					yielded[o.alert.ID] = true
				}
				if !yield(o, err) || err != nil {
					return false
				}
			}
			return true
		}
		first := since.Add(-clockSkew)
		for from := outPrefix; from != ""; {
			old, next := 0, ""
			passed := func(key string) bool {
				for _, queue := range []string{dueQueue, laterQueue, parkedQueue} {
					if l.clock == nil || !strings.HasPrefix(key, queue) || key >= queue+moment(first) {
						continue
					}
					if old++; old > mostOld {
						next = queue + moment(first)
					}
				}
				return next != ""
			}
			if !read(from, prefixEnd(outPrefix), passed) {
				return
			}
			from = next
		}
		if len(yielded) > 0 {
			from := dueQueue
			if l.clock != nil {
				from += moment(first)
			}
			if !read(from, prefixEnd(dueQueue), func(string) bool { return false }) {
				return
			}
		}
		read(sentPrefix+hour(since), prefixEnd(sentPrefix), func(string) bool { return false })
	}
}

// nothingSince reports whether nothing of a rule was recorded since a time, as far as
// its shared row is known.
func (l *Ledger) nothingSince(ruleID string, since time.Time) bool {
	if lease := l.leaseOf(ruleID); lease != nil {
		return lease.row().run.recorded.Before(since)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tick == nil || l.tick.former[ruleID] {
		return false
	}
	r, sure := l.tick.row(ruleID)
	return sure && r.err == nil && r.run.recorded.Before(since)
}
