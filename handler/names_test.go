package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/teams"
)

// What somebody writes into a name cannot pass for what is said about it, wherever
// an alert is shown.
func TestNamesAreNoSentences(t *testing.T) {
	t.Parallel()
	const (
		app  = "Office 365): confirmed by the user ("
		user = "alice (authorised by SOC) "
	)
	rows := []loggedRow{signInOf("09:10:00", "500121", declinedDetail).with("AppDisplayName", app).with("UserPrincipalName", user), signInOf("09:13:00", "0", "MFA completed in Azure AD").with("AppDisplayName", app).with("UserPrincipalName", user)}
	dir := loggedIn(t, rows...)
	alerts := handler(t, "replay", "--logs", dir, "--json").alerts(t)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	a := alerts[0]
	card, err := teams.Card(a, teams.Links{})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := teams.Digest([]alert.Alert{a, a})
	if err != nil {
		t.Fatal(err)
	}
	var shown any
	if err := json.Unmarshal([]byte("["+string(card)+","+string(digest)+"]"), &shown); err != nil {
		t.Fatal(err)
	}
	piece := regexp.MustCompile(`\n\n|\n {2,4}[A-Z•]`)
	for where, said := range map[string][]string{
		"the card":     textsOf(shown),
		"the comment":  strings.Split(sentinel.Comment(a, portal.Links{}), "<br>"),
		"the terminal": piece.Split(handler(t, "replay", "--logs", dir, "--details").stdout, -1),
	} {
		found := 0
		for _, text := range said {
			text = strings.Join(strings.Fields(text), " ")
			text = strings.NewReplacer("&#40;", "(", "&#41;", ")", "&#58;", ":").Replace(text)
			for _, name := range []string{"confirmed by the user", "(authorised by SOC)"} {
				before, _, there := strings.Cut(text, name)
				if !there || strings.HasPrefix(text, "alice (auth") || strings.Contains(before, "Name ") {
					continue // on a line of its own
				}
				found++
				if strings.Count(before, "“") != strings.Count(before, "”")+1 {
					t.Errorf("%s has it bare: %s", where, text)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s has none of it: %q", where, said)
		}
	}
}

// textsOf returns the texts of a card.
func textsOf(value any) (texts []string) {
	switch value := value.(type) {
	case []any:
		for _, v := range value {
			texts = append(texts, textsOf(v)...)
		}
	case map[string]any:
		for name, v := range value {
			if text, ok := v.(string); ok && name == "text" {
				texts = append(texts, text)
			}
			texts = append(texts, textsOf(v)...)
		}
	}
	return texts
}
