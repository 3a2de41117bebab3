package text

import (
	"fmt"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Stamp is Range and the zone that it is in, or nothing if the span is not known.
func Stamp(s alert.Span) string {
	if !s.Known() {
		return ""
	}
	return Range(s) + " UTC"
}

// Moment is Stamp of a single time.
func Moment(t time.Time) string { return Stamp(alert.Span{Start: t, End: t}) }

// Range writes a span of time in UTC, as short as it can be without loss of
// its date: 2026-03-17 09:58:03 – 10:02:11.
func Range(s alert.Span) string {
	if !s.Known() {
		return "an unknown time"
	}
	start, end := s.Start.UTC(), s.End.UTC()
	text := start.Format(time.DateOnly) + " " + Clock(start)
	switch {
	case start.Equal(end):
		return text
	case start.Format(time.DateOnly) == end.Format(time.DateOnly):
		return text + "–" + Clock(end)
	}
	return text + " – " + end.Format(time.DateOnly) + " " + Clock(end)
}

// Clock writes a time of day, without seconds that are zero.
func Clock(t time.Time) string {
	t = t.UTC()
	if t.Second() == 0 && t.Nanosecond() == 0 {
		return t.Format("15:04")
	}
	return t.Format(time.TimeOnly)
}

// Minute writes a time in UTC, to the minute.
func Minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// Length writes a length of time in days, hours and minutes, the largest two.
func Length(d time.Duration) string {
	d = max(d.Round(time.Minute), time.Minute)
	parts := []struct {
		n    time.Duration
		unit string
	}{{d / (24 * time.Hour), "d"}, {d / time.Hour % 24, "h"}, {d / time.Minute % 60, "min"}}
	var words []string
	for _, p := range parts {
		if p.n > 0 && len(words) < 2 {
			words = append(words, fmt.Sprintf("%d %s", p.n, p.unit))
		}
	}
	return strings.Join(words, " ")
}
