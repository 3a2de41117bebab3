package logs

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pushback/detect/kql"
)

// DateOrder says what comes first in a date such as 04/03/2026.
type DateOrder uint8

// The orders of dates. The zero value leaves it to the file.
const (
	DayFirst DateOrder = iota + 1
	MonthFirst
)

// ParseDateOrder reads an order as the command line has it: dmy or mdy.
func ParseDateOrder(text string) (DateOrder, bool) {
	switch text {
	case "dmy":
		return DayFirst, true
	case "mdy":
		return MonthFirst, true
	}
	return 0, false
}

func (o DateOrder) String() string {
	switch o {
	case DayFirst:
		return "dmy"
	case MonthFirst:
		return "mdy"
	}
	return ""
}

// words says it in a message.
func (o DateOrder) words() string {
	if o == DayFirst {
		return "day-first"
	}
	return "month-first"
}

// written is a point in time as a person's regional format writes it.
type written struct {
	first, second int // the day and the month, in the order of the text
	year          int
	given         DateOrder // the order, where the way of writing tells it
	clock         time.Duration
	offset        time.Duration
	hasClock      bool
	valid         bool // the time of day and the zone are those of a clock
}

// proof is what a date says about the order of its column.
type proof uint8

const (
	provesNothing proof = iota
	provesDay
	provesMonth
	needsOrder // it is one date day-first and another month-first
)

func (w *written) proof() proof {
	isMonth := func(n int) bool { return n >= 1 && n <= 12 }
	isDayOnly := func(n int) bool { return n > 12 && n <= 31 }
	switch {
	case w.given != 0 || w.first == w.second:
		return provesNothing
	case isDayOnly(w.first) && isMonth(w.second):
		return provesDay
	case isMonth(w.first) && isDayOnly(w.second):
		return provesMonth
	case isMonth(w.first) && isMonth(w.second):
		return needsOrder
	}
	return provesNothing
}

// at gives the point in time, and reports false if there is no such one.
func (w *written) at(order DateOrder) (time.Time, bool) {
	if w.given != 0 {
		order = w.given
	}
	day, month := w.first, w.second
	if order == MonthFirst {
		day, month = month, day
	}
	t := time.Date(w.year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if !w.valid || w.year < 1 || month < 1 || month > 12 || t.Day() != day || t.Month() != time.Month(month) {
		return time.Time{}, false // time.Date makes 3 March of 31 February
	}
	return t.Add(w.clock - w.offset), true
}

// dotNetDate reads a time as Windows PowerShell's ConvertTo-Json writes it:
// /Date(1710000000000)/, in milliseconds since 1970. The offset that may follow
// them says only how to show it.
func dotNetDate(text string) (time.Time, bool) {
	inner, ok := strings.CutPrefix(text, "/Date(")
	if !ok {
		return time.Time{}, false
	}
	if inner, ok = strings.CutSuffix(inner, ")/"); !ok {
		return time.Time{}, false
	}
	if at := strings.LastIndexAny(inner, "+-"); at > 0 {
		inner = inner[:at]
	}
	ms, err := strconv.ParseInt(inner, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	t := time.UnixMilli(ms).UTC()
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// dateObject matches a time as ConvertTo-Json of Windows PowerShell 5.1 writes it that
// came from Get-Date and its like: an object of the time and of what shows of it.
var dateObject = regexp.MustCompile(`\{\s*"value"\s*:\s*("\\?/Date\(-?\d+(?:[+-]\d{4})?\)\\?/")` +
	`\s*(?:,\s*"(?:DisplayHint|DateTime)"\s*:\s*(?:\d+|null|"(?:[^"\\]|\\.)*")\s*)+\}`)

// plainDates puts the times in the place of such objects in a value in JSON.
func plainDates(v jsontext.Value) jsontext.Value {
	if !bytes.Contains(v, []byte(`/Date(`)) {
		return v
	}
	return dateObject.ReplaceAll(v, []byte("$1"))
}

// epoch reads a number as a time: pandas writes milliseconds since 1970, or units
// still smaller, and the number of digits tells which. One of fewer digits may be
// anything.
func epoch(digits []byte) (time.Time, bool) {
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}, false
	}
	var t time.Time
	switch len(digits) {
	case 12, 13:
		t = time.UnixMilli(n)
	case 15, 16:
		t = time.UnixMicro(n)
	case 18, 19:
		t = time.Unix(0, n)
	default:
		return time.Time{}, false
	}
	return t.UTC(), plausibleTime(t)
}

// isISO says whether a text begins as a date in ISO 8601 does.
func isISO(text []byte) bool {
	return len(text) >= len("2006-01-02") && text[4] == '-' && text[7] == '-'
}

// scanTime takes a time apart that is written in a regional format: 17/03/2026
// 20:26:12.030, 17.3.2026, 09:28:06,123, Mar 17, 2026 9:28:06 AM, 2026/3/17 and
// their like. It reports false if the text does not begin with such a date. A
// date with dots is day-first wherever it is used.
func scanTime(text string) (w written, ok bool) {
	s := timeScanner(plainSpaces(text))
	if word := s.letters(); word != "" {
		if weekday(word) {
			s.take(".")
			s.take(",")
			s.spaces()
			word = s.letters()
		}
		if word != "" {
			return s.monthName(word)
		}
	}
	n, digits := s.number(4)
	switch {
	case digits == 4:
		sep := s.any("/.-")
		month, m := s.number(2)
		if sep == "" || m == 0 || !s.take(sep) {
			return w, false
		}
		day, d := s.number(2)
		if d == 0 {
			return w, false
		}
		w = written{first: month, second: day, year: n, given: MonthFirst}
	case digits == 1 || digits == 2:
		w.first = n
		sep := s.any("/.-")
		var m, y int
		if w.second, m = s.number(2); sep != "" && m > 0 {
			if sep == "." {
				w.given = DayFirst
			}
			if !s.take(sep) {
				return w, false
			}
		} else {
			if s.spaces(); sep == "/" || !s.month(&w.second) {
				return w, false
			}
			w.given = DayFirst
			s.take(".")
			s.take(",")
			s.take("-")
			s.spaces()
		}
		if w.year, y = s.number(4); y != 4 {
			return w, false
		}
	default:
		return w, false
	}
	if s.digit() {
		return w, false
	}
	w.valid = s.clock(&w)
	return w, true
}

// timeScanner is what is left of a text that is being taken apart.
type timeScanner string

func (s *timeScanner) digit() bool { return *s != "" && (*s)[0] >= '0' && (*s)[0] <= '9' }

// number takes up to so many digits.
func (s *timeScanner) number(most int) (n, digits int) {
	for digits < most && s.digit() {
		n = n*10 + int((*s)[0]-'0')
		*s = (*s)[1:]
		digits++
	}
	return n, digits
}

func (s *timeScanner) letters() string {
	n := 0
	for n < len(*s) && ((*s)[n]|0x20 >= 'a' && (*s)[n]|0x20 <= 'z') {
		n++
	}
	word := string((*s)[:n])
	*s = (*s)[n:]
	return word
}

// take takes a text if it comes next.
func (s *timeScanner) take(text string) bool {
	rest, ok := strings.CutPrefix(string(*s), text)
	*s = timeScanner(rest)
	return ok
}

// any takes one of several bytes.
func (s *timeScanner) any(of string) string {
	if *s == "" || strings.IndexByte(of, (*s)[0]) < 0 {
		return ""
	}
	c := string((*s)[:1])
	*s = (*s)[1:]
	return c
}

// spaces takes white space and reports whether there was any.
func (s *timeScanner) spaces() bool {
	before := len(*s)
	*s = timeScanner(strings.TrimLeft(string(*s), " \t"))
	return len(*s) < before
}

func (s *timeScanner) month(number *int) bool {
	*number = monthNamed(s.letters())
	return *number > 0
}

// monthName takes apart a date that begins with the month: Mar 17, 2026.
func (s *timeScanner) monthName(word string) (w written, ok bool) {
	w.given = MonthFirst
	if w.first = monthNamed(word); w.first == 0 {
		return w, false
	}
	s.take(".")
	s.spaces()
	var d, y int
	if w.second, d = s.number(2); d == 0 {
		return w, false
	}
	s.take(",")
	if !s.spaces() {
		return w, false
	}
	if w.year, y = s.number(4); y != 4 || s.digit() {
		return w, false
	}
	w.valid = s.clock(&w)
	return w, true
}

// clock takes the rest: nothing, or a time of day, and reports whether it is
// one. A fraction counts to 100 ns, as everywhere.
func (s *timeScanner) clock(w *written) bool {
	if *s == "" {
		return true
	}
	apart := s.take("T") || s.take("t") || s.take(",")
	apart = s.spaces() || apart
	if s.take("at ") || s.take("um ") {
		s.spaces()
	}
	w.hasClock = true
	hour, h := s.number(2)
	sep := s.any(":.")
	minute, m := s.number(2)
	if !apart || h == 0 || sep == "" || m == 0 {
		return false
	}
	var second int
	var fraction time.Duration
	if s.take(sep) {
		var d int
		if second, d = s.number(2); d == 0 {
			return false
		}
		if s.any(".,") != "" {
			unit := time.Second
			if !s.digit() {
				return false
			}
			for s.digit() {
				n, _ := s.number(1)
				if unit /= 10; unit >= 100 {
					fraction += time.Duration(n) * unit
				}
			}
		}
	} else if sep == "." {
		return false // it may be any number
	}
	s.spaces()
	if half := s.any("aApP"); half != "" {
		s.take(".")
		s.spaces()
		if s.any("mM") == "" || hour < 1 || hour > 12 {
			return false
		}
		s.take(".")
		if hour %= 12; half == "p" || half == "P" {
			hour += 12
		}
		s.spaces()
	}
	if hour > 23 || minute > 59 || second > 59 {
		return false
	}
	w.clock = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + fraction
	return s.zone(&w.offset)
}

// zone takes the rest, which is nothing, UTC by one of its names, or an offset.
func (s *timeScanner) zone(offset *time.Duration) bool {
	switch rest := strings.TrimSpace(string(*s)); {
	case rest == "", strings.EqualFold(rest, "Z"), strings.EqualFold(rest, "UTC"), strings.EqualFold(rest, "GMT"), strings.EqualFold(rest, "(UTC)"):
		return true
	default:
		for _, layout := range []string{"-07:00", "-0700", "-07"} {
			if t, err := time.Parse(layout, rest); err == nil {
				_, seconds := t.Zone()
				*offset = time.Duration(seconds) * time.Second
				return true
			}
		}
		return false
	}
}

// spacesOfLocales are what browsers put between the parts of a time beside the
// space: before AM and PM, and around dates to keep their direction.
var spacesOfLocales = strings.NewReplacer("\u202f", " ", "\u00a0", " ", "\u2009", " ", "\u200e", "", "\u200f", "")

func plainSpaces(text string) string {
	for i := range len(text) {
		if text[i] >= 0x80 {
			text = spacesOfLocales.Replace(text)
			break
		}
	}
	return strings.TrimSpace(text)
}

// monthNamed gives the number of an English month, or 0.
func monthNamed(word string) int {
	if strings.EqualFold(word, "Sept") {
		return int(time.September)
	}
	for m := time.January; m <= time.December; m++ {
		if name := m.String(); strings.EqualFold(word, name) || strings.EqualFold(word, name[:3]) {
			return int(m)
		}
	}
	return 0
}

func weekday(word string) bool {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := d.String(); strings.EqualFold(word, name) || strings.EqualFold(word, name[:3]) {
			return true
		}
	}
	return false
}

// otherTime reads the forms of todatetime() that no regional format has, such
// as those of RFC 822. It leaves alone what begins as a date does, for which
// todatetime() has an order of its own.
func otherTime(text string) (time.Time, bool) {
	s := timeScanner(plainSpaces(text))
	if _, digits := s.number(4); digits > 0 && s.any("/.-") != "" && s.digit() {
		return time.Time{}, false
	}
	return kql.ParseTime(text)
}
