package kql

import (
	"slices"
)

// topNestedNode is top-nested N of expression by aggregate, and so on: the values
// with the greatest aggregates, and within each of them those of the next level.
type topNestedNode struct {
	span
	levels []topLevel
}

type topLevel struct {
	limit     node // or nil, for all
	of        named
	others    node // or nil
	by        named
	ascending bool
}

func parseTopNested(p *parser, at span) operatorNode {
	n := &topNestedNode{}
	for {
		l := topLevel{}
		if !p.cur().word("of") {
			l.limit = p.expr()
		}
		p.expectWord("of", "before the expression")
		l.of = p.namedExpr()
		if p.acceptWord("with") {
			p.expectWord("others", "after with")
			p.expect("=", "after others")
			l.others = p.expr()
		}
		p.expectWord("by", "before the aggregate")
		l.by = p.namedExpr()
		if p.cur().word("asc") || p.cur().word("desc") {
			l.ascending = p.advance().text == "asc"
		}
		n.levels = append(n.levels, l)
		if !p.accept(",") {
			break
		}
		if p.cur().kind != tokName || p.operatorName() != "top-nested" {
			panic(p.unexpected("expected top-nested after the comma"))
		}
	}
	n.span = at.to(p.last())
	return n
}

func (n *topNestedNode) bind(b *binder, in relation) relation {
	t := &topNested{in: in}
	names := b.columnNaming()
	for _, l := range n.levels {
		level := nestedLevel{limit: -1, ascending: l.ascending}
		if l.limit != nil {
			level.limit = b.limitOf(l.limit)
		}
		key := b.namedColumn(l.of, in.columns())
		level.key = key.e
		if l.others != nil {
			c, ok := b.constantOf(b.expr(l.others, nil))
			if !ok {
				panic(semanticError(l.others.pos(), "SEM0001", "what stands for others must be a constant"))
			}
			level.others = new(Value)
			if c != nil {
				*level.others = convert(c.val, key.e.typ())
			}
		}
		level.groups = &grouping{in: in}
		b.agg = &aggregation{in: in, out: level.groups}
		by := b.namedColumn(l.by, nil)
		if !b.agg.used && !b.errs.follows(l.by.pos()) {
			b.agg = nil
			panic(semanticError(l.by.pos(), "SEM0001", "an aggregate is expected here, such as sum(), count() or max()"))
		}
		b.agg = nil
		if by.e.typ() == Dynamic {
			panic(semanticError(l.by.pos(), "SEM0117", "a dynamic has no order: tostring() or another conversion gives it one"))
		}
		for _, a := range level.groups.aggs {
			if len(a.cols) > 1 {
				panic(semanticError(l.by.pos(), "SEM0001", "top-nested orders by one value, and this gives several"))
			}
			level.results = append(level.results, a.cols...)
		}
		level.by = by.e
		keyName := names.unique(key.name)
		byName := "aggregated_" + keyName
		if len(l.by.names) == 1 {
			byName = by.name
		}
		t.cols = append(t.cols, &column{keyName, key.e.typ()}, &column{names.unique(byName), by.e.typ()})
		t.levels = append(t.levels, level)
	}
	return t
}

type topNested struct {
	in     relation
	levels []nestedLevel
	cols   []*column // two of each level
}

type nestedLevel struct {
	limit     int64 // -1 is none
	key       expr
	others    *Value
	groups    *grouping // the aggregates
	results   []*column // of these
	by        expr      // over the results
	ascending bool
}

func (t *topNested) columns() []*column { return t.cols }

func (t *topNested) exprs() (all []expr) {
	for _, l := range t.levels {
		all = append(all, l.key)
		for _, a := range l.groups.aggs {
			all = append(all, a.args...)
		}
	}
	return all
}

func (t *topNested) prepare(map[*column]bool) {
	below := make(map[*column]bool)
	for _, e := range t.exprs() {
		needs(e, below)
	}
	t.in.prepare(below)
	for _, e := range t.exprs() {
		resolve(e, t.in.columns())
	}
	for _, l := range t.levels {
		resolve(l.by, l.results)
	}
}

func (t *topNested) explain(x *explainer) explained {
	text := "top-nested"
	for i, l := range t.levels {
		if i > 0 {
			text += ","
		}
		text += " of " + x.expr(l.key) + " by " + x.columnName(t.cols[2*i+1])
	}
	return explained{text: text, gives: t.cols, inputs: []relation{t.in}}
}

// run collects what the levels read of the rows, and descends from the first
// level to the last.
func (t *topNested) run(x *execution, emit func(*batch) error) error {
	all, err := collect(t.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	r := &nestedRun{t: t, x: x, held: memory{x: x}}
	defer r.held.free()
	for _, l := range t.levels {
		vecs := nestedVectors{}
		keys, err := evaluated([]expr{l.key}, all)
		if err != nil {
			return err
		}
		vecs.key = keys[0]
		for _, a := range l.groups.aggs {
			args, err := evaluated(a.args, all)
			if err != nil {
				return err
			}
			vecs.args = append(vecs.args, args)
		}
		r.vecs = append(r.vecs, vecs)
	}
	rows := make([]int32, all.n)
	for i := range rows {
		rows[i] = int32(i)
	}
	r.given = make([][][]Value, len(t.levels)+1)
	if err := r.descend(0, rows, nil); err != nil {
		return err
	}
	// The rows of values come first, and of the others those of the last level.
	out := newSink(t.cols, emit)
	for _, given := range slices.Backward(r.given) {
		for from := 0; from < len(given); from += chunkRows {
			part := given[from:min(from+chunkRows, len(given))]
			b := &batch{n: len(part), cols: make([]*vector, len(t.cols))}
			for i, c := range t.cols {
				b.cols[i] = newVector(c.typ, b.n)
				for row := range part {
					b.cols[i].set(row, part[row][i])
				}
			}
			if err := out.take(b); err != nil {
				return err
			}
		}
	}
	return out.flush()
}

type nestedVectors struct {
	key  *vector
	args [][]*vector
}

type nestedRun struct {
	t    *topNested
	x    *execution
	vecs []nestedVectors
	// given are the rows to give, by the level at which others stand for values.
	given [][][]Value
	held  memory
	n     int
}

// aggregate gives what a level orders the groups of some rows by. numbers are
// those of the rows' groups.
func (r *nestedRun) aggregate(level int, rows, numbers []int32, groups int) (*vector, error) {
	l := &r.t.levels[level]
	cols := make([]*vector, len(l.results))
	held := memory{x: r.x}
	defer held.free()
	for i, a := range l.groups.aggs {
		states := newGroupStates(a.start, a.args, a.several)
		states.grow(groups, &held)
		for from := 0; from < len(rows); from += chunkRows {
			part := rows[from:min(from+chunkRows, len(rows))]
			args := make([]*vector, len(a.args))
			for j, v := range r.vecs[level].args[i] {
				args[j] = v.gather(part)
			}
			if len(a.args) == 0 {
				args = nil
			}
			states.add(numbers[from:from+len(part)], args)
			if err := held.set(states.size()); err != nil {
				return nil, err
			}
			if err := r.x.stopped(); err != nil {
				return nil, err
			}
		}
		cols[i] = newVector(a.cols[0].typ, groups)
		for g := range groups {
			cols[i].set(g, states.result(g, 0))
		}
	}
	return l.by.eval(r.x, &batch{n: groups, cols: cols}), nil
}

// descend finds the values of a level among some rows, and what the levels below
// find in each.
func (r *nestedRun) descend(level int, rows []int32, above []Value) error {
	if level == len(r.t.levels) {
		return r.give(level, above)
	}
	l := &r.t.levels[level]
	key := r.vecs[level].key.gather(rows)
	index := newKeyIndex([]Type{groupType(key.typ)})
	var first []int32
	keys := []*vector{groupVector(key)}
	numbers := index.number(keys, len(rows), func(row int) { first = append(first, int32(row)) })
	by, err := r.aggregate(level, rows, numbers, len(first))
	if err != nil {
		return err
	}
	order := make([]int, len(first))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := by.value(a), by.value(b)
		switch {
		case x.IsNull() || y.IsNull():
			return boolOrder(x.IsNull(), y.IsNull())
		case l.ascending:
			c, _ := compare(x, y)
			return c
		}
		c, _ := compare(y, x)
		return c
	})
	most := len(order)
	if l.limit >= 0 {
		most = int(min(l.limit, int64(most)))
	}
	sel, from := byNumber(numbers, len(first))
	pick := func(g int) []int32 {
		within := make([]int32, 0, from[g+1]-from[g])
		for _, at := range sel[from[g]:from[g+1]] {
			within = append(within, rows[at])
		}
		return within
	}
	for _, g := range order[:most] {
		next := append(slices.Clone(above), key.value(int(first[g])), by.value(g))
		if err := r.descend(level+1, pick(g), next); err != nil {
			return err
		}
	}
	if most == len(order) || !slices.ContainsFunc(r.t.levels[level:], func(l nestedLevel) bool { return l.others != nil }) {
		return nil
	}
	var rest []int32
	for _, g := range order[most:] {
		rest = append(rest, pick(g)...)
	}
	slices.Sort(rest)
	// The others of a level are one group, on the levels below too.
	row := slices.Clone(above)
	for at := level; at < len(r.t.levels); at++ {
		if r.t.levels[at].others == nil {
			row = append(row, Value{}, Value{})
			continue
		}
		by, err := r.aggregate(at, rest, make([]int32, len(rest)), 1)
		if err != nil {
			return err
		}
		row = append(row, *r.t.levels[at].others, by.value(0))
	}
	return r.give(level, row)
}

func (r *nestedRun) give(level int, row []Value) error {
	size := int64(24)
	for _, v := range row {
		size += valueBytes + v.held()
	}
	if err := r.held.add(size); err != nil {
		return err
	}
	r.n++
	if err := r.x.holds(r.n); err != nil {
		return err
	}
	r.given[level] = append(r.given[level], row)
	return nil
}

// boolOrder puts what is not before what is.
func boolOrder(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// groupType is the type that values are grouped in: dynamics by their texts.
func groupType(t Type) Type {
	if t == Dynamic {
		return String
	}
	return t
}

func groupVector(v *vector) *vector {
	if v.typ != Dynamic {
		return v
	}
	out := newVector(String, v.n)
	for i := range v.n {
		out.set(i, stringValue(v.value(i).String()))
	}
	return out
}
