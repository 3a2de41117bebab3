package page

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

var noon = time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)

func account(name string) alert.Entity {
	return alert.Entity{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: name}}}
}

func address(ip string) alert.Entity {
	return alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: ip}}}
}

// TestEntry has alerts of each kind in the list.
func TestEntry(t *testing.T) {
	t.Parallel()
	at := alert.Between(noon, noon.Add(time.Minute))
	for _, test := range []struct {
		name  string
		alert alert.Alert
		want  entry
	}{
		{"of the shipped rule", alert.Alert{ID: "a", RuleName: "R", Title: "T", Severity: alert.High, Span: at,
			Entities: []alert.Entity{account("Ana@contoso.example"), account("bo@contoso.example"), address("203.0.113.7"), address("203.0.113.8")},
			Context: &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundSuccessSameIP, Text: "“ana@contoso.example” signed in from the same address"},
				{Kind: alert.FoundMethodChanged, Text: "another"}}}},
			entry{ID: "a", Severity: "High", Time: noon, User: "ana@contoso.example", What: "User", Users: 1, Address: "203.0.113.7", Addresses: 1,
				Finding: "Signed in from the address of an unapproved MFA prompt", Whole: "Signed in from the same address", Findings: []string{"Signed in from the same address", "MFA methods changed"}, Rule: "R", Title: "T"}},
		{"at whose end the user is", alert.Alert{ID: "a", Severity: alert.Low, Created: noon, Entities: []alert.Entity{account("ana@contoso.example")},
			Context: &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundBombing, Text: "28 prompts within an hour at ana@contoso.example"}}}},
			entry{ID: "a", Severity: "Low", Time: noon, User: "ana@contoso.example", What: "User", Finding: "MFA fatigue attempt", Whole: "28 prompts within an hour", Findings: []string{"MFA fatigue"}}},
		{"an update that says what is new", alert.Alert{ID: "b", Span: at, Updates: &alert.Reference{ID: "a", News: alert.FoundMethodChanged}, Entities: []alert.Entity{account("ana@contoso.example")},
			Context: &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundSuccessSameIP, Text: "old"}, {Kind: alert.FoundMethodChanged, Text: "“ana@contoso.example” changed methods: “x”", Reason: "MFA methods changed 3 min after the first prompt"}}}},
			entry{ID: "b", Severity: "Informational", Time: noon, User: "ana@contoso.example", What: "User", Finding: "MFA methods changed 3 min after the first prompt", Whole: "Changed methods: “x”",
				Findings: []string{"Signed in from the same address", "MFA methods changed"}, Updates: "a"}},
		{"of another rule", alert.Alert{Title: "T", Span: at, Entities: []alert.Entity{account("ana@contoso.example")}, Context: &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundUnusual, Text: "unusual"}}}},
			entry{Severity: "Informational", Time: noon, User: "ana@contoso.example", What: "User", Finding: "Unusual", Findings: []string{"Unusual to UEBA"}, Title: "T"}},
		{"reported by the user", alert.Alert{Title: "T", Span: at, CustomDetails: []alert.Detail{{Name: alert.FraudReports, Values: []string{"2"}}}},
			entry{Severity: "Informational", Time: noon, User: "2", What: "Values", Finding: "MFA prompt reported as fraud", Whole: "Reported by the user", Findings: []string{"Reported by the user"}, Title: "T"}},
		{"without context", alert.Alert{Title: "T", Span: at, Entities: []alert.Entity{{Type: "CloudApp", Fields: []alert.Field{{Identifier: "Name", Value: "web01"}}}, {Type: "CloudApp", Fields: []alert.Field{{Identifier: "Name", Value: "db"}}}, {Type: "Host"}, {Type: "URL", Fields: []alert.Field{{Identifier: "Url", Value: "x"}}}}},
			entry{Severity: "Informational", Time: noon, User: "web01", What: "Cloud app", Users: 1, Finding: "T", Findings: []string{}, Title: "T"}},
		{"without entities", alert.Alert{Title: "T", Span: at, Rows: []alert.Row{{{Column: "Empty", Value: json.RawMessage(`""`)}, {Column: "At", Value: json.RawMessage(`"2026-03-17T12:00:00.5Z"`)}, {Column: "Name", Value: json.RawMessage(`"Backup"`)},
			{Column: "N", Value: json.RawMessage(`7`)}, {Column: "Result", Value: json.RawMessage(`"failed"`)}, {Column: "More", Value: json.RawMessage(`"x"`)}}}},
			entry{Severity: "Informational", Time: noon, User: "Backup, 7, failed", What: "Values", Finding: "T", Findings: []string{}, Title: "T"}},
		{"about an address", alert.Alert{Title: "T", Span: at, Entities: []alert.Entity{address("203.0.113.7")}, CustomDetails: []alert.Detail{{Name: "Job", Values: []string{"x"}}}},
			entry{Severity: "Informational", Time: noon, Address: "203.0.113.7", Finding: "T", Findings: []string{}, Title: "T"}},
		{"in the rule's words", alert.Alert{Title: "T", Span: at, Entities: []alert.Entity{account("ana@contoso.example")}, Context: &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundUnusual, Text: "unusual"}}}, Card: &alert.Card{Headline: "12 failures\u202e"}},
			entry{Severity: "Informational", Time: noon, User: "ana@contoso.example", What: "User", Finding: `12 failures\u202e`, Whole: "Unusual", Findings: []string{"Unusual to UEBA"}, Title: "T"}},
		{"with nothing", alert.Alert{}, entry{Severity: "Informational", Findings: []string{}}},
		{"an update and a storm", alert.Alert{ID: "b", Title: "T", Span: at, Updates: &alert.Reference{ID: "a"}, Storm: &alert.Storm{Alerts: 70}},
			entry{ID: "b", Severity: "Informational", Time: noon, Finding: "T", Findings: []string{}, Title: "T", Updates: "a", Storm: 70}},
		{"hostile", alert.Alert{ID: "i\u202ed", RuleName: "r\nr", Title: "a\x00b\u202e", Span: at, Entities: []alert.Entity{account("x\r\ny@z")}},
			entry{ID: `i\u202ed`, Severity: "Informational", Time: noon, User: "x y@z", What: "User", Finding: `a\x00b\u202e`, Findings: []string{}, Rule: "r r", Title: `a\x00b\u202e`}},
		{"too long", alert.Alert{Title: strings.Repeat("é", 2*mostShown), Span: at},
			entry{Severity: "Informational", Time: noon, Finding: strings.Repeat("é", mostShown) + "…", Findings: []string{}, Title: strings.Repeat("é", mostShown) + "…"}},
	} {
		if diff := cmp.Diff(test.want, entryOf(0, test.alert), cmpopts.IgnoreFields(entry{}, "Search")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// A search looks through all findings, entities and details.
func TestSearched(t *testing.T) {
	t.Parallel()
	e := entryOf(0, alert.Alert{Entities: []alert.Entity{account("ana@contoso.example"), address("203.0.113.7")}, Techniques: []string{"T1621"},
		CustomDetails: []alert.Detail{{Name: "Apps", Values: []string{"Teams", "Portal"}}},
		Context:       &alert.Context{Findings: []alert.Finding{{Text: "first"}, {Text: "second"}}}})
	for _, want := range []string{"ana@contoso.example", "203.0.113.7", "T1621", "Teams", "Portal", "first", "second"} {
		if !strings.Contains(e.Search, want) {
			t.Errorf("a search does not find %s in %q", want, e.Search)
		}
	}
}
