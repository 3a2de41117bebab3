package kql

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// filteredRows are rows of several segments, some of each with every value.
func filteredRows(keep *RowFilter) *Table {
	b := NewTableBuilder("Events", Schema{{"TimeGenerated", DateTime}, {"n", Long}, {"s", String}, {"id", String}, {"d", Dynamic}, {"x", Real}, {"b", Bool}})
	if keep != nil {
		b.Keep(keep)
	}
	for i := range 3*chunkRows + 100 {
		if i%7 != 0 {
			b.SetTime(0, testNow.Add(time.Duration(i)*time.Second))
		}
		if i%5 != 0 {
			b.SetLong(1, int64(i))
		}
		b.SetString(2, fmt.Appendf(nil, "text%d", i%100))
		b.SetString(3, fmt.Appendf(nil, "id%d", i))
		if i%3 != 0 {
			b.SetJSON(4, fmt.Appendf(nil, `{"k":"v%d"}`, i%10))
		}
		b.SetReal(5, float64(i)/4)
		b.SetBool(6, i%9 == 0)
		b.Commit()
		b.SetString(2, []byte("text1")) // and never committed
		b.Discard()
	}
	return b.Build()
}

// With a filter a table gives the same answers, from fewer rows if there is
// one.
func TestRowFilters(t *testing.T) {
	t.Parallel()
	all := filteredRows(nil)
	catalog := Catalog{Tables: map[string]Schema{"Events": all.Schema(), "Other": {{"id", String}}}}
	other := newEmptyTable("Other", catalog.Tables["Other"])
	for _, tc := range []struct {
		queries []string
		filter  string
		fewer   bool
	}{
		{[]string{`Events | where s == "text1"`}, `s == "text1"`, true},
		{[]string{`Events | where s == "text1" and n > 100 | where d.k == "v1" | project id, x, b`}, `s == "text1" and n > 100 and tostring(d.k) == "v1"`, true},
		{[]string{`Events | where s == "text1" or n < 10`}, `s == "text1" or n < 10`, true},
		{[]string{`Events | where s in ("text1", "text2") and TimeGenerated > ago(1h)`}, `s in ("text1", "text2")`, true},
		{[]string{`Events | where id has "id5" | summarize count(), max(x) by s`}, `id has "id5"`, true},
		{[]string{`Events | where b | count`}, `b`, true},
		{[]string{`Events | where x < 10.0 | count`, `Events | where s endswith "99" | summarize make_set(id)`}, `x < real(10) or s endswith "99"`, true},
		{[]string{`union (Events | where s == "text3"), (Events | where n == 77) | count`}, `s == "text3" or n == 77`, true},
		{[]string{`let f = (p:string) { Events | where s == p }; f("text1") | join kind=inner (f("text2")) on b | count`}, `s == "text1" or s == "text2"`, true},
		{[]string{`Events | where isnull(n) and isempty(d.k) | count`}, `isnull(n) and isempty(d.k)`, true},
		{[]string{`Events | where s == "nothing" | count`}, `s == "nothing"`, true},
		{[]string{`Events | where n >= 0 or isnull(n) | count`}, `n >= 0 or isnull(n)`, false},
		// What the row alone does not show is left to the query.
		{[]string{`Events | where TimeGenerated > datetime(2026-03-17)`}, "", false},
		{[]string{`Events | where s == tostring(now())`}, "", false},
		{[]string{`let t = ago(1d); Events | where s == "text1" and todatetime(d.k) > t`}, `s == "text1"`, true},
		{[]string{`Events | where s in ((Events | where n == 5 | project s))`}, "", false},
		{[]string{`Events | where n > toscalar(Events | summarize avg(n))`}, "", false},
		{[]string{`Events | where s == column_ifexists("other", "text1")`}, "", false},
		{[]string{`Events | where s == "text1"`, `Events | count`}, "", false},
		{[]string{`Events | take 10 | where s == "text1" | count`}, "", false},
		{[]string{`Events | serialize i = row_number() | where s == "text1"`}, "", false},
		{[]string{`let m = materialize(Events | where s == "text1"); m | union m | count`}, `s == "text1"`, true},
		{[]string{`Events | as E | where s == "text1" | count`}, "", false},
		{[]string{`Events | where s == "text1" | evaluate bag_unpack(d)`}, "", false},
		{[]string{`Other | join kind=rightouter (Events | where s == "text1") on id | count`}, `s == "text1"`, true},
	} {
		filters := catalog.RowFilters(tc.queries...)
		f := filters["Events"]
		text := ""
		if f != nil {
			text = f.String()
		}
		if text != tc.filter {
			t.Errorf("%q: the filter is %s, want %s", tc.queries, text, tc.filter)
			continue
		}
		few := filteredRows(f)
		if fewer := few.Rows() < all.Rows()/2; fewer != tc.fewer || few.Rows()+few.LeftOut() != all.Rows() {
			t.Errorf("%q: %d rows are kept and %d left out, of %d", tc.queries, few.Rows(), few.LeftOut(), all.Rows())
		}
		for _, q := range tc.queries {
			var answers [2]string
			for i, table := range []*Table{all, few} {
				out, err := Run(t.Context(), q, NewDatabase(table, other), Options{Now: testNow})
				if err != nil {
					t.Fatalf("%s: %v", q, err)
				}
				answers[i] = render(out)
			}
			if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
				t.Errorf("%s: -all rows +those kept:\n%s", q, diff)
			}
		}
		first, last, _ := all.TimeRange()
		fewFirst, fewLast, ok := few.TimeRange()
		if !ok || !first.Equal(fewFirst) || !last.Equal(fewLast) {
			t.Errorf("%q: the rows are from %v to %v, want %v to %v", tc.queries, fewFirst, fewLast, first, last)
		}
		if diff := cmp.Diff(all.Hours(), few.WithColumns(all.Schema()).Hours()); diff != "" {
			t.Errorf("%q: hours (-want +got):\n%s", tc.queries, diff)
		}
		if diff := cmp.Diff(all.RowsPerHour(), few.WithColumns(all.Schema()).RowsPerHour()); diff != "" {
			t.Errorf("%q: rows per hour (-want +got):\n%s", tc.queries, diff)
		}
	}
}

// A filter that is not of these columns leaves the rows alone, and so does one
// whose conditions fail: the query will say so.
func TestRowFilterThatDoesNotFit(t *testing.T) {
	t.Parallel()
	all := filteredRows(nil)
	for _, tc := range []struct {
		schema Schema
		query  string
	}{
		{Schema{{"z", String}}, `Events | where z == "text1"`},
		{Schema{{"n", String}}, `Events | where n == "1"`},
		{Schema{{"s", String}}, `Events | where strlen(replace_string(strcat(s, "` + manyTexts + `"), "a", "` + manyTexts + `")) > 5`},
	} {
		f := Catalog{Tables: map[string]Schema{"Events": tc.schema}}.RowFilters(tc.query)["Events"]
		if f == nil {
			t.Fatalf("%.80s has no filter", tc.query)
		}
		if got := filteredRows(f); got.Rows() != all.Rows() || got.LeftOut() != 0 {
			t.Errorf("%.80s: %d of %d rows are kept", tc.query, got.Rows(), all.Rows())
		}
	}
}

var manyTexts = func() string {
	text := "aaaaaaaaaa"
	for len(text) < 8000 {
		text += text
	}
	return text
}()
