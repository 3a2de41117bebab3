package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/schedule"
	"pushback/detect/workspace"
)

// dayOfEvents is a day with everything that makes deduplication hard.
func dayOfEvents() []event {
	return []event{
		happened("a1", "alice", "09:10"),
		happened("a2", "alice", "09:50"),
		happened("a3", "alice", "10:00"), // on the boundary of two windows
		happened("a4", "alice", "10:20"),
		happened("b1", "bob", "09:59"),
		happened("b2", "bob", "13:30").arriving("13:45"),
		happened("b3", "bob", "13:10").arriving("14:50"), // after the first pass
		happened("c1", "carol", "15:30").arriving("17:01"),
		happened("A1", "Alice", "09:30"), // another identity
		happened("d1", "dave", "16:59"),
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		frequency, period time.Duration
		want              []string
	}{
		{"hourly", time.Hour, time.Hour, []string{
			"at 10:05: 09:10-09:50 alice",
			"at 10:05: 09:30-09:30 Alice",
			"at 10:05: 09:59-09:59 bob",
			"at 11:05: 10:00-10:20 alice",
			"at 14:05: 13:30-13:30 bob",
			"at 15:05: 13:10-13:30 after 13:30-13:30 bob",
			"at 17:05: 15:30-15:30 carol",
			"at 17:05: 16:59-16:59 dave",
		}},
		{"every 15 minutes", 15 * time.Minute, 15 * time.Minute, []string{
			"at 09:20: 09:10-09:10 alice",
			"at 09:50: 09:30-09:30 Alice",
			"at 10:05: 09:50-09:50 alice",
			"at 10:05: 09:59-09:59 bob",
			"at 10:20: 10:00-10:00 alice",
			"at 10:35: 10:20-10:20 alice",
			"at 13:50: 13:30-13:30 bob",
			"at 14:50: 13:10-13:10 bob",
			"at 17:05: 15:30-15:30 carol",
			"at 17:05: 16:59-16:59 dave",
		}},
		{"an hour every 15 minutes", 15 * time.Minute, time.Hour, []string{
			"at 09:20: 09:10-09:10 alice",
			"at 09:50: 09:30-09:30 Alice",
			"at 10:05: 09:10-09:50 after 09:10-09:10 alice",
			"at 10:05: 09:59-09:59 bob",
			"at 10:20: 09:50-10:00 after 09:10-09:50 alice",
			"at 10:35: 09:50-10:20 after 09:10-10:00 alice",
			"at 13:50: 13:30-13:30 bob",
			"at 14:50: 13:10-13:10 bob",
			"at 14:50: 13:10-13:30 after 13:10-13:10 after 13:30-13:30 bob",
			"at 17:05: 15:30-15:30 carol",
			"at 17:05: 16:59-16:59 dave",
		}},
		{"daily", 24 * time.Hour, 24 * time.Hour, []string{
			"at 24:05: 09:10-10:20 alice",
			"at 24:05: 09:30-09:30 Alice",
			"at 24:05: 09:59-13:30 bob",
			"at 24:05: 15:30-15:30 carol",
			"at 24:05: 16:59-16:59 dave",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, config(), dayOfEvents(), counting(tt.frequency, tt.period))
			d.run("00:00", "30:00")
			d.checkSent(tt.want...)
			checkEveryEvent(t, d)

			// The same day once more, with a ledger that has lost its place but
			// not its memory.
			sent := len(d.inbox.alerts)
			d.ledger = &forgetful{Ledger: d.ledger, rules: map[string]ledger.State{}}
			d.restart()
			d.run("00:00", "30:00")
			if len(d.inbox.alerts) != sent {
				t.Errorf("the second time reported %v", d.inbox.lines()[sent:])
			}
		})
	}
}

// checkEveryEvent checks that what was reported, all alerts together, covers every
// event of the world.
func checkEveryEvent(t *testing.T, d *day) {
	t.Helper()
	sent := map[string][]alert.Span{}
	for _, a := range d.inbox.alerts {
		for _, r := range a.Rows {
			user, _ := r.Get("User")
			sent[user.Text()] = alert.Merge(append(sent[user.Text()], a.Span))
		}
	}
	for _, e := range d.world.events {
		if !(alert.Span{Start: e.at, End: e.at}).Covered(sent[e.user]) {
			t.Errorf("event %s of %s at %s was never reported", e.id, e.user, hhmm(e.at))
		}
	}
}

// forgetful is a ledger that begins without any rule's state.
type forgetful struct {
	Ledger
	rules map[string]ledger.State
}

func (f *forgetful) State(context.Context, string) (ledger.State, error) {
	return f.rules["counting"], nil
}

func (f *forgetful) Save(ctx context.Context, list []ledger.Saving) []error {
	for _, s := range list {
		if !s.Keep {
			f.rules[s.RuleID] = s.State
		}
	}
	return f.Ledger.Save(ctx, list)
}

func (f *forgetful) Record(ctx context.Context, e ledger.Entry) error {
	f.rules[e.RuleID] = e.State
	return f.Ledger.Record(ctx, e)
}

func TestReport(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), []event{
		happened("a1", "alice", "09:10"),
		happened("b1", "bob", "09:20"),
		happened("a2", "alice", "09:30").arriving("10:30"),
	}, counting(time.Hour, time.Hour))
	ticks := 0
	d.config.InOrder = true // else whoever sends looks at the clock as well
	d.config.Clock = func() time.Time { ticks++; return midnight.Add(time.Duration(ticks) * time.Second) }
	d.restart()
	d.run("09:30", "11:10")
	sent := slices.Clone(d.inbox.alerts)
	if len(sent) != 3 {
		t.Fatalf("reported %v", d.inbox.lines())
	}
	for i := range sent {
		if len(sent[i].Rows) == 0 {
			t.Errorf("alert %d was reported without its rows", i)
		}
		sent[i].Rows = nil // the ledger and the destinations have them
	}
	run := func(took time.Duration, windows ...WindowRun) []RuleRun {
		return []RuleRun{{RuleID: "counting", RuleName: "Counting", RuleVersion: "1.0.0", Windows: windows, Duration: took}}
	}
	// Every look at the clock is a second, so a duration says how many looks
	// were in it, and what is inside of what.
	want := []Report{
		{
			Time: clock("10:05"),
			Rules: run(5*time.Second, WindowRun{
				Window: alert.Span{Start: clock("09:00"), End: clock("10:00")},
				Rows:   2, New: 2, Alerts: sent[:2], Duration: time.Second,
			}),
			Deliveries: []Delivery{{Destination: "inbox", Addresses: []AddressRun{{LastTaken: clock("10:05").Add(16 * time.Second)}}, Sent: 2, Duration: 10 * time.Second}},
			Duration:   24 * time.Second,
		},
		{
			Time: clock("11:05"),
			Rules: run(8*time.Second, WindowRun{
				Window: alert.Span{Start: clock("09:00"), End: clock("10:00")}, Pass: 1,
				Rows: 2, New: 1, Alerts: sent[2:], Duration: time.Second,
				Dropped: []Dropped{{
					Span:     alert.Span{Start: clock("09:20"), End: clock("09:20")},
					Identity: []alert.Field{{Identifier: "User", Value: "bob"}},
				}},
			}, WindowRun{
				Window: alert.Span{Start: clock("10:00"), End: clock("11:00")}, Duration: time.Second,
			}),
			Deliveries: []Delivery{{Destination: "inbox", Addresses: []AddressRun{{LastTaken: clock("11:05").Add(17 * time.Second)}}, Sent: 1, Duration: 7 * time.Second}},
			Duration:   25 * time.Second,
		},
	}
	for i := range want {
		want[i].Rules[0].LastSuccess = want[i].Time
		want[i].Deliveries[0].Oldest = want[i].Time
		want[i].Deliveries[0].Slowest = want[i].Deliveries[0].Addresses[0].LastTaken.Sub(want[i].Time) + time.Second // the next look at the clock
	}
	if diff := cmp.Diff(want, d.reports); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

func TestDowntimeTellsOnce(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
	d.run("08:30", "10:10")
	d.restart()
	if _, err := d.tick(clock("17:20")); err != nil {
		t.Fatal(err)
	}
	d.restart()
	d.run("17:20", "30:00")
	d.checkSent(
		"at 10:05: 09:10-09:50 alice",
		"at 10:05: 09:30-09:30 Alice",
		"at 10:05: 09:59-09:59 bob",
		"at 17:20: 10:00-10:20 alice",
		"at 17:20: 13:10-13:30 bob",
		"at 17:20: 15:30-15:30 carol",
		"at 17:20: 16:59-16:59 dave",
	)
}

// TestRestarts runs a day with a new detector for every tick.
func TestRestarts(t *testing.T) {
	t.Parallel()
	steady := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
	steady.run("00:00", "30:00")
	d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
	for now := d.detector.Next(midnight); now.Before(clock("30:00")); now = d.detector.Next(now) {
		d.restart()
		for range 2 {
			if _, err := d.tick(now); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(steady.inbox.alerts, d.inbox.alerts); diff != "" {
		t.Errorf("alerts without and with restarts (-want +got):\n%s", diff)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		trigger rule.Trigger
		want    []string
	}{
		{rule.Trigger{Operator: rule.GreaterThan, Threshold: 2}, []string{
			"at 10:05: 09:10-09:50 alice",
			"at 10:05: 09:30-09:30 Alice",
			"at 10:05: 09:59-09:59 bob",
		}},
		{rule.Trigger{Operator: rule.Equal, Threshold: 1}, []string{
			"at 11:05: 10:00-10:20 alice",
		}},
		{rule.Trigger{Operator: rule.NotEqual, Threshold: 3}, []string{
			"at 11:05: 10:00-10:20 alice",
			"at 12:05: 11:00-11:59+59.9999999s",
		}},
		{rule.Trigger{Operator: rule.LessThan, Threshold: 2}, []string{
			"at 11:05: 10:00-10:20 alice",
			"at 12:05: 11:00-11:59+59.9999999s",
		}},
		{rule.Trigger{Operator: rule.Equal, Threshold: 0}, []string{
			"at 12:05: 11:00-11:59+59.9999999s",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.trigger.String(), func(t *testing.T) {
			t.Parallel()
			r := counting(time.Hour, time.Hour)
			r.Trigger = tt.trigger
			d := newDay(t, config(), dayOfEvents(), r)
			d.run("09:30", "12:10")
			d.checkSent(tt.want...)
		})
	}
}

// TestThresholdCountsTheWholeResult: rows that were reported before still count.
func TestThresholdCountsTheWholeResult(t *testing.T) {
	t.Parallel()
	r := counting(time.Hour, time.Hour)
	r.Trigger = rule.Trigger{Threshold: 1}
	d := newDay(t, config(), []event{
		happened("a", "alice", "09:10"), happened("b", "bob", "09:10"),
		happened("c", "carol", "09:10").arriving("10:30"),
	}, r)
	d.run("09:30", "12:10")
	d.checkSent(
		"at 10:05: 09:10-09:10 alice",
		"at 10:05: 09:10-09:10 bob",
		"at 11:05: 09:10-09:10 carol",
	)
}

// TestSilence is a rule that fires when there is nothing, with windows that
// overlap: each says that the silence goes on, late passes add nothing.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := counting(time.Hour, 2*time.Hour)
	r.Trigger = rule.Trigger{Operator: rule.LessThan, Threshold: 1}
	r.Grouping = rule.SingleAlert
	d := newDay(t, config(), nil, r)
	d.run("09:30", "12:10")
	d.checkSent(
		"at 10:05: 08:00-09:59+59.9999999s",
		"at 11:05: 09:00-10:59+59.9999999s after 08:00-09:59+59.9999999s",
		"at 12:05: 10:00-11:59+59.9999999s after 08:00-10:59+59.9999999s",
	)
	a := d.inbox.alerts[0]
	if a.Title != "Counting" || len(a.Rows) > 0 || len(a.Entities) > 0 || len(a.Activities) != 1 {
		t.Errorf("alert = %+v", a)
	}
}

func TestSingleAlert(t *testing.T) {
	t.Parallel()
	r := counting(time.Hour, time.Hour)
	r.Grouping = rule.SingleAlert
	d := newDay(t, config(), dayOfEvents(), r)
	d.run("00:00", "30:00")
	d.checkSent(
		"at 10:05: 09:10-09:59 alice Alice bob",
		"at 11:05: 10:00-10:20 alice",
		"at 14:05: 13:30-13:30 bob",
		"at 15:05: 13:10-13:30 after 13:30-13:30 bob",
		"at 17:05: 15:30-15:30 carol",
		"at 17:05: 16:59-16:59 dave",
	)
	checkEveryEvent(t, d)
}

func TestFailingRule(t *testing.T) {
	t.Parallel()
	bad := counting(time.Hour, time.Hour)
	bad.ID, bad.Name, bad.File = "bad", "Bad", "bad.yaml"
	d := newDay(t, config(), dayOfEvents(), bad, counting(time.Hour, time.Hour))
	d.world.fail = func(q workspace.Query) error {
		if q.RuleID == "bad" {
			return fmt.Errorf("querying the workspace: %w", &workspace.QueryError{Code: "SEM0100", Message: "no table named 'Events'", Line: 1, Column: 3})
		}
		return nil
	}
	report, err := d.tick(clock("10:05"))
	want := `rule "Bad", window 2026-03-14T09:00:00Z to 2026-03-14T10:00:00Z: bad.yaml:1:3: no table named 'Events' (SEM0100)`
	if err == nil || err.Error() != want {
		t.Errorf("error = %v\n want %s", err, want)
	}
	var refused *workspace.QueryError
	if !errors.As(err, &refused) {
		t.Error("the error does not wrap the QueryError")
	}
	if report.Rules[0].Waiting != 1 || report.Rules[1].Waiting != 0 {
		t.Errorf("waiting = %d and %d", report.Rules[0].Waiting, report.Rules[1].Waiting)
	}
	d.checkSent("at 10:05: 09:10-09:50 alice", "at 10:05: 09:30-09:30 Alice", "at 10:05: 09:59-09:59 bob")

	// It goes on failing for hours, then somebody repairs it.
	for _, at := range []string{"11:05", "12:05", "13:05"} {
		before := len(d.world.queries)
		report, err = d.tick(clock(at))
		if err == nil || len(report.Rules[0].Windows) != 1 {
			t.Errorf("at %s: %d windows of the bad rule, %v", at, len(report.Rules[0].Windows), err)
		}
		if queries := len(d.world.queries) - before; queries > 4 {
			t.Errorf("at %s: %d queries", at, queries)
		}
	}
	if report.Rules[0].Waiting != 4 {
		t.Errorf("waiting = %d, want 4", report.Rules[0].Waiting)
	}
	d.world.fail, d.inbox.alerts = nil, nil
	d.restart()
	if _, err = d.tick(clock("13:10")); err != nil {
		t.Fatal(err)
	}
	d.checkSent(
		"at 13:10: 09:10-09:50 alice",
		"at 13:10: 09:30-09:30 Alice",
		"at 13:10: 09:59-09:59 bob",
		"at 13:10: 10:00-10:20 alice",
	)
}

// TestPoisonedWindow: a window that always fails does not hold up the others,
// and is given up, and reported, when the catch-up limit is past.
func TestPoisonedWindow(t *testing.T) {
	t.Parallel()
	c := config()
	c.CatchUp = 5 * time.Hour
	d := newDay(t, c, dayOfEvents(), counting(time.Hour, time.Hour))
	d.world.fail = func(q workspace.Query) error {
		if q.Start.Equal(clock("10:00")) {
			return &workspace.PartialError{Code: "PartialError", Message: "too many rows"}
		}
		return nil
	}
	d.run("08:30", "10:10")
	for now := clock("11:05"); now.Before(clock("16:00")); now = now.Add(time.Hour) {
		report, err := d.tick(now)
		if err == nil || report.Rules[0].Waiting != 1 {
			t.Errorf("at %s: waiting = %d, %v", hhmm(now), report.Rules[0].Waiting, err)
		}
	}
	report, err := d.tick(clock("16:05"))
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(schedule.Skipped{Windows: 1, From: clock("10:00"), To: clock("11:00")}, report.Rules[0].Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	d.checkSent(
		"at 10:05: 09:10-09:50 alice",
		"at 10:05: 09:30-09:30 Alice",
		"at 10:05: 09:59-09:59 bob",
		"at 14:05: 13:30-13:30 bob",
		"at 15:05: 13:10-13:30 after 13:30-13:30 bob",
	)
}

// TestFirstWindowFails: the first window of a rule is not forgotten because it
// failed.
func TestFirstWindowFails(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
	d.world.fail = func(workspace.Query) error { return errDown }
	if _, err := d.tick(clock("10:05")); !errors.Is(err, errDown) {
		t.Fatalf("error = %v", err)
	}
	d.world.fail = nil
	d.run("10:05", "11:10")
	d.checkSent(
		"at 11:05: 09:10-09:50 alice",
		"at 11:05: 09:30-09:30 Alice",
		"at 11:05: 09:59-09:59 bob",
		"at 11:05: 10:00-10:20 alice",
	)
}

func TestFailingDestination(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
	other := &inbox{name: "other", fail: func(alert.Alert) error { return errDown }}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, other, d.inbox); err != nil {
		t.Fatal(err)
	}
	report, err := d.tick(clock("10:05"))
	if !errors.Is(err, errDown) || !strings.Contains(err.Error(), "destination other: sending alert ") {
		t.Errorf("error = %v", err)
	}
	report.Deliveries[0].Err = nil
	wantOut := []Delivery{
		{Destination: "other", Pending: 3, Oldest: clock("10:05"), Addresses: []AddressRun{{
			Refused: clock("10:05"), Next: clock("10:06"), Error: "it is down", Waiting: 3, Oldest: clock("10:05"),
		}}},
		{Destination: "inbox", Sent: 3, Oldest: clock("10:05"), Addresses: []AddressRun{{LastTaken: clock("10:05")}}},
	}
	if diff := cmp.Diff(wantOut, report.Deliveries); diff != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	if len(d.inbox.alerts) != 3 {
		t.Errorf("reported %v", d.inbox.lines())
	}
	if _, err = d.tick(clock("11:05")); !errors.Is(err, errDown) {
		t.Errorf("error = %v", err)
	}

	// It recovers, but for one alert.
	bad := d.inbox.alerts[1].ID
	other.fail = func(a alert.Alert) error {
		if a.ID == bad {
			return errDown
		}
		return nil
	}
	report, err = d.tick(clock("11:10"))
	if !errors.Is(err, errDown) || report.Deliveries[0].Sent != 3 || report.Deliveries[0].Pending != 1 {
		t.Errorf("delivery = %+v", report.Deliveries[0])
	}
	other.fail = nil
	if _, err = d.tick(clock("11:15")); err != nil {
		t.Error(err)
	}
	want := append(slices.Delete(slices.Clone(d.inbox.alerts), 1, 2), d.inbox.alerts[1])
	for i, at := range []string{"11:10", "11:10", "11:10", "11:15"} {
		if want[i].Created.Equal(clock("10:05")) { // the one of 11:05 is not late
			want[i].SentAt = clock(at)
		}
	}
	if diff := cmp.Diff(want, other.alerts); diff != "" {
		t.Errorf("alerts of the other (-want +got):\n%s", diff)
	}
}

// brokenLedger fails in one of its verbs.
type brokenLedger struct {
	Ledger
	verb string
}

func (b *brokenLedger) err(verb string) error {
	if verb == b.verb {
		return errDown
	}
	return nil
}

func (b *brokenLedger) State(ctx context.Context, ruleID string) (ledger.State, error) {
	if err := b.err("State"); err != nil {
		return ledger.State{}, err
	}
	return b.Ledger.State(ctx, ruleID)
}

func (b *brokenLedger) Leases(ctx context.Context, groups [][]string, length time.Duration) []ledger.Grant {
	if err := b.err("Leases"); err != nil {
		return slices.Repeat([]ledger.Grant{{Err: err}}, len(groups))
	}
	return b.Ledger.Leases(ctx, groups, length)
}

func (b *brokenLedger) Save(ctx context.Context, list []ledger.Saving) []error {
	if err := b.err("Save"); err != nil { // nothing is saved, and the leases run out
		for i := range list {
			list[i].Keep = true
		}
		b.Ledger.Save(ctx, list)
		return slices.Repeat([]error{err}, len(list))
	}
	return b.Ledger.Save(ctx, list)
}

func (b *brokenLedger) Unseen(ctx context.Context, q ledger.Question) (ledger.Answer, error) {
	if err := b.err("Unseen"); err != nil {
		return ledger.Answer{}, err
	}
	return b.Ledger.Unseen(ctx, q)
}

func (b *brokenLedger) Record(ctx context.Context, e ledger.Entry) error {
	if err := b.err("Record"); err != nil {
		return err
	}
	return b.Ledger.Record(ctx, e)
}

func (b *brokenLedger) Rules(ctx context.Context) ([]string, error) {
	if err := b.err("Rules"); err != nil {
		return nil, err
	}
	return b.Ledger.Rules(ctx)
}

func (b *brokenLedger) Waiting(ctx context.Context, ruleID string, from ledger.Place) iter.Seq2[[]ledger.Owed, error] {
	if err := b.err("Waiting"); err != nil {
		return func(yield func([]ledger.Owed, error) bool) { yield(nil, err) }
	}
	return b.Ledger.Waiting(ctx, ruleID, from)
}

func (b *brokenLedger) Claim(ctx context.Context, o ledger.Owed, now, until time.Time) (alert.Alert, bool, error) {
	if err := b.err("Claim"); err != nil {
		return alert.Alert{}, false, err
	}
	return b.Ledger.Claim(ctx, o, now, until)
}

func (b *brokenLedger) Recent(ctx context.Context, ruleID string, since time.Time) ([]alert.Alert, int, error) {
	if err := b.err("Recent"); err != nil {
		return nil, 0, err
	}
	return b.Ledger.Recent(ctx, ruleID, since)
}

func (b *brokenLedger) Tally(ctx context.Context, ruleIDs []string, since time.Time) (ledger.Tally, error) {
	if err := b.err("Tally"); err != nil {
		return ledger.Tally{}, err
	}
	return b.Ledger.Tally(ctx, ruleIDs, since)
}

func (b *brokenLedger) Note(ctx context.Context, ruleID, name string) (text, tag string, err error) {
	if err := b.err("Note"); err != nil {
		return "", "", err
	}
	return b.Ledger.Note(ctx, ruleID, name)
}

func (b *brokenLedger) SetNote(ctx context.Context, ruleID, name, text, tag string) (newTag string, ok bool, err error) {
	if err := b.err("SetNote"); err != nil {
		return "", false, err
	}
	return b.Ledger.SetNote(ctx, ruleID, name, text, tag)
}

func (b *brokenLedger) Purge(ctx context.Context, now time.Time) (int, error) {
	if err := b.err("Purge"); err != nil {
		return 0, err
	}
	return b.Ledger.Purge(ctx, now)
}

func (b *brokenLedger) Sent(ctx context.Context, o ledger.Owed) error {
	if err := b.err("Sent"); err != nil {
		return err
	}
	return b.Ledger.Sent(ctx, o)
}

func (b *brokenLedger) Failed(ctx context.Context, o ledger.Owed, f ledger.Failure) error {
	if err := b.err("Failed"); err != nil {
		return err
	}
	return b.Ledger.Failed(ctx, o, f)
}

func (b *brokenLedger) Begin(ctx context.Context) error {
	if err := b.err("Begin"); err != nil {
		return err
	}
	return b.Ledger.Begin(ctx)
}

// TestBrokenLedger breaks each verb for a tick: nothing is lost or sent again, and
// the tick fails.
func TestBrokenLedger(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"Begin", "State", "Leases", "Save", "Unseen", "Record", "Recent", "Rules", "Waiting", "Claim", "Sent", "Failed", "Note", "SetNote", "Purge"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			c := config()
			c.Enricher, c.Health = &oracle{}, DefaultHealth()
			d := newDay(t, c, dayOfEvents(), counting(time.Hour, time.Hour))
			d.run("08:30", "09:10")
			broken := &brokenLedger{Ledger: d.ledger, verb: verb}
			d.ledger = broken
			d.config.Health.Broken = []string{"a file"} // which is noted
			if verb == "Failed" {
				d.inbox.fail = failing(errRefused)
			}
			d.restart()
			report, err := d.tick(clock("10:05"))
			d.inbox.fail = nil
			if verb != "Begin" && !errors.Is(err, errDown) { // what reads next says why
				t.Errorf("error = %v", err)
			}
			if alerts := reported(report); (alerts > 0) != slices.Contains([]string{"Begin", "Save", "Recent", "Rules", "Waiting", "Claim", "Sent", "Failed", "Note", "SetNote", "Purge"}, verb) {
				t.Errorf("%d alerts were reported", alerts)
			}
			broken.verb = ""
			d.run("10:05", "30:00")
			seen := map[string]int{}
			sent := slices.DeleteFunc(d.inbox.alerts, func(a alert.Alert) bool { return a.RuleID == HealthRuleID })
			for _, a := range sent {
				seen[a.ID]++
			}
			repeats := len(sent) - len(seen)
			// What the ledger could not note is noted later, and not sent again.
			if len(seen) != 8 || repeats != 0 {
				t.Errorf("%d alerts with %d repeats, want 8 with none: %v", len(seen), repeats, d.inbox.lines())
			}
			checkEveryEvent(t, d)
		})
	}
}

func reported(r Report) int {
	n := 0
	for _, run := range r.Rules {
		for _, w := range run.Windows {
			n += len(w.Alerts)
		}
	}
	return n
}

// TestTimeIsUp ends the context in the middle of a catch-up. What is done stays
// done, also where there was nothing to report.
func TestTimeIsUp(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), dayOfEvents(), counting(time.Hour, time.Hour))
	d.run("05:30", "06:10")
	var all []string
	for i := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		queries := 0
		d.world.now = clock("17:05")
		d.world.fail = func(workspace.Query) error {
			if queries++; queries == 3 {
				cancel()
				return context.Canceled
			}
			return nil
		}
		report, err := d.detector.Tick(ctx, clock("17:05"))
		cancel()
		all = append(all, windows(report)...)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) || report.Rules[0].Waiting == 0 {
			t.Fatalf("tick %d: %d waiting, %v", i, report.Rules[0].Waiting, err)
		}
	}
	d.world.fail = nil
	if _, err := d.tick(clock("17:06")); err != nil {
		t.Fatal(err)
	}
	if len(all) > 12+6 { // 12 windows, and one cut short in each tick
		t.Errorf("%d windows were run: %v", len(all), all)
	}
	checkEveryEvent(t, d)
}

// TestModel runs random events through random ticks and compares what was reported
// with a plain reference, minute by minute.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(modelRuns) {
		rng := rand.New(rand.NewPCG(seed, 7))
		frequency := []time.Duration{15 * time.Minute, 20 * time.Minute, time.Hour}[rng.IntN(3)]
		period := frequency * time.Duration(1+rng.IntN(3))
		c := config()
		c.Start = midnight
		var events []event
		for i := range 1 + rng.IntN(25) {
			at := midnight.Add(time.Duration(rng.IntN(12*60)) * time.Minute)
			e := event{id: fmt.Sprint(i), user: string(rune('a' + rng.IntN(3))), at: at, arrived: at}
			if rng.IntN(3) == 0 {
				e.arrived = at.Add(time.Duration(rng.IntN(120)) * time.Minute)
			}
			events = append(events, e)
		}
		r := counting(frequency, period)
		if rng.IntN(2) == 0 {
			r.Grouping = rule.SingleAlert
		}
		d := newDay(t, c, events, r)
		for now := midnight; now.Before(clock("17:00")); now = d.detector.Next(now) {
			if rng.IntN(4) == 0 {
				continue // the app is down
			}
			if rng.IntN(4) == 0 {
				d.restart()
			}
			if rng.IntN(5) == 0 {
				d.world.fail = func(workspace.Query) error {
					if rng.IntN(2) == 0 {
						return errDown
					}
					return nil
				}
			}
			_, _ = d.tick(now.Add(time.Duration(rng.IntN(120)) * time.Second))
			d.world.fail = nil
		}
		if _, err := d.tick(clock("17:30")); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkModel(t, d, period == frequency)
		if t.Failed() {
			t.Fatalf("seed %d: every %s over %s reported %v", seed, frequency, period, d.inbox.lines())
		}
	}
}

// checkModel checks what was reported against the events: each is in the new part
// of an alert, in exactly one if the windows do not overlap; no alert is reported
// twice; and no alert is without news.
func checkModel(t *testing.T, d *day, apart bool) {
	t.Helper()
	ids := map[string]bool{}
	sent := map[alert.Fingerprint][]alert.Span{}
	reportedBy := map[string]int{} // how many alerts have an event in their new part
	for _, a := range d.inbox.alerts {
		if ids[a.ID] {
			t.Errorf("alert %s was reported twice", a.ID)
		}
		ids[a.ID] = true
		for _, activity := range a.Activities {
			f := activity.Fingerprint
			if activity.Span.Covered(sent[f]) {
				t.Errorf("%s-%s is no news", hhmm(activity.Span.Start), hhmm(activity.Span.End))
			}
			for _, e := range d.world.events {
				moment := alert.Span{Start: e.at, End: e.at}
				who := alert.NewFingerprint("counting", []alert.Field{{Identifier: "User", Value: workspace.Canonical(e.user)}})
				if who == f && activity.Span.Contains(moment) && !moment.Covered(activity.Previously) {
					reportedBy[e.id]++
				}
			}
			for _, p := range activity.Previously {
				if !slices.ContainsFunc(sent[f], p.Equal) {
					t.Errorf("%s-%s was not reported previously", hhmm(p.Start), hhmm(p.End))
				}
			}
			sent[f] = alert.Merge(append(sent[f], activity.Span))
		}
	}
	for _, e := range d.world.events {
		if reportedBy[e.id] == 0 || apart && reportedBy[e.id] > 1 {
			t.Errorf("event %s of %s at %s (arrived %s) was reported %d times", e.id, e.user, hhmm(e.at), hhmm(e.arrived), reportedBy[e.id])
		}
	}
}
