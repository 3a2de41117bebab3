package detect

import (
	"context"
	"slices"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// entry is what the ledger is to keep: alerts that are owed to the destinations,
// and those that are held back. It has the heaviest first, which is the order in
// which they are sent.
func (r *runner) entry(p *progress, state ledger.State, alerts []alert.Alert) ledger.Entry {
	e := ledger.Entry{RuleID: p.rule.ID, State: state, Destinations: r.destinations, Targets: r.config.targets()}
	alerts = slices.Clone(alerts)
	alert.SortByWeight(alerts)
	if !slices.ContainsFunc(alerts, isHeldBack) { // as a rule, and there may be very many
		e.Alerts = alerts
		return e
	}
	for _, a := range alerts {
		if isHeldBack(a) {
			e.HeldBack = append(e.HeldBack, a)
		} else {
			e.Alerts = append(e.Alerts, a)
		}
	}
	return e
}

func isHeldBack(a alert.Alert) bool { return a.HeldBack != nil }

// recorder records what is new of a rule. [*ledger.Ledger] is one.
type recorder interface {
	Record(ctx context.Context, e ledger.Entry) error
}

// record has the ledger keep a window's alerts together with the state in
// which the window is done.
func record(ctx context.Context, to recorder, e ledger.Entry) error {
	ctx, cancel := finishing(ctx, recordTimeout)
	defer cancel()
	if err := to.Record(ctx, e); err != nil {
		return &ledgerError{"recording " + counted(len(e.Alerts)+len(e.HeldBack), "alert", "alerts"), err}
	}
	return nil
}

// ledgerError is a failure of the ledger.
type ledgerError struct {
	doing string
	err   error
}

func (e *ledgerError) Error() string { return e.doing + ": " + e.err.Error() }

func (e *ledgerError) Unwrap() error { return e.err }
