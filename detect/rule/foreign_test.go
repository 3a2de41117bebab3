package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that is given as a rule and is something else is called what it is.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, want := range map[string]string{
		"a.bicep":   "Bicep, which is not read: give the template that az bicep build makes of it",
		"a.tf":      "Terraform, which is not read",
		"a.KQL":     "a query and no rule: put it under query",
		"a.ndjson":  "logs and no rule: give them with --logs",
		"a.csv":     "logs and no rule",
		"rules.zip": "an archive, which is not read: unpack it",
		"a.toml":    "TOML, such as Elastic's rules are in",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("resource r 'x' = {\n name: 'x'\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		rules, problems := Load(path)
		if len(rules) > 0 || len(problems) != 1 || problems[0].Warning || !strings.HasPrefix(problems[0].Message, want) {
			t.Errorf("%s: %d rules, problems %v, want %q", name, len(rules), problems, want)
		}
	}
	if _, problems := Load(filepath.Join(dir, "gone.kql")); len(problems) != 1 || strings.Contains(problems[0].Message, "a query") {
		t.Errorf("a file that is not there: %v", problems)
	}
}
