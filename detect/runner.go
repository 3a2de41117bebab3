package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/look"
	"pushback/detect/rule"
	"pushback/detect/schedule"
	"pushback/detect/silence"
	"pushback/detect/workspace"
)

// history is what a runner needs of the ledger: see there what each method does.
type history interface {
	State(ctx context.Context, ruleID string) (ledger.State, error)
	Leases(ctx context.Context, groups [][]string, length time.Duration) []ledger.Grant
	Save(ctx context.Context, list []ledger.Saving) []error
	Unseen(ctx context.Context, q ledger.Question) (ledger.Answer, error)
	Recent(ctx context.Context, ruleID string, since time.Time) (recent []alert.Alert, left int, err error)
	Related(ctx context.Context, ruleID string, since time.Time, wanted func(alert.Alert) bool) ([]alert.Alert, error)
	Whole(ctx context.Context, ruleID string, since time.Time, wanted func(alert.Alert) bool) ([]alert.Alert, error)
	recorder
}

// runner runs the windows that are due, and records what they found.
type runner struct {
	config       Config
	rules        []scheduledRule
	querier      Querier
	history      history
	destinations []string // that are owed each alert
	recall       *recall
	troubles     map[string]lookTrouble // by rule
	silences     *silence.Set           // of this tick
}

type scheduledRule struct {
	*rule.Rule
	schedule schedule.Schedule
	// beginnings are what its looks ask for.
	beginnings []look.Beginning
}

// plan works out which windows of the rules are due, and takes the leases of
// those that have some.
func (r *runner) plan(ctx context.Context, now time.Time) (all []*progress, runs []RuleRun) {
	runs = make([]RuleRun, len(r.rules))
	for i, scheduled := range r.rules {
		runs[i] = RuleRun{RuleID: scheduled.ID, RuleName: scheduled.Name, RuleVersion: scheduled.Version}
		all = append(all, &progress{rule: scheduled, run: &runs[i]})
	}
	join(all)
	r.planEach(ctx, all, now, r.look)
	r.take(ctx, all)
	r.planEach(ctx, all, now, r.begin)
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
	return all, runs
}

// planEach takes a step of the plan with each rule.
func (r *runner) planEach(ctx context.Context, all []*progress, now time.Time, step func(context.Context, *progress, time.Time) error) {
	for _, p := range all {
		if p.run.Err != nil {
			continue
		}
		elapsed := r.config.stopwatch()
		if err := guarded(func() error { return step(ctx, p, now) }); err != nil {
			p.fail("reading how far it has run", err)
			p.due, p.touched = nil, false
		}
		p.run.Duration += elapsed()
	}
}

// run runs the windows that are due, in turns: the oldest of each rule, then
// the next of each. Then it follows up what the rules reported, and saves how far
// they have run. Of rules that recorded alerts it calls recorded, as soon as no
// more are to be expected of them: of those of a story at once, since one's alert
// may update another's. It calls done before it saves.
func (r *runner) run(ctx context.Context, all []*progress, now time.Time, recorded func(ruleIDs ...string), done func()) {
	// A rule waits for what is asked of it, and no other for that.
	look := func(ready func(*progress)) { r.lookForLate(ctx, all, now, ready) }
	if r.config.InOrder {
		look(func(*progress) {})
		look = nil
	}
	// In order a rule looks at what others of its story reported when it is its turn.
	inTurns(ctx, all, r.config.Concurrency, r.config.InOrder, !r.config.InOrder, look, func(p *progress, settle func()) (more bool) {
		elapsed := r.config.stopwatch()
		defer func() { p.run.Duration += elapsed() }()
		more = r.step(ctx, p, now, settle)
		settle()
		p.done = !more
		r.tell(append([]*progress{p}, p.others...), mostEarly, recorded)
		return more
	})
	if r.config.Enricher != nil {
		inTurns(ctx, all, r.config.Concurrency, r.config.InOrder, true, nil, func(p *progress, settle func()) bool {
			elapsed := r.config.stopwatch()
			defer func() { p.run.Duration += elapsed() }()
			r.follow(ctx, p, now, settle)
			// Else it is told with the others of its story, of which an alert may update one
			// that is not told yet.
			if len(p.run.Updates) > p.run.UpdatesHeldBack && !p.untold() {
				recorded(p.rule.ID)
				p.updates = true
			}
			return false
		})
	}
	for _, p := range all {
		p.done, p.followed = true, true // what it did not get to is for another tick
	}
	r.tell(all, math.MaxInt, recorded)
	saving, cancel := finishing(ctx, statesTimeout)
	defer cancel()
	for _, p := range all {
		if ctx.Err() != nil {
			p.run.Left = len(p.due)
		}
		p.conclude()
	}
	done()
	r.save(saving, all)
}

// tell calls recorded with those of some rules that recorded alerts, if all rules
// are done and it was not called with them before. More alerts than some number are
// left for later.
func (r *runner) tell(rules []*progress, most int, recorded func(ruleIDs ...string)) {
	owed := 0
	var ids []string
	for _, p := range rules {
		if !p.done {
			return
		}
		if n := p.run.owed(); n > 0 && !p.told || p.followed && !p.updates && len(p.run.Updates) > p.run.UpdatesHeldBack {
			owed += n
			ids = append(ids, p.rule.ID)
		}
	}
	if len(ids) == 0 || owed > most {
		return
	}
	for _, p := range rules {
		p.told = true
	}
	recorded(ids...)
}

// mostEarly is how many alerts of a rule are sent while they are followed up: both
// take memory.
const mostEarly = 200

// save saves how far the rules have run, and gives back their leases.
func (r *runner) save(ctx context.Context, all []*progress) {
	var saved []*progress
	var list []ledger.Saving
	for _, p := range all {
		if p.touched || p.lease != nil {
			saved, list = append(saved, p), append(list, ledger.Saving{RuleID: p.rule.ID, State: p.state, Keep: !p.touched})
		}
	}
	if len(list) == 0 {
		return
	}
	errs := make([]error, len(list))
	if err := guarded(func() error { errs = r.history.Save(ctx, list); return nil }); err != nil {
		for i := range errs {
			errs[i] = err
		}
	}
	for i, p := range saved {
		switch {
		case errs[i] != nil:
			p.fail("saving how far it has run", errs[i])
		case p.touched:
			r.recall.know(p.rule.ID, p.state)
		}
	}
}

// look reads how far a rule has run, and whether a window of it is due.
func (r *runner) look(ctx context.Context, p *progress, now time.Time) error {
	state, recalled, err := r.recall.stateOf(ctx, r.history, p.rule, now)
	if err != nil {
		return err
	}
	p.state, p.recalled = state, recalled // for the report, whatever comes
	if state.Watermark.After(now.Add(p.rule.schedule.Frequency())) {
		return fmt.Errorf("it has run up to %s, which is ahead of this tick's %s: the clock of one of them was wrong, and nothing of the rule is due until then",
			state.Watermark.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	known := p.rule.state(state)
	p.wanted = p.rule.schedule.Plan(known, now).Any() || p.rule.schedule.LookDue(known, now)
	return nil
}

// take takes the leases of the rules of which a window is due, and with each those of
// the others of its story.
func (r *runner) take(ctx context.Context, all []*progress) {
	var groups [][]*progress
	var ids [][]string
	for _, p := range all {
		if !p.wanted || p.run.Err != nil || slices.ContainsFunc(groups, func(g []*progress) bool { return slices.Contains(g, p) }) {
			continue
		}
		g := append([]*progress{p}, p.others...)
		groups, ids = append(groups, g), append(ids, idsOf(g))
	}
	if len(groups) == 0 {
		return
	}
	var grants []ledger.Grant
	err := guarded(func() error { grants = r.history.Leases(ctx, ids, r.config.LeaseLength); return nil })
	for i, g := range groups {
		for k, p := range g {
			if err == nil && grants[i].Err == nil {
				p.lease = grants[i].Leases[k]
				continue
			}
			if !p.wanted {
				continue
			}
			failure, busy := err, (*ledger.LeasedError)(nil)
			if failure == nil {
				failure = grants[i].Err
			}
			if errors.As(failure, &busy) {
				p.run.Busy = busy.Until
			} else {
				p.fail("reading how far it has run", failure)
			}
		}
	}
}

func idsOf(all []*progress) []string {
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = p.rule.ID
	}
	return ids
}

// begin works out which windows of a rule are due.
func (r *runner) begin(ctx context.Context, p *progress, now time.Time) error {
	if p.wanted && p.lease == nil { // somebody else runs it
		return nil
	}
	if p.lease != nil {
		// Whoever had it may have moved the state.
		var err error
		if p.state, p.recalled, err = r.recall.stateOf(ctx, r.history, p.rule, now); err != nil {
			return err
		}
	}
	state := p.state
	plan := p.rule.schedule.Plan(p.rule.state(state), now)
	p.found, p.plan = state, plan
	p.watermark, p.behind = state.Watermark, len(state.Pending) > 0
	p.due = plan.Windows
	p.state.First, p.state.Watermark, p.state.Pending = plan.State.First, plan.State.Watermark, plan.State.Pending
	p.state.Rerun = stretches(p.rule.schedule, plan.State.Rerun)
	p.beginLooks(plan)
	if plan.Forgotten > 0 {
		p.run.warn(fmt.Sprintf("rule %q: %s not run once more: what was reported of so long ago is not known any more", p.rule.Name, counted(plan.Forgotten, "window is", "windows are")))
	}
	if p.run.Skipped = plan.Skipped; plan.Skipped.Any() {
		p.run.warn(fmt.Sprintf("rule %q: %s", p.rule.Name, plan.Skipped))
	}
	// A rule that never ran begins here, even if the tick does not get to it.
	p.touched = plan.Skipped.Any() || plan.Forgotten > 0 || state.IsZero() && len(p.due) > 0 || p.recalled
	return nil
}

// step runs the oldest window of a rule that is due and reports whether there
// is another to run. It calls settle before it records anything.
func (r *runner) step(ctx context.Context, p *progress, now time.Time, settle func()) bool {
	if len(p.due) == 0 {
		return false
	}
	due := p.due[0]
	if !p.keepLease(ctx, now) {
		return false
	}
	p.touched, p.looked = true, false
	// What a window found is in memory until it is recorded.
	ctx, release := workspace.Hold(ctx)
	defer release()
	var w WindowRun
	var rest toRecord
	err := guarded(func() error {
		if w, rest = r.runWindow(ctx, p.rule, due, now, p.run); w.Err == nil {
			settle()
			w.Err = r.relate(ctx, p, w.Alerts, now)
		}
		return w.Err
	})
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		p.run.Cut = p.rule.windowError(w.Window, err)
		return false
	}
	if err == nil {
		err = guarded(func() error { return r.finish(ctx, p, due, now, w.Alerts, rest) })
	}
	if err != nil {
		w.Window, w.Pass, w.New, w.Alerts, w.HeldBack, w.Storm = p.rule.schedule.Window(due.End), due.Pass, 0, nil, 0, 0
		w.Err = p.rule.windowError(w.Window, err)
	}
	p.due = p.due[1:]
	p.run.Windows = append(p.run.Windows, w)
	if hopeless(w.Err) {
		p.due = nil
	}
	return len(p.due) > 0
}

// finish notes that a window is done, in the ledger if there is anything to
// record.
func (r *runner) finish(ctx context.Context, p *progress, due schedule.Due, now time.Time, alerts []alert.Alert, rest toRecord) error {
	done := p.state
	done.Pending = slices.DeleteFunc(slices.Clone(p.state.Pending), due.End.Equal)
	done.Looks = p.rule.withoutLate(p.state, due.End)
	done.Rerun = p.rule.withoutRerun(p.state, due.End)
	done.LastSuccess = now
	kept := len(alerts) > 0 || len(rest.held) > 0
	if kept {
		e := r.entry(p, done, alerts)
		e.Suppressed, e.Complete = rest.held, rest.complete
		if err := record(ctx, r.history, e); err != nil {
			return err
		}
		for i := range alerts { // the ledger has them: very many would only take up memory
			alerts[i].Rows = nil
			if alerts[i].Storm != nil || len(alerts[i].Activities) > mostListed {
				alerts[i].Activities = nil
			}
		}
	}
	p.state, p.touched = done, !kept
	if kept {
		r.recall.know(p.rule.ID, done)
	}
	return nil
}

// toRecord is what there is to record of a window beside its alerts.
type toRecord struct {
	held []alert.Activity // by the rule's suppression
	// complete returns one of the alerts with what it lacks; see [builder.whole]. It is
	// nil if none lacks anything.
	complete func(alert.Alert) alert.Alert
}

// runWindow runs a rule over a window and makes alerts of what is new. It
// records nothing.
func (r *runner) runWindow(ctx context.Context, scheduled scheduledRule, due schedule.Due, now time.Time, run *RuleRun) (w WindowRun, rest toRecord) {
	elapsed := r.config.stopwatch()
	w = WindowRun{Window: scheduled.schedule.Window(due.End), Pass: due.Pass}
	defer func() { w.Duration = elapsed() }()

	table, err := r.querier.Query(ctx, workspace.Query{
		Text:        scheduled.Query.Text,
		Start:       w.Window.Start,
		End:         w.Window.End,
		Now:         w.Window.End,
		RuleID:      scheduled.ID,
		RuleVersion: scheduled.Version,
	})
	if err != nil {
		w.Err = scheduled.locate(err)
		return w, rest
	}
	w.Rows = len(table.Rows)
	for _, warning := range table.Warnings {
		run.warn(fmt.Sprintf("rule %q: warning: the workspace says: %s", scheduled.Name, warning))
	}
	for _, warning := range missingColumns(scheduled.Rule, table) {
		run.warn(warning)
	}
	if !scheduled.Trigger.Met(w.Rows) {
		return w, rest
	}

	reader := newRowReader(scheduled.Rule, table, w.Window)
	if reader.timeless() && !table.NoData && scheduled.schedule.Overlaps() {
		run.warn(fmt.Sprintf("%s: warning: the result has no StartTime and EndTime, TimeGenerated or timestamp: what overlapping windows find is reported by each", scheduled.File))
	}
	found := reader.found()
	q := ledger.Question{RuleID: scheduled.ID, Activities: found.activities, Window: w.Window, Now: now,
		Events: func(i int) []ledger.Event { return reader.eventsOfRows(found.rows[i]) },
		Former: func(i int) []alert.Fingerprint { return reader.formerOfRows(found.rows[i]) }}
	if scheduled.SuppressionEnabled {
		q.Suppression = scheduled.SuppressionDuration
	}
	answer, err := r.history.Unseen(ctx, q)
	if err != nil {
		w.Err = &ledgerError{"asking what was reported before", err}
		return w, rest
	}
	w.New = len(answer.News)
	news, suppressed := reader.sort(found, answer, &w)
	reader.keep(news, suppressed)
	b := newBuilder(scheduled.Rule, table, w.Window, now)
	quiet := r.suppress(scheduled.Rule, b, suppressed, run)
	reader.keep(suppressed) // the builder has the rest
	failed := false
	if r.config.isStorm(scheduled.Rule, w.New) {
		w.Storm = w.New
		s := b.storm(news, r.config.MaxAlerts, reader.over(b.table).identity)
		w.Alerts = []alert.Alert{s.alert()}
		lists, _ := r.enrich(ctx, scheduled, now, run, w.Alerts, s.assessed(), quiet.alerts)
		s.rank(&w.Alerts[0], lists[1])
	} else {
		if b.silences = r.silences.About(scheduled.ID, scheduled.Name); b.silences != nil {
			b.covered = map[string]silence.Covering{}
		}
		w.Alerts = b.alerts(news)
		_, failed = r.enrich(ctx, scheduled, now, run, w.Alerts, quiet.alerts)
	}
	rest.held = quiet.hold(reader, &w)
	if len(b.left) > 0 {
		rest.complete = b.whole
	}
	w.HeldBack = r.hold(w.Alerts, failed, func(a alert.Alert) silence.Covering { return b.covered[a.ID] })
	return w, rest
}

// enrich adds context to the alerts of several lists, which it returns: with one
// batch of queries for all. Whatever goes wrong with it, they are reported; failed says
// that it was all of it.
func (r *runner) enrich(ctx context.Context, scheduled scheduledRule, now time.Time, run *RuleRun, lists ...[]alert.Alert) (enriched [][]alert.Alert, failed bool) {
	alerts := lists[0]
	if slices.ContainsFunc(lists[1:], func(more []alert.Alert) bool { return len(more) > 0 }) {
		alerts = slices.Concat(lists...)
	}
	if r.config.Enricher == nil || len(alerts) == 0 {
		return lists, false
	}
	err := guarded(func() error {
		for _, warning := range r.config.Enricher.Enrich(ctx, alerts, now) {
			run.warn(fmt.Sprintf("rule %q: warning: %s", scheduled.Name, warning))
		}
		return nil
	})
	if err != nil {
		failed = true
		run.warn(fmt.Sprintf("rule %q: warning: context: %v", scheduled.Name, err))
	}
	for i := range alerts {
		if alerts[i].Storm != nil {
			keepStorm(&alerts[i])
		}
	}
	for _, list := range lists {
		copy(list, alerts)
		alerts = alerts[len(list):]
	}
	return lists, failed
}
