package detect

import (
	"context"
	"sync"
	"time"

	"pushback/detect/ledger"
)

// recall is what this process knows of the ledger. So one that was made in the
// place of another is not taken for it.
type recall struct {
	mu sync.Mutex
	// states are how far rules had run, by rule, as the ledger last said.
	states map[string]ledger.State
	// since is when the ledger was found to be gone, or zero.
	since time.Time
	// unseen is that there was none since this process began: it may never have
	// been made.
	unseen bool
}

// lost notes that the ledger is gone, or was.
func (r *recall) lost(now time.Time) {
	r.unseen = false
	if r.since.IsZero() {
		r.since = now
	}
}

// found notes that there is a ledger again, and that this was reported.
func (r *recall) found() { r.since = time.Time{} }

// know notes how far a rule has run.
func (r *recall) know(ruleID string, s ledger.State) {
	if !s.IsZero() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.states == nil {
			r.states = map[string]ledger.State{}
		}
		r.states[ruleID] = s
	}
}

// stateOf returns how far a rule has run. Where a new ledger does not know it, it
// is what this process knows, or that the rule begins when there was no ledger:
// else the windows since would never be run. recalled reports that.
func (r *recall) stateOf(ctx context.Context, h history, rule scheduledRule, now time.Time) (s ledger.State, recalled bool, err error) {
	if s, err = h.State(ctx, rule.ID); err != nil {
		return s, false, err
	}
	r.mu.Lock()
	known := r.states[rule.ID]
	r.mu.Unlock()
	switch {
	case !s.IsZero():
		r.know(rule.ID, s)
		return s, false, nil
	case !known.IsZero():
		r.lost(now)
		return known, true, nil
	case !r.since.IsZero() && r.since.Before(now):
		begin := rule.schedule.Begin(r.since)
		return ledger.State{First: begin.First, Watermark: begin.Watermark, Pending: begin.Pending, Rerun: s.Rerun}, true, nil
	}
	return s, false, nil
}
