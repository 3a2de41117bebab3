package kql

import "strings"

// serializeNode is serialize. The order of the rows is fixed from here on, and
// columns may be added that depend on it.
type serializeNode struct {
	span
	columns []named
}

func parseSerialize(p *parser, at span) operatorNode {
	n := &serializeNode{}
	p.options("serialize")
	if !p.atOperatorEnd() {
		n.columns = p.namedExprs()
	}
	n.span = at.to(p.last())
	return n
}

func (n *serializeNode) bind(b *binder, in relation) relation {
	return &serialized{(&extendNode{n.span, n.columns}).bind(b, in)}
}

// serialized marks rows whose order counts.
type serialized struct{ relation }

func (s *serialized) explain(x *explainer) explained {
	if p, ok := s.relation.(*projection); ok {
		e := p.explain(x)
		e.text = strings.TrimSpace("serialize " + strings.TrimPrefix(e.text, "project"))
		return e
	}
	return explained{text: "serialize", gives: s.columns(), inputs: []relation{s.relation}}
}

// inOrder says whether the rows of a relation come in an order that the query
// has fixed.
func inOrder(rel relation) bool {
	switch r := rel.(type) {
	case *serialized, *sorting, *valueRange, *schemaTable:
		return true
	case *projection:
		return inOrder(r.in)
	case *filter:
		return inOrder(r.in)
	case *subrows:
		return inOrder(r.relation)
	case *taking:
		return inOrder(r.in)
	case *sampling:
		return inOrder(r.in)
	case *sequences:
		return inOrder(r.in)
	case *mvExpand:
		return inOrder(r.in)
	case *extraction:
		return inOrder(r.in)
	case *windowing:
		return inOrder(r.in)
	case *rowsNear:
		return inOrder(r.in)
	case *sharedUse:
		return inOrder(r.of.in)
	}
	return false
}

// windowedNode is an operator whose expressions call window functions.
type windowedNode struct{ operatorNode }

func (n *windowedNode) bind(b *binder, in relation) relation {
	if _, ok := n.operatorNode.(*serializeNode); ok {
		in = &serialized{in}
	}
	w := &windowing{in: in, cols: append([]*column(nil), in.columns()...)}
	outer := b.window
	b.window = w
	rel := n.operatorNode.bind(b, w)
	b.window = outer
	// What the functions gave is for the operator only.
	out := &projection{in: rel}
	hidden := make(map[*column]bool)
	for _, f := range w.functions {
		hidden[f.col] = true
	}
	for _, c := range rel.columns() {
		if !hidden[c] {
			b.inheritReceived(out.pass(c.name, c), c)
		}
	}
	if len(out.cols) == len(rel.columns()) {
		return rel
	}
	return out
}

// windowing computes functions that look at other rows than their own. Each is
// a column that only the operator behind it sees.
type windowing struct {
	in        relation
	cols      []*column
	functions []windowCall
	need      map[*column]bool
}

type windowCall struct {
	fn   string
	col  *column
	args []expr
	fill func(args []*vector, out *vector)
}

func (w *windowing) columns() []*column { return w.cols }

func (w *windowing) prepare(need map[*column]bool) {
	w.need = need
	below := make(map[*column]bool)
	for _, c := range w.in.columns() {
		below[c] = need[c]
	}
	for _, f := range w.functions {
		for _, a := range f.args {
			needs(a, below)
		}
	}
	w.in.prepare(below)
	for _, f := range w.functions {
		for _, a := range f.args {
			resolve(a, w.cols)
		}
	}
}

func (w *windowing) explain(x *explainer) explained {
	e := explained{inputs: []relation{w.in}}
	for _, c := range w.cols {
		if w.need[c] {
			e.gives = append(e.gives, c)
		}
	}
	list := make([]string, len(w.functions))
	for i, f := range w.functions {
		list[i] = x.columnName(f.col) + " = " + f.fn + "(" + strings.Join(x.all(f.args), ", ") + ")"
	}
	e.text = "over all rows " + strings.Join(list, ", ")
	return e
}

func (w *windowing) run(x *execution, emit func(*batch) error) error {
	if len(w.functions) == 0 {
		return w.in.run(x, emit)
	}
	all, err := collect(w.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	for _, f := range w.functions {
		args, err := evaluated(f.args, all)
		if err != nil {
			return err
		}
		if err := all.held.add(vectorBytes(f.col.typ, all.n)); err != nil {
			return err
		}
		out := newVector(f.col.typ, all.n)
		f.fill(args, out)
		if err := all.held.add(out.pointed()); err != nil {
			return err
		}
		all.cols = append(all.cols, out)
	}
	return emitRows(all, emit)
}
