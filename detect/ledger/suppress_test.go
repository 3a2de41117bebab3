package ledger

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// eachLedger runs a test with every kind of ledger. open returns another one
// over the same rows, as another process has it.
func eachLedger(t *testing.T, test func(t *testing.T, open func() *Ledger, c *testClock)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		c := &testClock{t: noon}
		first := NewMemory()
		test(t, func() *Ledger {
			return memoryAt(first.store, c)
		}, c)
	})
	t.Run("table", func(t *testing.T) {
		t.Parallel()
		c := &testClock{t: noon}
		o := makeTable(t, tableOptions(azurite.Addr(t)), azurite.Addr(t))
		o.Clock = c.now
		test(t, func() *Ledger { return open(t, o).Ledger }, c)
	})
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l := open()
		const duration = 5 * time.Hour
		ask := func(minute int, want Answer, activities ...alert.Activity) {
			t.Helper()
			got, err := l.Unseen(t.Context(), Question{
				RuleID: "rule", Activities: activities, Suppression: duration, Now: at(minute),
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Ask at %d (-want +got):\n%s", minute, diff)
			}
		}
		keep := func(minute int, suppressed []alert.Activity, alerts ...alert.Alert) {
			t.Helper()
			err := l.Record(t.Context(), Entry{
				RuleID: "rule", State: State{First: at(0), Watermark: at(minute)},
				Alerts: alerts, Destinations: []string{"teams"}, Suppressed: suppressed,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		a, b := activity("a", 0, 10), activity("b", 0, 10)
		ask(15, Answer{News: []alert.Activity{a}}, a)
		keep(15, nil, newAlert("rule", a))

		later := activity("a", 100, 110)
		ask(115, Answer{News: []alert.Activity{b}, Suppressed: []alert.Activity{later}}, later, b, a)
		keep(115, []alert.Activity{later}, newAlert("rule", b))
		keep(115, []alert.Activity{later}, newAlert("rule", b)) // as after a crash
		checkOwed(t, l, "teams", newAlert("rule", a), newAlert("rule", b))

		// What was suppressed is seen, but is no alert that suppresses.
		next := activity("a", 305, 310)
		ask(315-1, Answer{Suppressed: []alert.Activity{next}}, later, next)
		ask(315, Answer{News: []alert.Activity{next}}, later, next)
		// It continues what was suppressed.
		longer := activity("a", 105, 400)
		want := longer
		want.Previously = []alert.Span{later.Span}
		ask(405, Answer{News: []alert.Activity{want}}, longer)
	})
}

// TestWindow asks about events that were reported by an overlapping window in an
// activity with another span, and about rows of a time long past.
func TestWindow(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l := open()
		sent := activity("a", 35, 35)
		sent.Events = []alert.EventID{"x"}
		ancient := activity("b", -100_000, -99_000)
		future := activity("c", 0, 1<<27)
		record(t, l, "rule", State{First: at(0), Watermark: at(65)}, nil,
			newAlert("rule", sent), newAlert("rule", ancient), newAlert("rule", future))
		again := activity("a", 740, 740) // the same event, in a row that speaks of another moment
		again.Events = sent.Events
		got, err := l.Unseen(t.Context(), Question{
			RuleID: "rule", Activities: []alert.Activity{again, ancient, future},
			Window: span(30, 750),
		})
		if err != nil || len(got.News) > 0 {
			t.Errorf("Unseen = %v, %v; all of it was reported", got, err)
		}
	})
}
