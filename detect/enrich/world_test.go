package enrich

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/workspace"
)

var testNow = time.Date(2026, 3, 17, 11, 5, 0, 0, time.UTC)

type noCredential struct{}

func (noCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "local", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// localClient is the production client with our engine behind it. The workspace
// already holds what happens after the time of the test's tick, and has the table
// of non-interactive sign-ins.
func localClient(t testing.TB, tables ...*kql.Table) *workspace.Client {
	t.Helper()
	if !slices.ContainsFunc(tables, func(table *kql.Table) bool { return table.Name() == nonInteractive }) {
		tables = append(slices.Clip(tables), tableOf(t, nonInteractive))
	}
	return clientOf(t, tables...)
}

// clientOf is that of a workspace with these tables alone.
func clientOf(t testing.TB, tables ...*kql.Table) *workspace.Client {
	t.Helper()
	c, err := workspace.New("local", noCredential{}, workspace.Options{ClientOptions: azcore.ClientOptions{
		Transport: &service.Service{DB: kql.NewDatabase(tables...), Now: func() time.Time { return testNow.AddDate(0, 0, 7) }},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// record is a row of a log: columns and their values. Time is TimeGenerated, a
// time of the test's day or a whole one.
type record map[string]any

// tableOf makes a known table of records.
func tableOf(t testing.TB, name string, records ...record) *kql.Table {
	t.Helper()
	schema := kql.KnownTables()[name]
	if name == "SigninLogs" {
		schema = append(slices.Clip(schema), kql.ColumnSchema{Name: "SessionId", Type: kql.String})
	}
	b := kql.NewTableBuilder(name, schema)
	for _, r := range records {
		for i, c := range schema {
			v, ok := r[c.Name]
			switch {
			case !ok:
				continue
			case c.Type == kql.Dynamic:
				text, err := json.Marshal(v)
				if err != nil {
					t.Fatal(err)
				}
				b.SetJSON(i, text)
			case c.Type == kql.DateTime:
				b.SetTime(i, moment(v.(string)))
			case !b.SetText(i, fmt.Append(nil, v)):
				t.Fatalf("%s.%s cannot be %v", name, c.Name, v)
			}
		}
		b.Commit()
	}
	return b.Build()
}

// moment reads 10:04:00, a time of the test's day, or 2026-03-10T10:04:00Z.
func moment(text string) time.Time {
	if m, err := time.Parse(time.TimeOnly, text); err == nil {
		return time.Date(2026, 3, 17, m.Hour(), m.Minute(), m.Second(), 0, time.UTC)
	}
	m, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return m
}

const (
	aliceID = "00000000-0000-0000-0000-00000000a11c"
	badIP   = "203.0.113.9"
)

// signIn is a sign-in of alice, from the bad address if nothing else is said.
func signIn(at, result, details string, more record) record {
	r := record{"TimeGenerated": at, "UserPrincipalName": "Alice@contoso.example", "UserId": aliceID, "IPAddress": badIP,
		"ResultType": result, "CorrelationId": at, "AppDisplayName": "Portal", "Location": "NL", "AutonomousSystemNumber": 65550,
		"Status": record{"additionalDetails": details}}
	for k, v := range more {
		r[k] = v
	}
	return r
}

func rejected(at string, more record) record {
	return signIn(at, "500121", "MFA denied; user declined the authentication", more)
}
func unanswered(at string) record {
	return signIn(at, "500121", "MFA denied; user did not respond to mobile app notification", nil)
}
func success(at string, more record) record { return signIn(at, "0", "", more) }

// usually are sign-ins with a second factor on two days, which make where they are
// from known.
func usually(more record) []record {
	strong := record{"AuthenticationRequirement": "multiFactorAuthentication"}
	for k, v := range more {
		strong[k] = v
	}
	return []record{success("2026-03-11T09:00:00Z", strong), success("2026-03-12T09:00:00Z", strong)}
}

// allTables are tables of no records beside those that a test has.
func allTables(t testing.TB, with ...*kql.Table) []*kql.Table {
	for _, name := range []string{"SigninLogs", "IdentityInfo", "BehaviorAnalytics", "AuditLogs", "OfficeActivity", "AADUserRiskEvents", "AADNonInteractiveUserSignInLogs"} {
		if !slices.ContainsFunc(with, func(t *kql.Table) bool { return t.Name() == name }) {
			with = append(with, tableOf(t, name))
		}
	}
	return with
}

// changed is a change of a user.
func changed(at, operation, result, id string) record {
	return record{"TimeGenerated": at, "OperationName": operation, "Result": result, "TargetResources": []record{{"id": id, "userPrincipalName": id}}}
}

// pushback is the alert about alice rejecting a prompt at 10:00.
func pushback() alert.Alert {
	return alert.Alert{ID: "a", RuleID: "r", Title: "MFA rejected", Severity: alert.Medium,
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "alice@contoso.example"}, {Identifier: "AadUserId", Value: aliceID}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: badIP}}},
		},
		Window: alert.Span{Start: moment("10:00:00"), End: moment("11:00:00")},
		Span:   alert.Span{Start: moment("10:00:00"), End: moment("10:00:00")},
	}
}

// counting counts queries, and may fail some.
type counting struct {
	Querier
	texts []string
	fail  func(q workspace.Query) error
}

func (c *counting) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	c.texts = append(c.texts, q.Text)
	if c.fail != nil {
		if err := c.fail(q); err != nil {
			return nil, err
		}
	}
	return c.Querier.Query(ctx, q)
}
