package alerts_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/alerts"
)

// What a rule says of its alerts in its own words comes out of Sentinel, safe and as long
// as its fields are.
func TestTheRulesWordsComeOut(t *testing.T) {
	t.Parallel()
	card := func() *alert.Card {
		return &alert.Card{Headline: "12 failures of \u202ealice\nHigh: forged", Guidance: "Call the user first.",
			Facts:   []alert.CardFact{{Label: "Failures", Values: []string{"12", "0"}, More: 3}, {Label: "App", Values: []string{"a\nb\x1b[31m"}}},
			Buttons: []alert.CardButton{{Title: "Runbook", URL: "https://h.example/new?user=alice%40contoso.example"}, {Title: "Not this", URL: "http://h.example/"}}}
	}
	for _, tt := range []struct {
		name  string
		alter func(*alert.Alert)
		steps string
		link  string
	}{
		{"guidance", func(*alert.Alert) {}, "Call the user first.", ""},
		{"and a runbook", func(a *alert.Alert) { a.Guidance = "https://contoso.example/runbook" }, "Call the user first.", "https://contoso.example/runbook"},
		{"and remediation", func(a *alert.Alert) {
			a.Properties = append(a.Properties, alert.Property{Name: "RemediationSteps", Value: "Call. Then write."})
		}, "Call. Then write.", ""},
		{"a runbook alone", func(a *alert.Alert) { a.Card.Guidance, a.Guidance = "", "https://contoso.example/runbook" }, "Follow https://contoso.example/runbook", "https://contoso.example/runbook"},
		{"long guidance", func(a *alert.Alert) { a.Card.Guidance = strings.Repeat("é", 250) }, strings.Repeat("é", 126) + "…", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sentinelRules()
			a := rejection("alice@contoso.example", noon)
			a.Guidance, a.Properties, a.Card = "", nil, card()
			tt.alter(&a)
			if err := w.start().Notify(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			w.pass(10 * time.Minute)
			out := w.sentinel.Alerts()
			if len(out) != 1 || len(w.sentinel.Problems())+len(w.ingestion.Problems()) > 0 {
				t.Fatalf("%d alerts, %q %q", len(out), w.sentinel.Problems(), w.ingestion.Problems())
			}
			got := out[0]
			if got.Steps != tt.steps || got.Link != tt.link {
				t.Errorf("steps %q, want %q; link %q, want %q", got.Steps, tt.steps, got.Link, tt.link)
			}
			for _, want := range []string{`12 failures of \u202ealice High: forged` + "\n", "\nFailures: 12, 0, and 3 more\n", "\n" + `App: a b\x1b[31m`} {
				if !strings.Contains(got.Description, want) {
					t.Errorf("the description lacks %q:\n%s", want, got.Description)
				}
			}
			if said := strings.Contains(got.Description, "\nWhat to do first: "); said != (a.Card.Guidance != "") {
				t.Errorf("the description is\n%s", got.Description)
			}
			var links []alerts.Link
			if err := json.Unmarshal(w.ingestion.Records()[0].Row["Links"], &links); err != nil {
				t.Fatal(err)
			}
			if last := links[len(links)-1]; last != (alerts.Link{Title: "Runbook", URL: "https://h.example/new?user=alice%40contoso.example"}) {
				t.Errorf("links %v", links)
			}
			var guidance string
			if err := json.Unmarshal(w.ingestion.Records()[0].Row["Guidance"], &guidance); err != nil || guidance != a.Guidance {
				t.Errorf("guidance %q, want the runbook of the rule %q: %v", guidance, a.Guidance, err)
			}
		})
	}
}
