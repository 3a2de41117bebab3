package ledger

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// singles returns groups of one rule each.
func singles(n int) (groups [][]string) {
	for i := range n {
		groups = append(groups, []string{fmt.Sprintf("rule %03d", i)})
	}
	return groups
}

func saved(groups [][]string, s State) (list []Saving) {
	for _, g := range groups {
		for _, id := range g {
			list = append(list, Saving{RuleID: id, State: s})
		}
	}
	return list
}

// TestManyLeases takes, renews and saves the leases of more rules than a transaction
// or a page takes, in batches, while another process has a few of them.
func TestManyLeases(t *testing.T) {
	t.Parallel()
	const rules = 1230
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		ctx := t.Context()
		groups := append(singles(rules), []string{"a story's", "another of it", "rule of both"}, []string{"alone"})
		one, two := open(), open()
		watched := &watchedStore{store: one.store}
		one.store = watched
		begin := func(l *Ledger) {
			t.Helper()
			if err := l.Begin(ctx); err != nil {
				t.Fatal(err)
			}
		}
		begin(one)
		// The other took some since, one of the story among them.
		held := []string{"rule 007", "rule 500", "rule 1229", "another of it"}
		for _, id := range held {
			if _, err := two.Lease(ctx, id, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		watched.commits = 0
		taken := 0
		for i, g := range one.Leases(ctx, groups, time.Minute) {
			busy := slices.ContainsFunc(groups[i], func(id string) bool { return slices.Contains(held, id) })
			if leased := errors.As(g.Err, new(*LeasedError)); leased != busy || !busy && g.Err != nil {
				t.Errorf("the leases of %q: %v", groups[i], g.Err)
			}
			if g.Err == nil {
				taken += len(g.Leases)
			}
		}
		if want := rules - 3 + 1; taken != want || watched.commits > 13+4+2 {
			t.Errorf("%d leases with %d transactions, want %d", taken, watched.commits, want)
		}
		for _, id := range []string{"a story's", "rule of both"} { // as one of the group is held
			if one.leaseOf(id) != nil {
				t.Errorf("the lease of %s is taken", id)
			}
		}

		// One that is kept has the others renewed.
		c.add(10 * time.Second)
		watched.commits = 0
		lease := one.leaseOf("rule 000")
		if err := lease.Keep(ctx); err != nil || watched.commits > 0 {
			t.Errorf("%v, %d transactions to keep a lease that has most of its length", err, watched.commits)
		}
		c.add(10 * time.Second)
		for range 2 {
			if err := lease.Keep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := one.leaseOf("rule 900").Keep(ctx); err != nil || watched.commits != 13 {
			t.Errorf("%v, %d transactions to keep all leases", err, watched.commits)
		}
		c.add(50 * time.Second)
		if _, err := open().Lease(ctx, "rule 900", time.Minute); !errors.As(err, new(*LeasedError)) {
			t.Errorf("a lease that was renewed with another: %v", err)
		}

		// And their states are saved. Where the other took over it stays.
		c.add(2 * time.Minute)
		for _, id := range []string{"rule 100", "rule 200"} {
			if _, err := two.Lease(ctx, id, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		watched.commits = 0
		s := State{First: at(0), Watermark: at(60)}
		list := saved(groups[:rules], s)
		for i, err := range one.Save(ctx, list) {
			id := list[i].RuleID
			lost := slices.Contains([]string{"rule 100", "rule 200"}, id)
			if leased := errors.As(err, new(*LeasedError)); leased != lost || !lost && err != nil && !slices.Contains(held, id) {
				t.Errorf("saving %s: %v", id, err)
			}
		}
		if watched.commits > 13+4 {
			t.Errorf("%d transactions to save all", watched.commits)
		}
		fresh := open()
		begin(fresh)
		for _, g := range groups[:rules] {
			id := g[0]
			got, err := fresh.State(ctx, id)
			if err != nil || got.IsZero() != slices.Contains([]string{"rule 100", "rule 200"}, id) {
				t.Errorf("State of %s = %v, %v", id, got, err)
			}
		}
	})
}

// forgettingStore does not say the ETags of several rows, as a service may not.
type forgettingStore struct{ store }

func (s forgettingStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	etags, err := s.store.commit(ctx, partition, changes...)
	if len(changes) > 1 {
		clear(etags)
	}
	return etags, err
}

// Without the ETags in the answer to a transaction they are read.
func TestUnknownETags(t *testing.T) {
	t.Parallel()
	c := &testClock{t: noon}
	l := memoryAt(forgettingStore{NewMemory().store}, c)
	ctx := t.Context()
	groups := singles(20)
	for tick := range 3 {
		if err := l.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		for _, g := range l.Leases(ctx, groups, time.Minute) {
			if g.Err != nil {
				t.Fatal(g.Err)
			}
		}
		c.add(50 * time.Second)
		for _, g := range groups[:3] {
			a := newAlert(g[0], activity(fmt.Sprint("a", tick), 0, 1))
			record(t, l, g[0], State{First: at(0), Watermark: at(tick)}, []string{"teams"}, a)
			record(t, l, g[0], State{First: at(0), Watermark: at(tick)}, []string{"teams"}, a, newAlert(g[0], activity(fmt.Sprint("b", tick), 0, 1)))
		}
		for _, err := range l.Save(ctx, saved(groups, State{First: at(0), Watermark: at(tick)})) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if owed, err := l.Outbox(ctx); err != nil || len(owed) != 3*3*2 {
		t.Errorf("%d are owed, %v", len(owed), err)
	}
}

// A row of one rule that is damaged is that rule's error, which names it; the others
// go on.
func TestDamagedRow(t *testing.T) {
	t.Parallel()
	o := makeTable(t, tableOptions(azurite.Addr(t)), azurite.Addr(t))
	l := open(t, o)
	ctx := t.Context()
	groups := append(singles(6), []string{"../'hostile\" or 1 eq 1"})
	for _, s := range saved(groups, State{First: at(0), Watermark: at(60)}) {
		record(t, l.Ledger, s.RuleID, s.State, []string{"teams"}, newAlert(s.RuleID, activity("a", 0, 1)))
	}
	for _, id := range []string{groups[3][0], groups[6][0]} {
		key := runKeyOf(id)
		_, err := l.store.(*tableStore).client.UpdateEntity(ctx, fmt.Appendf(nil, `{"PartitionKey":"rules","RowKey":%q,"Owes":false}`, key), &aztables.UpdateEntityOptions{UpdateMode: aztables.UpdateModeMerge})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, begun := range []bool{false, true} {
		l := open(t, o).Ledger
		if begun {
			if err := l.Begin(ctx); err != nil {
				t.Fatal(err)
			}
		}
		check := func(what, id string, err error) {
			t.Helper()
			damaged := id == groups[3][0] || id == groups[6][0]
			if damaged != (err != nil) || damaged && (!strings.Contains(err.Error(), runKeyOf(id)) || !strings.Contains(err.Error(), "damaged")) {
				t.Errorf("%s of %s: %v", what, id, err)
			}
		}
		for i, g := range l.Leases(ctx, groups, time.Minute) {
			check("the lease", groups[i][0], g.Err)
		}
		for _, g := range groups {
			_, err := l.State(ctx, g[0])
			check("the state", g[0], err)
		}
		list := saved(groups, State{First: at(0), Watermark: at(61)})
		for i, err := range l.Save(ctx, list) {
			check("saving", list[i].RuleID, err)
		}
		// What a rule owes whose row cannot be read is sent all the same.
		ids, err := l.Rules(ctx)
		if err != nil || len(ids) != len(groups) {
			t.Errorf("%d rules may owe something, %v", len(ids), err)
		}
		if owed, err := l.Outbox(ctx); err == nil || len(owed) != len(groups) {
			t.Errorf("%d are owed, %v; want %d, and what is damaged", len(owed), err, len(groups))
		}
	}
}

// rejectingStore rejects transactions that hold the row of a rule.
type rejectingStore struct {
	store
	key string
}

func (s rejectingStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	if slices.ContainsFunc(changes, func(c change) bool { return c.key == s.key }) {
		return nil, &storageError{doing: "writing", status: http.StatusBadRequest, code: "EntityTooLarge"}
	}
	return s.store.commit(ctx, partition, changes...)
}

// A row that the service does not take fails no other in its batch.
func TestRejectedRow(t *testing.T) {
	t.Parallel()
	groups := singles(150)
	l := memoryAt(rejectingStore{NewMemory().store, runKeyOf(groups[70][0])}, &testClock{t: noon})
	for i, g := range l.Leases(t.Context(), groups, time.Minute) {
		if failed := i == 70; failed != (g.Err != nil) {
			t.Errorf("the lease of %q: %v", groups[i], g.Err)
		}
	}
}

// TestRulesAtOnce has many rules be run at once, over one process: each records,
// keeps its lease and is asked for its state, while what they owe is read and sent.
func TestRulesAtOnce(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		const rules, each = 12, 4
		ctx := t.Context()
		groups := singles(rules)
		for range 2 {
			l := open()
			if err := l.Begin(ctx); err != nil {
				t.Fatal(err)
			}
			for _, g := range l.Leases(ctx, groups, time.Minute) {
				if g.Err != nil {
					t.Fatal(g.Err)
				}
			}
			var wg sync.WaitGroup
			for _, g := range groups {
				wg.Go(func() {
					id := g[0]
					for i := range each {
						if err := l.leaseOf(id).Keep(ctx); err != nil {
							t.Error(err)
						}
						a := newAlert(id, activity(fmt.Sprint(i), 0, 1))
						news, err := unseen(ctx, l, id, a.Activities)
						if err != nil {
							t.Error(err)
						}
						if len(news) > 0 {
							if err := l.Record(ctx, Entry{RuleID: id, State: State{First: at(0), Watermark: at(i)}, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}}); err != nil {
								t.Error(err)
							}
						}
						if s, err := l.State(ctx, id); err != nil || len(news) > 0 && !s.Watermark.Equal(at(i)) {
							t.Errorf("State = %v, %v", s, err)
						}
						c.add(5 * time.Second)
					}
				})
			}
			wg.Go(func() {
				for range 3 {
					ids, err := l.Rules(ctx)
					if err != nil {
						t.Error(err)
					}
					for _, id := range ids {
						for owed, err := range l.Waiting(ctx, id, FirstPlace) {
							if err != nil {
								t.Error(err)
							}
							if err := l.Sent(ctx, owed[0]); err != nil {
								t.Error(err)
							}
						}
					}
				}
			})
			wg.Wait()
			for _, err := range l.Save(ctx, saved(groups, State{First: at(0), Watermark: at(each)})) {
				if err != nil {
					t.Error(err)
				}
			}
			if _, err := l.Purge(ctx, c.now()); err != nil {
				t.Error(err)
			}
			owed, err := open().Outbox(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range owed {
				if err := l.Sent(ctx, o); err != nil {
					t.Error(err)
				}
			}
			c.add(time.Hour)
		}
		tally, err := open().Tally(ctx, func() (ids []string) {
			for _, g := range groups {
				ids = append(ids, g[0])
			}
			return ids
		}(), noon.Add(-time.Hour))
		if err != nil || tally.Reported != rules*each {
			t.Errorf("%d alerts, %v; want %d", tally.Reported, err, rules*each)
		}
	})
}

// The answer to a transaction says the ETags of its operations, in their order.
func TestETagsOf(t *testing.T) {
	t.Parallel()
	l := newTable(t)
	ctx := t.Context()
	var changes []change
	for i := range 3 {
		c, err := l.store.prepare("p", change{verb: insert, key: noteKey(fmt.Sprint(i)), row: &noteRow{text: "x"}})
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c)
	}
	etags, err := l.store.commit(ctx, "p", changes...)
	if err != nil {
		t.Fatal(err)
	}
	changes[1] = change{verb: remove, key: changes[1].key, etag: etags[1]}
	if changes[1], err = l.store.prepare("p", changes[1]); err != nil {
		t.Fatal(err)
	}
	changes[0].verb, changes[0].etag, changes[2].verb, changes[2].etag = replace, etags[0], replace, etags[2]
	again, err := l.store.commit(ctx, "p", changes...)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2} {
		got, err := l.store.get(ctx, "p", changes[i].key)
		if err != nil || got.etag != again[i] || again[i] == "" || again[i] == etags[i] {
			t.Errorf("the ETag of operation %d is %q, %v; the answer said %q, and %q before", i, got.etag, err, again[i], etags[i])
		}
	}
	if again[1] != "" {
		t.Errorf("the ETag of what was removed is %q", again[1])
	}
}
