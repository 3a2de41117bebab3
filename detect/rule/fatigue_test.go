package rule

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// TestShipped reads every rule that ships: none has so much as a warning, and no
// two have an id in common.
func TestShipped(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for i, r := range Shipped() {
		name := ShippedNames()[i]
		data, err := os.ReadFile(name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		read, problems := Parse(name+".yaml", data)
		if len(problems) > 0 {
			t.Errorf("%s has problems, if only warnings: %v", name, problems)
		}
		if diff := cmp.Diff(r, read, compareRules); diff != "" {
			t.Errorf("%s is not its file (-shipped +file):\n%s", name, diff)
		}
		if ids[r.ID] {
			t.Errorf("%s has an id that another has", name)
		}
		ids[r.ID] = true
		checkPlaces(t, string(data), r.Columns())
		if strings.Contains(r.Query.Text, "ago(") {
			t.Errorf("%s: the window comes with the request: ago() in the query would cut it again", name)
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".yaml"); ok && !IsTestFile(f.Name()) && !slices.Contains(ShippedNames(), name) {
			t.Errorf("%s does not ship", f.Name())
		}
	}
}

func TestFatigue(t *testing.T) {
	t.Parallel()
	r := shippedRule("mfa-fatigue")
	type facts struct {
		ID, Name          string
		Severity          alert.Severity
		Frequency, Period time.Duration
		Tactics           []string
		Techniques        []string
		Grouping          Grouping
		Account           EntityMapping
		Identity, Events  []string
	}
	want := facts{
		"713e18f1-bed5-4688-9efe-abe7fda0a40f", "MFA Fatigue", alert.High, time.Hour, 3 * time.Hour, []string{"CredentialAccess"}, []string{"T1621"}, AlertPerResult,
		Default().EntityMappings[0], []string{"User"}, []string{"Events"},
	}
	got := facts{r.ID, r.Name, r.Severity, r.QueryFrequency, r.QueryPeriod, r.Tactics, r.Techniques, r.Grouping, r.EntityMappings[0], r.IdentityColumns(), r.Events}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Default().Incident, r.Incident); diff != "" {
		t.Errorf("a story is not the same for both rules (-rejected +fatigue):\n%s", diff)
	}
}
