package kql

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestAggregateExamples(t *testing.T) {
	all := aggregates()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			a := all[name]
			if len(a.examples) == 0 || len(a.examples)%2 != 0 {
				t.Fatalf("%s() needs pairs of an expression and its value as examples", name)
			}
			for i := 0; i < len(a.examples); i += 2 {
				if !strings.Contains(a.examples[i], name+"(") {
					t.Errorf("%s is no example of %s()", a.examples[i], name)
				}
				for _, rows := range []string{exampleRows, "ExampleRows"} {
					out := runExample(t, rows+" | summarize "+a.examples[i], testTables().Table("ExampleRows"))
					var got []string
					for col := range out.Schema() {
						got = append(got, exampleText(out.Value(0, col)))
					}
					if text := strings.Join(got, ", "); text != a.examples[i+1] {
						t.Errorf("%s\n got %s\nwant %s", a.examples[i], text, a.examples[i+1])
					}
				}
				runExample(t, exampleRows+" | where false | summarize "+a.examples[i]) // and of nothing
			}
		})
	}
}

const aggregateColumnRows = `datatable(x:real, i:int, w:long)[1.5, 1, 10, 2.5, 2, 1] | `

var aggregateColumnQueries = []struct{ query, want string }{
	{aggregateColumnRows + "summarize percentile(x, 50), percentile(i, 95), percentiles(x, 5, 99.9), percentiles_array(x, 5, 10), percentilew(x, w, 50)",
		"percentile_x_50:real=1.5 percentile_i_95:long=2 percentile_x_5:real=1.5 percentile_x_99_9:real=2.5 percentiles_x:dynamic=[1.5,1.5] percentile_x_501:real=1.5"},
	{aggregateColumnRows + "summarize p = percentile(x, 50), q = percentiles(x, 5, 99.9), (r, s) = percentiles(x, 5, 99.9), round(percentile(x, 95), 1)",
		"p:real=1.5 q:real=1.5 percentile_x_99_9:real=2.5 r:real=1.5 s:real=2.5 Column1:real=2.5"},
	{aggregateColumnRows + "summarize stdev(x), variance(i), covariance(x, i), binary_all_or(i), make_list_with_nulls(i), makelist(i), cnt()",
		"stdev_x:real=0.7071067811865476 variance_i:real=0.5 covariance_x:real=0.5 i:int=3 list_i:dynamic=[1,2] list_i1:dynamic=[1,2] cnt_:long=2"},
	{aggregateColumnRows + "summarize toint(take_any(x)), any(i), tolong(arg_max(x)), arg_min(x, i)",
		"Column1:int=1 any_i:int=1 Column2:long=2 x:real=1.5 i:int=1"},
	{aggregateColumnRows + "summarize argmax(x, i, w + 1), argmin(w, x), argmin(-i, *)",
		"max_x:real=2.5 max_x_i:int=2 max_x_arg2:long=2 min_w:long=1 min_w_x:real=2.5 min_:long=-2 min__x:real=2.5 min__i:int=2 min__w:long=1"},
	{aggregateColumnRows + "summarize buildschema(pack_dictionary('a', x, 'b', dynamic([1, [true]]))), make_dictionary(pack_dictionary(tostring(i), w), 1)",
		"schema_:dynamic={\"a\":\"double\",\"b\":{\"`indexer`\":[\"long\",{\"`indexer`\":\"bool\"}]}} dictionary_:dynamic={\"1\":10}"},
	{"datatable(d:dynamic)[dynamic({\"a\":1}), dynamic({\"a\":[]}), dynamic({\"a\":{\"b\":null}}), dynamic(null), dynamic({\"a\":\"x\"}), dynamic({\"a\":2})] | summarize buildschema(d)",
		"schema_d:dynamic={\"a\":[\"long\",\"string\",{\"b\":null}]}"},
	{"datatable(d:dynamic)[] | summarize buildschema(d)", "schema_d:dynamic=null"},
}

func TestAggregateColumns(t *testing.T) {
	for _, c := range aggregateColumnQueries {
		out := runExample(t, c.query)
		var got []string
		for i, col := range out.Schema() {
			got = append(got, col.Name+":"+col.Type.String()+"="+exampleText(out.Value(0, i)))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, text, c.want)
		}
	}
}
