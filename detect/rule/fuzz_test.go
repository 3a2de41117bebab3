package rule

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pushback/detect/alert"
)

// FuzzParse checks that no file makes Parse fail without a word, and that every
// place it names is in the file.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fullRule))
	f.Add(defaultYAML)
	f.Add([]byte(scheduled))
	f.Add([]byte(contextRule))
	f.Add([]byte(withCard(wholeCard)))
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
		for _, c := range r.Context {
			if c.Name == "" || c.Key.Entity == "" || c.Key.Column == "" || strings.TrimSpace(c.Query.Text) == "" {
				t.Errorf("context %+v", c)
			}
			for _, use := range c.Columns() {
				if use.Line < 1 || use.Line > lines || use.Col < 1 {
					t.Errorf("column use in a file of %d lines: %+v", lines, use)
				}
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

// FuzzParseAll checks the same of exports, and of functions, which are read from the
// same forms.
func FuzzParseAll(f *testing.F) {
	for _, text := range []string{
		templateOf(resource), `[` + properties + `]`, firstDetection, secondDetection, fullRule, asimParser, `{"a": [1, {"b": null}], // c` + "\n}",
		`{"variables": {"a": "[concat(variables('a'), '''')]"}, "resources": [{"type": "x/alertRules", "properties": {"query": "[variables('a')[0].b]"}}]}`,
		`{"value": [{"functionAlias": "f", "query": "T"}]}`, "let f = (x:long) { T }", "- {query: T, severity: Low}",
	} {
		f.Add([]byte(text), uint8(len(text)%4))
	}
	names := []string{"f.json", "f.yaml", "f.kql", "f.txt"}
	f.Fuzz(func(t *testing.T, data []byte, name uint8) {
		file := names[int(name)%len(names)]
		lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r")
		check := func(problems []Problem) {
			t.Helper()
			for _, p := range problems {
				if p.Message == "" || p.Line < 0 || p.Line > lines || p.Column < 0 {
					t.Errorf("problem in a file of %d lines: %+v", lines, p)
				}
			}
		}
		rules, problems := ParseAll(file, data)
		check(problems)
		if len(rules) == 0 && len(problems) == 0 {
			t.Error("no rule and no problem")
		}
		for _, r := range rules {
			if line, column := r.Query.Locate(1, 1); line < 1 || line > lines || column < 1 {
				t.Errorf("the query is at %d:%d", line, column)
			}
			text, err := r.YAML()
			if err != nil {
				t.Error(err)
			}
			if again, problems := Parse("again.yaml", text); again == nil {
				t.Errorf("what is written is not read: %v\n%s", problems, text)
			}
		}
		functions, problems := ParseFunctions(file, data)
		check(problems)
		for _, fn := range functions {
			if strings.TrimSpace(fn.Body.Text) == "" || len(fn.Names) == 0 || fn.Place(2, 1) == "" {
				t.Errorf("%+v", fn)
			}
		}
	})
}

// FuzzParseCases reads any text as cases, and compares what they expect with alerts
// of all kinds: nothing panics, and what is wrong has a place.
func FuzzParseCases(f *testing.F) {
	for _, name := range ShippedNames() {
		text, err := shippedFiles.ReadFile(name + ".test.yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text[:2000]))
	}
	for _, seed := range []string{
		"tests: [{name: a, logs: {T: [{a: !!binary x, b: .nan, c: 0x1F, d: 1e999, e: ~}]}, expect: [{row: {a: 1e99999999}, rows: 3}]}]",
		"- {name: *a, logs: &a x, expect: [{entities: [{type: IP}, {Account: [x, {Name: y}]}], details: {a: [1, {}]}, findings: nothing}]}",
		"- &a {name: a, logs: x, expect: *a}", "- 1", "tests:", "{a: b}", "[[[[]]]]",
	} {
		f.Add(seed)
	}
	alerts := []alert.Alert{{}, {Title: "x", Rows: []alert.Row{{{Column: "a", Value: []byte(`"1"`)}}, {}}, Entities: []alert.Entity{{Type: "IP"}}, Context: &alert.Context{Findings: []alert.Finding{{Kind: "bombing", Text: "x"}}}}}
	f.Fuzz(func(t *testing.T, text string) {
		cases, problems := ParseCases("x.test.yaml", []byte(text))
		for _, p := range problems {
			if p.Warning || p.Message == "" || p.File != "x.test.yaml" {
				t.Fatalf("%q: %#v", text, p)
			}
		}
		for _, c := range cases {
			if c.Name == "" || c.Line < 1 {
				t.Fatalf("%q: %#v", text, c)
			}
			for i := range len(alerts) + 1 {
				for _, d := range c.Expect.Compare(alerts[:i]) {
					if d.What == "" {
						t.Fatalf("%q: %#v", text, d)
					}
				}
			}
		}
	})
}
