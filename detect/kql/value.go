package kql

import (
	"math"
	"strings"
	"time"
)

// Value is one cell: a scalar, an array or a property bag, or null (the zero
// Value). A Value is immutable.
type Value struct {
	kind Type
	n    int64  // Bool, Int, Long, DateTime and TimeSpan; the bits of a Real; the size of kindArray and kindBag
	s    string // String, and GUID in its canonical form; the text of kindJSON
	ref  any    // []Value for kindArray, *bag for kindBag, *apd.Decimal for Decimal
}

// ticksPerSecond is the resolution of DateTime and TimeSpan: 100 ns.
const (
	ticksPerSecond = int64(10_000_000)
	ticksPerMinute = 60 * ticksPerSecond
	ticksPerHour   = 60 * ticksPerMinute
	ticksPerDay    = 24 * ticksPerHour

	unixEpochTicks = int64(62_135_596_800) * ticksPerSecond // 1970-01-01 from 0001-01-01
	maxTicks       = int64(3_155_378_975_999_999_999)       // 9999-12-31T23:59:59.9999999
)

// Constructors. They are the only way to make a Value that is not null.

func boolValue(b bool) Value {
	if b {
		return Value{kind: Bool, n: 1}
	}
	return Value{kind: Bool}
}

func intValue(n int64) Value      { return Value{kind: Int, n: int64(int32(n))} }
func longValue(n int64) Value     { return Value{kind: Long, n: n} }
func realValue(f float64) Value   { return Value{kind: Real, n: int64(math.Float64bits(f))} }
func stringValue(s string) Value  { return Value{kind: String, s: s} }
func timespanValue(t int64) Value { return Value{kind: TimeSpan, n: t} }
func guidValue(s string) Value    { return Value{kind: GUID, s: s} }

func arrayValue(items []Value) Value {
	v := Value{kind: kindArray, ref: items}
	for _, item := range items {
		v.n += item.size()
	}
	return v
}

func bagValue(b *bag) Value {
	v := Value{kind: kindBag, ref: b}
	for i, item := range b.vals {
		v.n += int64(len(b.keys[i])) + item.size()
	}
	b.measure()
	return v
}

// valueSize is what a value takes besides its text, about.
const valueSize = 16

// size is about how many bytes the value's text would have. Elements that an
// array holds several times count each time, as in its text.
func (v Value) size() int64 {
	switch v.kind {
	case kindArray, kindBag:
		return min(valueSize+v.n, 1<<40) // no overflow, however often it doubles
	}
	return valueSize + int64(len(v.s))
}

// datetimeValue is null outside the years 1 to 9999, as the service has it.
func datetimeValue(ticks int64) Value {
	if ticks < 0 || ticks > maxTicks {
		return Value{}
	}
	return Value{kind: DateTime, n: ticks}
}

// IsNull says whether the value is null. A string never is.
func (v Value) IsNull() bool { return v.kind == kindNull }

func (v Value) isTrue() bool   { return v.kind == Bool && v.n != 0 }
func (v Value) real() float64  { return math.Float64frombits(uint64(v.n)) }
func (v Value) array() []Value { return v.ref.([]Value) }
func (v Value) bag() *bag      { return v.ref.(*bag) }

// Time returns the instant of a DateTime, and whether the value is one.
func (v Value) Time() (time.Time, bool) {
	if v.kind != DateTime {
		return time.Time{}, false
	}
	return ticksToTime(v.n), true
}

func ticksToTime(ticks int64) time.Time {
	t := ticks - unixEpochTicks
	sec, rest := t/ticksPerSecond, t%ticksPerSecond
	return time.Unix(sec, rest*100).UTC()
}

func timeToTicks(t time.Time) int64 {
	return t.Unix()*ticksPerSecond + int64(t.Nanosecond())/100 + unixEpochTicks
}

// bag is a property bag. It keeps the order in which its keys were first set,
// which is the order in which the service prints them.
type bag struct {
	keys  []string
	vals  []Value
	index map[string]int // built when the bag is large enough to earn it
	held  int64          // how many bytes it takes, once it is in a Value
}

const bagIndexFrom = 12

func newBag(capacity int) *bag {
	return &bag{keys: make([]string, 0, capacity), vals: make([]Value, 0, capacity)}
}

func (b *bag) find(key string) int {
	if b.index != nil {
		if i, ok := b.index[key]; ok {
			return i
		}
		return -1
	}
	for i, k := range b.keys {
		if k == key {
			return i
		}
	}
	return -1
}

func (b *bag) get(key string) (Value, bool) {
	if i := b.find(key); i >= 0 {
		return b.vals[i], true
	}
	return Value{}, false
}

// set is only for the one who builds the bag; a bag inside a Value is shared.
func (b *bag) set(key string, v Value) {
	if i := b.find(key); i >= 0 {
		b.vals[i] = v
		return
	}
	b.keys = append(b.keys, key)
	b.vals = append(b.vals, v)
	if b.index != nil {
		b.index[key] = len(b.keys) - 1
	} else if len(b.keys) >= bagIndexFrom {
		b.index = make(map[string]int, 2*len(b.keys))
		for i, k := range b.keys {
			b.index[k] = i
		}
	}
}

// MarshalJSON gives the value as JSON. A datetime, a timespan, a guid and a
// decimal are strings in the form that tostring() has, and a real that is no
// number is its name.
func (v Value) MarshalJSON() ([]byte, error) {
	return []byte(v.JSON()), nil
}

// JSON renders the value as MarshalJSON does.
func (v Value) JSON() string {
	var sb strings.Builder
	v.appendJSON(&sb)
	return sb.String()
}

// String renders the value as tostring() does.
func (v Value) String() string {
	switch v.kind {
	case kindNull:
		return ""
	case String, GUID:
		return v.s
	case kindJSON:
		return parsedJSON(v).String()
	}
	var sb strings.Builder
	v.appendText(&sb)
	return sb.String()
}
