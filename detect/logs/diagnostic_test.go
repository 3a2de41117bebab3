package logs

import (
	"bytes"
	"encoding/json"
	"os"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

// The column that each member of a sign-in record of the diagnostic export is
// kept in. A property is written with a dot before it.
var signInColumns = map[string]string{
	"Level":                         "Level",
	"category":                      "Category",
	"durationMs":                    "DurationMs",
	"identity":                      "Identity",
	"location":                      "Location",
	"operationName":                 "OperationName",
	"operationVersion":              "OperationVersion",
	"resourceId":                    "ResourceId",
	"resultDescription":             "ResultDescription",
	"resultSignature":               "ResultSignature",
	"resultType":                    "ResultType",
	"tenantId":                      "AADTenantId",
	"time":                          "TimeGenerated",
	".appDisplayName":               "AppDisplayName",
	".appId":                        "AppId",
	".clientAppUsed":                "ClientAppUsed",
	".conditionalAccessStatus":      "ConditionalAccessStatus",
	".correlationId":                "CorrelationId",
	".createdDateTime":              "CreatedDateTime",
	".deviceDetail":                 "DeviceDetail",
	".id":                           "Id",
	".ipAddress":                    "IPAddress",
	".isInteractive":                "IsInteractive",
	".location":                     "LocationDetails",
	".originalRequestId":            "OriginalRequestId",
	".processingTimeInMilliseconds": "ProcessingTimeInMilliseconds",
	".riskDetail":                   "RiskDetail",
	".riskLevelAggregated":          "RiskLevelAggregated",
	".riskLevelDuringSignIn":        "RiskLevelDuringSignIn",
	".riskState":                    "RiskState",
	".servicePrincipalId":           "ServicePrincipalId",
	".status":                       "Status",
	".tokenIssuerName":              "TokenIssuerName",
	".tokenIssuerType":              "TokenIssuerType",
	".userDisplayName":              "UserDisplayName",
	".userId":                       "UserId",
	".userPrincipalName":            "UserPrincipalName",
}

// What a non-interactive sign-in has beyond that, or elsewhere.
var nonInteractiveColumns = map[string]string{
	".appliedConditionalAccessPolicies":  "ConditionalAccessPolicies",
	".authenticationDetails":             "AuthenticationDetails",
	".authenticationProcessingDetails":   "AuthenticationProcessingDetails",
	".authenticationRequirement":         "AuthenticationRequirement",
	".authenticationRequirementPolicies": "AuthenticationRequirementPolicies",
	".autonomousSystemNumber":            "AutonomousSystemNumber",
	".crossTenantAccessType":             "CrossTenantAccessType",
	".flaggedForReview":                  "FlaggedForReview",
	".homeTenantId":                      "HomeTenantId",
	".isTenantRestricted":                "IsTenantRestricted",
	".networkLocationDetails":            "NetworkLocationDetails",
	".privateLinkDetails":                "PrivateLinkDetails",
	".processingTimeInMilliseconds":      "ProcessingTimeInMs",
	".resourceDisplayName":               "ResourceDisplayName",
	".resourceId":                        "ResourceIdentity",
	".resourceTenantId":                  "ResourceTenantId",
	".riskEventTypes":                    "RiskEventTypes",
	".riskEventTypes_v2":                 "RiskEventTypes_V2",
	".ssoExtensionVersion":               "SsoExtensionVersion",
	".userAgent":                         "UserAgent",
	".userType":                          "UserType",
}

// The columns of the second record that the schema of its table lacks.
var nonInteractiveExtra = kql.Schema{
	{Name: "FlaggedForReview", Type: kql.Bool},
	{Name: "PrivateLinkDetails", Type: kql.Dynamic},
	{Name: "ResourceId", Type: kql.String},
	{Name: "SsoExtensionVersion", Type: kql.String},
}

func TestDiagnosticExportFillsEveryColumn(t *testing.T) {
	t.Parallel()
	const own = "testdata/signin-diagnostic.ndjson"
	for _, file := range []string{own, "../../../shared/data/signin-export.ndjson"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if os.IsNotExist(err) && file != own {
				return // beside some checkouts only; our own copy says the same
			} else if err != nil {
				t.Fatal(err)
			}
			l := mustRead(t, Options{}, "PT1H.json", string(data))
			if diff := cmp.Diff([]string{nonInteractive, signinLogs}, tableNames(l)); diff != "" {
				t.Fatalf("tables (-want +got):\n%s", diff)
			}
			lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
			checkExported(t, l.Table(signinLogs), lines[0], signInColumns, nil, map[string]string{
				"Type": signinLogs, "SourceSystem": "Azure AD",
				"Resource": "Microsoft.aadiam", "ResourceGroup": "Microsoft.aadiam",
			})
			columns := make(map[string]string)
			for member, column := range signInColumns {
				columns[member] = column
			}
			for member, column := range nonInteractiveColumns {
				columns[member] = column
			}
			checkExported(t, l.Table(nonInteractive), lines[1], columns, nonInteractiveExtra, map[string]string{
				"Type": nonInteractive, "SourceSystem": "Azure AD", "ResourceGroup": "Microsoft.aadiam",
			})
			if len(l.Report.Conversions)+len(l.Report.Problems)+len(l.Report.Warnings) > 0 {
				t.Errorf("unexpected: %+v", l.Report)
			}
		})
	}
}

// checkExported compares every column of a table of one row with the record it
// was read from.
func checkExported(t *testing.T, table *kql.Table, line []byte, columns map[string]string, extra kql.Schema, derived map[string]string) {
	t.Helper()
	if table.Rows() != 1 {
		t.Fatalf("%s has %d rows, want 1", table.Name(), table.Rows())
	}
	var record map[string]json.RawMessage
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, c := range table.Schema() {
		want[c.Name] = derived[c.Name]
	}
	expect := func(member string, raw json.RawMessage) {
		column, ok := columns[member]
		if !ok {
			// Beside the properties only what they repeat has no column of its own.
			if member != "callerIpAddress" && member != "correlationId" && member != "properties" {
				t.Errorf("%s: no column is expected for the member %s", table.Name(), member)
			}
			return
		}
		want[column] = textOf(t, raw)
	}
	for member, raw := range record {
		expect(member, raw)
	}
	var inner map[string]json.RawMessage
	if err := json.Unmarshal(record["properties"], &inner); err != nil {
		t.Fatal(err)
	}
	for member, raw := range inner {
		expect("."+member, raw)
	}
	got := make(map[string]string)
	for i, c := range table.Schema() {
		got[c.Name] = table.Value(0, i).String()
		if c.Type == kql.DateTime {
			if at, ok := table.Value(0, i).Time(); ok {
				got[c.Name] = at.Format(time.RFC3339Nano)
			}
			if at, err := time.Parse(time.RFC3339Nano, want[c.Name]); err == nil {
				want[c.Name] = at.UTC().Format(time.RFC3339Nano)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", table.Name(), diff)
	}
	schema := kql.KnownTables()[table.Name()]
	if diff := cmp.Diff(schema, table.Schema()[:len(schema)]); diff != "" {
		t.Errorf("%s: schema (-want +got):\n%s", table.Name(), diff)
	}
	added := append(kql.Schema(nil), table.Schema()[len(schema):]...)
	sort.Slice(added, func(i, j int) bool { return added[i].Name < added[j].Name })
	if diff := cmp.Diff(extra, added); diff != "" {
		t.Errorf("%s: extra columns (-want +got):\n%s", table.Name(), diff)
	}
}

// textOf is what tostring() gives for a member, computed without this package.
func textOf(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(raw, &s); err == nil {
		return s
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		t.Fatal(err)
	}
	return compact.String()
}

func TestDiagnosticExport(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, text string
		want             []string
	}{
		{
			name: "as event hubs deliver it",
			file: "hub.json",
			text: `{"records":[
				{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","resultType":500121,"properties":{"userId":"u1"}},
				{"time":"2026-03-17T10:00:01Z","category":"SignInLogs","resultType":"0","properties":{"userId":"u2"}}]}`,
			want: []string{
				"SigninLogs Category=SignInLogs ResultType=500121 SourceSystem=Azure AD Type=SigninLogs UserId=u1",
				"SigninLogs Category=SignInLogs ResultType=0 SourceSystem=Azure AD Type=SigninLogs UserId=u2",
			},
		},
		{
			name: "event hub messages, one per line",
			file: "capture.json",
			text: `{"records":[{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","properties":{"userId":"u1"}}]}` + "\n" +
				`{"records":[{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","properties":{"userId":"u2"}}]}` + "\n",
			want: []string{
				"SigninLogs Category=SignInLogs SourceSystem=Azure AD Type=SigninLogs UserId=u1",
				"SigninLogs Category=SignInLogs SourceSystem=Azure AD Type=SigninLogs UserId=u2",
			},
		},
		{
			name: "what is beside the properties counts if they do not say it",
			file: "x.json",
			text: `{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","callerIpAddress":"192.0.2.1","correlationId":"outer","properties":{"ipAddress":null,"correlationId":"inner"}}`,
			want: []string{"SigninLogs CorrelationId=inner IPAddress=192.0.2.1 SourceSystem=Azure AD Type=SigninLogs Category=SignInLogs"},
		},
		{
			name: "and does not if they do, wherever they stand",
			file: "x.json",
			text: `{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","properties":{"ipAddress":"2001:db8::1"},"callerIpAddress":"192.0.2.1"}`,
			want: []string{"SigninLogs IPAddress=2001:db8::1 SourceSystem=Azure AD Type=SigninLogs Category=SignInLogs"},
		},
		{
			name: "and members beside them and among them do not take each other's place",
			file: "x.json",
			text: `{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","properties":{"location":{"city":"c"},"resourceId":"r1"},"location":"PT","resourceId":"o1"}` + "\n" +
				`{"time":"2026-03-17T10:00:00Z","category":"SignInLogs","location":"DE","resourceId":"o2","properties":{"resourceId":"r2"}}`,
			want: []string{
				`SigninLogs Category=SignInLogs Location=PT LocationDetails={"city":"c"} ResourceId=o1 ResourceIdentity=r1 SourceSystem=Azure AD Type=SigninLogs`,
				`SigninLogs Category=SignInLogs Location=DE ResourceId=o2 ResourceIdentity=r2 SourceSystem=Azure AD Type=SigninLogs`,
			},
		},
		{
			name: "another category of Microsoft Entra",
			file: "x.json",
			text: `{"time":"2026-03-17T10:00:00Z","category":"AuditLogs","tenantId":"t","resourceId":"/tenants/t/providers/Microsoft.aadiam",` +
				`"properties":{"category":"GroupManagement","operationType":"Add","targetResources":[{"id":"r"}],"activityDateTime":"2026-03-17T09:59:59Z","type":"x"}}`,
			want: []string{`AuditLogs AADOperationType=Add AADTenantId=t ActivityDateTime=2026-03-17T09:59:59Z Category=GroupManagement` +
				` Resource=Microsoft.aadiam ResourceGroup=Microsoft.aadiam ResourceId=/tenants/t/providers/Microsoft.aadiam` +
				` SourceSystem=Azure AD TargetResources=[{"id":"r"}] Type=AuditLogs properties_type=x`},
		},
		{
			name: "a category that is not of Microsoft Entra is a table of its own",
			file: "x.json",
			text: `{"time":"2026-03-17T10:00:00Z","category":"FunctionAppLogs","properties":{"message":"hi"}}`,
			want: []string{"FunctionAppLogs Category=FunctionAppLogs Message=hi Type=FunctionAppLogs"},
		},
		{
			name: "unless the path names a table",
			file: "insights-logs-signinlogs/tenantId=t/y=2026/m=03/d=17/h=10/m=00/PT1H.json",
			text: `{"time":"2026-03-17T10:00:00Z","category":"SomethingNew","properties":{"userId":"u"}}`,
			want: []string{"SigninLogs Category=SomethingNew Type=SigninLogs UserId=u"},
		},
		{
			name: "a column named properties is not the export",
			file: "MyTable_CL.json",
			text: `{"TimeGenerated":"2026-03-17T10:00:00Z","category":"c","properties":{"a":1}}`,
			want: []string{`MyTable_CL category=c properties={"a":1}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for i, row := range tt.want {
				// The order of the columns does not matter here.
				fields := splitRow(row)
				sort.Strings(fields[1:])
				tt.want[i] = strings.Join(fields, " ")
			}
			got := rows(mustRead(t, Options{}, tt.file, tt.text))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}
