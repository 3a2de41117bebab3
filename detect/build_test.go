package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

var (
	_ Querier = (*workspace.Client)(nil)
	_ Ledger  = (*ledger.Memory)(nil)
)

// fixed is a workspace that always gives the same table.
type fixed struct{ table workspace.Table }

func (f fixed) Query(context.Context, workspace.Query) (*workspace.Table, error) {
	return &f.table, nil
}

// parse reads a rule of the given YAML; what every rule needs is added.
func parse(t *testing.T, yaml string) *rule.Rule {
	t.Helper()
	r, problems := rule.Parse("test.yaml", []byte(`id: 0f1e2d3c-4b5a-4678-9abc-def012345678
name: Test rule
description: What the rule says.
severity: Medium
kind: Scheduled
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess]
relevantTechniques: [T1078]
version: 1.2.3
query: T
`+strings.TrimLeft(yaml, "\n")))
	if r == nil {
		t.Fatal(problems)
	}
	return r
}

// alertsOf returns what one tick at 10:05 makes of a table.
func alertsOf(t *testing.T, r *rule.Rule, table workspace.Table) ([]alert.Alert, RuleRun) {
	t.Helper()
	in := &inbox{name: "inbox"}
	d, err := New(config(), []*rule.Rule{r}, fixed{table}, ledger.NewMemory(), in)
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.Tick(t.Context(), clock("10:05"))
	if err != nil {
		t.Fatal(err)
	}
	return in.alerts, report.Rules[0]
}

func columns(namesAndTypes ...string) []workspace.Column {
	var cs []workspace.Column
	for _, c := range namesAndTypes {
		name, kind, _ := strings.Cut(c, ":")
		cs = append(cs, workspace.Column{Name: name, Type: kind})
	}
	return cs
}

// rejections is a result with everything that a rule can map.
var rejections = workspace.Table{
	Columns: columns("StartTime:datetime", "endtime:datetime", "Name:string", "Suffix:string", "IPs:dynamic",
		"Count:long", "Apps:dynamic", "Severity:string", "Tactics:dynamic", "Link:string"),
	Rows: [][]any{
		{clock("09:10"), clock("09:20"), "alice", "contoso.example", workspace.NewDynamic(`["192.0.2.1","2001:db8::1"]`),
			int64(1<<53 + 1), workspace.NewDynamic(`["Teams","Portal"]`), "low", workspace.NewDynamic(`["CredentialAccess"]`), ""},
		{clock("09:30"), clock("09:30"), "bob", "", workspace.NewDynamic(`["192.0.2.1"]`),
			int64(2), workspace.NewDynamic(`["Portal","<b>"]`), "HIGH", workspace.NewDynamic(`["InitialAccess","CredentialAccess"]`), "https://contoso.example/b"},
	},
}

const mapped = `
entityMappings:
  - entityType: Account
    fieldMappings:
      - {identifier: Name, columnName: Name}
      - {identifier: UPNSuffix, columnName: Suffix}
  - entityType: IP
    fieldMappings:
      - {identifier: Address, columnName: IPs}
customDetails:
  Applications: Apps
  Rejections: Count
  Link: Link
alertDetailsOverride:
  alertDisplayNameFormat: "{{Name}} said no {{Count}} times"
  alertDescriptionFormat: "See {{Link}}"
  alertSeverityColumnName: Severity
  alertTacticsColumnName: Tactics
  alertDynamicProperties:
    - {alertProperty: AlertLink, value: Link}
`

func TestAlertPerResult(t *testing.T) {
	t.Parallel()
	got, run := alertsOf(t, parse(t, mapped+"eventGroupingSettings: {aggregationKind: AlertPerResult}\n"), rejections)
	if len(run.Warnings) > 0 {
		t.Errorf("warnings: %v", run.Warnings)
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	want := []alert.Alert{
		{
			RuleID: "0f1e2d3c-4b5a-4678-9abc-def012345678", RuleName: "Test rule", RuleVersion: "1.2.3",
			Title:       "alice said no 9007199254740993 times",
			Description: "What the rule says.",
			Severity:    alert.Low,
			Tactics:     []string{"CredentialAccess"}, Techniques: []string{"T1078"},
			Entities: []alert.Entity{
				{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: "alice"}, {Identifier: "UPNSuffix", Value: "contoso.example"}}},
				{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "192.0.2.1"}}},
				{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "2001:db8::1"}}},
			},
			CustomDetails: []alert.Detail{
				{Name: "Applications", Values: []string{"Teams", "Portal"}},
				{Name: "Rejections", Values: []string{"9007199254740993"}},
			},
			Window: alert.Span{Start: clock("09:00"), End: clock("10:00")},
			Span:   alert.Span{Start: clock("09:10"), End: clock("09:20")},
			Rows: []alert.Row{{
				{Column: "StartTime", Value: raw(`"2026-03-14T09:10:00Z"`)}, {Column: "endtime", Value: raw(`"2026-03-14T09:20:00Z"`)},
				{Column: "Name", Value: raw(`"alice"`)}, {Column: "Suffix", Value: raw(`"contoso.example"`)},
				{Column: "IPs", Value: raw(`["192.0.2.1","2001:db8::1"]`)}, {Column: "Count", Value: raw(`9007199254740993`)},
				{Column: "Apps", Value: raw(`["Teams","Portal"]`)}, {Column: "Severity", Value: raw(`"low"`)},
				{Column: "Tactics", Value: raw(`["CredentialAccess"]`)}, {Column: "Link", Value: raw(`""`)},
			}},
			Notes:   []string{"The description is the rule's: a column in the rule's description format has no value."},
			Created: clock("10:05"),
		},
		{
			RuleID: "0f1e2d3c-4b5a-4678-9abc-def012345678", RuleName: "Test rule", RuleVersion: "1.2.3",
			Title:       "bob said no 2 times",
			Description: "See https://contoso.example/b",
			Severity:    alert.High,
			Tactics:     []string{"InitialAccess", "CredentialAccess"}, Techniques: []string{"T1078"},
			Entities: []alert.Entity{
				{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: "bob"}}},
				{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "192.0.2.1"}}},
			},
			CustomDetails: []alert.Detail{
				{Name: "Applications", Values: []string{"Portal", "<b>"}},
				{Name: "Rejections", Values: []string{"2"}},
				{Name: "Link", Values: []string{"https://contoso.example/b"}},
			},
			Properties: []alert.Property{{Name: "AlertLink", Value: "https://contoso.example/b"}},
			Window:     alert.Span{Start: clock("09:00"), End: clock("10:00")},
			Span:       alert.Span{Start: clock("09:30"), End: clock("09:30")},
			Rows: []alert.Row{{
				{Column: "StartTime", Value: raw(`"2026-03-14T09:30:00Z"`)}, {Column: "endtime", Value: raw(`"2026-03-14T09:30:00Z"`)},
				{Column: "Name", Value: raw(`"bob"`)}, {Column: "Suffix", Value: raw(`""`)},
				{Column: "IPs", Value: raw(`["192.0.2.1"]`)}, {Column: "Count", Value: raw(`2`)},
				{Column: "Apps", Value: raw(`["Portal","\u003cb\u003e"]`)}, {Column: "Severity", Value: raw(`"HIGH"`)},
				{Column: "Tactics", Value: raw(`["InitialAccess","CredentialAccess"]`)}, {Column: "Link", Value: raw(`"https://contoso.example/b"`)},
			}},
			Created: clock("10:05"),
		},
	}
	slices.Reverse(want) // the worst is sent first
	for i := range want {
		want[i].Activities = []alert.Activity{{Fingerprint: got[i].Activities[0].Fingerprint, Span: want[i].Span}}
		want[i].ID = alert.NewID(want[i].RuleID, want[i].Activities)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("alerts (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var back []alert.Alert
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, back); diff != "" {
		t.Errorf("after JSON (-want +got):\n%s", diff)
	}
}

func TestSingleAlertOfRows(t *testing.T) {
	t.Parallel()
	alerts, _ := alertsOf(t, parse(t, mapped), rejections)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	got := alerts[0]
	want := alert.Alert{
		Title:       "alice said no 9007199254740993 times",
		Description: "See https://contoso.example/b",
		Severity:    alert.High,
		Tactics:     []string{"CredentialAccess", "InitialAccess"},
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: "alice"}, {Identifier: "UPNSuffix", Value: "contoso.example"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "192.0.2.1"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "2001:db8::1"}}},
			{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: "bob"}}},
		},
		CustomDetails: []alert.Detail{
			{Name: "Applications", Values: []string{"Teams", "Portal", "<b>"}},
			{Name: "Rejections", Values: []string{"9007199254740993", "2"}},
			{Name: "Link", Values: []string{"https://contoso.example/b"}},
		},
		Properties: []alert.Property{{Name: "AlertLink", Value: "https://contoso.example/b"}},
		Span:       alert.Span{Start: clock("09:10"), End: clock("09:30")},
	}
	if diff := cmp.Diff(want, alert.Alert{
		Title: got.Title, Description: got.Description, Severity: got.Severity, Tactics: got.Tactics, Entities: got.Entities,
		CustomDetails: got.CustomDetails, Properties: got.Properties, Span: got.Span, Notes: got.Notes,
	}); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	if len(got.Activities) != 2 || len(got.Rows) != 2 || got.ID != alert.NewID(got.RuleID, got.Activities) {
		t.Errorf("alert = %+v", got)
	}
}

func TestOverridesFallBack(t *testing.T) {
	t.Parallel()
	const override = `
alertDetailsOverride:
  alertDisplayNameFormat: "No {{Missing}}"
  alertSeverityColumnName: Severity
  alertTacticsColumnName: Tactics
`
	tests := []struct {
		name, severity, tactics string
		wantSeverity            alert.Severity
		wantTactics             []string
		note                    string
	}{
		{"empty", "", " , ", alert.Medium, []string{"InitialAccess"}, "column Severity has no value"},
		{"unknown", "Critical\n", "", alert.Medium, []string{"InitialAccess"}, `column Severity holds "Critical", which is none`},
		{"good", " informational ", `["Impact"]`, alert.Informational, []string{"Impact"}, ""},
		{"a list", "Low", "Impact, Exfiltration,Impact", alert.Low, []string{"Impact", "Exfiltration"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			alerts, run := alertsOf(t, parse(t, override), workspace.Table{
				Columns: columns("TimeGenerated:datetime", "Severity:string", "Tactics:string"),
				Rows:    [][]any{{clock("09:10"), tt.severity, tt.tactics}},
			})
			a := alerts[0]
			if a.Severity != tt.wantSeverity || a.Title != "Test rule" {
				t.Errorf("severity = %v, title = %q", a.Severity, a.Title)
			}
			if diff := cmp.Diff(tt.wantTactics, a.Tactics); diff != "" {
				t.Errorf("tactics (-want +got):\n%s", diff)
			}
			notes := strings.Join(a.Notes, "\n")
			if !strings.Contains(notes, "The title is the rule's name") || !strings.Contains(notes, tt.note) {
				t.Errorf("notes = %q", notes)
			}
			want := []string{`test.yaml:15:33: warning: alertDetailsOverride alertDisplayNameFormat: the query's result has no column "Missing"`}
			if diff := cmp.Diff(want, run.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestActivities is about which rows are the same activity, and when.
func TestActivities(t *testing.T) {
	t.Parallel()
	const byUser = `
entityMappings:
  - entityType: Account
    fieldMappings: [{identifier: Name, columnName: User}]
`
	full := alert.Span{Start: clock("09:00"), End: clock("10:00").Add(-100)}
	at := func(start, end string) alert.Span { return alert.Span{Start: clock(start), End: clock(end)} }
	tests := []struct {
		name  string
		yaml  string
		table workspace.Table
		want  []foundActivity // without fingerprints
		same  bool            // whether the rows have one identity
	}{
		{
			"start and end, whatever their case", byUser,
			workspace.Table{
				Columns: columns("STARTTIME:datetime", "endTime:datetime", "TimeGenerated:datetime", "User:string"),
				Rows: [][]any{
					{clock("09:10"), clock("09:20"), clock("09:50"), "alice"},
					{clock("09:40"), clock("09:30"), clock("09:50"), "alice"}, // the wrong way round
					{nil, clock("09:30"), clock("09:50"), "alice"},
					{clock("09:10"), nil, clock("09:50"), "alice"},
					{nil, nil, clock("09:50"), "alice"},
					{nil, nil, nil, "alice"},
				},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:20")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:30", "09:40")}, rows: []int{1}},
				{Activity: alert.Activity{Span: at("09:30", "09:30")}, rows: []int{2}},
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{3}},
				{Activity: alert.Activity{Span: at("09:50", "09:50")}, rows: []int{4}},
				{Activity: alert.Activity{Span: full}, rows: []int{5}},
			}, true,
		},
		{
			"names of older rules", byUser,
			workspace.Table{
				Columns: columns("StartTimeUtc:datetime", "EndTimeUtc:datetime", "User:string"),
				Rows:    [][]any{{clock("09:10"), clock("09:20"), "alice"}},
			},
			[]foundActivity{{Activity: alert.Activity{Span: at("09:10", "09:20")}, rows: []int{0}}}, true,
		},
		{
			"a timestamp", byUser,
			workspace.Table{
				Columns: columns("timestamp:datetime", "User:string"),
				Rows:    [][]any{{clock("09:10"), "alice"}, {nil, "alice"}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: full}, rows: []int{1}},
			}, true,
		},
		{
			"a Timestamp beside TimeGenerated", byUser,
			workspace.Table{
				Columns: columns("Timestamp:datetime", "TimeGenerated:datetime", "User:string"),
				Rows:    [][]any{{clock("09:10"), clock("09:20"), "alice"}},
			},
			[]foundActivity{{Activity: alert.Activity{Span: at("09:20", "09:20")}, rows: []int{0}}}, true,
		},
		{
			"a start time that is text", byUser,
			workspace.Table{
				Columns: columns("StartTime:string", "TimeGenerated:datetime", "User:string"),
				Rows:    [][]any{{"09:10", clock("09:20"), "alice"}},
			},
			[]foundActivity{{Activity: alert.Activity{Span: at("09:20", "09:20")}, rows: []int{0}}}, true,
		},
		{
			"the same identity and span in two rows", byUser,
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "User:string", "App:string"),
				Rows: [][]any{
					{clock("09:10"), "alice", "Teams"}, {clock("09:10"), "bob", "Teams"}, {clock("09:10"), "alice", "Portal"},
				},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0, 2}},
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{1}},
			}, false,
		},
		{
			"the rule names the identity", byUser + "pushback: {identity: [App]}\n",
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "User:string", "App:string"),
				Rows:    [][]any{{clock("09:10"), "alice", "Teams"}, {clock("09:20"), "bob", "Teams"}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:20", "09:20")}, rows: []int{1}},
			}, true,
		},
		{
			"no identity: all columns but the times", "",
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "User:string", "App:string"),
				Rows:    [][]any{{clock("09:10"), "alice", "Teams"}, {clock("09:20"), "alice", "Teams"}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:20", "09:20")}, rows: []int{1}},
			}, true,
		},
		{
			"no identity: another app is another activity", "",
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "User:string", "App:string"),
				Rows:    [][]any{{clock("09:10"), "alice", "Teams"}, {clock("09:10"), "alice", "Portal"}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{1}},
			}, false,
		},
		{
			"an unknown user is not every unknown user", byUser,
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "User:string", "App:string"),
				Rows:    [][]any{{clock("09:10"), "", "Teams"}, {clock("09:10"), "", "Portal"}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{1}},
			}, false,
		},
		{
			"case counts", byUser,
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "user:string"),
				Rows:    [][]any{{clock("09:10"), "alice"}, {clock("09:10"), "Alice"}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{1}},
			}, false,
		},
		{
			"the order of a set does not", byUser,
			workspace.Table{
				Columns: columns("TimeGenerated:datetime", "User:dynamic"),
				Rows:    [][]any{{clock("09:10"), workspace.NewDynamic(`["b","a"]`)}, {clock("09:20"), workspace.NewDynamic(`["a","b"]`)}},
			},
			[]foundActivity{
				{Activity: alert.Activity{Span: at("09:10", "09:10")}, rows: []int{0}},
				{Activity: alert.Activity{Span: at("09:20", "09:20")}, rows: []int{1}},
			}, true,
		},
		{
			"no rows", byUser, workspace.Table{Columns: columns("TimeGenerated:datetime", "User:string")},
			[]foundActivity{{Activity: alert.Activity{Span: full}}}, true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := parse(t, tt.yaml)
			all := newRowReader(r, &tt.table, alert.Span{Start: clock("09:00"), End: clock("10:00")}).found()
			var got []foundActivity
			fingerprints := map[alert.Fingerprint]bool{}
			for i := range all.activities {
				a := all.at(i)
				fingerprints[a.Fingerprint] = true
				a.Fingerprint = ""
				got = append(got, a)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(foundActivity{})); diff != "" {
				t.Errorf("activities (-want +got):\n%s", diff)
			}
			if same := len(fingerprints) == 1; same != tt.same {
				t.Errorf("%d identities", len(fingerprints))
			}
		})
	}
}

// TestTimelessRows is about a rule whose overlapping windows cannot be kept
// apart.
func TestTimelessRows(t *testing.T) {
	t.Parallel()
	table := workspace.Table{Columns: columns("User:string"), Rows: [][]any{{"alice"}}}
	r := parse(t, "")
	if _, run := alertsOf(t, r, table); len(run.Warnings) > 0 {
		t.Errorf("warnings = %v", run.Warnings)
	}
	r.QueryPeriod = 2 * time.Hour
	alerts, run := alertsOf(t, r, table)
	if len(run.Warnings) != 1 || !strings.Contains(run.Warnings[0], "overlapping windows") {
		t.Errorf("warnings = %v", run.Warnings)
	}
	if want := (alert.Span{Start: clock("08:00"), End: clock("10:00").Add(-100)}); len(alerts) != 1 || alerts[0].Span != want {
		t.Errorf("alerts = %+v", alerts)
	}
}

// TestDefaultRule gives the shipped rule a row of the shape of its query.
func TestDefaultRule(t *testing.T) {
	t.Parallel()
	table := workspace.Table{
		Columns: columns("UserPrincipalName:string", "UserId:string", "AADTenantId:string", "IPAddress:string",
			"StartTime:datetime", "EndTime:datetime", "Rejections:long", "Name:string", "UPNSuffix:string", "Origin:string"),
		Rows: [][]any{{"alice@contoso.example", "u1", "t1", "192.0.2.1", clock("09:10"), clock("09:20"), int64(3), "alice", "contoso.example", "192.0.2.1"}},
	}
	alerts, _ := alertsOf(t, rule.Default(), table)
	if len(alerts) != 1 || alerts[0].Title != "MFA rejected by alice@contoso.example from 192.0.2.1" || len(alerts[0].Entities) != 2 {
		t.Errorf("alerts = %+v", alerts)
	}
}

func BenchmarkTick(b *testing.B) {
	r := rule.Default()
	table := workspace.Table{Columns: columns("UserPrincipalName:string", "UserId:string", "AADTenantId:string", "IPAddress:string",
		"StartTime:datetime", "EndTime:datetime", "Rejections:long", "Name:string", "UPNSuffix:string")}
	for i := range 10_000 {
		user := "u" + time.Duration(i).String()
		table.Rows = append(table.Rows, []any{user + "@contoso.example", user, "t1", "192.0.2.1", clock("09:10"), clock("09:20"), int64(3), user, "contoso.example"})
	}
	for b.Loop() {
		d, err := New(config(), []*rule.Rule{r}, fixed{table}, ledger.NewMemory())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := d.Tick(b.Context(), clock("10:05")); err != nil {
			b.Fatal(err)
		}
	}
}

// An alert of very many rows shows the first of them, says so, and has all of
// their activities recorded.
func TestSingleAlertOfVeryManyRows(t *testing.T) {
	t.Parallel()
	const many = mostAlertRows + 500
	var events []event
	for i := range many {
		events = append(events, happened(fmt.Sprint("e", i), fmt.Sprint("user", i), "09:10"))
	}
	r := counting(time.Hour, time.Hour)
	r.Grouping = rule.SingleAlert
	d := newDay(t, config(), events, r)
	if _, err := d.tick(clock("10:05")); err != nil || len(d.inbox.alerts) != 1 {
		t.Fatalf("%d alerts, %v", len(d.inbox.alerts), err)
	}
	a := d.inbox.alerts[0]
	if len(a.Rows) != mostAlertRows || len(a.Activities) != many || len(a.Notes) != 1 || !strings.Contains(a.Notes[0], "the first 1,000 of 1,500 rows") {
		t.Errorf("%d rows, %d activities, %q", len(a.Rows), len(a.Activities), a.Notes)
	}
	report, err := d.tick(clock("11:05"))
	if err != nil || len(d.inbox.alerts) != 1 || report.Rules[0].Totals().Dropped != many {
		t.Errorf("%d alerts, %+v, %v", len(d.inbox.alerts), report.Rules[0].Totals(), err)
	}
}
