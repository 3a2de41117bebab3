package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestLintLive pins what lint says of edits of a rule that is live.
func TestLintLive(t *testing.T) {
	t.Parallel()
	const byUser = "      - identifier: FullName\n        columnName: UserPrincipalName\n"
	more := func(text string) string { return strings.Replace(deskRule, "version: 1.0.0\n", text, 1) }
	for _, tc := range []struct {
		name, edited, says string // "" for nothing
	}{
		{"nothing", deskRule, ""},
		{"the query", strings.Replace(deskRule, "500121", "50074", 1), ""},
		{"frequency and severity", strings.NewReplacer("queryFrequency: 1h", "queryFrequency: 30m", "severity: Medium", "severity: High").Replace(deskRule), ""},
		{"the id", strings.Replace(deskRule, "000000000001", "000000000009", 1), "edited.yaml:1:5: warning: the id is not that of the live rule, " + deskRuleID + ", so it begins anew: everything within reach of its first windows (2h each) is reported again"},
		{"the name too", strings.NewReplacer("000000000001", "000000000009", "name: Refused", "name: Other").Replace(deskRule), ""}, // another rule
		{"an identity of other columns", more("pushback: {identity: [UserPrincipalName, StartTime]}\n"), "warning: the columns that identify an activity are others than those of the live rule (StartTime, UserPrincipalName, and were UserPrincipalName): what still lies in a window (2h) is reported again"},
		{"the same identity by name", more("pushback: {identity: [UserPrincipalName]}\n"), ""},
		{"a mapping more", strings.Replace(deskRule, byUser, byUser+"  - entityType: IP\n    fieldMappings:\n      - identifier: Address\n        columnName: IPs\n", 1), "warning: the columns that identify an activity are others"},
		{"events", more("pushback: {events: [IPs]}\n"), "warning: the columns of the single events are others than those of the live rule (IPs, and were none)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, map[string]string{"live/rule.yaml": deskRule, "new/edited.yaml": tc.edited})
			r := handler(t, "lint", filepath.Join(dir, "new"), "--live", filepath.Join(dir, "live"))
			found := strings.Contains(r.stdout, "reported again")
			if r.code != exitDone || found != (tc.says != "") || !strings.Contains(r.stdout, tc.says) {
				t.Errorf("code %d, want %q:\n%s%s", r.code, tc.says, r.stdout, r.stderr)
			}
		})
	}
	dir := folder(t, map[string]string{"rule.yaml": deskRule, "empty/readme.txt": "x", "broken/rule.yaml": "id: ["})
	for path, code := range map[string]int{"nowhere": exitUsage, "empty": exitFailed, "broken": exitFailed} {
		if r := handler(t, "lint", filepath.Join(dir, "rule.yaml"), "--live", filepath.Join(dir, path)); r.code != code || r.stderr == "" {
			t.Errorf("--live %s: code %d, %s", path, r.code, r.stderr)
		}
	}
	// Without identity columns all of the row counts.
	bare := func(query string) string {
		return "id: " + deskRuleID + "\nname: Bare\nseverity: Low\nkind: Scheduled\nqueryFrequency: 1h\nqueryPeriod: 14d\ntriggerOperator: gt\ntriggerThreshold: 0\ntactics: [InitialAccess]\nquery: " + query + "\n"
	}
	dir = folder(t, map[string]string{"live/rule.yaml": bare("SigninLogs | project UserPrincipalName"), "new/rule.yaml": bare("SigninLogs | project UserPrincipalName, AppDisplayName")})
	if r := handler(t, "lint", filepath.Join(dir, "new"), "--live", filepath.Join(dir, "live")); !strings.Contains(r.stdout, "where those differ, what still lies in a window (14 days) is reported again") {
		t.Errorf("%s%s", r.stdout, r.stderr)
	}
}
