package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

// What is written is read as the same rule.
func TestYAMLIsTheSameRule(t *testing.T) {
	t.Parallel()
	queries := map[string]string{
		"spaces at the ends":   "  T \n| where a == 1  \n\n  | take 1",
		"a last line break":    "T\n| take 1\n",
		"several of them":      "T\n\n\n",
		"first an empty line":  "\n  T",
		"tabs":                 "\tT\n\t| take 1",
		"Windows":              "T\r\n| take 1\r\n",
		"a control":            "T | where a == '\x01'",
		"a line separator":     "T | where a == '\u2028'",
		"marks":                "# not a comment\n| x: y - \"'{}[]&*!%@`",
		"an end of a document": "T\n---\n...\n",
	}
	rules := map[string]*Rule{"exported": exported()}
	for _, r := range Shipped() {
		rules[r.Name] = r
	}
	for file, text := range map[string]string{"full": fullRule, "first": firstDetection, "second": secondDetection} {
		read, problems := ParseAll(file, []byte(text))
		if len(read) != 1 {
			t.Fatal(problems)
		}
		rules[file] = read[0]
	}
	for name, query := range queries {
		r := exported()
		r.Query.Text = query
		rules[name] = r
	}
	odd := exported()
	odd.Name, odd.Description, odd.Status, odd.Version, odd.SuppressionDuration, odd.Kind = "yes", "'quoted'", "null", "1.10", 61e9, NRT
	odd.Incident.CreateIncident, odd.NoFollowUp, odd.Disabled = false, true, true
	rules["odd values"] = odd
	for name, query := range queries {
		r := exported()
		r.Context = []Context{
			{Name: "VIP", Query: Query{Text: query}, Period: 30 * day, Key: ContextKey{"IP", "A"}, Facts: []ContextFact{{"yes", "B"}, {"Last seen", "C"}}},
			{Name: "1.10", Query: Query{Text: "query: " + markOf(2) + "\n" + markOf(1)}, SinceWindow: true, Key: ContextKey{"Host", "null"}, Findings: []ContextFinding{
				{Kind: "seen-often", When: "Often", Text: formatOf("seen: {{A}} # \"times\""), Severity: SeverityChange{By: 1}},
				{Kind: "a", When: "true", Text: formatOf("{{A}}"), Severity: SeverityChange{By: -3}},
				{Kind: "b", When: "B", Text: formatOf("x"), Severity: SeverityChange{To: alert.High}},
				{Kind: "c", When: "B", Text: formatOf("x")},
			}},
		}
		rules["context "+name] = r
	}

	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := r.YAML()
			if err != nil {
				t.Fatal(err)
			}
			read, problems := Parse(r.File, text)
			if read == nil {
				t.Fatalf("%v\n%s", problems, text)
			}
			want := *r
			want.Query.Text = strings.ReplaceAll(want.Query.Text, "\r\n", "\n")
			for i := range want.Context {
				want.Context[i].Query.Text = strings.ReplaceAll(want.Context[i].Query.Text, "\r\n", "\n")
			}
			if diff := cmp.Diff(&want, read, compareRules, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("read (-want +got):\n%s\n%s", diff, text)
			}
		})
	}
}

func TestYAMLIsForPeople(t *testing.T) {
	t.Parallel()
	r := exported()
	r.Query.Text = "T \n| where a == 1"
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := `id: 74a23c80-4ac7-4b86-a399-9a1fafc90b23
name: "Refused \U0001F600 prompts"
version: 1.0.2
kind: Scheduled
description: What it finds.
severity: Medium
queryFrequency: 1h
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 2
tactics:
  - InitialAccess
relevantTechniques:
  - T1078
  - T1078.004
query: |-
  T·
  | where a == 1
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
customDetails:
  App: AppDisplayName
alertDetailsOverride:
  alertDisplayNameFormat: By {{UserPrincipalName}}
eventGroupingSettings:
  aggregationKind: AlertPerResult
suppressionDuration: 5h
incidentConfiguration:
  groupingConfiguration:
    enabled: true
    lookbackDuration: 6h
    matchingMethod: Selected
    groupByEntities:
      - Account
`
	if diff := cmp.Diff(strings.ReplaceAll(want, "·", " "), string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func formatOf(text string) Format {
	f, err := ParseFormat(text)
	if err != nil {
		panic(err)
	}
	return f
}
