package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
)

// mostRecent is how many alerts Recent returns.
const mostRecent = 500

// Recent returns the alerts of a rule that were made since a time, whether they
// are owed, sent or held back, oldest first: the last 500 of them. They come
// without their rows, and with the findings alone of their context. What was
// sent longer ago than it is kept is not among them.
func (l *Ledger) Recent(ctx context.Context, ruleID string, since time.Time) ([]alert.Alert, error) {
	var all []alert.Alert
	trim := func(most int) {
		slices.SortStableFunc(all, func(a, b alert.Alert) int { return a.Created.Compare(b.Created) })
		if n := len(all) - most; n > 0 {
			all = slices.Delete(all, 0, n)
		}
	}
	partition := partitionOf(ruleID)
	for _, r := range []struct{ from, to string }{
		{sentPrefix + hour(since), prefixEnd(sentPrefix)},
		{outPrefix, prefixEnd(outPrefix)},
	} {
		for i, err := range l.store.list(ctx, partition, r.from, r.to, false) {
			var o *outRow
			if err == nil {
				o, err = as[*outRow](i)
			}
			if err != nil {
				return nil, fmt.Errorf("ledger: reading what rule %q told lately: %w", ruleID, err)
			}
			if a := o.alert; !a.Created.Before(since) {
				a.Rows = nil
				if c := a.Context; c != nil {
					a.Context = &alert.Context{RuleSeverity: c.RuleSeverity, Findings: c.Findings}
				}
				if all = append(all, a); len(all) == 2*mostRecent {
					trim(mostRecent)
				}
			}
		}
	}
	trim(mostRecent)
	return all, nil
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
		for _, r := range []struct{ from, to string }{
			{sentPrefix + hour(since), prefixEnd(sentPrefix)},
			{outPrefix, prefixEnd(outPrefix)},
		} {
			for i, err := range l.store.list(ctx, partitionOf(id), r.from, r.to, true) {
				var o *outRow
				if err == nil {
					o, err = as[*outRow](i)
				}
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
	}
	return t, nil
}
