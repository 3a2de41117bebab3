package kql

import "slices"

// vector is a run of values of one type. It is a column of a table, or what an
// expression gives for a batch. Element i of a flat one belongs to row i. One
// that is constant holds a single element that stands for every row, and one
// with codes says for each row which element stands for it: logs repeat most of
// what they say. What reads the elements goes by at.
//
// One with a dictionary shares its elements with the vectors of other segments. It
// has elements that no row of its own has, and these need not be known.
type vector struct {
	typ      Type
	n        int // rows
	constant bool
	codes    []uint16
	wide     []uint32 // codes of a dictionary that is too large for the others
	dict     *dictionary
	within   *timeRange   // where all elements are, if that is known and none is null
	nulls    []bool       // nil when nothing is null
	ints     []int64      // Bool, DateTime, Int, Long, TimeSpan
	reals    []float64    // Real
	strs     []string     // String; and JSON of a Dynamic as it was read, "" for null
	vals     []Value      // GUID, Decimal, and Dynamic unless it has strs
	packed   *packedTexts // in a table, instead of strs
}

// packedTexts lie one after the other. A segment of a table has them so where hardly any
// text repeats another: a string for each would take more, and have the garbage collector
// look at it again and again. Only a scan meets them, and the filters right above it.
type packedTexts struct {
	text string
	ends []uint32
}

func (p *packedTexts) at(row int) string {
	from := uint32(0)
	if row > 0 {
		from = p.ends[row-1]
	}
	return p.text[from:p.ends[row]]
}

// unpacked returns the vector with a string for each text.
func (v *vector) unpacked() *vector {
	if v.packed == nil {
		return v
	}
	out := *v
	out.packed, out.strs = nil, make([]string, v.n)
	from := uint32(0)
	for row, end := range v.packed.ends {
		out.strs[row] = v.packed.text[from:end]
		from = end
	}
	return &out
}

// newVector makes a vector of n elements, all zero. None is null but for boxed
// elements, whose zero is null.
func newVector(t Type, n int) *vector {
	v := &vector{typ: t, n: n}
	switch {
	case t == Real:
		v.reals = make([]float64, n)
	case t == String:
		v.strs = make([]string, n)
	case t.boxed():
		v.vals = make([]Value, n)
	default:
		v.ints = make([]int64, n)
	}
	return v
}

// constantVector makes the vector that holds val n times. A null takes the
// given type; any other value must be of it.
func constantVector(t Type, val Value, n int) *vector {
	v := newVector(t, 1)
	v.set(0, val)
	v.n, v.constant = n, true
	return v
}

// at is where the element of a row is.
func (v *vector) at(row int) int {
	switch {
	case v.constant:
		return 0
	case v.codes != nil:
		return int(v.codes[row])
	case v.wide != nil:
		return int(v.wide[row])
	}
	return row
}

// isFlat says whether every row has an element of its own.
func (v *vector) isFlat() bool { return !v.constant && v.codes == nil && v.wide == nil }

// distinct is how many elements there are.
func (v *vector) distinct() int {
	switch {
	case v.packed != nil:
		return v.n
	case v.vals != nil:
		return len(v.vals)
	case v.strs != nil:
		return len(v.strs)
	case v.reals != nil:
		return len(v.reals)
	}
	return len(v.ints)
}

// elements gives the vector of the elements alone, a row for each. It is not for
// one with a dictionary: see compact.
func (v *vector) elements() *vector {
	e := *v
	e.codes, e.n = nil, v.distinct()
	return &e
}

// unread says whether it holds JSON that nobody has looked into.
func (v *vector) unread() bool { return v.typ == Dynamic && v.vals == nil }

// looked returns the vector in a form that keeps JSON parsed once it has been
// looked into. It is for the one who asks alone: the table's own vectors do not
// change, so any number of queries can read them at once.
func (v *vector) looked() *vector {
	if !v.unread() {
		return v
	}
	v = v.unpacked()
	if v.dict != nil {
		v = v.compact()
	}
	out := *v
	out.strs, out.vals = nil, make([]Value, len(v.strs))
	for i, text := range v.strs {
		if text != "" {
			out.vals[i] = Value{kind: kindJSON, s: text}
		}
	}
	return &out
}

func (v *vector) isNull(row int) bool {
	i := v.at(row)
	switch {
	case v.vals != nil:
		if v.vals[i].kind == kindJSON {
			v.vals[i] = parsedJSON(v.vals[i])
		}
		return v.vals[i].kind == kindNull
	case v.typ == Dynamic:
		return v.value(row).kind == kindNull
	}
	return v.nulls != nil && v.nulls[i]
}

// value returns the element of a row. JSON text that nobody has looked into is
// parsed now, and kept parsed in what looked returned.
func (v *vector) value(row int) Value {
	i := v.at(row)
	if v.vals != nil {
		if v.vals[i].kind == kindJSON {
			v.vals[i] = parsedJSON(v.vals[i])
		}
		return v.vals[i]
	}
	if v.nulls != nil && v.nulls[i] {
		return Value{}
	}
	if v.packed != nil {
		return v.unpackedValue(i)
	}
	switch v.typ {
	case Real:
		return realValue(v.reals[i])
	case String:
		return stringValue(v.strs[i])
	case Dynamic:
		if v.strs[i] == "" {
			return Value{}
		}
		return parsedJSON(Value{kind: kindJSON, s: v.strs[i]})
	}
	return Value{kind: v.typ, n: v.ints[i]}
}

// unpackedValue is value for texts that are packed.
func (v *vector) unpackedValue(row int) Value {
	text := v.packed.at(row)
	switch {
	case v.typ == String:
		return stringValue(text)
	case text == "":
		return Value{}
	}
	return parsedJSON(Value{kind: kindJSON, s: text})
}

func (v *vector) setNull(i int) {
	v.within = nil
	switch {
	case v.vals != nil:
		v.vals[i] = Value{}
	case v.typ == String:
		v.strs[i] = ""
	default:
		if v.nulls == nil {
			v.nulls = make([]bool, max(v.n, i+1))
		}
		v.nulls[i] = true
	}
}

// set stores val, which is null or of the vector's type, as element i.
func (v *vector) set(i int, val Value) {
	v.within = nil
	if v.nulls != nil {
		v.nulls[i] = false
	}
	switch {
	case val.kind == kindNull:
		v.setNull(i)
	case v.vals != nil:
		v.vals[i] = val
	case v.typ == Real:
		v.reals[i] = val.real()
	case v.typ == String:
		v.strs[i] = val.s
	default:
		v.ints[i] = val.n
	}
}

// gather returns the elements of the rows that sel names, in its order. A
// negative row gives null.
func (v *vector) gather(sel []int32) *vector {
	if !v.isFlat() && !slices.ContainsFunc(sel, func(row int32) bool { return row < 0 }) {
		return v.choose(sel)
	}
	return v.gatherEach(sel)
}

// choose is gather for rows that are all there.
func (v *vector) choose(sel []int32) *vector {
	switch {
	case v.constant:
		c := *v
		c.n = len(sel)
		return &c
	case v.dict != nil:
		return v.gatherShared(sel)
	case v.codes != nil:
		return v.gatherCodes(sel)
	case v.vals == nil && v.nulls == nil && v.ints != nil:
		out := newVector(v.typ, len(sel))
		for to, from := range sel {
			out.ints[to] = v.ints[from]
		}
		out.within = v.within
		return out
	}
	return v.gatherEach(sel)
}

func (v *vector) gatherEach(sel []int32) *vector {
	if v.packed != nil {
		out := &vector{typ: v.typ, n: len(sel), strs: make([]string, len(sel))}
		for to, from := range sel {
			if from >= 0 {
				out.strs[to] = v.packed.at(int(from))
			}
		}
		return out
	}
	if v.unread() {
		out := &vector{typ: Dynamic, n: len(sel), strs: make([]string, len(sel))}
		for to, from := range sel {
			if from >= 0 {
				out.strs[to] = v.strs[v.at(int(from))]
			}
		}
		return out
	}
	out := newVector(v.typ, len(sel))
	known := v.within
	for to, row := range sel {
		if row < 0 {
			known = nil
			out.setNull(to)
			continue
		}
		from := v.at(int(row))
		switch {
		case v.nulls != nil && v.nulls[from]:
			out.setNull(to)
		case v.vals != nil:
			out.vals[to] = v.vals[from]
		case v.reals != nil:
			out.reals[to] = v.reals[from]
		case v.strs != nil:
			out.strs[to] = v.strs[from]
		default:
			out.ints[to] = v.ints[from]
		}
	}
	out.within = known
	return out
}

// gatherCodes keeps only the elements that a row still has. An expression over
// the elements must not meet one that a filter has taken out.
func (v *vector) gatherCodes(sel []int32) *vector {
	const none = 0xffff
	moved := make([]uint16, v.distinct())
	for i := range moved {
		moved[i] = none
	}
	codes := make([]uint16, len(sel))
	var kept []int32
	for to, from := range sel {
		code := v.codes[from]
		if moved[code] == none {
			moved[code] = uint16(len(kept))
			kept = append(kept, int32(code))
		}
		codes[to] = moved[code]
	}
	out := v.elements().gather(kept)
	if len(kept) < len(sel) {
		out.codes, out.n = codes, len(sel)
	}
	return out // without codes where each row has its own, as they came in order
}

// slice returns rows from up to, without copying what they have but for packed texts.
func (v *vector) slice(from, to int) *vector {
	s := *v.unpacked()
	v = &s
	s.n = to - from
	switch {
	case v.constant:
		return &s
	case v.codes != nil:
		s.codes = v.codes[from:to]
		return &s
	case v.wide != nil:
		s.wide = v.wide[from:to]
		return &s
	}
	if v.nulls != nil {
		s.nulls = v.nulls[from:to]
	}
	switch {
	case v.vals != nil:
		s.vals = v.vals[from:to]
	case v.reals != nil:
		s.reals = v.reals[from:to]
	case v.strs != nil:
		s.strs = v.strs[from:to]
	default:
		s.ints = v.ints[from:to]
	}
	return &s
}

// flat returns the same rows with an element of its own for each.
func (v *vector) flat() *vector {
	if v.isFlat() {
		return v
	}
	out := &vector{typ: v.typ}
	out.appendVector(v)
	return out
}

// inOneVector puts the rows of some vectors of a table's column together. Rows that share
// elements go on doing so.
func inOneVector(parts []*vector) *vector {
	first := parts[0]
	oneDictionary, oneElement, someShared, canShare := true, true, false, true
	for _, v := range parts {
		oneDictionary = oneDictionary && v.dict != nil && v.dict == first.dict && (v.codes != nil || v.wide != nil)
		oneElement = oneElement && v.constant && sameElement(v, first)
		someShared = someShared || v.codes != nil
		canShare = canShare && v.dict == nil && v.strs != nil && v.wide == nil && !v.constant
	}
	switch {
	case oneDictionary:
		return joinCodes(parts)
	case oneElement:
		out := *first
		out.n = 0
		for _, v := range parts {
			out.n += v.n
		}
		return &out
	case someShared && canShare:
		return joinTexts(parts)
	}
	out := &vector{typ: first.typ}
	for _, v := range parts {
		out.appendVector(v)
	}
	return out
}

// sameElement says whether the first elements of two vectors are the same text, or both null.
func sameElement(a, b *vector) bool {
	x, y := a.value(0), b.value(0)
	return x.kind == y.kind && (x.IsNull() || x.kind == String && x.s == y.s)
}

// joinCodes is inOneVector for vectors that have one dictionary.
func joinCodes(parts []*vector) *vector {
	out := *parts[0]
	out.n, out.codes, out.wide = 0, nil, nil
	isWide := false
	for _, v := range parts {
		out.n += v.n
		isWide = isWide || v.codes == nil
		if v.distinct() > out.distinct() { // it knows more of the dictionary
			out.strs, out.vals, out.ints, out.reals, out.nulls = v.strs, v.vals, v.ints, v.reals, v.nulls
		}
	}
	if !isWide {
		out.codes = make([]uint16, 0, out.n)
		for _, v := range parts {
			out.codes = append(out.codes, v.codes...)
		}
		return &out
	}
	out.wide = make([]uint32, 0, out.n)
	for _, v := range parts {
		for row := range v.n {
			out.wide = append(out.wide, v.code(row))
		}
	}
	return &out
}

// joinTexts is inOneVector for vectors of texts, or of JSON that nobody has looked into, in
// some of which rows share them. It gives one of what several have. The vectors are of one
// batch together, which has no more rows than codes can tell apart.
func joinTexts(parts []*vector) *vector {
	out := &vector{typ: parts[0].typ}
	known := make(map[string]uint16)
	for _, v := range parts {
		codes := make([]uint16, len(v.strs))
		for i, text := range v.strs {
			code, ok := known[text]
			if !ok {
				code = uint16(len(out.strs))
				known[text] = code
				out.strs = append(out.strs, text)
			}
			codes[i] = code
		}
		if v.codes == nil {
			out.codes = append(out.codes, codes...)
		}
		for _, code := range v.codes {
			out.codes = append(out.codes, codes[code])
		}
	}
	out.n = len(out.codes)
	return out
}

// appendVector adds all rows of w, which is of the same type. Where there is
// JSON on both sides that nobody has looked into, it stays so.
func (v *vector) appendVector(w *vector) {
	v.within = nil
	w = w.unpacked()
	if v.n == 0 && w.unread() {
		v.vals, v.strs = nil, v.strs[:0:0]
	} else if v.n > 0 && v.unread() != w.unread() {
		*v = *v.looked()
		w = w.looked()
	}
	if v.nulls != nil || w.nulls != nil {
		if v.nulls == nil {
			v.nulls = make([]bool, v.n, v.n+w.n)
		}
		if w.nulls == nil {
			v.nulls = append(v.nulls, make([]bool, w.n)...)
		} else {
			v.nulls = appendRows(v.nulls, w.nulls, w)
		}
	}
	switch {
	case v.typ == Real:
		v.reals = appendRows(v.reals, w.reals, w)
	case v.typ == String || w.unread():
		v.strs = appendRows(v.strs, w.strs, w)
	case v.typ.boxed():
		v.vals = appendRows(v.vals, w.vals, w)
	default:
		v.ints = appendRows(v.ints, w.ints, w)
	}
	v.n += w.n
}

// appendRows adds an element of w for each of its rows.
func appendRows[T any](to, elements []T, w *vector) []T {
	if w.isFlat() {
		return append(to, elements...)
	}
	to = slices.Grow(to, w.n)
	for row := range w.n {
		to = append(to, elements[w.at(row)])
	}
	return to
}

// appendValue adds one element, which is null or of the vector's type.
func (v *vector) appendValue(val Value) {
	v.within = nil
	if v.n > 0 && v.unread() {
		*v = *v.looked()
	}
	switch {
	case v.typ == Real:
		v.reals = append(v.reals, 0)
	case v.typ == String:
		v.strs = append(v.strs, "")
	case v.typ.boxed():
		v.vals = append(v.vals, Value{})
	default:
		v.ints = append(v.ints, 0)
	}
	if v.nulls != nil {
		v.nulls = append(v.nulls, false)
	}
	v.n++
	v.set(v.n-1, val)
}
