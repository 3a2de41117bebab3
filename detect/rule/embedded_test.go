package rule

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

func TestDefault(t *testing.T) {
	t.Parallel()
	r, problems := Parse(DefaultFile, defaultYAML)
	if len(problems) > 0 {
		t.Fatalf("the default rule has problems, if only warnings: %v", problems)
	}
	if diff := cmp.Diff(Default(), r, compareRules); diff != "" {
		t.Errorf("Default is not its file (-Default +file):\n%s", diff)
	}

	type facts struct {
		ID, Name   string
		Kind       Kind
		Severity   alert.Severity
		Frequency  time.Duration
		Period     time.Duration
		Trigger    Trigger
		Tactics    []string
		Techniques []string
		Grouping   Grouping
		Entities   []EntityMapping
		Identity   []string
	}
	want := facts{
		"d99cf5c3-d660-436c-895b-8a8f8448da23", "MFA Rejected by User", Scheduled, alert.Medium, time.Hour, time.Hour, Trigger{},
		[]string{"InitialAccess"}, []string{"T1078.004"}, AlertPerResult,
		[]EntityMapping{
			{"Account", []FieldMapping{
				{"FullName", "UserPrincipalName"}, {"Name", "Name"}, {"UPNSuffix", "UPNSuffix"}, {"AadUserId", "UserId"}, {"AadTenantId", "AADTenantId"},
			}},
			{"IP", []FieldMapping{{"Address", "IPAddress"}}},
			{"IP", []FieldMapping{{"Address", "ReportedAddress"}}},
		},
		[]string{"UserPrincipalName", "Name", "UPNSuffix", "UserId", "AADTenantId", "IPAddress"},
	}
	got := facts{
		r.ID, r.Name, r.Kind, r.Severity, r.QueryFrequency, r.QueryPeriod, r.Trigger, r.Tactics, r.Techniques, r.Grouping, r.EntityMappings,
		r.IdentityColumns(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("default rule (-want +got):\n%s", diff)
	}
}

// TestDefaultColumns finds every column that the default rule names in its
// query, as something that the query makes: KQL itself is checked elsewhere.
func TestDefaultColumns(t *testing.T) {
	t.Parallel()
	r := Default()
	by := []string{"UserPrincipalName", "UserId", "AADTenantId", "IPAddress", "UserDisplayName", "UserType"}
	for _, use := range r.Columns() {
		if !slices.Contains(by, use.Column) && !strings.Contains(r.Query.Text, " "+use.Column+" = ") {
			t.Errorf("%s: the query makes no column %q", use.Use, use.Column)
		}
	}
	checkPlaces(t, string(defaultYAML), r.Columns())
	if strings.Contains(r.Query.Text, "ago(") {
		t.Error("the window comes with the request: ago() in the query would cut it again")
	}
}

func TestDefaultIsFresh(t *testing.T) {
	t.Parallel()
	Default().EntityMappings[0].FieldMappings[0].Column = "changed"
	if c := Default().EntityMappings[0].FieldMappings[0].Column; c != "UserPrincipalName" {
		t.Errorf("a changed copy changed the default: %q", c)
	}
}
