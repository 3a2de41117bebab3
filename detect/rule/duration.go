package rule

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	shortDuration = regexp.MustCompile(`^(\d+)([mhd])$`)
	isoDuration   = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)
	clockDuration = regexp.MustCompile(`^(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?$`)
	looseDuration = regexp.MustCompile(`(?i)^(\d+)\s*(m|mins?|minutes?|h|hrs?|hours?|d|days?)$`)
)

const (
	day  = 24 * time.Hour
	week = 7 * day

	// No rule looks back this far; the limit keeps sums of durations from
	// overflowing.
	longestDuration = 3650 * day
)

// readLoosely reads what people write in place of 5m, 2h or 1d: 5min, 2H, 1 day. It
// returns it as it is to be written too.
func readLoosely(s string) (d time.Duration, written string, err error) {
	m := looseDuration.FindStringSubmatch(s)
	if m == nil {
		return 0, "", errDurationForm
	}
	written = m[1] + strings.ToLower(m[2][:1])
	d, err = parseDuration(written)
	return d, written, err
}

var errDurationForm = errors.New("write a number and m, h or d, such as 30m, 1h or 14d, or ISO 8601, such as PT1H or P14D")

// parseDuration reads a duration as published rules write it: 30m, 1h, 14d,
// ISO 8601 without months and years, or a .NET time span such as 1.00:00:00.
// The error says what would be right and not what was given.
func parseDuration(s string) (time.Duration, error) {
	var numbers []string
	var units []time.Duration
	if m := shortDuration.FindStringSubmatch(s); m != nil {
		unit := map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": day}[m[2]]
		numbers, units = m[1:2], []time.Duration{unit}
	} else if m := isoDuration.FindStringSubmatch(strings.ToUpper(s)); m != nil && strings.Join(m[1:], "") != "" && !strings.HasSuffix(strings.ToUpper(s), "T") {
		numbers, units = m[1:], []time.Duration{week, day, time.Hour, time.Minute, time.Second}
	} else if m := clockDuration.FindStringSubmatch(s); m != nil {
		numbers, units = m[1:], []time.Duration{day, time.Hour, time.Minute, time.Second}
	} else {
		return 0, errDurationForm
	}

	var total time.Duration
	for i, number := range numbers {
		if number == "" {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > int64(longestDuration/units[i]) {
			return 0, errors.New("that is more than ten years")
		}
		total += time.Duration(n) * units[i]
	}
	switch {
	case total > longestDuration:
		return 0, errors.New("that is more than ten years")
	case total == 0:
		return 0, errors.New("it must be longer than zero")
	}
	return total, nil
}

// formatDuration writes a duration as rules do: 14d, 1h, 90m.
func formatDuration(d time.Duration) string {
	switch {
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}

// durationPattern is that of the durations that parseDuration reads, as JSON schema can
// say it.
const durationPattern = `^\s*(\d+\s*([mhdMHD]|[Mm]in(s|ute|utes)?|[Hh](r|rs|our|ours)|[Dd]ays?)|[Pp](\d+[Ww])?(\d+[Dd])?([Tt](\d+[Hh])?(\d+[Mm])?(\d+[Ss])?)?|(\d+\.)?\d{1,2}:\d{2}(:\d{2})?)\s*$`
