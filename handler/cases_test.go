package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pushback/detect/rule"
	"pushback/detect/sample"
)

// failuresRule reports accounts that fail to sign in twice within an hour.
const failuresRule = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Failures
description: Somebody fails twice.
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
tactics: [CredentialAccess]
relevantTechniques: [T1110]
query: |
  SigninLogs
  | where ResultType != "0"
  | summarize Count = count(), StartTime = min(TimeGenerated), Codes = make_set(ResultType) by UserPrincipalName, IPAddress
  | extend Note = ""
  | where Count >= 2
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
  - entityType: IP
    fieldMappings:
      - identifier: Address
        columnName: IPAddress
customDetails:
  Failures: Count
  Codes: Codes
alertDetailsOverride:
  alertDisplayNameFormat: Failures of {{UserPrincipalName}}
eventGroupingSettings:
  aggregationKind: AlertPerResult
`

// twoFailures are the logs of a case in which ana fails twice from one address.
const twoFailures = `
  logs:
    SigninLogs:
      - {TimeGenerated: 2026-03-17T09:10:00Z, UserPrincipalName: ana@contoso.example, IPAddress: 203.0.113.7, ResultType: 50126}
      - {TimeGenerated: 2026-03-17T09:20:00Z, UserPrincipalName: ana@contoso.example, IPAddress: 203.0.113.7, ResultType: 50057}
`

// bobToo has bob fail twice in the next hour beside them.
const bobToo = twoFailures + `
      - {TimeGenerated: 2026-03-17T10:10:00Z, UserPrincipalName: bob@contoso.example, IPAddress: 203.0.113.8, ResultType: 50126}
      - {TimeGenerated: 2026-03-17T10:20:00Z, UserPrincipalName: bob@contoso.example, IPAddress: 203.0.113.8, ResultType: 50126}
`

// tested runs one case of the rule, and returns what handler test did.
func tested(t *testing.T, logs, rest string, flags ...string) result {
	t.Helper()
	dir := folder(t, map[string]string{"failures.yaml": failuresRule, "failures.test.yaml": "- name: it\n" + strings.TrimPrefix(logs, "\n") + rest})
	r := handler(t, append([]string{"test", filepath.Join(dir, "failures.yaml")}, flags...)...)
	for _, text := range []*string{&r.stdout, &r.stderr} {
		*text = regexp.MustCompile(`\d+\.\d\ds`).ReplaceAllString(strings.ReplaceAll(*text, dir+string(filepath.Separator), ""), "0.00s")
	}
	return r
}

// Each kind of expectation holds as it is, and fails with its difference once it is
// flipped.
func TestExpectations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, logs, holds, flipped string
		differences                []string // of the flipped one, as what, want and got
	}{
		{"a number", bobToo, "expect: 2", "expect: 1", []string{"number of alerts | 1 | 2", "alert beside what is expected |  | Low: Failures of ana@contoso.example", "alert beside what is expected |  | Low: Failures of bob@contoso.example"}},
		{"nothing", "\n  at: 2026-03-17T09:15:00Z" + twoFailures, "expect: nothing", "expect: 1", []string{"number of alerts | 1 | 0"}},
		{"something", twoFailures, "expect: 1", "expect: nothing", []string{"number of alerts | 0 | 1", "alert beside what is expected |  | Low: Failures of ana@contoso.example"}},
		{"an empty list", "\n  at: 2026-03-17T09:15:00Z" + twoFailures, "expect: []", "expect: [{severity: Low}]", []string{"number of alerts | 1 | 0", "alert 1 | severity Low | no alert"}},
		{"title", twoFailures, "expect: [{title: Failures of ana@contoso.example}]", "expect: [{title: Failures of bob@contoso.example}]", []string{"alert 1: title | Failures of bob@contoso.example | Failures of ana@contoso.example"}},
		{"a part of the title", twoFailures, "expect: [{title: {contains: ana@}}]", "expect: [{title: {contains: bob@}}]", []string{"alert 1: title | …bob@… | Failures of ana@contoso.example"}},
		{"description", twoFailures, "expect: [{description: Somebody fails twice.}]", "expect: [{description: Nobody.}]", []string{"alert 1: description | Nobody. | Somebody fails twice."}},
		{"severity", twoFailures, "expect: [{severity: low}]", "expect: [{severity: High}]", []string{"alert 1: severity | High | Low"}},
		{"tactics", twoFailures, "expect: [{tactics: [CredentialAccess]}]", "expect: [{tactics: [Impact]}]", []string{"alert 1: tactics | Impact | CredentialAccess"}},
		{"techniques", twoFailures, "expect: [{techniques: [T1110]}]", "expect: [{techniques: []}]", []string{"alert 1: techniques | none | T1110"}},
		{"entity", twoFailures, "expect: [{entities: [{Account: ana@contoso.example}]}]", "expect: [{entities: [{Account: bob@contoso.example}]}]", []string{"alert 1: entities | Account {bob@contoso.example} | Account {FullName ana@contoso.example}, IP {Address 203.0.113.7}"}},
		{"entity by identifier", twoFailures, "expect: [{entities: [{IP: {Address: 203.0.113.7}}]}]", "expect: [{entities: [{IP: {Address: 203.0.113.8}}]}]", []string{"alert 1: entities | IP {Address 203.0.113.8} | Account {FullName ana@contoso.example}, IP {Address 203.0.113.7}"}},
		{"entity by type", twoFailures, "expect: [{entities: [{type: IP, Address: 203.0.113.7}]}]", "expect: [{entities: [{type: Host, HostName: pc}]}]", []string{"alert 1: entities | Host {HostName pc} | Account {FullName ana@contoso.example}, IP {Address 203.0.113.7}"}},
		{"entities by type", twoFailures, "expect: [{entities: {IP: [203.0.113.7], Account: {FullName: ana@contoso.example}}}]", "expect: [{entities: {IP: [203.0.113.7, 203.0.113.9]}}]", []string{"alert 1: entities | IP {203.0.113.9} | Account {FullName ana@contoso.example}, IP {Address 203.0.113.7}"}},
		{"no entities", twoFailures, "expect: [{details: {Failures: 2}}]", "expect: [{entities: []}]", []string{"alert 1: entities | none | Account {FullName ana@contoso.example}, IP {Address 203.0.113.7}"}},
		{"detail", twoFailures, "expect: [{details: {Failures: 2}}]", "expect: [{details: {Failures: 3}}]", []string{"alert 1: detail Failures | 3 | 2"}},
		{"detail of several values", twoFailures, `expect: [{details: {Codes: ["50057", 50126]}}]`, "expect: [{details: {Codes: [50126]}}]", []string{"alert 1: detail Codes | 50126 | 50126, 50057"}},
		{"no detail", twoFailures, "expect: [{details: {Other: null}}]", "expect: [{details: {Failure: 2}}]", []string{"alert 1: detail Failure | 2 | no such detail: did you mean \"Failures\"? (there are Failures, Codes)"}},
		{"column", twoFailures, "expect: [{row: {Count: 2, IPAddress: 203.0.113.7}}]", "expect: [{row: {Count: 4, IPAddress: 203.0.113.7}}]", []string{"alert 1: column Count | 4 | 2"}},
		{"column of time", twoFailures, "expect: [{row: {StartTime: 2026-03-17T10:10:00+01:00}}]", "expect: [{row: {StartTime: 2026-03-17T09:10:01Z}}]", []string{"alert 1: column StartTime | 2026-03-17T09:10:01Z | 2026-03-17T09:10:00Z"}},
		{"column of a list", twoFailures, `expect: [{columns: {Codes: ["50126", "50057"]}}]`, `expect: [{columns: {Codes: ["50126"]}}]`, []string{`alert 1: column Codes | ["50126"] | ["50126","50057"]`}},
		{"empty column", twoFailures, "expect: [{row: {Note: null}}]", "expect: [{row: {Note: x}}]", []string{"alert 1: column Note | x | empty"}},
		{"unknown column", twoFailures, "expect: [{row: {Count: 2}}]", "expect: [{row: {Cont: 2}}]", []string{"alert 1: column Cont | 2 | no such column: did you mean \"Count\"?"}},
		{"number of rows", twoFailures, "expect: [{rows: 1}]", "expect: [{rows: 2}]", []string{"alert 1: number of rows | 2 | 1"}},
		{"rows", twoFailures, "expect: [{rows: [{Count: 2}]}]", "expect: [{rows: [{Count: 2}, {Count: 3}]}]", []string{"alert 1: row | {Count 3} | no further row"}},
		{"finding", signedIn, "expect: [{findings: [success-same-ip]}]", "expect: [{findings: [inbox-rule]}]", []string{"alert 1: findings | inbox-rule | success-same-ip ("}},
		{"text of a finding", signedIn, "expect: [{findings: [{kind: success-same-ip, text: same address}]}]", "expect: [{findings: [from the moon]}]", []string{"alert 1: findings | …from the moon… | success-same-ip ("}},
		{"no findings", twoFailures, "expect: [{findings: []}]", "expect: [{findings: [bombing]}]", []string{"alert 1: findings | bombing | none"}},
		{"several alerts in any order", bobToo, "expect: [{title: Failures of bob@contoso.example}, {title: Failures of ana@contoso.example}]", "expect: [{title: Failures of bob@contoso.example}, {title: Failures of eve@contoso.example}]", []string{"alert 2: title | Failures of eve@contoso.example | Failures of ana@contoso.example"}},
		{"one of several", bobToo, "expect: [{row: {Count: 2}}, {title: {contains: ana}}]", "expect: [{title: {contains: ana}}]", []string{"number of alerts | 1 | 2", "alert beside what is expected |  | Low: Failures of bob@contoso.example"}},
		{"one too many", bobToo, "expect: [{severity: Low}, {severity: Low}]", "expect: [{severity: Low}, {title: {contains: eve}}, {severity: Low}]", []string{"number of alerts | 3 | 2", "alert 2 | title …eve… | no alert"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if r := tested(t, tc.logs, "  "+tc.holds+"\n"); r.code != exitDone || !strings.Contains(r.stdout, "--- PASS: Failures/it (0.00s)") {
				t.Errorf("it fails as it is, with code %d:\n%s%s", r.code, r.stdout, r.stderr)
			}
			r := tested(t, tc.logs, "  "+tc.flipped+"\n", "--json")
			var got jsonResult
			if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != exitFailed || got.Result != "fail" {
				t.Fatalf("code %d, %q, %v: %s", r.code, got.Result, err, r.stderr)
			}
			var differences []string
			for _, d := range got.Differences {
				differences = append(differences, fmt.Sprintf("%s | %s | %s", d.What, d.Want, d.Got))
			}
			if len(differences) != len(tc.differences) {
				t.Fatalf("got %q, want %q", differences, tc.differences)
			}
			for i, want := range tc.differences {
				if !strings.HasPrefix(differences[i], want) {
					t.Errorf("got %q, want %q", differences[i], want)
				}
			}
		})
	}
}

// signedIn has ana sign in from the same address after two failures at the prompt.
const signedIn = `
  logs:
    SigninLogs:
      - {TimeGenerated: 2026-03-17T09:10:00Z, UserPrincipalName: ana@contoso.example, UserId: u1, IPAddress: 203.0.113.7, ResultType: 500121, Id: a, Status: {additionalDetails: "MFA denied; user declined the authentication"}}
      - {TimeGenerated: 2026-03-17T09:20:00Z, UserPrincipalName: ana@contoso.example, UserId: u1, IPAddress: 203.0.113.7, ResultType: 500121, Id: b, Status: {additionalDetails: "MFA denied; user declined the authentication"}}
      - {TimeGenerated: 2026-03-17T09:30:00Z, UserPrincipalName: ana@contoso.example, UserId: u1, IPAddress: 203.0.113.7, ResultType: 0, Id: c}
`

// A case runs over the path of replay: what comes late is found by a late pass, what
// was reported is not reported again, and at is one run that knows what it can.
func TestCasesRunAsReplay(t *testing.T) {
	t.Parallel()
	late := `
  logs:
    SigninLogs:
      - {TimeGenerated: 2026-03-17T09:10:00Z, UserPrincipalName: ana@contoso.example, IPAddress: 203.0.113.7, ResultType: 50126}
      - {TimeGenerated: 2026-03-17T09:20:00Z, UserPrincipalName: ana@contoso.example, IPAddress: 203.0.113.7, ResultType: 50126, _TimeReceived: RECEIVED}
`
	for _, tc := range []struct{ name, logs, rest string }{
		{"in time", strings.ReplaceAll(late, "RECEIVED", "2026-03-17T09:21:00Z"), "expect: 1"},
		{"late", strings.ReplaceAll(late, "RECEIVED", "2026-03-17T10:30:00Z"), "expect: 1"},
		{"too late", strings.ReplaceAll(late, "RECEIVED", "2026-03-21T19:30:00Z"), "expect: nothing"},
		{"at the end of the window", twoFailures + "  at: 2026-03-17T10:00:00Z\n", "expect: 1"},
		{"at any time", twoFailures + "  at: 2026-03-17T10:09:59.5\n", "expect: 1"},
		{"at a time that has lost the first", twoFailures + "  at: 2026-03-17 10:11\n", "expect: nothing"},
		{"at a time before what comes late", strings.ReplaceAll(late, "RECEIVED", "2026-03-17T10:30:00Z") + "  at: 2026-03-17T10:00:00Z\n", "expect: nothing"},
		{"from and to", bobToo + "  from: 2026-03-17T10:00:00Z\n  to: 2026-03-17T11:00:00Z\n", "expect: [{title: {contains: bob}}]"},
		{"to", bobToo + "  to: 2026-03-17T10:00:00Z\n", "expect: [{title: {contains: ana}}]"},
		{"no records", "\n  logs: {SigninLogs: []}\n  at: 2026-03-17T10:00:00Z\n", "expect: nothing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if r := tested(t, tc.logs, "  "+tc.rest+"\n"); r.code != exitDone {
				t.Errorf("code %d:\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}

// A mistake in a case is none of the rule: it has its place and an exit code of its
// own.
func TestMistakesInCases(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, logs, rest, want string }{
		{"unknown key", twoFailures, "  expcet: 1\n  expect: 1\n", `failures.test.yaml:6:3: unknown key "expcet" in the case: did you mean "expect"?`},
		{"unknown key of an alert", twoFailures, "  expect: [{titel: x}]\n", `failures.test.yaml:6:13: unknown key "titel" in expect: did you mean "title"?`},
		{"nothing expected", twoFailures, "", "failures.test.yaml:1:3: expect is missing: write nothing, a number of alerts, or a list of what must hold of each"},
		{"expectation without value", twoFailures, "  expect:\n", "expect has no value: write nothing"},
		{"some", twoFailures, "  expect: some\n", `failures.test.yaml:6:11: expect is "some": write nothing, a number of alerts, or a list`},
		{"minus", twoFailures, "  expect: -1\n", `expect is "-1"`},
		{"an alert of nothing", twoFailures, "  expect: [{}]\n", "failures.test.yaml:6:12: an item of expect says nothing"},
		{"an alert that is empty", twoFailures, "  expect: [null]\n", "failures.test.yaml:6:12: an item of expect is empty: remove it or give it a value"},
		{"tactics that are empty", twoFailures, "  expect: [{tactics: ''}]\n", "failures.test.yaml:6:22: tactics is empty: give it a value or remove it"},
		{"severity", twoFailures, "  expect: [{severity: Hihg}]\n", `severity is "Hihg": did you mean "High"?`},
		{"entity", twoFailures, "  expect: [{entities: [{Acount: x}]}]\n", `entity type "Acount" is unknown: did you mean "Account"?`},
		{"identifier", twoFailures, "  expect: [{entities: [{Account: {FulName: x}}]}]\n", `Account has no identifier "FulName": did you mean "FullName"?`},
		{"finding", twoFailures, "  expect: [{findings: [bombimg]}]\n", `the kind of a finding is "bombimg": did you mean "bombing"?`},
		{"no logs", "\n", "  expect: 1\n", "failures.test.yaml:1:3: logs is missing: give records per table, or the path of a file"},
		{"no name", "\n", "  logs: x\n  expect: 1\n- logs: y\n  expect: 1\n", "failures.test.yaml:4:3: name is missing"},
		{"a name twice", twoFailures, "  expect: 1\n- name: it\n  logs: x\n  expect: 1\n", `the name "it" is already that of the case at failures.test.yaml:1`},
		{"at and from", twoFailures, "  at: 2026-03-17\n  from: 2026-03-17\n  expect: 1\n", "failures.test.yaml:6:7: at is one run, and from and to are a time to run over"},
		{"to before from", twoFailures, "  to: 2026-03-17\n  from: 2026-03-18\n  expect: 1\n", "to is not after from"},
		{"no time", twoFailures, "  at: noon\n  expect: 1\n", `at is "noon": write a time in ISO 8601`},
		{"a file that is not there", "\n  logs: none.ndjson\n", "  expect: 1\n", "failures.test.yaml:2:9: logs: no file or folder none.ndjson"},
		{"a record without time", "\n  logs:\n    SigninLogs:\n      - {ResultType: 1}\n", "  expect: 0\n", "failures.test.yaml:4:1: TimeGenerated is missing"},
		{"a value of another type", strings.Replace(twoFailures, "ResultType: 50057", "ResultType: 50057, CreatedDateTime: soon", 1), "  expect: 1\n", `SigninLogs.CreatedDateTime is of type datetime, and a value is not: failures.test.yaml:5: CreatedDateTime: "soon"`},
		{"a record that is none", "\n  logs:\n    SigninLogs: [1]\n", "  expect: 0\n", `a record of SigninLogs is the single value "1": it must be a mapping of columns to values`},
		{"no time to run at", "\n  logs: {SigninLogs: []}\n", "  expect: 0\n", "    failures.test.yaml:1:3: there is a mistake in the case:\n      there are no records to take the time from: give at, or from and to\n"},
		{"a start of the time alone", "\n  logs: {SigninLogs: []}\n  from: 2026-03-17\n", "  expect: 0\n", "there are no records to take the time from: give at, or from and to\n"},
		{"a custom table without records", "\n  logs: {Events_CL: []}\n", "  expect: 0\n", "there are no records to take the time from: give at, or from and to\n    warning: failures.test.yaml:2:10: the rule does not read Events_CL: it reads SigninLogs\n"},
		{"another table", "\n  logs: {SigninLog: [{TimeGenerated: 2026-03-17T09:10:00Z}]}\n", "  expect: 0\n", "    warning: failures.test.yaml:2:10: the rule does not read SigninLog: did you mean SigninLogs?\n"},
		{"another column", "\n  logs: {SigninLogs: [{TimeGeneratd: 2026-03-17T09:10:00Z}]}\n", "  expect: 0\n", "    warning: failures.test.yaml:2: SigninLogs has no column TimeGeneratd: did you mean TimeGenerated?\n"},
		{"records of another table", "\n  logs: {AuditLogs: [{Type: SigninLogs, TimeGenerated: 2026-03-17T09:10:00Z}]}\n", "  expect: 0\n", "      failures.test.yaml:2:10: the records are of SigninLogs, not AuditLogs\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := tested(t, tc.logs, tc.rest)
			if r.code != exitUsage || !strings.Contains(r.stdout+r.stderr, tc.want) {
				t.Errorf("code %d, and %q is not in:\n%s%s", r.code, tc.want, r.stdout, r.stderr)
			}
		})
	}
}

// A warning about how a case is written keeps it from nothing.
func TestWarningsInCases(t *testing.T) {
	t.Parallel()
	const said = "failures.test.yaml:6:22: tactics is the single value \"CredentialAccess\" and is read as a list: write it as [a, b]"
	for _, tc := range []struct {
		tactics string
		code    int
		want    string
	}{
		{"CredentialAccess", exitDone, "PASS: 1 case of 1 rule, in "},
		{"Impact", exitFailed, "FAIL: 1 case of 1 rule, 1 failed, in "},
	} {
		r := tested(t, twoFailures, "  expect: [{tactics: "+tc.tactics+"}]\n")
		if r.code != tc.code || !strings.Contains(r.stdout, tc.want) || r.stderr != "warning: "+strings.ReplaceAll(said, "CredentialAccess", tc.tactics)+"\n" {
			t.Errorf("%s: code %d:\n%s%s", tc.tactics, r.code, r.stdout, r.stderr)
		}
	}
	for _, flag := range []string{"--json", "--junit=" + filepath.Join(t.TempDir(), "x.xml")} {
		if r := tested(t, twoFailures, "  expect: [{techniques: T1110}]\n", flag); r.code != exitDone || strings.Contains(r.stdout, "istake") {
			t.Errorf("%s: code %d:\n%s%s", flag, r.code, r.stdout, r.stderr)
		}
	}
}

// Logs under the name of a table are of that table, whatever they say.
func TestLogsOfAnotherTable(t *testing.T) {
	t.Parallel()
	const (
		signin = `{"Type":"SigninLogs","TimeGenerated":"2026-03-17T09:10:00Z","ResultType":"1"}` + "\n"
		audit  = `{"Type":"AuditLogs","TimeGenerated":"2026-03-17T09:10:00Z"}` + "\n"
	)
	for _, tc := range []struct {
		name, table, file, text string
		code                    int
		want                    string
	}{
		{"CSV", "AuditLogs", "a.csv", "TimeGenerated,ResultType,Type\n2026-03-17T09:10:00Z,1,SigninLogs\n", exitUsage, "f.test.yaml:1:32: the records of a.csv are of SigninLogs, not AuditLogs\n"},
		{"NDJSON", "AuditLogs", "a.ndjson", signin, exitUsage, "the records of a.ndjson are of SigninLogs, not AuditLogs\n"},
		{"two tables, and neither is it", "DeviceInfo", "a.ndjson", signin + audit, exitUsage, "the records of a.ndjson are of AuditLogs, SigninLogs, not DeviceInfo\n"},
		{"one of two tables", "SigninLogs", "a.ndjson", signin + audit, exitDone, "warning: f.test.yaml:1:33: some of the records of a.ndjson are of AuditLogs, not SigninLogs\n"},
		{"its table", "SigninLogs", "a.ndjson", signin, exitDone, "--- PASS: Failures/it (0.00s)\nok"},
		{"its table, spelt otherwise", "signinlogs", "a.ndjson", signin, exitDone, "--- PASS: "},
		{"its category", "SignInLogs", "a.ndjson", signin, exitDone, "--- PASS: "},
		{"records that do not say it", "SigninLogs", "AuditLogs.ndjson", `{"TimeGenerated":"2026-03-17T09:10:00Z"}` + "\n", exitDone, "--- PASS: "},
		{"a folder", "AuditLogs", "logs/a.ndjson", signin, exitUsage, "the records of logs are of SigninLogs, not AuditLogs\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path, _, _ := strings.Cut(tc.file, "/")
			dir := folder(t, map[string]string{"f.yaml": failuresRule, tc.file: tc.text, "f.test.yaml": "- {name: it, logs: {" + tc.table + ": " + path + "}, at: 2026-03-17T10:00:00Z, expect: 0}\n"})
			r := handler(t, "test", filepath.Join(dir, "f.yaml"))
			got := regexp.MustCompile(`\d+\.\d\ds`).ReplaceAllString(strings.ReplaceAll(r.stdout, dir+string(filepath.Separator), ""), "0.00s")
			if r.code != tc.code || !strings.Contains(got, tc.want) {
				t.Errorf("code %d, and %q is not in:\n%s%s", r.code, tc.want, got, r.stderr)
			}
		})
	}
}

// The output of a failing case, of one with a mistake, and of the totals, to the
// letter.
func TestOutputOfCases(t *testing.T) {
	t.Parallel()
	r := tested(t, twoFailures, `  expect:
    - title: Failures of bob@contoso.example
      details: {Failures: 3}
- name: passes
  logs: {SigninLogs: [{TimeGenerated: 2026-03-17T09:10:00Z, ResultTyp: 1}], AuditLog: []}
  expect: nothing
- name: a slip
  logs: nowhere.csv
  expect: nothing
- name: another
  logs: nowhere.csv
`)
	want := `--- FAIL: Failures/it (0.00s)
    failures.test.yaml:7:14: alert 1: title
      want  Failures of bob@contoso.example
      got   Failures of ana@contoso.example
    failures.test.yaml:8:16: alert 1: detail Failures
      want  3
      got   2
--- PASS: Failures/passes (0.00s)
    warning: failures.test.yaml:10:77: the rule does not read AuditLog: it reads SigninLogs
    warning: failures.test.yaml:10: SigninLogs has no column ResultTyp: did you mean ResultType?
--- MISTAKE: Failures/a slip (0.00s)
    failures.test.yaml:12:3: there is a mistake in the case:
      failures.test.yaml:13:9: logs: no file or folder nowhere.csv; give the folder that holds the exported logs
FAIL  failures.yaml  2 of 3 cases  0.00s
FAIL: 3 cases of 1 rule, 1 failed, 2 mistakes, in 0.00s
`
	if r.stdout != want || r.code != exitUsage {
		t.Errorf("code %d, and got:\n%s\nwant:\n%s", r.code, r.stdout, want)
	}
	if want := "handler: failures.test.yaml:15:3: expect is missing: write nothing, a number of alerts, or a list of what must hold of each\n"; r.stderr != want {
		t.Errorf("on standard error:\n%s\nwant:\n%s", r.stderr, want)
	}
}

// The JUnit file has every case, with failures and mistakes where CI systems look for
// them, and is XML whatever a log holds.
func TestJUnit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.xml")
	r := tested(t, strings.ReplaceAll(twoFailures, "ana@contoso.example", `"a\u0001<b>]]>&\uFFFE@x"`), `  expect: 0
- name: passes
  logs: {SigninLogs: []}
  at: 2026-03-17
  expect: nothing
- name: a slip
  logs: nowhere.csv
  expect: nothing
`, "--junit", file)
	if r.code != exitUsage {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(written, &got); err != nil {
		t.Fatalf("%v\n%s", err, written)
	}
	if got.Tests != 3 || got.Failures != 1 || got.Errors != 1 || len(got.Suites) != 1 || len(got.Suites[0].Cases) != 3 {
		t.Fatalf("%s", written)
	}
	cases := got.Suites[0].Cases
	if c := cases[0]; c.Failure == nil || c.Name != "it" || c.Class != "Failures" || !strings.Contains(c.Failure.Message, "number of alerts: want 0, got 1") || !strings.Contains(c.Failure.Text, "<b>]]>&") || c.Error != nil {
		t.Errorf("%+v", c)
	}
	if c := cases[1]; c.Failure != nil || c.Error != nil || c.Line != 7 {
		t.Errorf("%+v", c)
	}
	if c := cases[2]; c.Failure != nil || c.Error == nil || !strings.Contains(c.Error.Text, "nowhere.csv") {
		t.Errorf("%+v", c)
	}
	if r := tested(t, twoFailures, "  expect: 1\n", "--junit", filepath.Join(file, "x")); r.code != exitFailed || !strings.Contains(r.stderr, "--junit ") {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
}

// Cases stand in the rule's file too, have logs in files, and --run chooses among them.
func TestWhereCasesStand(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"rules/failures.yaml": failuresRule + `pushback:
  tests:
    - name: in the file
      logs: logs/SigninLogs
      expect: 1
    - name: of one table
      logs: {SigninLogs: logs/SigninLogs/a.ndjson}
      expect: 1
    - name: of a list
      logs: [logs/SigninLogs/a.ndjson]
      expect: 1
    - name: records that say their table
      logs: [{Type: SigninLogs, TimeGenerated: 2026-03-17T09:10:00Z, ResultType: 1}]
      expect: 0
`,
		"rules/failures.test.yml":        "tests:\n- name: beside it\n" + twoFailures + "\n  expect: 1\n",
		"rules/logs/SigninLogs/a.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","ResultType":"1"}` + "\n" + `{"TimeGenerated":"2026-03-17T09:11:00Z","ResultType":"1"}` + "\n",
		"rules/quiet.yaml":               strings.NewReplacer("4788", "4789", "name: Failures", "name: Quiet").Replace(failuresRule),
		"rules/disabled.yaml":            strings.NewReplacer("4788", "4790", "name: Failures", "name: Disabled").Replace(failuresRule) + "enabled: false\npushback: {tests: [{name: x, logs: logs/SigninLogs, expect: 1}]}\n",
	})
	r := handler(t, "test", filepath.Join(dir, "rules"))
	for _, want := range []string{
		"--- PASS: Failures/in the file ", "--- PASS: Failures/of one table ", "--- PASS: Failures/of a list ", "--- PASS: Failures/records that say their table ", "--- PASS: Failures/beside it ",
		"--- PASS: Disabled/x ", "quiet.yaml  no cases ", "PASS: 6 cases of 3 rules, in ",
	} {
		if r.code != exitDone || !strings.Contains(r.stdout, want) {
			t.Errorf("code %d, and %q is not in:\n%s%s", r.code, want, r.stdout, r.stderr)
		}
	}
	r = handler(t, "test", filepath.Join(dir, "rules", "failures.test.yml"), "--run", "Failures/(beside|in the)")
	if r.code != exitDone || strings.Count(r.stdout, "--- PASS") != 2 || !strings.Contains(r.stdout, "PASS: 2 cases of 1 rule, 3 left out by --run, in ") {
		t.Errorf("code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r = handler(t, "test", "--run", "(", dir); r.code != exitUsage || !strings.Contains(r.stderr, `--run "(" is no regular expression`) {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
	// A pattern with a slip of the pen is not to pass.
	for _, flags := range [][]string{nil, {"--json"}, {filepath.Join(dir, "rules", "quiet.yaml")}} {
		r = handler(t, slices.Concat([]string{"test", "--run", "besides", filepath.Join(dir, "rules")}, flags)...)
		if r.code != exitFailed || r.stderr != "handler: no case matches --run \"besides\"\n" || strings.Contains(r.stdout, "PASS") {
			t.Errorf("%s: code %d:\n%s%s", flags, r.code, r.stdout, r.stderr)
		}
	}
	if r = handler(t, "test", filepath.Join(dir, "rules", "quiet.yaml")); r.code != exitDone || !strings.Contains(r.stdout, "PASS: there are no cases to run") {
		t.Errorf("code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	// A case whose rule is gone tests nothing.
	orphan := folder(t, map[string]string{"failures.yaml": failuresRule, "faliures.test.yaml": "[]\n"})
	if r = handler(t, "test", orphan); r.code != exitFailed || !strings.Contains(r.stderr, "faliures.test.yaml: these are cases of no rule") || !strings.Contains(r.stdout, "failures.yaml  no cases") {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
	if r = handler(t, "test", "--strict", orphan); r.code != exitFailed || !strings.Contains(r.stderr, "faliures.test.yaml: these are cases of no rule") || r.stdout != "" {
		t.Errorf("--strict: code %d, and it runs:\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// A first case is one that runs, and fails until it is filled in.
func TestInitWritesCase(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"failures.yaml": failuresRule})
	path := filepath.Join(dir, "failures.yaml")
	r := handler(t, "test", "--init", path)
	written, err := os.ReadFile(filepath.Join(dir, "failures.test.yaml"))
	if r.code != exitDone || err != nil {
		t.Fatalf("code %d, %v: %s", r.code, err, r.stderr)
	}
	const want = `# Cases of Failures. Fill in what says TODO, and leave out what does not matter; a case with expect: nothing says what the rule lets pass.
tests:
  - name: 'TODO: what makes the rule fire'
    logs:
      SigninLogs:
        - TimeGenerated: "2026-01-15T09:10:00Z"
          IPAddress: TODO
          ResultType: TODO
          UserPrincipalName: TODO
    expect:
      - title: Failures of TODO
        severity: Low
        entities:
          - Account: {FullName: TODO}
          - IP: {Address: TODO}
        details:
          Failures: TODO
          Codes: TODO
`
	if string(written) != want {
		t.Errorf("got:\n%s\nwant:\n%s", written, want)
	}
	if r = handler(t, "test", path); r.code != exitFailed || !strings.Contains(r.stdout, "number of alerts\n      want  1\n      got   0") {
		t.Errorf("code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
	for args, want := range map[string]string{path: "is " + filepath.Join(dir, "failures.test.yaml") + " already", dir: "the file of one rule", "mfa-fatigue": "the shipped rules have their cases", "": "--init takes one rule file"} {
		if r = handler(t, "test", "--init", args); r.code == exitDone || !strings.Contains(r.stderr, want) {
			t.Errorf("--init %s: code %d: %s", args, r.code, r.stderr)
		}
	}
}

// A first case of every shipped rule's kind of query is read without a mistake.
func TestFirstCaseIsReadable(t *testing.T) {
	t.Parallel()
	for _, r := range rule.Shipped() {
		text, err := firstCase(r)
		if err != nil {
			t.Fatal(err)
		}
		cases, problems := rule.ParseCases("first.test.yaml", []byte(text))
		if len(cases) != 1 || len(problems) > 0 {
			t.Errorf("%s: %v\n%s", r.Name, problems, text)
		}
	}
}

// The shipped rules have a case for each kind of sign-in of the demo's day, and
// handler test without a path runs them.
func TestShippedCases(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, r := range rule.Shipped() {
		cases, problems := r.Cases()
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, c := range cases {
			story, _, _ := strings.Cut(c.Name, ": ")
			named[story] = true
		}
	}
	for _, record := range sample.Generate(sample.Options{}).Records {
		if s := string(record.Story); record.Story != sample.Directory && !named[s] {
			t.Errorf("no case is about %s", s)
			named[s] = true
		}
	}
	r := handler(t, "test")
	if r.code != exitDone || !strings.Contains(r.stdout, "PASS: ") || strings.Contains(r.stdout, "warning") || r.stderr != "" {
		t.Errorf("code %d:\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// What keeps a rule from running is its own failure, or what its case lacks.
func TestRulesThatCannotRun(t *testing.T) {
	t.Parallel()
	record := "[{TimeGenerated: 2026-03-17T09:10:00Z, User: ana}]"
	for _, tc := range []struct {
		name, query, logs string
		code              int
		want              string
	}{
		{"a custom table", "Events_CL | where User == 'ana'", "{Events_CL: " + record + "}", exitDone, "--- PASS: "},
		{"a custom table that is not there", "Events_CL | where User == 'ana'", "{SigninLogs: " + record + "}", exitUsage, "reads Events_CL, which these logs do not hold"},
		{"a column of it that is not there", "Events_CL | where Usr == 'ana'", "{Events_CL: " + record + "}", exitUsage, "named 'Usr'; did you mean 'User'?"},
		{"a table that is none", "SigninLog | where Usr == 'ana'", "{SigninLogs: " + record + "}", exitFailed, "reads SigninLog, which these logs do not hold"},
		{"a column that is none", "SigninLogs | where Usr == 'ana'", "{SigninLogs: " + record + "}", exitFailed, "named 'Usr'"},
		{"an error of the run", "SigninLogs | extend a = toscalar(range x from 1 to 5000000 step 1 | summarize make_list(x, 5000000)) | project a, b = a", "{SigninLogs: " + record + "}", exitFailed, "the rule did not run:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, map[string]string{
				"r.yaml":      "id: 2b701288-b428-4fb8-805e-e4372c574788\nname: R\nseverity: Low\nkind: NRT\nquery: \"" + tc.query + "\"\n",
				"r.test.yaml": "- {name: it, logs: " + tc.logs + ", at: 2026-03-17T09:12:00Z, expect: 1}\n",
			})
			if r := handler(t, "test", dir); r.code != tc.code || !strings.Contains(r.stdout, tc.want) {
				t.Errorf("code %d, and %q is not in:\n%s%s", r.code, tc.want, r.stdout, r.stderr)
			}
		})
	}
}

// A case that expects findings has them, also where the context is off.
func TestFindingsWithoutContext(t *testing.T) {
	t.Setenv("PUSHBACK_CONTEXT", "off")
	if r := tested(t, signedIn, "  expect: [{findings: [success-same-ip]}]\n"); r.code != exitDone {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
