package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lateSignIn is a rejected prompt that the workspace received at some time.
func lateSignIn(table, at, received, user string) string {
	return fmt.Sprintf(`{"TimeGenerated":"2026-03-17T%s:00Z","_TimeReceived":"2026-03-%sZ","Type":%q,"ResultType":"500121","UserPrincipalName":%q,"UserId":%[4]q,"AADTenantId":"t","IPAddress":"203.0.113.7","CorrelationId":%[4]q,"Status":{"additionalDetails":"MFA denied; user declined the authentication"}}`+"\n",
		at, received, table, user)
}

// What comes too late for every pass is counted, with the lateness that
// catches it; less does not.
func TestTooLate(t *testing.T) {
	t.Parallel()
	const quiet = "SigninLogs: %s came too late for any pass of any window"
	hourly := "SigninLogs\n| where UserPrincipalName has 'x'"
	tests := []struct {
		name     string
		records  string
		rule     string // the shipped one if empty
		more     []string
		lateness string
		look     string   // 0s if empty: no looks
		want     []string // in order; none is no warning
	}{
		{name: "a look finds it", records: lateSignIn("SigninLogs", "09:20", "20T10:05:00", "b"), look: "72h"},
		{name: "a look finds it without lateness", records: lateSignIn("SigninLogs", "09:20", "20T10:05:00", "b"), look: "72h", lateness: "0s"},
		{name: "a second late for a look", records: lateSignIn("SigninLogs", "09:20", "20T10:05:01", "b"), look: "72h",
			want: []string{"SigninLogs: 1 record came too late for any pass of any window, up to 72h45m1s after it was generated: PUSHBACK_LATE_LOOK=73h would have caught it (it is 72h)"}},
		{name: "too late for every look", records: lateSignIn("SigninLogs", "09:20", "19T10:05:00", "b") + lateSignIn("SigninLogs", "09:20", "30T12:05:00", "c") + lateSignIn("SigninLogs", "09:20", "31T12:05:00", "c"), look: "72h",
			want: []string{"SigninLogs: 2 records came too late for any pass of any window, up to 338h45m after they were generated: it takes 338h of PUSHBACK_LATE_LOOK, and at most 336h are allowed, which would have caught 1 (it is 72h)"}},
		{name: "no look can tell", records: lateSignIn("SigninLogs", "09:20", "17T13:05:00", "b"), look: "72h",
			rule: ruleFile("union isfuzzy=true SigninLogs, Nowhere_CL\n| where UserPrincipalName has 'b'"), want: []string{"PUSHBACK_LATENESS=3h would have caught it (it is 2h)"}},
		{name: "in time, to the second", records: lateSignIn("SigninLogs", "09:20", "17T12:05:00", "b")},
		{name: "a second late", records: lateSignIn("SigninLogs", "09:20", "17T12:05:01", "b"),
			want: []string{"SigninLogs: 1 record came too late for any pass of any window, up to 2h45m1s after it was generated: PUSHBACK_LATENESS=2h1m would have caught it (it is 2h)"}},
		{name: "several", records: lateSignIn("SigninLogs", "09:20", "17T12:06:00", "b") + lateSignIn("SigninLogs", "09:50", "17T14:30:00", "c") + lateSignIn("SigninLogs", "09:10", "17T09:11:00", "a"),
			want: []string{"SigninLogs: 2 records came too late for any pass of any window, up to 4h40m after they were generated: PUSHBACK_LATENESS=4h25m would have caught them (it is 2h)"}},
		{name: "by table", records: lateSignIn("SigninLogs", "09:20", "17T13:05:00", "b") + lateSignIn("AADNonInteractiveUserSignInLogs", "09:20", "17T15:05:00", "b"), want: []string{
			"AADNonInteractiveUserSignInLogs: 1 record came too late for any pass of any window, up to 5h45m after it was generated: PUSHBACK_LATENESS=5h would",
			"SigninLogs: 1 record came too late for any pass of any window, up to 3h45m after it was generated: PUSHBACK_LATENESS=3h would"}},
		{name: "a table that no rule reads", records: lateSignIn("SigninLogs", "09:20", "17T10:05:00", "b") + lateSignIn("AADRiskyUsers", "09:20", "17T15:05:00", "b")},
		{name: "rows that the rule cannot use count", records: lateSignIn("SigninLogs", "09:20", "17T10:05:00", "b") + strings.Replace(lateSignIn("SigninLogs", "09:20", "17T13:05:00", "b"), "500121", "0", 1),
			want: []string{fmt.Sprintf(quiet, "1 record")}},
		{name: "days late", records: lateSignIn("SigninLogs", "09:20", "17T10:05:00", "b") + lateSignIn("SigninLogs", "09:20", "20T10:05:00", "c") + lateSignIn("SigninLogs", "09:20", "19T10:05:00", "c"),
			want: []string{"up to 72h45m after they were generated: it takes 72h of PUSHBACK_LATENESS, and at most 48h are allowed, which would have caught 1 (it is 2h)"}},
		{name: "without lateness", records: lateSignIn("SigninLogs", "09:20", "17T10:06:00", "b"), lateness: "0s",
			want: []string{"PUSHBACK_LATENESS=1m would have caught it (it is 0s)"}},
		{name: "a later window looks back", records: lateSignIn("SigninLogs", "09:20", "17T13:05:00", "b") + lateSignIn("SigninLogs", "14:20", "17T14:21:00", "b"),
			rule: ruleFile(hourly, "queryPeriod: 6h")},
		{name: "no later window looks back so far", records: lateSignIn("SigninLogs", "09:20", "17T13:05:01", "b") + lateSignIn("SigninLogs", "14:20", "17T14:21:00", "b"),
			rule: ruleFile(hourly, "queryPeriod: 2h"), want: []string{fmt.Sprintf(quiet, "1 record")}},
		{name: "no window has it", records: lateSignIn("SigninLogs", "09:20", "17T13:05:00", "b") + lateSignIn("SigninLogs", "14:20", "17T14:21:00", "b"),
			more: []string{"--from", "2026-03-17T12:00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"replay", "--logs", folder(t, map[string]string{"logs.ndjson": tt.records})}, tt.more...)
			if tt.rule != "" {
				args = append(args, "--rules", filepath.Join(folder(t, map[string]string{"rule.yaml": tt.rule}), "rule.yaml"))
			}
			run := func(lateness, look string, more ...string) (stdout string, late []string) {
				t.Helper()
				r := command(t, map[string]string{"PUSHBACK_LATENESS": lateness, "PUSHBACK_LATE_LOOK": cmp.Or(look, "0s")}, append(slices.Clone(args), more...)...)
				if r.code != exitDone {
					t.Fatalf("exit code %d\n%s", r.code, r.stderr)
				}
				for line := range strings.Lines(r.stderr) {
					if strings.Contains(line, "too late") {
						late = append(late, line)
					}
				}
				return r.stdout, late
			}
			lateness := tt.lateness
			if lateness == "" {
				lateness = "2h"
			}
			_, late := run(lateness, tt.look, "--json")
			if len(late) != len(tt.want) {
				t.Fatalf("got %q, want %q", late, tt.want)
			}
			text, _ := run(lateness, tt.look)
			if strings.Contains(text, "Too late") != (len(tt.want) > 0) {
				t.Errorf("the totals, with %d warnings:\n%s", len(tt.want), text)
			}
			for i, want := range tt.want {
				if !strings.Contains(late[i], want) {
					t.Errorf("got %s\nwant %s", late[i], want)
				}
			}
			if len(tt.want) != 1 {
				return
			}
			look := tt.look
			for setting, value := range map[string]*string{"PUSHBACK_LATENESS=": &lateness, "PUSHBACK_LATE_LOOK=": &look} {
				_, named, ok := strings.Cut(late[0], setting)
				if !ok {
					continue
				}
				*value, _, _ = strings.Cut(named, " ")
				if _, late := run(lateness, look, "--json"); len(late) > 0 {
					t.Errorf("with the lateness that it names: %q", late)
				}
			}
		})
	}
}
