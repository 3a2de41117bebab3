package kql

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// specialFunctions look at more than their arguments. They need the query
// itself, its clock, a table or the names of columns.
func specialFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "now(offset:timespan?) datetime", doc: "The query's time, the same throughout, moved by the offset.", special: bindNow,
			examples: examples{"now(-1h) < now()", "true"}},
		{sig: "ago(timespan:timespan) datetime", doc: "The query's time less the timespan.", special: bindAgo,
			examples: examples{"now() - ago(1d)", "1.00:00:00"}},
		{sig: "toscalar(table:table) scalar", doc: "The first column of the first row of a table, null if it has none.", special: bindToScalar,
			examples: examples{"toscalar(print a = 1, b = 2)", "1"}},
		{sig: "column_ifexists(name:string!, otherwise:scalar) scalar", doc: "The column of that name, or the second argument if there is none.", special: bindColumnIfExists,
			examples: examples{"column_ifexists('none', 'x')", "x"}},
		{sig: "columnifexists(name:string!, otherwise:scalar) scalar", doc: "The same as column_ifexists().", special: bindColumnIfExists,
			examples: examples{"columnifexists('none', 1)", "1"}},
		{sig: "ingestion_time() datetime", doc: "When the workspace received the row: _TimeReceived if the table has it, else TimeGenerated.", special: bindIngestionTime,
			examples: examples{"toscalar(ExampleLogs | project ingestion_time())", "2026-03-17T10:00:00.0000000Z"}},
		{sig: "iscolumnexists(name:string!) bool", doc: "Whether there is a column of that name.", special: bindIsColumn,
			examples: examples{"iscolumnexists('none')", "false"}},
		{sig: "assert(predicate:bool, message:string) bool", doc: "True, or the end of the query with a message.", special: bindAssert,
			examples: examples{"assert(1 < 2, 'that is not so')", "true"}},
		{sig: "rand(below:integer!?) real", doc: "A number from 0 up to 1, or an integer below another, drawn for each row. The query's time decides on it.", naming: nameOfFirst, bind: bindRand,
			examples: examples{"rand() between (0.0 .. 1.0)", "true", "rand(5) < 5", "true"}},
		{sig: "new_guid() guid", doc: "A guid for each row. The query's time decides on it.", bind: bindNewGUID,
			examples: examples{"strlen(tostring(new_guid()))", "36"}},
		{sig: "estimate_data_size(column:scalar, more:scalar*) long", doc: "About how many bytes the columns take; * stands for all.", special: bindDataSize,
			examples: examples{"toscalar(print a = 1, b = 'abc' | project estimate_data_size(*))", "11", "toscalar(print a = 1, b = 'abc' | project estimate_data_size(b))", "3"}},
		{sig: "bin_auto(value:summable) first", doc: "The value rounded down to multiples of set query_bin_auto_size from set query_bin_auto_at.", naming: nameOfFirst, special: bindBinAuto,
			examples: examples{}},
		{sig: "column_names_of(table:table) dynamic", doc: "The names of a table's columns, as an array.", special: bindColumnNames,
			examples: examples{"column_names_of(ExampleLogs)", `["TimeGenerated"]`}},
		{sig: "pack_all(ignore_empty:bool!?) dynamic", doc: "A property bag of all columns; with true, without those that are null or empty.", special: bindPackAll,
			examples: examples{"toscalar(print a = 1, b = '' | project pack_all())", `{"a":1,"b":""}`, "toscalar(print a = 1, b = '' | project pack_all(true))", `{"a":1}`}},
		{sig: "bag_pack_columns(column:scalar, more:scalar*) dynamic", doc: "A property bag of columns, by their names.", special: bindPackColumns,
			examples: examples{"toscalar(print a = 1, b = 'x', c = 2 | project bag_pack_columns(b, a))", `{"b":"x","a":1}`}},
	}
}

// bindNow gives the query's time, plus the offset if there is one.
func bindNow(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in)
	if len(args) == 0 {
		return &constExpr{DateTime, b.now, true}
	}
	return fold(&applyExpr{t: DateTime, args: []expr{&constExpr{DateTime, b.now, true}, args[0]}, rows: func(a []Value) Value {
		if a[1].IsNull() {
			return Value{}
		}
		return plus(a[0], a[1])
	}})
}

func bindAgo(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in)
	return fold(&applyExpr{t: DateTime, args: []expr{&constExpr{DateTime, b.now, true}, args[0]}, rows: func(a []Value) Value {
		if a[1].IsNull() {
			return Value{}
		}
		return subtracted(a[0], a[1])
	}})
}

// specialArguments binds arguments as the signature has them.
func (b *binder) specialArguments(n *call, in []*column) []expr {
	args := make([]expr, len(n.args))
	for i, a := range n.args {
		args[i] = b.expr(a, in)
	}
	b.checkArguments(n, scalarFunctions()[n.fn.text].params, args)
	return args
}

// bindToScalar gives the first column of a table's first row, null if it has
// none. A scalar is given as it is.
func bindToScalar(b *binder, n *call, in []*column) expr {
	if len(n.args) != 1 {
		panic(semanticError(n.span, "SEM0219", "toscalar() takes 1 argument and got %d", len(n.args)))
	}
	if ref, ok := n.args[0].(*name); ok && b.part != nil && ref.text == b.part.name && b.find(ref.text) == nil {
		b.partUses++
		return &partValueExpr{b.part}
	}
	if !b.isTabular(n.args[0]) {
		return b.expr(n.args[0], in)
	}
	sub := b.newSubquery(func() relation {
		rel := b.relation(n.args[0])
		if len(rel.columns()) == 0 {
			panic(semanticError(n.args[0].pos(), "SEM0001", "the table in toscalar() has no column"))
		}
		return rel
	})
	return &subqueryExpr{sub.of.columns()[0].typ, sub}
}

// subqueryExpr is a scalar that a table gives, the same for every row.
type subqueryExpr struct {
	t Type
	*subquery
}

func (e *subqueryExpr) typ() Type        { return e.t }
func (e *subqueryExpr) children() []expr { return nil }

func (e *subqueryExpr) eval(x *execution, b *batch) *vector {
	val := convert(Value{}, e.t)
	if r := e.rows(x); r.n > 0 {
		val = r.cols[0].value(0)
	}
	return constantVector(e.t, val, b.n)
}

func bindColumnIfExists(b *binder, n *call, in []*column) expr {
	if len(n.args) != 2 {
		panic(semanticError(n.span, "SEM0219", "%s() takes 2 arguments and got %d", n.fn.text, len(n.args)))
	}
	wanted := b.constantName(n.args[0], "the name of the column", n.fn.text)
	b.optional = append(b.optional, wanted)
	for _, c := range in {
		if c.name == wanted {
			return &columnExpr{col: c}
		}
	}
	return b.ofTheColumnsHere(b.expr(n.args[1], in))
}

// ofTheColumnsHere marks an expression that depends on which columns a table has:
// of what the query does elsewhere it says nothing.
func (b *binder) ofTheColumnsHere(e expr) expr {
	if !b.elsewhere {
		return e
	}
	return &applyExpr{t: e.typ(), op: "columns", args: []expr{e}, readsTable: true, rows: func(a []Value) Value { return a[0] }}
}

func bindColumnNames(b *binder, n *call, _ []*column) expr {
	if len(n.args) != 1 {
		panic(semanticError(n.span, "SEM0219", "column_names_of() takes 1 argument and got %d", len(n.args)))
	}
	var names []Value
	for _, c := range b.relation(n.args[0]).columns() {
		names = append(names, stringValue(c.name))
	}
	return b.ofTheColumnsHere(&constExpr{t: Dynamic, val: arrayValue(names)})
}

func bindPackAll(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in)
	keep := anyValue
	if ignore, ok := firstOf(args).(*constExpr); ok && ignore.val.isTrue() {
		keep = func(v Value) bool { return !isEmpty(v) }
	}
	columns := make([]expr, len(in))
	for i, c := range in {
		columns[i] = &columnExpr{col: c}
	}
	return b.ofTheColumnsHere(packed(columnNames(in), columns, keep))
}

// firstOf gives the first argument, nil if there is none.
func firstOf(args []expr) expr {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

// bindPackArray is of what it is given; * stands for all columns.
func bindPackArray(b *binder, n *call, in []*column) expr {
	var of []expr
	all := len(n.args) == 1 && isStar(n.args[0])
	if all {
		for _, c := range in {
			of = append(of, &columnExpr{col: c})
		}
	} else {
		of = b.specialArguments(n, in)
	}
	array := fold(&applyExpr{t: Dynamic, args: of, op: n.fn.text, rows: func(a []Value) Value { return arrayValue(slices.Clone(a)) }})
	if all {
		return b.ofTheColumnsHere(array)
	}
	return array
}

func isStar(n node) bool {
	_, ok := n.(*star)
	return ok
}

func bindPackColumns(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in)
	names := make([]string, len(args))
	for i, a := range args {
		c, ok := a.(*columnExpr)
		if !ok {
			panic(semanticError(n.args[i].pos(), "SEM0220", "the arguments of %s() must be columns: bag_pack() takes keys and values", n.fn.text))
		}
		names[i] = c.col.name
	}
	return packed(names, args, anyValue)
}

func anyValue(Value) bool { return true }

// packed is a property bag of the values, by name, that a test keeps.
func packed(names []string, of []expr, keep func(Value) bool) expr {
	return &applyExpr{t: Dynamic, args: of, rows: func(a []Value) Value {
		out := newBag(len(a))
		for i, v := range a {
			if keep(v) {
				out.set(names[i], v)
			}
		}
		return bagValue(out)
	}}
}

func bindIsColumn(b *binder, n *call, in []*column) expr {
	if len(n.args) != 1 {
		panic(semanticError(n.span, "SEM0219", "%s() takes 1 argument and got %d", n.fn.text, len(n.args)))
	}
	wanted := b.constantName(n.args[0], "the name of the column", n.fn.text)
	b.optional = append(b.optional, wanted)
	return b.ofTheColumnsHere(&constExpr{t: Bool, val: boolValue(columnIn(in, wanted) != nil)})
}

// bindAssert ends the query where the predicate does not hold, at once if that is
// known before there are rows.
func bindAssert(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in)
	failed := func(message string) *problem {
		return semanticError(n.span, "SEM0001", "assert() failed with message: '%s'", message)
	}
	predicate, ok1 := b.constantOf(args[0])
	message, ok2 := b.constantOf(args[1])
	if ok1 && ok2 && predicate != nil && message != nil {
		if !predicate.val.isTrue() {
			panic(failed(message.val.s))
		}
		return &constExpr{t: Bool, val: boolValue(true)}
	}
	return &applyExpr{t: Bool, args: args, readsTable: true, rows: func(a []Value) Value {
		if !a[0].isTrue() {
			panic(runFailure{failed(a[1].s)})
		}
		return boolValue(true)
	}}
}

// drawn is an expression that draws a value for each row. The numbers are those of
// the query's time, so that it gives the same again over one goroutine.
func (b *binder) drawn(t Type, draw func(*rand.Rand) Value) expr {
	seed := uint64(b.now.n)
	return &applyExpr{t: t, readsTable: true, prepared: func(x *execution) func([]Value) Value {
		batch := uint64(0)
		if x != nil {
			batch = uint64(x.all().drawn.Add(1))
		}
		random := rand.New(rand.NewPCG(seed, batch))
		return func([]Value) Value { return draw(random) }
	}}
}

func bindRand(b *binder, n *call, args []expr) expr {
	below := int64(0)
	if len(args) > 0 {
		if c, ok := args[0].(*constExpr); ok {
			if below = c.val.n; c.val.IsNull() || below < 1 {
				panic(semanticError(n.args[0].pos(), "SEM0220", "rand() draws below a number of at least 1"))
			}
		}
	}
	return b.drawn(Real, func(r *rand.Rand) Value {
		if below > 1 {
			return realValue(float64(r.Int64N(below)))
		}
		return realValue(r.Float64())
	})
}

func bindNewGUID(b *binder, _ *call, _ []expr) expr {
	return b.drawn(GUID, func(r *rand.Rand) Value {
		high, low := r.Uint64()&^0xF000|0x4000, r.Uint64()&^(3<<62)|1<<63
		text := fmt.Sprintf("%016x%016x", high, low)
		g, _ := parseGUID(text)
		return guidValue(g)
	})
}

// bindDataSize adds up what values take: a text its bytes, and anything else what
// its type does.
func bindDataSize(b *binder, n *call, in []*column) expr {
	var of []expr
	if len(n.args) == 1 && isStar(n.args[0]) {
		for _, c := range in {
			of = append(of, &columnExpr{col: c})
		}
	} else {
		of = b.specialArguments(n, in)
		for i, e := range of {
			if _, ok := e.(*columnExpr); !ok {
				panic(semanticError(n.args[i].pos(), "SEM0220", "the arguments of %s() must be columns", n.fn.text))
			}
		}
	}
	sizes := map[Type]int64{Bool: 1, Int: 4, GUID: 16, Decimal: 16}
	return b.ofTheColumnsHere(fold(&applyExpr{t: Long, args: of, op: n.fn.text, rows: func(a []Value) Value {
		total := int64(0)
		for i, v := range a {
			switch t := of[i].typ(); {
			case t == String || t == Dynamic:
				total += int64(len(v.String()))
			case sizes[t] != 0:
				total += sizes[t]
			default:
				total += 8
			}
		}
		return longValue(total)
	}}))
}

// bindBinAuto is bin_at() with what the query's options say.
func bindBinAuto(b *binder, n *call, in []*column) expr {
	args := b.specialArguments(n, in)
	if b.binSize == nil {
		panic(semanticError(n.span, "SEM0001", "bin_auto() needs set query_bin_auto_size = ... at the start of the query"))
	}
	var at expr = &constExpr{t: args[0].typ(), val: convert(longValue(0), args[0].typ())}
	if b.binAt != nil {
		at = b.binAt
	}
	return bindBinAt(b, n, []expr{args[0], b.binSize, at})
}
