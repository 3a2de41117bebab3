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
	{query: "let a = 1; print a; let a = 2; print a", want: "print_0:long\n1", official: "the parser refuses a name that an earlier query defines"},
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

func TestSeparated(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{
		{"T | count", "T | count"},
		{"let a = 1;\n\nT\n\n| where n == a", "let a = 1;\n\nT\n\n| where n == a"},
		{"// one\nT | count\n\n// two\nU | count\n", "// one\nT | count;\n\n// two\nU | count;\n"},
		{"let a = T;\n\na | count // of all\n \t\r\nlet a = U; a\n\n| count;\n\nprint 'x\ty'", "let a = T;\n\na | count; // of all\n \t\r\nlet a = U; a\n\n| count;\n\nprint 'x\ty';"},
		{"T\n\nU", "T;\n\nU;"},
		{"T\nU", "T\nU"},
		{"T // a\n// b\nU", "T // a\n// b\nU"},
		{"T | wher n\n\nU", "T | wher n\n\nU"},
		{"print a = ```\n\n```\n\nU | nope", "print a = ```\n\n```\n\nU | nope"},
		{"print a = ```\n\n```\n\nU", "print a = ```\n\n```;\n\nU;"},
		{"T\n\n'", "T\n\n'"},
		{"", ""},
		{"\n\n", "\n\n"},
		{strings.Repeat("T\n\n", 100), strings.Repeat("T\n\n", 100)},
	} {
		if got := Separated(tt[0]); got != tt[1] {
			t.Errorf("%q is %q, want %q", tt[0], got, tt[1])
		}
	}
	out, err := runTestQuery(Separated("let a = T;\na | count\n\nlet a = U;\na | take 1 | project n"))
	if err != nil || len(out.Others()) != 1 || render(out.Others()[0]) != "n:long\n1" {
		t.Errorf("%v, %v", out, err)
	}
}
