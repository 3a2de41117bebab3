package route

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// TestWhyNot pins what matches an alert, and what is said where it does not.
func TestWhyNot(t *testing.T) {
	t.Parallel()
	other := testAlert()
	other.Rows = []alert.Row{{{Column: "TenantId", Value: json.RawMessage(`"` + otherID + `"`)}}}
	for _, tt := range []struct {
		name, match string
		alert       alert.Alert
		want        string // the beginning of why not, or empty
	}{
		{"all", "{}", testAlert(), ""},
		{"a shipped name", "{rule: mfa-rejected-by-user}", testAlert(), ""},
		{"an id in capitals", "{rule: " + strings.ToUpper(mfaID) + "}", testAlert(), ""},
		{"a pattern of names", `{rule: "mfa rejected*"}`, testAlert(), ""},
		{"another rule", "{rule: [spray, wide]}", testAlert(), "rule: MFA Rejected by User is not spray or wide"},
		{"its severity", "{severity: Medium}", testAlert(), ""},
		{"a higher one", "{severity: High}", testAlert(), "severity: Medium is below High"},
		{"a tactic", "{tactic: [Impact, credentialaccess]}", testAlert(), ""},
		{"another tactic", "{tactic: Impact}", testAlert(), "tactic: Impact is not among its CredentialAccess"},
		{"a name without its suffix", "{entity: {name: AMY}}", testAlert(), ""},
		{"a full name", "{entity: {name: amy@contoso.example}}", testAlert(), ""},
		{"what it calls itself", `{entity: {name: "*@fabrikam.example"}}`, testAlert(), "entity: none has name *@fabrikam.example"},
		{"a host", "{entity: {name: srv1.corp.example, type: Host}}", testAlert(), ""},
		{"a host that is none", "{entity: {name: srv1.corp.example, type: Account}}", testAlert(), "entity: none has type Account, name srv1.corp.example"},
		{"a suffix", "{entity: {suffix: contoso.example}}", testAlert(), ""},
		{"a suffix that is no part of its own", "{entity: {suffix: ntoso.example}}", testAlert(), "entity: none has suffix ntoso.example"},
		{"a suffix with its mark", `{entity: {suffix: "@contoso.example"}}`, testAlert(), ""},
		{"an address in another spelling", "{entity: {cidr: 203.0.113.0/24}}", testAlert(), ""},
		{"another range", "{entity: {cidr: 198.51.100.0/24}}", testAlert(), "entity: none has cidr 198.51.100.0/24"},
		{"a tag", "{entity: {tag: vip}}", testAlert(), ""},
		{"a role", `{entity: {tag: "global admin*"}}`, testAlert(), ""},
		{"a group of a watchlist", "{entity: {tag: Contractors, name: bob@evilcontoso.example}}", testAlert(), ""},
		{"a tag of somebody else", "{entity: {tag: VIP, name: bob@evilcontoso.example}}", testAlert(), "entity: none has name bob@evilcontoso.example, tag VIP"},
		{"another fact", "{entity: {tag: Board}}", testAlert(), "entity: none has tag Board"},
		{"two entities", "{entity: [{tag: VIP}, {cidr: 203.0.113.7}]}", testAlert(), ""},
		{"one of two", "{entity: [{tag: VIP}, {cidr: 203.0.113.8}]}", testAlert(), "entity: none has cidr 203.0.113.8"},
		{"the own workspace", "{workspace: " + ownSpace + "}", testAlert(), ""},
		{"another one", "{workspace: " + ownSpace + "}", other, "workspace: " + ownSpace + " is not among its " + otherID},
		{"its hour", "{hours: Mon 13:00-14:00 Europe/Berlin}", testAlert(), ""},
		{"not its hour", "{hours: Mon 12:00-13:00 Europe/Berlin}", testAlert(), "hours: 2026-03-16T12:00:00Z is not in Mon 12:00-13:00 Europe/Berlin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list, problems := Parse("f.yaml", []byte("routes: [{to: PUSHBACK_TEAMS_WEBHOOK_URL, match: "+tt.match+"}]"), testWords())
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			d := New(list, testNames()).Decide(tt.alert)
			if got := d.Steps[0].WhyNot; tt.want == "" && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if matched := len(d.Targets) == 1; matched != (tt.want == "") {
				t.Errorf("targets %v", d.Targets)
			}
		})
	}
}

// TestDecide pins the order, what continue does, and that an address is there once.
func TestDecide(t *testing.T) {
	t.Parallel()
	const text = `routes:
  - {to: PUSHBACK_TEAMS_WEBHOOK_URL_VIP, match: {entity: {tag: VIP}}, mention: amy@contoso.example, continue: true}
  - {to: PUSHBACK_TEAMS_WEBHOOK_URL, match: {rule: spray}}
  - {to: [PUSHBACK_TEAMS_WEBHOOK_URL, PUSHBACK_TEAMS_WEBHOOK_URL_VIP], match: {rule: mfa-*}, mention: [AMY@contoso.example, bob@contoso.example]}
  - {to: PUSHBACK_TEAMS_WEBHOOK_URL, match: {rule: wide}}
`
	list, problems := Parse("f.yaml", []byte(text), testWords())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	names := testNames()
	set := New(list, names)
	d := set.Decide(testAlert())
	amy, bob := alert.Mention{ID: "amy@contoso.example", Name: "amy"}, alert.Mention{ID: "bob@contoso.example", Name: "bob"}
	want := []Target{
		{"PUSHBACK_TEAMS_WEBHOOK_URL_VIP", "teams", []alert.Mention{amy, bob}},
		{"PUSHBACK_TEAMS_WEBHOOK_URL", "teams", []alert.Mention{{ID: "AMY@contoso.example", Name: "AMY"}, bob}},
	}
	if diff := cmp.Diff(want, d.Targets); diff != "" || len(d.Steps) != 3 {
		t.Errorf("%d steps (-want +got):\n%s", len(d.Steps), diff)
	}
	if at, routed := set.At(d, "teams"); len(at) != 2 || !routed {
		t.Errorf("%v, %t", at, routed)
	}
	// What no route is about has every alert, as it had.
	if at, routed := set.At(d, "log"); at != nil || routed {
		t.Errorf("%v, %t", at, routed)
	}
	a := testAlert()
	a.RuleID, a.RuleName, a.Context = "none", "None", nil
	if at, routed := set.At(set.Decide(a), "teams"); at != nil || routed {
		t.Errorf("without a route: %v, %t", at, routed)
	}
	if list[0].Mention[0] != amy || len(list[0].Mention) != 1 {
		t.Errorf("a decision changes the routes: %v", list[0].Mention)
	}
	// Two settings of one address are one.
	names.Same = func(string) string { return "PUSHBACK_TEAMS_WEBHOOK_URL" }
	if d := New(list, names).Decide(testAlert()); len(d.Targets) != 1 || len(d.Targets[0].Mentions) != 2 {
		t.Errorf("%+v", d.Targets)
	}
	var none *Set
	if d := none.Decide(testAlert()); len(d.Steps)+len(d.Targets) > 0 || none.Routed("teams") || none.All() != nil {
		t.Errorf("%+v", d)
	}
}
