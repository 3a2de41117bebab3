package kql

import (
	"math"
	"strconv"
	"strings"
)

// formatFunctions write values in a form that the query chooses.
func formatFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "format_datetime(date:datetime, format:string) string", doc: "The datetime as a pattern of yyyy, M, d, H, h, m, s, f, F and tt has it.", naming: nameOfFirst, bind: bindFormat(datetimeFields),
			examples: examples{"format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [HH:mm:ss]')", "17-01-29 [09:00:05]", "format_datetime(datetime(2017-01-29 21:00:05.12), 'yyyy-M-dd h:mm tt fff')", "2017-1-29 9:00 PM 120"}},
		{sig: "format_timespan(timespan:timespan, format:string) string", doc: "The timespan as a pattern of d, H, m, s, f and F has it.", naming: nameOfFirst, bind: bindFormat(timespanFields),
			examples: examples{"format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss:FF')", "29.09:00:05:12", "format_timespan(time(29.09:00:05.12345), 'ddd.h:mm:ss [fffffff]')", "029.9:00:05 [1234500]"}},
		{sig: "format_bytes(size:number, digits:number?, unit:string?) string", doc: "A number of bytes in Bytes, KB, MB, GB, TB, PB or EB, the largest that fits unless one is given.", naming: nameOfFirst, rows: formatBytes,
			examples: examples{"format_bytes(564)", "564 Bytes", "format_bytes(10332, 1)", "10.1 KB", "format_bytes(20010332, 2)", "19.08 MB", "format_bytes(20010332, 0, 'KB')", "19541 KB"}},
	}
}

// formatField writes a part of a value for so many of its letters. It says
// whether a pattern may have so many.
type formatField func(ticks uint64, letters int) (text string, ok bool)

// padded is a number in at least as many digits as there are letters.
func padded(most int, of func(ticks uint64) uint64) formatField {
	return func(ticks uint64, letters int) (string, bool) {
		text := strconv.FormatUint(of(ticks), 10)
		for len(text) < letters && letters <= most {
			text = "0" + text
		}
		return text, letters <= most
	}
}

func fraction(ticks uint64, letters int) (string, bool) {
	if letters > 7 {
		return "", false
	}
	text := strconv.FormatUint(uint64(ticksPerSecond)+ticks%uint64(ticksPerSecond), 10)[1:]
	return text[:letters], true
}

// fractionIfAny is fraction without zeros at its end.
func fractionIfAny(ticks uint64, letters int) (string, bool) {
	text, ok := fraction(ticks, letters)
	return strings.TrimRight(text, "0"), ok
}

var (
	hourField   = padded(2, func(t uint64) uint64 { return t / uint64(ticksPerHour) % 24 })
	minuteField = padded(2, func(t uint64) uint64 { return t / uint64(ticksPerMinute) % 60 })
	secondField = padded(2, func(t uint64) uint64 { return t / uint64(ticksPerSecond) % 60 })

	datetimeFields = map[byte]formatField{
		'd': padded(2, func(t uint64) uint64 { return uint64(ticksToTime(int64(t)).Day()) }),
		'M': padded(2, func(t uint64) uint64 { return uint64(ticksToTime(int64(t)).Month()) }),
		'y': func(t uint64, letters int) (string, bool) {
			year := uint64(ticksToTime(int64(t)).Year())
			if letters < 3 {
				year %= 100
			}
			text, _ := padded(4, func(uint64) uint64 { return year })(t, letters)
			return text, letters <= 2 || letters == 4
		},
		'H': hourField, 'm': minuteField, 's': secondField, 'f': fraction, 'F': fractionIfAny,
		'h': padded(2, func(t uint64) uint64 { return (t/uint64(ticksPerHour)+11)%12 + 1 }),
		't': func(t uint64, letters int) (string, bool) {
			if t/uint64(ticksPerHour)%24 < 12 {
				return "AM", letters == 2
			}
			return "PM", letters == 2
		},
	}
	timespanFields = map[byte]formatField{
		'd': padded(8, func(t uint64) uint64 { return t / uint64(ticksPerDay) }),
		'H': hourField, 'h': hourField, 'm': minuteField, 's': secondField, 'f': fraction, 'F': fractionIfAny,
	}
)

// formatDelimiters may stand between the fields.
const formatDelimiters = " /-:,._[]"

// formatted writes the ticks as a pattern has it. at is where the pattern has
// what is neither a field nor a delimiter, else -1.
func formatted(ticks uint64, pattern string, fields map[byte]formatField) (text string, at int) {
	var sb strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if strings.IndexByte(formatDelimiters, c) >= 0 {
			sb.WriteByte(c)
			i++
			continue
		}
		end := i
		for end < len(pattern) && pattern[end] == c {
			end++
		}
		field := fields[c]
		if field == nil {
			return "", i
		}
		part, ok := field(ticks, end-i)
		if !ok {
			return "", i
		}
		sb.WriteString(part)
		i = end
	}
	return sb.String(), -1
}

// bindFormat checks a pattern that is a constant.
func bindFormat(fields map[byte]formatField) func(*binder, *call, []expr) expr {
	return func(_ *binder, n *call, args []expr) expr {
		if c, ok := args[1].(*constExpr); ok {
			if _, at := formatted(0, c.val.s, fields); at >= 0 {
				panic(semanticError(n.args[1].pos(), "SEM0220", "%s() does not know '%s' in its format", n.fn.text, c.val.s[at:]))
			}
		}
		return fold(&applyExpr{t: String, args: args, rows: func(a []Value) Value {
			if a[0].IsNull() {
				return stringValue("")
			}
			text, _ := formatted(magnitude(a[0].n), a[1].s, fields)
			return stringValue(text)
		}})
	}
}

var byteUnits = []string{"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"}

func formatBytes(a []Value) Value {
	size := convert(a[0], Real)
	if size.IsNull() {
		return stringValue("")
	}
	digits := 0
	if len(a) > 1 {
		if d := convert(a[1], Long); !d.IsNull() {
			digits = int(min(max(d.n, 0), 15))
		}
	}
	wanted := ""
	if len(a) > 2 {
		wanted = a[2].s
	}
	f := size.real()
	for i, unit := range byteUnits {
		if strings.EqualFold(unit, wanted) || wanted == "" && (math.Abs(f) < 1024 || i == len(byteUnits)-1) {
			text := strconv.FormatFloat(f, 'f', digits, 64)
			if strings.Contains(text, ".") {
				text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
			}
			return stringValue(text + " " + unit)
		}
		f /= 1024
	}
	return stringValue("") // of a unit that is none
}
