package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/teams"
)

// cardLines returns what of a card somebody sees before they ask for the details,
// a line for each line: its texts and the titles of its buttons.
func cardLines(element any) (lines []string) {
	switch e := element.(type) {
	case []any:
		for _, child := range e {
			lines = append(lines, cardLines(child)...)
		}
	case map[string]any:
		switch {
		case e["isVisible"] == false:
		case e["type"] == "TextBlock":
			lines = append(lines, fmt.Sprint(e["text"]))
		case e["type"] == "RichTextBlock":
			line := ""
			for _, run := range e["inlines"].([]any) {
				line += fmt.Sprint(run.(map[string]any)["text"])
			}
			lines = append(lines, line)
		case e["type"] == "ActionSet":
			for _, a := range e["actions"].([]any) {
				lines = append(lines, fmt.Sprint(a.(map[string]any)["title"]))
			}
		default:
			lines = slices.Concat(cardLines(e["items"]), cardLines(e["columns"]), cardLines(e["body"]))
		}
	}
	return lines
}

// demoCards are the cards of the alerts of demo --seed 1, with all their buttons.
func demoCards(t *testing.T) ([]alert.Alert, []json.RawMessage) {
	t.Helper()
	alerts := handler(t, "demo", "--seed", "1", "--json").alerts(t)
	if len(alerts) < 20 {
		t.Fatalf("%d alerts", len(alerts))
	}
	links := teams.Links{Portal: portal.Azure, WorkspaceResourceID: "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs", Build: "v1.2.3"}
	var cards []json.RawMessage
	for i := range alerts {
		alerts[i].IncidentURL, alerts[i].IncidentNumber = "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident/x", "4711"
		card, err := teams.Card(alerts[i], links)
		if err != nil {
			t.Fatal(err)
		}
		cards = append(cards, card)
	}
	return alerts, cards
}

// A card is read within seconds: it is short, does not say the user's name again
// and again, and says nothing that is empty.
func TestCardsAreShort(t *testing.T) {
	t.Parallel()
	alerts, cards := demoCards(t)
	var words []int
	for i, text := range cards {
		var card map[string]any
		if err := json.Unmarshal(text, &card); err != nil {
			t.Fatal(err)
		}
		lines := cardLines(card)
		all := strings.Join(lines, "\n")
		n := len(strings.Fields(all))
		words = append(words, n)
		if n > 150 {
			t.Errorf("%s has %d words:\n%s", alerts[i].Title, n, all)
		}
		_, name := alerts[i].Entities[0].Account()
		local, _, _ := strings.Cut(name, "@")
		if n := strings.Count(strings.ToLower(all), local); n < 1 || n > 3 {
			t.Errorf("%s names the user %d times:\n%s", alerts[i].Title, n, all)
		}
		if findings := strings.Count(all, "\n• "); findings < 1 || findings > 4 {
			t.Errorf("%s has %d findings:\n%s", alerts[i].Title, findings, all)
		}
		// The order, and no more of the timeline than five lines.
		at := -1
		for _, want := range []string{alerts[i].RuleName, "your time", "• ", "Incident 4711", "Sign-ins in Logs", "User in Entra", "Runbook", "Who", "From", "How", "Why ", "Timeline (UTC)", "Show details"} {
			next := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, want) })
			if next < at || next < 0 {
				t.Errorf("%s: %s is not there, or not behind what it should be:\n%s", alerts[i].Title, want, all)
			}
			at = next
		}
		if n := len(lines) - 2 - slices.Index(lines, "Timeline (UTC)"); n < 1 || n > 5 {
			t.Errorf("%s has a timeline of %d lines:\n%s", alerts[i].Title, n, all)
		}
		seen := map[string]bool{}
		for _, line := range lines {
			if seen[line] || strings.TrimSpace(line) == "" || strings.EqualFold(line, "none") || line == "0" {
				t.Errorf("%s says %q in vain:\n%s", alerts[i].Title, line, all)
			}
			seen[line] = true
		}
	}
	slices.Sort(words)
	if median := words[len(words)/2]; median > 110 {
		t.Errorf("half of the cards have %d words or more: %v", median, words)
	}
}

// cardPage draws a card with the official renderer.
const cardPage = `<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>body { margin: 12px; font: 14px sans-serif; overflow-wrap: anywhere } #card { max-width: 760px } .ac-actionSet > div { flex-wrap: wrap }</style></head>
<body><div id="card"></div><script src="/renderer.js"></script><script>
AdaptiveCards.AdaptiveCard.onProcessMarkdown = () => {};
function show(source) {
  const card = new AdaptiveCards.AdaptiveCard();
  card.hostConfig = new AdaptiveCards.HostConfig({ actions: { maxActions: 6, actionsOrientation: 'horizontal', actionAlignment: 'left' } });
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  card.parse(source, context);
  document.getElementById('card').replaceChildren(card.render());
  const events = card.validateProperties().validationEvents.map(e => e.message);
  for (let i = 0; i < context.eventCount; i++) events.push(context.getEventAt(i).message);
  const buttons = [...document.querySelectorAll('button')].filter(b => b.textContent !== 'Show details');
  const toggle = [...document.querySelectorAll('button')].find(b => b.textContent === 'Show details');
  const height = () => document.getElementById('card').offsetHeight;
  const closed = height();
  const heading = document.querySelector('[role=heading]');
  toggle.click();
  const open = height();
  toggle.click();
  return { events, bottom: Math.max(0, ...buttons.map(b => b.getBoundingClientRect().bottom)), buttons: buttons.length, closed, open, again: height(), heading: heading ? heading.textContent : '' };
}
</script></body></html>`

// The buttons of a card are on the first screen of a desktop and of a phone, and
// the button for the details shows and hides them.
func TestButtonsAboveTheFold(t *testing.T) {
	t.Parallel()
	renderer, err := os.ReadFile(filepath.FromSlash("../.ci/node_modules/adaptivecards/dist/adaptivecards.js"))
	if err != nil {
		t.Skip("the official renderer is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/renderer.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(renderer)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(cardPage))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	alerts, cards := demoCards(t)
	ctx := browser(t)
	for _, screen := range []struct{ width, height int64 }{{1440, 900}, {390, 844}} {
		if err := chromedp.Run(ctx, chromedp.EmulateViewport(screen.width, screen.height), chromedp.Navigate(server.URL)); err != nil {
			t.Fatal(err)
		}
		for i, card := range cards {
			var got struct {
				Events              []string
				Bottom              float64
				Buttons             int
				Closed, Open, Again float64
				Heading             string
			}
			if err := chromedp.Run(ctx, chromedp.Evaluate("show("+string(card)+")", &got)); err != nil {
				t.Fatal(err)
			}
			if len(got.Events) > 0 {
				t.Errorf("%s: the renderer complains of %q", alerts[i].Title, got.Events)
			}
			if got.Buttons < 4 || got.Bottom > float64(screen.height) {
				t.Errorf("%s at %dx%d: %d buttons end at %.0f", alerts[i].Title, screen.width, screen.height, got.Buttons, got.Bottom)
			}
			if got.Open < got.Closed+100 || got.Again != got.Closed {
				t.Errorf("%s: it is %.0f high, %.0f with its details and %.0f again without", alerts[i].Title, got.Closed, got.Open, got.Again)
			}
			if got.Heading == "" {
				t.Errorf("%s has no heading", alerts[i].Title)
			}
		}
	}
}
