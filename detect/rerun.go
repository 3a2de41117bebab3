package detect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/schedule"
)

// amender changes how far a rule has run. [*ledger.Ledger] is one.
type amender interface {
	Amend(ctx context.Context, ruleID string, edit func(ledger.State) ledger.State) error
}

// PastWindows returns the windows of a rule that end after from, whose newest part,
// one frequency long, begins before to, and that are over by now, oldest first.
func (c Config) PastWindows(r *rule.Rule, from, to, now time.Time) ([]alert.Span, error) {
	s, err := schedule.New(c.schedule(), r)
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	var list []alert.Span
	for _, end := range s.Past(from, to, now) {
		list = append(list, s.Window(end))
	}
	return list, nil
}

// Rerun has the ticks to come run windows of a rule once more, and returns how many
// of them nobody wanted that of before. What of them was reported stays so: only
// what is new of them will be.
func (c Config) Rerun(ctx context.Context, r *rule.Rule, to amender, windows []alert.Span) (added int, err error) {
	s, err := schedule.New(c.schedule(), r)
	if err != nil {
		return 0, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	ends := make([]time.Time, len(windows))
	for i, w := range windows {
		ends[i] = w.End
	}
	of := scheduledRule{Rule: r, schedule: s}
	err = to.Amend(ctx, r.ID, func(state ledger.State) ledger.State {
		marked := make([]schedule.Stretch, len(state.Rerun))
		for i, stretch := range state.Rerun {
			marked[i] = schedule.Stretch(stretch)
		}
		var all []schedule.Stretch
		all, added = of.schedule.AddRerun(marked, ends)
		state.Rerun = make([]ledger.Stretch, len(all))
		for i, stretch := range all {
			state.Rerun[i] = ledger.Stretch(stretch)
		}
		return state
	})
	return added, err
}

// RerunAlone has a tick at a time run nothing of a rule but those windows once more.
// It is for a draft of a ledger.
func (c Config) RerunAlone(ctx context.Context, r *rule.Rule, to amender, windows []alert.Span, now time.Time) error {
	err := c.RerunNothing(ctx, r, to, now)
	if err == nil {
		_, err = c.Rerun(ctx, r, to, windows)
	}
	return err
}

// RerunNothing has a tick at a time run nothing of a rule. It is for a draft of a
// ledger.
func (c Config) RerunNothing(ctx context.Context, r *rule.Rule, to amender, now time.Time) error {
	now = now.UTC().Truncate(alert.Resolution)
	return to.Amend(ctx, r.ID, func(s ledger.State) ledger.State {
		return ledger.State{First: now, Watermark: now, LastSuccess: s.LastSuccess, Failures: s.Failures}
	})
}

// Marked returns how many windows of a rule are still to be run once more.
func (c Config) Marked(r *rule.Rule, s ledger.State) (int, error) {
	of, err := schedule.New(c.schedule(), r)
	if err != nil {
		return 0, fmt.Errorf("rule %q: %w", r.Name, err)
	}
	return len(scheduledRule{Rule: r, schedule: of}.rerun(s)), nil
}

// rerun lists the ends of the windows that are to be run once more.
func (r scheduledRule) rerun(s ledger.State) []time.Time {
	if len(s.Rerun) == 0 {
		return nil
	}
	list := make([]schedule.Stretch, len(s.Rerun))
	for i, stretch := range s.Rerun {
		list[i] = schedule.Stretch(stretch)
	}
	return r.schedule.Ends(list)
}

// withoutRerun returns what is to be run once more of a state after a window was run.
func (r scheduledRule) withoutRerun(s ledger.State, end time.Time) []ledger.Stretch {
	if len(s.Rerun) == 0 {
		return nil
	}
	return stretches(r.schedule, slices.DeleteFunc(r.rerun(s), end.Equal))
}
