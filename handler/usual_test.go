package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// on is a row on another day, and at a time of it.
func (r loggedRow) on(day, at string) loggedRow {
	return r.with("TimeGenerated", day+"T"+at+"Z").with("Id", day+at).with("CorrelationId", day+at)
}

// laptop is a device that the tenant knows.
func laptop(id string) map[string]any {
	return map[string]any{"deviceId": id, "displayName": "LAPTOP-" + id, "operatingSystem": "Windows10"}
}

// satisfied is a sign-in of ana that satisfied MFA.
func satisfied(day, at string) loggedRow {
	return signInOf(at, "0", "MFA requirement satisfied by claim in the token").with("AuthenticationRequirement", "multiFactorAuthentication").on(day, at)
}

// atHome is what ana has signed in with on many days.
func atHome(t *testing.T) (rows []loggedRow) {
	t.Helper()
	for day := 4; day < 16; day++ {
		rows = append(rows, fromHome(satisfied(fmt.Sprintf("2026-03-%02d", day), "09:00:00")))
	}
	return rows
}

func fromHome(r loggedRow) loggedRow {
	return r.with("IPAddress", "198.51.100.20").with("Location", "BG").with("AutonomousSystemNumber", "65540").with("DeviceDetail", laptop("home"))
}

// away is from where ana never was, on a device of the tenant.
func fromAway(r loggedRow) loggedRow {
	return r.with("Location", "NL").with("AutonomousSystemNumber", "65550").with("DeviceDetail", laptop("new"))
}

func findingsOf(a alert.Alert) string {
	said := a.Severity.String()
	for _, f := range a.Context.Findings {
		said += " " + string(f.Kind)
	}
	return said
}

// Who has the password can sign in too: what that makes known, and what not.
func TestWhatIsUsual(t *testing.T) {
	t.Parallel()
	const planted = "singleFactorAuthentication"
	refusal := signInOf("09:10:00", "500121", declinedDetail)
	single := func(day, at string) loggedRow {
		return fromAway(signInOf(at, "0", "").with("AuthenticationRequirement", planted).on(day, at))
	}
	for _, test := range []struct {
		name    string
		rows    []loggedRow // beside the usual sign-ins
		nothing bool        // without the usual sign-ins
		want    []string
	}{
		{name: "from elsewhere", rows: []loggedRow{fromAway(refusal)}, want: []string{"Medium new-country"}},
		{name: "from elsewhere, in the country", rows: []loggedRow{fromAway(refusal).with("Location", "BG")}, want: []string{"Medium new-address"}},
		{name: "at home", rows: []loggedRow{fromHome(refusal)}, want: []string{"Low known-device"}},
		{name: "at home, on no device that is known", rows: []loggedRow{fromHome(refusal).with("DeviceDetail", map[string]any{"displayName": "LAPTOP-home"})}, want: []string{"Medium"}},
		{name: "at home, and once on another device", rows: []loggedRow{fromHome(refusal), fromHome(signInOf("09:12:00", "500121", declinedDetail)).with("DeviceDetail", laptop("new"))}, want: []string{"Medium"}},
		{name: "a single factor before", rows: []loggedRow{single("2026-03-17", "07:00:00"), fromAway(refusal)}, want: []string{"Medium new-country"}},
		{name: "single factors for days", rows: []loggedRow{single("2026-03-12", "07:00:00"), single("2026-03-13", "07:00:00"), single("2026-03-14", "07:00:00"), fromAway(refusal)}, want: []string{"Medium new-country"}},
		{name: "MFA from there today and yesterday", rows: []loggedRow{fromAway(satisfied("2026-03-16", "10:00:00")), fromAway(satisfied("2026-03-17", "07:00:00")), fromAway(refusal)}, want: []string{"Medium new-country"}},
		{name: "MFA from there on one day", rows: []loggedRow{fromAway(satisfied("2026-03-14", "08:00:00")), fromAway(satisfied("2026-03-14", "18:00:00")), fromAway(refusal)}, want: []string{"Medium new-country"}},
		{name: "MFA around one midnight", rows: []loggedRow{fromAway(satisfied("2026-03-13", "23:59:00")), fromAway(satisfied("2026-03-14", "00:01:00")), fromAway(refusal)}, want: []string{"Medium new-country"}},
		{name: "MFA from there on two days", rows: []loggedRow{fromAway(satisfied("2026-03-13", "08:00:00")), fromAway(satisfied("2026-03-15", "08:00:00")), fromAway(refusal)}, want: []string{"Low known-device"}},
		{name: "no history", rows: []loggedRow{fromAway(refusal)}, nothing: true, want: []string{"Medium"}},
		{name: "only planted", rows: []loggedRow{single("2026-03-17", "07:00:00"), fromAway(refusal)}, nothing: true, want: []string{"Medium"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows := test.rows
			if !test.nothing {
				rows = append(atHome(t), rows...)
			}
			var got []string
			for _, a := range replayed(t, rows...) {
				got = append(got, findingsOf(a))
				if strings.Contains(test.name, "single factor") && !strings.Contains(fmt.Sprint(a.Context.Findings), "but not with a second factor on two days") {
					t.Errorf("it says %v", a.Context.Findings)
				}
				said := fmt.Sprint(a.Context.Sections)
				if strings.Contains(said, "nothing to compare with") != test.nothing {
					t.Errorf("it says %s", said)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// Somebody who is asked every 16 minutes does not stand out in any hour.
func TestRejectionsOfADay(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 17, 0, 10, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		n     int
		apart time.Duration
		want  []string // of the last alert
	}{
		{"38 in ten hours", 38, 16 * time.Minute, []string{"High repeated"}},
		{"five in a day", 5, 5 * time.Hour, []string{"High repeated"}},
		{"four in a day", 4, 5 * time.Hour, []string{"Medium repeated"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var rows []loggedRow
			for i := range test.n {
				rows = append(rows, signInOf(start.Add(test.apart*time.Duration(i)).Format(time.TimeOnly), "500121", declinedDetail))
			}
			alerts := replayed(t, rows...)
			last := alerts[len(alerts)-1]
			if diff := cmp.Diff(test.want, []string{findingsOf(last)}); diff != "" {
				t.Errorf("last of %d alerts (-want +got):\n%s", len(alerts), diff)
			}
			if first := findingsOf(alerts[0]); first != "Medium" {
				t.Errorf("the first is %s", first)
			}
		})
	}
}

// byAdmin is a change that somebody else made to ana's account.
func byAdmin(at, operation, reason string) loggedRow {
	return auditOf(at, operation).with("ResultReason", reason).
		with("InitiatedBy", map[string]any{"user": map[string]any{"id": "u9", "userPrincipalName": "help@contoso.example"}})
}

// What happens to the account behind a refusal.
func TestWhatHappensToTheAccount(t *testing.T) {
	t.Parallel()
	device := map[string]any{"id": "d1", "displayName": "DESKTOP-7", "type": "Device"}
	app := []map[string]any{{"id": "sp1", "displayName": "Mail Helper", "type": "ServicePrincipal"}}
	mailbox := func(at, operation, parameters string) loggedRow {
		return loggedRow{"Type": "OfficeActivity", "TimeGenerated": "2026-03-17T" + at + "Z", "Operation": operation, "OfficeWorkload": "Exchange", "ResultStatus": "True",
			"UserId": "Ana@contoso.example", "Parameters": parameters, "ClientIP": "203.0.113.7:443"}
	}
	forward := `[{"Name":"ForwardTo","Value":"x@evil.example"}]`
	type story struct {
		name string
		row  loggedRow
		want string
		text string
	}
	stories := []story{
		{"info registered for the user", byAdmin("09:30:00", "Admin registered security info", "Admin registered temporary access pass method for user"), "High mfa-method-changed", `temporary access pass method for user”), by “help@contoso.example”`},
		{"info deleted for the user", byAdmin("09:30:00", "Admin deleted security info", ""), "High mfa-method-changed", `“Admin deleted security info”, by “help@contoso.example”`},
		{"a password reset for the user", byAdmin("09:30:00", "Reset password (by admin)", ""), "Medium password-reset", `by “help@contoso.example”`},
		{"a password reset by the user", auditOf("09:30:00", "Reset password (self-service)"), "Medium", ""},
		{"a device", auditOf("09:30:00", "Register device").with("TargetResources", []map[string]any{device}), "High mfa-method-changed", "Register device"},
		{"a device of another", byAdmin("09:30:00", "Register device", "").with("TargetResources", []map[string]any{device}), "Medium", ""},
		{"an owner of a device", byAdmin("09:30:00", "Add registered owner to device", "").with("TargetResources", []map[string]any{{"id": "u1", "type": "User"}, device}), "High mfa-method-changed", ""},
		{"what the user does to another", auditOf("09:30:00", "Admin registered security info").with("TargetResources", []map[string]any{{"id": "u7", "userPrincipalName": "bob@contoso.example"}}), "Medium", ""},
		{"a consent", auditOf("09:30:00", "Consent to application").with("TargetResources", app), "High app-consent", `20 min after the first prompt: “Consent to application”, “Mail Helper”`},
		{"a grant", auditOf("09:30:00", "Add delegated permission grant").with("TargetResources", app), "High app-consent", ""},
		{"a role of an application", auditOf("09:30:00", "Add app role assignment to service principal.").with("TargetResources", app), "High app-consent", ""},
		{"a role that the user is given", byAdmin("09:30:00", "Add app role assignment grant to user", ""), "Medium", ""},
		{"a consent that failed", auditOf("09:30:00", "Consent to application").with("TargetResources", app).with("Result", "failure"), "Medium", ""},
		{"a consent before", auditOf("09:00:00", "Consent to application").with("TargetResources", app), "Medium", ""},
		{"another change", auditOf("09:30:00", "Update user"), "Medium", ""},
		{"a review of security info", auditOf("09:30:00", "User reviewed security info"), "Medium", ""},
		{"a registration that only began", auditOf("09:30:00", "User started security info registration"), "Medium", ""},
		{"an inbox rule", mailbox("09:30:00", "New-InboxRule", forward), "High inbox-rule", `“New-InboxRule”: ForwardTo “x@evil.example”`},
		{"an inbox rule of another", mailbox("09:30:00", "New-InboxRule", forward).with("UserId", "bob@contoso.example"), "Medium", ""},
		{"forwarding", mailbox("09:30:00", "Set-Mailbox", `[{"Name":"ForwardingSmtpAddress","Value":"smtp:x@evil.example"}]`), "High inbox-rule", "smtp:x@evil.example"},
		{"another setting", mailbox("09:30:00", "Set-Mailbox", `[{"Name":"Languages","Value":"en"}]`), "Medium", ""},
		{"mail that is read", mailbox("09:30:00", "MailItemsAccessed", ""), "Medium", ""},
		{"a high risk", riskOf("09:30:00", "anomalousToken").with("RiskLevel", "high"), "High risk-detection", "“anomalous token” (high)"},
		{"a risk that nobody knows yet", riskOf("09:30:00", "aiCompoundAccountRisk"), "Medium risk-detection", "ai compound account risk"},
		{"a risk of another", riskOf("09:30:00", "anomalousToken").with("UserId", "u2").with("UserPrincipalName", "bob@contoso.example"), "Medium", ""},
	}
	for _, operation := range []string{"User registered security info", "User deleted security info", "User updated security info", "User changed default security info", "User registered all required security info",
		"Add Windows Hello for Business credential", "Delete Windows Hello for Business credential", "Add FIDO2 security key", "Delete FIDO2 security key(s)", "Add Passkey (device-bound)", "Add passwordless phone sign-in credential",
		"Add platform credential", "Disable Strong Authentication", "Add users strong authentication phone app detail", "Create application password for user"} {
		stories = append(stories, story{operation, auditOf("09:30:00", operation), "High mfa-method-changed", operation})
	}
	for _, test := range stories {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range replayed(t, signInOf("09:10:00", "500121", declinedDetail), test.row, signInOf("23:00:00", "50126", "").with("UserId", "u3").with("UserPrincipalName", "carol@contoso.example")) {
				got = append(got, findingsOf(a))
				if test.text != "" && (len(a.Context.Findings) == 0 || !strings.Contains(a.Context.Findings[0].Text, test.text)) {
					t.Errorf("it says %v, want %q", a.Context.Findings, test.text)
				}
			}
			if !slices.Equal(got, []string{test.want}) {
				t.Errorf("alerts %q, want %q", got, test.want)
			}
		})
	}
}

// What happens hours later is an update, unless it is what an analyst would do.
func TestWhatHappensLater(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		row  loggedRow
		want []string
	}{
		{"a passkey", auditOf("13:30:00", "Add Passkey (device-bound)"), []string{"Medium", "update High mfa-method-changed"}},
		{"a temporary access pass", byAdmin("13:30:00", "Admin registered security info", "Admin registered temporary access pass method for user"), []string{"Medium", "update High mfa-method-changed"}},
		{"a consent", auditOf("13:30:00", "Consent to application"), []string{"Medium", "update High app-consent"}},
		{"an inbox rule", loggedRow{"Type": "OfficeActivity", "TimeGenerated": "2026-03-17T13:30:00Z", "Operation": "New-InboxRule", "UserId": "ana@contoso.example", "Parameters": "[]"},
			[]string{"Medium", "update High inbox-rule"}},
		{"a password reset", byAdmin("13:30:00", "Reset password (by admin)", ""), []string{"Medium"}},
		{"nothing", auditOf("13:30:00", "Update user"), []string{"Medium"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range replayed(t, signInOf("09:10:00", "500121", declinedDetail), test.row, signInOf("18:00:00", "50126", "").with("UserId", "u3").with("UserPrincipalName", "carol@contoso.example")) {
				line := findingsOf(a)
				if a.Updates != nil {
					line = "update " + line
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be looked up is a line, table by table.
func TestTablesThatAreMissing(t *testing.T) {
	t.Parallel()
	lines := func(rows ...loggedRow) string {
		alerts := replayed(t, append(rows, signInOf("09:10:00", "500121", declinedDetail))...)
		if len(alerts) != 1 {
			t.Fatalf("%d alerts", len(alerts))
		}
		return strings.Join(alerts[0].Context.Unavailable, "\n")
	}
	const mailbox, risks, changes = "Mailbox: not available, table OfficeActivity does not exist", "Risk detections: not available, table AADUserRiskEvents does not exist", "Changes of the account: not available, table AuditLogs does not exist"
	none := lines()
	for _, line := range []string{mailbox, risks, changes} {
		if !strings.Contains(none, line) {
			t.Errorf("%q is missing in:\n%s", line, none)
		}
	}
	all := lines(auditOf("01:00:00", "Update user"), riskOf("01:00:00", "unfamiliarFeatures").with("UserId", "u2").with("UserPrincipalName", "bob@contoso.example"),
		loggedRow{"Type": "OfficeActivity", "TimeGenerated": "2026-03-17T01:00:00Z", "Operation": "FileAccessed", "UserId": "bob@contoso.example"})
	for _, line := range []string{mailbox, risks, changes} {
		if strings.Contains(all, line) {
			t.Errorf("%q is in:\n%s", line, all)
		}
	}
	if some := lines(riskOf("01:00:00", "unfamiliarFeatures").with("UserId", "u2").with("UserPrincipalName", "bob@contoso.example")); !strings.Contains(some, mailbox) || strings.Contains(some, risks) {
		t.Errorf("with one of the two:\n%s", some)
	}
}

// An account is found by its id, whatever it is called, and in either form of
// IdentityInfo, weeks back.
func TestAccountsById(t *testing.T) {
	t.Parallel()
	const id = "11111111-2222-3333-4444-555555555555"
	identity := func(names map[string]string) loggedRow {
		r := loggedRow{"Type": "IdentityInfo", "TimeGenerated": "2026-02-18T09:00:00Z", "AccountObjectId": id, "AccountDisplayName": "Ana", "AssignedRoles": []string{"Global Administrator"}}
		for name, value := range names {
			r[name] = value
		}
		return r
	}
	for _, test := range []struct {
		name     string
		upn      string
		identity loggedRow
	}{
		{"as usual", "ana@contoso.example", identity(map[string]string{"AccountUPN": "Ana@contoso.example", "RiskState": "AtRisk", "UserType": "Guest"})},
		{"as Defender has it", "ana@contoso.example", identity(map[string]string{"AccountUpn": "ana@contoso.example", "RiskStatus": "AtRisk", "TenantMembershipType": "Guest"})},
		{"without a name", "", identity(map[string]string{"AccountUPN": "ana@contoso.example", "RiskState": "AtRisk", "UserType": "Guest"})},
		{"with an id for a name", id, identity(map[string]string{"AccountUpn": "ana@contoso.example", "RiskStatus": "AtRisk", "TenantMembershipType": "Guest"})},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			method := auditOf("09:30:00", "User registered security info").with("TargetResources", []map[string]any{{"id": id, "userPrincipalName": "ana@contoso.example"}})
			forward := loggedRow{"Type": "OfficeActivity", "TimeGenerated": "2026-03-17T09:40:00Z", "Operation": "New-InboxRule", "UserId": "ana@contoso.example", "Parameters": "[]"}
			alerts := replayed(t, signInOf("09:10:00", "500121", declinedDetail).with("UserId", id).with("UserPrincipalName", test.upn), test.identity, method, forward)
			if len(alerts) != 1 {
				t.Fatalf("%d alerts", len(alerts))
			}
			if got, want := findingsOf(alerts[0]), "High mfa-method-changed inbox-rule privileged-role risky-user"; !strings.HasPrefix(got, want) {
				t.Errorf("%s, want %s: %v", got, want, alerts[0].Context.Findings)
			}
			if said := fmt.Sprint(alerts[0].Context.Sections); !strings.Contains(said, "{User type [Guest]}") {
				t.Errorf("sections %s", said)
			}
		})
	}
}
