package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// formerRules are the rules of the former ledgers.
var formerRules = []string{"11111111-1111-4111-8111-111111111111", "11111111-1111-4111-8111-222222222222", shippedRule}

// formerClock is a clock long after the leases of the former ledgers ended.
func formerClock() *testClock { return &testClock{t: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)} }

// formerStates returns what a former ledger says of its rules.
func formerStates(t *testing.T, whole store, c *testClock) map[string]State {
	t.Helper()
	states := map[string]State{}
	for _, id := range formerRules {
		s, err := memoryAt(whole, c).State(t.Context(), id)
		if err != nil || s.IsZero() {
			t.Fatalf("State of %s = %v, %v", id, s, err)
		}
		states[id] = s
	}
	return states
}

// checkMoved expects all rules of a former ledger to be moved, with their states.
func checkMoved(t *testing.T, whole store, c *testClock, states map[string]State) {
	t.Helper()
	l := memoryAt(whole, c)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, err := memoryAt(whole, c).readDirectory(t.Context())
	if err != nil || len(d.former) > 0 || len(d.damaged) > 0 || d.format != Format {
		t.Fatalf("the directory is %+v, %v", d, err)
	}
	if diff := cmp.Diff(formerRules, slices.Sorted(maps.Keys(d.rows))); diff != "" {
		t.Fatalf("rules (-want +got):\n%s", diff)
	}
	for id, want := range states {
		got, err := l.State(t.Context(), id)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("State of %s, %v (-want +got):\n%s", id, err, diff)
		}
		if f, _, err := l.readFence(t.Context(), id); err != nil || f == nil || f.format != Format {
			t.Errorf("the fence of %s: %+v, %v", id, f, err)
		}
	}
}

// An upgrade can crash at each of its steps, on both sides, and goes on from there.
func TestUpgradeCrashes(t *testing.T) {
	t.Parallel()
	for format := firstFormat; format < sharedFormat; format++ {
		t.Run(fmt.Sprint("from format ", format), func(t *testing.T) {
			t.Parallel()
			for _, done := range []bool{false, true} {
				for at := 1; ; at++ {
					c := formerClock()
					whole := NewMemory().store
					loadFormat(t, memoryAt(whole, c), format)
					states := formerStates(t, whole, c)
					owed, err := memoryAt(whole, c).Outbox(t.Context())
					if err != nil || len(owed) == 0 {
						t.Fatalf("%d are owed, %v", len(owed), err)
					}
					crashed := crashAt(whole, at, done)
					_ = memoryAt(crashed, c).Begin(t.Context())
					// Those that are not moved yet are known all the same.
					for id, want := range formerStates(t, whole, c) {
						if diff := cmp.Diff(want, states[id]); diff != "" {
							t.Errorf("State of %s after the crash (-want +got):\n%s", id, diff)
						}
					}
					if got, err := memoryAt(whole, c).Outbox(t.Context()); err != nil || len(got) != len(owed) {
						t.Errorf("%d are owed after the crash, %v; want %d", len(got), err, len(owed))
					}
					checkMoved(t, whole, c, states)
					if got, err := memoryAt(whole, c).Outbox(t.Context()); err != nil || len(got) != len(owed) {
						t.Errorf("%d are owed, %v; want %d", len(got), err, len(owed))
					}
					if t.Failed() {
						t.Fatalf("crashed at step %d, done is %v", at, done)
					}
					if crashed.steps < at {
						if at < 10 {
							t.Errorf("an upgrade has %d steps", at)
						}
						break
					}
				}
			}
		})
	}
}

// While a process moves the rules, at each of its steps another one moves them too,
// runs one and saves how far that has run: it stays so.
func TestUpgradeOfTwo(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		c := formerClock()
		whole := NewMemory().store
		loadFormat(t, memoryAt(whole, c), 3)
		states := formerStates(t, whole, c)
		one := &steppedStore{store: whole}
		one.before = func(step int) error {
			if step != at {
				return nil
			}
			two := memoryAt(whole, c)
			if err := two.Begin(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := two.Lease(t.Context(), shippedRule, time.Minute); err != nil {
				t.Error(err)
			}
			s := states[shippedRule]
			s.Watermark = s.Watermark.Add(time.Hour)
			states[shippedRule] = s
			for _, err := range two.Save(t.Context(), []Saving{{RuleID: shippedRule, State: s}}) {
				if err != nil {
					t.Error(err)
				}
			}
			return nil
		}
		l := memoryAt(one, c)
		if err := l.Begin(t.Context()); err != nil {
			t.Error(err)
		}
		one.before = nil
		begun := one.steps
		// And the first can take the lease after that.
		lease, err := l.Lease(t.Context(), shippedRule, time.Minute)
		if err == nil {
			err = lease.Release(t.Context())
		}
		if err != nil {
			t.Error(err)
		}
		checkMoved(t, whole, c, states)
		if t.Failed() {
			t.Fatalf("the other came before step %d", at)
		}
		if begun < at {
			if at < 10 {
				t.Errorf("an upgrade has %d steps", at)
			}
			return
		}
	}
}

// formerProcess is a process of the version before in its last tick.
type formerProcess struct {
	whole store
	run   *fenceRow
	etag  string
}

func (p *formerProcess) read(t *testing.T) {
	t.Helper()
	i, err := p.whole.get(t.Context(), partitionOf(shippedRule), fenceKey)
	if err != nil {
		t.Fatal(err)
	}
	p.run, p.etag = i.row.(*fenceRow), i.etag
}

// write writes its row as it did: under the ETag that it knows.
func (p *formerProcess) write(ctx context.Context, holder string, until time.Time, s State, with ...change) error {
	former := *p.run.former
	former.state, former.holder, former.until = s, holder, until
	next := *p.run
	next.holder, next.former = holder, &former
	etags, err := p.whole.commit(ctx, partitionOf(shippedRule), append(with, change{verb: replace, key: fenceKey, etag: p.etag, row: &next})...)
	if err == nil {
		p.run, p.etag = &next, etags[len(etags)-1]
	}
	return err
}

// A rule that a process of the version before runs is left to it. One that it does
// not run yet it cannot run any more.
func TestUpgradeDuringTick(t *testing.T) {
	t.Parallel()
	c := formerClock()
	whole := NewMemory().store
	loadFormat(t, memoryAt(whole, c), 3)
	states := formerStates(t, whole, c)
	ctx := t.Context()
	before := &formerProcess{whole: whole}
	before.read(t)
	if err := before.write(ctx, "before", c.now().Add(5*time.Minute), states[shippedRule]); err != nil {
		t.Fatal(err)
	}
	l := memoryAt(whole, c)
	if err := l.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	if s, err := l.State(ctx, shippedRule); err != nil || !s.Watermark.Equal(states[shippedRule].Watermark) {
		t.Errorf("State of a rule that the version before runs = %v, %v", s, err)
	}
	var leased *LeasedError
	if _, err := l.Lease(ctx, shippedRule, time.Minute); !errors.As(err, &leased) || !leased.Until.Equal(c.now().Add(5*time.Minute)) {
		t.Errorf("its lease: %v", err)
	}
	if _, err := l.Lease(ctx, formerRules[0], time.Minute); err != nil {
		t.Errorf("the lease of another rule: %v", err)
	}
	if ids, err := l.Rules(ctx); err != nil || !slices.Contains(ids, shippedRule) {
		t.Errorf("rules that may owe something: %q, %v", ids, err)
	}
	// It goes on: it records something, saves its state and gives back the lease.
	s := states[shippedRule]
	s.Watermark = s.Watermark.Add(time.Hour)
	states[shippedRule] = s
	a := newAlert(shippedRule, activity("late", 0, 1))
	seen := change{verb: insert, key: seenKey(hour(s.Watermark), a.ID, 0), row: &seenRow{alertID: a.ID, at: s.Watermark, parts: 1, activities: a.Activities}}
	if err := before.write(ctx, "before", c.now().Add(5*time.Minute), s, seen); err != nil {
		t.Fatal(err)
	}
	if err := before.write(ctx, "", time.Time{}, s); err != nil {
		t.Fatal(err)
	}
	checkMoved(t, whole, c, states)
	if _, err := memoryAt(whole, c).Lease(ctx, shippedRule, time.Minute); err != nil {
		t.Error(err)
	}
	checkUnseen(t, memoryAt(whole, c), shippedRule, []alert.Activity{activity("late", 0, 1)}, nil)
	// Whatever it still sends fails.
	if err := before.write(ctx, "before", c.now().Add(5*time.Minute), s); !errors.Is(err, errChanged) {
		t.Errorf("the version before takes the lease after that: %v", err)
	}
	// And where it starts anew with the rule, it finds a format that it does not know.
	before.read(t)
	if before.run.format < sharedFormat {
		t.Errorf("the row is of format %d", before.run.format)
	}
}

// A process of the version before that lists a rule again, in its last tick, changes
// nothing of it.
func TestUpgradeListedAgain(t *testing.T) {
	t.Parallel()
	c := formerClock()
	whole := NewMemory().store
	loadFormat(t, memoryAt(whole, c), 3)
	states := formerStates(t, whole, c)
	checkMoved(t, whole, c, states)
	if _, err := whole.commit(t.Context(), directory, change{verb: replace, key: partitionOf(shippedRule), row: &ruleRow{shippedRule}}); err != nil {
		t.Fatal(err)
	}
	checkMoved(t, whole, c, states)
}
