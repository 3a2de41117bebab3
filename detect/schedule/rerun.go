package schedule

import (
	"slices"
	"time"
)

// mostRerun is how many windows a tick runs once more because somebody wants that.
// The others wait, and what is new comes first.
const mostRerun = 50

// planRerun has the oldest of the windows due that are to be run once more.
func (s Schedule) planRerun(p *Plan, now time.Time) {
	if s.remembers > 0 {
		first := now.Add(-s.remembers)
		p.State.Rerun = slices.DeleteFunc(slices.Clone(p.State.Rerun), func(end time.Time) bool {
			forgotten := s.Window(end).Start.Before(first)
			if forgotten {
				p.Forgotten++
			}
			return forgotten
		})
	}
	due := map[int64]bool{}
	for _, w := range p.Windows {
		due[w.End.UnixNano()] = true
	}
	n := 0
	for _, end := range p.State.Rerun {
		if n == mostRerun && s.mostLate > 0 {
			break
		}
		if !due[end.UnixNano()] && !end.After(now) {
			p.Windows = append(p.Windows, Due{End: end, Pass: s.pass(end, now), Rerun: true})
			n++
		}
	}
	slices.SortStableFunc(p.Windows, compareDue)
}

// compareDue orders the windows of a tick.
func compareDue(a, b Due) int {
	switch {
	case a.Rerun == b.Rerun:
		return a.End.Compare(b.End)
	case a.Rerun:
		return 1
	}
	return -1
}

// Past lists the ends of the windows that end after a time, whose newest part, one
// frequency long, begins before another, and that are over by now.
func (s Schedule) Past(from, to, now time.Time) (ends []time.Time) {
	last := s.lastEnd(now.Add(-s.delay))
	for end := s.lastEnd(from).Add(s.frequency); end.Add(-s.frequency).Before(to) && !end.After(last); end = end.Add(s.frequency) {
		ends = append(ends, end)
	}
	return ends
}

// AddRerun returns the stretches of windows to be run once more with others added,
// and how many of those were not among them.
func (s Schedule) AddRerun(marked []Stretch, ends []time.Time) (all []Stretch, added int) {
	before := s.Ends(marked)
	merged := slices.SortedFunc(slices.Values(append(slices.Clone(before), ends...)), time.Time.Compare)
	merged = slices.CompactFunc(merged, time.Time.Equal)
	return s.Stretches(merged), len(merged) - len(before)
}
