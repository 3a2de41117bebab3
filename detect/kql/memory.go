package kql

import (
	"math/bits"
	"reflect"
	"slices"
)

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

// footprint is about how many bytes a value takes, without a look into arrays and
// bags. An element takes three times what its text is taken to have at least.
func (v Value) footprint() int64 {
	if v.kind == kindArray || v.kind == kindBag {
		return valueBytes / valueSize * v.size()
	}
	return v.size()
}

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
// point to. Those of a dictionary are the table's, or charged by what made them.
func (v *vector) capacity() int64 {
	if v.dict != nil {
		return 2*int64(cap(v.codes)) + 4*int64(cap(v.wide))
	}
	return 2*int64(cap(v.codes)) + int64(cap(v.nulls)) + 8*int64(cap(v.ints)) + 8*int64(cap(v.reals)) + 16*int64(cap(v.strs)) + valueBytes*int64(cap(v.vals))
}

// pointed is how many bytes the elements of a vector point to. Those that rows
// share are counted once, and those of a dictionary not at all. Of a piece of a vector
// those count that its rows have.
func (v *vector) pointed() (size int64) {
	switch {
	case v.dict != nil:
		return 0
	case v.codes != nil && v.n < v.distinct():
		for _, code := range v.codes[:v.n] {
			if v.vals != nil {
				size += v.vals[code].held()
			} else if v.strs != nil {
				size += allocated(int64(len(v.strs[code])))
			}
		}
		return size
	}
	for _, s := range v.strs {
		size += allocated(int64(len(s)))
	}
	for i := range v.vals {
		size += v.vals[i].held()
	}
	return size
}

// smallGrowth is how many elements a slice may have before its growth is charged
// ahead.
const smallGrowth = 1024

// doubledBelow is how long a slice is from which on it grows by a quarter: what it has room
// for in vain counts more then than that it is copied.
const doubledBelow = 1 << 16

// enlarged gives a slice room for n more elements. While a slice is copied to a
// larger one both are there, so the larger one is charged before it is made. What
// a slice holds is charged by its owner; held may be nil.
func enlarged[T any](s []T, n int, held *memory) []T {
	if len(s)+n <= cap(s) {
		return s
	}
	more := cap(s) / 4
	if cap(s) < doubledBelow {
		more = cap(s)
	}
	capacity := max(len(s)+n, cap(s)+more)
	if held == nil || capacity <= smallGrowth {
		return slices.Grow(s, n)
	}
	each := int64(reflect.TypeFor[T]().Size())
	old := each * int64(cap(s))
	held.claim(allocated(each * int64(capacity)))
	s = slices.Grow(s, capacity-len(s))
	held.release(allocated(old))
	return s
}

// grown makes a slice longer, with zeroes.
func grown[T any](s []T, n int, held *memory) []T {
	more := n - len(s)
	s = enlarged(s, more, held)[:n]
	clear(s[n-more:])
	return s
}

// reserve gives a vector room for n more elements like those of w.
func (v *vector) reserve(w *vector, n int, held *memory) {
	switch {
	case v.n > 0 && v.unread() != w.unread(): // it is looked into
		const text = 16
		held.claim(valueBytes * int64(v.n+n))
		held.release(text * int64(v.n))
	case v.typ == Real:
		v.reals = enlarged(v.reals, n, held)
	case v.typ == String || w.unread():
		v.strs = enlarged(v.strs, n, held)
	case v.typ.boxed():
		v.vals = enlarged(v.vals, n, held)
	default:
		v.ints = enlarged(v.ints, n, held)
	}
	if v.nulls != nil {
		v.nulls = enlarged(v.nulls, n, held)
	}
}

// grow makes a vector n elements long, with zeroes. None of them is known in a dictionary.
func (v *vector) grow(n int, held *memory) {
	switch {
	case v.dict != nil:
		v.wide = grown(v.wide, n, held)
	case v.typ == Real:
		v.reals = grown(v.reals, n, held)
	case v.typ == String:
		v.strs = grown(v.strs, n, held)
	case v.typ.boxed():
		v.vals = grown(v.vals, n, held)
	default:
		v.ints = grown(v.ints, n, held)
	}
	if v.nulls != nil {
		v.nulls = grown(v.nulls, n, held)
	}
	v.n = n
}

// add adds the rows of another vector, and says how many bytes these point to that are
// not of a dictionary which both have.
func (v *vector) add(w *vector, held *memory) (pointed int64) {
	if v.share(w, held) {
		return 0
	}
	v.reserve(w, w.n, held)
	v.appendVector(w)
	return w.pointed()
}

// vectorBytes is what the elements of a new vector take.
func vectorBytes(t Type, n int) int64 {
	each := int64(8)
	switch {
	case t == String:
		each = 16
	case t.boxed():
		each = valueBytes
	}
	return allocated(each * int64(n))
}

// evaluated computes expressions over rows that are held, a batch at a time.
// What they give is charged unless they are columns.
func evaluated(list []expr, of *rows) ([]*vector, error) {
	vecs := make([]*vector, len(list))
	whole := &batch{n: of.n, cols: of.cols}
	for i, e := range list {
		switch e.(type) {
		case *columnExpr, *constExpr:
			vecs[i] = e.eval(of.held.x, whole)
			continue
		}
		out := &vector{typ: e.typ()}
		err := emitRows(of, func(b *batch) error {
			v := e.eval(of.held.x, b)
			out.reserve(v, v.n, &of.held)
			out.appendVector(v)
			if err := of.held.add(v.pointed()); err != nil {
				return err
			}
			return of.held.x.stopped()
		})
		if err != nil {
			return nil, err
		}
		vecs[i] = out
	}
	return vecs, nil
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
