package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

// largeAlert returns an alert with rows of a value.
func largeAlert(rows int, value string) alert.Alert {
	a := newAlert("rule", activity("a", 0, 10))
	a.Title = "Large"
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	for i := range rows {
		a.Rows = append(a.Rows, alert.Row{{Column: "N", Value: fmt.Append(nil, i)}, {Column: "V", Value: text}})
	}
	return a
}

// TestLargeAlerts records alerts around and past what the service keeps.
func TestLargeAlerts(t *testing.T) {
	t.Parallel()
	manyEvents := newAlert("rule", activity("events", 0, 10))
	for i := range 30_000 {
		manyEvents.Activities[0].Events = append(manyEvents.Activities[0].Events, alert.NewEventID(fmt.Sprint(i)))
	}
	manyActivities := newAlert("rule", activity("many", 0, 10))
	for i := range 30_000 {
		manyActivities.Activities = append(manyActivities.Activities, activity(fmt.Sprintf("%032d", i), 0, 10))
	}
	longText := newAlert("rule", activity("text", 0, 10))
	longText.Description = strings.Repeat("<\U0001F600\x00\"", 300_000)
	for range 2_000 {
		longText.Entities = append(longText.Entities, alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: strings.Repeat("x", 1000)}}})
	}
	for _, tt := range []struct {
		name  string
		alert alert.Alert
		whole bool
		rows  int
	}{
		{"past a property", largeAlert(40, strings.Repeat("x", 1000)), true, 40},
		{"several properties", largeAlert(100, strings.Repeat("é\U0001F600<", 300)), true, 100},
		{"many rows", largeAlert(20_000, strings.Repeat("x", 100)), false, 1},
		{"long values", largeAlert(30, strings.Repeat("\"<\u2028", 100_000)), false, 30},
		{"one value", largeAlert(1, strings.Repeat("x", 5_000_000)), false, 1},
		{"many events", manyEvents, false, 0},
		{"many activities", manyActivities, false, 0},
		{"long text", longText, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newTable(t).Ledger
			record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, tt.alert)
			checkUnseen(t, l, "rule", tt.alert.Activities, nil)
			if more := tt.alert.Activities[0]; len(more.Events) > 0 {
				more.Events = append(more.Events[:3:3], "new")
				if got, err := unseen(t.Context(), l, "rule", []alert.Activity{more}); err != nil || len(got) != 1 {
					t.Errorf("Unseen of one event more = %v, %v", got, err)
				}
			}
			pending, err := owedTo(t.Context(), l, "teams")
			if err != nil || len(pending) != 1 {
				t.Fatalf("%d alerts are pending, %v", len(pending), err)
			}
			got := pending[0]
			if tt.whole {
				if diff := cmp.Diff(tt.alert, got); diff != "" {
					t.Errorf("-want +got:\n%.2000s", diff)
				}
			} else {
				if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "too large to keep whole") {
					t.Errorf("its notes are %q", got.Notes)
				}
				if len(got.Rows) < tt.rows || len(got.Rows) > len(tt.alert.Rows) {
					t.Errorf("it has %d rows, want %d at least", len(got.Rows), tt.rows)
				}
				keep := cmpopts.IgnoreFields(alert.Alert{}, "Rows", "Notes", "Description", "Entities", "Activities")
				if diff := cmp.Diff(tt.alert, got, keep); diff != "" {
					t.Errorf("-want +got:\n%.2000s", diff)
				}
			}
			if err := l.Sent(t.Context(), owed("teams", got)); err != nil {
				t.Fatal(err)
			}
			checkOwed(t, l, "teams")
		})
	}
}

// TestPartsWithoutTheAlert crashes between the transactions of a large alert:
// what is written of it counts for nothing.
func TestPartsWithoutTheAlert(t *testing.T) {
	t.Parallel()
	large := newAlert("rule", activity("many", 0, 10))
	for i := range 40_000 {
		large.Activities = append(large.Activities, activity(fmt.Sprintf("%032d", i), 0, 10))
	}
	state := State{First: at(0), Watermark: at(60)}
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l := open()
		whole := l.store
		for commits := 1; ; commits++ {
			l.store = &downStore{store: whole, commits: commits}
			err := l.Record(t.Context(), Entry{RuleID: "rule", State: state, Alerts: []alert.Alert{large}, Destinations: []string{"teams"}})
			l.store = whole
			if err == nil {
				if commits < 3 {
					t.Errorf("it was written by %d transactions", commits)
				}
				break
			}
			got, err := unseen(t.Context(), l, "rule", large.Activities)
			if err != nil || len(got) != len(large.Activities) {
				t.Fatalf("%d transactions made %d activities seen, %v", commits, len(large.Activities)-len(got), err)
			}
			checkOwed(t, l, "teams")
		}
		checkUnseen(t, l, "rule", large.Activities, nil)
	})
}

// downStore fails after a number of commits.
type downStore struct {
	store
	commits int
}

func (s *downStore) commit(ctx context.Context, partition string, changes ...change) (string, error) {
	if s.commits--; s.commits < 0 {
		return "", errors.New("it is down")
	}
	return s.store.commit(ctx, partition, changes...)
}

func TestCutIsBounded(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 15 {
		a := largeAlert(rng.IntN(200), strings.Repeat("é\"<\x01", rng.IntN(3000)))
		a.Description = strings.Repeat("d", rng.IntN(100_000))
		for range rng.IntN(50) {
			a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: "n", Values: []string{strings.Repeat("v", rng.IntN(9000))}})
		}
		limit := 3000 + rng.IntN(200_000)
		text, err := alertText(a, limit)
		if err != nil || units(text) > limit {
			t.Fatalf("%d units, %v; the limit is %d", units(text), err, limit)
		}
		var got alert.Alert
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.ID != a.ID {
			t.Fatalf("the alert %s became %s, %v", a.ID, got.ID, err)
		}
	}
}

// TestStormIsKept expects of a storm that all of its activities are seen and that
// its destinations get its rows, whole.
func TestStormIsKept(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		var activities []alert.Activity
		for i := range 3_000 {
			activities = append(activities, activity(fmt.Sprintf("%032d", i), i%50, i%50+1))
		}
		a := newAlert("rule", activities...)
		a.Storm = &alert.Storm{Alerts: len(activities)}
		a.Rows = largeAlert(20, "x").Rows
		record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
		checkUnseen(t, l, "rule", activities, nil)
		want := a
		want.Activities = activities[:mostOfStorm]
		checkOwed(t, l, "teams", want)
	})
}
