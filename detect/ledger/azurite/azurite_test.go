package azurite

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNotInTheBinary expects what only tests need to be no part of what ships. That a
// module brings the package testing along is its own affair.
func TestNotInTheBinary(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{.ImportPath}} {{join .Imports " "}}{{end}}{{end}}`, "../../../handler").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	packages := 0
	for line := range strings.Lines(string(out)) {
		names := strings.Fields(line)
		if len(names) == 0 {
			continue
		}
		packages++
		for _, name := range names[1:] {
			if name == "testing" || strings.HasSuffix(name, "/azurite") {
				t.Errorf("%s imports %s, and is in the binary", names[0], name)
			}
		}
	}
	if packages < 20 {
		t.Errorf("the binary has %d packages of the project", packages)
	}
}
