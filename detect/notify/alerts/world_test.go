package alerts_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
	"pushback/detect/notify/portal"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

var noon = time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)

const (
	collectionRule = "dcr-00000000000000000000000000000001"
	token          = "the-token"
)

// credential gives one token, and keeps what it was asked for.
type credential struct {
	mu     sync.Mutex
	scopes []string
	err    error
}

func (c *credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = append(c.scopes, o.Scopes...)
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// world is a workspace with Sentinel, its clock, and a ledger.
type world struct {
	t         testing.TB
	mu        sync.Mutex
	now       time.Time
	ingestion *alertstest.Server
	sentinel  *alertstest.Sentinel
	server    *httptest.Server
	cred      *credential
	cloud     cloud.Configuration
	notes     alerts.Notes
	rules     []*rule.Rule
	links     portal.Links
	// dark has the workspace answer no query, and bare has it lack what Sentinel
	// makes.
	dark error
	bare bool
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: noon, cred: &credential{}, cloud: cloud.AzurePublic, rules: rule.Shipped(), links: portal.Links{Portal: portal.Defender, Table: alerts.Table, Build: "v1"}}
	w.ingestion = &alertstest.Server{Rule: collectionRule, Streams: map[string][]alerts.Column{alerts.Stream: alerts.Columns()}, Token: token, Now: w.clock}
	w.sentinel = &alertstest.Sentinel{Ingestion: w.ingestion, Columns: alerts.Columns()}
	w.server = httptest.NewUnstartedServer(w.ingestion)
	w.server.Config.ErrorLog = log.New(io.Discard, "", 0) // cut connections
	w.server.StartTLS()
	t.Cleanup(w.server.Close)
	w.notes = ledger.NewMemory()
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// pass lets time pass, in which the analytics rules run every five minutes.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	for range d / alerts.Every {
		w.advance(alerts.Every)
		if err := w.sentinel.Run(w.t.Context(), w.clock()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) options() azcore.ClientOptions {
	return azcore.ClientOptions{Cloud: w.cloud, Transport: &http.Client{Transport: w.server.Client().Transport}}
}

func (w *world) sender() alerts.Sender {
	w.t.Helper()
	s, err := alerts.NewSender(alerts.Ingestion{Endpoint: w.server.URL, Rule: collectionRule, Stream: alerts.Stream}, w.cred, w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// start starts a process.
func (w *world) start() *alerts.Destination {
	w.t.Helper()
	return alerts.New(w.sender(), w, w.notes, alerts.Options{Rules: w.rules, Links: w.links, Now: w.clock})
}

// Query answers a query over the tables as they are now.
func (w *world) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	if w.dark != nil {
		return nil, w.dark
	}
	tables := []*kql.Table{w.ingestion.Table(alerts.Columns(), w.clock())}
	if !w.bare {
		tables = append(tables, w.sentinel.Tables()...)
	}
	s := &service.Service{DB: kql.NewDatabase(tables...), Now: w.clock}
	c, err := workspace.New("11111111-2222-3333-4444-555555555555", w.cred, workspace.Options{ClientOptions: azcore.ClientOptions{Transport: s}})
	if err != nil {
		return nil, err
	}
	return c.Query(ctx, q)
}

// rejection is an alert about prompts that a user refused.
func rejection(user string, at time.Time) alert.Alert {
	r := rule.Default()
	a := alert.Alert{
		RuleID: r.ID, RuleName: r.Name, RuleVersion: r.Version, Title: "MFA rejected by " + user, Description: "A user rejected a prompt.",
		Severity: alert.Medium, Tactics: []string{"InitialAccess"}, Techniques: []string{"T1078.004"}, Guidance: "https://contoso.example/runbook",
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: user}, {Identifier: "AadUserId", Value: "00000000-0000-0000-0000-000000000001"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.9"}}},
		},
		CustomDetails: []alert.Detail{{Name: "Rejections", Values: []string{"3"}}, {Name: "Apps", Values: []string{"Office", "Azure Portal"}}},
		Span:          alert.Span{Start: at.Add(-time.Minute), End: at}, Created: at,
	}
	a.Activities = []alert.Activity{{Fingerprint: alert.NewFingerprint(r.ID, []alert.Field{{Identifier: "FullName", Value: user}}), Span: a.Span}}
	a.ID = alert.NewID(r.ID, a.Activities)
	return a
}

func many(n int, at time.Time) (list []alert.Alert) {
	for i := range n {
		list = append(list, rejection(fmt.Sprintf("user%d@contoso.example", i), at))
	}
	return list
}
