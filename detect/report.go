package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/schedule"
)

// Report is what a tick did.
type Report struct {
	Time       time.Time  // the tick's
	Rules      []RuleRun  // in the rules' order
	Deliveries []Delivery // in the notifiers' order
	Duration   time.Duration
	// Had is how long the tick could ask the workspace, or zero for no limit, and
	// Queries counts the requests that it sent there.
	Had     time.Duration
	Queries int64
	// LedgerErr is why the tick did nothing at all: the ledger is gone, or not to
	// be touched.
	LedgerErr error
	// LedgerGone is since when there was no ledger, if this tick is the first that
	// has one again.
	LedgerGone time.Time
	// Purged counts rows of the ledger that were removed for their age, and
	// PurgeErr is why not all were.
	Purged   int
	PurgeErr error
	// Health are the alerts about Pushback itself that were recorded, and
	// HealthErr is why some were not. HealthWarnings say what is not watched.
	Health         []alert.Alert
	HealthErr      error
	HealthWarnings []string
	// Wrong are the titles of what is wrong with Pushback itself, and Heartbeats
	// counts those that were sent.
	Wrong      []string
	Heartbeats int
	// Stopped says why the tick ended before all was done:
	// context.DeadlineExceeded if its time was up, context.Canceled if it was
	// asked to end, else nil. What was not done is in the rules' Left and the
	// deliveries'.
	Stopped error
}

// RuleRun is what a tick did for one rule.
type RuleRun struct {
	RuleID, RuleName, RuleVersion string
	Windows                       []WindowRun // those that were run, oldest first
	// Updates are alerts with news of earlier ones; UpdatesHeldBack counts those
	// that are sent nowhere.
	Updates         []alert.Alert
	UpdatesHeldBack int
	// Skipped is what was too long ago to be caught up. It is a gap in what the
	// rule has seen that no retry closes: so it is a warning,
	// said once, and no failure.
	Skipped schedule.Skipped
	// Waiting counts the windows that are due but not done, because they, the
	// rule or the ledger failed or because the tick had to end. The next tick
	// runs them.
	Waiting int
	// Left counts those of Waiting that this tick did not get to.
	Left int
	// Busy says until when another process has the rule's lease: this tick left
	// the rule to it. It is zero if none had.
	Busy time.Time
	// Failures counts the ticks in a row, this one too, in which something of the
	// rule failed, and LastSuccess is when a window of it was run last.
	Failures    int
	LastSuccess time.Time
	// NoLook is why a look says nothing of late records of the rule, so that its late
	// passes run. It is nil if none was due.
	NoLook error
	// TooLate is what came in too late for the rule, and TooLateKnown says that this
	// tick looked for that. LateLook is then how long it would have been found.
	TooLate      []TooLate
	TooLateKnown bool
	LateLook     time.Duration
	// Cut is how the query ended that was running when the tick had to end, or
	// nil. Its window is one of those Left, and that is no failure.
	Cut error
	// Warnings are about the rule: columns that its result lacks, with their
	// place in the rule's file, and what was skipped. Each is a line.
	Warnings []string
	Duration time.Duration
	// Err is what failed other than a window.
	Err error
}

// Totals adds up what a tick did, for one rule or for all.
type Totals struct {
	Windows int // that were run, also those that failed
	Failed  int // of those
	Rows    int
	New     int // activities that are news
	Alerts  int // that report them
	Dropped int // activities that were reported before
	Storm   int // alerts that storms took the place of
	// Suppressed counts activities held back by the rule's suppression.
	Suppressed int
	Updates    int // alerts with news of earlier ones
	HeldBack   int // of Alerts and Updates, those that are sent nowhere
	Skipped    int // windows and late passes
	Left       int // windows
}

// Totals adds up what the tick did for the rule.
func (r RuleRun) Totals() Totals {
	t := Totals{Updates: len(r.Updates), HeldBack: r.UpdatesHeldBack, Windows: len(r.Windows), Left: r.Left, Skipped: r.Skipped.Windows + r.Skipped.LatePasses}
	for _, w := range r.Windows {
		t.Rows += w.Rows
		t.New += w.New
		t.Alerts += len(w.Alerts)
		t.Dropped += len(w.Dropped) + w.MoreDropped
		t.Suppressed += len(w.Suppressed) + w.MoreSuppressed
		t.HeldBack += w.HeldBack
		t.Storm += w.Storm
		if w.Err != nil {
			t.Failed++
		}
	}
	return t
}

// Span returns the time from the start of the first to the end of the last
// window that was run. It is zero if none was.
func (r RuleRun) Span() alert.Span {
	if len(r.Windows) == 0 {
		return alert.Span{}
	}
	span := r.Windows[0].Window
	for _, w := range r.Windows[1:] {
		span = span.Hull(w.Window)
	}
	return span
}

// Failure joins all that failed for the rule, or is nil.
func (r RuleRun) Failure() error {
	var errs []error
	for _, w := range r.Windows {
		errs = append(errs, w.Err)
	}
	return errors.Join(append(errs, r.Err)...)
}

// WindowRun is one pass of one window.
type WindowRun struct {
	Window alert.Span // its end is not part of it
	// Pass is 0 for the first pass when it is due, else the number of the late
	// pass that was due last. That one stands for those that were missed before
	// it.
	Pass int
	Rows int // of the result
	New  int // activities that are news
	// Alerts report them, in the order in which they were recorded. They lack what was
	// recorded and may be very much: rows, details that do not weigh, and many activities.
	Alerts []alert.Alert
	// HeldBack counts those of Alerts that are sent nowhere: see
	// Config.MinSeverity and Config.RiskCutoff.
	HeldBack int
	// Storm is how many alerts the only one of Alerts takes the place of, or
	// zero: see Config.MaxAlerts.
	Storm   int
	Dropped []Dropped // activities that were reported before
	// Suppressed are activities that are not reported because their identity was
	// reported within the rule's suppression duration.
	Suppressed []Dropped
	// MoreDropped and MoreSuppressed count those that are not listed, since there
	// are very many.
	MoreDropped, MoreSuppressed int
	Duration                    time.Duration
	Err                         error
}

// Dropped is an activity that was reported before.
type Dropped struct {
	Span alert.Span
	// Identity holds the values of the identity columns.
	Identity []alert.Field
}

// Delivery is what a tick sent to one destination.
type Delivery struct {
	Destination string
	// Addresses are those that the destination has, and their state. There are
	// none if it is not known.
	Addresses []AddressRun
	Sent      int // alerts that were accepted
	Pending   int // alerts that are still owed, but for parked ones
	Parked    int // alerts that it refused for good: see Config.ParkAfter
	// More says that there are more than Pending and Parked count: a tick does not
	// look at all that waits.
	More bool
	// Orphaned says that no notifier has this name: what is owed to it is not
	// sent.
	Orphaned bool
	Left     int // of those, the ones that the tick did not get to
	// Behind counts those that are due and were not tried. They are those Left,
	// those of an address that refuses, those that the ledger let nobody claim,
	// and what is beyond Config.SendLimit.
	Behind int
	// Again counts those of Sent that were sent before without an answer and not
	// found, so that the destination may have them twice.
	Again int
	// Followed is what became of what the destination took, where somebody else has
	// to act on it, and Warnings say what is not known of that.
	Followed notify.Followed
	Warnings []string
	// Slowest is how long the one of those Sent that waited longest did, from when it
	// was made.
	Slowest time.Duration
	// Oldest is when the oldest of those that were pending before was made.
	Oldest time.Time
	// Unread says that the tick was cancelled before it read what is owed, and
	// Incomplete that not all of it could be read.
	Unread     bool
	Incomplete bool
	Duration   time.Duration
	Err        error
}

// atLeast says how many there are of something, of which there may be more.
func (out Delivery) atLeast(n int, one, many string) string {
	if out.More {
		return grouped(n) + " or more " + many
	}
	return counted(n, one, many)
}

// AddressRun is the state of one address of a destination after a tick.
type AddressRun struct {
	// Name is empty if the destination has no addresses of its own.
	Name string
	// Refused is since when it takes nothing, Next when it is tried again and
	// Error why it refused. Refused is zero while it takes what it is sent.
	Refused, Next time.Time
	Error         string
	// Waiting counts the alerts that are owed to it, but for parked ones, and
	// Oldest is when the oldest of them was made.
	Waiting int
	Oldest  time.Time
	// LastTaken is when it took something last, or zero.
	LastTaken time.Time
}

// Totals adds up what the tick did for all rules.
func (r Report) Totals() Totals {
	var sum Totals
	for _, run := range r.Rules {
		t := run.Totals()
		sum.Windows += t.Windows
		sum.Failed += t.Failed
		sum.Rows += t.Rows
		sum.New += t.New
		sum.Alerts += t.Alerts
		sum.Dropped += t.Dropped
		sum.Suppressed += t.Suppressed
		sum.HeldBack += t.HeldBack
		sum.Storm += t.Storm
		sum.Updates += t.Updates
		sum.Skipped += t.Skipped
		sum.Left += t.Left
	}
	return sum
}

// stop notes why the tick ended early, if it did.
func (r *Report) stop(ctx context.Context) {
	left := r.Totals().Left > 0
	for _, d := range r.Deliveries {
		left = left || d.Left > 0 || d.Unread
	}
	switch {
	case !left:
	case errors.Is(ctx.Err(), context.Canceled):
		r.Stopped = context.Canceled
	default:
		r.Stopped = context.DeadlineExceeded
	}
}

// Err joins all that failed, or is nil.
//
// That the tick's time was up is no failure: the next tick goes on where it
// stopped. It is one if the tick got nothing done at all, for then the next may
// not either. That the tick was cancelled always is one: whoever called it has
// to know that it is to be run again.
func (r Report) Err() error {
	var errs []error
	for _, run := range r.Rules {
		errs = append(errs, run.Failure())
	}
	for _, d := range r.Deliveries {
		errs = append(errs, d.Err)
	}
	return errors.Join(append(errs, r.LedgerErr, r.PurgeErr, r.HealthErr, r.stoppedErr())...)
}

func (r Report) stoppedErr() error {
	if r.Stopped == nil {
		return nil
	}
	total := r.Totals()
	done, alerts := total.Windows-total.Failed, 0
	for _, d := range r.Deliveries {
		done += d.Sent
		alerts += d.Left
	}
	if done > 0 && !errors.Is(r.Stopped, context.Canceled) {
		return nil
	}
	why := "the tick was asked to end"
	if !errors.Is(r.Stopped, context.Canceled) {
		why = "the time of the tick was up before anything was done"
	}
	errs := []error{fmt.Errorf("%s: %s and %s are left for the next: %w", why, counted(total.Left, "window", "windows"), counted(alerts, "alert", "alerts"), r.Stopped)}
	for _, run := range r.Rules {
		errs = append(errs, run.Cut)
	}
	return errors.Join(errs...)
}

// warn adds a warning that is not there yet.
func (r *RuleRun) warn(text string) {
	if !slices.Contains(r.Warnings, text) {
		r.Warnings = append(r.Warnings, text)
	}
}

// owed counts the alerts that the rule's windows recorded and that are to be sent.
func (r RuleRun) owed() (n int) {
	for _, w := range r.Windows {
		n += len(w.Alerts) - w.HeldBack
	}
	return n
}

// failed reports whether something of the rule failed, or nothing of it could be
// done because its query took too long.
func (r RuleRun) failed() bool { return r.Failure() != nil || r.Cut != nil && len(r.Windows) == 0 }
