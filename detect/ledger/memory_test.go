package ledger

import (
	"testing"
	"time"

	"pushback/detect/alert"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	testLedger(t, func(*testing.T) *Ledger { return NewMemory().Ledger })
}

// TestMemoryForgets runs a rule for months: what Memory holds stays the same.
func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	m := NewMemory()
	const days = 100
	for hour := range days * 24 {
		end := 60 * hour
		state := State{First: at(0), Watermark: at(end + 5)}
		same := newAlert("rule", activity("same", end-30, end-20))
		other := newAlert("rule", activity(time.Duration(hour).String(), end-30, end-20))
		ancient := newAlert("rule", activity("ancient", -1e6, -1e6)) // a row about a time long before its window
		if hour%24 == 1 {
			checkUnseen(t, m.Ledger, "rule", ancient.Activities, nil)
		}
		record(t, m.Ledger, "rule", state, []string{"console"}, same, other, ancient)
		for _, a := range []alert.Alert{same, other, ancient} {
			if err := m.Sent(t.Context(), owed("console", a)); err != nil {
				t.Fatal(err)
			}
		}
	}
	limit := 3*(int((memoryRetention+purgeInterval).Hours())+2) + 3
	limit += 3 * int((memorySent + purgeInterval + 2*time.Hour).Hours())
	n := 0
	for _, r := range m.store.(*mapStore).ranges {
		n += len(r.keys)
	}
	if n > limit {
		t.Errorf("after %d days Memory holds %d rows, want at most %d", days, n, limit)
	}
	last := 60 * (days*24 - 1)
	kept := last - int((memoryRetention - time.Hour).Minutes())
	kept -= kept % 60
	checkUnseen(t, m.Ledger, "rule", []alert.Activity{activity("same", kept-30, kept-20)}, nil)
}

// memoryAt returns a ledger in memory with a clock, which does not purge itself.
func memoryAt(s store, c *testClock) *Ledger {
	l := newLedger(s)
	l.clock, l.seenFor, l.sentFor = c.now, memoryRetention, DefaultSentRetention
	return l
}
