package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/ledger/azurite"
)

// processTables counts the tables of the tests in this package.
var processTables atomic.Int64

// ledgerTable is a table of a test's own in Azurite, as the test looks at it:
// not through what stands between it and the process.
type ledgerTable struct {
	t      testing.TB
	name   string
	ledger *ledger.Ledger
	client *aztables.Client
}

func newLedgerTable(t testing.TB) *ledgerTable {
	t.Helper()
	connection := azurite.Connection(azurite.Addr(t))
	name := fmt.Sprintf("process%d", processTables.Add(1))
	l, err := ledger.Open(ledger.Options{ConnectionString: connection, Table: name})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := l.Make(t.Context()); err != nil || !made {
		t.Fatalf("making table %s: %v, %v", name, made, err)
	}
	service, err := aztables.NewServiceClientFromConnectionString(connection, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &ledgerTable{t: t, name: name, ledger: l.Ledger, client: service.NewClient(name)}
}

// settings are those of a process that reaches the table at an address.
func (l *ledgerTable) settings(addr string) map[string]string {
	return map[string]string{"PUSHBACK_TABLE_CONNECTION": azurite.Connection(addr), "PUSHBACK_TABLE_NAME": l.name}
}

// outbox returns the ids of the alerts that are still owed.
func (l *ledgerTable) outbox(destinations ...string) map[string]bool {
	l.t.Helper()
	owed, err := l.ledger.Outbox(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, o := range owed {
		if len(destinations) == 0 || slices.Contains(destinations, o.Destination) {
			ids[o.Alert.ID] = true
		}
	}
	return ids
}

// endLeases lets the leases of all rules run out, as they do in the minutes that
// a test does not wait for. No process may hold one.
func (l *ledgerTable) endLeases() {
	l.t.Helper()
	ctx := l.t.Context()
	pager := l.client.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: to.Ptr("PartitionKey eq 'rules' and RowKey ge 'run:' and RowKey lt 'run;'")})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		var answer *azcore.ResponseError
		if errors.As(err, &answer) && answer.ErrorCode == string(aztables.TableNotFound) {
			return
		}
		if err != nil {
			l.t.Fatal(err)
		}
		for _, text := range page.Entities {
			var e map[string]any
			if err := json.Unmarshal(text, &e); err != nil {
				l.t.Fatal(err)
			}
			if e["Until"] == nil {
				continue
			}
			changed, err := json.Marshal(map[string]any{"PartitionKey": e["PartitionKey"], "RowKey": e["RowKey"], "Until": "2026-01-01T00:00:00Z", "Sum": "", "SumAll": ""})
			if err == nil {
				_, err = l.client.UpdateEntity(ctx, changed, &aztables.UpdateEntityOptions{UpdateMode: aztables.UpdateModeMerge})
			}
			if err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// downgrade makes of the ledger what the version before would have there: each rule's
// state is in its own partition, in the row that is its fence now.
func (l *ledgerTable) downgrade() {
	l.t.Helper()
	ctx := l.t.Context()
	put := func(e map[string]any) {
		l.t.Helper()
		text, err := json.Marshal(e)
		if err == nil {
			_, err = l.client.UpsertEntity(ctx, text, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
		}
		if err != nil {
			l.t.Fatal(err)
		}
	}
	page, err := l.client.NewListEntitiesPager(&aztables.ListEntitiesOptions{Filter: to.Ptr("PartitionKey eq 'rules' and RowKey ge 'run:' and RowKey lt 'run;'")}).NextPage(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, text := range page.Entities {
		var e struct{ RowKey, RuleID, State, Tally string }
		if err := json.Unmarshal(text, &e); err != nil {
			l.t.Fatal(err)
		}
		var state map[string]any
		if err := json.Unmarshal([]byte(e.State), &state); err != nil {
			l.t.Fatal(err)
		}
		partition := "rule:" + strings.TrimPrefix(e.RowKey, "run:")
		former := map[string]any{"PartitionKey": partition, "RowKey": "run", "RuleID": e.RuleID, "Format": 3, "Failures": 0, "First": state["first"], "Watermark": state["watermark"]}
		if state["lastSuccess"] != nil {
			former["LastSuccess"] = state["lastSuccess"]
		}
		if e.Tally != "" {
			former["Tally"] = e.Tally
		}
		if pending, err := json.Marshal(state["pending"]); err == nil && state["pending"] != nil {
			former["Pending"] = string(pending)
		}
		put(former)
		put(map[string]any{"PartitionKey": "rules", "RowKey": partition, "RuleID": e.RuleID})
		if _, err := l.client.DeleteEntity(ctx, "rules", e.RowKey, nil); err != nil {
			l.t.Fatal(err)
		}
	}
	if len(page.Entities) == 0 {
		l.t.Fatal("the ledger has no rules")
	}
	l.setFormat(3)
}

// rowKind finds the kinds of rows that a request to the table is about.
var rowKind = regexp.MustCompile(`RowKey(?:=|":| ge )(?:%27|\W)*([a-z]+)`)

// requestName says what a request to the table is for.
func requestName(r *http.Request) string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "unreadable"
	}
	uri, err := url.QueryUnescape(r.URL.RequestURI())
	if err != nil {
		return "unreadable"
	}
	verb := r.Method
	switch {
	case strings.HasSuffix(r.URL.Path, "/$batch"):
		verb = "transaction on"
	case strings.HasSuffix(r.URL.Path, "/Tables"):
		return verb + " table"
	case strings.HasSuffix(r.URL.Path, "()"):
		verb = "list"
	}
	var kinds []string
	for _, m := range rowKind.FindAllSubmatch(append([]byte(uri+"\n"), body...), -1) {
		kinds = append(kinds, string(m[1]))
	}
	slices.Sort(kinds)
	return verb + " " + strings.Join(slices.Compact(kinds), "+")
}

// alertLines reads the alerts in what a process wrote to stdout.
func alertLines(t testing.TB, stdout string) []logLine {
	t.Helper()
	var alerts []logLine
	for line := range strings.Lines(stdout) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
		if l.Msg == "alert" {
			alerts = append(alerts, l)
		}
	}
	return alerts
}

// eventsOf returns the events that alerts report, each with its rule.
func eventsOf(alerts []logLine) map[string]bool {
	events := map[string]bool{}
	for _, a := range alerts {
		for _, id := range a.Details["CorrelationIds"] {
			events[a.Rule+" "+id] = true
		}
	}
	return events
}

// checkNews expects each alert, which may be sent more than once, to report an
// event that no smaller one does. Else it says what was said before under
// another id.
func checkNews(t testing.TB, alerts []logLine) {
	t.Helper()
	byID := map[string]logLine{}
	for _, a := range alerts {
		if a.UpdateOf == "" { // an update says other things of the same events
			byID[a.ID] = a
		}
	}
	var once []logLine
	for _, a := range byID {
		once = append(once, a)
	}
	size := func(a logLine) int { return len(a.Details["CorrelationIds"]) }
	slices.SortFunc(once, func(a, b logLine) int {
		if c := size(a) - size(b); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	reported := map[string]bool{}
	for _, a := range once {
		before := len(reported)
		for e := range eventsOf([]logLine{a}) {
			reported[e] = true
		}
		if len(reported) == before && size(a) < mostLogValues { // of a larger one the line is cut
			t.Errorf("alert %s says nothing new", a.ID)
		}
	}
}

// owe puts an alert for the log into the outbox.
func (l *ledgerTable) owe(title string, minute int) alert.Alert {
	l.t.Helper()
	activities := []alert.Activity{{Fingerprint: alert.Fingerprint(title), Span: alert.Span{Start: at(10, minute), End: at(10, minute)}}}
	a := alert.Alert{
		ID: alert.NewID("some-rule", activities), RuleID: "some-rule", RuleName: title, Title: title, Severity: alert.High,
		Span: activities[0].Span, Activities: activities, Created: at(11, minute),
	}
	state := ledger.State{First: at(11, 0), Watermark: at(11, minute)}
	if err := l.ledger.Record(l.t.Context(), ledger.Entry{RuleID: a.RuleID, State: state, Alerts: []alert.Alert{a}, Destinations: []string{"log"}}); err != nil {
		l.t.Fatal(err)
	}
	return a
}

// isAlertLine reports whether a write to stdout has an alert in it.
func isAlertLine(p []byte) bool { return bytes.Contains(p, []byte(`"msg":"alert"`)) }
