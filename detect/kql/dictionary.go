package kql

import (
	"slices"
	"sync"
)

// dictionary is what the vectors of a column's segments have in common: their
// elements. It only says that they are the same; these are in each vector.
type dictionary struct {
	// lasting is set of a table's, which is there for more than one query. Without it, it
	// could be that two have one address, as values without any size.
	lasting *lasting
}

// noteColumn finds out of which expressions within e one column says all.
func noteColumn(e expr) (of *columnExpr, ok bool) {
	switch e := e.(type) {
	case *constExpr:
		return nil, true
	case *columnExpr:
		return e, true
	case *applyExpr:
		ok = !e.readsTable || e.sameInRun
		for _, a := range e.args {
			one, fixed := noteColumn(a)
			switch {
			case !fixed || one != nil && of != nil && one.col != of.col:
				ok = false
			case one != nil:
				of = one
			}
		}
		e.of = nil
		if ok {
			e.of = of
		}
		return e.of, ok
	case *subqueryExpr:
		return nil, !e.ofAPart
	}
	for _, child := range e.children() {
		noteColumn(child)
	}
	return nil, false
}

// code is the number of a row's element, in a vector that has a dictionary.
func (v *vector) code(row int) uint32 {
	if v.codes != nil {
		return uint32(v.codes[row])
	}
	return v.wide[row]
}

// gatherShared is gather for a vector that has a dictionary.
func (v *vector) gatherShared(sel []int32) *vector {
	out := *v
	out.n = len(sel)
	if v.codes != nil {
		out.codes = make([]uint16, len(sel))
		for to, from := range sel {
			out.codes[to] = v.codes[from]
		}
		return &out
	}
	out.wide = make([]uint32, len(sel))
	for to, from := range sel {
		out.wide[to] = v.wide[from]
	}
	return &out
}

// share appends the rows of w, which has texts, if all so far have the same dictionary,
// and keeps it. It reports false, and has none any more, if they do not.
func (v *vector) share(w *vector, held *memory) bool {
	if v.typ != String || w.dict == nil || v.n > 0 && v.dict != w.dict {
		if v.dict != nil {
			held.claim(vectorBytes(v.typ, v.n))
			*v = *v.flat()
		}
		return false
	}
	if v.n == 0 && w.n > 0 {
		v.dict = w.dict
	}
	if v.dict == nil {
		return true // no rows at all
	}
	v.strs = w.strs // of what the rows need it has as much as any
	switch {
	case w.codes != nil && v.wide == nil:
		v.codes = append(enlarged(v.codes, w.n, held), w.codes...)
	default:
		wide := enlarged(v.wide, w.n, held)
		for _, code := range v.codes {
			wide = append(wide, uint32(code))
		}
		v.codes = nil
		for row := range w.n {
			wide = append(wide, w.code(row))
		}
		v.wide = wide
	}
	v.n += w.n
	return true
}

// numbers is where the used elements of a dictionary are numbered, one more than
// what each is to be. It is all zero between uses.
var numbers = sync.Pool{New: func() any { return new([]uint16) }}

// used lists the elements that the rows of a vector with a dictionary have, and
// for each row which of them it is.
func (v *vector) used() (elements []int32, codes []uint16) {
	scratch := numbers.Get().(*[]uint16)
	if n := v.distinct(); len(*scratch) < n {
		*scratch = make([]uint16, n)
	}
	number := *scratch
	codes = make([]uint16, v.n)
	for row := range codes {
		code := v.code(row)
		if number[code] == 0 {
			elements = append(elements, int32(code))
			number[code] = uint16(len(elements))
		}
		codes[row] = number[code] - 1
	}
	for _, code := range elements {
		number[code] = 0
	}
	numbers.Put(scratch)
	return elements, codes
}

// maxUsed is the most rows of which the used elements can be numbered.
const maxUsed = 1<<16 - 1

// compact gives a vector with a dictionary the form in which it has those elements
// alone that its rows have.
func (v *vector) compact() *vector {
	if v.n > maxUsed {
		return v.flat()
	}
	elements, codes := v.used()
	return v.withElements(elements, codes)
}

func (v *vector) withElements(elements []int32, codes []uint16) *vector {
	out := v.allElements().gather(elements)
	if len(elements) < v.n {
		out.codes, out.n = codes, v.n
	}
	return out // without codes where each row has its own, as they came in order
}

// allElements gives all elements of a dictionary as a vector without one. Not all
// of them need be known.
func (v *vector) allElements() *vector {
	e := *v
	e.codes, e.wide, e.dict, e.n = nil, nil, nil, v.distinct()
	return &e
}

// sharedElements is elementsOf for arguments with a dictionary. It reports false for
// others.
func sharedElements(args []*vector, rows int) (once []*vector, codes []uint16, ok bool) {
	var first *vector
	for _, a := range args {
		switch {
		case a.constant:
		case a.dict == nil:
			return nil, nil, slices.ContainsFunc(args, func(a *vector) bool { return a.dict != nil })
		case first == nil:
			first = a
		case !sameCodes(first, a):
			return nil, nil, true
		}
	}
	if first == nil {
		return nil, nil, false
	}
	if rows == 0 || rows > maxUsed {
		return nil, nil, true
	}
	elements, codes := first.used()
	if len(elements) == rows {
		return nil, nil, true // sharing saves nothing
	}
	once = make([]*vector, len(args))
	for i, a := range args {
		if a.constant {
			c := *a
			c.n = len(elements)
			once[i] = &c
		} else {
			once[i] = a.allElements().gather(elements)
		}
	}
	return once, codes, true
}

// sameCodes says whether the rows of two vectors have the same codes because these
// are made from the same column.
func sameCodes(a, b *vector) bool {
	if len(a.codes) > 0 && len(b.codes) > 0 {
		return &a.codes[0] == &b.codes[0]
	}
	return len(a.wide) > 0 && len(b.wide) > 0 && &a.wide[0] == &b.wide[0]
}

// answers are what an expression gave for the elements of a dictionary, while a
// query runs. Each is computed once, when the first row that has the element comes:
// an expression must not meet one that a filter takes out everywhere.
type answers struct {
	mu     sync.Mutex
	waiter *sync.Cond
	state  []uint8 // of each element: nobody asked, somebody computes it, known
	of     *vector // what it gave, with room for all
	dict   *dictionary
	held   memory
	full   bool  // no more are kept: they would take too much
	most   int64 // how large those may get that last, which no query is charged for
	size   int64 // of them
}

const (
	notAsked = iota
	beingComputed
	isKnown
)

type answersOf struct {
	of   *applyExpr
	dict *dictionary
}

// shareOfAnswers is what part of a query's memory the answers of one expression may
// take, and all that the query holds while they are begun.
const shareOfAnswers = 8

// maxUnasked is how many elements a dictionary may have for each row of a batch, for the
// answers to all of them to be worth their room.
const maxUnasked = 16

// beginAnswers makes the answers of an expression for a dictionary, or nil if there is no
// room for them.
func beginAnswers(x *execution, t Type, elements int) *answers {
	size := answersBytes(t, elements)
	if x.within((x.all().held.Load()+size)*shareOfAnswers) != nil {
		return nil
	}
	a := newAnswers(t, elements)
	a.held.x = x.all()
	if err := a.held.add(size); err != nil {
		panic(runFailure{err})
	}
	return a
}

func answersBytes(t Type, elements int) int64 { return vectorBytes(t, elements) + int64(elements) }

func newAnswers(t Type, elements int) *answers {
	a := &answers{state: make([]uint8, elements), of: newVector(t, elements), dict: new(dictionary)}
	a.waiter = sync.NewCond(&a.mu)
	return a
}

// remembered computes an expression over a column with a dictionary. It gives nil if
// there is no room to keep what it gave.
func (e *applyExpr) remembered(x *execution, b *batch) *vector {
	col := b.cols[e.of.at]
	var a *answers
	if e.lasting != "" && col.dict.lasting != nil {
		a = col.dict.lasting.keep(e.lasting, e.t, col.distinct())
	}
	if a == nil {
		if col.distinct() > maxUnasked*b.n {
			return nil // most of the answers would never be asked for
		}
		a = once(x, answersOf{e, col.dict}, func() *answers { return beginAnswers(x, e.t, col.distinct()) })
	}
	if a == nil || !a.complete(x, e, b, col) {
		return nil
	}
	a.mu.Lock()
	out := *a.of
	a.mu.Unlock()
	out.n, out.codes, out.wide, out.dict = b.n, col.codes, col.wide, a.dict
	return &out
}

// complete sees to it that what the rows of a column have is known.
func (a *answers) complete(x *execution, e *applyExpr, b *batch, col *vector) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		var missing []int32
		waiting := false
		for row := range col.n {
			code := col.code(row)
			switch a.state[code] {
			case notAsked:
				a.state[code] = beingComputed
				missing = append(missing, int32(code))
			case beingComputed:
				waiting = true
			}
		}
		switch {
		case len(missing) > 0 && a.full:
			a.forget(missing)
			return false
		case len(missing) > 0:
			a.compute(x, e, b, col, missing)
		case waiting:
			a.waiter.Wait()
		default:
			return true
		}
	}
}

// forget gives up elements that nobody computes.
func (a *answers) forget(list []int32) {
	for _, code := range list {
		a.state[code] = notAsked
	}
	a.waiter.Broadcast()
}

// compute asks the expression for elements that are missing. Others may ask it for
// other ones meanwhile.
func (a *answers) compute(x *execution, e *applyExpr, b *batch, col *vector, missing []int32) {
	part := &batch{n: len(missing), cols: make([]*vector, len(b.cols)), memo: make(map[*applyExpr]*vector)}
	part.cols[e.of.at] = col.allElements().gather(missing)
	done := false
	defer func() {
		if !done { // it panicked, without the lock
			a.mu.Lock()
			a.forget(missing)
		}
	}()
	a.mu.Unlock()
	got := e.compute(x, part)
	a.mu.Lock()
	done = true
	size := int64(0)
	for i, code := range missing {
		val := got.value(i)
		a.of.set(int(code), val)
		size += val.held()
		a.state[code] = isKnown
	}
	a.waiter.Broadcast()
	if a.most > 0 {
		a.size += size
		a.full = a.size > a.most
		return
	}
	_ = a.held.add(size)
	a.full = x.within(a.held.held*shareOfAnswers) != nil
}
