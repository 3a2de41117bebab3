package ledger

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// TestDraft has a draft pass what every ledger must.
func TestDraft(t *testing.T) {
	t.Parallel()
	testLedger(t, func(*testing.T) *Ledger { return NewMemory().Draft() })
}

// TestDraftChangesNothing lets a draft do all that a tick does, over a ledger that
// holds something of each kind. The draft knows of all of it and of what it did
// itself; the ledger stays as it is, to the last ETag.
func TestDraftChangesNothing(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, clock *testClock) {
		ctx := t.Context()
		l := open()
		state := State{First: at(0), Watermark: at(60)}
		waiting, taken := newAlert("rule", activity("a", 0, 10)), newAlert("rule", activity("b", 0, 10))
		record(t, l, "rule", state, []string{"teams"}, waiting, taken)
		if err := l.Sent(ctx, owed("teams", taken)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := l.SetNote(ctx, "rule", "incident", "42", ""); err != nil {
			t.Fatal(err)
		}
		busy := open()
		if _, err := busy.Lease(ctx, "rule", 5*time.Minute); err != nil { // of another process
			t.Fatal(err)
		}
		before := dump(t, l)

		d := open().Draft()
		if err := d.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := d.State(ctx, "rule"); err != nil || !got.Watermark.Equal(at(60)) {
			t.Errorf("State = %+v, %v", got, err)
		}
		if _, err := d.Lease(ctx, "rule", 5*time.Minute); err != nil {
			t.Errorf("the lease of another process is in the way: %v", err)
		}
		checkUnseen(t, d, "rule", []alert.Activity{activity("a", 0, 10), activity("c", 0, 10)}, []alert.Activity{activity("c", 0, 10)})
		found := newAlert("rule", activity("c", 0, 10))
		record(t, d, "rule", State{First: at(0), Watermark: at(120)}, []string{"teams"}, found)
		record(t, d, "other", state, []string{"teams"}, newAlert("other", activity("a", 0, 10)))
		checkUnseen(t, d, "rule", []alert.Activity{activity("c", 0, 10)}, nil)
		checkOwed(t, d, "teams", waiting, found, newAlert("other", activity("a", 0, 10)))
		for _, a := range []alert.Alert{waiting, found} {
			whole, claimed, err := d.Claim(ctx, firstOwed(t, d, a.ID), clock.now(), clock.now().Add(time.Minute))
			if err != nil || !claimed || whole.ID != a.ID {
				t.Errorf("Claim = %v, %v, %v", whole.ID, claimed, err)
			}
			if err := d.Sent(ctx, owed("teams", a)); err != nil {
				t.Fatal(err)
			}
		}
		checkOwed(t, d, "teams", newAlert("other", activity("a", 0, 10)))
		recent, _, err := d.Recent(ctx, "rule", noon)
		if err != nil || len(recent) != 3 {
			t.Errorf("Recent has %d alerts, %v", len(recent), err)
		}
		text, tag, err := d.Note(ctx, "rule", "incident")
		if err != nil || text != "42" {
			t.Errorf("Note = %q, %v", text, err)
		}
		if _, ok, err := d.SetNote(ctx, "rule", "incident", "43", tag); err != nil || !ok {
			t.Errorf("SetNote = %v, %v", ok, err)
		}
		if _, ok, err := d.SetNote(ctx, "rule", "incident", "44", tag); err != nil || ok {
			t.Errorf("SetNote with a tag of before = %v, %v", ok, err)
		}
		if errs := d.Save(ctx, []Saving{{RuleID: "rule", State: State{First: at(0), Watermark: at(180)}}}); errs[0] != nil {
			t.Error(errs[0])
		}
		if got, err := d.State(ctx, "rule"); err != nil || !got.Watermark.Equal(at(180)) {
			t.Errorf("State = %+v, %v", got, err)
		}
		if diff := cmp.Diff(before, dump(t, l)); diff != "" {
			t.Errorf("the ledger is another (-before +after):\n%s", diff)
		}
	})
}

// firstOwed returns what is owed of an alert.
func firstOwed(t *testing.T, l *Ledger, id string) Owed {
	t.Helper()
	list, err := l.OwedOf(t.Context(), id, "")
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// dump lists the rows of a ledger with their ETags.
func dump(t *testing.T, l *Ledger) (rows []string) {
	t.Helper()
	for _, partition := range []string{directory, partitionOf("rule"), partitionOf("other"), partitionOf(OwnID)} {
		for _, prefix := range []string{fenceKey, formatKey, notePrefix, outPrefix, purgeKey, rulePrefix, runPrefix, seenPrefix, sentPrefix} {
			for i, err := range l.store.list(t.Context(), partition, prefix, prefixEnd(prefix), false) {
				if err != nil {
					t.Fatal(err)
				}
				whole, err := l.store.get(t.Context(), partition, i.key)
				if err != nil {
					if !errors.Is(err, errMissing) {
						t.Fatal(err)
					}
					continue
				}
				rows = append(rows, partition+" "+i.key+" "+whole.etag)
			}
		}
	}
	slices.Sort(rows)
	return slices.Compact(rows)
}
