package detect

import (
	"context"
	"slices"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// entry is what the ledger is to keep: alerts that are owed to the destinations,
// and those that are held back. It sorts them, the heaviest first, which is the order in
// which they are sent, and those that are held back last.
func (r *runner) entry(p *progress, state ledger.State, alerts []alert.Alert) ledger.Entry {
	alert.SortByWeight(alerts) // in place, like what follows: there may be very many
	slices.SortStableFunc(alerts, func(x, y alert.Alert) int {
		switch {
		case isHeldBack(x) == isHeldBack(y):
			return 0
		case isHeldBack(y):
			return -1
		}
		return 1
	})
	owed := slices.IndexFunc(alerts, isHeldBack)
	if owed < 0 {
		owed = len(alerts)
	}
	return ledger.Entry{
		RuleID: p.rule.ID, State: state, Destinations: r.destinations, Targets: r.config.targets(),
		Alerts: alerts[:owed:owed], HeldBack: alerts[owed:],
	}
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
