package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
)

// Up to format 3 a rule's state and lease were in its own partition, in the row that
// is its fence now, and the directory only listed the rules. Each is moved in these
// steps, every one of which can be the last before a crash, or be done by two
// processes at once:
//
//  1. The table says that it is of our format. A process of the version before
//     refuses it from its next tick on.
//  2. The row in the rule's partition says so too, under its ETag, and keeps the
//     state. From then on that process cannot run the rule in the tick that it is in
//     either. While it does, the rule is its own: it is moved in a later tick.
//  3. The shared row is added with that state, unless there is one. It says that the
//     rule may owe an alert.
//  4. The rule leaves the old list. Until then it is moved again from the start.

// longestFormer bounds the lease of a version before that is believed.
const longestFormer = 30 * time.Minute

// move moves what a version before kept of rules, and returns their shared rows.
func (l *Ledger) move(ctx context.Context, ids []string) map[string]readRow {
	rows := make(map[string]readRow, len(ids))
	fail := func(id string, err error) {
		var leased *LeasedError
		var newer *FormatError
		if !errors.As(err, &leased) && !errors.As(err, &newer) {
			err = fmt.Errorf("ledger: moving what the version before kept of rule %q: %w", id, err)
		}
		rows[id] = readRow{err: err}
	}
	var groups [][]*rowWrite
	err := l.raise(ctx)
	for _, id := range ids {
		if err != nil {
			fail(id, err)
			continue
		}
		former, converted, err := l.fenceFormer(ctx, id)
		if err != nil {
			fail(id, err)
			continue
		}
		groups = append(groups, []*rowWrite{{ruleID: id, moving: true, plan: func(run *runRow) (*runRow, error) {
			if run.format >= sharedFormat && !run.unmoved {
				if !converted || run.owes {
					return nil, nil
				}
				next := *run // a process of the version before ran it all the same
				next.owes = true
				return &next, nil
			}
			return former.moved(id, l.now()), nil
		}}})
	}
	l.writeRows(ctx, groups...)
	var moved []string
	for _, g := range groups {
		w := g[0]
		if w.done.err != nil {
			fail(w.ruleID, w.done.err)
			continue
		}
		rows[w.ruleID] = w.done
		moved = append(moved, w.ruleID)
	}
	for part := range slices.Chunk(moved, maxChanges) {
		if err := l.unlist(ctx, part); err != nil {
			for _, id := range part {
				fail(id, err)
			}
		}
	}
	return rows
}

// moved returns the shared row of a rule of a version before.
func (f *fenceRow) moved(id string, now time.Time) *runRow {
	next := &runRow{ruleID: id, format: Format, epoch: max(1, now.UnixMilli()), owes: !alert.IsStoryID(id), purged: firstPurge(id, now)}
	if f == nil {
		return next
	}
	next.epoch = f.epoch // so that nobody else is known to record anything
	if f.former != nil {
		next.state, next.tally = f.former.state.clone(), f.former.tally
	}
	// What is read of it is decided by when it was recorded, which is not known.
	next.recorded = now
	for _, t := range []time.Time{next.state.Watermark, next.state.LastSuccess} {
		if t.After(next.recorded) {
			next.recorded = t
		}
	}
	next.recorded = next.recorded.Add(24 * time.Hour)
	return next
}

// fenceFormer makes a rule's row of a version before its fence, and returns it. It
// is nil if there is none. converted says that it was not one before.
func (l *Ledger) fenceFormer(ctx context.Context, id string) (f *fenceRow, converted bool, err error) {
	for conflicts := 0; ; conflicts++ {
		f, etag, err := l.readFence(ctx, id)
		switch now := l.now(); {
		case err != nil || f == nil || f.format >= sharedFormat:
			return f, converted, err
		case f.former.live(now, longestFormer):
			return nil, false, &LeasedError{RuleID: id, Until: f.former.until}
		default:
			next := *f
			next.ruleID, next.format, next.epoch, next.holder = id, Format, max(1, now.UnixMilli()), ""
			former := *f.former
			former.holder, former.until = "", time.Time{}
			next.former, converted = &former, true
			c, err := l.fenceChange(&next, etag)
			if err == nil {
				_, err = l.store.commit(ctx, partitionOf(id), c)
			}
			if err == nil {
				l.makeSafe(id, next.epoch)
				return &next, true, nil
			}
			if !conflict(err) || conflicts == maxConflicts {
				return nil, false, err
			}
		}
	}
}

// unlist removes rules from the list of a version before.
func (l *Ledger) unlist(ctx context.Context, ids []string) error {
	var changes []change
	for _, id := range ids {
		c, err := l.store.prepare(directory, change{verb: remove, key: partitionOf(id)})
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	_, err := l.store.commit(ctx, directory, changes...)
	if errors.Is(err, errMissing) && len(changes) > 1 { // some are removed already
		err = nil
		for _, c := range changes {
			if _, one := l.store.commit(ctx, directory, c); one != nil && !errors.Is(one, errMissing) {
				err = one
			}
		}
	}
	if err != nil && !errors.Is(err, errMissing) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tick != nil {
		for _, id := range ids {
			delete(l.tick.former, id)
		}
	}
	return nil
}
