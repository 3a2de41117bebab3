package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// saveTimeout is how long saving a rule's state may take after the tick's own
// time is up. Without it, a tick that is always cut short would begin at the
// same window for ever.
const saveTimeout = 10 * time.Second

// run runs the windows of a rule that are due.
func (d *Detector) run(ctx context.Context, r scheduledRule, now time.Time) RuleRun {
	out := RuleRun{RuleID: r.ID, RuleName: r.Name}
	fail := func(doing string, err error) {
		out.Err = errors.Join(out.Err, fmt.Errorf("rule %q: %s: %w", r.Name, doing, err))
	}

	state, err := d.ledger.State(ctx, r.ID)
	if err != nil {
		fail("reading how far it has run", err)
		return out
	}
	if r.SuppressionEnabled {
		out.warn(r.File + ": warning: suppression is not supported: the rule runs without it")
	}
	if state.Watermark.After(now.Add(r.schedule.frequency)) {
		out.warn(fmt.Sprintf("rule %q has run up to %s, which is ahead of this tick's %s: nothing of it is due until then",
			r.Name, state.Watermark.Format(time.RFC3339), now.Format(time.RFC3339)))
	}
	p := r.schedule.plan(state, now)
	out.Skipped = p.skipped
	if len(p.windows) == 0 && p.skipped == (Skipped{}) {
		return out
	}

	state = p.state
	saved := false
	for _, due := range p.windows {
		if err := ctx.Err(); err != nil {
			fail("the time is up", err)
			break
		}
		w := d.runWindow(ctx, r, due, now, &out)
		if w.Err == nil {
			done := state
			done.Pending = slices.DeleteFunc(slices.Clone(state.Pending), due.end.Equal)
			if len(w.Alerts) > 0 {
				w.Err = d.record(ctx, r, done, w)
			}
			if w.Err == nil {
				state, saved = done, len(w.Alerts) > 0
			} else {
				w.New, w.Alerts = 0, nil
			}
		}
		out.Windows = append(out.Windows, w)
		if hopeless(w.Err) {
			break
		}
	}
	out.Waiting = len(state.Pending)
	if !saved {
		if err := d.save(ctx, r.ID, state); err != nil {
			fail("saving how far it has run", err)
		}
	}
	return out
}

// record has the ledger keep a window's alerts together with the state in
// which the window is done.
func (d *Detector) record(ctx context.Context, r scheduledRule, state ledger.State, w WindowRun) error {
	if err := d.ledger.Record(ctx, r.ID, state, w.Alerts, d.destinations()); err != nil {
		return r.windowError(w.Window, &ledgerError{fmt.Sprintf("recording %d alerts", len(w.Alerts)), err})
	}
	return nil
}

func (d *Detector) save(ctx context.Context, ruleID string, state ledger.State) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	return d.ledger.Record(ctx, ruleID, state, nil, nil)
}

// runWindow runs a rule over a window and makes alerts of what is new. It
// records nothing.
func (d *Detector) runWindow(ctx context.Context, r scheduledRule, due due, now time.Time, run *RuleRun) (w WindowRun) {
	elapsed := d.stopwatch()
	w = WindowRun{Window: r.schedule.window(due.end), Pass: due.pass}
	defer func() { w.Duration = elapsed() }()

	table, err := d.querier.Query(ctx, workspace.Query{
		Text:        r.Query.Text,
		Start:       w.Window.Start,
		End:         w.Window.End,
		Now:         w.Window.End,
		RuleID:      r.ID,
		RuleVersion: r.Version,
	})
	if err != nil {
		w.Err = r.windowError(w.Window, r.locate(err))
		return w
	}
	w.Rows = len(table.Rows)
	for _, warning := range missingColumns(r.Rule, table) {
		run.warn(warning)
	}
	if !r.Trigger.Met(w.Rows) {
		return w
	}

	reader := newRowReader(r.Rule, table, w.Window)
	if reader.timeless() && r.schedule.period > r.schedule.frequency {
		run.warn(fmt.Sprintf("%s: warning: the result has no StartTime and EndTime or TimeGenerated: what overlapping windows find is told by each", r.File))
	}
	found := reader.activities()
	activities := make([]alert.Activity, len(found))
	for i, f := range found {
		activities[i] = f.Activity
	}
	unseen, err := d.ledger.Unseen(ctx, r.ID, activities)
	if err != nil {
		w.Err = r.windowError(w.Window, &ledgerError{"asking what was told before", err})
		return w
	}
	var news []foundActivity
	for _, f := range found {
		// What is unseen comes in the order of what was asked.
		if len(unseen) == 0 || unseen[0].Fingerprint != f.Fingerprint || !unseen[0].Span.Equal(f.Span) {
			w.Dropped = append(w.Dropped, Dropped{Span: f.Span, Identity: f.identity})
			continue
		}
		f.Activity, unseen = unseen[0], unseen[1:]
		news = append(news, f)
	}
	w.New = len(news)
	w.Alerts = newBuilder(r.Rule, table, w.Window, now).alerts(news)
	return w
}

// ledgerError is a failure of the ledger.
type ledgerError struct {
	doing string
	err   error
}

func (e *ledgerError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *ledgerError) Unwrap() error { return e.err }

// hopeless reports whether the rule's next window would fail like this one:
// the service refuses its query's text, or the ledger is down. Other failures,
// such as a result that is too large, are those of one window.
func hopeless(err error) bool {
	var refused *workspace.QueryError
	var ledger *ledgerError
	return errors.As(err, &refused) || errors.As(err, &ledger)
}

// warn adds a warning that is not there yet.
func (r *RuleRun) warn(text string) {
	if !slices.Contains(r.Warnings, text) {
		r.Warnings = append(r.Warnings, text)
	}
}

func (r scheduledRule) windowError(window alert.Span, err error) error {
	return fmt.Errorf("rule %q, window %s to %s: %w", r.Name,
		window.Start.Format(time.RFC3339), window.End.Format(time.RFC3339), err)
}

// missingColumns returns a warning for every place where the rule names a
// column that its result lacks.
func missingColumns(r *rule.Rule, table *workspace.Table) []string {
	var warnings []string
	for _, use := range r.Columns() {
		if table.Column(use.Column) < 0 {
			warnings = append(warnings, rule.Problem{
				File: r.File, Line: use.Line, Column: use.Col, Warning: true,
				Message: fmt.Sprintf("%s: the query's result has no column %q", use.Use, use.Column),
			}.String())
		}
	}
	return warnings
}

// locatedError is the service's refusal of a query, placed in the rule's file.
type locatedError struct {
	problem rule.Problem
	err     error
}

func (e *locatedError) Error() string { return e.problem.String() }
func (e *locatedError) Unwrap() error { return e.err }

// locate turns a position in the query into one in the rule's file.
func (r scheduledRule) locate(err error) error {
	var refused *workspace.QueryError
	if !errors.As(err, &refused) {
		return err
	}
	problem := rule.Problem{File: r.File, Message: fmt.Sprintf("%s (%s)", refused.Message, refused.Code)}
	if refused.Line > 0 {
		problem.Line, problem.Column = r.Query.Locate(refused.Line, refused.Column)
	}
	return &locatedError{problem: problem, err: err}
}
