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

const (
	attacker = "203.0.113.66" // in an unknown network
	home     = "198.51.100.20"
)

// onDay is a time of the test's day, or of a later one: 33:10 is 09:10 of the next.
func onDay(clock string) string {
	var hours, minutes, seconds int
	if n, err := fmt.Sscanf(clock, "%d:%d:%d", &hours, &minutes, &seconds); err != nil && n < 2 {
		panic(err)
	}
	day := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
	return day.Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second).Format(time.RFC3339)
}

// aliceAt is a sign-in of alice from an address, in the attacker's network unless
// it is her home, where she has a device.
func aliceAt(clock, ip, resultType, additional string, steps ...map[string]any) loggedRow {
	r := signInOf("00:00:00", resultType, additional, steps...).with("TimeGenerated", onDay(clock)).with("Id", clock+ip+resultType).with("CorrelationId", clock+ip+resultType).
		with("UserPrincipalName", "alice@contoso.example").with("UserId", "alice-id").with("IPAddress", ip).with("AutonomousSystemNumber", "64666").with("Location", "RU")
	if ip == home {
		r = r.with("AutonomousSystemNumber", "64520").with("Location", "BG").with("DeviceDetail", map[string]any{"deviceId": "laptop", "displayName": "LAPTOP-7"}).with("AuthenticationRequirement", "multiFactorAuthentication")
	}
	return r
}

func (r loggedRow) of(name string) loggedRow {
	return r.with("UserPrincipalName", name+"@contoso.example").with("UserId", name+"-id").with("Id", r["Id"].(string)+name).with("CorrelationId", r["Id"].(string)+name)
}

func refusedAt(clock, ip string) loggedRow { return aliceAt(clock, ip, "500121", declinedDetail) }
func promptAt(clock, ip string) loggedRow {
	return aliceAt(clock, ip, "500121", "MFA denied; user did not respond to mobile app notification")
}
func successAt(clock, ip string) loggedRow { return aliceAt(clock, ip, "0", "") }

// everyMinutes makes rows that far apart, from a time on.
func everyMinutes(n, minutes, hour, minute int, each func(clock string, i int) loggedRow) []loggedRow {
	var list []loggedRow
	for i := range n {
		m := minute + i*minutes
		list = append(list, each(fmt.Sprintf("%02d:%02d", hour+m/60, m%60), i))
	}
	return list
}

// TestAttacks has attacks of somebody who holds alice's password and knows the
// rule, each with the neighbour that must stay quiet. Alice has signed in from home
// on twelve days, and refuses at 09:10 from an unknown address.
func TestAttacks(t *testing.T) {
	t.Parallel()
	const (
		quiet   = "Medium new-country"
		prefix6 = "2001:db8:bad:1::"
	)
	type attack struct {
		name string
		rows []loggedRow
		// want are alice's alerts and updates, without what the place says.
		want []string
		text string // in one of them
		// from is where she refuses, else nowhere.
		from string
	}
	rows := func(list ...loggedRow) []loggedRow { return list }
	approved := func(clock, code string) loggedRow {
		return aliceAt(clock, attacker, code, "MFA completed in Azure AD")
	}
	methodAt := func(clock string) loggedRow {
		r := auditOf("00:00:00", "User registered security info").with("TimeGenerated", onDay(clock))
		return r.with("TargetResources", []map[string]any{{"id": "alice-id", "userPrincipalName": "alice@contoso.example"}})
	}
	service := func(clock, session string) loggedRow {
		return loggedRow{"Type": "AADServicePrincipalSignInLogs", "TimeGenerated": onDay(clock), "Id": "sp" + clock, "SessionId": session, "ServicePrincipalName": "Backup",
			"IPAddress": "198.51.100.200", "ResultType": "0"}
	}
	strong := func(r loggedRow) loggedRow { return r.with("AuthenticationRequirement", "multiFactorAuthentication") }
	bob := func(clock, ip string) loggedRow { return successAt(clock, ip).of("bob") }
	attacks := []attack{
		{name: "nothing more", from: attacker, want: []string{quiet}},
		{name: "her own sign-ins from home", from: attacker, rows: rows(successAt("09:03", home), successAt("13:20", home)), want: []string{quiet}},

		// From elsewhere.
		{name: "another network later", from: attacker, rows: rows(successAt("13:20", "192.0.2.77").with("AutonomousSystemNumber", "64777")), want: []string{quiet, "update High success-elsewhere"}},
		{name: "another network within the tick", from: attacker, rows: rows(successAt("09:40", "192.0.2.77").with("AutonomousSystemNumber", "64777")), want: []string{"High success-elsewhere"}, text: "on a network never seen before"},
		{name: "the next address of the network later", from: attacker, rows: rows(successAt("13:20", "203.0.113.67")), want: []string{quiet, "update High success-same-network"}},
		{name: "the same /64 later", from: prefix6 + "1", rows: rows(successAt("13:20", prefix6+"beef")), want: []string{quiet, "update High success-same-ip"}, text: "from the same /64"},
		{name: "the same /64, written out", from: prefix6 + "1", rows: rows(successAt("13:20", "2001:0DB8:0BAD:0001:0000:0000:0000:0002")), want: []string{quiet, "update High success-same-ip"}},
		{name: "another /64 of another network, at home", from: prefix6 + "1", rows: rows(successAt("13:20", home)), want: []string{quiet}},
		{name: "home with another device", from: attacker, rows: rows(successAt("13:20", home).with("DeviceDetail", map[string]any{"deviceId": "kali"})), want: []string{quiet, "update High success-elsewhere"}, text: "on a device never seen before"},
		{name: "her device from a new address of her network", from: attacker, rows: rows(successAt("13:20", home).with("IPAddress", "198.51.100.99")), want: []string{quiet}},
		{name: "security info later", from: attacker, rows: rows(methodAt("13:30")), want: []string{quiet, "update High mfa-method-changed"}},
		{name: "security info of somebody else", from: attacker, rows: rows(methodAt("13:30").with("TargetResources", []map[string]any{{"id": "bob-id"}})), want: []string{quiet}},

		// Just before.
		{name: "an approval before", from: attacker, rows: rows(promptAt("08:50", attacker), promptAt("08:55", attacker), successAt("09:00", attacker)), want: []string{"High success-same-ip"}, text: "10 min before rejecting"},
		{name: "an approval early in the burst", from: attacker, rows: append(everyMinutes(10, 15, 7, 0, func(clock string, _ int) loggedRow { return promptAt(clock, attacker) }), successAt("07:20", attacker)),
			want: []string{"High success-same-ip bombing"}},
		{name: "a success long before", from: attacker, rows: rows(successAt("07:00", attacker)), want: []string{quiet}},

		// Of somebody else.
		{name: "bob signs in from there", from: attacker, rows: rows(bob("09:15", attacker)), want: []string{"High other-account-success"}, text: "“bob@contoso.example” signed in from 203.0.113.66, 5 min after rejecting at “alice@contoso.example”"},
		{name: "bob did before", from: attacker, rows: rows(bob("08:15", attacker)), want: []string{"High other-account-success"}, text: "55 min before rejecting"},
		{name: "bob does later", from: attacker, rows: rows(bob("15:00", attacker)), want: []string{quiet, "update High other-account-success"}},
		{name: "bob does from the /64", from: prefix6 + "1", rows: rows(bob("15:00", prefix6+"99")), want: []string{quiet, "update High other-account-success"}},
		{name: "bob approves and is stopped", from: attacker, rows: rows(approved("15:00", "53003").of("bob")), want: []string{quiet, "update High other-account-success shared-address"}, text: "then stopped by Conditional Access (53003)"},
		{name: "bob signs in elsewhere", from: attacker, rows: rows(bob("09:15", "192.0.2.99")), want: []string{quiet}},
		{name: "bob is at home there", from: attacker, rows: rows(strong(bob("-72:00", attacker)), strong(bob("-120:00", attacker)), bob("09:15", attacker)), want: []string{quiet}},
		{name: "bob was there with the password alone", from: attacker, rows: rows(bob("-72:00", attacker), bob("-120:00", attacker), bob("09:15", attacker)), want: []string{"High other-account-success"}},
		{name: "she refuses at home, where bob lives too", from: home, rows: rows(bob("09:15", home)), want: []string{"Low known-device"}},

		// The worst is kept.
		{name: "her own sign-in first", from: attacker, rows: rows(successAt("09:13", home), successAt("09:15", "192.0.2.77").with("AutonomousSystemNumber", "64777")), want: []string{"High success-elsewhere"}, text: "192.0.2.77"},
		{name: "two of a kind", from: attacker, rows: rows(approved("09:13", "53003"), successAt("09:15", attacker)), want: []string{"High success-same-ip"}, text: "5 min after rejecting (“Portal”), and 1 more such sign-in"},

		// The edges of the aftermath.
		{name: "after the day, but after a new prompt", from: attacker, rows: rows(promptAt("20:00", attacker), successAt("33:11", attacker), successAt("36:00", home)), want: []string{quiet, "update High success-same-ip"}},
		{name: "after the day", from: attacker, rows: rows(successAt("33:11", attacker), successAt("36:00", home)), want: []string{quiet}},
		{name: "logged late at the end of the day", from: attacker, rows: rows(successAt("34:20", attacker).with("CreatedDateTime", onDay("32:30")), successAt("37:00", home)), want: []string{quiet, "update High success-same-ip"}},

		// What context did not match.
		{name: "a blank address", rows: rows(refusedAt("09:10", ""), successAt("09:15", "")), want: []string{"High success-same-network"}},
		{name: "a blank address, and home", rows: rows(refusedAt("09:10", ""), successAt("09:15", home)), want: []string{quiet}},
		{name: "refused non-interactively", rows: rows(refusedAt("09:10", attacker).with("AuthenticationDetails", []map[string]any{}).nonInteractive(t), successAt("09:15", attacker)), want: []string{"High success-same-ip"}},
		{name: "fifteen refused non-interactively", rows: everyMinutes(15, 3, 9, 0, func(clock string, _ int) loggedRow {
			return refusedAt(clock, attacker).with("AuthenticationDetails", []map[string]any{}).nonInteractive(t)
		}), want: []string{"High bombing"}},
		{name: "a service within the session", from: attacker, rows: rows(refusedAt("09:12", attacker).with("SessionId", "s1"), service("09:30", "s1")), want: []string{"High success-non-interactive"}, text: "a service signed in within the session"},
		{name: "a service within another session", from: attacker, rows: rows(refusedAt("09:12", attacker).with("SessionId", "s1"), service("09:30", "s2")), want: []string{quiet}},
		{name: "a non-interactive success counts less", from: attacker, rows: rows(successAt("09:15", attacker).with("AuthenticationDetails", []map[string]any{}).nonInteractive(t)), want: []string{"High success-non-interactive"}},
		{name: "a non-interactive success elsewhere", from: attacker, rows: rows(successAt("09:15", "192.0.2.77").with("AutonomousSystemNumber", "64777").with("AuthenticationDetails", []map[string]any{}).nonInteractive(t)), want: []string{quiet}},
		{name: "a non-interactive success in the network", from: attacker, rows: rows(successAt("09:15", "192.0.2.77").with("AuthenticationDetails", []map[string]any{}).nonInteractive(t)), want: []string{"High success-non-interactive"}, text: "from elsewhere"},
		{name: "a non-interactive success on a new device", from: attacker, rows: rows(successAt("09:15", "192.0.2.77").with("AutonomousSystemNumber", "64777").with("DeviceDetail", `{"deviceId":"kali"}`).with("AuthenticationDetails", []map[string]any{}).nonInteractive(t)), want: []string{"High success-non-interactive"}},
		{name: "a success two days later, after prompt upon prompt", from: attacker, rows: rows(promptAt("29:00", attacker), promptAt("49:00", attacker), promptAt("57:00", attacker), successAt("60:00", attacker)), want: []string{quiet, "update High success-same-ip"}},
		{name: "security info between a prompt and the refusal", from: attacker, rows: rows(promptAt("09:02", attacker), methodAt("09:05")), want: []string{"High mfa-method-changed"}},
		{name: "an external factor, and then blocked", from: attacker, rows: rows(aliceAt("09:40", attacker, "53003", "MFA requirement satisfied by claim provided by external provider", map[string]any{"authenticationMethod": "External authentication method", "succeeded": true,
			"authenticationStepRequirement": "Multifactor authentication", "authenticationStepResultDetail": "MFA requirement satisfied by claim provided by external provider"})), want: []string{"High success-same-ip"}},
		{name: "a name that is blank", from: attacker, rows: rows(successAt("09:15", attacker).with("UserPrincipalName", "")), want: []string{"High success-same-ip"}},
		{name: "a name that is a GUID", from: attacker, rows: rows(successAt("13:15", attacker).with("UserPrincipalName", "5f0d6d3c-3b0f-4c0a-9e0b-7a5e1d0b5a11")), want: []string{quiet, "update High success-same-ip"}},

		// Bombing after the refusal.
		{name: "prompts go on", from: attacker, rows: everyMinutes(19, 2, 9, 12, func(clock string, _ int) loggedRow { return promptAt(clock, attacker) }), want: []string{"High bombing"}},
		{name: "prompts go on for long", from: attacker, rows: everyMinutes(96, 2, 10, 30, func(clock string, _ int) loggedRow { return promptAt(clock, attacker) }), want: []string{quiet, "update High bombing"}},
		{name: "a prompt now and then", from: attacker, rows: everyMinutes(8, 20, 10, 30, func(clock string, _ int) loggedRow { return promptAt(clock, attacker) }), want: []string{quiet}},

		// More than once.
		{name: "ever graver", from: attacker, rows: rows(successAt("12:20", "192.0.2.77").with("AutonomousSystemNumber", "64777"), successAt("13:20", "203.0.113.67"), successAt("14:20", attacker), successAt("15:20", attacker), methodAt("16:30")),
			want: []string{quiet, "update High success-elsewhere", "update High success-same-network success-elsewhere", "update High success-same-ip success-same-network success-elsewhere",
				"update High success-same-ip mfa-method-changed success-same-network success-elsewhere"}},
	}
	for _, code := range []string{"65001", "50105", "53003", "53000", "530002", "50140", "50097", "50158", "90094", "50131", "50055", "70044", "999999"} {
		attacks = append(attacks, attack{name: "approved, then " + code, from: attacker, rows: rows(approved("13:20", code)), want: []string{quiet, "update High success-same-ip"}, text: "(" + code + ")"},
			attack{name: "a step approved, then " + code, from: attacker, rows: rows(aliceAt("13:20", attacker, code, "", step("13:19:50", pushMethod, approvedDetail, true))), want: []string{quiet, "update High success-same-ip"}, text: "approved a prompt from the same address"},
			attack{name: "not approved, but " + code, from: attacker, rows: rows(aliceAt("13:20", attacker, code, "", step("13:19:50", pushMethod, "MFA required in Azure AD", false))), want: []string{quiet}},
			attack{name: "approved at home, then " + code, from: attacker, rows: rows(aliceAt("13:20", home, code, "MFA completed in Azure AD")), want: []string{quiet}})
	}
	for _, test := range attacks {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			logged := everyMinutes(12, 24*60, -13*24, 0, func(clock string, _ int) loggedRow { return successAt(clock, home) })
			if test.from != "" {
				logged = append(logged, refusedAt("09:10", test.from))
			}
			logged = append(append(logged, test.rows...), successAt("18:30", home).of("zoe")) // the logs' end, if nothing is later
			var got, texts []string
			for _, a := range replayedFrom(t, "2026-03-17T08:00", logged...) {
				line := a.Severity.String()
				if a.Updates != nil {
					line = "update " + line
				}
				for _, f := range a.Context.Findings {
					texts = append(texts, f.Text)
					// What the place says is not at issue where somebody got in.
					if f.Weak || a.Severity == alert.High && (f.Kind == alert.FoundNewCountry || f.Kind == alert.FoundNewAddress) || f.Kind == alert.FoundRepeated {
						continue
					}
					line += " " + string(f.Kind)
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s\n%s", diff, strings.Join(texts, "\n"))
			}
			if test.text != "" && !slices.ContainsFunc(texts, func(said string) bool { return strings.Contains(said, test.text) }) {
				t.Errorf("no finding says %q:\n%s", test.text, strings.Join(texts, "\n"))
			}
		})
	}
}
