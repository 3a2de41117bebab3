package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// keptIn lists the ids of the alerts of a rule that were made since a time.
func keptIn(t *testing.T, l *Ledger, ruleID string, since time.Time) map[string]Kept {
	t.Helper()
	all := map[string]Kept{}
	for k, err := range l.Kept(t.Context(), ruleID, since) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[k.Alert.ID]; twice {
			t.Errorf("alert %s comes twice", k.Alert.ID)
		}
		all[k.Alert.ID] = k
	}
	return all
}

// TestKept reads what is kept of alerts: those that wait, that were sent, dropped and
// held back, each whole and with what each destination has of it.
func TestKept(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, clock *testClock) {
		ctx := t.Context()
		l := open()
		alerts := map[string]alert.Alert{}
		for i, name := range []string{"waiting", "sent", "parked", "dropped", "held", "old"} {
			a := newAlert("rule", activity(name, i, i+1))
			a.Title, a.Rows = name, []alert.Row{{{Column: "A", Value: []byte(`"1"`)}}}
			if name == "old" {
				a.Created = at(-600)
			}
			alerts[name] = a
		}
		e := Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(60)}, Destinations: []string{"teams", "log"}}
		for _, name := range []string{"waiting", "sent", "parked", "dropped", "old"} {
			e.Alerts = append(e.Alerts, alerts[name])
		}
		e.HeldBack = []alert.Alert{heldBack(alerts["held"], alert.HeldBySilence, "pentest")}
		if err := l.Record(ctx, e); err != nil {
			t.Fatal(err)
		}
		sent := clock.now()
		for _, err := range []error{
			l.Sent(ctx, owed("teams", alerts["sent"])), l.Sent(ctx, owed("log", alerts["sent"])),
			l.Failed(ctx, owed("teams", alerts["parked"]), Failure{Err: "no", Park: true}), l.Sent(ctx, owed("log", alerts["parked"])),
			l.Drop(ctx, owed("teams", alerts["dropped"])), l.Drop(ctx, owed("log", alerts["dropped"])),
			l.Failed(ctx, owed("teams", alerts["waiting"]), Failure{Err: "later", Next: at(90)}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		kept := keptIn(t, open(), "rule", at(-60))
		if len(kept) != 5 {
			t.Errorf("%d alerts are kept", len(kept))
		}
		for name, want := range map[string][]Delivery{
			"waiting": {{Destination: "teams", Attempts: 1, LastError: "later", Next: at(90)}, {Destination: "log"}},
			"sent":    {{Destination: "teams", Sent: sent}, {Destination: "log", Sent: sent}},
			"parked":  {{Destination: "teams", Attempts: 1, LastError: "no", Parked: true}, {Destination: "log", Sent: sent}},
			"dropped": {{Destination: "teams", Dropped: sent}, {Destination: "log", Dropped: sent}},
			"held":    nil,
		} {
			k := kept[alerts[name].ID]
			if diff := cmp.Diff(want, k.Deliveries); diff != "" {
				t.Errorf("deliveries of %s (-want +got):\n%s", name, diff)
			}
			if k.Owed() != slices.ContainsFunc(want, Delivery.Owed) {
				t.Errorf("%s: owed %v", name, k.Owed())
			}
			whole := alerts[name]
			if name == "held" {
				whole = heldBack(whole, alert.HeldBySilence, "pentest")
			}
			if diff := cmp.Diff(whole, k.Alert); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			one, err := open().KeptOf(ctx, whole.ID)
			if err != nil || one.Alert.Title != name {
				t.Errorf("KeptOf(%s) = %+v, %v", name, one.Alert.Title, err)
			}
		}
		if all := keptIn(t, open(), "rule", time.Time{}); len(all) != 6 {
			t.Errorf("%d alerts are kept of all times", len(all))
		}
		if _, err := open().KeptOf(ctx, "nobody"); !errors.Is(err, ErrNotKept) {
			t.Errorf("KeptOf of no alert = %v", err)
		}
		if ids, err := open().RuleIDs(ctx); err != nil || !slices.Equal(ids, []string{OwnID, "rule"}) {
			t.Errorf("RuleIDs = %v, %v", ids, err)
		}
	})
}

// TestRewrite changes what is kept of alerts, wherever they are by then, and leaves
// what is owed unless it is to be dropped. What was seen stays seen.
func TestRewrite(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		ctx := t.Context()
		l := open()
		erase := func(a alert.Alert) alert.Alert {
			a.Title, a.Rows = "gone", nil
			return a
		}
		texts := func(text string) string {
			if text != "" {
				return "gone"
			}
			return ""
		}
		var list []alert.Alert
		for i := range 3 {
			a := newAlert("rule", activity(fmt.Sprint(i), i, i+1))
			a.Title = "alice"
			list = append(list, a)
		}
		waiting, sent, held := list[0], list[1], heldBack(list[2], alert.HeldBySeverity, "")
		if err := l.Record(ctx, Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(60)}, Alerts: []alert.Alert{waiting, sent}, HeldBack: []alert.Alert{held}, Destinations: []string{"teams"}}); err != nil {
			t.Fatal(err)
		}
		if err := l.Failed(ctx, owed("teams", waiting), Failure{Err: "alice is not welcome"}); err != nil {
			t.Fatal(err)
		}
		kept := keptIn(t, open(), "rule", noon)
		if err := l.Sent(ctx, owed("teams", sent)); err != nil { // after it was read
			t.Fatal(err)
		}
		for range 2 { // the second time as after a crash
			for _, a := range []alert.Alert{sent, held} {
				if changed, err := open().Rewrite(ctx, kept[a.ID], false, erase, texts); err != nil || !changed {
					t.Errorf("Rewrite = %v, %v", changed, err)
				}
			}
		}
		if changed, err := open().Rewrite(ctx, kept[waiting.ID], false, erase, texts); !errors.Is(err, ErrOwed) || changed {
			t.Errorf("Rewrite of what is owed = %v, %v", changed, err)
		}
		checkOwed(t, open(), "teams", waiting)
		if changed, err := open().Rewrite(ctx, kept[waiting.ID], true, erase, texts); err != nil || !changed {
			t.Errorf("Rewrite of what is owed, with dropping = %v, %v", changed, err)
		}
		checkOwed(t, open(), "teams")
		for id, k := range keptIn(t, open(), "rule", noon) {
			if k.Alert.Title != "gone" || len(k.Alert.Activities) != 1 || id == waiting.ID && (k.Deliveries[0].LastError != "gone" || k.Deliveries[0].Dropped.IsZero()) {
				t.Errorf("%+v", k)
			}
		}
		for i := range 3 {
			checkUnseen(t, open(), "rule", []alert.Activity{activity(fmt.Sprint(i), i, i+1)}, nil)
		}
		if changed, err := open().Rewrite(ctx, Kept{Alert: newAlert("rule", activity("x", 0, 1)), ruleID: "rule", key: outPrefix + "x"}, true, erase, texts); err != nil || changed {
			t.Errorf("Rewrite of an alert that is not kept = %v, %v", changed, err)
		}
	})
}

// TestEditNotes changes notes of rules, of stories and of Pushback's own.
func TestEditNotes(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		ctx := t.Context()
		l := open()
		record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, newAlert("rule", activity("a", 0, 1)))
		story := alert.StoryID("mfa")
		for _, n := range []struct{ id, name, text string }{{"rule", "one", "alice"}, {"rule", "two", "bob"}, {story, "three", "alice"}, {OwnID, "health", "alice"}} {
			if _, ok, err := l.SetNote(ctx, n.id, n.name, n.text, ""); err != nil || !ok {
				t.Fatal(ok, err)
			}
		}
		seen := map[NoteID]bool{}
		changed, err := open().EditNotes(ctx, func(id NoteID, text string) (string, bool) {
			seen[id] = true
			return "gone", text == "alice"
		})
		if err != nil || changed != 3 || len(seen) != 4 {
			t.Errorf("EditNotes = %d, %v; saw %v", changed, err, seen)
		}
		reader := open().NoteReader()
		for _, from := range []interface {
			Note(ctx context.Context, id, name string) (text, tag string, err error)
		}{open(), reader, reader} {
			for id, want := range map[NoteID]string{{"rule", "one"}: "gone", {"rule", "two"}: "bob", {story, "three"}: "gone", {OwnID, "health"}: "gone", {"rule", "none"}: ""} {
				if text, _, err := from.Note(ctx, id.ID, id.Name); err != nil || text != want {
					t.Errorf("%T: note %v = %q, %v, want %q", from, id, text, err, want)
				}
			}
		}
	})
}
