package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pushback/detect/alert"
)

// purgeInterval is how much time passes between two purges of a rule.
const purgeInterval = 24 * time.Hour

// notesInterval is how much time passes between two purges of a rule that reported
// nothing: at most it has notes.
const notesInterval = 30 * 24 * time.Hour

// Purge is called after a tick. It removes the rows of all rules that are older than
// their retention, once a day: before a day has passed it does nothing. It never
// removes what is owed or how far a rule has run. If it is cut short, what it removed
// is removed, and the next call goes on. It returns the number of rows that it
// removed. And it notes which rules owe nothing any more, as far as that was read.
func (l *Ledger) Purge(ctx context.Context, now time.Time) (int, error) {
	d, err := l.directory(ctx)
	if err != nil {
		return 0, err
	}
	writes, failed := l.unmark(ctx, d)
	total := 0
	for _, id := range slices.Sorted(maps.Keys(d.rows)) {
		if failed != nil {
			break
		}
		if !l.purgeDue(d.rows[id].run, now) {
			continue
		}
		n, err := l.purgeRule(ctx, id, now)
		if total += n; err != nil {
			failed = err
			continue
		}
		writes = append(writes, []*rowWrite{{ruleID: id, plan: func(run *runRow) (*runRow, error) {
			if run.format == 0 || run.purged.Equal(now) {
				return nil, nil
			}
			next := *run
			next.purged = now
			return &next, nil
		}}})
	}
	l.writeRows(ctx, writes...)
	for _, w := range writes {
		failed = cmp.Or(failed, w[0].done.err)
	}
	return total, failed
}

// purgeDue reports whether a rule may have rows that are too old.
func (l *Ledger) purgeDue(run *runRow, now time.Time) bool {
	interval := purgeInterval
	if run.recorded.IsZero() && !alert.IsStoryID(run.ruleID) {
		interval = notesInterval
	}
	// One that lies ahead is of a tick whose time was wrong.
	if since := now.Sub(run.purged); since >= 0 && since < interval {
		return false
	}
	age := now.Sub(run.began)
	return run.recorded.IsZero() || age < 0 || age >= min(l.seenFor, l.sentFor)
}

// selfPurge purges a rule as its watermark moves.
func (l *Lease) selfPurge(ctx context.Context, now time.Time) error {
	l.mu.Lock()
	due := l.l.purgeDue(l.run, now)
	l.mu.Unlock()
	if !due {
		return nil
	}
	if _, err := l.l.purgeRule(ctx, l.ruleID, now); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	run := *l.run
	run.purged = now
	l.run = &run
	return nil
}

// purgeRule removes what is too old of a rule.
func (l *Ledger) purgeRule(ctx context.Context, ruleID string, now time.Time) (removed int, err error) {
	fail := func(err error) (int, error) {
		return removed, fmt.Errorf("ledger: purging rule %q: %w", ruleID, err)
	}
	partition := partitionOf(ruleID)
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
