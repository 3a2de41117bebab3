package kql

import "slices"

// setFunctions take arrays as sets. What is no array makes the result null.
func setFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "set_has_element(set:array, value:scalar) bool", doc: "Whether the array has the element.",
			examples: examples{"set_has_element(dynamic(['a','b']), 'b')", "true", "set_has_element(dynamic([1]), 2)", "false"},
			rows: onArray(func(items, a []Value) Value {
				return boolValue(slices.ContainsFunc(items, func(v Value) bool { return equal(v, a[1]) }))
			})},
		{sig: "set_union(set:array, next:array, more:array*) dynamic", doc: "The distinct elements of all arrays.",
			examples: examples{"set_union(dynamic([1,2,2]), dynamic([2,3]))", "[1,2,3]"},
			rows:     onSets(func(sets [][]Value) Value { return arrayValue(distinctValues(slices.Concat(sets...))) })},
		{sig: "set_intersect(set:array, next:array, more:array*) dynamic", doc: "The distinct elements that all arrays have.",
			examples: examples{"set_intersect(dynamic([1,2,3]), dynamic([3,2,4]))", "[2,3]"},
			rows: onSets(func(sets [][]Value) Value {
				out := distinctValues(sets[0])
				for _, s := range sets[1:] {
					has := keySet(s)
					out = slices.DeleteFunc(out, func(v Value) bool { return !has[string(groupKey(nil, v))] })
				}
				return arrayValue(out)
			})},
		{sig: "set_difference(set:array, next:array, more:array*) dynamic", doc: "The distinct elements of the first array that no other has.",
			examples: examples{"set_difference(dynamic([1,2,3]), dynamic([2]), dynamic([3]))", "[1]"},
			rows: onSets(func(sets [][]Value) Value {
				out := distinctValues(sets[0])
				for _, s := range sets[1:] {
					has := keySet(s)
					out = slices.DeleteFunc(out, func(v Value) bool { return has[string(groupKey(nil, v))] })
				}
				return arrayValue(out)
			})},
		{sig: "set_equals(left:array, right:array) bool", doc: "Whether two arrays have the same distinct elements.",
			examples: examples{"set_equals(dynamic([1,2]), dynamic([2,1,1]))", "true", "set_equals(dynamic([1]), dynamic([1,2]))", "false"},
			rows: onSets(func(sets [][]Value) Value {
				l, r := keySet(sets[0]), keySet(sets[1])
				return boolValue(len(l) == len(r) && sharedKeys(l, r) == len(l))
			})},
		{sig: "jaccard_index(left:array, right:array) dynamic", doc: "How many distinct elements two arrays share, among all that they have.",
			examples: examples{"jaccard_index(dynamic([1,2,3]), dynamic([1,2,3,4]))", "0.75"},
			rows: onSets(func(sets [][]Value) Value {
				l, r := keySet(sets[0]), keySet(sets[1])
				both := sharedKeys(l, r)
				if len(l)+len(r) == 0 {
					return Value{}
				}
				return realValue(float64(both) / float64(len(l)+len(r)-both))
			})},
	}
}

func onSets(f func(sets [][]Value) Value) func([]Value) Value {
	return func(a []Value) Value {
		sets := make([][]Value, len(a))
		for i, v := range a {
			if v.kind != kindArray {
				return Value{}
			}
			sets[i] = v.array()
		}
		return f(sets)
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

// sharedKeys counts the keys that both sets have.
func sharedKeys(l, r map[string]bool) int {
	n := 0
	for k := range l {
		if r[k] {
			n++
		}
	}
	return n
}
