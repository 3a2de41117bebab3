package schedule

import (
	"slices"
	"time"
)

// A rule with looks runs a window again only where a look found a record of it that
// came in late, in the place of late passes at every frequency. A look that says
// nothing has those passes run all the same.

// leastLate is how long at least a window is tried again after no look may find
// anything of it any more.
const leastLate = 24 * time.Hour

// WithLooks returns the schedule for a rule with looks: a window runs again for
// what comes in until within after it was due, and until the lateness at least.
// Zero is no looks.
func (s Schedule) WithLooks(within time.Duration) Schedule {
	if s.within = 0; within > 0 {
		looks := (s.lateness() + s.frequency - 1) / s.frequency // until the lateness is over
		s.within = max(within, looks*s.frequency)
		if s.frequency > s.lateness() {
			s.within = max(within, s.lateness())
		}
	}
	return s
}

// Looks reports whether looks say which windows run again.
func (s Schedule) Looks() bool { return s.within > 0 }

// Within is how long after a window was due what comes in is looked for.
func (s Schedule) Within() time.Duration { return s.within }

// Period returns how much a window covers.
func (s Schedule) Period() time.Duration { return s.period }

// passes are the offsets of the passes that run whether or not there is anything
// late.
func (s Schedule) passes() []time.Duration {
	if s.Looks() {
		return s.offsets[:1]
	}
	return s.offsets
}

// lateness is when the last pass of a window is due without looks, counted from the
// first.
func (s Schedule) lateness() time.Duration { return s.offsets[len(s.offsets)-1] }

// looks returns when looks are due, counted from the end of each window: with the
// first pass of the next one and, if the frequency is longer than the lateness,
// when that is over.
func (s Schedule) looks() []time.Duration {
	if s.frequency > s.lateness() {
		return []time.Duration{s.delay, s.delay + s.lateness()}
	}
	return []time.Duration{s.delay}
}

// LastLook returns when the last look at or before a time is due.
func (s Schedule) LastLook(t time.Time) (last time.Time) {
	for _, offset := range s.looks() {
		last = later(last, s.lastEnd(t.Add(-offset)).Add(offset))
	}
	return last
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// LookDue reports whether a look is due.
func (s Schedule) LookDue(state State, now time.Time) bool {
	if !s.Looks() || state.Watermark.IsZero() {
		return false
	}
	looked := state.Looked
	if looked.IsZero() {
		looked = state.Watermark
	}
	return s.LastLook(now).After(looked)
}

// NextLook returns when the first look at or after a time is due, or the zero time
// if none is that could find anything.
func (s Schedule) NextLook(at time.Time) time.Time {
	if !s.Looks() {
		return time.Time{}
	}
	if !s.start.IsZero() {
		at = later(at, s.lastEnd(s.start).Add(s.frequency+s.delay))
	}
	var next time.Time
	for _, offset := range s.looks() {
		due := s.lastEnd(at.Add(-offset + s.frequency - 1)).Add(offset)
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	if !s.end.IsZero() && next.After(s.lastEnd(s.end.Add(s.frequency-1)).Add(s.delay+s.within)) {
		return time.Time{}
	}
	return next
}

// LateBy returns how long after its last window was due an event came in, or was
// looked for then. It is what the lateness must be for it to be found.
func (s Schedule) LateBy(at, received time.Time) time.Duration {
	end := s.lastEnd(at.Add(s.period))
	if !s.end.IsZero() {
		end = earlier(end, s.lastEnd(s.end.Add(s.frequency-1)))
	}
	if s.Looks() {
		unlimited := s
		unlimited.start, unlimited.end = time.Time{}, time.Time{}
		received = unlimited.NextLook(received)
	}
	return received.Sub(end.Add(s.delay))
}

// Finished returns the ends of the first and the last of the windows that had their
// first pass and that a look at now may find late records of. It reports false if
// there is none.
func (s Schedule) Finished(state State, now time.Time) (first, last time.Time, any bool) {
	first, last = now.Add(-s.delay-s.within), s.lastEnd(state.Watermark.Add(-s.delay))
	first = later(first, state.First)
	if !s.start.IsZero() {
		first = later(first, s.start.Add(1))
	}
	first = s.lastEnd(first.Add(s.frequency - 1))
	if !s.end.IsZero() {
		last = earlier(last, s.lastEnd(s.end.Add(s.frequency-1)))
	}
	return first, last, !last.Before(first)
}

// Covering lists the ends of the windows, of those from first to last, that have
// something of a stretch of time of some width that begins at one of starts.
func (s Schedule) Covering(starts []time.Time, width time.Duration, first, last time.Time) (list []time.Time) {
	starts = slices.SortedFunc(slices.Values(starts), time.Time.Compare)
	for end := first; !end.After(last); end = end.Add(s.frequency) {
		for len(starts) > 0 && !starts[0].Add(width).After(end.Add(-s.period)) {
			starts = starts[1:] // over for all later windows, too
		}
		if len(starts) > 0 && starts[0].Before(end) {
			list = append(list, end)
		}
	}
	return list
}

// LatePasses lists the windows that had their first pass and of which a late pass
// is due since it was looked for late records.
func (s Schedule) LatePasses(state State, now time.Time) (list []time.Time) {
	looked := state.Looked
	if looked.IsZero() {
		looked = state.Watermark
	}
	for end := s.lastEnd(looked.Add(-s.delay - s.lateness())); !end.Add(s.delay).After(state.Watermark); end = end.Add(s.frequency) {
		latest := s.pass(end, now)
		if !end.Before(state.First) && !s.limited(end) && latest > 0 && end.Add(s.delay+s.offsets[latest]).After(looked) {
			list = append(list, end)
		}
	}
	return list
}

// AddLate adds windows to a plan that have late records: the oldest that are
// not due anyhow are due now.
func (s Schedule) AddLate(p Plan, late []time.Time, now time.Time) Plan {
	p.State.Late = append(slices.Clone(p.State.Late), late...)
	slices.SortStableFunc(p.State.Late, time.Time.Compare)
	p.State.Late = slices.CompactFunc(p.State.Late, time.Time.Equal)
	p.Windows = slices.DeleteFunc(slices.Clone(p.Windows), func(w Due) bool { return w.Late })
	s.planLate(&p, now)
	return p
}

// AddPasses adds windows to a plan of which a late pass is due.
func (s Schedule) AddPasses(p Plan, late []time.Time, now time.Time) Plan {
	p.Windows = slices.DeleteFunc(slices.Clone(p.Windows), func(w Due) bool { return w.Late })
	p.State.Pending = slices.Clone(p.State.Pending)
	for _, end := range late {
		if !slices.ContainsFunc(p.Windows, func(w Due) bool { return w.End.Equal(end) }) {
			p.Windows = append(p.Windows, Due{End: end, Pass: s.pass(end, now)})
			p.State.Pending = append(p.State.Pending, end)
		}
	}
	slices.SortStableFunc(p.State.Pending, time.Time.Compare)
	s.planLate(&p, now)
	return p
}

// planLate has the oldest of the late windows due.
func (s Schedule) planLate(p *Plan, now time.Time) {
	if s.catchUp > 0 {
		oldest := now.Add(-s.delay - s.within - max(s.catchUp, leastLate))
		p.State.Late = slices.DeleteFunc(slices.Clone(p.State.Late), func(end time.Time) bool {
			old := end.Before(oldest)
			if old {
				p.Skipped.add(s.Window(end), false)
			}
			return old
		})
	}
	due := map[int64]bool{}
	for _, w := range p.Windows {
		due[w.End.UnixNano()] = true
	}
	late := 0
	for _, end := range p.State.Late {
		if late == s.mostLate && late > 0 {
			break
		}
		if !due[end.UnixNano()] {
			p.Windows = append(p.Windows, Due{End: end, Pass: max(1, s.pass(end, now)), Late: true})
			late++
		}
	}
	slices.SortStableFunc(p.Windows, compareDue)
}

// Stretch is all of a rule's windows whose ends are from First to Last.
type Stretch struct{ First, Last time.Time }

// Stretches writes ends of windows, oldest first, in fewer words.
func (s Schedule) Stretches(ends []time.Time) (list []Stretch) {
	for _, end := range ends {
		if n := len(list); n > 0 && !end.After(list[n-1].Last.Add(s.frequency)) {
			list[n-1].Last = end
			continue
		}
		list = append(list, Stretch{end, end})
	}
	// Very many are brought together: some windows more run again.
	for len(list) > mostStretches {
		var fewer []Stretch
		for pair := range slices.Chunk(list, 2) {
			fewer = append(fewer, Stretch{pair[0].First, pair[len(pair)-1].Last})
		}
		list = fewer
	}
	return list
}

const mostStretches = 250

// Ends reads what Stretches writes. After a change of the frequency they are of
// the windows that cover as much.
func (s Schedule) Ends(list []Stretch) (ends []time.Time) {
	for _, stretch := range list {
		end := s.lastEnd(stretch.First.Add(s.frequency - 1))
		if n := len(ends); n > 0 && !end.After(ends[n-1]) {
			end = ends[n-1].Add(s.frequency)
		}
		for ; end.Before(stretch.Last.Add(s.frequency)); end = end.Add(s.frequency) {
			ends = append(ends, end)
		}
	}
	return ends
}
