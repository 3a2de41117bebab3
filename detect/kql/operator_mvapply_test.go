package kql

var mvApplyQueries = []queryCase{
	{query: `Scores | project n, points | mv-apply points to typeof(long) on (top 1 by points)`, want: `
		n:long, points:long
		1 | 9
		null | null`},
	{query: `Scores | project n, points | mv-apply p = points to typeof(long) on (summarize sum(p), count())`, want: `
		n:long, points:dynamic, sum_p:long, count_:long
		1 | [5,7,9] | 21 | 3
		2 | [] | 0 | 0
		null | null | 0 | 1`},
	{query: `Scores | project n, points | take 1 | mv-apply with_itemindex=at p = points limit 2 on (where at > 0 | project p, twice = at * 2)`, want: `
		n:long, points:dynamic, p:dynamic, twice:long
		1 | [5,7,9] | 7 | 2`},
	{query: `print a = dynamic([1,2]), b = dynamic(["x","y","z"]) | mv-apply a to typeof(long), c = b to typeof(string) on (extend both = strcat(a, c))`, want: `
		b:dynamic, a:long, c:string, both:string
		["x","y","z"] | 1 | x | 1x
		["x","y","z"] | 2 | y | 2y
		["x","y","z"] | null | z | z`},
	{query: `Scores | project d | take 2 | mv-apply d on (mv-expand kind=array d | extend key = tostring(d[0]) | summarize make_list(key))`, want: `
		list_key:dynamic
		["b","a"]
		["b","c"]`},
	{query: `Scores | project n, points | take 1 | mv-apply p = points to typeof(long) on (sort by p desc | extend rank = row_number() | where rank == 2)`, want: `
		n:long, points:dynamic, p:long, rank:long
		1 | [5,7,9] | 7 | 2`},
	{query: `Scores | project n, points | take 1 | mv-apply p = points to typeof(long) on (mv-apply q = points to typeof(long) on (where q < p | summarize below = count()) | summarize make_list(below))`, want: `
		n:long, points:dynamic, list_below:dynamic
		1 | [5,7,9] | [0,1,2]`},
	{query: `let big = datatable(p:long)[7, 9]; Scores | project n, points | mv-apply p = points to typeof(long) on (join kind=inner big on p | summarize hits = count())`, want: `
		n:long, points:dynamic, hits:long
		1 | [5,7,9] | 2
		2 | [] | 0
		null | null | 0`},
	{query: `Scores | take 1 | project n, points | mv-apply p = points on (project n = "new")`, want: "n:string, points:dynamic\nnew | [5,7,9]\nnew | [5,7,9]\nnew | [5,7,9]"},
	{query: `Scores | take 1 | mv-apply p = points on (summarize count()) | project who, count_`, want: "who:string, count_:long\nann | 3"},
	{query: `Scores | mv-apply who on (take 1)`, err: "1:19 mv-apply needs a dynamic"},
	{query: `Scores | mv-apply kind=array p = points on (take 1)`, err: "1:19 mv-apply has no kind"},
	{query: `Scores | mv-apply p = points | take 1`, err: `1:30 unexpected "|"; expected "on" after the arrays`},
	{query: `Scores | mv-apply p = points on (as X | take 1)`, err: "1:34 as is not supported inside mv-apply"},
	{query: `Scores | mv-apply p = points on (evaluate bag_unpack(p))`, err: "1:34 bag_unpack() inside mv-apply or partition needs its columns"},
	{query: `Scores | mv-apply p = points on (where q > 1)`, err: "1:40 Failed to resolve column or scalar expression named 'q'"},
}

var mvExpandFormQueries = []queryCase{
	{query: `Scores | take 2 | project d | mv-expand kind=array d`, want: `
		d:dynamic
		["b",1]
		["a","x"]
		["b",2.5]
		["c",[1]]`},
	{query: `Scores | take 2 | project d | mv-expand bagexpansion=bag d | take 2`, want: "d:dynamic\n{\"b\":1}\n{\"a\":\"x\"}"},
	{query: `Scores | project n, points | mv-expand with_itemindex="at" points to typeof(long) limit 2`, want: `
		n:long, points:long, at:long
		1 | 5 | 0
		1 | 7 | 1
		null | null | 0`},
	{query: `Scores | mvexpand points | count`, want: "Count:long\n4"},
	{query: `Scores | mv-expand kind=list points`, err: "1:25 the kind of mv-expand is bag or array"},
	{query: `Scores | mv-expand points limit n`, err: "1:33 Failed to resolve", official: "the parser takes a column for the limit; the reference says a constant"},
}
