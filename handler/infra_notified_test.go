package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The alert rules of each app notify whom the parameters name, and the deployment says
// so, or that they notify nobody.
func TestInfraNotified(t *testing.T) {
	t.Parallel()
	const (
		duty   = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/soc/providers/Microsoft.Insights/actionGroups/duty"
		emails = "param operatorEmails = ['soc@example.com', 'lead@example.com']"
		groups = "param actionGroupIds = ['" + duty + "']"
	)
	for _, tc := range []struct {
		name       string
		parameters []string
		receivers  []string
		groups     []string // OWN is the one of the deployment
		says       string
	}{
		{"nobody", nil, nil, nil, "NOBODY is notified when the app fails or stops: deploy again with operatorEmails or actionGroupIds."},
		{"emails", []string{emails}, []string{"soc@example.com", "lead@example.com"}, []string{"OWN"}, "Notified when the app fails or stops: soc@example.com, lead@example.com."},
		{"groups", []string{groups}, nil, []string{duty}, "Notified when the app fails or stops: " + duty + "."},
		{"both", []string{emails, groups, "param apps = 2"}, []string{"soc@example.com", "lead@example.com"}, []string{duty, "OWN"},
			"Notified when the app fails or stops: soc@example.com, lead@example.com, " + duty + "."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := deployed(t, tc.parameters...)
			var receivers []string
			own := "none"
			for _, g := range d.of("Microsoft.Insights/actionGroups") {
				own = g.text("id")
				properties := g["properties"].(map[string]any)
				if short := g.text("properties", "groupShortName"); short == "" || len(short) > 12 || properties["enabled"] != true {
					t.Errorf("the action group is %v", properties)
				}
				for _, r := range properties["emailReceivers"].([]any) {
					receiver := r.(map[string]any)
					receivers = append(receivers, fmt.Sprint(receiver["emailAddress"]))
				}
			}
			if !slices.Equal(receivers, tc.receivers) {
				t.Errorf("%v are sent e-mail, want %v", receivers, tc.receivers)
			}
			rules := d.of("Microsoft.Insights/scheduledQueryRules")
			if want := 3 * len(d.of("Microsoft.Web/sites")); len(rules) != want {
				t.Errorf("%d alert rules, want %d", len(rules), want)
			}
			for _, rule := range rules {
				var got []string
				for _, id := range rule["properties"].(map[string]any)["actions"].(map[string]any)["actionGroups"].([]any) {
					got = append(got, strings.ReplaceAll(fmt.Sprint(id), own, "OWN"))
				}
				if !slices.Equal(got, tc.groups) {
					t.Errorf("%s notifies %v, want %v", rule.text("name"), got, tc.groups)
				}
			}
			if got := d.Outputs["notified"]; got != tc.says {
				t.Errorf("the deployment says %q, want %q", got, tc.says)
			}
		})
	}
}
