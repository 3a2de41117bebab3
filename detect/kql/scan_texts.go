package kql

import (
	"slices"
	"strings"
)

// textBound is what a filter right above a scan wants of texts: one of several conditions
// must hold, each of the text of one column, as in UserId in~ (...) or UserPrincipalName
// in~ (...). Where the columns have dictionaries, the scan finds by these which of a
// segment's rows can pass, and gives no others; the filter still looks at those.
type textBound struct {
	oneOf []textCondition
}

type textCondition struct {
	at    int // the column
	expr  *applyExpr
	lasts bool // it is a function whose answers are kept: only an index is asked for it
}

// textBounds finds what conditions want of texts that must all hold.
func (s *scan) textBounds(conditions []expr) (bounds []*textBound) {
	for _, e := range conditions {
		if oneOf, ok := s.oneOf(e); ok && len(oneOf) > 0 {
			bounds = append(bounds, &textBound{oneOf})
		}
	}
	return bounds
}

// oneOf gives conditions, each of one text column, at least one of which holds wherever e
// holds. It reports false if there are none such. An empty list means that e never holds.
func (s *scan) oneOf(e expr) (list []textCondition, ok bool) {
	ap, ok := e.(*applyExpr)
	if !ok {
		c, ok := e.(*constExpr)
		return nil, ok && !c.val.isTrue()
	}
	switch ap.op {
	case "or":
		if list, ok = s.oneOf(ap.args[0]); ok {
			var right []textCondition
			right, ok = s.oneOf(ap.args[1])
			list = slices.Concat(list, right)
		}
	case "and":
		var right []textCondition
		var also bool
		list, ok = s.oneOf(ap.args[0])
		if right, also = s.oneOf(ap.args[1]); also && (!ok || anyLasts(list)) {
			list, ok = right, true
		}
	default:
		list, ok = s.conditionOf(ap)
	}
	if !ok && ap.lasting != "" && ap.of != nil {
		// It is a function, and gives the same for a text in every query.
		at := slices.Index(s.cols, ap.of.col)
		return []textCondition{{at, ap, true}}, at >= 0 && ap.of.col.typ == String
	}
	return list, ok
}

// conditionOf gives a comparison of one text column with constants. What is dearer, or reads
// a table, is left to the filter: it asks for the texts of those rows alone that come to it.
func (s *scan) conditionOf(ap *applyExpr) (list []textCondition, ok bool) {
	isIn := ap.items != nil && (ap.items.op == "in" || ap.items.op == "in~")
	if !isIn && ap.op != "==" || ap.readsTable {
		return nil, false
	}
	of := onlyColumn(ap.args)
	if of == nil || of.col.typ != String {
		return nil, false
	}
	at := slices.Index(s.cols, of.col)
	return []textCondition{{at, ap, false}}, at >= 0
}

// anyLasts says whether a function is among conditions whose answers are kept.
func anyLasts(list []textCondition) bool {
	return slices.ContainsFunc(list, func(c textCondition) bool { return c.lasts })
}

// onlyColumn returns the column that one of the arguments is, if the others are constants.
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

// note says in a plan which columns are looked at.
func (t *textBound) note(s *scan) string {
	var names []string
	for _, c := range t.oneOf {
		if name := s.cols[c.at].name; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	note := "rows are chosen by the texts in " + strings.Join(names, " or ")
	if anyLasts(t.oneOf) {
		note += ", if the table is large and asked often"
	}
	return note
}

// holdsKey is under what once keeps for which elements of a dictionary a condition holds.
type holdsKey struct {
	expr *applyExpr
	dict *dictionary
}

// maxElements is how many elements a dictionary may have, as one in so many of the rows
// that are read, for a condition to be asked for all of them.
const maxElements = 4

// rowsPerElement is how many rows must be read for each element of a dictionary, for a
// function to be asked for all of them.
const rowsPerElement = 32

// holds gives for which elements of the dictionary of a segment's column the condition
// holds. It gives nil if asking for all of them is not worth it for the rows that are read,
// or there is no room to keep it.
func (c *textCondition) holds(x *execution, s *scan, v *vector, rows int) []bool {
	return once(x, holdsKey{c.expr, v.dict}, func() []bool {
		last := v // of the vectors that have the dictionary, the one that knows most of it
		for i := range s.table.segments {
			if w := s.table.segments[i].cols[c.at]; w.dict == v.dict && w.distinct() > last.distinct() {
				last = w
			}
		}
		n := last.distinct()
		if n > rows/maxElements || x.within((x.all().held.Load()+int64(n))*shareOfAnswers) != nil {
			return nil
		}
		held := memory{x: x.all()}
		if err := held.add(int64(n)); err != nil {
			panic(runFailure{err})
		}
		list := make([]bool, 0, n)
		for part := range slices.Chunk(allCodes(n), chunkRows) {
			list = append(list, c.holdsFor(x, s, last, part)...)
		}
		return list
	})
}

// allCodes lists the codes of a dictionary with so many elements.
func allCodes(elements int) []uint32 {
	codes := make([]uint32, elements)
	for code := range codes {
		codes[code] = uint32(code)
	}
	return codes
}

// holdsFor gives for which of some elements of the dictionary of a vector the condition holds.
func (c *textCondition) holdsFor(x *execution, s *scan, v *vector, elements []uint32) []bool {
	part := *v
	part.n, part.codes, part.wide = len(elements), nil, elements
	b := &batch{n: part.n, cols: make([]*vector, len(s.cols)), memo: make(map[*applyExpr]*vector)}
	b.cols[c.at] = &part
	got := c.expr.eval(x, b)
	list := make([]bool, part.n)
	for i := range list {
		list[i] = isTrueAt(got, i)
	}
	return list
}

// find finds by the indexes of the table which rows of its segments, from one up to
// another, can pass. It reports false if there are none of the columns, and nil if most can
// pass. rows is how many the scan reads, at most.
func (t *textBound) find(x *execution, s *scan, from, to, rows int) (set *rowSet, ok bool) {
	for _, c := range t.oneOf {
		of := s.table.sharedTexts(c.at)
		if of == nil || c.lasts && of.distinct() > rows/rowsPerElement {
			return nil, false
		}
	}
	indexes := make([]*textIndex, len(t.oneOf))
	for i, c := range t.oneOf {
		indexes[i] = s.table.textIndex(c.at)
	}
	words := (to - from) * segmentWords
	if slices.Contains(indexes, nil) || x.within((x.all().held.Load()+8*int64(words))*shareOfAnswers) != nil {
		return nil, false
	}
	first, end := uint32(from*chunkRows), uint32(to*chunkRows)
	var lists [][]uint32
	n := 0
	for i, ix := range indexes {
		codes, known := ix.codes(x, s, &t.oneOf[i])
		if !known {
			return nil, false
		}
		for _, code := range codes {
			list := ix.between(code, first, end)
			if n += len(list); n > rows {
				return nil, true
			}
			lists = append(lists, list)
		}
	}
	set = &rowSet{first: from, bits: make([]uint64, words)}
	for _, list := range lists {
		set.add(list)
	}
	if set.measure(); set.n > rows/2 {
		return nil, true
	}
	return set, true
}

// choose gives which of a segment's rows can pass. It reports false if choosing is not
// worth it: most can, or it is not known. rows is how many the scan reads, at most.
func (t *textBound) choose(x *execution, s *scan, seg *segment, rows int) (sel []int32, ok bool) {
	for _, c := range t.oneOf {
		if v := seg.cols[c.at]; c.lasts || v.dict == nil || v.codes == nil && v.wide == nil {
			return nil, false
		}
	}
	can := make([]bool, seg.n)
	n := 0
	for _, c := range t.oneOf {
		v := seg.cols[c.at]
		holds := c.holds(x, s, v, rows)
		switch {
		case holds == nil:
			return nil, false
		case v.codes != nil:
			n += noteRows(can, v.codes, holds)
		default:
			n += noteRows(can, v.wide, holds)
		}
	}
	if n > seg.n/2 {
		return nil, false
	}
	sel = make([]int32, 0, n)
	for row, ok := range can {
		if ok {
			sel = append(sel, int32(row))
		}
	}
	return sel, true
}

// noteRows notes the rows for whose elements something holds, and returns how many of them
// were not noted before.
func noteRows[T uint16 | uint32](rows []bool, codes []T, holds []bool) (n int) {
	for row, code := range codes[:len(rows)] {
		if holds[code] && !rows[row] {
			rows[row] = true
			n++
		}
	}
	return n
}
