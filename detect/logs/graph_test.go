package logs

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What the export calls the properties is Graph's resource: each of its members
// gets into the same column, and what stands beside them is derived.
func TestGraphHasTheColumnsOfTheExport(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/signin-diagnostic.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	// What Graph does not say, and what the two records have beside their
	// properties, which is not what is in them.
	beside := []string{"Level", "DurationMs", "ResourceId", "Resource", "ResourceGroup", "AADTenantId", "TimeGenerated", "Identity", "CorrelationId", "OperationVersion"}
	for _, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var record struct{ Properties json.RawMessage }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		// The first is in SigninLogs, though it says that it is not interactive.
		resource := strings.Replace(string(record.Properties), `"isInteractive":false`, `"isInteractive":false,"signInEventTypes":["interactiveUser"]`, 1)
		if bytes.Contains(line, []byte("NonInteractive")) {
			resource = string(record.Properties)
		}
		want := mustRead(t, Options{}, "PT1H.json", string(line))
		got := mustRead(t, Options{}, "signIns.json", resource)
		if diff := cmp.Diff(tableNames(want), tableNames(got)); diff != "" {
			t.Fatalf("tables (-export +Graph):\n%s", diff)
		}
		cells := func(l *Logs) []string {
			var kept []string
			for _, cell := range splitRow(rows(l)[0]) {
				name, _, _ := strings.Cut(cell, "=")
				if !slices.Contains(beside, name) && name != "SignInEventTypes" {
					kept = append(kept, cell)
				}
			}
			return kept
		}
		if diff := cmp.Diff(cells(want), cells(got)); diff != "" {
			t.Errorf("%s (-export +Graph):\n%s", tableNames(want)[0], diff)
		}
	}
}

func TestGraphResources(t *testing.T) {
	t.Parallel()
	const signIn = `"createdDateTime":"2026-03-17T10:00:00Z","ipAddress":"192.0.2.1","status":{"errorCode":500121,"failureReason":"r"}`
	const common = ` CreatedDateTime=2026-03-17T10:00:00Z IPAddress=192.0.2.1`
	const rest = ` OperationName=Sign-in activity OperationVersion=1.0 ResultDescription=r ResultSignature=None ResultType=500121 SourceSystem=Azure AD`
	const status = ` Status={"errorCode":500121,"failureReason":"r"}`
	tests := []struct{ name, file, text, want string }{
		{"no kind of sign-in", "x.json", `{` + signIn + `}`, "SigninLogs Category=SignInLogs" + common + rest + status + " Type=SigninLogs"},
		{"interactive", "x.json", `{"isInteractive":true,` + signIn + `}`,
			"SigninLogs Category=SignInLogs" + common + " IsInteractive=true" + rest + status + " Type=SigninLogs"},
		{"not interactive", "x.json", `{"isInteractive":false,"userId":"u",` + signIn + `}`,
			"AADNonInteractiveUserSignInLogs Category=NonInteractiveUserSignInLogs" + common + " IsInteractive=false" + rest + status +
				" Type=AADNonInteractiveUserSignInLogs UserId=u"},
		{"a kind wins over the file's name", "InteractiveSignIns_1.json", `{"signInEventTypes":["nonInteractiveUser"],` + signIn + `}`,
			"AADNonInteractiveUserSignInLogs Category=NonInteractiveUserSignInLogs" + common + rest + ` SignInEventTypes=["nonInteractiveUser"]` + status +
				" Type=AADNonInteractiveUserSignInLogs"},
		{"a workload", "x.json", `{"isInteractive":false,"servicePrincipalId":"s","servicePrincipalName":"job",` + signIn + `}`,
			"AADServicePrincipalSignInLogs Category=ServicePrincipalSignInLogs" + common + " Identity=job IsInteractive=false" + rest +
				" ServicePrincipalId=s ServicePrincipalName=job" + status + " Type=AADServicePrincipalSignInLogs"},
		{"a managed identity by its file", "MSISignIns_2026-03-17.json", `{"servicePrincipalId":"s",` + signIn + `}`,
			"AADManagedIdentitySignInLogs Category=ManagedIdentitySignInLogs" + common + rest + " ServicePrincipalId=s" + status +
				" Type=AADManagedIdentitySignInLogs"},
		{"by its file alone", "NonInteractiveSignIns_2026.json", `{"createdDateTime":"2026-03-17T10:00:00Z","ipAddress":"192.0.2.1"}`,
			"AADNonInteractiveUserSignInLogs Category=NonInteractiveUserSignInLogs" + common +
				" OperationName=Sign-in activity OperationVersion=1.0 ResultSignature=None SourceSystem=Azure AD Type=AADNonInteractiveUserSignInLogs"},
		{"a guest's tenant, and what OData adds", "x.json", `{"@odata.type":"#microsoft.graph.signIn","@odata.etag":"x","userType":"guest",` +
			`"homeTenantId":"h","resourceTenantId":"r","location":{"city":"c","countryOrRegion":"PT"},` + signIn + `}`,
			`SigninLogs AADTenantId=r Category=SignInLogs` + common[:len(common)-len(" IPAddress=192.0.2.1")] +
				` HomeTenantId=h IPAddress=192.0.2.1 Location=PT LocationDetails={"city":"c","countryOrRegion":"PT"}` + rest[:len(" OperationName=Sign-in activity OperationVersion=1.0")] +
				` ResourceTenantId=r` + rest[len(" OperationName=Sign-in activity OperationVersion=1.0"):] + status + " Type=SigninLogs UserType=Guest"},
		{"an audit", "x.json", `{"id":"i","category":"UserManagement","correlationId":"c","result":"success","resultReason":"why","activityDisplayName":"Add user",` +
			`"activityDateTime":"2026-03-17T10:00:00Z","loggedByService":"Core Directory","operationType":"Add","initiatedBy":{"app":null,` +
			`"user":{"displayName":"Ana"}},"targetResources":[{"id":"t"}],"additionalDetails":[{"key":"k","value":"v"}]}`,
			`AuditLogs AADOperationType=Add ActivityDateTime=2026-03-17T10:00:00Z ActivityDisplayName=Add user AdditionalDetails=[{"key":"k","value":"v"}]` +
				` Category=UserManagement CorrelationId=c Id=i Identity=Ana InitiatedBy={"app":null,"user":{"displayName":"Ana"}} LoggedByService=Core Directory` +
				` OperationName=Add user OperationVersion=1.0 Result=success ResultDescription=why ResultReason=why ResultSignature=None SourceSystem=Azure AD` +
				` TargetResources=[{"id":"t"}] Type=AuditLogs`},
		{"a risk detection", "x.json", `{"id":"i","riskEventType":"userReportedSuspiciousActivity","riskState":"atRisk","ipAddress":"192.0.2.1",` +
			`"location":{"city":"c"},"activityDateTime":"2026-03-17T09:00:00Z","detectedDateTime":"2026-03-17T10:00:00Z","userId":"u",` +
			`"additionalInfo":"[{\"Key\":\"k\"}]"}`,
			`AADUserRiskEvents ActivityDateTime=2026-03-17T09:00:00Z AdditionalInfo=[{"Key":"k"}] DetectedDateTime=2026-03-17T10:00:00Z Id=i IpAddress=192.0.2.1` +
				` Location={"city":"c"} OperationName=User Risk Detection RiskEventType=userReportedSuspiciousActivity RiskState=atRisk SourceSystem=Azure AD` +
				` Type=AADUserRiskEvents UserId=u Category=UserRiskEvents`},
		{"what the SDK does not know", "x.json", `{"CreatedDateTime":"2026-03-17T10:00:00Z","IPAddress":"192.0.2.1","Status":{"ErrorCode":0,"AdditionalProperties":{}},` +
			`"AdditionalProperties":{"sessionId":"s"}}`,
			`SigninLogs Category=SignInLogs` + common + ` OperationName=Sign-in activity OperationVersion=1.0 ResultSignature=None ResultType=0 SessionId=s` +
				` SourceSystem=Azure AD Status={"errorCode":0} Type=SigninLogs`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, tt.file, tt.text)
			want := splitRow(tt.want)
			slices.Sort(want[1:])
			if diff := cmp.Diff([]string{strings.Join(want, " ")}, rows(l)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if _, times := columnOf(t, l.Tables[0], timeGenerated); times[0] != "2026-03-17T10:00:00Z" {
				t.Errorf("time %s", times[0])
			}
		})
	}
}

func TestPortalAudits(t *testing.T) {
	t.Parallel()
	const text = "Date (UTC),CorrelationId,Service,Category,Activity,Result,ResultReason,UserAgent,ActorType,ActorDisplayName,ActorObjectId,ActorUserPrincipalName," +
		"IPAddress,ActorServicePrincipalId,Target1Type,Target1DisplayName,Target1ObjectId,Target1UserPrincipalName,Target1ModifiedProperty1Name," +
		"Target1ModifiedProperty1OldValue,Target1ModifiedProperty1NewValue,Target2Type,Target2ObjectId,AdditionalDetail1Key,AdditionalDetail1Value\n" +
		`2026-03-17T10:00:00Z,c,Core Directory,UserManagement,Update user,Success,,,User,Ana Lima,u1,ana@contoso.example,192.0.2.1,,User,Bo Ek,u2,bo@contoso.example,` +
		`Phone,"[""1""]","[""2""]",Group,g,k,"v ""x"""` + "\n" +
		`2026-03-17T10:01:00Z,d,Core Directory,Policy,Update policy,Failure,why,,Application,Job,,,,s1,,,,,,,,,,,` + "\n"
	want := []string{
		`AuditLogs ActivityDateTime=2026-03-17T10:00:00Z ActivityDisplayName=Update user AdditionalDetails=[{"key":"k","value":"v \"x\""}] Category=UserManagement` +
			` CorrelationId=c Identity=Ana Lima InitiatedBy={"user":{"displayName":"Ana Lima","id":"u1","userPrincipalName":"ana@contoso.example","ipAddress":"192.0.2.1"}}` +
			` LoggedByService=Core Directory OperationName=Update user OperationVersion=1.0 Result=success ResultSignature=None SourceSystem=Azure AD` +
			` TargetResources=[{"type":"User","displayName":"Bo Ek","id":"u2","userPrincipalName":"bo@contoso.example","modifiedProperties":[` +
			`{"displayName":"Phone","oldValue":"[\"1\"]","newValue":"[\"2\"]"}]},{"type":"Group","id":"g","modifiedProperties":[]}] Type=AuditLogs`,
		`AuditLogs ActivityDateTime=2026-03-17T10:01:00Z ActivityDisplayName=Update policy AdditionalDetails=[] Category=Policy CorrelationId=d Identity=Job` +
			` InitiatedBy={"app":{"displayName":"Job","servicePrincipalId":"s1"}} LoggedByService=Core Directory OperationName=Update policy OperationVersion=1.0` +
			` Result=failure ResultDescription=why ResultReason=why ResultSignature=None SourceSystem=Azure AD TargetResources=[] Type=AuditLogs`,
	}
	if diff := cmp.Diff(want, rows(mustRead(t, Options{}, "AuditLogs_2026-03-17.csv", text))); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

func TestPortalSignIns(t *testing.T) {
	t.Parallel()
	const header = "Date (UTC),Request ID,User ID,Service principal ID,IP address,Location,Status,Sign-in error code,Compliant\n"
	tests := []struct{ name, file, record, want string }{
		{"a success without a code", "x.csv", "3/17/2026 10:00:00 AM,i,u,,192.0.2.1,PT,Success,,Yes",
			`SigninLogs Category=SignInLogs CreatedDateTime=2026-03-17T10:00:00Z DeviceDetail={"isCompliant":true} IPAddress=192.0.2.1 Id=i Location=PT` +
				` LocationDetails={"countryOrRegion":"PT"} OperationName=Sign-in activity OperationVersion=1.0 ResultSignature=None ResultType=0 SourceSystem=Azure AD` +
				` Status={"errorCode":0} Type=SigninLogs UserId=u`},
		{"a success whose code is none", "x.csv", "2026-03-17T10:00:00Z,i,u,,,,Success,None,", `SigninLogs Category=SignInLogs CreatedDateTime=2026-03-17T10:00:00Z Id=i` +
			` OperationName=Sign-in activity OperationVersion=1.0 ResultSignature=None ResultType=0 SourceSystem=Azure AD Status={"errorCode":0} Type=SigninLogs UserId=u`},
		{"of a workload", "ApplicationSignIns_x.csv", "2026-03-17T10:00:00Z,i,,s,,,Failure,7000215,", `AADServicePrincipalSignInLogs Category=ServicePrincipalSignInLogs` +
			` CreatedDateTime=2026-03-17T10:00:00Z Id=i OperationName=Sign-in activity OperationVersion=1.0 ResultSignature=None ResultType=7000215` +
			` ServicePrincipalId=s SourceSystem=Azure AD Status={"errorCode":7000215} Type=AADServicePrincipalSignInLogs`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff([]string{tt.want}, rows(mustRead(t, Options{}, tt.file, header+tt.record+"\n"))); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDotNetDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/Date(1710000000000)/":      "2024-03-09T16:00:00Z",
		"/Date(1710000000123+0100)/": "2024-03-09T16:00:00.123Z",
		"/Date(-1)/":                 "1969-12-31T23:59:59.999Z",
		"/Date()/":                   "",
		"/Date(x)/":                  "",
		"/Date(99999999999999999)/":  "",
		"/Date(1":                    "",
	} {
		at, ok := dotNetDate(text)
		got := ""
		if ok {
			got = at.Format("2006-01-02T15:04:05.999Z")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// Windows PowerShell 5.1 writes some times as objects, and they are those of the records.
func TestDateObjects(t *testing.T) {
	t.Parallel()
	const (
		date = `{"value":"\/Date(1773738600000)\/","DisplayHint":2,"DateTime":"Tuesday, March 17, 2026 9:10:00 AM"}`
		bare = "{\n \"value\": \"/Date(1773738600000)/\",\n \"DateTime\": \"a \\\"day\\\"\"\n}"
	)
	tests := []struct{ name, file, text, want string }{
		{"a column", "SigninLogs.json", `{"TimeGenerated":` + date + `,"UserId":"u","CreatedDateTime":` + date + `}`,
			"SigninLogs CreatedDateTime=2026-03-17T09:10:00Z Type=SigninLogs UserId=u"},
		{"on several lines", "SigninLogs.json", "[{\"UserId\":\"u\",\"TimeGenerated\":" + bare + "}]", "SigninLogs Type=SigninLogs UserId=u"},
		{"inside a value", "SigninLogs.json", `{"TimeGenerated":"2026-03-17T09:10:00Z","MfaDetail":{"at":` + date + `}}`,
			`SigninLogs MfaDetail={"at":"/Date(1773738600000)/"} Type=SigninLogs`},
		{"another object", "SigninLogs.json", `{"TimeGenerated":"2026-03-17T09:10:00Z","MfaDetail":{"value":"/Date(1773738600000)/","other":1}}`,
			`SigninLogs MfaDetail={"value":"/Date(1773738600000)/","other":1} Type=SigninLogs`},
		{"the diagnostic export", "SigninLogs.json", `{"time":` + date + `,"category":"SignInLogs","properties":{"userId":"u","createdDateTime":` + date + `}}`,
			"SigninLogs Category=SignInLogs CreatedDateTime=2026-03-17T09:10:00Z"},
		{"Microsoft Graph", "x.json", `{"CreatedDateTime":` + date + `,"UserId":"u","IpAddress":"192.0.2.1","IsInteractive":true}`,
			"SigninLogs Category=SignInLogs CreatedDateTime=2026-03-17T09:10:00Z IPAddress=192.0.2.1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, tt.file, tt.text)
			got := rows(l)
			if len(got) != 1 || !strings.HasPrefix(strings.ReplaceAll(got[0], `\/`, "/"), tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if first := l.Report.Tables[0].First; first.UTC().Format(time.RFC3339) != "2026-03-17T09:10:00Z" {
				t.Errorf("the time is %s", first)
			}
			if len(l.Report.Conversions) > 0 {
				t.Errorf("%+v", l.Report.Conversions)
			}
		})
	}
}
