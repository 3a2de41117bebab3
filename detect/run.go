package detect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

const (
	// saveTimeout is how long noting that an alert was sent may take, also after
	// the tick's own time is up: else it would be sent again.
	saveTimeout = 20 * time.Second
	// statesTimeout is how long saving the states of all rules may take, also
	// after the tick's own time is up. If they were not saved then, a tick that
	// is always cut short would begin at the same window for ever.
	statesTimeout = 25 * time.Second
	// readTimeout is how long reading what is owed may take.
	readTimeout = 30 * time.Second
	// recordTimeout is how long recording a window's alerts may take, also after
	// the tick's own time is up: they were found, at some cost.
	recordTimeout = time.Minute
)

// progress is how far a tick has come with a rule.
type progress struct {
	rule  scheduledRule
	run   *RuleRun
	due   []due // windows that are still to be run, oldest first
	state ledger.State
	// watermark and behind are of the state that the tick found: behind says
	// that windows were waiting.
	watermark time.Time
	behind    bool
	// touched says that state is not what the ledger has. It stays false if the
	// tick did not get to the rule: its watermark is where it was.
	touched bool
	lease   *ledger.Lease // nil without a window to run
}

// runRules runs the windows that are due, in turns: the oldest of each rule,
// then the next of each, so that a rule with much to make up for does not keep
// the others waiting.
func (d *Detector) runRules(ctx context.Context, now time.Time) (runs []RuleRun, ledgerGone time.Time) {
	runs = make([]RuleRun, len(d.rules))
	var all []*progress
	for i, r := range d.rules {
		elapsed := d.stopwatch()
		runs[i] = RuleRun{RuleID: r.ID, RuleName: r.Name, RuleVersion: r.Version}
		p := &progress{rule: r, run: &runs[i]}
		all = append(all, p)
		if err := guarded(func() error { return d.begin(ctx, p, now) }); err != nil {
			p.fail("reading how far it has run", err)
			p.due, p.touched = nil, false
		}
		runs[i].Duration = elapsed()
	}
	ledgerGone = d.noteOnce(ctx, runs, now)
	// Those first that an earlier tick did not get to, then those that it could
	// not finish.
	slices.SortStableFunc(all, func(a, b *progress) int {
		if c := a.watermark.Compare(b.watermark); c != 0 {
			return c
		}
		switch {
		case a.behind == b.behind:
			return 0
		case a.behind:
			return -1
		default:
			return 1
		}
	})
	for turn := all; len(turn) > 0 && ctx.Err() == nil; {
		var next []*progress
		for _, p := range turn {
			if ctx.Err() != nil {
				break
			}
			elapsed := d.stopwatch()
			if d.step(ctx, p, now) {
				next = append(next, p)
			}
			p.run.Duration += elapsed()
		}
		turn = next
	}
	for _, p := range all {
		if d.config.Enricher != nil {
			elapsed := d.stopwatch()
			d.follow(ctx, p, now)
			p.run.Duration += elapsed()
		}
	}
	saving, cancel := finishing(ctx, statesTimeout)
	defer cancel()
	for _, p := range all {
		elapsed := d.stopwatch()
		p.run.Waiting = len(p.state.Pending)
		if ctx.Err() != nil {
			p.run.Left = len(p.due)
		}
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
		if p.touched {
			if err := guarded(func() error { return d.ledger.Record(saving, ledger.Entry{RuleID: p.rule.ID, State: p.state}) }); err != nil {
				p.fail("saving how far it has run", err)
			} else {
				d.recall.know(p.rule.ID, p.state)
			}
		}
		if p.lease != nil {
			if err := guarded(func() error { return p.lease.Release(saving) }); err != nil {
				p.fail("giving back its lease", err)
			}
		}
		p.run.Duration += elapsed()
	}
	return runs, ledgerGone
}

func (p *progress) fail(doing string, err error) {
	p.run.Err = errors.Join(p.run.Err, fmt.Errorf("rule %q: %s: %w", p.rule.Name, doing, err))
}

// begin works out which windows of a rule are due.
func (d *Detector) begin(ctx context.Context, p *progress, now time.Time) error {
	r, run := p.rule, p.run
	state, recalled, err := d.stateOf(ctx, r, now)
	if err != nil {
		return err
	}
	p.state = state // for the report, whatever comes
	if state.Watermark.After(now.Add(r.schedule.frequency)) {
		return fmt.Errorf("it has run up to %s, which is ahead of this tick's %s: the clock of one of them was wrong, and nothing of the rule is due until then",
			state.Watermark.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	plan := r.schedule.plan(state, now)
	if len(plan.windows) > 0 || plan.skipped != (Skipped{}) {
		p.lease, err = d.ledger.Lease(ctx, r.ID, d.config.LeaseLength)
		var busy *ledger.LeasedError
		if errors.As(err, &busy) {
			run.Busy = busy.Until
			return nil
		}
		if err != nil {
			return err
		}
		// Whoever had it may have moved the state.
		if state, recalled, err = d.stateOf(ctx, r, now); err != nil {
			return err
		}
		plan = r.schedule.plan(state, now)
	}
	p.watermark, p.behind = state.Watermark, len(state.Pending) > 0
	p.state, p.due = plan.state, plan.windows
	run.Skipped = plan.skipped
	if run.Skipped != (Skipped{}) {
		run.warn(fmt.Sprintf("rule %q: %s", r.Name, run.Skipped))
	}
	// A rule that never ran begins here, even if the tick does not get to it.
	p.touched = run.Skipped != (Skipped{}) || state.IsZero() && len(p.due) > 0 || recalled
	return nil
}

// step runs the oldest window of a rule that is due and reports whether there
// is another to run.
func (d *Detector) step(ctx context.Context, p *progress, now time.Time) bool {
	if len(p.due) == 0 {
		return false
	}
	due := p.due[0]
	if !d.keepLease(ctx, p, now) {
		return false
	}
	p.touched = true
	var w WindowRun
	var held []alert.Activity
	err := guarded(func() error {
		w, held = d.runWindow(ctx, p.rule, due, now, p.run)
		return w.Err
	})
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		p.run.Cut = p.rule.windowError(w.Window, err)
		return false
	}
	if err == nil {
		err = guarded(func() error { return d.finish(ctx, p, due, now, w.Alerts, held) })
	}
	if err != nil {
		w.Window, w.Pass, w.New, w.Alerts, w.HeldBack, w.Storm = p.rule.schedule.window(due.end), due.pass, 0, nil, 0, 0
		w.Err = p.rule.windowError(w.Window, err)
	}
	p.due = p.due[1:]
	p.run.Windows = append(p.run.Windows, w)
	if hopeless(w.Err) {
		p.due = nil
	}
	return len(p.due) > 0
}

// keepLease begins the lease of a rule anew, since other rules may have taken
// long, and reports whether it is still this process's.
func (d *Detector) keepLease(ctx context.Context, p *progress, now time.Time) bool {
	err := guarded(func() error { return p.lease.Renew(ctx) })
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
	p.touched = false
	return false
}

// finish notes that a window is done, in the ledger if there is anything to
// tell.
func (d *Detector) finish(ctx context.Context, p *progress, due due, now time.Time, alerts []alert.Alert, held []alert.Activity) error {
	done := p.state
	done.Pending = slices.DeleteFunc(slices.Clone(p.state.Pending), due.end.Equal)
	done.LastSuccess = now
	kept := len(alerts) > 0 || len(held) > 0
	if kept {
		e := d.entry(p, done, alerts)
		e.Suppressed = held
		if err := d.record(ctx, e); err != nil {
			return err
		}
		for i := range alerts { // the ledger has them: very many would only take up memory
			alerts[i].Rows = nil
			if alerts[i].Storm != nil {
				alerts[i].Activities = nil
			}
		}
	}
	p.state, p.touched = done, !kept
	if kept {
		d.recall.know(p.rule.ID, done)
	}
	return nil
}

// record has the ledger keep a window's alerts together with the state in
// which the window is done.
func (d *Detector) record(ctx context.Context, e ledger.Entry) error {
	ctx, cancel := finishing(ctx, recordTimeout)
	defer cancel()
	if err := d.ledger.Record(ctx, e); err != nil {
		return &ledgerError{fmt.Sprintf("recording %d alerts", len(e.Alerts)+len(e.HeldBack)), err}
	}
	return nil
}

// runWindow runs a rule over a window and makes alerts of what is new. It
// records nothing.
func (d *Detector) runWindow(ctx context.Context, r scheduledRule, due due, now time.Time, run *RuleRun) (w WindowRun, held []alert.Activity) {
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
		w.Err = r.locate(err)
		return w, nil
	}
	w.Rows = len(table.Rows)
	for _, warning := range table.Warnings {
		run.warn(fmt.Sprintf("rule %q: warning: the workspace says: %s", r.Name, warning))
	}
	for _, warning := range missingColumns(r.Rule, table) {
		run.warn(warning)
	}
	if !r.Trigger.Met(w.Rows) {
		return w, held
	}

	reader := newRowReader(r.Rule, table, w.Window)
	if reader.timeless() && !table.NoData && r.schedule.period > r.schedule.frequency {
		run.warn(fmt.Sprintf("%s: warning: the result has no StartTime and EndTime or TimeGenerated: what overlapping windows find is told by each", r.File))
	}
	found := reader.found()
	q := ledger.Question{RuleID: r.ID, Activities: found.activities, Window: w.Window, Now: now,
		Events: func(i int) []ledger.Event { return reader.eventsOfRows(found.rows[i]) },
		Former: func(i int) []alert.Fingerprint { return reader.formerOfRows(found.rows[i]) }}
	if r.SuppressionEnabled {
		q.Suppression = r.SuppressionDuration
	}
	answer, err := d.ledger.Unseen(ctx, q)
	if err != nil {
		w.Err = &ledgerError{"asking what was told before", err}
		return w, held
	}
	w.New, held = len(answer.News), answer.Suppressed
	news := reader.sort(found, answer, &w)
	b := newBuilder(r.Rule, table, w.Window, now)
	if d.config.isStorm(r.Rule, w.New) {
		w.Storm = w.New
		w.Alerts = []alert.Alert{b.storm(news, d.config.MaxAlerts, reader.identity)}
	} else {
		w.Alerts = b.alerts(news)
	}
	d.enrich(ctx, r, w.Alerts, now, run)
	for _, a := range w.Alerts {
		if d.holdsBack(a) {
			w.HeldBack++
		}
	}
	return w, held
}

// enrich adds context to the alerts. Whatever goes wrong with it, they are told.
func (d *Detector) enrich(ctx context.Context, r scheduledRule, alerts []alert.Alert, now time.Time, run *RuleRun) {
	if d.config.Enricher == nil || len(alerts) == 0 {
		return
	}
	err := guarded(func() error {
		for _, warning := range d.config.Enricher.Enrich(ctx, alerts, now) {
			run.warn(fmt.Sprintf("rule %q: warning: %s", r.Name, warning))
		}
		return nil
	})
	if err != nil {
		run.warn(fmt.Sprintf("rule %q: warning: context: %v", r.Name, err))
	}
	for i := range alerts {
		if alerts[i].Storm != nil {
			keepStorm(&alerts[i])
		}
	}
}

// holdsBack reports whether an alert is recorded but sent nowhere.
func (d *Detector) holdsBack(a alert.Alert) bool {
	if a.Storm != nil {
		return false // what is known of the worst says nothing of the others
	}
	if a.Severity < d.config.MinSeverity {
		return true
	}
	return d.config.RiskCutoff != nil && a.Context != nil && a.Context.RiskScore != nil && *a.Context.RiskScore <= *d.config.RiskCutoff
}

// mostListed is how many activities that are not told a window lists: there may
// be very many.
const mostListed = 1000

// sort returns what is new of what was found, as the ledger answers, and lists in
// the window's run what is not.
func (r rowReader) sort(f found, answer ledger.Answer, w *WindowRun) (news found) {
	news = found{activities: answer.News, rows: f.rows[:0]}
	list := func(to *[]Dropped, more *int, i int) {
		if len(*to) == mostListed {
			*more++
			return
		}
		*to = append(*to, Dropped{Span: f.activities[i].Span, Identity: r.identity(f.rows[i])})
	}
	// The answer is in the order of the question.
	next, suppressed := answer.News, answer.Suppressed
	for i, a := range f.activities {
		switch {
		case isNext(next, a):
			next = next[1:]
			news.rows = append(news.rows, f.rows[i])
		case isNext(suppressed, a):
			suppressed = suppressed[1:]
			list(&w.Suppressed, &w.MoreSuppressed, i)
		default:
			list(&w.Dropped, &w.MoreDropped, i)
		}
	}
	return news
}

func isNext(list []alert.Activity, a alert.Activity) bool {
	return len(list) > 0 && list[0].Fingerprint == a.Fingerprint && list[0].Span.Equal(a.Span)
}

// ledgerError is a failure of the ledger.
type ledgerError struct {
	doing string
	err   error
}

func (e *ledgerError) Error() string { return e.doing + ": " + e.err.Error() }
func (e *ledgerError) Unwrap() error { return e.err }

// hopeless reports whether the rule's next window would fail like this one:
// the service refuses its query's text or is not to be had, or the ledger is
// down. Other failures, such as a result that is too large or a query that
// takes too long, are those of one window.
func hopeless(err error) bool {
	var refused *workspace.QueryError
	var service *workspace.ServiceError
	var connection *workspace.ConnectionError
	var credential *workspace.CredentialError
	var ledger *ledgerError
	switch {
	case errors.As(err, &refused), errors.As(err, &credential), errors.As(err, &ledger):
		return true
	case errors.As(err, &connection):
		return !connection.Answered
	case errors.As(err, &service):
		return slices.Contains([]int{
			http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
			http.StatusTooManyRequests, http.StatusServiceUnavailable,
		}, service.Status)
	}
	return false
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
	if table.NoData {
		return nil // the workspace did not look at the query
	}
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
