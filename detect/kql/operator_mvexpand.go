package kql

import (
	"fmt"
	"slices"
	"strings"
)

// mvExpandNode is mv-expand: a row per element of an array.
type mvExpandNode struct {
	span
	itemIndex string
	bagArrays bool // a bag's pairs are arrays of two, and not bags of one
	columns   []mvColumn
	limit     node
}

type mvColumn struct {
	named
	typ Type // of to typeof(...), or kindNull
}

func parseMvExpand(p *parser, at span) operatorNode {
	n := &mvExpandNode{}
	opts := p.options("mv-expand", "with_itemindex", "bagexpansion", "kind")
	n.parseItemIndex(opts)
	for _, k := range []string{"bagexpansion", "kind"} {
		if o, ok := opts[k]; ok {
			v, _ := o.value.(*name)
			if v == nil || v.text != "bag" && v.text != "array" {
				panic(syntaxError(o.value.pos(), "the %s of mv-expand is bag or array", k))
			}
			n.bagArrays = v.text == "array"
		}
	}
	n.parseColumns(p)
	n.span = at.to(p.last())
	return n
}

func (n *mvExpandNode) parseItemIndex(opts map[string]option) {
	o, ok := opts["with_itemindex"]
	if !ok {
		return
	}
	switch index := o.value.(type) {
	case *name:
		n.itemIndex = index.text
	case *literal:
		n.itemIndex = index.val.s
	}
	if n.itemIndex == "" {
		panic(syntaxError(o.value.pos(), "with_itemindex names a column"))
	}
}

// parseColumns reads the arrays and the limit, as mv-apply has them too. The
// reference's samples write take for limit.
func (n *mvExpandNode) parseColumns(p *parser) {
	for {
		c := mvColumn{named: p.namedExpr()}
		if p.acceptWord("to") {
			p.expectWord("typeof", "after to")
			p.expect("(", "after typeof")
			c.typ = p.typeName()
			p.expect(")", "after the type")
		}
		n.columns = append(n.columns, c)
		if !p.accept(",") {
			break
		}
	}
	if p.acceptWord("limit") || p.acceptWord("take") {
		n.limit = p.expr()
	}
}

func (n *mvExpandNode) bind(b *binder, in relation) relation { return n.bindOver(b, in, "mv-expand") }

// bindOver binds the arrays over an input. An expanded array takes the place of the
// column of its name, or comes behind the others.
func (n *mvExpandNode) bindOver(b *binder, in relation, operator string) *mvExpand {
	m := &mvExpand{in: in, limit: -1, index: -1, bagArrays: n.bagArrays}
	if n.limit != nil {
		m.limit = b.limitOf(n.limit)
	}
	m.cols = copyColumns(in.columns())
	m.fromIn = slices.Clone(in.columns())
	names := b.columnNaming()
	for i, c := range m.cols {
		names.taken[c.name] = true
		b.inheritReceived(c, m.fromIn[i])
	}
	for _, item := range n.columns {
		col := b.namedColumn(item.named, in.columns())
		if col.declared {
			names.declare(col)
		}
		if col.e.typ() != Dynamic {
			panic(semanticError(item.pos(), "SEM0001", "%s needs a dynamic, and this is a %s: parse_json() makes a dynamic of text", operator, col.e.typ()))
		}
		t := Dynamic
		if item.typ != kindNull {
			t = item.typ
		}
		at := slices.IndexFunc(m.cols, func(c *column) bool { return c.name == col.name })
		if at < 0 || col.name == "" {
			name := col.name
			if name == "" {
				name = names.numbered()
			} else {
				names.unique(name)
			}
			m.cols = append(m.cols, &column{name, t})
			m.fromIn = append(m.fromIn, nil)
			at = len(m.cols) - 1
		} else {
			m.cols[at] = &column{col.name, t}
			m.fromIn[at] = nil
		}
		// Of two expansions under one name the last counts for the column, and
		// both for the number of rows.
		for i := range m.expand {
			if m.expand[i].at == at {
				m.expand[i].at = -1
			}
		}
		m.expand = append(m.expand, expansion{at, col.e})
	}
	if n.itemIndex != "" {
		m.cols = append(m.cols, &column{names.unique(n.itemIndex), Long})
		m.fromIn = append(m.fromIn, nil)
		m.index = len(m.cols) - 1
	}
	return m
}

// mvExpand repeats a row for each element of its arrays, side by side. Where
// one is shorter it gives null. A bag stands for its pairs, a null or a scalar
// for one row.
type mvExpand struct {
	in     relation
	cols   []*column
	fromIn []*column // the input's column, nil for an expanded one
	expand []expansion
	index  int // of the item index's column, or -1
	limit  int64
	need   []bool

	bagArrays bool
}

type expansion struct {
	at int // of its column, or -1 if another took it
	of expr
}

func (m *mvExpand) columns() []*column { return m.cols }

func (m *mvExpand) prepare(need map[*column]bool) {
	below := make(map[*column]bool)
	m.need = make([]bool, len(m.cols))
	for i, c := range m.cols {
		m.need[i] = need[c]
		if m.fromIn[i] != nil && need[c] {
			below[m.fromIn[i]] = true
		}
	}
	for _, e := range m.expand {
		needs(e.of, below)
	}
	m.in.prepare(below)
	for _, e := range m.expand {
		resolve(e.of, m.in.columns())
	}
}

func (m *mvExpand) explain(x *explainer) explained {
	return explained{text: "mv-expand " + m.expansions(x), gives: chosen(m.cols, m.need), inputs: []relation{m.in}}
}

// expansions writes what is expanded, and how.
func (m *mvExpand) expansions(x *explainer) string {
	var list []string
	for _, e := range m.expand {
		text := x.expr(e.of)
		if e.at >= 0 {
			c := m.cols[e.at]
			if name := x.columnName(c); name != text {
				text = name + " = " + text
			}
			if c.typ != Dynamic {
				text += " to typeof(" + c.typ.String() + ")"
			}
		}
		list = append(list, text)
	}
	text := ""
	if m.index >= 0 {
		text += "with_itemindex=" + x.columnName(m.cols[m.index]) + " "
	}
	text += strings.Join(list, ", ")
	if m.limit >= 0 {
		text += fmt.Sprintf(" limit %d", m.limit)
	}
	return text
}

// elements gives what a value expands to; none is one null.
func elements(v Value, bagArrays bool) []Value {
	switch v.kind {
	case kindArray:
		return v.array()
	case kindBag:
		b := v.bag()
		items := make([]Value, len(b.keys))
		for i, k := range b.keys {
			if bagArrays {
				items[i] = arrayValue([]Value{stringValue(k), b.vals[i]})
				continue
			}
			pair := newBag(1)
			pair.set(k, b.vals[i])
			items[i] = bagValue(pair)
		}
		return items
	}
	return []Value{v}
}

func (m *mvExpand) input() relation { return m.in }

func (m *mvExpand) run(x *execution, emit func(*batch) error) error { return runStages(m, x, emit) }

func (m *mvExpand) apply(x *execution, b *batch, emit func(*batch) error) error {
	out := &expandedRows{expander: newExpander(x, m, b), x: x, emit: emit}
	out.start()
	for row := range b.n {
		for at := range out.look(row) {
			if err := out.add(row, at); err != nil {
				return err
			}
		}
	}
	return out.flush()
}

// expandedRows gathers the rows that a batch expands to, and emits them in batches.
type expandedRows struct {
	*expander
	x        *execution
	emit     func(*batch) error
	sel      []int32   // the row that each is of
	expanded []*vector // the columns that are not the input's
}

// start begins a batch.
func (o *expandedRows) start() {
	o.sel, o.expanded = o.sel[:0], make([]*vector, len(o.cols))
	for i, c := range o.cols {
		o.expanded[i] = &vector{typ: c.typ}
	}
}

// add takes the elements at a position of a row's arrays.
func (o *expandedRows) add(row, at int) error {
	o.take(row, at)
	if len(o.sel) < chunkRows {
		return nil
	}
	if err := o.x.makes(chunkRows); err != nil {
		return err
	}
	return o.flush()
}

func (o *expandedRows) take(row, at int) {
	for i, e := range o.expand {
		if e.at >= 0 {
			v := o.expanded[e.at]
			v.appendValue(itemAt(o.items[i], at, v.typ))
		}
	}
	if o.index >= 0 {
		o.expanded[o.index].appendValue(longValue(int64(at)))
	}
	o.sel = append(o.sel, int32(row))
}

// flush emits the batch, and begins another.
func (o *expandedRows) flush() error {
	if len(o.sel) == 0 {
		return nil
	}
	need := make(map[*column]bool, len(o.cols))
	for i, c := range o.cols {
		need[c] = o.need[i]
	}
	out := o.batch(need)
	o.start()
	return o.emit(out)
}

// batch gives the rows so far, with the columns that are needed.
func (o *expandedRows) batch(need map[*column]bool) *batch {
	in := o.mvExpand.in.columns()
	out := &batch{n: len(o.sel), cols: make([]*vector, len(o.cols))}
	asItWas := isEachOnce(o.sel, o.expander.in.n) // as where most rows have one element
	for i, c := range o.cols {
		switch {
		case !need[c]:
		case o.fromIn[i] != nil:
			out.cols[i] = o.expander.in.cols[slices.Index(in, o.fromIn[i])]
			if !asItWas {
				out.cols[i] = out.cols[i].gather(o.sel)
			}
		default:
			out.cols[i] = o.expanded[i]
		}
	}
	return out
}

// isEachOnce says whether all of n rows are chosen once, in their order.
func isEachOnce(sel []int32, n int) bool {
	if len(sel) != n {
		return false
	}
	for at, row := range sel {
		if int(row) != at {
			return false
		}
	}
	return true
}

// convertItem gives an element the type that typeof() asks for; inside a
// dynamic it stays what it is.
func convertItem(v Value, t Type) Value {
	if t == Dynamic {
		return v
	}
	return convert(v, t)
}

// expander makes the elements of one row at a time into a table.
type expander struct {
	*mvExpand
	in    *batch
	vecs  []*vector
	items [][]Value
}

func newExpander(ex *execution, m *mvExpand, in *batch) *expander {
	e := &expander{mvExpand: m, in: in, items: make([][]Value, len(m.expand))}
	for _, x := range m.expand {
		e.vecs = append(e.vecs, x.of.eval(ex, in))
	}
	return e
}

// look takes a row, and says how many rows it expands to.
func (e *expander) look(row int) int {
	longest := 0
	for i, v := range e.vecs {
		e.items[i] = elements(v.value(row), e.bagArrays)
		longest = max(longest, len(e.items[i]))
	}
	if e.limit >= 0 {
		longest = int(min(int64(longest), e.limit))
	}
	return longest
}

// itemAt is the element at a position, of a type. Behind the end of the array it
// is null.
func itemAt(items []Value, at int, t Type) Value {
	if at >= len(items) {
		return Value{}
	}
	return convertItem(items[at], t)
}

// rows gives the n rows of the row that was taken, with the columns needed.
func (e *expander) rows(in []*column, need map[*column]bool, row, n int) *batch {
	out := &batch{n: n, cols: make([]*vector, len(e.cols))}
	for i, c := range e.cols {
		if need[c] && e.fromIn[i] != nil {
			out.cols[i] = repeated(e.in.cols[slices.Index(in, e.fromIn[i])], row, n)
		}
	}
	for i, x := range e.expand {
		if x.at < 0 || !need[e.cols[x.at]] {
			continue
		}
		v := newVector(e.cols[x.at].typ, n)
		for at := range n {
			v.set(at, itemAt(e.items[i], at, v.typ))
		}
		out.cols[x.at] = v
	}
	if e.index >= 0 && need[e.cols[e.index]] {
		v := newVector(Long, n)
		for at := range n {
			v.ints[at] = int64(at)
		}
		out.cols[e.index] = v
	}
	return out
}
