package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// testClock is a clock that tests set forward.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	return c.t
}

// town is what happened, and what its destinations were sent. Each activity is
// a moment of its own, so it must be in exactly one alert.
type town struct {
	mu         sync.Mutex
	activities []alert.Activity
	accepted   map[string]int // how often, by destination and alert id
	unnoted    map[string]int // how often noting it failed
	alerts     map[string]alert.Alert
	blind      bool // nothing is found at the moment
}

var townDestinations = []string{"teams", "sentinel"}

func newTown() *town {
	return &town{accepted: map[string]int{}, unnoted: map[string]int{}, alerts: map[string]alert.Alert{}}
}

func (w *town) happen(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		i := len(w.activities)
		w.activities = append(w.activities, activity(fmt.Sprint("who", i%7), 3*i, 3*i))
	}
}

func (w *town) setBlind(blind bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blind = blind
}

// townRules are the rules of the town: two that find what happened in turns and share
// a story, and one that never finds anything.
var townRules = [][]string{{"one", "two"}, {"none"}}

// seen returns what a rule finds.
func (w *town) seen(ruleID string) []alert.Activity {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []alert.Activity
	for i, a := range w.activities {
		if !w.blind && townRules[0][i%2] == ruleID {
			list = append(list, a)
		}
	}
	return list
}

// tick does with a ledger what a tick does, and gives up at the first error.
func (w *town) tick(ctx context.Context, l *Ledger, now time.Time) error {
	if err := l.Begin(ctx); err != nil {
		return err
	}
	leased := w.record(ctx, l, now)
	if leased != nil && !errors.As(leased, new(*LeasedError)) {
		return leased
	}
	if err := w.deliver(ctx, l, now); err != nil {
		return err
	}
	if _, err := l.Purge(ctx, now); err != nil {
		return err
	}
	return leased
}

// record runs the rules that nobody else runs.
func (w *town) record(ctx context.Context, l *Ledger, now time.Time) (leased error) {
	var saving []Saving
	for i, g := range l.Leases(ctx, townRules, time.Minute) {
		if errors.As(g.Err, new(*LeasedError)) {
			leased = g.Err
			continue
		}
		if g.Err != nil {
			return g.Err
		}
		for _, id := range townRules[i] {
			state, err := l.State(ctx, id)
			if err != nil {
				return err
			}
			if now.After(state.Watermark) {
				state.Watermark = now
			}
			saving = append(saving, Saving{RuleID: id, State: state})
		}
	}
	for i, s := range saving {
		if err := w.run(ctx, l, s); err != nil {
			for k := range saving[i:] {
				saving[i+k].Keep = true
			}
			l.Save(ctx, saving) // if it cannot, the leases end by themselves
			return err
		}
	}
	return errors.Join(append(l.Save(ctx, saving), leased)...)
}

// run runs a rule.
func (w *town) run(ctx context.Context, l *Ledger, s Saving) error {
	found := w.seen(s.RuleID)
	if len(found) == 0 { // of an empty window nothing is asked
		return nil
	}
	news, err := unseen(ctx, l, s.RuleID, found)
	if err != nil || len(news) == 0 {
		return err
	}
	var alerts []alert.Alert
	for part := range slices.Chunk(news, 3) {
		alerts = append(alerts, newAlert(s.RuleID, part...))
	}
	return l.Record(ctx, Entry{RuleID: s.RuleID, State: s.State, Alerts: alerts, Destinations: townDestinations})
}

// deliver sends what the rules owe that may owe something.
func (w *town) deliver(ctx context.Context, l *Ledger, now time.Time) error {
	ids, err := l.Rules(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		var due []Owed
		for list, err := range l.Waiting(ctx, id, FirstPlace) {
			if err != nil {
				return err
			}
			due = append(due, list...)
		}
		for _, o := range due {
			if o.Next.After(now) {
				continue
			}
			o.Place = "" // another of its destinations may have moved it
			whole, mine, err := l.Claim(ctx, o, now, now.Add(time.Hour))
			if err != nil {
				return err
			}
			if !mine {
				continue
			}
			key := o.Destination + " " + o.Alert.ID
			w.mu.Lock()
			w.accepted[key]++
			w.alerts[o.Alert.ID] = whole
			w.mu.Unlock()
			if err := l.Sent(ctx, o); err != nil {
				w.mu.Lock()
				w.unnoted[key]++
				w.mu.Unlock()
				return err
			}
		}
	}
	return nil
}

// check checks that nothing is lost and nothing said twice.
func (w *town) check(t *testing.T) {
	t.Helper()
	in := map[string][]string{} // the alerts of each activity
	for id, a := range w.alerts {
		for _, activity := range a.Activities {
			key := fmt.Sprint(activity.Fingerprint, activity.Span.Start)
			in[key] = append(in[key], id)
		}
	}
	lost, twice, repeated, excused := 0, 0, 0, 0
	for _, a := range w.activities {
		switch n := len(in[fmt.Sprint(a.Fingerprint, a.Span.Start)]); {
		case n == 0:
			lost++
		case n > 1:
			twice++
		}
	}
	for id := range w.alerts {
		for _, d := range townDestinations {
			key := d + " " + id
			switch n := w.accepted[key]; {
			case n == 0:
				lost++
			case n > 1+w.unnoted[key]:
				repeated++
			default:
				excused += n - 1
			}
		}
	}
	t.Logf("%d activities, %d alerts: %d lost, %d in two alerts, %d sent twice; %d more were sent twice since noting failed",
		len(w.activities), len(w.alerts), lost, twice, repeated, excused)
	if lost+twice+repeated > 0 {
		t.Error("something was lost or said twice")
	}
}

// faulty returns the options for a table behind a proxy that gives up soon.
func faulty(t testing.TB, p *azurite.Proxy, c *testClock) Options {
	t.Helper()
	o := tableOptions(p.Addr)
	o.Clock = c.now
	o.ClientOptions.Retry.TryTimeout = 300 * time.Millisecond
	return makeTable(t, o, azurite.Addr(t))
}

// TestFaults ticks while requests go wrong in every way.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, oneIn := range []int{3, 12} {
		t.Run(fmt.Sprint("one in ", oneIn), func(t *testing.T) {
			t.Parallel()
			seed := uint64(oneIn)
			rng := rand.New(rand.NewPCG(seed, 1))
			p := azurite.NewProxy(t, azurite.RandomFaults(rng, oneIn))
			c := &testClock{t: noon}
			o := faulty(t, p, c)
			w := newTown()
			failed := 0
			for range 60 {
				w.happen(1 + len(w.activities)%5)
				// A new ledger each time: a process that started anew.
				if err := w.tick(t.Context(), open(t, o).Ledger, c.add(2*time.Minute)); err != nil {
					failed++
					if text := err.Error(); strings.Contains(text, emulatorKey[:20]) {
						t.Fatalf("an error shows the key: %s", text)
					}
				}
			}
			p.Set(nil)
			o.ClientOptions.Retry.TryTimeout = 0 // nothing hangs any more, and the machine may be busy
			for range 2 {
				if err := w.tick(t.Context(), open(t, o).Ledger, c.add(2*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d of 60 ticks failed; faults: %v", failed, p.Hits())
			w.check(t)
			checkOwed(t, open(t, o).Ledger, "teams")
			checkOwed(t, open(t, o).Ledger, "sentinel")
		})
	}
}

// TestTwoAtOnce has two processes tick at the same time over one table, while
// requests go wrong and leases run out.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	p := azurite.NewProxy(t, azurite.RandomFaults(rand.New(rand.NewPCG(5, 6)), 15))
	c := &testClock{t: noon}
	o := faulty(t, p, c)
	w := newTown()
	var mu sync.Mutex
	outcomes := map[string]int{}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			l := open(t, o).Ledger
			for range 50 {
				w.happen(2)
				err := w.tick(t.Context(), l, c.add(20*time.Second))
				outcome := "done"
				if leased := (*LeasedError)(nil); errors.As(err, &leased) {
					outcome = "leased"
				} else if err != nil {
					outcome = "failed"
				}
				mu.Lock()
				outcomes[outcome]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	p.Set(nil)
	o.ClientOptions.Retry.TryTimeout = 0 // nothing hangs any more, and the machine may be busy
	for range 2 {
		if err := w.tick(t.Context(), open(t, o).Ledger, c.add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ticks: %v; faults: %v", outcomes, p.Hits())
	w.check(t)
	if outcomes["leased"] == 0 || outcomes["done"] == 0 {
		t.Error("the two did not meet")
	}
}

// TestEachFault has each request of one Record go wrong in each way, alone.
func TestEachFault(t *testing.T) {
	t.Parallel()
	// 70 alerts with two rows each are two transactions.
	var activities []alert.Activity
	for i := range 70 {
		activities = append(activities, activity(fmt.Sprint(i), 0, 10))
	}
	var alerts []alert.Alert
	for _, a := range activities {
		alerts = append(alerts, newAlert("rule", a))
	}
	state := State{First: at(0), Watermark: at(60)}
	p := azurite.NewProxy(t, nil)
	for _, f := range azurite.Faults() {
		for nth := range 5 {
			o := faulty(t, p, &testClock{t: noon})
			n := 0
			p.Set(func(*http.Request) *azurite.Fault {
				if n++; n == nth+1 {
					return &f
				}
				return nil
			})
			l := open(t, o)
			err := l.Record(t.Context(), Entry{RuleID: "rule", State: state, Alerts: alerts, Destinations: []string{"teams"}})
			p.Set(nil)
			if err != nil {
				// A read does not fail with 409 or 412: it is passed on.
				if err = l.Record(t.Context(), Entry{RuleID: "rule", State: state, Alerts: alerts, Destinations: []string{"teams"}}); err != nil {
					t.Fatalf("%s at request %d: %v", f.Name, nth, err)
				}
			}
			checkUnseen(t, l.Ledger, "rule", activities, nil)
			if got, err := owedTo(t.Context(), l.Ledger, "teams"); err != nil || len(got) != len(alerts) {
				t.Fatalf("%s at request %d: %d pending, %v; want %d", f.Name, nth, len(got), err, len(alerts))
			}
			if got, err := l.State(t.Context(), "rule"); err != nil || !got.Watermark.Equal(state.Watermark) {
				t.Fatalf("%s at request %d: state %v, %v", f.Name, nth, got, err)
			}
		}
	}
	t.Log(slices.Sorted(maps.Keys(p.Hits())))
}
