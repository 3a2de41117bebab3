package detect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// worked is what was done for rules, in its order.
type worked struct {
	mu      sync.Mutex
	order   []string
	running map[string]bool
	stories map[string]int
	most    int
}

// turnsOf works on rules of some stories, each with as many turns as are given and
// each turn of some length, and returns what was done.
func turnsOf(t *testing.T, atOnce int, inOrder, alone bool, stories []string, turns []int, length func() time.Duration) *worked {
	t.Helper()
	w := &worked{running: map[string]bool{}, stories: map[string]int{}}
	var rules []*progress
	for i, story := range stories {
		rules = append(rules, &progress{rule: scheduledRule{Rule: &rule.Rule{ID: fmt.Sprint("r", i), Story: story}}, run: &RuleRun{}})
	}
	left := map[string]int{}
	for i, n := range turns {
		left[fmt.Sprint("r", i)] = n
	}
	var lengths sync.Mutex
	inTurns(t.Context(), rules, atOnce, inOrder, alone, nil, func(p *progress, settle func()) bool {
		w.mu.Lock()
		if p.rule.Story != "" {
			if w.stories[p.rule.Story]++; w.stories[p.rule.Story] > 1 && alone {
				t.Errorf("two rules of the story %q at once", p.rule.Story)
			}
		}
		w.running[p.rule.ID] = true
		w.most = max(w.most, len(w.running))
		w.mu.Unlock()
		lengths.Lock()
		takes := length()
		lengths.Unlock()
		time.Sleep(takes)
		settle()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.order = append(w.order, p.rule.ID)
		delete(w.running, p.rule.ID)
		w.stories[p.rule.Story]--
		left[p.rule.ID]--
		return left[p.rule.ID] > 0
	})
	return w
}

// Whatever takes how long, each rule has its turns, never more at once than may be,
// and in order it is as if they came one by one.
func TestTurnsInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var stories []string
			var turns []int
			all := 0
			for range 1 + rng.IntN(9) {
				stories = append(stories, []string{"", "", "x", "y"}[rng.IntN(4)])
				turns = append(turns, 1+rng.IntN(4))
				all += turns[len(turns)-1]
			}
			atOnce := 1 + rng.IntN(5)
			length := func() time.Duration { return time.Duration(rng.IntN(5)) * time.Second }
			alone := turnsOf(t, 1, false, true, stories, turns, func() time.Duration { return 0 })
			ordered := turnsOf(t, atOnce, true, seed%2 == 0, stories, turns, length)
			if !slices.Equal(alone.order, ordered.order) {
				t.Errorf("seed %d: in order %v, want %v", seed, ordered.order, alone.order)
			}
			loose := turnsOf(t, atOnce, false, true, stories, turns, length)
			if len(loose.order) != all || loose.most > atOnce || ordered.most > atOnce {
				t.Errorf("seed %d: %v, %d and %d at once: want %d turns, %d at once", seed, loose.order, loose.most, ordered.most, all, atOnce)
			}
		})
	}
}

func TestTurnsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := turnsOf(t, 5, false, true, make([]string, 20), slices.Repeat([]int{1}, 20), func() time.Duration { return time.Second })
		if took := time.Since(began); took != 4*time.Second || w.most != 5 {
			t.Errorf("20 turns of a second took %s, %d at once", took, w.most)
		}
	})
}

// Turns end with their context, and with a panic only the rule's own.
func TestTurnsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		a := &progress{rule: scheduledRule{Rule: &rule.Rule{ID: "a", Name: "A"}}, run: &RuleRun{}}
		b := &progress{rule: scheduledRule{Rule: &rule.Rule{ID: "b", Name: "B"}}, run: &RuleRun{}}
		n := 0
		inTurns(ctx, []*progress{a, b}, 2, false, true, nil, func(p *progress, settle func()) bool {
			if p == a {
				panic("at the disco")
			}
			n++
			time.Sleep(time.Minute)
			return true
		})
		if n != 2 || a.run.Err == nil || b.run.Err != nil {
			t.Errorf("%d turns, %v, %v", n, a.run.Err, b.run.Err)
		}
	})
}

// An alert leaves when its rule is done, while others still run. What earlier ticks
// left leaves at once.
func TestAlertsLeaveWhenRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := counting(time.Hour, time.Hour), counting(time.Hour, time.Hour)
		a.ID, a.Name, a.File = "a", "A", "a.yaml"
		b.ID, b.Name, b.File = "b", "B", "b.yaml"
		c := config()
		c.Clock = time.Now
		d := newDay(t, c, dayOfEvents(), a, b)
		d.run("05:30", "06:10")
		d.world.takes = func(q workspace.Query) time.Duration {
			if q.RuleID == "a" {
				return time.Second
			}
			return time.Minute
		}
		began := time.Now()
		at := map[string][]time.Duration{}
		d.inbox.fail = func(a alert.Alert) error {
			at[a.RuleID] = append(at[a.RuleID], time.Since(began))
			return nil
		}
		report, err := d.within(functionTimeout, clock("10:05"))
		if err != nil {
			t.Fatal(err)
		}
		quick, slow := len(report.Rules[0].Windows), len(report.Rules[1].Windows)
		for id, want := range map[string]time.Duration{"a": time.Duration(quick) * time.Second, "b": time.Duration(slow) * time.Minute} {
			if len(at[id]) == 0 {
				t.Errorf("rule %s: nothing was sent", id)
			}
			for _, after := range at[id] {
				if after != want {
					t.Errorf("an alert of rule %s left after %s, and the rule was done after %s", id, after, want)
				}
			}
		}
	})
}
