package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/ledger/azurite"
)

// pairRounds is how often two processes tick at once.
const pairRounds = 50

// pairFaults are what a table does to a process without its being down.
func pairFaults() []azurite.Fault {
	return slices.DeleteFunc(azurite.Faults(), func(f azurite.Fault) bool {
		return f.Silent || f.Inside || !slices.Contains([]int{0, 429, 503}, f.Status)
	})
}

// pairRules writes two rules: the shipped one, and it with windows that overlap.
func pairRules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shipped, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	overlapping := bytes.Replace(shipped, []byte("id: d99cf5c3"), []byte("id: 00000000"), 1)
	overlapping = bytes.Replace(overlapping, []byte("queryFrequency: 1h"), []byte("queryFrequency: 30m"), 1)
	for name, text := range map[string][]byte{"a.yaml": shipped, "b.yaml": overlapping} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// checkStories expects that of the alerts of several rules about the same event all
// but those of one rule are updates: the rules share a story.
func checkStories(t *testing.T, alerts []logLine) {
	t.Helper()
	alone, updates := map[string]string{}, 0
	for _, a := range alerts {
		if a.UpdateOf != "" {
			updates++
			continue
		}
		for _, id := range a.Details["CorrelationIds"] {
			if of := alone[id]; of != "" && of != a.Rule {
				t.Errorf("two rules report %s as news: %s", id, a.Title)
			}
			alone[id] = a.Rule
		}
	}
	if updates == 0 {
		t.Error("nothing is an update: the rules do not see the same")
	}
}

// TestProcessPair has two processes tick at once, with the same rules and one
// table that misbehaves. It expects what one alone reports: all of it, each
// alert once.
func TestProcessPair(t *testing.T) {
	t.Parallel()
	rules := pairRules(t)
	c := newCloud(t)
	alone := startHost(t, c, map[string]string{"PUSHBACK_RULES": rules})
	for round := range pairRounds {
		alone.tick(c, at(0, 5+30*round), http.StatusOK)
	}
	alone.stop()
	want := alertLines(t, alone.stdout.String())

	const seed, oneIn = 7, 25
	rng := rand.New(rand.NewPCG(seed, 0))
	faults := pairFaults()
	proxy := azurite.NewProxy(t, func(*http.Request) *azurite.Fault {
		if rng.IntN(oneIn) > 0 {
			return nil
		}
		return &faults[rng.IntN(len(faults))]
	})
	table := newLedgerTable(t)
	settings := table.settings(proxy.Addr)
	settings["PUSHBACK_RULES"] = rules
	c = newCloud(t)
	pair := [2]*functionsHost{startHost(t, c, settings), startHost(t, c, settings)}
	failed, unnoted, reported := 0, 0, [2]int{}
	tick := func(now time.Time) {
		c.setNow(now)
		var got [len(pair)]invoked
		var wg sync.WaitGroup
		for i, h := range pair {
			wg.Go(func() { got[i] = h.post(timerBody(now, 0), nil) })
		}
		wg.Wait()
		for _, g := range got {
			if g.status != http.StatusOK {
				failed++
				unnoted += strings.Count(g.body, "noting the sending of")
			}
		}
		table.endLeases() // of one that could not give it back: the next tick is in half an hour
	}
	now := at(0, 5)
	for range pairRounds {
		tick(now)
		now = now.Add(30 * time.Minute)
	}
	proxy.Set(nil)
	for range 10 {
		tick(now)
		now = now.Add(30 * time.Minute)
		if len(table.outbox()) == 0 {
			break
		}
	}
	if owed := table.outbox(); len(owed) > 0 {
		t.Errorf("%d alerts are still owed", len(owed))
	}
	var got []logLine
	for i, h := range pair {
		h.stop()
		alerts := alertLines(t, h.stdout.String())
		reported[i] = len(alerts)
		got = append(got, alerts...)
	}
	lost := 0
	events := eventsOf(got)
	for e := range eventsOf(want) {
		if !events[e] {
			lost++
			t.Errorf("%s is not reported", e)
		}
	}
	all := ids(got)
	repeats := len(all) - len(slices.Compact(slices.Clone(all)))
	// A note that failed four times is as a crash: the alert may be sent again.
	if repeats > unnoted {
		t.Errorf("%d alerts are sent twice, with %d sendings that could not be noted", repeats, unnoted)
	}
	checkNews(t, got)
	checkStories(t, got)
	hits := 0
	for _, n := range proxy.Hits() {
		hits += n
	}
	t.Logf("seed %d: %d rounds with %d faults, %d of %d ticks failed; sent %s alerts, %d by one alone; %d events lost, %d alerts sent again, %d sendings not noted",
		seed, pairRounds, hits, failed, 2*pairRounds, fmt.Sprint(reported), len(want), lost, repeats, unnoted)
	if reported[0] == 0 || reported[1] == 0 || hits < 20 {
		t.Error("the two do not get in each other's way: the test does not test that")
	}
}
