package kql

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A beginning has the conditions on a row of the table that stand before the first
// operator that looks at more than one row, wherever they are written, and none of
// what depends on more than the row.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	events := Schema{{"TimeGenerated", DateTime}, {"n", Long}, {"s", String}, {"id", String}, {"d", Dynamic}, {"x", Real}, {"b", Bool}}
	catalog := Catalog{Tables: map[string]Schema{"Events": events, "Other": {{"TimeGenerated", DateTime}, {"id", String}, {"s", String}}}}
	whole := []Beginning{{"Events", ""}}
	one := func(condition string) []Beginning { return []Beginning{{"Events", condition}} }
	for _, tc := range []struct {
		query string
		want  []Beginning
	}{
		{`Events`, whole},
		{`Events | where s == "a" | where n > 1 | summarize count() by id | where count_ > 3`, one(`s == "a" and n > 1`)},
		{`Events | where s == "a" or n > 1 and b`, one(`(s == "a" or n > 1 and b)`)},
		{`Events | extend Low = tolower(s), Twice = n * 2 | project Low, Twice, K = tostring(d.k) | where Low has "a" and Twice > 4 and K == "v"`, one(`tolower(s) has "a" and n * 2 > 4 and tostring(d.k) == "v"`)},
		{`Events | project-rename t = s | where t startswith "a" | project-away n | where b`, one(`s startswith "a" and b`)},
		{`Events | extend s = "over" | where s == "a" and n == 1`, nil},
		{`Events | parse s with "a" y "b" | where y == "1" and n > 2`, one(`n > 2`)},
		{`Events | mv-expand d | where d == 1 and n > 2`, one(`n > 2`)},
		{`Events | mv-apply v = d on (where v == 1 | summarize c = count()) | where c > 2 and n > 2`, one(`n > 2`)},
		{`union Events, Other | where id == "a" and n > 1`, []Beginning{{"Events", `id == "a" and n > 1`}, {"Other", `id == "a"`}}},
		{`union withsource=Source Events, Other | where Source == "Other" and id == "a"`, []Beginning{{"Other", `id == "a"`}}},
		{`let f = (t: string, p: string) { table(t) | where s == p }; union f("Events", "a"), f("Other", "b") | where id has "c"`, []Beginning{{"Events", `s == "a" and id has "c"`}, {"Other", `s == "b" and id has "c"`}}},
		{`let m = materialize(Events | where b); union (m | where n == 1), (m | where n == 2 | summarize take_any(*))`, []Beginning{{"Events", `b and n == 1`}, {"Events", `b and n == 2`}}},
		{`Events | where b | join kind=inner (Other | where s == "a") on id | where n == 1`, []Beginning{{"Events", `b`}, {"Other", `s == "a"`}}},
		{`Events | where b | sort by n asc | where prev(s) == "a" and n == 1`, one(`b`)},
		{`Events | serialize | extend p = prev(s) | where n == 1 and p == "a"`, whole},
		{`Events | where b | top 3 by n | where s == "a"`, one(`b`)},

		{`Events | where s == "a" and TimeGenerated > ago(1h) and n > hourofday(now())`, one(`s == "a"`)},
		{`Events | where s == "a" and ingestion_time() > ago(1h)`, one(`s == "a"`)},
		{`Events | extend Old = TimeGenerated < ago(1d) | where Old and b`, one(`b`)},
		{`Events | where hourofday(TimeGenerated) > 20 and b`, one(`b`)},
		{`Events | where id in (Other | where s == "x" | project id) and b`, []Beginning{{"Events", "b"}, {"Other", `s == "x"`}}},
		{`let most = toscalar(Other | summarize count()); Events | where n > most and b`, []Beginning{{"Events", "b"}, {"Other", ""}}},
		{`Events | where column_ifexists("New", "a") == "b" and column_ifexists("s", "a") == "b"`, one(`s == "b"`)},
		{`Events | extend New = column_ifexists("New", "a"), All = pack_all(), A = pack_array(*) | where New == "b" and tostring(All) has "c" and array_length(A) > 3 and b`, one(`b`)},
		{`Events | where s == "a"; `, one(`s == "a"`)},
		{`union (Events | where s == "a"), Events`, whole},
		{`Events | where id in (_GetWatchlist("w") | project SearchKey) and b`, one(`b`)},
		{`let w = _GetWatchlist("w") | where Level == "high"; Events | where b | join kind=inner w on $left.id == $right.Account | where n > 2`, one(`b`)},
		{`let bad = Other | project id; _GetWatchlist("w") | where SearchKey in (bad)`, []Beginning{{"Other", ""}}},
		{`_GetWatchlist("w") | where SearchKey == "a"`, nil},
		{`Events | where s == "it's \"x\" \\ | union Other //" and n in (1, 2) and d.a["b c"] == 1`, one(`s == "it's \"x\" \\ | union Other //" and n in (1, 2) and todynamic(d.a["b c"]) == 1`)},
		{`print 1`, nil},
		{`datatable(a: long)[1] | where a == 2`, nil},
	} {
		got, err := catalog.Beginnings(tc.query)
		if err != nil {
			t.Errorf("%s: %v", tc.query, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.query, diff)
		}
	}
	for query, want := range map[string]string{
		`Events | where`: "",
		`union isfuzzy=true Events, Elsewhere_CL`: "nothing is known of the table Elsewhere_CL",
		`union * | where s == "a"`:                "which tables * stands for",
		`Nowhere | where s == "a"`:                "Nowhere",
	} {
		if got, err := catalog.Beginnings(query); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", query, got, err)
		}
	}
}

// Without the rows that no beginning lets through, a query gives the same answer.
// Each condition is itself a query that both parsers take.
func TestBeginningsSeeEnough(t *testing.T) {
	t.Parallel()
	db := testTables()
	catalog := Catalog{Tables: schemasOf(db), Watchlists: db.Watchlists}
	var conditions []string
	selective := 0
	for _, query := range seedQueries(t)[:len(seedQueries(t))-len(runAwayQueries())] {
		beginnings, err := catalog.Beginnings(query)
		if err != nil {
			continue
		}
		before, err := Run(context.Background(), query, db, Options{Now: testNow})
		if err != nil {
			continue
		}
		let := map[string][]string{}
		for _, b := range beginnings {
			condition := b.Condition
			if condition == "" {
				condition = "true"
			} else {
				selective++
				conditions = append(conditions, b.Table+" | where "+condition)
			}
			let[b.Table] = append(let[b.Table], "("+condition+")")
		}
		var fewer []*Table
		for _, name := range db.Names() {
			text := name + " | where false"
			if list := let[name]; list != nil {
				text = name + " | where " + strings.Join(list, " or ")
			}
			left, err := Run(context.Background(), text, db, Options{Now: testNow})
			if err != nil {
				t.Errorf("%s: %s: %v", query, text, err)
				continue
			}
			left.name = name
			fewer = append(fewer, left)
		}
		without := NewDatabase(fewer...)
		without.Watchlists = db.Watchlists
		after, err := Run(context.Background(), query, without, Options{Now: testNow})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if diff := cmp.Diff(textOf(before), textOf(after)); diff != "" {
			t.Errorf("%s with %v (-all rows +those let through):\n%s", query, beginnings, diff)
		}
	}
	t.Logf("%d selective beginnings", selective)
	if selective < 20 {
		t.Errorf("only %d of the queries' beginnings are selective", selective)
	}
	for i, v := range askOfficialParser(t, catalog.Tables, conditions) {
		if len(v.errors()) > 0 {
			t.Errorf("%s: %v", conditions[i], v.errors())
		}
	}
}

// textOf writes a table for comparing.
func textOf(t *Table) string {
	var sb strings.Builder
	for row := range t.Rows() {
		for col := range t.Schema() {
			fmt.Fprintf(&sb, "%q ", t.Value(row, col).String())
		}
		sb.WriteString("\n")
	}
	return sb.String()
}

// A condition names columns so that the official parser knows them too, whatever
// they are called.
func TestBeginningsNameColumns(t *testing.T) {
	t.Parallel()
	catalog := Catalog{Tables: KnownTables()}
	ordinary := regexp.MustCompile(`^[A-Z][A-Za-z0-9_]*$`) // no word of the language begins with a capital letter
	asked := map[string]Schema{}
	var conditions []string
	for _, table := range slices.Sorted(maps.Keys(catalog.Tables)) {
		columns := slices.DeleteFunc(slices.Clone(catalog.Tables[table]), func(c ColumnSchema) bool { return ordinary.MatchString(c.Name) })
		for columns := range slices.Chunk(columns, 60) {
			parts := make([]string, len(columns))
			for i, c := range columns {
				parts[i] = `isnotempty(tostring([` + quoted(c.Name) + `]))`
			}
			beginnings, err := catalog.Beginnings(table + " | where " + strings.Join(parts, " and "))
			if err != nil {
				t.Errorf("%s: %v", table, err)
				continue
			}
			if beginnings[0].Condition == "" && !slices.ContainsFunc(columns, func(c ColumnSchema) bool { return c.Name == generatedColumn }) {
				t.Errorf("%s: the condition is left out: %v", table, parts)
			}
			conditions = append(conditions, beginnings[0].Query())
			asked[table] = catalog.Tables[table]
		}
	}
	for i, v := range askOfficialParser(t, asked, conditions) {
		if len(v.errors()) > 0 {
			t.Errorf("%s: %v", conditions[i], v.errors())
		}
	}
}
