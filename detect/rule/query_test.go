package rule

import (
	"strings"
	"testing"
)

// runeAt returns the character at a place of a text, and false behind a line's
// end.
func runeAt(text string, line, col int) (rune, bool) {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if line < 1 || line > len(lines) {
		return 0, false
	}
	r := []rune(lines[line-1])
	if col < 1 || col > len(r) {
		return 0, false
	}
	return r[col-1], true
}

const queryHead = "# a comment\nid: d99cf5c3-d660-436c-895b-8a8f8448da23\nname: größer\nseverity: Low\nkind: NRT\n"

var queryStyles = map[string]struct{ yaml, want string }{
	"literal":                 {"query: |\n  A\n  | where b == 1\n", "A\n| where b == 1\n"},
	"literal deep":            {"query: |\n        A\n        | where b == 1\n          and c\n", "A\n| where b == 1\n  and c\n"},
	"literal strip":           {"query: |-\n  A\n  | c", "A\n| c"},
	"literal keep":            {"query: |+\n  A\n  | c\n\n\nversion: 1\n", "A\n| c\n\n\n"},
	"literal comment":         {"query: | # the query\n  A\n  | c\n", "A\n| c\n"},
	"literal blank first":     {"query: |\n\n\n  A\n\n  | c\n", "\n\nA\n\n| c\n"},
	"literal spaces first":    {"query: |\n \n  A\n   \n  | c\n", "\nA\n \n| c\n"},
	"literal indicator":       {"query: |2\n    A\n  | c\n", "  A\n| c\n"},
	"literal indicator strip": {"query: |2-\n     A\n  | c\n", "   A\n| c"},
	"literal tab":             {"query: |\n  A\n  \t| c\n", "A\n\t| c\n"},
	"literal unicode":         {"query: |\n  Ä | where ö == \"漢😀\" | x\n", "Ä | where ö == \"漢😀\" | x\n"},
	"literal separator":       {"query: |\n  A // \u2028   x\n  | c\n", "A // \u2028 x\n| c\n"},
	"literal anchor":          {"query: &q |\n  A\n  | c\n", "A\n| c\n"},
	"literal tag":             {"query: !!str |\n  A\n  | c\n", "A\n| c\n"},
	"next line":               {"query:\n  |\n  A\n  | c\n", "A\n| c\n"},
	"folded":                  {"query: >\n  A\n  | where b\n\n  | c\n", "A | where b\n| c\n"},
	"folded indent":           {"query: >-\n  A\n    | where b\n  | c\n", "A\n  | where b\n| c"},
	"plain":                   {"query: A | where b == 1\n", "A | where b == 1"},
	"plain lines":             {"query: A\n    | where b == 1\n\n    | c\n", "A | where b == 1\n| c"},
	"single":                  {"query: 'A | where b == ''x'' | c'\n", "A | where b == 'x' | c"},
	"single lines":            {"query: 'A  \n\n   | where b == ''x''\n   | c'\n", "A\n| where b == 'x' | c"},
	"double":                  {`query: "A\n| where b == \"x\" and c == '\u00e4\x41\U0001F600\\'"` + "\n", "A\n| where b == \"x\" and c == 'äA😀\\'"},
	"double lines":            {"query: \"A\\n\\\n   | b \\\n   | c\n   | d\"\n", "A\n| b | c | d"},
	"double anchor":           {"query: &a \"A | b\"\n", "A | b"},
}

func TestQueryLocate(t *testing.T) {
	t.Parallel()
	for name, test := range queryStyles {
		for _, ending := range []string{"\n", "\r\n"} {
			for _, mark := range []string{"", "\ufeff"} {
				t.Run(strings.NewReplacer("\r", "CR", "\n", "LF").Replace(name+" "+ending)+" "+mark, func(t *testing.T) {
					t.Parallel()
					plain := strings.ReplaceAll(queryHead+test.yaml, "\n", ending)
					r, problems := Parse("r.yaml", []byte(mark+plain))
					if r == nil {
						t.Fatal(problems)
					}
					if r.Query.Text != test.want {
						t.Fatalf("query is %q, want %q", r.Query.Text, test.want)
					}
					line, col := 1, 1
					for _, c := range r.Query.Text {
						fileLine, fileCol := r.Query.Locate(line, col)
						got, _ := runeAt(plain, fileLine, fileCol)
						// An escape sequence begins with its backslash.
						if c != ' ' && c != '\n' && got != c && !(got == '\\' && strings.HasPrefix(name, "double")) {
							t.Errorf("%d:%d %q is said to be at %d:%d, which is %q", line, col, c, fileLine, fileCol, got)
						}
						col++
						if c == '\n' {
							line, col = line+1, 1
						}
					}
				})
			}
		}
	}
}

func TestQueryLocateEnds(t *testing.T) {
	t.Parallel()
	r, problems := Parse("r.yaml", []byte(queryHead+"query: |\n  AB\n  | cd\n"))
	if r == nil {
		t.Fatal(problems)
	}
	tests := []struct{ line, col, wantLine, wantCol int }{
		{1, 1, 7, 3},
		{1, 2, 7, 4},
		{1, 3, 7, 5},  // behind the line's last character
		{1, 99, 7, 5}, // far behind it
		{2, 1, 8, 3},
		{2, 4, 8, 6},
		{2, 5, 8, 7},
		{3, 1, 9, 1}, // the end
		{99, 1, 9, 1},
		{0, 0, 7, 3},
		{-1, -1, 7, 3},
	}
	for _, test := range tests {
		if line, col := r.Query.Locate(test.line, test.col); line != test.wantLine || col != test.wantCol {
			t.Errorf("Locate(%d, %d) = %d, %d; want %d, %d", test.line, test.col, line, col, test.wantLine, test.wantCol)
		}
	}
	if line, col := (Query{Text: "A"}).Locate(4, 2); line != 4 || col != 2 {
		t.Errorf("a query without a file: got %d, %d", line, col)
	}
}
