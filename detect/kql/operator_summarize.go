package kql

import (
	"slices"
	"strconv"
	"strings"
)

// summarizeNode is summarize aggregates by keys; distinct and count are forms
// of it.
type summarizeNode struct {
	span
	aggregates, by []named
	hasBy          bool
}

func parseSummarize(p *parser, at span) operatorNode {
	n := &summarizeNode{}
	p.options("summarize")
	if !p.cur().word("by") && !p.atOperatorEnd() {
		n.aggregates = p.namedExprs()
	}
	if p.acceptWord("by") {
		n.hasBy = true
		n.by = p.namedExprs()
	}
	n.span = at.to(p.last())
	if len(n.aggregates) == 0 && !n.hasBy {
		panic(p.unexpected("expected an aggregate, or by and a column, after summarize"))
	}
	return n
}

func (n *summarizeNode) bind(b *binder, in relation) relation {
	g := &grouping{in: in}
	names := b.columnNaming()
	for _, item := range n.by {
		for _, col := range b.namedColumns(item, in.columns()) {
			b.groupable(item, col.e)
			g.addKey(names.column(col), col.e)
		}
	}
	out := &projection{in: g}
	for _, k := range g.keys {
		out.pass(k.name, k)
	}
	b.agg = &aggregation{in: in, out: g}
	defer func() { b.agg = nil }()
	for _, item := range n.aggregates {
		if c, ok := item.expr.(*call); ok && b.find(c.fn.text) == nil && givesColumns(c.fn.text) {
			for _, col := range b.namedAggregates(item, c) {
				ref, _ := col.e.(*columnExpr)
				out.pass(names.column(col), ref.col)
			}
			continue
		}
		b.agg.used = false
		cols := b.namedColumns(item, nil)
		if !b.agg.used && !b.errs.follows(item.pos()) {
			panic(semanticError(item.pos(), "SEM0001", "an aggregate is expected here, such as count() or make_set(); keys to group by come after by"))
		}
		for _, col := range cols {
			out.add(names.column(col), col.e)
		}
	}
	return out
}

// namedAggregates binds an aggregate that gives several columns, under the names
// that the query gives them.
func (b *binder) namedAggregates(item named, c *call) []namedColumn {
	var list []namedColumn
	cols := aggregates()[c.fn.text].columns(b, item, c)
	if len(item.names) > len(cols) {
		panic(semanticError(item.names[len(cols)].span, "SEM0001", "%s() gives %d columns here, and %d names are given", c.fn.text, len(cols), len(item.names)))
	}
	for i, col := range cols {
		named := namedColumn{name: col.name}
		if i < len(item.names) {
			named = namedColumn{name: item.names[i].text, declared: true, at: item.names[i].span}
		}
		named.e = &columnExpr{col: col}
		list = append(list, named)
	}
	return list
}

// groupable refuses a dynamic as a key.
func (b *binder) groupable(item named, e expr) {
	if e.typ() == Dynamic {
		panic(semanticError(item.expr.pos(), "SEM0117", "a dynamic can not be grouped by: tostring() or another conversion gives it a type"))
	}
}

// aggregation is what the binder knows while it binds the aggregates of a
// summarize. Their arguments read the input, and nothing around them does.
type aggregation struct {
	in   relation
	out  *grouping
	used bool // an aggregate has been bound since used was last set to false
}

// aggregateExpr binds a call of an aggregate, and gives the column that will
// hold its result.
func (b *binder) aggregateExpr(n *call, a *aggregate) expr {
	ctx := b.agg
	ctx.used = true
	if a.columns != nil {
		cols := a.columns(b, named{}, n)
		if len(cols) != 1 {
			panic(semanticError(n.span, "SEM0001", "%s() gives %d columns here, and one value is expected", n.fn.text, len(cols)))
		}
		return &columnExpr{col: cols[0]}
	}
	args := b.aggregateArguments(n, a)
	t := kindNull
	if len(args) > 0 {
		t = args[0].typ()
	}
	col := ctx.out.addAggregate(a.resultType(t), args, func() accumulator { return a.start(t) })
	ctx.out.called(col, n.fn.text)
	return &columnExpr{col: col}
}

// aggregateArguments binds arguments over the input.
func (b *binder) aggregateArguments(n *call, a *aggregate) []expr {
	ctx := b.agg
	b.agg = nil // an aggregate within an aggregate has no meaning
	defer func() { b.agg = ctx }()
	args := make([]expr, len(n.args))
	for i, arg := range n.args {
		args[i] = b.expr(arg, ctx.in.columns())
	}
	b.checkArguments(n, a.params, args)
	if a.check != nil {
		a.check(n, args)
	}
	return args
}

func givesColumns(fn string) bool {
	a := aggregates()[fn]
	return a != nil && a.columns != nil
}

// picks is for the aggregates that give several columns of one row.
func picks(sign int) func(*binder, named, *call) []*column {
	return func(b *binder, item named, n *call) []*column { return b.bindPicking(sign, n) }
}

// bindPicking binds arg_max(by, a, b), arg_max(by, *), take_any(a, b) and
// their kin.
func (b *binder) bindPicking(sign int, n *call) []*column {
	ctx, fn := b.agg, n.fn.text
	b.agg = nil
	defer func() { b.agg = ctx }()
	if len(n.args) == 0 {
		panic(semanticError(n.span, "SEM0219", "%s() takes at least 1 argument and got 0", fn))
	}
	in := ctx.in.columns()
	var args []expr
	var names []string
	add := func(e expr, name string) {
		if fn == "any" && !strings.HasPrefix(name, "any_") {
			name = "any_" + name
		}
		args, names = append(args, e), append(names, name)
	}
	stem := "any"
	former := fn == "argmax" || fn == "argmin" // which name the columns otherwise
	for i, arg := range n.args {
		if _, ok := arg.(*star); ok && (i > 0 || sign == 0) {
			if n.names[i] != nil {
				panic(semanticError(arg.pos(), "SEM0001", "* is several columns, which cannot have one name"))
			}
			for _, c := range in {
				if !ctx.out.isKey(c) && !isReference(args, c) {
					name := c.name
					if former {
						name = names[0] + "_" + name
					}
					add(&columnExpr{col: c}, name)
				}
			}
			continue
		}
		e := b.expr(arg, in)
		if sign != 0 && i == 0 && (e.typ() == Dynamic || e.typ() == GUID) {
			panic(semanticError(arg.pos(), "SEM0220", "%s() needs a first argument that has an order, and a %s has none: convert it", fn, e.typ()))
		}
		name := b.outputName(arg, in)
		if n.names[i] != nil {
			name = n.names[i].text // as rules rename what comes with the row
		}
		switch {
		case former && i == 0:
			name = strings.TrimPrefix(fn, "arg") + "_" + name
		case former:
			if name == "" {
				name = "arg" + strconv.Itoa(i)
			}
			name = names[0] + "_" + name
		case sign == 0:
			if name == "" && (fn != "any" || len(n.args) > 1) {
				name = "any_arg" + strconv.Itoa(i)
			}
		case i == 0:
			stem = strings.TrimPrefix(fn, "arg_") + "_" + name
			if name == "" {
				name = stem
			}
		case name == "":
			name = stem + "_arg" + strconv.Itoa(i)
		}
		add(e, name)
	}
	cols := make([]*column, len(args))
	for i, a := range args {
		cols[i] = &column{names[i], a.typ()}
	}
	ctx.out.called(cols[0], fn)
	return ctx.out.addSeveral(cols, args, func() accumulator { return &picking{sign: sign} })
}

func isReference(args []expr, c *column) bool {
	for _, a := range args {
		if ref, ok := a.(*columnExpr); ok && ref.col == c {
			return true
		}
	}
	return false
}

// grouping groups rows by keys and aggregates each group. Groups come out in
// the order in which their first rows came in.
type grouping struct {
	in    relation
	keys  []*column
	keyOf []expr
	aggs  []groupAggregate
	calls map[*column]string // the function of an aggregate, by its first column
}

type groupAggregate struct {
	cols    []*column
	args    []expr
	start   func() accumulator
	several bool // start makes severalResults, and there is a column for each
}

func (g *grouping) addKey(name string, e expr) {
	g.keys = append(g.keys, &column{name, e.typ()})
	g.keyOf = append(g.keyOf, e)
}

func (g *grouping) isKey(c *column) bool { return isReference(g.keyOf, c) }

func (g *grouping) addAggregate(t Type, args []expr, start func() accumulator) *column {
	col := &column{"", t}
	g.aggs = append(g.aggs, groupAggregate{cols: []*column{col}, args: args, start: start})
	return col
}

func (g *grouping) called(c *column, fn string) {
	if g.calls == nil {
		g.calls = make(map[*column]string)
	}
	g.calls[c] = fn
}

func (g *grouping) addSeveral(cols []*column, args []expr, start func() accumulator) []*column {
	g.aggs = append(g.aggs, groupAggregate{cols: cols, args: args, start: start, several: true})
	return cols
}

func (g *grouping) columns() []*column {
	cols := append([]*column(nil), g.keys...)
	for _, a := range g.aggs {
		cols = append(cols, a.cols...)
	}
	return cols
}

func (g *grouping) prepare(map[*column]bool) {
	below := make(map[*column]bool)
	all := append([]expr(nil), g.keyOf...)
	for _, a := range g.aggs {
		all = append(all, a.args...)
	}
	for _, e := range all {
		needs(e, below)
	}
	g.in.prepare(below)
	for _, e := range all {
		resolve(e, g.in.columns())
	}
}

func (g *grouping) explain(x *explainer) explained {
	var aggs, keys []string
	for _, a := range g.aggs {
		names := make([]string, len(a.cols))
		for i, c := range a.cols {
			names[i] = x.columnName(c)
		}
		name := strings.Join(names, ", ")
		if len(names) > 1 {
			name = "(" + name + ")"
		}
		aggs = append(aggs, name+" = "+g.calls[a.cols[0]]+"("+strings.Join(x.all(a.args), ", ")+")")
	}
	for i, k := range g.keys {
		name, from := x.columnName(k), x.expr(g.keyOf[i])
		if name != from {
			name += " = " + from
		}
		keys = append(keys, name)
	}
	text := "distinct " + strings.Join(keys, ", ")
	if len(aggs) > 0 {
		text = "summarize " + strings.Join(aggs, ", ")
		if len(keys) > 0 {
			text += " by " + strings.Join(keys, ", ")
		}
	}
	return explained{text: text, gives: g.columns(), inputs: []relation{g.in}}
}

// run numbers the groups of each batch and adds its rows to their states. What the
// states give goes out at the end.
func (g *grouping) run(x *execution, emit func(*batch) error) error {
	r := g.begin(x)
	defer r.free()
	if err := g.in.run(x, func(b *batch) error { return r.add(b, nil) }); err != nil {
		return err
	}
	out, err := r.rows()
	if err != nil {
		return err
	}
	return emitRows(out, emit)
}

// groups are what a grouping has made of the rows so far.
type groups struct {
	of     *grouping
	x      *execution
	index  *keyIndex
	keys   []*vector
	states []groupStates
	held   memory
	fresh  []int32 // rows that have the first of a key

	// Of a grouping that is run for each of several rows, they are those of all of them.
	// A group has one more key then, the row that it is of, and without any other key each
	// row has one group, even without elements.
	each  bool
	first int32 // of the rows
	n     int32 // of the groups
}

func (g *grouping) begin(x *execution) *groups {
	r := &groups{of: g, x: x, index: newKeyIndex(typesOf(g.keyOf)), held: memory{x: x}}
	if len(g.keys) == 0 {
		r.n = 1 // the one group is there even without rows
	}
	r.start()
	return r
}

// beginEach begins what the grouping makes of the elements of each of n rows.
func (g *grouping) beginEach(x *execution, first, n int) *groups {
	r := &groups{of: g, x: x, held: memory{x: x}, each: true, first: int32(first)}
	if len(g.keys) == 0 {
		r.n = int32(n)
	} else {
		r.index = newKeyIndex(append([]Type{Long}, typesOf(g.keyOf)...))
		r.keys = append(r.keys, &vector{typ: Long})
	}
	r.start()
	return r
}

func (r *groups) start() {
	for _, k := range r.of.keys {
		r.keys = append(r.keys, &vector{typ: k.typ})
	}
	for _, a := range r.of.aggs {
		r.states = append(r.states, newGroupStates(a.start, a.args, a.several))
	}
}

// number gives each row its group.
func (r *groups) number(b *batch, owners []int32) []int32 {
	keys := evalAll(r.x, r.of.keyOf, b)
	if len(keys) == 0 {
		list := make([]int32, b.n)
		for row, owner := range owners {
			list[row] = owner - r.first
		}
		return list
	}
	if r.each {
		of := newVector(Long, b.n)
		for row, owner := range owners {
			of.ints[row] = int64(owner)
		}
		keys = append([]*vector{of}, keys...)
	}
	r.fresh = r.fresh[:0]
	list := r.index.number(keys, b.n, func(row int) { r.fresh = append(r.fresh, int32(row)) })
	if len(r.fresh) > 0 {
		for i, v := range keys {
			r.keys[i].add(v.choose(r.fresh), &r.held)
		}
	}
	r.n = r.index.n
	return list
}

// add takes in the rows of a batch. owners are the rows whose elements they are, if
// there are several.
func (r *groups) add(b *batch, owners []int32) error {
	list := r.number(b, owners)
	size := int64(0)
	if len(r.of.keys) > 0 {
		size = r.index.size() + r.index.text // the text of the keys is in the columns too
	}
	for _, c := range r.keys {
		size += c.capacity()
	}
	for i, a := range r.of.aggs {
		r.states[i].grow(int(r.n), &r.held)
		r.states[i].add(list, evalAll(r.x, a.args, b))
		size += r.states[i].size()
	}
	if err := r.held.set(size); err != nil {
		return err
	}
	if r.each { // which are no more than the elements
		return nil
	}
	return r.x.holds(int(r.n))
}

// rows are the groups, with what the states give. That is theirs or new, and is in
// columns of its own.
func (r *groups) rows() (*rows, error) {
	out := &rows{n: int(r.n), cols: slices.Clone(r.keys)}
	given := r.held.held
	for i, a := range r.of.aggs {
		states := r.states[i]
		states.grow(out.n, &r.held)
		whole, _ := states.(columnOfStates)
		for col, c := range a.cols {
			if whole != nil {
				if v := whole.column(col); v != nil {
					out.cols = append(out.cols, v)
					continue
				}
			}
			if given += vectorBytes(c.typ, out.n); given > r.held.held+chargeStep {
				if err := r.held.set(given); err != nil {
					return nil, err
				}
			}
			v := newVector(c.typ, out.n)
			for group := range out.n {
				val := states.result(group, col)
				checkSize(val)
				v.set(group, val)
				if given += val.held(); given > r.held.held+chargeStep {
					if err := r.held.set(given); err != nil {
						return nil, err
					}
				}
			}
			out.cols = append(out.cols, v)
		}
	}
	return out, nil
}

// owned are the groups of several rows, and the row that each is of.
func (r *groups) owned() (out *batch, owners []int32, err error) {
	all, err := r.rows()
	if err != nil {
		return nil, nil, err
	}
	owners = make([]int32, all.n)
	if len(r.of.keys) == 0 {
		for at := range owners {
			owners[at] = r.first + int32(at)
		}
	} else {
		for at, owner := range all.cols[0].ints {
			owners[at] = int32(owner)
		}
		all.cols = all.cols[1:]
	}
	return &batch{n: all.n, cols: all.cols}, owners, nil
}

func (r *groups) free() { r.held.free() }

// chargeStep is how many bytes more are worth looking at the limit.
const chargeStep = 1 << 20

// distinctNode is distinct columns, or distinct *.
type distinctNode struct {
	span
	columns []named
	all     *star
}

func parseDistinct(p *parser, at span) operatorNode {
	p.options("distinct")
	if p.accept("*") {
		return &distinctNode{span: at.to(p.last()), all: &star{p.last()}}
	}
	list := p.namedExprs()
	return &distinctNode{span: at.to(p.last()), columns: list}
}

func (n *distinctNode) bind(b *binder, in relation) relation {
	g := &grouping{in: in}
	if n.all != nil {
		for _, c := range in.columns() {
			e := &columnExpr{col: c}
			b.groupable(named{expr: n.all}, e)
			g.addKey(c.name, e)
		}
		return g
	}
	names := b.columnNaming()
	for _, item := range n.columns {
		for _, col := range b.namedColumns(item, in.columns()) {
			b.groupable(item, col.e)
			g.addKey(names.column(col), col.e)
		}
	}
	return g
}

// countNode is count: one row with the number of rows.
type countNode struct {
	span
	name string
}

func parseCount(p *parser, at span) operatorNode {
	n := &countNode{at, "Count"}
	if p.acceptWord("as") {
		n.name = p.name("for the column").text
		n.span = at.to(p.last())
	}
	return n
}

func (n *countNode) bind(_ *binder, in relation) relation {
	g := &grouping{in: in}
	col := g.addAggregate(Long, nil, func() accumulator { return &counting{} })
	col.name = n.name
	g.called(col, "count")
	return g
}
