package alerts_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/notify"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
)

// What each answer of the service, and each lack of one, says.
func TestSenderVerdicts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		set   func(w *world)
		want  notify.Error
		said  string
		rows  int // in the table
		clean bool
	}{
		{name: "taken", rows: 2, clean: true},
		{"the role is new", func(w *world) { w.ingestion.Assigned = noon.Add(-29 * time.Minute) }, notify.Error{Repeatable: true, Shut: true}, "Monitoring Metrics Publisher on the data collection rule dcr-", 0, false},
		{"another rule", func(w *world) { w.ingestion.Rule = "dcr-2" }, notify.Error{Repeatable: true, Shut: true}, "PUSHBACK_ALERTS_RULE", 0, false},
		{"another stream", func(w *world) { w.ingestion.Streams = map[string][]alerts.Column{"Custom-Other": alerts.Columns()} }, notify.Error{Repeatable: true, Shut: true}, "PUSHBACK_ALERTS_STREAM", 0, false},
		{"another token", func(w *world) { w.ingestion.Token = "x" }, notify.Error{Repeatable: true, Shut: true}, "PUSHBACK_CLOUD", 0, false},
		{"no token", func(w *world) { w.cred.err = errors.New("there is no token") }, notify.Error{Repeatable: true, Shut: true}, "there is no token", 0, false},
		{"nobody there", func(w *world) { w.server.Close() }, notify.Error{Repeatable: true, Shut: true}, "connection refused", 0, false},
		{"busy", fault(alertstest.Fault{Before: 429, RetryAfter: 90 * time.Second}), notify.Error{Repeatable: true, Shut: true, RetryAfter: 90 * time.Second}, "429", 0, false},
		{"busy, for how long it does not say", fault(alertstest.Fault{Before: 429}), notify.Error{Repeatable: true, Shut: true, RetryAfter: time.Minute}, "429", 0, false},
		{"too large", fault(alertstest.Fault{Before: 413}), notify.Error{Message: true}, "413", 0, false},
		{"malformed", fault(alertstest.Fault{Before: 400}), notify.Error{Message: true}, "400", 0, false},
		{"a gateway", fault(alertstest.Fault{Before: 502}), notify.Error{Repeatable: true, Unanswered: true}, "502", 0, false},
		{"broken", fault(alertstest.Fault{After: 500}), notify.Error{Repeatable: true, Unanswered: true}, "500", 2, false},
		{"cut before", fault(alertstest.Fault{Before: alertstest.Cut}), notify.Error{Repeatable: true, Unanswered: true}, "EOF", 0, false},
		{"cut after", fault(alertstest.Fault{After: alertstest.Cut}), notify.Error{Repeatable: true, Unanswered: true}, "EOF", 2, false},
		{"a redirect", fault(alertstest.Fault{Before: 307}), notify.Error{Repeatable: true, Shut: true}, "redirect", 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.set != nil {
				test.set(w)
			}
			s, err := alerts.NewSender(alerts.Ingestion{Endpoint: w.server.URL, Rule: collectionRule, Stream: alerts.Stream}, w.cred, w.options())
			if err != nil {
				t.Fatal(err)
			}
			err = s.Send(t.Context(), []alerts.Row{{AlertID: "1", TimeGenerated: noon}, {AlertID: "2", TimeGenerated: noon}})
			if n := len(w.ingestion.Records()); n != test.rows {
				t.Errorf("%d rows in the table, want %d", n, test.rows)
			}
			if test.clean {
				if err != nil || len(w.ingestion.Problems()) > 0 {
					t.Errorf("%v, %q", err, w.ingestion.Problems())
				}
				return
			}
			got := notify.Judge(err)
			if !strings.Contains(got.Err.Error(), test.said) || strings.Contains(got.Err.Error(), token) {
				t.Errorf("it says %v, want %q", got.Err, test.said)
			}
			got.Err = nil
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("it means (-want +got):\n%s", diff)
			}
			if calls, _ := w.ingestion.Calls(); calls > 1 {
				t.Errorf("%d calls", calls)
			}
		})
	}
}

func fault(f alertstest.Fault) func(*world) {
	return func(w *world) { w.ingestion.Fault = func(int) alertstest.Fault { return f } }
}

// A token is asked for of the cloud's own service.
func TestSenderAudience(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cloud cloud.Configuration
		want  string
	}{
		{cloud.AzurePublic, "https://monitor.azure.com//.default"},
		{cloud.AzureGovernment, "https://monitor.azure.us//.default"},
		{cloud.AzureChina, "https://monitor.azure.cn//.default"},
	} {
		w := newWorld(t)
		w.cloud = test.cloud
		if err := w.sender().Send(t.Context(), []alerts.Row{{TimeGenerated: noon}}); err != nil {
			t.Error(err)
		}
		if !slices.Equal(w.cred.scopes, []string{test.want}) {
			t.Errorf("asked for %q, want %s", w.cred.scopes, test.want)
		}
	}
}

// A call without rows is an array: anything else would be taken and stored by
// nobody.
func TestSenderWithoutRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.sender().Send(t.Context(), nil); err != nil || len(w.ingestion.Problems()) > 0 || len(w.ingestion.Records()) > 0 {
		t.Errorf("%v, %q, %d rows", err, w.ingestion.Problems(), len(w.ingestion.Records()))
	}
}
