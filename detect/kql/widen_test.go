package kql

import (
	"context"
	"testing"
)

func TestWithColumns(t *testing.T) {
	t.Parallel()
	b := NewTableBuilder("T", Schema{{"extra", String}, {"b", Long}})
	for i := range 3 {
		b.SetLong(1, int64(i))
		b.SetString(0, []byte("x"))
		b.Commit()
	}
	wide := b.Build().WithColumns(Schema{{"a", String}, {"b", Long}, {"c", Dynamic}, {"d", DateTime}})
	db := NewDatabase(wide)
	if s := wide.Schema(); len(s) != 5 || s[4].Name != "extra" || s[2].Type != Dynamic {
		t.Errorf("schema %v", s)
	}
	for query, want := range map[string]string{
		"T | where isempty(a) and isnull(c) and isnull(d) | count":                   "3",
		"T | where b > 0 | project x = strcat(a, extra, b) | summarize make_list(x)": `["x1","x2"]`,
		"T | sort by b desc | take 1 | project tostring(c.x)":                        "",
		"T | join kind=inner T on b | summarize countif(isnull(d))":                  "3",
		"T | summarize count() by a, d | project count_":                             "3",
	} {
		out, err := Run(context.Background(), query, db, Options{})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := out.Value(0, 0).String(); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
