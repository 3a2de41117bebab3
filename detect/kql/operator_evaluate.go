package kql

import (
	"maps"
	"slices"
)

// evaluateNode is evaluate plugin(arguments) : (schema). The one plugin here is
// bag_unpack.
type evaluateNode struct {
	span
	plugin   name
	args     []pluginArgument
	declared bool // a schema follows
	all      bool // which begins with *, the columns of the input
	schema   Schema
}

// pluginArgument is an argument that may be named.
type pluginArgument struct {
	name string
	expr node
}

// parseEvaluate reads plugin(arguments) and the schema that may follow it.
func parseEvaluate(p *parser, at span) operatorNode {
	p.options("evaluate")
	n := &evaluateNode{plugin: p.name("of a plugin")}
	if n.plugin.text != "bag_unpack" {
		panic(unsupportedError(n.plugin.span, "the plugin '%s' is not supported; bag_unpack is", n.plugin.text))
	}
	p.expect("(", "after the plugin's name")
	for !p.cur().is(")") {
		a := pluginArgument{}
		if p.cur().kind == tokName && p.peek().is("=") {
			a.name = p.advance().text
			p.advance()
		}
		a.expr = p.expr()
		n.args = append(n.args, a)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the arguments")
	if p.accept(":") {
		n.declared = true
		p.expect("(", "before the schema")
		if p.accept("*") {
			n.all = true
			if !p.cur().is(")") {
				p.expect(",", "after *")
			}
		}
		for !p.cur().is(")") {
			column := p.name("of a column")
			p.expect(":", "after the column's name")
			if n.schema.Index(column.text) >= 0 {
				panic(semanticError(column.span, "SEM0111", "the schema has two columns named '%s'", column.text))
			}
			n.schema = append(n.schema, ColumnSchema{column.text, p.typeName()})
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "after the schema")
	}
	n.span = at.to(p.last())
	return n
}

// bagUnpackParameters are those of bag_unpack, in order.
var bagUnpackParameters = []string{"Column", "OutputColumnPrefix", "columnsConflict", "ignoredProperties"}

// maxUnpacked bounds the columns that the data can make.
const maxUnpacked = 4096

// conflictModes say what becomes of a column of the input that has the name of
// a property.
var conflictModes = []string{"error", "replace_source", "keep_source"}

// bind reads the arguments of bag_unpack(). The columns are those of the schema if
// there is one, and else what the rows hold.
func (n *evaluateNode) bind(b *binder, in relation) relation {
	u := &unpacking{in: in, at: n.span, conflict: "error"}
	given := make(map[string]bool)
	for i, a := range n.args {
		param := a.name
		if param == "" && i < len(bagUnpackParameters) {
			param = bagUnpackParameters[i]
			// The prefix may be left out, as the values of the others differ from it.
			if c, ok := b.constantArgument(a.expr); ok && i > 0 {
				switch {
				case c.typ() == Dynamic:
					param = "ignoredProperties"
				case slices.Contains(conflictModes, c.val.s):
					param = "columnsConflict"
				}
			}
		}
		if !slices.Contains(bagUnpackParameters, param) {
			panic(semanticError(a.expr.pos(), "SEM0219", "bag_unpack() takes a column, a prefix, columnsConflict and ignoredProperties, and no other argument"))
		}
		if given[param] {
			panic(semanticError(a.expr.pos(), "SEM0219", "%s of bag_unpack() is given twice", param))
		}
		given[param] = true
		u.argument(b, param, a.expr)
	}
	if u.bag == nil {
		panic(semanticError(n.plugin.span, "SEM0219", "bag_unpack() takes at least 1 argument and got none: the column"))
	}
	if !n.declared {
		return u.discovered(b)
	}
	if n.all {
		for _, c := range in.columns() {
			if c != u.bag && n.schema.Index(c.name) < 0 {
				u.add(c.name, c.typ, c)
			}
		}
	}
	for _, c := range n.schema {
		source := columnIn(in.columns(), c.Name)
		if source == u.bag {
			source = nil
		}
		u.add(c.Name, c.Type, source)
		u.slot[len(u.slot)-1] = true
	}
	return u
}

// constantArgument binds an argument if it is a constant.
func (b *binder) constantArgument(n node) (*constExpr, bool) {
	switch n.(type) {
	case *literal, *call:
		c, ok := b.expr(n, nil).(*constExpr)
		return c, ok
	}
	return nil, false
}

// argument takes one of the arguments.
func (u *unpacking) argument(b *binder, param string, n node) {
	if param == "Column" {
		ref, ok := b.expr(n, u.in.columns()).(*columnExpr)
		if !ok || ref.typ() != Dynamic {
			panic(semanticError(n.pos(), "SEM0220", "bag_unpack() unpacks a column of type dynamic; extend one with parse_json() first"))
		}
		u.bag = ref.col
		return
	}
	c, ok := b.expr(n, nil).(*constExpr)
	want := String
	if param == "ignoredProperties" {
		want = Dynamic
	}
	if !ok || c.t != want {
		panic(semanticError(n.pos(), "SEM0220", "%s of bag_unpack() must be a constant of type %s", param, want))
	}
	switch param {
	case "OutputColumnPrefix":
		u.prefix = c.val.s
	case "columnsConflict":
		if !slices.Contains(conflictModes, c.val.s) {
			panic(semanticError(n.pos(), "SEM0220", "columnsConflict is error, replace_source or keep_source"))
		}
		u.conflict = c.val.s
	case "ignoredProperties":
		if c.val.kind != kindArray {
			panic(semanticError(n.pos(), "SEM0220", "ignoredProperties must be an array of names"))
		}
		u.ignored = make(map[string]bool)
		for _, v := range c.val.array() {
			u.ignored[v.String()] = true
		}
	}
}

// unpacking is bag_unpack: the properties of a bag as columns.
type unpacking struct {
	in       relation
	at       span
	bag      *column
	prefix   string
	conflict string
	ignored  map[string]bool

	cols   []*column
	source []*column // the input's column of that name, or nil
	slot   []bool    // whether a property may fill the column
	need   []bool
}

func (u *unpacking) add(name string, t Type, source *column) {
	u.cols = append(u.cols, &column{name, t})
	u.source, u.slot = append(u.source, source), append(u.slot, false)
}

func (u *unpacking) columns() []*column { return u.cols }

func (u *unpacking) prepare(need map[*column]bool) {
	below := map[*column]bool{u.bag: true}
	u.need = make([]bool, len(u.cols))
	for i, c := range u.cols {
		if u.need[i] = need[c]; need[c] && u.source[i] != nil {
			below[u.source[i]] = true
		}
	}
	u.in.prepare(below)
}

// property gives what a bag says for a column.
func (u *unpacking) property(bag Value, column string) (Value, bool) {
	if bag.kind != kindBag || len(column) < len(u.prefix) || column[:len(u.prefix)] != u.prefix || u.ignored[column[len(u.prefix):]] {
		return Value{}, false
	}
	return bag.bag().get(column[len(u.prefix):])
}

func (u *unpacking) explain(x *explainer) explained {
	return explained{text: "evaluate bag_unpack(" + x.columnName(u.bag) + ")", gives: chosen(u.cols, u.need), inputs: []relation{u.in}}
}

func (u *unpacking) input() relation { return u.in }

func (u *unpacking) run(x *execution, emit func(*batch) error) error { return runStages(u, x, emit) }

func (u *unpacking) apply(x *execution, b *batch, emit func(*batch) error) error {
	in := u.in.columns()
	bags := b.cols[slices.Index(in, u.bag)].looked()
	out := &batch{n: b.n, cols: make([]*vector, len(u.cols))}
	held := memory{x: x} // a bag can stand for very many columns
	defer held.free()
	for i, c := range u.cols {
		if !u.need[i] {
			continue
		}
		var source *vector
		if u.source[i] != nil {
			source = b.cols[slices.Index(in, u.source[i])]
		}
		if !u.slot[i] {
			out.cols[i] = source
			continue
		}
		out.cols[i] = newVector(c.typ, b.n)
		for row := range b.n {
			val, found := u.property(bags.value(row), c.name)
			if source != nil && found && u.conflict == "error" {
				return u.conflictAt(c.name)
			}
			if source != nil && (!found || u.conflict == "keep_source") {
				val = source.value(row)
			}
			out.cols[i].set(row, convertItem(val, c.typ))
		}
		if err := held.add(out.cols[i].size()); err != nil {
			return err
		}
	}
	return emit(out)
}

// conflictAt is the error of a property that has the name of a column.
func (u *unpacking) conflictAt(column string) *problem {
	return semanticError(u.at, "SEM0001", "bag_unpack() finds a property with the name of the column '%s': a prefix, or columnsConflict, keeps them apart", column)
}

// discovered finds the columns in the rows. The input runs while the query is
// bound, because nothing else knows them. The columns come in the order of
// their names behind those of the input. Each has the type of its values, or is
// dynamic if they differ.
func (u *unpacking) discovered(b *binder) relation {
	if b.subtables > 0 {
		panic(unsupportedError(u.at, "bag_unpack() inside mv-apply needs its columns: declare them with : (name:type, ...)"))
	}
	kept := b.runNow(u.in, u.at, "bag_unpack()")
	in := u.in.columns()
	bags := kept.cols[slices.Index(in, u.bag)]
	types := make(map[string]Type)
	for row := range kept.n {
		v := bags.value(row)
		if v.kind != kindBag {
			continue
		}
		for i, key := range v.bag().keys {
			if u.ignored[key] {
				continue
			}
			t := v.bag().vals[i].kind
			if t == kindArray || t == kindBag {
				t = Dynamic
			}
			name := u.prefix + key
			if len(types) > maxUnpacked {
				panic(limitError("bag_unpack() finds more than %d properties: name those that are needed, with : (name:type, ...)", maxUnpacked))
			}
			switch old := types[name]; {
			case old == kindNull: // not seen, or only nulls so far
				types[name] = t
			case t != kindNull && t != old:
				types[name] = Dynamic
			}
		}
	}
	fill := func(name string) {
		t := types[name]
		if t == kindNull {
			t = Dynamic
		}
		u.add(name, t, nil)
		u.slot[len(u.slot)-1] = true
	}
	for _, c := range in {
		switch _, isProperty := types[c.name]; {
		case c == u.bag:
			continue
		case !isProperty || u.conflict == "keep_source":
			u.add(c.name, c.typ, c)
		case u.conflict == "error":
			panic(u.conflictAt(c.name))
		default:
			fill(c.name) // in the place of the column that it replaces
		}
		delete(types, c.name)
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		fill(name)
	}
	u.in = &computed{in, kept}
	return u
}

// computed is a relation whose rows are there already.
type computed struct {
	cols []*column
	rows *rows
}

func (c *computed) columns() []*column       { return c.cols }
func (c *computed) prepare(map[*column]bool) {}
func (c *computed) explain(*explainer) explained {
	return explained{text: "rows that are there already", gives: c.cols}
}

func (c *computed) run(_ *execution, emit func(*batch) error) error {
	return emitRows(c.rows, emit)
}

// unknownColumns says that binding can go no further without the data.
type unknownColumns struct {
	at   span
	what string
}

func (e *unknownColumns) Error() string {
	return "the columns that " + e.what + " gives depend on the data"
}

// runNow runs a relation while the query is bound, for an operator whose
// columns depend on the rows.
func (b *binder) runNow(rel relation, at span, what string) *rows {
	if b.dry || b.trying > 0 {
		panic(&unknownColumns{at, what})
	}
	prepareAll(rel)
	kept, err := collect(rel, b.x)
	if err != nil {
		if p, ok := err.(*problem); ok {
			panic(p)
		}
		panic(runFailure{err})
	}
	return kept
}
