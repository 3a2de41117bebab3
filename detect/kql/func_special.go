package kql

// specialFunctions are scalar functions that the binder must know: they look
// at the query itself, at its clock, or at a table.
func specialFunctions() map[string]func(*binder, *call, []*column) expr { return theSpecialFunctions }

var theSpecialFunctions map[string]func(*binder, *call, []*column) expr

// The tables refer to functions that refer to the tables, hence init.
func init() { theSpecialFunctions = buildSpecialFunctions() }

func buildSpecialFunctions() map[string]func(*binder, *call, []*column) expr {
	all := map[string]func(*binder, *call, []*column) expr{
		"now":             bindNow,
		"ago":             bindAgo,
		"toscalar":        bindToScalar,
		"column_ifexists": bindColumnIfExists,
		"columnifexists":  bindColumnIfExists,
		"ingestion_time":  bindIngestionTime,
	}
	for name := range windowFunctions {
		all[name] = bindWindow
	}
	return all
}

// bindNow gives the query's time, plus the offset if there is one.
func bindNow(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in, "offset:timespan?")
	if len(args) == 0 {
		return &constExpr{DateTime, b.now}
	}
	return fold(&applyExpr{t: DateTime, args: []expr{&constExpr{DateTime, b.now}, args[0]}, rows: func(a []Value) Value {
		if a[1].IsNull() {
			return Value{}
		}
		return plus(a[0], a[1])
	}})
}

func bindAgo(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in, "timespan:timespan")
	return fold(&applyExpr{t: DateTime, args: []expr{&constExpr{DateTime, b.now}, args[0]}, rows: func(a []Value) Value {
		if a[1].IsNull() {
			return Value{}
		}
		return subtracted(a[0], a[1])
	}})
}

func (b *binder) specialArguments(n *call, in []*column, params string) []expr {
	_, parsed, _ := parseSignature(n.fn.text + "(" + params + ") scalar")
	args := make([]expr, len(n.args))
	for i, a := range n.args {
		args[i] = b.expr(a, in)
	}
	b.checkArguments(n, parsed, args)
	return args
}

// bindToScalar gives the first column of a table's first row, null if it has
// none. A scalar is given as it is.
func bindToScalar(b *binder, n *call, in []*column) expr {
	if len(n.args) != 1 {
		failSemantic(n.span, "SEM0219", "toscalar() takes 1 argument and got %d", len(n.args))
	}
	if !b.isTabular(n.args[0]) {
		return b.expr(n.args[0], in)
	}
	rel := b.relation(n.args[0])
	if len(rel.columns()) == 0 {
		failSemantic(n.args[0].pos(), "SEM0001", "the table in toscalar() has no column")
	}
	t := rel.columns()[0].typ
	read := newSubquery(rel, b.x)
	return &subqueryExpr{t: t, value: func() Value {
		if r := read(); r.n > 0 {
			return r.cols[0].value(0)
		}
		return convert(Value{}, t)
	}}
}

// subqueryExpr is a scalar that a table gives, the same for every row.
type subqueryExpr struct {
	t     Type
	value func() Value
}

func (e *subqueryExpr) typ() Type             { return e.t }
func (e *subqueryExpr) children() []expr      { return nil }
func (e *subqueryExpr) eval(b *batch) *vector { return constantVector(e.t, e.value(), b.n) }

func bindColumnIfExists(b *binder, n *call, in []*column) expr {
	if len(n.args) != 2 {
		failSemantic(n.span, "SEM0219", "%s() takes 2 arguments and got %d", n.fn.text, len(n.args))
	}
	wanted, ok := b.expr(n.args[0], nil).(*constExpr)
	if !ok || wanted.t != String {
		failSemantic(n.args[0].pos(), "SEM0220", "the name of the column must be a string that does not depend on the row")
	}
	for _, c := range in {
		if c.name == wanted.val.s {
			return &columnExpr{col: c}
		}
	}
	return b.expr(n.args[1], in)
}
