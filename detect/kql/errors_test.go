package kql

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// refusedQuery is a query that must not run, with the place and the reason.
type refusedQuery struct {
	query    string
	kind     ErrorKind
	line     int
	column   int
	token    string
	message  string // a part of it
	official string // why the official parser accepts it, if it does
}

var refusedQueries = []refusedQuery{
	// Names.
	{query: `SigninLog | take 1`, kind: SemanticError, line: 1, column: 1, token: "SigninLog", message: "table or column expression named 'SigninLog'"},
	{query: `Event | take 1`, kind: SemanticError, line: 1, column: 1, token: "Event", message: "did you mean 'Events'?"},
	{query: `T | where nn == 1`, kind: SemanticError, line: 1, column: 11, token: "nn", message: "did you mean 'n'?"},
	{query: `Events | project user`, kind: SemanticError, line: 1, column: 18, token: "user", message: "did you mean 'User'?"},
	{query: `T | project-away nosuch`, kind: SemanticError, line: 1, column: 18, token: "nosuch", message: "column named 'nosuch'"},
	{query: `T | project-away x*`, kind: SemanticError, line: 1, column: 18, token: "x*", message: "no column matches 'x*'"},
	{query: `T | extend x = toLower(s)`, kind: SemanticError, line: 1, column: 16, token: "toLower", message: "Unknown function: 'toLower'; did you mean 'tolower'?"},
	{query: `T | summarize makeset2(s)`, kind: SemanticError, line: 1, column: 15, token: "makeset2", message: "Unknown function"},
	{query: `T | join kind=inner (NoTable) on s`, kind: SemanticError, line: 1, column: 22, token: "NoTable", message: "named 'NoTable'"},
	{query: `let x = NoTable | take 1; x`, kind: SemanticError, line: 1, column: 9, token: "NoTable", message: "named 'NoTable'"},
	{query: "T\n| where s == \"é日本\" and nosuch == 1", kind: SemanticError, line: 2, column: 24, token: "nosuch", message: "named 'nosuch'"},
	{query: "T // 日本\n\n  | where  été", kind: SyntaxError, line: 3, column: 12, token: "é", message: "has no meaning here"},
	{query: "T | where s == '日本' | foo", kind: SyntaxError, line: 1, column: 23, token: "foo", message: "unknown operator 'foo'"},
	// Syntax.
	{query: ``, kind: SyntaxError, line: 1, column: 1, message: "no tabular expression", official: "the parser takes nothing for a query"},
	{query: `T |`, kind: SyntaxError, line: 1, column: 4, message: "the query ends here"},
	{query: `T | wher s == "a"`, kind: SyntaxError, line: 1, column: 5, token: "wher", message: "did you mean 'where'?"},
	{query: `T | where`, kind: SyntaxError, line: 1, column: 10, message: "the query ends here; expected an expression"},
	{query: `T | where n = 1`, kind: SemanticError, line: 1, column: 11, token: "n = 1", message: "did you mean == ?"},
	{query: `T | where (n == 1`, kind: SyntaxError, line: 1, column: 18, message: `expected ")"`},
	{query: `T | where n == 1)`, kind: SyntaxError, line: 1, column: 17, token: ")", message: `unexpected ")"`},
	{query: `T | where s == "abc`, kind: SyntaxError, line: 1, column: 16, token: `"abc`, message: "never closed", official: "the parser marks where the quote is missing, and we where the string starts"},
	{query: `T | where s == "a\qb"`, kind: SyntaxError, line: 1, column: 18, token: `\q`, message: "no escape of a string"},
	{query: `T | where s in "a"`, kind: SyntaxError, line: 1, column: 16, token: `"a"`, message: `expected "(" after in`},
	{query: `T | where s in ()`, kind: SyntaxError, line: 1, column: 17, token: ")", message: "expected an expression"},
	{query: `T | where not n == 1`, kind: SyntaxError, line: 1, column: 15, token: "n", message: `unexpected "n"`},
	{query: `T | extend kind = 1, long = 2`, kind: SyntaxError, line: 1, column: 22, token: "long", message: "written ['long']"},
	{query: `T | project x = d.project`, kind: SyntaxError, line: 1, column: 19, token: "project", message: "written ['project']"},
	{query: `T | top 3 by n, s`, kind: SyntaxError, line: 1, column: 15, token: ",", message: "top orders by one expression"},
	{query: `print dynamic({a:1})`, kind: SyntaxError, line: 1, column: 16, token: "a", message: "a key in quotes"},
	{query: `print dynamic([1,])`, kind: SyntaxError, line: 1, column: 18, token: "]", message: "expected a JSON value"},
	{query: `datatable(a:long)[now()]`, kind: SyntaxError, line: 1, column: 19, token: "now()", message: "are literals"},
	{query: `datatable(a:foo)[1]`, kind: SyntaxError, line: 1, column: 13, token: "foo", message: "type"},
	{query: `T | join kind=outer U on s`, kind: SyntaxError, line: 1, column: 15, token: "outer", message: "unknown kind of join 'outer'"},
	{query: `print 99999999999999999999`, kind: SyntaxError, line: 1, column: 7, token: "99999999999999999999", message: "not an integer of 64 bits", official: "the parser does not look at the value of a literal"},
	{query: `print datetime(yesterday)`, kind: SyntaxError, line: 1, column: 7, token: "datetime(yesterday)", message: "is not a datetime", official: "the parser does not look at the value of a literal"},
	{query: `print guid(x)`, kind: SyntaxError, line: 1, column: 7, token: "guid(x)", message: "is not a guid", official: "the parser does not look at the value of a literal"},
	{query: `T | where s == 12abc`, kind: SemanticError, line: 1, column: 16, token: "12abc", message: "nor is it a number, or a timespan"},
	{query: `T | where n == 1.2abc`, kind: SyntaxError, line: 1, column: 16, token: "1.2abc", message: "neither a number nor a timespan", official: "the parser reads a number and then a name"},
	{query: `T | summarize arg_max(n, V = *)`, kind: SemanticError, line: 1, column: 30, token: "*", message: "several columns"},
	// Types.
	{query: `T | where n`, kind: SemanticError, line: 1, column: 11, token: "n", message: "a bool is expected here, and this is a long"},
	{query: `T | where d.a`, kind: SemanticError, line: 1, column: 11, token: "d.a", message: "a bool is expected"},
	{query: `T | where s > "a"`, kind: SemanticError, line: 1, column: 13, token: ">", message: "does not go between a string and a string"},
	{query: `T | where t == g`, kind: SemanticError, line: 1, column: 13, token: "==", message: "can not be compared", official: "the parser lets everything be equal to everything; the service does not"},
	{query: `T | where t > "2026-01-01"`, kind: SemanticError, line: 1, column: 13, token: ">", message: "does not go between a datetime and a string"},
	{query: `T | where n has "1"`, kind: SemanticError, line: 1, column: 13, token: "has", message: "has needs strings, and its left side is a long"},
	{query: `T | where n in~ ("1")`, kind: SemanticError, line: 1, column: 11, token: "n", message: "needs a string"},
	{query: `T | where n in (1h)`, kind: SemanticError, line: 1, column: 17, token: "1h", message: "can not be looked for", official: "the parser lets everything be equal to everything; the service does not"},
	{query: `T | extend x = s + "a"`, kind: SemanticError, line: 1, column: 18, token: "+", message: "strcat() joins strings"},
	{query: `T | extend x = -s`, kind: SemanticError, line: 1, column: 16, token: "-s", message: "a sign needs a number"},
	{query: `T | extend x = s.a`, kind: SemanticError, line: 1, column: 18, token: "a", message: "only a dynamic has members"},
	{query: `T | extend x = iff(b, "a", 1)`, kind: SemanticError, line: 1, column: 28, token: "1", message: "must be of one type", official: "the parser makes a dynamic of two types; the reference does not say so"},
	{query: `T | extend x = coalesce(s, d)`, kind: SemanticError, line: 1, column: 28, token: "d", message: "must be of one type", official: "the parser marks the first argument, and we the one that differs from it"},
	{query: `T | extend x = startofday(s)`, kind: SemanticError, line: 1, column: 27, token: "s", message: "must be a datetime, and this is a string: todatetime() converts"},
	{query: `T | extend x = strlen()`, kind: SemanticError, line: 1, column: 16, token: "strlen()", message: "takes 1 argument and got 0"},
	{query: `T | extend x = substring(s, 1, 2, 3)`, kind: SemanticError, line: 1, column: 16, token: "substring(s, 1, 2, 3)", message: "takes 2 to 3 arguments and got 4"},
	{query: `T | extend x = case(b, 1, b, 2)`, kind: SemanticError, line: 1, column: 16, token: "case(b, 1, b, 2)", message: "an odd number of arguments"},
	{query: `T | extend x = extract(s, 1, s)`, kind: SemanticError, line: 1, column: 24, token: "s", message: "must be a constant"},
	{query: `T | where s matches regex "("`, kind: SemanticError, line: 1, column: 27, token: `"("`, message: "not valid", official: "the parser does not look into a regular expression"},
	{query: `T | extend x = datetime_add("fortnight", 1, t)`, kind: SemanticError, line: 1, column: 29, token: `"fortnight"`, message: "must be one of year"},
	{query: `T | sort by d`, kind: SemanticError, line: 1, column: 13, token: "d", message: "a dynamic has no order"},
	{query: `T | summarize count() by d`, kind: SemanticError, line: 1, column: 26, token: "d", message: "can not be grouped by"},
	{query: `T | distinct *`, kind: SemanticError, line: 1, column: 14, token: "*", message: "can not be grouped by"},
	{query: `T | summarize n`, kind: SemanticError, line: 1, column: 15, token: "n", message: ""},
	{query: `T | summarize max(max(n))`, kind: SemanticError, line: 1, column: 19, token: "max", message: "is an aggregate"},
	{query: `T | where count() > 1`, kind: SemanticError, line: 1, column: 11, token: "count", message: "stands in summarize only"},
	{query: `T | mv-expand s`, kind: SemanticError, line: 1, column: 15, token: "s", message: "mv-expand needs a dynamic"},
	{query: `T | join U on x`, kind: SemanticError, line: 1, column: 15, token: "x", message: "column named 'x'"},
	{query: `T | project n = i | join U on n`, kind: SemanticError, line: 1, column: 31, token: "n", message: "join compares an int with a long"},
	{query: `print toint(1) has "x"`, kind: SemanticError, line: 1, column: 16, token: "has", message: "its left side is an int"},
	{query: `T | join U on $left.s == $right.n`, kind: SemanticError, line: 1, column: 15, message: "join compares a string with a long", official: "the parser marks the whole query, and we the condition"},
	{query: `T | join U on $right.s == $left.s`, kind: SemanticError, line: 1, column: 15, token: "$right.s", message: "must be $left.column"},
	{query: `T | join (T) on d`, kind: SemanticError, line: 1, column: 17, token: "d", message: "a dynamic can not be joined on", official: "the parser does not look at the type of a key; the reference does not allow a dynamic"},
	{query: `print a = 1, a = 2`, kind: SemanticError, line: 1, column: 14, token: "a", message: "two columns named 'a'"},
	{query: `T | extend x = 1, x = 2`, kind: SemanticError, line: 1, column: 19, token: "x", message: "two columns named 'x'"},
	{query: `T | project s, tostring(s)`, kind: SemanticError, line: 1, column: 16, token: "tostring(s)", message: "two columns named 's'"},
	{query: `T | project-rename s = n`, kind: SemanticError, line: 1, column: 20, token: "s", message: "a column named 's' already"},
	{query: `datatable(a:long, b:long)[1]`, kind: SemanticError, line: 1, column: 27, token: "1", message: "the last row is not complete"},
	{query: `datatable(a:long)["x"]`, kind: SemanticError, line: 1, column: 18, token: `["x"]`, message: "a long is expected", official: "the parser does not look at the value of a literal"},
	{query: `let x = 1; let x = 2; print x`, kind: SemanticError, line: 1, column: 16, token: "x", message: "defined twice"},
	{query: `let f = (a:long) { a }; print f()`, kind: SemanticError, line: 1, column: 31, token: "f()", message: "lacks its argument 'a'"},
	{query: `let f = (a:long) { a }; print f("x")`, kind: SemanticError, line: 1, column: 33, token: `"x"`, message: "a long is expected here", official: "the parser does not check what a function of a let statement is given"},
	{query: `print x = U`, kind: SemanticError, line: 1, column: 11, token: "U", message: "", official: "the parser marks the column with its name, and we the table"},
	{query: `U | take -1`, kind: SemanticError, line: 1, column: 10, token: "-1", message: "not negative", official: "the parser does not look at the value"},
	{query: `range x from "a" to "b" step 1`, kind: SemanticError, line: 1, column: 14, token: `"a"`, message: "range goes over"},
	{query: `range x from 1 to "b" step 1`, kind: SemanticError, line: 1, column: 19, token: `"b"`, message: "range goes over"},
	{query: `range x from 1 to 2 step 1h`, kind: SemanticError, line: 1, column: 26, token: "1h", message: "range goes over"},
	{query: `T | extend x = s[0]`, kind: SemanticError, line: 1, column: 17, token: "[0]", message: "only a dynamic has members, and this is one of a string"},
	// What the language has and this engine has not.
	{query: `T | reduce by s`, kind: UnsupportedError, line: 1, column: 5, token: "reduce", message: "summarize groups by a value"},
	{query: `workspace("a").T | count`, kind: UnsupportedError, line: 1, column: 1, token: "workspace", message: "one workspace"},
	{query: `union T, (app("x").requests.y)`, kind: UnsupportedError, line: 1, column: 11, token: "app", message: "one workspace"},
	{query: `arg("").Resources`, kind: UnsupportedError, line: 1, column: 1, token: "arg", message: "export the resources"},
	{query: `T | getschema kind=csl`, kind: UnsupportedError, line: 1, column: 15, token: "kind", message: "leave it out"},
	{query: `macro-expand entity_group [database("a")] as X (X.T)`, kind: UnsupportedError, line: 1, column: 1, token: "macro-expand", message: "one database"},
	{query: `let g = entity_group [database("a")]; macro-expand g as X (X.T)`, kind: UnsupportedError, line: 1, column: 9, token: "entity_group", message: "one database"},
	{query: `cluster("a").database("b").T`, kind: UnsupportedError, line: 1, column: 1, token: "cluster", message: "one database"},
	{query: `set query_take_max_records; T`, kind: UnsupportedError, line: 1, column: 5, token: "query_take_max_records", message: "is not supported"},
	{query: `restrict access to (U); U`, kind: UnsupportedError, line: 1, column: 1, token: "restrict", message: "is not supported"},
	{query: `T | join hint.nosuch=1 U on s`, kind: UnsupportedError, line: 1, column: 10, token: "hint.nosuch", message: "the hint 'hint.nosuch' of join is not supported"},
	{query: `T | extend x = geo_distance_2points(1, 1, 2, 2)`, kind: UnsupportedError, line: 1, column: 16, token: "geo_distance_2points", message: "is not supported; compare by the country"},
	{query: `T | summarize hll(n)`, kind: UnsupportedError, line: 1, column: 15, token: "hll", message: "use dcount()"},
	{query: `T | summarize tdigest(n)`, kind: UnsupportedError, line: 1, column: 15, token: "tdigest", message: "use percentile()"},
}

func TestRefusedQueries(t *testing.T) {
	t.Parallel()
	for _, c := range refusedQueries {
		t.Run(c.query, func(t *testing.T) {
			t.Parallel()
			_, err := runTestQuery(c.query)
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("got the error %v, want an *Error", err)
			}
			want := &Error{
				Kind: c.kind, Code: got.Code, Message: got.Message, Offset: got.Offset,
				Line: c.line, Column: c.column, Token: c.token, UnknownTable: got.UnknownTable,
			}
			if c.token == "" && got.Offset < len(c.query) {
				want.Token = got.Token
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if !strings.Contains(got.Message, c.message) {
				t.Errorf("message %q, want one with %q", got.Message, c.message)
			}
			if !strings.HasPrefix(c.query[got.Offset:], got.Token) {
				t.Errorf("the token %q is not at offset %d", got.Token, got.Offset)
			}
		})
	}
}

func TestUnknownTableIsNamed(t *testing.T) {
	t.Parallel()
	_, err := Check("Nowhere | take 1", nil)
	var got *Error
	if !errors.As(err, &got) || got.UnknownTable != "Nowhere" || got.Code != "SEM0100" {
		t.Errorf("got %#v", err)
	}
}

func TestCheckSaysWhatIsRead(t *testing.T) {
	t.Parallel()
	schemas := map[string]Schema{
		"SigninLogs": {{"TimeGenerated", DateTime}, {"User", String}, {"Status", Dynamic}, {"Other", String}},
		"Risk":       {{"User", String}, {"Score", Long}},
	}
	got, err := Check(`union isfuzzy=true (SigninLogs | where Status.code == 1 | project User), (NoTable | project User)
		| join kind=leftouter Risk on User | project User`, schemas)
	if err != nil {
		t.Fatal(err)
	}
	want := &Summary{
		Columns: Schema{{"User", String}},
		Reads:   map[string][]string{"SigninLogs": {"Status", "User"}, "Risk": {"User"}},
		Missing: []string{"NoTable"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
