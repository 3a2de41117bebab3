package kql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The language tests are tables of expressions and of queries, one table per
// area, with what the reference says they give. TestOfficialParser asks the
// official parser about all of them.

// expressionCase is a scalar expression with its type and value.
type expressionCase struct {
	expression string
	want       string // the type and the value, as render writes it
	official   string // why the official parser says otherwise, if it does
}

func (c expressionCase) query() string { return "print x = " + c.expression }

// queryCase is a query over testTables with its columns and rows, or with the
// error that it gets.
type queryCase struct {
	query    string
	want     string // as render writes it, without regard to indentation
	err      string // "line:column message", or the start of it
	official string
}

var (
	testNow = time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)

	allExpressions = [][]expressionCase{
		literalExpressions, arithmeticExpressions, nullExpressions, comparisonExpressions, stringExpressions, listExpressions,
		conversionExpressions, datetimeExpressions, dynamicExpressions, conditionExpressions, textFunctionExpressions,
		mathExpressions, deviceExpressions,
	}
	allQueries = [][]queryCase{
		namingQueries, summarizeQueries, aggregateQueries, joinQueries, unionQueries, sortQueries, mvExpandQueries,
		projectQueries, letQueries, sourceQueries, whereQueries, parseQueries, parseKVQueries, mvApplyQueries,
		mvExpandFormQueries, windowQueries, sharedQueries, bagUnpackQueries, ingestionTimeQueries, renderQueries,
		getSchemaQueries, reorderQueries, watchlistQueries,
		forkQueries, binAutoQueries, searchQueries, scanQueries, partitionQueries, topNestedQueries, pluginQueries, consumeQueries,
		toScalarQueries, namedArgumentQueries, numberingQueries, oldFormQueries, patternQueries, batchQueries,
	}
)

// testTables gives the tables that the language tests query.
func testTables() *Database {
	table := func(name string, schema Schema, rows ...[]any) *Table {
		b := NewTableBuilder(name, schema)
		for _, row := range rows {
			for i, cell := range row {
				switch cell := cell.(type) {
				case nil:
				case string:
					if schema[i].Type == Dynamic {
						b.SetJSON(i, []byte(cell))
					} else if !b.SetText(i, []byte(cell)) {
						panic("bad cell " + cell)
					}
				case int:
					b.SetLong(i, int64(cell))
				case float64:
					b.SetReal(i, cell)
				case bool:
					b.SetBool(i, cell)
				}
			}
			b.Commit()
		}
		return b.Build()
	}
	db := NewDatabase(
		table("T", Schema{
			{"s", String}, {"n", Long}, {"i", Int}, {"r", Real}, {"b", Bool}, {"d", Dynamic}, {"t", DateTime}, {"ts", TimeSpan}, {"g", GUID}, {"m", Decimal},
		},
			[]any{"alpha", 1, 10, 1.5, true, `{"a":{"b":"x"},"list":[1,2]}`, "2026-03-17T09:00:00Z", "01:00:00", "74be27de-1e4e-49d9-b579-fe0b331d3642", "1.5"},
			[]any{"Beta", 2, 20, 2.5, false, `["p","q","r"]`, "2026-03-17T09:30:00Z", "00:30:00", nil, "2.25"},
			[]any{"", nil, nil, nil, nil, nil, nil, nil, nil, nil},
		),
		table("U", Schema{{"s", String}, {"n", Long}, {"x", Real}},
			[]any{"alpha", 1, 0.5}, []any{"alpha", 7, 0.25}, []any{"gamma", 2, 8.0},
		),
		table("Events", Schema{{"TimeGenerated", DateTime}, {"User", String}, {"Code", String}, {"Details", Dynamic}},
			[]any{"2026-03-17T08:00:00Z", "ann", "500121", `{"reason":"denied"}`},
			[]any{"2026-03-17T08:10:00Z", "ann", "0", `{"reason":null}`},
			[]any{"2026-03-17T09:00:00Z", "bob", "500121", `{"reason":"fraud report"}`},
			[]any{"2026-03-17T09:59:00Z", "ann", "500121", nil},
		),
		table("Scores", Schema{{"who", String}, {"n", Long}, {"i", Int}, {"points", Dynamic}, {"d", Dynamic}},
			[]any{"ann", 1, 10, `[5,7,9]`, `{"b":1,"a":"x"}`}, []any{"bob", 2, 20, `[]`, `{"b":2.5,"c":[1]}`}, []any{"", nil, nil, nil, nil},
		),
		table("Logons", Schema{{"TimeGenerated", DateTime}, {"User", String}},
			[]any{"2026-03-17T08:00:00Z", "ann"}, []any{"2026-03-17T09:00:00Z", "bob"}, []any{"2026-03-17T09:10:00Z", "bob"},
		),
		table("Audits", Schema{{"TimeGenerated", DateTime}, {"_TimeReceived", DateTime}, {"User", String}},
			[]any{"2026-03-17T08:00:00Z", "2026-03-17T08:05:00Z", "ann"},
		),
		table("ExampleLogs", Schema{{"TimeGenerated", DateTime}}, []any{"2026-03-17T10:00:00Z"}),
		table("ExampleRows", Schema{{"x", Long}, {"s", String}, {"d", Dynamic}},
			[]any{1, "a", `{"p":1}`}, []any{2, "b", `{"q":2}`}, []any{2, "b", `{"p":3}`}, []any{nil, "", nil},
		),
	)
	db.Watchlists = func(alias string) (*Table, error) {
		if alias != "VIPs" {
			return nil, fmt.Errorf("there is no watchlist '%s'; there is VIPs", alias)
		}
		return table(alias, Schema{{"User", String}, {"TimeGenerated", DateTime}}, []any{"bob", "2001-01-01"}), nil
	}
	return db
}

// testQuery is a query of any of the tests.
type testQuery struct {
	query    string
	refused  bool
	official string // why the official parser says otherwise, if it does
}

// testQueries are all of them: what the fuzz tests start from, and what the
// official parser is asked about.
func testQueries(t testing.TB) []testQuery {
	var all []testQuery
	accepted := func(query string) { all = append(all, testQuery{query: query}) }
	for _, c := range slices.Concat(allExpressions...) {
		all = append(all, testQuery{query: c.query(), official: c.official})
	}
	for _, c := range slices.Concat(allQueries...) {
		all = append(all, testQuery{c.query, c.err != "", c.official})
	}
	for _, c := range refusedQueries {
		all = append(all, testQuery{c.query, true, c.official})
	}
	for _, c := range functionRefusals {
		all = append(all, testQuery{c.query, true, c.official})
	}
	for _, c := range receivedQueries {
		accepted(c.query)
	}
	for _, c := range seriesQueries {
		all = append(all, testQuery{c.query, false, c.official})
	}
	for _, c := range seriesRefusals {
		all = append(all, testQuery{c.query, true, c.official})
	}
	for _, c := range slices.Concat(severalValuesQueries, aggregateColumnQueries) {
		accepted(c.query)
	}
	for _, name := range slices.Sorted(maps.Keys(scalarFunctions())) {
		for example := range slices.Chunk(scalarFunctions()[name].examples, 2) {
			accepted("print x = " + example[0])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(aggregates())) {
		for example := range slices.Chunk(aggregates()[name].examples, 2) {
			accepted(exampleRows + " | summarize " + example[0])
			accepted("ExampleRows | summarize " + example[0]) // which can be in pieces
		}
	}
	for _, file := range referenceFiles {
		for _, c := range referenceCases(t, file) {
			if wrongInReference[c.ID] == "" {
				accepted(c.Query)
			}
		}
	}
	return all
}

func runTestQuery(query string) (*Table, error) {
	return Run(context.Background(), query, testTables(), Options{Now: testNow})
}

// render writes the columns and the rows of a table, one row per line.
func render(t *Table) string {
	var sb strings.Builder
	for i, c := range t.Schema() {
		if i > 0 {
			sb.WriteString(", ")
		}
		sb.WriteString(c.Name + ":" + c.Type.String())
	}
	for row := range t.Rows() {
		sb.WriteByte('\n')
		for col := range t.Schema() {
			if col > 0 {
				sb.WriteString(" | ")
			}
			sb.WriteString(renderValue(t.Value(row, col)))
		}
	}
	return sb.String()
}

func renderValue(v Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.kind == String && v.s == "":
		return "''"
	}
	return v.String()
}

// unindented drops the indentation and the blank ends of a literal.
func unindented(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSpace(l)
	}
	return strings.Join(lines, "\n")
}

func TestExpressions(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(allExpressions...) {
		t.Run(c.expression, func(t *testing.T) {
			t.Parallel()
			out, err := runTestQuery(c.query())
			if err != nil {
				t.Fatal(err)
			}
			got := out.Schema()[0].Type.String() + " " + renderValue(out.Value(0, 0))
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestQueries(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(allQueries...) {
		t.Run(c.query, func(t *testing.T) {
			t.Parallel()
			out, err := runTestQuery(c.query)
			var refused *Error
			switch {
			case c.err != "" && !errors.As(err, &refused):
				t.Fatalf("got the error %v, want an *Error: %s", err, c.err)
			case c.err != "":
				if got := fmt.Sprintf("%d:%d %s", refused.Line, refused.Column, refused.Message); !strings.HasPrefix(got, c.err) {
					t.Errorf("got the error %q, want %q", got, c.err)
				}
				return
			case err != nil:
				t.Fatal(err)
			}
			if diff := cmp.Diff(unindented(c.want), render(out)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A value must not depend on whether an expression is folded when it is bound
// or evaluated row by row.
func TestFoldedExpressionsAreTheSameOverRows(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(allExpressions...) {
		folded, err := runTestQuery(c.query())
		if err != nil {
			t.Errorf("%s: %v", c.expression, err)
			continue
		}
		// The predicate depends on the row, so the branch is evaluated there.
		rows, err := runTestQuery("range i from 1 to 2 step 1 | extend x = " + c.expression + " | where i > 1 | project x")
		if err != nil {
			t.Errorf("%s over rows: %v", c.expression, err)
			continue
		}
		if diff := cmp.Diff(render(folded), render(rows)); diff != "" {
			t.Errorf("%s: -folded +rows:\n%s", c.expression, diff)
		}
	}
}
