package kql

// partitionNode is partition by column (operators). The operators run over the
// rows of each value of the column, as a table of their own. In braces stands a
// query with a table of its own instead; it sees the value as toscalar(column).
type partitionNode struct {
	span
	by   name
	ops  []operatorNode
	body node // in braces
	// few is set for the strategy of old, which takes no more than so many values.
	few bool
}

// mostParts is how many values partition takes unless hint.strategy says
// otherwise, as in the service.
const mostParts = 64

func parsePartition(p *parser, at span) operatorNode {
	n := &partitionNode{few: true}
	opts := p.options("partition", "hint.strategy", "hint.materialized")
	if o, ok := opts["hint.strategy"]; ok {
		strategy, _ := o.value.(*name)
		switch {
		case strategy == nil:
			panic(syntaxError(o.value.pos(), "hint.strategy of partition is native, shuffle or legacy"))
		case strategy.text == "native" || strategy.text == "shuffle":
			n.few = false
		}
	}
	p.expectWord("by", "after partition")
	n.by = p.name("of a column")
	if p.accept("{") {
		windows := p.windows
		n.body = p.tablePipeline()
		p.windows = windows
		p.expect("}", "after the query")
	} else {
		n.ops = p.enclosedOperators("before the operators")
	}
	n.span = at.to(p.last())
	return n
}

// enclosedOperators reads operators in parentheses, joined by | and without a table
// before them. Their window functions are their own.
func (p *parser) enclosedOperators(where string) []operatorNode {
	p.expect("(", where)
	p.enter()
	defer p.leave()
	windows := p.windows
	var ops []operatorNode
	for {
		ops = append(ops, p.operator())
		if !p.accept("|") {
			break
		}
	}
	p.windows = windows
	p.expect(")", "after the operators")
	return ops
}

// operators binds operators over a relation, one after the other. What they name
// is theirs.
func (b *binder) operators(rel relation, ops []operatorNode) relation {
	scope := b.scope
	defer func() { b.scope = scope }()
	for _, op := range ops {
		b.count(op.pos())
		rel = op.bind(b, rel)
	}
	return rel
}

func (n *partitionNode) bind(b *binder, in relation) relation {
	p := &partition{in: in, at: n.span, few: n.few, by: b.columnNamed(pattern{n.by.span, n.by.text}, in.columns())}
	if p.by.typ == Dynamic {
		panic(semanticError(n.by.span, "SEM0117", "partition takes no dynamic: tostring() or another conversion gives it a type"))
	}
	p.table = &subtable{cols: copyColumns(in.columns())}
	for i, c := range in.columns() {
		b.inheritReceived(p.table.cols[i], c)
	}
	p.value = &partValue{name: p.by.name, t: p.by.typ}
	outer := b.part
	b.part = p.value
	b.subtables++
	b.partitions++
	defer func() {
		b.part = outer
		b.subtables--
		b.partitions--
	}()
	if n.body != nil {
		p.apply = b.relation(n.body)
		return p
	}
	p.apply = b.operators(p.table, n.ops)
	return p
}

// partition gives what the operators make of the rows of each value, in the order
// in which the values first come.
type partition struct {
	in    relation
	at    span
	few   bool
	by    *column
	value *partValue
	table *subtable
	apply relation
}

func (p *partition) columns() []*column { return p.apply.columns() }

func (p *partition) prepare(need map[*column]bool) {
	p.apply.prepare(need)
	below := map[*column]bool{p.by: true}
	for i, c := range p.in.columns() {
		if p.table.need[p.table.cols[i]] {
			below[c] = true
		}
	}
	p.in.prepare(below)
}

func (p *partition) explain(x *explainer) explained {
	return explained{text: "partition by " + x.columnName(p.by) + " of the first, on the second", gives: p.columns(), inputs: []relation{p.in, p.apply}}
}

// run collects the rows, and runs the operators over those of one value after the
// other. What they give for several goes out in one batch.
func (p *partition) run(x *execution, emit func(*batch) error) error {
	all, err := collect(p.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	by := columnIndex(p.in.columns(), p.by)
	if all.n == 0 {
		return nil
	}
	index := newKeyIndex([]Type{p.by.typ})
	var first []int32
	numbers := index.number([]*vector{all.cols[by]}, all.n, func(row int) { first = append(first, int32(row)) })
	if p.few && len(first) > mostParts {
		return semanticError(p.at, "SEM0001", "partition meets more than %d values of '%s': with hint.strategy=native it takes any number", mostParts, p.by.name)
	}
	if err := all.held.add(index.size() + 8*int64(all.n) + 4*int64(cap(first))); err != nil {
		return err
	}
	sel, from := byNumber(numbers, len(first))
	held := memory{x: x}
	defer held.free()
	elements := p.table.elements(x)
	out := newSink(p.columns(), emit)
	for i := range first {
		if err := x.stopped(); err != nil {
			return err
		}
		part := &batch{n: from[i+1] - from[i], cols: make([]*vector, len(all.cols))}
		for at, c := range all.cols {
			if c != nil && p.table.need[p.table.cols[at]] {
				part.cols[at] = c.gather(sel[from[i]:from[i+1]])
			}
		}
		if err := held.set(part.size() + out.size); err != nil {
			return err
		}
		elements.batch = part
		within := x.part()
		once(within, p.value, func() *Value { v := all.cols[by].value(int(first[i])); return &v })
		if err := p.apply.run(within, out.take); err != nil {
			return err
		}
	}
	return out.flush()
}

// byNumber lists rows by their numbers, of which there are n: those of number i
// are sel[from[i]:from[i+1]], in their order.
func byNumber(numbers []int32, n int) (sel []int32, from []int) {
	from = make([]int, n+1)
	for _, at := range numbers {
		from[at+1]++
	}
	for i := range n {
		from[i+1] += from[i]
	}
	next := append([]int(nil), from...)
	sel = make([]int32, len(numbers))
	for row, at := range numbers {
		sel[next[at]] = int32(row)
		next[at]++
	}
	return sel, from
}

func columnIndex(in []*column, c *column) int {
	for i, have := range in {
		if have == c {
			return i
		}
	}
	return -1
}

// partValue is the value that a partition has in the column it is made by.
type partValue struct {
	name string
	t    Type
}

func (v *partValue) isOfThePart() bool { return true }

// partValueExpr is toscalar(column) in the braces of partition.
type partValueExpr struct{ of *partValue }

func (e *partValueExpr) typ() Type        { return e.of.t }
func (e *partValueExpr) children() []expr { return nil }

func (e *partValueExpr) eval(x *execution, b *batch) *vector {
	return constantVector(e.of.t, *once(x, e.of, func() *Value { return new(Value) }), b.n)
}

// sink joins small batches, and passes on those that are full.
type sink struct {
	cols []*column
	emit func(*batch) error
	out  *batch
	size int64
}

func newSink(cols []*column, emit func(*batch) error) *sink {
	return &sink{cols: cols, emit: emit}
}

func (s *sink) take(b *batch) error {
	if s.out == nil && b.n >= chunkRows {
		return s.emit(b)
	}
	if s.out == nil {
		s.out = &batch{cols: make([]*vector, len(s.cols))}
	}
	for i, v := range b.cols {
		if v == nil {
			continue
		}
		if s.out.cols[i] == nil {
			s.out.cols[i] = &vector{typ: v.typ}
		}
		s.size += v.size()
		s.out.cols[i].appendVector(v)
	}
	if s.out.n += b.n; s.out.n < chunkRows && s.size < fullBatch {
		return nil
	}
	return s.flush()
}

func (s *sink) flush() error {
	full := s.out
	s.out, s.size = nil, 0
	if full == nil || full.n == 0 {
		return nil
	}
	return s.emit(full)
}
