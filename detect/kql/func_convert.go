package kql

// conversionFunctions turn values into other types.
func conversionFunctions() []*scalarFunction {
	to := func(sig, doc string, t Type) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, naming: nameOfFirst,
			rows: func(a []Value) Value { return convert(a[0], t) }}
	}
	return []*scalarFunction{
		to("tostring(value:scalar) string", "The value as text; a dynamic as JSON.", String),
		to("tobool(value:scalar) bool", "true or false from text or a number, else null.", Bool),
		to("toboolean(value:scalar) bool", "The same as tobool().", Bool),
		to("toint(value:scalar) int", "A 32-bit integer from text or a number, else null.", Int),
		to("tolong(value:scalar) long", "A 64-bit integer from text or a number, else null.", Long),
		to("toreal(value:scalar) real", "A real from text or a number, else null.", Real),
		to("todouble(value:scalar) real", "The same as toreal().", Real),
		to("todecimal(value:scalar) decimal", "A decimal from text or a number, else null.", Decimal),
		to("todatetime(value:scalar) datetime", "A datetime from text, else null.", DateTime),
		to("totimespan(value:scalar) timespan", "A timespan from text, else null.", TimeSpan),
		to("toguid(value:text) guid", "A guid from text, else null.", GUID),
		to("todynamic(value:text) dynamic", "The JSON value that a text holds; text that is no JSON stays text.", Dynamic),
		to("parse_json(value:text) dynamic", "The same as todynamic().", Dynamic),
		{sig: "gettype(value:scalar) string", doc: "The name of the value's type.", naming: prefixed("type"), rows: func(a []Value) Value {
			switch a[0].kind {
			case kindBag:
				return stringValue("dictionary")
			}
			return stringValue(a[0].kind.String())
		}},
	}
}
