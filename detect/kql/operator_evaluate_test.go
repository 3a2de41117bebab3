package kql

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var bagUnpackQueries = []queryCase{
	{query: `Scores | project n, d | evaluate bag_unpack(d)`, want: `
		n:long, a:string, b:dynamic, c:dynamic
		1 | x | 1 | null
		2 | '' | 2.5 | [1]
		null | '' | null | null`},
	{query: `Scores | project n, d | evaluate bag_unpack(d, "p_") | where p_a == "x" | project n, p_b`, want: "n:long, p_b:dynamic\n1 | 1"},
	{query: `Scores | project b = "mine", d | evaluate bag_unpack(d)`, err: "1:34 bag_unpack() finds a property with the name of the column 'b'", official: "only the data shows it"},
	{query: `Scores | take 1 | project b = "mine", d | evaluate bag_unpack(d, columnsConflict="replace_source")`, want: "b:long, a:string\n1 | x"},
	{query: `Scores | take 1 | project b = "mine", d | evaluate bag_unpack(d, "", "keep_source")`, want: "b:string, a:string\nmine | x", official: "the parser knows of a column and a prefix only; the reference has four parameters"},
	{query: `Scores | take 1 | project b = "mine", d | evaluate bag_unpack(d, ignoredProperties=dynamic(["b"]))`, want: "b:string, a:string\nmine | x", official: "the parser knows of a column and a prefix only; the reference has four parameters"},
	{query: `Scores | project n, d | evaluate bag_unpack(d) : (*, a:string, b:long)`, want: `
		n:long, a:string, b:long
		1 | x | 1
		2 | '' | 2
		null | '' | null`},
	{query: `Scores | take 1 | evaluate bag_unpack(d) : (b:real, nothing:string, n:long)`, want: "b:real, nothing:string, n:long\n1 | '' | 1"},
	{query: `Scores | take 1 | extend a = "mine" | evaluate bag_unpack(d) : (a:string)`, err: "1:39 bag_unpack() finds a property with the name of the column 'a'", official: "only the data shows it"},
	{query: `let bags = Scores | project d | evaluate bag_unpack(d); bags | where isnotempty(c) | union (bags | where a == "x") | project b`, want: "b:dynamic\n2.5\n1"},
	{query: `Scores | evaluate bag_unpack(who)`, err: "1:30 bag_unpack() unpacks a column of type dynamic", official: "the parser unpacks any column; the reference says one of type dynamic"},
	{query: `Scores | evaluate bag_unpack()`, err: "1:19 bag_unpack() takes at least 1 argument"},
	{query: `Scores | evaluate bag_unpack(d, columnsConflict="merge")`, err: "1:49 columnsConflict is error, replace_source or keep_source", official: "the parser knows of a column and a prefix only; the reference has four parameters"},
	{query: `Scores | evaluate bag_unpack(d, depth=1)`, err: "1:39 bag_unpack() takes a column, a prefix"},
	{query: `Scores | evaluate bag_unpack(d) : (a:string, *)`, err: `1:46 unexpected "*"`},
}

// Without data the columns of bag_unpack are not known, and Check says so.
func TestCheckOpenColumns(t *testing.T) {
	t.Parallel()
	tables := map[string]Schema{"A": {{"x", Long}, {"d", Dynamic}}, "B": {{"y", Long}}, "C": {{"z", Long}}}
	got, err := Check("A | evaluate bag_unpack(d)\n| join kind=inner B on $left.x == $right.y", tables)
	if err != nil {
		t.Fatal(err)
	}
	want := &Summary{Open: true, Reads: map[string][]string{"A": {"d", "x"}, "B": {"y"}},
		Warnings: []string{"line 1, column 5: the columns that bag_unpack() gives depend on the data, so what follows is checked when the query runs"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := Check("A | where nope == 1 | evaluate bag_unpack(d)", tables); err == nil {
		t.Error("what comes before is not checked")
	}
	declared, err := Check("A | evaluate bag_unpack(d) : (*, a:string)", tables)
	if err != nil || declared.Open || len(declared.Columns) != 2 {
		t.Errorf("declared columns: %+v, %v", declared, err)
	}
}

const notReceived = "ingestion_time() is taken to be TimeGenerated in Logons, whose records do not say when they were received"

// receivedQueries give one value, and a warning or none.
var receivedQueries = []struct{ query, want, warning string }{
	{"Audits | where ingestion_time() > datetime(2026-03-17 08:01) | project User", "ann", ""},
	{"Audits | extend at = ingestion_time() | sort by at asc | extend again = ingestion_time() | project again", "2026-03-17T08:05:00.0000000Z", ""},
	{"Logons | take 1 | project at = ingestion_time()", "2026-03-17T08:00:00.0000000Z", notReceived},
	{"union Logons, (Logons | where User == 'ann') | where ingestion_time() > ago(2d) | count", "4", notReceived},
	{"Logons | as L | mv-expand x = dynamic([1]) | parse User with 'a' rest | summarize max(ingestion_time())", "2026-03-17T09:10:00.0000000Z", notReceived},
}

func TestIngestionTime(t *testing.T) {
	t.Parallel()
	for _, tt := range receivedQueries {
		out, err := Run(context.Background(), tt.query, testTables(), Options{Now: testNow})
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if got := out.Value(0, 0).String(); got != tt.want || strings.Join(out.Warnings(), "\n") != tt.warning {
			t.Errorf("%s: got %s and the warnings %q", tt.query, got, out.Warnings())
		}
	}
}

var ingestionTimeQueries = []queryCase{
	{query: "Logons | project TimeGenerated | extend ingestion_time()", err: "1:41 ingestion_time() is known only of the rows of a table", official: "the parser does not ask whose rows they are"},
	{query: "Logons | summarize max(TimeGenerated) by User | where ingestion_time() > ago(1d)", err: "1:55 ingestion_time() is known only", official: "the parser does not ask whose rows they are"},
	{query: "Scores | extend ingestion_time()", err: "1:17 ingestion_time() is known only", official: "the parser does not ask whose rows they are"},
	{query: "print ingestion_time()", err: "1:7 ingestion_time() is known only", official: "the parser does not ask whose rows they are"},
}

func TestRender(t *testing.T) {
	t.Parallel()
	out, err := Run(context.Background(), `Scores | project n, who | render timechart with (title="Points", xcolumn=n, ycolumns=n, who, ymin=-1, legend=hidden)`, testTables(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := &Rendering{"timechart", map[string]string{"title": "Points", "xcolumn": "n", "ycolumns": "n,who", "ymin": "-1", "legend": "hidden"}}
	if diff := cmp.Diff(want, out.Rendering()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

var renderQueries = []queryCase{
	{query: "Scores | count | render table", want: "Count:long\n3"},
	{query: "Scores | count | render barchart kind=stacked", want: "Count:long\n3"},
	{query: "Scores | render table | take 1", err: "1:10 render must be the last operator", official: "the parser takes operators behind render; the reference says that it must be the last"},
	{query: "Scores | render poster", err: `1:17 unexpected "poster"; expected a visualization`},
	{query: "Scores | render table with (colour=red)", err: `1:29 unexpected "colour"; expected a property`},
	{query: "Scores | render table with (xcolumn=nope)", err: "1:37 Failed to resolve column named 'nope'"},
}

var getSchemaQueries = []queryCase{
	{query: "Scores | getschema", want: `
		ColumnName:string, ColumnOrdinal:long, DataType:string, ColumnType:string
		who | 0 | System.String | string
		n | 1 | System.Int64 | long
		i | 2 | System.Int32 | int
		points | 3 | System.Object | dynamic
		d | 4 | System.Object | dynamic`},
	{query: "Scores | summarize m = max(n) | getschema | where ColumnType == 'long' | project ColumnName", want: "ColumnName:string\nm"},
}

const reordered = "print a20=1, a100=1, b=1, a3=1 | project-reorder "

var reorderQueries = []queryCase{
	{query: reordered + "a* granny-asc", want: "a3:long, a20:long, a100:long, b:long\n1 | 1 | 1 | 1"},
	{query: reordered + "a* granny-desc", want: "a100:long, a20:long, a3:long, b:long\n1 | 1 | 1 | 1"},
	{query: reordered + "a* desc, b", want: "a3:long, a20:long, a100:long, b:long\n1 | 1 | 1 | 1"},
	{query: reordered + "*, b", want: "a20:long, a100:long, b:long, a3:long\n1 | 1 | 1 | 1"},
	{query: reordered + "a* granny", err: "1:53 expected asc, desc, granny-asc or granny-desc"},
	{query: reordered + "zz", err: "1:50 Failed to resolve column named 'zz'"},
}

var watchlistQueries = []queryCase{
	{query: "Logons | where User in ((_GetWatchlist('VIPs') | project User)) | count", want: "Count:long\n2", official: "the parser does not know the functions of a Sentinel workspace"},
	{query: "let list = (alias:string) { _GetWatchlist(alias) }; list('VIPs') | project User", want: "User:string\nbob", official: "the parser does not know the functions of a Sentinel workspace"},
	{query: "_GetWatchlist('Nope')", err: "1:15 there is no watchlist 'Nope'; there is VIPs", official: "the parser does not know the functions of a Sentinel workspace"},
	{query: "_GetWatchlist()", err: "1:1 _GetWatchlist() takes 1 argument and got 0"},
	{query: "_GetWatchlist('VIPs', 'x')", err: "1:23 _GetWatchlist() takes the alias of a watchlist and no more arguments"},
	{query: "Logons | extend x = _GetWatchlist(User)", err: "1:21 _GetWatchlist() gives a table, and a scalar is expected here"},
	{query: "_GetWatchlist(1)", err: "1:15 the alias of the watchlist must be a string that does not depend on the row", official: "the parser does not know the functions of a Sentinel workspace"},
}

// A watchlist has no part in the query's timespan, and its columns are known
// only once it is read.
func TestWatchlistIsNoLog(t *testing.T) {
	t.Parallel()
	out, err := Run(context.Background(), "_GetWatchlist('VIPs') | count", testTables(), Options{Scope: Scope{From: testNow}})
	if err != nil || out.Value(0, 0).n != 1 {
		t.Errorf("got %v, %v", out, err)
	}
	s, err := Check("_GetWatchlist('VIPs') | where Anything == 1 | join Logons on User", map[string]Schema{"Logons": {{"User", String}}})
	if err != nil || !s.Open || len(s.Reads["Logons"]) != 1 {
		t.Errorf("Check: %+v, %v", s, err)
	}
}
