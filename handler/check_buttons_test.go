package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/notify/portal"
	"pushback/detect/notify/teams"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

func TestButtonsOf(t *testing.T) {
	t.Parallel()
	guided, bare := &rule.Rule{Name: "Guided", Guidance: "https://contoso.example/runbook"}, &rule.Rule{Name: "Bare\x1b"}
	const workspace = "/subscriptions/x/workspaces/logs"
	const incident = "Incident: set PUSHBACK_ALERTS_ENDPOINT and PUSHBACK_ALERTS_RULE, which the deployment's template does"
	for _, test := range []struct {
		name             string
		s                settings.Settings
		rules            []*rule.Rule
		present, missing []string
	}{
		{"all of them", settings.Settings{Cloud: "public", Portal: portal.Defender, AlertsEndpoint: "https://x", AlertsRule: "dcr-1"}, []*rule.Rule{guided},
			[]string{"Incident", "Sign-ins in Defender", "User in Defender", "Runbook"}, nil},
		{"incidents by the API", settings.Settings{Cloud: "public", Portal: portal.Azure, SentinelWorkspace: workspace}, []*rule.Rule{guided},
			[]string{"Incident", "Sign-ins in Logs", "User in Entra", "Runbook"}, nil},
		{"the Azure portal without a workspace", settings.Settings{Cloud: "public", Portal: portal.Azure}, []*rule.Rule{guided, bare}, []string{"User in Entra", "Runbook"},
			[]string{incident, "Sign-ins in Logs: set PUSHBACK_WORKSPACE_RESOURCE_ID to the resource id of the workspace", `Runbook of “Bare\x1b”: name its address in the rule, under pushback: guidance`}},
		{"a cloud without Defender", settings.Settings{Cloud: "china", Portal: portal.Defender, WorkspaceResourceID: workspace}, []*rule.Rule{bare}, []string{"Sign-ins in Logs", "User in Entra"},
			[]string{"Incident: Microsoft Sentinel, which has them, ended in this cloud in August 2026", `Runbook of “Bare\x1b”: name its address in the rule, under pushback: guidance`}},
		{"a cloud that is none", settings.Settings{Portal: portal.Azure, WorkspaceResourceID: workspace}, []*rule.Rule{bare}, nil,
			[]string{incident, "Sign-ins in Logs, User in Entra: which portals there are depends on PUSHBACK_CLOUD, and that is not right", `Runbook of “Bare\x1b”: name its address in the rule, under pushback: guidance`}},
	} {
		present, missing := buttonsOf(test.s, test.rules)
		if diff := cmp.Diff(test.present, present) + cmp.Diff(test.missing, missing); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	// Without Teams there is no card.
	c := &checker{print: func(l checkLine) error { t.Errorf("it says %v", l); return nil }}
	c.buttons([]*rule.Rule{guided})
}

// The check says it in one line.
func TestCheckNamesButtons(t *testing.T) {
	t.Parallel()
	webhook, err := teams.ParseWebhookURL("https://prod-1.example/workflows/0123/invoke?sig=S3cr3t")
	if err != nil {
		t.Fatal(err)
	}
	var lines []checkLine
	c := &checker{settings: settings.Settings{Cloud: "public", Portal: portal.Azure, TeamsWebhookURL: webhook}, print: func(l checkLine) error { lines = append(lines, l); return nil }}
	c.buttons([]*rule.Rule{rule.Default()})
	if len(lines) != 1 || lines[0].Check != "buttons" || lines[0].Status != checkOK || !strings.HasPrefix(lines[0].Text, "cards have the buttons User in Entra, Runbook. Without a button: Incident: set PUSHBACK_ALERTS_ENDPOINT") {
		t.Errorf("it says %v", lines)
	}
}
