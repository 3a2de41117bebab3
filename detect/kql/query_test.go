package kql

// namingQueries show which names columns get that the query does not name.
var namingQueries = []queryCase{
	{query: `print 1, "a", x = 2, strlen("abc")`, want: `
		print_0:long, print_1:string, x:long, print_3:long
		1 | a | 2 | 3`},
	{query: `T | take 1 | project n + 1, tolower(s), d.a.b, d["list"][0], tostring(d.a), bin(t, 1h), strlen(s), gettype(n)`, want: `
		Column1:long, Column2:string, d_a_b:dynamic, d_list_0:dynamic, d_a:string, t:datetime, strlen_s:long, type_n:string
		2 | alpha | x | 1 | {"b":"x"} | 2026-03-17T09:00:00.0000000Z | 5 | long`},
	{query: `T | take 1 | project n + 1, n + 2, Column1 = 3`, want: `
		Column1:long, Column2:long, Column11:long
		2 | 3 | 3`},
	{query: `T | take 1 | project 3rd = n, 1e5x = 2, 1d2 = 3d, on = TRUE | where 3rd < 1e5x`, want: "3rd:long, 1e5x:long, 1d2:timespan, on:bool\n1 | 2 | 3.00:00:00 | true"},
	{query: `T | take 1 | project n, bin(n, 1)`, want: "n:long, n1:long\n1 | 1"},
	{query: `T | take 1 | project s, n | extend toint(n), n * 2, ["a b"] = 1`, want: `
		s:string, n:int, Column1:long, a b:long
		alpha | 1 | 2 | 1`},
	{query: `let v = 5; U | take 1 | project s | extend v, y = v`, want: "s:string, v:long, y:long\nalpha | 5 | 5"},
	{query: `U | summarize count(), sum(n), dcount(s), make_set(s), min(x), countif(n > 1), take_any(s)`, want: `
		count_:long, sum_n:long, dcount_s:long, set_s:dynamic, min_x:real, countif_:long, s:string
		3 | 10 | 2 | ["alpha","gamma"] | 0.25 | 2 | alpha`},
	{query: `U | summarize count(), count(), count() + 1, round(avg(n)), tostring(max(n)), array_length(make_set(s))`, want: `
		count_:long, count_1:long, Column1:long, avg_n:real, max_n:string, Column2:long
		3 | 3 | 4 | 3 | 7 | 2`},
	{query: `U | summarize arg_max(n, s, x), arg_min(n, x), take_any(n + 1)`, want: `
		n:long, s:string, x:real, n1:long, x1:real, any_arg0:long
		7 | alpha | 0.25 | 1 | 0.5 | 2`},
	{query: `U | summarize arg_max(n + 0, tolower(s))`, want: "max_:long, max__arg1:string\n7 | alpha"},
	{query: `U | summarize (Latest, Who) = arg_max(n, s)`, want: "Latest:long, Who:string\n7 | alpha"},
	{query: `U | summarize Latest = arg_max(n, *) by s | sort by s asc`, want: `
		s:string, Latest:long, x:real
		alpha | 7 | 0.25
		gamma | 2 | 8`},
	{query: `T | take 1 | summarize make_list(d.a.b), make_set(n + 1), sum(i)`, want: `
		list_d_a_b:dynamic, set_:dynamic, sum_i:long
		["x"] | [2] | 10`},
	{query: `U | summarize count() by tolower(s), bin(n, 5), n > 1 | sort by n asc, Column1 asc`, want: `
		Column1:string, n:long, Column2:bool, count_:long
		alpha | 0 | false | 1
		gamma | 0 | true | 1
		alpha | 5 | true | 1`},
}

var summarizeQueries = []queryCase{
	{query: `T | where false | summarize count(), sum(n), max(n), make_set(s), dcount(s), avg(n)`, want: `
		count_:long, sum_n:long, max_n:long, set_s:dynamic, dcount_s:long, avg_n:real
		0 | 0 | null | [] | 0 | NaN`},
	{query: `T | where false | summarize stdev(n), varianceif(n, n > 1), stdevp(n), avgif(n, true), avg(ts)`, want: `
		stdev_n:real, varianceif_n:real, stdevp_n:real, avgif_n:real, avg_ts:timespan
		0 | 0 | null | NaN | null`},
	{query: `U | summarize make_list(n, MaxSize = 2)`, want: "list_n:dynamic\n[1,7]"},
	{query: `T | summarize count(n), countif(isnull(n))`, want: "count_n:long, countif_:long\n3 | 1", official: "the parser takes the argument for a predicate; the reference counts with a column and names the result by it"},
	{query: `T | where false | summarize count() by s`, want: "s:string, count_:long"},
	{query: `U | summarize by s | sort by s asc`, want: "s:string\nalpha\ngamma"},
	{query: `T | summarize count() by n | sort by n asc`, want: "n:long, count_:long\nnull | 1\n1 | 1\n2 | 1"},
	{query: `U | summarize n = count(), total = sum(n) by s | where n > 1`, want: "s:string, n:long, total:long\nalpha | 2 | 8"},
	{query: `U | distinct s`, want: "s:string\nalpha\ngamma"},
	{query: `U | distinct * | count`, want: "Count:long\n3"},
	{query: `U | count`, want: "Count:long\n3"},
	{query: `Events | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Tries = count() by User, bin(TimeGenerated, 1h) | sort by User asc, StartTime asc`, want: `
		User:string, TimeGenerated:datetime, StartTime:datetime, EndTime:datetime, Tries:long
		ann | 2026-03-17T08:00:00.0000000Z | 2026-03-17T08:00:00.0000000Z | 2026-03-17T08:10:00.0000000Z | 2
		ann | 2026-03-17T09:00:00.0000000Z | 2026-03-17T09:59:00.0000000Z | 2026-03-17T09:59:00.0000000Z | 1
		bob | 2026-03-17T09:00:00.0000000Z | 2026-03-17T09:00:00.0000000Z | 2026-03-17T09:00:00.0000000Z | 1`},
	{query: `datatable(k:real)[1.0, real(nan), real(nan), 0.0, -0.0] | summarize count() by k | sort by k asc`, want: `
		k:real, count_:long
		NaN | 2
		0 | 2
		1 | 1`},
}

var aggregateQueries = []queryCase{
	{query: `T | summarize dcount(n), count_distinct(n), countif(n > 1), sum(n), avg(n), min(n), max(n)`, want: `
		dcount_n:long, count_distinct_n:long, countif_:long, sum_n:long, avg_n:real, min_n:long, max_n:long
		2 | 2 | 1 | 3 | 1.5 | 1 | 2`},
	{query: `T | summarize make_set(n), make_list(n), make_set(s), make_list(s)`, want: `
		set_n:dynamic, list_n:dynamic, set_s:dynamic, list_s:dynamic
		[1,2] | [1,2] | ["alpha","Beta",""] | ["alpha","Beta",""]`},
	{query: `U | summarize make_set(s), make_list(s, 2), make_set_if(s, n > 1), make_list_if(n, s == "alpha", 1)`, want: `
		set_s:dynamic, list_s:dynamic, set_s1:dynamic, list_n:dynamic
		["alpha","gamma"] | ["alpha","alpha"] | ["alpha","gamma"] | [1]`},
	{query: `T | summarize make_set(d.list)`, want: "set_d_list:dynamic\n[1,2]"},
	{query: `T | summarize make_list(d)`, want: "list_d:dynamic\n" + `[{"a":{"b":"x"},"list":[1,2]},"p","q","r"]`},
	{query: `T | summarize arg_max(n, s), arg_min(n, s)`, want: "n:long, s:string, n1:long, s1:string\n2 | Beta | 1 | alpha"},
	{query: `datatable(k:long, v:string)[1, "a", 3, "b", 3, "c", long(null), "d"] | summarize arg_max(k, v)`, want: "k:long, v:string\n3 | b"},
	{query: `datatable(k:long, v:string)[long(null), "d"] | summarize arg_max(k, v)`, want: "k:long, v:string\nnull | d"},
	{query: `U | summarize arg_max(n, *) by s | sort by s asc`, want: "s:string, n:long, x:real\nalpha | 7 | 0.25\ngamma | 2 | 8"},
	{query: `T | sort by s asc | summarize take_any(s), take_any(n)`, want: "s:string, n:long\nBeta | 2"},
	{query: `datatable(m:decimal)[decimal(1.0), decimal(1.00), decimal(2)] | summarize dcount(m)`, want: "dcount_m:long\n2"},
	{query: `U | summarize take_any(*)`, want: "s:string, n:long, x:real\nalpha | 1 | 0.5"},
	{query: `U | summarize take_anyif(s, n == 2), sumif(x, n > 1), avgif(n, s == "alpha"), dcountif(s, n > 0), maxif(n, x < 1), minif(n, x < 1)`, want: `
		s:string, sumif_x:real, avgif_n:real, dcountif_s:long, maxif_n:long, minif_n:long
		gamma | 8.25 | 4 | 2 | 7 | 1`},
	{query: `T | summarize sum(ts), avg(ts), avg(t), sum(m), avg(m), sum(i), max(b), min(ts)`, want: `
		sum_ts:timespan, avg_ts:timespan, avg_t:datetime, sum_m:decimal, avg_m:decimal, sum_i:long, max_b:bool, min_ts:timespan
		01:30:00 | 00:45:00 | 2026-03-17T09:15:00.0000000Z | 3.75 | 1.875 | 30 | true | 00:30:00`},
	{query: `datatable(b:dynamic)[dynamic({"a":1}), dynamic({"a":2,"c":3}), dynamic(null)] | summarize make_bag(b)`, want: "bag_b:dynamic\n" + `{"a":1,"c":3}`},
	{query: `U | summarize array_sort_asc(make_set(n))`, want: "set_n_sorted:dynamic\n[1,2,7]"},
	{query: `U | summarize ratio = 1.0 * countif(s == "alpha") / count()`, want: "ratio:real\n0.6666666666666666"},
}

const (
	joinLeft   = `let L = datatable(k:string, a:long)["x", 1, "x", 2, "y", 3]; `
	joinRight  = `let R = datatable(k:string, b:long)["x", 10, "x", 20, "z", 30]; `
	joinTables = joinLeft + joinRight
)

var joinQueries = []queryCase{
	{query: joinTables + `L | join R on k`, want: "k:string, a:long, k1:string, b:long\nx | 1 | x | 10\nx | 1 | x | 20"},
	{query: joinTables + `L | join kind=inner R on k`, want: `
		k:string, a:long, k1:string, b:long
		x | 1 | x | 10
		x | 1 | x | 20
		x | 2 | x | 10
		x | 2 | x | 20`},
	{query: joinTables + `L | join kind=leftouter R on k | where a > 1`, want: `
		k:string, a:long, k1:string, b:long
		x | 2 | x | 10
		x | 2 | x | 20
		y | 3 | '' | null`},
	{query: joinTables + `L | join kind=rightouter R on $left.k == $right.k | where b > 10`, want: `
		k:string, a:long, k1:string, b:long
		x | 1 | x | 20
		x | 2 | x | 20
		'' | null | z | 30`},
	{query: joinTables + `L | join kind=fullouter R on k | count`, want: "Count:long\n6"},
	{query: joinTables + `L | join R on k | where a == 2 and b < 20`, want: "k:string, a:long, k1:string, b:long\nx | 2 | x | 10"},
	{query: joinTables + `L | join R on k | where b > 10 | where a > 1`, want: "k:string, a:long, k1:string, b:long\nx | 2 | x | 20"},
	{query: joinTables + `L | join R on k | where a == 2 or b == 10`, want: "k:string, a:long, k1:string, b:long\nx | 1 | x | 10"},
	{query: joinTables + `L | join kind=leftsemi R on k`, want: "k:string, a:long\nx | 1\nx | 2"},
	{query: joinTables + `L | join kind=leftanti R on k`, want: "k:string, a:long\ny | 3"},
	{query: joinTables + `L | join kind=anti R on k`, want: "k:string, a:long\ny | 3"},
	{query: joinTables + `L | join kind=rightsemi R on k`, want: "k:string, b:long\nx | 10\nx | 20"},
	{query: joinTables + `L | join kind=rightanti R on k`, want: "k:string, b:long\nz | 30"},
	{query: joinTables + `L | lookup R on k`, want: `
		k:string, a:long, b:long
		x | 1 | 10
		x | 1 | 20
		x | 2 | 10
		x | 2 | 20
		y | 3 | null`},
	{query: joinTables + `L | lookup kind=inner (R | project key = k, a = b) on $left.k == $right.key | where a == 1`, want: `
		k:string, a:long, a1:long
		x | 1 | 10
		x | 1 | 20`},
	{query: joinTables + `L | join kind=inner (R | extend k1 = b) on k | take 1`, want: "k:string, a:long, k2:string, b:long, k1:long\nx | 1 | x | 10 | 10"},
	{query: joinTables + `L | join kind=inner R on $left.k == $right.k, $left.a == $right.b`, want: "k:string, a:long, k1:string, b:long"},
	{query: `let N = datatable(k:long)[1, long(null)]; N | join kind=leftouter (N) on k`, want: "k:long, k1:long\n1 | 1\nnull | null"},
	{query: `let N = datatable(k:int)[int(1)]; N | join kind=inner (datatable(k:long)[1]) on $left.k == $right.k`, want: "k:int, k1:long\n1 | 1"},
	{query: `U | join kind=inner hint.strategy=broadcast (U | where n > 1) on s | project s, n, n1 | sort by n asc`, want: "s:string, n:long, n1:long\nalpha | 1 | 7\ngamma | 2 | 2\nalpha | 7 | 7"},
}

var unionQueries = []queryCase{
	{query: `union (U | project s, n), (Events | project s = User, Code | take 1)`, want: `
		s:string, n:long, Code:string
		alpha | 1 | ''
		alpha | 7 | ''
		gamma | 2 | ''
		ann | null | 500121`},
	{query: `union isfuzzy=true U, NoSuchTable | count`, want: "Count:long\n3"},
	{query: `union isfuzzy=true (NoSuchTable | where x == 1 | project y), (U | take 1) | project s`, want: "s:string\nalpha"},
	{query: `let Missing = NoSuchTable | where a == 1; union isfuzzy=true Missing, U | count`, want: "Count:long\n3", official: "the parser looks for a table where the let statement stands; the service, where it is used"},
	{query: `U | union (U) | count`, want: "Count:long\n6"},
	{query: `union withsource = Source U, Events | summarize count() by Source | sort by Source asc`, want: "Source:string, count_:long\nEvents | 4\nU | 3"},
	{query: `union kind=inner (U | take 1), (U | project s | take 1)`, want: "s:string\nalpha\nalpha", official: "the parser gives the columns of an outer union; the reference says those that all have"},
	{query: `union (U | project v = n | take 1), (U | project v = s | take 1)`, want: "v_long:long, v_string:string\n1 | ''\nnull | alpha"},
	{query: `union U* | count`, want: "Count:long\n3"},
	{query: `union isfuzzy=True U, NoSuchTable | count`, want: "Count:long\n3"},
	{query: `union isfuzzy=true U*, NoSuch* | count`, want: "Count:long\n3", official: "the parser rejects a pattern that no table matches; the reference warns in a fuzzy union"},
	{query: `union (U | take 1 | project v = n), (U | take 1 | project v = s), (U | take 1 | project v_long = x)`, want: `
		v_long1:long, v_string:string, v_long:real
		1 | '' | null
		null | alpha | null
		null | '' | 0.5`, official: "the parser numbers the column that has the name by itself; the reference the one that gets it from its type"},
	{query: `U | take 1 | as First | union withsource = from (U | take 1 | as Second), (U | take 1), U | summarize by from`, want: "from:string\nFirst\nSecond\nunion_arg2\nU"},
	{query: `let N = U | take 1; let V = view () { U | take 1 }; let A = U; U | union withsource = from N, V, A | summarize by from`, want: "from:string\nU\nunion_arg1\nV"},
}

var sortQueries = []queryCase{
	{query: `T | sort by n | project n`, want: "n:long\n2\n1\nnull"},
	{query: `T | sort by n asc | project n`, want: "n:long\nnull\n1\n2"},
	{query: `T | sort by n asc nulls last | project n`, want: "n:long\n1\n2\nnull"},
	{query: `T | sort by n desc nulls first | project n`, want: "n:long\nnull\n2\n1"},
	{query: `T | order by s asc | project s`, want: "s:string\n''\nBeta\nalpha"},
	{query: `U | sort by s desc, n asc | project s, n`, want: "s:string, n:long\ngamma | 2\nalpha | 1\nalpha | 7"},
	{query: `U | sort by tolower(s) asc, x | project s, x`, want: "s:string, x:real\nalpha | 0.5\nalpha | 0.25\ngamma | 8"},
	{query: `U | top 2 by n | project n`, want: "n:long\n7\n2"},
	{query: `U | top 1 by x asc | project x`, want: "x:real\n0.25"},
	{query: `U | take 2 | count`, want: "Count:long\n2"},
	{query: `U | take 0 | count`, want: "Count:long\n0"},
	{query: `U | limit 1 | project s`, want: "s:string\nalpha"},
	{query: `datatable(v:real)[1.0, real(nan), real(null), real(-inf)] | sort by v asc`, want: "v:real\nnull\nNaN\n-Infinity\n1"},
	{query: `datatable(v:real)[1.0, real(nan), real(null), real(-inf)] | sort by v desc`, want: "v:real\n1\n-Infinity\nNaN\nnull"},
	{query: `datatable(v:real)[1.0, real(nan), real(null), real(-inf)] | sort by v asc nulls last`, want: "v:real\n-Infinity\n1\nNaN\nnull"},
	{query: `datatable(v:real)[1.0, real(nan), real(null), real(-inf)] | sort by v desc nulls first`, want: "v:real\nnull\nNaN\n1\n-Infinity"},
}

var mvExpandQueries = []queryCase{
	{query: `T | take 2 | mv-expand e = d | project s, e`, want: `
		s:string, e:dynamic
		alpha | {"a":{"b":"x"}}
		alpha | {"list":[1,2]}
		Beta | p
		Beta | q
		Beta | r`},
	{query: `T | mv-expand d.list to typeof(long) | project s, d_list`, want: "s:string, d_list:long\nalpha | 1\nalpha | 2\nBeta | null\n'' | null"},
	{query: `datatable(a:dynamic, b:dynamic)[dynamic([1,2]), dynamic(["x"])] | mv-expand a, b`, want: "a:dynamic, b:dynamic\n1 | x\n2 | null"},
	{query: `datatable(a:dynamic)[dynamic([]), dynamic(null), dynamic("x")] | mv-expand a`, want: "a:dynamic\nnull\nx"},
	{query: `datatable(a:dynamic)[dynamic(["x","y","z"])] | mv-expand with_itemindex = i a limit 2`, want: "a:dynamic, i:long\nx | 0\ny | 1"},
	{query: `print s = "a,b" | mv-expand p = split(s, ",") to typeof(string)`, want: "s:string, p:string\na,b | a\na,b | b"},
	{query: `print a = dynamic([[1,2],[3]]) | mv-expand a`, want: "a:dynamic\n[1,2]\n[3]"},
}

var projectQueries = []queryCase{
	{query: `U | take 1 | project-away x`, want: "s:string, n:long\nalpha | 1"},
	{query: `U | take 1 | project-keep n, s`, want: "s:string, n:long\nalpha | 1"},
	{query: `U | take 1 | project-rename name = s`, want: "name:string, n:long, x:real\nalpha | 1 | 0.5"},
	{query: `U | take 1 | project-reorder x, *`, want: "x:real, s:string, n:long\n0.5 | alpha | 1"},
	{query: `Events | take 1 | project-away T*, *s`, want: "User:string, Code:string\nann | 500121"},
	{query: `U | take 1 | extend n = n + 1, m = n`, want: "s:string, n:long, x:real, m:long\nalpha | 2 | 0.5 | 1"},
	{query: `U | take 1 | extend s = 5 | project s, n`, want: "s:long, n:long\n5 | 1"},
	{query: `T | take 1 | project d.a, ['d'], x = ["s"]`, want: `
		d_a:dynamic, d:dynamic, x:string
		{"b":"x"} | {"a":{"b":"x"},"list":[1,2]} | alpha`},
	{query: `U | take 1 | project x = column_ifexists("nosuch", "none"), column_ifexists("n", 0)`, want: "x:string, n:long\nnone | 1"},
	{query: `Events | take 1 | project received = ingestion_time()`, want: "received:datetime\n2026-03-17T08:00:00.0000000Z"},
}

var letQueries = []queryCase{
	{query: `declare query_parameters(least:long = 2, who:string = "x"); U | where n >= least | project n, who`, want: "n:long, who:string\n7 | x\n2 | x"},
	{query: `let n = 1; declare query_parameters(t:timespan = 1h); let twice = t * 2; print twice`, want: "print_0:timespan\n02:00:00"},
	{query: `declare query_parameters(r:real = 2); print r`, want: "print_0:real\n2"},
	{query: `declare query_parameters(n:long = "x"); print n`, err: "1:35"},
	{query: `declare query_parameters(n:long = 1 + 1); print n`, err: "1:", official: "where the error is"},
	{query: `declare query_parameters(n:long); print n`, err: "1:26 the query parameter 'n' has no value: give it a default, as in (n: long = ...)", official: "the parser does not ask for a value"},
	{query: `set notruncation; set servertimeout = 5m; print 1`, want: "print_0:long\n1"},
	{query: `let limit = 2; U | where n >= limit | project n`, want: "n:long\n7\n2"},
	{query: `let n = 7; U | where n == n | count`, want: "Count:long\n3"},
	{query: `let recent = Events | where TimeGenerated > ago(1h); recent | project User`, want: "User:string\nann"},
	{query: `let names = dynamic(["ann"]); Events | where User in (names) | count`, want: "Count:long\n3"},
	{query: `let names = Events | where Code == 0 | project User; Events | where User in (names) | count`, want: "Count:long\n3"},
	{query: `let most = toscalar(U | summarize max(n)); U | where n == most | project n`, want: "n:long\n7"},
	{query: `let all = materialize(U | where n > 1); all | union all | count`, want: "Count:long\n4"},
	{query: `let twice = (v:long) { v * 2 }; U | take 1 | extend y = twice(n)`, want: "s:string, n:long, x:real, y:long\nalpha | 1 | 0.5 | 2"},
	{query: `let add = (a:long, b:long = 10) { a + b }; print add(1), add(1, 2)`, want: "print_0:long, print_1:long\n11 | 3"},
	{query: `let by_name = (who:string) { Events | where User == who }; by_name("bob") | project User`, want: "User:string\nbob"},
	{query: `let least = (rows:(s:string, n:long)) { rows | summarize min(n) }; least(U)`, want: "min_n:long\n1"},
	{query: `let rows = (t:(*)) { t | count }; rows(U)`, want: "Count:long\n3"},
	{query: `let f = () { U | count }; f`, want: "Count:long\n3"},
	{query: `let f = (v:string) { let low = tolower(v); strcat(low, "!") }; print x = f("A")`, want: "x:string\na!"},
	{query: `let a = 1; let f = () { a + 1 }; let g = (a:long) { f() + a }; print x = g(10)`, want: "x:long\n12"},
	{query: `set query_now = datetime(2020-01-02); print x = ago(1d)`, want: "x:datetime\n2020-01-01T00:00:00.0000000Z"},
	{query: `let t = datetime(2026-01-01); print x = t + 1h;`, want: "x:datetime\n2026-01-01T01:00:00.0000000Z"},
}

var sourceQueries = []queryCase{
	{query: `range x from 1 to 3 step 1`, want: "x:long\n1\n2\n3"},
	{query: `range x from 3 to 1 step -1`, want: "x:long\n3\n2\n1"},
	{query: `range x from 0.0 to 1 step 0.5`, want: "x:real\n0\n0.5\n1"},
	{query: `range t from datetime(2026-01-01) to datetime(2026-01-02) step 12h`, want: `
		t:datetime
		2026-01-01T00:00:00.0000000Z
		2026-01-01T12:00:00.0000000Z
		2026-01-02T00:00:00.0000000Z`},
	{query: `range x from 3 to 1 step 1`, want: "x:long"},
	{query: `datatable(a:string, b:datetime, c:dynamic)["x", datetime(2026-01-01), dynamic([1])]`, want: "a:string, b:datetime, c:dynamic\nx | 2026-01-01T00:00:00.0000000Z | [1]"},
	{query: `datatable(a:long)[]`, want: "a:long"},
	{query: `datatable(a:datetime, b:real)["2026-01-01", 1]`, want: "a:datetime, b:real\n2026-01-01T00:00:00.0000000Z | 1"},
	{query: `table("U") | count`, want: "Count:long\n3"},
	{query: `['U'] | count // a comment
		// and another`, want: "Count:long\n3"},
}

var whereQueries = []queryCase{
	{query: `Events | where Code == 500121 | count`, want: "Count:long\n3"},
	{query: `Events | where Code == "500121" and tostring(Details.reason) has "fraud" | project User`, want: "User:string\nbob"},
	{query: `T | where n > 1 or isnull(n) | project s`, want: "s:string\nBeta\n''"},
	{query: `T | where n != 1 | project s`, want: "s:string\nBeta\n''"},
	{query: `T | where not(n == 1) | project s`, want: "s:string\nBeta\n''"},
	{query: `T | where n == n | project s`, want: "s:string\nalpha\nBeta"},
	{query: `T | where b | project s`, want: "s:string\nalpha"},
	{query: `T | where not(b) | project s`, want: "s:string\nBeta"},
	{query: `T | where d.a.b == "x" | project s`, want: "s:string\nalpha"},
	{query: `T | where isempty(d) | project n`, want: "n:long\nnull"},
	{query: `Events | where TimeGenerated between (datetime(2026-03-17T08:05:00Z) .. 1h) | project TimeGenerated`, want: `
		TimeGenerated:datetime
		2026-03-17T08:10:00.0000000Z
		2026-03-17T09:00:00.0000000Z`},
	{query: `U | where s in ((Events | project User)) or s startswith "GAM" | project s`, want: "s:string\ngamma"},
	{query: `U | where strcat(s, n) in ("alpha1", "gamma2") | count`, want: "Count:long\n2"},
	{query: `U | where (s == "alpha" and n > 1) or x > 1 | project n`, want: "n:long\n7\n2"},
	{query: `T | where s == "nosuch" | project n`, want: "n:long"},
}
