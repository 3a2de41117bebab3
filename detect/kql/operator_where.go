package kql

// where predicate: the rows for which the predicate is true.
type whereNode struct {
	span
	predicate node
	assigned  *name // of where name = predicate, which only looks like a comparison
}

func parseWhere(p *parser, at span) operatorNode {
	n := &whereNode{}
	if t := p.cur(); !t.is("(") {
		if names := p.assignedNames(); names != nil {
			n.assigned = &names[0]
		}
	}
	n.predicate = p.expr()
	n.span = at.to(n.predicate.pos())
	return n
}

func (n *whereNode) bind(b *binder, in relation) relation {
	if n.assigned != nil {
		if e := b.expr(n.predicate, in.columns()); e.typ() != Bool {
			panic(semanticError(n.assigned.span.to(n.predicate.pos()), "SEM0001", "a bool is expected here, and this names a %s: did you mean == ?", e.typ()))
		}
		// The name names the value and nothing else, in the service too.
		b.warn("%swhere %s = ... does not compare %s with anything: did you mean == ?", b.place(n.assigned.span), n.assigned.text, n.assigned.text)
	}
	if j := joinBelow(in); j != nil && j.kind == "innerunique" {
		return b.filterUnique(j, in, n.predicate)
	}
	e := b.requireBool(b.expr(n.predicate, in.columns()), n.predicate)
	return &filter{in: in, predicate: e}
}

// joinBelow is the join that a relation is but for filters, or nil.
func joinBelow(r relation) *join {
	for {
		f, ok := r.(*filter)
		if !ok {
			break
		}
		r = f.in
	}
	j, _ := r.(*join)
	return j
}

// filterUnique filters what a join of kind innerunique gives. A condition on
// the left columns alone decides before the join which rows it can keep one
// of, as it does in the service; after it, that one could be another.
func (b *binder) filterUnique(j *join, above relation, predicate node) relation {
	if n, ok := predicate.(*binary); ok && n.op == "and" {
		return b.filterUnique(j, b.filterUnique(j, above, n.left), n.right)
	}
	e := b.requireBool(b.expr(predicate, j.cols), predicate)
	used := make(map[*column]bool)
	needs(e, used)
	before := make(map[*column]*column, len(j.outLeft))
	for i, c := range j.outLeft {
		before[j.cols[i]] = c
	}
	for c := range used {
		if before[c] == nil {
			return &filter{in: above, predicate: e}
		}
	}
	moveColumns(e, before)
	j.left = &filter{in: j.left, predicate: e}
	return above
}

// moveColumns has an expression read other columns instead of its own. Parts of it can
// be in several places, and are moved once.
func moveColumns(e expr, to map[*column]*column) {
	if c, ok := e.(*columnExpr); ok && to[c.col] != nil {
		c.col = to[c.col]
	}
	for _, child := range e.children() {
		moveColumns(child, to)
	}
}

type filter struct {
	in        relation
	predicate expr
	need      []bool
	reads     []int // columns of the predicate
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
	read := make(map[*column]bool)
	needs(f.predicate, read)
	f.reads = nil
	for i, c := range cols {
		if read[c] {
			f.reads = append(f.reads, i)
		}
	}
}

func (f *filter) input() relation { return f.in }

func (f *filter) run(x *execution, emit func(*batch) error) error { return runStages(f, x, emit) }

func (f *filter) apply(x *execution, b *batch, emit func(*batch) error) error {
	if b = passAll(x, []*filter{f}, b); b == nil {
		return nil
	}
	return emit(b)
}

// keepsNothing says whether the predicate is a constant other than true.
func (f *filter) keepsNothing() bool {
	c, ok := f.predicate.(*constExpr)
	return ok && !c.val.isTrue()
}

// chosen gives rows of a batch, with the columns that are needed.
func (f *filter) chosen(b *batch, sel []int32) *batch {
	out := &batch{n: len(sel), cols: make([]*vector, len(b.cols))}
	for i, c := range b.cols {
		if f.need[i] {
			out.cols[i] = c.choose(sel)
		}
	}
	return out
}

// passAll has a batch pass several filters, the first of them first. It gives nil if no
// row passes. A column is copied for a filter that reads it, or at the end. So is one whose
// texts are packed.
func passAll(x *execution, filters []*filter, b *batch) *batch {
	var sel []int32 // rows of b, unless all passed so far
	left := b
	for _, f := range filters {
		for _, at := range f.reads {
			switch c := left.cols[at]; {
			case c == nil:
				left.cols[at] = b.cols[at].choose(sel)
			case c.packed != nil:
				left.cols[at] = c.unpacked()
			}
		}
		chosen := trueRows(f.predicate.eval(x, left))
		switch {
		case len(chosen) == 0:
			return nil
		case len(chosen) == left.n:
			continue
		}
		next := &batch{n: len(chosen), cols: make([]*vector, len(b.cols))}
		if sel == nil {
			sel = chosen
		} else {
			// What was looked into for a filter stays so.
			for at, c := range left.cols {
				if c != nil && f.need[at] {
					next.cols[at] = c.choose(chosen)
				}
			}
			before := sel
			sel = make([]int32, len(chosen))
			for to, row := range chosen {
				sel[to] = before[row]
			}
		}
		left = next
	}
	if sel == nil {
		b.unpack()
		return b
	}
	for at, needed := range filters[len(filters)-1].need {
		if needed && left.cols[at] == nil {
			left.cols[at] = b.cols[at].choose(sel)
		}
	}
	return left
}

func (f *filter) explain(x *explainer) explained {
	return explained{text: "where " + x.expr(f.predicate), gives: chosen(f.columns(), f.need), inputs: []relation{f.in}}
}
