package ledger

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"pushback/detect/alert"
)

// watchedStore counts what is prepared and not committed yet, and the lists.
type watchedStore struct {
	store
	prepared, most, lists, commits int
}

func (s *watchedStore) prepare(partition string, c change) (change, error) {
	s.prepared++
	s.most = max(s.most, s.prepared)
	return s.store.prepare(partition, c)
}

func (s *watchedStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	s.commits++
	etags, err := s.store.commit(ctx, partition, changes...)
	if err == nil {
		s.prepared -= len(changes)
	}
	return etags, err
}

func (s *watchedStore) list(ctx context.Context, partition, from, to string, brief bool) iter.Seq2[item, error] {
	s.lists++
	return s.store.list(ctx, partition, from, to, brief)
}

// TestRecordMany records very many alerts of which a part is there already, as
// after a crash: no more of them are written out at a time than a transaction
// holds, and what is there is read once.
func TestRecordMany(t *testing.T) {
	t.Parallel()
	const many = 2_000
	var retried []Entry
	e := Entry{RuleID: "rule", State: State{First: noon, Watermark: noon}, Destinations: []string{"teams"}}
	for i := range many {
		a := scaleAlert(fmt.Sprint(i), noon)
		if i%10 == 9 {
			e.HeldBack = append(e.HeldBack, a)
		} else {
			e.Alerts = append(e.Alerts, a)
		}
	}
	half := e
	half.Alerts, half.HeldBack = e.Alerts[:len(e.Alerts)/2], e.HeldBack[:len(e.HeldBack)/2]
	retried = append(retried, half, e, e)
	for _, test := range []struct {
		name    string
		entries []Entry
	}{{"at once", []Entry{e}}, {"half before", retried}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := NewMemory().Ledger
			l.selfPurge = false
			s := &watchedStore{store: l.store}
			l.store = s
			for n, e := range test.entries {
				s.prepared, s.most, s.lists = 0, 0, 0
				if err := l.Record(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				if s.most > 3*maxChanges { // what turned out to be there, and a transaction
					t.Errorf("record %d: %d changes were prepared at a time", n, s.most)
				}
				if limit := min(n, 1); s.lists > limit {
					t.Errorf("record %d: %d lists, want at most %d", n, s.lists, limit)
				}
			}
			owed, err := l.Outbox(t.Context())
			if err != nil || len(owed) != len(e.Alerts) {
				t.Errorf("%d alerts are owed, want %d: %v", len(owed), len(e.Alerts), err)
			}
			recent, left, err := l.Recent(t.Context(), "rule", noon.AddDate(0, 0, -1))
			if made := len(e.Alerts) + len(e.HeldBack); err != nil || len(recent) != min(made, mostRecent) || left != made-len(recent) {
				t.Errorf("%d recent alerts and %d more of %d: %v", len(recent), left, made, err)
			}
		})
	}
}

// readStore counts the rows that are read.
type readStore struct {
	store
	read int
}

func (s *readStore) list(ctx context.Context, partition, from, to string, brief bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		s.store.list(ctx, partition, from, to, brief)(func(i item, err error) bool {
			s.read++
			return yield(i, err)
		})
	}
}

// What was reported lately is found without reading all that waits for longer,
// in each queue.
func TestRecentOfMany(t *testing.T) {
	t.Parallel()
	c := &testClock{t: noon}
	s := &readStore{store: NewMemory().store}
	l := memoryAt(s, c)
	const many = 1500
	some := func(who string, n int) (alerts []alert.Alert) {
		for i := range n {
			alerts = append(alerts, scaleAlert(fmt.Sprint(who, i), c.now()))
			alerts[i].Created = c.now()
		}
		record(t, l, "rule", State{First: noon, Watermark: c.now()}, []string{"teams"}, alerts...)
		return alerts
	}
	some("due", many)
	for _, a := range some("later", many) {
		if err := l.Failed(t.Context(), owed("teams", a), Failure{Err: "x", Next: at(30)}); err != nil {
			t.Fatal(err)
		}
	}
	c.add(3 * time.Hour)
	recent := some("new", 2)
	if err := l.Failed(t.Context(), owed("teams", recent[1]), Failure{Err: "x", Next: at(300)}); err != nil {
		t.Fatal(err)
	}
	s.read = 0
	got, _, err := l.Recent(t.Context(), "rule", at(170))
	if err != nil || len(got) != 2 || s.read > 5*mostOld {
		t.Errorf("%d alerts out of %d rows, %v", len(got), s.read, err)
	}
	s.read = 0
	if tally, err := l.Tally(t.Context(), []string{"rule"}, at(170)); err != nil || tally.Reported != 2 || s.read > 5*mostOld {
		t.Errorf("%+v out of %d rows, %v", tally, s.read, err)
	}
}
