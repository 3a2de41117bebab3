package settings

import (
	"fmt"
	"math/bits"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Schedule is when the Functions host ticks, in UTC.
type Schedule struct {
	text   string
	fields [6]uint64 // the values of each field, a bit for each
}

// String returns the expression.
func (s *Schedule) String() string { return s.text }

// schedule is an NCRONTAB expression. The host reads it with
// https://github.com/atifaziz/NCrontab. What that refuses is refused here, where
// somebody sees why: the host only leaves the function out.
type schedule struct {
	given
	// fields are the values of each field, a bit for each; nil if it is wrong or
	// not set.
	fields *[6]uint64
}

// The fields by their place.
const (
	cronSecond = iota
	cronMinute
	cronHour
	cronDay
	cronMonth
	cronWeekday
)

// ncrontabFields are the fields in their order.
var ncrontabFields = [6]struct {
	name        string
	least, most int
	// spell gives the name of a value, for those that have names.
	spell func(value int) string
}{
	{name: "second", most: 59},
	{name: "minute", most: 59},
	{name: "hour", most: 23},
	{name: "day", least: 1, most: 31},
	{name: "month", least: 1, most: 12, spell: func(v int) string { return time.Month(v).String() }},
	{name: "day of the week", most: 6, spell: func(v int) string { return time.Weekday(v).String() }},
}

func (n *schedule) read(text string, _ reflect.StructTag) string {
	expected := "an NCRONTAB expression of six fields, such as 0 */5 * * * *"
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' }) // as the host does
	if len(words) != len(ncrontabFields) {
		return expected
	}
	var fields [6]uint64
	wrong := false
	for i, word := range words {
		values, ok := cronValues(i, word)
		if !ok {
			f := ncrontabFields[i]
			expected += fmt.Sprintf("; the %s is %.20q and takes %d to %d", f.name, word, f.least, f.most)
			if f.spell != nil {
				expected += fmt.Sprintf(" or %.3s to %.3s", strings.ToUpper(f.spell(f.least)), strings.ToUpper(f.spell(f.most)))
			}
			wrong = true
		}
		fields[i] = values
	}
	if wrong {
		return expected + "; each takes *, too, lists such as 1,2, ranges such as 1-5 and steps such as */5"
	}
	// The longest that each month is, from January on.
	for month, days := range [12]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31} {
		if fields[cronMonth]&(1<<(month+1)) != 0 && fields[cronDay]&(1<<(days+1)-1) != 0 {
			n.fields = &fields
			return ""
		}
	}
	return expected + "; its months do not have its days, so that it never ticks"
}

// plain returns the schedule, or nil if it is wrong or not set.
func (n *schedule) plain() *Schedule {
	if n.fields == nil {
		return nil
	}
	return &Schedule{text: n.text(), fields: *n.fields}
}

// cronValues reads a field: the bits of its values.
func cronValues(field int, text string) (values uint64, ok bool) {
	f := ncrontabFields[field]
	for item := range strings.SplitSeq(text, ",") {
		item, every, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			n, err := strconv.ParseUint(every, 10, 31)
			if err != nil || n == 0 {
				return 0, false
			}
			step = int(min(n, 60)) // which is past the end of every field
		}
		first, last := f.least, f.most
		if item != "*" {
			from, to, ranged := strings.Cut(item, "-")
			if first, ok = cronValue(field, from); !ok {
				return 0, false
			}
			if ranged {
				if last, ok = cronValue(field, to); !ok {
					return 0, false
				}
			} else if !stepped {
				last = first
			}
		}
		// The host takes 22-4 for 4-22.
		for v := min(first, last); v <= max(first, last); v += step {
			values |= 1 << v
		}
	}
	return values, true
}

// cronValue reads a number or a name, of which its beginning is enough.
func cronValue(field int, text string) (value int, ok bool) {
	f := ncrontabFields[field]
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return int(n), f.least <= int(n) && int(n) <= f.most
	}
	if f.spell != nil && text != "" {
		for v := f.least; v <= f.most; v++ {
			if strings.HasPrefix(strings.ToLower(f.spell(v)), strings.ToLower(text)) {
				return v, true
			}
		}
	}
	return 0, false
}

// Pause is the longest time between two ticks of a day and the next, or a day if
// there are days without a tick.
func (s *Schedule) Pause() time.Duration {
	const day = 24 * time.Hour
	for _, i := range []int{cronDay, cronMonth, cronWeekday} {
		f := ncrontabFields[i]
		if s.fields[i] != 1<<(f.most+1)-1<<f.least {
			return day
		}
	}
	var longest, first, last time.Duration
	first = -1
	for at := time.Duration(0); at < day; at += time.Second {
		second, minute, hour := int(at/time.Second)%60, int(at/time.Minute)%60, int(at/time.Hour)
		if s.fields[cronSecond]&(1<<second) == 0 || s.fields[cronMinute]&(1<<minute) == 0 || s.fields[cronHour]&(1<<hour) == 0 {
			continue
		}
		if first < 0 {
			first = at
		} else {
			longest = max(longest, at-last)
		}
		last = at
	}
	return max(longest, day-last+first)
}

// SeveralAMinute reports whether two ticks can be less than a minute apart.
func (s *Schedule) SeveralAMinute() bool { return bits.OnesCount64(s.fields[cronSecond]) > 1 }
