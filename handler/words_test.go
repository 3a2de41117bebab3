package main

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/sentinel"
	"pushback/handler/page"
)

// wordsRule is a rule that says in its own words what its alerts are about.
const wordsRule = failuresRule + `pushback:
  card:
    headline: "{{Count}} failures of {{UserPrincipalName}} from {{IPAddress}}"
    facts:
      Failures: Count
      Error codes: Codes
      First at: StartTime
    buttons:
      Ticket: https://tickets.contoso.example/new?title=Failures%20of%20{{UserPrincipalName}}&ip={{IPAddress}}
      Codes: https://wiki.contoso.example/codes/{{Codes}}
    guidance: Call the user on a number that you know. If they did not do it, revoke the sessions.
`

// hostileUser is somebody who chose a name to be read as more than a name.
const hostileUser = "eve\u202e[x](https://evil.example)/../&admin=1"

// replayedWords runs that rule over the failures of two users.
func replayedWords(t *testing.T) (alerts []alert.Alert, details string) {
	t.Helper()
	var logs strings.Builder
	for _, user := range []string{"ana@contoso.example", hostileUser} {
		for _, at := range []string{"09:10", "09:20"} {
			line, err := json.Marshal(map[string]string{"Type": "SigninLogs", "TimeGenerated": "2026-03-17T" + at + ":00Z", "UserPrincipalName": user, "IPAddress": "203.0.113.7", "ResultType": "50126"})
			if err != nil {
				t.Fatal(err)
			}
			logs.WriteString(string(line) + "\n")
		}
	}
	dir := folder(t, map[string]string{"words.yaml": wordsRule, "signins.ndjson": logs.String()})
	args := []string{"replay", "--logs", filepath.Join(dir, "signins.ndjson"), "--rules", filepath.Join(dir, "words.yaml")}
	alerts = handler(t, append(args, "--json")...).alerts(t)
	slices.SortFunc(alerts, func(a, b alert.Alert) int { return strings.Compare(a.Headline(), b.Headline()) })
	if len(alerts) != 2 {
		t.Fatalf("%d alerts", len(alerts))
	}
	return alerts, handler(t, append(args, "--details")...).stdout
}

// What a rule says in its own words is on the card, on the console and in the comment, and
// a value of a log is never more than a value.
func TestRuleInItsWords(t *testing.T) {
	t.Parallel()
	alerts, details := replayedWords(t)
	const ticket = "https://tickets.contoso.example/new?title=Failures%20of%20ana%40contoso.example&ip=203.0.113.7"
	const hostileTicket = "https://tickets.contoso.example/new?title=Failures%20of%20eve%E2%80%AE%5Bx%5D%28https%3A%2F%2Fevil.example%29%2F..%2F%26admin%3D1&ip=203.0.113.7"
	for i, want := range []string{ticket, hostileTicket} {
		text, err := json.Marshal(alerts[i])
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "alert.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		r := handler(t, "card", "--alert", file)
		var card map[string]any
		if err := json.Unmarshal([]byte(r.stdout), &card); err != nil {
			t.Fatalf("%v: %s", err, r.stderr)
		}
		lines := cardLines(card["body"])
		at := -1
		for _, line := range []string{"Failures", "2 failures of ", "your time", "What to do first: Call the user on a number that you know. If they did not do it, revoke the sessions.", "Ticket", "Codes", "Who", "From", "Why low", "Failures", "2", "Error codes", "50126", "First at", "2026-03-17 09:10:00 UTC"} {
			next := at + 1 + slices.IndexFunc(lines[at+1:], func(l string) bool { return strings.Contains(l, line) })
			if next <= at {
				t.Fatalf("%s is not there, or not behind what it should be:\n%s", line, strings.Join(lines, "\n"))
			}
			at = next
		}
		if urls := cardURLs(card); !slices.Contains(urls, want) {
			t.Errorf("the card leads to %q, want %s", urls, want)
		}
		comment := sentinel.Comment(alerts[i], portal.Links{NoPortal: true})
		for _, want := range []string{`<a href="` + strings.ReplaceAll(want, "&", "&amp;") + `"`, "What to do first: Call", "&bull; Error codes: 50126"} {
			if !strings.Contains(comment, want) {
				t.Errorf("the comment lacks %s:\n%s", want, comment)
			}
		}
		if !strings.Contains(strings.Join(strings.Fields(details), ""), want) { // which are wrapped
			t.Errorf("the console lacks %s:\n%s", want, details)
		}
	}
	if strings.Contains(details, "\u202e") {
		t.Errorf("the console obeys a name: %q", details)
	}
}

// cardURLs lists where the buttons of a card lead.
func cardURLs(element any) (urls []string) {
	switch e := element.(type) {
	case []any:
		for _, child := range e {
			urls = append(urls, cardURLs(child)...)
		}
	case map[string]any:
		if u, ok := e["url"].(string); ok {
			urls = append(urls, u)
		}
		urls = slices.Concat(urls, cardURLs(e["body"]), cardURLs(e["items"]), cardURLs(e["actions"]))
	}
	return urls
}

// A column that the card names is looked for in the query's result.
func TestLintOfACard(t *testing.T) {
	t.Parallel()
	wrong := strings.NewReplacer("{{Count}} failures", "{{Cont}} failures", "Error codes: Codes", "Error codes: Code", "&ip={{IPAddress}}", "&ip={{IP}}").Replace(wordsRule)
	r := linted(t, map[string]string{"a.yaml": wrong})
	const has = " (it has UserPrincipalName, IPAddress, Count, StartTime, Codes, Note)\n"
	want := "a.yaml:35:18: card headline names the column Cont, which the query's result does not have; did you mean Count?" + has +
		`a.yaml:38:20: card fact "Error codes" names the column Code, which the query's result does not have; did you mean Codes?` + has +
		`a.yaml:41:100: card button "Ticket" names the column IP, which the query's result does not have` + has +
		"1 rule: 3 errors, 0 warnings\n"
	if r.code != exitFailed || r.stdout != want {
		t.Errorf("code %d, got:\n%s\nwant:\n%s", r.code, r.stdout, want)
	}
	if r := linted(t, map[string]string{"a.yaml": wordsRule}); r.code != 0 || r.stdout != "1 rule: 0 errors, 0 warnings\n" {
		t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	if r := linted(t, map[string]string{"a.yaml": strings.Replace(wordsRule, "Ticket: https", "Ticket: http", 1)}); r.code != exitFailed || !strings.Contains(r.stdout, `a.yaml:41:15: button "Ticket": `) {
		t.Errorf("code %d: %s", r.code, r.stdout)
	}
}

// The card is drawn by the official renderer in both themes and on a phone.
func TestPageOfARuleInItsWords(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(axe); err != nil {
		t.Skip("axe-core is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	alerts, _ := replayedWords(t)
	p := page.New(page.Options{Title: "Replay", Most: 5})
	p.Start(page.Run{First: alerts[0].Window.Start, Last: alerts[0].Window.End, Rules: 1, StepHours: 1, One: "sign-in", Many: "sign-ins"})
	for _, a := range alerts {
		p.Add(a)
	}
	p.End()
	server := httptest.NewServer(p.Handler(""))
	t.Cleanup(server.Close)
	b := openTab(t, server.URL+"/")
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1440, 900}, {"phone", 390, 844}} {
		b.size(size.width, size.height)
		for i, name := range []string{"words", "hostile words"} {
			b.visit("#" + alerts[i].ID)
			b.card(alerts[i].ID)
			for _, theme := range []string{"light", "dark"} {
				if events := evalAs[string](b, `document.getElementById('card').dataset.events`); events != "0" {
					t.Errorf("%s: the renderer complains %s times", name, events)
				}
				b.accessible(size.name + ", " + theme + ", " + name)
				b.picture("card-" + size.name + "-" + theme + "-" + strings.ReplaceAll(name, " ", "-"))
				if over := evalAs[[]string](b, `[...document.querySelectorAll('#card *')].filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '.' + e.className)`); len(over) > 0 {
					t.Errorf("%s, %s, %s: %.300q stick out", size.name, theme, name, over)
				}
				b.run(chromedp.Click("#dark"))
			}
			if links := evalAs[int](b, `document.querySelectorAll('#card a, #card img').length`); links > 0 {
				t.Errorf("%s: %d links or images beside the buttons", name, links)
			}
			if titles := evalAs[string](b, `[...document.querySelectorAll('#card button')].map(e => e.textContent).join('|')`); !strings.Contains(titles, "Ticket|Codes") {
				t.Errorf("%s: the buttons are %s", name, titles)
			}
		}
	}
	b.clean()
}
