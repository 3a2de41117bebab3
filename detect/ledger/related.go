package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
)

// Related returns those of a rule's alerts that were made since a time and are
// wanted, oldest first, whether they are owed, sent or held back. They come
// without their rows. What was sent longer ago than it is kept is not among them.
func (l *Ledger) Related(ctx context.Context, ruleID string, since time.Time, wanted func(alert.Alert) bool) ([]alert.Alert, error) {
	return l.related(ctx, ruleID, since, wanted, false)
}

// Whole is [Ledger.Related] with the rows.
func (l *Ledger) Whole(ctx context.Context, ruleID string, since time.Time, wanted func(alert.Alert) bool) ([]alert.Alert, error) {
	return l.related(ctx, ruleID, since, wanted, true)
}

func (l *Ledger) related(ctx context.Context, ruleID string, since time.Time, wanted func(alert.Alert) bool, whole bool) ([]alert.Alert, error) {
	var list []alert.Alert
	for o, err := range l.recorded(ctx, ruleID, since, false) {
		if err != nil {
			return nil, fmt.Errorf("ledger: reading what rule %q reported: %w", ruleID, err)
		}
		if a := o.alert; !a.Created.Before(since) && wanted(a) {
			if !whole {
				a.Rows = nil
			}
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b alert.Alert) int { return a.Created.Compare(b.Created) })
	return list, nil
}
