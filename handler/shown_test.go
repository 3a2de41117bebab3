package main

import (
	"path/filepath"
	"strings"
	"testing"

	"pushback/detect/alert"
	"pushback/detect/notify/console"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/teams"
)

// bareRule is a rule whose alerts name nobody.
const bareRule = `id: 2b701288-b428-4fb8-805e-e4372c574789
name: Bare
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: Events_CL | project TimeGenerated, Thing, Empty = "", Count, a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, Ninth = "x"
eventGroupingSettings:
  aggregationKind: AlertPerResult
`

// An alert of a rule that maps nothing shows the first columns of its row, wherever
// it is shown, and what a row holds cannot act.
func TestAlertShowsItsRow(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"events.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","Thing":"a <b>thing</b>\u001b[2J","Count":42,"Type":"Events_CL"}` + "\n",
		"bare.yaml":     bareRule,
	})
	args := []string{"replay", "--logs", filepath.Join(dir, "events.ndjson"), "--rules", filepath.Join(dir, "bare.yaml")}
	alerts := handler(t, append(args, "--json")...).alerts(t)
	if len(alerts) != 1 || len(alerts[0].CustomDetails) > 0 {
		t.Fatalf("%d alerts, of which the first has details of its own: %v", len(alerts), alerts)
	}
	card, err := teams.Card(alerts[0], teams.Links{})
	if err != nil {
		t.Fatal(err)
	}
	for name, shown := range map[string]string{
		"the console": handler(t, append(args, "--details")...).stdout,
		"the table":   handler(t, append(args, "--full")...).stdout,
		"the card":    string(card),
		"the comment": sentinel.Comment(alerts[0], portal.Links{}),
	} {
		for _, want := range []string{"Thing", "Count", "42", "thing"} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s lacks %q: %s", name, want, shown)
			}
		}
		if strings.Contains(shown, "Ninth") || strings.Contains(shown, "Empty") || strings.Contains(shown, "TimeGenerated") || strings.Contains(shown, "\x1b") {
			t.Errorf("%s shows what it should not: %s", name, shown)
		}
	}
	if strings.Contains(sentinel.Comment(alerts[0], portal.Links{}), "<b>thing") {
		t.Error("the comment has the markup of a row")
	}

	// So does what names somebody and says no more. Details of the rule's own take their
	// place.
	for _, own := range []bool{false, true} {
		a := alerts[0]
		a.Entities = []alert.Entity{{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: "pc"}}}}
		if own {
			a.CustomDetails = []alert.Detail{{Name: "Own", Values: []string{"x"}}}
		}
		var out strings.Builder
		if err := console.New(&out, console.Style{Width: 100}).Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out.String(), "Thing") == own {
			t.Errorf("with details of its own %v: %s", own, out.String())
		}
	}
}
