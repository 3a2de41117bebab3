package rule

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// firstDetection is a rule in the first version of the API, secondDetection the same in
// that which took its place.
const (
	firstDetection = `{"@odata.context": "https://graph.microsoft.com/beta/$metadata#security/rules/detectionRules", "value": [{
	"@odata.type": "#microsoft.graph.security.detectionRule", "id": "7506", "displayName": "Odd process", "isEnabled": true, "createdBy": "a@contoso.example",
	"createdDateTime": "2026-01-01T00:00:00Z", "lastModifiedDateTime": "2026-01-01T00:00:00Z", "lastModifiedBy": "a@contoso.example",
	"detectorId": "67895317-b2a8-4ac3-8f8b-fa6b7765f2fe",
	"queryCondition": {"queryText": "DeviceProcessEvents\r\n| take 1", "lastModifiedDateTime": "2026-01-01T00:00:00Z"},
	"schedule": {"period": "12H", "nextRunDateTime": "2026-01-01T00:00:00Z"},
	"lastRunDetails": {"lastRunDateTime": null, "status": null, "failureReason": null, "errorCode": null},
	"detectionAction": {
		"alertTemplate": {"title": "{{FileName}} ran", "description": "It ran.", "severity": "medium", "category": "Execution",
			"recommendedActions": "Look at the device.", "mitreTechniques": ["T1059", "T1059.001"],
			"impactedAssets": [
				{"@odata.type": "#microsoft.graph.security.impactedDeviceAsset", "identifier": "deviceId"},
				{"@odata.type": "#microsoft.graph.security.impactedUserAsset", "identifier": "initiatingProcessAccountUpn"},
				{"@odata.type": "#microsoft.graph.security.impactedMailboxAsset", "identifier": "recipientEmailAddress"}]},
		"organizationalScope": null,
		"responseActions": [{"@odata.type": "#microsoft.graph.security.isolateDeviceResponseAction", "identifier": "deviceId", "isolationType": "full"}]}}]}`
	secondDetection = `{
	"id": "67895317-b2a8-4ac3-8f8b-fa6b7765f2fe", "displayName": "Odd process", "status": "enabled",
	"queryCondition": {"queryText": "DeviceProcessEvents\r\n| take 1"},
	"schedule": {"frequency": "PT12H", "lookback": "PT24H"},
	"detectionAction": {
		"alertTemplate": {"@odata.type": "microsoft.graph.security.alertTemplate", "title": "Odd process", "description": "By {{AccountUpn}}.", "severity": "high",
			"recommendedActions": null, "eventGroupingKind": "singleAlert",
			"tactics": [{"tactic": "Execution", "techniques": [{"technique": "T1059", "subTechniques": ["T1059.001"]}]}, {"tactic": "Exploit", "techniques": []}],
			"customDetails": {"@odata.type": "#microsoft.graph.security.alertCustomDetails", "File": "FileName"},
			"entityMappings": {
				"accounts": [{"upnColumn": "AccountUpn", "aadUserIdColumn": "AccountObjectId", "sidColumn": null}],
				"hosts": [{"deviceIdColumn": "DeviceId", "nameColumn": "DeviceName"}],
				"ips": [{"addressColumn": "RemoteIP"}],
				"files": [{"nameColumn": "FileName", "sha1Column": "SHA1"}],
				"registryValues": [{"keyColumn": "RegistryKey", "valueNameColumn": "RegistryValueName", "newColumn": "X"}]}},
		"automatedActions": {"@odata.type": "microsoft.graph.security.automatedActionSet", "isolateDevices": []}}}`
)

func TestDetectionRules(t *testing.T) {
	t.Parallel()
	base := Rule{
		File: "d.json", ID: "67895317-b2a8-4ac3-8f8b-fa6b7765f2fe", Name: "Odd process", QueryFrequency: 12 * time.Hour, QueryPeriod: 48 * time.Hour,
		Tactics: []string{"Execution"}, Techniques: []string{"T1059", "T1059.001"}, Query: Query{Text: "DeviceProcessEvents\r\n| take 1"},
		Incident: IncidentConfiguration{CreateIncident: true, Grouping: IncidentGrouping{LookbackDuration: 5 * time.Hour}},
	}
	mapping := func(entity string, fields ...string) EntityMapping {
		m := EntityMapping{EntityType: entity}
		for i := 0; i < len(fields); i += 2 {
			m.FieldMappings = append(m.FieldMappings, FieldMapping{fields[i], fields[i+1]})
		}
		return m
	}
	first, second := base, base
	first.Severity, first.Description, first.Remediation, first.Grouping = alert.Medium, "It ran.", "Look at the device.", AlertPerResult
	first.AlertDetails.DisplayNameFormat = Format{Text: "{{FileName}} ran"}
	first.EntityMappings = []EntityMapping{
		mapping("Host", "AzureID", "DeviceId"), mapping("Account", "FullName", "InitiatingProcessAccountUpn"), mapping("Mailbox", "MailboxPrimaryAddress", "RecipientEmailAddress"),
	}
	second.Severity, second.Description, second.QueryPeriod, second.Tags = alert.High, "By {{AccountUpn}}.", day, []string{"Category: Exploit"}
	second.AlertDetails.DescriptionFormat = Format{Text: "By {{AccountUpn}}."}
	second.CustomDetails = []CustomDetail{{"File", "FileName"}}
	second.EntityMappings = []EntityMapping{
		mapping("Account", "FullName", "AccountUpn", "AadUserId", "AccountObjectId"), mapping("Host", "AzureID", "DeviceId", "HostName", "DeviceName"), mapping("IP", "Address", "RemoteIP"),
		mapping("File", "Name", "FileName"), mapping("FileHash", "Value", "SHA1"),
		mapping("RegistryKey", "Key", "RegistryKey"), mapping("RegistryValue", "Name", "RegistryValueName"),
	}
	for name, test := range map[string]struct {
		text string
		want Rule
		says []string
	}{
		"first": {firstDetection, first, []string{"d.json:16:22: warning: responseActions are ignored: Pushback reports, and acts on no device and no account"}},
		"second": {secondDetection, second, []string{
			"d.json:15:93: warning: newColumn is ignored: RegistryValue has no such identifier",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, problems := ParseAll("d.json", []byte(test.text))
			if diff := cmp.Diff(test.says, texts(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if len(rules) != 1 {
				t.Fatalf("%d rules", len(rules))
			}
			if diff := cmp.Diff(&test.want, rules[0], compareRules); diff != "" {
				t.Errorf("rule (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDetectionWarnsOfTimestamp(t *testing.T) {
	t.Parallel()
	text := func(query string) []byte {
		return []byte(`{"id": "67895317-b2a8-4ac3-8f8b-fa6b7765f2fe", "displayName": "D", "queryCondition": {"queryText": "` + query +
			`"}, "schedule": {"period": "1H"}, "detectionAction": {"alertTemplate": {"title": "D", "severity": "low"}}}`)
	}
	const names = "d.json:1:100: warning: the query names Timestamp, which tables have in Defender: "
	for query, read := range map[string]string{
		"DeviceEvents | where Timestamp > ago(1h)":                                              "DeviceEvents | where TimeGenerated > ago(1h)",
		"T | summarize Timestamp = max(Timestamp), arg_max(Timestamp, *) by 'a'|project-away b": "T | summarize TimeGenerated = max(TimeGenerated), arg_max(TimeGenerated, *) by 'a'|project-away b",
		"T | join U on $left.Timestamp==$right.Timestamp":                                       "T | join U on $left.TimeGenerated==$right.TimeGenerated",
		"T | where Timestamp > ago(1h) and F.Timestamp == 1":                                    "",
		"T | where Timestamp > ago(1h) and F['Timestamp'] == 1":                                 "",
		"T | summarize max(Timestamp) | where max_Timestamp > ago(1h)":                          "",
		"T | join U on Id | where Timestamp > Timestamp1":                                       "",
		"T_CL | where Timestamp > ago(1h)":                                                      "",
		"T | where Timestamp > ago(1h) | project TimeGenerated":                                 "",
	} {
		rules, problems := ParseAll("d.json", text(query))
		want := names + "it is read as TimeGenerated, which they have in a workspace"
		if read == "" {
			read, want = query, names+"in a workspace they have TimeGenerated instead"
		}
		if diff := cmp.Diff([]string{want}, texts(problems)); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", query, diff)
		}
		if len(rules) != 1 || rules[0].Query.Text != read {
			t.Fatalf("%s: %d rules, %q", query, len(rules), rules[0].Query.Text)
		}
		// Places are those of the file.
		end := len([]rune(query))
		if _, column := rules[0].Query.Locate(1, len([]rune(read))+1); column != 101+end {
			t.Errorf("%s: it ends in column %d, not in %d", query, column, 101+end)
		}
	}
	title := strings.Replace(string(text("T | where Timestamp > ago(1h)")), `"title": "D"`, `"title": "At {{Timestamp}}"`, 1)
	if rules, problems := ParseAll("d.json", []byte(title)); len(rules) != 1 || rules[0].Query.Text != "T | where Timestamp > ago(1h)" || len(problems) != 1 {
		t.Errorf("%v", problems)
	}
	for _, query := range []string{"DeviceEvents | where TimeGenerated > ago(1h)", "DeviceEvents | extend Timestamp = TimeGenerated | where Timestamp > ago(1h)"} {
		if _, problems := ParseAll("d.json", text(query)); len(problems) > 0 {
			t.Errorf("%s: %v", query, problems)
		}
	}
}

func TestDetectionSchedules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		schedule string
		kind     Kind
		every    time.Duration
		over     time.Duration
		want     string // the problem
	}{
		"1H":              {`{"period": "1H"}`, Scheduled, time.Hour, 4 * time.Hour, ""},
		"3H":              {`{"period": "3H"}`, Scheduled, 3 * time.Hour, 12 * time.Hour, ""},
		"24H":             {`{"period": "24H"}`, Scheduled, day, 30 * day, ""},
		"all the time":    {`{"period": "0"}`, NRT, 0, 0, ""},
		"zero":            {`{"frequency": "PT0S"}`, NRT, 0, 0, ""},
		"both":            {`{"frequency": "PT5M", "lookback": null, "period": "24H"}`, Scheduled, 5 * time.Minute, 20 * time.Minute, ""},
		"a week":          {`{"frequency": "P7D"}`, Scheduled, 7 * day, 30 * day, ""},
		"a look back":     {`{"frequency": "P1D", "lookback": "P2D"}`, Scheduled, day, 2 * day, ""},
		"too short":       {`{"frequency": "P1D", "lookback": "PT1H"}`, Scheduled, 0, 0, `d.json:1:194: queryPeriod 1h is shorter than queryFrequency 1d, so that logs between two runs would never be looked at: make the period 1d or longer`},
		"none":            {`{}`, Scheduled, 0, 0, `d.json:1:161: schedule has no frequency: give it one, such as PT1H, or a period of 0, 1H, 3H, 12H or 24H`},
		"no schedule":     {`null`, Scheduled, 0, 0, `d.json:1:1: schedule is missing: give it a frequency, such as PT1H, or a period of 0, 1H, 3H, 12H or 24H`},
		"what is no time": {`{"period": "hourly"}`, Scheduled, 0, 0, `d.json:1:172: the schedule's period is "hourly": write a number and M, H or D, such as 0, 1H, 3H, 12H or 24H`},
		"no frequency":    {`{"frequency": "hourly"}`, Scheduled, 0, 0, `d.json:1:175: the schedule's frequency is "hourly": write a number and M, H or D, such as PT1H`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rules, problems := ParseAll("d.json", []byte(`{"id": "67895317-b2a8-4ac3-8f8b-fa6b7765f2fe", "displayName": "D", "isEnabled": false, "queryCondition": {"queryText": "T"}, "detectionRuleX": 1, "schedule"  : `+test.schedule+
				`, "detectionAction": {"alertTemplate": {"title": "D", "severity": "low"}}}`))
			if test.want != "" {
				if len(problems) == 0 || problems[0].String() != test.want {
					t.Errorf("problems: %v", problems)
				}
				return
			}
			if len(rules) != 1 || len(problems) > 0 {
				t.Fatalf("%d rules, %v", len(rules), problems)
			}
			if r := rules[0]; r.Kind != test.kind || r.QueryFrequency != test.every || r.QueryPeriod != test.over || !r.Disabled {
				t.Errorf("%v every %s over %s, disabled %v", r.Kind, r.QueryFrequency, r.QueryPeriod, r.Disabled)
			}
		})
	}
}
