package enrich

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// Each finding has logs that produce it, and neighbours that must not.
func TestFindings(t *testing.T) {
	t.Parallel()
	home := record{"IPAddress": "198.51.100.1", "Location": "BG", "AutonomousSystemNumber": 65540}
	with := func(r record, more record) record {
		out := record{}
		for k, v := range r {
			out[k] = v
		}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	identity := func(more record) []record {
		return []record{with(record{"TimeGenerated": "2026-03-10T10:00:00Z", "AccountObjectId": aliceID, "AccountUPN": "alice@contoso.example", "AccountDisplayName": "Alice"}, more)}
	}
	insight := func(at string, priority int, insights record) record {
		return record{"TimeGenerated": at, "UserPrincipalName": "alice@contoso.example", "SourceIPAddress": badIP, "ActivityType": "FailedLogOn",
			"InvestigationPriority": priority, "UsersInsights": record{"AccountObjectID": aliceID}, "ActivityInsights": insights}
	}
	usual := usually(home)
	detected := func(at, event, level string, more record) record {
		return with(record{"TimeGenerated": at, "ActivityDateTime": at, "Id": at + event, "RiskEventType": event, "RiskLevel": level, "RiskState": "atRisk", "UserId": aliceID, "IpAddress": badIP}, more)
	}
	mailbox := func(at, operation, parameters string, more record) record {
		return with(record{"TimeGenerated": at, "Operation": operation, "ResultStatus": "True", "UserId": "Alice@contoso.example", "Parameters": parameters}, more)
	}
	every := func(n int, apart time.Duration, last string) (list []record) {
		for i := range n {
			list = append(list, rejected(moment(last).Add(-apart*time.Duration(i)).Format(time.RFC3339), nil))
		}
		return list
	}
	laptop := record{"DeviceDetail": record{"deviceId": "laptop"}}
	strong := func(at string, more record) record {
		return success(at, with(more, record{"AuthenticationRequirement": "multiFactorAuthentication"}))
	}
	steps := record{"AuthenticationRequirement": "singleFactorAuthentication", "AuthenticationDetails": `[{"authenticationStepResultDetail":"Correct password","succeeded":true},{"authenticationStepResultDetail":"MFA successfully completed","succeeded":true}]`}
	posing := record{"AuthenticationDetails": `[{"authenticationMethodDetail":"\",\"authenticationStepResultDetail\":\"MFA successfully completed","authenticationStepResultDetail":"Correct password","succeeded":true}]`}
	var bombing, almost []record
	for _, at := range []string{"09:10:00", "09:20:00", "09:30:00", "09:40:00"} {
		bombing = append(bombing, unanswered(at))
	}
	almost = append(slices.Clone(bombing[:3]), unanswered("08:59:59"))

	for _, test := range []struct {
		name     string
		signIns  []record // beside the rejection at 10:00
		identity []record
		ueba     []record
		audit    []record
		office   []record
		risks    []record
		rejected record // more about the rejection
		want     []alert.FindingKind
		severity alert.Severity
		text     string // in the first finding
	}{
		{name: "nothing", severity: alert.Medium},
		{name: "success from the same address", signIns: []record{success("10:03:00", nil)}, want: []alert.FindingKind{alert.FoundSuccessSameIP}, severity: alert.High,
			text: "“alice@contoso.example” signed in successfully from the same address, 203.0.113.9, 3 min after rejecting (“Portal”)"},
		{name: "success before the rejection", signIns: []record{success("09:58:00", nil)}, want: []alert.FindingKind{alert.FoundSuccessSameIP}, severity: alert.High,
			text: "from the same address, 203.0.113.9, 2 min before rejecting (“Portal”)"},
		{name: "success more than an hour before", signIns: []record{success("08:58:00", nil)}, severity: alert.Medium},
		{name: "success of somebody else", signIns: []record{success("10:03:00", record{"UserId": "other", "UserPrincipalName": "bob@contoso.example"})}, want: []alert.FindingKind{alert.FoundOtherSuccess}, severity: alert.High,
			text: "“bob@contoso.example” signed in from 203.0.113.9, 3 min after rejecting at “alice@contoso.example” (“Portal”)"},
		{name: "no success but another factor asked for", signIns: []record{signIn("10:03:00", "50074", "", nil)}, severity: alert.Medium},
		{name: "success from the same network", signIns: []record{success("10:03:00", record{"IPAddress": "203.0.113.77"})}, want: []alert.FindingKind{alert.FoundSuccessSameNetwork}, severity: alert.High, text: "AS65550"},
		{name: "success from elsewhere", signIns: []record{success("10:03:00", home)}, want: []alert.FindingKind{alert.FoundSuccessElsewhere}, severity: alert.Medium, text: "198.51.100.1, with no sign-in before to compare it with"},
		{name: "success from an address never seen", signIns: append(slices.Clone(usual), success("10:03:00", with(home, record{"IPAddress": "198.51.100.2"}))), want: []alert.FindingKind{alert.FoundSuccessElsewhere, alert.FoundNewCountry}, severity: alert.High,
			text: "198.51.100.2, on an address never seen before"},
		{name: "success from a device never seen", signIns: append(slices.Clone(usual), success("10:03:00", with(home, laptop))), want: []alert.FindingKind{alert.FoundSuccessElsewhere, alert.FoundNewCountry}, severity: alert.High, text: "on a device never seen before"},
		{name: "success from where the account is at home", signIns: append(slices.Clone(usual), success("10:03:00", home)), want: []alert.FindingKind{alert.FoundNewCountry}, severity: alert.Medium},
		{name: "a new method", audit: []record{changed("10:07:00", "User registered security info", "success", aliceID)}, want: []alert.FindingKind{alert.FoundMethodChanged}, severity: alert.High, text: "7 min after the first prompt: “User registered security info”"},
		{name: "a method before", audit: []record{changed("09:59:00", "User registered security info", "success", aliceID)}, severity: alert.Medium},
		{name: "a method that failed", audit: []record{changed("10:07:00", "User registered security info", "failure", aliceID)}, severity: alert.Medium},
		{name: "a method of another", audit: []record{changed("10:07:00", "User registered security info", "success", "other")}, severity: alert.Medium},
		{name: "another change", audit: []record{changed("10:07:00", "Update user", "success", aliceID)}, severity: alert.Medium},
		{name: "success after the time of the tick", signIns: []record{success("11:30:00", nil)}, severity: alert.Medium},
		{name: "bombing", signIns: bombing, want: []alert.FindingKind{alert.FoundBombing}, severity: alert.High, text: "5 prompts within an hour"},
		{name: "as many prompts in more than an hour", signIns: almost, severity: alert.Medium},
		{name: "one authentication logged five times", signIns: []record{rejected("10:00:00", nil), rejected("10:00:00", nil), rejected("10:00:00", nil), rejected("10:00:00", nil)}, severity: alert.Medium},
		{name: "privileged role", identity: identity(record{"AssignedRoles": []string{"Directory Readers", "Global Administrator"}}), want: []alert.FindingKind{alert.FoundPrivilegedRole}, severity: alert.High, text: "Global Administrator"},
		{name: "a role that is not privileged", identity: identity(record{"AssignedRoles": []string{"Directory Readers"}}), severity: alert.Medium},
		{name: "high blast radius", identity: identity(record{"BlastRadius": "High"}), want: []alert.FindingKind{alert.FoundHighBlastRadius}, severity: alert.High},
		{name: "medium blast radius", identity: identity(record{"BlastRadius": "Medium"}), severity: alert.Medium},
		{name: "an older record says otherwise", identity: append(identity(record{"BlastRadius": "Low"}), with(identity(record{"BlastRadius": "High"})[0], record{"TimeGenerated": "2026-03-05T10:00:00Z"})), severity: alert.Medium},
		{name: "risky user", identity: identity(record{"RiskState": "AtRisk"}), want: []alert.FindingKind{alert.FoundRiskyUser}, severity: alert.Medium},
		{name: "risk dismissed", identity: identity(record{"RiskState": "Dismissed"}), severity: alert.Medium},
		{name: "disabled account", identity: identity(record{"IsAccountEnabled": false}), want: []alert.FindingKind{alert.FoundDisabledAccount}, severity: alert.Medium},
		{name: "enabled account", identity: identity(record{"IsAccountEnabled": true}), severity: alert.Medium},
		{name: "shared address", signIns: []record{signIn("10:10:00", "50126", "", record{"UserId": "other", "UserPrincipalName": "bob@contoso.example"})}, want: []alert.FindingKind{alert.FoundSharedAddress}, severity: alert.Medium, text: "1 other account failed or rejected from 203.0.113.9 too: “bob@contoso.example”"},
		{name: "another account before the alert", signIns: []record{signIn("09:10:00", "50126", "", record{"UserId": "other", "UserPrincipalName": "bob@contoso.example"})}, severity: alert.Medium},
		{name: "another account elsewhere", signIns: []record{signIn("10:10:00", "50126", "", with(home, record{"UserId": "other", "UserPrincipalName": "bob@contoso.example"}))}, severity: alert.Medium},
		{name: "new country", signIns: usual, want: []alert.FindingKind{alert.FoundNewCountry}, severity: alert.Medium, text: "did not sign in from “NL” in 14 days; usual: “BG”"},
		{name: "new address in a known country", signIns: usually(record{"IPAddress": "198.51.100.1"}), want: []alert.FindingKind{alert.FoundNewAddress}, severity: alert.Medium},
		{name: "a sign-in too long ago to count", signIns: []record{success("2026-03-01T09:00:00Z", home)}, severity: alert.Medium},
		{name: "rejected before", signIns: []record{rejected("2026-03-12T09:00:00Z", nil), rejected("09:30:00", nil)}, want: []alert.FindingKind{alert.FoundRepeated}, severity: alert.Medium, text: "rejected 2 prompts before"},
		{name: "unusual to UEBA", ueba: []record{insight("10:00:00", 7, record{"FirstTimeUserConnectedViaISP": "True", "FirstTimeUserUsedApp": "False"}), insight("10:01:00", 5, record{"FirstTimeUserConnectedViaISP": "True"})},
			want: []alert.FindingKind{alert.FoundUnusual}, severity: alert.Medium, text: "UEBA finds “alice@contoso.example” unusual: first ISP"},
		{name: "nothing unusual to UEBA", ueba: []record{insight("10:00:00", 1, record{"FirstTimeUserUsedApp": "False"})}, severity: alert.Medium},
		{name: "known address and device", signIns: usually(laptop), rejected: laptop, want: []alert.FindingKind{alert.FoundKnownDevice}, severity: alert.Low},
		{name: "known address, other device", signIns: usually(laptop), rejected: record{"DeviceDetail": record{"deviceId": "other"}}, severity: alert.Medium},
		{name: "known address and device, but bombing", signIns: append(usually(laptop), bombing...), rejected: laptop, want: []alert.FindingKind{alert.FoundBombing, alert.FoundKnownDevice}, severity: alert.High},
		{name: "known address, but a device without an id", signIns: usually(laptop), severity: alert.Medium},
		{name: "known device elsewhere", signIns: usually(with(laptop, record{"IPAddress": "198.51.100.1"})), rejected: laptop, want: []alert.FindingKind{alert.FoundNewAddress}, severity: alert.Medium},
		{name: "a single factor is no history", signIns: []record{success("2026-03-11T09:00:00Z", laptop), success("2026-03-12T09:00:00Z", laptop)}, rejected: laptop, severity: alert.Medium},
		{name: "a single factor from there beside a history", signIns: append(usually(home), success("2026-03-14T09:00:00Z", laptop), success("2026-03-15T09:00:00Z", laptop)), rejected: laptop, want: []alert.FindingKind{alert.FoundNewCountry}, severity: alert.Medium},
		{name: "two days, of which one within the last", signIns: append(usually(home), strong("2026-03-15T09:00:00Z", laptop), strong("2026-03-16T10:00:01Z", laptop)), rejected: laptop, want: []alert.FindingKind{alert.FoundNewCountry}, severity: alert.Medium},
		{name: "two days, the second just old enough", signIns: append(usually(home), strong("2026-03-15T09:00:00Z", laptop), strong("2026-03-16T09:59:59Z", laptop)), rejected: laptop, want: []alert.FindingKind{alert.FoundKnownDevice}, severity: alert.Low},
		{name: "one day, of many sign-ins", signIns: append(usually(home), strong("2026-03-15T09:00:00Z", laptop), strong("2026-03-15T12:00:00Z", laptop), strong("2026-03-15T18:00:00Z", laptop)), rejected: laptop, want: []alert.FindingKind{alert.FoundNewCountry}, severity: alert.Medium},
		{name: "two days, but minutes around midnight", signIns: append(usually(home), strong("2026-03-14T23:58:00Z", laptop), strong("2026-03-15T00:02:00Z", laptop)), rejected: laptop, want: []alert.FindingKind{alert.FoundNewCountry}, severity: alert.Medium},
		{name: "MFA by a claim in the token", signIns: []record{signIn("2026-03-11T09:00:00Z", "0", "MFA requirement satisfied by claim in the token", laptop), signIn("2026-03-12T09:00:00Z", "0", "MFA completed in Azure AD", laptop)}, rejected: laptop, want: []alert.FindingKind{alert.FoundKnownDevice}, severity: alert.Low},
		{name: "MFA in a step alone", signIns: []record{success("2026-03-11T09:00:00Z", with(laptop, steps)), success("2026-03-12T09:00:00Z", with(laptop, steps))}, rejected: laptop, want: []alert.FindingKind{alert.FoundKnownDevice}, severity: alert.Low},
		{name: "words of MFA in the name of a method", signIns: []record{success("2026-03-11T09:00:00Z", with(laptop, posing)), success("2026-03-12T09:00:00Z", with(laptop, posing))}, rejected: laptop, severity: alert.Medium},
		{name: "MFA skipped for a trusted place", signIns: []record{signIn("2026-03-11T09:00:00Z", "0", "MFA requirement skipped due to IP address", laptop), signIn("2026-03-12T09:00:00Z", "0", "MFA requirement skipped due to IP address", laptop)}, rejected: laptop, severity: alert.Medium},
		{name: "one refusal of two on another device", signIns: append(usually(laptop), rejected("10:00:00", record{"DeviceDetail": record{"deviceId": "other"}})), rejected: laptop, severity: alert.Medium},
		{name: "known device, but the methods changed", signIns: usually(laptop), rejected: laptop, audit: []record{changed("10:07:00", "User deleted security info", "success", aliceID)}, want: []alert.FindingKind{alert.FoundMethodChanged, alert.FoundKnownDevice}, severity: alert.High},

		{name: "five rejections in a day", signIns: every(4, 4*time.Hour, "06:00:00"), want: []alert.FindingKind{alert.FoundRepeated}, severity: alert.High, text: "rejected 5 prompts within 24 hours"},
		{name: "four in a day", signIns: every(3, 4*time.Hour, "06:00:00"), want: []alert.FindingKind{alert.FoundRepeated}, severity: alert.Medium, text: "rejected 3 prompts before, in 14 days"},
		{name: "five in more than a day", signIns: every(4, 6*time.Hour+time.Second, "03:59:59"), want: []alert.FindingKind{alert.FoundRepeated}, severity: alert.Medium, text: "rejected 4 prompts before"},
		{name: "one every 16 minutes", signIns: every(37, 16*time.Minute, "09:44:00"), want: []alert.FindingKind{alert.FoundRepeated}, severity: alert.High, text: "rejected 38 prompts within 24 hours"},

		{name: "an inbox rule", office: []record{mailbox("10:20:00", "New-InboxRule", `[{"Name":"Name","Value":"."},{"Name":"ForwardTo","Value":"x@evil.example"},{"Name":"DeleteMessage","Value":"True"}]`, nil)},
			want: []alert.FindingKind{alert.FoundInboxRule}, severity: alert.High, text: `20 min after the first prompt: “New-InboxRule”: ForwardTo “x@evil.example”, DeleteMessage “True”`},
		{name: "an inbox rule of a client", office: []record{mailbox("10:20:00", "UpdateInboxRules", "", record{"MailboxOwnerUPN": "alice@contoso.example", "OperationProperties": []record{{"Name": "RuleOperation", "Value": "AddMailboxRule"}}})}, want: []alert.FindingKind{alert.FoundInboxRule}, severity: alert.High},
		{name: "an inbox rule that goes", office: []record{mailbox("10:20:00", "UpdateInboxRules", "", record{"MailboxOwnerUPN": "alice@contoso.example", "OperationProperties": []record{{"Name": "RuleOperation", "Value": "RemoveMailboxRule"}}})}, severity: alert.Medium},
		{name: "an inbox rule whose parameters are not to be read", office: []record{mailbox("10:20:00", "Set-InboxRule", `{"Name"`, nil)}, want: []alert.FindingKind{alert.FoundInboxRule}, severity: alert.High},
		{name: "an inbox rule before", office: []record{mailbox("09:40:00", "New-InboxRule", "[]", nil)}, severity: alert.Medium},
		{name: "an inbox rule that failed", office: []record{mailbox("10:20:00", "New-InboxRule", "[]", record{"ResultStatus": "False"})}, severity: alert.Medium},
		{name: "an inbox rule of another", office: []record{mailbox("10:20:00", "New-InboxRule", "[]", record{"UserId": "bob@contoso.example"})}, severity: alert.Medium},
		{name: "forwarding", office: []record{mailbox("10:20:00", "Set-Mailbox", `[{"Name":"ForwardingSmtpAddress","Value":"smtp:x@evil.example"}]`, nil)}, want: []alert.FindingKind{alert.FoundInboxRule}, severity: alert.High, text: "smtp:x@evil.example"},
		{name: "forwarding set by another", office: []record{mailbox("10:20:00", "Set-Mailbox", `[{"Name":"ForwardingSmtpAddress","Value":"smtp:x@evil.example"}]`, record{"UserId": "bob@contoso.example", "OfficeObjectId": "alice@contoso.example"})},
			want: []alert.FindingKind{alert.FoundInboxRule}, severity: alert.High, text: `by “bob@contoso.example”`},
		{name: "forwarding taken away", office: []record{mailbox("10:20:00", "Set-Mailbox", `[{"Name":"ForwardingSmtpAddress","Value":null}]`, nil)}, severity: alert.Medium},
		{name: "another setting of the mailbox", office: []record{mailbox("10:20:00", "Set-Mailbox", `[{"Name":"Languages","Value":"en"}]`, nil)}, severity: alert.Medium},
		{name: "mail read", office: []record{mailbox("10:20:00", "MailItemsAccessed", "", nil)}, severity: alert.Medium},
		{name: "a consent in the log of Microsoft 365", office: []record{mailbox("10:20:00", "Consent to application.", "", nil)}, want: []alert.FindingKind{alert.FoundAppConsent}, severity: alert.High},

		{name: "a high risk", risks: []record{detected("10:20:00", "anomalousToken", "high", nil)}, want: []alert.FindingKind{alert.FoundRiskDetection}, severity: alert.High, text: "“anomalous token” (high)"},
		{name: "a risk", risks: []record{detected("09:59:30", "unfamiliarFeatures", "medium", nil), detected("10:20:00", "aiCompoundAccountRisk", "", nil)}, want: []alert.FindingKind{alert.FoundRiskDetection}, severity: alert.Medium, text: "“unfamiliar features” (medium), “ai compound account risk”"},
		{name: "the report of the prompt", risks: []record{detected("10:00:10", "userReportedSuspiciousActivity", "high", nil)}, severity: alert.Medium},
		{name: "a risk that was dismissed", risks: []record{detected("10:20:00", "anomalousToken", "high", nil), detected("10:20:00", "anomalousToken", "high", record{"TimeGenerated": "10:40:00", "RiskState": "dismissed"})}, severity: alert.Medium},
		{name: "a risk of another", risks: []record{detected("10:20:00", "anomalousToken", "high", record{"UserId": "other"})}, severity: alert.Medium},
		{name: "a risk long before", risks: []record{detected("08:59:59", "anomalousToken", "high", record{"TimeGenerated": "10:20:00"})}, severity: alert.Medium},
		{name: "what the account can reach counts once", identity: identity(record{"BlastRadius": "High", "AssignedRoles": []string{"Global Administrator"}}), want: []alert.FindingKind{alert.FoundPrivilegedRole, alert.FoundHighBlastRadius}, severity: alert.High},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := localClient(t, tableOf(t, "SigninLogs", append(test.signIns, rejected("10:00:00", test.rejected))...),
				tableOf(t, "IdentityInfo", test.identity...), tableOf(t, "BehaviorAnalytics", test.ueba...), tableOf(t, "AuditLogs", test.audit...),
				tableOf(t, "OfficeActivity", test.office...), tableOf(t, "AADUserRiskEvents", test.risks...))
			alerts := []alert.Alert{pushback()}
			if warnings := New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow); warnings != nil {
				t.Errorf("warnings %q", warnings)
			}
			a := alerts[0]
			var kinds []alert.FindingKind
			for _, f := range a.Context.Findings {
				kinds = append(kinds, f.Kind)
			}
			if diff := cmp.Diff(test.want, kinds); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, a.Context.Findings)
			}
			if a.Severity != test.severity || a.Context.RuleSeverity != alert.Medium {
				t.Errorf("severity %s from %s, want %s from Medium; steps %v", a.Severity, a.Context.RuleSeverity, test.severity, a.Context.Steps)
			}
			for _, s := range a.Context.Steps {
				if s.Text == "" || strings.Contains(s.Text, "alice") {
					t.Errorf("the step to %s for %s says %q", s.Severity, s.Kind, s.Text)
				}
			}
			// In brief a finding names nobody, and not where the prompts were from.
			for _, f := range a.Context.Findings {
				happened := f.Kind.IsSuccess() || f.Kind == alert.FoundMethodChanged || f.Kind == alert.FoundInboxRule || f.Kind == alert.FoundAppConsent
				if f.Brief == "" || f.Reason == "" || strings.Contains(f.Brief+f.Reason, "alice@") || strings.Contains(f.Brief, badIP) || alert.Known(f.Time) != happened && f.Kind != alert.FoundPasswordReset {
					t.Errorf("in brief %+v", f)
				}
			}
			if test.text != "" && len(kinds) > 0 && !strings.Contains(a.Context.Findings[0].Text, test.text) {
				t.Errorf("finding %q, want %q in it", a.Context.Findings[0].Text, test.text)
			}
			if len(a.Context.Unavailable) > 0 {
				t.Errorf("unavailable: %q", a.Context.Unavailable)
			}
		})
	}
}

// The risk score is that of the published rule; the priority is the maximum.
func TestRiskScore(t *testing.T) {
	t.Parallel()
	row := func(priority int, activity string) record {
		return record{"TimeGenerated": "10:00:00", "SourceIPAddress": badIP, "ActivityType": activity, "InvestigationPriority": priority}
	}
	client := localClient(t, tableOf(t, "BehaviorAnalytics", row(7, "FailedLogOn"), row(5, "LogOn"), row(9, "FileShare")),
		tableOf(t, "IdentityInfo", record{"TimeGenerated": "2026-03-10T10:00:00Z", "AccountObjectId": aliceID, "BlastRadius": "High"}), tableOf(t, "SigninLogs"))
	alerts := []alert.Alert{pushback()}
	New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow)
	c := alerts[0].Context
	if c.RiskScore == nil || *c.RiskScore != 13 {
		t.Fatalf("risk score %v, want 13", c.RiskScore)
	}
	want := alert.Section{Title: "Address", Subject: badIP, Facts: []alert.Detail{{Name: "Investigation priority", Values: []string{"7 of 10 at most, in 2 records"}}}}
	if diff := cmp.Diff(want, c.Sections[len(c.Sections)-1]); diff != "" {
		t.Errorf("section (-want +got):\n%s", diff)
	}
}

func TestParseSteps(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                              "",
		"bombing=+2":                    "",
		" bombing = High , repeated=-1": "",
		"bombing":                       `bombing cannot change the severity by ""`,
		"bombing=0":                     "cannot change",
		"bombing=+9":                    "cannot change",
		"bombing=Urgent":                "cannot change",
		"nothing=+1":                    `"nothing" is not a kind of finding`,
	} {
		_, err := ParseSteps(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// An alert of which there is news later is updated, with the context of then.
func TestAftermath(t *testing.T) {
	t.Parallel()
	laptop := record{"deviceId": "laptop"}
	home := func(at string, more record) record {
		r := success(at, record{"IPAddress": "198.51.100.1", "AutonomousSystemNumber": 1, "DeviceDetail": laptop})
		for k, v := range more {
			r[k] = v
		}
		return r
	}
	strong := record{"AuthenticationRequirement": "multiFactorAuthentication"}
	usual := []alert.Usual{{Account: aliceID, Addresses: []string{"198.51.100.1"}, Networks: []string{"1"}, Devices: []string{"laptop"}}}
	said := func(kinds ...alert.FindingKind) *alert.Context {
		c := &alert.Context{RuleSeverity: alert.Medium, Usual: usual}
		for _, kind := range kinds {
			c.Findings = append(c.Findings, alert.Finding{Kind: kind})
		}
		return c
	}
	for _, test := range []struct {
		name    string
		signIns []record
		earlier *alert.Context
		want    alert.FindingKind
		full    bool // the context is asked for, to judge what may be news
	}{
		{name: "nothing"},
		{name: "success later", signIns: []record{success("10:59:00", nil)}, want: alert.FoundSuccessSameIP},
		{name: "success later, and too early from the same place", signIns: []record{success("08:00:00", nil), success("10:59:00", nil)}, want: alert.FoundSuccessSameIP},
		{name: "success elsewhere, of an account without history", signIns: []record{success("10:59:00", record{"IPAddress": "198.51.100.1", "AutonomousSystemNumber": 1})}, full: true},
		{name: "success elsewhere", signIns: []record{home("2026-03-11T09:00:00Z", strong), home("2026-03-12T09:00:00Z", strong), success("10:59:00", record{"IPAddress": "198.51.100.2", "AutonomousSystemNumber": 2})}, want: alert.FoundSuccessElsewhere},
		{name: "success at home, which the alert knows", signIns: []record{home("10:59:00", nil)}, earlier: said()},
		{name: "success at home, which the alert does not know", signIns: []record{home("2026-03-11T09:00:00Z", strong), home("2026-03-12T09:00:00Z", strong), home("10:59:00", nil)}, full: true},
		{name: "success at home on another device", signIns: []record{home("2026-03-11T09:00:00Z", strong), home("2026-03-12T09:00:00Z", strong), home("10:59:00", record{"DeviceDetail": record{"deviceId": "other"}})},
			earlier: said(), want: alert.FoundSuccessElsewhere},
		{name: "success of another", signIns: []record{success("10:59:00", record{"UserId": "other", "UserPrincipalName": "bob@contoso.example"})}, want: alert.FoundOtherSuccess},
		{name: "the same again", signIns: []record{success("10:59:00", nil)}, earlier: said(alert.FoundSuccessSameIP)},
		{name: "less than was said", signIns: []record{success("10:59:00", record{"IPAddress": "203.0.113.10"})}, earlier: said(alert.FoundSuccessSameIP)},
		{name: "more than was said", signIns: []record{success("10:59:00", nil)}, earlier: said(alert.FoundSuccessElsewhere), want: alert.FoundSuccessSameIP},
		{name: "success after more than a day", signIns: []record{success("2026-03-18T10:00:01Z", nil)}},
		{name: "success within a day", signIns: []record{success("2026-03-18T09:59:59Z", nil)}, want: alert.FoundSuccessSameIP},
		{name: "success more than a day after, but not after the last prompt", signIns: []record{unanswered("11:00:00"), success("2026-03-18T10:00:01Z", nil)}, want: alert.FoundSuccessSameIP},
		{name: "success that was logged late", signIns: []record{success("2026-03-18T10:03:00Z", record{"CreatedDateTime": "2026-03-18T09:00:00Z"})}, want: alert.FoundSuccessSameIP},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			now := moment("2026-03-18T10:05:00Z")
			earlier := pushback()
			earlier.Created, earlier.Context = moment("10:05:00"), test.earlier
			asked := &counting{Querier: localClient(t, tableOf(t, "SigninLogs", append(test.signIns, rejected("10:00:00", nil))...),
				tableOf(t, "IdentityInfo"), tableOf(t, "BehaviorAnalytics"), tableOf(t, "AuditLogs"), tableOf(t, "OfficeActivity"), tableOf(t, "AADUserRiskEvents"))}
			updates, warnings := New(DefaultConfig(), asked).Aftermath(t.Context(), []alert.Alert{earlier}, now)
			if len(warnings) > 0 {
				t.Errorf("warnings %q", warnings)
			}
			queries := 2 // of the sign-ins and the methods
			if test.full || test.want != "" {
				queries += len(kinds())
			}
			if len(asked.texts) != queries {
				t.Errorf("%d queries, want %d", len(asked.texts), queries)
			}
			if test.want == "" {
				if len(updates) != 0 {
					t.Errorf("%d updates: %v", len(updates), updates[0].Context.Findings)
				}
				return
			}
			if len(updates) != 1 {
				t.Fatalf("%d updates", len(updates))
			}
			u := updates[0]
			if u.Severity != alert.High || !u.Context.Has(test.want) || u.ID != alert.UpdateID("a", test.want) || !u.Created.Equal(now) {
				t.Errorf("update %+v", u)
			}
			if diff := cmp.Diff(&alert.Reference{ID: "a", Title: "MFA rejected", Created: earlier.Created, Severity: alert.Medium, Identity: alert.Identity(earlier.Activities), News: test.want}, u.Updates); diff != "" {
				t.Errorf("updates (-want +got):\n%s", diff)
			}
		})
	}
}

// What is new about the place is marked, and usual devices are named.
func TestNew(t *testing.T) {
	t.Parallel()
	device := func(id, name string) record { return record{"deviceId": id, "displayName": name} }
	before := usually(record{"IPAddress": "198.51.100.1", "Location": "BG", "DeviceDetail": device("l", "LAPTOP-7")})
	for _, test := range []struct {
		name     string
		rejected record
		want     []string
	}{
		{"all of it", record{"DeviceDetail": device("k", "KALI")}, []string{"NL", badIP, "KALI"}},
		{"the address and the country", record{"DeviceDetail": device("l", "LAPTOP-7")}, []string{"NL", badIP}},
		{"another device by the name", record{"Location": "BG", "DeviceDetail": device("k", "LAPTOP-7")}, []string{badIP, "LAPTOP-7"}},
		{"the name without a device", record{"Location": "BG", "DeviceDetail": device("", "LAPTOP-7")}, []string{badIP, "LAPTOP-7"}},
		{"the address", record{"Location": "BG"}, []string{badIP}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := localClient(t, tableOf(t, "SigninLogs", append(before, rejected("10:00:00", test.rejected))...),
				tableOf(t, "IdentityInfo"), tableOf(t, "BehaviorAnalytics"), tableOf(t, "AuditLogs"))
			alerts := []alert.Alert{pushback()}
			New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow)
			c := alerts[0].Context
			if diff := cmp.Diff(test.want, c.New); diff != "" {
				t.Errorf("new (-want +got):\n%s", diff)
			}
			for _, s := range c.Sections {
				if s.Title == "Sign-in history (14 days)" {
					want := alert.Detail{Name: "Devices", Values: []string{"“LAPTOP-7” (2)"}}
					if diff := cmp.Diff(want, s.Facts[len(s.Facts)-1]); diff != "" {
						t.Errorf("devices (-want +got):\n%s", diff)
					}
				}
			}
		})
	}
	if c := (&alert.Context{New: []string{"NL"}}); !c.IsNew("Rotterdam, NL") || c.IsNew("NLX") || c.IsNew("NL, Sofia, BG") {
		t.Error("a place is new if it ends in a new country, and only then")
	}
}
