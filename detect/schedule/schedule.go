// Package schedule says which windows of a rule are due.
package schedule

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// Config says when windows are run. The zero value runs each the moment it ends,
// once, and catches up every one that was missed.
type Config struct {
	// Delay is how long after its end a window is first run, and Lateness how long
	// after it a record may arrive and still be found.
	Delay, Lateness time.Duration
	// CatchUp limits how long ago a missed window may have ended to be run after
	// all. Zero is no limit.
	CatchUp time.Duration
	// MostLate is how many windows of a rule with looks a tick runs again for late
	// records. Zero is no limit.
	MostLate int
	// NRTFrequency is both frequency and period of near-real-time rules.
	NRTFrequency time.Duration
	// Remembers is how long ago a window may have begun that is run once more, since
	// what was reported of it is known for so long. Zero is no limit.
	Remembers time.Duration
	// Start and End, if set, limit the windows to those that end after Start and
	// whose newest part, one frequency long, begins before End.
	Start, End time.Time
}

// Schedule says when a rule's windows are run. A window is known by its end.
type Schedule struct {
	frequency, period time.Duration
	everyTick         bool // also when no pass is due
	delay             time.Duration
	// offsets are when the passes of a window are due, counted from the first:
	// 0, then the late passes.
	offsets    []time.Duration
	catchUp    time.Duration
	remembers  time.Duration
	start, end time.Time
	// within is how long after its end a window runs again if a look finds a record
	// of it that came in late. Zero is a rule without looks.
	within time.Duration
	// mostLate is how many windows a tick runs again for late records, or zero.
	mostLate int
}

// New returns the schedule of a rule.
func New(c Config, r *rule.Rule) (Schedule, error) {
	s := Schedule{
		frequency: r.QueryFrequency,
		period:    r.QueryPeriod,
		delay:     c.Delay,
		offsets:   []time.Duration{0},
		catchUp:   c.CatchUp,
		remembers: c.Remembers,
		start:     c.Start,
		end:       c.End,
		mostLate:  c.MostLate,
	}
	if r.Kind == rule.NRT {
		s.frequency, s.period, s.everyTick = c.NRTFrequency, c.NRTFrequency, true
	}
	switch {
	case s.frequency <= 0 && r.Kind == rule.NRT:
		return Schedule{}, errors.New("the frequency of near-real-time rules is not set")
	case s.frequency <= 0:
		return Schedule{}, errors.New("its query frequency is not positive")
	}
	if s.period < s.frequency {
		return Schedule{}, fmt.Errorf("its query period, %s, is shorter than its frequency, %s: events would be missed", s.period, s.frequency)
	}
	if c.Lateness > 0 {
		for o := s.frequency; o < c.Lateness; o += s.frequency {
			s.offsets = append(s.offsets, o)
		}
		// However long the frequency, the last pass sees all that came in time.
		s.offsets = append(s.offsets, c.Lateness)
	}
	return s, nil
}

// Frequency returns how often a window ends.
func (s Schedule) Frequency() time.Duration { return s.frequency }

// Overlaps reports whether an event is in more than one window.
func (s Schedule) Overlaps() bool { return s.period > s.frequency }

// Window returns what the window with this end covers.
func (s Schedule) Window(end time.Time) alert.Span {
	return alert.Span{Start: end.Add(-s.period), End: end}
}

// lastEnd returns the end of the last window that ends at or before t.
func (s Schedule) lastEnd(t time.Time) time.Time {
	since := t.UnixNano() % int64(s.frequency)
	if since < 0 {
		since += int64(s.frequency)
	}
	return t.Add(-time.Duration(since)).UTC()
}

// limited reports whether the configured start and end leave a window out.
func (s Schedule) limited(end time.Time) bool {
	return !s.start.IsZero() && !end.After(s.start) ||
		!s.end.IsZero() && !end.Add(-s.frequency).Before(s.end)
}

// Next returns when the first pass after a time is due, or the zero time. Of a rule
// with looks that is the first pass of a window: see NextLook.
func (s Schedule) Next(after time.Time) time.Time {
	var next time.Time
	for _, o := range s.passes() {
		end := s.lastEnd(after.Add(-s.delay - o)).Add(s.frequency)
		if !s.start.IsZero() && !end.After(s.start) {
			end = s.lastEnd(s.start).Add(s.frequency)
		}
		if s.limited(end) {
			continue
		}
		if due := end.Add(s.delay + o); next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next
}

// LastPass returns when the last pass over an event of that time is due, or
// reports false if no window has it. Windows overlap if the period is longer
// than the frequency, so it is the last pass of the last of them.
func (s Schedule) LastPass(at time.Time) (time.Time, bool) {
	end := s.lastEnd(at.Add(s.period))
	if !s.end.IsZero() {
		if last := s.lastEnd(s.end.Add(s.frequency - 1)); end.After(last) {
			end = last
		}
	}
	if !end.After(at) || s.limited(end) {
		return time.Time{}, false
	}
	if s.Looks() {
		return s.LastLook(end.Add(s.delay + s.within)), true
	}
	return end.Add(s.delay + s.offsets[len(s.offsets)-1]), true
}

// State is how far a rule has run. The zero value is a rule that never ran.
type State struct {
	// First is the end of the earliest window that the rule is run for.
	First time.Time
	// Watermark is the time up to which the due windows were worked out. Those are
	// done but for the ones in Pending.
	Watermark time.Time
	// Pending lists the ends of the windows that are still to be run, oldest first.
	Pending []time.Time
	// Looked is the time up to which it is known, by looks or by late passes, which
	// windows late records are in, and Late lists the ends of those that are still to
	// be run again for them, oldest first. Without looks Looked is zero.
	Looked time.Time
	Late   []time.Time
	// Rerun lists the ends of the windows that are to be run once more, oldest first.
	Rerun []time.Time
}

// Due is a window that is to be run now.
type Due struct {
	End  time.Time
	Pass int // the number of its latest pass that is due
	// Late says that it is due for late records alone, and Rerun that it is because
	// somebody wants it run once more.
	Late, Rerun bool
}

// Plan is what a rule has to do in a tick.
type Plan struct {
	Windows []Due // oldest first, those that are run once more last
	Skipped Skipped
	// Forgotten counts windows that were to be run once more and began so long ago
	// that it is not known any more what was reported of them.
	Forgotten int
	// State is the rule's state with all of Windows pending, or late.
	State State
}

// Any reports whether there is anything to do or to note.
func (p Plan) Any() bool { return len(p.Windows) > 0 || p.Skipped.Any() || p.Forgotten > 0 }

// Plan works out what is due at now: the windows that are pending, and those
// with a pass that came due since the watermark.
func (s Schedule) Plan(state State, now time.Time) Plan {
	var oldest time.Time
	if s.catchUp > 0 {
		oldest = now.Add(-s.catchUp)
	}
	fresh := state.Watermark.IsZero()
	if fresh {
		rerun := state.Rerun
		state = s.Begin(now)
		state.Rerun = rerun
		if state.First.Before(oldest) {
			oldest = state.First // a rule's first window is run however old
		}
	}

	p := Plan{State: state}
	switch {
	case !s.Looks():
		p.State.Looked = time.Time{}
	case fresh:
		p.State.Looked = now
	case state.Looked.IsZero(): // an earlier version ran every pass
		p.State.Looked = state.Watermark
	}
	offsets := s.passes()
	planned := map[int64]bool{}
	consider := func(end time.Time, firstTime bool) {
		if planned[end.UnixNano()] {
			return
		}
		planned[end.UnixNano()] = true
		if end.Before(oldest) {
			p.Skipped.add(s.Window(end), firstTime)
			return
		}
		p.Windows = append(p.Windows, Due{End: end, Pass: s.pass(end, now)})
	}
	for _, end := range state.Pending {
		consider(end, true)
	}
	earliest := state.Watermark.Add(-s.delay - offsets[len(offsets)-1])
	for end := s.lastEnd(earliest); !end.After(now.Add(-s.delay)); end = end.Add(s.frequency) {
		if end.Before(state.First) || s.limited(end) {
			continue
		}
		latest := min(s.pass(end, now), len(offsets)-1)
		if end.Add(s.delay + s.offsets[latest]).After(state.Watermark) {
			consider(end, end.Add(s.delay).After(state.Watermark))
		}
	}
	if last := s.lastEnd(now.Add(-s.delay)); s.everyTick && len(p.Windows) == 0 && now.After(state.Watermark) &&
		!last.Before(state.First) && !s.limited(last) {
		consider(last, false) // what came in since it was run
	}
	slices.SortStableFunc(p.Windows, func(a, b Due) int { return a.End.Compare(b.End) })
	pending := ends(p.Windows)
	s.planLate(&p, now)
	s.planRerun(&p, now)
	if p.Any() {
		p.State.Watermark, p.State.Pending = now, pending
	}
	return p
}

// ends lists the ends of windows.
func ends(windows []Due) (list []time.Time) {
	for _, w := range windows {
		list = append(list, w.End)
	}
	return list
}

// Begin returns the state of a rule that never ran, such that its first window
// is the last one that is complete, or the first that the configuration wants.
func (s Schedule) Begin(now time.Time) State {
	first := s.lastEnd(now.Add(-s.delay))
	if !s.start.IsZero() {
		first = s.lastEnd(s.start).Add(s.frequency)
	}
	return State{First: first, Watermark: first.Add(s.delay - 1)} // just before its first pass
}

// pass returns the number of the latest pass of a window that is due at now.
func (s Schedule) pass(end, now time.Time) int {
	latest := 0
	for i, o := range s.offsets {
		if !end.Add(s.delay + o).After(now) {
			latest = i
		}
	}
	return latest
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

// Any reports whether anything was skipped.
func (s Skipped) Any() bool { return s != Skipped{} }

// String says what was skipped, in words.
func (s Skipped) String() string {
	return fmt.Sprintf("windows from %s to %s were skipped, since they ended longer ago than the catch-up limit: %d were never run, and late passes of %d are missing",
		s.From.Format(time.RFC3339), s.To.Format(time.RFC3339), s.Windows, s.LatePasses)
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
