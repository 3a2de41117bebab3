package kql

import (
	"math"
	"strings"
	"time"
)

// datetimeFunctions work on points in time and on timespans.
func datetimeFunctions() []*scalarFunction {
	part := func(sig, doc string, f func(t time.Time) int64) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, strict: true, rows: func(a []Value) Value {
			return convert(longValue(f(ticksToTime(a[0].n))), Int)
		}}
	}
	start := func(sig, doc string, f func(t time.Time, offset int) time.Time) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, strict: true, rows: func(a []Value) Value {
			offset := 0
			if len(a) > 1 {
				offset = int(min(max(a[1].n, -1<<20), 1<<20))
			}
			return datetimeValue(timeToTicks(f(ticksToTime(a[0].n), offset)))
		}}
	}
	end := func(sig, doc string, f func(t time.Time, offset int) time.Time) *scalarFunction {
		s := start(sig, doc, f)
		rows := s.rows
		s.rows = func(a []Value) Value {
			v := rows(a)
			if v.IsNull() {
				return v
			}
			return datetimeValue(v.n - 1)
		}
		return s
	}
	day := func(t time.Time, n int) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day()+n, 0, 0, 0, 0, time.UTC)
	}
	week := func(t time.Time, n int) time.Time { return day(t, 7*n-int(t.Weekday())) }
	month := func(t time.Time, n int) time.Time {
		return time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	}
	year := func(t time.Time, n int) time.Time { return time.Date(t.Year()+n, 1, 1, 0, 0, 0, 0, time.UTC) }
	next := func(f func(time.Time, int) time.Time) func(time.Time, int) time.Time {
		return func(t time.Time, n int) time.Time { return f(t, n+1) }
	}
	startOfDay := start("startofday(date:datetime, offset:long?) datetime", "The first moment of the day.", day)
	startOfDay.naming = nameOfFirst // the others have none in the reference's own grammar
	return []*scalarFunction{
		startOfDay,
		start("startofweek(date:datetime, offset:long?) datetime", "The first moment of the week, which starts on Sunday.", week),
		start("startofmonth(date:datetime, offset:long?) datetime", "The first moment of the month.", month),
		start("startofyear(date:datetime, offset:long?) datetime", "The first moment of the year.", year),
		end("endofday(date:datetime, offset:long?) datetime", "The last moment of the day.", next(day)),
		end("endofweek(date:datetime, offset:long?) datetime", "The last moment of the week, which ends on Saturday.", next(week)),
		end("endofmonth(date:datetime, offset:long?) datetime", "The last moment of the month.", next(month)),
		end("endofyear(date:datetime, offset:long?) datetime", "The last moment of the year.", next(year)),
		part("getyear(date:datetime) int", "The year.", func(t time.Time) int64 { return int64(t.Year()) }),
		part("getmonth(date:datetime) int", "The month, 1 to 12.", func(t time.Time) int64 { return int64(t.Month()) }),
		part("monthofyear(date:datetime) int", "The month, 1 to 12.", func(t time.Time) int64 { return int64(t.Month()) }),
		part("dayofmonth(date:datetime) int", "The day of the month, 1 to 31.", func(t time.Time) int64 { return int64(t.Day()) }),
		part("dayofyear(date:datetime) int", "The day of the year, 1 to 366.", func(t time.Time) int64 { return int64(t.YearDay()) }),
		part("hourofday(date:datetime) int", "The hour of the day, 0 to 23.", func(t time.Time) int64 { return int64(t.Hour()) }),
		{sig: "dayofweek(date:datetime) timespan", doc: "The days since the Sunday before, as a timespan.", strict: true,
			rows: func(a []Value) Value { return timespanValue(int64(ticksToTime(a[0].n).Weekday()) * ticksPerDay) }},
		{sig: "datetime_diff(part:part, left:datetime, right:datetime) long", doc: "The calendar parts (year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, nanosecond) from the second datetime to the first.", strict: true, rows: datetimeDiff},
		{sig: "datetime_add(part:part, amount:integer, date:datetime) datetime", doc: "The datetime moved by a number of calendar parts.", strict: true, rows: datetimeAdd},
		{sig: "bin(value:summable, size:summable) first", doc: "The value rounded down to a multiple of the size.", naming: nameOfFirst, bind: bindBin},
		{sig: "floor(value:summable, size:summable) first", doc: "The same as bin().", naming: nameOfFirst, bind: bindBin},
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
		return longValue((l - r) * 100)
	}
	return Value{}
}

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

// bindBin has a type for each pair: numbers by numbers, datetimes and
// timespans by timespans.
func bindBin(b *binder, n *call, args []expr) expr {
	value, size := args[0].typ(), args[1].typ()
	t := value
	switch {
	case value.isNumber() && size.isNumber():
		t = widest(value, size)
	case (value == DateTime || value == TimeSpan) && size == TimeSpan:
	default:
		failSemantic(n.span, "SEM0220", "%s() rounds a %s, and not by a %s%s", n.fn.text, value, size, conversionHint(value))
	}
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
		if a[0].IsNull() || a[1].IsNull() {
			return Value{}
		}
		return convert(rounded(a[0], a[1]), t)
	}})
}

func rounded(v, size Value) Value {
	switch {
	case v.kind == Decimal || size.kind == Decimal:
		q := number(v, size, nil, nil, decimalFloor)
		return q
	case v.kind == Real || size.kind == Real:
		by := realOf(size)
		if by <= 0 {
			return Value{}
		}
		return realValue(math.Floor(realOf(v)/by) * by)
	}
	if size.n <= 0 {
		return Value{}
	}
	down := v.n - v.n%size.n
	if v.n < 0 && v.n%size.n != 0 {
		down -= size.n
	}
	return Value{kind: v.kind, n: down}
}
