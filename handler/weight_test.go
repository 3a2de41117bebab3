package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pushback/detect/notify/teams"
)

// whose is a record of another account.
func (r loggedRow) whose(user string) loggedRow {
	return r.with("UserPrincipalName", user+"@contoso.example").with("UserId", "id-"+user).with("Id", r["Id"].(string)+user).with("CorrelationId", r["CorrelationId"].(string)+user)
}

// lowScores are UEBA's of an address, far below what the published rule reports.
func lowScores(address string) loggedRow {
	return loggedRow{"Type": "BehaviorAnalytics", "TimeGenerated": "2026-03-17T09:12:00Z", "ActivityType": "FailedLogOn", "UserPrincipalName": "ana@contoso.example", "UserName": "ana",
		"SourceIPAddress": address, "InvestigationPriority": 1, "UsersInsights": map[string]any{}, "DevicesInsights": map[string]any{}, "ActivityInsights": map[string]any{}}
}

// TestHeldBackThoughSomebodyGotIn has, for each way to hold an alert back, what is
// held back and what is not.
func TestHeldBackThoughSomebodyGotIn(t *testing.T) {
	t.Parallel()
	refusal, success := signInOf("09:10:00", "500121", declinedDetail), signInOf("09:15:00", "0", "MFA completed in Azure AD")
	fraud := signInOf("09:10:00", "500121", "MFA denied; Phone App Reported Fraud")
	changed := auditOf("09:20:00", "User registered security info")
	later := signInOf("11:20:00", "0", "MFA completed in Azure AD") // the hour's window is over
	shipped, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	suppressing := strings.Replace(string(shipped), "suppressionEnabled: false", "suppressionEnabled: true", 1)
	again := signInOf("10:10:00", "500121", declinedDetail)
	cutoff, most := map[string]string{"PUSHBACK_RISK_CUTOFF": "20"}, map[string]string{"PUSHBACK_MIN_SEVERITY": "high", "PUSHBACK_SEVERITY_STEPS": "bombing=+1"}
	for _, test := range []struct {
		name     string
		settings map[string]string
		suppress bool
		rows     []loggedRow
		want     int // alerts, updates among them
	}{
		{"cutoff: a refusal alone", cutoff, false, []loggedRow{refusal, lowScores("203.0.113.7")}, 0},
		{"cutoff: no score", cutoff, false, []loggedRow{refusal}, 1},
		{"cutoff: a success", cutoff, false, []loggedRow{refusal, success, lowScores("203.0.113.7")}, 1},
		{"cutoff: a report of fraud", cutoff, false, []loggedRow{fraud, lowScores("203.0.113.7")}, 1},
		{"cutoff: methods changed", cutoff, false, []loggedRow{refusal, changed, lowScores("203.0.113.7")}, 1},
		{"cutoff: a success that comes later", cutoff, false, []loggedRow{refusal, later, lowScores("203.0.113.7"), signInOf("13:20:00", "50126", "").whose("bob")}, 1},
		{"severity: a refusal alone", most, false, []loggedRow{refusal}, 0},
		{"severity: a success", most, false, []loggedRow{refusal, success}, 1},
		{"severity: a report of fraud", most, false, []loggedRow{fraud}, 1},
		{"severity: methods changed", most, false, []loggedRow{refusal, changed}, 1},
		{"suppression: refusals alone", nil, true, []loggedRow{refusal, again, signInOf("12:20:00", "50126", "").whose("bob")}, 1},
		{"suppression: and a report of fraud", nil, true, []loggedRow{refusal, again.with("Status", map[string]any{"errorCode": "500121", "additionalDetails": "MFA denied; Fraud Code Entered"})}, 2},
		{"suppression: and a success within the same sign-in", nil, true, []loggedRow{refusal,
			signInOf("10:10:00", "0", "MFA completed in Azure AD", step("10:09:40", pushMethod, declinedDetail, false), step("10:09:55", pushMethod, approvedDetail, true))}, 3}, // the first has an update, too
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"replay", "--logs", loggedIn(t, test.rows...), "--json"}
			if test.suppress {
				args = append(args, "--rules", folder(t, map[string]string{"rule.yaml": suppressing}))
			}
			r := command(t, test.settings, args...)
			alerts := r.alerts(t)
			if len(alerts) != test.want {
				t.Errorf("%d alerts, want %d\n%s", len(alerts), test.want, r.stderr)
			}
			for _, a := range alerts {
				if len(test.settings) > 0 && test.want > 0 && !strings.HasSuffix(test.name, "no score") && !a.Compromised() {
					t.Errorf("%s is sent, which is none", a.Title)
				}
			}
		})
	}
}

// TestBuriedCompromise has an account that somebody got into, and another that
// refused from many addresses at the same time.
func TestBuriedCompromise(t *testing.T) {
	t.Parallel()
	var rows []loggedRow
	for i := range 20 {
		rows = append(rows, signInOf(fmt.Sprintf("09:%02d:00", 5+i), "500121", declinedDetail).whose("bob").with("IPAddress", fmt.Sprint("198.51.100.", i+1)))
	}
	rows = append(rows, signInOf("09:40:00", "500121", declinedDetail).whose("alice"), signInOf("09:45:00", "0", "MFA completed in Azure AD").whose("alice"))
	alerts := handler(t, "replay", "--logs", loggedIn(t, rows...), "--json").alerts(t)
	if len(alerts) != 21 || !strings.Contains(alerts[0].Title, "alice@") || !alerts[0].Compromised() {
		t.Fatalf("%d alerts, the first is %q", len(alerts), alerts[0].Title)
	}
	slices.Reverse(alerts)
	card, err := teams.Digest(alerts)
	if err != nil {
		t.Fatal(err)
	}
	text := string(card)
	alice, bob := strings.Index(text, "alice@contoso.example ·"), strings.Index(text, "bob@contoso.example ·")
	if alice < 0 || bob < alice || strings.Count(text, "bob@contoso.example ·") != 1 || !strings.Contains(text, "and 19 other alerts of this account") || !strings.Contains(text, "the same address") {
		t.Errorf("the digest is %s", text)
	}
}
