package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A table of the reference that the logs do not hold, or hold without a record, is
// empty with its columns, and that is said once. Any other is an error that says
// what there is.
func TestKnownTables(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"SigninLogs.ndjson":   workspaceRecord + "\n",
		"DeviceEvents.ndjson": "",
	})
	for _, tc := range []struct {
		query, want string
		warnings    []string
		code        int
	}{
		{"DeviceInfo | summarize N = count(), Last = max(TimeGenerated)", `[{"N":0,"Last":null}]`, []string{"DeviceInfo: no records; the query runs as if it were empty"}, exitDone},
		{"SigninLogs | join kind=leftouter DeviceInfo on $left.UserId == $right.AadDeviceId | project DeviceName", `[{"DeviceName":""}]`, []string{"DeviceInfo: no records"}, exitDone},
		// Where a column has two types, the service gives one for each, whatever is there.
		{"union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs | project C = gettype(Status_dynamic) | take 1", `[{"C":"dictionary"}]`, []string{"AADNonInteractiveUserSignInLogs: no records"}, exitDone},
		{"union withsource=T * | distinct T", `[{"T":"SigninLogs"}]`, nil, exitDone},
		{"SigninLogs | where UserId in ((DeviceInfo | project AadDeviceId)) | count", `[{"Count":0}]`, []string{"DeviceInfo: no records"}, exitDone},
		{"DeviceEvents | summarize N = countif(ActionType == 'x')", `[{"N":0}]`, []string{"DeviceEvents: no records; the query"}, exitDone},
		// Records that a filter leaves out are records.
		{"SigninLogs | where ResultType == 'zzz' | count", `[{"Count":0}]`, nil, exitDone},
		{"SigninLogs | where TimeGenerated < datetime(2020-01-01) | join kind=inner DeviceInfo on TenantId | count", `[{"Count":0}]`, []string{"DeviceInfo: no records"}, exitDone},
		{"Proxy_CL | count", "", []string{"named 'Proxy_CL'", "the logs hold DeviceEvents, SigninLogs; give a table as a file named Proxy_CL.ndjson or Proxy_CL.csv, and a function of the workspace by --functions"}, exitFailed},
		{"SigninLog | count", "", []string{"did you mean 'SigninLogs'?"}, exitFailed},
	} {
		t.Run(tc.query, func(t *testing.T) {
			t.Parallel()
			r := handler(t, "query", "--logs", dir, "--output", "json", tc.query)
			if r.code != tc.code {
				t.Errorf("code %d: %s", r.code, r.stderr)
			}
			if diff := cmp.Diff(tc.want, strings.Join(strings.Fields(r.stdout), "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, want := range tc.warnings {
				if strings.Count(r.stderr, want) != 1 {
					t.Errorf("%q is not said once: %s", want, r.stderr)
				}
			}
			if said := strings.Count(r.stderr, "no records;"); said != len(tc.warnings) && tc.code == exitDone {
				t.Errorf("%d tables are said to be empty: %s", said, r.stderr)
			}
		})
	}
}

// A known table that a saved function is given, and whose columns do not fit, is not one
// that nobody knows.
func TestKnownTableOfFunction(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	functions := folder(t, map[string]string{"Req.kql": "(T:(TimeGenerated:datetime, Nope:string), n:long=2) { T | extend N = n }"})
	for _, query := range []string{"Req(AuditLogs)", "Req(n=1, T=AuditLogs)", "AuditLogs | invoke Req()"} {
		r := handler(t, "query", "--logs", dir, "--functions", functions, query)
		if r.code != exitFailed || !strings.Contains(r.stderr, "the argument 'T' of Req() needs a column Nope of type string") {
			t.Errorf("%s: code %d: %s", query, r.code, r.stderr)
		}
	}
	if r := handler(t, "query", "--logs", dir, "--functions", functions, "Req(AuditLogz)"); !strings.Contains(r.stderr, "named 'AuditLogz'") {
		t.Errorf("a table that nobody knows: code %d: %s", r.code, r.stderr)
	}
}

// Logs of other tables than the rules read, or of none, do not tell when to run. The
// error says what they hold and what to do.
func TestNoTimeToRunOver(t *testing.T) {
	t.Parallel()
	const named = `{"TimeGenerated":"2026-03-17T09:58:03Z","Mine":1}` + "\n"
	for _, tc := range []struct {
		name  string
		files map[string]string
		args  []string
		want  []string
	}{
		{"a table named after its file", map[string]string{"march.ndjson": named + named}, nil, []string{
			"(AADNonInteractiveUserSignInLogs, ", "SigninLogs): they hold march (2 records); if records of theirs are among these, name their table with --table NAME, else give --from and --to"}},
		{"several tables", map[string]string{"Proxy_CL.ndjson": named, "DeviceInfo.ndjson": named, "AuditLogs.ndjson": ""}, []string{"--rules", "RULE"}, []string{
			"the logs hold no record of a table that the rules read (SigninLogs): they hold DeviceInfo (1 record), Proxy_CL (1 record);"}},
		{"no bytes", map[string]string{"march.ndjson": ""}, nil, []string{"march.ndjson holds no records, so ", ": give logs with records, or --from and --to"}},
		{"an empty array", map[string]string{"SigninLogs.json": "[]"}, nil, []string{"SigninLogs.json holds no records"}},
		{"only a header", map[string]string{"SigninLogs.csv": "TimeGenerated,UserPrincipalName\n"}, nil, []string{"SigninLogs.csv holds no records"}},
		{"several files", map[string]string{"SigninLogs.json": "[]", "AuditLogs.json": ""}, nil, []string{"none of the 2 files holds records"}},
		{"one of them unusable", map[string]string{"SigninLogs.json": "[]", "AuditLogs.json": "{nothing"}, nil, []string{"none of the 2 files holds records", "AuditLogs.json holds nothing that can be read"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"replay", "--logs", folder(t, tc.files)}
			for _, arg := range tc.args {
				if arg == "RULE" {
					arg = filepath.Join(folder(t, map[string]string{"failures.yaml": failuresRule}), "failures.yaml")
				}
				args = append(args, arg)
			}
			r := handler(t, args...)
			if r.code != exitFailed {
				t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
			}
			for _, want := range tc.want {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("%q is not in:\n%s", want, r.stderr)
				}
			}
		})
	}
}
