package kql

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// Plans are compared with those in testdata/plans.txt: each after its query,
// which begins with a line of dashes. PUSHBACK_UPDATE=1 writes the file anew.
func TestExplain(t *testing.T) {
	t.Parallel()
	queries := []string{
		`SigninLogs | where TimeGenerated > ago(1h) and ResultType == "500121" | summarize Count = count(), Users = dcount(UserPrincipalName) by IPAddress | where Count > 5 | top 10 by Count`,
		`SigninLogs | where ResultType in ("0", "50140") and not(UserAgent has "bot") | extend Place = strcat(tostring(LocationDetails.city), ", ", Location) | project TimeGenerated, Place, Half = -(DurationMs + 1) / 2 | sort by Place asc, TimeGenerated nulls first | take 5`,
		`let known = SigninLogs | where ResultType == 0 | distinct IPAddress; let most = toscalar(SigninLogs | summarize max(TimeGenerated)); SigninLogs | where IPAddress !in (known) and TimeGenerated < most | count`,
		`SigninLogs | mv-expand with_itemindex=i Policy = todynamic(ConditionalAccessPolicies) to typeof(string) limit 3 | summarize arg_max(TimeGenerated, UserId), take_any(i) by Policy`,
		`let m = materialize(SigninLogs | project UserId, IPAddress); m | join kind=leftouter (m | summarize n = count() by UserId) on UserId | project UserId, n`,
		`union withsource=Source SigninLogs, AADNonInteractiveUserSignInLogs | where TimeGenerated between (datetime(2026-03-17) .. 1h) | distinct Source, Type`,
		`range x from 1 to 10 step 2 | extend y = iff(x > 3, "a\"b", ""), z = dynamic({"k":[1]}).k[0] | project-away x`,
		`print a = 1 + 2, b = datetime(2026-03-17) + 1d, c = 'x'`,
		`datatable(['odd name']:string, n:int)["a", 1] | where ['odd name'] startswith "a" or n between (1 .. 3)`,
	}
	data, err := os.ReadFile("../rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var rule struct{ Query string }
	if err := yaml.Unmarshal(data, &rule); err != nil {
		t.Fatal(err)
	}
	queries = append(queries, strings.TrimSpace(rule.Query))
	var got strings.Builder
	for _, q := range queries {
		plan, err := Catalog{Tables: KnownTables()}.Explain(q, testNow)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		got.WriteString(strings.Repeat("-", 80) + "\n" + q + "\n\n" + plan + "\n")
	}
	golden := filepath.Join("testdata", "plans.txt")
	if os.Getenv("PUSHBACK_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
	if _, err := (Catalog{Tables: KnownTables()}).Explain("SigninLogs | where Nothing > 1", testNow); err == nil {
		t.Error("a query with an error has a plan")
	}
}

// Whatever runs can be explained, each operator by its own name.
func TestEveryPlanIsExplained(t *testing.T) {
	t.Parallel()
	for _, q := range seedQueries(t) {
		plan, err := Catalog{Tables: schemasOf(testTables())}.Explain(q, testNow)
		if err == nil && strings.Contains(plan, "*kql.") {
			t.Errorf("%s: the plan shows a Go type:\n%s", q, plan)
		}
	}
}
