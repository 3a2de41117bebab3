package workspace

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Text returns a cell of a [Table] for reading, and for comparing: equal cells
// of a column have equal texts. Null is the empty text, a datetime is ISO 8601
// in UTC, a timespan is d.hh:mm:ss as KQL writes it.
func Text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return realText(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return timespanText(v)
	case Dynamic:
		return v.String()
	case []any, map[string]any: // a piece of a Dynamic
		return jsonText(v)
	default:
		return fmt.Sprint(v)
	}
}

// JSON returns a cell of a [Table] as JSON in the form of the API's answer.
// Datetimes, timespans, NaN and infinities are strings, dynamic values are as
// such.
func JSON(value any) json.RawMessage {
	switch v := value.(type) {
	case Dynamic:
		return v.JSON()
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			value = realText(v)
		}
	case time.Time, time.Duration:
		value = Text(v)
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("null") // not for any type that a table holds
	}
	return raw
}

func realText(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	default:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
}

// timespanText writes [-][d.]hh:mm:ss[.fffffff].
func timespanText(d time.Duration) string {
	var b strings.Builder
	u := uint64(d)
	if d < 0 {
		b.WriteByte('-')
		u = -u
	}
	const day, hour, minute, second = uint64(24 * time.Hour), uint64(time.Hour), uint64(time.Minute), uint64(time.Second)
	if days := u / day; days > 0 {
		fmt.Fprintf(&b, "%d.", days)
	}
	fmt.Fprintf(&b, "%02d:%02d:%02d", u%day/hour, u%hour/minute, u%minute/second)
	if ticks := u % second / 100; ticks > 0 {
		fmt.Fprintf(&b, ".%07d", ticks)
	}
	return b.String()
}
