package kql

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
)

// sortNode is sort by keys; with limit it is top.
type sortNode struct {
	span
	keys  []sortKey
	limit node
}

// sortKey is an expression with its direction. Without one it is descending;
// nulls are first when ascending and last when descending, unless it says.
type sortKey struct {
	expr       node
	ascending  bool
	nullsFirst bool
}

func parseSort(p *parser, at span) operatorNode {
	n := &sortNode{}
	p.options("sort")
	p.expectWord("by", "after sort")
	n.keys = p.sortKeys()
	n.span = at.to(p.last())
	return n
}

func parseTop(p *parser, at span) operatorNode {
	n := &sortNode{limit: p.expr()}
	p.expectWord("by", "after the number of rows")
	n.keys = []sortKey{p.sortKey()}
	if t := p.cur(); t.is(",") {
		panic(syntaxError(t.span, "top orders by one expression; sort by several, then take"))
	}
	n.span = at.to(p.last())
	return n
}

func (p *parser) sortKeys() []sortKey {
	keys := []sortKey{p.sortKey()}
	for p.accept(",") {
		keys = append(keys, p.sortKey())
	}
	return keys
}

func (p *parser) sortKey() sortKey {
	k := sortKey{expr: p.expr()}
	if p.cur().word("asc") || p.cur().word("desc") {
		k.ascending = p.advance().text == "asc"
	}
	if t := p.cur(); t.word("granny") {
		panic(unsupportedError(t.span, "the order granny of numbers in texts is not supported in sort; asc and desc are"))
	}
	k.nullsFirst = k.ascending
	if p.acceptWord("nulls") {
		switch t := p.cur(); {
		case t.word("first") || t.word("last"):
			p.advance()
			k.nullsFirst = t.text == "first"
		default:
			panic(p.unexpected("expected first or last after nulls"))
		}
	}
	return k
}

// limitOf binds a number of rows.
func (b *binder) limitOf(n node) int64 {
	c, ok := b.constantOf(b.expr(n, nil))
	if ok && c == nil {
		return 0
	}
	if !ok || c.t != Long && c.t != Int || c.val.IsNull() || c.val.n < 0 {
		panic(semanticError(n.pos(), "SEM0001", "the number of rows must be an integer that does not depend on the row, and not negative"))
	}
	return c.val.n
}

func (n *sortNode) bind(b *binder, in relation) relation {
	s := &sorting{in: in, limit: -1}
	if n.limit != nil {
		s.limit = b.limitOf(n.limit)
	}
	for _, k := range n.keys {
		e := b.expr(k.expr, in.columns())
		if e.typ() == Dynamic {
			panic(semanticError(k.expr.pos(), "SEM0117", "a dynamic has no order: tostring() or another conversion gives it one"))
		}
		s.by = append(s.by, e)
	}
	s.keys = n.keys
	return s
}

type sorting struct {
	in    relation
	by    []expr
	keys  []sortKey
	limit int64 // -1 is none
	need  []bool
}

func (s *sorting) columns() []*column { return s.in.columns() }

func (s *sorting) prepare(need map[*column]bool) {
	below := make(map[*column]bool)
	for _, c := range s.in.columns() {
		below[c] = need[c]
		s.need = append(s.need, need[c])
	}
	for _, e := range s.by {
		needs(e, below)
	}
	s.in.prepare(below)
	for _, e := range s.by {
		resolve(e, s.in.columns())
	}
}

func (s *sorting) explain(x *explainer) explained {
	keys := x.all(s.by)
	for i, k := range s.keys {
		order, nulls := " desc", " nulls last"
		if k.ascending {
			order = " asc"
		}
		if k.nullsFirst {
			nulls = " nulls first"
		}
		keys[i] += order
		if k.nullsFirst != k.ascending {
			keys[i] += nulls
		}
	}
	text := "sort by "
	if s.limit >= 0 {
		text = fmt.Sprintf("top %d by ", s.limit)
	}
	return explained{text: text + strings.Join(keys, ", "), gives: chosen(s.columns(), s.need), inputs: []relation{s.in}}
}

func (s *sorting) run(x *execution, emit func(*batch) error) error {
	in := s.in
	if 0 <= s.limit && s.limit <= mostLeading && !slices.ContainsFunc(s.by, func(e expr) bool { return !ofTheRow(e) }) {
		in = &leading{s.in, s}
	}
	all, err := collect(in, x)
	if err != nil {
		return err
	}
	defer all.free()
	vecs, err := evaluated(s.by, all)
	if err != nil {
		return err
	}
	if err := all.held.add(4 * int64(all.n)); err != nil {
		return err
	}
	for i, v := range vecs {
		if v.typ == String && v.dict != nil && v.n > v.distinct() {
			if err := all.held.add(int64(v.n+v.distinct()) * 8); err != nil {
				return err
			}
			vecs[i] = v.ranks()
		}
	}
	sel := make([]int32, all.n)
	for i := range sel {
		sel[i] = int32(i)
	}
	// Rows that are equal stay in their order. To compare them by it is faster
	// than a stable sort.
	order := func(x, y int32) int { return s.order(vecs, x, y) }
	if x.workers > 1 && len(sel) >= sortedAtOnce {
		if err := all.held.add(4 * int64(all.n)); err != nil {
			return err
		}
		sel = sortedInHalves(sel, order)
	} else {
		slices.SortFunc(sel, order)
	}
	if s.limit >= 0 && int64(len(sel)) > s.limit {
		sel = sel[:s.limit]
	}
	return emitPicked(all, sel, emit)
}

// sortedAtOnce is how many rows are worth two goroutines.
const sortedAtOnce = 16 << 10

// sortedInHalves sorts rows on two goroutines.
func sortedInHalves(sel []int32, order func(x, y int32) int) []int32 {
	a, b := sel[:len(sel)/2], sel[len(sel)/2:]
	var half sync.WaitGroup
	half.Go(func() { slices.SortFunc(a, order) })
	slices.SortFunc(b, order)
	half.Wait()
	merged := make([]int32, 0, len(sel))
	for len(a) > 0 && len(b) > 0 {
		from := &a
		if order(a[0], b[0]) > 0 {
			from = &b
		}
		merged = append(merged, (*from)[0])
		*from = (*from)[1:]
	}
	return append(append(merged, a...), b...)
}

// order compares two rows by the keys, and those that are equal by where they are.
func (s *sorting) order(keys []*vector, x, y int32) int {
	for i, v := range keys {
		if order := s.keys[i].order(v, int(x), int(y)); order != 0 {
			return order
		}
	}
	return cmp.Compare(x, y)
}

// leading keeps of each batch the rows that can be among the first that a top gives.
type leading struct {
	relation
	of *sorting
}

// mostLeading is how many rows a top may give for which this is worth it: each row is
// compared with the last of those that lead, and put among them if it is before it.
const mostLeading = 64

func (l *leading) input() relation { return l.relation }

func (l *leading) run(x *execution, emit func(*batch) error) error { return runStages(l, x, emit) }

func (l *leading) apply(x *execution, b *batch, emit func(*batch) error) error {
	most := int(l.of.limit)
	if b.n <= most {
		return emit(b)
	}
	keys := evalAll(x, l.of.by, b)
	sel := make([]int32, 0, most+1)
	for row := range int32(b.n) {
		if len(sel) == most && (most == 0 || l.of.order(keys, sel[most-1], row) < 0) {
			continue
		}
		at, _ := slices.BinarySearchFunc(sel, row, func(one, row int32) int { return l.of.order(keys, one, row) })
		sel = slices.Insert(sel, at, row)[:min(len(sel)+1, most)]
	}
	if most == 0 {
		return nil
	}
	slices.Sort(sel)
	return emit(b.choose(sel))
}

// ranks gives for each row of a vector with a dictionary of texts the place of its
// text among those that the rows have. It compares as they do.
func (v *vector) ranks() *vector {
	place := make([]int64, v.distinct())
	var texts []int32
	for row := range v.n {
		if code := v.code(row); place[code] == 0 {
			place[code] = 1
			texts = append(texts, int32(code))
		}
	}
	slices.SortFunc(texts, func(x, y int32) int { return strings.Compare(v.strs[x], v.strs[y]) })
	at := int64(0)
	for i, code := range texts {
		if i > 0 && v.strs[code] != v.strs[texts[i-1]] {
			at++
		}
		place[code] = at
	}
	out := newVector(Long, v.n)
	for row := range out.ints {
		out.ints[row] = place[v.code(row)]
	}
	return out
}

func (k sortKey) order(v *vector, x, y int) int {
	sign := -1
	if k.ascending {
		sign = 1
	}
	switch {
	case v.typ == String:
		return sign * strings.Compare(v.strs[v.at(x)], v.strs[v.at(y)])
	case v.nulls == nil && isWhole(v.typ):
		return sign * cmp.Compare(v.ints[v.at(x)], v.ints[v.at(y)])
	}
	xn, yn := v.isNull(x), v.isNull(y)
	if !xn && !yn && isWhole(v.typ) {
		return sign * cmp.Compare(v.ints[v.at(x)], v.ints[v.at(y)])
	}
	xv, yv := v.value(x), v.value(y)
	if order := cmp.Compare(nullness(xv), nullness(yv)); order != 0 {
		if k.nullsFirst {
			return -order
		}
		return order
	}
	if xn || yn {
		return 0
	}
	return sign * sortOrder(xv, yv)
}

// nullness is how far a value goes with the nulls, whatever the direction. NaN
// is between them and the numbers.
func nullness(v Value) int {
	switch {
	case v.IsNull():
		return 2
	case v.kind == Real && math.IsNaN(v.real()):
		return 1
	}
	return 0
}

// takeNode is take: the first rows that come.
type takeNode struct {
	span
	limit node
}

func parseTake(p *parser, at span) operatorNode {
	limit := p.expr()
	return &takeNode{at.to(limit.pos()), limit}
}

func (n *takeNode) bind(b *binder, in relation) relation {
	return &taking{in: in, limit: b.limitOf(n.limit)}
}

type taking struct {
	in    relation
	limit int64
	need  []bool
}

func (t *taking) columns() []*column { return t.in.columns() }

func (t *taking) prepare(need map[*column]bool) {
	for _, c := range t.in.columns() {
		t.need = append(t.need, need[c])
	}
	t.in.prepare(need)
}

func (t *taking) explain(*explainer) explained {
	return explained{text: fmt.Sprintf("take %d", t.limit), gives: chosen(t.columns(), t.need), inputs: []relation{t.in}}
}

// errEnough ends the input of a take early.
var errEnough = &LimitError{Message: "enough rows"}

func (t *taking) run(x *execution, emit func(*batch) error) error {
	left := t.limit
	if left == 0 {
		return nil
	}
	enough := *errEnough // one of its own, so that nested takes differ
	err := t.in.run(x, func(b *batch) error {
		if int64(b.n) > left {
			cut := &batch{n: int(left), cols: make([]*vector, len(b.cols))}
			for i, c := range b.cols {
				if c != nil {
					cut.cols[i] = c.slice(0, int(left))
				}
			}
			b = cut
		}
		left -= int64(b.n)
		if err := emit(b); err != nil {
			return err
		}
		if left == 0 {
			return &enough
		}
		return nil
	})
	if err == error(&enough) {
		return nil
	}
	return err
}
