package kql

import (
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are the forms that todatetime() takes beside ISO 8601, as the
// reference lists them.
var timeLayouts = []string{
	"Mon, 2 Jan 06 15:04:05 MST", "Mon, 2 Jan 06 15:04:05", "Mon, 2 Jan 06 15:04", "Mon, 2 Jan 06 15:04 MST",
	"2 Jan 06 15:04:05 MST", "2 Jan 06 15:04:05", "2 Jan 06 15:04", "2 Jan 06 15:04 MST",
	time.RFC1123, time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "2 Jan 2006",
	"Monday, 02-Jan-06 15:04:05 MST", "Monday, 02-Jan-06 15:04:05", "Monday, 02-Jan-06 15:04 MST", "Monday, 02-Jan-06 15:04",
	"02-Jan-06 15:04:05 MST", "02-Jan-06 15:04:05", "02-Jan-06 15:04 MST", "02-Jan-06 15:04",
	"1/2/2006", "1/2/2006 15:04", "1/2/2006 15:04:05", "1/2/2006 3:04 PM", "1/2/2006 3:04:05 PM",
	"1-2-2006", "1-2-2006 15:04", "1-2-2006 15:04:05", "20060102", "2006, 1, 2",
}

// ParseTime reads a point in time in any of the forms that todatetime()
// accepts. These are ISO 8601, with or without time, fraction and offset, and
// the forms of RFC 822 and RFC 850. Without an offset it is UTC.
func ParseTime(text string) (time.Time, bool) {
	ticks, ok := parseDateTime(text)
	if !ok {
		return time.Time{}, false
	}
	return ticksToTime(ticks), true
}

func parseDateTime(text string) (int64, bool) {
	text = strings.TrimSpace(text)
	if ticks, ok := parseISO(text); ok {
		return ticks, true
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			ticks := timeToTicks(t)
			return ticks, ticks >= 0 && ticks <= maxTicks
		}
	}
	return parseLooseTime(text)
}

// looseTime is year, month and day, and perhaps a time, without zeros in front
// or with spaces between. The service's own format has both: see
// https://learn.microsoft.com/kusto/query/scalar-data-types/datetime, whose
// examples write datetime(2014-1-8 15:05:25).
var looseTime = regexp.MustCompile(`^(\d{4})\s*([-/.])\s*(\d{1,2})\s*([-/.])\s*(\d{1,2})` +
	`(?:(?:\s*T\s*|\s+)(\d{1,2})\s*:\s*(\d{1,2})(?:\s*:\s*(\d{1,2})(\.\d+)?)?(?:\s*(AM|PM|am|pm))?)?` +
	`\s*(Z|z|UTC|GMT|[-+]\d{2}:?\d{2})?$`)

func parseLooseTime(text string) (int64, bool) {
	if text == "" || !isDigit(text[0]) {
		return 0, false
	}
	m := looseTime.FindStringSubmatch(text)
	if m == nil || m[2] != m[4] {
		return 0, false
	}
	two := func(s string) string { return "00"[min(len(s), 2):] + s }
	iso := m[1] + "-" + two(m[3]) + "-" + two(m[5])
	if m[6] != "" {
		hour, _ := strconv.Atoi(m[6])
		if half := strings.ToUpper(m[10]); half != "" {
			if hour < 1 || hour > 12 {
				return 0, false
			}
			hour %= 12
			if half == "PM" {
				hour += 12
			}
		}
		iso += "T" + two(strconv.Itoa(hour)) + ":" + two(m[7]) + ":" + two(m[8]) + m[9] + m[11]
	}
	return parseISO(iso)
}

// parseISO reads YYYY-MM-DD[(T| )hh:mm[:ss[.fffffff]][Z|±hh[:mm]]]. It is
// written out because every record of a log has several of them.
func parseISO(s string) (int64, bool) {
	digits := func(from, n int) (int, bool) {
		if from+n > len(s) {
			return 0, false
		}
		x := 0
		for i := from; i < from+n; i++ {
			c := s[i] - '0'
			if c > 9 {
				return 0, false
			}
			x = x*10 + int(c)
		}
		return x, true
	}
	if len(s) == 7 && s[4] == '-' { // YYYY-MM
		s += "-01"
	}
	if len(s) == 4 { // YYYY
		s += "-01-01"
	}
	year, ok1 := digits(0, 4)
	month, ok2 := digits(5, 2)
	day, ok3 := digits(8, 2)
	if !ok1 || !ok2 || !ok3 || s[4] != '-' || s[7] != '-' || year < 1 || month < 1 || month > 12 ||
		day < 1 || day > 31 || day > 28 && day > daysIn(year, month) {
		return 0, false
	}
	ticks := int64(daysBefore(year, month, day)) * ticksPerDay
	at := 10
	if at < len(s) && (s[at] == 'T' || s[at] == 't' || s[at] == ' ') {
		hour, ok1 := digits(at+1, 2)
		minute, ok2 := digits(at+4, 2)
		if !ok1 || !ok2 || s[at+3] != ':' || hour > 23 || minute > 59 {
			return 0, false
		}
		ticks += int64(hour)*ticksPerHour + int64(minute)*ticksPerMinute
		at += 6
		if at < len(s) && s[at] == ':' {
			second, ok := digits(at+1, 2)
			if !ok || second > 59 {
				return 0, false
			}
			ticks += int64(second) * ticksPerSecond
			at += 3
			if at < len(s) && (s[at] == '.' || s[at] == ',') {
				at++
				first, unit := at, ticksPerSecond
				for at < len(s) && s[at]-'0' <= 9 {
					unit /= 10
					ticks += int64(s[at]-'0') * unit // digits past 100 ns count nothing
					at++
				}
				if at == first {
					return 0, false
				}
			}
		}
	}
	switch rest := strings.TrimSpace(s[at:]); {
	case rest == "" || rest == "Z" || rest == "z" || rest == "UTC" || rest == "GMT":
	case at > 10 && (rest[0] == '+' || rest[0] == '-'):
		offset, ok := parseOffset(rest[1:])
		if !ok {
			return 0, false
		}
		if rest[0] == '+' {
			offset = -offset
		}
		ticks += offset
	default:
		return 0, false
	}
	return ticks, ticks >= 0 && ticks <= maxTicks
}

// parseOffset reads hh, hhmm or hh:mm as ticks.
func parseOffset(s string) (int64, bool) {
	s = strings.Replace(s, ":", "", 1)
	if len(s) != 2 && len(s) != 4 {
		return 0, false
	}
	for len(s) < 4 {
		s += "0"
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n/100 > 14 || n%100 > 59 {
		return 0, false
	}
	return int64(n/100)*ticksPerHour + int64(n%100)*ticksPerMinute, true
}

var daysBeforeMonth = [13]int{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365}

func isLeap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	if month == 2 && isLeap(year) {
		return 29
	}
	return daysBeforeMonth[month] - daysBeforeMonth[month-1]
}

// daysBefore counts the days from 0001-01-01 to the date.
func daysBefore(year, month, day int) int {
	y := year - 1
	d := y*365 + y/4 - y/100 + y/400 + daysBeforeMonth[month-1] + day - 1
	if month > 2 && isLeap(year) {
		d++
	}
	return d
}

// formatDateTime writes ISO 8601 with all seven decimals, as the service does.
func formatDateTime(ticks int64) string {
	if ticks < 0 || ticks > maxTicks {
		return ticksToTime(ticks).Format("2006-01-02T15:04:05.0000000Z")
	}
	year, month, day := ticksToTime(ticks).Date()
	text := [...]byte{len("0000-00-00T00:00:00.0000000"): 'Z'}
	end := len(text) - 1
	digits := func(n int64, size int, before byte) {
		for range size {
			end--
			text[end] = byte('0' + n%10)
			n /= 10
		}
		if before != 0 {
			end--
			text[end] = before
		}
	}
	digits(ticks%ticksPerSecond, 7, '.')
	digits(ticks/ticksPerSecond%60, 2, ':')
	digits(ticks/ticksPerMinute%60, 2, ':')
	digits(ticks/ticksPerHour%24, 2, 'T')
	digits(int64(day), 2, '-')
	digits(int64(month), 2, '-')
	digits(int64(year), 4, 0)
	return string(text[:])
}

// formatTimeSpan writes [-][d.]hh:mm:ss[.fffffff], as the service does.
func formatTimeSpan(ticks int64) string {
	var buf [32]byte
	out := buf[:0]
	u := uint64(ticks)
	if ticks < 0 {
		out = append(out, '-')
		u = -u
	}
	two := func(n uint64) { out = append(out, byte('0'+n/10), byte('0'+n%10)) }
	if days := u / uint64(ticksPerDay); days > 0 {
		out = strconv.AppendUint(out, days, 10)
		out = append(out, '.')
	}
	two(u / uint64(ticksPerHour) % 24)
	out = append(out, ':')
	two(u / uint64(ticksPerMinute) % 60)
	out = append(out, ':')
	two(u / uint64(ticksPerSecond) % 60)
	if f := u % uint64(ticksPerSecond); f > 0 {
		out = append(out, '.')
		for unit := uint64(ticksPerSecond) / 10; unit > 0; unit /= 10 {
			out = append(out, byte('0'+f/unit%10))
		}
	}
	return string(out)
}

// timespanUnits are the suffixes of timespan literals, in ticks.
var timespanUnits = map[string]int64{
	"d": ticksPerDay, "day": ticksPerDay, "days": ticksPerDay,
	"h": ticksPerHour, "hr": ticksPerHour, "hrs": ticksPerHour, "hour": ticksPerHour, "hours": ticksPerHour,
	"m": ticksPerMinute, "min": ticksPerMinute, "minute": ticksPerMinute, "minutes": ticksPerMinute,
	"s": ticksPerSecond, "sec": ticksPerSecond, "second": ticksPerSecond, "seconds": ticksPerSecond,
	"ms": 10_000, "milli": 10_000, "millis": 10_000, "millisecond": 10_000, "milliseconds": 10_000,
	"micro": 10, "micros": 10, "microsecond": 10, "microseconds": 10,
	"tick": 1, "ticks": 1,
}

// parseTimeSpan reads what totimespan() takes: 1.5h and its like,
// [-][d.]hh:mm[:ss[.fffffff]], or a bare number of days.
func parseTimeSpan(text string) (int64, bool) {
	s := strings.TrimSpace(text)
	sign := int64(1)
	if strings.HasPrefix(s, "-") {
		sign, s = -1, s[1:]
	}
	if strings.ContainsRune(s, ':') {
		ticks, ok := parseClock(s)
		n, fits := signedWhole(sign < 0, ticks)
		return n, ok && fits
	}
	end := 0
	for end < len(s) && (s[end] == '.' || s[end]-'0' <= 9) {
		end++
	}
	unit := ticksPerDay
	if suffix := strings.TrimSpace(s[end:]); suffix != "" {
		var known bool
		if unit, known = timespanUnits[strings.ToLower(suffix)]; !known {
			return 0, false
		}
	}
	if n, err := strconv.ParseUint(s[:end], 10, 64); err == nil {
		high, low := bits.Mul64(n, uint64(unit))
		n, fits := signedWhole(sign < 0, low)
		return n, fits && high == 0
	}
	f, err := strconv.ParseFloat(s[:end], 64)
	if err != nil || f*float64(unit) >= 1<<63 {
		return 0, false
	}
	return sign * int64(f*float64(unit)+0.5), true
}

// parseClock reads [d(.|:)]hh:mm[:ss[.fffffff]] as ticks.
func parseClock(s string) (uint64, bool) {
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 4 {
		return 0, false
	}
	if d, h, ok := strings.Cut(parts[0], "."); ok {
		parts = append([]string{d, h}, parts[1:]...)
	} else if len(parts) < 4 {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) == 3 {
		parts = append(parts, "0")
	}
	if len(parts) != 4 {
		return 0, false
	}
	days, err1 := strconv.ParseUint(parts[0], 10, 32)
	hours, err2 := strconv.ParseUint(parts[1], 10, 8)
	minutes, err3 := strconv.ParseUint(parts[2], 10, 8)
	whole, fraction, _ := strings.Cut(parts[3], ".")
	seconds, err4 := strconv.ParseUint(whole, 10, 8)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil || days > 10_675_199 ||
		hours > 23 || minutes > 59 || seconds > 59 || len(fraction) > 7 {
		return 0, false
	}
	ticks := days*uint64(ticksPerDay) + hours*uint64(ticksPerHour) + minutes*uint64(ticksPerMinute) + seconds*uint64(ticksPerSecond)
	if fraction != "" {
		f, err := strconv.ParseUint(fraction+"0000000"[len(fraction):], 10, 32)
		if err != nil {
			return 0, false
		}
		ticks += f
	}
	return ticks, true
}
