package kql

import "strconv"

// forkNode is fork (operators) (operators) ..., the last operator of a query: the
// rows so far go through each list, and each gives a table.
type forkNode struct {
	span
	legs []forkLeg
}

type forkLeg struct {
	name string // or ""
	ops  []operatorNode
}

func parseFork(p *parser, at span) operatorNode {
	n := &forkNode{}
	for p.cur().is("(") || (p.cur().kind == tokName || p.cur().kind == tokQuoted) && p.peek().is("=") {
		leg := forkLeg{}
		if !p.cur().is("(") {
			leg.name = p.name("of a table").text
			p.advance()
		}
		leg.ops = p.enclosedOperators("before the operators")
		n.legs = append(n.legs, leg)
	}
	if len(n.legs) == 0 {
		panic(p.unexpected("expected operators in parentheses after fork"))
	}
	n.span = at.to(p.last())
	return n
}

func (n *forkNode) bind(b *binder, in relation) relation {
	b.requireLast(n, n.span, "fork")
	f := &forked{}
	s := &shared{in: in}
	for i, leg := range n.legs {
		f.add(leg.name, i, b.operators(s.use(b), leg.ops))
	}
	return f
}

// facetNode is facet by columns [with (operators)], the last operator of a query:
// for each column a table of its values and how often each comes.
type facetNode struct {
	span
	by   []name
	with []operatorNode
}

func parseFacet(p *parser, at span) operatorNode {
	n := &facetNode{}
	p.expectWord("by", "after facet")
	for {
		n.by = append(n.by, p.name("of a column"))
		if !p.accept(",") {
			break
		}
	}
	if p.acceptWord("with") {
		n.with = p.enclosedOperators("after with")
	}
	n.span = at.to(p.last())
	return n
}

func (n *facetNode) bind(b *binder, in relation) relation {
	b.requireLast(n, n.span, "facet")
	f := &forked{}
	s := &shared{in: in}
	for i, by := range n.by {
		rel := s.use(b)
		c := b.columnNamed(pattern{by.span, by.text}, rel.columns())
		e := &columnExpr{col: c}
		b.groupable(named{expr: &by}, e)
		g := &grouping{in: rel}
		g.addKey(c.name, e)
		col := g.addAggregate(Long, nil, func() accumulator { return &counting{} })
		col.name = "count_" + c.name
		g.called(col, "count")
		f.add("", i, g)
	}
	if n.with != nil {
		f.add("", len(n.by), b.operators(s.use(b), n.with))
	}
	return f
}

// requireLast refuses an operator that gives several tables anywhere but at the
// end of the query.
func (b *binder) requireLast(op operatorNode, at span, what string) {
	if b.last != op {
		panic(unsupportedError(at, "%s gives several tables, and is supported as the last operator of the query alone", what))
	}
}

// lastOperator is the operator that a query ends in, or nil.
func lastOperator(query node) operatorNode {
	if pl, ok := query.(*pipeline); ok {
		return pl.ops[len(pl.ops)-1]
	}
	return nil
}

// forked gives the rows of its first leg. Those of the others become tables of
// their own.
type forked struct {
	legs  []relation
	names []string
}

func (f *forked) add(name string, at int, rel relation) {
	if name == "" {
		name = "Table_" + strconv.Itoa(at)
	}
	f.legs, f.names = append(f.legs, rel), append(f.names, name)
}

func (f *forked) columns() []*column { return f.legs[0].columns() }

func (f *forked) prepare(need map[*column]bool) {
	f.legs[0].prepare(need)
	for _, leg := range f.legs[1:] {
		prepareAll(leg)
	}
}

func (f *forked) explain(*explainer) explained {
	return explained{text: "a table of each", gives: f.columns(), inputs: f.legs}
}

func (f *forked) run(x *execution, emit func(*batch) error) error {
	if err := f.legs[0].run(x, emit); err != nil {
		return err
	}
	for i, leg := range f.legs[1:] {
		rows, err := collect(leg, x)
		if err != nil {
			return err
		}
		t, err := resultTable(f.names[i+1], leg.columns(), rows)
		if err != nil {
			return err
		}
		x.others = append(x.others, t)
	}
	return nil
}
