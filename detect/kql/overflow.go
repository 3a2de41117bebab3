package kql

import (
	"math"
	"math/bits"
)

// The service has no value for a result that its type does not hold. Such a
// computation fails, see https://learn.microsoft.com/kusto/concepts/overflow.
// Here it is null, as where an integer is divided by zero, and never what is
// left of the result in 64 bits.

// wholeValue is an integer of a kind. It is null where ok says that it is none,
// or where the kind does not hold it.
func wholeValue(kind Type, n int64, ok bool) Value {
	switch {
	case !ok || kind == Int && n != int64(int32(n)):
		return Value{}
	case kind == DateTime:
		return datetimeValue(n)
	}
	return Value{kind: kind, n: n}
}

func addWhole(x, y int64) (int64, bool) {
	sum := x + y
	return sum, (sum > x) == (y > 0)
}

func subtractWhole(x, y int64) (int64, bool) {
	difference := x - y
	return difference, (difference < x) == (y > 0)
}

func multiplyWhole(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	product := x * y
	return product, product/y == x && !(x == -1 && y == math.MinInt64) && !(y == -1 && x == math.MinInt64)
}

// divideWhole rounds to zero.
func divideWhole(x, y int64) (int64, bool) {
	if y == 0 || y == -1 && x == math.MinInt64 {
		return 0, false
	}
	return x / y, true
}

// roundDown gives the greatest multiple of a size that is not greater than x.
// Multiples are counted from a fixed point. The size is positive.
func roundDown(x, size, fixed int64) (int64, bool) {
	above := floorRemainder(x, size) - floorRemainder(fixed, size)
	if above < 0 {
		above += size
	}
	return subtractWhole(x, above)
}

// floorRemainder is never negative.
func floorRemainder(x, by int64) int64 {
	if m := x % by; m < 0 {
		return m + by
	} else {
		return m
	}
}

// roundWhole rounds to a multiple of ten to the power of the digits, halves to
// even.
func roundWhole(x int64, digits int64) (int64, bool) {
	if digits == 0 {
		return x, true
	}
	if digits > 19 {
		return 0, true // less than half of it
	}
	scale := uint64(1)
	for range digits {
		scale *= 10
	}
	size := magnitude(x)
	times, rest := size/scale, size%scale
	if rest > scale-rest || rest == scale-rest && times%2 == 1 {
		times++
	}
	high, low := bits.Mul64(times, scale)
	n, ok := signedWhole(x < 0, low)
	return n, ok && high == 0
}

// magnitude is the distance to zero, which for the least integer is more than
// the greatest.
func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

// signedWhole turns a distance from zero into an integer, if there is one.
func signedWhole(negative bool, size uint64) (int64, bool) {
	switch {
	case negative:
		return int64(-size), size <= 1<<63
	default:
		return int64(size), size < 1<<63
	}
}

// wideSum is a sum of integers in 128 bits, which no number of rows fills.
type wideSum struct {
	high int64
	low  uint64
}

func (s *wideSum) add(n int64) {
	low, carry := bits.Add64(s.low, uint64(n), 0)
	s.low = low
	s.high += n>>63 + int64(carry)
}

// whole gives the sum if it is an integer of 64 bits.
func (s *wideSum) whole() (int64, bool) { return int64(s.low), s.high == int64(s.low)>>63 }

// mean divides by the number of integers that were added, and rounds to zero.
func (s *wideSum) mean(n int64) (int64, bool) {
	if n <= 0 {
		return 0, false
	}
	high, low := uint64(s.high), s.low
	negative := s.high < 0
	if negative {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}
	if high >= uint64(n) {
		return 0, false // not of as many integers
	}
	quotient, _ := bits.Div64(high, low, uint64(n))
	return signedWhole(negative, quotient)
}
