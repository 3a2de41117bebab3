package kql

import (
	"slices"
	"strings"
)

// dynamicFunctions work on arrays and property bags.
func dynamicFunctions() []*scalarFunction {
	array := func(sig, doc string, f func(items []Value, a []Value) Value) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, rows: func(a []Value) Value {
			if a[0].kind != kindArray {
				return Value{}
			}
			return f(a[0].array(), a)
		}}
	}
	set := func(sig, doc string, f func(sets [][]Value) []Value) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, rows: func(a []Value) Value {
			sets := make([][]Value, len(a))
			for i, v := range a {
				if v.kind != kindArray {
					return Value{}
				}
				sets[i] = v.array()
			}
			return arrayValue(f(sets))
		}}
	}
	return []*scalarFunction{
		array("array_length(array:array) long", "The number of elements.", func(items, _ []Value) Value {
			return longValue(int64(len(items)))
		}),
		array("array_index_of(array:array, value:scalar, start:integer?) long", "The position of an element, counted from 0, else -1.", func(items, a []Value) Value {
			from := int64(0)
			if len(a) > 2 && !a[2].IsNull() {
				from = a[2].n
			}
			for i, v := range items {
				if int64(i) >= from && equal(v, a[1]) {
					return longValue(int64(i))
				}
			}
			return longValue(-1)
		}),
		array("array_slice(array:array, start:integer, end:integer) dynamic", "The elements from one position to another, both included; negative ones count from the end.", func(items, a []Value) Value {
			n := int64(len(items))
			from, to := a[1].n, a[2].n
			if from < 0 {
				from += n
			}
			if to < 0 {
				to += n
			}
			from, to = max(from, 0), min(to+1, n)
			if a[1].IsNull() || a[2].IsNull() || from >= to {
				return arrayValue([]Value{})
			}
			return arrayValue(items[from:to])
		}),
		array("array_reverse(array:array) dynamic", "The elements in reverse order.", func(items, _ []Value) Value {
			items = slices.Clone(items)
			slices.Reverse(items)
			return arrayValue(items)
		}),
		array("strcat_array(array:array, delimiter:scalar) string", "The elements' texts, joined with a delimiter.", func(items, a []Value) Value {
			parts := make([]string, len(items))
			for i, v := range items {
				parts[i] = v.String()
			}
			delimiter := a[1].String()
			if int64(len(items))*int64(len(delimiter)) > maxValueSize {
				failLimit("strcat_array() makes a text of more than %d MiB", maxValueSize>>20)
			}
			return stringValue(strings.Join(parts, delimiter))
		}),
		array("set_has_element(set:array, value:scalar) bool", "Whether the array has the element.", func(items, a []Value) Value {
			return boolValue(slices.ContainsFunc(items, func(v Value) bool { return equal(v, a[1]) }))
		}),
		sorted("array_sort_asc", "ascending", 1),
		sorted("array_sort_desc", "descending", -1),
		set("array_concat(array:array, more:array*) dynamic", "All elements of the arrays, in order.", func(sets [][]Value) []Value {
			return slices.Concat(sets...)
		}),
		set("set_union(set:array, more:array*) dynamic", "The distinct elements of all arrays.", func(sets [][]Value) []Value {
			return distinctValues(slices.Concat(sets...))
		}),
		set("set_intersect(set:array, more:array*) dynamic", "The distinct elements that all arrays have.", func(sets [][]Value) []Value {
			out := distinctValues(sets[0])
			for _, s := range sets[1:] {
				has := keySet(s)
				out = slices.DeleteFunc(out, func(v Value) bool { return !has[string(groupKey(nil, v))] })
			}
			return out
		}),
		set("set_difference(set:array, more:array*) dynamic", "The distinct elements of the first array that no other has.", func(sets [][]Value) []Value {
			out := distinctValues(sets[0])
			for _, s := range sets[1:] {
				has := keySet(s)
				out = slices.DeleteFunc(out, func(v Value) bool { return has[string(groupKey(nil, v))] })
			}
			return out
		}),
		{sig: "pack_array(value:scalar, more:scalar*) dynamic", doc: "An array of the arguments.", bind: func(_ *binder, _ *call, args []expr) expr {
			return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value { return arrayValue(slices.Clone(a)) }})
		}},
		{sig: "bag_pack(key:string, value:scalar, more:scalar*) dynamic", doc: "A property bag of pairs of a key and a value.", bind: bindPack},
		{sig: "pack(key:string, value:scalar, more:scalar*) dynamic", doc: "The same as bag_pack().", bind: bindPack},
		{sig: "bag_keys(bag:bag) dynamic", doc: "The keys of a property bag, as an array.", rows: func(a []Value) Value {
			if a[0].kind != kindBag {
				return Value{}
			}
			items := []Value{}
			for _, k := range a[0].bag().keys {
				items = append(items, stringValue(k))
			}
			return arrayValue(items)
		}},
		{sig: "bag_has_key(bag:bag, key:string) bool", doc: "Whether a property bag has the key.", rows: func(a []Value) Value {
			if a[0].kind != kindBag {
				return Value{}
			}
			return boolValue(a[0].bag().find(a[1].s) >= 0)
		}},
		{sig: "bag_merge(bag:bag, next:bag, more:bag*) dynamic", doc: "One property bag of several; of equal keys the leftmost counts.", rows: func(a []Value) Value {
			out := newBag(8)
			for _, v := range a {
				if v.kind != kindBag {
					continue
				}
				for i, k := range v.bag().keys {
					if out.find(k) < 0 {
						out.set(k, v.bag().vals[i])
					}
				}
			}
			return bagValue(out)
		}},
	}
}

// sorted makes array_sort_asc or array_sort_desc. Nulls go last unless the
// last argument says false.
func sorted(name, order string, sign int) *scalarFunction {
	return &scalarFunction{
		sig: name + "(array:array, nulls_last:scalar?) dynamic",
		naming: func(first string) string {
			if first == "" {
				first = "array0"
			}
			return first + "_sorted"
		},
		doc: "The elements in " + order + " order, nulls last unless nulls_last is false.",
		bind: func(b *binder, n *call, args []expr) expr {
			if len(args) > 1 {
				at := n.args[1].pos()
				switch t := args[1].typ(); t {
				case Bool:
					b.checkConstant(n.fn.text, param{name: "nulls_last"}, args[1], at)
				case Dynamic:
					failUnsupported(at, "%s() of several arrays is not supported; sort one", n.fn.text)
				default:
					failSemantic(at, "SEM0220", "the argument 'nulls_last' of %s() must be a bool, and this is a %s", n.fn.text, t)
				}
			}
			return fold(&applyExpr{t: Dynamic, args: args, rows: sortArray(sign)})
		},
	}
}

func sortArray(sign int) func([]Value) Value {
	return func(a []Value) Value {
		if a[0].kind != kindArray {
			return Value{}
		}
		nulls := 1
		if len(a) > 1 && a[1].kind == Bool && a[1].n == 0 {
			nulls = -1
		}
		items := slices.Clone(a[0].array())
		slices.SortStableFunc(items, func(x, y Value) int {
			switch {
			case x.IsNull() && y.IsNull():
				return 0
			case x.IsNull():
				return nulls
			case y.IsNull():
				return -nulls
			}
			return sign * sortOrder(x, y)
		})
		return arrayValue(items)
	}
}

func distinctValues(items []Value) []Value {
	seen := make(map[string]bool, len(items))
	out := make([]Value, 0, len(items))
	for _, v := range items {
		key := string(groupKey(nil, v))
		if !seen[key] {
			seen[key] = true
			out = append(out, v)
		}
	}
	return out
}

func keySet(items []Value) map[string]bool {
	set := make(map[string]bool, len(items))
	for _, v := range items {
		set[string(groupKey(nil, v))] = true
	}
	return set
}

func bindPack(b *binder, n *call, args []expr) expr {
	if len(args)%2 != 0 {
		failSemantic(n.span, "SEM0219", "%s() takes pairs of a key and a value, and got %d arguments", n.fn.text, len(args))
	}
	for i := 0; i < len(args); i += 2 {
		if t := args[i].typ(); t != String && t != Dynamic {
			failSemantic(n.args[i].pos(), "SEM0220", "a key of %s() must be a string, and this is a %s", n.fn.text, t)
		}
		args[i] = converted(args[i], String)
	}
	return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value {
		bag := newBag(len(a) / 2)
		for i := 0; i < len(a); i += 2 {
			bag.set(a[i].s, a[i+1])
		}
		return bagValue(bag)
	}})
}
