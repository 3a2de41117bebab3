package rule_test

import (
	"os"
	"strings"
	"testing"

	"pushback/detect/kql"
	"pushback/detect/rule"
)

// The examples are rules without a warning, whose queries have the columns that they
// name, and each has cases that fire and cases that do not.
func TestExamples(t *testing.T) {
	t.Parallel()
	rules, problems := rule.Load("examples")
	if len(problems) > 0 || len(rules) != 5 {
		t.Fatalf("%d rules, %v", len(rules), problems)
	}
	for _, r := range rules {
		s, err := kql.Check(r.Query.Text, kql.KnownTables())
		if err != nil {
			t.Errorf("%s: %v", r.File, err)
			continue
		}
		for _, use := range r.Columns() {
			if s.Columns.Index(use.Column) < 0 {
				t.Errorf("%s:%d:%d: %s names the column %s, which the query does not give", r.File, use.Line, use.Col, use.Use, use.Column)
			}
		}
		cases, err := os.ReadFile(strings.TrimSuffix(r.File, ".yaml") + ".test.yaml")
		if err != nil {
			t.Error(err)
			continue
		}
		if text := string(cases); !strings.Contains(text, "expect: nothing") || !strings.Contains(text, "    - ") {
			t.Errorf("%s: its cases do not both fire and not fire", r.File)
		}
	}
}
