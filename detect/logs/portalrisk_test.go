package logs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The portal's reports of Identity Protection are read as Graph has the same.
func TestPortalRisks(t *testing.T) {
	t.Parallel()
	const detection = `AADUserRiskEvents Activity=signin Category=UserRiskEvents CorrelationId=c DetectedDateTime=2026-03-17T10:00:00Z DetectionTimingType=realtime` +
		` IpAddress=192.0.2.1 Location={"city":"Lisboa","state":"Lisboa","countryOrRegion":"PT"} OperationName=User Risk Detection RequestId=r` +
		` RiskDetail=adminDismissedAllRiskForUser RiskEventType=unfamiliarFeatures RiskLevel=medium RiskState=atRisk Source=IdentityProtection SourceSystem=Azure AD` +
		` TokenIssuerType=AzureAD Type=AADUserRiskEvents UserDisplayName=Ana Lima UserId=u UserPrincipalName=ana@contoso.example`
	const user = `AADRiskyUsers Category=RiskyUsers Id=u IsDeleted=false OperationName=Risky user RiskDetail=none RiskLastUpdatedDateTime=2026-03-17T10:00:00Z` +
		` RiskLevel=high RiskState=confirmedCompromised SourceSystem=Azure AD Type=AADRiskyUsers UserDisplayName=Ana Lima UserPrincipalName=ana@contoso.example`
	tests := []struct{ name, file, text, want string }{
		{"detections", "RiskDetections_2026-03-17.csv", "Date (UTC),User,Username,User ID,IP address,Location,Detection type,Risk state,Risk level,Risk detail,Request ID," +
			"Correlation ID,Detection timing,Activity,Source,Token issuer type\n2026-03-17T10:00:00Z,Ana Lima,ana@contoso.example,u,192.0.2.1,\"Lisboa, Lisboa, PT\"," +
			"Unfamiliar sign-in properties,At risk,Medium,Admin dismissed all risk for user,r,c,Real-time,Sign-in,Identity Protection,Azure AD\n", detection},
		{"detections by another name of their time, with semicolons", "export.csv", "Detection time;User;Username;User ID;IP address;Location;Detection type;Risk state;Risk level;" +
			"Risk detail;Request ID;Correlation ID;Detection timing;Activity;Source;Token issuer type\n3/17/2026, 10:00:00 AM;Ana Lima;ana@contoso.example;u;192.0.2.1;" +
			"Lisboa, Lisboa, PT;unfamiliarFeatures;atRisk;medium;adminDismissedAllRiskForUser;r;c;realtime;signin;IdentityProtection;AzureAD\n", detection},
		{"detections in the portal's JSON, by the former name of their type", "Risk Detections.json", `[{"riskType":"unfamiliarFeatures","riskState":"atRisk","riskLevel":"medium",` +
			`"riskDetail":"adminDismissedAllRiskForUser","requestId":"r","correlationId":"c","detectionTimingType":"realtime","activity":"signin","source":"IdentityProtection",` +
			`"tokenIssuerType":"AzureAD","ipAddress":"192.0.2.1","location":{"city":"Lisboa","state":"Lisboa","countryOrRegion":"PT"},"detectedDateTime":"2026-03-17T10:00:00Z",` +
			`"userId":"u","userDisplayName":"Ana Lima","userPrincipalName":"ana@contoso.example"}]`,
			strings.Replace(detection, " Source=", " RiskType=unfamiliarFeatures Source=", 1)},
		{"detections of the diagnostic export", "PT1H.json", `{"time":"3/17/2026 10:00:00 AM","category":"UserRiskEvents","operationName":"User Risk Detection",` +
			`"properties":{"riskEventType":"maliciousIPAddress","detectedDateTime":"2026-03-17T10:00:00Z"}}`,
			`AADUserRiskEvents Category=UserRiskEvents DetectedDateTime=2026-03-17T10:00:00Z OperationName=User Risk Detection RiskEventType=maliciousIPAddress` +
				` SourceSystem=Azure AD Type=AADUserRiskEvents`},
		{"detections of workloads", "x.csv", "Detection time (UTC),Service principal name,Service principal ID,Detection type,Risk state,Risk level\n" +
			"2026-03-17T10:00:00Z,Job,s,Leaked credentials,At risk,High\n", `AADServicePrincipalRiskEvents Category=ServicePrincipalRiskEvents DetectedDateTime=2026-03-17T10:00:00Z` +
			` OperationName=Service Principal Risk Detection RiskEventType=leakedCredentials RiskLevel=high RiskState=atRisk ServicePrincipalDisplayName=Job ServicePrincipalId=s` +
			` SourceSystem=Azure AD Type=AADServicePrincipalRiskEvents`},
		{"risky users", "RiskyUsers_2026-03-17.csv", "User,Username,User ID,Risk state,Risk level,Risk detail,Risk last updated (UTC),Status\n" +
			"Ana Lima,ana@contoso.example,u,Confirmed compromised,High,-,2026-03-17T10:00:00Z,Active\n", user},
		{"risky users of Graph", "x.json", `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#identityProtection/riskyUsers","value":[{"id":"u","isDeleted":false,` +
			`"riskLastUpdatedDateTime":"2026-03-17T10:00:00Z","riskLevel":"high","riskState":"confirmedCompromised","riskDetail":"none","userDisplayName":"Ana Lima",` +
			`"userPrincipalName":"ana@contoso.example"}]}`, user},
		{"risky users of the SDK", "RiskyUsers.csv", `"Id","IsDeleted","RiskDetail","RiskLastUpdatedDateTime","RiskLevel","RiskState","UserDisplayName","UserPrincipalName"` + "\r\n" +
			`"u","False","none","3/17/2026 10:00:00 AM","high","confirmedCompromised","Ana Lima","ana@contoso.example"`, user},
		{"risky workloads", "x.json", `{"id":"s","appId":"a","servicePrincipalType":"Application","displayName":"Job","riskLastUpdatedDateTime":"2026-03-17T10:00:00Z","riskLevel":"low","riskState":"atRisk"}`,
			`AADRiskyServicePrincipals AppId=a Category=RiskyServicePrincipals DisplayName=Job Id=s OperationName=Risky service principal RiskLastUpdatedDateTime=2026-03-17T10:00:00Z` +
				` RiskLevel=low RiskState=atRisk ServicePrincipalType=Application SourceSystem=Azure AD Type=AADRiskyServicePrincipals`},
		{"risky sign-ins", "RiskySignIns.csv", "Date,User,Username,Application,Sign-in status,Risk state,Risk level (aggregate),Risk level (real-time),Risk detail,Detection type(s)," +
			"Conditional Access,MFA required,IP address,City,Country\n3/17/2026 10:00:00 AM,Ana Lima,ana@contoso.example,Office 365,Success,At risk,High,Low,-," +
			"\"Unfamiliar sign-in properties, Password spray\",Not applied,Yes,192.0.2.1,Lisboa,PT\n",
			`SigninLogs AppDisplayName=Office 365 AuthenticationRequirement=multiFactorAuthentication Category=SignInLogs ConditionalAccessStatus=notApplied` +
				` CreatedDateTime=2026-03-17T10:00:00Z IPAddress=192.0.2.1 Identity=Ana Lima Location=PT LocationDetails={"city":"Lisboa","countryOrRegion":"PT"}` +
				` OperationName=Sign-in activity OperationVersion=1.0 ResultSignature=None ResultType=0 RiskDetail=none RiskEventTypes_V2=["unfamiliarFeatures","passwordSpray"]` +
				` RiskLevelAggregated=high RiskLevelDuringSignIn=low RiskState=atRisk SourceSystem=Azure AD Status={"errorCode":0} Type=SigninLogs` +
				` UserDisplayName=Ana Lima UserPrincipalName=ana@contoso.example`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := mustRead(t, Options{}, tt.file, tt.text)
			if diff := cmp.Diff([]string{tt.want}, rows(l)); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if len(l.Report.Warnings)+len(l.Report.Conversions)+len(l.Report.Problems) > 0 {
				t.Errorf("report: %+v", l.Report)
			}
			if _, times := columnOf(t, l.Tables[0], timeGenerated); times[0] != "2026-03-17T10:00:00Z" {
				t.Errorf("time %s", times[0])
			}
		})
	}
}

// The diagnostic export writes some of its times as its servers do, the month
// first, and that is no question of anybody's region.
func TestExportedTimes(t *testing.T) {
	t.Parallel()
	const record = `{"time":"7/8/2026 2:03:03 PM","category":"UserRiskEvents","properties":{"riskLevel":"high"}}` + "\n"
	for name, text := range map[string]string{"a file": record, "a hub": `{"records":[` + record + `]}`} {
		l := mustRead(t, Options{}, "PT1H.json", text)
		if _, times := columnOf(t, l.Tables[0], timeGenerated); times[0] != "2026-07-08T14:03:03Z" {
			t.Errorf("%s: time %s", name, times[0])
		}
	}
	// What somebody says of the file, or another time in it, counts more.
	l := mustRead(t, Options{DateOrder: DayFirst}, "PT1H.json", record)
	if _, times := columnOf(t, l.Tables[0], timeGenerated); times[0] != "2026-08-07T14:03:03Z" {
		t.Errorf("day first: time %s", times[0])
	}
}
