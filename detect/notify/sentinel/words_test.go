package sentinel

import (
	"strings"
	"testing"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
)

// What a rule says in its own words is in the comment and the incident, and is text there.
func TestTheRulesWords(t *testing.T) {
	t.Parallel()
	a := rejection("alice@contoso.example", noon)
	a.Title, a.Description = "Refused by alice", "What the rule says."
	if plain := *newIncident(a).Properties.Description; plain != "What the rule says." {
		t.Errorf("without a card the description is %q", plain)
	}
	a.Card = &alert.Card{Headline: "12 <b>failures</b>", Guidance: "Call *the* user.",
		Facts:   []alert.CardFact{{Label: "Fails [x](y)", Values: []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "<i>"}, More: 4}},
		Buttons: []alert.CardButton{{Title: "Ticket <b>", URL: "https://h.example/?user=alice%40contoso.example&n=1"}, {Title: "x", URL: "javascript:alert(1)"}}}
	got := Comment(a, portal.Links{NoPortal: true})
	at := 0
	for _, want := range []string{
		"<b>" + a.Severity.String() + ": 12 &#60;b&#62;failures&#60;/b&#62;</b><br>Refused by alice<br>", "<br>What to do first: Call &#42;the&#42; user.<br>",
		`<a href="https://h.example/?user=alice%40contoso.example&amp;n=1" target="_blank">Ticket &lt;b&gt;</a><br>`, "<b>Facts</b><br>&bull; Fails &#91;x&#93;&#40;y&#41;: 1, 2, 3, 4, 5, 6, 7, 8, and 6 more<br>",
	} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("the comment lacks %q, or it is not behind what it should be:\n%s", want, got)
		}
		at += i
	}
	if strings.Contains(got, "javascript") {
		t.Errorf("the comment leads to a script:\n%s", got)
	}
	if i := newIncident(a).Properties; *i.Title != "Refused by alice" || *i.Description != "12 <b>failures</b>\nWhat to do first: Call *the* user.\nWhat the rule says." {
		t.Errorf("%q: %q", *i.Title, *i.Description)
	}
	a.Description = strings.Repeat("d", 5000)
	if i := newIncident(a).Properties; len([]rune(*i.Description)) != 4000 || !strings.Contains(*i.Description, "What to do first") {
		t.Errorf("%d characters", len([]rune(*i.Description)))
	}
}
