package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// purgeInterval is how much time passes between two purges of a rule.
const purgeInterval = 24 * time.Hour

// Purge removes the rows of all rules that are older than their retention, once
// a day: before a day has passed it does nothing. It never removes what is owed
// or how far a rule has run. If it is cut short, what it removed is removed, and
// the next call goes on. It returns the number of rows that it removed.
func (l *Ledger) Purge(ctx context.Context, now time.Time) (int, error) {
	ids, err := l.rules(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, id := range ids {
		n, err := l.purgeRule(ctx, id, now)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// purgeRule removes what is too old of a rule, and notes when it did.
func (l *Ledger) purgeRule(ctx context.Context, ruleID string, now time.Time) (removed int, err error) {
	fail := func(err error) (int, error) {
		return removed, fmt.Errorf("ledger: purging rule %q: %w", ruleID, err)
	}
	partition := partitionOf(ruleID)
	i, err := l.store.get(ctx, partition, purgeKey)
	if err != nil && !errors.Is(err, errMissing) {
		return fail(err)
	}
	if err == nil {
		last, err := as[*purgeRow](i)
		if err != nil {
			return fail(err)
		}
		// One that lies ahead is of a tick whose time was wrong.
		if since := now.Sub(last.at); since >= 0 && since < purgeInterval {
			return 0, nil
		}
	}
	n, err := l.removeBetween(ctx, partition, seenPrefix, seenPrefix+hour(now.Add(-l.seenFor)))
	removed += n
	if err != nil {
		return fail(err)
	}
	n, err = l.removeBetween(ctx, partition, sentPrefix, sentPrefix+hour(now.Add(-l.sentFor)))
	removed += n
	if err != nil {
		return fail(err)
	}
	n, err = l.purgeNotes(ctx, partition, now.Add(-noteRetention))
	removed += n
	if err != nil {
		return fail(err)
	}
	c, err := l.store.prepare(partition, change{verb: replace, key: purgeKey, row: &purgeRow{at: now}})
	if err == nil {
		_, err = l.store.commit(ctx, partition, c)
	}
	if err != nil {
		return fail(err)
	}
	return removed, nil
}

// removeBetween removes the rows of a range, from the oldest on.
func (l *Ledger) removeBetween(ctx context.Context, partition, from, to string) (removed int, err error) {
	for conflicts := 0; ; conflicts++ {
		n, err := l.removeListed(ctx, partition, from, to)
		removed += n
		// Somebody else may purge at the same time: then go on with what is left.
		if !conflict(err) || conflicts == maxConflicts {
			return removed, err
		}
	}
}

func (l *Ledger) removeListed(ctx context.Context, partition, from, to string) (removed int, err error) {
	var batch []change
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if _, err := l.store.commit(ctx, partition, batch...); err != nil {
			return err
		}
		removed += len(batch)
		batch = batch[:0]
		return nil
	}
	for i, err := range l.store.list(ctx, partition, from, to, true) {
		if err != nil {
			return removed, err
		}
		c, err := l.store.prepare(partition, change{verb: remove, key: i.key})
		if err != nil {
			return removed, err
		}
		if batch = append(batch, c); len(batch) == maxChanges {
			if err := flush(); err != nil {
				return removed, err
			}
		}
	}
	return removed, flush()
}
