package rule

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

// compareRules compares rules without the places of their values.
var compareRules = cmpopts.IgnoreUnexported(Rule{}, Query{}, Context{})

const fullRule = `id: 6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968
name: 'Many failed sign-ins '
description: |
  'Finds many failed sign-ins.
  Second line.'
severity: high
status: Available
requiredDataConnectors:
  - connectorId: AzureActiveDirectory
    dataTypes:
      - SigninLogs
  - connectorId: BehaviorAnalytics
    dataTypes: [BehaviorAnalytics, IdentityInfo]
queryFrequency: PT1H
queryPeriod: 14d
triggerOperator: GreaterThan
triggerThreshold: 3
tactics:
  - InitialAccess
  - credentialaccess
relevantTechniques:
  - T1078.004
  - t1110
tags:
  - AADSecOpsGuide
  - Schema: ASIMAuthentication
    SchemaVersion: 0.1.0
query: |
  SigninLogs
  | where ResultType != 0
entityMappings:
  - entityType: account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
      - identifier: aadUserId
        columnName: UserId
  - entityType: IP
    fieldMappings:
      - columnName: IPAddress
        identifier: Address
customDetails:
  Zebra: Z
  Apps: Applications
alertDetailsOverride:
  alertDisplayNameFormat: Failures of {{UserPrincipalName}} from {{IPAddress}}
  alertDescriptionFormat: "Seen {{ Count }}\ttimes"
  alertTacticsColumnName: Tactics
  alertSeverityColumnName: AlertSeverity
  alertDynamicProperties:
    - alertProperty: AlertLink
      value: Link
    - alertProperty: producTName
      value: Product
eventGroupingSettings:
  aggregationKind: AlertPerResult
suppressionEnabled: true
suppressionDuration: 5h
incidentConfiguration:
  createIncident: false
  groupingConfiguration:
    enabled: true
    reopenClosedIncident: true
    lookbackDuration: P1D
    matchingMethod: Selected
    groupByEntities: [Account, ip]
    groupByAlertDetails: [Severity]
    groupByCustomDetails:
      - Apps
version: 1.10
kind: Scheduled
metadata:
  source: {kind: Community}
  anything: [1, 2]
pushback:
  identity: [UserId, IPAddress]
  story: sign-ins
  followUp: false
`

func mustFormat(t *testing.T, text string) Format {
	t.Helper()
	f, err := ParseFormat(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParse(t *testing.T) {
	t.Parallel()
	got, problems := Parse("full.yaml", []byte(fullRule))
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	want := &Rule{
		File:        "full.yaml",
		ID:          "6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968",
		Name:        "Many failed sign-ins",
		Description: "Finds many failed sign-ins.\nSecond line.",
		Version:     "1.10",
		Status:      "Available",
		Severity:    alert.High,
		RequiredDataConnectors: []Connector{
			{"AzureActiveDirectory", []string{"SigninLogs"}},
			{"BehaviorAnalytics", []string{"BehaviorAnalytics", "IdentityInfo"}},
		},
		QueryFrequency: time.Hour,
		QueryPeriod:    14 * day,
		Trigger:        Trigger{GreaterThan, 3},
		Tactics:        []string{"InitialAccess", "CredentialAccess"},
		Techniques:     []string{"T1078.004", "T1110"},
		Tags:           []string{"AADSecOpsGuide", "Schema: ASIMAuthentication", "SchemaVersion: 0.1.0"},
		Query:          Query{Text: "SigninLogs\n| where ResultType != 0\n"},
		EntityMappings: []EntityMapping{
			{"Account", []FieldMapping{{"FullName", "UserPrincipalName"}, {"AadUserId", "UserId"}}},
			{"IP", []FieldMapping{{"Address", "IPAddress"}}},
		},
		CustomDetails: []CustomDetail{{"Zebra", "Z"}, {"Apps", "Applications"}},
		AlertDetails: AlertDetails{
			DisplayNameFormat: mustFormat(t, "Failures of {{UserPrincipalName}} from {{IPAddress}}"),
			DescriptionFormat: mustFormat(t, "Seen {{ Count }}\ttimes"),
			TacticsColumn:     "Tactics",
			SeverityColumn:    "AlertSeverity",
			DynamicProperties: []DynamicProperty{{"AlertLink", "Link"}, {"ProductName", "Product"}},
		},
		Grouping:            AlertPerResult,
		SuppressionEnabled:  true,
		SuppressionDuration: 5 * time.Hour,
		Incident: IncidentConfiguration{Grouping: IncidentGrouping{
			Enabled: true, ReopenClosedIncident: true, LookbackDuration: day, MatchingMethod: Selected,
			GroupByEntities: []string{"Account", "IP"}, GroupByAlertDetails: []string{"Severity"}, GroupByCustomDetails: []string{"Apps"},
		}},
		Identity: []string{"UserId", "IPAddress"}, Story: "sign-ins", NoFollowUp: true,
	}
	if diff := cmp.Diff(want, got, compareRules); diff != "" {
		t.Errorf("rule (-want +got):\n%s", diff)
	}

	wantColumns := []ColumnUse{
		{"UserPrincipalName", "entityMappings Account.FullName", 35, 21},
		{"UserId", "entityMappings Account.AadUserId", 37, 21},
		{"IPAddress", "entityMappings IP.Address", 40, 21},
		{"Z", "customDetails Zebra", 43, 10},
		{"Applications", "customDetails Apps", 44, 9},
		{"UserPrincipalName", "alertDetailsOverride alertDisplayNameFormat", 46, 41},
		{"IPAddress", "alertDetailsOverride alertDisplayNameFormat", 46, 68},
		{"Count", "alertDetailsOverride alertDescriptionFormat", 47, 36},
		{"Tactics", "alertDetailsOverride alertTacticsColumnName", 48, 27},
		{"AlertSeverity", "alertDetailsOverride alertSeverityColumnName", 49, 28},
		{"Link", "alertDetailsOverride AlertLink", 52, 14},
		{"Product", "alertDetailsOverride ProductName", 54, 14},
		{"UserId", "pushback identity", 76, 14},
		{"IPAddress", "pushback identity", 76, 22},
	}
	if diff := cmp.Diff(wantColumns, got.Columns()); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	checkPlaces(t, fullRule, got.Columns())
}

// checkPlaces checks that each column is written where it is said to be.
func checkPlaces(t *testing.T, yaml string, uses []ColumnUse) {
	t.Helper()
	lines := strings.Split(yaml, "\n")
	for _, use := range uses {
		if text := string([]rune(lines[use.Line-1])[use.Col-1:]); !strings.HasPrefix(text, use.Column) {
			t.Errorf("%s: %d:%d is %q, not %q", use.Use, use.Line, use.Col, text, use.Column)
		}
	}
}

// TestParseForms reads the other forms that published rules take.
func TestParseForms(t *testing.T) {
	t.Parallel()
	const head = "id: 6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968\nname: R\nseverity: Low\nkind: NRT\nquery: T\n"
	base := Rule{
		File: "r.yaml", ID: "6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968", Name: "R", Severity: alert.Low, Kind: NRT, Query: Query{Text: "T"},
		Incident: IncidentConfiguration{CreateIncident: true, Grouping: IncidentGrouping{LookbackDuration: 5 * time.Hour}},
	}
	tests := map[string]struct {
		yaml   string
		change func(r *Rule)
	}{
		"NRT needs no schedule": {head, func(*Rule) {}},
		"nulls": {
			head + "entityMappings: null\ncustomDetails:\ntactics: null\nalertDetailsOverride: ~\nsuppressionEnabled: null\nsentinelEntitiesMappings: null\nstatus:\n",
			func(*Rule) {},
		},
		"empty lists":          {head + "entityMappings: []\nrequiredDataConnectors: []\ntactics: []\ntags: []\n", func(*Rule) {}},
		"start of YAML":        {"---\n" + head + "...\n", func(*Rule) {}},
		"operator ne":          {head + "triggerOperator: NE\ntriggerThreshold: 2\n", func(r *Rule) { r.Trigger = Trigger{NotEqual, 2} }},
		"operator long":        {head + "triggerOperator: lessthan\ntriggerThreshold: '2'\n", func(r *Rule) { r.Trigger = Trigger{LessThan, 2} }},
		"tags mapping":         {head + "tags: {Schema: ASIMDns, Ref: [a, b], Bare: }\n", func(r *Rule) { r.Tags = []string{"Schema: ASIMDns", "Ref: a", "Ref: b", "Bare"} }},
		"tags text":            {head + "tags: one\n", func(r *Rule) { r.Tags = []string{"one"} }},
		"sub-techniques":       {head + "techniques: [T1078]\nsubTechniques: [T1078.004]\n", func(r *Rule) { r.Techniques = []string{"T1078", "T1078.004"} }},
		"disabled":             {head + "enabled: false\n", func(r *Rule) { r.Disabled = true }},
		"API name":             {strings.Replace(head, "name:", "displayName:", 1), func(*Rule) {}},
		"spaced tactic":        {head + "tactics: [Initial Access]\n", func(r *Rule) { r.Tactics = []string{"InitialAccess"} }},
		"double quotes":        {head + "description: |\n  \"Text.\"\n", func(r *Rule) { r.Description = "Text." }},
		"one quote":            {head + "description: |\n  'tis\n", func(r *Rule) { r.Description = "'tis" }},
		"JSON":                 {`{"id": "6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968", "name": "R", "severity": "Low", "kind": "NRT", "query": "T"}`, func(*Rule) {}},
		"alias":                {strings.Replace(head, "name: R", "name: &n R", 1) + "description: *n\n", func(r *Rule) { r.Description = "R" }},
		"schedule of NRT":      {head + "queryFrequency: 5m\nqueryPeriod: 5m\n", func(r *Rule) { r.QueryFrequency, r.QueryPeriod = 5*time.Minute, 5*time.Minute }},
		"zero schedule of NRT": {head + "queryFrequency: PT0M\nqueryPeriod: PT0M\n", func(*Rule) {}},
		"connectors": {
			head + "requiredDataConnectors:\n  - dataTypes: [CommonSecurityLog]\n  - connectorId: X\n",
			func(r *Rule) {
				r.RequiredDataConnectors = []Connector{{DataTypes: []string{"CommonSecurityLog"}}, {ConnectorID: "X"}}
			},
		},
		"merge keys": {
			"metadata: &d {severity: Low, kind: NRT}\nauthor: &m {<<: *d, severity: High, status: Available}\n" + strings.NewReplacer("severity: Low\n", "", "kind: NRT\n", "<<: [*d, *m]\n").Replace(head),
			func(r *Rule) { r.Status = "Available" },
		},
		"columns of entities": {
			head + "sentinelEntitiesMappings: [{columnName: Entities}]\nentityMappings: [{entityType: sentinelEntities, fieldMappings: [{identifier: Entities, columnName: More}]}]\n",
			func(r *Rule) { r.EntityColumns = []string{"Entities", "More"} },
		},
		"incident default": {head + "incidentConfiguration:\n  groupingConfiguration:\n    enabled: true\n", func(r *Rule) { r.Incident.Grouping.Enabled = true }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := base
			test.change(&want)
			got, problems := Parse("r.yaml", []byte(test.yaml))
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			if diff := cmp.Diff(&want, got, compareRules); diff != "" {
				t.Errorf("rule (-want +got):\n%s", diff)
			}
		})
	}
}

// madeID is the GUID that is made of a text.
func madeID(id string) string { return alert.NewGUID(idKind, id) }

const scheduled = `id: 6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968
name: R
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: T
`

func TestParseProblems(t *testing.T) {
	t.Parallel()
	set := func(key, value string) string { // scheduled with another value
		var lines []string
		for line := range strings.Lines(scheduled) {
			if strings.HasPrefix(line, key+":") {
				line = key + ": " + value + "\n"
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "")
	}
	add := func(lines string) string { return scheduled + lines } // from line 9

	tests := []struct {
		name string
		yaml string
		want []string
	}{
		{"nothing wrong", scheduled, nil},

		// The file.
		{"empty", "", []string{"r.yaml: the file is empty: a rule is a YAML mapping with id, name, severity and query"}},
		{"comments", "# nothing\n\n", []string{"r.yaml: the file is empty: a rule is a YAML mapping with id, name, severity and query"}},
		{"null", "~", []string{"r.yaml: the file is empty: a rule is a YAML mapping with id, name, severity and query"}},
		{"list", "\n- a\n", []string{"r.yaml:2:1: the file is a list: a rule is a YAML mapping with id, name, severity and query"}},
		{"text", "hello\n", []string{`r.yaml:1:1: the file is the single value "hello": a rule is a YAML mapping with id, name, severity and query`}},
		{"UTF-16 without a mark", "i\x00d\x00", []string{"r.yaml: the file is in UTF-16: save it as UTF-8"}},
		{"a signature", set("severity", "SharedAccessSignature S3cr3tS") + "S3cr3tS: 1\n", []string{
			`r.yaml:3:11: severity: unknown severity "SharedAccessSignature …": use High, Medium, Low or Informational`,
			`r.yaml:9:1: warning: unknown key "…" is ignored`,
		}},
		{"UTF-32", "\xff\xfe\x00\x00i\x00\x00\x00", []string{"r.yaml: the file is in UTF-32: save it as UTF-8"}},
		{"UTF-32 without a mark", "i\x00\x00\x00d\x00\x00\x00", []string{"r.yaml: the file is in UTF-32: save it as UTF-8"}},
		{"latin 1", "id: x\nname: gr\xf6\xdfer\n", []string{"r.yaml:2:9: the file is not UTF-8 text: save it as UTF-8"}},
		{"two documents", scheduled + "---\n" + scheduled, []string{"r.yaml:9:1: the file has a second YAML document: put each rule into a file of its own"}},
		{"too long", "# " + strings.Repeat("x", 1<<20), []string{"r.yaml: the file is longer than 1 MiB: that is not a rule"}},
		{"itself", "id: &a [*a]\n", []string{"r.yaml:1:1: an anchor contains an alias to itself: write the value out"}},
		{"alias bomb", aliasBomb(), []string{"r.yaml:1:1: the file has more than 100000 values once its aliases are written out: that is not a rule"}},

		// The YAML.
		{"two colons", "id: a\nname: b: c\nquery: d\n", []string{"r.yaml:2: not valid YAML: mapping values are not allowed in this context"}},
		{"open quote", "id: a\nname: 'b\nquery: d\n", []string{"r.yaml:2: not valid YAML: found unexpected end of stream"}},
		{"bad indent", "id: a\nquery: |\n  T\n | where\nname: b\n", []string{"r.yaml:4: not valid YAML: did not find expected comment or line break"}},
		{"tab", "id: a\nmetadata:\n\tx: 1\n", []string{"r.yaml:3: not valid YAML: found character that cannot start any token (indent with spaces: YAML does not accept tabs)"}},
		{"separator", "id: a\nquery: |\n  T // \u2028x\n", []string{"r.yaml:3: not valid YAML: could not find expected ':' (the line holds a Unicode line separator, which ends a line in YAML: remove it)"}},
		{"unknown anchor", "id: a\nname: *b\n", []string{"r.yaml:2: not valid YAML: unknown anchor 'b' referenced"}},

		// The keys.
		{"all missing", "version: 1\n", []string{
			"r.yaml:1:1: id is missing: give the rule a GUID of its own",
			"r.yaml:1:1: name is missing: say in a few words what the rule finds",
			"r.yaml:1:1: severity is missing: use High, Medium, Low or Informational",
			"r.yaml:1:1: query is missing: it is the KQL that the rule runs",
			"r.yaml:1:1: queryFrequency is missing: how often the rule runs, such as 1h",
			"r.yaml:1:1: queryPeriod is missing: how far back each run looks, such as 1h",
			"r.yaml:1:1: triggerOperator is missing: use gt, lt, eq or ne",
			"r.yaml:1:1: triggerThreshold is missing: the number of rows to compare with, such as 0",
		}},
		{"missing in NRT", "kind: NRT\nname: R\nquery: T\nid:\n", []string{
			"r.yaml:1:1: severity is missing: use High, Medium, Low or Informational",
			"r.yaml:4:4: id has no value: give the rule a GUID of its own",
		}},
		{"unknown keys", add("customDetial: {a: b}\nwhatever: 1\nQuery: x\n"), []string{
			`r.yaml:9:1: warning: unknown key "customDetial" is ignored: did you mean "customDetails"?`,
			`r.yaml:10:1: warning: unknown key "whatever" is ignored`,
			`r.yaml:11:1: warning: unknown key "Query" is ignored: did you mean "query"?`,
		}},
		{"unknown key below", add("eventGroupingSettings: {aggregationKnd: SingleAlert}\n"), []string{
			`r.yaml:9:25: warning: unknown key "aggregationKnd" in eventGroupingSettings is ignored: did you mean "aggregationKind"?`,
		}},
		{"duplicate key", add("name: S\n"), []string{`r.yaml:9:1: "name" is set twice, first on line 2: remove one`}},
		{"list as key", add("? [a, b]\n: c\n"), []string{`r.yaml:9:3: a key is a list: it must be a name`}},
		{"merge key", add("<<: {a: b}\n"), []string{`r.yaml:9:6: warning: unknown key "a" is ignored`}},
		{"merge of a text", add("<<: a\n"), []string{"r.yaml:9:5: the merge key << is the single value \"a\": it must be an alias of a mapping, such as *defaults, or a list of them"}},

		// The values.
		{"id", set("id", "my-rule"), []string{`r.yaml:1:5: warning: id "my-rule" is not a GUID: the rule is known by ` + madeID("my-rule") + `, which is made of it`}},
		{"id list", set("id", "[a]"), []string{`r.yaml:1:5: id is a list: it must be text`}},
		{"name empty", set("name", "''"), []string{"r.yaml:2:7: name is empty: give it a value or remove it"}},
		{"name twice", add("displayName: S\n"), []string{`r.yaml:9:14: warning: name and displayName are both set: "R" is used`}},
		{"name long", set("name", strings.Repeat("ö", 257)), []string{"r.yaml:2:7: warning: name has 257 characters: Sentinel accepts 256"}},
		{"severity", set("severity", "Critical"), []string{`r.yaml:3:11: severity: unknown severity "Critical": use High, Medium, Low or Informational`}},
		{"kind Fusion", add("kind: fusion\n"), []string{"r.yaml:9:7: kind Fusion has no query to run: Pushback runs Scheduled and NRT rules"}},
		{"kind", add("kind: Sheduled\n"), []string{`r.yaml:9:7: kind is "Sheduled": did you mean "Scheduled"?`}},
		{"kind else", add("kind: x\n"), []string{`r.yaml:9:7: kind is "x": use Scheduled or NRT`}},
		{"enabled", add("enabled: maybe\n"), []string{`r.yaml:9:10: enabled is the single value "maybe": it must be true or false`}},
		{"frequency", set("queryFrequency", "hourly"), []string{
			`r.yaml:4:17: queryFrequency is "hourly": write a number and m, h or d, such as 30m, 1h or 14d, or ISO 8601, such as PT1H or P14D`,
		}},
		{"frequency unit", set("queryFrequency", "5min"), []string{`r.yaml:4:17: warning: queryFrequency is "5min": it is read as 5m, and should be written so`}},
		{"frequency bounds", set("queryFrequency", "1m"), []string{"r.yaml:4:17: warning: queryFrequency 1m is not what Sentinel accepts: 5m to 14d"}},
		{"period bounds", set("queryPeriod", "30d"), []string{"r.yaml:5:14: warning: queryPeriod 30d is not what Sentinel accepts: 5m to 14d"}},
		{"period shorter", set("queryPeriod", "30m"), []string{
			"r.yaml:5:14: queryPeriod 30m is shorter than queryFrequency 1h, so that logs between two runs would never be looked at: make the period 1h or longer",
		}},
		{"period long", strings.Replace(set("queryPeriod", "P2D"), "queryFrequency: 1h", "queryFrequency: 30m", 1), []string{
			"r.yaml:4:17: warning: queryFrequency 30m with a queryPeriod of 2d is more than Sentinel accepts: it wants 1h or more where the period is 2d or more",
		}},
		{"operator", set("triggerOperator", "'>'"), []string{`r.yaml:6:18: triggerOperator is ">": use gt, lt, eq or ne (GreaterThan, LessThan, Equal or NotEqual)`}},
		{"threshold", set("triggerThreshold", "-1"), []string{`r.yaml:7:19: triggerThreshold is "-1": it must be a whole number of rows, 0 or more`}},
		{"threshold part", set("triggerThreshold", "1.5"), []string{`r.yaml:7:19: triggerThreshold is "1.5": it must be a whole number of rows, 0 or more`}},
		{"threshold large", set("triggerThreshold", "10001"), []string{"r.yaml:7:19: warning: triggerThreshold 10001 is more than Sentinel accepts: 10000"}},
		{"tactics", add("tactics: [InitalAccess, Foo, null, [x]]\n"), []string{
			`r.yaml:9:11: tactic "InitalAccess" is unknown: did you mean "InitialAccess"?`,
			`r.yaml:9:25: tactic "Foo" is unknown: use Reconnaissance, ResourceDevelopment, InitialAccess, Execution, Persistence, PrivilegeEscalation, ` +
				`DefenseEvasion, CredentialAccess, Discovery, LateralMovement, Collection, CommandAndControl, Exfiltration, Impact, PreAttack, ` +
				`ImpairProcessControl or InhibitResponseFunction`,
			"r.yaml:9:30: warning: an item of tactics is empty and ignored: remove it or give it a value",
			"r.yaml:9:36: an item of tactics is a list: it must be text",
		}},
		{"tactics text", add("tactics: InitialAccess\n"), []string{`r.yaml:9:10: warning: tactics is the single value "InitialAccess" and is read as a list: write it as [a, b]`}},
		{"techniques", add("relevantTechniques:\n  - T1078.4\n  - Phishing\n"), []string{
			`r.yaml:10:5: technique "T1078.4" is not a MITRE technique: write it as T1078 or T1078.004`,
			`r.yaml:11:5: technique "Phishing" is not a MITRE technique: write it as T1078 or T1078.004`,
		}},
		{"query empty", set("query", "|\n \n"), []string{"r.yaml:8:8: query is empty: it is the KQL that the rule runs"}},
		{"query null", set("query", ""), []string{"r.yaml:8:7: query has no value: it is the KQL that the rule runs"}},
		{"query list", set("query", "[T]"), []string{"r.yaml:8:8: query is a list: it must be the text of a KQL query, most simply as a block behind `query: |`"}},
		{"query long", set("query", strings.Repeat("x", 10_001)), []string{"r.yaml:8:8: warning: query has 10001 characters: Sentinel accepts 10000"}},
		{"sentinel entities", add("sentinelEntitiesMappings:\n  - columnName: Entities\n"), nil},
		{"sentinel entities wrong", add("sentinelEntitiesMappings: [x, {}, {columnName: A, column: B}]\nentityMappings: [{entityType: SentinelEntities, fieldMappings: [{identifier: Entity, columnName: A}]}]\n"), []string{
			`r.yaml:9:28: an item of sentinelEntitiesMappings is the single value "x": it must have columnName`,
			"r.yaml:9:31: columnName is missing: name the column of the query's result that holds the entities, such as Entities of SecurityAlert",
			`r.yaml:9:51: warning: unknown key "column" in sentinelEntitiesMappings is ignored`,
			`r.yaml:10:78: SentinelEntities has no identifier "Entity": use Entities`,
		}},

		// Entities.
		{"entity type", add(entity("Acount", "Name", "A")), []string{`r.yaml:10:17: entity type "Acount" is unknown: did you mean "Account"?`}},
		{"entity identifier", add(entity("Account", "UPNSufix", "A")), []string{`r.yaml:12:21: Account has no identifier "UPNSufix": did you mean "UPNSuffix"?`}},
		{"entity identifiers", add(entity("IP", "Name", "A")), []string{`r.yaml:12:21: IP has no identifier "Name": use Address or AddressScope`}},
		{"entity weak", add(entity("Account", "UPNSuffix", "A")), []string{
			"r.yaml:12:7: warning: these identifiers do not identify Account: map FullName, Sid, Name, AadUserId, PUID or ObjectGuid as well",
		}},
		{"entity pair", add(entity("FileHash", "Value", "A")), []string{"r.yaml:12:7: warning: these identifiers do not identify FileHash: map Algorithm and Value as well"}},
		{"entity twice", add(entity("IP", "Address", "A") + "      - identifier: address\n        columnName: B\n"), []string{
			"r.yaml:14:21: IP.Address is mapped twice in one entity: remove one",
		}},
		{"entity parts", add("entityMappings:\n  - entityType: IP\n  - fieldMappings: []\n  - IP\n  - {entityType: IP, fieldMappings: [{identifier: Address}, {columnName: A}, x]}\n"), []string{
			"r.yaml:10:5: fieldMappings is missing: give at least one identifier and its columnName",
			"r.yaml:11:5: entityType is missing: use a type such as Account or IP",
			"r.yaml:11:20: fieldMappings is empty: give at least one identifier and its columnName",
			`r.yaml:12:5: an item of entityMappings is the single value "IP": it must have entityType and fieldMappings`,
			"r.yaml:13:38: columnName is missing: name a column of the query's result",
			"r.yaml:13:61: identifier is missing: say which identifier of the entity the column holds",
			`r.yaml:13:78: an item of fieldMappings is the single value "x": it must have identifier and columnName`,
		}},
		{"eleven entities", add("entityMappings:\n" + strings.Repeat("  - {entityType: IP, fieldMappings: [{identifier: Address, columnName: A}]}\n", 11)), []string{
			"r.yaml:20:5: warning: there are 11 entity mappings: Sentinel accepts 10",
		}},

		// What the alert says.
		{"details shape", add("customDetails: [A]\n"), []string{"r.yaml:9:16: customDetails is a list: it must be a mapping of keys to values"}},
		{"details", add("customDetails:\n  A B: X\n  " + strings.Repeat("n", 21) + ": Y\n  Z:\n  Z: [A]\n"), []string{
			`r.yaml:10:3: warning: custom detail "A B" is not a name that Sentinel accepts: begin with a letter and use only letters, digits and _`,
			"r.yaml:11:3: warning: the name of custom detail " + strings.Repeat("n", 21) + " has 21 characters: Sentinel accepts 20",
			"r.yaml:12:5: warning: customDetails Z is empty and ignored: give it a value or remove it",
			`r.yaml:13:3: "Z" is set twice, first on line 12: remove one`,
		}},
		{"many details", add("customDetails:\n" + manyDetails(22)), []string{"r.yaml:30:3: warning: there are more than 20 custom details: Sentinel accepts 20"}},
		{"formats", add("alertDetailsOverride:\n  alertDisplayNameFormat: by {{User\n  alertDescriptionFormat: \"{{A}} {{B}} {{C}} {{D}}\"\n  alertSeverityColumnName: ''\n"), []string{
			`r.yaml:10:27: alertDisplayNameFormat: the {{ before "User" has no }}: write {{Column}}`,
			"r.yaml:11:27: warning: alertDescriptionFormat names 4 columns: Sentinel accepts 3",
			"r.yaml:12:28: warning: alertSeverityColumnName is empty and ignored: give it a value or remove it",
		}},
		{"dynamic properties", add("alertDetailsOverride:\n  alertDynamicProperties:\n    - {alertProperty: AlertLnk, value: A}\n    - {alertProperty: AlertLink, value: A}\n" +
			"    - {alertProperty: AlertLink, value: B}\n    - {value: C}\n    - {alertProperty: ProductName}\n    - x\n"), []string{
			`r.yaml:11:23: alertProperty is "AlertLnk": did you mean "AlertLink"?`,
			"r.yaml:13:23: alertProperty AlertLink is set twice: remove one",
			"r.yaml:14:7: alertProperty is missing: use AlertLink, ConfidenceLevel, ConfidenceScore, ExtendedLinks, ProductComponentName, ProductName, ProviderName, " +
				"RemediationSteps, Techniques or SubTechniques",
			"r.yaml:15:7: value is missing: name a column of the query's result",
			`r.yaml:16:7: an item of alertDynamicProperties is the single value "x": it must have alertProperty and value`,
		}},
		{"grouping", add("eventGroupingSettings:\n  aggregationKind: PerResult\n"), []string{`r.yaml:10:20: aggregationKind is "PerResult": use SingleAlert or AlertPerResult`}},

		// Suppression and incidents.
		{"suppression", add("suppressionEnabled: true\n"), []string{"r.yaml:1:1: suppressionDuration is missing: with suppressionEnabled it says for how long, such as 5h"}},
		{"incident", add("incidentConfiguration:\n  createIncident: yes\n  groupingConfiguration:\n    matchingMethod: AllEntites\n    lookbackDuration: 0h\n    groupByEntities: [Acount]\n" +
			"    groupByAlertDetails: [Title]\n"), []string{
			`r.yaml:10:19: createIncident is the single value "yes": it must be true or false`,
			`r.yaml:12:21: matchingMethod is "AllEntites": did you mean "AllEntities"?`,
			`r.yaml:13:23: lookbackDuration is "0h": it must be longer than zero`,
			`r.yaml:14:23: an item of groupByEntities is "Acount": did you mean "Account"?`,
			`r.yaml:15:27: an item of groupByAlertDetails is "Title": use DisplayName or Severity`,
		}},
		{"incident references", add("customDetails: {Apps: A}\nincidentConfiguration:\n  groupingConfiguration:\n    groupByEntities: [Host]\n    groupByCustomDetails: [App]\n"), []string{
			"r.yaml:12:23: warning: groupByEntities names Host, which entityMappings does not map: it groups nothing",
			`r.yaml:13:28: warning: groupByCustomDetails names "App", which customDetails does not have: did you mean "Apps"?`,
		}},
		{"nothing selected", add("incidentConfiguration:\n  groupingConfiguration:\n    enabled: true\n    matchingMethod: Selected\n"), []string{
			"r.yaml:12:21: matchingMethod Selected has nothing selected: fill groupByEntities, groupByAlertDetails or groupByCustomDetails",
		}},

		// Our own.
		{"identity", add("pushback: {identity: []}\n"), []string{
			"r.yaml:9:22: identity is empty: name the columns that identify an activity, or remove it to use those of the entity mappings",
		}},
		{"identity text", add("pushback: {identity: A, identiy: B}\n"), []string{
			`r.yaml:9:22: identity is the single value "A": it must be a list, such as [a, b]`,
			`r.yaml:9:25: warning: unknown key "identiy" in pushback is ignored: did you mean "identity"?`,
		}},
		{"story", add("pushback: {story: \"a/b\"}\n"), []string{
			`r.yaml:9:19: story is "a/b": give it a name of at most 50 small letters, digits and dashes that begins and ends with a letter or digit, or remove it for a story of the rule's own`,
		}},
		{"a long story", add("pushback: {story: " + strings.Repeat("a", 51) + "}\n"), []string{
			`r.yaml:9:19: story is "` + strings.Repeat("a", 51) + `": give it a name of at most 50 small letters, digits and dashes that begins and ends with a letter or digit, or remove it for a story of the rule's own`,
		}},
		{"followUp", add("pushback: {followUp: perhaps}\n"), []string{`r.yaml:9:22: followUp is the single value "perhaps": it must be true or false`}},
		{"extension text", add("pushback: x\n"), []string{`r.yaml:9:11: pushback is the single value "x": it must be a mapping of keys to values`}},

		{"guidance", add("pushback: {guidance: \"javascript:alert(1)\"}\n"), []string{
			`r.yaml:9:22: guidance is "javascript:alert(1)": write the address of the page as https://host/path, with what is special in it escaped`,
		}},
		{"guidance with a password", add("pushback: {guidance: \"https://a:b@c.example/\"}\n"), []string{
			`r.yaml:9:22: guidance is "https://…@c.example/": write the address of the page as https://host/path, with what is special in it escaped`,
		}},

		{"editor lines", strings.Replace(scheduled, "name: R", "name: \"a\u2028b\"", 1) + "kind: x\n", []string{`r.yaml:9:7: kind is "x": use Scheduled or NRT`}},
		{"everything at once", set("id", "x") + "kind: y\nfoo: 1\ntactics: z\n", []string{
			`r.yaml:1:5: warning: id "x" is not a GUID: the rule is known by ` + madeID("x") + `, which is made of it`,
			`r.yaml:9:7: kind is "y": use Scheduled or NRT`,
			`r.yaml:10:1: warning: unknown key "foo" is ignored`,
			`r.yaml:11:10: warning: tactics is the single value "z" and is read as a list: write it as [a, b]`,
			`r.yaml:11:10: tactic "z" is unknown: use Reconnaissance, ResourceDevelopment, InitialAccess, Execution, Persistence, PrivilegeEscalation, ` +
				`DefenseEvasion, CredentialAccess, Discovery, LateralMovement, Collection, CommandAndControl, Exfiltration, Impact, PreAttack, ` +
				`ImpairProcessControl or InhibitResponseFunction`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, problems := Parse("r.yaml", []byte(test.yaml))
			var got []string
			for _, p := range problems {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if (r == nil) != hasError(problems) {
				t.Errorf("rule is nil: %v, with errors: %v", r == nil, hasError(problems))
			}
		})
	}
}

func entity(typ, identifier, column string) string {
	return fmt.Sprintf("entityMappings:\n  - entityType: %s\n    fieldMappings:\n      - identifier: %s\n        columnName: %s\n", typ, identifier, column)
}

func manyDetails(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  D%d: C\n", i)
	}
	return b.String()
}

// aliasBomb stands for nine billion values in a few hundred bytes.
func aliasBomb() string {
	var b bytes.Buffer
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	b.WriteString("tactics: *a9\n")
	return b.String()
}

// TestEntityTypes checks the table against itself: what is sufficient must be
// an identifier, and every mapping of all identifiers must be accepted.
func TestEntityTypes(t *testing.T) {
	t.Parallel()
	for _, e := range entityTypes {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			for _, set := range e.sufficient {
				for _, identifier := range set {
					if name, _ := canonical(identifier, e.identifiers); name != identifier {
						t.Errorf("%q is sufficient but no identifier", identifier)
					}
				}
			}
			mapping := "entityMappings:\n  - entityType: " + e.name + "\n    fieldMappings:\n"
			for _, identifier := range e.identifiers {
				mapping += "      - {identifier: " + identifier + ", columnName: C}\n"
			}
			if _, problems := Parse("r.yaml", []byte(scheduled+mapping)); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

// A version is shown and sent in many places.
func TestVersionWithASecret(t *testing.T) {
	t.Parallel()
	r, _ := Parse("r.yaml", []byte(strings.Replace(string(defaultYAML), "version: ", "version: https://host/a?sig=S3cr3t # ", 1)))
	if r == nil || strings.Contains(r.Version, "S3cr3t") {
		t.Errorf("%+v", r)
	}
}
