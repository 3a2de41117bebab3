package kql

import "math/bits"

// How many bytes things take, so that the limit on memory knows what a query
// holds. The tests compare it with the heap.

// valueBytes is what a Value takes beside what it points to.
const valueBytes = 48

// allocated is what an allocation of n bytes takes: the allocator has classes of
// sizes.
func allocated(n int64) int64 {
	switch {
	case n == 0:
		return 0
	case n <= 32:
		return (n + 7) &^ 7
	case n <= 256:
		return (n + 15) &^ 15
	case n <= 1024:
		return (n + 63) &^ 63
	}
	return n + n/16
}

// mapBytes is what a map of n entries takes, each of so many bytes. A map is at
// least half as large again as what it holds, since it grows by doubling.
func mapBytes(n int, entry int64) int64 {
	const header, group = 48, 8
	switch {
	case n == 0:
		return header
	case n <= group:
		return header + allocated(8+group*entry)
	}
	slots := int64(1) << bits.Len64(uint64((int64(n)*8+6)/7-1))
	return header + 64 + allocated(slots*(entry+1))
}

// What the entries of maps take: the key, and the value with what aligns it.
const (
	textEntry     = 16 // map[string]struct{}
	textBoolEntry = 24 // map[string]bool
	textIntEntry  = 24 // map[string]int32 and map[string]int
	intEntry      = 16 // map[int64]int32
	pairEntry     = 8  // map[uint64]struct{}
)

// decimalBytes is what most decimals take.
const decimalBytes = 64

// held is how many bytes a value points to. Those that values share count for
// each of them.
func (v Value) held() int64 {
	switch v.kind {
	case String, GUID, kindJSON:
		return allocated(int64(len(v.s)))
	case Decimal:
		return decimalBytes
	case kindArray:
		items := v.array()
		size := 24 + allocated(valueBytes*int64(cap(items)))
		for _, item := range items {
			size += item.held()
		}
		return size
	case kindBag:
		return v.bag().held
	}
	return 0
}

// measure notes what the bag holds, once it is built.
func (b *bag) measure() {
	b.held = 96 + allocated(16*int64(cap(b.keys))) + allocated(valueBytes*int64(cap(b.vals)))
	for i, item := range b.vals {
		b.held += allocated(int64(len(b.keys[i]))) + item.held()
	}
	if b.index != nil {
		b.held += mapBytes(len(b.index), textIntEntry)
	}
}

// capacity is how many bytes the elements of a vector take, without what they
// point to.
func (v *vector) capacity() int64 {
	return 2*int64(cap(v.codes)) + int64(cap(v.nulls)) + 8*int64(cap(v.ints)) + 8*int64(cap(v.reals)) + 16*int64(cap(v.strs)) + valueBytes*int64(cap(v.vals))
}

// pointed is how many bytes the elements of a vector point to. Those that rows
// share are counted once.
func (v *vector) pointed() (size int64) {
	for _, s := range v.strs {
		size += allocated(int64(len(s)))
	}
	for i := range v.vals {
		size += v.vals[i].held()
	}
	return size
}

// size is about how many bytes the rows of a vector take when they are copied.
// Strings that rows share count for each, as what they are is not looked at.
func (v *vector) size() int64 {
	each := int64(8)
	switch {
	case v.vals != nil:
		each = valueBytes
	case v.strs != nil:
		each = 16
	}
	if v.nulls != nil {
		each++
	}
	return int64(v.n)*each + v.pointed()
}
