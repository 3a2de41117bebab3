package ledger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

func TestOutbox(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		l, ctx := open(), t.Context()
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		due := func(destination string, minute, limit, waiting int, want ...alert.Alert) []Owed {
			t.Helper()
			got, n, err := dueTo(ctx, l, destination, at(minute), limit)
			check(err)
			ids := func(alerts []alert.Alert) (ids []string) {
				for _, a := range alerts {
					ids = append(ids, a.ID)
				}
				return ids
			}
			var alerts []alert.Alert
			for _, o := range got {
				alerts = append(alerts, *o.Alert)
			}
			if diff := cmp.Diff(ids(want), ids(alerts)); diff != "" || n != waiting {
				t.Errorf("Due for %s at %d: %d waiting, want %d (-want +got):\n%s", destination, minute, n, waiting, diff)
			}
			return got
		}
		one, two, three := newAlert("r1", activity("a", 0, 1)), newAlert("r2", activity("a", 0, 1)), newAlert("r1", activity("b", 0, 1))
		two.Rows = []alert.Row{{{Column: "A", Value: []byte(`1`)}}}
		for _, a := range []alert.Alert{one, two, three} {
			record(t, l, a.RuleID, State{First: at(0), Watermark: at(60)}, []string{"teams", "sentinel"}, a)
		}
		due("teams", 60, 2, 3, one, two)
		due("nobody", 60, 2, 0)

		// One destination's failure is not the other's.
		check(l.Failed(ctx, owed("teams", one), Failure{Err: strings.Repeat("é", maxError), Next: at(70)}))
		check(l.Failed(ctx, owed("teams", one), Failure{Err: "503", Next: at(75), Counts: true, Mark: 7}))
		check(l.Failed(ctx, owed("teams", two), Failure{Err: "400", Park: true}))
		due("teams", 74, 5, 2, three)
		due("sentinel", 60, 5, 3, one, two, three)
		got := due("teams", 75, 5, 2, one, three)
		if got[0].Attempts != 2 || got[0].LastError != "503" {
			t.Errorf("Owed = %+v", got[0])
		}
		if got[0].Counted != 1 || got[0].Mark != 7 {
			t.Errorf("Owed = %+v", got[0])
		}
		checkOwed(t, l, "teams", one, three)

		// All of it, briefly.
		all, err := l.Outbox(ctx)
		check(err)
		type line struct {
			id, destination string
			attempts        int
			parked          bool
		}
		var lines []line
		for _, o := range all {
			lines = append(lines, line{o.Alert.ID, o.Destination, o.Attempts, o.Parked})
		}
		want := []line{
			{one.ID, "teams", 2, false}, {one.ID, "sentinel", 0, false},
			{two.ID, "teams", 1, true}, {two.ID, "sentinel", 0, false},
			{three.ID, "teams", 0, false}, {three.ID, "sentinel", 0, false},
		}
		if diff := cmp.Diff(want, lines, cmp.AllowUnexported(line{})); diff != "" {
			t.Errorf("Outbox (-want +got):\n%s", diff)
		}

		// By hand.
		check(byHand(ctx, l.Retry, l, two.ID, "teams"))
		due("teams", 60, 5, 3, three, two) // behind what was due already
		check(byHand(ctx, l.Drop, l, three.ID, ""))
		due("sentinel", 60, 5, 2, one, two)
		for _, err := range []error{
			byHand(ctx, l.Drop, l, three.ID, ""), byHand(ctx, l.Retry, l, "no such id", ""), byHand(ctx, l.Retry, l, one.ID, "nobody"),
		} {
			if !errors.Is(err, ErrNotOwed) {
				t.Errorf("error = %v, want ErrNotOwed", err)
			}
		}

		// Of two that want to send it, one does; if it dies, the other.
		other := open()
		claim := func(l *Ledger, minute int, want bool) {
			t.Helper()
			whole, got, err := l.Claim(ctx, owed("sentinel", one), at(minute), at(minute+10))
			if err != nil || got != want {
				t.Errorf("Claim at %d = %t, %v; want %t", minute, got, err, want)
			}
			if got {
				if diff := cmp.Diff(one, whole); diff != "" {
					t.Errorf("the alert that was claimed (-want +got):\n%s", diff)
				}
			}
		}
		claim(l, 60, true)
		claim(other, 60, false)
		claim(other, 69, false)
		claim(other, 70, true)
		check(other.Sent(ctx, owed("sentinel", one)))
		claim(l, 90, false)
		due("sentinel", 90, 5, 1, two)

		// What nobody waits for is kept apart.
		c.add(time.Hour)
		check(l.Sent(ctx, owed("teams", one)))
		check(l.Failed(ctx, owed("teams", one), Failure{Err: "too late"}))
		i, err := l.store.get(ctx, partitionOf("r1"), sentKey(c.now(), one.ID))
		check(err)
		sent := i.row.(*outRow)
		if diff := cmp.Diff(one, sent.alert); diff != "" {
			t.Errorf("the alert that was sent (-want +got):\n%s", diff)
		}
		wantTo := []delivery{
			{Name: "teams", Attempts: 2, Counted: 1, Mark: 7, LastError: "503", Next: at(75), Sent: c.now()},
			{Name: "sentinel", Next: at(80), Sent: noon},
		}
		if diff := cmp.Diff(wantTo, sent.to, cmpopts.IgnoreFields(delivery{}, "Holder")); diff != "" {
			t.Errorf("its destinations (-want +got):\n%s", diff)
		}
	})
}

// dueTo lists what a destination is owed and is due, and counts what it waits
// for.
func dueTo(ctx context.Context, l *Ledger, destination string, now time.Time, limit int) (due []Owed, waiting int, err error) {
	all, err := l.Outbox(ctx)
	for _, o := range all {
		if o.Destination != destination || o.Parked {
			continue
		}
		if waiting++; len(due) < limit && !o.Next.After(now) {
			due = append(due, o)
		}
	}
	return due, waiting, err
}

// byHand settles the alert of an id.
func byHand(ctx context.Context, settle func(context.Context, Owed) error, l *Ledger, alertID, destination string) error {
	all, err := l.OwedOf(ctx, alertID, destination)
	for _, o := range all {
		err = errors.Join(err, settle(ctx, o))
	}
	return err
}

// Alerts that the version before recorded are where it put them until something
// is noted of them.
func TestOutboxOfBefore(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l, ctx := open(), t.Context()
		record(t, l, "rule", State{First: at(0), Watermark: at(60)}, nil)
		var before []alert.Alert
		for i := range 4 {
			a := newAlert("rule", activity(string(rune('a'+i)), 0, 1))
			before = append(before, a)
			put(t, l, partitionOf("rule"), item{key: outPrefix + escape(a.ID), row: &outRow{seq: int64(i + 1), recorded: at(60), to: []delivery{{Name: "teams"}}, alert: a}})
		}
		record(t, l, "rule", State{First: at(0), Watermark: at(61)}, []string{"teams"}, newAlert("rule", activity("z", 0, 1)))
		all, err := l.Outbox(ctx)
		if err != nil || len(all) != 5 {
			t.Fatalf("%d are owed, %v", len(all), err)
		}
		for i := range all[:4] {
			if all[i].Alert.ID != before[i].ID || all[i].Place >= LaterPlace {
				t.Errorf("%d: %s is at %s", i, all[i].Alert.ID, all[i].Place)
			}
			if _, claimed, err := l.Claim(ctx, all[i], at(61), at(62)); err != nil || !claimed {
				t.Fatal(claimed, err)
			}
		}
		for i, note := range []func(Owed) error{
			func(o Owed) error { return l.Sent(ctx, o) },
			func(o Owed) error { return l.Failed(ctx, o, Failure{Err: "503", Next: at(70)}) },
			func(o Owed) error { return l.Failed(ctx, o, Failure{Err: "400", Park: true}) },
			func(o Owed) error { return l.Drop(ctx, o) },
		} {
			if err := note(all[i]); err != nil {
				t.Fatal(err)
			}
		}
		var places []string
		for list, err := range l.Waiting(ctx, "rule", FirstPlace) {
			if err != nil {
				t.Fatal(err)
			}
			places = append(places, string(list[0].Place[:strings.LastIndexByte(string(list[0].Place), ':')])+" "+string(list[0].Alert.ID))
		}
		want := []string{
			string(all[4].Place[:strings.LastIndexByte(string(all[4].Place), ':')]) + " " + all[4].Alert.ID,
			laterQueue + moment(at(70)) + " " + before[1].ID, parkedQueue + moment(time.Unix(0, 3)) + " " + before[2].ID,
		}
		if diff := cmp.Diff(want, places); diff != "" {
			t.Errorf("what waits (-want +got):\n%s", diff)
		}
	})
}

// What became of an alert is noted also where another process moved it; and
// nobody claims what another moved.
func TestOutboxMoved(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l, ctx := open(), t.Context()
		a := newAlert("rule", activity("a", 0, 1))
		record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
		all, err := l.Outbox(ctx)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		if err := open().Failed(ctx, all[0], Failure{Err: "503", Next: at(70)}); err != nil {
			t.Fatal(err)
		}
		if _, claimed, err := l.Claim(ctx, all[0], at(90), at(91)); err != nil || claimed {
			t.Errorf("claimed = %t, %v", claimed, err)
		}
		if err := l.Sent(ctx, all[0]); err != nil {
			t.Fatal(err)
		}
		if all, err := l.Outbox(ctx); err != nil || len(all) > 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
