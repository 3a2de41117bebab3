package ledger

import (
	"context"
	"time"
)

// longestLease is longer than any process takes a lease for. An end that is farther
// ahead is of one whose clock was wrong.
const longestLease = time.Hour

// Amend changes how far a rule has run, beside the processes that run it. While one
// has its lease the error is a [*LeasedError]: what it saves would take the place of
// the change. Edit may be called more than once.
func (l *Ledger) Amend(ctx context.Context, ruleID string, edit func(State) State) error {
	w := &rowWrite{ruleID: ruleID, plan: func(run *runRow) (*runRow, error) {
		now := l.now()
		if run.live(now, longestLease) {
			return nil, &LeasedError{RuleID: ruleID, Until: run.until}
		}
		next := *run
		next.format, next.state = Format, edit(run.state.clone())
		if run.format == 0 { // there was none
			next.purged = firstPurge(ruleID, now)
		}
		if run.holder != "" { // who lost the lease without knowing must not save what it knows
			next.holder, next.until = "", time.Time{}
			next.epoch = max(run.epoch+1, now.UnixMilli())
		}
		return &next, nil
	}}
	l.writeRows(ctx, []*rowWrite{w})
	return w.done.err
}
