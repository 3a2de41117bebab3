package ledger

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// model is what a ledger should know of a rule, kept in the plainest way: the
// events that were reported and, for rules without event ids, the time that was,
// in steps of half a minute; odd steps are the gaps between two minutes.
type model struct {
	events map[string]bool // by who and id
	steps  map[string][]bool
	alerts map[string]time.Time // the last one, by who
}

// steps is how long a sequence may be.
const steps = 2 * 1000

func (m *model) covered(who string, start, end int) bool {
	all := m.steps[who]
	return all != nil && !slices.Contains(all[2*start:2*end+1], false)
}

func (m *model) cover(who string, start, end int) {
	if m.steps[who] == nil {
		m.steps[who] = make([]bool, steps)
	}
	for i := 2 * start; i <= 2*end; i++ {
		m.steps[who][i] = true
	}
}

// runs returns the stretches of what was reported that have a step in common with
// a span.
func (m *model) runs(who string, start, end int) []alert.Span {
	all := m.steps[who]
	var spans []alert.Span
	for i := 0; i < len(all); i++ {
		if !all[i] {
			continue
		}
		first := i
		for i+1 < len(all) && all[i+1] {
			i++
		}
		if first <= 2*end && i >= 2*start {
			spans = append(spans, span(first/2, i/2))
		}
	}
	return spans
}

// happening is an event of the model's world.
type happening struct {
	id       string
	who      string
	at       int // in minutes
	arriving int
}

// sequence runs random windows over random events and compares each answer with
// the model. It returns how many activities were news and how many suppressed.
func sequence(t *testing.T, seed uint64, open func() *Ledger) (news, suppressed int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 11))
	m := model{map[string]bool{}, map[string][]bool{}, map[string]time.Time{}}
	withEvents := rng.IntN(2) == 0
	frequency := 5 * (1 + rng.IntN(12))
	period := frequency * (1 + rng.IntN(4))
	var suppression time.Duration
	if rng.IntN(2) == 0 {
		suppression = time.Duration(1+rng.IntN(180)) * time.Minute
	}
	var events []happening
	for i := range 1 + rng.IntN(20) {
		at := rng.IntN(300)
		e := happening{fmt.Sprint(i), string(rune('a' + rng.IntN(3))), at, at}
		if rng.IntN(3) == 0 {
			e.arriving += rng.IntN(120)
		}
		events = append(events, e)
	}
	l := open()
	for now := frequency; now < 360; now += 1 + rng.IntN(frequency) {
		if rng.IntN(5) == 0 {
			l = open() // a restart
		}
		end := now - now%frequency - frequency*rng.IntN(3) // late passes too
		if end <= 0 {
			continue
		}
		window := span(max(0, end-period), end)
		rows := map[string][]happening{}
		for _, e := range events {
			if e.at >= end-period && e.at < end && e.arriving <= now {
				rows[e.who] = append(rows[e.who], e)
			}
		}
		var asked []alert.Activity
		var want Answer
		for _, who := range slices.Sorted(maps.Keys(rows)) {
			found := rows[who]
			slices.SortFunc(found, func(a, b happening) int { return a.at - b.at })
			first, last := found[0].at, found[len(found)-1].at
			a := activity(who, first, last)
			isNews := !m.covered(who, first, last)
			if withEvents {
				isNews = false
				for _, e := range found {
					a.Events = append(a.Events, alert.EventID(e.id))
					isNews = isNews || !m.events[who+e.id]
				}
			}
			asked = append(asked, a)
			if !isNews {
				continue
			}
			a.Previously = m.runs(who, first, last)
			if at, ok := m.alerts[who]; ok && suppression > 0 && now-int(at.Sub(noon).Minutes()) < int(suppression.Minutes()) {
				want.Suppressed = append(want.Suppressed, a)
			} else {
				want.News = append(want.News, a)
			}
		}
		got, err := l.Unseen(t.Context(), Question{RuleID: "rule", Activities: asked, Window: window, Suppression: suppression, Now: at(now)})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d at %d, window %d-%d (-model +ledger):\n%s", seed, now, max(0, end-period), end, diff)
		}
		if rng.IntN(6) == 0 {
			continue // a crash before anything was recorded
		}
		var alerts []alert.Alert
		if len(got.News) > 0 && rng.IntN(2) == 0 {
			alerts = append(alerts, newAlert("rule", got.News...))
		} else {
			for _, a := range got.News {
				alerts = append(alerts, newAlert("rule", a))
			}
		}
		entry := Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(now)}, Alerts: alerts, Destinations: []string{"teams"}, Suppressed: got.Suppressed}
		for range 1 + rng.IntN(2) { // the second time as after a lost answer
			if err := l.Record(t.Context(), entry); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		for _, a := range slices.Concat(got.News, got.Suppressed) {
			who := string(a.Fingerprint)
			m.cover(who, int(a.Span.Start.Sub(noon).Minutes()), int(a.Span.End.Sub(noon).Minutes()))
			for _, e := range a.Events {
				m.events[who+string(e)] = true
			}
		}
		for _, a := range got.News {
			m.alerts[string(a.Fingerprint)] = at(now)
		}
		news += len(got.News)
		suppressed += len(got.Suppressed)

		pending, err := owedTo(t.Context(), l, "teams")
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if diff := cmp.Diff(alerts, pending); diff != "" {
			t.Fatalf("seed %d at %d: pending (-model +ledger):\n%s", seed, now, diff)
		}
		for _, a := range pending {
			if err := l.Sent(t.Context(), owed("teams", a)); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
	return news, suppressed
}

// TestModel compares the ledger with the model over random sequences, the same
// in every run.
func TestModel(t *testing.T) {
	t.Parallel()
	const sequences = 10_000
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		news, suppressed := 0, 0
		for seed := range uint64(sequences) {
			first := NewMemory()
			n, s := sequence(t, seed, func() *Ledger {
				l := NewMemory().Ledger
				l.store, l.seq = first.store, 0
				return l
			})
			news, suppressed = news+n, suppressed+s
		}
		t.Logf("%d sequences, seeds 0 to %d: %d activities reported, %d suppressed", sequences, sequences-1, news, suppressed)
		if news < sequences || suppressed < sequences/2 {
			t.Error("too little happened")
		}
	})
	t.Run("table", func(t *testing.T) {
		t.Parallel()
		const sequences = 8
		for seed := range uint64(sequences) {
			o := makeTable(t, tableOptions(azurite.Addr(t)), azurite.Addr(t))
			sequence(t, seed, func() *Ledger { return open(t, o).Ledger })
		}
		t.Logf("%d sequences, seeds 0 to %d", sequences, sequences-1)
	})
}
