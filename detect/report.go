package detect

import (
	"errors"
	"time"

	"pushback/detect/alert"
)

// Report is what a tick did.
type Report struct {
	Time       time.Time  // the tick's
	Rules      []RuleRun  // in the rules' order
	Deliveries []Delivery // in the notifiers' order
}

// RuleRun is what a tick did for one rule.
type RuleRun struct {
	RuleID, RuleName string
	Windows          []WindowRun // those that were run, oldest first
	// Skipped is what was too long ago to be made up for.
	Skipped Skipped
	// Waiting counts the windows that are due but not done, because they, the
	// rule or the ledger failed or because the time was up. The next tick runs
	// them.
	Waiting int
	// Warnings are about the rule: columns that its result lacks, with their
	// place in the rule's file. Each is a line.
	Warnings []string
	// Err is what failed other than a window.
	Err error
}

// WindowRun is one pass of one window.
type WindowRun struct {
	Window alert.Span // its end is not part of it
	// Pass is 0 for the first pass when it is due, else the number of the late
	// pass that was due last: it stands for those that were missed before it.
	Pass     int
	Rows     int           // of the result
	New      int           // activities that were told
	Alerts   []alert.Alert // that tell them
	Dropped  []Dropped     // activities that were told before
	Duration time.Duration
	Err      error
}

// Dropped is an activity that is not told because it was told before.
type Dropped struct {
	Span alert.Span
	// Identity holds the values of the identity columns.
	Identity []alert.Field
}

// Skipped is what was not run because it was due longer ago than the catch-up
// limit.
type Skipped struct {
	Windows    int // that were never run, or failed whenever they were
	LatePasses int // windows that were run, but of which late passes are missing
	// From and To are the beginning of the first and the end of the last of
	// the windows.
	From, To time.Time
}

func (s *Skipped) add(window alert.Span, neverRun bool) {
	if neverRun {
		s.Windows++
	} else {
		s.LatePasses++
	}
	if s.From.IsZero() || window.Start.Before(s.From) {
		s.From = window.Start
	}
	if window.End.After(s.To) {
		s.To = window.End
	}
}

// Delivery is what a tick sent to one destination.
type Delivery struct {
	Destination string
	Sent        int // alerts that were accepted
	Pending     int // alerts that are still owed
	Err         error
}

// Err joins all that failed, or is nil.
func (r Report) Err() error {
	var errs []error
	for _, run := range r.Rules {
		for _, w := range run.Windows {
			errs = append(errs, w.Err)
		}
		errs = append(errs, run.Err)
	}
	for _, d := range r.Deliveries {
		errs = append(errs, d.Err)
	}
	return errors.Join(errs...)
}
