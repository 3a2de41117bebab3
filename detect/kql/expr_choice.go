package kql

import (
	"maps"
	"slices"
)

// choosable reports whether iff and case may evaluate their arguments only for the
// rows that choose them: each says the same of a row whatever rows are with it, and no
// value has a named expression that one behind it has too. That would be computed for
// some rows and then for all, and again at each level of a chain of such.
func choosable(args []expr) bool {
	first := map[*applyExpr]int{} // the argument that has a named expression
	for i, a := range args {
		if !ofTheRow(a) || sharesNamed(a, i, first) {
			return false
		}
	}
	return true
}

func sharesNamed(e expr, arg int, first map[*applyExpr]int) bool {
	if a, ok := e.(*applyExpr); ok && a.named {
		at, known := first[a]
		if known { // a predicate, which stands at an even place, is computed for all it is asked of
			return at != arg && at%2 == 1
		}
		first[a] = arg
	}
	for _, child := range e.children() {
		if sharesNamed(child, arg, first) {
			return true
		}
	}
	return false
}

// replaceable reports whether coalesce may evaluate its arguments behind the first only
// for the rows that need them: each says the same of a row whatever rows are with it,
// and no two of them have a named expression, which would be computed again.
func replaceable(args []expr) bool {
	named := make(map[*applyExpr]bool)
	for _, a := range args {
		own := make(map[*applyExpr]bool)
		if !ofTheRow(a) || anyNamed(a, func(e *applyExpr) bool { own[e] = true; return named[e] }) {
			return false
		}
		maps.Copy(named, own)
	}
	return true
}

// anyNamed says whether a test holds for one of the named expressions within another.
func anyNamed(e expr, test func(*applyExpr) bool) bool {
	if a, ok := e.(*applyExpr); ok && a.named && test(a) {
		return true
	}
	return slices.ContainsFunc(e.children(), func(child expr) bool { return anyNamed(child, test) })
}

// coalesced evaluates coalesce, whose first argument is known, if that says enough of
// half the rows or more. It gives nil if not.
func (e *applyExpr) coalesced(x *execution, b *batch, first *vector) *vector {
	if first.constant || first.typ != e.t {
		return nil
	}
	sel := rowsWhere(first, isEmptyAt)
	switch {
	case len(sel) == 0:
		return first
	case len(sel) > b.n/2:
		return nil
	}
	next := e.args[1]
	if len(e.args) > 2 {
		rest := *e
		rest.args, rest.named, rest.of = e.args[1:], false, nil
		next = &rest
	}
	from := next.eval(x, b.only(sel, e.args[1:]...))
	out := &vector{typ: e.t}
	out.appendVector(first)
	for i, row := range sel {
		out.set(int(row), from.value(i))
	}
	return out
}

// isEmptyAt is isempty() of a row.
func isEmptyAt(v *vector, row int) bool {
	if v.typ == String {
		return v.strs[v.at(row)] == ""
	}
	return v.isNull(row)
}

// chosen evaluates iff or case. Each value is computed for the rows that choose it,
// and each predicate for those that none before is true for, as far as that leaves
// out half of them or more. The first predicate is known.
func (e *applyExpr) chosen(x *execution, b *batch, first *vector) *vector {
	out := newVector(e.t, b.n)
	total := int64(0)
	take := func(of expr, in *batch, from, to []int32) {
		if len(from) == 0 {
			return
		}
		part := in
		if len(from) <= in.n/2 {
			part = in.only(from, of)
		}
		v := of.eval(x, part)
		if len(from) == b.n && part == b && v.typ == out.typ && !v.typ.boxed() {
			out = v // which all rows choose
			return
		}
		for i, row := range from {
			if i%rowsBetweenLooks == rowsBetweenLooks-1 {
				goOn(x, 0)
			}
			if part != in {
				row = int32(i)
			}
			val := v.value(int(row))
			if total += checkSize(val); total > maxBatchSize {
				panic(limitError("an expression makes more than %d MiB of text for %d rows", maxBatchSize>>20, b.n))
			}
			out.set(int(to[i]), val)
		}
	}
	// left are the rows of in that are not decided, and at is where they are in b.
	in, left := b, make([]int32, b.n)
	for row := range left {
		left[row] = int32(row)
	}
	at := left
	for i := 0; i+1 < len(e.args) && len(left) > 0; i += 2 {
		goOn(x, 0)
		holds := first
		if i > 0 {
			if len(left) <= in.n/2 {
				in = in.only(left, e.args[i:]...)
				for row := range left {
					left[row] = int32(row)
				}
			}
			holds = e.args[i].eval(x, in)
		}
		var from, to, rest, restAt []int32
		for k, row := range left {
			if isTrueAt(holds, int(row)) {
				from, to = append(from, row), append(to, at[k])
			} else {
				rest, restAt = append(rest, row), append(restAt, at[k])
			}
		}
		take(e.args[i+1], in, from, to)
		left, at = rest, restAt
	}
	take(e.args[len(e.args)-1], in, left, at)
	return out
}

// only is a batch of some of the rows, with what expressions need of them: columns,
// and what named expressions within them gave already.
func (b *batch) only(sel []int32, of ...expr) *batch {
	part := &batch{n: len(sel), cols: make([]*vector, len(b.cols)), memo: make(map[*applyExpr]*vector)}
	var gather func(e expr)
	gather = func(e expr) {
		switch e := e.(type) {
		case *columnExpr:
			if part.cols[e.at] == nil {
				part.cols[e.at] = b.cols[e.at].choose(sel)
			}
			return
		case *applyExpr:
			if part.memo[e] != nil {
				return
			}
			if known := b.memo[e]; e.named && known != nil {
				part.memo[e] = known.choose(sel)
				return
			}
		}
		for _, child := range e.children() {
			gather(child)
		}
	}
	for _, e := range of {
		gather(e)
	}
	return part
}
