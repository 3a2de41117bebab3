// Package notify is the contract between a tick and the destinations of alerts.
package notify

import (
	"context"
	"errors"
	"time"

	"pushback/detect/alert"
)

// Notifier is a destination of alerts.
type Notifier interface {
	// Name is the destination's name in the ledger and in reports. It must
	// stay the same from one start to the next.
	Name() string
	// Notify sends one alert. If it returns an error, a later tick sends the
	// alert again. An [Error] says what the failure is about; any other error is
	// taken for one about the destination.
	Notify(ctx context.Context, a alert.Alert) error
}

// Digester is a Notifier that can send several alerts of a rule at once.
type Digester interface {
	Notifier
	// Most is how many alerts of a rule are sent one by one in a tick.
	Most() int
	// NotifyAll is Notify for several alerts of one rule, which all go to the
	// same address: it takes them, or not, together.
	NotifyAll(ctx context.Context, alerts []alert.Alert) error
}

// Batcher is a Notifier that is sent all that is due to it at once, of whatever
// rules, and that knows how much it may be sent.
type Batcher interface {
	Notifier
	// Room returns how many alerts it may be sent at a time.
	Room(ctx context.Context, now time.Time) (int, error)
	// Deliver is Notify for several alerts, each with an outcome of its own. Those
	// that failed together have the same error.
	Deliver(ctx context.Context, alerts []alert.Alert, now time.Time) []Outcome
}

// Outcome is what became of an alert that a Batcher was sent.
type Outcome struct {
	Err error
	// Again says that it was sent before and not found, so that the destination may
	// have it twice.
	Again bool
}

// Follower is a Notifier that takes alerts for somebody else to act on, and that
// looks whether that happens.
type Follower interface {
	Notifier
	// Follow looks, if it is time to, and returns what it knows.
	Follow(ctx context.Context, now time.Time) (Followed, error)
}

// Followed is what became of the alerts that a Follower took.
type Followed struct {
	// Known says that the rest is known.
	Known bool
	// Lost counts the alerts of which nothing came in time, Oldest is when the first
	// of them was sent, and Text says what is missing and what to look at.
	Lost   int
	Oldest time.Time
	Text   string
}

// Numberer is an Opener whose incidents have a number that analysts know them by.
type Numberer interface {
	Opener
	// IncidentNumber returns the number of the incident that IncidentURL leads to,
	// or nothing.
	IncidentNumber(ctx context.Context, a alert.Alert) string
}

// Opener is a Notifier that makes incidents of alerts. Those behind it in the
// order of the notifiers can lead to them.
type Opener interface {
	Notifier
	// IncidentURL returns the address of the incident that an alert is in, or
	// nothing.
	IncidentURL(ctx context.Context, a alert.Alert) string
}

// Router is a Notifier with addresses of its own. One that refuses what it is
// sent does not stop the others.
type Router interface {
	Notifier
	// Address returns the name of the address that an alert goes to: that of its
	// Address, which is such a name or that of the setting that holds the address,
	// if there is one. Else it depends on the alert's rule and
	// severity alone, and is the same from one start to the next. It holds no
	// secret.
	Address(a alert.Alert) string
	// Addresses lists the names of all addresses, each once.
	Addresses() []string
}

// Beater is a Router whose addresses get a heartbeat when they get nothing
// else. An address that is never used can stop working without anybody
// noticing.
type Beater interface {
	Router
	// Heartbeat sends an address a message that Pushback runs. Its errors are like
	// those of Notify.
	Heartbeat(ctx context.Context, address string, h Heartbeat) error
}

// Heartbeat is what Pushback says of itself where it had nothing to report.
type Heartbeat struct {
	// Since and Now are the time that it is about.
	Since, Now time.Time
	// Rules are the names of the rules that run, and LastRun is when a window of
	// the one that is furthest behind was run last. It is zero if one never ran.
	Rules   []string
	LastRun time.Time
	// Reported and HeldBack count the alerts that were recorded in that time,
	// to be sent anywhere and to be sent nowhere. More says that there were more
	// than were counted, and Uncounted that they could not be counted.
	Reported, HeldBack int
	More, Uncounted    bool
	// Wrong lists what is wrong with Pushback, a sentence each.
	Wrong []string
}

// Error is why a destination did not take what it was sent. Its zero value says
// that the address did not take it and may take the same later.
type Error struct {
	Err error
	// Message says that the refusal is about what was sent: the same is refused
	// again, while the destination may take others.
	Message bool
	// Shut says that the address takes nothing, whatever it is sent: it is off,
	// gone, not reached, or does not let us in.
	Shut bool
	// Local says that it is this process that cannot send, which says nothing of
	// the address: another may send the same at once.
	Local bool
	// Repeatable says that sending it again does no harm and will come to an end
	// of its own, since the outcome can be looked up.
	Repeatable bool
	// RetryAfter is how long the destination wants to be left alone, or zero.
	RetryAfter time.Duration
	// Unanswered says that all of it was sent and no answer came: it may have
	// been taken.
	Unanswered bool
	// Next is before when the same is not sent again, or zero.
	Next time.Time
	// Held says that nothing was sent and nothing is wrong: it waits for Next.
	Held bool
}

// Error returns the text of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Judge returns what an error of a destination says: the Error in it, or one
// about the address.
func Judge(err error) Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return *e
	}
	return Error{Err: err}
}
