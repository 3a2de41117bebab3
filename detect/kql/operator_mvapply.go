package kql

import "slices"

// mvApplyNode is mv-apply arrays on (operators). The operators run over the
// elements of each row's arrays, as a table of their own.
type mvApplyNode struct {
	span
	expand *mvExpandNode
	ops    []operatorNode
}

func parseMvApply(p *parser, at span) operatorNode {
	n := &mvApplyNode{expand: &mvExpandNode{}}
	opts := p.options("mv-apply", "with_itemindex", "kind", "bagexpansion")
	for _, k := range []string{"kind", "bagexpansion"} {
		if o, ok := opts[k]; ok {
			panic(unsupportedError(o.span, "mv-apply has no %s; mv-expand %s=array can stand inside it", k, k))
		}
	}
	n.expand.parseItemIndex(opts)
	n.expand.parseColumns(p)
	n.expand.span = at.to(p.last())
	p.expectWord("on", "after the arrays")
	n.ops = p.enclosedOperators("before the operators to apply")
	n.span = at.to(p.last())
	return n
}

func (n *mvApplyNode) bind(b *binder, in relation) relation {
	m := &mvApply{in: in, expand: n.expand.bindOver(b, in, "mv-apply")}
	m.table = &subtable{cols: m.expand.cols}
	b.subtables++
	defer func() { b.subtables-- }()
	m.apply = m.operators(b, n.ops)
	// The row's own columns come first, but for those that were expanded under
	// their own names. What the operators give under a column's name stands for it.
	from := m.apply.columns()
	taken := make([]bool, len(from))
	for _, c := range in.columns() {
		if !slices.Contains(m.expand.fromIn, c) && !n.expand.names(c.name) {
			continue
		}
		if i := slices.IndexFunc(from, func(f *column) bool { return f.name == c.name }); i >= 0 {
			taken[i] = true
			m.addInner(from[i])
		} else {
			m.addOuter(c)
		}
	}
	for i, c := range from {
		if !taken[i] {
			m.addInner(c)
		}
	}
	return m
}

// names says whether an array is expanded under a name that the query gives it.
func (n *mvExpandNode) names(column string) bool {
	return slices.ContainsFunc(n.columns, func(c mvColumn) bool { return len(c.names) == 1 && c.names[0].text == column })
}

// mvApply gives, for each row of the input, what the operators make of the
// table of its elements.
type mvApply struct {
	in     relation
	expand *mvExpand // what the table holds; it is never run itself
	table  *subtable
	front  []stage // the operators that take each element by itself, the first of them first
	head   *subrows
	// summary is set if behind these there is a summarize, and behind it only operators
	// that take each row by itself: after. They are run for many rows at once too.
	summary *grouping
	after   []stage
	apply   relation
	cols    []*column
	from    []*column // a column of the operators' output, or of the input
	inner   []bool    // which of the two
	need    []bool
}

// addInner adds a column of the operators' output.
func (m *mvApply) addInner(from *column) {
	m.addOuter(from)
	m.inner[len(m.inner)-1] = true
}

// addOuter adds a column of the input.
func (m *mvApply) addOuter(from *column) {
	m.cols = append(m.cols, &column{from.name, from.typ})
	m.from, m.inner = append(m.from, from), append(m.inner, false)
}

func (m *mvApply) columns() []*column { return m.cols }

func (m *mvApply) prepare(need map[*column]bool) {
	outer, inner := make(map[*column]bool), make(map[*column]bool)
	m.need = make([]bool, len(m.cols))
	for i, c := range m.cols {
		if m.need[i] = need[c]; need[c] && m.inner[i] {
			inner[m.from[i]] = true
		} else if need[c] {
			outer[m.from[i]] = true
		}
	}
	m.apply.prepare(inner)
	for i, c := range m.table.cols {
		if m.table.need[c] && m.expand.fromIn[i] != nil {
			outer[m.expand.fromIn[i]] = true
		}
	}
	for _, e := range m.expand.expand {
		needs(e.of, outer)
	}
	m.in.prepare(outer)
	for _, e := range m.expand.expand {
		resolve(e.of, m.in.columns())
	}
}

func (m *mvApply) explain(x *explainer) explained {
	return explained{
		text: "mv-apply " + m.expand.expansions(x) + " on the second of", gives: chosen(m.cols, m.need),
		inputs: []relation{m.in, m.apply},
	}
}

// fullBatch is how many bytes make a full batch. It is passed on before it has
// all the rows that it could have.
const fullBatch = 16 << 20

// run makes a table of the elements of each row, and runs the operators over it. What
// these give for several rows goes out in one batch.
func (m *mvApply) run(x *execution, emit func(*batch) error) error {
	in, from := m.in.columns(), m.apply.columns()
	source := make([]int, len(m.cols))
	for i, c := range m.from {
		if m.inner[i] {
			source[i] = slices.Index(from, c)
		} else {
			source[i] = slices.Index(in, c)
		}
	}
	held := memory{x: x}
	defer held.free()
	return m.in.run(x, func(b *batch) error {
		e := &elementRows{of: m, from: newExpander(x, m.expand, b), in: in}
		out, size := m.newBatch(), int64(0)
		of := int32(0)      // the row whose elements the operators get
		var sources []int32 // the row that each of what is out is of
		flush := func() error {
			for i := range m.cols {
				if m.need[i] && !m.inner[i] {
					out.cols[i] = b.cols[source[i]].gather(sources)
				}
			}
			full := out
			out, size, sources = m.newBatch(), 0, nil
			return emit(full)
		}
		takeAll := func(a *batch, owners []int32) error {
			for i := range m.cols {
				switch {
				case !m.need[i]:
				case m.inner[i]:
					v := a.cols[source[i]]
					size += v.size()
					out.cols[i].appendVector(v)
				default:
					size += vectorBytes(m.cols[i].typ, a.n)
				}
			}
			sources = append(sources, owners...)
			out.n += a.n
			if err := held.set(size + e.size); err != nil {
				return err
			}
			if out.n < chunkRows && size < fullBatch {
				return nil
			}
			return flush()
		}
		var same []int32
		take := func(a *batch) error {
			same = same[:0]
			for range a.n {
				same = append(same, of)
			}
			return takeAll(a, same)
		}
		for e.next < b.n {
			first := e.next
			if err := e.read(x); err != nil {
				return err
			}
			if err := held.set(size + e.size); err != nil {
				return err
			}
			if e.large == nil && (m.summary != nil || m.apply == relation(m.head)) {
				a, owners, err := m.atOnce(x, e, first)
				if err != nil {
					return err
				}
				if a.n > 0 {
					err = takeAll(a, owners)
				}
				if err != nil {
					return err
				}
				continue
			}
			for of = int32(first); int(of) < e.next; of++ {
				e.give(x, of)
				if err := m.apply.run(x, take); err != nil {
					return err
				}
			}
		}
		if out.n == 0 {
			return nil
		}
		return flush()
	})
}

func (m *mvApply) newBatch() *batch {
	out := &batch{cols: make([]*vector, len(m.cols))}
	for i, c := range m.cols {
		if m.need[i] && m.inner[i] {
			out.cols[i] = &vector{typ: c.typ}
		}
	}
	return out
}

// atOnce is what the operators make of the elements that were read, of the rows from
// first on, where they take the elements of many rows at once.
func (m *mvApply) atOnce(x *execution, e *elementRows, first int) (*batch, []int32, error) {
	if m.summary == nil { // and nothing else is behind the front
		return e.batch, e.owners, nil
	}
	r := m.summary.beginEach(x, first, e.next-first)
	defer r.free()
	if e.batch.n > 0 {
		if err := r.add(e.batch, e.owners); err != nil {
			return nil, nil, err
		}
	}
	b, owners, err := r.owned()
	if err == nil && b.n > 0 {
		b, owners = passStages(x, m.after, b, owners)
	}
	return b, owners, err
}

// behindFront finds the summarize behind the first operators, if many rows can be
// summarized at once.
func (m *mvApply) behindFront(top relation) {
	below := top
	for s, ok := below.(stage); ok; s, ok = below.(stage) {
		below = s.input()
	}
	g, ok := below.(*grouping)
	if !ok || g.in != relation(m.head) || slices.ContainsFunc(g.keyOf, func(e expr) bool { return !ofTheRow(e) }) {
		return
	}
	for _, a := range g.aggs {
		if slices.ContainsFunc(a.args, func(e expr) bool { return !ofTheRow(e) }) {
			return
		}
	}
	if after, ok := stagesByRow(top, g); ok {
		m.summary, m.after = g, after
	}
}

// operators binds the operators over the elements of a row. The first of them can take
// the elements of many rows at once.
func (m *mvApply) operators(b *binder, ops []operatorNode) relation {
	scope := b.scope
	defer func() { b.scope = scope }()
	m.head = &subrows{m.table, m}
	rel, front := relation(m.head), true
	for _, op := range ops {
		b.count(op.pos())
		rel = op.bind(b, rel)
		if !front {
			continue
		}
		var more []stage
		if more, front = stagesByRow(rel, m.head); front {
			m.front = append(m.front, more...)
			m.head = &subrows{rel, m}
			rel = m.head
		}
	}
	m.behindFront(rel)
	return rel
}

// stagesByRow lists the stages from one relation up to another, if each of them says the
// same of a row whatever rows are with it.
func stagesByRow(top relation, bottom relation) (list []stage, ok bool) {
	for top != bottom {
		s, ok := top.(stage)
		if !ok {
			return nil, false
		}
		switch s := s.(type) {
		case *filter:
			ok = ofTheRow(s.predicate)
		case *projection:
			ok = !slices.ContainsFunc(s.from, func(e expr) bool { return !ofTheRow(e) })
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
		list = append(list, s)
		top = s.input()
	}
	slices.Reverse(list)
	return list, true
}

// subrows is where the operators begin that take the elements of one row at a time: what
// those before them made of the subtable. They get it from here and do not run it.
type subrows struct {
	relation
	of *mvApply
}

func (s *subrows) explain(x *explainer) explained { return s.relation.(explains).explain(x) }

func (s *subrows) run(x *execution, emit func(*batch) error) error {
	e := s.of.table.elements(x)
	if e.large == nil {
		if e.batch.n == 0 {
			return nil
		}
		return emit(e.batch)
	}
	return emitRows(&rows{n: e.large.n, cols: e.large.cols}, func(b *batch) error {
		if b, _ = passStages(x, s.of.front, b, nil); b.n == 0 {
			return nil
		}
		return emit(b)
	})
}

// passStages has a batch pass stages that take each row by itself, the first of them
// first. Where no row is left there are no columns. owners, if there are any, say which
// row each is an element of.
func passStages(x *execution, stages []stage, b *batch, owners []int32) (*batch, []int32) {
	for _, s := range stages {
		switch s := s.(type) {
		case *filter:
			sel := trueRows(s.predicate.eval(x, b))
			switch len(sel) {
			case 0:
				return &batch{}, nil
			case b.n:
				continue
			}
			b = s.chosen(b, sel)
			if owners == nil {
				break
			}
			kept := make([]int32, len(sel))
			for to, row := range sel {
				kept[to] = owners[row]
			}
			owners = kept
		case *projection:
			b = s.of(x, b)
		}
	}
	return b, owners
}

// elementRows makes the elements of the rows of a batch, as many rows at a time as make
// a batch of elements.
type elementRows struct {
	of     *mvApply
	from   *expander
	in     []*column // of the input
	next   int       // row
	batch  *batch    // what passed the front
	owners []int32   // the row that each is of
	at     int       // of the first that was not given
	large  *batch    // the elements of one row that has very many, which pass it later
	size   int64
}

// read takes rows until their elements make a batch.
func (e *elementRows) read(x *execution) error {
	e.batch, e.owners, e.at, e.large, e.size = nil, nil, 0, nil, 0
	need := e.of.table.need
	out := &expandedRows{expander: e.from}
	out.start()
	first := e.next
	for ; e.next < e.from.in.n; e.next++ {
		n := e.from.look(e.next)
		if len(out.sel) > 0 && len(out.sel)+n > chunkRows || n > chunkRows && e.next > first {
			break
		}
		if err := x.makes(n); err != nil {
			return err
		}
		if n > chunkRows {
			e.large = e.from.rows(e.in, need, e.next, n)
			e.size = e.large.size()
			e.next++
			return nil
		}
		for at := range n {
			out.take(e.next, at)
		}
	}
	e.batch, e.owners = out.batch(need), out.sel
	e.size = e.batch.size()
	if e.batch.n > 0 {
		e.batch, e.owners = passStages(x, e.of.front, e.batch, e.owners)
	}
	return nil
}

// give has the operators get the elements of a row.
func (e *elementRows) give(x *execution, row int32) {
	to := e.of.table.elements(x)
	if to.large = e.large; e.large != nil {
		return
	}
	from := e.at
	for e.at < len(e.owners) && e.owners[e.at] == row {
		e.at++
	}
	b := &batch{n: e.at - from, cols: make([]*vector, len(e.batch.cols))}
	for i, c := range e.batch.cols {
		if c != nil && b.n > 0 {
			b.cols[i] = c.slice(from, e.at)
		}
	}
	to.batch = b
}

// subtable is the table that the operators of mv-apply start from: at any time
// that of one row.
type subtable struct {
	cols []*column
	need map[*column]bool
}

// rowElements is what a subtable holds in one run of the plan. Of mv-apply it is what the
// front of its operators made of it, unless it is large.
type rowElements struct{ batch, large *batch }

func (t *subtable) elements(x *execution) *rowElements {
	return once(x, t, func() *rowElements { return &rowElements{} })
}

func (t *subtable) columns() []*column { return t.cols }

func (t *subtable) prepare(need map[*column]bool) {
	if t.need == nil {
		t.need = make(map[*column]bool)
	}
	for c, needed := range need {
		t.need[c] = t.need[c] || needed
	}
}

func (t *subtable) explain(*explainer) explained {
	var gives []*column
	for _, c := range t.cols {
		if t.need[c] {
			gives = append(gives, c)
		}
	}
	return explained{text: "elements of a row", gives: gives}
}

func (t *subtable) run(x *execution, emit func(*batch) error) error {
	b := t.elements(x).batch
	if 0 < b.n && b.n <= chunkRows {
		return emit(b)
	}
	return emitRows(&rows{n: b.n, cols: b.cols}, emit)
}

// repeated is one row of a vector n times.
func repeated(v *vector, row, n int) *vector {
	one := *v.gather([]int32{int32(row)}).flat()
	one.n, one.constant = n, true
	return &one
}
