package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	values := map[string]string{"User": "ana@contoso.com", "IP": "198.51.100.7", "Blank": " ", "Brace": "{{User}}"}
	tests := []struct {
		text    string
		columns []string
		want    string
		ok      bool
	}{
		{"", nil, "", false},
		{" by {{User}}\n", []string{"User"}, "by ana@contoso.com", true},
		{" \n", nil, "", false},
		{"no column", nil, "no column", true},
		{"{{User}}", []string{"User"}, "ana@contoso.com", true},
		{"by {{User}} from {{ IP }}.", []string{"User", "IP"}, "by ana@contoso.com from 198.51.100.7.", true},
		{"{{User}}{{User}}", []string{"User"}, "ana@contoso.comana@contoso.com", true},
		{"by {{Missing}}", []string{"Missing"}, "", false},
		{"by {{Blank}}", []string{"Blank"}, "", false},
		{"one } and { and }} stay", nil, "one } and { and }} stay", true},
		{"{{Brace}}", []string{"Brace"}, "{{User}}", true}, // a value is never read as a format
		{"größer {{User}} 漢", []string{"User"}, "größer ana@contoso.com 漢", true},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			f, err := ParseFormat(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.columns, f.Columns()); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			got, ok := f.Render(func(column string) (string, bool) { v, ok := values[column]; return v, ok })
			if got != test.want || ok != test.ok {
				t.Errorf("got %q, %v; want %q, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestFormatErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"by {{User":        `the {{ before "User" has no }}`,
		"by {{}}":          "names no column",
		"by {{  }}":        "names no column",
		"by {{A {{B}} c}}": "a {{ inside of",
	} {
		if _, err := ParseFormat(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
}
