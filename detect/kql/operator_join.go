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
	where  bool // on is one condition behind where
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
			panic(syntaxError(o.value.pos(), "unknown kind of %s '%s': use one of %s", operator, given, strings.Join(allowed, ", ")))
		}
		n.kind, n.kindAt = kind.text, o.span
	}
	n.right = p.postfix()
	p.mentions.table(n.right)
	if t := p.cur(); t.word("where") && !n.lookup {
		p.advance()
		n.where, n.on = true, []node{p.expr()}
		n.span = at.to(p.last())
		return n
	}
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

// bind finds the pairs of keys, and which columns of which side go out.
func (n *joinNode) bind(b *binder, left relation) relation {
	right := b.relation(n.right)
	j := &join{left: left, right: right, kind: n.kind}
	shared := make(map[*column]bool) // right keys, which a lookup leaves out
	for _, cond := range n.on {
		if n.where {
			b.joinWhere(j, cond)
			continue
		}
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
		names := newNaming("", new(int))
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
			panic(joinTypesError(n.span, l.typ, r.typ))
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
	panic(semanticError(n.pos(), "SEM0001", "a join condition is the name of a column of both tables, or $left.a == $right.b"))
}

// joinWhere binds what a join has behind where in place of on: columns of either table
// by their bare names, in any order.
func (b *binder) joinWhere(j *join, n node) {
	if n, ok := n.(*binary); ok {
		switch n.op {
		case "and":
			b.joinWhere(j, n.left)
			b.joinWhere(j, n.right)
			return
		case "==":
			l, r := b.eitherColumn(n.left, j.left, "$left"), b.eitherColumn(n.right, j.right, "$right")
			if l == nil || r == nil {
				l, r = b.eitherColumn(n.right, j.left, "$left"), b.eitherColumn(n.left, j.right, "$right")
			}
			if l != nil && r != nil {
				j.leftKeys = append(j.leftKeys, &columnExpr{col: l})
				j.rightKeys = append(j.rightKeys, &columnExpr{col: r})
				return
			}
		}
	}
	panic(unsupportedError(n.pos(), "a join takes a column of its left table == one of its right table behind where, and no other condition: move it into a where behind the join"))
}

// eitherColumn is the column of a table that a name stands for, nil if there is none.
func (b *binder) eitherColumn(n node, of relation, side string) *column {
	switch n := n.(type) {
	case *name:
		return columnIn(of.columns(), n.text)
	case *path:
		if ref, ok := n.of.(*name); ok && ref.text == side {
			return columnIn(of.columns(), n.key)
		}
	}
	return nil
}

// sideColumn binds $left.column or $right.column.
func (b *binder) sideColumn(n node, side string, of relation) *column {
	if p, ok := n.(*path); ok {
		if ref, ok := p.of.(*name); ok && ref.text == side {
			return b.columnNamed(pattern{n.pos(), p.key}, of.columns())
		}
	}
	panic(semanticError(n.pos(), "SEM0001", "this side of the join condition must be %s.column", side))
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
		panic(semanticError(at, "SEM0117", "a dynamic can not be joined on: tostring() or another conversion gives it a type"))
	case lt == rt:
	case lt.isNumber() && rt.isNumber():
		t := widest(lt, rt)
		j.leftKeys[i], j.rightKeys[i] = converted(l, t), converted(r, t)
	default:
		panic(joinTypesError(at, lt, rt))
	}
}

func joinTypesError(at span, left, right Type) *problem {
	return semanticError(at, "SEM0025", "join compares a %s with a %s: convert one of them", left, right)
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

func (j *join) explain(x *explainer) explained {
	on := make([]string, len(j.leftKeys))
	for i := range on {
		on[i] = "$left." + x.expr(j.leftKeys[i]) + " == $right." + x.expr(j.rightKeys[i])
	}
	return explained{
		text:  "join kind=" + j.kind + " on " + strings.Join(on, ", "),
		gives: chosen(j.cols, j.need), inputs: []relation{j.left, j.right},
	}
}

// run reads the right side first and holds it; the left side passes by.
func (j *join) run(x *execution, emit func(*batch) error) error {
	held, err := j.hold(x)
	if err != nil {
		return err
	}
	defer held.free()
	switch kind := joinKinds[j.kind]; {
	case kind.semi == "left" || kind.anti == "left":
		return held.chooseLeft(x, kind.semi == "left", emit)
	case kind.semi == "right" || kind.anti == "right":
		return held.chooseRight(x, kind.semi == "right", emit)
	}
	return held.pair(x, emit)
}

// rightSide is the side of a join that is held. It has the rows, and the number
// of each row's key.
type rightSide struct {
	*join
	*rows
	keys *keyIndex
	ids  []int32
}

// hold reads the right side. What it needs for each row is charged before it is
// there: the keys, unless they are columns, and the row's key and its place among
// the partners.
func (j *join) hold(x *execution) (*rightSide, error) {
	right, err := collect(j.right, x)
	if err != nil {
		return nil, err
	}
	r := &rightSide{join: j, rows: right, keys: newKeyIndex(typesOf(j.rightKeys))}
	if err := r.number(); err != nil {
		right.free()
		return nil, err
	}
	return r, nil
}

// number gives each row the number of its key, a batch at a time.
func (r *rightSide) number() error {
	if err := r.held.add(24 * int64(r.n)); err != nil {
		return err
	}
	vecs, err := evaluated(r.rightKeys, r.rows)
	if err != nil {
		return err
	}
	r.ids = make([]int32, 0, r.n)
	charged := int64(0)
	return emitRows(&rows{n: r.n, cols: vecs}, func(b *batch) error {
		r.ids = append(r.ids, matchable(r.keys.number(b.cols, b.n, nil), b.cols)...)
		before := charged
		charged = r.keys.size()
		if err := r.held.add(charged - before); err != nil {
			return err
		}
		return r.held.x.stopped()
	})
}

// leftIDs gives the number of each left row's key, noKey where there is no
// partner.
func (r *rightSide) leftIDs(b *batch) []int32 {
	vecs := evalAll(r.held.x, r.leftKeys, b)
	return matchable(r.keys.numbered(vecs, b.n), vecs)
}

// chooseLeft gives the left rows that have a partner, or those that have none.
func (r *rightSide) chooseLeft(x *execution, partner bool, emit func(*batch) error) error {
	hasKey := make([]bool, r.keys.n)
	for _, id := range r.ids {
		if id != noKey {
			hasKey[id] = true
		}
	}
	return r.left.run(x, func(b *batch) error {
		ids := r.leftIDs(b)
		return r.emitSide(b.n, b.cols, func(row int) bool {
			return (ids[row] != noKey && hasKey[ids[row]]) == partner
		}, emit)
	})
}

// chooseRight gives the right rows that have a partner, or those that have none.
func (r *rightSide) chooseRight(x *execution, partner bool, emit func(*batch) error) error {
	hasKey := make([]bool, r.keys.n)
	err := r.left.run(x, func(b *batch) error {
		for _, id := range r.leftIDs(b) {
			if id != noKey {
				hasKey[id] = true
			}
		}
		return x.stopped()
	})
	if err != nil {
		return err
	}
	return r.emitSide(r.n, r.rows.cols, func(row int) bool {
		return (r.ids[row] != noKey && hasKey[r.ids[row]]) == partner
	}, emit)
}

// pair gives each left row with each of its partners. The rows without one
// follow if the kind keeps them.
func (r *rightSide) pair(x *execution, emit func(*batch) error) error {
	kind := joinKinds[r.kind]
	p := &pairing{join: r.join, x: x, right: r.rows.cols, emit: emit}
	partners := newPartners(r.ids, int(r.keys.n))
	used := make([]bool, r.n)
	once := make([]bool, r.keys.n)
	err := r.left.run(x, func(b *batch) error {
		p.left = b.cols
		for row, id := range r.leftIDs(b) {
			if id == noKey {
				if kind.left {
					if err := p.add(int32(row), -1); err != nil {
						return err
					}
				}
				continue
			}
			if r.kind == "innerunique" {
				if once[id] {
					continue
				}
				once[id] = true
			}
			for _, partner := range partners.of(id) {
				used[partner] = true
				if err := p.add(int32(row), partner); err != nil {
					return err
				}
			}
		}
		return p.flush()
	})
	if err != nil {
		return err
	}
	if !kind.right {
		return nil
	}
	p.left = make([]*vector, len(r.left.columns()))
	for i, c := range r.left.columns() {
		p.left[i] = constantVector(c.typ, Value{}, 0)
	}
	for row, u := range used {
		if !u {
			if err := p.add(-1, int32(row)); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

// matchable takes the keys out that hold a null: it matches nothing.
func matchable(ids []int32, keys []*vector) []int32 {
	for row, null := range anyNull(keys, len(ids)) {
		if null {
			ids[row] = noKey
		}
	}
	return ids
}

// partners are the rows of each key, in order.
type partners struct {
	start []int32 // where those of a key begin, by its number
	rows  []int32
}

func newPartners(ids []int32, keys int) *partners {
	p := &partners{start: make([]int32, keys+1)}
	matched := int32(0)
	for _, id := range ids {
		if id != noKey {
			p.start[id]++
			matched++
		}
	}
	p.rows = make([]int32, matched)
	at := matched
	for id := keys; id >= 0; id-- {
		at -= p.start[id]
		p.start[id] = at
	}
	next := slices.Clone(p.start)
	for row, id := range ids {
		if id != noKey {
			p.rows[next[id]] = int32(row)
			next[id]++
		}
	}
	return p
}

func (p *partners) of(id int32) []int32 { return p.rows[p.start[id]:p.start[id+1]] }

// pairing gathers pairs of rows and emits them in batches; -1 stands for a row
// of nulls.
type pairing struct {
	*join
	x                   *execution
	left, right         []*vector
	fromLeft, fromRight []int32
	emit                func(*batch) error
}

func (p *pairing) add(l, r int32) error {
	p.fromLeft, p.fromRight = append(p.fromLeft, l), append(p.fromRight, r)
	if len(p.fromLeft) < chunkRows {
		return nil
	}
	if err := p.x.makes(chunkRows); err != nil {
		return err
	}
	return p.flush()
}

func (p *pairing) flush() error {
	if len(p.fromLeft) == 0 {
		return nil
	}
	out := &batch{n: len(p.fromLeft), cols: make([]*vector, len(p.cols))}
	for i := range p.cols {
		switch {
		case !p.need[i]:
		case i < len(p.outLeft):
			out.cols[i] = p.left[slices.Index(p.join.left.columns(), p.outLeft[i])].gather(p.fromLeft)
		default:
			out.cols[i] = p.right[slices.Index(p.join.right.columns(), p.outRight[i-len(p.outLeft)])].gather(p.fromRight)
		}
	}
	p.fromLeft, p.fromRight = p.fromLeft[:0], p.fromRight[:0]
	return p.emit(out)
}

// emitSide lets through the rows of one side, whose columns are the output's,
// that a test keeps.
func (j *join) emitSide(n int, cols []*vector, keep func(row int) bool, emit func(*batch) error) error {
	var sel []int32
	for row := range n {
		if keep(row) {
			sel = append(sel, int32(row))
		}
	}
	if len(sel) == 0 {
		return nil
	}
	kept := &rows{n: n, cols: make([]*vector, len(j.cols))}
	for i := range j.cols {
		if j.need[i] {
			kept.cols[i] = cols[i]
		}
	}
	return emitPicked(kept, sel, emit)
}
