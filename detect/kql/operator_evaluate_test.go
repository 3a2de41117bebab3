package kql

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBagUnpack(t *testing.T) {
	runOperatorCases(t, []operatorCase{
		{query: `Scores | project n, d | evaluate bag_unpack(d)`, want: `
			n:long, a:string, b:dynamic, c:dynamic
			1 | x | 1 | null
			2 | '' | 2.5 | [1]
			null | '' | null | null`},
		{query: `Scores | project n, d | evaluate bag_unpack(d, "p_") | where p_a == "x" | project n, p_b`, want: "n:long, p_b:dynamic\n1 | 1"},
		{query: `Scores | project b = "mine", d | evaluate bag_unpack(d)`, err: "1:34 bag_unpack() finds a property with the name of the column 'b'"},
		{query: `Scores | take 1 | project b = "mine", d | evaluate bag_unpack(d, columnsConflict="replace_source")`, want: "a:string, b:long\nx | 1"},
		{query: `Scores | take 1 | project b = "mine", d | evaluate bag_unpack(d, "", "keep_source")`, want: "a:string, b:string\nx | mine"},
		{query: `Scores | take 1 | project b = "mine", d | evaluate bag_unpack(d, ignoredProperties=dynamic(["b"]))`, want: "b:string, a:string\nmine | x"},
		{query: `Scores | project n, d | evaluate bag_unpack(d) : (*, a:string, b:long)`, want: `
			n:long, a:string, b:long
			1 | x | 1
			2 | '' | 2
			null | '' | null`},
		{query: `Scores | take 1 | evaluate bag_unpack(d) : (b:real, nothing:string, n:long)`, want: "b:real, nothing:string, n:long\n1 | '' | 1"},
		{query: `Scores | take 1 | extend a = "mine" | evaluate bag_unpack(d) : (a:string)`, err: "1:39 bag_unpack() finds a property with the name of the column 'a'"},
		{query: `let bags = Scores | project d | evaluate bag_unpack(d); bags | where isnotempty(c) | union (bags | where a == "x") | project b`, want: "b:dynamic\n2.5\n1"},
		{query: `Scores | evaluate bag_unpack(who)`, err: "1:30 bag_unpack() unpacks a column of type dynamic"},
		{query: `Scores | evaluate bag_unpack()`, err: "1:19 bag_unpack() takes at least 1 argument"},
		{query: `Scores | evaluate bag_unpack(d, columnsConflict="merge")`, err: "1:49 columnsConflict is error, replace_source or keep_source"},
		{query: `Scores | evaluate bag_unpack(d, depth=1)`, err: "1:39 bag_unpack() takes a column, a prefix"},
		{query: `Scores | evaluate pivot(who)`, err: "1:19 the plugin 'pivot' is not supported; bag_unpack is"},
		{query: `Scores | evaluate bag_unpack(d) : (a:string, *)`, err: `1:46 unexpected "*"`},
	})
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

func TestIngestionTime(t *testing.T) {
	t.Parallel()
	const notReceived = "ingestion_time() is taken to be TimeGenerated in Logons, whose records do not say when they were received"
	tests := []struct{ query, want, warning string }{
		{"Audits | where ingestion_time() > datetime(2026-03-17 08:01) | project User", "ann", ""},
		{"Audits | extend at = ingestion_time() | sort by at asc | extend again = ingestion_time() | project again", "2026-03-17T08:05:00.0000000Z", ""},
		{"Logons | take 1 | project at = ingestion_time()", "2026-03-17T08:00:00.0000000Z", notReceived},
		{"union Logons, (Logons | where User == 'ann') | where ingestion_time() > ago(2d) | count", "4", notReceived},
		{"Logons | as L | mv-expand x = dynamic([1]) | parse User with 'a' rest | summarize max(ingestion_time())", "2026-03-17T09:10:00.0000000Z", notReceived},
	}
	for _, tt := range tests {
		out, err := Run(context.Background(), tt.query, operatorTables(), Options{Now: ticksToTime(unixEpochTicks).AddDate(56, 2, 16)})
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		if got := out.Value(0, 0).String(); got != tt.want || strings.Join(out.Warnings(), "\n") != tt.warning {
			t.Errorf("%s: got %s and the warnings %q", tt.query, got, out.Warnings())
		}
	}
	runOperatorCases(t, []operatorCase{
		{query: "Logons | project TimeGenerated | extend ingestion_time()", err: "1:41 ingestion_time() is known only of the rows of a table"},
		{query: "Logons | summarize max(TimeGenerated) by User | where ingestion_time() > ago(1d)", err: "1:55 ingestion_time() is known only"},
		{query: "Scores | extend ingestion_time()", err: "1:17 ingestion_time() is known only"},
		{query: "print ingestion_time()", err: "1:7 ingestion_time() is known only"},
	})
}

func TestRender(t *testing.T) {
	t.Parallel()
	out, err := Run(context.Background(), `Scores | project n, who | render timechart with (title="Points", xcolumn=n, ycolumns=n, who, ymin=-1, legend=hidden)`, operatorTables(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := &Rendering{"timechart", map[string]string{"title": "Points", "xcolumn": "n", "ycolumns": "n,who", "ymin": "-1", "legend": "hidden"}}
	if diff := cmp.Diff(want, out.Rendering()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	runOperatorCases(t, []operatorCase{
		{query: "Scores | count | render table", want: "Count:long\n3"},
		{query: "Scores | count | render barchart kind=stacked", want: "Count:long\n3"},
		{query: "Scores | render table | take 1", err: "1:10 render must be the last operator"},
		{query: "let x = Scores | render table; x", err: "1:18 render must be the last operator"},
		{query: "Scores | render poster", err: `1:17 unexpected "poster"; expected a visualization`},
		{query: "Scores | render table with (colour=red)", err: `1:29 unexpected "colour"; expected a property`},
		{query: "Scores | render table with (xcolumn=nope)", err: "1:37 Failed to resolve column named 'nope'"},
	})
}

func TestGetSchema(t *testing.T) {
	runOperatorCases(t, []operatorCase{
		{query: "Scores | getschema", want: `
			ColumnName:string, ColumnOrdinal:long, DataType:string, ColumnType:string
			who | 0 | System.String | string
			n | 1 | System.Int64 | long
			i | 2 | System.Int32 | int
			points | 3 | System.Object | dynamic
			d | 4 | System.Object | dynamic`},
		{query: "Scores | summarize m = max(n) | getschema | where ColumnType == 'long' | project ColumnName", want: "ColumnName:string\nm"},
	})
}

func TestReorderGranny(t *testing.T) {
	const q = "print a20=1, a100=1, b=1, a3=1 | project-reorder "
	runOperatorCases(t, []operatorCase{
		{query: q + "a* granny-asc", want: "a3:long, a20:long, a100:long, b:long\n1 | 1 | 1 | 1"},
		{query: q + "a* granny-desc", want: "a100:long, a20:long, a3:long, b:long\n1 | 1 | 1 | 1"},
		{query: q + "a* desc, b", want: "a3:long, a20:long, a100:long, b:long\n1 | 1 | 1 | 1"},
		{query: q + "*, b", want: "a20:long, a100:long, b:long, a3:long\n1 | 1 | 1 | 1"},
		{query: q + "a* granny", err: "1:53 expected asc, desc, granny-asc or granny-desc"},
		{query: q + "zz", err: "1:50 Failed to resolve column named 'zz'"},
	})
}

func TestWatchlistFunction(t *testing.T) {
	t.Parallel()
	db := operatorTables()
	db.Watchlists = func(alias string) (*Table, error) {
		if alias != "VIPs" {
			return nil, fmt.Errorf("there is no watchlist '%s'; there is VIPs", alias)
		}
		b := NewTableBuilder("VIPs", Schema{{"User", String}, {"TimeGenerated", DateTime}})
		b.SetText(0, []byte("bob"))
		b.SetText(1, []byte("2001-01-01"))
		b.Commit()
		return b.Build(), nil
	}
	tests := []struct{ query, want string }{
		{"Logons | where User in ((_GetWatchlist('VIPs') | project User)) | count", "2"},
		{"let list = (alias:string) { _GetWatchlist(alias) }; list('VIPs') | project User", "bob"},
		{"_GetWatchlist('Nope')", "line 1, column 15: there is no watchlist 'Nope'; there is VIPs"},
		{"_GetWatchlist()", "line 1, column 1: _GetWatchlist() takes 1 argument and got 0"},
		{"_GetWatchlist('VIPs', 'x')", "line 1, column 23: _GetWatchlist() takes the alias of a watchlist and no more arguments"},
		{"Logons | extend x = _GetWatchlist(User)", "line 1, column 21: _GetWatchlist() gives a table, and a scalar is expected here"},
		{"_GetWatchlist(1)", "line 1, column 15: the alias of the watchlist must be a string that does not depend on the row"},
	}
	for _, tt := range tests {
		var got string
		out, err := Run(context.Background(), tt.query, db, Options{Scope: Scope{From: ticksToTime(unixEpochTicks).AddDate(56, 0, 0)}})
		if err != nil {
			got = err.Error()
		} else {
			got = out.Value(0, 0).String()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.query, got, tt.want)
		}
	}
	s, err := Check("_GetWatchlist('VIPs') | where Anything == 1 | join Logons on User", map[string]Schema{"Logons": {{"User", String}}})
	if err != nil || !s.Open || len(s.Reads["Logons"]) != 1 {
		t.Errorf("Check: %+v, %v", s, err)
	}
}
