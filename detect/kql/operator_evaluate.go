package kql

import (
	"maps"
	"slices"
	"strings"
)

// plugins is the table of what evaluate can call. Each has a file plugin_*.go,
// but for bag_unpack, which is here.
func plugins() map[string]func(b *binder, n *evaluateNode, in relation) relation { return thePlugins }

var thePlugins map[string]func(b *binder, n *evaluateNode, in relation) relation

// The tables refer to functions that refer to the tables, hence init.
func init() {
	thePlugins = map[string]func(b *binder, n *evaluateNode, in relation) relation{
		"active_users_count":      bindActiveUsers,
		"activity_counts_metrics": bindActivityCounts,
		"activity_engagement":     bindEngagement,
		"activity_metrics":        bindActivityMetrics,
		"bag_unpack":              bindBagUnpack,
		"ipv4_lookup":             bindIPLookup(ipv4Range),
		"ipv6_lookup":             bindIPLookup(parseIPv6),
		"narrow":                  bindNarrow,
		"new_activity_metrics":    bindNewActivity,
		"pivot":                   bindPivot,
		"rolling_percentile":      bindRollingPercentile,
		"rows_near":               bindRowsNear,
		"session_count":           bindSessions,
		"sliding_window_counts":   bindSlidingWindow,
	}
}

// refusedPlugins are those of the language that are not here, with the nearest
// that is.
var refusedPlugins = map[string]string{
	"ai_chat_completion":        "no query calls a service",
	"ai_chat_completion_prompt": "no query calls a service", "ai_embeddings": "no query calls a service", "ai_embed_text": "no query calls a service",
	"autocluster": "summarize count() by the columns shows the greatest groups", "azure_digital_twins_query_request": "no query calls a service",
	"basket": "summarize count() by the columns shows the greatest groups", "cosmosdb_sql_request": "no query calls a service",
	"csharp": "no query runs a program", "dax_request": "no query calls a service", "dcount_intersect": "join kind=inner of distinct values",
	"diffpatterns": "summarize countif() by the columns compares two sets", "estimate_rows_count": "count counts the rows",
	"execute_query": "no query calls a service", "execute_show_command": "no query calls a service", "external_datatable": "put the data into a datatable",
	"funnel_sequence": "scan follows sequences", "funnel_sequence_completion": "scan follows sequences", "geo_line_lookup": "compare by the country or the city",
	"geo_polygon_lookup": "compare by the country or the city", "http_request": "no query calls a service", "http_request_post": "no query calls a service",
	"identity": "as names a table", "infer_storage_schema": "no query reads a storage account", "mysql_request": "no query calls a service",
	"infer_storage_schema_with_suggestions": "no query reads a storage account",
	"postgresql_request":                    "no query calls a service", "preview": "take gives some rows", "python": "no query runs a program", "r": "no query runs a program",
	"schema_merge":    "union merges tables",
	"sequence_detect": "scan follows sequences",
	"sql_request":     "no query calls a service",
}

// evaluateNode is evaluate plugin(arguments) : (schema).
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
	if plugins()[n.plugin.text] == nil {
		names := slices.Sorted(maps.Keys(plugins()))
		if instead, known := refusedPlugins[n.plugin.text]; known {
			panic(unsupportedError(n.plugin.span, "the plugin '%s' is not supported; %s", n.plugin.text, instead))
		}
		panic(syntaxError(n.plugin.span, "unknown plugin '%s'%s; these are supported: %s", n.plugin.text, suggestion(n.plugin.text, names), strings.Join(names, ", ")))
	}
	p.expect("(", "after the plugin's name")
	for !p.cur().is(")") {
		a := pluginArgument{}
		if p.cur().kind == tokName && p.peek().is("=") {
			a.name = p.advance().text
			p.advance()
		}
		a.expr = p.pipeline()
		if len(n.args) == 0 && strings.HasSuffix(n.plugin.text, "_lookup") {
			p.mentions.table(a.expr)
		}
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

func (n *evaluateNode) bind(b *binder, in relation) relation {
	return plugins()[n.plugin.text](b, n, in)
}

// column binds an argument that must be a column.
func (n *evaluateNode) column(b *binder, at int, what string, in []*column) *column {
	ref, ok := n.args[at].expr.(*name)
	if !ok {
		panic(semanticError(n.args[at].expr.pos(), "SEM0220", "%s of %s() must be a column", what, n.plugin.text))
	}
	return b.columnNamed(pattern{ref.span, ref.text}, in)
}

// constant binds an argument that must not depend on the row. Without data to
// read it from, it is nil.
func (n *evaluateNode) constant(b *binder, at int, what string) *constExpr {
	c, ok := b.constantOf(b.expr(n.args[at].expr, nil))
	if !ok {
		panic(semanticError(n.args[at].expr.pos(), "SEM0220", "%s of %s() must be a constant", what, n.plugin.text))
	}
	return c
}

// arguments checks how many there are. The plugins that it is for take them by
// their places, and none is a schema.
func (n *evaluateNode) arguments(least, most int, schema bool) {
	if len(n.args) < least || most >= 0 && len(n.args) > most {
		panic(semanticError(n.plugin.span, "SEM0219", "%s() takes %s and got %d", n.plugin.text, countOf(least, most), len(n.args)))
	}
	if n.declared && !schema {
		panic(unsupportedError(n.plugin.span, "%s() takes no schema: its columns are known", n.plugin.text))
	}
}

// bagUnpackParameters are those of bag_unpack, in order.
var bagUnpackParameters = []string{"Column", "OutputColumnPrefix", "columnsConflict", "ignoredProperties"}

// maxUnpacked bounds the columns that the data can make.
const maxUnpacked = 4096

// conflictModes say what becomes of a column of the input that has the name of
// a property.
var conflictModes = []string{"error", "replace_source", "keep_source"}

// bindBagUnpack reads the arguments. The columns are those of the schema if there is
// one, and else what the rows hold.
func bindBagUnpack(b *binder, n *evaluateNode, in relation) relation {
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
		if err := x.stopped(); err != nil { // there may be thousands of columns
			return err
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
// dynamic if they differ. The reference says that the input's columns are extended
// by the others, so that a column keeps its place where a property has its name;
// of its two examples an earlier edition prints them so, and a later one by name.
func (u *unpacking) discovered(b *binder) relation {
	if b.subtables > 0 {
		panic(unsupportedError(u.at, "bag_unpack() inside mv-apply or partition needs its columns: declare them with : (name:type, ...)"))
	}
	kept := b.runNow(u.in, u.at, "bag_unpack()")
	in := u.in.columns()
	bags := kept.cols[slices.Index(in, u.bag)]
	types := make(map[string]Type)
	for row := range kept.n {
		if row%rowsBetweenLooks == 0 {
			if err := b.x.stopped(); err != nil {
				panic(runFailure{err})
			}
		}
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
