package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/logs"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/sample"
	"pushback/handler/settings"
)

// collector is a destination that keeps what it is sent.
type collector struct{ alerts []alert.Alert }

func (c *collector) Name() string { return "collector" }
func (c *collector) Notify(_ context.Context, a alert.Alert) error {
	c.alerts = append(c.alerts, a)
	return nil
}

// received moves the moment at which the workspace got a record.
func received(r sample.Record, at time.Time) sample.Record {
	const layout = "2006-01-02T15:04:05.0000000Z"
	old := []byte(`"_TimeReceived":"` + r.Received.Format(layout) + `"`)
	if !bytes.Contains(r.JSON, old) {
		panic("the record does not say when it was received: " + string(r.JSON))
	}
	r.JSON = bytes.Replace(r.JSON, old, []byte(`"_TimeReceived":"`+at.Format(layout)+`"`), 1)
	r.Received = at
	return r
}

// TestSameActivities runs the same day in different ways. Each reports the same
// rejections, each once.
func TestSameActivities(t *testing.T) {
	t.Parallel()
	day := sample.Generate(sample.Options{})
	rejections := day.Rejections
	late := func(r sample.Record) bool { return r.Story == "late-rejection" }

	for _, tc := range []struct {
		name              string
		frequency, period time.Duration
		times             int // how often the day is run, over one ledger
		move              func(sample.Record) sample.Record
	}{
		{name: "hourly windows", frequency: time.Hour, period: time.Hour, times: 1},
		{name: "windows of 15 minutes", frequency: 15 * time.Minute, period: 15 * time.Minute, times: 1},
		{name: "windows that overlap by half", frequency: time.Hour, period: 2 * time.Hour, times: 1},
		{name: "windows that overlap by three quarters", frequency: 15 * time.Minute, period: time.Hour, times: 1},
		{name: "one window of a day", frequency: 24 * time.Hour, period: 24 * time.Hour, times: 1},
		{name: "twice over", frequency: time.Hour, period: time.Hour, times: 2},
		{name: "late records first", frequency: time.Hour, period: time.Hour, times: 1, move: func(r sample.Record) sample.Record {
			if late(r) {
				return received(r, r.Generated)
			}
			return r
		}},
		{name: "late records last", frequency: time.Hour, period: time.Hour, times: 1, move: func(r sample.Record) sample.Record {
			if late(r) {
				return received(r, r.Generated.Add(119*time.Minute))
			}
			return r
		}},
		{name: "every record late", frequency: time.Hour, period: time.Hour, times: 1, move: func(r sample.Record) sample.Record {
			return received(r, r.Generated.Add(110*time.Minute))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			moved := &sample.Day{}
			for _, r := range day.Records {
				if tc.move != nil {
					r = tc.move(r)
				}
				moved.Records = append(moved.Records, r)
			}
			r := rule.Default()
			r.QueryFrequency, r.QueryPeriod = tc.frequency, tc.period
			l := tables(t, moved, r)
			s, err := settings.Read()
			if err != nil {
				t.Fatal(err)
			}
			reported := ledger.NewMemory()
			var to collector
			for range tc.times {
				// A run of its own over the same ledger, as after a restart; a
				// window that is run again must report nothing.
				sim, err := newSimulation(l, library{}, []*rule.Rule{r}, s, sample.DefaultDay, sample.DefaultDay.AddDate(0, 0, 1), nil, &forgetful{reported}, &to)
				if err != nil {
					t.Fatal(err)
				}
				var failures failureList
				if err := sim.run(context.Background(), &failures, func(detect.Report) error { return nil }); err != nil || failures.err() != nil {
					t.Fatal(failures.err(), err)
				}
			}
			reportedOnce(t, to.alerts, rejections)
		})
	}
}

// forgetful is a ledger that remembers what was reported, and not how far rules
// have run, each time it is put around one.
type forgetful struct{ *ledger.Memory }

func (f *forgetful) State(ctx context.Context, ruleID string) (ledger.State, error) {
	return ledger.State{}, nil
}

// tables reads the records as an export would hold them, and of them what the
// rule needs.
func tables(t *testing.T, day *sample.Day, r *rule.Rule) *logs.Logs {
	t.Helper()
	reader := logs.NewReader(logs.Options{Columns: neededColumns(library{}, r.Query.Text)})
	for _, f := range day.Files() {
		if err := reader.File(context.Background(), f.Name, bytes.NewReader(f.Content)); err != nil {
			t.Fatal(err)
		}
	}
	l, err := reader.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A rejection of each format, for TestReplayReads. What they share is said
// once, whatever it was read from.
const (
	workspaceRecord = `{"TimeGenerated":"2026-03-17T09:58:03.1234567Z","Type":"SigninLogs","ResultType":"500121","UserPrincipalName":"Ana@fabrikam.example","UserId":"11111111-1111-1111-1111-111111111111","AADTenantId":"22222222-2222-2222-2222-222222222222","IPAddress":"203.0.113.7","CorrelationId":"c1","Status":{"errorCode":500121,"additionalDetails":"MFA denied; user declined the authentication"}}`
	apiAnswer       = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Type","type":"string"},{"name":"ResultType","type":"string"},{"name":"UserPrincipalName","type":"string"},{"name":"UserId","type":"string"},{"name":"AADTenantId","type":"string"},{"name":"IPAddress","type":"string"},{"name":"CorrelationId","type":"string"},{"name":"Status","type":"dynamic"}],"rows":[["2026-03-17T09:58:03.1234567Z","SigninLogs","500121","Ana@fabrikam.example","11111111-1111-1111-1111-111111111111","22222222-2222-2222-2222-222222222222","203.0.113.7","c1","{\"additionalDetails\":\"MFA denied; user declined the authentication\"}"]]}]}`
	diagnostic      = `{"time":"2026-03-17T09:58:03.1234567Z","category":"SignInLogs","resultType":"500121","tenantId":"22222222-2222-2222-2222-222222222222","properties":{"userPrincipalName":"Ana@fabrikam.example","userId":"11111111-1111-1111-1111-111111111111","ipAddress":"203.0.113.7","correlationId":"c1","status":{"errorCode":500121,"additionalDetails":"MFA denied; user declined the authentication"}}}`
	csvExport       = "\ufeff\"TimeGenerated [UTC]\",ResultType,UserPrincipalName,UserId,AADTenantId,IPAddress,CorrelationId,Status,Type\r\n" +
		`"3/17/2026, 9:58:03.123 AM",500121,Ana@fabrikam.example,11111111-1111-1111-1111-111111111111,22222222-2222-2222-2222-222222222222,203.0.113.7,c1,"{""additionalDetails"":""MFA denied; user declined the authentication""}",SigninLogs` + "\r\n"
)

func TestReplayReads(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, content string }{
		{"ndjson", "SigninLogs.ndjson", workspaceRecord + "\n"},
		{"an array", "export.json", "[\n" + workspaceRecord + "\n]"},
		{"the API's answer", "answer.json", apiAnswer},
		{"the diagnostic export", "insights-logs-signinlogs/tenantId=x/y=2026/m=03/d=17/h=09/m=00/PT1H.json", diagnostic + "\n"},
		{"the portal's CSV", "query_data.csv", csvExport},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, map[string]string{tc.file: tc.content})
			alerts := handler(t, "replay", "--logs", dir, "--json").alerts(t)
			if len(alerts) != 1 {
				t.Fatalf("%d alerts", len(alerts))
			}
			a := alerts[0]
			if a.Title != "MFA rejected by ana@fabrikam.example from 203.0.113.7" ||
				identifier(a, "Account", "AadTenantId") != "22222222-2222-2222-2222-222222222222" {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestReplayBounds(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	for _, tc := range []struct {
		from, to string
		alerts   int
	}{
		{"", "", 1},
		{"2026-03-17", "2026-03-18", 1},
		{"2026-03-17T09:00", "2026-03-17T10:00", 1},
		{"2026-03-17T10:00:00Z", "", 0},
		{"", "2026-03-17T09:00", 0},
		{"2026-03-17T11:00+01:00", "2026-03-17T12:00+01:00", 0},
	} {
		r := handler(t, "replay", "--logs", dir, "--json", "--from", tc.from, "--to", tc.to)
		if tc.alerts == 0 && r.code == exitFailed && strings.Contains(r.stderr, "nothing to run over") {
			continue
		}
		if n := len(r.alerts(t)); n != tc.alerts {
			t.Errorf("from %q to %q: %d alerts, want %d", tc.from, tc.to, n, tc.alerts)
		}
	}
}

// folder writes files into a folder of their own.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ruleFile is a rule whose query, and any further lines, are given.
func ruleFile(query string, more ...string) string {
	var sb strings.Builder
	for _, line := range []string{
		"id: 0a1b2c3d-0000-4000-8000-000000000001", "name: A rule", "description: For a test.", "severity: Low", "kind: Scheduled",
		"queryFrequency: 1h", "queryPeriod: 1h", "triggerOperator: gt", "triggerThreshold: 0",
	} {
		key, _, _ := strings.Cut(line, ":")
		replaced := false
		for _, m := range more {
			replaced = replaced || strings.HasPrefix(m, key+":")
		}
		if !replaced {
			sb.WriteString(line + "\n")
		}
	}
	for _, m := range more {
		sb.WriteString(m + "\n")
	}
	if query != "" {
		sb.WriteString("query: |\n")
		for line := range strings.Lines(query) {
			sb.WriteString("  " + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return sb.String()
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	good := map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"}
	with := func(name, content string) map[string]string {
		return map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n", name: content}
	}
	mixed := folder(t, map[string]string{
		"a.yaml": ruleFile("SigninLogs", "severity: Huge"),
		"b.yaml": strings.Replace(ruleFile("SigninLogs | where (x"), "0001", "0002", 1),
		"c.yaml": strings.Replace(ruleFile("SigninLogs\n| reduce by UserPrincipalName"), "0001", "0003", 1),
	})
	for _, tc := range []struct {
		name     string
		logs     map[string]string // nil: no such folder
		rule     string            // of --rules; empty: the shipped one
		args     []string
		code     int
		wants    []string // on standard error
		reported int      // alerts all the same
	}{
		{name: "no such folder", code: exitUsage, wants: []string{"no-such-folder", "no file or folder"}},
		{name: "an empty folder", logs: map[string]string{}, code: exitFailed, wants: []string{"is empty", ".ndjson"}},
		{name: "no table that the rule needs", logs: map[string]string{"AuditLogs.ndjson": `{"TimeGenerated":"2026-03-17T09:00:00Z","Type":"AuditLogs","OperationName":"x"}` + "\n"},
			code: exitDone, wants: []string{`AADNonInteractiveUserSignInLogs, SigninLogs: no records; "MFA Rejected by User" and "MFA Fatigue" run as if they were empty`,
				`AADUserRiskEvents: no records; "MFA Rejected by User" runs as if it were empty`}},
		{name: "a table that nobody knows", logs: good, rule: ruleFile("union isfuzzy=false SigninLogs, Proxy_CL"), code: exitFailed,
			wants: []string{`reads Proxy_CL, which these logs do not hold and of which no columns are known`, "give it as a file named Proxy_CL.ndjson", "they hold SigninLogs (1 record)"}},
		{name: "a truncated gzip", logs: with("more.ndjson.gz", truncatedGzip(t)), code: exitDone, wants: []string{"more.ndjson.gz", "cut"}, reported: 1},
		{name: "a line of 50 MB", logs: with("long.ndjson", `{"TimeGenerated":"2026-03-17T09:00:00Z","Type":"SigninLogs","Identity":"`+strings.Repeat("x", 50<<20)+"\"}\n"+workspaceRecord+"\n"),
			code: exitDone, wants: []string{"long.ndjson:1", "52428"}, reported: 1},
		{name: "invalid UTF-8", logs: with("more.ndjson", "{\"TimeGenerated\":\"2026-03-17T09:00:00Z\",\"Type\":\"SigninLogs\",\"Identity\":\"\xff\"}\n"+workspaceRecord+"\n"),
			code: exitDone, wants: []string{"more.ndjson:1", "UTF-8"}, reported: 1},
		{name: "a wrong time", logs: with("more.ndjson", `{"TimeGenerated":"yesterday","Type":"SigninLogs"}`+"\n"+workspaceRecord+"\n"),
			code: exitDone, wants: []string{"more.ndjson:1", `"yesterday"`, "ISO 8601"}, reported: 1},
		{name: "nothing but bad lines", logs: with("bad.ndjson", "{\n}}\nnull\n"), code: exitFailed, wants: []string{"bad.ndjson", "nothing that can be read"}, reported: 1},
		{name: "a rule that is no YAML", logs: good, rule: "id: [", code: exitFailed, wants: []string{"rule.yaml:"}},
		{name: "a rule without a query", logs: good, rule: ruleFile(""), code: exitFailed, wants: []string{"rule.yaml:", "query"}},
		{name: "a period under the frequency", logs: good, rule: ruleFile("SigninLogs", "queryPeriod: 30m"), code: exitFailed, wants: []string{"rule.yaml:", "30m", "1h"}},
		{name: "an unknown entity type", logs: good, rule: ruleFile("SigninLogs", "entityMappings:", "  - entityType: Acount", "    fieldMappings:", "      - identifier: Name", "        columnName: Identity"),
			code: exitFailed, wants: []string{"rule.yaml:11:17:", "Acount", "Account"}},
		{name: "an unknown identifier", logs: good, rule: ruleFile("SigninLogs", "entityMappings:", "  - entityType: IP", "    fieldMappings:", "      - identifier: Adress", "        columnName: IPAddress"),
			code: exitFailed, wants: []string{"rule.yaml:13:21:", "Adress", "Address"}},
		{name: "all problems of a rule at once", logs: good, rule: ruleFile("SigninLogs", "severity: Huge", "triggerThreshold: many"), code: exitFailed, wants: []string{"Huge", "many"}},
		{name: "a KQL error", logs: good, rule: ruleFile("SigninLogs\n| where UserPrincipalNam == 'x'"), code: exitFailed,
			wants: []string{"rule.yaml:12:11:", "UserPrincipalNam", "did you mean 'UserPrincipalName'?", "    | where UserPrincipalNam == 'x'\n            ^"}},
		{name: "a KQL operator that is not supported", logs: good, rule: ruleFile("SigninLogs\n| reduce by UserPrincipalName"), code: exitFailed,
			wants: []string{"rule.yaml:12:5:", "'reduce' is not supported"}},
		{name: "from with the month or the day first", logs: good, args: []string{"--from", "04/03/2026"}, code: exitUsage, wants: []string{`--from is "04/03/2026": expected a date or a time in ISO 8601`}},
		{name: "dates of no known order", logs: with("SigninLogs/export.csv", "TimeGenerated [UTC],ResultType\n\"04/03/2026, 20:26:12.030\",0\n"), code: exitFailed,
			wants: []string{"export.csv:2: TimeGenerated: \"04/03/2026, 20:26:12.030\"", "--date-order dmy", "regional format"}},
		{name: "dates of an order that the option gives", logs: with("SigninLogs/export.csv", "TimeGenerated [UTC],ResultType\n\"04/03/2026, 20:26:12.030\",0\n"),
			args: []string{"--date-order", "dmy"}, code: exitDone, reported: 1},
		{name: "an order of dates that is none", logs: good, args: []string{"--date-order", "ymd"}, code: exitUsage, wants: []string{"--date-order", "dmy", "mdy"}},
		{name: "from after to", logs: good, args: []string{"--from", "2026-03-18", "--to", "2026-03-17"}, code: exitUsage, wants: []string{"--from 2026-03-18 is not before --to 2026-03-17"}},
		{name: "a from before all logs", logs: good, args: []string{"--from", "0001-01-01"}, code: exitUsage, wants: []string{"between 1970 and 2200"}},
		{name: "a from that is no time", logs: good, args: []string{"--from", "noon"}, code: exitUsage, wants: []string{`--from is "noon"`, "ISO 8601"}},
		{name: "errors of YAML and of KQL in one run", logs: good, rule: "", args: []string{"--rules", mixed}, code: exitFailed,
			wants: []string{"a.yaml:", "Huge", "b.yaml:12:1:", "c.yaml:12:", "'reduce' is not supported"}},
		{name: "a frequency of a second", logs: good, rule: ruleFile("SigninLogs", "queryFrequency: PT1S"), code: exitFailed, wants: []string{"queryFrequency 1s is less than 1m"}},
		{name: "a time that no record can have", logs: with("more.ndjson", `{"TimeGenerated":"0001-01-01T00:00:00Z","Type":"SigninLogs"}`+"\n"+workspaceRecord+"\n"),
			code: exitDone, wants: []string{"more.ndjson:1", "between 1970 and 2200"}, reported: 1},
		{name: "a file's name with a line break", logs: with("bad\nforged.ndjson", "{\n"), code: exitFailed, wants: []string{`bad\nforged.ndjson"`}, reported: 1},
		{name: "no such rule", logs: good, args: []string{"--rules", "nowhere.yaml"}, code: exitUsage, wants: []string{"nowhere.yaml"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "no-such-folder")
			if tc.logs != nil {
				dir = folder(t, tc.logs)
			}
			args := append([]string{"replay", "--json", "--logs", dir}, tc.args...)
			if tc.rule != "" {
				args = append(args, "--rules", filepath.Join(folder(t, map[string]string{"rule.yaml": tc.rule}), "rule.yaml"))
			}
			r := handler(t, args...)
			if r.code != tc.code {
				t.Errorf("exit code %d, want %d", r.code, tc.code)
			}
			for _, want := range tc.wants {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("standard error lacks %q:\n%s", want, r.stderr)
				}
			}
			if n := strings.Count(r.stdout, "\n"); n != tc.reported {
				t.Errorf("%d alerts, want %d", n, tc.reported)
			}
			for i, c := range r.stderr {
				if c < ' ' && c != '\n' && c != '\t' {
					t.Fatalf("standard error holds the control character %U at %d", c, i)
				}
			}
		})
	}
}

// TestInterrupted checks that a run stops when it is asked to.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"replay", "--logs", folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord})}, strings.NewReader(""), &stdout, &stderr)
	if code != exitInterrupted || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}

// TestAnotherRule runs a rule that is written as published ones are. It has
// let, a join with the latest identity records, ago(), a number compared with
// text, and a threshold.
func TestAnotherRule(t *testing.T) {
	t.Parallel()
	query := `let failures = SigninLogs
| where TimeGenerated > ago(1d)
| where ResultType == 500121 and tostring(Status.additionalDetails) has "declined"
| summarize arg_max(TimeGenerated, *), Prompts = dcount(CorrelationId) by UserId;
failures
| join kind=leftouter (
    IdentityInfo
    | summarize arg_max(TimeGenerated, *) by AccountObjectId
    | project AccountObjectId, JobTitle, BlastRadius) on $left.UserId == $right.AccountObjectId
| project TimeGenerated, UserPrincipalName, IPAddress, Prompts, JobTitle, BlastRadius`
	dir := t.TempDir()
	if r := handler(t, "demo", "--json", "--write", dir); r.code != exitDone {
		t.Fatal(r.stderr)
	}
	replay := func(threshold int) []alert.Alert {
		file := folder(t, map[string]string{"r.yaml": ruleFile(query, "queryFrequency: 1d", "queryPeriod: 14d",
			fmt.Sprintf("triggerThreshold: %d", threshold), "eventGroupingSettings:", "  aggregationKind: AlertPerResult",
			"entityMappings:", "  - entityType: Account", "    fieldMappings:", "      - identifier: FullName", "        columnName: UserPrincipalName",
			"customDetails:", "  BlastRadius: BlastRadius")})
		return handler(t, "replay", "--json", "--logs", dir, "--rules", file, "--from", "2026-03-17", "--to", "2026-03-18").alerts(t)
	}

	users := map[string]bool{}
	for _, r := range sample.Generate(sample.Options{}).Rejections {
		if r.Interactive && !r.Fraud && r.Story != sample.RefusedThenSignedIn { // of which the steps alone say it
			users[r.UserID] = true
		}
	}
	alerts := replay(0)
	if len(alerts) != len(users) || len(users) == 0 {
		t.Errorf("%d alerts for %d users", len(alerts), len(users))
	}
	for _, a := range alerts {
		if identifier(a, "Account", "FullName") == "georgi.dimitrov@fabrikam.example" {
			if len(a.CustomDetails) != 1 || a.CustomDetails[0].Values[0] != "High" {
				t.Errorf("the administrator's blast radius is not the latest one: %v", a.CustomDetails)
			}
		}
	}
	if n := len(replay(len(users) - 1)); n != len(users) {
		t.Errorf("%d alerts over the threshold", n)
	}
	if n := len(replay(len(users))); n != 0 {
		t.Errorf("%d alerts at the threshold", n)
	}
}

// TestLateBetweenTold has a fraud report arrive late, between two rejections of
// the same user and address that were reported already.
func TestLateBetweenTold(t *testing.T) {
	t.Parallel()
	record := func(at, received, id, reason string) string {
		return fmt.Sprintf(`{"TimeGenerated":"2026-03-17T%s:00Z","_TimeReceived":"2026-03-17T%s:00Z","Type":"SigninLogs","ResultType":"500121","UserPrincipalName":"ana@fabrikam.example","UserId":"u","AADTenantId":"t","IPAddress":"203.0.113.7","CorrelationId":%q,"Status":{"additionalDetails":%q}}`+"\n",
			at, received, id, reason)
	}
	const declined, fraud = "MFA denied; user declined the authentication", "MFA denied; Phone App Reported Fraud"
	dir := folder(t, map[string]string{"SigninLogs.ndjson": record("09:10", "09:11", "c1", declined) +
		record("09:50", "09:51", "c2", declined) + record("09:30", "10:32", "c3", fraud)})
	alerts := handler(t, "replay", "--logs", dir, "--json").alerts(t)
	if len(alerts) != 2 {
		t.Fatalf("%d alerts, want the first and the one about the late report", len(alerts))
	}
	if got := authentications(alerts[1]); len(got) != 3 || len(alerts[1].Previously()) != 1 || alerts[0].ID == alerts[1].ID {
		t.Errorf("the second alert: %v, previously %v", got, alerts[1].Previously())
	}
}

// TestRulesBindToWholeTables runs rules that name columns which they then do
// not need, or which only these logs have.
func TestRulesBindToWholeTables(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"SigninLogs.ndjson":  strings.Replace(workspaceRecord, `"Type"`, `"Extra_s":"hello","Type"`, 1) + "\n",
		"MyCustom_CL.ndjson": `{"TimeGenerated":"2026-03-17T09:58:03Z","Type":"MyCustom_CL","Foo_s":"x"}` + "\n",
	})
	for name, query := range map[string]string{
		"a column that is dropped again":     "SigninLogs | project TimeGenerated, UserPrincipalName, Location | project TimeGenerated, UserPrincipalName",
		"a column that is never used":        "SigninLogs | extend A = AppDisplayName | project TimeGenerated",
		"project-away":                       "SigninLogs | project-away AppDisplayName | project TimeGenerated",
		"project-rename":                     "SigninLogs | project-rename X = UserAgent | project TimeGenerated",
		"a let that is never used":           "let unused = SigninLogs | project Location;\nSigninLogs | project TimeGenerated",
		"the other side of a join":           "SigninLogs | join kind=leftouter (SigninLogs | project UserId, City = tostring(LocationDetails.city)) on UserId | project TimeGenerated",
		"a column that only these logs have": `SigninLogs | where column_ifexists("Extra_s", "none") == "hello" | project TimeGenerated`,
		"the same, by its name":              `SigninLogs | where Extra_s == "hello" | project TimeGenerated`,
		"a custom table in a fuzzy union":    `union isfuzzy=true (SigninLogs | where Location == "nowhere" | project TimeGenerated), (MyCustom_CL | where Foo_s == "x" | project TimeGenerated)`,
		"every column":                       `SigninLogs | where Extra_s == "hello"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(folder(t, map[string]string{"r.yaml": ruleFile(query)}), "r.yaml")
			if n := len(handler(t, "replay", "--json", "--logs", dir, "--rules", file).alerts(t)); n != 1 {
				t.Errorf("%d alerts", n)
			}
		})
	}
}

// TestYearsApart replays two rejections that lie years apart: what no record
// can reach is not run, unless a rule fires when it finds nothing.
func TestYearsApart(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n" +
		strings.NewReplacer("2026-03-17", "1999-12-31", `"c1"`, `"c0"`).Replace(workspaceRecord) + "\n"})
	r := handler(t, "replay", "--logs", dir, "--rules", "mfa-rejected-by-user")
	if r.code != exitDone || !strings.Contains(r.stdout, "2 alerts") || !strings.Contains(r.stdout, "4 windows") {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	quiet := filepath.Join(folder(t, map[string]string{"r.yaml": ruleFile("SigninLogs", "triggerOperator: eq", "queryFrequency: 1d", "queryPeriod: 1d")}), "r.yaml")
	alerts := handler(t, "replay", "--json", "--logs", dir, "--rules", quiet, "--from", "2026-03-10", "--to", "2026-03-18").alerts(t)
	if len(alerts) != 7 {
		t.Errorf("%d alerts about days without sign-ins, want 7", len(alerts))
	}
}

func TestDisabledRule(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	disabled := ruleFile("SigninLogs", "enabled: false")
	rules := folder(t, map[string]string{"off.yaml": disabled})
	if r := handler(t, "replay", "--logs", dir, "--rules", rules); r.code != exitFailed || !strings.Contains(r.stderr, "is disabled") {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
}

// TestJSONIsHarmless checks that what --json prints does nothing to a terminal
// and is the same JSON all the same.
func TestJSONIsHarmless(t *testing.T) {
	t.Parallel()
	hostile := "a\u009b31m\u202e\x7f\U000E0041é 東"
	quoted, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	out := escaped(quoted)
	var back string
	if err := json.Unmarshal(out, &back); err != nil || back != hostile {
		t.Errorf("%s reads back as %q, %v", out, back, err)
	}
	for _, r := range string(out) + demoJSON().stdout {
		if r != '\n' && !text.Harmless(r) {
			t.Fatalf("%U is printed as it is", r)
		}
	}
}
