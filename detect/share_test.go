package detect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

func TestParseShare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Share{"1/1": {1, 1}, "2/4": {2, 4}, "64/64": {64, 64}} {
		if got, err := ParseShare(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2", "0/4", "5/4", "-1/4", "1/65", "1/0", "a/b", "1/2/3", "1 /2", "1/2 ", "+1/2", "1/+2", "01/02"} {
		if got, err := ParseShare(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// Each rule is of one share, rules of a story of the same, and no share is empty of
// very many.
func TestSharesDivide(t *testing.T) {
	t.Parallel()
	for of := 1; of <= 9; of++ {
		count := make([]int, of)
		for i := range 512 {
			r := &rule.Rule{ID: fmt.Sprintf("rule-%d", i)}
			if i%8 == 0 {
				r.Story = fmt.Sprint("story", i%3)
			}
			var in []int
			for n := range of {
				if (Share{n + 1, of}).Has(r) {
					in = append(in, n)
					count[n]++
				}
				if twin := (&rule.Rule{ID: "another", Story: r.Story}); r.Story != "" && (Share{n + 1, of}).Has(r) != (Share{n + 1, of}).Has(twin) {
					t.Errorf("rules of the story %s are apart", r.Story)
				}
			}
			if len(in) != 1 {
				t.Errorf("rule %d is of the shares %v of %d", i, in, of)
			}
		}
		if slices.Min(count)*3 < 512/of {
			t.Errorf("the shares have %v rules", count)
		}
	}
}

// rulesOfShares are rules that count the same events, under ids of their own.
func rulesOfShares(n int) (list []*rule.Rule) {
	for i := range n {
		r := counting(time.Hour, time.Hour)
		r.ID, r.Name, r.File = fmt.Sprint("r", i), fmt.Sprint("R", i), fmt.Sprintf("r%d.yaml", i)
		list = append(list, r)
	}
	return list
}

// Whatever the number of shares is and becomes, and whoever claims a rule for a
// while, each rule reports everything once.
func TestSharesReportOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		d := newDay(t, config(), dayOfEvents(), rulesOfShares(9)...)
		of := 1 + rng.IntN(4)
		for now := clock("05:10"); now.Before(clock("28:00")); now = now.Add(20 * time.Minute) {
			d.world.now = now
			shares := []Share{}
			for n := range of {
				shares = append(shares, Share{n + 1, of})
			}
			if rng.IntN(5) == 0 { // some run with another number for a while
				next := 1 + rng.IntN(4)
				for n := range next {
					shares = append(shares, Share{n + 1, next})
				}
				of = next
			}
			rng.Shuffle(len(shares), func(i, j int) { shares[i], shares[j] = shares[j], shares[i] })
			for _, share := range shares {
				c := d.config
				c.Share = share
				detector, err := New(c, d.rules, d.world, d.ledger, d.inbox)
				if err != nil {
					t.Fatal(err)
				}
				report, err := detector.Tick(t.Context(), now)
				if err != nil {
					t.Fatal(err)
				}
				for _, run := range report.Rules {
					if !share.Has(&rule.Rule{ID: run.RuleID}) {
						t.Fatalf("share %s ran the rule %s", share, run.RuleID)
					}
				}
			}
		}
		count := map[string]map[string]int{}
		for _, a := range d.inbox.alerts {
			if count[a.ID] == nil {
				count[a.ID] = map[string]int{}
			}
			count[a.ID][a.RuleID]++
		}
		byRule := map[string]int{}
		for id, rules := range count {
			for r, n := range rules {
				if byRule[r]++; n > 1 {
					t.Errorf("seed %d: alert %s of %s was sent %d times", seed, id, r, n)
				}
			}
		}
		for _, r := range d.rules {
			if byRule[r.ID] != 8 {
				t.Errorf("seed %d: rule %s has %d alerts, want 8", seed, r.ID, byRule[r.ID])
			}
		}
		checkEveryEvent(t, d)
	}
}

// What is wrong with a rule is reported by its share once, and once that it is over;
// what is wrong with a destination by the first.
func TestSharesAndHealth(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	other := &inbox{name: "other"}
	rules := rulesOfShares(6)
	shares := []Share{{1, 3}, {2, 3}, {3, 3}}
	var bad *rule.Rule
	for _, r := range rules {
		if shares[2].Has(r) {
			bad = r
		}
	}
	d := newDay(t, c, dayOfEvents(), rules...)
	var detectors []*Detector
	for _, share := range shares {
		c.Share = share
		detector, err := New(c, rules, d.world, d.ledger, d.inbox, other)
		if err != nil {
			t.Fatal(err)
		}
		detectors = append(detectors, detector)
	}
	tick := func(from, to string) {
		for now := clock(from); now.Before(clock(to)); now = now.Add(time.Hour) {
			d.world.now = now
			for _, detector := range detectors {
				_, _ = detector.Tick(t.Context(), now)
			}
		}
	}
	health := func() (titles []string) {
		for _, a := range other.alerts {
			if a.RuleID == HealthRuleID {
				titles = append(titles, a.Title)
			}
		}
		return titles
	}
	tick("05:10", "09:00")
	d.world.fail = func(q workspace.Query) error {
		if q.RuleID == bad.ID {
			return errDown
		}
		return nil
	}
	tick("09:10", "16:00")
	fails := fmt.Sprintf("The rule %q fails", bad.Name)
	if got := health(); !slices.Equal(got, []string{fails}) {
		t.Errorf("reported %q, want %q alone", got, fails)
	}
	d.world.fail = nil
	tick("16:10", "20:00")
	if got := health(); !slices.Equal(got, []string{fails, "Over: " + fails}) {
		t.Errorf("reported %q, want that it is over", got)
	}
	d.inbox.fail = func(alert.Alert) error { return errors.New("no") }
	d.world.events = append(d.world.events, happened("late", "zoe", "20:20"))
	tick("20:30", "30:00")
	stuck := 0
	for _, title := range health() {
		if strings.Contains(title, "inbox") && !strings.HasPrefix(title, "Over") {
			stuck++
		}
	}
	if stuck != 1 {
		t.Errorf("reported %q, want once that inbox takes nothing", health())
	}
}

// Ticks that end before all is run, three times in a row, are reported with what
// would help, and when they no longer do.
func TestTicksAreCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := config()
		c.Health, c.Concurrency = DefaultHealth(), 1
		c.Clock = time.Now
		d := newDay(t, c, nil, rulesOfShares(6)...)
		d.run("05:00", "05:10")
		d.world.takes = func(workspace.Query) time.Duration { return 2 * time.Minute }
		var titles []string
		tick := func(at string) Report {
			report, err := d.within(functionTimeout, clock(at))
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range report.Health {
				titles = append(titles, a.Title+": "+a.Description)
			}
			return report
		}
		tick("06:05")
		tick("07:05")
		if len(titles) > 0 {
			t.Errorf("reported %q after two ticks", titles)
		}
		report := tick("08:05")
		if len(titles) != 1 || !strings.Contains(titles[0], "Ticks end before all rules are run: 3 ticks in a row") || !strings.Contains(titles[0], "PUSHBACK_SHARE") || !strings.Contains(titles[0], `"R`) {
			t.Errorf("reported %q", titles)
		}
		if report.Had <= 0 || report.Had >= functionTimeout {
			t.Errorf("the tick had %s", report.Had)
		}
		full, err := Fullnesses(context.Background(), d.ledger)
		if f := full["1/1"]; err != nil || len(full) != 1 || f.Percent() < 80 || f.Waiting == 0 || !strings.Contains(f.String(), "left waiting") {
			t.Errorf("the ticks are %v, %v", full, err)
		}
		d.world.takes = nil
		tick("09:05")
		if len(titles) != 2 || !strings.HasPrefix(titles[1], "Over: Ticks end before") {
			t.Errorf("reported %q", titles)
		}
	})
}
