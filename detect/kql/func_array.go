package kql

import (
	"slices"
	"strconv"
	"strings"
)

// arrayFunctions work on dynamic arrays and make them.
func arrayFunctions() []*scalarFunction {
	concat := func(a []Value) Value {
		var items []Value
		for _, v := range a {
			if v.kind != kindArray {
				return Value{}
			}
			items = append(items, v.array()...)
		}
		return arrayValue(items)
	}
	length := onArray(func(items, _ []Value) Value { return longValue(int64(len(items))) })
	iff := func(name string) *scalarFunction {
		return &scalarFunction{sig: name + "(condition:array, when_true:scalar, when_false:scalar) dynamic",
			doc:      "Element by element, the second argument's where the first is true or a number but 0, else the third's; of a scalar, the scalar itself.",
			examples: examples{name + "(dynamic([true,false,true]), dynamic([1,2]), 'no')", `[1,"no",null]`, name + "(dynamic([1,0,'x']), 1, 2)", "[1,2,null]"},
			rows:     onArray(arrayIff)}
	}
	return []*scalarFunction{
		{sig: "array_length(array:array) long", doc: "The number of elements.", rows: length,
			examples: examples{"array_length(dynamic([1,2,3]))", "3", "array_length(parse_json('{}'))", "null"}},
		{sig: "arraylength(array:array) long", doc: "The same as array_length().", rows: length,
			examples: examples{"arraylength(dynamic([]))", "0"}},
		{sig: "array_index_of(array:array, value:scalar, start:integer?, length:integer?, occurrence:integer?) long",
			doc:      "The position of an element, counted from 0, else -1; a negative start counts from the end.",
			examples: examples{"array_index_of(dynamic(['a','b','a']), 'a', 1)", "2", "array_index_of(dynamic(['a','b','a']), 'a', 0, -1, 2)", "2", "array_index_of(dynamic(['a']), 'a', 0, -2)", "null"},
			rows:     onArray(arrayIndexOf)},
		{sig: "array_slice(array:array, start:integer, end:integer) dynamic",
			doc:      "The elements from one position to another, both included; negative ones count from the end.",
			examples: examples{"array_slice(dynamic([1,2,3,4,5]), 1, 2)", "[2,3]", "array_slice(dynamic([1,2,3,4,5]), 2, -1)", "[3,4,5]"},
			rows:     onArray(arraySlice)},
		{sig: "array_split(array:array, at:integers) dynamic",
			doc:      "The array cut before a position, or before each of an array of positions; negative ones count from the end.",
			examples: examples{"array_split(dynamic([1,2,3,4,5]), 2)", "[[1,2],[3,4,5]]", "array_split(dynamic([1,2,3,4,5]), dynamic([1,3]))", "[[1],[2,3],[4,5]]"},
			rows:     onArray(arraySplit)},
		{sig: "array_concat(array:array, more:array*) dynamic", doc: "All elements of the arrays, in order.", rows: concat,
			examples: examples{"array_concat(dynamic([1,2]), dynamic([2,3]))", "[1,2,2,3]"}},
		{sig: "array_reverse(array:array) dynamic", doc: "The elements in reverse order.",
			examples: examples{"array_reverse(dynamic([1,2,3]))", "[3,2,1]"},
			rows: onArray(func(items, _ []Value) Value {
				items = slices.Clone(items)
				slices.Reverse(items)
				return arrayValue(items)
			})},
		{sig: "array_rotate_left(array:array, count:integer) dynamic", doc: "The elements moved to the left, those that fall out coming back on the right.",
			examples: examples{"array_rotate_left(dynamic([1,2,3,4,5]), 2)", "[3,4,5,1,2]", "array_rotate_left(dynamic([1,2,3,4,5]), -2)", "[4,5,1,2,3]"},
			rows:     onArray(func(items, a []Value) Value { return rotated(items, a[1], 1) })},
		{sig: "array_rotate_right(array:array, count:integer) dynamic", doc: "The elements moved to the right, those that fall out coming back on the left.",
			examples: examples{"array_rotate_right(dynamic([1,2,3,4,5]), 2)", "[4,5,1,2,3]"},
			rows:     onArray(func(items, a []Value) Value { return rotated(items, a[1], -1) })},
		{sig: "array_shift_left(array:array, count:integer, fill:scalar?) dynamic", doc: "The elements moved to the left, the gap filled with null or a value.",
			examples: examples{"array_shift_left(dynamic([1,2,3]), 2)", "[3,null,null]", "array_shift_left(dynamic([1,2,3]), -1, 0)", "[0,1,2]"},
			rows:     onArray(func(items, a []Value) Value { return shifted(items, a, 1) })},
		{sig: "array_shift_right(array:array, count:integer, fill:scalar?) dynamic", doc: "The elements moved to the right, the gap filled with null or a value.",
			examples: examples{"array_shift_right(dynamic([1,2,3]), 2)", "[null,null,1]"},
			rows:     onArray(func(items, a []Value) Value { return shifted(items, a, -1) })},
		iff("array_iff"),
		iff("array_iif"),
		{sig: "array_sum(array:array) real", doc: "The sum of the elements, null if one is no number.",
			examples: examples{"array_sum(dynamic([1,2,3.5]))", "6.5", "array_sum(dynamic([1,'a']))", "null"},
			rows: onArray(func(items, _ []Value) Value {
				sum := 0.0
				for _, v := range items {
					if !isNumeric(v) {
						return Value{}
					}
					sum += convert(v, Real).real()
				}
				return realValue(sum)
			})},
		arraySorting("array_sort_asc", "ascending", 1, "[1,2,3,null]", `["b","c","a",null]`),
		arraySorting("array_sort_desc", "descending", -1, "[3,2,1,null]", `["a","c","b",null]`),
		{sig: "zip(array:array, next:array, more:array*) dynamic", doc: "An array of arrays, each of the elements at one position; null where an array is too short.", rows: zip,
			examples: examples{"zip(dynamic([1,3,5]), dynamic([2,4]))", "[[1,2],[3,4],[5,null]]"}},
		{sig: "pack_array(value:scalar, more:scalar*) dynamic", doc: "An array of the arguments, or with * of all columns.", special: bindPackArray,
			examples: examples{"pack_array(1, 'a', dynamic([2]))", `[1,"a",[2]]`, "toscalar(print a = 1, b = 'x' | project pack_array(*))", `[1,"x"]`}},
		{sig: "repeat(value:scalar, count:long) dynamic", doc: "An array that holds the value a number of times.", naming: prefixed("repeat"),
			examples: examples{"repeat('a', 2)", `["a","a"]`, "repeat(1, 0)", "[]", "repeat(1, -1)", "null"},
			rows: func(a []Value) Value {
				if a[1].IsNull() || a[1].n < 0 {
					return Value{}
				}
				if a[1].n > maxValueSize/a[0].size() {
					panic(limitError("repeat() makes an array of more than %d MiB", maxValueSize>>20))
				}
				return arrayValue(slices.Repeat([]Value{a[0]}, int(a[1].n)))
			}},
		{sig: "range(start:summable, stop:summable, step:summable?) dynamic",
			doc:      "An array of the values from start to stop, by steps of 1 or of 1h where no other is given; it ends at 1048576 elements.",
			examples: examples{"range(1, 8, 3)", "[1,4,7]", "range(1, 2.5)", "[1.0,2.0]", "range(1h, 3h)", `["01:00:00","02:00:00","03:00:00"]`},
			bind:     bindRange},
		{sig: "strcat_array(array:array, delimiter:scalar) string", doc: "The elements' texts, joined with a delimiter.", rows: onArrayText(joined),
			examples: examples{"strcat_array(dynamic([1,'a',true]), '-')", "1-a-true"}},
		{sig: "array_strcat(array:array, delimiter:scalar) string", doc: "The same as strcat_array().", rows: onArrayText(joined),
			examples: examples{"array_strcat(dynamic(['a','b']), '')", "ab"}},
	}
}

// onArray is for functions that are null when their first argument is no
// array.
func onArray(f func(items, a []Value) Value) func([]Value) Value {
	return func(a []Value) Value {
		if a[0].kind != kindArray {
			return Value{}
		}
		return f(a[0].array(), a)
	}
}

// onArrayText is onArray for those that give text, which is never null.
func onArrayText(f func(items, a []Value) Value) func([]Value) Value {
	rows := onArray(f)
	return func(a []Value) Value { return convert(rows(a), String) }
}

func joined(items, a []Value) Value {
	parts := make([]string, len(items))
	for i, v := range items {
		parts[i] = v.String()
	}
	delimiter := a[1].String()
	if int64(len(items))*int64(len(delimiter)) > maxValueSize {
		panic(limitError("strcat_array() makes a text of more than %d MiB", maxValueSize>>20))
	}
	return stringValue(strings.Join(parts, delimiter))
}

// optional is an integer argument that may be left out or null.
func optional(a []Value, i int, otherwise int64) int64 {
	if i >= len(a) || a[i].IsNull() {
		return otherwise
	}
	return a[i].n
}

func arrayIndexOf(items, a []Value) Value {
	from, length, occurrence := optional(a, 2, 0), optional(a, 3, -1), optional(a, 4, 1)
	if length < -1 || occurrence < 1 {
		return Value{}
	}
	n := int64(len(items))
	if from < 0 {
		from = max(0, from+n)
	}
	to := n
	if length >= 0 && length < n-from {
		to = from + length
	}
	for i := from; i < to; i++ {
		if equal(items[i], a[1]) {
			if occurrence--; occurrence == 0 {
				return longValue(i)
			}
		}
	}
	return longValue(-1)
}

func arraySlice(items, a []Value) Value {
	n := int64(len(items))
	if a[1].IsNull() || a[2].IsNull() {
		return arrayValue([]Value{})
	}
	from, to := a[1].n, a[2].n
	if from < 0 {
		from += n
	}
	if to < 0 {
		to += n
	}
	from, to = max(from, 0), min(to, n-1)+1
	if from >= to {
		return arrayValue([]Value{})
	}
	return arrayValue(items[from:to])
}

func arraySplit(items, a []Value) Value {
	at := []Value{a[1]}
	if a[1].kind == kindArray {
		at = a[1].array()
	}
	parts := make([]Value, 0, len(at)+1)
	from, n := int64(0), int64(len(items))
	for _, v := range at {
		if v.kind != Int && v.kind != Long {
			return Value{}
		}
		to := v.n
		if to < 0 {
			to += n
		}
		to = min(max(to, from), n)
		parts = append(parts, arrayValue(items[from:to]))
		from = to
	}
	return arrayValue(append(parts, arrayValue(items[from:])))
}

// rotated moves to the left where the sign is 1.
func rotated(items []Value, by Value, sign int64) Value {
	n := int64(len(items))
	if by.IsNull() || n == 0 {
		return arrayValue(items)
	}
	k := ((by.n%n)*sign + n) % n
	return arrayValue(slices.Concat(items[k:], items[:k]))
}

func shifted(items, a []Value, sign int64) Value {
	if a[1].IsNull() {
		return arrayValue(items)
	}
	var fill Value
	if len(a) > 2 {
		fill = a[2]
	}
	n := int64(len(items))
	by := min(max(a[1].n, -n), n) * sign
	out := make([]Value, n)
	for i := range n {
		if from := i + by; from >= 0 && from < n {
			out[i] = items[from]
		} else {
			out[i] = fill
		}
	}
	return arrayValue(out)
}

func arrayIff(items, a []Value) Value {
	choose := func(v Value, i int) Value {
		switch {
		case v.kind != kindArray:
			return v
		case i < len(v.array()):
			return v.array()[i]
		}
		return Value{}
	}
	out := make([]Value, len(items))
	for i, c := range items {
		switch {
		case c.kind != Bool && !isNumeric(c):
		case convert(c, Bool).isTrue():
			out[i] = choose(a[1], i)
		default:
			out[i] = choose(a[2], i)
		}
	}
	return arrayValue(out)
}

func zip(a []Value) Value {
	longest := 0
	for _, v := range a {
		if v.kind != kindArray {
			return Value{}
		}
		longest = max(longest, len(v.array()))
	}
	out := make([]Value, longest)
	for i := range out {
		row := make([]Value, len(a))
		for j, v := range a {
			if items := v.array(); i < len(items) {
				row[j] = items[i]
			}
		}
		out[i] = arrayValue(row)
	}
	return arrayValue(out)
}

// arraySorting makes array_sort_asc or array_sort_desc. The first array decides,
// and the others follow it.
func arraySorting(name, order string, sign int, one, two string) *scalarFunction {
	return &scalarFunction{
		sig: name + "(array:array, more:scalar*) dynamic",
		doc: "The elements in " + order + " order, nulls last unless the last argument is false. Arrays behind the first are put into the first one's order, each a value of its own.",
		examples: examples{name + "(dynamic([3,null,1,2]))", one,
			name + "(dynamic([2,null,1]), false)[0]", "null",
			name + "(dynamic([3,1,2,null]), dynamic(['a','b','c']))[1]", two},
		naming: func(first string) string {
			if first == "" {
				return "array0_sorted"
			}
			return first + "_sorted"
		},
		bind: func(b *binder, n *call, args []expr) expr {
			nullsLast := true
			arrays := len(args)
			for i, a := range args[1:] {
				at := n.args[i+1].pos()
				switch {
				case a.typ() == Dynamic:
				case a.typ() == Bool && i == len(args)-2:
					c, known := b.checkConstant(name, param{name: "nulls_last"}, a, at).(*constExpr)
					nullsLast = !known || c.val.isTrue()
					arrays--
				default:
					panic(semanticError(at, "SEM0220", "the arguments of %s() must be arrays, and the last may be a bool; this is a %s", name, a.typ()))
				}
			}
			sorted := fold(&applyExpr{t: Dynamic, args: args[:arrays], rows: sortArrays(sign, nullsLast)})
			if arrays == 1 {
				return sorted
			}
			return &tupleExpr{expr: sorted, names: func(in []*column) []string {
				names := make([]string, arrays)
				for i := range names {
					names[i] = b.outputName(n.args[i], in)
					if names[i] == "" {
						names[i] = "array" + strconv.Itoa(i)
					}
					names[i] += "_sorted"
				}
				return names
			}}
		},
	}
}

// sortArrays gives the sorted array, or of several an array of them.
func sortArrays(sign int, nullsLast bool) func([]Value) Value {
	return func(a []Value) Value {
		if a[0].kind != kindArray {
			return Value{}
		}
		items := a[0].array()
		order := make([]int, len(items))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int {
			x, y := items[i], items[j]
			switch {
			case x.IsNull() && y.IsNull():
				return 0
			case x.IsNull() || y.IsNull():
				if x.IsNull() == nullsLast {
					return 1
				}
				return -1
			}
			return sign * sortOrder(x, y)
		})
		out := make([]Value, len(a))
		for k, v := range a {
			if v.kind != kindArray {
				continue
			}
			from := v.array()
			to := make([]Value, len(order))
			for i, at := range order {
				if at < len(from) {
					to[i] = from[at]
				}
			}
			out[k] = arrayValue(to)
		}
		if len(a) == 1 {
			return out[0]
		}
		return arrayValue(out)
	}
}

// maxRange is how many elements range() gives at most.
const maxRange = 1 << 20

func bindRange(b *binder, n *call, args []expr) expr {
	start, stop := args[0].typ(), args[1].typ()
	step := expr(&constExpr{t: Long, val: longValue(1)})
	if !start.isNumber() {
		step = &constExpr{t: TimeSpan, val: timespanValue(ticksPerHour)}
	}
	if len(args) > 2 {
		step = args[2]
	}
	t := start
	switch {
	case start.isNumber() && stop.isNumber() && step.typ().isNumber():
		t = widest(widest(start, stop), step.typ())
		step = converted(step, t)
	case start == stop && step.typ() == TimeSpan && !start.isNumber():
	default:
		panic(semanticError(n.span, "SEM0220", "range() goes from a number to a number, from a datetime to a datetime, or from a timespan to a timespan, by steps of its kind; this is a %s, a %s and a %s", start, stop, step.typ()))
	}
	args = []expr{converted(args[0], t), converted(args[1], t), step}
	return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value {
		zero := convert(longValue(0), step.typ())
		if a[0].IsNull() || a[1].IsNull() || a[2].IsNull() || equal(a[2], zero) {
			return Value{}
		}
		sign := sortOrder(a[2], zero)
		items := []Value{}
		for v := a[0]; !v.IsNull() && sortOrder(v, a[1])*sign <= 0 && len(items) < maxRange; {
			items = append(items, v)
			next := plus(v, a[2])
			if next.IsNull() || sortOrder(next, v)*sign <= 0 {
				break // past the type's range, or a step too small to matter
			}
			v = convert(next, t)
		}
		return arrayValue(items)
	}})
}
