package detect

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// Querier answers a rule's query. [*workspace.Client] is one.
type Querier interface {
	Query(ctx context.Context, q workspace.Query) (*workspace.Table, error)
}

// Ledger remembers how far rules have run and what was told, and keeps what is
// to be sent. [*ledger.Ledger] is one, and says what each method does.
type Ledger interface {
	Begin(ctx context.Context) error
	State(ctx context.Context, ruleID string) (ledger.State, error)
	Lease(ctx context.Context, ruleID string, length time.Duration) (*ledger.Lease, error)
	Unseen(ctx context.Context, q ledger.Question) (ledger.Answer, error)
	Record(ctx context.Context, e ledger.Entry) error
	Recent(ctx context.Context, ruleID string, since time.Time) ([]alert.Alert, error)
	Tally(ctx context.Context, ruleIDs []string, since time.Time) (ledger.Tally, error)
	Purge(ctx context.Context, now time.Time) (int, error)
	outbox
	Notes
}

// Enricher adds what is known of their entities to the alerts of a window, as it
// is at a time, and sets their severity. It returns a warning, a line, for what
// could not be had. *enrich.Enricher is one.
type Enricher interface {
	Enrich(ctx context.Context, alerts []alert.Alert, now time.Time) (warnings []string)
	// Aftermath returns updates of alerts that were told before: alerts of their
	// own with Updates set, and an id that is always the same.
	Aftermath(ctx context.Context, alerts []alert.Alert, now time.Time) (updates []alert.Alert, warnings []string)
}

// Config says when windows are run, and how a tick uses its time. The zero value
// runs each window the moment it ends, once, makes up for every window that was
// missed, and works until the context ends.
type Config struct {
	// Delay is how long after its end a window is first run.
	Delay time.Duration
	// Lateness is how long after a window's end a record may arrive and still
	// be found.
	Lateness time.Duration
	// CatchUp limits how long ago a missed window may have ended to be run
	// after all. Those that ended earlier are skipped and reported. Zero is no
	// limit.
	CatchUp time.Duration
	// NRTFrequency is both frequency and period of near-real-time rules. They run
	// on every tick: on one that finds no window due, the last window again.
	NRTFrequency time.Duration

	// Margin is how much of the context's time, at its end, a tick leaves
	// unused: nothing is sent any more but what is being sent. DeliveryTime is
	// how much before that is kept for sending: no query is begun in it, and one
	// that runs into it is cut short. Without a deadline neither matters.
	Margin, DeliveryTime time.Duration
	// SendTimeout limits how long sending one alert may take. That alone, not
	// the end of the context, ends it: an alert is sent or it is not. Zero is no
	// limit. A margin must have room for it.
	SendTimeout time.Duration

	// LeaseLength is how long another process is kept from a rule after this one
	// died with its lease. It must be longer than a query and the recording of
	// what it found may take. Zero is five minutes.
	LeaseLength time.Duration
	// SendLimit is how many alerts a tick sends to a destination at most; the
	// next goes on. Zero is no limit.
	SendLimit int
	// Backoff is how long after the first attempt that counts against it an
	// alert is sent again, doubled with each other one up to MaxBackoff. Each alert
	// waits up to a quarter longer or shorter, so that not all come back at once.
	// Zero is to try on every tick. An address that refuses whatever it is sent is
	// left alone by itself, and its alerts wait for it.
	Backoff, MaxBackoff time.Duration
	// ParkAfter is how many attempts that count an alert has until it is parked:
	// it is sent no more unless somebody asks for it. An attempt counts if the
	// refusal is about the alert, or if the address took another alert since the
	// attempt before. Zero is never.
	ParkAfter int
	// Heartbeat is after how long without anything else an address is sent a
	// heartbeat: see [notify.Beater]. Zero is never.
	Heartbeat time.Duration

	// Enricher adds context to alerts before they are recorded. Nil is none.
	Enricher Enricher
	// MaxAlerts is how many alerts a window of a rule may have that makes one of
	// each result. Where there would be more, one stands for all of them. Zero is
	// no limit.
	MaxAlerts int
	// MinSeverity and RiskCutoff hold back alerts of a lower severity, and those
	// whose risk score is known and not above the cutoff: they are recorded as
	// told, and sent nowhere. Without a RiskCutoff no score matters. The alert that
	// stands for more than MaxAlerts is sent all the same.
	MinSeverity alert.Severity
	RiskCutoff  *int64

	// Health, if set, tells what goes wrong with Pushback itself.
	Health *Health

	// Start and End, if set, limit the windows to those that end after Start
	// and whose newest part, one frequency long, begins before End. They are
	// for running rules over logs of a known time.
	Start, End time.Time

	// Clock measures how long things take. Without it durations are zero. What
	// is due depends on the tick's time alone.
	Clock func() time.Time
}

// DefaultConfig returns the settings that suit a workspace whose logs arrive
// within two hours.
func DefaultConfig() Config {
	return Config{
		Delay:        5 * time.Minute,
		Lateness:     2 * time.Hour,
		CatchUp:      24 * time.Hour,
		NRTFrequency: 5 * time.Minute,
		Margin:       time.Minute,
		DeliveryTime: time.Minute,
		SendTimeout:  30 * time.Second,
		LeaseLength:  5 * time.Minute,
		SendLimit:    200,
		MaxAlerts:    1000,
		Backoff:      time.Minute,
		MaxBackoff:   time.Hour,
		ParkAfter:    5,
		Clock:        time.Now,
	}
}

// Detector runs rules. What it needs between ticks is all in the
// ledger, so a new Detector goes on where another stopped.
type Detector struct {
	config    Config
	rules     []scheduledRule
	querier   Querier
	ledger    Ledger
	notifiers []notify.Notifier
	courier   *courier

	ticking chan struct{} // holds a value during a tick
	// unnoted are what happened once, such as windows that were skipped, and the
	// ledger could not be told of yet. Only a tick uses it, and recall.
	unnoted []condition
	recall  recall
}

type scheduledRule struct {
	*rule.Rule
	schedule schedule
}

// New returns a Detector for the rules that are not disabled. Every alert is
// owed to each of the notifiers.
func New(config Config, rules []*rule.Rule, querier Querier, ledger Ledger, notifiers ...notify.Notifier) (*Detector, error) {
	if config.Delay < 0 || config.Lateness < 0 || config.CatchUp < 0 {
		return nil, errors.New("detect: delay, lateness and catch-up cannot be negative")
	}
	if config.Margin < 0 || config.DeliveryTime < 0 || config.SendTimeout < 0 {
		return nil, errors.New("detect: margin, delivery time and send timeout cannot be negative")
	}
	if config.LeaseLength == 0 {
		config.LeaseLength = 5 * time.Minute
	}
	if config.LeaseLength < 0 || config.SendLimit < 0 || config.MaxAlerts < 0 || config.Backoff < 0 || config.MaxBackoff < config.Backoff || config.ParkAfter < 0 || config.Heartbeat < 0 {
		return nil, errors.New("detect: the length of a lease, the send limit, the most alerts of a window, the back-off, the attempts before parking and the heartbeat cannot be negative, nor the longest back-off shorter than the first")
	}
	if config.Margin > 0 && config.Margin < leadTimeout+config.SendTimeout+saveTimeout {
		return nil, fmt.Errorf("detect: the margin, %s, has no room for sending an alert, %s, and noting that it was sent, %s",
			config.Margin, config.SendTimeout, saveTimeout)
	}
	if !config.Start.IsZero() && !config.End.IsZero() && !config.Start.Before(config.End) {
		return nil, fmt.Errorf("detect: the start, %s, is not before the end, %s",
			config.Start.Format(time.RFC3339), config.End.Format(time.RFC3339))
	}
	d := &Detector{config: config, querier: querier, ledger: ledger, notifiers: notifiers, ticking: make(chan struct{}, 1)}
	d.courier = &courier{config: config, notifiers: notifiers, outbox: ledger, notes: ledger, stopwatch: d.stopwatch, unnoted: map[delivered]bool{}, marks: map[marked]*mark{}}

	files := map[string]string{}
	for _, r := range rules {
		if r.Disabled {
			continue
		}
		if other, taken := files[r.ID]; taken {
			return nil, fmt.Errorf("detect: the rules %s and %s have the same id %s: what one tells, the other would drop", other, r.File, r.ID)
		}
		files[r.ID] = r.File
		s, err := newSchedule(config, r)
		if err != nil {
			return nil, fmt.Errorf("detect: rule %q: %w", r.Name, err)
		}
		d.rules = append(d.rules, scheduledRule{r, s})
	}

	names := map[string]bool{}
	for _, n := range notifiers {
		if n.Name() == "" || names[n.Name()] {
			return nil, fmt.Errorf("detect: a destination needs a name of its own, not %q", n.Name())
		}
		names[n.Name()] = true
	}
	return d, nil
}

// Next returns when the next pass of any rule is due after a time, or the zero
// time if none ever is. Ticks at these times, and no others, run every pass
// when it is due.
func (d *Detector) Next(after time.Time) time.Time {
	var next time.Time
	for _, r := range d.rules {
		if t := r.schedule.next(after); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// LastPass returns when the last pass of a rule over an event of that time is
// due, or reports false if none of its windows has it. What is received later
// is not found.
func (d *Detector) LastPass(ruleID string, event time.Time) (time.Time, bool) {
	for _, r := range d.rules {
		if r.ID == ruleID {
			return r.schedule.lastPass(event)
		}
	}
	return time.Time{}, false
}

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
	elapsed := d.stopwatch()

	sending, cancel := before(ctx, d.config.Margin)
	defer cancel()
	querying, cancel := before(sending, d.config.DeliveryTime)
	defer cancel()
	defer func() { d.watchLedger(&report) }()
	if report.LedgerErr = d.refused(querying); report.LedgerErr != nil {
		report.Duration = elapsed()
		return report, report.Err()
	}
	report.Rules, report.LedgerGone = d.runRules(querying, now)
	clock := func() time.Time { return now.Add(elapsed()) }
	report.Deliveries = d.courier.deliverAll(sending, now, clock)
	d.purge(sending, &report)
	d.health(sending, &report)
	d.heartbeat(sending, &report, clock)
	report.stop(ctx)
	report.Duration = elapsed()
	return report, report.Err()
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
	if ctx.Err() != nil {
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

// destinations returns the names of the notifiers.
func (d *Detector) destinations() []string {
	names := make([]string, len(d.notifiers))
	for i, n := range d.notifiers {
		names[i] = n.Name()
	}
	return names
}

// stopwatch returns a function that says how long ago stopwatch was called.
func (d *Detector) stopwatch() func() time.Duration {
	if d.config.Clock == nil {
		return func() time.Duration { return 0 }
	}
	begin := d.config.Clock()
	return func() time.Duration { return d.config.Clock().Sub(begin) }
}
