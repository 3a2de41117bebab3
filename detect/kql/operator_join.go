package kql

import (
	"maps"
	"slices"
	"strings"
)

// joinNode is join kind=... (right) on conditions, and lookup.
type joinNode struct {
	span
	lookup bool
	kind   string
	kindAt span
	right  node
	on     []node
}

// joinKinds say what a kind keeps beside the pairs that match.
var joinKinds = map[string]struct {
	left, right bool // rows without a partner, of that side
	semi        string
	anti        string
}{
	"innerunique":  {},
	"inner":        {},
	"leftouter":    {left: true},
	"rightouter":   {right: true},
	"fullouter":    {left: true, right: true},
	"leftsemi":     {semi: "left"},
	"rightsemi":    {semi: "right"},
	"leftanti":     {anti: "left"},
	"anti":         {anti: "left"},
	"leftantisemi": {anti: "left"},
	"rightanti":    {anti: "right"}, "rightantisemi": {anti: "right"},
}

func parseJoin(p *parser, at span) operatorNode {
	return parseJoinRest(p, at, &joinNode{kind: "innerunique"}, "join")
}

func parseLookup(p *parser, at span) operatorNode {
	return parseJoinRest(p, at, &joinNode{kind: "leftouter", lookup: true}, "lookup")
}

func parseJoinRest(p *parser, at span, n *joinNode, operator string) operatorNode {
	if o, ok := p.options(operator, "kind")["kind"]; ok {
		kind, isName := o.value.(*name)
		allowed := slices.Sorted(maps.Keys(joinKinds))
		if n.lookup {
			allowed = []string{"inner", "leftouter"}
		}
		if !isName || !slices.Contains(allowed, kind.text) {
			given := p.text[o.value.pos().start:o.value.pos().end]
			failSyntax(o.value.pos(), "unknown kind of %s '%s': use one of %s", operator, given, strings.Join(allowed, ", "))
		}
		n.kind, n.kindAt = kind.text, o.span
	}
	n.right = p.postfix()
	p.expectWord("on", "after the table to "+operator)
	for {
		n.on = append(n.on, p.expr())
		if !p.accept(",") {
			break
		}
	}
	n.span = at.to(p.last())
	return n
}

func (n *joinNode) bind(b *binder, left relation) relation {
	right := b.relation(n.right)
	j := &join{left: left, right: right, kind: n.kind}
	shared := make(map[*column]bool) // right keys, which a lookup leaves out
	for _, cond := range n.on {
		b.joinCondition(j, cond, shared)
	}
	for i, l := range j.leftKeys {
		j.unify(b, i, n.on[0].pos(), l)
	}
	kind := joinKinds[n.kind]
	switch {
	case kind.semi == "left" || kind.anti == "left":
		j.outLeft = left.columns()
		j.cols = copyColumns(left.columns())
	case kind.semi == "right" || kind.anti == "right":
		j.outRight = right.columns()
		j.cols = copyColumns(right.columns())
	default:
		// A right column keeps its name unless a left one has it: then it gets
		// a number that neither side uses.
		names := newNaming("", 0)
		for _, c := range slices.Concat(left.columns(), right.columns()) {
			names.taken[c.name] = true
		}
		j.outLeft = left.columns()
		j.cols = copyColumns(left.columns())
		for _, c := range right.columns() {
			if n.lookup && shared[c] {
				continue // a lookup adds columns, and the key is there
			}
			j.outRight = append(j.outRight, c)
			name := c.name
			if columnIn(left.columns(), name) != nil {
				name = names.unique(name)
			}
			j.cols = append(j.cols, &column{name, c.typ})
		}
	}
	return j
}

func copyColumns(cols []*column) []*column {
	out := make([]*column, len(cols))
	for i, c := range cols {
		out[i] = &column{c.name, c.typ}
	}
	return out
}

// joinCondition binds Name, $left.a == $right.b, or several joined by and.
func (b *binder) joinCondition(j *join, n node, shared map[*column]bool) {
	switch n := n.(type) {
	case *name:
		l := b.columnNamed(pattern{n.span, n.text}, j.left.columns())
		r := b.columnNamed(pattern{n.span, n.text}, j.right.columns())
		if l.typ != r.typ {
			failJoinTypes(n.span, l.typ, r.typ)
		}
		shared[r] = true
		j.leftKeys = append(j.leftKeys, &columnExpr{col: l})
		j.rightKeys = append(j.rightKeys, &columnExpr{col: r})
		return
	case *binary:
		switch n.op {
		case "and":
			b.joinCondition(j, n.left, shared)
			b.joinCondition(j, n.right, shared)
			return
		case "==":
			l := b.sideColumn(n.left, "$left", j.left)
			r := b.sideColumn(n.right, "$right", j.right)
			shared[r] = true
			j.leftKeys = append(j.leftKeys, &columnExpr{col: l})
			j.rightKeys = append(j.rightKeys, &columnExpr{col: r})
			return
		}
	}
	failSemantic(n.pos(), "SEM0001", "a join condition is the name of a column of both tables, or $left.a == $right.b")
}

// sideColumn binds $left.column or $right.column.
func (b *binder) sideColumn(n node, side string, of relation) *column {
	if p, ok := n.(*path); ok {
		if ref, ok := p.of.(*name); ok && ref.text == side {
			return b.columnNamed(pattern{n.pos(), p.key}, of.columns())
		}
	}
	failSemantic(n.pos(), "SEM0001", "this side of the join condition must be %s.column", side)
	panic("unreachable")
}

// join pairs the rows of two relations whose keys are equal. Its output is in
// the order of the left rows, then of the right ones.
type join struct {
	left, right         relation
	kind                string
	leftKeys, rightKeys []expr
	outLeft, outRight   []*column // what goes out of each side, in order
	cols                []*column
	need                []bool
}

// unify gives a pair of keys one type.
func (j *join) unify(b *binder, i int, at span, l expr) {
	r := j.rightKeys[i]
	lt, rt := l.typ(), r.typ()
	switch {
	case lt == Dynamic || rt == Dynamic:
		failSemantic(at, "SEM0117", "a dynamic can not be joined on: tostring() or another conversion gives it a type")
	case lt == rt:
	case lt.isNumber() && rt.isNumber():
		t := widest(lt, rt)
		j.leftKeys[i], j.rightKeys[i] = converted(l, t), converted(r, t)
	default:
		failJoinTypes(at, lt, rt)
	}
}

func failJoinTypes(at span, left, right Type) {
	failSemantic(at, "SEM0025", "join compares a %s with a %s: convert one of them", left, right)
}

func (j *join) columns() []*column { return j.cols }

func (j *join) prepare(need map[*column]bool) {
	j.need = make([]bool, len(j.cols))
	left, right := make(map[*column]bool), make(map[*column]bool)
	for i, c := range j.cols {
		j.need[i] = need[c]
		if !need[c] {
			continue
		}
		if i < len(j.outLeft) {
			left[j.outLeft[i]] = true
		} else {
			right[j.outRight[i-len(j.outLeft)]] = true
		}
	}
	if j.kind == "innerunique" {
		// One left row of each key is kept; which one shows only in its columns.
		for _, k := range j.leftKeys {
			needs(k, left)
		}
	}
	for i := range j.leftKeys {
		needs(j.leftKeys[i], left)
		needs(j.rightKeys[i], right)
	}
	j.left.prepare(left)
	j.right.prepare(right)
	for i := range j.leftKeys {
		resolve(j.leftKeys[i], j.left.columns())
		resolve(j.rightKeys[i], j.right.columns())
	}
}

// keysOf gives the key of each row. A null matches nothing.
func keysOf(r *rows, keys []expr) (texts []string, null []bool) {
	b := &batch{n: r.n, cols: r.cols}
	vecs := make([]*vector, len(keys))
	for i, k := range keys {
		vecs[i] = k.eval(b)
	}
	texts, null = make([]string, r.n), make([]bool, r.n)
	var buf []byte
	for row := range r.n {
		buf = buf[:0]
		for _, v := range vecs {
			val := v.value(row)
			null[row] = null[row] || val.IsNull()
			buf = groupKey(buf, val)
		}
		texts[row] = string(buf)
	}
	return texts, null
}

func (j *join) run(x *execution, emit func(*batch) error) error {
	left, err := collect(j.left, x)
	if err != nil {
		return err
	}
	right, err := collect(j.right, x)
	if err != nil {
		return err
	}
	leftKeys, leftNull := keysOf(left, j.leftKeys)
	rightKeys, rightNull := keysOf(right, j.rightKeys)
	kind := joinKinds[j.kind]
	if kind.semi == "right" || kind.anti == "right" {
		has := make(map[string]bool, left.n)
		for i, k := range leftKeys {
			if !leftNull[i] {
				has[k] = true
			}
		}
		return j.emitSide(right, len(j.outLeft), func(i int) bool { return (!rightNull[i] && has[rightKeys[i]]) == (kind.semi == "right") }, emit)
	}
	index := make(map[string][]int32, right.n)
	for i, k := range rightKeys {
		if !rightNull[i] {
			index[k] = append(index[k], int32(i))
		}
	}
	if kind.semi == "left" || kind.anti == "left" {
		return j.emitSide(left, 0, func(i int) bool { return (!leftNull[i] && len(index[leftKeys[i]]) > 0) == (kind.semi == "left") }, emit)
	}
	var fromLeft, fromRight []int32
	flush := func() error {
		out := &batch{n: len(fromLeft), cols: make([]*vector, len(j.cols))}
		for i := range j.cols {
			if !j.need[i] {
				continue
			}
			if i < len(j.outLeft) {
				out.cols[i] = gatherFrom(left, j.left.columns(), j.outLeft[i], fromLeft)
			} else {
				out.cols[i] = gatherFrom(right, j.right.columns(), j.outRight[i-len(j.outLeft)], fromRight)
			}
		}
		fromLeft, fromRight = fromLeft[:0], fromRight[:0]
		if out.n == 0 {
			return nil
		}
		return emit(out)
	}
	pair := func(l, r int32) error {
		fromLeft, fromRight = append(fromLeft, l), append(fromRight, r)
		if len(fromLeft) < chunkRows {
			return nil
		}
		if err := x.makes(chunkRows); err != nil {
			return err
		}
		return flush()
	}
	used := make([]bool, right.n)
	once := make(map[string]bool)
	for l, k := range leftKeys {
		var partners []int32
		if !leftNull[l] {
			partners = index[k]
		}
		if j.kind == "innerunique" {
			if once[k] {
				continue
			}
			once[k] = true
		}
		for _, r := range partners {
			used[r] = true
			if err := pair(int32(l), r); err != nil {
				return err
			}
		}
		if len(partners) == 0 && kind.left {
			if err := pair(int32(l), -1); err != nil {
				return err
			}
		}
	}
	if kind.right {
		for r, u := range used {
			if !u {
				if err := pair(-1, int32(r)); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// gatherFrom picks rows of one column of a side.
func gatherFrom(r *rows, cols []*column, c *column, sel []int32) *vector {
	return r.cols[slices.Index(cols, c)].gather(sel)
}

// emitSide lets through the rows of one side that a test keeps.
func (j *join) emitSide(side *rows, first int, keep func(row int) bool, emit func(*batch) error) error {
	var sel []int32
	for i := range side.n {
		if keep(i) {
			sel = append(sel, int32(i))
		}
	}
	out := &rows{n: len(sel), cols: make([]*vector, len(j.cols))}
	for i := range j.cols {
		if j.need[i] {
			out.cols[i] = side.cols[first+i].gather(sel)
		}
	}
	return emitRows(out, emit)
}
