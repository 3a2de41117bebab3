package detect

import (
	"errors"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/look"
	"pushback/detect/rule"
	"pushback/detect/schedule"
	"pushback/detect/silence"
)

// Config says when windows are run, and how a tick uses its time. The zero value
// runs each window the moment it ends, once, catches up every window that was
// missed, and works until the context ends.
type Config struct {
	// Delay is how long after its end a window is first run.
	Delay time.Duration
	// Lateness is how long after a window's end a record may arrive and still
	// be found.
	Lateness time.Duration
	// Beginnings are what rules do with the records of a table before they look at
	// several of them, by the rules' ids. A rule that has them, or is known to read
	// no table, runs a window again only where a look finds that a record of it came
	// in late. Others run each window again at every frequency until the lateness.
	Beginnings map[string][]look.Beginning
	// LateLook is how long after a window's end a record may arrive and still be
	// found by a look. It is as long as Lateness at least; zero is no looks.
	LateLook time.Duration
	// LookMargin is how much a look reaches back before the last one: the time at
	// which a record came in is not exact.
	LookMargin time.Duration
	// MostLate is how many windows of a rule a tick runs again for what a look
	// found. Zero is no limit.
	MostLate int
	// LateRecords, if set, returns when the first record after a time came in late of
	// a table: later than Delay after it was generated. It is zero if none did, and
	// spares looks that would find nothing.
	LateRecords func(table string, after time.Time) time.Time
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

	// Concurrency is how many rules are worked on at once, each with one query at a
	// time. Zero is one.
	Concurrency int
	// InOrder has what is found be recorded in the order in which the windows began,
	// and sent when all is recorded. So the same logs give the same output, whatever
	// comes first.
	InOrder bool

	// Share is the part of the rules that is run, where several apps share them. What
	// is done once for all is the first's: tables' rhythms, heartbeats, and having the
	// ledger forget. What a destination is sent at most is divided among them.
	Share Share

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
	// whose risk score is known and not above the cutoff: they are recorded, and
	// sent nowhere. Without a RiskCutoff no score matters. The alert that
	// stands for more than MaxAlerts is sent all the same, and so is one that says
	// that somebody may have got in: see [alert.Alert.Compromised].
	MinSeverity alert.Severity
	RiskCutoff  *int64

	// Silences are exceptions beside those that the ledger has, and RuleNames how
	// silences may call the rules.
	Silences  *silence.Set
	RuleNames []silence.Rule

	// Routes, if set, says at which addresses of a destination an alert is owed, by what
	// the alert is and when it was made. Unless it is routed, the destination says it.
	Routes func(destination string, a alert.Alert) (at []ledger.Target, routed bool)
	// Verdicts, if set, learns what analysts decided of the alerts.
	Verdicts Verdicts

	// Health, if set, reports what goes wrong with Pushback itself.
	Health *Health

	// Remembers is how long the ledger knows what was reported. A window that began
	// longer ago is not run once more, whoever wants that. Zero is no limit.
	Remembers time.Duration

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
		LateLook:     72 * time.Hour,
		LookMargin:   15 * time.Minute,
		MostLate:     50,
		CatchUp:      24 * time.Hour,
		NRTFrequency: 5 * time.Minute,
		Margin:       time.Minute,
		DeliveryTime: time.Minute,
		SendTimeout:  30 * time.Second,
		Concurrency:  5,
		LeaseLength:  5 * time.Minute,
		SendLimit:    200,
		MaxAlerts:    1000,
		Backoff:      time.Minute,
		MaxBackoff:   time.Hour,
		ParkAfter:    5,
		Clock:        time.Now,
	}
}

// Health says when something is wrong with Pushback itself. Each thing that is
// wrong is reported once, and once more when it is over. What is known of it is
// noted in the ledger before it is reported, so that a restart, a crash or another
// process repeats nothing and forgets nothing.
type Health struct {
	// FailingTicks is how many ticks in a row something of a rule must fail. A
	// tick that follows a failed one within two minutes is another try of it.
	FailingTicks int
	// Stuck is how long an alert must wait for a destination that takes none, and
	// Late how long for one that takes others.
	Stuck, Late time.Duration
	// Tables are watched for silence, each by its own rhythm: see package rhythm.
	// RhythmEvery is how often they are asked.
	Tables      []string
	RhythmEvery time.Duration
	// Broken lists what is wrong with the rules' files: rules that are not run.
	Broken []string
}

// DefaultHealth returns three ticks, 20 minutes and two hours, and a look at the
// tables every hour.
func DefaultHealth() *Health {
	return &Health{FailingTicks: 3, Stuck: 20 * time.Minute, Late: 2 * time.Hour, RhythmEvery: time.Hour}
}

// targets returns what the ledger is to ask where alerts are owed. One that is for an
// address already stays with it.
func (c Config) targets() func(destination string, a alert.Alert) ([]ledger.Target, bool) {
	if c.Routes == nil {
		return nil
	}
	return func(destination string, a alert.Alert) ([]ledger.Target, bool) {
		if a.Address != "" {
			return nil, false
		}
		return c.Routes(destination, a)
	}
}

// isStorm reports whether a rule found so much in a window that one alert is to
// stand for all of it.
func (c Config) isStorm(r *rule.Rule, news int) bool {
	return c.MaxAlerts > 0 && news > c.MaxAlerts && r.Grouping == rule.AlertPerResult
}

// heldBack returns why an alert is recorded but sent nowhere, or nil if it is sent.
func (c Config) heldBack(a alert.Alert) *alert.HeldBack {
	if a.Storm != nil {
		return nil // what is known of the worst says nothing of the others
	}
	if a.Compromised() {
		return nil
	}
	if a.Severity < c.MinSeverity {
		return &alert.HeldBack{By: alert.HeldBySeverity, Reason: fmt.Sprintf("its severity, %s, is below %s (PUSHBACK_MIN_SEVERITY)", a.Severity, c.MinSeverity)}
	}
	if c.RiskCutoff != nil && a.Context != nil && a.Context.RiskScore != nil && *a.Context.RiskScore <= *c.RiskCutoff {
		return &alert.HeldBack{By: alert.HeldByRisk, Reason: fmt.Sprintf("its risk score, %d, is not above %d (PUSHBACK_RISK_CUTOFF)", *a.Context.RiskScore, *c.RiskCutoff)}
	}
	return nil
}

// wasHeldBack reports whether an alert that the ledger has was sent nowhere. What a
// version before recorded does not say so itself.
func (c Config) wasHeldBack(a alert.Alert) bool { return a.HeldBack != nil || c.heldBack(a) != nil }

// schedule returns what the schedules of rules have to know.
func (c Config) schedule() schedule.Config {
	return schedule.Config{Delay: c.Delay, Lateness: c.Lateness, CatchUp: c.CatchUp, Remembers: c.Remembers, MostLate: c.MostLate, NRTFrequency: c.NRTFrequency, Start: c.Start, End: c.End}
}

// checked returns the configuration with its defaults, or why it is none.
func (c Config) checked() (Config, error) {
	if c.Delay < 0 || c.Lateness < 0 || c.CatchUp < 0 || c.LateLook < 0 || c.LookMargin < 0 || c.MostLate < 0 || c.Remembers < 0 {
		return c, errors.New("detect: delay, lateness, catch-up, the late look, its margin and its limit, and how long is remembered cannot be negative")
	}
	if c.Margin < 0 || c.DeliveryTime < 0 || c.SendTimeout < 0 {
		return c, errors.New("detect: margin, delivery time and send timeout cannot be negative")
	}
	if c.Concurrency < 0 {
		return c, errors.New("detect: the concurrency cannot be negative")
	}
	c.Concurrency = max(c.Concurrency, 1)
	if c.Share.Of < 0 || c.Share.Number < 0 || c.Share.Number > max(c.Share.Of, 1) || c.Share.Of > 1 && c.Share.Number == 0 {
		return c, fmt.Errorf("detect: there is no share %d of %d", c.Share.Number, c.Share.Of)
	}
	if c.SendLimit > 0 {
		c.SendLimit = max(c.SendLimit/c.Share.shares(), 1)
	}
	if c.LeaseLength == 0 {
		c.LeaseLength = 5 * time.Minute
	}
	if c.LeaseLength < 0 || c.SendLimit < 0 || c.MaxAlerts < 0 || c.Backoff < 0 || c.MaxBackoff < c.Backoff || c.ParkAfter < 0 || c.Heartbeat < 0 {
		return c, errors.New("detect: the length of a lease, the send limit, the most alerts of a window, the back-off, the attempts before parking and the heartbeat cannot be negative, nor the longest back-off shorter than the first")
	}
	if c.Margin > 0 && c.Margin < leadTimeout+c.SendTimeout+saveTimeout {
		return c, fmt.Errorf("detect: the margin, %s, has no room for sending an alert, %s, and noting that it was sent, %s",
			c.Margin, c.SendTimeout, saveTimeout)
	}
	if !c.Start.IsZero() && !c.End.IsZero() && !c.Start.Before(c.End) {
		return c, fmt.Errorf("detect: the start, %s, is not before the end, %s",
			c.Start.Format(time.RFC3339), c.End.Format(time.RFC3339))
	}
	return c, nil
}

// stopwatch returns a function that says how long ago stopwatch was called.
func (c Config) stopwatch() func() time.Duration {
	if c.Clock == nil {
		return func() time.Duration { return 0 }
	}
	begin := c.Clock()
	return func() time.Duration { return c.Clock().Sub(begin) }
}
