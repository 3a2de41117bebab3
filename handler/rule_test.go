package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exportedRules is an export of two rules of the portal, and of one that has no query.
const exportedRules = `{"parameters": {"workspace": {"type": "String"}}, "resources": [
	{"name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/74a23c80-4ac7-4b86-a399-9a1fafc90b23')]",
	"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules", "kind": "Scheduled",
	"properties": {"displayName": "A rule / of mine", "severity": "Low", "query": "SigninLogs\n| where ResultType == 50126",
		"queryFrequency": "PT1H", "queryPeriod": "PT1H", "triggerOperator": "GreaterThan", "triggerThreshold": 0, "tactics": []}},
	{"name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/84a23c80-4ac7-4b86-a399-9a1fafc90b23')]",
	"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules", "kind": "NRT",
	"properties": {"displayName": "A rule of MINE", "severity": "Low", "query": "SigninLogs"}},
	{"name": "f", "type": "Microsoft.OperationalInsights/workspaces/providers/alertRules", "kind": "Fusion", "properties": {}}]}`

func TestRuleConvert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rules.json")
	one := filepath.Join(dir, "one.json")
	if err := os.WriteFile(path, []byte(exportedRules), 0o644); err != nil {
		t.Fatal(err)
	}
	cut := strings.Replace(exportedRules, `"kind": "NRT"`, `"kind": "Fusion"`, 1)
	if err := os.WriteFile(one, []byte(cut), 0o644); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(dir, "rules")

	r := handler(t, "rule", "convert", one)
	want := "id: 74a23c80-4ac7-4b86-a399-9a1fafc90b23\nname: A rule / of mine\nkind: Scheduled\nseverity: Low\nqueryFrequency: 1h\nqueryPeriod: 1h\ntriggerOperator: gt\n" +
		"triggerThreshold: 0\nquery: |-\n  SigninLogs\n  | where ResultType == 50126\n"
	if r.code != exitDone || r.stdout != want || r.stderr != "warning: "+one+": beside rules it holds 2 Fusion rules: skipped\n" {
		t.Errorf("one: code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	r = handler(t, "rule", "convert", path)
	if r.code != exitUsage || r.stdout != "" || !strings.Contains(r.stderr, "holds 2 rules: name a folder for them by --output DIR") {
		t.Errorf("two: code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	first, second := filepath.Join(rules, "a-rule-of-mine.yaml"), filepath.Join(rules, "a-rule-of-mine-2.yaml")
	r = handler(t, "rule", "convert", path, "--output", rules)
	if r.code != exitDone || r.stdout != first+"\n"+second+"\n" {
		t.Errorf("two into a folder: code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if text, err := os.ReadFile(first); err != nil || string(text) != want {
		t.Errorf("%v\n%s", err, text)
	}
	r = handler(t, "rule", "convert", path, "--output", rules)
	if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, first+" is there already") {
		t.Errorf("again: code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}

	// The export is itself a file of rules.
	logs := filepath.Join(dir, "SigninLogs.ndjson")
	if err := os.WriteFile(logs, []byte(`{"TimeGenerated": "2026-03-17T09:10:00Z", "ResultType": "50126", "UserPrincipalName": "ada@contoso.example"}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{path, rules} {
		if alerts := handler(t, "replay", "--logs", logs, "--rules", from, "--json").alerts(t); len(alerts) != 2 {
			t.Errorf("%s: %d alerts", from, len(alerts))
		}
	}
}
