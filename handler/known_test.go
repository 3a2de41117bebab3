package main

import (
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
		{"Proxy_CL | count", "", []string{"named 'Proxy_CL'", "the logs hold DeviceEvents, SigninLogs"}, exitFailed},
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
