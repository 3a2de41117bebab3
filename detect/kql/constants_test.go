package kql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// A value must not depend on whether an expression is folded when it is bound
// or evaluated over the rows of a table. So each literal of an expression is
// replaced by a column that holds its value, alone and together with the
// others, wherever the language lets a column stand.

// comparison is an expression, and the queries that must give the same for it.
type comparison struct {
	folded string   // over no table
	over   []string // over Arguments
	table  *Table
}

// compareLiterals makes the comparison of an expression within a query, which
// has before as its start. It is nil if the query is not just that.
func compareLiterals(t *testing.T, before, expression, over string) *comparison {
	t.Helper()
	text := before + expression
	if _, err := Check(text, nil); err != nil {
		return nil
	}
	lets, body := parseQuery(text)
	if len(lets) > 0 || body.pos().start != 0 || body.pos().end != len(text) {
		return nil
	}
	var at []span
	for _, s := range literalsIn(body) {
		if s.start >= len(before) {
			at = append(at, s)
		}
	}
	c := &comparison{folded: text}
	var schema Schema
	var cols []*vector
	for i, s := range at {
		val, err := runTestQuery("print x = " + text[s.start:s.end])
		if err != nil {
			return nil // a literal only where it stands
		}
		typ := val.Schema()[0].Type
		v := newVector(typ, 3) // nulls in the second row, over which no function may stumble
		v.set(0, val.Value(0, 0))
		v.setNull(1)
		v.set(2, val.Value(0, 0))
		schema, cols = append(schema, ColumnSchema{fmt.Sprintf("arg%d", i), typ}), append(cols, v)
	}
	c.table = newTable("Arguments", schema, cols, 3)
	with := func(replaced ...int) {
		edited := text
		for _, i := range slices.Backward(replaced) {
			edited = edited[:at[i].start] + fmt.Sprintf(" arg%d ", i) + edited[at[i].end:]
		}
		c.over = append(c.over, over+edited[len(before):])
	}
	var all []int
	for i := range at {
		with(i)
		all = append(all, i)
	}
	if len(at) > 1 {
		with(all...)
	}
	return c
}

// literalsIn lists where the literals in a tree are, in order.
func literalsIn(n node) (at []span) {
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface, reflect.Pointer:
			if !v.IsNil() {
				visit(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				visit(v.Index(i))
			}
		case reflect.Struct:
			isLiteral := v.Type() == reflect.TypeFor[literal]()
			if v.Type() == reflect.TypeFor[signed]() { // a literal with a sign is one
				isLiteral = v.FieldByName("of").Elem().Type() == reflect.TypeFor[*literal]()
			}
			if isLiteral {
				s := v.FieldByName("span")
				at = append(at, span{int(s.Field(0).Int()), int(s.Field(1).Int())})
				return
			}
			for i := range v.NumField() {
				visit(v.Field(i))
			}
		}
	}
	visit(reflect.ValueOf(n))
	slices.SortFunc(at, func(a, b span) int { return a.start - b.start })
	return at
}

// run compares, and says how many of the queries over columns were accepted.
func (c *comparison) run(t *testing.T) (compared int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	opts := Options{Now: testNow, Limits: Limits{Rows: 2000, Bytes: 256 << 20}}
	run := func(query string, db *Database) *Table {
		out, err := Run(ctx, query, db, opts)
		var queryError *Error
		var limit *LimitError
		if err != nil && !errors.As(err, &queryError) && !errors.As(err, &limit) {
			t.Fatalf("%q: %v", query, err)
		}
		return out
	}
	folded := run(c.folded, NewDatabase())
	if folded == nil || folded.Rows() == 0 {
		return 0
	}
	for _, query := range c.over {
		over := run(query, NewDatabase(c.table))
		if over == nil || len(over.Schema()) != len(folded.Schema()) {
			continue
		}
		compared++
		for i, want := range folded.Schema() {
			for row := range over.Rows() {
				if folded.Rows() == 1 && row == 1 {
					continue // the nulls
				}
				got := over.Schema()[i].Type.String() + " " + renderValue(over.Value(row, i))
				if want := want.Type.String() + " " + renderValue(folded.Value(min(row, folded.Rows()-1), i)); got != want {
					t.Fatalf("%s\n gives %s\n%s\n gives %s", c.folded, want, query, got)
				}
			}
		}
	}
	return compared
}

// unlikeColumns are functions whose value depends on more than their
// arguments.
var unlikeColumns = []string{"rand(", "new_guid(", "pack_all("}

func compareScalar(t *testing.T, expression string) *comparison {
	if slices.ContainsFunc(unlikeColumns, func(f string) bool { return strings.Contains(expression, f) }) {
		return nil
	}
	return compareLiterals(t, "print x = ", expression, "Arguments | project x = ")
}

// compareAggregate is over three rows of a constant, whichever way it comes.
func compareAggregate(t *testing.T, expression string) *comparison {
	if strings.Contains(expression, "*") {
		return nil // the columns are among those that it stands for
	}
	const rows = "range x from 1 to 3 step 1 | extend s = 'b', d = dynamic({'p':1}) | "
	return compareLiterals(t, rows+"summarize ", expression,
		rows+"extend k = 1 | join kind=inner (Arguments | take 1 | extend k = 1) on k | summarize ")
}

func TestFunctionExamplesOverColumns(t *testing.T) {
	t.Parallel()
	eachExample(t, func(t *testing.T, fn *scalarFunction, expression, _ string) {
		c := compareScalar(t, expression)
		if c == nil {
			return
		}
		if compared := c.run(t); compared == 0 && len(c.over) > 0 && fn.special == nil && !fn.allConstant() {
			t.Errorf("%s: no column can stand in it", expression)
		}
	})
}

// allConstant says whether no argument may depend on the row.
func (f *scalarFunction) allConstant() bool {
	return !slices.ContainsFunc(f.params, func(p param) bool { return !p.constant && p.kind != "type" })
}

func FuzzConstants(f *testing.F) {
	for _, c := range slices.Concat(allExpressions...) {
		f.Add(c.expression)
	}
	for _, name := range slices.Sorted(maps.Keys(scalarFunctions())) {
		for example := range slices.Chunk(scalarFunctions()[name].examples, 2) {
			f.Add(example[0])
		}
	}
	f.Fuzz(func(t *testing.T, expression string) {
		if c := compareScalar(t, expression); c != nil {
			c.run(t)
		}
	})
}

func FuzzAggregateConstants(f *testing.F) {
	for _, name := range slices.Sorted(maps.Keys(aggregates())) {
		for example := range slices.Chunk(aggregates()[name].examples, 2) {
			f.Add(example[0])
		}
	}
	for _, more := range []string{
		"max(5), min('a'), sum(1h), avg(2.5)", "make_list('a'), make_set(1), make_bag(dynamic({'a':1}))", "countif(1 == 1), sumif(2, x > 1)",
		"arg_max(1, 'a', dynamic([1]))", "take_any('a', 1.5)", "dcountif('a', true)", "count_distinct(guid(74be27de-1e4e-49d9-b579-fe0b331d3642))",
		"percentile(7, 50), percentiles_array(1d, 5, 95)", "stdev(1.5) + variance(2)", "max(1) by s", "count() by bin(x, 2)", "sum(decimal(1.5)), avg(decimal(2))",
	} {
		f.Add(more)
	}
	f.Fuzz(func(t *testing.T, expression string) {
		if c := compareAggregate(t, expression); c != nil {
			c.run(t)
		}
	})
}
