package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/schedule"
	"pushback/detect/workspace"
)

// Querier answers a rule's query. [*workspace.Client] is one.
type Querier interface {
	Query(ctx context.Context, q workspace.Query) (*workspace.Table, error)
}

// Ledger records how far rules have run and what was reported, and keeps what is
// to be sent. [*ledger.Ledger] is one, and says what each method does.
type Ledger interface {
	Begin(ctx context.Context) error
	Purge(ctx context.Context, now time.Time) (int, error)
	history
	outbox
	Notes
}

// Enricher adds what is known of their entities to the alerts of a window, as it
// is at a time, and sets their severity. It returns a warning, a line, for what
// could not be had. *enrich.Enricher is one.
type Enricher interface {
	Enrich(ctx context.Context, alerts []alert.Alert, now time.Time) (warnings []string)
	// Aftermath returns updates of alerts that were reported before: alerts of their
	// own with Updates set, and an id that is always the same.
	Aftermath(ctx context.Context, alerts []alert.Alert, now time.Time) (updates []alert.Alert, warnings []string)
}

// Detector runs rules, one tick at a time. What it needs between ticks is all in
// the ledger, so a new Detector goes on where another stopped.
type Detector struct {
	config  Config
	ledger  Ledger
	runner  *runner
	courier *courier
	watch   *watch
	// silencer has the silences.
	silencer *silencer
	recall   *recall

	ticking chan struct{} // holds a value during a tick
}

// New returns a Detector for the rules that are not disabled, or a share of them. Every alert is
// owed to each of the notifiers.
func New(config Config, rules []*rule.Rule, querier Querier, ledger Ledger, notifiers ...notify.Notifier) (*Detector, error) {
	config, err := config.checked()
	if err != nil {
		return nil, err
	}
	enabled := slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool { return r.Disabled })
	parts := divide(config.Share, enabled)
	scheduled, err := scheduleRules(config, enabled)
	if err != nil {
		return nil, err
	}
	names := namesOf(notifiers)
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("detect: a destination needs a name of its own, not %q", name)
		}
	}
	seen := &recall{}
	return &Detector{
		config: config, ledger: ledger, recall: seen, ticking: make(chan struct{}, 1),
		runner:   &runner{config: config, rules: scheduled, querier: querier, history: ledger, destinations: names, recall: seen},
		courier:  newCourier(config, parts, notifiers, ledger, ledger),
		silencer: &silencer{config: config, notifiers: names, ledger: ledger},
		watch:    &watch{config: config, rules: parts, querier: querier, notifiers: notifiers, notes: ledger, recall: seen, unnoted: map[conditionKey]condition{}},
	}, nil
}

// scheduleRules returns the rules of the share, with their schedules.
func scheduleRules(config Config, rules []*rule.Rule) (scheduled []scheduledRule, err error) {
	files := map[string]string{}
	for _, r := range rules {
		if other, taken := files[r.ID]; taken {
			return nil, fmt.Errorf("detect: the rules %s and %s have the same id %s: what one reports, the other would drop", other, r.File, r.ID)
		}
		files[r.ID] = r.File
		if !config.Share.Has(r) {
			continue
		}
		s, err := schedule.New(config.schedule(), r)
		if err != nil {
			return nil, fmt.Errorf("detect: rule %q: %w", r.Name, err)
		}
		beginnings, looks := config.Beginnings[r.ID]
		if looks {
			s = s.WithLooks(config.LateLook)
		}
		scheduled = append(scheduled, scheduledRule{r, s, beginnings})
	}
	return scheduled, nil
}

// Next returns when the next pass or look of any rule is due after a time, or the
// zero time if none ever is. Ticks at these times, and no others, run every pass
// when it is due.
func (d *Detector) Next(after time.Time) time.Time {
	var next time.Time
	for _, r := range d.runner.rules {
		for _, t := range []time.Time{r.schedule.Next(after), d.config.nextLook(r, after)} {
			if !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// LastPass returns when the last pass of a rule over an event of that time is
// due, or reports false if none of its windows has it. What is received later
// is not found.
func (d *Detector) LastPass(ruleID string, event time.Time) (time.Time, bool) {
	for _, r := range d.runner.rules {
		if r.ID == ruleID {
			return r.schedule.LastPass(event)
		}
	}
	return time.Time{}, false
}

// LateBy returns how late an event came in for the last window of a rule that has
// it, and whether it is Config.LateLook that must be as long for it to be found, or
// Config.Lateness.
func (d *Detector) LateBy(ruleID string, event, received time.Time) (by time.Duration, looks bool) {
	for _, r := range d.runner.rules {
		if r.ID == ruleID {
			return r.schedule.LateBy(event, received), r.schedule.Looks()
		}
	}
	return 0, false
}

// NoLedger says that this process found no ledger in its ticks from one on, which
// it takes to make a Detector. It is called before the first tick that has one.
// The rules begin with what is due since then, and a health alert says so: at a
// first installation the ledger may not have been made yet, but this process
// cannot know that it never was.
func (d *Detector) NoLedger(since time.Time) { d.recall.since, d.recall.unseen = since.UTC(), true }

// Tick runs what is due at a time and sends what is owed. The report is
// complete whatever happened; the error is the report's. Only one tick of a
// Detector runs at a time: another waits for it as long as its context lasts.
//
// A context that ends stops the tick, but nothing half-way: no query is begun
// and the one that runs is cut short, while what is being recorded or sent is
// finished. With a deadline the tick stops that much earlier that it ends in
// time ([Config].Margin). What it did not do is due in the next tick, where the
// rules that were left out come first.
func (d *Detector) Tick(ctx context.Context, now time.Time) (Report, error) {
	now = now.UTC().Truncate(alert.Resolution)
	report := Report{Time: now}
	select {
	case d.ticking <- struct{}{}:
		defer func() { <-d.ticking }()
	case <-ctx.Done():
		return report, fmt.Errorf("waiting for the tick before to end: %w", ctx.Err())
	}
	elapsed := d.config.stopwatch()
	clock := func() time.Time { return now.Add(elapsed()) }
	sending, cancel := before(ctx, d.config.Margin)
	defer cancel()
	querying, cancel := before(sending, d.config.DeliveryTime)
	defer cancel()

	if deadline, ok := querying.Deadline(); ok {
		report.Had = max(time.Until(deadline), 0)
	}
	asked := d.requests()
	defer func() { d.watch.ledger(&report) }()
	if report.LedgerErr = d.refused(querying); report.LedgerErr != nil {
		report.Duration = elapsed()
		return report, report.Err()
	}
	d.runner.silences = d.silencer.begin(querying, &report)
	plan, runs := d.runner.plan(querying, now)
	report.Rules = runs
	report.LedgerGone = d.watch.noteOnce(querying, runs, now)
	round := d.courier.deliver(sending, now, clock)
	d.runner.run(querying, plan, now, round.tell, func() { d.watch.noteLate(querying, runs, now) })
	report.Deliveries = round.end()
	d.purge(sending, &report)
	d.verdicts(sending, &report)
	report.Queries = d.requests() - asked
	d.watch.look(sending, &report, report.fullness(elapsed()))
	d.silencer.settle(sending, &report)
	d.courier.heartbeat(sending, &report, clock)
	report.stop(ctx)
	report.Duration = elapsed()
	return report, report.Err()
}

// requests counts the requests to the workspace, if the querier does.
func (d *Detector) requests() int64 {
	if counter, ok := d.runner.querier.(interface{ Requests() int64 }); ok {
		return counter.Requests()
	}
	return 0
}

// refused returns why the ledger is not to be touched: it is gone, or a newer
// version wrote to it. If that cannot be read, what reads next says why.
func (d *Detector) refused(ctx context.Context) error {
	err := guarded(func() error { return d.ledger.Begin(ctx) })
	var newer *ledger.FormatError
	if errors.As(err, &newer) || errors.Is(err, ledger.ErrNoTable) {
		return err
	}
	return nil
}

// purge has the ledger forget what is too old to matter, if there is time left.
// What it does not get to, it does another time.
func (d *Detector) purge(ctx context.Context, report *Report) {
	if ctx.Err() != nil || !d.config.Share.first() {
		return
	}
	err := guarded(func() (err error) {
		report.Purged, err = d.ledger.Purge(ctx, report.Time)
		return err
	})
	if err != nil && ctx.Err() == nil {
		report.PurgeErr = fmt.Errorf("purging the ledger: %w", err)
	}
}

// before returns a context that ends as ctx does, but that much before its
// deadline.
func before(ctx context.Context, margin time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return context.WithCancel(ctx)
}
