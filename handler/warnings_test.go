package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect"
	"pushback/detect/logs"
)

// What has one cause is one line, and what has another is not in it.
func TestWarningsByCause(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	w := &warnings{w: &out}
	problem := func(file string, line int, reason string) logs.Problem {
		return logs.Problem{File: file, Line: line, Reason: reason}
	}
	w.starting([]string{"a note", "a note"}, logs.Report{
		Bad: 7,
		Problems: []logs.Problem{
			problem("a.json", 1, "not valid JSON: invalid character 'A'"), problem("a.json", 2, "not valid JSON: invalid character 'B'"),
			problem("b.json", 9, "TimeGenerated is missing"), problem("b.json", 10, `not valid JSON: invalid character '\x1b'`),
		},
		Warnings: []logs.Problem{problem("c.csv", 0, "read as Windows-1252")},
		Skipped:  []logs.Skipped{{Path: "README.md", Reason: "not a kind that is read"}, {Path: "x", Reason: "not a regular file"}, {Path: "y.png", Reason: "not a kind that is read"}},
	})
	w.ticking(detect.Report{Rules: []detect.RuleRun{
		{Warnings: []string{`rule "A": warning: context: Identity: not available, table IdentityInfo does not exist`, `rule "A": warning: the workspace says: x`, "r.yaml:3: warning: no column"}},
		{Warnings: []string{`rule "B": warning: context: UEBA: not available, table BehaviorAnalytics does not exist`, `rule "B": warning: the workspace says: x`}},
		{Warnings: []string{`rule "A": warning: context: Mailbox: not available, the time for looking it up was over`}},
	}})
	const before = `warning: a note
warning: a.json:1: not valid JSON: invalid character 'A'; and 2 more like it in 2 files
warning: b.json:9: TimeGenerated is missing
warning: and 3 bad records more
warning: c.csv: read as Windows-1252
warning: README.md: not read: not a kind that is read; and 1 other file like it, such as y.png
warning: x: not read: not a regular file
`
	if diff := cmp.Diff(before, out.String()); diff != "" {
		t.Errorf("before the run (-want +got):\n%s", diff)
	}
	out.Reset()
	w.flush()
	w.flush()
	const after = `warning: context: not available, since these logs lack IdentityInfo, BehaviorAnalytics: Identity, UEBA
warning: rules "A", "B": the workspace says: x
warning: r.yaml:3: no column
warning: rule "A": context: Mailbox: not available, the time for looking it up was over
`
	if diff := cmp.Diff(after, out.String()); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
}

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
