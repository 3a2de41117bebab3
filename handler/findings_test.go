package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/sample"
)

// TestDemoFindings expects the demo's day to show each kind of finding.
func TestDemoFindings(t *testing.T) {
	t.Parallel()
	shown := map[alert.FindingKind]bool{}
	updates := 0
	for _, a := range demoJSON().alerts(t) {
		if a.Updates != nil {
			updates++
		}
		if a.Context == nil {
			t.Errorf("%s has no context", a.Title)
			continue
		}
		for _, f := range a.Context.Findings {
			shown[f.Kind] = true
		}
		if len(a.Context.Unavailable) > 0 {
			t.Errorf("%s: %q", a.Title, a.Context.Unavailable)
		}
	}
	// A new address in a country that is not new is in TestFindings.
	for _, kind := range alert.FindingKinds() {
		if !shown[kind] && kind != alert.FoundNewAddress {
			t.Errorf("the day shows no %s", kind)
		}
	}
	// Two sign-ins afterwards, a session, and an attack that both rules see.
	if updates != 4 {
		t.Errorf("%d updates", updates)
	}
}

// TestDemoContext says what is known of some stories of the day: the findings, the
// severity that comes of them and the risk score.
func TestDemoContext(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, a := range byRule(demoJSON().alerts(t), sample.RejectionRule) {
		line := a.Severity.String() + ":"
		for _, f := range a.Context.Findings {
			line += " " + string(f.Kind)
		}
		if a.Context.RiskScore != nil {
			line += fmt.Sprintf(", risk %d", *a.Context.RiskScore)
		}
		user, _, _ := strings.Cut(identifier(a, "Account", "FullName"), "@")
		got[user] = append(got[user], line)
		if len(a.Context.Timeline) == 0 {
			t.Errorf("%s has no timeline", a.Title)
		}
	}
	for user, want := range map[string][]string{
		"yael.cohen":         {"High: bombing new-country unusual, risk 14"},
		"minjun.kim":         {"Medium: new-country", "High: success-non-interactive new-country"},
		"noam.levi":          {"Medium: new-country"},
		"georgi.dimitrov":    {"High: privileged-role high-blast-radius risk-detection new-country unusual, risk 8"},
		"zoe.brueckner":      {"Medium: shared-address new-country"},
		"ahmad.alzoubi":      {"Medium: risky-user password-reset new-country unusual, risk 5"},
		"elena.petrova":      {"Medium: disabled-account new-country"},
		"eleni.nikolaou":     {"Medium: new-country", "Medium: new-country repeated"},
		"dimitris.papadakis": {"Medium: new-country", "High: success-same-ip new-country"},
		"olivier.lefevre":    {"High: success-same-network new-country"},
		"yoko.tanaka":        {"High: success-same-sign-in success-same-ip mfa-method-changed inbox-rule app-consent bombing new-country unusual, risk 33"},
		"marie.tremblay":     {"Low: known-device, risk 0"},
	} {
		if diff := cmp.Diff(want, got[user]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", user, diff)
		}
	}
}
