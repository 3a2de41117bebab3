package kql

// conditionFunctions choose among values and test for missing ones.
func conditionFunctions() []*scalarFunction {
	iff := func(a []Value) Value {
		if a[0].isTrue() {
			return a[1]
		}
		return a[2]
	}
	test := func(f func(v Value) bool) func([]Value) Value {
		return func(a []Value) Value { return boolValue(f(a[0])) }
	}
	empty, notEmpty := test(isEmpty), test(func(v Value) bool { return !isEmpty(v) })
	notNull := test(func(v Value) bool { return !v.IsNull() })
	return []*scalarFunction{
		{sig: "iff(if:bool, then:common, else:common) common", doc: "The second argument where the first is true, else the third.", rows: iff, chooses: true,
			examples: examples{"iff(1 > 0, 'a', 'b')", "a", "iff(bool(null), 1, 2.5)", "2.5"}},
		{sig: "iif(if:bool, then:common, else:common) common", doc: "The same as iff().", rows: iff, chooses: true,
			examples: examples{"iif(false, 1, 2)", "2"}},
		{sig: "case(predicate:bool, then:common, else:common, more:scalar*) common", doc: "The value behind the first predicate that is true, else the last argument.", bind: bindCase,
			examples: examples{"case(false, 'a', true, 'b', 'c')", "b"}},
		{sig: "coalesce(value:common, next:common, more:common*) common", doc: "The first argument that is neither null nor the empty string.", strictCommon: true, coalesces: true,
			examples: examples{"coalesce('', 'a', 'b')", "a", "coalesce(long(null), 1)", "1"},
			rows: func(a []Value) Value {
				for _, v := range a[:len(a)-1] {
					if !isEmpty(v) {
						return v
					}
				}
				return a[len(a)-1]
			}},
		{sig: "not(value:bool) bool", doc: "true for false, false for true, null for null.", rows: negatedBool,
			examples: examples{"not(true)", "false", "not(bool(null))", "null"}},
		{sig: "isempty(value:scalar) bool", doc: "Whether the value is null or the empty string.", rows: empty,
			examples: examples{"isempty('')", "true", "isempty(dynamic([]))", "false"}},
		{sig: "isnotempty(value:scalar) bool", doc: "Whether the value is neither null nor the empty string.", rows: notEmpty,
			examples: examples{"isnotempty('a')", "true"}},
		{sig: "notempty(value:scalar) bool", doc: "The same as isnotempty().", rows: notEmpty,
			examples: examples{"notempty('')", "false"}},
		{sig: "isnull(value:scalar) bool", doc: "Whether the value is null; a string never is.", rows: test(Value.IsNull),
			examples: examples{"isnull(long(null))", "true", "isnull('')", "false"}},
		{sig: "isnotnull(value:scalar) bool", doc: "Whether the value is not null; a string never is.", rows: notNull,
			examples: examples{"isnotnull(1)", "true"}},
		{sig: "notnull(value:scalar) bool", doc: "The same as isnotnull().", rows: notNull,
			examples: examples{"notnull(dynamic(null))", "false"}},
		{sig: "max_of(value:common, next:common, more:common*) common", doc: "The greatest argument that is not null.", strictCommon: true, rows: extreme(1),
			examples: examples{"max_of(10, 1, 17)", "17", "max_of(int(null), int(2))", "2"}},
		{sig: "min_of(value:common, next:common, more:common*) common", doc: "The least argument that is not null.", strictCommon: true, rows: extreme(-1),
			examples: examples{"min_of(10, 1, 17)", "1"}},
	}
}

// isEmpty is isempty(): null, or the empty string.
func isEmpty(v Value) bool { return v.IsNull() || v.kind == String && v.s == "" }

func bindCase(b *binder, n *call, args []expr) expr {
	if len(args)%2 == 0 {
		panic(semanticError(n.span, "SEM0219", "case() takes pairs of a predicate and a value, then a value for the rest: an odd number of arguments, and got %d", len(args)))
	}
	t := kindNull
	for i := range args {
		if i%2 == 0 && i < len(args)-1 {
			args[i] = b.requireBool(args[i], n.args[i])
		} else {
			t = b.commonType(n.args[i].pos(), "case", t, args[i])
		}
	}
	for i := range args {
		if i%2 == 1 || i == len(args)-1 {
			args[i] = converted(args[i], t)
		}
	}
	return fold(&applyExpr{t: t, args: args, chooses: choosable(args), rows: func(a []Value) Value {
		for i := 0; i+1 < len(a); i += 2 {
			if a[i].isTrue() {
				return a[i+1]
			}
		}
		return a[len(a)-1]
	}})
}

func extreme(sign int) func([]Value) Value {
	return func(a []Value) Value {
		var best Value
		for _, v := range a {
			if !v.IsNull() && (best.IsNull() || sortOrder(v, best)*sign > 0) {
				best = v
			}
		}
		return best
	}
}
