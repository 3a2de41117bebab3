package alert

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	p := NewPerson("alice@contoso.example", " 0a1b2c3d-0000-4000-8000-000000000001 ", "", "ALICE@contoso.example")
	if len(p.Names()) != 2 {
		t.Errorf("names %q", p.Names())
	}
	for text, want := range map[string]string{
		"alice@contoso.example":                            "[erased]",
		"Refused by Alice@Contoso.example.":                "Refused by [erased].",
		"“alice@contoso.example”, <alice@contoso.example>": "“[erased]”, <[erased]>",
		"id:0A1B2C3D-0000-4000-8000-000000000001":          "id:[erased]",
		"malice@contoso.example":                           "malice@contoso.example",
		"x.alice@contoso.example":                          "x.alice@contoso.example",
		"x-alice@contoso.example":                          "x-alice@contoso.example",
		"x+alice@contoso.example":                          "x+alice@contoso.example",
		"alice@contoso.example.evil":                       "alice@contoso.example.evil",
		"alice@contoso.examples alice@contoso.example":     "alice@contoso.examples [erased]",
		"alice@contoso.example. Then":                      "[erased]. Then",
		"alice":                                            "alice",
		"":                                                 "",
		"\xff alice@contoso.example \xff":                  "\xff [erased] \xff",
	} {
		if got := p.Redact(text); got != want || p.Named(text) != (got != text) {
			t.Errorf("Redact(%q) = %q, want %q", text, got, want)
		}
	}
	for value, want := range map[string]string{
		`{"a":["x alice@contoso.example",1.50,null],"alice@contoso.example":true}`: `{"[erased]":true,"a":["x [erased]",1.50,null]}`,
		`"al\u0069ce@contoso.example"`:                                             `"[erased]"`,
		`12345678901234567890`:                                                     `12345678901234567890`,
		`no JSON of alice@contoso.example`:                                         `no JSON of [erased]`,
	} {
		if got := string(p.RedactJSON([]byte(value))); got != want {
			t.Errorf("RedactJSON(%s) = %s, want %s", value, got, want)
		}
	}
	// Whatever a name holds is a text.
	if got := NewPerson(`.*(a|b)\E[`).Redact(`x .*(a|b)\E[ y ab`); got != "x [erased] y ab" {
		t.Errorf("%q", got)
	}
	if nobody := NewPerson("", "\xff", strings.Repeat("x", 1000)); nobody.Named("x") || nobody.Named("") || nobody.Redact("text") != "text" {
		t.Errorf("a person without a name is %q", nobody.Names())
	}
}

// fullAlert is an alert about accounts, with something in each part.
func fullAlert(accounts ...string) Alert {
	at := time.Date(2026, 3, 17, 9, 0, 0, 0, time.UTC)
	a := Alert{
		ID: "id", RuleID: "rule", RuleName: "Rule", RuleVersion: "1.0.0", Description: "what it is", Severity: Medium, Tactics: []string{"InitialAccess"},
		Window: Span{at, at.Add(time.Hour)}, Span: Span{at, at}, Created: at,
		Properties: []Property{{Name: "AlertLink", Value: "https://x/?u=" + accounts[0]}},
		Notes:      []string{"a note of " + accounts[0]},
		Updates:    &Reference{ID: "before", Title: "Refused by " + accounts[0], Created: at, Severity: Low, Identity: "i"},
		HeldBack:   &HeldBack{By: HeldBySilence, Silence: "pentest", Reason: "tests on " + accounts[0]},
		Context: &Context{
			RuleSeverity: Medium, Findings: []Finding{{Kind: FoundBombing, Text: accounts[0] + " was prompted 9 times"}}, Steps: []Step{{Severity: High, Kind: FoundBombing, Text: "9 prompts of " + accounts[0]}},
			New: []string{"203.0.113.7"}, Unavailable: []string{"nothing of " + accounts[0]}, Regulars: []Regulars{{Address: "203.0.113.7", Accounts: slices.Clone(accounts)}},
		},
	}
	var titles []string
	for i, account := range accounts {
		titles = append(titles, account)
		id := "0a1b2c3d-0000-4000-8000-00000000000" + string(rune('1'+i))
		a.Entities = append(a.Entities, Entity{Type: "Account", Fields: []Field{{"FullName", account}, {"AadUserId", id}}}, Entity{Type: "IP", Fields: []Field{{"Address", "203.0.113.7"}}})
		a.CustomDetails = append(a.CustomDetails, Detail{Name: "Who", Values: []string{account, id}})
		a.Activities = append(a.Activities, Activity{Fingerprint: NewFingerprint("rule", []Field{{"UPN", account}}), Span: Span{at, at}})
		value, _ := json.Marshal(account)
		a.Rows = append(a.Rows, Row{{"UserPrincipalName", value}, {"IP", []byte(`"203.0.113.7"`)}})
		a.Context.Sections = append(a.Context.Sections, Section{Title: "Identity", Subject: account, Facts: []Detail{{Name: "Title", Values: []string{"CFO"}}}})
		a.Context.Timeline = append(a.Context.Timeline, Moment{Time: at, Kind: MomentRejected, Text: account + " rejected"})
		a.Context.Usual = append(a.Context.Usual, Usual{Account: account, Addresses: []string{"192.0.2.1"}})
	}
	a.Title = "Refused by " + strings.Join(titles, " and ")
	return a
}

// TestErase erases a person from alerts: of one about nobody else nothing is left
// that was logged, and of one about others what is about them.
func TestErase(t *testing.T) {
	t.Parallel()
	given := NewPerson("ALICE@contoso.example")
	whole := fullAlert("alice@contoso.example")
	if diff := cmp.Diff([]string{"0a1b2c3d-0000-4000-8000-000000000001"}, given.Others(whole)); diff != "" {
		t.Errorf("other names (-want +got):\n%s", diff)
	}
	p := NewPerson(append([]string{"ALICE@contoso.example"}, given.Others(whole)...)...)
	text := func(a Alert) string {
		out, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}

	before := text(whole)
	alone := p.Erase(whole)
	if text(whole) != before {
		t.Error("the alert itself was changed")
	}
	if !p.In(whole) || p.In(alone) {
		t.Errorf("In = %v before, %v after", p.In(whole), p.In(alone))
	}
	for _, gone := range []string{"alice", "203.0.113.7", "192.0.2.1", "0a1b2c3d", "CFO", "what it is"} {
		if strings.Contains(strings.ToLower(text(alone)), gone) {
			t.Errorf("%q is left: %s", gone, text(alone))
		}
	}
	for name, same := range map[string]bool{
		"id": alone.ID == whole.ID, "rule": alone.RuleID == whole.RuleID && alone.RuleName == whole.RuleName, "severity": alone.Severity == whole.Severity,
		"times": alone.Created.Equal(whole.Created) && alone.Span == whole.Span && alone.Window == whole.Window, "fingerprints": cmp.Equal(alone.Activities, whole.Activities),
		"findings": alone.Context.Has(FoundBombing), "what holds it back": alone.HeldBack.By == HeldBySilence && alone.HeldBack.Silence == "pentest", "what it updates": alone.Updates.ID == "before" && alone.Updates.Identity == "i",
	} {
		if !same {
			t.Errorf("the %s is another: %s", name, text(alone))
		}
	}

	both := fullAlert("alice@contoso.example", "bob@contoso.example")
	rest := p.Erase(both)
	if p.In(rest) || strings.Contains(strings.ToLower(text(rest)), "alice") || strings.Contains(text(rest), "0a1b2c3d-0000-4000-8000-000000000001") {
		t.Errorf("alice is left: %s", text(rest))
	}
	if rest.Title != "Refused by [erased] and bob@contoso.example" || len(rest.Rows) != 1 || len(rest.Context.Sections) != 1 || len(rest.Context.Timeline) != 1 || len(rest.Context.Usual) != 1 ||
		!slices.ContainsFunc(rest.Entities, func(e Entity) bool { return slices.Contains(NamesOf(e), "bob@contoso.example") }) || len(rest.Activities) != 2 {
		t.Errorf("of bob there is: %s", text(rest))
	}
	if again := p.Erase(rest); text(again) != text(rest) {
		t.Errorf("erased again it is another:\n%s\n%s", text(rest), text(again))
	}
	if again := p.Erase(alone); p.In(again) {
		t.Errorf("%s", text(again))
	}
	if other := fullAlert("malice@contoso.example"); given.In(other) || text(given.Erase(other)) != text(other) {
		t.Errorf("somebody else was erased: %s", text(given.Erase(other)))
	}
}

// TestEraseCard erases a person from what a rule says in its own words, also where the
// name is encoded in an address.
func TestEraseCard(t *testing.T) {
	t.Parallel()
	p := NewPerson("alice@contoso.example")
	card := func() *Card {
		return &Card{Headline: "Refused by alice@contoso.example", Guidance: "Call the user.",
			Facts:   []CardFact{{Label: "User", Values: []string{"alice@contoso.example", "bob@contoso.example"}}},
			Buttons: []CardButton{{"Ticket", "https://h.example/?q=alice%40contoso.example"}, {"Other", "https://h.example/?q=malice%40contoso.example"}, {"Wiki", "https://h.example/"}}}
	}
	whole := Alert{ID: "a", Title: "T", Card: card()}
	got := p.Erase(whole)
	want := &Card{Headline: "Refused by [erased]", Guidance: "Call the user.", Facts: []CardFact{{Label: "User", Values: []string{"[erased]", "bob@contoso.example"}}},
		Buttons: []CardButton{{"Other", "https://h.example/?q=malice%40contoso.example"}, {"Wiki", "https://h.example/"}}}
	if diff := cmp.Diff(want, got.Card); diff != "" || p.In(got) {
		t.Errorf("In = %v (-want +got):\n%s", p.In(got), diff)
	}
	if diff := cmp.Diff(card(), whole.Card); diff != "" {
		t.Errorf("the alert itself was changed:\n%s", diff)
	}
	if only := (Alert{Card: &Card{Buttons: card().Buttons[:1]}}); !p.In(only) {
		t.Error("a name that is encoded in an address is not found")
	}
	whole.Entities = []Entity{{"Account", []Field{{"FullName", "alice@contoso.example"}}}}
	if diff := cmp.Diff(&Card{Guidance: "Call the user."}, p.Erase(whole).Card); diff != "" {
		t.Errorf("of an alert about nobody else (-want +got):\n%s", diff)
	}
}

// TestEraseSpelling pins that a severity or a kind that is spelt as a name stays.
func TestEraseSpelling(t *testing.T) {
	t.Parallel()
	a := fullAlert("bombing", "Medium")
	out, err := json.Marshal(NewPerson("bombing", "Medium", "silence").Erase(a))
	var back Alert
	if err == nil {
		err = json.Unmarshal(out, &back)
	}
	if err != nil || back.Severity != Medium || !back.Context.Has(FoundBombing) || back.HeldBack.By != HeldBySilence {
		t.Errorf("%v: %s", err, out)
	}
}
