package look

import (
	"pushback/detect/kql/kqltest"
	"testing"
	"time"
)

// The official parser takes the queries, whatever the tables are called.
func TestQueriesAreKQL(t *testing.T) {
	t.Parallel()
	odd := `Odd's "table" \ é`
	columns := []kqltest.Column{{Name: "TimeGenerated", Type: "datetime"}, {Name: "Name", Type: "string"}, {Name: "Leg", Type: "string"}}
	all := Ask{
		Beginnings: []Beginning{{"Events", `Name == "x" or Name has "\\ | union"`}, {odd, ""}, {"Events", `Leg in ("a", "b")`}},
		Since:      at(1), From: at(2), To: at(3000), Width: 7 * time.Minute,
	}
	beyond := all
	beyond.Beyond = &Beyond{Frequency: 100 * time.Nanosecond, Period: 14 * 24 * time.Hour, After: time.Hour + 1234567*100}
	var queries []string
	for _, asks := range [][]Ask{nil, {all}, {beyond}, {all, beyond, all}} {
		queries = append(queries, Query(asks).Text)
	}
	for i, verdict := range kqltest.Ask(t, map[string][]kqltest.Column{"Events": columns, odd: columns}, queries) {
		types := map[string]string{}
		for _, c := range verdict.Columns {
			types[c.Name] = c.Type
		}
		if len(verdict.Diagnostics) > 0 || types["Leg"] != "long" || types["Stretches"] != "dynamic" || types["Asked"] != "datetime" || types["Excess"] != "timespan" || len(types) != 7 {
			t.Errorf("query %d: %v, %v\n%s", i, types, verdict.Diagnostics, queries[i])
		}
	}
}
