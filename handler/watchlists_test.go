package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWatchlists(t *testing.T) {
	t.Parallel()
	logDir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	lists := folder(t, map[string]string{"Offices.csv": "Network,Office\n203.0.113.0/24,Lyon\n192.0.2.0/24,Oslo\n"})
	const query = "SigninLogs | extend Office = toscalar(_GetWatchlist('Offices') | where Network has '203.0.113' | project Office) | project IPAddress, Office"
	r := handler(t, "query", "--logs", logDir, "--watchlists", lists, "--output", "csv", query)
	if r.code != exitDone || r.stdout != "IPAddress,Office\n203.0.113.7,Lyon\n" {
		t.Errorf("code %d, %q, %s", r.code, r.stdout, r.stderr)
	}
	r = handler(t, "query", "--logs", logDir, "--watchlists", lists, "--explain", query)
	if r.code != exitDone || !strings.Contains(r.stdout, "Office:string") {
		t.Errorf("code %d, %q, %s", r.code, r.stdout, r.stderr)
	}

	ruleDir := folder(t, map[string]string{"office.yaml": `id: 2b701288-b428-4fb8-805e-e4372c574787
name: Rejected at an office
description: Test.
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: |
  let offices = _GetWatchlist('Offices');
  SigninLogs
  | where ResultType == "500121"
  | extend Network = strcat(extract(@"^\d+\.\d+\.\d+\.", 0, IPAddress), "0/24")
  | lookup kind=inner offices on Network
  | project TimeGenerated, UserPrincipalName, Office
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
version: 1.0.0
kind: Scheduled
`})
	rule := filepath.Join(ruleDir, "office.yaml")
	r = handler(t, "replay", "--logs", logDir, "--rules", rule, "--watchlists", lists, "--json")
	if found := r.alerts(t); len(found) != 1 || !strings.Contains(r.stdout, `"column":"Office","value":"Lyon"`) {
		t.Errorf("%d alerts: %q, %s", len(found), r.stdout, r.stderr)
	}
	for name, tc := range map[string]struct{ lists, want string }{
		"without":   {"", "office.yaml:10:31: _GetWatchlist() needs --watchlists DIR"},
		"elsewhere": {ruleDir, "office.yaml:10:31: there is no watchlist 'Offices'"},
	} {
		r := handler(t, "replay", "--logs", logDir, "--rules", rule, "--watchlists", tc.lists)
		if r.code != exitFailed || !strings.Contains(r.stderr, tc.want) {
			t.Errorf("%s: code %d, %s", name, r.code, r.stderr)
		}
	}
}

// What the answer alone does not say goes to standard error.
func TestQueryWarnings(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	r := handler(t, "query", "--logs", dir, "--output", "csv", "SigninLogs | where ingestion_time() > datetime(2020-01-01) | count | render card")
	want := result{
		stdout: "Count\n1\n",
		stderr: "warning: ingestion_time() is taken to be TimeGenerated in SigninLogs, whose records do not say when they were received\n" +
			"warning: the query ends in render card: these are its rows, and the portal would draw them\n",
	}
	if diff := cmp.Diff(want, r, cmp.AllowUnexported(result{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A folder that is not there is a mistake of the command line, whatever the queries read.
func TestWatchlistsFolder(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n", "Offices.csv": "Network,Office\n", "failures.yaml": failuresRule})
	inside := func(name string) string { return filepath.Join(dir, name) }
	for _, command := range [][]string{
		{"query", "print 1"},
		{"replay", "--logs", inside("SigninLogs.ndjson")},
		{"lint", inside("failures.yaml")},
		{"test", inside("failures.yaml")},
	} {
		for name, want := range map[string]string{"nowhere": "nowhere: there is no such folder", "Offices.csv": "Offices.csv is a file: name the folder of the watchlists"} {
			r := handler(t, append(command, "--watchlists", inside(name))...)
			if r.code != exitUsage || !strings.Contains(r.stderr, "--watchlists ") || !strings.Contains(r.stderr, want) {
				t.Errorf("%s: code %d: %s", command[0], r.code, r.stderr)
			}
		}
	}
}
