package detect

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// publicRules is how many of a public folder of rules have which frequency.
var publicRules = []struct {
	frequency time.Duration
	count     int
}{
	{24 * time.Hour, 174}, {time.Hour, 160}, {6 * time.Hour, 22}, {10 * time.Minute, 14}, {2 * time.Hour, 12},
	{15 * time.Minute, 11}, {5 * time.Minute, 11}, {30 * time.Minute, 6}, {12 * time.Hour, 8},
}

// ruleSet returns as many rules as Sentinel allows, with the frequencies of that
// folder. Nine of ten are selective: their beginnings pass less than a record an hour.
func ruleSet() (rules []*rule.Rule) {
	const all = 512
	have, total := 0, 0
	for _, p := range publicRules {
		total += p.count
	}
	for i, p := range publicRules {
		n := p.count * all / total
		if i == len(publicRules)-1 {
			n = all - have
		}
		for range n {
			text := fmt.Sprintf(`Events | where Kind == "k%d"`, have) + summary
			if have%10 == 9 {
				text = fmt.Sprintf(`Events | where Kind startswith "noise" and User != "u%d"`, have) + summary
			}
			r := tenantRule(fmt.Sprintf("rule-%03d", have), text, p.frequency, p.frequency)
			rules = append(rules, r)
			have++
		}
	}
	return rules
}

// delay is how long a record takes to come in: minutes as a rule, now and then hours,
// and seldom days.
func delay(rng *rand.Rand) time.Duration {
	switch n := rng.IntN(1000); {
	case n < 1:
		return time.Duration(24+rng.IntN(48)) * time.Hour
	case n < 11:
		return time.Duration(10+rng.IntN(290)) * time.Minute
	}
	return time.Duration(30+rng.IntN(240)) * time.Second
}

// slowWorkspace is a workspace in which each request takes a second, and notes how
// many there are.
type slowWorkspace struct {
	service *service.Service

	mu    sync.Mutex
	came  []time.Time
	there int
	most  int
}

func (s *slowWorkspace) Do(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.came = append(s.came, time.Now())
	s.there++
	s.most = max(s.most, s.there)
	s.mu.Unlock()
	time.Sleep(time.Second)
	s.mu.Lock()
	s.there--
	s.mu.Unlock()
	return s.service.Do(r)
}

// burst is how many requests came within any 30 seconds.
func (s *slowWorkspace) burst() (most int) {
	first := 0
	for i, at := range s.came {
		for at.Sub(s.came[first]) >= 30*time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// countingQuerier counts what is asked for.
type countingQuerier struct {
	*workspace.Client
	mu             sync.Mutex
	looks, windows int
}

func (q *countingQuerier) Query(ctx context.Context, query workspace.Query) (*workspace.Table, error) {
	q.mu.Lock()
	if query.RuleID == "look" {
		q.looks++
	} else {
		q.windows++
	}
	q.mu.Unlock()
	return q.Client.Query(ctx, query)
}

// nowhere takes alerts.
type nowhere struct{}

func (nowhere) Name() string                              { return "nowhere" }
func (nowhere) Notify(context.Context, alert.Alert) error { return nil }

// manyTicks runs the rule set for some hours over records of those and the days
// before, a tick every five minutes, and returns what it took.
func manyTicks(t *testing.T, rules []*rule.Rule, hours int) map[string]float64 {
	t.Helper()
	start := midnight.Add(-6 * time.Hour)
	end := start.Add(time.Duration(hours) * time.Hour)
	rng := rand.New(rand.NewPCG(1, 2))
	b := kql.NewTableBuilder("Events", tenantSchema)
	add := func(at time.Time, kind string) {
		b.SetTime(0, at)
		b.SetTime(1, at.Add(delay(rng)))
		b.SetString(2, fmt.Appendf(nil, "u%d", rng.IntN(50)))
		b.SetString(3, []byte(kind))
		b.Commit()
	}
	from := start.Add(-24 * time.Hour)
	for at := from; at.Before(end); at = at.Add(time.Minute) {
		add(at, fmt.Sprint("noise", rng.IntN(5)))
	}
	for i := range rules {
		for at := from; at.Before(end); at = at.Add(time.Duration(1+rng.IntN(16)) * time.Hour) {
			add(at.Add(time.Duration(rng.IntN(3600))*time.Second), fmt.Sprint("k", i))
		}
	}
	slow := &slowWorkspace{}
	now := start
	slow.service = &service.Service{DB: kql.NewDatabase(b.Build()), Now: func() time.Time { return now }}
	client, err := workspace.New("local", tenantCredential{}, workspace.Options{
		ClientOptions: azcore.ClientOptions{Transport: slow, Retry: policy.RetryOptions{MaxRetries: -1}}, Concurrency: 5,
	})
	if err != nil {
		t.Fatal(err)
	}
	querier := &countingQuerier{Client: client}
	c := config()
	c.Clock = time.Now
	c.LateLook = 72 * time.Hour
	c.Beginnings = beginningsOf(t, rules)
	detector, err := New(c, rules, querier, ledger.NewMemory(), nowhere{})
	if err != nil {
		t.Fatal(err)
	}
	took := map[string]float64{}
	var memory runtime.MemStats
	for ; !now.After(end); now = now.Add(5 * time.Minute) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 9*time.Minute+30*time.Second)
		report, err := detector.Tick(ctx, now)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		again := 0
		for _, run := range report.Rules {
			for _, w := range run.Windows {
				if w.Pass > 0 {
					again++
				} else {
					took["windows"]++
				}
			}
			took["left"] += float64(run.Left)
		}
		took["reruns"] += float64(again)
		kind := "other ticks, s"
		switch ended := now.Add(-c.Delay); {
		case now == start:
			continue // the first
		case ended.Equal(ended.Truncate(24 * time.Hour)):
			kind = "midnight, s"
		case ended.Equal(ended.Truncate(time.Hour)):
			kind = "full hour, s"
		}
		// Of what is asked five times at once, windows that run again are aside.
		aside := time.Duration(again) * time.Second / 5
		took[kind] = max(took[kind], (time.Since(began) - aside).Seconds())
		if now.Minute() == 5 {
			runtime.ReadMemStats(&memory)
			took["heap, MiB"] = max(took["heap, MiB"], float64(memory.HeapAlloc)/(1<<20))
		}
	}
	took["looks"] = float64(querier.looks)
	took["at once"], took["in 30 s"] = float64(slow.most), float64(slow.burst())
	took["queries/window"] = (float64(querier.windows+querier.looks) - took["reruns"]) / took["windows"]
	return took
}

// manyHours is for how long TestTickManyRules runs its rules: .ci/bench takes two days.
var manyHours = flag.Int("manyrules.hours", hoursOfRules, "for how many hours TestTickManyRules runs its rules")

// TestTickManyRules runs as many rules as Sentinel allows over an evening and a
// midnight, on a clock of its own on which each query takes a second.
func TestTickManyRules(t *testing.T) {
	t.Parallel()
	rules := ruleSet()
	synctest.Test(t, func(t *testing.T) {
		took := manyTicks(t, rules, *manyHours)
		for _, what := range slices.Sorted(maps.Keys(took)) {
			t.Logf("%-16s %.2f", what, took[what])
		}
		for what, most := range map[string]float64{
			"queries/window": 1.1, "at once": 5, "in 30 s": 200, "full hour, s": 75, "midnight, s": 150, "other ticks, s": 15, "left": 0,
		} {
			if took[what] > most {
				t.Errorf("%s: %g, want at most %g", what, took[what], most)
			}
		}
	})
}
