package workspace

import "testing"

// The comment names the build, and cannot be ended by it.
func TestQueryBuild(t *testing.T) {
	t.Parallel()
	q := Query{Text: "T", RuleID: "r", RuleVersion: "1", build: "v1\nDrop"}
	if got, want := q.text(), "// Pushback r 1 build v1_Drop\nT"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}
