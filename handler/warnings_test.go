package main

import (
	"bytes"
	"testing"
)

// A warning says once that it is one, wherever it comes from, and is written once.
func TestWarningLevel(t *testing.T) {
	t.Parallel()
	for problem, want := range map[string]string{
		`rules/h.yaml: warning: it holds no rule: skipped`:        `rules/h.yaml: it holds no rule: skipped`,
		`r.yaml:9:1: warning: unknown key "foo" is ignored`:       `r.yaml:9:1: unknown key "foo" is ignored`,
		`r.yaml:9: warning: x`:                                    `r.yaml:9: x`,
		`C:\rules\r.yaml:9:1: warning: x`:                         `C:\rules\r.yaml:9:1: x`,
		`rule "A \": warning: B": warning: context: Mailbox`:      `rule "A \": warning: B": context: Mailbox`,
		`rule "A": warning: the workspace says: warning: partial`: `rule "A": the workspace says: warning: partial`,
		`r.yaml:9:1: unknown key "a: warning: b" is ignored`:      `r.yaml:9:1: unknown key "a: warning: b" is ignored`,
		`DeviceInfo: no records`:                                  `DeviceInfo: no records`,
	} {
		var b bytes.Buffer
		w := &warnings{w: &b}
		w.write(problem)
		w.write(problem)
		if got := b.String(); got != "warning: "+want+"\n" {
			t.Errorf("%s: wrote %q, want %q", problem, got, want)
		}
	}
}
