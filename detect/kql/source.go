package kql

import "fmt"

// printNode is print: one row of values.
type printNode struct {
	span
	columns []named
}

func parsePrint(p *parser) node {
	at := p.advance().span
	if p.atOperatorEnd() {
		panic(p.unexpected("expected an expression after print"))
	}
	list := p.namedExprs()
	return &printNode{at.to(p.last()), list}
}

func (n *printNode) bindSource(b *binder) relation {
	out := &projection{in: &oneRow{}}
	number := 0
	names := newNaming("print_", &number)
	for i, item := range n.columns {
		number = i - 1
		if len(item.names) == 1 { // all by one name, unlike elsewhere
			col := b.namedColumn(item, nil)
			out.add(names.column(col), col.e)
			continue
		}
		cols := b.namedColumns(item, nil)
		if len(cols) == 1 && !cols[0].declared {
			cols[0].name = "" // print derives no names for a single value
		}
		for _, col := range cols {
			out.add(names.column(col), col.e)
		}
	}
	return out
}

// oneRow is a single row without columns.
type oneRow struct{}

func (*oneRow) columns() []*column           { return nil }
func (*oneRow) prepare(map[*column]bool)     {}
func (*oneRow) explain(*explainer) explained { return explained{text: "one row"} }
func (*oneRow) run(_ *execution, emit func(*batch) error) error {
	return emit(&batch{n: 1})
}

// rangeNode is range name from first to last step size.
type rangeNode struct {
	span
	column            name
	first, last, step node
}

func parseRange(p *parser) node {
	at := p.advance().span
	n := &rangeNode{column: p.name("for the column")}
	p.expectWord("from", "after the column's name")
	n.first = p.expr()
	p.expectWord("to", "after the first value")
	n.last = p.expr()
	p.expectWord("step", "after the last value")
	n.step = p.expr()
	n.span = at.to(p.last())
	return n
}

func (n *rangeNode) bindSource(b *binder) relation {
	first, last, step := b.expr(n.first, nil), b.expr(n.last, nil), b.expr(n.step, nil)
	t := first.typ()
	switch {
	case t.isNumber() && last.typ().isNumber() && step.typ().isNumber():
		t = widest(widest(t, last.typ()), step.typ())
	case (t == DateTime || t == TimeSpan) && last.typ() == t && step.typ() == TimeSpan:
	default:
		at := n.step
		switch {
		case !t.isNumber() && t != DateTime && t != TimeSpan:
			at = n.first
		case last.typ() != t && !(t.isNumber() && last.typ().isNumber()):
			at = n.last
		}
		panic(semanticError(at.pos(), "SEM0001", "range goes over numbers, datetimes or timespans, and not from a %s to a %s by a %s", t, last.typ(), step.typ()))
	}
	stepType := step.typ()
	if t.isNumber() {
		stepType = t
	}
	return &valueRange{col: &column{n.column.text, t}, at: n.span,
		first: converted(first, t), last: converted(last, t), step: converted(step, stepType)}
}

type valueRange struct {
	col               *column
	at                span
	first, last, step expr
}

func (r *valueRange) columns() []*column       { return []*column{r.col} }
func (r *valueRange) prepare(map[*column]bool) {}

func (r *valueRange) explain(x *explainer) explained {
	text := fmt.Sprintf("range %s from %s to %s step %s", x.columnName(r.col), x.expr(r.first), x.expr(r.last), x.expr(r.step))
	return explained{text: text, gives: r.columns()}
}

// run gives the values from the first to the last, and nothing if one of them is null.
func (r *valueRange) run(x *execution, emit func(*batch) error) error {
	one := &batch{n: 1}
	at, last, step := r.first.eval(x, one).value(0), r.last.eval(x, one).value(0), r.step.eval(x, one).value(0)
	if at.IsNull() || last.IsNull() || step.IsNull() {
		return nil
	}
	zero := Value{kind: step.kind}
	if step.kind == Decimal {
		zero = toDecimal(longValue(0))
	}
	sign, _ := compare(step, zero)
	if sign == 0 {
		return &LimitError{Message: "range never ends: its step is zero"}
	}
	out := &vector{typ: r.col.typ}
	for {
		order, ok := compare(at, last)
		if !ok || order*sign > 0 {
			break
		}
		out.appendValue(at)
		if out.n == chunkRows {
			if err := x.makes(chunkRows); err != nil {
				return err
			}
			if err := emit(&batch{n: out.n, cols: []*vector{out}}); err != nil {
				return err
			}
			out = &vector{typ: r.col.typ}
		}
		next := plus(at, step)
		if order, ok := compare(next, at); !ok || order*sign <= 0 {
			break // past the end of the type
		}
		at = convert(next, r.col.typ)
	}
	if out.n == 0 {
		return nil
	}
	return emit(&batch{n: out.n, cols: []*vector{out}})
}

// datatableNode is datatable(name:type, ...)[value, ...].
type datatableNode struct {
	span
	schema Schema
	cells  []node
}

func parseDatatable(p *parser) node {
	n := &datatableNode{}
	at := p.advance().span
	n.schema = p.declaredColumns("datatable")
	if t := p.cur(); t.kind == tokQuoted { // ["one"] looks like a quoted name
		p.advance()
		n.cells = []node{&literal{span: t.span, typ: String, val: stringValue(t.text)}}
	} else {
		p.expect("[", "before the values")
		for !p.cur().is("]") {
			n.cells = append(n.cells, p.cell())
			if !p.accept(",") {
				break
			}
		}
		p.expect("]", "after the values")
	}
	n.span = at.to(p.last())
	return n
}

// declaredColumns reads (name:type, ...), which follow a word.
func (p *parser) declaredColumns(word string) Schema {
	var schema Schema
	p.expect("(", "after "+word)
	for !p.cur().is(")") {
		column := p.name("of a column")
		p.expect(":", "after the column's name")
		if schema.Index(column.text) >= 0 {
			panic(semanticError(column.span, "SEM0111", "the %s has two columns named '%s'", word, column.text))
		}
		schema = append(schema, ColumnSchema{column.text, p.typeName()})
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the columns")
	return schema
}

// cell reads a literal, the only thing that a datatable's rows are made of.
func (p *parser) cell() node {
	n := p.unary()
	of := n
	if s, ok := n.(*signed); ok {
		of = s.of
	}
	if _, ok := of.(*literal); !ok {
		if ref, isName := of.(*name); !isName || ref.quoted || ref.text != "null" {
			panic(syntaxError(n.pos(), "the values of a datatable are literals, and this is not one"))
		}
	}
	return n
}

func (n *datatableNode) bindSource(b *binder) relation {
	width := len(n.schema)
	if width == 0 {
		panic(syntaxError(n.span, "a datatable needs at least one column"))
	}
	if len(n.cells)%width != 0 {
		panic(semanticError(n.cells[0].pos().to(n.cells[len(n.cells)-1].pos()), "SEM0001", "the datatable has %d columns and %d values: the last row is not complete", width, len(n.cells)))
	}
	cols := make([]*vector, width)
	for i, c := range n.schema {
		cols[i] = &vector{typ: c.Type}
	}
	for i, cell := range n.cells {
		t := n.schema[i%width].Type
		e, ok := b.expr(cell, nil).(*constExpr)
		if !ok {
			panic(semanticError(cell.pos(), "SEM0001", "the value of a datatable must be a constant"))
		}
		val := e.val
		if t != Dynamic || e.t != String {
			val = convert(e.val, t)
		}
		if val.IsNull() && !e.val.IsNull() {
			panic(semanticError(cell.pos(), "SEM0001", "a %s is expected for the column %s, and this is a %s", t, n.schema[i%width].Name, e.t))
		}
		cols[i%width].appendValue(val)
	}
	t := newTable("", n.schema, cols, len(n.cells)/width)
	t.generated, t.received = -1, -1 // the query's timespan is for the workspace's tables
	return newScan(t)
}

// bindTableFunction is table('name').
func bindTableFunction(b *binder, n *call) relation {
	if len(n.args) != 1 {
		panic(semanticError(n.span, "SEM0219", "table() takes 1 argument and got %d", len(n.args)))
	}
	table := b.constantName(n.args[0], "the name of the table", n.fn.text)
	var rel relation
	b.within(&scope{}, func() { rel = b.tableNamed(&name{span: n.args[0].pos(), text: table}) })
	return rel
}
