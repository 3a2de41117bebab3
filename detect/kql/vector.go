package kql

// vector is a run of values of one type: a column of a table, or what an
// expression gives for a batch. One that is constant holds a single element
// that stands for every row.
type vector struct {
	typ      Type
	n        int
	constant bool
	nulls    []bool    // nil when nothing is null
	ints     []int64   // Bool, DateTime, Int, Long, TimeSpan
	reals    []float64 // Real
	strs     []string  // String
	vals     []Value   // Dynamic, GUID, Decimal
}

// newVector makes a vector of n elements, all zero and none null (boxed
// elements, whose zero is null, excepted).
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

func (v *vector) at(i int) int {
	if v.constant {
		return 0
	}
	return i
}

func (v *vector) isNull(i int) bool {
	i = v.at(i)
	if v.vals != nil {
		if v.vals[i].kind == kindJSON {
			v.vals[i] = parsedJSON(v.vals[i])
		}
		return v.vals[i].kind == kindNull
	}
	return v.nulls != nil && v.nulls[i]
}

// value returns element i. JSON text that nobody has looked into is parsed now
// and kept parsed, so a vector belongs to one goroutine at a time.
func (v *vector) value(i int) Value {
	i = v.at(i)
	if v.vals != nil {
		if v.vals[i].kind == kindJSON {
			v.vals[i] = parsedJSON(v.vals[i])
		}
		return v.vals[i]
	}
	if v.nulls != nil && v.nulls[i] {
		return Value{}
	}
	switch v.typ {
	case Real:
		return realValue(v.reals[i])
	case String:
		return stringValue(v.strs[i])
	}
	return Value{kind: v.typ, n: v.ints[i]}
}

func (v *vector) setNull(i int) {
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

// gather returns the elements that sel names, in its order. A negative index
// gives null.
func (v *vector) gather(sel []int32) *vector {
	if v.constant {
		for _, i := range sel {
			if i < 0 {
				return v.flat().gather(sel)
			}
		}
		c := *v
		c.n = len(sel)
		return &c
	}
	out := newVector(v.typ, len(sel))
	for to, from := range sel {
		switch {
		case from < 0 || v.nulls != nil && v.nulls[from]:
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
	return out
}

// slice returns elements from up to, without copying them.
func (v *vector) slice(from, to int) *vector {
	s := *v
	s.n = to - from
	if v.constant {
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

// flat returns the same elements with none shared.
func (v *vector) flat() *vector {
	if !v.constant {
		return v
	}
	out := newVector(v.typ, v.n)
	val := v.value(0)
	for i := range v.n {
		out.set(i, val)
	}
	return out
}

// appendVector adds all elements of w, which is of the same type.
func (v *vector) appendVector(w *vector) {
	w = w.flat()
	if v.nulls != nil || w.nulls != nil {
		if v.nulls == nil {
			v.nulls = make([]bool, v.n, v.n+w.n)
		}
		if w.nulls != nil {
			v.nulls = append(v.nulls, w.nulls...)
		} else {
			v.nulls = append(v.nulls, make([]bool, w.n)...)
		}
	}
	switch {
	case v.typ == Real:
		v.reals = append(v.reals, w.reals...)
	case v.typ == String:
		v.strs = append(v.strs, w.strs...)
	case v.typ.boxed():
		v.vals = append(v.vals, w.vals...)
	default:
		v.ints = append(v.ints, w.ints...)
	}
	v.n += w.n
}

// appendValue adds one element, which is null or of the vector's type.
func (v *vector) appendValue(val Value) {
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
