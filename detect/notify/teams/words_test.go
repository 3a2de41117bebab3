package teams

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// inItsWords is an alert whose rule has a card.
func inItsWords() alert.Alert {
	return alert.Alert{
		ID: userID, RuleID: userID, RuleName: "Failed sign-ins", RuleVersion: "1.0", Title: "Failures of ana@contoso.example", Description: "Somebody fails to sign in.",
		Severity: alert.Medium, Span: sampleAlert().Span,
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "ana@contoso.example"}, {Identifier: "AadUserId", Value: userID}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.7"}}},
		},
		CustomDetails: []alert.Detail{{Name: "Applications", Values: []string{"Azure Portal"}}, {Name: "Codes", Values: []string{"50126"}}},
		Card: &alert.Card{
			Headline: "12 failures of ana@contoso.example in 5 minutes",
			Facts: []alert.CardFact{{Label: "Failures", Values: []string{"12"}}, {Label: "Successes", Values: []string{"0"}}, {Label: "Cities", Values: []string{"Sofia", "Rome", "3", "4", "5", "6", "7", "8", "9", "10"}, More: 5},
				{Label: "User", Values: []string{"ana@contoso.example"}}},
			Buttons:  []alert.CardButton{{Title: "Ticket", URL: "https://tickets.contoso.example/new?user=ana%40contoso.example"}, {Title: "CMDB", URL: "https://cmdb.contoso.example/"}},
			Guidance: "Call the user. If they did not do it, revoke the sessions.",
		},
	}
}

// What the rule says stands in the order of every card, and a card after a restart is the
// same.
func TestCardInTheRulesWords(t *testing.T) {
	t.Parallel()
	a := inItsWords()
	card, c := mustCard(t, a, Links{})
	open, hidden := split(t, c)
	const want = `MEDIUM
Failed sign-ins
12 failures of ana@contoso.example in 5 minutes
{{DATE(2026-03-17T01:28:06Z,SHORT)}} {{TIME(2026-03-17T01:28:06Z)}} – {{TIME(2026-03-17T01:29:40Z)}} your time · 2026-03-17 01:28:06–01:29:40 UTC
Somebody fails to sign in.
What to do first: Call the user. If they did not do it, revoke the sessions.
[User in Entra]
[Ticket] [CMDB]
Who
ana@contoso.example
From
203.0.113.7
How
Azure Portal
Why medium
Set by the rule
Failures
12
Successes
0
Cities
Sofia, Rome, 3, 4, 5, 6, 7, 8, 9, 10, and 5 more
User
ana@contoso.example
`
	const wantHidden = `Failures of ana@contoso.example
Codes
50126
`
	if diff := cmp.Diff(want, open); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(hidden, wantHidden) {
		t.Errorf("hidden:\n%s", hidden)
	}
	kept, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var read alert.Alert
	if err := json.Unmarshal(kept, &read); err != nil {
		t.Fatal(err)
	}
	if again, _ := mustCard(t, read, Links{}); string(again) != string(card) {
		t.Errorf("after a restart the card is another:\n%s\n%s", card, again)
	}
	if got := c["fallbackText"]; got != `Medium: 12 failures of ana@contoso.example in 5 minutes` {
		t.Errorf("fallback %q", got)
	}

	// That somebody got in is said first, and what the rule calls it below.
	a.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundInboxRule, Text: "a rule that moves all mail"}}}
	_, c = mustCard(t, a, Links{})
	if got := reading(c); !strings.HasPrefix(got, "MEDIUM · Failed sign-ins\nInbox rule or forwarding after an unapproved MFA prompt: ana from 203.0.113.7\n12 failures of ana@contoso.example in 5 minutes\n") {
		t.Errorf("it reads\n%s", got)
	}
	// So is what is new of an alert before. Prompts and lesser findings are not: the rule
	// says what it is about.
	a.Context.Findings[0].Kind = alert.FoundNewCountry
	a.CustomDetails = []alert.Detail{{Name: "Rejections", Values: []string{"3"}}}
	_, c = mustCard(t, a, Links{})
	if got := reading(c); !strings.HasPrefix(got, "MEDIUM\nFailed sign-ins\n12 failures of ana@contoso.example in 5 minutes\n") {
		t.Errorf("it reads\n%s", got)
	}
	a.Updates = &alert.Reference{ID: "1", Title: "T", Created: a.Span.Start, News: alert.FoundNewCountry}
	a.Context.Findings[0].Reason = "a new country"
	_, c = mustCard(t, a, Links{})
	if got := reading(c); !strings.HasPrefix(got, "MEDIUM · Failed sign-ins\nUpdate: a new country: ana\n12 failures of ana@contoso.example in 5 minutes\n") &&
		!strings.HasPrefix(got, "MEDIUM · Failed sign-ins\nUpdate: a new country: ana from 203.0.113.7\n12 failures of ana@contoso.example in 5 minutes\n") {
		t.Errorf("it reads\n%s", got)
	}
}

// Somebody else's rule that says nothing of its cards has a card that says whom it is
// about, and what its rows say beside that and the time.
func TestCardOfARuleWithoutWords(t *testing.T) {
	t.Parallel()
	cell := func(column, value string) alert.Cell {
		return alert.Cell{Column: column, Value: json.RawMessage(value)}
	}
	a := inItsWords()
	a.Card, a.Title, a.CustomDetails, a.Description = nil, a.RuleName, nil, ""
	a.Rows = []alert.Row{{cell("TenantId", `"t"`), cell("StartTime", `"2026-03-17T01:28:06Z"`), cell("UserPrincipalName", `"ana@contoso.example"`), cell("IPAddress", `"203.0.113.7"`),
		cell("AppDisplayName", `"Azure Portal"`), cell("Failures", "12"), cell("Nothing", "0"), cell("Codes", `["50126"]`), cell("_ResourceId", `"r"`)}}
	_, c := mustCard(t, a, Links{NoPortal: true})
	open, _ := split(t, c)
	const when = "{{DATE(2026-03-17T01:28:06Z,SHORT)}} {{TIME(2026-03-17T01:28:06Z)}} – {{TIME(2026-03-17T01:29:40Z)}} your time · 2026-03-17 01:28:06–01:29:40 UTC\n"
	if diff := cmp.Diff("MEDIUM\nFailed sign-ins: ana from 203.0.113.7\n"+when+"Who\nana@contoso.example\nFrom\n203.0.113.7\nHow\nAzure Portal\nWhy medium\nSet by the rule\nFailures\n12\nCodes\n50126\n", open); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a.Entities = nil
	_, c = mustCard(t, a, Links{NoPortal: true})
	open, _ = split(t, c)
	if diff := cmp.Diff("MEDIUM\nFailed sign-ins: ana@contoso.example, 203.0.113.7, “Azure Portal”\n"+when+"UserPrincipalName\nana@contoso.example\nIPAddress\n203.0.113.7\nAppDisplayName\nAzure Portal\nFailures\n12\nCodes\n50126\nWhy medium\nSet by the rule\n", open); diff != "" {
		t.Errorf("without entities (-want +got):\n%s", diff)
	}
	a.Entities = []alert.Entity{{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: "srv-01"}}}}
	if _, c = mustCard(t, a, Links{NoPortal: true}); !strings.HasPrefix(reading(c), "MEDIUM\nFailed sign-ins: srv-01\n") {
		t.Errorf("of a host:\n%s", reading(c))
	}
}

// A line of a digest has what the rule calls the alert, and who and from where only where
// that does not say so.
func TestDigestInTheRulesWords(t *testing.T) {
	t.Parallel()
	var alerts []alert.Alert
	for i, headline := range []string{"12 failures of ana@contoso.example", "13 failures from 203.0.113.7", "14 failures", "[x](https://evil.example) {{DATE(x)}}"} {
		a := inItsWords()
		a.ID = fmt.Sprint(i)
		a.Entities[0].Fields = []alert.Field{{Identifier: "FullName", Value: []string{"ana", "bo", "carl", "dora"}[i] + "@contoso.example"}}
		a.Card.Headline = headline
		alerts = append(alerts, a)
	}
	text, err := Digest(alerts)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	got := reading(c)
	for _, want := range []string{"\n203.0.113.7 · 12 failures of ana@contoso.example\n", "\nbo@contoso.example · 13 failures from 203.0.113.7\n", "\ncarl@contoso.example · 203.0.113.7 · 14 failures\n", `[x](https[://]evil.example) {\x7bDATE(x)}}`} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
	if problems := unsafe(text, c); len(problems) > 0 {
		t.Error(problems)
	}
}

// Eight facts of the longest values and three of the longest buttons are within what Teams
// takes, and no more than a card has are shown of what somebody wrote into the ledger.
func TestLargestCard(t *testing.T) {
	t.Parallel()
	for _, filler := range []string{"x", `"\`, "<&", "陳"} {
		a := inItsWords()
		a.Card.Facts, a.Card.Buttons = nil, nil
		for i := range 12 {
			values := make([]string, 12)
			for j := range values {
				values[j] = fmt.Sprint(i, j, strings.Repeat(filler, 400))
			}
			a.Card.Facts = append(a.Card.Facts, alert.CardFact{Label: fmt.Sprint("Label ", i), Values: values})
			query := "&"
			if filler == "x" {
				query = "x"
			}
			a.Card.Buttons = append(a.Card.Buttons, alert.CardButton{Title: fmt.Sprint("Button ", i), URL: "https://h.example/?" + strings.Repeat("a"+query, 990)})
		}
		text, c := mustCard(t, a, Links{})
		open := reading(c)
		if problems := unsafe(text, c); len(problems) > 0 || counted(t, text) > mostSize {
			t.Errorf("%q: %d as Teams counts, %q", filler, counted(t, text), problems)
		}
		if !strings.Contains(open, "What to do first: ") || strings.Contains(open, "Label 8") || strings.Contains(open, "Button 3") {
			t.Errorf("%q: it reads\n%.2000s", filler, open)
		}
		if filler == "x" && (!strings.Contains(open, "Label 7") || !strings.Contains(open, "[Button 0] [Button 1] [Button 2]")) {
			t.Errorf("it has no room for what a rule may have:\n%.2000s", open)
		}
	}
}
