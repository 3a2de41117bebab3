package detect

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/enrich"
	"pushback/detect/rhythm"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// noData is the transport of a workspace that holds no data: it answers every
// query with 204 and nothing else.
type noData struct {
	mu      *sync.Mutex
	queries *[]string
}

func (n noData) Do(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	*n.queries = append(*n.queries, r.URL.Path)
	n.mu.Unlock()
	return &http.Response{Request: r, StatusCode: http.StatusNoContent, Status: "204 No Content", Body: http.NoBody, Header: http.Header{}}, nil
}

type anyToken struct{}

func (anyToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// TestWorkspaceWithoutData ticks over a workspace that answers 204, through the
// real client: no rule fails, none is warned of columns that its result lacks, a
// rule that fires on nothing does, and its context is simply empty.
func TestWorkspaceWithoutData(t *testing.T) {
	t.Parallel()
	var queries []string
	client, err := workspace.New("00000000-0000-0000-0000-000000000001", anyToken{}, workspace.Options{ClientOptions: azcore.ClientOptions{Transport: noData{&sync.Mutex{}, &queries}}})
	if err != nil {
		t.Fatal(err)
	}
	silent := parse(t, `
entityMappings:
  - entityType: Account
    fieldMappings: [{identifier: Name, columnName: User}]
customDetails:
  Reasons: Reason
`)
	silent.ID, silent.Name, silent.Trigger = "silent", "Silent", rule.Trigger{Operator: rule.Equal}
	silent.QueryPeriod = 6 * silent.QueryFrequency // longer than the frequency, of rows without a time
	c := config()
	c.Enricher = enrich.New(enrich.DefaultConfig(), client)
	d := newDay(t, c, nil, rule.Default(), silent)
	if d.detector, err = New(d.config, d.rules, client, d.ledger, d.inbox); err != nil {
		t.Fatal(err)
	}
	d.run("09:30", "13:10")
	var warnings []string
	for _, r := range d.reports {
		for _, run := range r.Rules {
			warnings = append(warnings, run.Warnings...)
		}
	}
	if diff := cmp.Diff([]string(nil), warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if len(d.inbox.alerts) != 4 || len(queries) == 0 {
		t.Fatalf("%d alerts after %d queries, want one for each hour", len(d.inbox.alerts), len(queries))
	}
	for _, a := range d.inbox.alerts {
		if a.RuleID != "silent" || len(a.Entities)+len(a.Rows) > 0 || a.Context != nil && len(a.Context.Unavailable) > 0 || strings.Contains(strings.Join(a.Notes, " "), "column") {
			t.Errorf("alert %+v", a)
		}
	}

	// The rhythm of a table that nothing arrives in is that of silence.
	var r rhythm.Rhythm
	w := &watch{config: Config{Lateness: time.Hour}, querier: client}
	if err := w.ask(t.Context(), &r, "SigninLogs", clock("10:00")); err != nil || r.Missing || len(r.Hours) > 0 {
		t.Errorf("the rhythm %+v, %v", r, err)
	}
}
