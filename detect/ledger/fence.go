package ledger

import (
	"context"
	"errors"
	"fmt"
)

// A process can be paused for longer than its lease lasts, at any point: between the
// look at its lease and the transaction that it was about to send. So each
// transaction that records something also changes the fence of the rule's partition,
// under the ETag that this process knows. Whoever has a lease takes the fence over
// before it asks what was reported or records anything. The order is:
//
//  1. The lease: the shared row has a new holder and a later epoch.
//  2. The fence: it has that epoch, unless it has a later one already; then the
//     lease is lost. Nothing of an earlier lease can be recorded from here on.
//  3. What was reported before is read, and what is new is recorded.
//
// A lease that runs an empty window needs no fence. Its first question or recording
// costs two requests more, and the others none.

// readFence reads the fence of a rule. It is nil if there is none yet.
func (l *Ledger) readFence(ctx context.Context, ruleID string) (*fenceRow, string, error) {
	i, err := l.store.get(ctx, partitionOf(ruleID), fenceKey)
	if errors.Is(err, errMissing) {
		return nil, "", nil
	}
	var f *fenceRow
	if err == nil {
		f, err = as[*fenceRow](i)
	}
	switch {
	case err != nil:
		return nil, "", err
	case f.format > Format:
		return nil, "", &FormatError{Found: f.format}
	}
	return f, i.etag, nil
}

// fenceChange returns the change that sets the fence of a rule, given the ETag of the
// one that it replaces.
func (l *Ledger) fenceChange(f *fenceRow, etag string) (change, error) {
	c := change{verb: replace, key: fenceKey, etag: etag, row: f}
	if etag == "" {
		c.verb = insert
	}
	return l.store.prepare(partitionOf(f.ruleID), c)
}

// takeFence takes the fence over, if it is not taken over yet, and makes sure that
// its ETag is known. If a later lease has it, this one is lost: the error is a
// [*LeasedError].
func (l *Lease) takeFence(ctx context.Context) error {
	l.mu.Lock()
	have := l.fence != ""
	l.mu.Unlock()
	if have {
		return nil
	}
	etag, err := l.l.moveFence(ctx, l.ruleID, l.epoch, l.holder)
	if errors.Is(err, errFenced) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lost = true
		return &LeasedError{RuleID: l.ruleID}
	}
	if err != nil {
		return fmt.Errorf("ledger: fencing rule %q: %w", l.ruleID, err)
	}
	l.setFence(etag)
	return nil
}

func (l *Lease) setFence(etag string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fence = etag
}

// commit makes changes to what was recorded of the rule: in one transaction with the
// fence, so that they are made only as long as no later lease has taken it over.
func (l *Lease) commit(ctx context.Context, partition string, changes ...change) error {
	if err := l.takeFence(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	etag := l.fence
	l.fence = "" // until its new ETag is known
	l.mu.Unlock()
	c, err := l.l.fenceChange(&fenceRow{ruleID: l.ruleID, format: Format, epoch: l.epoch, holder: l.holder}, etag)
	if err != nil {
		return err
	}
	etags, err := l.l.store.commit(ctx, partition, append(changes, c)...)
	switch {
	case err == nil:
		l.setFence(etags[len(etags)-1])
	case !conflict(err):
		l.l.unsafe(l.ruleID) // it may still arrive
	}
	return err
}

// errFenced says that a later lease has the fence.
var errFenced = errors.New("a later lease has recorded something")

// moveFence gives the fence of a rule to a lease, or if it was given back to nobody,
// and returns its ETag.
func (l *Ledger) moveFence(ctx context.Context, ruleID string, epoch int64, holder string) (etag string, err error) {
	for conflicts := 0; ; conflicts++ {
		f, etag, err := l.readFence(ctx, ruleID)
		switch {
		case err != nil:
			return "", err
		case f == nil:
		case f.format < sharedFormat && f.former.live(l.now(), longestFormer):
			// A process of the version before is in the midst of its last tick.
			return "", &LeasedError{RuleID: ruleID, Until: f.former.until}
		case f.epoch > epoch, f.epoch == epoch && holder != "" && f.holder != holder:
			return "", errFenced
		case f.epoch == epoch && f.holder == holder && f.former == nil:
			l.makeSafe(ruleID, epoch)
			return etag, nil
		}
		c, err := l.fenceChange(&fenceRow{ruleID: ruleID, format: Format, epoch: epoch, holder: holder}, etag)
		if err != nil {
			return "", err
		}
		etags, err := l.store.commit(ctx, partitionOf(ruleID), c)
		if err == nil && etags[0] != "" {
			l.makeSafe(ruleID, epoch)
			return etags[0], nil
		}
		if err != nil && !conflict(err) || conflicts == maxConflicts {
			return "", err
		}
	}
}

// makeSafe notes that nobody but the holder of a lease can record anything.
func (l *Ledger) makeSafe(ruleID string, epoch int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.safe[ruleID] = epoch
}

// unsafe notes that a transaction of this process may still be on its way.
func (l *Ledger) unsafe(ruleID string) { l.makeSafe(ruleID, 0) }

// isSafe reports whether nobody but the holder of a lease can record anything.
func (l *Ledger) isSafe(ruleID string, epoch int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return epoch != 0 && l.safe[ruleID] == epoch
}

// inherit passes on to a new lease that nobody else can record anything, if the one
// before was given back.
func (l *Ledger) inherit(before *runRow, epoch int64) {
	if before.holder == "" && l.isSafe(before.ruleID, before.epoch) {
		l.makeSafe(before.ruleID, epoch)
	}
}
