package kql

import (
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// convert gives the value in another type, as tobool(), tolong() and so on do.
// Where it cannot be had it is null, or the empty string.
func convert(v Value, to Type) Value {
	if v.kind == kindJSON {
		v = parsedJSON(v)
	}
	switch {
	case to == String:
		return stringValue(v.String()) // of null, the empty string
	case v.kind == to || v.kind == kindNull:
		return v
	}
	switch to {
	case Dynamic:
		if v.kind == String {
			if p, ok := parseJSON(v.s); ok {
				return p
			}
		}
		return v
	case Bool:
		return toBool(v)
	case Int:
		if n := toLong(v); !n.IsNull() && n.n >= math.MinInt32 && n.n <= math.MaxInt32 {
			return intValue(n.n)
		}
	case Long:
		return toLong(v)
	case Real:
		return toReal(v)
	case Decimal:
		return toDecimal(v)
	case DateTime:
		switch v.kind {
		case String:
			if ticks, ok := parseDateTime(v.s); ok {
				return datetimeValue(ticks)
			}
		case Int, Long:
			return datetimeValue(v.n)
		}
	case TimeSpan:
		switch v.kind {
		case String:
			if ticks, ok := parseTimeSpan(v.s); ok {
				return timespanValue(ticks)
			}
		case Int, Long:
			return timespanValue(v.n)
		}
	case GUID:
		if v.kind == String {
			if g, ok := parseGUID(v.s); ok {
				return guidValue(g)
			}
		}
	}
	return Value{}
}

func toBool(v Value) Value {
	switch v.kind {
	case Int, Long:
		return boolValue(v.n != 0)
	case Real:
		return boolValue(v.real() != 0)
	case Decimal:
		return boolValue(!v.decimal().IsZero())
	case String:
		s := strings.TrimSpace(v.s)
		switch {
		case strings.EqualFold(s, "true"):
			return boolValue(true)
		case strings.EqualFold(s, "false"):
			return boolValue(false)
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return boolValue(n != 0)
		}
	}
	return Value{}
}

func toLong(v Value) Value {
	switch v.kind {
	case Bool, Int, Long, DateTime, TimeSpan:
		return longValue(v.n)
	case Real:
		return truncated(v.real())
	case Decimal:
		var whole, fraction apd.Decimal
		v.decimal().Modf(&whole, &fraction)
		if n, err := whole.Int64(); err == nil {
			return longValue(n)
		}
	case String:
		s := strings.TrimSpace(v.s)
		if hex, ok := cutHexPrefix(s); ok {
			if n, err := strconv.ParseUint(hex, 16, 64); err == nil {
				return longValue(int64(n))
			}
			return Value{}
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return longValue(n)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return truncated(f)
		}
	}
	return Value{}
}

func cutHexPrefix(s string) (string, bool) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], true
	}
	return s, false
}

func truncated(f float64) Value {
	if math.IsNaN(f) || f >= 1<<63 || f < -1<<63 {
		return Value{}
	}
	return longValue(int64(f))
}

// toReal is null for what is no number.
func toReal(v Value) Value {
	switch v.kind {
	case Bool, Int, Long, DateTime, TimeSpan:
		return realValue(float64(v.n))
	case Real:
		return v
	case Decimal:
		if f, err := v.decimal().Float64(); err == nil {
			return realValue(f)
		}
	case String:
		s := strings.TrimSpace(v.s)
		if strings.ContainsAny(s, "_xXpP") { // Go's own forms of a number
			return Value{}
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return realValue(f)
		}
	}
	return Value{}
}

func toDecimal(v Value) Value {
	switch v.kind {
	case Bool, Int, Long:
		return decimalValue(apd.New(v.n, 0))
	case Decimal:
		return v
	case Real:
		d := new(apd.Decimal)
		if _, err := d.SetFloat64(v.real()); err == nil {
			return decimalValue(d)
		}
	case String:
		if d, _, err := decimalContext.NewFromString(strings.TrimSpace(v.s)); err == nil {
			return decimalValue(d)
		}
	}
	return Value{}
}

// parseGUID reads a guid and gives its canonical form. It may have hyphens,
// braces or parentheses, or none.
func parseGUID(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if len(s) > 2 && (s[0] == '{' && s[len(s)-1] == '}' || s[0] == '(' && s[len(s)-1] == ')') {
		s = s[1 : len(s)-1]
	}
	digits := make([]byte, 0, 32)
	for i := 0; i < len(s) && len(digits) < 32; i++ {
		c := s[i]
		switch n := len(digits); {
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f':
			digits = append(digits, c)
		case c >= 'A' && c <= 'F':
			digits = append(digits, c+'a'-'A')
		case c == '-' && i > 0 && s[i-1] != '-' && (n == 8 || n == 12 || n == 16 || n == 20):
		default:
			return "", false
		}
	}
	if len(digits) < 32 {
		return "", false
	}
	s = string(digits)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], true
}
