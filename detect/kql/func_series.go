package kql

import "math"

// seriesFunctions work on dynamic arrays of numbers, element by element.
func seriesFunctions() []*scalarFunction {
	list := []*scalarFunction{
		seriesPair("series_add", "sum", "[5,4,5]", seriesSum),
		seriesPair("series_subtract", "difference", "[-3,0,3]", seriesDifference),
		seriesPair("series_multiply", "product", "[4,4,4]", seriesProduct),
		seriesPair("series_divide", "quotient, a real,", "[0.25,1.0,4.0]", func(x, y Value) Value { return realValue(realOf(x) / realOf(y)) }),
		seriesPair("series_pow", "power, a real,", "[1.0,4.0,4.0]", func(x, y Value) Value { return realValue(math.Pow(realOf(x), realOf(y))) }),
		seriesComparison("series_greater", "greater than", "[false,false,true]", func(order int) bool { return order > 0 }),
		seriesComparison("series_greater_equals", "greater than, or equal to,", "[false,true,true]", func(order int) bool { return order >= 0 }),
		seriesComparison("series_less", "less than", "[true,false,false]", func(order int) bool { return order < 0 }),
		seriesComparison("series_less_equals", "less than, or equal to,", "[true,true,false]", func(order int) bool { return order <= 0 }),
		seriesComparison("series_equals", "equal to", "[false,true,false]", func(order int) bool { return order == 0 }),
		seriesComparison("series_not_equals", "not equal to", "[true,false,true]", func(order int) bool { return order != 0 }),
		seriesOfEach("series_abs", "The absolute values.", "dynamic([-6.5,0,8.2])", "[6.5,0,8.2]", exactOrReal(func(n int64) int64 { return max(n, -n) }, math.Abs)),
		seriesOfEach("series_ceiling", "The least integers that are not less.", "dynamic([-1.5,1,2.5])", "[-1.0,1,3.0]", exactOrReal(func(n int64) int64 { return n }, math.Ceil)),
		seriesOfEach("series_floor", "The greatest integers that are not greater.", "dynamic([-1.5,1,2.5])", "[-2.0,1,2.0]", exactOrReal(func(n int64) int64 { return n }, math.Floor)),
		seriesOfEach("series_sign", "-1, 0 or 1.", "dynamic([-6,0,8])", "[-1,0,1]", func(v Value) Value {
			order, _ := compare(v, longValue(0))
			return longValue(int64(order))
		}),
		seriesOfEach("series_exp", "e to the power of the elements.", "dynamic([0,1])", "[1.0,2.718281828459045]", floating(math.Exp)),
		seriesOfEach("series_log", "The natural logarithms, null of negative numbers.", "dynamic([1,-1])", "[0.0,null]", floating(naturalLog)),
		seriesOfEach("series_sin", "The sines.", "dynamic([0])", "[0.0]", floating(math.Sin)),
		seriesOfEach("series_cos", "The cosines.", "dynamic([0])", "[1.0]", floating(math.Cos)),
		seriesOfEach("series_tan", "The tangents.", "dynamic([0])", "[0.0]", floating(math.Tan)),
		seriesOfEach("series_asin", "The angles whose sines are the elements, null outside -1 to 1.", "dynamic([0,2])", "[0.0,null]", floating(math.Asin)),
		seriesOfEach("series_acos", "The angles whose cosines are the elements, null outside -1 to 1.", "dynamic([-1,0,1])", "[3.141592653589793,1.5707963267948966,0.0]", floating(math.Acos)),
		seriesOfEach("series_atan", "The angles whose tangents are the elements.", "dynamic([0])", "[0.0]", floating(math.Atan)),
		{sig: "series_fill_const(series:array, constant:number?, missing:number?) dynamic", naming: nameOfFirst,
			doc:      "The series with a constant, 0 where none is given, in the place of its nulls, or of the elements that equal the third argument.",
			examples: examples{"series_fill_const(dynamic([111,null,36]), 0.0)", "[111,0.0,36]", "series_fill_const(dynamic([1,-1]), 5, -1)", "[1,5]"},
			rows: onArray(func(items, a []Value) Value {
				constant := longValue(0)
				if len(a) > 1 {
					constant = a[1]
				}
				return filled(items, missingOf(a, 2), func([]Value, int) Value { return constant })
			})},
		{sig: "series_fill_forward(series:array, missing:number?) dynamic", naming: nameOfFirst,
			doc:      "The series with the last element before a null, or before one that equals the second argument, in its place.",
			examples: examples{"series_fill_forward(dynamic([null,36,41,null,null,16]))", "[null,36,41,41,41,16]"},
			rows:     onArray(func(items, a []Value) Value { return carried(items, missingOf(a, 1), 1) })},
		{sig: "series_fill_backward(series:array, missing:number?) dynamic", naming: nameOfFirst,
			doc:      "The series with the first element behind a null, or behind one that equals the second argument, in its place.",
			examples: examples{"series_fill_backward(dynamic([111,null,36,null]))", "[111,36,36,null]"},
			rows:     onArray(func(items, a []Value) Value { return carried(items, missingOf(a, 1), -1) })},
		{sig: "series_fill_linear(series:array, missing:number?, fill_edges:bool?, constant:number?) dynamic", naming: nameOfFirst,
			doc:      "The series with values on the line between the neighbours of a null, or of one that equals the second argument, in its place; whole numbers among whole numbers. At the ends it is the neighbour unless the third argument is false, and of nothing but nulls the constant, 0 where none is given.",
			examples: examples{"series_fill_linear(dynamic([null,111.0,null,36.0,null]))", "[111.0,111.0,73.5,36.0,36.0]", "series_fill_linear(dynamic([41,null,null,16]))", "[41,32,24,16]", "series_fill_linear(dynamic([null,1]), double(null), false)", "[null,1]"},
			rows:     onArray(filledLinear)},
	}
	return list
}

// isNumeric says whether a series counts an element: a number, or an instant or a
// span in ticks.
func isNumericElement(v Value) bool {
	return isNumeric(v) || v.kind == DateTime || v.kind == TimeSpan
}

// numericElement is what a series computes with, null for what is no number.
func numericElement(v Value) Value {
	switch v.kind {
	case DateTime, TimeSpan:
		return longValue(v.n)
	case Decimal:
		return convert(v, Real)
	case Int:
		return longValue(v.n)
	case Long:
		return v
	case Real:
		if math.IsNaN(v.real()) {
			return Value{}
		}
		return v
	}
	return Value{}
}

// numbersOf gives the elements as reals, NaN for what is no number. It says whether
// all are numbers.
func numbersOf(items []Value) (xs []float64, all bool) {
	xs, all = make([]float64, len(items)), true
	for i, item := range items {
		v := numericElement(item)
		if v.IsNull() {
			xs[i], all = math.NaN(), false
			continue
		}
		xs[i] = realOf(v)
	}
	return xs, all
}

// realSeries is an array of reals. What is not a number is null.
func realSeries(xs []float64) Value {
	items := make([]Value, len(xs))
	for i, x := range xs {
		items[i] = finiteReal(x)
	}
	return arrayValue(items)
}

// finiteReal is a real, null for what is not a number.
func finiteReal(x float64) Value {
	if math.IsNaN(x) {
		return Value{}
	}
	return realValue(x)
}

// exactOrReal computes with an integer for integers, and with a real for reals.
func exactOrReal(ofWhole func(int64) int64, of func(float64) float64) func(Value) Value {
	return func(v Value) Value {
		if v.kind == Long {
			return longValue(ofWhole(v.n))
		}
		return finiteReal(of(v.real()))
	}
}

func floating(of func(float64) float64) func(Value) Value {
	return func(v Value) Value { return finiteReal(of(realOf(v))) }
}

// naturalLog takes the exponent out first. math.Log is off in the last digit of some
// numbers, such as 3.
func naturalLog(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return math.Log(x)
	}
	fraction, exponent := math.Frexp(x)
	if fraction < math.Sqrt2/2 {
		fraction, exponent = fraction*2, exponent-1
	}
	const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	k := float64(exponent)
	return k*ln2Hi + (math.Log1p(fraction-1) + k*ln2Lo)
}

func seriesSum(x, y Value) Value        { return plus(x, y) }
func seriesDifference(x, y Value) Value { return subtracted(x, y) }
func seriesProduct(x, y Value) Value    { return times(x, y) }

// seriesOfEach is a function of each element.
func seriesOfEach(name, doc, of, gives string, f func(Value) Value) *scalarFunction {
	return &scalarFunction{sig: name + "(series:array) dynamic", doc: doc + " Null of an element that is no number.",
		examples: examples{name + "(" + of + ")", gives, name + "(dynamic(['a']))", "[null]"},
		rows: onArray(func(items, _ []Value) Value {
			out := make([]Value, len(items))
			for i, item := range items {
				if v := numericElement(item); !v.IsNull() {
					out[i] = f(v)
				}
			}
			return arrayValue(out)
		})}
}

// seriesPair computes with the elements of two series at the same position, or with
// those of one and a number.
func seriesPair(name, what, gives string, f func(x, y Value) Value) *scalarFunction {
	return &scalarFunction{sig: name + "(left:series, right:series) dynamic", bind: bindSeriesPair(f),
		doc:      "The " + what + " of two series, element by element, or of a series and a number; null where one has no number.",
		examples: examples{name + "(dynamic([1,2,4]), dynamic([4,2,1]))", gives, name + "(dynamic([1,'a']), dynamic([1,2,3]))[1]", "null"}}
}

// seriesComparison compares as seriesPair computes.
func seriesComparison(name, what, gives string, holds func(order int) bool) *scalarFunction {
	return &scalarFunction{sig: name + "(left:series, right:series) dynamic",
		doc:      "Whether the elements of a series are " + what + " those of another, or a number; null where one has no number.",
		examples: examples{name + "(dynamic([1,2,4]), dynamic([4,2,1]))", gives, name + "(dynamic([null]), 1)", "[null]"},
		bind: bindSeriesPair(func(x, y Value) Value {
			order, ok := compare(x, y)
			if !ok {
				return Value{}
			}
			return boolValue(holds(order))
		})}
}

func bindSeriesPair(f func(x, y Value) Value) func(*binder, *call, []expr) expr {
	return func(b *binder, n *call, args []expr) expr {
		if args[0].typ() != Dynamic && args[1].typ() != Dynamic {
			panic(semanticError(n.fn.span, "SEM0220", "one of the arguments of %s() must be a dynamic array, and these are a %s and a %s", n.fn.text, args[0].typ(), args[1].typ()))
		}
		return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value { return paired(a[0], a[1], f) }})
	}
}

// paired is null if neither is an array. A number stands beside every element.
func paired(x, y Value, f func(x, y Value) Value) Value {
	n := max(elementCount(x), elementCount(y))
	if n < 0 || x.kind != kindArray && !isNumericElement(x) || y.kind != kindArray && !isNumericElement(y) {
		return Value{}
	}
	out := make([]Value, n)
	for i := range out {
		if l, r := numericElement(elementAt(x, i)), numericElement(elementAt(y, i)); !l.IsNull() && !r.IsNull() {
			out[i] = numericElementOrBool(f(l, r))
		}
	}
	return arrayValue(out)
}

func numericElementOrBool(v Value) Value {
	if v.kind == Bool {
		return v
	}
	return numericElement(v)
}

func elementCount(v Value) int {
	if v.kind != kindArray {
		return -1
	}
	return len(v.array())
}

func elementAt(v Value, i int) Value {
	if v.kind != kindArray {
		return v
	}
	if i >= len(v.array()) {
		return Value{}
	}
	return v.array()[i]
}

// missingOf says which elements count as missing: nulls and what is not a number, or
// those that equal an argument.
func missingOf(a []Value, at int) func(Value) bool {
	if len(a) <= at || a[at].IsNull() || a[at].kind == Real && math.IsNaN(a[at].real()) {
		return func(v Value) bool { return v.IsNull() || v.kind == Real && math.IsNaN(v.real()) }
	}
	return func(v Value) bool { return isNumeric(v) && equal(v, a[at]) }
}

// filled replaces what is missing.
func filled(items []Value, missing func(Value) bool, by func(items []Value, at int) Value) Value {
	out := make([]Value, len(items))
	for i, v := range items {
		if missing(v) {
			v = by(items, i)
		}
		out[i] = v
	}
	return arrayValue(out)
}

// carried goes through the elements, forwards where the step is 1, and leaves the
// last that is there in the place of what is missing.
func carried(items []Value, missing func(Value) bool, step int) Value {
	out := make([]Value, len(items))
	at, last, some := 0, Value{}, false
	if step < 0 {
		at = len(items) - 1
	}
	for ; at >= 0 && at < len(items); at += step {
		switch {
		case !missing(items[at]):
			last, some = items[at], true
			out[at] = last
		case some:
			out[at] = last
		default:
			out[at] = items[at]
		}
	}
	return arrayValue(out)
}

// filledLinear is series_fill_linear(). A value between whole numbers loses what is
// behind the point, as in the reference's example.
func filledLinear(items, a []Value) Value {
	missing := missingOf(a, 1)
	edges := len(a) < 3 || a[2].IsNull() || a[2].isTrue()
	constant := realValue(0)
	if len(a) > 3 {
		constant = a[3]
	}
	out := make([]Value, len(items))
	copy(out, items)
	isWhole, before := true, -1
	for _, v := range items {
		isWhole = isWhole && (missing(v) || v.kind == Int || v.kind == Long)
	}
	for i, v := range items {
		if missing(v) {
			continue
		}
		left, right := numericElement(v), numericElement(v)
		if before >= 0 {
			left = numericElement(items[before])
		} else if !edges {
			before = i
			continue
		}
		for at := before + 1; at < i; at++ {
			if before < 0 {
				out[at] = v
				continue
			}
			if left.IsNull() || right.IsNull() {
				continue
			}
			x := realOf(left) + (realOf(right)-realOf(left))*float64(at-before)/float64(i-before)
			if out[at] = realValue(x); isWhole {
				out[at] = longValue(int64(x))
			}
		}
		before = i
	}
	switch {
	case before < 0: // there is nothing but what is missing
		for i := range out {
			if !constant.IsNull() {
				out[i] = constant
			}
		}
	case edges:
		for at := before + 1; at < len(out); at++ {
			out[at] = items[before]
		}
	}
	return arrayValue(out)
}

// severalValues binds a function that gives several values: alone it makes several
// columns, called after the function, its series and the value.
func severalValues(names []string, types []Type, f func(a []Value) []Value) func(*binder, *call, []expr) expr {
	return func(b *binder, n *call, args []expr) expr {
		of := &applyExpr{t: Dynamic, op: n.fn.text, args: args, named: true, rows: func(a []Value) Value {
			vals := f(a)
			if vals == nil {
				vals = make([]Value, len(names))
			}
			return arrayValue(vals)
		}}
		return &tupleExpr{expr: fold(of), types: types, names: func(in []*column) []string {
			stem := n.fn.text + "_" + b.outputName(n.args[0], in) + "_"
			list := make([]string, len(names))
			for i, name := range names {
				list[i] = stem + name
			}
			return list
		}}
	}
}

// typesAll is n times a type.
func typesAll(t Type, n int) []Type {
	types := make([]Type, n)
	for i := range types {
		types[i] = t
	}
	return types
}
