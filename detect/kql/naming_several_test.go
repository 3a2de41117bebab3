package kql

import "testing"

// A function that gives several values fills several columns.
func TestSeveralValues(t *testing.T) {
	const fn = "both_ends"
	f := &scalarFunction{sig: fn + "(value:string) string", rows: func(a []Value) Value { return stringValue(a[0].s[:1]) }}
	f.name, f.params, f.result = parseSignature(f.sig)
	f.several = func(_ *binder, _ []*column, c *call, args []expr) []namedColumn {
		last := func(a []Value) Value { return stringValue(a[0].s[len(a[0].s)-1:]) }
		return []namedColumn{
			{name: "first", at: c.span, e: fold(&applyExpr{t: String, args: args, rows: f.rows})},
			{name: "last", at: c.span, e: fold(&applyExpr{t: String, args: args, rows: last})},
		}
	}
	scalarFunctions()[fn] = f
	t.Cleanup(func() { delete(scalarFunctions(), fn) })
	runOperatorCases(t, []operatorCase{
		{query: `print s = "abc" | project (x, y) = both_ends(s)`, want: "x:string, y:string\na | c"},
		{query: `print s = "abc" | project both_ends(s)`, want: "first:string, last:string\na | c"},
		{query: `print s = "abc" | project x = both_ends(s), both_ends(s)`, want: "x:string, last:string, first:string, last1:string\na | c | a | c"},
		{query: `print s = "abc" | extend (s, y) = both_ends(s)`, want: "s:string, y:string\na | c"},
		{query: `print s = "abc" | where both_ends(s) == "a" | project r = strcat(both_ends(s), "!")`, want: "r:string\na!"},
		{query: `print s = "abc" | project (x, y, z) = both_ends(s)`, err: "1:34 both_ends() gives 2 columns here, and 3 names are given"},
		{query: `print s = "abc" | project (x, y) = s`, err: "1:27 several names are for a function that gives several values"},
		{query: `print s = "abc" | summarize (x, y) = count()`, err: "1:29 several names are for a function that gives several values"},
	})
}
