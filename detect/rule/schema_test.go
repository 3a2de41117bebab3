package rule

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaOf compiles a schema.
func schemaOf(t *testing.T, write func() ([]byte, error)) *jsonschema.Schema {
	t.Helper()
	text, err := write()
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid validates YAML as an editor does.
func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	root, src, problem := readRoot("x.yaml", []byte(text), "")
	if problem != nil {
		t.Fatal(problem)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(newCaseReader("x.yaml", src).json(root)))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(value)
}

const schemaRule = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Events
description: Test.
severity: Low
queryFrequency: 1h
queryPeriod: P1D
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess, Credential Access]
relevantTechniques: [T1078.004]
tags: [{a: b}, c]
query: SigninLogs | take 1
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
customDetails: {N: Count}
alertDetailsOverride:
  alertDisplayNameFormat: "{{Count}}"
  alertDynamicProperties: [{alertProperty: AlertLink, value: Link}]
eventGroupingSettings: {aggregationKind: alertperresult}
suppressionEnabled: false
incidentConfiguration:
  createIncident: true
  groupingConfiguration: {enabled: true, lookbackDuration: 5h, matchingMethod: Selected, groupByEntities: [Account]}
kind: Scheduled
version: 1.0
pushback:
  identity: [UserPrincipalName]
  guidance: https://contoso.example/x
  story: a-story
  followUp: false
  context:
    - name: VIP
      query: SigninLogs | summarize Seen = count() by User = UserPrincipalName | extend Often = Seen > 40
      queryPeriod: 30d
      key: {entity: account, column: User}
      facts: {Sign-ins: Seen}
      findings:
        - {kind: seen-often, when: Often, text: "seen {{Seen}} times", severity: High}
        - {kind: seen-much, when: Often, text: much, severity: +1}
    - {name: Lists, query: T, queryPeriod: window, key: {entity: Account, column: A}, facts: {A: B}}
  tests:
    - name: a
      logs: {SigninLogs: [{TimeGenerated: 2026-03-17T09:10:00Z, N: 1, L: [1, {a: b}]}], AuditLogs: audit.csv}
      from: 2026-03-17
      to: 2026-03-18T00:00
      expect:
        - {title: x, severity: HIGH, entities: [{Account: x}, {type: IP, Address: 203.0.113.7}], details: {N: [1, 2], M: null}, row: {N: 1.5, L: [1]}, rows: 2, findings: [bombing, a text]}
    - {name: b, logs: a.ndjson, at: 2026-03-17T10:00:00Z, expect: nothing}
    - {name: c, logs: [a.ndjson], expect: 2}
    - {name: d, logs: [{Type: X, a: 1}], expect: {title: {contains: x}, findings: [{kind: bombing, text: x}, {kind: seen-often}]}}
`

// The schema takes what the parser takes, and refuses what it refuses, since the
// parser draws it.
func TestSchemaIsTheParsers(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t, Schema)
	for _, name := range ShippedNames() {
		text, err := shippedFiles.ReadFile(name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, schema, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r, problems := Parse("x.yaml", []byte(schemaRule)); r == nil || len(r.caseProblems) > 0 || len(problems) > 0 {
		t.Fatal(problems, r)
	}
	if err := valid(t, schema, schemaRule); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		pairs []string // what to replace, and by what
		bad   bool
	}{
		{"in any case", []string{"severity: Low", "severity: hIGH", "kind: Scheduled", "kind: SCHEDULED"}, false},
		{"an operator by its long name", []string{"triggerOperator: gt", "triggerOperator: GreaterThan"}, false},
		{"a threshold as text", []string{"triggerThreshold: 0", `triggerThreshold: "0"`}, false},
		{"a key without value", []string{"description: Test.", "description:"}, false},
		{"an unknown key", []string{"description: Test.", "descr: x"}, false},
		{"displayName", []string{"name: Events", "displayName: Events"}, false},
		{"NRT without a schedule", []string{"kind: Scheduled", "kind: nrt", "queryFrequency: 1h\n", "", "queryPeriod: P1D\n", "", "triggerOperator: gt\n", "", "triggerThreshold: 0\n", ""}, false},
		{"a duration of .NET", []string{"queryPeriod: P1D", "queryPeriod: 1.00:00:00"}, false},

		{"no id", []string{"id: 2b701288-b428-4fb8-805e-e4372c574788\n", ""}, true},
		{"an id that is no GUID", []string{"2b701288-b428", "2b701288"}, false},
		{"no name", []string{"name: Events\n", ""}, true},
		{"an empty name", []string{"name: Events", `name: " "`}, true},
		{"a name that is a list", []string{"name: Events", "name: [Events]"}, true},
		{"severity", []string{"severity: Low", "severity: Lo"}, true},
		{"no severity", []string{"severity: Low\n", ""}, true},
		{"no query", []string{"query: SigninLogs | take 1\n", ""}, true},
		{"a query that is a list", []string{"query: SigninLogs | take 1", "query: [a]"}, true},
		{"no frequency", []string{"queryFrequency: 1h\n", ""}, true},
		{"no operator", []string{"triggerOperator: gt\n", ""}, true},
		{"frequency", []string{"queryFrequency: 1h", "queryFrequency: hourly"}, true},
		{"operator", []string{"triggerOperator: gt", "triggerOperator: over"}, true},
		{"threshold", []string{"triggerThreshold: 0", "triggerThreshold: -1"}, true},
		{"threshold that is no number", []string{"triggerThreshold: 0", "triggerThreshold: some"}, true},
		{"tactic", []string{"[InitialAccess,", "[InitialAcess,"}, true},
		{"tactics that are no list", []string{"tactics: [InitialAccess, Credential Access]", "tactics: {InitialAccess: true}"}, true},
		{"a tactic that is no list", []string{"tactics: [InitialAccess, Credential Access]", "tactics: InitialAccess"}, false},
		{"an empty optional text", []string{"id: 2b701288-b428-4fb8-805e-e4372c574788", "id: 2b701288-b428-4fb8-805e-e4372c574788\nstatus: ''"}, false},
		{"technique", []string{"T1078.004", "1078"}, true},
		{"entity type", []string{"entityType: Account", "entityType: Acount"}, true},
		{"identifier of another type", []string{"identifier: FullName", "identifier: Address"}, true},
		{"no identifier", []string{"identifier: FullName\n        columnName", "columnName"}, true},
		{"no entity type", []string{"- entityType: Account\n    fieldMappings", "- fieldMappings"}, true},
		{"a mapping that is text", []string{"customDetails: {N: Count}", "customDetails: Count"}, true},
		{"a property", []string{"AlertLink", "Link"}, true},
		{"aggregation", []string{"alertperresult", "each"}, true},
		{"a truth", []string{"createIncident: true", "createIncident: maybe"}, true},
		{"matching method", []string{"matchingMethod: Selected", "matchingMethod: Some"}, true},
		{"a suppression without end", []string{"suppressionEnabled: false", "suppressionEnabled: true"}, true},
		{"kind", []string{"kind: Scheduled", "kind: Hourly"}, true},
		{"guidance", []string{"https://contoso.example/x", "http://contoso.example/x"}, true},
		{"story", []string{"story: a-story", "story: A story"}, true},
		{"followUp", []string{"followUp: false", "followUp: 3"}, true},
		{"identity", []string{"identity: [UserPrincipalName]", "identity: UserPrincipalName"}, true},

		{"a case without a name", []string{"{name: b, logs", "{logs"}, true},
		{"a case without expectation", []string{", expect: nothing", ""}, true},
		{"a key of a case", []string{"at: 2026-03-17T10", "att: 2026-03-17T10"}, true},
		{"a time", []string{"at: 2026-03-17T10:00:00Z", "at: noon"}, true},
		{"an expectation", []string{"expect: nothing", "expect: some"}, true},
		{"a key of an expected alert", []string{"title: x, severity", "titel: x, severity"}, true},
		{"a severity of a case", []string{"severity: HIGH", "severity: HIHG"}, true},
		{"logs that are a number of records", []string{"logs: a.ndjson, at", "logs: {SigninLogs: [1]}, at"}, true},
		{"a kind of finding", []string{"kind: bombing", "kind: bombing!"}, true},

		{"a context without a name", []string{"- name: VIP\n      query", "- query"}, true},
		{"a context without a query", []string{"      query: SigninLogs | summarize Seen = count() by User = UserPrincipalName | extend Often = Seen > 40\n", ""}, true},
		{"a context with two queries", []string{"queryPeriod: 30d", "queryFile: x.kql"}, true},
		{"a context without a key", []string{", key: {entity: Account, column: A}", ""}, true},
		{"a key without a column", []string{"{entity: Account, column: A}", "{entity: Account}"}, true},
		{"an entity that no context is about", []string{"{entity: Account, column: A}", "{entity: Mailbox, column: A}"}, true},
		{"facts that are a list", []string{"facts: {A: B}", "facts: [B]"}, true},
		{"a finding without a kind", []string{"{kind: seen-much, when", "{when"}, true},
		{"a finding without a text", []string{", text: much", ""}, true},
		{"a kind in capitals", []string{"kind: seen-much", "kind: Seen-much"}, true},
		{"a severity of a finding", []string{"severity: High}", "severity: Highest}"}, true},
		{"too many steps", []string{"severity: +1", "severity: +4"}, true},
		{"a step down", []string{"severity: +1", "severity: -1"}, false},
		{"a step as a text", []string{"severity: +1", `severity: "+1"`}, false},
		{"a period of a context", []string{"queryPeriod: 30d", "queryPeriod: long"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := schemaRule
			for i := 0; i < len(tc.pairs); i += 2 {
				if !strings.Contains(text, tc.pairs[i]) {
					t.Fatalf("%q is not in the rule", tc.pairs[i])
				}
				text = strings.Replace(text, tc.pairs[i], tc.pairs[i+1], 1)
			}
			r, problems := Parse("x.yaml", []byte(text))
			if refused := r == nil || len(r.caseProblems) > 0; refused != tc.bad {
				t.Errorf("the parser refuses it: %v (%v)", refused, problems)
			}
			if err := valid(t, schema, text); (err != nil) != tc.bad {
				t.Errorf("the schema says: %v", err)
			}
		})
	}
}

// The schema of cases takes the shipped ones, as a list and under tests.
func TestCaseSchema(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t, CaseSchema)
	for _, name := range ShippedNames() {
		text, err := os.ReadFile(name + ".test.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, schema, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, good := range map[string]bool{
		"tests: [{name: a, logs: x, expect: 1}]": true,
		"[{name: a, logs: x, expect: 1}]":        true,
		"tests: [{name: a, logs: x}]":            false,
		"test: []":                               false,
		"[a]":                                    false,
		"tests: [{name: a, logs: x, expect: [{entities: {Account: [a, {Name: b}]}}]}]": true,
	} {
		_, problems := ParseCases("x.test.yaml", []byte(text))
		if err := valid(t, schema, text); (err == nil) != good || (len(problems) == 0) != good {
			t.Errorf("%s: %v, %v", text, err, problems)
		}
	}
}

// Every key of the schema's that a rule can set says what it is for, and what says
// so is a key.
func TestSchemaDescribes(t *testing.T) {
	t.Parallel()
	d := newDrawing()
	p := &parser{reader: reader{draw: d, at: map[string]position{}}, rule: &Rule{}}
	p.read(d.node())
	c := newCaseReader("", nil)
	c.draw = d
	c.file(d.node())
	used := map[string]bool{}
	for _, s := range d.shapes {
		used[s.description] = true
	}
	for key, text := range descriptions {
		if !used[text] {
			t.Errorf("%s is described, and is no key", key)
		}
	}
	for _, key := range append([]requirement{{key: "pushback"}, {key: "entityMappings"}}, append(alwaysRequired, requiredOfScheduled...)...) {
		if descriptions[key.key] == "" {
			t.Errorf("%s is not described", key.key)
		}
	}
}
