package detect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
)

// schedule says when a rule's windows are run. A window is known by its end.
type schedule struct {
	frequency, period time.Duration
	everyTick         bool // also when no pass is due
	delay             time.Duration
	// offsets are when the passes of a window are due, counted from the first:
	// 0, then the late passes.
	offsets    []time.Duration
	catchUp    time.Duration
	start, end time.Time
}

func newSchedule(c Config, r *rule.Rule) (schedule, error) {
	s := schedule{
		frequency: r.QueryFrequency,
		period:    r.QueryPeriod,
		delay:     c.Delay,
		offsets:   []time.Duration{0},
		catchUp:   c.CatchUp,
		start:     c.Start,
		end:       c.End,
	}
	if r.Kind == rule.NRT {
		s.frequency, s.period, s.everyTick = c.NRTFrequency, c.NRTFrequency, true
	}
	switch {
	case s.frequency <= 0 && r.Kind == rule.NRT:
		return schedule{}, errors.New("the frequency of near-real-time rules is not set")
	case s.frequency <= 0:
		return schedule{}, errors.New("its query frequency is not positive")
	}
	if s.period < s.frequency {
		return schedule{}, fmt.Errorf("its query period, %s, is shorter than its frequency, %s: events would be missed", s.period, s.frequency)
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

// window returns what the window with this end covers.
func (s schedule) window(end time.Time) alert.Span {
	return alert.Span{Start: end.Add(-s.period), End: end}
}

// lastEnd returns the end of the last window that ends at or before t.
func (s schedule) lastEnd(t time.Time) time.Time {
	since := t.UnixNano() % int64(s.frequency)
	if since < 0 {
		since += int64(s.frequency)
	}
	return t.Add(-time.Duration(since)).UTC()
}

// limited reports whether the configured start and end leave a window out.
func (s schedule) limited(end time.Time) bool {
	return !s.start.IsZero() && !end.After(s.start) ||
		!s.end.IsZero() && !end.Add(-s.frequency).Before(s.end)
}

// next returns when the first pass after a time is due, or the zero time.
func (s schedule) next(after time.Time) time.Time {
	var next time.Time
	for _, o := range s.offsets {
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

// lastPass returns when the last pass over an event of that time is due, or
// reports false if no window has it. Windows overlap if the period is longer
// than the frequency, so it is the last pass of the last of them.
func (s schedule) lastPass(at time.Time) (time.Time, bool) {
	end := s.lastEnd(at.Add(s.period))
	if !s.end.IsZero() {
		if last := s.lastEnd(s.end.Add(s.frequency - 1)); end.After(last) {
			end = last
		}
	}
	if !end.After(at) || s.limited(end) {
		return time.Time{}, false
	}
	return end.Add(s.delay + s.offsets[len(s.offsets)-1]), true
}

// due is a window that is to be run now.
type due struct {
	end  time.Time
	pass int // the number of its latest pass that is due
}

// plan is what a rule has to do in a tick.
type plan struct {
	windows []due // oldest first
	skipped Skipped
	// state is the rule's state with all of windows pending.
	state ledger.State
}

// plan works out what is due at now: the windows that are pending, and those
// with a pass that came due since the watermark.
func (s schedule) plan(state ledger.State, now time.Time) plan {
	var oldest time.Time
	if s.catchUp > 0 {
		oldest = now.Add(-s.catchUp)
	}
	if state.IsZero() {
		state = s.begin(now)
		if state.First.Before(oldest) {
			oldest = state.First // a rule's first window is run however old
		}
	}

	p := plan{state: state}
	planned := map[int64]bool{}
	consider := func(end time.Time, firstTime bool) {
		if planned[end.UnixNano()] {
			return
		}
		planned[end.UnixNano()] = true
		if end.Before(oldest) {
			p.skipped.add(s.window(end), firstTime)
			return
		}
		p.windows = append(p.windows, due{end: end, pass: s.pass(end, now)})
	}
	for _, end := range state.Pending {
		consider(end, true)
	}
	earliest := state.Watermark.Add(-s.delay - s.offsets[len(s.offsets)-1])
	for end := s.lastEnd(earliest); !end.After(now.Add(-s.delay)); end = end.Add(s.frequency) {
		if end.Before(state.First) || s.limited(end) {
			continue
		}
		latest := s.pass(end, now)
		if end.Add(s.delay + s.offsets[latest]).After(state.Watermark) {
			consider(end, end.Add(s.delay).After(state.Watermark))
		}
	}
	if last := s.lastEnd(now.Add(-s.delay)); s.everyTick && len(p.windows) == 0 && now.After(state.Watermark) &&
		!last.Before(state.First) && !s.limited(last) {
		consider(last, false) // what came in since it was run
	}
	slices.SortFunc(p.windows, func(a, b due) int { return a.end.Compare(b.end) })

	if len(p.windows) > 0 || p.skipped != (Skipped{}) {
		p.state.Watermark = now
		p.state.Pending = nil
		for _, w := range p.windows {
			p.state.Pending = append(p.state.Pending, w.end)
		}
	}
	return p
}

// begin returns the state of a rule that never ran, such that its first window
// is the last one that is complete, or the first that the configuration wants.
func (s schedule) begin(now time.Time) ledger.State {
	first := s.lastEnd(now.Add(-s.delay))
	if !s.start.IsZero() {
		first = s.lastEnd(s.start).Add(s.frequency)
	}
	return ledger.State{First: first, Watermark: first.Add(s.delay - 1)} // just before its first pass
}

// pass returns the number of the latest pass of a window that is due at now.
func (s schedule) pass(end, now time.Time) int {
	latest := 0
	for i, o := range s.offsets {
		if !end.Add(s.delay + o).After(now) {
			latest = i
		}
	}
	return latest
}
