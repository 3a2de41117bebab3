package kql

// partitionQueries run operators over the rows of each value.
var partitionQueries = []queryCase{
	{query: "U | partition by s (top 1 by n desc)", want: "s:string, n:long, x:real\nalpha | 7 | 0.25\ngamma | 2 | 8"},
	{query: "U | partition hint.strategy=native by s (summarize total = sum(n))", want: "total:long\n8\n2"},
	{query: "U | partition hint.strategy=shuffle by s (sort by n asc | extend i = row_number() | project s, n, i)", want: "s:string, n:long, i:long\nalpha | 1 | 1\nalpha | 7 | 2\ngamma | 2 | 1"},
	{query: "U | partition by s (as P | extend share = round(n * 1.0 / toscalar(P | summarize sum(n)), 3) | project s, n, share)", want: "s:string, n:long, share:real\nalpha | 1 | 0.125\nalpha | 7 | 0.875\ngamma | 2 | 1"},
	{query: "U | partition by s (as P | where n in ((P | summarize max(n))) | project s, n)", want: "s:string, n:long\nalpha | 7\ngamma | 2"},
	{query: "U | partition by s (as P | join kind=inner (P | summarize m = max(n) by s) on s | project s, n, m)", want: "s:string, n:long, m:long\nalpha | 1 | 7\nalpha | 7 | 7\ngamma | 2 | 2"},
	{query: "U | project s | distinct s | partition by s { T | where s == toscalar(s) | project s, n }", want: "s:string, n:long\nalpha | 1"},
	{query: "U | partition by n { print n = toscalar(n), twice = 2 * toscalar(n) }", want: "n:long, twice:long\n1 | 2\n7 | 14\n2 | 4"},
	{query: "range x from 1 to 65 step 1 | partition by x (take 1) | count", err: "1:31 partition meets more than 64 values of 'x': with hint.strategy=native it takes any number", official: "the parser does not run queries"},
	{query: "range x from 1 to 65 step 1 | partition hint.strategy=native by x (take 1) | count", want: "Count:long\n65"},
	{query: "U | partition hint.strategy=native by s (partition hint.strategy=native by n (extend z = toscalar(T | count)))", want: "s:string, n:long, x:real, z:long\nalpha | 1 | 0.5 | 3\nalpha | 7 | 0.25 | 3\ngamma | 2 | 8 | 3"},
	{query: "U | where n > 100 | partition by s (count)", want: "Count:long"},
	{query: "let f = (t:(n:long)) { let most = toscalar(t | summarize max(n)); t | where n == most }; U | partition by s (invoke f()) | project s, n", want: "s:string, n:long\nalpha | 7\ngamma | 2"},
	{query: "T | partition by d (take 1)", err: "1:18 partition takes no dynamic: tostring() or another conversion gives it a type"},
	{query: "T | partition by nope (take 1)", err: "1:18 Failed to resolve column named 'nope'"},
	{query: "T | partition hint.strategy=5 by s (take 1)", err: "1:29 hint.strategy of partition is native, shuffle or legacy", official: "the parser takes anything for a hint"},
	{query: "U | partition by s (take 1 | nope)", err: "1:30 unknown operator 'nope'"},
	{query: "U | partition by s (where false)", want: "s:string, n:long, x:real"},
	{query: "U | partition by s (extend n + 1 | project Column1) | project Column1 + 1", want: "Column2:long\n3\n9\n4"},
}
