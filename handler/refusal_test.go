package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
)

// loggedRow is a record of a table.
type loggedRow map[string]any

// step is a step of AuthenticationDetails.
func step(at, method, detail string, succeeded bool) map[string]any {
	return map[string]any{"authenticationStepDateTime": "2026-03-17T" + at + "Z", "authenticationMethod": method,
		"authenticationStepResultDetail": detail, "succeeded": succeeded}
}

const (
	declinedDetail = "MFA denied; user declined the authentication"
	approvedDetail = "MFA successfully completed"
	pushMethod     = "Mobile app notification"
)

// signInOf is a sign-in of ana with its steps behind the password.
func signInOf(at, resultType, additional string, steps ...map[string]any) loggedRow {
	r := loggedRow{"Type": "SigninLogs", "TimeGenerated": "2026-03-17T" + at + "Z", "Id": "r" + at, "CorrelationId": "c" + at, "UserPrincipalName": "ana@contoso.example",
		"UserId": "u1", "AADTenantId": "t1", "IPAddress": "203.0.113.7", "AppDisplayName": "Portal", "ResultType": resultType,
		"Status": map[string]any{"errorCode": resultType, "additionalDetails": additional}}
	if steps != nil {
		r["AuthenticationDetails"] = append([]map[string]any{step(at, "Password", "Correct password", true)}, steps...)
	}
	return r
}

func (r loggedRow) with(name string, value any) loggedRow {
	r = maps.Clone(r)
	r[name] = value
	return r
}

// steps changes how AuthenticationDetails is written.
func (r loggedRow) steps(t *testing.T, write func(text string) any) loggedRow {
	text, err := json.Marshal(r["AuthenticationDetails"])
	if err != nil {
		t.Fatal(err)
	}
	return r.with("AuthenticationDetails", write(string(text)))
}

func asText(text string) any { return text }

// nonInteractive is the sign-in as the other table has it.
func (r loggedRow) nonInteractive(t *testing.T) loggedRow {
	status, err := json.Marshal(r["Status"])
	if err != nil {
		t.Fatal(err)
	}
	r = r.with("Type", "AADNonInteractiveUserSignInLogs").with("Status", string(status)).with("HomeTenantId", "t1").steps(t, asText)
	delete(r, "AADTenantId")
	return r
}

func auditOf(at, operation string) loggedRow {
	return loggedRow{"Type": "AuditLogs", "TimeGenerated": "2026-03-17T" + at + "Z", "Id": "a" + at, "OperationName": operation, "Result": "success", "AADTenantId": "t1",
		"InitiatedBy":     map[string]any{"user": map[string]any{"id": "u1", "userPrincipalName": "ana@contoso.example", "ipAddress": "192.0.2.1"}},
		"TargetResources": []map[string]any{{"id": "u1", "userPrincipalName": "ana@contoso.example"}}}
}

func riskOf(at, event string) loggedRow {
	return loggedRow{"Type": "AADUserRiskEvents", "TimeGenerated": "2026-03-17T" + at + "Z", "ActivityDateTime": "2026-03-17T" + at + "Z", "Id": "k" + at, "RiskEventType": event,
		"RiskState": "atRisk", "IpAddress": "203.0.113.7", "UserId": "u1", "UserPrincipalName": "Ana@contoso.example"}
}

// replayed runs the shipped rules over the records of a day, and returns the
// alerts.
func replayed(t *testing.T, rows ...loggedRow) []alert.Alert {
	t.Helper()
	return replayedFrom(t, "", rows...)
}

// replayedFrom runs it from a time on: what was logged before is history.
func replayedFrom(t *testing.T, from string, rows ...loggedRow) []alert.Alert {
	t.Helper()
	return handler(t, "replay", "--logs", loggedIn(t, rows...), "--json", "--from", from).alerts(t)
}

// TestRefusals has, for each way in which a refusal is logged, logs that say so
// and neighbours that do not.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const (
		atStep2 = "refused at step 2 of 2 (Mobile app notification)"
		gaveIn  = "refused at step 2 of 3 (Mobile app notification), then signed in: "
	)
	push := func(at, detail string) map[string]any { return step(at, pushMethod, detail, false) }
	approved := func(at string) map[string]any { return step(at, pushMethod, approvedDetail, true) }
	alone := func(outcome, rejections string) []string {
		return []string{"ana@contoso.example 203.0.113.7 " + rejections + " [" + outcome + "] Medium"}
	}
	type story struct {
		name string
		rows []loggedRow
		want []string
	}
	stories := []story{
		{"as it was", []loggedRow{signInOf("09:10:00", "500121", declinedDetail)}, alone("refused, then failed: 500121", "[1]")},
		{"in Status and in a step", []loggedRow{signInOf("09:10:00", "500121", declinedDetail, push("09:09:50", declinedDetail))}, alone(atStep2+", then failed: 500121", "[1]")},
		{"the user gave in", []loggedRow{signInOf("09:10:00", "0", "MFA completed in Azure AD", push("09:09:40", declinedDetail), approved("09:09:55"))},
			[]string{"ana@contoso.example 203.0.113.7 [1] [" + gaveIn + "0] High success-same-sign-in"}},
		{"and was asked whether to stay", []loggedRow{signInOf("09:10:00", "50140", "", push("09:09:40", declinedDetail), approved("09:09:55"))},
			[]string{"ana@contoso.example 203.0.113.7 [1] [" + gaveIn + "50140] High success-same-sign-in"}},
		{"in three rows of one sign-in, the last late", []loggedRow{
			signInOf("09:10:00", "50074", "MFA required in Azure AD", push("09:09:40", declinedDetail)).with("CorrelationId", "c"),
			signInOf("09:10:20", "50140", "", push("09:09:40", declinedDetail), approved("09:09:55")).with("CorrelationId", "c"),
			signInOf("09:14:00", "0", "", push("09:09:40", declinedDetail), approved("09:09:55")).with("CorrelationId", "c"),
		}, []string{"ana@contoso.example 203.0.113.7 [1] [" + atStep2 + ", then failed: 50074 " + gaveIn + "0 " + gaveIn + "50140] High success-same-sign-in"}},
		{"over the hour, as one", []loggedRow{
			signInOf("09:59:30", "500121", declinedDetail).with("CorrelationId", "c"),
			signInOf("10:03:00", "500121", "", push("09:59:20", declinedDetail)).with("CorrelationId", "c"),
		}, alone("refused, then failed: 500121", "[1]")},
		{"fraud", []loggedRow{signInOf("09:10:00", "500121", "MFA denied; Phone App Reported Fraud")}, alone("refused, then failed: 500121", "[1]")},
		{"a fraud code", []loggedRow{signInOf("09:10:00", "500121", "", step("09:09:50", "Phone call", "MFA denied, Fraud Code Entered", false))}, alone("refused at step 2 of 2 (Phone call), then failed: 500121", "[1]")},
		{"a report", []loggedRow{signInOf("09:10:00", "500121", "", push("09:09:50", "MFA denied; user reported suspicious activity"))}, alone(atStep2+", then failed: 500121", "[1]")},
		{"passwordless", []loggedRow{signInOf("09:10:00", "1003033", "")}, alone("refused, then failed: 1003033", "[1]")},
		{"as text", []loggedRow{signInOf("09:10:00", "50074", "", push("09:09:50", declinedDetail)).steps(t, asText)}, alone(atStep2+", then failed: 50074", "[1]")},
		{"as text in text", []loggedRow{signInOf("09:10:00", "50074", "", push("09:09:50", declinedDetail)).steps(t, func(text string) any { return json.RawMessage(text) })}, alone(atStep2+", then failed: 50074", "[1]")},
		{"non-interactive", []loggedRow{signInOf("09:10:00", "50076", "", push("09:09:50", declinedDetail)).nonInteractive(t)}, alone(atStep2+", then failed: 50076", "[1]")},

		{"logged again hours later", []loggedRow{
			signInOf("09:10:00", "500121", declinedDetail).with("CreatedDateTime", "2026-03-17T09:09:58Z"),
			signInOf("13:20:00", "500121", declinedDetail).with("Id", "r09:10:00").with("CorrelationId", "c09:10:00").with("CreatedDateTime", "2026-03-17T09:09:58Z").with("RiskLevelDuringSignIn", "high"),
		}, alone("refused, then failed: 500121", "[1]")},
		{"created at an impossible time", []loggedRow{signInOf("09:10:00", "500121", declinedDetail).with("CreatedDateTime", "2027-03-17T09:09:58Z")}, alone("refused, then failed: 500121", "[1]")},

		{"approved at once", []loggedRow{signInOf("09:10:00", "0", "", approved("09:09:50"))}, nil},
		{"words elsewhere in the steps", []loggedRow{signInOf("09:10:00", "0", "", step("09:09:50", "Passkey", approvedDetail, true)).with("UserDisplayName", "fraud"),
			signInOf("09:11:00", "0", "", map[string]any{"authenticationMethod": "Passkey", "authenticationMethodDetail": "declined the authentication; fraud", "succeeded": true, "authenticationStepResultDetail": approvedDetail})}, nil},
		{"a step that succeeded", []loggedRow{signInOf("09:10:00", "0", "", step("09:09:50", pushMethod, declinedDetail, true))}, nil},
		{"no detail at all", []loggedRow{signInOf("09:10:00", "500121", "")}, nil},

		{"an audit event alone", []loggedRow{auditOf("09:10:00", "Suspicious activity reported")}, []string{"ana@contoso.example  [1] [reported] Medium"}},
		{"the older one", []loggedRow{auditOf("09:10:00", "Fraud reported - user is blocked for MFA")}, []string{"ana@contoso.example  [1] [reported] Medium"}},
		{"a risk alone", []loggedRow{riskOf("09:10:00", "userReportedSuspiciousActivity")}, []string{"ana@contoso.example  [1] [reported] Medium"}},
		{"both, as one", []loggedRow{auditOf("09:10:00", "Suspicious activity reported"), riskOf("09:10:05", "userReportedSuspiciousActivity")}, []string{"ana@contoso.example  [1] [reported] Medium"}},
		{"both, and the sign-in", []loggedRow{signInOf("09:09:58", "500121", declinedDetail), auditOf("09:10:00", "Suspicious activity reported"), riskOf("09:10:05", "userReportedSuspiciousActivity")},
			alone("refused, then failed: 500121", "[1]")},
		{"an audit event and a sign-in long before", []loggedRow{signInOf("09:09:58", "500121", declinedDetail), auditOf("09:40:00", "Suspicious activity reported")},
			[]string{"ana@contoso.example  [1] [reported] Medium repeated", "ana@contoso.example 203.0.113.7 [1] [refused, then failed: 500121] Medium"}},
		{"other audit events and risks", []loggedRow{auditOf("09:10:00", "User registered security info"), riskOf("09:10:00", "unfamiliarFeatures"), signInOf("09:20:00", "0", "")}, nil},
		{"a risk that was dismissed", []loggedRow{riskOf("09:10:00", "userReportedSuspiciousActivity").with("RiskState", "dismissed"), signInOf("09:20:00", "0", "")}, nil},
	}
	for _, detail := range []string{"mfa denied; USER DECLINED the authentication", declinedDetail + ".", " " + declinedDetail + "  ", "User declined the authentication", "MFA denied (user declined the authentication)"} {
		stories = append(stories,
			story{fmt.Sprintf("%q", detail), []loggedRow{signInOf("09:10:00", "50074", "", push("09:09:50", detail))}, alone(atStep2+", then failed: 50074", "[1]")},
			story{fmt.Sprintf("%q in Status", detail), []loggedRow{signInOf("09:10:00", "50076", detail)}, alone("refused, then failed: 50076", "[1]")})
	}
	for _, detail := range []string{"user did not respond to mobile app notification", "user didn't respond to mobile app notification", "duplicate authentication attempt", "user did not select the correct number",
		"user is blocked", "authentication in-progress", "user hung up the phone call without succeeding the authentication", "entered incorrect code too many times", "unable to reach the user's phone"} {
		stories = append(stories, story{detail, []loggedRow{signInOf("09:10:00", "500121", "MFA denied; "+detail, push("09:09:50", "MFA denied; "+detail))}, nil})
	}
	for _, test := range stories {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := test.rows
			if rows[0]["Type"] == "AuditLogs" || rows[0]["Type"] == "AADUserRiskEvents" || rows[0]["Type"] == "AADNonInteractiveUserSignInLogs" {
				rows = append(slices.Clone(rows), signInOf("08:00:00", "0", "").with("UserId", "u2").with("UserPrincipalName", "bob@contoso.example"))
			}
			var got []string
			for _, a := range replayed(t, rows...) {
				said := ""
				for _, f := range a.Context.Findings {
					said += " " + string(f.Kind)
				}
				row := func(name string) string {
					c, _ := a.Rows[0].Get(name)
					return c.Text()
				}
				got = append(got, fmt.Sprintf("%s %s %s %s %s%s", row("UserPrincipalName"), row("IPAddress"), detail(a, "Rejections"), detail(a, "Outcomes"), a.Severity, said))
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// What version 1.1.0 of the rule reported has the same identity and the same events
// still, so that an upgrade does not report it again.
func TestRefusalsKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	row := signInOf("09:10:00", "500121", declinedDetail, step("09:09:40", pushMethod, declinedDetail, false)).
		with("Id", "r1").with("CorrelationId", "c1").with("SessionId", "s1").with("IPAddress", "::ffff:203.0.113.7")
	alerts := replayed(t, row)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	moment := time.Date(2026, 3, 17, 9, 10, 0, 0, time.UTC)
	want := []alert.Activity{{Fingerprint: "9267c20f74970a7c832441dab16b3638", Span: alert.Span{Start: moment, End: moment},
		Events: []alert.EventID{"942265d6dcff35c8d6f6149f202263da@1773738600000", "c3b9e25c87450e3aff2ed1596e4313a0"}}}
	if diff := cmp.Diff(want, alerts[0].Activities); diff != "" {
		t.Errorf("activities (-1.1.0 +now):\n%s", diff)
	}
}

// The severity is explained in one line wherever an alert is shown.
func TestSeverityIsExplained(t *testing.T) {
	t.Parallel()
	rows := []loggedRow{signInOf("09:10:00", "500121", declinedDetail), signInOf("09:13:00", "0", "")}
	alerts := replayed(t, rows...)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	const want = "Medium → High: signed in from the same address 3 min after rejecting"
	a := alerts[0]
	if got := text.Steps(a.Context, text.Safe); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if comment := sentinel.Comment(a, portal.Links{}); !strings.Contains(comment, "Severity: "+want) {
		t.Errorf("the comment does not say why: %s", comment)
	}
}

// A report confirms the refusals around it, and has its address where it stands
// alone.
func TestReports(t *testing.T) {
	t.Parallel()
	alerts := replayed(t, signInOf("09:09:58", "500121", declinedDetail), auditOf("09:10:00", "Suspicious activity reported"), signInOf("09:30:00", "500121", declinedDetail))
	if len(alerts) != 1 || detail(alerts[0], "Rejections") != "[2]" || detail(alerts[0], "FraudReports") != "[1]" {
		t.Errorf("%d alerts, %v", len(alerts), alerts)
	}
	alerts = replayed(t, riskOf("09:10:00", "userReportedSuspiciousActivity"), signInOf("09:12:00", "0", ""))
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	a := alerts[0]
	if a.Title != "MFA rejected by ana@contoso.example from 203.0.113.7" || address(a) != "203.0.113.7" {
		t.Errorf("%q of %v", a.Title, a.Entities)
	}
	// Who reported a prompt, and then is signed in from where it came, did not sign in.
	if a.Severity != alert.High || !a.Context.Says(alert.FoundSuccessSameIP) {
		t.Errorf("%s: %v", a.Severity, a.Context.Findings)
	}
}

// A report that comes in another window than the refusal, or than an attack, is an
// update, and so is what shows later what a report was about.
func TestReportsInOtherWindows(t *testing.T) {
	t.Parallel()
	declined := func(at string) loggedRow { return signInOf(at, "500121", declinedDetail) }
	for name, rows := range map[string][]loggedRow{
		"after the hour":           {declined("09:59:00"), auditOf("10:01:00", "Suspicious activity reported")},
		"as a risk":                {declined("09:59:00"), riskOf("10:01:00", "userReportedSuspiciousActivity")},
		"before the refusal":       {auditOf("09:59:00", "Suspicious activity reported"), declined("10:01:00")},
		"of an attack":             append(rung(6, oclock(9, 0), minute, ignoredDetail), approvedAt(oclock(9, 9)), auditOf("09:40:00", "Suspicious activity reported")),
		"of an attack, much later": append(rung(6, oclock(9, 0), minute, ignoredDetail), approvedAt(oclock(9, 9)), auditOf("12:40:00", "Suspicious activity reported")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var first, updates int
			for _, a := range replayed(t, append(rows, signInOf("06:00:00", "0", "").with("UserId", "u9").with("UserPrincipalName", "zoe@contoso.example"))...) {
				if a.Updates == nil {
					first++
				} else {
					updates++
				}
			}
			if first != 1 || updates == 0 {
				t.Errorf("%d alerts, %d updates", first, updates)
			}
		})
	}
	alerts := replayed(t, declined("09:10:00"), auditOf("15:10:00", "Suspicious activity reported"))
	if len(alerts) != 2 || alerts[1].Updates != nil {
		t.Errorf("a report of something else, much later, is an update: %d alerts", len(alerts))
	}
}
