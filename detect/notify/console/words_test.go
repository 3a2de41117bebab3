package console

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"pushback/detect/alert"
)

// What a rule says in its own words stands where the title and the details do.
func TestTheRulesWords(t *testing.T) {
	t.Parallel()
	a := sampleAlert()
	a.Card = &alert.Card{Headline: "12 failures \u202eof ana", Guidance: "Call the user first.",
		Facts:   []alert.CardFact{{Label: "Cities", Values: []string{"Sofia", "Rome\x1b[2J"}, More: 2}},
		Buttons: []alert.CardButton{{Title: "Ticket", URL: "https://h.example/?user=ana%40contoso.example"}, {Title: "x", URL: "https://h.example/\x1b"}}}
	var buf bytes.Buffer
	if err := New(&buf, Style{}).Notify(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	got := buf.String()
	at := 0
	for _, want := range []string{
		"\n HIGH  12 failures \\u202eof ana\n       MFA rejected by ana@fabrikam.example from 203.0.113.7\n", "\n  What to do first: Call the user first.\n", "\n  Cities        Sofia, Rome\\x1b[2J, and 2 more\n", "\n  Rejections    3\n",
		"\n  Ticket        https://h.example/?user=ana%40contoso.example\n",
	} {
		i := strings.Index(got[at:], want)
		if i < 0 {
			t.Fatalf("it lacks %q, or it is not behind what it should be:\n%s", want, got)
		}
		at += i
	}
	if strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("%q", got)
	}
	if line := finding(a, nil, ""); line != "12 failures \\u202eof ana" {
		t.Errorf("in the list it is %q", line)
	}
}
