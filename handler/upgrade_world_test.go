package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/detect/sample"
	"pushback/detect/workspace"
)

// refusedPrompt is a refused prompt in SigninLogs.
type refusedPrompt struct {
	at                                                   time.Time
	received                                             time.Time // the same as at if it is not set
	user, address, id, correlation, session, application string
}

// records writes refusals as lines of SigninLogs.
func records(t testing.TB, refusals ...refusedPrompt) []byte {
	t.Helper()
	var b bytes.Buffer
	for _, r := range refusals {
		received := r.received
		if received.IsZero() {
			received = r.at
		}
		line, err := json.Marshal(map[string]any{
			"TimeGenerated": r.at, "_TimeReceived": received, "Id": r.id, "CorrelationId": r.correlation, "SessionId": r.session,
			"UserPrincipalName": r.user + "@contoso.example", "UserId": r.user, "AADTenantId": "tenant", "IPAddress": r.address,
			"AppDisplayName": r.application, "ResultType": "500121",
			"Status": map[string]any{"errorCode": 500121, "additionalDetails": "MFA denied; user declined the authentication"},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.Bytes()
}

// workspaceOf is the production client with the engine behind it, over
// refusals that are there at a time.
func workspaceOf(t testing.TB, now *time.Time, refusals ...refusedPrompt) *workspace.Client {
	t.Helper()
	r := logs.NewReader(logs.Options{})
	if err := r.File(t.Context(), "SigninLogs.json", bytes.NewReader(records(t, refusals...))); err != nil {
		t.Fatal(err)
	}
	l, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	c, err := workspace.New("local", localCredential{}, workspace.Options{ClientOptions: azcore.ClientOptions{
		Transport: &service.Service{DB: kql.NewDatabase(l.Table("SigninLogs")), Now: func() time.Time { return *now }},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// otherRules have identities and events that the shipped rule does not.
const otherRules = `
id: 11111111-1111-4111-8111-111111111111
name: Applications
kind: Scheduled
severity: Medium
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: |
  SigninLogs
  | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Applications = make_set(AppDisplayName), Ids = make_set(Id)
      by UserPrincipalName, IPAddress
entityMappings:
  - entityType: IP
    fieldMappings: [{identifier: Address, columnName: IPAddress}]
pushback:
  identity: [UserPrincipalName, IPAddress, Applications]
%s
`

func upgradeRules(t testing.TB) []*rule.Rule {
	t.Helper()
	rules := []*rule.Rule{rule.Default()}
	for _, more := range []string{"", "  events: [Ids]"} {
		text := fmt.Sprintf(otherRules, more)
		if more != "" {
			text = string(bytes.ReplaceAll([]byte(text), []byte("8111-111111111111"), []byte("8111-222222222222")))
		}
		r, problems := rule.Parse("other.yaml", []byte(text))
		if r == nil {
			t.Fatal(problems)
		}
		rules = append(rules, r)
	}
	return rules
}

// refusalsBefore are those that were reported before the upgrade.
func refusalsBefore() []refusedPrompt {
	day := sample.DefaultDay
	at := func(minute int) time.Time { return day.Add(9*time.Hour + time.Duration(minute)*time.Minute) }
	list := []refusedPrompt{
		{at: at(10), user: "alice", address: "203.0.113.7", id: "a1", correlation: "c1", session: "s1", application: "Portal"},
		{at: at(11), user: "alice", address: "203.0.113.7", id: "a2", correlation: "c1", session: "s1", application: "Mail"},
		{at: at(15), user: "bob", address: "2600:0:0:0:0:0:0:1", id: "b1", correlation: "c2", session: "s2", application: "Portal"},
		{at: at(25), user: "bob", address: "2600::1", id: "b2", correlation: "c3", session: "s3", application: "Portal"},
		{at: at(30), user: "dave", address: "203.0.113.8:5000", id: "d1", session: "s4", application: "Portal"},
		{at: at(31), user: "dave", address: "203.0.113.8:5001", id: "d2", correlation: "c4", session: "s5", application: "a\nb"},
		{at: at(35), user: "erin", address: "203.0.113.10", session: "s6"},
	}
	for i := range 10 {
		list = append(list, refusedPrompt{at: at(40 + i), user: "carol", address: "::ffff:203.0.113.9", id: fmt.Sprint("k", i), correlation: "c9", session: fmt.Sprint("t", i), application: "Portal"})
	}
	return list
}

// box is a destination that takes alerts, or none.
type box struct {
	closed bool
	alerts []alert.Alert
}

func (*box) Name() string { return "box" }

func (b *box) Notify(_ context.Context, a alert.Alert) error {
	if b.closed {
		return errors.New("it is closed")
	}
	b.alerts = append(b.alerts, a)
	return nil
}

// tickOnce runs the rules over what the workspace holds at a time.
func tickOnce(t testing.TB, l *ledger.Ledger, to *box, now time.Time, refusals ...refusedPrompt) detect.Report {
	t.Helper()
	d, err := detect.New(detect.Config{Delay: 5 * time.Minute, Lateness: 3 * time.Hour}, upgradeRules(t), workspaceOf(t, &now, refusals...), l, to)
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.Tick(t.Context(), now)
	if err != nil && !to.closed {
		t.Fatal(err)
	}
	return report
}
