package kql

import "math"

// keyIndex numbers the distinct keys of rows. These are the groups of a
// summarize or the keys of a join, from 0, in the order in which they first
// come.
type keyIndex struct {
	types []Type
	n     int32
	// A single string or integer is looked up as it is, any other key by its
	// groupKey.
	texts map[string]int32
	ints  map[int64]int32
	mixed map[string]int32
	// The texts of a column that has a dictionary at first have numbers, which are
	// looked up once for each of its elements. Nil of the other columns, and of all
	// before any row came.
	numbers []*textNumbers
	null    int32 // of a single integer that is null, -1 if none came yet
	buf     []byte
	text    int64 // bytes of the keys that are text
}

// noKey stands for a key that is not there.
const noKey = int32(-1)

// size is how many bytes it holds, about.
func (k *keyIndex) size() int64 {
	size := k.text
	switch {
	case k.texts != nil:
		size += mapBytes(len(k.texts), textIntEntry)
	case k.ints != nil:
		size += mapBytes(len(k.ints), intEntry)
	case k.mixed != nil:
		size += mapBytes(len(k.mixed), textIntEntry)
	}
	for _, t := range k.numbers {
		if t != nil {
			size += mapBytes(len(t.of), textIntEntry) + t.text + 4*int64(len(t.codes))
		}
	}
	return size
}

func newKeyIndex(types []Type) *keyIndex {
	k := &keyIndex{types: types, null: noKey}
	switch {
	case len(types) == 0: // all rows have the one key
	case len(types) == 1 && types[0] == String:
		k.texts = make(map[string]int32)
	case len(types) == 1 && isWhole(types[0]):
		k.ints = make(map[int64]int32)
	default:
		k.mixed = make(map[string]int32)
	}
	return k
}

// isWhole says whether a vector of the type has its elements in ints.
func isWhole(t Type) bool { return t != Real && t != String && !t.boxed() }

// number gives the number of each row's key, and a new one to keys that are new.
// fresh is called with the first row of each new key, and may be nil.
func (k *keyIndex) number(vecs []*vector, rows int, fresh func(row int)) []int32 {
	if len(k.types) == 0 {
		k.n = 1
	}
	if k.numbers == nil && rows > 0 {
		k.numbers = make([]*textNumbers, len(vecs))
		for i, v := range vecs {
			if k.mixed != nil && v.typ == String && v.dict != nil {
				k.numbers[i] = &textNumbers{of: make(map[string]uint32)}
			}
		}
	}
	return k.each(vecs, rows, func(row int) int32 {
		at := k.find(vecs, row, true)
		if at == noKey {
			at = k.add(vecs, row)
			if fresh != nil {
				fresh(row)
			}
		}
		return at
	})
}

// numbered gives the number of each row's key, noKey for a key that has none.
func (k *keyIndex) numbered(vecs []*vector, rows int) []int32 {
	return k.each(vecs, rows, func(row int) int32 { return k.find(vecs, row, false) })
}

// each asks for the number of each row's key.
func (k *keyIndex) each(vecs []*vector, rows int, one func(row int) int32) []int32 {
	out := make([]int32, rows)
	if len(k.types) == 0 || rows == 0 {
		return out
	}
	// Where the columns have few elements, each combination is looked up once. Of a
	// dictionary those count that the rows have.
	combinations := 1
	parts := make([]keyPart, 0, len(vecs))
	for _, v := range vecs {
		if v.isFlat() || combinations > rows {
			combinations = math.MaxInt
			break
		}
		part := keyPart{of: v, elements: v.distinct()}
		if v.dict != nil && part.elements > rows/combinations {
			if rows > maxUsed {
				combinations = math.MaxInt
				break
			}
			used, codes := v.used()
			part.elements, part.codes = len(used), codes
		}
		parts = append(parts, part)
		combinations *= part.elements
	}
	if combinations > rows {
		for row := range out {
			out[row] = one(row)
		}
		return out
	}
	const unknown = noKey - 1
	known := make([]int32, combinations)
	for i := range known {
		known[i] = unknown
	}
	for row := range out {
		at := 0
		for i := range parts {
			at = at*parts[i].elements + parts[i].at(row)
		}
		if known[at] == unknown {
			known[at] = one(row)
		}
		out[row] = known[at]
	}
	return out
}

// keyPart is a column of a key, by the elements that its rows have.
type keyPart struct {
	of       *vector
	elements int
	codes    []uint16 // of each row, where not all elements count
}

func (p *keyPart) at(row int) int {
	if p.codes != nil {
		return int(p.codes[row])
	}
	return p.of.at(row)
}

// textNumbers numbers the texts of a column.
type textNumbers struct {
	of   map[string]uint32
	text int64 // bytes of the texts
	// What the elements of the dictionary that came last have, one more than their
	// numbers, zero for those nobody asked for.
	dict  *dictionary
	codes []uint32
}

// find gives the number of a row's text. It gives a new text one if it may.
func (t *textNumbers) find(v *vector, row int, add bool) (n uint32, ok bool) {
	code := -1
	if v.dict != nil {
		code = int(v.code(row))
		if t.dict != v.dict {
			t.dict, t.codes = v.dict, nil
		}
		if len(t.codes) <= code {
			t.codes = append(t.codes, make([]uint32, v.distinct()-len(t.codes))...)
		}
		if known := t.codes[code]; known > 0 {
			return known - 1, true
		}
	}
	text := v.strs[v.at(row)]
	n, ok = t.of[text]
	if !ok && add {
		n, ok = uint32(len(t.of)), true
		t.of[text] = n
		t.text += allocated(int64(len(text)))
	}
	if ok && code >= 0 {
		t.codes[code] = n + 1
	}
	return n, ok
}

// find gives the number of a row's key, noKey if it has none. The key of several
// values stays in buf. If the key may be added, its texts can get numbers.
func (k *keyIndex) find(vecs []*vector, row int, add bool) int32 {
	var at int32
	var ok bool
	switch {
	case k.texts != nil:
		at, ok = k.texts[vecs[0].strs[vecs[0].at(row)]]
	case k.ints != nil:
		i := vecs[0].at(row)
		if nulls := vecs[0].nulls; nulls != nil && nulls[i] {
			return k.null
		}
		at, ok = k.ints[vecs[0].ints[i]]
	default:
		k.buf = k.buf[:0]
		for i, v := range vecs {
			if k.numbers == nil || k.numbers[i] == nil {
				k.buf = v.appendKey(k.buf, row)
				continue
			}
			n, known := k.numbers[i].find(v, row, add)
			if !known {
				return noKey
			}
			k.buf = append(k.buf, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		}
		at, ok = k.mixed[string(k.buf)]
	}
	if !ok {
		return noKey
	}
	return at
}

// add gives the next number to the key of a row, in which find has just found none.
func (k *keyIndex) add(vecs []*vector, row int) int32 {
	at := k.n
	k.n++
	switch {
	case k.texts != nil:
		text := vecs[0].strs[vecs[0].at(row)]
		k.texts[text] = at
		k.text += allocated(int64(len(text)))
	case k.ints != nil:
		i := vecs[0].at(row)
		if nulls := vecs[0].nulls; nulls != nil && nulls[i] {
			k.null = at
		} else {
			k.ints[vecs[0].ints[i]] = at
		}
	default:
		k.mixed[string(k.buf)] = at
		k.text += allocated(int64(len(k.buf)))
	}
	return at
}

// appendKey is groupKey of a row's element.
func (v *vector) appendKey(buf []byte, row int) []byte {
	if v.typ == String {
		return lengthPrefixed(append(buf, 's'), v.strs[v.at(row)])
	}
	return groupKey(buf, v.value(row))
}

// anyNull lists for each row whether one of the vectors is null there, nil if
// none is.
func anyNull(vecs []*vector, rows int) []bool {
	var null []bool
	for _, v := range vecs {
		if v.typ == String || v.nulls == nil && v.vals == nil {
			continue
		}
		if null == nil {
			null = make([]bool, rows)
		}
		for row := range null {
			null[row] = null[row] || v.isNull(row)
		}
	}
	return null
}

func typesOf(list []expr) []Type {
	types := make([]Type, len(list))
	for i, e := range list {
		types[i] = e.typ()
	}
	return types
}

func evalAll(x *execution, list []expr, b *batch) []*vector {
	vecs := make([]*vector, len(list))
	for i, e := range list {
		vecs[i] = e.eval(x, b)
	}
	return vecs
}
