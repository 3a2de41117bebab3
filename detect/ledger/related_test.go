package ledger

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"pushback/detect/alert"
)

// Related looks at what is owed, what was sent and what was held back, of one rule
// and since a time.
func TestRelated(t *testing.T) {
	t.Parallel()
	l := NewMemory()
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	made := func(ruleID, title string, created time.Time) alert.Alert {
		return alert.Alert{ID: alert.NewGUID(ruleID, title), RuleID: ruleID, Title: title, Created: created, Rows: []alert.Row{{}},
			Activities: []alert.Activity{{Fingerprint: alert.NewFingerprint(ruleID, []alert.Field{{Identifier: "T", Value: title}}), Span: alert.Span{Start: at, End: at}, Events: []alert.EventID{"e"}}}}
	}
	record := func(e Entry) {
		t.Helper()
		e.State = State{First: at, Watermark: at}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	record(Entry{RuleID: "a", Alerts: []alert.Alert{made("a", "owed", at.Add(time.Minute)), made("a", "unwanted", at)}, HeldBack: []alert.Alert{made("a", "held back", at)}, Destinations: []string{"inbox"}})
	record(Entry{RuleID: "a", Alerts: []alert.Alert{made("a", "before", at.Add(-time.Hour))}, Destinations: []string{"inbox"}})
	record(Entry{RuleID: "b", Alerts: []alert.Alert{made("b", "another rule's", at)}, Destinations: []string{"inbox"}})
	list, err := l.Related(t.Context(), "a", at, func(a alert.Alert) bool { return a.Title != "unwanted" })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range list {
		got = append(got, a.Title)
		if a.Rows != nil || len(a.Activities[0].Events) != 1 {
			t.Errorf("%s has rows, or lacks its events: %v", a.Title, a)
		}
	}
	if want := []string{"held back", "owed"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The notes of a story are purged like those of a rule, and a story is no rule that
// owes anything.
func TestNotesOfAStory(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	l := NewMemory()
	l.clock = func() time.Time { return now }
	id := alert.StoryID("prompts")
	tag, ok, err := l.SetNote(t.Context(), id, "n", "text", "")
	if err != nil || !ok || tag == "" {
		t.Fatal(tag, ok, err)
	}
	if rules, err := l.Rules(t.Context()); err != nil || len(rules) != 0 {
		t.Errorf("rules: %q, %v", rules, err)
	}
	if _, err := l.Purge(t.Context(), now.Add(noteRetention-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if text, _, err := l.Note(t.Context(), id, "n"); err != nil || text != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := l.Purge(t.Context(), now.Add(noteRetention+25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if text, _, err := l.Note(t.Context(), id, "n"); err != nil || text != "" {
		t.Errorf("the note is not purged: %q, %v", text, err)
	}
}

// What is sent while it is looked for is found all the same.
func TestRelatedWhileSending(t *testing.T) {
	t.Parallel()
	l := NewMemory()
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	made := func(title string) alert.Alert {
		return alert.Alert{ID: alert.NewGUID(title), RuleID: "a", Title: title, Created: at,
			Activities: []alert.Activity{{Fingerprint: alert.NewFingerprint("a", []alert.Field{{Identifier: "T", Value: title}}), Span: alert.Span{Start: at, End: at}}}}
	}
	e := Entry{RuleID: "a", State: State{First: at, Watermark: at}, Alerts: []alert.Alert{made("owed")}, HeldBack: []alert.Alert{made("held back")}, Destinations: []string{"inbox"}}
	if err := l.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	var got []string
	if _, err := l.Related(t.Context(), "a", at, func(a alert.Alert) bool {
		got = append(got, a.Title)
		owed, err := l.Outbox(t.Context())
		for _, o := range owed {
			err = l.Sent(t.Context(), o)
		}
		if err != nil {
			t.Error(err)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if want := []string{"held back", "owed"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// pagedStore lists rows as they are when each is read, as a table does from page to
// page.
type pagedStore struct{ store }

func (s pagedStore) list(ctx context.Context, partition, from, end string, brief bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for more := true; more; {
			more = false
			for i, err := range s.store.list(ctx, partition, from, end, brief) {
				if !yield(i, err) {
					return
				}
				more, from = err == nil, i.key+"!"
				break
			}
		}
	}
}

// What is tried again while it is looked for, and so is back among what is due, is
// found all the same.
func TestRelatedWhileTrying(t *testing.T) {
	t.Parallel()
	l := NewMemory()
	l.store = pagedStore{l.store}
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	titles := []string{"tried", "second", "third"}
	for i, title := range titles {
		created := at.Add(time.Duration(i) * time.Minute)
		a := alert.Alert{ID: alert.NewGUID(title), RuleID: "a", Title: title, Created: created,
			Activities: []alert.Activity{{Fingerprint: alert.NewFingerprint("a", []alert.Field{{Identifier: "T", Value: title}}), Span: alert.Span{Start: at, End: at}}}}
		if err := l.Record(t.Context(), Entry{RuleID: "a", State: State{First: at, Watermark: created}, Alerts: []alert.Alert{a}, Destinations: []string{"inbox"}}); err != nil {
			t.Fatal(err)
		}
	}
	owed, err := l.Outbox(t.Context())
	if err != nil || len(owed) != len(titles) {
		t.Fatal(owed, err)
	}
	if err := l.Failed(t.Context(), owed[0], Failure{Err: "refused", Next: at.Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	if _, err := l.Related(t.Context(), "a", at, func(a alert.Alert) bool {
		if got = append(got, a.Title); a.Title == "third" {
			tried, err := l.OwedOf(t.Context(), owed[0].Alert.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, claimed, err := l.Claim(t.Context(), tried[0], at.Add(time.Hour), at.Add(2*time.Hour)); !claimed || err != nil {
				t.Error(claimed, err)
			}
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"second", "third", "tried"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
