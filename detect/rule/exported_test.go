package rule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// properties are those of a rule as the API has them.
const properties = `{
	"displayName": "Refused \ud83d\ude00 prompts", "description": "What it finds.", "severity": "Medium", "enabled": true,
	"query": "SigninLogs\n| where ResultType == 500121",
	"queryFrequency": "PT1H", "queryPeriod": "P1D", "triggerOperator": "GreaterThan", "triggerThreshold": 2,
	"suppressionDuration": "PT5H", "suppressionEnabled": false, "startTimeUtc": null, "tactics": ["InitialAccess"], "techniques": ["T1078"],
	"subTechniques": ["T1078.004"], "alertRuleTemplateName": null, "templateVersion": "1.0.2",
	"incidentConfiguration": {"createIncident": true, "groupingConfiguration": {"enabled": true, "reopenClosedIncident": false, "lookbackDuration": "PT6H",
		"matchingMethod": "Selected", "groupByEntities": ["Account"], "groupByAlertDetails": [], "groupByCustomDetails": null}},
	"eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
	"alertDetailsOverride": {"alertDisplayNameFormat": "By {{UserPrincipalName}}", "alertDescriptionFormat": null, "alertTacticsColumnName": null,
		"alertSeverityColumnName": "", "alertDynamicProperties": []},
	"customDetails": {"App": "AppDisplayName"},
	"entityMappings": [{"entityType": "Account", "fieldMappings": [{"identifier": "FullName", "columnName": "UserPrincipalName"}]}],
	"sentinelEntitiesMappings": null
}`

const exportedID = "74a23c80-4ac7-4b86-a399-9a1fafc90b23"

// resource is a rule in a template as the portal exports it.
const resource = `{
	"id": "[concat(resourceId('Microsoft.OperationalInsights/workspaces/providers', parameters('workspace'), 'Microsoft.SecurityInsights'),'/alertRules/` + exportedID + `')]",
	"name": "[concat(parameters('workspace'),'/Microsoft.SecurityInsights/` + exportedID + `')]",
	"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules", "kind": "Scheduled", "apiVersion": "2023-12-01-preview",
	"properties": ` + properties + `}`

func templateOf(resources string) string {
	return `{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", "contentVersion": "1.0.0.0",
		"parameters": {"workspace": {"type": "String"}}, "resources": [` + resources + `]}`
}

// exported is what all of that comes to.
func exported() *Rule {
	return &Rule{
		File: "r.json", ID: exportedID, Name: "Refused 😀 prompts", Description: "What it finds.", Version: "1.0.2", Severity: alert.Medium,
		QueryFrequency: time.Hour, QueryPeriod: day, Trigger: Trigger{GreaterThan, 2}, SuppressionDuration: 5 * time.Hour,
		Tactics: []string{"InitialAccess"}, Techniques: []string{"T1078", "T1078.004"},
		Query:          Query{Text: "SigninLogs\n| where ResultType == 500121"},
		EntityMappings: []EntityMapping{{"Account", []FieldMapping{{"FullName", "UserPrincipalName"}}}},
		CustomDetails:  []CustomDetail{{"App", "AppDisplayName"}},
		AlertDetails:   AlertDetails{DisplayNameFormat: Format{Text: "By {{UserPrincipalName}}"}},
		Grouping:       AlertPerResult,
		Incident: IncidentConfiguration{CreateIncident: true, Grouping: IncidentGrouping{
			Enabled: true, LookbackDuration: 6 * time.Hour, MatchingMethod: Selected, GroupByEntities: []string{"Account"},
		}},
	}
}

func TestParseAllForms(t *testing.T) {
	t.Parallel()
	flat := strings.Replace(properties, "{", `{"id": "/subscriptions/s/providers/Microsoft.SecurityInsights/alertRules/`+exportedID+`", "name": "`+exportedID+`", "etag": "x",
		"type": "Microsoft.SecurityInsights/alertRules", "resourceGroup": "g", "systemData": null, "kind": "Scheduled",`, 1)
	api := `{"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/Microsoft.SecurityInsights/alertRules/` + exportedID + `",
		"name": "` + exportedID + `", "etag": "x", "type": "Microsoft.SecurityInsights/alertRules", "kind": "Scheduled", "properties": ` + properties + `}`
	hunting := `{"type": "Microsoft.OperationalInsights/workspaces/savedSearches", "name": "h", "properties": {"category": "Hunting Queries", "displayName": "H", "query": "T"}}`
	watchlist := `{"type": "Microsoft.OperationalInsights/workspaces/providers/Watchlists", "name": "w", "properties": {"watchlistAlias": "a", "rawContent": "x\n1"}}`
	fusion := `{"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules", "name": "f", "kind": "Fusion", "properties": {"enabled": true}}`
	const empty = "r.json:X: warning: alertSeverityColumnName is empty and ignored: give it a value or remove it"

	tests := map[string]struct {
		text   string
		change func(*Rule)
		want   []string // problems other than the empty column's
	}{
		"template of the portal": {templateOf(resource), nil, nil},
		"comments":               {strings.Replace(templateOf("/* one\n and a half ü */"+resource), "\"contentVersion\"", "// \"x\": ü\n\"contentVersion\"", 1), nil, nil},
		"template beside others": {
			templateOf(hunting + "," + resource + "," + watchlist + "," + hunting + "," + fusion + `, {"type": "Microsoft.Resources/x", "name": "x"}`), nil,
			[]string{"r.json: warning: beside rules it holds 2 hunting queries, a watchlist and a Fusion rule: skipped"},
		},
		"symbolic names": {`{"languageVersion": "2.0", "resources": {"rule": ` + resource + `}}`, nil, nil},
		"deployment": {
			templateOf(`{"type": "Microsoft.Resources/deployments", "name": "d", "properties": {"mode": "Incremental", "template": ` + templateOf(resource) + `}}`), nil, nil,
		},
		"solution": {
			`{"variables": {"object1": {"id": "` + exportedID + `", "version": "1.0.2"}, "analytic1": "[concat('', variables('object1').id)]"}, "resources": [
				{"type": "Microsoft.OperationalInsights/workspaces/providers/contentTemplates", "name": "c", "properties": {"mainTemplate": {"resources": [
					{"type": "Microsoft.SecurityInsights/AlertRuleTemplates", "name": "[variables('analytic1')]", "kind": "Scheduled", "properties": ` + properties + `},
					{"type": "Microsoft.OperationalInsights/workspaces/providers/metadata", "properties": {"kind": "AnalyticsRule"}}]}}}]}`, nil, nil,
		},
		"parameters with defaults": {
			strings.NewReplacer(`"severity": "Medium"`, `"severity": "[parameters('Severity')]"`, `"query": "SigninLogs\n| where ResultType == 500121"`,
				`"query": "[format('{0}{1}', variables('table'), '| where ResultType == 500121')]"`, `"displayName": "Refused`, `"displayName": "[parameters('name')]", "x": "`,
				`"parameters": {`, `"variables": {"table": "SigninLogs\n"}, "parameters": {"severity": {"defaultValue": "Medium"}, `).Replace(templateOf(resource)),
			func(r *Rule) { r.Name = "[parameters('name')]" },
			[]string{`r.json:X: warning: unknown key "x" is ignored`},
		},
		"enabled is not known": {
			strings.Replace(templateOf(resource), `"enabled": true`, `"enabled": "[parameters('on')]"`, 1), nil,
			[]string{`r.json:X: warning: enabled holds the expression "[parameters('on')]", which only a deployment can work out, and is ignored`},
		},
		"a bracket":       {strings.Replace(templateOf(resource), `"What it finds."`, `"[[What it finds.]"`, 1), func(r *Rule) { r.Description = "[What it finds.]" }, nil},
		"list of the API": {`{"value": [` + api + `]}`, nil, nil},
		"one of the API":  {api, nil, nil},
		"array":           {`[` + api + `]`, nil, nil},
		"flat":            {`[` + flat + `]`, nil, nil},
		"by a parameter":  {`{"parameters": {"rules": {"value": [` + flat + `]}}}`, nil, nil},
		"YAML list":       {"- " + strings.NewReplacer("\t", " ", `\ud83d\ude00`, "😀").Replace(flat), nil, nil},
		"without an id": {
			`{"Scheduled": [` + strings.Replace(properties, "PT1H", "1H", 1) + `], "Hunting": [{"displayName": "H", "query": "T"}]}`,
			func(r *Rule) { r.ID, r.Version = madeID(r.Name), "" },
			[]string{
				"r.json: warning: beside rules it holds a hunting query: skipped",
				`r.json:X: warning: id "Refused 😀 prompts" is not a GUID: the rule is known by ` + madeID("Refused 😀 prompts") + `, which is made of it`,
				`r.json:X: warning: queryFrequency is "1H": it is read as 1h, and should be written so`,
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "r.json"
			if name == "YAML list" {
				file = "r.yaml"
			}
			rules, problems := ParseAll(file, []byte(test.text))
			var got []string
			for _, p := range problems {
				text := fmt.Sprintf("%s:X: warning: %s", p.File, p.Message)
				if p.Line == 0 || !p.Warning {
					text = p.String()
				}
				if strings.Replace(text, "r.yaml:X", "r.json:X", 1) != empty {
					got = append(got, text)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			want := exported()
			if test.change != nil {
				test.change(want)
			}
			if len(rules) != 1 {
				t.Fatalf("%d rules", len(rules))
			}
			if name == "flat" || name == "by a parameter" || name == "YAML list" {
				want.Version = "" // templateVersion is not the rule's there
			}
			want.File = file
			if diff := cmp.Diff(want, rules[0], compareRules); diff != "" {
				t.Errorf("rule (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseAllPlaces(t *testing.T) {
	t.Parallel()
	text := "{\t\"value\": [\n\t{\"kind\": \"Scheduled\", \"name\": \"" + exportedID + "\", \"properties\": {\n\t\t\"displayName\": \"\u00fc\", \"severity\": \"Hih\",\n" +
		"\t\t\"query\": \"T \\u00fc \\ud83d\\ude00 \\/\\n| where x\", \"queryFrequency\": \"PT1H\",\n\t\"queryPeriod\": \"PT1H\", \"triggerOperator\": \"gt\", \"triggerThreshold\": 0}}]}"
	_, problems := ParseAll("r.json", []byte(text))
	want := []string{`r.json:3:35: severity: unknown severity "Hih": use High, Medium, Low or Informational`}
	if diff := cmp.Diff(want, texts(problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	rules, _ := ParseAll("r.json", []byte(strings.Replace(text, "Hih", "High", 1)))
	if len(rules) != 1 {
		t.Fatal("no rule")
	}
	for _, at := range []struct{ line, col, fileLine, fileCol int }{
		{1, 1, 4, 13}, {1, 3, 4, 15}, {1, 5, 4, 22}, {1, 7, 4, 35}, {2, 3, 4, 41},
	} {
		if line, col := rules[0].Query.Locate(at.line, at.col); line != at.fileLine || col != at.fileCol {
			t.Errorf("%d:%d of the query is at %d:%d, want %d:%d", at.line, at.col, line, col, at.fileLine, at.fileCol)
		}
	}
}

func texts(problems []Problem) []string {
	var texts []string
	for _, p := range problems {
		texts = append(texts, p.String())
	}
	return texts
}

func TestParseAllProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		file, text string
		want       []string
	}{
		"no JSON":      {"r.json", "{\n\t\"a\": 1,,\n}", []string{`r.json:2:9: not valid JSON: invalid character ',' looking for beginning of object key string`}},
		"cut":          {"r.json", "{\"a\": [1", []string{`r.json:1:9: not valid JSON: it ends too early`}},
		"two values":   {"r.json", "{} {}", []string{`r.json:1:5: not valid JSON: something follows the end of its first value`}},
		"nested":       {"r.json", strings.Repeat("[", 300), []string{`r.json:1:202: not valid JSON: it is nested more than 200 levels deep`}},
		"nothing":      {"r.json", `{"a": {"b": [1, "c", {}]}}`, []string{"r.json: warning: it holds no rule: skipped"}},
		"expression":   {"r.json", strings.Replace(templateOf(resource), `"PT1H"`, `"[parameters('f')]"`, 1), []string{`r.json:9:20: queryFrequency holds the expression "[parameters('f')]", which only a deployment can work out: write the value, or give the parameter a defaultValue`}},
		"endless":      {"r.json", `{"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}, "resources": [{"type": "x/alertRules", "name": "a", "properties": {"query": "[variables('a')]"}}]}`, []string{`r.json:1:143: query holds the expression "[variables('a')]", which only a deployment can work out: write the value, or give the parameter a defaultValue`}},
		"hunting YAML": {"h.yaml", "id: x\nname: H\ntactics: [Impact]\nquery: T\n", []string{"h.yaml: warning: it holds a hunting query and no rule: skipped"}},
		"parser YAML":  {"p.yaml", "ParserName: P\nParserQuery: T\n", []string{"p.yaml: warning: it holds a saved function and no rule: skipped"}},
		"other YAML":   {"ci.yaml", "name: CI\non: push\njobs: {}\n", []string{"ci.yaml: warning: it holds no rule: skipped"}},
		"Sigma":        {"s.yml", "title: S\nid: x\nlogsource: {product: azure}\ndetection: {condition: a}\nlevel: high\n", []string{"s.yml: warning: it holds a Sigma rule and no scheduled rule: skipped"}},
		"Panther":      {"p.yml", "AnalysisType: rule\nRuleID: x\nSeverity: High\n", []string{"p.yml: warning: it holds a Panther rule and no scheduled rule: skipped"}},
		"Splunk":       {"p.yml", "name: S\nid: x\nsearch: index=x\nhow_to_implement: h\n", []string{"p.yml: warning: it holds a Splunk detection and no rule: skipped"}},
		"no query":     {"n.yml", "id: x\nname: N\ndescription: D\n", []string{"n.yml: warning: it holds no rule: skipped"}},
		"watchlist":    {"w.json", `{"watchlistAlias": "a", "rawContent": "x"}`, []string{"w.json: warning: it holds a watchlist and no rule: skipped"}},
		"Fusion":       {"f.json", templateOf(`{"type": "Microsoft.OperationalInsights/workspaces/providers/alertRules", "kind": "Fusion", "name": "f", "properties": {}}`), []string{"f.json: warning: it holds a Fusion rule and no scheduled rule: skipped"}},
		"automation":   {"a.json", templateOf(`{"type": "Microsoft.SecurityInsights/automationRules", "name": "a", "properties": {}}`), []string{"a.json: warning: it holds an automation rule and no scheduled rule: skipped"}},
		"workbook":     {"w.json", `{"version": "Notebook/1.0", "items": [{"content": {"query": "T", "name": "q"}}]}`, []string{"w.json: warning: it holds a workbook and no rule: skipped"}},
		"connector":    {"c.json", `{"id": "x", "title": "X", "graphQueries": [{"name": "q", "query": "T"}]}`, []string{"c.json: warning: it holds a data connector and no rule: skipped"}},
		"logs":         {"l.json", `[{"query": "T"}, {"query": "U"}]`, []string{"l.json: warning: it holds no rule: skipped"}},
		"resource":     {"w.json", templateOf(`{"type": "Microsoft.Logic/workflows", "name": "p", "properties": {}}`), []string{"w.json: warning: it holds a playbook and no rule: skipped"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, problems := ParseAll(test.file, []byte(test.text))
			if len(rules) > 0 {
				t.Errorf("%d rules", len(rules))
			}
			if diff := cmp.Diff(test.want, texts(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// A template whose variables double what they hold comes to an end.
func TestTemplateIsBounded(t *testing.T) {
	t.Parallel()
	var variables []string
	for i := range 40 {
		of := fmt.Sprintf(`"[variables('v%d')]"`, i-1)
		if i == 0 {
			of = `"x"`
		}
		variables = append(variables, fmt.Sprintf(`"v%d": {"a": %s, "b": %[2]s}, "t%d": "[concat(variables('t%d'), variables('t%[4]d'))]"`, i, of, i, i-1))
	}
	text := `{"variables": {"t-1": "xxxxxxxx", ` + strings.Join(variables, ",") + `}, "resources": [
		{"type": "x/alertRules", "name": "a", "properties": {"query": "[variables('t39')]", "customDetails": "[variables('v39')]"}}]}`
	begin := time.Now()
	rules, problems := ParseAll("r.json", []byte(text))
	if len(rules) > 0 || len(problems) == 0 {
		t.Errorf("%d rules, %v", len(rules), problems)
	}
	t.Logf("%s", time.Since(begin))
}
