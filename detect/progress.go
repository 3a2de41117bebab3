package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/ledger"
	"pushback/detect/schedule"
)

// progress is how far a tick has come with a rule.
type progress struct {
	rule  scheduledRule
	run   *RuleRun
	due   []schedule.Due // windows that are still to be run, oldest first
	state ledger.State
	// found is the state that the tick found, and plan what it made of it.
	found ledger.State
	plan  schedule.Plan
	// recalled says that the ledger did not have state: see recall.stateOf.
	recalled bool
	// wanted says that a window was due when the tick began.
	wanted bool
	// watermark and behind are of the state that the tick found: behind says
	// that windows were waiting.
	watermark time.Time
	behind    bool
	// touched says that state is not what the ledger has. It stays false if the
	// tick did not get to the rule: its watermark is where it was.
	touched bool
	// looked says that state is not what the ledger has for what a look found alone.
	looked bool
	// done says that no more windows of the rule are run, and told that what they
	// recorded is being sent.
	done, told bool
	// followed says that what the rules reported is followed up, and updates that the
	// rule's updates are being sent.
	followed, updates bool
	// lease is nil without a window to run of the rule or, if it shares its story,
	// of one of the others.
	lease  *ledger.Lease
	others []*progress // of the story
}

// untold reports whether the rule, or another of its story, recorded alerts that are
// not being sent yet.
func (p *progress) untold() bool {
	return slices.ContainsFunc(append([]*progress{p}, p.others...), func(p *progress) bool { return p.run.owed() > 0 && !p.told })
}

func (p *progress) fail(doing string, err error) {
	p.run.Err = errors.Join(p.run.Err, fmt.Errorf("rule %q: %s: %w", p.rule.Name, doing, err))
}

// conclude notes in the report how far the tick has come with the rule.
func (p *progress) conclude() {
	p.keepLook()
	p.run.Waiting = len(p.state.Pending) + len(p.rule.state(p.state).Late) + len(p.rule.rerun(p.state))
	if len(p.run.Windows) > 0 {
		switch failed := p.run.Failure() != nil; {
		case failed:
			p.state.Failures++
			p.touched = true
		case p.state.Failures > 0:
			p.state.Failures, p.touched = 0, true
		}
	}
	p.run.Failures, p.run.LastSuccess = p.state.Failures, p.state.LastSuccess
}

// keepLease begins the lease of a rule anew if not enough of it is left, since other
// rules may have taken long, and reports whether it, and those of the others of its
// story, are still this process's.
func (p *progress) keepLease(ctx context.Context, now time.Time) bool {
	err := guarded(func() error {
		for _, other := range append([]*progress{p}, p.others...) {
			if err := other.lease.Keep(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	var busy *ledger.LeasedError
	switch {
	case err == nil:
		return true
	case errors.As(err, &busy):
		p.run.Busy = busy.Until
		if p.run.Busy.IsZero() { // it is given back already
			p.run.Busy = now
		}
	case ctx.Err() == nil:
		p.fail("renewing its lease", err)
	}
	if ctx.Err() == nil {
		p.due = nil
	}
	p.touched, p.looked = false, false
	return false
}
