package detect

import (
	"context"
	"errors"
	"time"

	"pushback/detect/ledger"
)

// recall is what this process knows of a ledger that may be gone, so that one
// that is begun anew in its place is not taken for the one that was.
type recall struct {
	// states are how far rules had run, by rule, as the ledger last said.
	states map[string]ledger.State
	// since is when the ledger was found to be gone, or zero.
	since time.Time
}

// lost notes that the ledger is gone, or was.
func (r *recall) lost(now time.Time) {
	if r.since.IsZero() {
		r.since = now
	}
}

// LedgerGone says that there was no ledger in the ticks from one on, which it
// takes to make a Detector. It is called before the first tick that has one.
func (d *Detector) LedgerGone(since time.Time) { d.recall.lost(since.UTC()) }

// know notes how far a rule has run.
func (r *recall) know(ruleID string, s ledger.State) {
	if !s.IsZero() {
		if r.states == nil {
			r.states = map[string]ledger.State{}
		}
		r.states[ruleID] = s
	}
}

// stateOf returns how far a rule has run. Where a ledger that was begun anew does
// not know it, it is what this process knows, or that the rule begins when there
// was no ledger: else the windows since would never be run. recalled reports that.
func (d *Detector) stateOf(ctx context.Context, r scheduledRule, now time.Time) (s ledger.State, recalled bool, err error) {
	if s, err = d.ledger.State(ctx, r.ID); err != nil {
		return s, false, err
	}
	known := d.recall.states[r.ID]
	switch {
	case !s.IsZero():
		d.recall.know(r.ID, s)
		return s, false, nil
	case !known.IsZero():
		d.recall.lost(now)
		return known, true, nil
	case !d.recall.since.IsZero() && d.recall.since.Before(now):
		return r.schedule.begin(d.recall.since), true, nil
	}
	return s, false, nil
}

// watchLedger notes that the tick found no ledger, so that a health alert says so
// once there is one again.
func (d *Detector) watchLedger(report *Report) {
	if errors.Is(report.Err(), ledger.ErrNoTable) {
		d.recall.lost(report.Time)
	}
}

// goneCondition says that the ledger was gone since a time.
func (r *recall) goneCondition() condition {
	text := "Its table did not exist, or held nothing any more. What was reported before is not known and may be reported again; what was still to be sent, or was parked, is gone."
	if len(r.states) > 0 {
		text += " The rules go on from where they stopped, as far as PUSHBACK_CATCH_UP reaches."
	} else {
		text += " The rules begin with what is due since then, as far as PUSHBACK_CATCH_UP reaches; whether anything of before was missed is not known."
	}
	return condition{key: ledgerKey, title: "The ledger was gone", text: text, since: r.since}
}

const ledgerKey = "ledger"
