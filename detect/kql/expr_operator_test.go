package kql

import (
	"fmt"
	"strings"
	"testing"
)

// The right side of and and or gives the same whether it is evaluated for every
// row or only where the left side leaves it open, for nulls too.
func TestRightSideOfAndAndOr(t *testing.T) {
	t.Parallel()
	const texts = `"true", "false", ""`
	for _, most := range []string{"true", "false", ""} {
		var rows []string
		for _, a := range strings.Split(texts, ", ") {
			for _, b := range strings.Split(texts, ", ") {
				rows = append(rows, a+", "+b)
			}
		}
		for range 40 { // so that for most rows the left side says all
			rows = append(rows, fmt.Sprintf("%q, %q", most, "true"))
		}
		query := "datatable(a: string, b: string)[" + strings.Join(rows, ", ") + `]
			| extend x = tobool(a), y = tobool(b)
			| extend both = x and tobool(b), either = x or tobool(b), nested = x and (y or tobool(b)) or not(x) and tobool(b)
			| extend wantBoth = case(a == "false" or b == "false", "false", a == "" or b == "", "", "true"),
				wantEither = case(a == "true" or b == "true", "true", a == "" or b == "", "", "false")
			| where tostring(both) !~ wantBoth or tostring(either) !~ wantEither
				or isnotnull(x) and isnotnull(y) and nested != y
			| count`
		got, err := runTestQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if n := got.Value(0, 0).String(); n != "0" {
			t.Errorf("most of the left side are %q: %s rows differ", most, n)
		}
	}
}
