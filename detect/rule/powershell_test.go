package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A rule as PowerShell writes it is the rule that the API gives.
func TestPowerShell(t *testing.T) {
	t.Parallel()
	const (
		id  = "1f0c0d5e-1111-4222-8333-abcdefabcdef"
		api = `[{"kind":"Scheduled","name":"` + id + `","properties":{"displayName":"R","severity":"High","enabled":true,"query":"T | where a","queryFrequency":"PT1H","queryPeriod":"P1D",
			"triggerOperator":"GreaterThan","triggerThreshold":0,"suppressionDuration":"PT5H","suppressionEnabled":false,"tactics":["Impact"],"techniques":["T1078"],
			"entityMappings":[{"entityType":"Account","fieldMappings":[{"identifier":"FullName","columnName":"Upn"}]}],"customDetails":{"Upn":"Upn","tactic":"a"},
			"lastModifiedUtc":"2026-03-17T10:00:00Z"}}]`
		shell = `[{"Kind":"Scheduled","Name":"` + id + `","Id":"/subscriptions/s/alertRules/` + id + `","Etag":"x","Type":"Microsoft.SecurityInsights/alertRules","DisplayName":"R","Severity":"High",
			"Enabled":true,"Query":"T | where a","QueryFrequency":{"Ticks":36000000000,"Days":0,"Hours":1,"TotalSeconds":3600},"QueryPeriod":{"Ticks":864000000000,"Days":1,"TotalSeconds":86400},
			"TriggerOperator":"GreaterThan","TriggerThreshold":0,"SuppressionDuration":{"Ticks":180000000000,"Hours":5,"TotalSeconds":18000},"SuppressionEnabled":false,"Tactics":["Impact"],
			"Techniques":["T1078"],"EntityMappings":[{"EntityType":"Account","FieldMappings":[{"Identifier":"FullName","ColumnName":"Upn"}]}],"CustomDetails":{"Upn":"Upn","tactic":"a"},
			"LastModifiedUtc":"/Date(1773741600000)/","SystemDataCreatedBy":null,"ResourceGroupName":"g"}]`
	)
	want, problems := ParseAll("r.json", []byte(api))
	if len(want) != 1 || len(problems) > 0 {
		t.Fatalf("%d rules, %v", len(want), problems)
	}
	singular := strings.NewReplacer(`"Tactics"`, `"Tactic"`, `"Techniques"`, `"Technique"`, `"EntityMappings"`, `"EntityMapping"`, `"FieldMappings"`, `"FieldMapping"`, `"CustomDetails"`, `"CustomDetail"`)
	for name, text := range map[string]string{
		"plural": shell, "singular": singular.Replace(shell), "one": strings.Trim(shell, "[]"), "in a list": `{"value":` + shell + `}`,
		"durations as text": strings.NewReplacer(`{"Ticks":36000000000,"Days":0,"Hours":1,"TotalSeconds":3600}`, `"01:00:00"`).Replace(shell),
	} {
		got, problems := ParseAll("r.json", []byte(text))
		if len(got) != 1 || len(problems) > 0 {
			t.Errorf("%s: %d rules, %v", name, len(got), problems)
			continue
		}
		if diff := cmp.Diff(want[0], got[0], compareRules); diff != "" {
			t.Errorf("%s: rule (-want +got):\n%s", name, diff)
		}
	}
}

// What is wrong with such a rule is said at its place.
func TestPowerShellProblems(t *testing.T) {
	t.Parallel()
	_, problems := ParseAll("r.json", []byte(`{"DisplayName":"R","Name":"1f0c0d5e-1111-4222-8333-abcdefabcdef","Query":"T","Severity":"Hih","QueryFrequency":{"Ticks":"x","TotalSeconds":1},"QueryPeriod":"1h","TriggerOperator":"gt","TriggerThreshold":0}`))
	got := strings.Join(texts(problems), "\n")
	if len(problems) != 2 || !strings.Contains(got, `r.json:1:89: severity: unknown severity "Hih"`) || !strings.Contains(got, "r.json:1:112: queryFrequency is a mapping") {
		t.Errorf("problems:\n%s", got)
	}
}
