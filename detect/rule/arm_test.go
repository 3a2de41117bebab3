package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

const exported = `{
  "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
  "parameters": {"workspace": {"type": "String"}, "severity": {"type": "string", "defaultValue": "High"}},
  "variables": {"$fxv#0": "SigninLogs\n| take 1", "entities": [{"entityType": "IP", "fieldMappings": [{"identifier": "Address", "columnName": "[variables('column')]"}]}], "column": "IPAddress"},
  "resources": [
    {"type": "Microsoft.OperationalInsights/workspaces/tables", "name": "T", "properties": {}},
    {
      "type": "Microsoft.OperationalInsights/workspaces/providers/alertRules",
      "name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/11111111-2222-4333-8444-555555555555')]",
      "kind": "Scheduled",
      "properties": {
        "displayName": "[[One] rule", "severity": "[parameters('severity')]", "enabled": true, "query": "[variables('$fxv#0')]",
        "queryFrequency": "PT5M", "queryPeriod": "P1D", "triggerOperator": "GreaterThan", "triggerThreshold": 0,
        "entityMappings": "[variables('entities')]", "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "customDetails": {"Where": "IPAddress"},
        "incidentConfiguration": {"createIncident": false, "groupingConfiguration": {"enabled": true, "lookbackDuration": "P7D", "matchingMethod": "Selected", "groupByCustomDetails": ["Where"]}}
      }
    },
    {"type": "Microsoft.Resources/deployments", "name": "inner", "properties": {"template": {
      "variables": {"q": "AuditLogs"},
      "resources": {"two": {"type": "Microsoft.SecurityInsights/alertRules", "name": "[guid('x')]", "kind": "NRT", "properties": {"displayName": "Two", "severity": "Low", "query": "[variables('q')]"}}}
    }}}
  ]
}`

func TestParseTemplate(t *testing.T) {
	t.Parallel()
	rules, problems := ParseTemplate("rules.json", []byte(exported))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(rules) != 2 {
		t.Fatalf("%d rules", len(rules))
	}
	one, two := rules[0], rules[1]
	type summary struct {
		ID, Name, Query   string
		Severity          alert.Severity
		Frequency, Period time.Duration
		Entities          []EntityMapping
		Details           []CustomDetail
		Grouping          Grouping
		Incident          IncidentConfiguration
	}
	want := summary{
		"11111111-2222-4333-8444-555555555555", "[One] rule", "SigninLogs\n| take 1", alert.High, 5 * time.Minute, 24 * time.Hour,
		[]EntityMapping{{"IP", []FieldMapping{{"Address", "IPAddress"}}}}, []CustomDetail{{"Where", "IPAddress"}}, AlertPerResult,
		IncidentConfiguration{Grouping: IncidentGrouping{Enabled: true, LookbackDuration: 7 * day, MatchingMethod: Selected, GroupByCustomDetails: []string{"Where"}}},
	}
	got := summary{one.ID, one.Name, one.Query.Text, one.Severity, one.QueryFrequency, one.QueryPeriod, one.EntityMappings, one.CustomDetails, one.Grouping, one.Incident}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the first rule (-want +got):\n%s", diff)
	}
	if two.Kind != NRT || two.Query.Text != "AuditLogs" || !guidForm.MatchString(two.ID) || two.ID == one.ID {
		t.Errorf("the second rule: %+v", two)
	}
}

// What is wrong in a template is said with its place, and does not keep the other
// rules from being read.
func TestParseTemplateProblems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, from, to, want string
		rules                int
	}{
		{"a severity that is none", `"defaultValue": "High"`, `"defaultValue": "Huge"`, `rules.json:3:98: severity: unknown severity "Huge"`, 1},
		{"an unknown key", `"displayName": "Two"`, `"displayName": "Two", "querry": ""`, `unknown key "querry"`, 2},
		{"a parameter without a default", `, "defaultValue": "High"`, ``, `unknown severity "[parameters('severity')]"`, 1},
		{"an expression", `"severity": "Low"`, `"severity": "[if(true(), 'Low', 'High')]"`, "unknown severity", 1},
		{"a variable that is itself", `"column": "IPAddress"`, `"column": "[variables('column')]"`, "", 2},
		{"no rule", "lertRules", "lertRule", "there is no analytics rule in the template", 0},
		{"no JSON", `"resources": [`, `"resources": `, "not valid YAML", 0},
	} {
		text := strings.ReplaceAll(exported, test.from, test.to)
		rules, problems := ParseTemplate("rules.json", []byte(text))
		var said []string
		for _, p := range problems {
			said = append(said, p.String())
		}
		if len(rules) != test.rules || !strings.Contains(strings.Join(said, "\n"), test.want) {
			t.Errorf("%s: %d rules, %q; want %d and %q", test.name, len(rules), said, test.rules, test.want)
		}
	}
}
