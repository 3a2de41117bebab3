package kql

// conditionFunctions choose among values and test for missing ones.
func conditionFunctions() []*scalarFunction {
	iff := func(sig string) *scalarFunction {
		return &scalarFunction{sig: sig, doc: "The second argument where the first is true, else the third.",
			rows: func(a []Value) Value {
				if a[0].isTrue() {
					return a[1]
				}
				return a[2]
			}}
	}
	return []*scalarFunction{
		iff("iff(if:bool, then:common, else:common) common"),
		iff("iif(if:bool, then:common, else:common) common"),
		{sig: "case(predicate:bool, then:common, else:common, more:scalar*) common", doc: "The value behind the first predicate that is true, else the last argument.", bind: bindCase},
		{sig: "coalesce(value:common, next:common, more:common*) common", doc: "The first argument that is neither null nor the empty string.", strictCommon: true,
			rows: func(a []Value) Value {
				for _, v := range a[:len(a)-1] {
					if !isEmpty(v) {
						return v
					}
				}
				return a[len(a)-1]
			}},
		{sig: "not(value:bool) bool", doc: "true for false, false for true, null for null.", rows: negatedBool},
		{sig: "isempty(value:scalar) bool", doc: "Whether the value is null or the empty string.",
			rows: func(a []Value) Value { return boolValue(isEmpty(a[0])) }},
		{sig: "isnotempty(value:scalar) bool", doc: "Whether the value is neither null nor the empty string.",
			rows: func(a []Value) Value { return boolValue(!isEmpty(a[0])) }},
		{sig: "notempty(value:scalar) bool", doc: "The same as isnotempty().",
			rows: func(a []Value) Value { return boolValue(!isEmpty(a[0])) }},
		{sig: "isnull(value:scalar) bool", doc: "Whether the value is null; a string never is.",
			rows: func(a []Value) Value { return boolValue(a[0].IsNull()) }},
		{sig: "isnotnull(value:scalar) bool", doc: "Whether the value is not null; a string never is.",
			rows: func(a []Value) Value { return boolValue(!a[0].IsNull()) }},
		{sig: "notnull(value:scalar) bool", doc: "The same as isnotnull().",
			rows: func(a []Value) Value { return boolValue(!a[0].IsNull()) }},
		{sig: "max_of(value:common, next:common, more:common*) common", doc: "The greatest argument that is not null.", strictCommon: true, rows: extreme(1)},
		{sig: "min_of(value:common, next:common, more:common*) common", doc: "The least argument that is not null.", strictCommon: true, rows: extreme(-1)},
	}
}

// isEmpty is isempty(): null, or the empty string.
func isEmpty(v Value) bool { return v.IsNull() || v.kind == String && v.s == "" }

func bindCase(b *binder, n *call, args []expr) expr {
	if len(args)%2 == 0 {
		failSemantic(n.span, "SEM0219", "case() takes pairs of a predicate and a value, then a value for the rest: an odd number of arguments, and got %d", len(args))
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
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
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
