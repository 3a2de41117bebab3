package silence

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the zones, wherever this runs

	"pushback/detect/alert"
)

// Hours are hours of the week, on the clock of a place: Tue 08:00-12:00
// Europe/Berlin. An hour that the clock skips does not come, and one that it shows
// twice counts both times.
type Hours struct {
	text  string
	zone  *time.Location
	spans []weekly // in order, without an overlap
}

// weekly is a part of the week in minutes since it began, Monday at midnight: the
// end is not part of it.
type weekly struct{ start, end int }

const (
	dayMinutes  = 24 * 60
	weekMinutes = 7 * dayMinutes
)

var dayNames = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// ParseHours reads hours of the week: days, the two ends of a time and a time zone,
// with a space between them. Days are names with commas between them, or two with a
// hyphen, or daily. A time whose end is not after its start goes on into the next
// day. Without a zone it is UTC.
func ParseHours(text string) (Hours, error) {
	fail := func(format string, args ...any) (Hours, error) {
		return Hours{}, fmt.Errorf("%.80q are no hours of the week: %s: write them like Tue 08:00-12:00 Europe/Berlin", text, fmt.Sprintf(format, args...))
	}
	fields := strings.Fields(text)
	if len(fields) < 2 || len(fields) > 3 {
		return fail("expected days, a time and a time zone")
	}
	days, err := parseDays(fields[0])
	if err != nil {
		return fail("%v", err)
	}
	from, to, ok := strings.Cut(fields[1], "-")
	start, startOK := parseClock(from)
	end, endOK := parseClock(to)
	if !ok || !startOK || !endOK || start == dayMinutes {
		return fail("%.40q is no time like 08:00-12:00", fields[1])
	}
	if end <= start {
		end += dayMinutes
	}
	h := Hours{text: strings.Join(fields, " "), zone: time.UTC}
	if len(fields) == 3 {
		if h.zone, err = loadZone(fields[2]); err != nil {
			return fail("%v", err)
		}
	}
	for _, day := range days {
		a, b := day*dayMinutes+start, day*dayMinutes+end
		h.spans = append(h.spans, weekly{a, min(b, weekMinutes)})
		if b > weekMinutes {
			h.spans = append(h.spans, weekly{0, b - weekMinutes})
		}
	}
	h.spans = merged(h.spans)
	return h, nil
}

// merged returns parts of the week in order, with those that touch made one.
func merged(parts []weekly) []weekly {
	parts = slices.Clone(parts)
	slices.SortStableFunc(parts, func(a, b weekly) int { return a.start - b.start })
	var out []weekly
	for _, p := range parts {
		if n := len(out); n > 0 && out[n-1].end >= p.start {
			out[n-1].end = max(out[n-1].end, p.end)
			continue
		}
		out = append(out, p)
	}
	return out
}

// loadZone returns a time zone by its name. That of the machine is none: another
// machine has another.
func loadZone(name string) (*time.Location, error) {
	if len(name) > 64 || strings.EqualFold(name, "local") {
		return nil, fmt.Errorf("%.40q is no time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("%.40q is no time zone that is known", name)
	}
	return zone, nil
}

func parseDays(text string) (days []int, err error) {
	if strings.EqualFold(text, "daily") {
		return []int{0, 1, 2, 3, 4, 5, 6}, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(item, "-")
		if !isRange {
			to = from
		}
		first, ok := dayOf(from)
		last, ok2 := dayOf(to)
		if !ok || !ok2 {
			return nil, fmt.Errorf("%.40q is no day: use Mon, Tue, Wed, Thu, Fri, Sat, Sun, two of them with a hyphen, or daily", item)
		}
		for d := first; ; d = (d + 1) % 7 {
			if !slices.Contains(days, d) {
				days = append(days, d)
			}
			if d == last {
				break
			}
		}
	}
	return days, nil
}

// dayOf reads a day's name: its first three letters, or all.
func dayOf(name string) (int, bool) {
	name = strings.ToLower(name)
	for i, short := range dayNames {
		if name == short || name == strings.ToLower(time.Weekday((i+1)%7).String()) {
			return i, true
		}
	}
	return 0, false
}

// parseClock reads a time of the day in minutes, 24:00 at most.
func parseClock(text string) (int, bool) {
	h, m, ok := strings.Cut(text, ":")
	if !ok || len(h) < 1 || len(h) > 2 || len(m) != 2 {
		return 0, false
	}
	hour, err := strconv.ParseUint(h, 10, 8)
	minute, err2 := strconv.ParseUint(m, 10, 8)
	total := int(hour)*60 + int(minute)
	return total, err == nil && err2 == nil && minute < 60 && total <= dayMinutes
}

func (h Hours) String() string { return h.text }

// MarshalJSON writes the hours as they were read.
func (h Hours) MarshalJSON() ([]byte, error) { return json.Marshal(h.text) }

// UnmarshalJSON reads what MarshalJSON writes.
func (h *Hours) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	read, err := ParseHours(text)
	*h = read
	return err
}

// within reports whether all of a span lies in the hours, of which one may go on
// where another ends.
func within(list []Hours, span alert.Span) bool {
	for at, steps := span.Start, 0; steps < mostSteps; steps++ {
		furthest := at
		for _, h := range list {
			if end := h.until(at); end.After(furthest) {
				furthest = end
			}
		}
		switch {
		case !furthest.After(at):
			return false
		case furthest.After(span.End):
			return true
		}
		at = furthest
	}
	return false // as it is longer than anything that is silenced
}

// Holds reports whether a moment lies in the hours.
func (h Hours) Holds(at time.Time) bool { return h.until(at).After(at) }

// Week returns the minutes of the week in which the hours are, on the clock of their
// zone: parts in order, each without its end, of which Monday at midnight is the first.
func (h Hours) Week() (parts [][2]int, zone *time.Location) {
	for _, s := range h.spans {
		parts = append(parts, [2]int{s.start, s.end})
	}
	return parts, h.zone
}

// WeekMinutes is how many minutes a week has.
const WeekMinutes = weekMinutes

// mostSteps bounds the parts of which a span is made.
const mostSteps = 1000

// until returns the first moment from which on the hours do not hold, if they hold at
// a moment, or at least a later one in them; else that moment.
func (h Hours) until(at time.Time) time.Time {
	local := at.In(h.zone)
	midnight := (int(local.Weekday()) + 6) % 7 * dayMinutes
	clock := time.Duration(midnight+local.Hour()*60+local.Minute())*time.Minute + time.Duration(local.Second())*time.Second + time.Duration(local.Nanosecond())
	for _, s := range h.spans {
		start, end := time.Duration(s.start)*time.Minute, time.Duration(s.end)*time.Minute
		if clock < start || clock >= end {
			continue
		}
		until := at.Add(end - clock)
		// From where the clock is changed on it shows something else.
		if _, change := local.ZoneBounds(); !change.IsZero() && change.Before(until) {
			until = change
		}
		return until
	}
	return at
}
