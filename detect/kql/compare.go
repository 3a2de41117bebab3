package kql

import (
	"cmp"
	"math"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

// negated is the value with its sign changed; null for what has none.
func negated(v Value) Value {
	switch v.kind {
	case Int, Long, TimeSpan:
		n, ok := subtractWhole(0, v.n)
		return wholeValue(v.kind, n, ok)
	case Real:
		return realValue(-v.real())
	case Decimal:
		d := *v.decimal()
		d.Negative = !d.Negative
		return decimalValue(&d)
	}
	return Value{}
}

// compare orders two values that are not null. ok is false where the two
// kinds have no order among them. Numbers compare by value whatever their
// kinds; NaN comes before every other real.
func compare(a, b Value) (order int, ok bool) {
	if a.kind == b.kind {
		switch a.kind {
		case Bool, Int, Long, DateTime, TimeSpan:
			return cmp.Compare(a.n, b.n), true
		case Real:
			return cmp.Compare(a.real(), b.real()), true
		case String, GUID:
			return strings.Compare(a.s, b.s), true
		case Decimal:
			return a.decimal().Cmp(b.decimal()), true
		}
		return 0, false
	}
	if isNumeric(a) && isNumeric(b) {
		switch {
		case a.kind == Decimal || b.kind == Decimal:
			x, y := toDecimal(a), toDecimal(b)
			if x.IsNull() || y.IsNull() {
				return 0, false
			}
			return x.decimal().Cmp(y.decimal()), true
		case a.kind == Real:
			return cmp.Compare(a.real(), float64(b.n)), true
		case b.kind == Real:
			return cmp.Compare(float64(a.n), b.real()), true
		}
		return cmp.Compare(a.n, b.n), true
	}
	return 0, false
}

func isNumeric(v Value) bool { return v.kind.isNumber() }

// equal says whether two values are the same, nulls and arrays included. Group
// keys, sets and tests for elements go by it.
func equal(a, b Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	if order, ok := compare(a, b); ok {
		return order == 0
	}
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case kindArray:
		x, y := a.array(), b.array()
		if len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case kindBag:
		x, y := a.bag(), b.bag()
		if len(x.keys) != len(y.keys) {
			return false
		}
		for i, k := range x.keys {
			if v, ok := y.get(k); !ok || !equal(x.vals[i], v) {
				return false
			}
		}
		return true
	}
	return false
}

// groupKey appends an unambiguous text of the value. Two values have the same
// one exactly when they are equal as group keys.
func groupKey(buf []byte, v Value) []byte {
	switch v.kind {
	case kindNull:
		return append(buf, 'n')
	case String, GUID:
		return lengthPrefixed(append(buf, 's'), v.s)
	case Real:
		f := v.real()
		if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			return fixed(append(buf, 'i'), int64(f)) // 1.0 and 1 are one
		}
		return fixed(append(buf, 'r'), int64(math.Float64bits(f)))
	case Int, Long:
		return fixed(append(buf, 'i'), v.n)
	case Bool, DateTime, TimeSpan:
		return fixed(append(buf, byte(v.kind)), v.n)
	case Decimal:
		var reduced apd.Decimal
		reduced.Reduce(v.decimal()) // 1.0 and 1.00 are one
		return lengthPrefixed(append(buf, 'd'), reduced.String())
	}
	var sb strings.Builder
	v.appendJSON(&sb)
	return lengthPrefixed(append(buf, 'j'), sb.String())
}

func fixed(buf []byte, n int64) []byte {
	u := uint64(n)
	return append(buf, byte(u), byte(u>>8), byte(u>>16), byte(u>>24), byte(u>>32), byte(u>>40), byte(u>>48), byte(u>>56))
}

func lengthPrefixed(buf []byte, s string) []byte {
	return append(fixed(buf, int64(len(s))), s...)
}

// textOfKey is the text of a value of which [groupKey] made a key.
func textOfKey(key string) string { return key[1+8:] }

// sortOrder orders any two values for sort and for the array functions, nulls
// excepted. Values of kinds that have no order among them are ordered by kind.
func sortOrder(a, b Value) int {
	if order, ok := compare(a, b); ok {
		return order
	}
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	return strings.Compare(a.String(), b.String())
}
