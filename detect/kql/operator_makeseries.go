package kql

import (
	"math"
	"slices"
	"strings"
)

// makeSeriesNode is make-series aggregates on an axis by keys: of each group, arrays
// with a value for each step of the axis.
type makeSeriesNode struct {
	span
	nonEmpty   bool
	aggregates []seriesAggregate
	axis       named
	from, to   node // nil where the rows say
	step       node
	rangeAt    span // of in range(...), empty in the main syntax
	by         []named
}

// seriesAggregate is an aggregate, and what stands where a step has no rows.
type seriesAggregate struct {
	named
	otherwise node // or nil
}

func parseMakeSeries(p *parser, at span) operatorNode {
	n := &makeSeriesNode{}
	if o, ok := p.options("make-series", "kind")["kind"]; ok {
		if kind, _ := o.value.(*name); kind == nil || kind.text != "nonempty" {
			panic(syntaxError(o.value.pos(), "the kind of make-series is nonempty"))
		}
		n.nonEmpty = true
	}
	for {
		a := seriesAggregate{named: p.namedExpr()}
		if p.cur().word("default") && p.peek().is("=") {
			p.at += 2
			a.otherwise = p.expr()
		}
		n.aggregates = append(n.aggregates, a)
		if !p.accept(",") {
			break
		}
	}
	p.expectWord("on", "and the axis, after the aggregates of make-series")
	n.axis = p.seriesAxis()
	if p.acceptWord("in") {
		n.rangeAt = p.cur().span
		p.expectWord("range", "after in")
		p.expect("(", "after range")
		n.from = p.expr()
		for i, bound := range []*node{&n.to, &n.step} {
			if !p.cur().is(",") {
				panic(semanticError(n.from.pos(), "SEM0219", "range() of make-series takes 3 arguments and got %d: where it starts, where it stops, and the step", i+1))
			}
			p.advance()
			*bound = p.expr()
		}
		p.expect(")", "after the step")
	} else {
		if p.acceptWord("from") {
			n.from = p.expr()
		}
		if p.acceptWord("to") {
			n.to = p.expr()
		}
		p.expectWord("step", "and its size, after the axis of make-series")
		n.step = p.expr()
	}
	if p.acceptWord("by") {
		n.by = p.namedExprs()
	}
	n.span = at.to(p.last())
	return n
}

// seriesAxis reads [name =] expression. The word in that may follow it is not an
// operator.
func (p *parser) seriesAxis() named {
	start := p.cur().span
	names := p.assignedNames()
	e := p.relational()
	if names == nil {
		return named{e.pos(), nil, e}
	}
	return named{start.to(e.pos()), names, e}
}

func (n *makeSeriesNode) bind(b *binder, in relation) relation {
	s := &seriesMaker{nonEmpty: n.nonEmpty, inclusive: n.rangeAt.end > 0}
	names := b.columnNaming()
	steps := &binning{in: in, inclusive: s.inclusive}
	steps.cols = append(slices.Clone(in.columns()), &column{"", Long})
	g := &grouping{in: steps}
	for _, item := range n.by {
		for _, col := range b.namedColumns(item, in.columns()) {
			g.addKey(names.column(col), col.e)
		}
	}
	keys := len(g.keys)
	bin := steps.cols[len(steps.cols)-1]
	g.addKey("", &columnExpr{col: bin})
	values := &projection{in: g}
	for _, k := range g.keys {
		values.pass(k.name, k)
		s.cols = append(s.cols, &column{k.name, k.typ})
	}
	s.cols = s.cols[:keys]
	b.agg = &aggregation{in: in, out: g}
	func() {
		defer func() { b.agg = nil }()
		for _, a := range n.aggregates {
			n.bindAggregate(b, a, s, values, names)
		}
	}()
	axis := b.namedColumn(n.axis, in.columns())
	if _, isName := n.axis.expr.(*name); isName {
		axis.declared = true
	}
	s.axis = axis.e.typ()
	s.cols = append(s.cols, &column{names.column(axis), Dynamic})
	steps.axis, steps.bounds = axis.e, n.bindBounds(b, s.axis)
	s.in, s.bounds, s.keys = values, steps.bounds, keys
	return s
}

// bindAggregate binds an aggregate, and its default.
func (n *makeSeriesNode) bindAggregate(b *binder, a seriesAggregate, s *seriesMaker, values *projection, names *naming) {
	if c, ok := a.expr.(*call); ok && b.find(c.fn.text) == nil && givesColumns(c.fn.text) {
		for _, col := range b.namedAggregates(a.named, c) {
			n.addAggregate(b, a, col, s, values, names)
		}
		return
	}
	n.addAggregate(b, a, b.namedColumn(a.named, nil), s, values, names)
}

func (n *makeSeriesNode) addAggregate(b *binder, a seriesAggregate, col namedColumn, s *seriesMaker, values *projection, names *naming) {
	t := col.e.typ()
	otherwise := convert(longValue(0), t)
	if !t.isNumber() {
		otherwise = convert(Value{}, t)
	}
	if a.otherwise != nil {
		agg := b.agg
		b.agg = nil
		c, ok := b.expr(a.otherwise, nil).(*constExpr)
		b.agg = agg
		if !ok {
			panic(semanticError(a.otherwise.pos(), "SEM0220", "the default of make-series must be a constant"))
		}
		otherwise = c.val
		if isNumeric(otherwise) && (t == Real || t == Decimal) {
			otherwise = convert(otherwise, t)
		} else if t.isNumber() && !isNumeric(otherwise) {
			otherwise = convert(otherwise, t)
		}
	}
	column := &column{names.column(col), Dynamic}
	values.add("", col.e)
	s.cols = append(s.cols, column)
	s.otherwise = append(s.otherwise, otherwise)
}

// seriesBounds are where the axis begins and ends, and its step. The first two may be
// missing.
type seriesBounds struct {
	from, to, step expr
	at             span // of the step
}

func (n *makeSeriesNode) bindBounds(b *binder, axis Type) *seriesBounds {
	s := &seriesBounds{at: n.step.pos()}
	bound := func(of node) expr {
		if of == nil {
			return nil
		}
		e := b.expr(of, nil)
		if t := e.typ(); t != axis && !promotable(t, axis) {
			panic(semanticError(of.pos(), "SEM0001", "a %s is expected here, as the axis of make-series is one, and this is a %s%s", axis, t, conversionHint(axis)))
		}
		return converted(e, axis)
	}
	s.from, s.to = bound(n.from), bound(n.to)
	s.step = b.expr(n.step, nil)
	t := s.step.typ()
	switch {
	case (axis == DateTime || axis == TimeSpan) && t == TimeSpan:
	case axis.isNumber() && (t == axis || promotable(t, axis)):
		s.step = converted(s.step, axis)
	default:
		panic(semanticError(n.step.pos(), "SEM0001", "a %s is no step for an axis of type %s", t, axis))
	}
	return s
}

// promotable says whether a number becomes one of a wider type by itself.
func promotable(from, to Type) bool {
	switch to {
	case Long:
		return from == Int
	case Real:
		return from == Int || from == Long
	case Decimal:
		return from == Int || from == Long || from == Real
	}
	return false
}

// seriesScale is an axis: places are counted in steps from its origin.
type seriesScale struct {
	t           Type
	origin      Value
	step        Value
	first, last int64 // places, if bounded
	hasFirst    bool
	hasLast     bool
}

// farPlace bounds places, so that no arithmetic on them overflows. What is farther away
// is at it: an axis that reaches there is too long anyway.
const farPlace = int64(1) << 61

// scale computes the bounds in a run.
func (s *seriesBounds) scale(x *execution, axis Type, inclusive bool) *seriesScale {
	return once(x, s, func() *seriesScale {
		one := func(e expr) Value {
			if e == nil {
				return Value{}
			}
			return e.eval(x, &batch{n: 1}).value(0)
		}
		c := &seriesScale{t: axis, step: one(s.step), origin: convert(longValue(0), axis)}
		if c.step.IsNull() || sortOrder(c.step, convert(longValue(0), c.step.kind)) <= 0 {
			panic(semanticError(s.at, "SEM0001", "the step of make-series must be greater than 0"))
		}
		from, to := one(s.from), one(s.to)
		if s.from != nil && from.IsNull() || s.to != nil && to.IsNull() {
			panic(semanticError(s.at, "SEM0001", "from and to of make-series must not be null"))
		}
		switch {
		case inclusive: // binned as bin() does
			first, ok := c.place(from)
			c.first, c.hasFirst = first, true
			last, ok2 := c.place(to)
			c.last, c.hasLast = last, true
			if !ok || !ok2 {
				c.last = c.first - 1
			}
		default:
			if s.from != nil {
				c.origin, c.hasFirst = from, true
			}
			if s.to == nil {
				break
			}
			c.hasLast = true
			last, ok := c.place(to)
			if !ok {
				c.last = c.first - 1
				break
			}
			c.last = last
			if at := c.at(last); at.IsNull() || sortOrder(at, to) >= 0 { // the end itself is not part of the series
				c.last--
			}
		}
		return c
	})
}

// place is which step a value falls into. It is false of what is null or infinite.
func (c *seriesScale) place(v Value) (int64, bool) {
	if v.IsNull() {
		return 0, false
	}
	if v.kind != Real && v.kind != Decimal {
		if distance, ok := subtractWhole(v.n, c.origin.n); ok {
			place := distance / c.step.n
			if distance%c.step.n < 0 {
				place--
			}
			return min(max(place, -farPlace), farPlace), true
		}
	}
	x := math.Floor((numberOf(v) - numberOf(c.origin)) / numberOf(c.step))
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, false
	}
	return int64(min(max(x, -float64(farPlace)), float64(farPlace))), true
}

// numberOf is a value of an axis as a real.
func numberOf(v Value) float64 {
	if v.kind == Decimal {
		return convert(v, Real).real()
	}
	return realOf(v)
}

// at is the value where a step begins.
func (c *seriesScale) at(place int64) Value {
	switch c.t {
	case Real:
		return realValue(c.origin.real() + float64(place)*c.step.real())
	case Decimal:
		return plus(c.origin, times(c.step, convert(longValue(place), Decimal)))
	}
	distance, ok := multiplyWhole(place, c.step.n)
	n, ok2 := addWhole(c.origin.n, distance)
	return wholeValue(c.t, n, ok && ok2)
}

// binning adds to each row which step of the axis it falls into, and drops the rows
// that fall into none.
type binning struct {
	in     relation
	cols   []*column
	axis   expr
	bounds *seriesBounds
	need   []bool

	inclusive bool
}

func (s *binning) columns() []*column { return s.cols }

func (s *binning) prepare(need map[*column]bool) {
	below := make(map[*column]bool)
	in := s.in.columns()
	s.need = make([]bool, len(in))
	for i, c := range in {
		s.need[i], below[c] = need[c], need[c]
	}
	needs(s.axis, below)
	s.in.prepare(below)
	resolve(s.axis, in)
}

func (s *binning) explain(x *explainer) explained {
	return explained{text: "the steps of " + x.expr(s.axis), gives: chosen(s.cols[:len(s.need)], s.need), inputs: []relation{s.in}}
}

func (s *binning) run(x *execution, emit func(*batch) error) error {
	scale := s.bounds.scale(x, s.axis.typ(), s.inclusive)
	return s.in.run(x, func(b *batch) error {
		axis := s.axis.eval(x, b)
		var sel []int32
		places := &vector{typ: Long}
		for row := range b.n {
			place, ok := scale.place(axis.value(row))
			if !ok || scale.hasFirst && place < scale.first || scale.hasLast && place > scale.last {
				continue
			}
			sel = append(sel, int32(row))
			places.appendValue(longValue(place))
		}
		if len(sel) == 0 {
			return x.stopped()
		}
		out := &batch{n: len(sel), cols: make([]*vector, len(s.cols))}
		for i, needed := range s.need {
			if needed {
				out.cols[i] = b.cols[i].gather(sel)
			}
		}
		out.cols[len(s.cols)-1] = places
		return emit(out)
	})
}

// seriesMaker arranges the values of each group along the axis.
type seriesMaker struct {
	in        relation // the keys, the step, and the values of the aggregates
	cols      []*column
	keys      int
	axis      Type
	bounds    *seriesBounds
	otherwise []Value
	nonEmpty  bool
	inclusive bool
}

func (s *seriesMaker) columns() []*column { return s.cols }

func (s *seriesMaker) prepare(map[*column]bool) { prepareAll(s.in) }

func (s *seriesMaker) explain(x *explainer) explained {
	var names []string
	for _, c := range s.cols[s.keys : len(s.cols)-1] {
		names = append(names, x.columnName(c))
	}
	text := "make-series " + strings.Join(names, ", ") + " on " + x.columnName(s.cols[len(s.cols)-1])
	for _, b := range []struct {
		word string
		of   expr
	}{{"from", s.bounds.from}, {"to", s.bounds.to}, {"step", s.bounds.step}} {
		if b.of != nil {
			text += " " + b.word + " " + x.expr(b.of)
		}
	}
	return explained{text: text, gives: s.cols, inputs: []relation{s.in}}
}

// maxSeries is how many values a series has at most, as the reference says.
const maxSeries = 1 << 20

// run finds the rows of each group, and makes its arrays. These are charged before
// they are made: a few rows far apart stand for many values.
func (s *seriesMaker) run(x *execution, emit func(*batch) error) error {
	scale := s.bounds.scale(x, s.axis, s.inclusive)
	kept, err := collect(s.in, x)
	if err != nil {
		return err
	}
	defer kept.free()
	var types []Type
	for _, c := range s.cols[:s.keys] {
		types = append(types, c.typ)
	}
	index := newKeyIndex(types)
	var firsts []int32
	groups := index.number(kept.cols[:s.keys], kept.n, func(row int) { firsts = append(firsts, int32(row)) })
	rowsOf := make([][]int32, max(int(index.n), 0))
	if s.keys == 0 && kept.n > 0 {
		firsts = []int32{0}
	} else if s.keys == 0 {
		rowsOf = nil
	}
	for row, g := range groups {
		rowsOf[g] = append(rowsOf[g], int32(row))
	}
	if kept.n == 0 && s.nonEmpty && s.keys == 0 {
		rowsOf = [][]int32{nil}
	}
	held := memory{x: x}
	defer held.free()
	if err := held.add(index.size() + 8*int64(kept.n) + 24*int64(len(rowsOf))); err != nil {
		return err
	}
	fixed := held.held
	out := s.newBatch()
	for g, list := range rowsOf {
		arrays, err := s.arrays(scale, kept, list, &held)
		if err != nil {
			return err
		}
		for i := range s.cols {
			if i < s.keys {
				out.cols[i].appendValue(kept.cols[i].value(int(firsts[g])))
			} else {
				out.cols[i].appendValue(arrays[i-s.keys])
			}
		}
		out.n++
		if err := x.stopped(); err != nil {
			return err
		}
		if out.n < chunkRows && held.held-fixed < fullBatch {
			continue
		}
		if err := emit(out); err != nil {
			return err
		}
		out = s.newBatch()
		if err := held.set(fixed); err != nil {
			return err
		}
	}
	if out.n == 0 {
		return nil
	}
	return emit(out)
}

func (s *seriesMaker) newBatch() *batch {
	out := &batch{cols: make([]*vector, len(s.cols))}
	for i, c := range s.cols {
		out.cols[i] = newVector(c.typ, 0)
	}
	return out
}

// arrays makes those of a group, and that of the axis.
func (s *seriesMaker) arrays(scale *seriesScale, kept *rows, list []int32, held *memory) ([]Value, error) {
	places := kept.cols[s.keys].ints
	first, last := scale.first, scale.last
	if !scale.hasFirst || !scale.hasLast {
		least, most := int64(math.MaxInt64), int64(math.MinInt64)
		for _, row := range list {
			least, most = min(least, places[row]), max(most, places[row])
		}
		if len(list) == 0 {
			least, most = 0, -1
		}
		if !scale.hasFirst {
			first = least
		}
		if !scale.hasLast {
			last = most
		}
	}
	n := max(last-first+1, 0)
	if n > maxSeries {
		return nil, &LimitError{Message: "make-series makes arrays of more than 1048576 values: take a larger step, or bounds that are closer"}
	}
	count := len(s.otherwise) + 1
	if err := held.add(int64(count) * (24 + allocated(valueBytes*n))); err != nil {
		return nil, err
	}
	arrays := make([]Value, count)
	for i := range s.otherwise {
		items := make([]Value, n)
		for at := range items {
			items[at] = s.otherwise[i]
		}
		col := kept.cols[s.keys+1+i]
		for _, row := range list {
			items[places[row]-first] = col.value(int(row))
		}
		arrays[i] = arrayValue(items)
	}
	axis := make([]Value, n)
	for at := range axis {
		axis[at] = scale.at(first + int64(at))
	}
	arrays[count-1] = arrayValue(axis)
	for _, v := range arrays {
		checkSize(v)
	}
	return arrays, nil
}
