package silence

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
)

// asJSON returns YAML as an editor hands it to a schema: a time is a text.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(timesAsText(value))
	if err != nil {
		t.Fatal(err)
	}
	read, err := jsonschema.UnmarshalJSON(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func timesAsText(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339)
	case map[string]any:
		for k, e := range v {
			v[k] = timesAsText(e)
		}
	case []any:
		for i, e := range v {
			v[i] = timesAsText(e)
		}
	}
	return v
}

// TestSchema compares what the schema and the parser say of the same files.
func TestSchema(t *testing.T) {
	t.Parallel()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	edit := func(old, new string) string {
		if !strings.Contains(example, old) {
			t.Fatalf("the example has no %q", old)
		}
		return strings.Replace(example, old, new, 1)
	}
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"the example", example, true},
		{"nothing", "silences: []\n", true},
		{"one rule", edit("[mfa-rejected-by-user]", "mfa-rejected-by-user"), true},
		{"all rules", edit("    rules: [mfa-rejected-by-user] ", "    # "), true},
		{"another severity", edit("Medium", "high"), true},
		{"no severity", edit("    maxSeverity: Medium\n", ""), true},
		{"review", edit("until: 2026-12-31T18:00:00Z", "review: 2026-12-31"), true},
		{"from", edit("    until:", "    from: 2026-12-01\n    until:"), true},
		{"hours", edit("    by: amy", "    by: amy\n    hours: [Tue 08:00-12:00 Europe/Berlin]"), true},
		{"several values", edit("value: Azure Portal", "value: [Azure Portal, 7, true], exactly: x*"), true},
		{"a finding", edit("{detail: Applications, value: Azure Portal}", "{finding: known-device}"), true},

		{"another key", edit("    reason:", "    because:"), false},
		{"no id", edit("  - id: pentest-december\n    rules", "  - rules"), false},
		{"a bad id", edit("pentest-december", "pen test"), false},
		{"no end", edit("    until: 2026-12-31T18:00:00Z\n", ""), false},
		{"an end that is none", edit("2026-12-31T18:00:00Z", "tomorrow"), false},
		{"no reason", edit("    reason: pen test, ticket 4711\n", ""), false},
		{"an empty reason", edit("pen test, ticket 4711", `" "`), false},
		{"nobody", edit("    by: amy\n", ""), false},
		{"no matcher", "silences:\n- {id: x, match: [], until: 2027-01-01, reason: r, by: b}\n", false},
		{"a severity that is none", edit("Medium", "Loud"), false},
		{"no identifier", edit("identifier: Address, ", ""), false},
		{"nothing to compare with", edit(", cidr: 203.0.113.0/24", ""), false},
		{"two in one", edit("{detail:", "{finding: repeated, detail:"), false},
		{"a finding with a value", edit("detail: Applications, value", "finding: repeated, value"), false},
		{"a finding that is none", edit("{detail: Applications, value: Azure Portal}", "{finding: known device}"), false},
		{"a finding that says that somebody got in", edit("{detail: Applications, value: Azure Portal}", "{finding: success-same-ip}"), false},
		{"a list", "- id: x\n", false},
		{"another root", "silence: []\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bySchema := schema.Validate(asJSON(t, tt.text))
			_, problems := Parse("s.yaml", []byte(tt.text), testWords)
			byParser := Errors(problems)
			if (bySchema == nil) != tt.want || (byParser == nil) != tt.want {
				t.Errorf("schema: %v\nparser: %v\nwant a valid file: %v", bySchema, byParser, tt.want)
			}
		})
	}
}

// The kinds of findings that rules bring can be named, where it is known which rules
// there are.
func TestFindingsOfRules(t *testing.T) {
	t.Parallel()
	s := Silence{ID: "a", Match: []Matcher{{Finding: "seen-often"}}, Reason: "because", By: "me", Rules: []string{"*"}}
	of := func(w Words) (about []string) {
		for _, f := range Check(s, w) {
			if strings.Contains(f.Message, "seen-often") || strings.Contains(f.Message, "token-success") {
				about = append(about, f.Message)
			}
		}
		return about
	}
	words := testWords
	if got := of(words); len(got) != 1 || !strings.Contains(got[0], "there is no finding of the kind") {
		t.Errorf("of rules that bring none: %q", got)
	}
	words.Findings = []alert.FindingKind{"seen-often", "token-success"}
	if got := of(words); len(got) > 0 {
		t.Errorf("of a rule that brings it: %q", got)
	}
	if got := of(Words{}); len(got) > 0 {
		t.Errorf("where no rule is known: %q", got)
	}
	s.Match[0].Finding = "token-success"
	if got := of(words); len(got) != 1 || !strings.Contains(got[0], "somebody may have got in") {
		t.Errorf("of what compromises: %q", got)
	}
}
