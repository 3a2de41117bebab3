package ledger

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// heldBack returns an alert that is held back.
func heldBack(a alert.Alert, by alert.Holder, silence string) alert.Alert {
	a.HeldBack = &alert.HeldBack{By: by, Silence: silence, Reason: "pen test, ticket 4711"}
	return a
}

// TestHeldBack pins what is kept of alerts that are held back: all of each with the
// reason. What a silence holds back is known, and nothing goes by it: it starts no
// suppression and no later alert continues it.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		by        alert.Holder
		silence   string
		wantQuiet bool // as if nobody had been sent anything, but for the same activity
	}{
		{"by a silence", alert.HeldBySilence, "pentest", true},
		{"for its severity", alert.HeldBySeverity, "", false},
		{"for its risk", alert.HeldByRisk, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
				l := open()
				held := heldBack(newAlert("rule", activity("a", 0, 10)), tt.by, tt.silence)
				entry := Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(15)}, HeldBack: []alert.Alert{held}, Destinations: []string{"teams"}}
				for range 2 { // the second time as after a crash
					if err := l.Record(t.Context(), entry); err != nil {
						t.Fatal(err)
					}
				}
				checkOwed(t, l, "teams")

				l = open()
				recent, _, err := l.Recent(t.Context(), "rule", noon)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]alert.Alert{held}, recent); diff != "" {
					t.Errorf("Recent (-want +got):\n%s", diff)
				}
				tally, err := l.Tally(t.Context(), []string{"rule"}, noon)
				if want := (Tally{HeldBack: 1}); err != nil || tally != want {
					t.Errorf("Tally = %+v, %v, want %+v", tally, err, want)
				}

				same, longer, later := activity("a", 0, 10), activity("a", 5, 20), activity("a", 100, 110)
				ask := func(suppression time.Duration, want Answer, asked ...alert.Activity) {
					t.Helper()
					got, err := l.Unseen(t.Context(), Question{RuleID: "rule", Activities: asked, Suppression: suppression, Now: at(115)})
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("Unseen with suppression %s (-want +got):\n%s", suppression, diff)
					}
				}
				continued := longer
				continued.Previously = []alert.Span{same.Span}
				if tt.wantQuiet {
					ask(0, Answer{News: []alert.Activity{longer}}, same, longer)
					ask(5*time.Hour, Answer{News: []alert.Activity{later}}, same, later)
				} else {
					ask(0, Answer{News: []alert.Activity{continued}}, same, longer)
					ask(5*time.Hour, Answer{Suppressed: []alert.Activity{later}}, same, later)
				}
			})
		})
	}
}

// TestSilencedBesideReported pins that an activity continues what was reported of
// it, and not what a silence held back.
func TestSilencedBesideReported(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l := open()
		reported, silenced := newAlert("rule", activity("a", 20, 30)), heldBack(newAlert("rule", activity("a", 0, 10)), alert.HeldBySilence, "pentest")
		err := l.Record(t.Context(), Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(35)},
			Alerts: []alert.Alert{reported}, HeldBack: []alert.Alert{silenced}, Destinations: []string{"teams"}})
		if err != nil {
			t.Fatal(err)
		}
		longer := activity("a", 5, 40)
		want := longer
		want.Previously = []alert.Span{span(20, 30)}
		checkUnseen(t, l, "rule", []alert.Activity{longer, activity("a", 2, 8), activity("a", 22, 28)}, []alert.Activity{want})
	})
}

// countedGets counts the rows that are asked for one by one.
type countedGets struct {
	store
	gets int
}

func (c *countedGets) get(ctx context.Context, partition, key string) (item, error) {
	c.gets++
	return c.store.get(ctx, partition, key)
}

// TestSilencesAreReadWithTheRest expects a tick to have the notes of silences by what
// Begin reads, also if there are none.
func TestSilencesAreReadWithTheRest(t *testing.T) {
	t.Parallel()
	for _, noted := range []bool{false, true} {
		l := NewMemory().Ledger
		counted := &countedGets{store: l.store}
		l.store = counted
		want := ""
		if noted {
			want = "a text"
			if _, ok, err := l.SetNote(t.Context(), OwnID, SilencesNote, want, ""); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
		if err := l.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		counted.gets = 0
		for _, name := range []string{SilencesNote, SilenceCountNote} {
			got, _, err := l.Note(t.Context(), OwnID, name)
			if err != nil || name == SilencesNote && got != want {
				t.Errorf("%s is %q, %v, want %q", name, got, err, want)
			}
		}
		if counted.gets != 0 {
			t.Errorf("noted: %v: %d rows were asked for, want none", noted, counted.gets)
		}
	}
}

// TestLongNote keeps a note of Pushback's own as long as that of a thousand silences
// may be, written as JSON.
func TestLongNote(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		want := strings.Repeat(`{"id":"pentest","by":"amy"},`, 12_500) // a quarter of it is quotation marks
		if _, ok, err := open().SetNote(t.Context(), OwnID, SilencesNote, want, ""); !ok || err != nil {
			t.Fatal(ok, err)
		}
		l := open()
		if err := l.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, _, err := l.Note(t.Context(), OwnID, SilencesNote); err != nil || got != want {
			t.Errorf("%d characters, %v, want %d", len(got), err, len(want))
		}
	})
}
