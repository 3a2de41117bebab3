package teams

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// TestMentions pins that a card names the people of its route, and nobody whom a log
// names: Teams goes by the order of the tags.
func TestMentions(t *testing.T) {
	t.Parallel()
	amy, bob := alert.Mention{ID: "amy@contoso.example", Name: "Amy"}, alert.Mention{ID: "87d349ed-44d7-43e1-9a83-5f2406dee5bd", Name: "Bob <at>*[x](y)"}
	a := alert.Alert{
		Title: "<at>SOC</at> and < / AT>", RuleName: "<at>rule</at>", Severity: alert.High, Mentions: []alert.Mention{amy, bob, {ID: "AMY@contoso.example", Name: "Again"}, {ID: "x", Name: "*"}},
		Entities:      []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: "<at>Amy</at>"}}}},
		CustomDetails: []alert.Detail{{Name: "<at>Amy</at>", Values: []string{"<AT>Amy</AT>"}}},
	}
	other := a
	other.Mentions, other.Entities = []alert.Mention{bob}, nil
	for name, card := range map[string]func() (json.RawMessage, error){
		"a card":   func() (json.RawMessage, error) { return Card(a, Links{}) },
		"a digest": func() (json.RawMessage, error) { return Digest([]alert.Alert{a, other}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := card()
			if err != nil {
				t.Fatal(err)
			}
			var c struct {
				MSTeams forTeams `json:"msteams"`
				Body    []struct{ Type, Text string }
			}
			if err := json.Unmarshal(text, &c); err != nil {
				t.Fatal(err)
			}
			want := forTeams{Width: "Full", Entities: []mention{
				{"mention", "<at>Amy</at>", mentioned{"amy@contoso.example", "Amy"}},
				{"mention", "<at>Bob at x y</at>", mentioned{"87d349ed-44d7-43e1-9a83-5f2406dee5bd", "Bob at x y"}},
			}}
			if diff := cmp.Diff(want, c.MSTeams); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if c.Body[1].Type != "TextBlock" || c.Body[1].Text != "<at>Amy</at> <at>Bob at x y</at>" {
				t.Errorf("below the band: %+v", c.Body[1])
			}
			// Each once in the text and once among the entities.
			if n := bytes.Count(bytes.ToLower(text), []byte("<at>")); n != 4 {
				t.Errorf("%d tags in %s", n, text)
			}
			if len(text) > mostSize {
				t.Errorf("%d bytes", len(text))
			}
		})
	}
	none := a
	none.Mentions = nil
	if text, err := Card(none, Links{}); err != nil || strings.Contains(string(text), "entities") || strings.Contains(strings.ToLower(string(text)), "<at>") {
		t.Errorf("without mentions: %v, %s", err, text)
	}
}

// TestNamed pins that an alert goes to the webhook of the setting that it is for, and
// without one, or with one that is gone, where it went before.
func TestNamed(t *testing.T) {
	t.Parallel()
	hook := func(text string) WebhookURL {
		w, err := ParseWebhookURL(text)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	usual, soc := hook("https://a.example/x?sig=1"), hook("https://a.example/y?sig=2")
	c, err := New(usual, Options{Named: []Named{{"SOC", soc}, {"SAME", usual}}})
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]WebhookURL{"": usual, "SOC": soc, "SAME": usual, "GONE": usual, soc.String(): soc} {
		if got := c.Address(alert.Alert{Address: address}); got != want.String() {
			t.Errorf("%q goes to %s", address, got)
		}
	}
	if diff := cmp.Diff([]string{usual.String(), soc.String()}, c.Addresses()); diff != "" {
		t.Error(diff)
	}
	if _, err := New(usual, Options{Named: []Named{{Name: "EMPTY"}}}); err == nil {
		t.Error("a webhook without an address is taken")
	}
}
