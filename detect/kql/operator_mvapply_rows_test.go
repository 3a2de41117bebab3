package kql

import (
	"fmt"
	"strings"
	"testing"
)

// arrays is a table whose rows have arrays of many lengths, none and one that makes more
// than a batch among them.
func arrays(rows int) *Table {
	b := NewTableBuilder("T", Schema{{"n", Long}, {"User", String}, {"List", Dynamic}, {"Other", Dynamic}})
	for i := range rows {
		items := make([]string, i%7)
		if i == rows/2 {
			items = make([]string, chunkRows+10)
		}
		for k := range items {
			items[k] = fmt.Sprintf(`{"k": %d, "s": "%d-%d", "l": [%d, %d]}`, k, i%5, k%3, i, k)
		}
		b.SetLong(0, int64(i))
		b.SetString(1, fmt.Appendf(nil, "user %d", i%11))
		if i%13 != 1 {
			b.SetJSON(2, []byte("["+strings.Join(items, ",")+"]"))
		}
		b.SetJSON(3, fmt.Appendf(nil, `{"a": %d, "b": null}`, i))
		b.Commit()
	}
	return b.Build()
}

// TestMvApplyByRow compares what mv-apply makes of a table with what it makes of each
// row by itself.
func TestMvApplyByRow(t *testing.T) {
	t.Parallel()
	const rows = 60
	table := arrays(rows)
	for _, ops := range []string{
		"mv-apply E = List on (summarize count(), sum(tolong(E.k)))",
		"mv-apply E = List on (where tolong(E.k) % 2 == 1 | summarize count(), make_list(E.s))",
		"mv-apply E = List on (where tolong(E.k) > 3)",
		"mv-apply E = List on (extend s = tostring(E.s) | where s endswith '1' | project s, n | extend both = strcat(s, n))",
		"mv-apply E = List on (where false)",
		"mv-apply E = List on (where false | summarize count())",
		"mv-apply E = List on (summarize c = count(), arg_max(tolong(E.k), E) by s = tostring(E.s) | where c > 0 | extend both = strcat(s, c))",
		"mv-apply E = List on (where tolong(E.k) % 2 == 0 | summarize l = make_list(E.s), t = take_any(User), m = maxif(tolong(E.k), n % 2 == 0) | where m > 2 or isnull(m) | project l, t, m, n2 = array_length(l))",
		"mv-apply E = List on (summarize count() by tostring(E.s), odd = tolong(E.k) % 2 | where odd == 1)",
		"mv-apply E = List on (where tolong(E.k) > 100000 | extend z = n > tolong(User) | summarize count(), max(z))",
		"mv-apply E = List on (summarize by n, E_k = tolong(E.k) % 3)",
		"mv-apply with_itemindex=i E = List on (summarize sum(i), dcount(tostring(E.s)), count_distinct(i % 2))",
		"mv-apply with_itemindex=i E = List on (extend at = i * n | where at > 3 | top 2 by at desc)",
		"mv-apply E = List on (where tolong(E.k) > 0 | extend s = tostring(E.s) | serialize | extend before = prev(s), at = row_number() | where at < 4 | project before, at)",
		"mv-apply E = List on (sort by tolong(E.k) desc | extend at = row_number() | where at <= 2)",
		"mv-apply E = List on (where tolong(E.k) < 3 | mv-expand L = E.l to typeof(long) | summarize sum(L) by tostring(E.s) | sort by E_s asc)",
		"mv-apply E = List on (extend k = tolong(E.k) | mv-apply L = E.l to typeof(long) on (where L > k | summarize most = max(L)) | summarize sum(most))",
		"mv-apply E = List, O = Other on (where isnotempty(E) | project E.k, O)",
		"mv-apply E = List on (distinct tostring(E.s) | count)",
		"mv-apply E = List limit 3 on (summarize make_list(E.k))",
		"mv-apply List on (where tolong(List.k) == 1 | project List = List.s, L = List)",
		"mv-apply E = List on (extend User = strcat(User, tostring(E.k)) | where User endswith '2')",
		"mv-apply E = List on (join kind=inner (T | where n < 3 | project m = n, s = '0-1') on $left.n == $right.m)",
		"mv-apply E = List on (where tolong(E.k) > toscalar(T | summarize min(n)) | summarize count())",
	} {
		t.Run(ops, func(t *testing.T) {
			t.Parallel()
			got := answerOf(t, "T | "+ops+" | project-away List, Other", table, 1, Limits{})
			var want strings.Builder
			for i := range rows {
				want.WriteString(answerOf(t, fmt.Sprintf("T | where n == %d | %s | project-away List, Other", i, ops), table, 1, Limits{}))
			}
			if got != want.String() {
				t.Errorf("%.600s\nrow by row:\n%.600s", got, want.String())
			}
			if strings.Count(got, "\n") == 0 && !strings.HasSuffix(ops, "(where false)") {
				t.Errorf("it gives %q", got)
			}
		})
	}
}

// TestMvApplyAtTheEdges has batches without any row that passes, and an array that makes
// more than a batch behind arrays that make nothing.
func TestMvApplyAtTheEdges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		query, want string
		rows        int
	}{
		{query: "union (datatable(a:long)[1]), (datatable(a:long, x:string)[2,'y']) | mv-apply e = pack_array(1) on (where a > 5 | where a == tolong(x)) | count", want: "long 0|\n"},
		{query: "datatable(n:long, t:datetime)[1, datetime(2026-01-02)] | extend x = strcat('2026', tostring(toscalar(print '-01-01'))) | mv-apply e = pack_array(1) on (where n < 0 | where t > todatetime(x)) | count", want: "long 0|\n"},
		{query: "T | extend x = strcat('2026', '-01-01') | mv-apply e = pack_array(1) on (where Few == 'q' | where TimeGenerated > todatetime(x)) | count", want: "long 0|\n"},
		{query: "T | where n == 3 | extend x = strcat('2026', '-01-01') | mv-apply e = pack_array(1) on (where Few == 'q' | where TimeGenerated > todatetime(x) | summarize c = count()) | project n, c", want: "long 3|long 0|\n"},
		{query: "range n from 1 to 2 step 1 | mv-apply x = iff(n == 2, range(1, 4097), dynamic([])) to typeof(long) on (summarize c = count())", want: "long 1|long 0|\nlong 2|long 4097|\n"},
		{query: "range n from 1 to 3 step 1 | mv-apply x = iff(n == 3, range(1, 4097), dynamic([])) to typeof(long) on (where x < 3) | project n, x", want: "long 3|long 1|\nlong 3|long 2|\n"},
		{query: "range n from 1 to 4000 step 1 | mv-apply x = pack_array(n) to typeof(long) on (summarize s = sum(x) | where s < 0) | count", want: "long 0|\n", rows: 3000},
	} {
		for _, workers := range []int{1, 4} {
			if got := answerOf(t, test.query, repeating(10), workers, Limits{Rows: test.rows}); got != test.want {
				t.Errorf("%s\ngives on %d goroutines\n%s\nwant\n%s", test.query, workers, got, test.want)
			}
		}
	}
}
