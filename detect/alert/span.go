package alert

import (
	"slices"
	"time"
)

// Resolution is the smallest difference between two times that Log Analytics
// can express. Nothing can happen between a time and the time one Resolution
// later.
const Resolution = 100 * time.Nanosecond

// Span is a stretch of time, both ends included. A single moment is a Span
// whose ends are the same.
type Span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// Between returns the span from one time to the other, whichever comes first,
// in UTC.
func Between(a, b time.Time) Span {
	a, b = a.UTC(), b.UTC()
	if b.Before(a) {
		a, b = b, a
	}
	return Span{Start: a, End: b}
}

// Known reports whether a time is one that something can have happened at. The
// zero time stands for one that nobody knows, and is never shown.
func Known(t time.Time) bool { return t.UTC().Year() >= 1970 && t.UTC().Year() < 9999 }

// Known reports whether both ends are known.
func (s Span) Known() bool { return Known(s.Start) && Known(s.End) }

// Contains reports whether all of other lies inside s.
func (s Span) Contains(other Span) bool {
	return !other.Start.Before(s.Start) && !other.End.After(s.End)
}

// Touches reports whether no moment lies between s and other: they overlap,
// share an end, or one starts a single [Resolution] after the other ends.
func (s Span) Touches(other Span) bool {
	return !other.Start.After(s.End.Add(Resolution)) && !s.Start.After(other.End.Add(Resolution))
}

// Hull returns the smallest span that contains both.
func (s Span) Hull(other Span) Span {
	if other.Start.Before(s.Start) {
		s.Start = other.Start
	}
	if other.End.After(s.End) {
		s.End = other.End
	}
	return s
}

// Equal reports whether both spans have the same ends, in whatever time zone.
func (s Span) Equal(other Span) bool {
	return s.Start.Equal(other.Start) && s.End.Equal(other.End)
}

// Compare orders spans by their start, then by their end.
func (s Span) Compare(other Span) int {
	if c := s.Start.Compare(other.Start); c != 0 {
		return c
	}
	return s.End.Compare(other.End)
}

// Merge returns the spans in order, with those that touch made one. No two of
// the result touch, and a span is inside one of the result exactly if it is
// covered by the given ones without a gap. The argument is left as it was.
func Merge(spans []Span) []Span {
	var merged []Span
	for _, s := range slices.SortedFunc(slices.Values(spans), Span.Compare) {
		if last := len(merged) - 1; last >= 0 && merged[last].Touches(s) {
			merged[last] = merged[last].Hull(s)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// Covered reports whether s lies inside a single one of the merged spans.
func (s Span) Covered(merged []Span) bool {
	return slices.ContainsFunc(merged, func(m Span) bool { return m.Contains(s) })
}
