package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// linted runs handler lint over files, and returns what it printed without the folder.
func linted(t *testing.T, files map[string]string, flags ...string) result {
	t.Helper()
	dir := folder(t, files)
	r := handler(t, append([]string{"lint", dir}, flags...)...)
	r.stdout = strings.ReplaceAll(r.stdout, dir+string(filepath.Separator), "")
	r.stderr = strings.ReplaceAll(r.stderr, dir+string(filepath.Separator), "")
	return r
}

// Everything that is wrong in all files is reported at once, to the letter.
func TestLint(t *testing.T) {
	t.Parallel()
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(failuresRule) }
	files := map[string]string{
		"a.yaml": change("4788", "4701", "severity: Low", "severity: Lo", "ResultType != ", "ResultTyp != \"1\" and Usr == ", "Count >= 2", "Cont >= 2",
			"columnName: UserPrincipalName", "columnName: userprincipalname", "columnName: IPAddress", "columnName: IPAdress") + "pushback:\n  tests: [{name: x}]\n",
		"b.yaml":           change("4788", "4702", "SigninLogs", "SigninLog"),
		"c.yaml":           change("4788", "4703", "SigninLogs", "Custom_CL"),
		"d.yaml":           bareRule,
		"e.yaml":           change("4788", "4704", "| where ResultType", "| were ResultType", "tactics: [CredentialAccess]", "tactics: [Sneaking]"),
		"f.yaml":           "id: [",
		"g.yaml":           "",
		"h.yaml":           strings.Replace(change("4788", "4705"), "entityMappings:", "entityMapping:", 1),
		"i.yaml":           change("4788", "4706", "  | where ResultType", "  | evaluate bag_unpack(DeviceDetail) | where ResultType"),
		"none.test.yaml":   "[]\n",
		"right.yaml":       failuresRule,
		"right.test.yaml":  "- name: a\n  logs: {SigninLogs: []}\n  expects: 1\n",
		"sub/twice.yaml":   failuresRule,
		"notes/readme.txt": "no rule",
	}
	const want = `a.yaml:4:11: severity: unknown severity "Lo": use High, Medium, Low or Informational
a.yaml:13:11: Failed to resolve column or scalar expression named 'ResultTyp'; did you mean 'ResultType'?
    | where ResultTyp != "1" and Usr == "0"
            ^
a.yaml:13:32: Failed to resolve column or scalar expression named 'Usr'
    | where ResultTyp != "1" and Usr == "0"
                                 ^
a.yaml:16:11: Failed to resolve column or scalar expression named 'Cont'; did you mean 'Count'?
    | where Cont >= 2
            ^
a.yaml:21:21: warning: entityMappings Account.FullName names the column userprincipalname, which the query calls UserPrincipalName: the service compares names with their case, so write UserPrincipalName
a.yaml:25:21: entityMappings IP.Address names the column IPAdress, which the query's result does not have; did you mean IPAddress? (it has UserPrincipalName, IPAddress, Count, StartTime, Codes, Note)
a.yaml:34:11: logs is missing: give records per table, or the path of a file
a.yaml:34:11: expect is missing: write nothing, a number of alerts, or a list of what must hold of each
b.yaml:12:3: Failed to resolve table or column expression named 'SigninLog'; did you mean 'SigninLogs'?
    SigninLog
    ^
c.yaml:12:3: warning: no columns are known of the table Custom_CL: what the query makes of it is checked when it runs
    Custom_CL
    ^
d.yaml:8:8: warning: no columns are known of the table Events_CL: what the query makes of it is checked when it runs
    Events_CL | project TimeGenerated, Thing, Empty = "", Count,…
    ^
d.yaml:8:8: warning: alerts name nobody: map columns to entities such as Account and IP under entityMappings, or they show the first columns of their rows
e.yaml:9:11: tactic "Sneaking" is unknown: use Reconnaissance, ResourceDevelopment, InitialAccess, Execution, Persistence, PrivilegeEscalation, DefenseEvasion, CredentialAccess, Discovery, LateralMovement, Collection, CommandAndControl, Exfiltration, Impact, PreAttack, ImpairProcessControl or InhibitResponseFunction
e.yaml:13:5: unknown operator 'were'; did you mean 'where'?
    | were ResultType != "0"
      ^
f.yaml:1: not valid YAML: did not find expected node content
g.yaml: the file is empty: a rule is a YAML mapping with id, name, severity and query
h.yaml:12:3: warning: an activity is identified by all columns of its row, Count (long), Codes (dynamic) among them: each time one of them changes it is another activity, and is reported again; map entities, or name the columns that identify it under pushback: identity
h.yaml:12:3: warning: alerts name nobody: map columns to entities such as Account and IP under entityMappings, or they show the custom details alone
h.yaml:17:1: warning: unknown key "entityMapping" is ignored: did you mean "entityMappings"?
i.yaml:13:5: warning: the columns that bag_unpack() gives depend on the data, so what follows is checked when the query runs
none.test.yaml: these are cases of no rule: there is none of the same name, without .test, beside it
right.test.yaml:1:3: expect is missing: write nothing, a number of alerts, or a list of what must hold of each
right.test.yaml:3:3: unknown key "expects" in the case: did you mean "expect"?
sub/twice.yaml:1:5: id 2b701288-b428-4fb8-805e-e4372c574788 is already that of "Failures" at right.yaml:1:5: give each rule an id of its own
9 rules: 16 errors, 8 warnings
`
	r := linted(t, files)
	if r.code != exitFailed || r.stderr != "" || r.stdout != want {
		t.Errorf("code %d, on standard error %q, and got:\n%s\nwant:\n%s", r.code, r.stderr, r.stdout, want)
	}
	// The same as JSON.
	r = linted(t, files, "--json")
	var first map[string]any
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || r.code != exitFailed || len(lines) != 24 {
		t.Fatalf("code %d, %d lines, %v", r.code, len(lines), err)
	}
	if first["line"] != 4.0 || first["column"] != 11.0 || first["level"] != "error" || !strings.HasSuffix(first["file"].(string), "a.yaml") || !strings.HasPrefix(first["message"].(string), "severity: unknown") {
		t.Errorf("%v", first)
	}
}

// Rules that are right have nothing to report, and warnings alone are no failure.
func TestLintOfWhatIsRight(t *testing.T) {
	t.Parallel()
	if r := handler(t, "lint"); r.code != exitDone || r.stdout != "2 rules: 0 errors, 0 warnings\n" || r.stderr != "" {
		t.Errorf("the shipped rules: code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := linted(t, map[string]string{"d.yaml": bareRule}); r.code != exitDone || !strings.HasSuffix(r.stdout, "1 rule: 0 errors, 2 warnings\n") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := linted(t, map[string]string{"d.yaml": bareRule}, "--json"); r.code != exitDone || strings.Count(r.stdout, `"level":"warning"`) != 2 {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := handler(t, "lint", filepath.Join(t.TempDir(), "none")); r.code != exitUsage || !strings.Contains(r.stdout, "there is no such file or folder") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// A column that the query's result has by a name that is an error is not an error of
// the mapping, too.
func TestLintOfAColumnThatIsWrongInTheQuery(t *testing.T) {
	t.Parallel()
	r := linted(t, map[string]string{"a.yaml": strings.Replace(failuresRule, "by UserPrincipalName, IPAddress", "by UserPrincipalNam, IPAddress", 1)})
	if r.code != exitFailed || strings.Contains(r.stdout, "entityMappings") || !strings.Contains(r.stdout, "'UserPrincipalNam'; did you mean 'UserPrincipalName'?") || !strings.HasSuffix(r.stdout, "1 rule: 1 error, 0 warnings\n") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// A secret that was pasted into a query is in no message.
func TestLintHidesSecrets(t *testing.T) {
	t.Parallel()
	const sig = "PkSCqkYcTRnqH7BgJxZzhqrmmmJ2GdYvG8wqXk1Lr0M"
	r := linted(t, map[string]string{"a.yaml": strings.Replace(failuresRule, "| where ResultType", "| where Nope == 'https://x.logic.azure.com/w/?sig="+sig+"' and ResultType", 1)})
	if r.code != exitFailed || strings.Contains(r.stdout+r.stderr, sig) || !strings.Contains(r.stdout, "'Nope'") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}

// A replay warns of an identity that is likely to change, too.
func TestReplayWarnsOfIdentity(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"events.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","Thing":"a","Count":42,"Type":"Events_CL"}` + "\n",
		"bare.yaml":     bareRule,
	})
	r := handler(t, "replay", "--logs", filepath.Join(dir, "events.ndjson"), "--rules", filepath.Join(dir, "bare.yaml"), "--json")
	if r.code != exitDone || strings.Count(r.stderr, `warning: the rule "Bare": an activity is identified by all columns of its row, Count (long), a (long),`) != 1 {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
}

// The schemas are JSON, and say what they are of.
func TestRuleSchema(t *testing.T) {
	t.Parallel()
	for title, args := range map[string][]string{"Pushback rule": {"rule", "schema"}, "Pushback cases": {"rule", "schema", "--cases"}} {
		r := handler(t, args...)
		var schema map[string]any
		if err := json.Unmarshal([]byte(r.stdout), &schema); err != nil || r.code != exitDone || schema["title"] != title {
			t.Errorf("code %d, %v: %.200s", r.code, err, r.stdout)
		}
	}
}
