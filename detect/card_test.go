package detect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

const inItsWords = `
pushback:
  card:
    headline: "{{Name}} said no {{Count}} times"
    facts: {Times: Count, Apps: Apps, From: IPs, Link: Link}
    buttons:
      Ticket: https://tickets.contoso.example/new?user={{Name}}@{{Suffix}}&n={{Count}}
      Addresses: https://tickets.contoso.example/search#{{IPs}}
      Wiki: https://wiki.contoso.example/
    guidance: |
      Call the user
      first.
`

func TestAlertHasACard(t *testing.T) {
	t.Parallel()
	got, run := alertsOf(t, parse(t, mapped+inItsWords+"eventGroupingSettings: {aggregationKind: AlertPerResult}\n"), rejections)
	if len(run.Warnings) > 0 || len(got) != 2 {
		t.Fatalf("%d alerts, warnings: %v", len(got), run.Warnings)
	}
	cards := []*alert.Card{got[0].Card, got[1].Card}
	if got[0].Card == nil || got[0].Entities[0].Fields[0].Value != "alice" {
		slices.Reverse(cards)
	}
	wiki := alert.CardButton{Title: "Wiki", URL: "https://wiki.contoso.example/"}
	want := []*alert.Card{
		{
			Headline: "alice said no 9007199254740993 times", Guidance: "Call the user first.",
			Facts: []alert.CardFact{{Label: "Times", Values: []string{"9007199254740993"}}, {Label: "Apps", Values: []string{"Teams", "Portal"}}, {Label: "From", Values: []string{"192.0.2.1", "2001:db8::1"}}},
			Buttons: []alert.CardButton{
				{Title: "Ticket", URL: "https://tickets.contoso.example/new?user=alice@contoso.example&n=9007199254740993"},
				{Title: "Addresses", URL: "https://tickets.contoso.example/search#192.0.2.1%2C2001%3Adb8%3A%3A1"}, wiki,
			},
		},
		{ // without a suffix there is no address for the ticket
			Headline: "bob said no 2 times", Guidance: "Call the user first.",
			Facts:   []alert.CardFact{{Label: "Times", Values: []string{"2"}}, {Label: "Apps", Values: []string{"Portal", "<b>"}}, {Label: "From", Values: []string{"192.0.2.1"}}, {Label: "Link", Values: []string{"https://contoso.example/b"}}},
			Buttons: []alert.CardButton{{Title: "Addresses", URL: "https://tickets.contoso.example/search#192.0.2.1"}, wiki},
		},
	}
	if diff := cmp.Diff(want, cards); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// It survives the ledger.
	for _, a := range got {
		raw, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var read alert.Alert
		if err := json.Unmarshal(raw, &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.Card, read.Card); diff != "" {
			t.Errorf("after the ledger (-want +got):\n%s", diff)
		}
	}
}

func TestCardOfManyRows(t *testing.T) {
	t.Parallel()
	table := workspace.Table{Columns: columns("User:string", "N:long", "Path:string")}
	for i := range 12 {
		table.Rows = append(table.Rows, []any{"", int64(i), "a"})
	}
	table.Rows[3][0] = "ana smith"
	table.Rows[4][0] = strings.Repeat("é", 500)
	got, _ := alertsOf(t, parse(t, `
pushback:
  card:
    headline: "{{User}} did {{N}}"
    facts: {N: N, User: User}
    buttons: {Path: "https://h.example/{{User}}/{{Path}}"}
`), table)
	if len(got) != 1 || got[0].Card == nil {
		t.Fatalf("%+v", got)
	}
	c := got[0].Card
	if want := "“ana smith” did 3"; c.Headline != want {
		t.Errorf("headline %q, want that of the first row that has the values: %q", c.Headline, want)
	}
	if n := c.Facts[0]; len(n.Values) != 10 || n.More != 2 || n.Values[9] != "9" {
		t.Errorf("%+v", n)
	}
	if v := c.Facts[1].Values; len(v) != 2 || v[0] != "ana smith" || len([]rune(v[1])) != 400 {
		t.Errorf("a long value: %q", v)
	}
	if diff := cmp.Diff([]alert.CardButton{{Title: "Path", URL: "https://h.example/ana%20smith/a"}}, c.Buttons); diff != "" {
		t.Error(diff)
	}
}

func TestCardFallsBack(t *testing.T) {
	t.Parallel()
	table := func(user string) workspace.Table {
		return workspace.Table{Columns: columns("User:string"), Rows: [][]any{{user}}}
	}
	const card = `
pushback:
  card:
    headline: "It was {{User}}"
    buttons: {Page: "https://h.example/{{User}}/x"}
`
	for _, tt := range []struct {
		name, yaml, user string
		card             *alert.Card
		notes            []string
	}{
		{"no value", card, "", nil, []string{"The headline is the alert's title: a column in the rule's headline has no value."}},
		{"a value that goes up", card, "..", &alert.Card{Headline: "It was .."}, []string{"The button “Page” is left out: a value in its path would lead to another path."}},
		{"a value that is long", card, strings.Repeat("a", 2500), &alert.Card{Headline: "It was " + strings.Repeat("a", 492) + "…"}, []string{"The button “Page” is left out: with the values in it its address is longer than 2000 bytes."}},
		{"no card", "", "ana", nil, nil},
		{"remediation alone", "pushback: {remediation: 'Call. Then write.'}", "ana", &alert.Card{Guidance: "Call. Then write."}, nil},
		{"long remediation", "pushback: {remediation: '" + strings.Repeat("b", 300) + "'}", "ana", &alert.Card{Guidance: strings.Repeat("b", 249) + "…"}, nil},
		{"remediation and guidance", "pushback: {remediation: 'Call. Then write.', card: {guidance: Call.}}", "ana", &alert.Card{Guidance: "Call."}, nil},
		{"remediation of the row", "pushback: {remediation: 'Call.'}\nalertDetailsOverride: {alertDynamicProperties: [{alertProperty: RemediationSteps, value: User}]}", "ana", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := alertsOf(t, parse(t, tt.yaml), table(tt.user))
			if len(got) != 1 {
				t.Fatalf("%d alerts", len(got))
			}
			if diff := cmp.Diff(tt.card, got[0].Card) + cmp.Diff(tt.notes, got[0].Notes); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}

	// A rule that is about there being no rows has what needs none.
	r := parse(t, strings.ReplaceAll(card, "{{User}}", "nobody")+"    facts: {User: User}\n")
	r.Trigger.Operator, r.Trigger.Threshold = 1, 1
	got, _ := alertsOf(t, r, workspace.Table{Columns: columns("User:string")})
	want := &alert.Card{Headline: "It was nobody", Buttons: []alert.CardButton{{Title: "Page", URL: "https://h.example/nobody/x"}}}
	if len(got) != 1 || cmp.Diff(want, got[0].Card) != "" {
		t.Errorf("without rows: %+v", got)
	}
}

// What names one of very many is not on the card of a storm.
func TestCardOfAStorm(t *testing.T) {
	t.Parallel()
	c := ofAll(parse(t, inItsWords).Card)
	if !c.Headline.IsZero() || len(c.Facts) > 0 || len(c.Buttons) != 1 || c.Buttons[0].Title != "Wiki" || c.Guidance == "" {
		t.Errorf("%+v", c)
	}
}
