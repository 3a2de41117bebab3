package kql

import "math/rand/v2"

// sampleNode is sample n: some rows, each as likely as any other.
type sampleNode struct {
	span
	limit node
}

func parseSample(p *parser, at span) operatorNode {
	limit := p.expr()
	return &sampleNode{at.to(limit.pos()), limit}
}

func (n *sampleNode) bind(b *binder, in relation) relation {
	return &sampling{in: in, limit: b.limitOf(n.limit)}
}

// sampling keeps a sample of its input. It is the same each time that the query
// runs over the same rows, so that a rule can be tested.
type sampling struct {
	in    relation
	limit int64
	need  []bool
}

func (s *sampling) columns() []*column { return s.in.columns() }

func (s *sampling) prepare(need map[*column]bool) {
	s.need = make([]bool, len(s.in.columns()))
	for i, c := range s.in.columns() {
		s.need[i] = need[c]
	}
	s.in.prepare(need)
}

func (s *sampling) explain(*explainer) explained {
	return explained{text: "sample", gives: chosen(s.in.columns(), s.need), inputs: []relation{s.in}}
}

// run keeps the rows in their order. Each replaces one that is kept with the
// chance that makes all alike.
func (s *sampling) run(x *execution, emit func(*batch) error) error {
	all, err := collect(s.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	if int64(all.n) <= s.limit {
		return emitRows(all, emit)
	}
	if err := all.held.add(4 * s.limit); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(all.n), uint64(s.limit)))
	sel := make([]int32, 0, s.limit)
	left := int(s.limit)
	for row := 0; row < all.n && left > 0; row++ {
		if random.IntN(all.n-row) < left {
			sel = append(sel, int32(row))
			left--
		}
	}
	return emitPicked(all, sel, emit)
}

// sampleDistinctNode is sample-distinct n of column: some of its values, once
// each.
type sampleDistinctNode struct {
	span
	limit node
	of    name
}

func parseSampleDistinct(p *parser, at span) operatorNode {
	n := &sampleDistinctNode{limit: p.expr()}
	p.expectWord("of", "before the column")
	n.of = p.name("of a column")
	n.span = at.to(p.last())
	return n
}

func (n *sampleDistinctNode) bind(b *binder, in relation) relation {
	c := b.columnNamed(pattern{n.of.span, n.of.text}, in.columns())
	e := &columnExpr{col: c}
	b.groupable(named{expr: &n.of}, e)
	g := &grouping{in: in}
	g.addKey(c.name, e)
	return &taking{in: g, limit: b.limitOf(n.limit)}
}

// topHittersNode is top-hitters n of column [by value]: the values that come most
// often, or whose sums are greatest. The service estimates them; here they are
// exact.
type topHittersNode struct {
	span
	limit node
	of    name
	by    node
}

func parseTopHitters(p *parser, at span) operatorNode {
	n := &topHittersNode{limit: p.expr()}
	p.expectWord("of", "before the column")
	n.of = p.name("of a column")
	if p.acceptWord("by") {
		n.by = p.expr()
	}
	n.span = at.to(p.last())
	return n
}

func (n *topHittersNode) bind(b *binder, in relation) relation {
	c := b.columnNamed(pattern{n.of.span, n.of.text}, in.columns())
	e := &columnExpr{col: c}
	b.groupable(named{expr: &n.of}, e)
	g := &grouping{in: in}
	g.addKey(c.name, e)
	b.agg = &aggregation{in: in, out: g}
	defer func() { b.agg = nil }()
	aggregate := &call{span: n.of.span, fn: name{span: n.of.span, text: "count"}}
	of := "approximate_count_" + c.name
	if n.by != nil {
		aggregate = &call{span: n.by.pos(), fn: name{span: n.by.pos(), text: "sum"}, args: []node{n.by}, names: []*name{nil}}
		of = "approximate_sum_" + b.outputName(n.by, in.columns())
	}
	sum := b.aggregateExpr(aggregate, aggregates()[aggregate.fn.text])
	out := &projection{in: g}
	out.pass(c.name, g.keys[0])
	total := out.add(of, sum)
	return &sorting{in: out, limit: b.limitOf(n.limit), by: []expr{&columnExpr{col: total}}, keys: []sortKey{{}}}
}
