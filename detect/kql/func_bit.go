package kql

import (
	"math/bits"
	"strconv"
)

// bitFunctions work on the bits of integers.
func bitFunctions() []*scalarFunction {
	binary := func(f func(x, y int64) Value) func([]Value) Value {
		return func(a []Value) Value { return f(a[0].n, a[1].n) }
	}
	return []*scalarFunction{
		{sig: "binary_and(left:integer, right:integer) long", doc: "The bits that both numbers have.", strict: true, naming: nameOfFirst,
			examples: examples{"binary_and(12, 10)", "8"},
			rows:     binary(func(x, y int64) Value { return longValue(x & y) })},
		{sig: "binary_or(left:integer, right:integer) long", doc: "The bits that one of the numbers has.", strict: true, naming: nameOfFirst,
			examples: examples{"binary_or(12, 10)", "14"},
			rows:     binary(func(x, y int64) Value { return longValue(x | y) })},
		{sig: "binary_xor(left:integer, right:integer) long", doc: "The bits that just one of the numbers has.", strict: true, naming: nameOfFirst,
			examples: examples{"binary_xor(12, 10)", "6"},
			rows:     binary(func(x, y int64) Value { return longValue(x ^ y) })},
		{sig: "binary_not(value:integer) long", doc: "All bits turned over.", strict: true, naming: nameOfFirst,
			examples: examples{"binary_not(100)", "-101"},
			rows:     func(a []Value) Value { return longValue(^a[0].n) }},
		{sig: "binary_shift_left(value:integer, by:integer) long", doc: "The bits moved to the left, by at most 63; null where that is negative.", strict: true, naming: nameOfFirst,
			examples: examples{"binary_shift_left(1, 3)", "8", "binary_shift_left(1, 65)", "2", "binary_shift_left(1, -1)", "null"},
			rows: binary(func(x, by int64) Value {
				if by < 0 {
					return Value{}
				}
				return longValue(x << (by % 64))
			})},
		{sig: "binary_shift_right(value:integer, by:integer) long", doc: "The bits moved to the right, by at most 63; null where that is negative.", strict: true, naming: nameOfFirst,
			examples: examples{"binary_shift_right(8, 3)", "1", "binary_shift_right(1, -1)", "null"},
			rows: binary(func(x, by int64) Value {
				if by < 0 {
					return Value{}
				}
				return longValue(x >> (by % 64))
			})},
		{sig: "bitset_count_ones(value:integer) long", doc: "The number of bits that are 1.", strict: true, naming: nameOfFirst,
			examples: examples{"bitset_count_ones(42)", "3"},
			rows:     func(a []Value) Value { return longValue(int64(bits.OnesCount64(uint64(a[0].n)))) }},
		{sig: "tohex(value:integer, length:integer?) string", doc: "The number in hexadecimal, with zeros in front up to a length; a negative one as its bits are.", strict: true, naming: nameOfFirst,
			examples: examples{"tohex(256)", "100", "tohex(-256)", "ffffffffffffff00", "tohex(toint(-256), 8)", "ffffff00", "tohex(256, 8)", "00000100"},
			rows:     hexadecimal},
	}
}

func hexadecimal(a []Value) Value {
	u := uint64(a[0].n)
	if a[0].kind == Int {
		u = uint64(uint32(a[0].n))
	}
	text := strconv.FormatUint(u, 16)
	length := int(min(max(optional(a, 1, 0), 0), 1024))
	for len(text) < length {
		text = "0000000000000000"[:min(16, length-len(text))] + text
	}
	return stringValue(text)
}
