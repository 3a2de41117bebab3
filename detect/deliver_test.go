package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// refusal is an error of a destination that says more.
type refusal struct {
	permanent  bool
	retryAfter time.Duration
}

func (refusal) Error() string                   { return "the destination says no" }
func (r refusal) Permanent() bool               { return r.permanent }
func (r refusal) RetryAfter() time.Duration     { return r.retryAfter }
func (r refusal) to(alert.Alert) error          { return fmt.Errorf("posting: %w", r) }
func failing(err error) func(alert.Alert) error { return func(alert.Alert) error { return err } }

// oneAlert is a day with a single alert, told at 10:05.
func oneAlert(t *testing.T, c Config) *day {
	return newDay(t, c, []event{happened("a1", "alice", "09:10")}, counting(time.Hour, time.Hour))
}

// attempts ticks every minute and lists when the destination was tried.
func attempts(d *day, from, to string, fail func(alert.Alert) error) (tried []string) {
	d.inbox.fail = func(a alert.Alert) error {
		tried = append(tried, hhmm(d.world.now))
		return fail(a)
	}
	for now := clock(from); !now.After(clock(to)); now = now.Add(time.Minute) {
		d.tick(now)
	}
	return tried
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	c := config()
	c.Backoff, c.MaxBackoff = 8*time.Minute, 30*time.Minute
	d := oneAlert(t, c)
	tried := attempts(d, "10:05", "13:00", failing(errors.New("down")))
	for i := range tried {
		if i == 0 {
			continue
		}
		wait := clock(tried[i]).Sub(clock(tried[i-1]))
		want := min(8*time.Minute<<(i-1), 30*time.Minute)
		if wait < want*3/4 || wait > want*5/4+time.Minute {
			t.Errorf("attempt %d comes %s after the one before, want about %s: %v", i+1, wait, want, tried)
		}
	}
	if len(tried) < 6 || len(tried) > 9 {
		t.Errorf("tried %v", tried)
	}
	d.inbox.fail = nil
	d.tick(clock("14:00"))
	if len(d.inbox.alerts) != 1 {
		t.Errorf("told %v", d.inbox.told())
	}
}

// Two alerts wait for different times, so that what failed together does not
// come back together; and a replay waits as the first run did.
func TestBackoffIsSpread(t *testing.T) {
	t.Parallel()
	c := config()
	c.Backoff, c.MaxBackoff = time.Hour, time.Hour
	var runs [2][]string
	for i := range runs {
		d := newDay(t, c, []event{happened("a1", "alice", "09:10"), happened("b1", "bob", "09:20")}, counting(time.Hour, time.Hour))
		runs[i] = attempts(d, "10:05", "11:30", failing(errors.New("down")))
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("tried at %v, and the second time at %v", runs[0], runs[1])
	}
	if len(runs[0]) != 4 || runs[0][2] == runs[0][3] {
		t.Errorf("tried at %v", runs[0])
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), []event{happened("a1", "alice", "09:10"), happened("b1", "bob", "09:20")}, counting(time.Hour, time.Hour))
	tried := attempts(d, "10:05", "10:05", refusal{retryAfter: 20 * time.Minute}.to)
	if len(tried) != 1 {
		t.Errorf("a destination that wants to be left alone is tried %d times", len(tried))
	}
	d.inbox.fail = nil
	d.tick(clock("10:06"))
	d.tick(clock("10:24"))
	if got := d.inbox.told(); len(got) != 1 || !strings.HasSuffix(got[0], "bob") {
		t.Errorf("told %v", got)
	}
	d.tick(clock("10:26"))
	if got := d.inbox.told(); len(got) != 2 {
		t.Errorf("told %v", got)
	}
}

func TestParking(t *testing.T) {
	t.Parallel()
	c := config()
	c.ParkAfter, c.Backoff = 3, 0
	d := oneAlert(t, c)
	tried := attempts(d, "10:05", "10:20", refusal{permanent: true}.to)
	if want := []string{"10:05", "10:06", "10:07"}; !slices.Equal(tried, want) {
		t.Errorf("tried at %v, want %v", tried, want)
	}
	parked, message := 0, ""
	for _, r := range d.reports {
		for _, del := range r.Deliveries {
			parked = del.Parked // which every tick says again
			if del.Parked > 0 && del.Err != nil {
				message = fmt.Sprint(del.Err)
			}
			if del.Parked > 0 && del.Pending != 0 {
				t.Errorf("a parked alert still counts: %+v", del)
			}
		}
	}
	if parked != 1 || !strings.Contains(message, "refused 3 times, it is parked: see handler outbox") {
		t.Errorf("%d parked, %q", parked, message)
	}
	// What is not for good is never parked.
	d = oneAlert(t, c)
	if tried := attempts(d, "10:05", "10:20", refusal{}.to); len(tried) != 16 {
		t.Errorf("tried %d times", len(tried))
	}
}

func TestSendLimit(t *testing.T) {
	t.Parallel()
	c := config()
	c.SendLimit = 2
	var events []event
	for i := range 5 {
		events = append(events, happened(fmt.Sprint("e", i), fmt.Sprint("user", i), "09:10"))
	}
	d := newDay(t, c, events, counting(time.Hour, time.Hour))
	for i, want := range []int{2, 4, 5, 5} {
		report, err := d.tick(clock("10:05").Add(time.Duration(i) * time.Minute))
		if err != nil || len(d.inbox.alerts) != want || report.Deliveries[0].Pending != 5-want {
			t.Errorf("tick %d: told %d, %+v, %v", i+1, len(d.inbox.alerts), report.Deliveries[0], err)
		}
	}
}

// One destination that is down does not hold up another.
func TestDestinationsAreApart(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	other := &inbox{name: "other", fail: failing(errors.New("down"))}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, d.inbox, other); err != nil {
		t.Fatal(err)
	}
	d.tick(clock("10:05"))
	if len(d.inbox.alerts) != 1 {
		t.Errorf("told %v", d.inbox.told())
	}
	other.fail = nil
	d.tick(clock("10:08"))
	if len(d.inbox.alerts) != 1 || len(other.alerts) != 1 {
		t.Errorf("told %v, and the other %v", d.inbox.told(), other.told())
	}
}

// A rule whose lease another process has is left to it.
func TestLeasedRule(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	lease, err := d.ledger.Lease(t.Context(), "counting", 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.tick(clock("10:05"))
	if err != nil || len(report.Rules[0].Windows) != 0 || report.Rules[0].Busy.IsZero() {
		t.Errorf("report = %+v, %v", report.Rules[0], err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if report, err = d.tick(clock("10:06")); err != nil || len(d.inbox.alerts) != 1 || !report.Rules[0].Busy.IsZero() {
		t.Errorf("told %v, %+v, %v", d.inbox.told(), report.Rules[0], err)
	}
}

// Suppression holds back what an identity does for some time after it was told
// of, for good: what it did then is not told later either.
func TestSuppression(t *testing.T) {
	t.Parallel()
	r := counting(time.Hour, time.Hour)
	r.SuppressionEnabled, r.SuppressionDuration = true, 3*time.Hour
	d := newDay(t, config(), []event{
		happened("a1", "alice", "09:10"),
		happened("a2", "alice", "10:10"), // within three hours of 10:05
		happened("b1", "bob", "10:20"),   // somebody else
		happened("a3", "alice", "11:50"),
		happened("a4", "alice", "13:30"), // after it
	}, []*rule.Rule{r}...)
	d.run("09:30", "18:00")
	d.checkTold(
		"at 10:05: 09:10-09:10 alice",
		"at 11:05: 10:20-10:20 bob",
		"at 14:05: 13:30-13:30 alice",
	)
	suppressed := 0
	for _, report := range d.reports {
		suppressed += report.Totals().Suppressed
	}
	if suppressed != 2 {
		t.Errorf("%d activities were suppressed, want 2", suppressed)
	}
}

// A query that takes long does not make a claim any shorter: two processes do
// not send the same at once.
func TestClaimsOutlastQueries(t *testing.T) {
	t.Parallel()
	c := config()
	elapsed := time.Duration(0)
	c.Clock = func() time.Time { return clock("10:05").Add(elapsed) }
	d := oneAlert(t, c)
	d.world.fail = func(workspace.Query) error { elapsed = 3 * time.Minute; return nil }
	d.inbox.fail = func(alert.Alert) error {
		other, err := New(c, d.rules, d.world, d.ledger, d.inbox)
		if err != nil {
			t.Fatal(err)
		}
		d.inbox.fail = nil
		if _, err := other.Tick(t.Context(), clock("10:07")); err != nil {
			t.Errorf("the other tick: %v", err)
		}
		return nil
	}
	if _, err := d.tick(clock("10:05")); err != nil {
		t.Fatal(err)
	}
	if len(d.inbox.alerts) != 1 {
		t.Errorf("told %v", d.inbox.told())
	}
}

// What is owed to a destination that is no more is in every report, and so is
// what is parked.
func TestOrphans(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	d.inbox.fail = failing(errors.New("down"))
	d.tick(clock("10:05"))
	d.inbox = &inbox{name: "another"}
	d.restart()
	report, err := d.tick(clock("10:08"))
	if err != nil || len(report.Deliveries) != 2 {
		t.Fatalf("%+v, %v", report.Deliveries, err)
	}
	if got := report.Deliveries[1]; got.Destination != "inbox" || !got.Orphaned || got.Pending != 1 {
		t.Errorf("%+v", got)
	}
}

// What can not be read of the outbox does not keep the rest from being sent.
func TestOutboxInPart(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	d.ledger = &halfOutbox{d.ledger}
	d.restart()
	_, err := d.tick(clock("10:05"))
	if !errors.Is(err, errDown) || len(d.inbox.alerts) != 1 {
		t.Errorf("told %v, %v", d.inbox.told(), err)
	}
}

type halfOutbox struct{ Ledger }

func (h *halfOutbox) Outbox(ctx context.Context) ([]ledger.Owed, error) {
	owed, err := h.Ledger.Outbox(ctx)
	return owed, errors.Join(err, errDown)
}

// What a window recorded in part is not suppressed by itself.
func TestSuppressionAfterHalfARecord(t *testing.T) {
	t.Parallel()
	r := counting(time.Hour, time.Hour)
	r.SuppressionEnabled, r.SuppressionDuration = true, 3*time.Hour
	r.EntityMappings[0].FieldMappings[0].Column = "Count" // the same of both
	d := newDay(t, config(), []event{happened("a1", "alice", "09:10"), happened("b1", "bob", "09:20")}, r)
	d.ledger = &halfRecord{Ledger: d.ledger}
	d.restart()
	if _, err := d.tick(clock("10:05")); !errors.Is(err, errDown) {
		t.Errorf("error = %v", err)
	}
	if _, err := d.tick(clock("10:10")); err != nil || len(d.inbox.alerts) != 2 {
		t.Errorf("told %v, %v", d.inbox.told(), err)
	}
}

// halfRecord keeps the first of the alerts, once.
type halfRecord struct {
	Ledger
	failed bool
}

func (h *halfRecord) Keep(ctx context.Context, e ledger.Entry) error {
	if h.failed || len(e.Alerts) < 2 {
		return h.Ledger.Keep(ctx, e)
	}
	h.failed = true
	e.Alerts = e.Alerts[:1]
	e.State.Pending = append(e.State.Pending, e.Alerts[0].Window.End) // it is still to be run
	return errors.Join(h.Ledger.Keep(ctx, e), errDown)
}
