package azurite

import (
	"os/exec"
	"strings"
	"testing"
)

// TestNotInTheBinary expects what only tests need to be no part of what ships.
func TestNotInTheBinary(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "../../../handler").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range strings.Fields(string(out)) {
		if name == "testing" || strings.HasSuffix(name, "/azurite") {
			t.Errorf("the binary contains %s", name)
		}
	}
}
