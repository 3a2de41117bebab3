package kql

import (
	"strings"
	"testing"
)

// forkQueries give several tables, of which the first is the result.
var forkQueries = []queryCase{
	{query: "U | fork (take 1) (count)", want: "s:string, n:long, x:real\nalpha | 1 | 0.5", official: "the parser gives no columns of several tables"},
	{query: "U | facet by s", want: "s:string, count_s:long\nalpha | 2\ngamma | 1", official: "the parser gives no columns of several tables"},
	{query: "U | fork (take 1) (count) | count", err: "1:5 fork gives several tables"},
	{query: "U | facet by s | count", err: "1:5 facet gives several tables"},
	{query: "let f = () { U | fork (take 1) (count) }; f", err: "1:18 fork gives several tables"},
	{query: "U | fork (project nope) (count)", err: "1:19 Failed to resolve column or scalar expression named 'nope'"},
	{query: "U | fork { count }", err: "1:10 unexpected \"{\"; expected operators in parentheses after fork"},
	{query: "U | facet by nope", err: "1:14 Failed to resolve column named 'nope'"},
	{query: "T | facet by d", err: "1:14 a dynamic can not be grouped by"},
}

func TestForkGivesEachTable(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"U | fork (take 1 | project s) Counted = (count) (sort by n desc | extend i = row_number() | project n, i)": "PrimaryResult s:string alpha; Counted Count:long 3; Table_2 n:long, i:long 7 | 1 2 | 2 1 | 3",
		"U | where n < 5 | facet by s, n with (summarize sum(n))":                                                   "PrimaryResult s:string, count_s:long alpha | 1 gamma | 1; Table_1 n:long, count_n:long 1 | 1 2 | 1; Table_2 sum_n:long 3",
		"U | fork (as A | where n in ((A | summarize max(n))) | project n) (as A | summarize min(n))":               "PrimaryResult n:long 7; Table_1 min_n:long 1",
	} {
		out, err := runTestQuery(query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		var got []string
		for _, table := range append([]*Table{out}, out.Others()...) {
			got = append(got, table.Name()+" "+strings.ReplaceAll(render(table), "\n", " "))
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s:\n got %s\nwant %s", query, strings.Join(got, "; "), want)
		}
	}
}
