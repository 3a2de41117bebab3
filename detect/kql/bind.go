package kql

import (
	"fmt"
	"slices"
	"strings"
)

// binder gives names their meaning and expressions their types.
type binder struct {
	db    *Database
	x     *execution
	now   Value
	scope *scope
	scans []*scan
	// externals are the addresses that externaldata names.
	externals []string
	fuzzy     int          // how many fuzzy unions are being bound
	missing   []string     // tables that a fuzzy union goes without
	optional  []string     // columns that column_ifexists asks for
	bound     int          // operators and calls so far
	weights   map[expr]int // of expressions that a name stands for
	agg       *aggregation // of the summarize being bound, or nil
	// numbered is how many columns without a name have got a number. It goes on
	// through the query, and begins anew in the body of a function.
	numbered int
	query    string // the text

	window       *windowing   // what the operator being bound may see of other rows, or nil
	subtables    int          // how many mv-apply are being bound
	partitions   int          // how many of these are partition operators
	last         operatorNode // of the query itself
	binSize      *constExpr   // what set query_bin_auto_size says, or nil
	binAt        *constExpr   // and query_bin_auto_at
	steps        *stepNames   // that a scan can name, while one is being bound
	part         *partValue   // of the innermost of these
	partUses     int          // how often a name of such a part's rows has been used
	materialized map[materializeKey]*materialization
	received     map[*column]receipt
	warnings     []string
	trying       int  // how many tables are being bound for their errors only
	checking     int  // how many calls, of which the outermost is bound for its errors only
	dry          bool // there is no data, only schemas
	// elsewhere says that the query runs where tables may have more columns.
	elsewhere bool
	byPattern string     // a pattern that stands for tables
	errs      *errorList // set to go on behind errors

	saved map[string]*definition // saved functions that were asked for
	calls []*Function            // that are being bound, outermost first
}

// maxBound bounds the plan. A let statement is bound wherever it is used, so a
// short text can stand for a very long one.
const maxBound = 20_000

// maxBoundSaved bounds it where there are saved functions. A parser of all sources
// is some hundred times as long as a rule.
const maxBoundSaved = 400_000

func (b *binder) mostBound() int {
	if b.db.Functions != nil {
		return maxBoundSaved
	}
	return maxBound
}

func (b *binder) count(at span) {
	if b.bound++; b.bound > b.mostBound() {
		panic(semanticError(at, "SEM0001", "the query is too complex: with its let statements and functions written out it has more than %d steps", b.mostBound()))
	}
}

// countOf counts an expression that a name stands for as often as it is used.
// It is bound once and evaluated each time.
func (b *binder) countOf(at span, e expr) {
	if b.bound += b.weight(e); b.bound >= b.mostBound() {
		b.count(at)
	}
}

// weight is how many expressions an expression is made of, at most maxBound.
// What is part of it twice is looked at once and counts twice.
func (b *binder) weight(e expr) int {
	weight, known := b.weights[e]
	if known || len(e.children()) == 0 {
		return weight
	}
	for _, child := range e.children() {
		weight = min(weight+1+b.weight(child), maxBound)
	}
	if b.weights == nil {
		b.weights = make(map[expr]int)
	}
	b.weights[e] = weight
	return weight
}

// scope is what let statements and parameters name, innermost first.
type scope struct {
	outer *scope
	names map[string]*definition
	// upTo is set in the scopes of let statements. These share their names, and
	// only the first so many are defined where the scope stands.
	upTo int
	// body marks the outermost scope of a function's body, or of the query.
	// From there on a name is defined once, and it may hide what lies beyond.
	body bool
}

// definition is what a name in a scope stands for. It is a scalar, a table or a
// function, with the scope that its own names are looked up in.
type definition struct {
	at     span
	scalar expr
	table  node
	fn     *lambda
	saved  *savedFunction // if it is one, or nil
	// pattern is one that a declare statement defines, or nil.
	pattern *patternNode
	scope   *scope
	// numbered is how many columns had got a number where a table was defined.
	numbered int
	order    int // among the let statements that share their names, from 1
	// closed is what binder.closed says of a function, once hashed is set.
	closed string
	hashed bool
}

// visible returns what a name stands for in this very scope, or nil.
func (s *scope) visible(name string) *definition {
	if d := s.names[name]; d != nil && (s.upTo == 0 || d.order <= s.upTo) {
		return d
	}
	return nil
}

func (s *scope) find(name string) *definition {
	for ; s != nil; s = s.outer {
		if d := s.visible(name); d != nil {
			return d
		}
	}
	return nil
}

func (s *scope) define(n name, d *definition) {
	if s.names == nil {
		s.names = make(map[string]*definition)
	}
	if old := s.names[n.text]; old != nil {
		panic(semanticError(n.span, "SEM0001", "'%s' is defined twice", n.text))
	}
	d.at = n.span
	s.names[n.text] = d
}

// all lists the names in reach.
func (s *scope) all() []string {
	var names []string
	for ; s != nil; s = s.outer {
		for n := range s.names {
			if s.visible(n) != nil {
				names = append(names, n)
			}
		}
	}
	return names
}

// within binds with another scope as the innermost one.
func (b *binder) within(s *scope, bind func()) {
	outer := b.scope
	b.scope = s
	defer func() { b.scope = outer }()
	bind()
}

func (b *binder) statements(list []statement) {
	for _, st := range list {
		switch {
		case st.set:
			b.setStatement(st)
		case b.errs != nil:
			b.tolerantLet(st)
		default:
			b.letStatement(st)
		}
	}
}

// harmlessOptions say how the service runs a query, caches it and sends the
// answer. What the answer is does not depend on them.
var harmlessOptions = wordSet(
	"client_max_redirect_count", "debug_query_externaldata_projection_fusion_disabled", "max_memory_consumption_per_iterator",
	"max_memory_consumption_per_query_per_node", "maxmemoryconsumptionperiterator", "norequesttimeout", "notruncation", "perftrace",
	"push_selection_through_aggregation", "query_distribution_nodes_span", "query_fanout_nodes_percent", "query_fanout_threads_percent",
	"query_language", "query_log_query_parameters", "query_python_debug", "query_results_apply_getschema", "query_results_cache_force_refresh",
	"query_results_cache_max_age", "query_results_cache_per_shard", "query_results_progressive_row_count", "query_results_progressive_update_period",
	"query_weakconsistency_session_id", "queryconsistency", "querytrace", "request_app_name", "request_description", "request_user",
	"results_progressive_enabled", "servertimeout", "validatepermissions",
)

func (b *binder) setStatement(st statement) {
	option := st.name.text
	if harmlessOptions[option] {
		if st.expr != nil {
			b.expr(st.expr, nil)
		}
		return
	}
	if option != "query_now" && option != "query_bin_auto_size" && option != "query_bin_auto_at" {
		panic(unsupportedError(st.name.span, "the option '%s' is not supported; query_now, query_bin_auto_size and query_bin_auto_at are", option))
	}
	var e expr
	if st.expr != nil {
		e = b.expr(st.expr, nil)
	}
	if c, ok := e.(*constExpr); ok && option != "query_now" && !c.val.IsNull() {
		if option == "query_bin_auto_size" {
			b.binSize = c
		} else {
			b.binAt = c
		}
		return
	}
	if option != "query_now" {
		panic(semanticError(st.span, "SEM0001", "%s must be set to a constant", option))
	}
	if c, ok := e.(*constExpr); ok && c.t == DateTime && !c.val.IsNull() {
		b.now = c.val
		return
	}
	panic(semanticError(st.span, "SEM0001", "query_now must be set to a datetime"))
}

func (b *binder) letStatement(st statement) {
	d := &definition{scope: b.scope, numbered: b.numbered}
	switch n := st.expr.(type) {
	case nil:
		if st.pattern != nil {
			d.pattern = st.pattern
			break
		}
		panic(semanticError(st.span, "SEM0001", "the query parameter '%s' has no value: give it a default, as in (%s: %s = ...)", st.name.text, st.name.text, *st.parameter))
	case *lambda:
		d.fn = n
	default:
		if b.isTabular(n) {
			d.table = n
			b.tryRelation(n)
		} else {
			e := b.expr(n, nil)
			if st.parameter != nil {
				e = b.coerce(e, *st.parameter, n.pos())
			}
			d.scalar = shareable(e)
		}
	}
	for s := b.scope; s != nil; s = s.outer {
		if s.visible(st.name.text) != nil {
			panic(semanticError(st.name.span, "SEM0001", "'%s' is defined twice", st.name.text))
		}
		if s.body {
			break
		}
	}
	// A later statement sees this one, and this one not itself. The scopes of
	// statements that follow one another share their names, so that a name is
	// found at once however many there are.
	next := &scope{outer: b.scope, names: make(map[string]*definition), upTo: 1}
	if s := b.scope; s.upTo > 0 && s.upTo == len(s.names) {
		next = &scope{outer: s.outer, names: s.names, upTo: s.upTo + 1}
	}
	d.order = next.upTo
	b.scope = next
	b.scope.define(st.name, d)
}

// tryRelation binds a table that nothing may use, so that its errors show all
// the same. A table that is not there is no error yet: a fuzzy union may go
// without it.
func (b *binder) tryRelation(n node) {
	numbered := b.numbered
	b.try(func() {
		b.within(b.scope, func() { b.relation(n) })
		numbered = b.numbered
	})
	b.numbered = numbered
}

// try binds something only for its errors.
func (b *binder) try(bind func()) {
	scans, numbered := b.scans, b.numbered
	b.trying++
	defer func() {
		b.trying--
		b.scans, b.numbered = scans, numbered
		switch p := recover().(type) {
		case nil, *unknownColumns, abandoned:
		case *problem:
			if p.table == "" && p.function == "" {
				panic(p)
			}
		default:
			panic(p)
		}
	}()
	bind()
}

// isTabular says whether an expression stands for a table.
func (b *binder) isTabular(n node) bool {
	switch n := n.(type) {
	case *pipeline, sourceNode:
		return true
	case *name:
		if d := b.find(n.text); d != nil {
			if d.fn != nil && d.fn.bare() {
				return b.isTabular(&call{span: n.span, fn: *n})
			}
			return d.table != nil
		}
		return b.db.Table(n.text) != nil || knownTables()[n.text] != nil
	case *path:
		_, d := b.patternOf(n)
		return d != nil
	case *call:
		if _, d := b.patternOf(n); d != nil {
			return true
		}
		b.count(n.span) // a body can call the next twice, and so on
		if d := b.find(n.fn.text); d != nil && d.fn != nil {
			tabular := false
			b.inSaved(n.span, d.saved, func() {
				b.within(b.lambdaScope(d), func() {
					for _, p := range d.fn.params {
						def := &definition{scalar: &constExpr{t: p.typ}}
						if p.table {
							def = &definition{table: &name{}}
						}
						b.scope.define(p.name, def)
					}
					for _, st := range d.fn.lets {
						if !st.set {
							if _, isLambda := st.expr.(*lambda); isLambda {
								b.scope.define(st.name, &definition{fn: st.expr.(*lambda), scope: b.scope})
							} else if b.isTabular(st.expr) {
								b.scope.define(st.name, &definition{table: &name{}})
							} else {
								b.scope.define(st.name, &definition{scalar: &constExpr{t: Long}})
							}
						}
					}
					tabular = b.isTabular(d.fn.body)
				})
			})
			return tabular
		}
		return tabularFunctions()[n.fn.text] != nil
	}
	return false
}

func (b *binder) lambdaScope(d *definition) *scope { return &scope{outer: d.scope, body: true} }

// relation binds a tabular expression.
func (b *binder) relation(n node) relation {
	b.count(n.pos())
	switch n := n.(type) {
	case *pipeline:
		rel := b.relation(n.source)
		for _, op := range n.ops {
			b.count(op.pos())
			if b.errs != nil {
				rel = b.tolerantOperator(op, rel)
				continue
			}
			rel = op.bind(b, rel)
		}
		return rel
	case sourceNode:
		return n.bindSource(b)
	case *name:
		return b.tableNamed(n)
	case *path:
		if c, d := b.patternOf(n); d != nil {
			return b.invokePattern(c, d, n)
		}
		if c := calledIn(n); c != nil && b.find(c.fn.text) == nil {
			if p := unsupportedFunction(c.fn); p != nil {
				panic(p) // workspace('other').Table
			}
		}
	case *call:
		if c, d := b.patternOf(n); d != nil {
			return b.invokePattern(c, d, nil)
		}
		if d := b.find(n.fn.text); d != nil && d.fn != nil {
			var rel relation
			b.invoke(n, d, nil, func(body node) { rel = b.relation(body) })
			return rel
		}
		bind := tabularFunctions()[n.fn.text]
		if bind == nil && !isScalarFunction(n.fn.text) {
			panic(b.unknownFunction(n)) // whatever it is given
		}
		n.unnamed()
		if bind != nil {
			return bind(b, n)
		}
	}
	panic(semanticError(n.pos(), "SEM0100", "a table is expected here, and this is a scalar expression"))
}

func (b *binder) tableNamed(n *name) relation {
	if d := b.find(n.text); d != nil {
		switch {
		case d.table != nil:
			var rel relation
			numbered := b.numbered
			b.numbered = d.numbered // it has the columns that it had at its definition
			b.within(d.scope, func() { rel = b.relation(d.table) })
			b.numbered = numbered
			return rel
		case d.fn != nil && d.fn.bare():
			return b.relation(&call{span: n.span, fn: *n})
		case d.fn != nil:
			panic(semanticError(n.span, "SEM0100", "'%s' is a function: write %s()", n.text, n.text))
		default:
			panic(semanticError(n.span, "SEM0100", "'%s' is a scalar, and a table is expected here", n.text))
		}
	}
	if t := b.db.Table(n.text); t != nil {
		s := newScan(t)
		b.markReceived(s)
		b.scans = append(b.scans, s)
		return s
	}
	if msg := supply(n.text); msg != "" {
		panic(&problem{kind: SemanticError, code: "SEM0100", at: n.span, function: n.text, msg: msg})
	}
	panic(&problem{
		kind: SemanticError, code: "SEM0100", at: n.span, table: n.text,
		msg: fmt.Sprintf("Failed to resolve table or column expression named '%s'%s", n.text,
			suggestion(n.text, slices.Concat(b.db.Names(), b.scope.all(), b.db.Functions.Names()))),
	})
}

// invoke binds a call of a let statement's function: its body, with the
// parameters bound to the arguments. input is the table that invoke passes.
func (b *binder) invoke(c *call, d *definition, in []*column, bindBody func(node)) {
	if d.saved != nil && d.saved.broken != nil {
		panic(d.saved.problem(c.span, d.saved.broken))
	}
	if b.checking == 0 && slices.ContainsFunc(d.fn.params, func(p parameter) bool { return p.table }) {
		b.checking++
		b.try(func() { b.invoke(c, d, in, bindBody) })
		b.checking--
	}
	b.count(c.span)
	inner := b.lambdaScope(d)
	params := d.fn.params
	if len(c.args) > len(params) {
		panic(semanticError(c.span, "SEM0001", "%s() takes %d arguments and got %d", c.fn.text, len(params), len(c.args)))
	}
	args := c.matched(params)
	for i, p := range params {
		def := &definition{}
		arg := args[i]
		switch {
		case arg != nil && p.table:
			def.table, def.scope, def.numbered = arg, b.scope, b.numbered
			rel := b.relation(arg)
			if b.checking == 1 {
				// The body may name the columns that the parameter declares, and
				// no others.
				def.table = &boundTable{arg.pos(), &shared{in: newScan(newEmptyTable("", p.columns))}}
			}
			for _, want := range p.columns {
				if !slices.ContainsFunc(rel.columns(), func(have *column) bool { return have.name == want.Name && have.typ == want.Type }) {
					panic(semanticError(arg.pos(), "SEM0001", "the argument '%s' of %s() needs a column %s of type %s", p.text, c.fn.text, want.Name, want.Type))
				}
			}
		case arg != nil:
			def.scalar = shareable(b.coerce(b.expr(arg, in), p.typ, arg.pos()))
		case p.def != nil:
			b.inSaved(c.span, d.saved, func() { def.scalar = b.coerce(b.expr(p.def, nil), p.typ, p.def.pos()) })
		default:
			panic(semanticError(c.span, "SEM0001", "%s() lacks its argument '%s'", c.fn.text, p.text))
		}
		inner.define(p.name, def)
	}
	numbered := b.numbered
	b.numbered = 0
	b.inSaved(c.span, d.saved, func() {
		b.within(inner, func() {
			b.statements(d.fn.lets)
			bindBody(d.fn.body)
		})
	})
	b.numbered = numbered
}

// shareable marks an expression that a name stands for.
func shareable(e expr) expr {
	if a, ok := e.(*applyExpr); ok {
		a.named = true
	}
	return e
}

// matched gives the argument of each parameter, nil where there is none. Once a
// name has taken an argument out of its place, those behind it are named too.
func (c *call) matched(params []parameter) []node {
	args := make([]node, len(params))
	unordered := false
	for i, arg := range c.args {
		at := i
		if i < len(c.names) && c.names[i] != nil {
			n := c.names[i]
			if at = slices.IndexFunc(params, func(p parameter) bool { return p.text == n.text }); at < 0 {
				panic(semanticError(n.span, "SEM0001", "%s() has no parameter '%s'", c.fn.text, n.text))
			}
			unordered = unordered || at != i
		} else if unordered {
			panic(semanticError(arg.pos(), "SEM0001", "all arguments behind a named one that is out of its place must be named"))
		}
		if args[at] != nil {
			panic(semanticError(arg.pos(), "SEM0001", "the argument '%s' of %s() is given twice", params[at].text, c.fn.text))
		}
		args[at] = arg
	}
	return args
}

// unnamed refuses names of arguments, which only a let statement's functions
// have.
func (c *call) unnamed() {
	for _, n := range c.names {
		if n != nil {
			panic(semanticError(n.span, "SEM0001", "%s() takes its arguments by their places and not by names", c.fn.text))
		}
	}
}

// expr binds a scalar expression over the columns in reach. The plan keeps what
// the query calls it.
func (b *binder) expr(n node, in []*column) expr {
	if b.errs != nil {
		return b.tolerantExpr(n, in)
	}
	return b.namedExpr(n, in)
}

func (b *binder) namedExpr(n node, in []*column) expr {
	e := b.unnamedExpr(n, in)
	ap, ok := e.(*applyExpr)
	if !ok {
		return e
	}
	if ap.op != "" || ap.show != nil {
		return e
	}
	switch n := n.(type) {
	case *call:
		ap.op = n.fn.text
	case *binary:
		ap.op = n.op
	case *between:
		ap.op = "not" // of two comparisons
	case *signed:
		ap.op = "-"
	case *path:
		ap.part = true
		ap.show = func(_ *explainer, args []string) string { return args[0] + memberText(n.key) }
	case *element:
		ap.part = true
		ap.show = func(_ *explainer, args []string) string { return args[0] + "[" + args[1] + "]" }
	}
	return e
}

func (b *binder) unnamedExpr(n node, in []*column) expr {
	switch n := n.(type) {
	case *literal:
		if n.now {
			return &constExpr{DateTime, b.now, true}
		}
		return &constExpr{t: n.typ, val: n.val}
	case *name:
		return b.nameExpr(n, in)
	case *path:
		return b.pathExpr(n, in)
	case *element:
		of := b.dynamicOperand(n.of, n.indexAt, in)
		at := b.expr(n.at, in)
		if tuple, ok := of.(*tupleExpr); ok && tuple.types != nil {
			if c, ok := at.(*constExpr); ok && (c.t == Int || c.t == Long) && c.val.n >= 0 && c.val.n < int64(len(tuple.types)) {
				return tuple.value(int(c.val.n))
			}
		}
		switch at.typ() {
		case String:
			return fold(&applyExpr{t: Dynamic, args: []expr{of, at}, rows: func(a []Value) Value { return memberOf(a[0], a[1].s) }})
		case Int, Long, Dynamic:
			return fold(&applyExpr{t: Dynamic, args: []expr{of, at}, rows: func(a []Value) Value { return elementOf(a[0], a[1]) }})
		}
		panic(semanticError(n.at.pos(), "SEM0001", "an index must be a string or an integer, not %s", at.typ()))
	case *signed:
		return b.signedExpr(n, in)
	case *binary:
		return b.binaryExpr(n, in)
	case *between:
		return b.betweenExpr(n, in)
	case *inList:
		return b.inExpr(n, in)
	case *call:
		return b.callExpr(n, in)
	case *star:
		panic(semanticError(n.span, "SEM0001", "* is not a value; it stands in arg_max(x, *), take_any(*) and their like"))
	case *typeOf:
		panic(semanticError(n.span, "SEM0001", "a type is not a value"))
	case *lambda:
		panic(semanticError(n.span, "SEM0001", "a function is not a value"))
	}
	panic(semanticError(n.pos(), "SEM0001", "a scalar is expected here, and this is a table: toscalar() gives its first value"))
}

func (b *binder) signedExpr(n *signed, in []*column) expr {
	of := b.expr(n.of, in)
	t := of.typ()
	switch t {
	case Int:
		if _, ok := n.of.(*literal); !ok {
			t = Long // as the result of any arithmetic on integers
		}
	case Long, Real, Decimal, TimeSpan, Dynamic:
	default:
		panic(semanticError(n.span, "SEM0001", "a sign needs a number or a timespan, not a %s", t))
	}
	of = converted(of, t)
	if !n.minus {
		return of
	}
	return fold(&applyExpr{t: t, args: []expr{of}, rows: func(a []Value) Value { return negated(a[0]) }})
}

func (b *binder) nameExpr(n *name, in []*column) expr {
	if c := columnIn(in, n.text); c != nil {
		return &columnExpr{col: c}
	}
	if d := b.find(n.text); d != nil {
		switch {
		case d.scalar != nil:
			b.countOf(n.span, d.scalar)
			return d.scalar
		case d.fn != nil && d.fn.bare():
			return b.callExpr(&call{span: n.span, fn: *n}, in)
		case d.fn != nil:
			panic(semanticError(n.span, "SEM0100", "'%s' is a function: write %s()", n.text, n.text))
		default:
			panic(semanticError(n.span, "SEM0100", "'%s' is a table, and a scalar is expected here: toscalar(%s) gives its first value", n.text, n.text))
		}
	}
	names := b.scope.all()
	for _, c := range in {
		names = append(names, c.name)
	}
	panic(semanticError(n.span, "SEM0100", "Failed to resolve column or scalar expression named '%s'%s", n.text, suggestion(n.text, names)))
}

// pathExpr binds of.key. $left and $right are handled where join binds its
// conditions.
func (b *binder) pathExpr(n *path, in []*column) expr {
	if c := b.steps.column(n); c != nil {
		return &columnExpr{col: c}
	}
	of, key := b.dynamicOperand(n.of, n.keyAt, in), n.key
	return fold(&applyExpr{t: Dynamic, args: []expr{of}, rows: func(a []Value) Value { return memberOf(a[0], key) }})
}

// dynamicOperand binds what has a member; at is the member's place.
func (b *binder) dynamicOperand(n node, at span, in []*column) expr {
	of := b.expr(n, in)
	if of.typ() != Dynamic {
		panic(semanticError(at, "SEM0001", "only a dynamic has members, and this is one of a %s: parse_json() makes a dynamic of text", of.typ()))
	}
	return of
}

func memberOf(v Value, key string) Value {
	if v.kind != kindBag {
		return Value{}
	}
	val, _ := v.bag().get(key)
	return val
}

func elementOf(v, at Value) Value {
	if at.kind == String {
		return memberOf(v, at.s)
	}
	if v.kind != kindArray || at.kind != Long && at.kind != Int {
		return Value{}
	}
	items, i := v.array(), at.n
	if i < 0 {
		i += int64(len(items))
	}
	if i < 0 || i >= int64(len(items)) {
		return Value{}
	}
	return items[i]
}

// memberText writes a member of a dynamic as a query has it.
func memberText(key string) string {
	if plainName.MatchString(key) && !keywords[key] {
		return "." + key
	}
	return "[" + quoted(key) + "]"
}

// fold replaces an expression over constants by its value.
func fold(e *applyExpr) expr {
	ofNow := e.ofNow
	for _, a := range e.args {
		c, ok := a.(*constExpr)
		if !ok {
			return e
		}
		ofNow = ofNow || c.ofNow
	}
	return &constExpr{e.t, e.eval(nil, &batch{n: 1}).value(0), ofNow}
}

// coerce converts an expression to a type where the language does so by itself.
// Integers become wider numbers, a dynamic what it holds, and null anything.
func (b *binder) coerce(e expr, to Type, at span) expr {
	from := e.typ()
	if from == to {
		return e
	}
	if c, ok := e.(*constExpr); ok && c.val.IsNull() && from == Dynamic {
		return &constExpr{t: to, val: convert(Value{}, to), ofNow: c.ofNow}
	}
	if !coercible(from, to) {
		panic(semanticError(at, "SEM0001", "a %s is expected here, and this is a %s%s", to, from, conversionHint(to)))
	}
	return converted(e, to)
}

func coercible(from, to Type) bool {
	switch {
	case from == to || from == Dynamic || to == Dynamic:
		return true
	case from == Int:
		return to == Long || to == Real || to == Decimal
	case from == Long:
		return to == Real || to == Decimal || to == Int
	case from == Real:
		return to == Decimal
	}
	return false
}

func converted(e expr, to Type) expr {
	if e.typ() == to {
		return e
	}
	wrap := to == Dynamic // it becomes a value inside a dynamic, not parsed
	return fold(&applyExpr{t: to, args: []expr{e}, rows: func(a []Value) Value {
		if wrap {
			return a[0]
		}
		return convert(a[0], to)
	}})
}

func conversionHint(to Type) string {
	for _, f := range []string{"string", "long", "real", "bool", "datetime", "timespan", "dynamic", "int", "decimal", "guid"} {
		if to.String() == f {
			return ": to" + f + "() converts"
		}
	}
	return ""
}

func columnNames(cols []*column) []string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	return names
}

// columnNamed finds a column for an operator that takes names of columns only.
func (b *binder) columnNamed(n pattern, in []*column) *column {
	if c := columnIn(in, n.text); c != nil {
		return c
	}
	panic(semanticError(n.span, "SEM0100", "Failed to resolve column named '%s'%s", n.text, suggestion(n.text, columnNames(in))))
}

// matching lists the columns that a pattern with * stands for.
func (b *binder) matching(p pattern, in []*column) []*column {
	if !strings.Contains(p.text, "*") {
		return []*column{b.columnNamed(p, in)}
	}
	var list []*column
	for _, c := range in {
		if wildcard(p.text, c.name) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		panic(semanticError(p.span, "SEM0100", "no column matches '%s'", p.text))
	}
	return list
}

// wildcard matches a name against a pattern whose * is any run of characters.
func wildcard(pattern, name string) bool {
	head, rest, star := strings.Cut(pattern, "*")
	if !star {
		return pattern == name
	}
	if !strings.HasPrefix(name, head) {
		return false
	}
	name = name[len(head):]
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name, rest = name[i+len(part):], after
	}
}
