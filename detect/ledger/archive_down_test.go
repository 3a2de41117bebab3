package ledger

import (
	"context"
	"errors"
	"iter"
	"testing"

	"pushback/detect/alert"
)

// unlistedStore gets rows and fails to list those of one kind.
type unlistedStore struct {
	store
	prefix string
}

var errUnlisted = errors.New("the service is busy")

func (s *unlistedStore) list(ctx context.Context, partition, from, to string, brief bool) iter.Seq2[item, error] {
	if from == s.prefix {
		return func(yield func(item, error) bool) { yield(item{}, errUnlisted) }
	}
	return s.store.list(ctx, partition, from, to, brief)
}

// An alert that cannot be looked for is not one that is gone: nobody takes it for erased.
func TestKeptCannotBeRead(t *testing.T) {
	t.Parallel()
	memory := NewMemory()
	a := newAlert("rule", activity("x", 0, 1))
	if err := memory.Record(t.Context(), Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(60)}, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}}); err != nil {
		t.Fatal(err)
	}
	k := keptIn(t, memory.Ledger, "rule", noon)[a.ID]
	if err := memory.Sent(t.Context(), owed("teams", a)); err != nil { // so that it has another key
		t.Fatal(err)
	}
	for _, prefix := range []string{outPrefix, sentPrefix} {
		l := newLedger(&unlistedStore{memory.store, prefix})
		changed, err := l.Rewrite(t.Context(), k, false, func(a alert.Alert) alert.Alert { return a }, func(text string) string { return text })
		if prefix == sentPrefix && (changed || !errors.Is(err, errUnlisted)) || prefix == outPrefix && (!changed || err != nil) {
			t.Errorf("%s cannot be listed: Rewrite = %v, %v", prefix, changed, err)
		}
		if _, err := l.KeptOf(t.Context(), a.ID); prefix == sentPrefix && (!errors.Is(err, errUnlisted) || errors.Is(err, ErrNotKept)) || prefix == outPrefix && err != nil {
			t.Errorf("%s cannot be listed: KeptOf = %v", prefix, err)
		}
	}
}
