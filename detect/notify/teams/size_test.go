package teams

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pushback/detect/alert"
)

// counted is how large Teams takes the message with a card to be: as the string
// that a workflow makes of it.
func counted(t *testing.T, card json.RawMessage) int {
	t.Helper()
	message, err := encode(map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": contentType, "contentUrl": nil, "content": card,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(string(message)); err != nil {
		t.Fatal(err)
	}
	return len(bytes.TrimSpace(text.Bytes()))
}

// Size is what Teams counts, or more where some count more.
func TestSize(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "plain", `quotes " and \ backslashes`, "\n\t\x00\x7f", "é陳\U0001f468", strings.Repeat(`\"`, 1000)} {
		card, err := encode(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := Size(card), counted(t, card); got != want {
			t.Errorf("%.20q: Size is %d, Teams counts %d", text, got, want)
		}
	}
	// With the escapes for HTML, as encoding/json would write it.
	card := json.RawMessage(`{"text": "<a href='x'>&"}`)
	html, err := json.Marshal(string(card))
	if err != nil {
		t.Fatal(err)
	}
	if got := escapedLen(card) + len(`""`); got != len(html) {
		t.Errorf("%d, want %d", got, len(html))
	}
}

// Cards of very many small elements have many quotes.
func TestManyElements(t *testing.T) {
	t.Parallel()
	for n := range 60 {
		a := sampleAlert()
		for i := range n * 3 {
			a.Entities = append(a.Entities, alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: fmt.Sprintf("2001:db8::%x", i)}}})
			a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: fmt.Sprint("D", i), Values: []string{`"`, `\`, `<&>`}})
			a.Properties = append(a.Properties, alert.Property{Name: `"`, Value: strings.Repeat(`\"`, i)})
		}
		card, err := Card(a, Links{WorkspaceResourceID: workspaceID, Build: `"v1"`})
		if err != nil {
			t.Fatal(err)
		}
		if got := counted(t, card); got > 28<<10-1<<10 {
			t.Errorf("%d elements: %d characters", n, got)
		}
		list := make([]alert.Alert, n+1)
		for i := range list {
			list[i] = a
			list[i].Title = strings.Repeat(`"\`, 100)
		}
		if card, err = Digest(list); err != nil {
			t.Fatal(err)
		}
		if got := counted(t, card); got > 28<<10-1<<10 {
			t.Errorf("a digest of %d: %d characters", n, got)
		}
	}
}
