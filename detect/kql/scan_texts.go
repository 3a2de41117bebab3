package kql

import (
	"slices"
	"strings"
)

// textBound says that one of several conditions must hold, each of the text of one column,
// as a filter right above a scan wants it: UserId in~ (...) or UserPrincipalName in~ (...).
// Where the columns have dictionaries, the scan finds by these which of a segment's rows can
// pass, and gives no others; the filter still looks at those.
type textBound struct {
	any []textCondition
}

type textCondition struct {
	at   int // the column
	expr *applyExpr
}

// textBounds finds what the filters among stages want of texts. The last stage is the one
// above the scan.
func (s *scan) textBounds(stages []stage) (bounds []*textBound) {
	var find func(e expr)
	find = func(e expr) {
		if any, ok := s.anyOf(e); ok && len(any) > 0 {
			bounds = append(bounds, &textBound{any})
		} else if ap, ok := e.(*applyExpr); ok && ap.op == "and" {
			find(ap.args[0])
			find(ap.args[1])
		}
	}
	for i := len(stages) - 1; i >= 0; i-- {
		f, ok := stages[i].(*filter)
		if !ok {
			break
		}
		find(f.predicate)
	}
	return bounds
}

// anyOf gives conditions of one text each, of which one must hold for another to hold. It
// reports false for one that can hold without.
func (s *scan) anyOf(e expr) (any []textCondition, ok bool) {
	ap, ok := e.(*applyExpr)
	if !ok {
		c, ok := e.(*constExpr)
		return nil, ok && !c.val.isTrue()
	}
	if ap.items != nil || ap.op == "==" {
		of := onlyColumn(ap.args)
		if of == nil || of.col.typ != String {
			return nil, false
		}
		at := slices.Index(s.cols, of.col)
		return []textCondition{{at, ap}}, at >= 0
	}
	switch ap.op {
	case "or":
		left, ok := s.anyOf(ap.args[0])
		if !ok {
			return nil, false
		}
		right, ok := s.anyOf(ap.args[1])
		return slices.Concat(left, right), ok
	case "and":
		if any, ok = s.anyOf(ap.args[0]); ok {
			return any, true
		}
		return s.anyOf(ap.args[1])
	}
	return nil, false
}

// onlyColumn returns the column that one of the arguments is, if the others are constants.
// Dearer conditions, of what a function makes of a text, are left to the filter, which asks
// them for the texts of its rows alone.
func onlyColumn(args []expr) (of *columnExpr) {
	for _, a := range args {
		switch a := a.(type) {
		case *constExpr:
		case *columnExpr:
			if of != nil {
				return nil
			}
			of = a
		default:
			return nil
		}
	}
	return of
}

// text says which columns are looked at.
func (t *textBound) text(s *scan) string {
	var names []string
	for _, c := range t.any {
		if name := s.cols[c.at].name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return "only rows with such texts in " + strings.Join(names, " or ")
}

// holdsFor says for each element of a dictionary whether a condition holds.
type holdsFor struct {
	expr *applyExpr
	dict *dictionary
}

// holds gives for which elements of a segment's column the condition holds. It gives nil if
// the segment has no dictionary there, or one so large that it is not worth it for the rows
// that are read.
func (c *textCondition) holds(x *execution, s *scan, v *vector, rows int) []bool {
	if v.dict == nil || v.codes == nil && v.wide == nil {
		return nil
	}
	return once(x, holdsFor{c.expr, v.dict}, func() []bool {
		last := v // of the vectors that have the dictionary, the one that knows most of it
		for i := range s.table.segments {
			if w := s.table.segments[i].cols[c.at]; w.dict == v.dict && w.distinct() > last.distinct() {
				last = w
			}
		}
		held := memory{x: x.all()}
		n := last.distinct()
		if n > rows/2 || held.add(int64(n)) != nil {
			return nil
		}
		all := make([]bool, n)
		for from := 0; from < n; from += chunkRows {
			part := *last
			part.n, part.codes, part.wide = min(n-from, chunkRows), nil, make([]uint32, min(n-from, chunkRows))
			for i := range part.wide {
				part.wide[i] = uint32(from + i)
			}
			b := &batch{n: part.n, cols: make([]*vector, len(s.cols)), memo: make(map[*applyExpr]*vector)}
			b.cols[c.at] = &part
			got := c.expr.eval(x, b)
			for i := range part.n {
				all[from+i] = isTrueAt(got, i)
			}
		}
		return all
	})
}

// choose gives which of a segment's rows can pass. It reports true if most can, or if that
// is not known. rows is how many the scan reads in all, at most.
func (t *textBound) choose(x *execution, s *scan, seg *segment, rows int) (sel []int32, most bool) {
	lists := make([][]bool, len(t.any))
	for i := range t.any {
		if lists[i] = t.any[i].holds(x, s, seg.cols[t.any[i].at], rows); lists[i] == nil {
			return nil, true
		}
	}
	can := make([]bool, seg.n)
	n := 0
	for i, holds := range lists {
		if v := seg.cols[t.any[i].at]; v.codes != nil {
			n += note(can, v.codes, holds)
		} else {
			n += note(can, v.wide, holds)
		}
	}
	if n > seg.n/2 {
		return nil, true
	}
	sel = make([]int32, 0, n)
	for row, ok := range can {
		if ok {
			sel = append(sel, int32(row))
		}
	}
	return sel, false
}

// note notes the rows for whose elements something holds, and returns how many.
func note[T uint16 | uint32](rows []bool, codes []T, holds []bool) (n int) {
	for row, code := range codes[:len(rows)] {
		if holds[code] {
			rows[row] = true
			n++
		}
	}
	return n
}
