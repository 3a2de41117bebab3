package kql

// constantOf gives the value of an expression that is the same for every row. It
// is made of literals and of tables that toscalar() reads: rules build patterns
// and limits from watchlists so. Such a table is read while the query is bound.
// Where there is no data to read, the value is nil and constant is true all the
// same.
func (b *binder) constantOf(e expr) (value *constExpr, constant bool) {
	if c, ok := e.(*constExpr); ok {
		return c, true
	}
	if !ofNoRow(e, make(map[expr]bool)) {
		return nil, false
	}
	if !b.hasData() {
		return nil, true
	}
	return &constExpr{t: e.typ(), val: e.eval(b.x, &batch{n: 1}).value(0)}, true
}

// hasData says whether tables can be read while the query is bound.
func (b *binder) hasData() bool { return !b.dry && b.trying == 0 }

// ofNoRow says whether an expression reads no column. What is part of it twice
// is looked at once.
func ofNoRow(e expr, seen map[expr]bool) bool {
	if seen[e] {
		return true
	}
	seen[e] = true
	switch e := e.(type) {
	case *constExpr, *subqueryExpr:
		return true
	case *applyExpr:
		for _, a := range e.args {
			if !ofNoRow(a, seen) {
				return false
			}
		}
		return true
	}
	return false
}

// constantText is the text of an argument that has been checked to be a
// constant. It is empty where there is no data to read it from.
func constantText(e expr) string {
	if c, ok := e.(*constExpr); ok {
		return c.val.s
	}
	return ""
}

// constantName gives a constant text that names a table or a column. What it is
// decides what the query reads, so without data no more is known.
func (b *binder) constantName(n node, what, fn string) string {
	c, ok := b.constantOf(b.expr(n, nil))
	if ok && c == nil {
		panic(&unknownColumns{n.pos(), fn + "()"})
	}
	if !ok || c.t != String {
		panic(semanticError(n.pos(), "SEM0220", "%s must be a string that does not depend on the row", what))
	}
	return c.val.s
}
