package kql

import (
	"strings"
	"testing"
)

// toScalarQueries have toscalar() where a constant must stand.
var toScalarQueries = []queryCase{
	{query: "T | project extract(toscalar(U | project s), 0, s)", want: "Column1:string\nalpha\n''\n''"},
	{query: "let p = toscalar(U | summarize p = make_set(s) | project strcat_array(p, '|')); T | where s matches regex p | project x = replace_regex(s, p, @'<\\0>'), y = trim(p, s), z = extract_all(strcat('(', p, ')'), s)",
		want: "x:string, y:string, z:dynamic\n<alpha> | '' | [\"alpha\"]"},
	{query: "T | project trim_start(toscalar(print 'al'), s), trim_end(toscalar(print 'ta'), s), countof(s, toscalar(print 'a'), 'regex'), indexof_regex(s, toscalar(print 'a'))",
		want: "Column1:string, Column2:string, Column3:long, Column4:long\npha | alpha | 2 | 0\nBeta | Be | 1 | 3\n'' | '' | 0 | -1"},
	{query: "let n = toscalar(U | summarize min(n)); T | take n | project s", want: "s:string\nalpha"},
	{query: "T | limit toscalar(U | count) - 1 | count", want: "Count:long\n2"},
	{query: "T | top toscalar(print 1) by n desc | project s", want: "s:string\nBeta"},
	{query: "T | summarize percentile(n, toscalar(print 50)), make_list(n, toscalar(print 1)), make_set(s, toscalar(print 1))", want: "percentile_n_:long, list_n:dynamic, set_s:dynamic\n1 | [1] | [\"alpha\"]"},
	{query: "T | project column_ifexists(toscalar(print 's'), 'none')", want: "Column1:string\nalpha\nBeta\n''"},
	{query: "T | project x = column_ifexists(toscalar(print 'q'), 'none') | take 1", want: "x:string\nnone"},
	{query: "table(toscalar(print 'U')) | count", want: "Count:long\n3"},
	{query: "range x from 1 to 2 step 1 | mv-expand y = dynamic([5,6,7]) limit toscalar(print 1) | project x, y", want: "x:long, y:dynamic\n1 | 5\n2 | 5"},
	{query: "range x from 1 to 2 step 1 | mv-expand y = dynamic([5,6,7]) to typeof(long) take 1", want: "x:long, y:long\n1 | 5\n2 | 5", official: "the parser knows limit only, and the reference's samples have take"},
	{query: "let Later = T | take toscalar(U | count) | where s matches regex toscalar(print 'Be'); Later | count", want: "Count:long\n1"},
	{query: "T | project extract(s, 0, s)", err: "1:21 the argument 'regex' of extract() must be a constant"},
	{query: "T | extend x = toscalar(U | project s) | project extract(x, 0, s)", err: "1:58 the argument 'regex' of extract() must be a constant"},
	{query: "T | project extract(toscalar(print '('), 0, s)", err: "1:21 the regular expression is not valid", official: "the parser does not read tables"},
	{query: "T | take toscalar(print -1)", err: "1:10 the number of rows must be an integer", official: "the parser does not read tables"},
	{query: "T | take toscalar(print 'x')", err: "1:10 the number of rows must be an integer"},
}

// namedArgumentQueries name arguments of built-in functions. The names are
// comments; that of the first can name the column.
var namedArgumentQueries = []queryCase{
	{query: "print iff(predicate = true, ifTrue = 1, ifFalse = 2), iff(a = false, b = 1, c = 2)", want: "print_0:long, print_1:long\n1 | 2"},
	{query: "print iff(ifTrue = 1, predicate = true, ifFalse = 2)", err: "1:20 the argument 'if' of iff() must be a bool"},
	{query: "T | where b | project bin(t = t, 30m), bin(q = n, 2), strlen(text = s)", want: "t:datetime, q:long, strlen_text:long\n2026-03-17T09:00:00.0000000Z | 0 | 5"},
	{query: "T | where b | project tostring(q = n), iff(['a b'] = b, 1, 2), substring(s, startingIndex = 1, length = 2)", want: "q:string, Column1:long, Column2:string\n1 | 1 | lp"},
	{query: "print strcat(a = 'x', b = 'y'), case(p = false, q = 1, 3), pack_array(x = 1, y = 2)", want: "print_0:string, print_1:long, print_2:dynamic\nxy | 3 | [1,2]"},
	{query: "T | summarize max(x = n), countif(c = b), make_list(e = n, maxSize = 1)", want: "max_x:long, countif_c:long, list_e:dynamic\n2 | 1 | [1]"},
}

// numberingQueries have columns without a name. Their numbers go on through the
// query, and begin anew in a function.
var numberingQueries = []queryCase{
	{query: "let d = 1; print d | project d + 1 | project Column1 + 1", want: "Column2:long\n3"},
	{query: "T | take 1 | project n + 1, n + 2 | project Column1 + 1, 3 | project 4", want: "Column5:long\n4"},
	{query: "T | take 1 | project n + 1 | project 2, Column2 = 1, 3", want: "Column2:long, Column21:long, Column3:long\n2 | 1 | 3"},
	{query: "T | take 1 | project Column1 = n + 1, 1", want: "Column1:long, Column11:long\n2 | 1"},
	{query: "T | take 1 | project n | extend Column1 = n | extend n + 1 | extend 5", want: "n:long, Column1:long, Column2:long, Column3:long\n1 | 1 | 2 | 5"},
	{query: "let x = T | project n + 1; let y = U | project n + 1; y | union x | where Column1 == 2 or Column2 == 2", want: "Column2:long, Column1:long\n2 | null\nnull | 2"},
	{query: "let f = (a:long) { print x = a | project x + 1 | project 7 }; union (f(1)), (f(2)), (T | project 5 | take 1)", want: "Column2:long, Column1:long\n7 | null\n7 | null\nnull | 5"},
	{query: "T | take 1 | project 1 + toscalar(U | project n + 1), 2", want: "Column2:long, Column3:long\n3 | 2"},
	{query: "T | take 1 | summarize count() by n + 1 | summarize count() by Column1 + 1", want: "Column2:long, count_:long\n3 | 1"},
	{query: "let f = (T: (*)) { T | project 1 }; T | take 1 | project n + 1 | invoke f() | project 2", want: "Column2:long\n2"},
}

// oldFormQueries are forms that the official parser takes and the reference
// shows here and there.
var oldFormQueries = []queryCase{
	{query: "print datetime(2014-1-8 15:05:25), datetime(2017 - 08 - 01), datetime(2014/1/8 5:05 PM), datetime('2014-1-8')",
		want: "print_0:datetime, print_1:datetime, print_2:datetime, print_3:datetime\n2014-01-08T15:05:25.0000000Z | 2017-08-01T00:00:00.0000000Z | 2014-01-08T17:05:00.0000000Z | 2014-01-08T00:00:00.0000000Z"},
	{query: "print todatetime('2014-1-8 15:05:25.5'), todatetime('2014-2-30'), todatetime('2014-1/8'), todatetime('2014-1-8 25:00'), todatetime('2014-1-8 13:00 PM'), todatetime('2014-1-8T1:2:3+02:00')",
		want: "print_0:datetime, print_1:datetime, print_2:datetime, print_3:datetime, print_4:datetime, print_5:datetime\n2014-01-08T15:05:25.5000000Z | null | null | null | null | 2014-01-07T23:02:03.0000000Z"},
	{query: "print datetime() == now(), isnull(long()), isnull(timespan())", want: "print_0:bool, print_1:bool, print_2:bool\ntrue | true | true"},
	{query: "datatable(t:datetime)[datetime()]", want: "t:datetime\n2026-03-17T10:00:00.0000000Z"},
	{query: "union withsource=q (datatable(x:long)[1]), (datatable(x:long)[2]), (print x = 3)", want: "q:string, x:long\nunion_arg0 | 1\nunion_arg1 | 2\nunion_arg2 | 3"},
	{query: "U | where s notcontains 'G' and s containscs 'l' and s notcontainscs 'L' | count", want: "Count:long\n2"},
	{query: "U | project ['containscs'] = s, mvapply = n | take 1", want: "containscs:string, mvapply:long\nalpha | 1"},
	{query: "Scores | take 1 | mvapply p = points to typeof(long) on (where p > 5) | project p", want: "p:long\n7\n9"},
	{query: "print dynamic(['a' 'b', \"c\" // one\n 'd', {'kl': 'm' \"n\"}])", want: "print_0:dynamic\n[\"ab\",\"cd\",{\"kl\":\"mn\"}]"},
	{query: "T | where b = n == 1 | count", want: "Count:long\n1"},
	{query: "T | filter q = false | count", want: "Count:long\n0"},
	{query: "T | where (b = true)", err: `1:14 unexpected "="`},
	{query: "let f = () { T | take 1 | render timechart }; let x = f | render table; x | project s", want: "s:string\nalpha"},
	{query: "print 1tick == 1, 1s == 10000000.0, datetime(0001-01-01) == 0, 1h != 1, 1 == 1d, now() == decimal(1)", want: "print_0:bool, print_1:bool, print_2:bool, print_3:bool, print_4:bool, print_5:bool\ntrue | true | true | true | false | false"},
	{query: "T | where ts > 1", err: "1:14 a timespan and a long can not be compared by >"},
	{query: "print datetime(2020-01-02 03:04) % 1d, datetime(2020-01-02 03:04) % 1h == 4m, datetime(0001-01-03) / 1d, datetime(2020-01-02) % datetime(2020-01-01)", want: "print_0:timespan, print_1:bool, print_2:real, print_3:timespan\n03:04:00 | true | 2 | 1.00:00:00"},
	{query: "print 1d % now()", err: "1:10 the operator % does not go between a timespan and a datetime"},
	{query: "T | take 1 | project ['s''x'] = ['s' \"\"], [ 'a' 'b' ] = 1", want: "sx:string, ab:long\nalpha | 1"},
	{query: "T | take 1 | project s, n | summarize arg_max(n, Text = s), take_any(Any = n + 1), percentiles(p = n, 50)", want: "n:long, Text:string, Any:long, percentile_p_50:long\n1 | alpha | 2 | 1"},
	{query: "T | take 1 | project s, n | summarize (a, b) = arg_min(x = n, y = s), argmax(M = n, s)", want: "a:long, b:string, max_M:long, max_M_s:string\n1 | alpha | 1 | alpha"},
	{query: "let c = 's'; let f = (w:string) { T | take 1 | summarize count() by column_ifexists(w, ''), column_ifexists(c, '') }; f('none')", want: "Column1:string, s:string, count_:long\n'' | alpha | 1"},
	{query: "T | project a = s, b = n | join kind=inner (U | project c = s, d = n) where c == a and b == d | count", want: "Count:long\n1"},
	{query: "T | project a = s | join kind=leftanti (U | project c = s) where $left.a == $right.c | count", want: "Count:long\n2"},
	{query: "T | project a = s, b = n | join kind=inner (U | project c = s, d = n) where c == a and b > d", err: "1:88 a join takes a column of its left table == one of its right table behind where, and no other condition: move it into a where behind the join"},
	{query: "T | join kind=inner (U) where s == s | count", want: "Count:long\n2"},
	{query: "T | project-rename c = s, s = n", err: "1:27 there is a column named 's' already"},
	{query: "T | project-rename s = s", err: "1:20 there is a column named 's' already"},
	{query: "U | project-rename a = s, c = s | take 1", want: "a:string, n:long, x:real\nalpha | 1 | 0.5"},
	{query: "U | take 1 | extend tostring(n), n", want: "s:string, n:string, x:real\nalpha | 1 | 0.5"},
	{query: "U | take 1 | extend tostring(n), n = 5", want: "s:string, n:long, x:real\nalpha | 5 | 0.5"},
	{query: "U | take 1 | project tostring(n), n", want: "n:string, n1:long\n1 | 1"},
	{query: "U | extend s = 1, tostring(s)", err: "1:19 there are two columns named 's'"},
	{query: "print x = 1, l = dynamic([1, 2]) | mv-apply l = l on (summarize s = count())", want: "x:long, l:dynamic, s:long\n1 | [1,2] | 2"},
	{query: "print x = 1, l = dynamic([1, 2]) | mv-apply l on (summarize s = count())", want: "x:long, s:long\n1 | 2"},
	{query: "print x = 1, l = dynamic([1, 2]) | mv-apply l = l to typeof(long) on (where l > 1)", want: "x:long, l:long\n1 | 2"},
	{query: `datatable(Name:string, d:dynamic)['Old', dynamic({"Name":"John","Age":20})] | evaluate bag_unpack(d, columnsConflict='replace_source')`, want: "Name:string, Age:long\nJohn | 20"},
	{query: `datatable(d:dynamic, Name:string, z:long)[dynamic({"Name":"John","Age":20}), 'Old', 1] | evaluate bag_unpack(d, columnsConflict='keep_source')`, want: "Name:string, z:long, Age:long\nOld | 1 | 20"},
}

// A where that only looks like a comparison runs, with a warning.
func TestWhereWithAName(t *testing.T) {
	t.Parallel()
	const query = "T\n| where b = true"
	out, err := runTestQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if out.Rows() != 3 {
		t.Errorf("got %d rows, want all 3", out.Rows())
	}
	s, err := Check(query, schemasOf(testTables()))
	if err != nil {
		t.Fatal(err)
	}
	for _, warnings := range [][]string{out.Warnings(), s.Warnings} {
		if text := strings.Join(warnings, "; "); !strings.Contains(text, "line 2, column 9") || !strings.Contains(text, "did you mean == ?") {
			t.Errorf("got the warnings %q", text)
		}
	}
}
