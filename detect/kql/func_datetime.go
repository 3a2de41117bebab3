package kql

import (
	_ "embed" // the names of the zones
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the zones of datetime_utc_to_local, wherever this runs

	"github.com/cockroachdb/apd/v3"
)

// datetimeFunctions work on points in time and on timespans.
func datetimeFunctions() []*scalarFunction {
	part := func(f func(t time.Time) int) func([]Value) Value {
		return func(a []Value) Value { return intValue(int64(f(ticksToTime(a[0].n)))) }
	}
	start := func(f func(t time.Time, offset int) time.Time) func([]Value) Value {
		return func(a []Value) Value {
			return ticksFrom(f(ticksToTime(a[0].n), startOffset(a)), 0)
		}
	}
	end := func(f func(t time.Time, offset int) time.Time) func([]Value) Value {
		return func(a []Value) Value {
			return ticksFrom(f(ticksToTime(a[0].n), startOffset(a)+1), -1)
		}
	}
	day := func(t time.Time, n int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+n, 0, 0, 0, 0, time.UTC)
	}
	week := func(t time.Time, n int) time.Time { return day(t, 7*n-int(t.Weekday())) }
	month := func(t time.Time, n int) time.Time {
		return time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	}
	year := func(t time.Time, n int) time.Time { return time.Date(t.Year()+n, 1, 1, 0, 0, 0, 0, time.UTC) }
	monthOf := part(func(t time.Time) int { return int(t.Month()) })
	return []*scalarFunction{
		// The grammar names startofday's column after its argument, and no other's.
		{sig: "startofday(date:datetime, offset:long?) datetime", doc: "The first moment of the day.", strict: true, rows: startOfDay, naming: nameOfFirst,
			examples: examples{"startofday(datetime(2017-01-01 10:10:17), -1)", "2016-12-31T00:00:00.0000000Z"}},
		{sig: "startofweek(date:datetime, offset:long?) datetime", doc: "The first moment of the week, which starts on Sunday.", strict: true, rows: start(week),
			examples: examples{"startofweek(datetime(2026-03-17 09:58))", "2026-03-15T00:00:00.0000000Z"}},
		{sig: "startofmonth(date:datetime, offset:long?) datetime", doc: "The first moment of the month.", strict: true, rows: start(month),
			examples: examples{"startofmonth(datetime(2026-03-17), 1)", "2026-04-01T00:00:00.0000000Z"}},
		{sig: "startofyear(date:datetime, offset:long?) datetime", doc: "The first moment of the year.", strict: true, rows: start(year),
			examples: examples{"startofyear(datetime(2026-03-17))", "2026-01-01T00:00:00.0000000Z"}},
		{sig: "endofday(date:datetime, offset:long?) datetime", doc: "The last moment of the day.", strict: true, rows: end(day),
			examples: examples{"endofday(datetime(2026-03-17 09:58))", "2026-03-17T23:59:59.9999999Z"}},
		{sig: "endofweek(date:datetime, offset:long?) datetime", doc: "The last moment of the week, which ends on Saturday.", strict: true, rows: end(week),
			examples: examples{"endofweek(datetime(2026-03-17))", "2026-03-21T23:59:59.9999999Z"}},
		{sig: "endofmonth(date:datetime, offset:long?) datetime", doc: "The last moment of the month.", strict: true, rows: end(month),
			examples: examples{"endofmonth(datetime(2024-02-17))", "2024-02-29T23:59:59.9999999Z"}},
		{sig: "endofyear(date:datetime, offset:long?) datetime", doc: "The last moment of the year.", strict: true, rows: end(year),
			examples: examples{"endofyear(datetime(2026-03-17), -1)", "2025-12-31T23:59:59.9999999Z"}},
		{sig: "getyear(date:datetime) int", doc: "The year.", strict: true, rows: part(time.Time.Year),
			examples: examples{"getyear(datetime(2026-03-17))", "2026"}},
		{sig: "getmonth(date:datetime) int", doc: "The month, 1 to 12.", strict: true, rows: monthOf,
			examples: examples{"getmonth(datetime(2026-03-17))", "3"}},
		{sig: "monthofyear(date:datetime) int", doc: "The same as getmonth().", strict: true, rows: monthOf,
			examples: examples{"monthofyear(datetime(2026-03-17))", "3"}},
		{sig: "week_of_year(date:datetime) int", doc: "The week of the year, as ISO 8601 has it.", strict: true, rows: part(isoWeek),
			examples: examples{"week_of_year(datetime(2020-12-31))", "53", "week_of_year(datetime(2000-01-01))", "52"}},
		{sig: "dayofmonth(date:datetime) int", doc: "The day of the month, 1 to 31.", strict: true, rows: part(time.Time.Day),
			examples: examples{"dayofmonth(datetime(2015-12-14))", "14"}},
		{sig: "dayofyear(date:datetime) int", doc: "The day of the year, 1 to 366.", strict: true, rows: part(time.Time.YearDay),
			examples: examples{"dayofyear(datetime(2015-12-14))", "348"}},
		{sig: "dayofweek(date:datetime) timespan", doc: "The days since the Sunday before, as a timespan.", strict: true,
			examples: examples{"dayofweek(datetime(2026-03-17))", "2.00:00:00"},
			rows:     func(a []Value) Value { return timespanValue(int64(ticksToTime(a[0].n).Weekday()) * ticksPerDay) }},
		{sig: "hourofday(date:datetime) int", doc: "The hour of the day, 0 to 23.", strict: true, rows: part(time.Time.Hour),
			examples: examples{"hourofday(datetime(2015-12-14 18:54))", "18"}},
		{sig: "weekofyear(date:datetime) int", doc: "The same as week_of_year().", strict: true, rows: part(isoWeek),
			examples: examples{"weekofyear(datetime(2020-12-31))", "53"}},
		{sig: "datetime_list_timezones() dynamic", doc: "The names of the time zones, as an array.", rows: func([]Value) Value { return timezoneNames() },
			examples: examples{"array_index_of(datetime_list_timezones(), 'Europe/Zurich') > 0", "true"}},
		{sig: "datetime_part(part:datepart, date:datetime) int", doc: "A part of the datetime: year, quarter, month, week_of_year, day, dayOfYear, hour, minute, second, millisecond, microsecond or nanosecond.", strict: true, rows: datetimePart,
			examples: examples{"datetime_part('quarter', datetime(2017-10-30 01:02:03.7654321))", "4", "datetime_part('microsecond', datetime(2017-10-30 01:02:03.7654321))", "765432"}},
		{sig: "datepart(part:datepart, date:datetime) int", doc: "The same as datetime_part().", strict: true, rows: datetimePart,
			examples: examples{"datepart('dayOfYear', datetime(2017-10-30))", "303"}},
		{sig: "datetime_add(part:part, amount:integer, date:datetime) datetime", doc: "The datetime moved by a number of years, quarters, months, weeks, days, hours, minutes, seconds, milliseconds, microseconds or nanoseconds.", strict: true, rows: datetimeAdd,
			examples: examples{"datetime_add('month', 1, datetime(2026-01-31))", "2026-02-28T00:00:00.0000000Z"}},
		{sig: "datetime_diff(part:part, left:datetime, right:datetime) long", doc: "How many times the part, such as the day, turns over from the second datetime to the first.", strict: true, rows: datetimeDiff,
			examples: examples{"datetime_diff('day', datetime(2026-03-17), datetime(2026-03-16 23:59))", "1", "datetime_diff('year', datetime(2025-01-01), datetime(2026-12-31))", "-1"}},
		{sig: "make_datetime(year:scalar, month:number?, day:number?, hour:number?, minute:number?, second:number?) datetime", doc: "The datetime of its parts, or of a single value as todatetime() has it; null if there is none.", bind: bindMakeDatetime,
			examples: examples{"make_datetime(2017, 10, 1, 12, 11, 0.1234567)", "2017-10-01T12:11:00.1234567Z", "make_datetime(2026, 2, 30)", "null", "make_datetime('2026-03-17')", "2026-03-17T00:00:00.0000000Z"}},
		{sig: "make_timespan(days_or_hours:scalar, hours_or_minutes:number?, minutes_or_seconds:number?, seconds:number?) timespan", doc: "The timespan of hours and minutes, of hours, minutes and seconds, or of days, hours, minutes and seconds; null if there is none.", bind: bindMakeTimespan,
			examples: examples{"make_timespan(1, 12, 30, 55)", "1.12:30:55", "make_timespan(12, 30)", "12:30:00", "make_timespan(24, 0)", "null"}},
		{sig: "unixtime_seconds_todatetime(number:number) datetime", doc: "The datetime of seconds since 1970.", rows: fromUnix(ticksPerSecond),
			examples: examples{"unixtime_seconds_todatetime(1546300800)", "2019-01-01T00:00:00.0000000Z", "unixtime_seconds_todatetime(1e15)", "null"}},
		{sig: "unixtime_milliseconds_todatetime(number:number) datetime", doc: "The datetime of milliseconds since 1970.", rows: fromUnix(ticksPerSecond / 1000),
			examples: examples{"unixtime_milliseconds_todatetime(1546300800000)", "2019-01-01T00:00:00.0000000Z"}},
		{sig: "unixtime_microseconds_todatetime(number:number) datetime", doc: "The datetime of microseconds since 1970.", rows: fromUnix(10),
			examples: examples{"unixtime_microseconds_todatetime(1546300800000000)", "2019-01-01T00:00:00.0000000Z"}},
		{sig: "unixtime_nanoseconds_todatetime(number:number) datetime", doc: "The datetime of nanoseconds since 1970.", rows: fromUnix(0),
			examples: examples{"unixtime_nanoseconds_todatetime(1546300800000000000)", "2019-01-01T00:00:00.0000000Z"}},
		{sig: "datetime_utc_to_local(from:datetime, timezone:string) datetime", doc: "The datetime on the clocks of a time zone such as Europe/Paris; null if there is no such zone.",
			examples: examples{"datetime_utc_to_local(datetime(2020-02-02 19:02:20), 'Europe/Paris')", "2020-02-02T20:02:20.0000000Z", "datetime_utc_to_local(datetime(2020-02-02), 'x')", "null"},
			rows: inZone(func(ticks int64, zone *time.Location) int64 {
				_, offset := ticksToTime(ticks).In(zone).Zone()
				return ticks + int64(offset)*ticksPerSecond
			})},
		{sig: "datetime_local_to_utc(from:datetime, timezone:string) datetime", doc: "The datetime at which the clocks of a time zone show the given one; null if there is no such zone.",
			examples: examples{"datetime_local_to_utc(datetime(2020-02-02 20:02:20), 'US/Pacific')", "2020-02-03T04:02:20.0000000Z"},
			rows: inZone(func(ticks int64, zone *time.Location) int64 {
				t := ticksToTime(ticks)
				return timeToTicks(time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone))
			})},
	}
}

func startOfDay(a []Value) Value {
	n := a[0].n
	return datetimeValue(n - n%ticksPerDay + int64(startOffset(a))*ticksPerDay)
}

// startOffset is the second argument of startofday() and its kin. No date is as
// many days from another as it can be at most.
func startOffset(a []Value) int {
	const most = 1 << 22
	return int(min(max(optional(a, 1, 0), -most), most))
}

// ticksFrom is a time and some ticks. Outside the years 1 to 9999 it is null,
// and the last of these ends where the next begins.
func ticksFrom(t time.Time, more int64) Value {
	if t.Year() < 0 || t.Year() > 10_000 {
		return Value{} // too far away to count ticks
	}
	return datetimeValue(timeToTicks(t) + more)
}

func isoWeek(t time.Time) int {
	_, week := t.ISOWeek()
	return week
}

// readableParts are what datetime_part reads.
var readableParts = []string{"year", "quarter", "month", "week_of_year", "weekofyear", "day", "dayofyear", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"}

func datetimePart(a []Value) Value {
	t := ticksToTime(a[1].n)
	n := 0
	switch strings.ToLower(a[0].s) {
	case "year":
		n = t.Year()
	case "quarter":
		n = (int(t.Month()) + 2) / 3
	case "month":
		n = int(t.Month())
	case "week_of_year", "weekofyear":
		n = isoWeek(t)
	case "day":
		n = t.Day()
	case "dayofyear":
		n = t.YearDay()
	case "hour":
		n = t.Hour()
	case "minute":
		n = t.Minute()
	case "second":
		n = t.Second()
	case "millisecond":
		n = t.Nanosecond() / 1_000_000
	case "microsecond":
		n = t.Nanosecond() / 1000
	case "nanosecond":
		n = t.Nanosecond()
	}
	return intValue(int64(n))
}

// whole gives the arguments as integers, each within its limits; ok is false
// where one is not.
func whole(a []Value, limits ...[2]int64) (n []int64, ok bool) {
	for i, limit := range limits {
		v := convert(a[i], Long)
		if v.IsNull() || v.n < limit[0] || v.n > limit[1] {
			return nil, false
		}
		n = append(n, v.n)
	}
	return n, true
}

// secondTicks are the ticks of seconds, which may have a fraction.
func secondTicks(v Value) (int64, bool) {
	seconds := convert(v, Real)
	if seconds.IsNull() || !(seconds.real() >= 0 && seconds.real() < 60) {
		return 0, false
	}
	return min(int64(math.Round(seconds.real()*float64(ticksPerSecond))), ticksPerMinute-1), true
}

func bindMakeDatetime(_ *binder, n *call, args []expr) expr {
	if len(args) == 1 {
		return converted(args[0], DateTime)
	}
	checkParts(n, args, 3)
	return fold(&applyExpr{t: DateTime, args: args, rows: func(a []Value) Value {
		a = append(slices.Clone(a), slices.Repeat([]Value{longValue(0)}, 6-len(a))...)
		p, ok := whole(a, [2]int64{1, 9999}, [2]int64{1, 12}, [2]int64{1, 31}, [2]int64{0, 23}, [2]int64{0, 59})
		seconds, ok2 := secondTicks(a[5])
		if !ok || !ok2 || p[2] > int64(daysIn(int(p[0]), int(p[1]))) {
			return Value{}
		}
		return datetimeValue(int64(daysBefore(int(p[0]), int(p[1]), int(p[2])))*ticksPerDay + p[3]*ticksPerHour + p[4]*ticksPerMinute + seconds)
	}})
}

func bindMakeTimespan(_ *binder, n *call, args []expr) expr {
	if len(args) == 1 {
		return converted(args[0], TimeSpan)
	}
	checkParts(n, args, 2)
	return fold(&applyExpr{t: TimeSpan, args: args, rows: func(a []Value) Value {
		if len(a) < 4 {
			a = append([]Value{longValue(0)}, a...)
		}
		if len(a) < 4 {
			a = append(a, longValue(0))
		}
		p, ok := whole(a, [2]int64{0, 10_675_198}, [2]int64{0, 23}, [2]int64{0, 59})
		seconds, ok2 := secondTicks(a[3])
		if !ok || !ok2 {
			return Value{}
		}
		return timespanValue(p[0]*ticksPerDay + p[1]*ticksPerHour + p[2]*ticksPerMinute + seconds)
	}})
}

func checkParts(n *call, args []expr, least int) {
	if len(args) < least {
		panic(semanticError(n.span, "SEM0219", "%s() takes 1 argument or at least %d and got %d", n.fn.text, least, len(args)))
	}
	if t := args[0].typ(); !t.isNumber() {
		panic(semanticError(n.args[0].pos(), "SEM0220", "the first of several arguments of %s() must be a number, and this is a %s", n.fn.text, t))
	}
}

// fromUnix has the ticks of a unit. 0 stands for the nanosecond, of which a
// tick has a hundred.
func fromUnix(unit int64) func([]Value) Value {
	return func(a []Value) Value {
		v := a[0]
		switch {
		case v.IsNull():
			return v
		case (v.kind == Int || v.kind == Long) && unit == 0:
			return datetimeValue(unixEpochTicks + floorDivided(v.n, 100))
		case v.kind == Int || v.kind == Long:
			if v.n > maxTicks/unit || v.n < -maxTicks/unit {
				return Value{}
			}
			return datetimeValue(unixEpochTicks + v.n*unit)
		}
		scale := apd.New(unit, 0)
		if unit == 0 {
			scale = apd.New(1, -2)
		}
		ticks := new(apd.Decimal)
		d := convert(v, Decimal)
		if d.IsNull() {
			return Value{}
		}
		if _, err := decimalContext.Mul(ticks, d.decimal(), scale); err != nil {
			return Value{}
		}
		if n := convert(decimalValue(ticks), Long); !n.IsNull() && n.n >= -maxTicks && n.n <= maxTicks {
			return datetimeValue(unixEpochTicks + n.n)
		}
		return Value{}
	}
}

func floorDivided(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// zoneCache keeps the time zones that have been asked for, nil for what is none.
// The names come out of logs, so their number is bounded.
type zoneCache struct {
	byName sync.Map
	size   atomic.Int64
}

const (
	mostZones       = 1024 // the database of zones has some 600
	longestZoneName = 64   // the longest there has half of that
)

var zones zoneCache

// named gives the time zone of a name, nil if there is none.
func (c *zoneCache) named(name string) *time.Location {
	if name == "" || name == "Local" || len(name) > longestZoneName { // the first two are Go's own
		return nil
	}
	if z, ok := c.byName.Load(name); ok {
		return z.(*time.Location)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		z = nil
	}
	if c.size.Add(1) > mostZones {
		c.byName.Clear()
		c.size.Store(1)
	}
	c.byName.Store(strings.Clone(name), z) // not all of the text that it is cut from
	return z
}

func inZone(move func(ticks int64, zone *time.Location) int64) func([]Value) Value {
	return func(a []Value) Value {
		zone := zones.named(a[1].s)
		if zone == nil || a[0].IsNull() {
			return Value{}
		}
		return datetimeValue(move(a[0].n, zone))
	}
}

// dateParts are what datetime_add and datetime_diff count in.
var dateParts = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond"}

func datetimeDiff(a []Value) Value {
	l, r := a[1].n, a[2].n
	lt, rt := ticksToTime(l), ticksToTime(r)
	months := func(t time.Time) int64 { return int64(t.Year())*12 + int64(t.Month()) - 1 }
	boundaries := func(unit int64) Value { return longValue(l/unit - r/unit) }
	switch strings.ToLower(a[0].s) {
	case "year":
		return longValue(int64(lt.Year() - rt.Year()))
	case "quarter":
		return longValue(months(lt)/3 - months(rt)/3)
	case "month":
		return longValue(months(lt) - months(rt))
	case "week": // tick 0 was a Monday; weeks start on Sunday
		return longValue((l/ticksPerDay+1)/7 - (r/ticksPerDay+1)/7)
	case "day":
		return boundaries(ticksPerDay)
	case "hour":
		return boundaries(ticksPerHour)
	case "minute":
		return boundaries(ticksPerMinute)
	case "second":
		return boundaries(ticksPerSecond)
	case "millisecond":
		return boundaries(ticksPerSecond / 1000)
	case "microsecond":
		return boundaries(10)
	case "nanosecond":
		return checked(Long, multiplyWhole)(l-r, 100)
	}
	return Value{}
}

// datetimeAdd moves a datetime by a number of parts. A month or a year later is the same
// day, or the last of the month.
func datetimeAdd(a []Value) Value {
	n, t := a[1].n, ticksToTime(a[2].n)
	calendar := func(months int64) Value {
		if months > 12*10_000 || months < -12*10_000 {
			return Value{}
		}
		first := time.Date(t.Year(), t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
		if first.Year() < 1 || first.Year() > 9999 {
			return Value{}
		}
		dayOf := min(t.Day(), daysIn(first.Year(), int(first.Month()))) // January 31 plus a month is February's last
		return datetimeValue(timeToTicks(first) + int64(dayOf-1)*ticksPerDay + a[2].n%ticksPerDay)
	}
	ticks := func(unit int64) Value {
		if n > math.MaxInt64/unit || n < math.MinInt64/unit {
			return Value{}
		}
		return plus(a[2], timespanValue(n*unit))
	}
	switch strings.ToLower(a[0].s) {
	case "year":
		return calendar(min(max(n, -10_001), 10_001) * 12)
	case "quarter":
		return calendar(min(max(n, -40_001), 40_001) * 3)
	case "month":
		return calendar(n)
	case "week":
		return ticks(7 * ticksPerDay)
	case "day":
		return ticks(ticksPerDay)
	case "hour":
		return ticks(ticksPerHour)
	case "minute":
		return ticks(ticksPerMinute)
	case "second":
		return ticks(ticksPerSecond)
	case "millisecond":
		return ticks(ticksPerSecond / 1000)
	case "microsecond":
		return ticks(10)
	case "nanosecond":
		return plus(a[2], timespanValue(n/100))
	}
	return Value{}
}

// timezones are the names of the zones of the IANA database.
//
//go:embed timezones.txt
var timezones string

func timezoneNames() Value {
	var names []Value
	for name := range strings.FieldsSeq(timezones) {
		names = append(names, stringValue(name))
	}
	return arrayValue(names)
}
