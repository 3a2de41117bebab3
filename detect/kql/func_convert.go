package kql

// conversionFunctions turn values into other types.
func conversionFunctions() []*scalarFunction {
	to := func(t Type) func([]Value) Value {
		return func(a []Value) Value { return convert(a[0], t) }
	}
	return []*scalarFunction{
		{sig: "tostring(value:scalar) string", doc: "The value as text; a dynamic as JSON.", naming: nameOfFirst, rows: to(String),
			examples: examples{"tostring(1.0)", "1", "tostring(dynamic({'a':[1,'x']}))", `{"a":[1,"x"]}`}},
		{sig: "tobool(value:scalar) bool", doc: "true or false from text or a number, else null.", naming: nameOfFirst, rows: to(Bool),
			examples: examples{"tobool('TRUE')", "true", "tobool(0)", "false", "tobool('yes')", "null"}},
		{sig: "toboolean(value:scalar) bool", doc: "The same as tobool().", naming: nameOfFirst, rows: to(Bool),
			examples: examples{"toboolean('false')", "false"}},
		{sig: "toint(value:scalar) int", doc: "A 32-bit integer from text or a number, else null.", naming: nameOfFirst, rows: to(Int),
			examples: examples{"toint('123')", "123", "toint(2.3)", "2", "toint('3000000000')", "null"}},
		{sig: "tolong(value:scalar) long", doc: "A 64-bit integer from text or a number, else null.", naming: nameOfFirst, rows: to(Long),
			examples: examples{"tolong('3000000000')", "3000000000", "tolong('0x10')", "16", "tolong('12abc')", "null"}},
		{sig: "toreal(value:scalar) real", doc: "A real from text or a number, else null.", naming: nameOfFirst, rows: to(Real),
			examples: examples{"toreal('1.5')", "1.5", "toreal('x')", "null"}},
		{sig: "todouble(value:scalar) real", doc: "The same as toreal().", naming: nameOfFirst, rows: to(Real),
			examples: examples{"todouble(1)", "1"}},
		{sig: "todecimal(value:scalar) decimal", doc: "A decimal from text or a number, else null.", naming: nameOfFirst, rows: to(Decimal),
			examples: examples{"todecimal('123.45678')", "123.45678"}},
		{sig: "todatetime(value:scalar) datetime", doc: "A datetime from text, else null.", naming: nameOfFirst, rows: to(DateTime),
			examples: examples{"todatetime('2026-03-17T10:00:00+01:00')", "2026-03-17T09:00:00.0000000Z", "todatetime('2026-02-30')", "null"}},
		{sig: "totimespan(value:scalar) timespan", doc: "A timespan from text, else null.", naming: nameOfFirst, rows: to(TimeSpan),
			examples: examples{"totimespan('1.02:03:04')", "1.02:03:04", "totimespan('x')", "null"}},
		{sig: "totime(value:scalar) timespan", doc: "The same as totimespan().", naming: nameOfFirst, rows: to(TimeSpan),
			examples: examples{"totime('00:10:00')", "00:10:00"}},
		{sig: "toguid(value:text) guid", doc: "A guid from text, else null; hyphens may be missing, and what follows the 32 digits is ignored.", naming: nameOfFirst, rows: to(GUID),
			examples: examples{"toguid('{74be27de-1e4e-49d9-b579-fe0b331d3642}')", "74be27de-1e4e-49d9-b579-fe0b331d3642", "toguid('x')", "null",
				"toguid('0123456789ab-cdef-0123-456789abcdef')", "01234567-89ab-cdef-0123-456789abcdef", "toguid('0123456789abcdef0123456789abcdef, and more')", "01234567-89ab-cdef-0123-456789abcdef"}},
		{sig: "parse_json(value:text) dynamic", doc: "The JSON value that a text holds; text that is no JSON stays text, the empty text is null. A dynamic stays as it is.", naming: nameOfFirst, bind: bindParseJSON,
			examples: examples{"parse_json('{\"a\":[1]}').a[0]", "1", "parse_json('no json')", "no json", "parse_json('')", "null"}},
		{sig: "parsejson(value:text) dynamic", doc: "The same as parse_json().", naming: nameOfFirst, bind: bindParseJSON,
			examples: examples{"parsejson('[1]')", "[1]"}},
		{sig: "todynamic(value:text) dynamic", doc: "The same as parse_json().", naming: nameOfFirst, bind: bindParseJSON,
			examples: examples{"todynamic('[1,2]')[1]", "2"}},
		{sig: "toobject(value:text) dynamic", doc: "The same as parse_json().", naming: nameOfFirst, bind: bindParseJSON,
			examples: examples{"toobject('true')", "true"}},
		{sig: "gettype(value:scalar) string", doc: "The name of the value's type.", naming: prefixed("type"),
			examples: examples{"gettype(1)", "long", "gettype(dynamic([]))", "array", "gettype(dynamic({}))", "dictionary", "gettype(dynamic(null))", "null"},
			rows: func(a []Value) Value {
				if a[0].kind == kindBag {
					return stringValue("dictionary")
				}
				return stringValue(a[0].kind.String())
			}},
	}
}

// bindParseJSON leaves a dynamic alone, also one that holds JSON as text: that
// is read after a tostring().
func bindParseJSON(_ *binder, _ *call, args []expr) expr {
	if args[0].typ() == Dynamic {
		return args[0]
	}
	return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value {
		if a[0].s == "" {
			return Value{}
		}
		return convert(a[0], Dynamic)
	}})
}
