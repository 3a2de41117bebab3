package rule

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse checks that no file makes Parse fail without a word, and that every
// place it names is in the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fullRule))
	f.Add(defaultYAML)
	f.Add([]byte(scheduled))
	f.Add([]byte(strings.ReplaceAll("\ufeff"+fullRule, "\n", "\r\n")))
	f.Add([]byte(aliasBomb()))
	f.Add([]byte("id: &a [*a]\n"))
	f.Add([]byte("? {a: b}\n: - c\n---\n"))
	f.Add([]byte("a: 'b\n\tc\u2028"))
	for _, style := range queryStyles {
		f.Add([]byte(queryHead + style.yaml))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, problems := Parse("f.yaml", data)
		if (r == nil) != hasError(problems) {
			t.Fatalf("rule is nil: %v, with problems %v", r == nil, problems)
		}
		lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r")
		for _, p := range problems {
			if p.Message == "" || p.Line < 0 || p.Line > lines || p.Column < 0 {
				t.Errorf("problem in a file of %d lines: %+v", lines, p)
			}
		}
		if r == nil {
			return
		}
		r.AlertDetails.DisplayNameFormat.Render(func(string) (string, bool) { return "x", true })
		for _, use := range r.Columns() {
			if use.Column == "" || use.Line < 1 || use.Line > lines || use.Col < 1 {
				t.Errorf("column use in a file of %d lines: %+v", lines, use)
			}
		}
		if strings.TrimSpace(r.Query.Text) == "" || !utf8.ValidString(r.Query.Text) {
			t.Errorf("query %q", r.Query.Text)
		}
		for line := range strings.Count(r.Query.Text, "\n") + 2 {
			if fileLine, fileCol := r.Query.Locate(line+1, 3); fileLine < 1 || fileLine > lines || fileCol < 1 {
				t.Errorf("Locate(%d, 3) = %d, %d in a file of %d lines", line+1, fileLine, fileCol, lines)
			}
		}
	})
}
