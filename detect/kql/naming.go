package kql

import "strconv"

// resultName names the column of a function's result when the query does not.
// It goes by what its first argument would be called, "" if it would be
// numbered. Without a resultName the column is numbered.
type resultName func(first string) string

func nameOfFirst(first string) string { return first }

func prefixed(prefix string) resultName {
	return func(first string) string { return prefix + "_" + first }
}

// outputName names the column of an expression when the query does not. It is
// the name of the column it is, or comes from the path or the function over one
// column. "" means that it is numbered.
func (b *binder) outputName(n node, in []*column) string {
	switch n := n.(type) {
	case *name:
		if d := b.find(n.text); columnIn(in, n.text) != nil || d != nil && d.scalar != nil || b.errs != nil {
			return n.text
		}
	case *path:
		if of := b.outputName(n.of, in); of != "" {
			return of + "_" + n.key
		}
		return n.key
	case *element:
		if of := b.outputName(n.of, in); of != "" {
			return of + "_" + elementName(n.at)
		}
		return elementName(n.at)
	case *call:
		return b.callName(n, in)
	}
	return ""
}

// textOf is the text of a constant that is written as one, or is the name of one,
// such as a parameter.
func (b *binder) textOf(n node) (text string, constant bool) {
	switch n := n.(type) {
	case *literal:
		return n.val.s, n.typ == String
	case *name:
		if d := b.find(n.text); d != nil && d.scalar != nil {
			if c, ok := d.scalar.(*constExpr); ok && c.t == String {
				return c.val.s, true
			}
		}
	}
	return "", false
}

func elementName(at node) string {
	lit, ok := at.(*literal)
	switch {
	case ok && lit.typ == String:
		return lit.val.s
	case ok && lit.typ == Long:
		return strconv.FormatInt(lit.val.n, 10)
	}
	return ""
}

func (b *binder) callName(n *call, in []*column) string {
	first := func(in []*column) string {
		if len(n.args) == 0 {
			return ""
		}
		if n.names[0] != nil {
			return n.names[0].text
		}
		if c, ok := n.args[0].(*call); ok && b.agg != nil {
			if a := aggregates()[c.fn.text]; a != nil && (a.naming != nil || a.columns != nil) {
				return "" // those name their own columns only
			}
		}
		return b.outputName(n.args[0], in)
	}
	if b.find(n.fn.text) != nil {
		return ""
	}
	if a := aggregates()[n.fn.text]; a != nil && b.agg != nil {
		if a.naming != nil {
			return a.naming(b, n)
		}
		if a.stem == "" {
			return first(b.agg.in.columns())
		}
		return prefixed(a.stem)(first(b.agg.in.columns()))
	}
	switch n.fn.text {
	case "ingestion_time":
		return "$IngestionTime"
	case "column_ifexists", "columnifexists":
		if len(n.args) > 0 {
			if wanted, ok := b.textOf(n.args[0]); ok && columnIn(in, wanted) != nil {
				return wanted
			}
		}
		return ""
	}
	if f := scalarFunctions()[n.fn.text]; f != nil && f.naming != nil {
		return f.naming(first(in))
	}
	return ""
}

// declares says whether an expression without a name claims the column's own
// name. No other column may have it then.
func (b *binder) declares(n node, in []*column) bool {
	if c, ok := n.(*call); ok && c.fn.text == "tostring" && len(c.args) == 1 {
		ref, ok := c.args[0].(*name) // a string stays what it is
		return ok && columnIn(in, ref.text) != nil && columnIn(in, ref.text).typ == String
	}
	return isColumn(n, in)
}

// isColumn says whether an expression is the name of a column and no more.
func isColumn(n node, in []*column) bool {
	ref, ok := n.(*name)
	return ok && columnIn(in, ref.text) != nil
}

func columnIn(in []*column, name string) *column {
	for _, c := range in {
		if c.name == name {
			return c
		}
	}
	return nil
}

// namedColumn is an expression with the name of its column, "" for one that
// gets a number.
type namedColumn struct {
	name     string
	declared bool // by the query, and not only derived from the expression
	at       span
	e        expr
}

// namedColumn binds [name =] expression.
func (b *binder) namedColumn(n named, in []*column) namedColumn {
	return b.nameColumn(n, in, b.expr(n.expr, in))
}

func (b *binder) nameColumn(n named, in []*column, e expr) namedColumn {
	if tuple, ok := e.(*tupleExpr); ok && tuple.types != nil {
		e = tuple.value(0)
	} else if ok {
		panic(semanticError(n.expr.pos(), "SEM0001", "this gives several values, and one is expected here: choose one with [0], [1] and so on"))
	}
	switch len(n.names) {
	case 0:
		return namedColumn{b.outputName(n.expr, in), b.declares(n.expr, in), n.expr.pos(), e}
	case 1:
		return namedColumn{name: n.names[0].text, declared: true, at: n.names[0].span, e: e}
	}
	panic(semanticError(n.pos(), "SEM0001", "there are several names, and the expression gives one value"))
}

// namedColumns binds the columns of an operator that takes several of one
// expression. It is written f(), name = f() or (a, b) = f(). Those that are not
// named take the function's names.
func (b *binder) namedColumns(n named, in []*column) []namedColumn {
	e := b.expr(n.expr, in)
	tuple, ok := e.(*tupleExpr)
	if !ok {
		return []namedColumn{b.nameColumn(n, in, e)}
	}
	names := tuple.names(in)
	if len(n.names) > len(names) {
		panic(semanticError(n.names[len(names)].span, "SEM0001", "the expression gives %d values, and %d names are given", len(names), len(n.names)))
	}
	cols := make([]namedColumn, len(names))
	for i, name := range names {
		e := tuple.value(i)
		cols[i] = namedColumn{name: name, at: n.expr.pos(), e: e}
		if i < len(n.names) {
			cols[i] = namedColumn{name: n.names[i].text, declared: true, at: n.names[i].span, e: e}
		}
	}
	return cols
}

// naming gives the columns of an operator their names: unique, and numbered
// where they have none.
type naming struct {
	taken    map[string]bool
	declared map[string]bool
	blank    string // the stem of numbered names
	next     *int
}

// newNaming names columns. Those without a name get the stem and the next
// number.
func newNaming(blank string, next *int) *naming {
	return &naming{taken: make(map[string]bool), declared: make(map[string]bool), blank: blank, next: next}
}

// columnNaming is the naming of most operators. What has no name is Column1 and
// so on, with the numbers going on through the query.
func (b *binder) columnNaming() *naming { return newNaming("Column", &b.numbered) }

// column names a column. A name that is declared twice is an error; one that
// is only derived gives way and gets a number behind it.
func (g *naming) column(c namedColumn) string {
	if c.declared {
		g.declare(c)
	}
	return g.unique(c.name)
}

func (g *naming) declare(c namedColumn) {
	if g.declared[c.name] {
		panic(semanticError(c.at, "SEM0111", "there are two columns named '%s'", c.name))
	}
	g.declared[c.name] = true
}

// unique gives the name itself, or with the first number that makes it so.
func (g *naming) unique(name string) string {
	if name == "" {
		*g.next++
		name = g.blank + strconv.Itoa(*g.next)
	}
	base := name
	for i := 1; g.taken[name]; i++ {
		name = base + strconv.Itoa(i)
	}
	g.taken[name] = true
	return name
}

// numbered gives the first numbered name that is not taken.
func (g *naming) numbered() string {
	for g.taken[g.blank+strconv.Itoa(*g.next+1)] {
		*g.next++
	}
	return g.unique("")
}
