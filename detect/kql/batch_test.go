package kql

import (
	"strings"
	"testing"
)

// batchQueries are several queries in one. The answer is the first table, and the
// official parser shows the columns of the last.
var batchQueries = []queryCase{
	{query: "U | count; T | count", want: "Count:long\n3"},
	{query: "print a = 1; let x = 2; print b = x", want: "a:long\n1", official: "the parser shows the columns of the last query"},
	{query: "let x = 2; print x + 1; print x + 2;", want: "print_0:long\n3"},
	{query: "print a = 1; let x = 2;", err: "1:", official: "where the error is"},
	{query: "print a = 1; nope | count", err: "1:14 Failed to resolve table or column expression named 'nope'"},
	{query: "print a = 1; let a = 2; let a = 3; print a", err: "1:29 'a' is defined twice"},
}

func TestBatchGivesATableOfEach(t *testing.T) {
	t.Parallel()
	out, err := runTestQuery("U | summarize n = sum(n); let least = 2; U | where n > least | project n | render barchart; range x from 1 to 2 step 1")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range append([]*Table{out}, out.Others()...) {
		got = append(got, table.Name()+" "+strings.ReplaceAll(render(table), "\n", " "))
	}
	if got, want := strings.Join(got, "; "), "PrimaryResult n:long 10; Table_1 n:long 7; Table_2 x:long 1 2"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
