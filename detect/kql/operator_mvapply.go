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
	m.apply = b.operators(m.table, n.ops)
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
	apply  relation
	cols   []*column
	from   []*column // a column of the operators' output, or of the input
	inner  []bool    // which of the two
	need   []bool
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
	elements := m.table.elements(x)
	return m.in.run(x, func(b *batch) error {
		out, size := m.newBatch(), int64(0)
		table := newExpander(x, m.expand, b)
		for row := range b.n {
			n := table.look(row)
			if err := x.makes(n); err != nil {
				return err
			}
			elements.batch = table.rows(in, m.table.need, row, n)
			if err := held.set(size + elements.batch.size()); err != nil {
				return err
			}
			err := m.apply.run(x, func(a *batch) error {
				for i := range m.cols {
					if !m.need[i] {
						continue
					}
					var v *vector
					if m.inner[i] {
						v = a.cols[source[i]]
					} else {
						v = repeated(b.cols[source[i]], row, a.n)
					}
					size += v.size()
					out.cols[i].appendVector(v)
				}
				if out.n += a.n; out.n < chunkRows && size < fullBatch {
					return nil
				}
				full := out
				out, size = m.newBatch(), 0
				return emit(full)
			})
			if err != nil {
				return err
			}
		}
		if out.n == 0 {
			return nil
		}
		return emit(out)
	})
}

func (m *mvApply) newBatch() *batch {
	out := &batch{cols: make([]*vector, len(m.cols))}
	for i, c := range m.cols {
		if m.need[i] {
			out.cols[i] = &vector{typ: c.typ}
		}
	}
	return out
}

// subtable is the table that the operators of mv-apply start from: at any time
// that of one row.
type subtable struct {
	cols []*column
	need map[*column]bool
}

// rowElements is what a subtable holds in one run of the plan.
type rowElements struct{ batch *batch }

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
