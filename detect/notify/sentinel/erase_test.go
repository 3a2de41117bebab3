package sentinel

import (
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// TestEraseNote takes the copy of an incident out of what is noted of a story, and
// nothing else.
func TestEraseNote(t *testing.T) {
	t.Parallel()
	const note = `{"incident":"i","latest":"2026-03-17T09:00:00Z","began":"2026-03-17T08:00:00Z","past":[{"incident":"h","began":"2026-03-16T08:00:00Z"}],"made":{"etag":"e","properties":{"title":"of alice"}},"labels":["pushback"],"url":"https://x/"}`
	erased, ok := EraseNote(note)
	if want := `{"incident":"i","latest":"2026-03-17T09:00:00Z","began":"2026-03-17T08:00:00Z","past":[{"incident":"h","began":"2026-03-16T08:00:00Z"}],"labels":["pushback"],"url":"https://x/"}`; !ok || erased != want {
		t.Errorf("EraseNote = %s, %v", erased, ok)
	}
	for _, other := range []string{erased, "", "{", `{"number":"42"}`, `[1]`, `{"made":{"etag":"e"}}`} {
		if text, ok := EraseNote(other); ok || text != other {
			t.Errorf("EraseNote(%s) = %s, %v", other, text, ok)
		}
	}
}

// TestIncidentOf finds the incident of the story that an alert is in, unless the
// alert was made before it was begun.
func TestIncidentOf(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 17, 8, 0, 0, 0, time.UTC)
	a := alert.Alert{ID: "a", RuleID: "rule", Created: began.Add(time.Hour), Entities: []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "alice@contoso.example"}}}}}
	l := ledger.NewMemory()
	check := func(a alert.Alert, wantID, wantURL string) {
		t.Helper()
		id, url, err := IncidentOf(t.Context(), l.NoteReader(), a, nil)
		if err != nil || id != wantID || url != wantURL {
			t.Errorf("IncidentOf = %q, %q, %v; want %q, %q", id, url, err, wantID, wantURL)
		}
	}
	check(a, "", "")
	at, id := StoryOf(a, nil)
	if _, _, err := l.SetNote(t.Context(), at, id, `{"incident":"i","latest":"2026-03-17T09:00:00Z","began":"2026-03-17T08:00:00Z","url":"https://x/"}`, ""); err != nil {
		t.Fatal(err)
	}
	check(a, "i", "https://x/")
	before := a
	before.Created = began.Add(-time.Hour)
	check(before, "", "")
	other := a
	other.Activities = []alert.Activity{{Fingerprint: "other"}}
	check(other, "", "")
	if strings.Contains(id, "alice") {
		t.Errorf("the name of the note names a person: %s", id)
	}
}
