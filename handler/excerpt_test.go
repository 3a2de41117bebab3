package main

import (
	"testing"

	"pushback/detect/kql"
)

// The mark is under the place of the error, and left out where a secret before it
// is hidden: it would stand under something else.
func TestExcerptHidesSecrets(t *testing.T) {
	t.Parallel()
	e := &kql.Error{Line: 1, Column: 30, Message: "no"}
	for source, want := range map[string]string{
		"print x='a text of some letters'":  "no\n    print x='a text of some letters'\n    " + "                             ^",
		"print x='AccountKey=S3cr3t', y=, ": "no\n    print x='AccountKey=…', y=, ",
	} {
		if got := withExcerpt(e, source); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
