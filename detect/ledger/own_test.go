package ledger

import (
	"testing"
)

// What Pushback notes of itself comes with the rows that Begin reads. A note of a
// version before is read where it was until it is set again, whatever crashes.
func TestOwnNotes(t *testing.T) {
	t.Parallel()
	for _, crash := range []string{"", "before the new one", "after the new one"} {
		t.Run("a crash "+crash, func(t *testing.T) {
			t.Parallel()
			ctx, c := t.Context(), formerClock()
			whole := NewMemory().store
			loadFormat(t, memoryAt(whole, c), 3)
			begun := func(s store) *Ledger {
				t.Helper()
				l := memoryAt(s, c)
				if err := l.Begin(ctx); err != nil {
					t.Fatal(err)
				}
				return l
			}
			l := begun(whole)
			text, tag, err := l.Note(ctx, OwnID, "addresses")
			if err != nil || text == "" || tag == "" {
				t.Fatalf("the note of a version before is %q, %q, %v", text, tag, err)
			}
			if crash != "" {
				at := 1
				if crash == "after the new one" {
					at = 2
				}
				stepped := crashAt(whole, 0, false)
				stepped.before = nil
				dying := begun(stepped)
				text, tag, err := dying.Note(ctx, OwnID, "addresses")
				if err != nil {
					t.Fatal(err)
				}
				stepped.steps, stepped.before = 0, func(step int) error {
					if step >= at {
						return errCrashed
					}
					return nil
				}
				if _, _, err := dying.SetNote(ctx, OwnID, "addresses", text+"!", tag); err == nil {
					t.Fatal("it did not crash")
				}
				l = begun(whole)
				if text, tag, err = l.Note(ctx, OwnID, "addresses"); err != nil || tag == "" {
					t.Fatal(text, tag, err)
				}
			}
			text, tag, _ = l.Note(ctx, OwnID, "addresses")
			slow := begun(whole)
			_, slowTag, err := slow.Note(ctx, OwnID, "addresses")
			if err != nil {
				t.Fatal(err)
			}
			next, ok, err := l.SetNote(ctx, OwnID, "addresses", text+"?", tag)
			if err != nil || !ok || next == "" {
				t.Fatal(next, ok, err)
			}
			// The other reads what is there now once it cannot set its own.
			if _, ok, err := slow.SetNote(ctx, OwnID, "addresses", "late", slowTag); err != nil || ok {
				t.Errorf("a late note is set: %v, %v", ok, err)
			}
			for _, reader := range []*Ledger{l, slow, begun(whole), memoryAt(whole, c)} {
				if got, gotTag, err := reader.Note(ctx, OwnID, "addresses"); err != nil || got != text+"?" || gotTag != next {
					t.Errorf("the note is %q with %q, %v; want %q with %q", got, gotTag, err, text+"?", next)
				}
			}
			// In a tick nothing is read for it.
			watched := &steppedStore{store: whole}
			reader := begun(watched)
			before := watched.steps
			for range 2 {
				_, tag, err := reader.Note(ctx, OwnID, "addresses")
				if err != nil {
					t.Fatal(err)
				}
				if _, ok, err := reader.SetNote(ctx, OwnID, "addresses", text, tag); err != nil || !ok {
					t.Fatal(ok, err)
				}
			}
			if n := watched.steps - before; n != 2 {
				t.Errorf("%d requests to read and set a note twice", n)
			}
		})
	}
}
