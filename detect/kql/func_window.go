package kql

// windowFunctions look at other rows than their own. They stand where the rows
// have an order; see windowing.
func windowFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "row_number(start:long?, restart:bool?) long", doc: "The number of the row, from 1 or the start, again from there where restart is true.", special: bindWindow,
			examples: examples{"toscalar(range x from 5 to 7 step 1 | serialize | extend n = row_number() | summarize tostring(make_list(n)))", "[1,2,3]"}},
		{sig: "row_cumsum(term:number, restart:bool?) first", doc: "The sum of the term over the rows so far, since restart was last true.", special: bindWindow,
			examples: examples{"toscalar(range x from 1 to 3 step 1 | serialize | extend n = row_cumsum(x) | summarize tostring(make_list(n)))", "[1,3,6]"}},
		{sig: "row_rank_dense(term:scalar, restart:bool?) long", doc: "How many different terms there are so far: the rank in sorted rows.", special: bindWindow,
			examples: examples{"toscalar(datatable(x:long)[4, 4, 9] | serialize | extend n = row_rank_dense(x) | summarize tostring(make_list(n)))", "[1,1,2]"}},
		{sig: "row_rank_min(term:scalar, restart:bool?) long", doc: "The number of the first row with the same term: the rank in sorted rows.", special: bindWindow,
			examples: examples{"toscalar(datatable(x:long)[4, 4, 9] | serialize | extend n = row_rank_min(x) | summarize tostring(make_list(n)))", "[1,1,3]"}},
		{sig: "row_window_session(time:datetime, first:timespan, between:timespan, restart:bool?) datetime", doc: "When the row's session began: another begins so long after its first row, or so long after the row before.", special: bindWindow,
			examples: examples{"toscalar(datatable(t:datetime)[datetime(2026-03-17 08:00), datetime(2026-03-17 08:05), datetime(2026-03-17 09:00)] | serialize | extend s = row_window_session(t, 1h, 10m) | summarize dcount(s))", "2"}},
		{sig: "prev(column:scalar, offset:long?, default:scalar?!) first", doc: "The column's value one row before, or as many as the offset says; else the default.", special: bindWindow,
			examples: examples{"toscalar(range x from 1 to 3 step 1 | serialize | extend n = prev(x, 1, 0) | summarize tostring(make_list(n)))", "[0,1,2]"}},
		{sig: "next(column:scalar, offset:long?, default:scalar?!) first", doc: "The column's value one row after, or as many as the offset says; else the default.", special: bindWindow,
			examples: examples{"toscalar(range x from 1 to 3 step 1 | serialize | extend n = next(x, 1, 0) | summarize tostring(make_list(n)))", "[2,3,0]"}},
	}
}

// windowings is how each computes its values.
var windowings = map[string]windowFunction{
	"row_number": {
		result: func([]expr) Type { return Long },
		fill: func(args []*vector, out *vector) {
			next, ok := int64(0), true
			for i := range out.n {
				if i == 0 || isTrue(args, 1, i) {
					next, ok = orLong(args, 0, 0, 1), true
				}
				out.set(i, wholeValue(Long, next, ok))
				if ok {
					next, ok = addWhole(next, 1)
				}
			}
		},
	},
	"row_cumsum": {
		result: func(args []expr) Type {
			if args[0].typ() == Int {
				return Long
			}
			return args[0].typ()
		},
		fill: func(args []*vector, out *vector) {
			var sum Value
			var wide wideSum
			for i := range out.n {
				if isTrue(args, 1, i) {
					sum, wide = Value{}, wideSum{}
				}
				if term := args[0].value(i); out.typ == Long || out.typ == TimeSpan {
					// Past the range a sum is null, and may come back.
					if term.IsNull() {
						out.set(i, sum)
						continue
					}
					wide.add(term.n)
					n, ok := wide.whole()
					sum = wholeValue(out.typ, n, ok)
				} else if sum.IsNull() {
					sum = convert(term, out.typ)
				} else if !term.IsNull() {
					sum = convert(plus(sum, term), out.typ)
				}
				out.set(i, sum)
			}
		},
	},
	"row_rank_dense": {
		result: func([]expr) Type { return Long },
		fill: func(args []*vector, out *vector) {
			rank := int64(0)
			for i := range out.n {
				switch {
				case i == 0 || isTrue(args, 1, i):
					rank = 1
				case !sameValue(args[0].value(i), args[0].value(i-1)):
					rank++
				}
				out.ints[i] = rank
			}
		},
	},
	"row_rank_min": {
		result: func([]expr) Type { return Long },
		fill: func(args []*vector, out *vector) {
			rank, at := int64(0), int64(0)
			for i := range out.n {
				at++
				switch {
				case i == 0 || isTrue(args, 1, i):
					rank, at = 1, 1
				case !sameValue(args[0].value(i), args[0].value(i-1)):
					rank = at
				}
				out.ints[i] = rank
			}
		},
	},
	"row_window_session": {
		result: func([]expr) Type { return DateTime },
		fill: func(args []*vector, out *vector) {
			var start, last Value
			for i := range out.n {
				at := args[0].value(i)
				far := func(from Value, most Value) bool {
					return from.IsNull() || at.IsNull() || most.IsNull() || at.n-from.n >= most.n
				}
				if i == 0 || isTrue(args, 3, i) || far(start, args[1].value(i)) || far(last, args[2].value(i)) {
					start = at
				}
				last = at
				out.set(i, start)
			}
		},
	},
	"prev": {result: typeOfFirst, column: true, fill: neighbour(-1)},
	"next": {result: typeOfFirst, column: true, fill: neighbour(1)},
}

// windowFunction computes over the rows in their order.
type windowFunction struct {
	result func(args []expr) Type
	column bool // the first argument must be a column
	fill   func(args []*vector, out *vector)
}

func typeOfFirst(args []expr) Type { return args[0].typ() }

// neighbour gives the value some rows before or after, else the default.
func neighbour(direction int64) func([]*vector, *vector) {
	return func(args []*vector, out *vector) {
		var missing Value
		if len(args) > 2 && out.n > 0 {
			missing = args[2].value(0)
		}
		for i := range out.n {
			at := int64(i) + direction*orLong(args, 1, i, 1)
			if at < 0 || at >= int64(out.n) {
				out.set(i, missing)
			} else {
				out.set(i, args[0].value(int(at)))
			}
		}
	}
}

func isTrue(args []*vector, arg, row int) bool { return len(args) > arg && isTrueAt(args[arg], row) }

func orLong(args []*vector, arg, row int, otherwise int64) int64 {
	if len(args) > arg {
		if v := args[arg].value(row); !v.IsNull() {
			return v.n
		}
	}
	return otherwise
}

func sameValue(x, y Value) bool { return string(groupKey(nil, x)) == string(groupKey(nil, y)) }

func isWindowFunction(name string) bool { return windowings[name].fill != nil }

// bindWindow binds a call: the function becomes a column of the operator's
// input.
func bindWindow(b *binder, n *call, in []*column) expr {
	f, w := windowings[n.fn.text], b.window
	if w == nil || !inOrder(w.in) {
		panic(semanticError(n.span, "SEM0001", "%s() needs rows in a fixed order: put sort, top or serialize before it", n.fn.text))
	}
	args := b.specialArguments(n, in)
	if f.column {
		if _, isName := n.args[0].(*name); !isName {
			panic(semanticError(n.args[0].pos(), "SEM0220", "%s() takes a column; extend one with the expression first", n.fn.text))
		}
		if len(args) > 2 {
			args[2] = b.coerce(args[2], args[0].typ(), n.args[2].pos())
		}
	}
	col := &column{"", f.result(args)}
	w.cols = append(w.cols, col)
	w.functions = append(w.functions, windowCall{n.fn.text, col, args, f.fill})
	return &columnExpr{col: col}
}
