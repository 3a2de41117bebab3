package main

import (
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// brokenRules are files that are wrong in every way that a file can be, beside two
// rules that are right.
func brokenRules(t *testing.T) (dir string, places []string) {
	t.Helper()
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(eventRule) }
	files := map[string]string{
		"rules/a.yaml":      "id: [\nname",
		"rules/b.yaml":      change("4788", "4701", "severity: Low", "severity: Lo"),
		"rules/c.yaml":      change("4788", "4702", "| project", "| projekt"),
		"rules/d.yaml":      change("4788", "4703", "project TimeGenerated, User", "project TimeGenerated, Usr"),
		"rules/e.yaml":      change("4788", "4706", "severity: Low\n", ""),
		"rules/events.yaml": eventRule,
		"rules/f.yaml":      "",
		"rules/g.yaml":      change("4788", "4704", "| project TimeGenerated, User", "| reduce by User"),
		"rules/h.yaml":      "\xff\xfe\x00",
		"rules/i.yaml":      change(), // the same id
		"rules/z.yaml":      change("4788", "4705", "name: Events", "name: Last"),
		"events.ndjson":     `{"TimeGenerated":"2026-03-17T09:10:00Z","User":"ana","Type":"Events_CL"}` + "\n",
	}
	return folder(t, files), []string{"a.yaml:", "b.yaml:4:11: ", "c.yaml:9:", "d.yaml:9:", "e.yaml:1:1: ", "f.yaml: ", "g.yaml:9:", "h.yaml", "i.yaml:1:5: "}
}

// One wrong file of a folder does not keep the rules of the others from running: all
// are reported once, with their places, and the exit code says that something was
// wrong.
func TestBrokenRules(t *testing.T) {
	t.Parallel()
	dir, places := brokenRules(t)
	args := []string{"replay", "--logs", filepath.Join(dir, "events.ndjson"), "--rules", filepath.Join(dir, "rules"), "--json"}
	r := handler(t, args...)
	if r.code != exitFailed || strings.Count(r.stdout, "\n") != 2 || !strings.Contains(r.stdout, `"ruleName":"Events"`) || !strings.Contains(r.stdout, `"ruleName":"Last"`) {
		t.Errorf("code %d: %s", r.code, r.stdout)
	}
	for _, place := range places {
		if n := strings.Count(r.stderr, filepath.Join(dir, "rules", place)); n < 1 || n > 1 && place != "events.yaml" {
			t.Errorf("%s is reported %d times:\n%s", place, n, r.stderr)
		}
	}
	r = handler(t, append(args, "--strict")...)
	if r.code != exitFailed || r.stdout != "" {
		t.Errorf("strictly, code %d: %s", r.code, r.stdout)
	}
	for _, place := range places {
		if place != "d.yaml:9:" && !strings.Contains(r.stderr, place) { // which only the logs' columns show
			t.Errorf("strictly, %s is not in:\n%s", place, r.stderr)
		}
	}

	// What runs only where all is right says so of a table, too.
	some := folder(t, map[string]string{"rules/a.yaml": eventRule, "rules/d.yaml": strings.NewReplacer("4788", "4703", "TimeGenerated, User", "TimeGenerated, Usr").Replace(eventRule)})
	args = []string{"replay", "--logs", filepath.Join(dir, "events.ndjson"), "--rules", filepath.Join(some, "rules"), "--json"}
	if r = handler(t, args...); r.code != exitFailed || strings.Count(r.stdout, "\n") != 1 || !strings.Contains(r.stderr, "d.yaml:9:") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r = handler(t, append(args, "--strict")...); r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, "d.yaml:9:") {
		t.Errorf("strictly, code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// handler test goes on as well, and so does a query over a folder of logs.
func TestBrokenTested(t *testing.T) {
	t.Parallel()
	dir, places := brokenRules(t)
	report := filepath.Join(t.TempDir(), "report.xml")
	r := handler(t, "test", filepath.Join(dir, "rules"), "--junit", report)
	if r.code != exitFailed || !strings.Contains(r.stdout, "no cases") || !strings.Contains(r.stdout, "FAIL: 0 cases of 3 rules, 8 errors in rules that were not tested, in ") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	written, err := os.ReadFile(report)
	var suites junitSuites
	if err = errors.Join(err, xml.Unmarshal(written, &suites)); err != nil || suites.Errors != 8 {
		t.Errorf("%v\n%s", err, written)
	}
	for _, place := range places {
		if place != "d.yaml:9:" && !strings.Contains(r.stderr, place) { // without a case nothing runs
			t.Errorf("%s is not in:\n%s", place, r.stderr)
		}
	}
	if r = handler(t, "test", "--strict", filepath.Join(dir, "rules")); r.code != exitFailed || r.stdout != "" {
		t.Errorf("strictly, code %d: %s", r.code, r.stdout)
	}
}

// A query goes without the files of a folder that hold nothing to read, reports them
// and exits with an error.
func TestBrokenLogs(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"logs/a/events.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","User":"ana","Type":"Events_CL"}` + "\n",
		"logs/b/broken.ndjson": "{\"TimeGenerated\":\n{\n",
	})
	args := []string{"query", "--logs", filepath.Join(dir, "logs"), "--output", "csv", "Events_CL | project User"}
	r := handler(t, args...)
	if r.code != exitFailed || r.stdout != "User\nana\n" || strings.Count(r.stderr, "broken.ndjson holds nothing that can be read") != 1 || !strings.Contains(r.stderr, "broken.ndjson:1") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r = handler(t, append(args, "--strict")...); r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, "broken.ndjson:1") {
		t.Errorf("strictly, code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	args = []string{"replay", "--logs", filepath.Join(dir, "logs"), "--rules", filepath.Join(folder(t, map[string]string{"e.yaml": eventRule}), "e.yaml"), "--json"}
	if r = handler(t, args...); r.code != exitFailed || strings.Count(r.stdout, "\n") != 1 || strings.Count(r.stderr, "broken.ndjson holds nothing that can be read") != 1 {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	// Alone, it is all there is.
	r = handler(t, "query", "--logs", filepath.Join(dir, "logs", "b"), "Events_CL")
	if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, "broken.ndjson:1") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
