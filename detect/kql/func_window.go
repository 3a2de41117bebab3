package kql

// windowFunctions look at other rows than their own. They stand where the rows
// have an order; see windowing.
var windowFunctions = map[string]windowFunction{
	"row_number": {
		params: "start:long?, restart:bool?",
		result: func([]expr) Type { return Long },
		fill: func(args []*vector, out *vector) {
			next := int64(0)
			for i := range out.n {
				if i == 0 || isTrue(args, 1, i) {
					next = orLong(args, 0, 0, 1)
				}
				out.ints[i] = next
				next++
			}
		},
	},
	"row_cumsum": {
		params: "term:number, restart:bool?",
		result: func(args []expr) Type {
			if args[0].typ() == Int {
				return Long
			}
			return args[0].typ()
		},
		fill: func(args []*vector, out *vector) {
			var sum Value
			for i := range out.n {
				if isTrue(args, 1, i) {
					sum = Value{}
				}
				if term := args[0].value(i); sum.IsNull() {
					sum = convert(term, out.typ)
				} else if !term.IsNull() {
					sum = convert(plus(sum, term), out.typ)
				}
				out.set(i, sum)
			}
		},
	},
	"row_rank_dense": {
		params: "term:scalar, restart:bool?",
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
		params: "term:scalar, restart:bool?",
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
		params: "time:datetime, first:timespan, between:timespan, restart:bool?",
		result: func([]expr) Type { return DateTime },
		fill: func(args []*vector, out *vector) {
			var start, last Value
			for i := range out.n {
				at := args[0].value(i)
				far := func(from Value, most Value) bool {
					return from.IsNull() || at.IsNull() || most.IsNull() || at.n-from.n > most.n
				}
				if i == 0 || isTrue(args, 3, i) || far(start, args[1].value(i)) || far(last, args[2].value(i)) {
					start = at
				}
				last = at
				out.set(i, start)
			}
		},
	},
	"prev": {params: neighbourParams, result: typeOfFirst, column: true, fill: neighbour(-1)},
	"next": {params: neighbourParams, result: typeOfFirst, column: true, fill: neighbour(1)},
}

// windowFunction is a function over the rows in their order.
type windowFunction struct {
	params string // as in a scalarFunction's signature
	result func(args []expr) Type
	column bool // the first argument must be a column
	fill   func(args []*vector, out *vector)
}

const neighbourParams = "column:scalar, offset:long?, default:scalar?!"

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

func isWindowFunction(name string) bool { return windowFunctions[name].fill != nil }

// bindWindow binds a call: the function becomes a column of the operator's
// input.
func bindWindow(b *binder, n *call, in []*column) expr {
	f, w := windowFunctions[n.fn.text], b.window
	if w == nil || !inOrder(w.in) {
		failSemantic(n.span, "SEM0001", "%s() needs rows in a fixed order: put sort, top or serialize before it", n.fn.text)
	}
	args := b.specialArguments(n, in, f.params)
	if f.column {
		if _, isName := n.args[0].(*name); !isName {
			failSemantic(n.args[0].pos(), "SEM0220", "%s() takes a column; extend one with the expression first", n.fn.text)
		}
		if len(args) > 2 {
			args[2] = b.coerce(args[2], args[0].typ(), n.args[2].pos())
		}
	}
	col := &column{"", f.result(args)}
	w.cols = append(w.cols, col)
	w.functions = append(w.functions, windowCall{col, args, f.fill})
	return &columnExpr{col: col}
}
