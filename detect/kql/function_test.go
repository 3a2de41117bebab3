package kql

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// exampleTime is what now() gives in the examples.
var exampleTime = time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)

func runExample(t *testing.T, query string, tables ...*Table) *Table {
	t.Helper()
	out, err := Run(context.Background(), query, NewDatabase(tables...), Options{Now: exampleTime})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// exampleText is a value as the examples write it.
func exampleText(v Value) string {
	if v.IsNull() {
		return "null"
	}
	return v.String()
}

// eachExample calls f with every example of the scalar functions.
func eachExample(t *testing.T, f func(t *testing.T, fn *scalarFunction, expression, want string)) {
	all := scalarFunctions()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fn := all[name]
		t.Run(name, func(t *testing.T) {
			if name == "bin_auto" {
				return // it needs a set statement: see binAutoQueries
			}
			if len(fn.examples) == 0 || len(fn.examples)%2 != 0 {
				t.Fatalf("%s() needs pairs of an expression and its value as examples", name)
			}
			for i := 0; i < len(fn.examples); i += 2 {
				f(t, fn, fn.examples[i], fn.examples[i+1])
			}
		})
	}
}

func TestFunctionExamples(t *testing.T) {
	b := NewTableBuilder("ExampleLogs", Schema{{generatedColumn, DateTime}})
	b.SetText(0, []byte(exampleTime.Format(time.RFC3339)))
	b.Commit()
	logs := b.Build()
	eachExample(t, func(t *testing.T, fn *scalarFunction, expression, want string) {
		if !strings.Contains(expression, fn.name+"(") {
			t.Errorf("%s is no example of %s()", expression, fn.name)
		}
		if got := exampleText(runExample(t, "print x = "+expression, logs).Value(0, 0)); got != want {
			t.Errorf("%s\n got %s\nwant %s", expression, got, want)
		}
	})
}

// functionRefusals say at which token a query is refused.
var functionRefusals = []struct{ query, at, message, official string }{
	{query: "print x = format_datetime(now(), 'yyyy-MM-ddTHH')", at: "'yyyy-MM-ddTHH'", message: "does not know 'THH'", official: "the parser does not look into a format"},
	{query: "print x = datetime_part('fortnight', now())", at: "'fortnight'", message: "must be one of year"},
	{query: "print x = extract_all('a', 'b')", at: "'a'", message: "must have a group", official: "the parser does not look into a regular expression"},
	{query: "print x = extract_all('(a)', dynamic([2]), 'b')", at: "dynamic([2])", message: "has no group '2'", official: "the parser does not look into a regular expression"},
	{query: "print x = extract('a', 0, 'b', typeof(number))", at: "number", message: "expected a type"},
	{query: "print x = strlen(typeof(long))", at: "typeof(long)", message: "a value, and not a type"},
	{query: "print x = array_length(array_sort_asc(dynamic([1]), dynamic([2])))", at: "array_sort_asc(dynamic([1]), dynamic([2]))", message: "must be an array"},
	{query: "print x = array_sort_asc(dynamic([1]), dynamic([2]))", at: "array_sort_asc(dynamic([1]), dynamic([2]))", message: "several values", official: "the parser takes the first of several values"},
	{query: "print (x, y, z) = array_sort_asc(dynamic([1]), dynamic([2]))", at: "z", message: "2 values, and 3 names"},
	{query: "print (x, y) = 1", at: "(x, y) = 1", message: "one value"},
	{query: "print x = set_union(dynamic([1]))", at: "set_union(dynamic([1]))", message: "at least 2 arguments"},
	{query: "print x = binary_and(1.5, 2)", at: "1.5", message: "must be an integer"},
	{query: "print x = bin_at(1h, 2, 3h)", at: "bin_at(1h, 2, 3h)", message: "fixed point", official: "the parser does not ask how the types of the arguments go together"},
	{query: "print x = around(1, 1h, 2)", at: "around(1, 1h, 2)", message: "compares numbers", official: "the parser does not ask how the types of the arguments go together"},
	{query: "print x = range(1, 1h)", at: "range(1, 1h)", message: "goes from", official: "the parser does not ask how the types of the arguments go together"},
	{query: "print x = hash_many(1, 2)", at: "hash_many", message: "not supported"},
	{query: "print x = countof('a', 'b', 'c')", at: "'c'", message: "'normal' or 'regex'"},
	{query: "print x = extract_json('a', '{}')", at: "'a'", message: "not a path", official: "the parser does not look into a path"},
	{query: "print x = bag_pack_columns(1)", at: "1", message: "must be columns"},
	{query: "print x = series_add(1, 2)", at: "series_add", message: "must be a dynamic array"},
	{query: "print x = series_add('a', dynamic([1]))", at: "'a'", message: "a dynamic array or a number", official: "the parser names the function"},
	{query: "print x = series_dot_product(1, 2)", at: "series_dot_product", message: "must be a dynamic array"},
	{query: "print x = series_decompose_anomalies(dynamic([1]), '1')", at: "'1'", message: "must be a number"},
	{query: "print x = series_decompose_anomalies(dynamic([1]), 1.5, 2.5)", at: "2.5", message: "must be an integer"},
	{query: "print x = series_abs('a')", at: "'a'", message: "a dynamic array"},
	{query: "print x = 1 | extend y = series_stats(dynamic([1]), x > 1)", at: "x > 1", message: "must be a constant"},
	{query: "print x = series_abs(series_decompose(dynamic([1])))", at: "series_decompose(dynamic([1]))", message: "must be an array"},
	{query: "print x = dynamic([1]) | where series_stats(x) > 1", at: ">", message: "several values"},
	{query: "print x = geo_point_in_polygon(1, 2, dynamic({}))", at: "geo_point_in_polygon", message: "not supported"},
	{query: "print x = hash_combine(1, 2)", at: "hash_combine", message: "not published"},
	{query: "print x = rand(0)", at: "0", message: "at least 1", official: "the parser does not ask what the number is"},
	{query: "print x = assert(1 > 2, 'no')", at: "assert(1 > 2, 'no')", message: "assert() failed with message: 'no'", official: "the parser does not run queries"},
	{query: "print x = bin_auto(5)", at: "bin_auto(5)", message: "query_bin_auto_size", official: "the parser does not ask for the options"},
	{query: "print x = estimate_data_size(1)", at: "1", message: "columns"},
}

func TestFunctionRefusals(t *testing.T) {
	for _, c := range functionRefusals {
		_, err := Run(context.Background(), c.query, NewDatabase(), Options{Now: exampleTime})
		var e *Error
		if !errors.As(err, &e) || e.Token != c.at || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s\n got %+v\nwant '%s' at %s", c.query, err, c.message, c.at)
		}
	}
}

// An element of what has no name is called as the element is.
func TestNamesOfElements(t *testing.T) {
	out := runExample(t, "print u = 'x' | project parse_url(u).Host, parse_url(u)['Host'], extract_all('(a)', u)[0], toint(parse_url(u).Port), parse_json(strcat(u)).b.c[2], split(u, ',')[0]")
	var got []string
	for _, c := range out.Schema() {
		got = append(got, c.Name)
	}
	if text := strings.Join(got, " "); text != "Host Host1 0 Port b_c_2 u_0" {
		t.Errorf("got %s", text)
	}
}

var severalValuesQueries = []struct{ query, want string }{
	{"let a = dynamic([2,1]); let b = dynamic(['x','y']); print array_sort_asc(a, b)", "a_sorted=[1,2] b_sorted=[\"y\",\"x\"]"},
	{"print array_sort_desc(dynamic([1,2]), dynamic([3,4]))", "array0_sorted=[2,1] array1_sorted=[4,3]"},
	{"print a = dynamic([2,1]) | extend array_sort_asc(a, a)", "a=[2,1] a_sorted=[1,2] a_sorted1=[1,2]"},
	{"print a = dynamic([2,1]) | project x = array_sort_asc(a, dynamic([3,4]))", "x=[1,2] array1_sorted=[4,3]"},
	{"print a = dynamic([2,1]) | extend (a, y) = array_sort_asc(a, dynamic([3,4]))", "a=[1,2] y=[4,3]"},
	{"print x = array_sort_asc(dynamic([2,1]), dynamic([3,4]))[1]", "x=[4,3]"},
	{"print array_sort_asc(dynamic([2,1]))", "print_0=[1,2]"},
}

func TestSeveralValues(t *testing.T) {
	for _, c := range severalValuesQueries {
		out := runExample(t, c.query)
		var got []string
		for i, col := range out.Schema() {
			got = append(got, col.Name+"="+exampleText(out.Value(0, i)))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, text, c.want)
		}
	}
}
