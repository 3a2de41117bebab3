package kql

// where predicate: the rows for which the predicate is true.
type whereNode struct {
	span
	predicate node
}

func parseWhere(p *parser, at span) operatorNode {
	predicate := p.expr()
	return &whereNode{at.to(predicate.pos()), predicate}
}

func (n *whereNode) bind(b *binder, in relation) relation {
	e := b.requireBool(b.expr(n.predicate, in.columns()), n.predicate)
	return &filter{in: in, predicate: e}
}

type filter struct {
	in        relation
	predicate expr
	need      []bool
}

func (f *filter) columns() []*column { return f.in.columns() }

func (f *filter) prepare(need map[*column]bool) {
	cols := f.in.columns()
	f.need = make([]bool, len(cols))
	below := make(map[*column]bool)
	for i, c := range cols {
		f.need[i] = need[c]
		below[c] = need[c]
	}
	needs(f.predicate, below)
	f.in.prepare(below)
	resolve(f.predicate, cols)
}

func (f *filter) input() relation { return f.in }

func (f *filter) run(x *execution, emit func(*batch) error) error { return runStages(f, x, emit) }

func (f *filter) apply(_ *execution, b *batch, emit func(*batch) error) error {
	sel := trueRows(f.predicate.eval(b))
	switch len(sel) {
	case 0:
		return nil
	case b.n:
		return emit(b)
	}
	out := &batch{n: len(sel), cols: make([]*vector, len(b.cols))}
	for i, c := range b.cols {
		if f.need[i] {
			out.cols[i] = c.gather(sel)
		}
	}
	return emit(out)
}

func (f *filter) explain(x *explainer) explained {
	return explained{text: "where " + x.expr(f.predicate), gives: chosen(f.columns(), f.need), inputs: []relation{f.in}}
}
