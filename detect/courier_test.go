package detect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

var errRefused = errors.New("the destination says no")

func failing(err error) func(alert.Alert) error { return func(alert.Alert) error { return err } }

// oneAlert is a day with a single alert, reported at 10:05.
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

// An address that takes nothing is tried again after 1, 2, 4, ... 60 minutes,
// whatever kind of failure it is. Every tick fails meanwhile, and nothing is
// parked, however long it lasts.
func TestRefusedAddress(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"no verdict": errors.New("down"),
		"shut":       &notify.Error{Err: errRefused, Shut: true},
		"unanswered": fmt.Errorf("posting: %w", &notify.Error{Err: errRefused, Unanswered: true}),
		"repeatable": &notify.Error{Err: errRefused, Repeatable: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := oneAlert(t, config())
			tried := attempts(d, "10:05", "14:00", failing(err))
			want := []string{"10:05", "10:06", "10:08", "10:12", "10:20", "10:36", "11:08", "12:08", "13:08"}
			if diff := gocmp.Diff(want, tried); diff != "" {
				t.Errorf("tried (-want +got):\n%s", diff)
			}
			for _, r := range d.reports {
				out := r.Deliveries[0]
				if out.Err == nil || out.Parked != 0 || out.Pending != 1 {
					t.Fatalf("at %s: %+v", hhmm(r.Time), out)
				}
			}
			if got := d.reports[2].Deliveries[0].Err.Error(); !strings.Contains(got, "destination inbox has taken nothing since 2026-03-14T10:05:00Z, 1 alert waits for it, and it is tried again at 2026-03-14T10:08:00Z: ") {
				t.Errorf("error = %s", got)
			}
			d.inbox.fail = nil
			d.tick(clock("14:07")) // not due yet
			if report, err := d.tick(clock("14:08")); err != nil || report.Deliveries[0].Sent != 1 || !report.Deliveries[0].Addresses[0].Refused.IsZero() {
				t.Errorf("%+v, %v", report.Deliveries, err)
			}
			if a := d.inbox.alerts; len(a) != 1 || !a[0].SentAt.Equal(clock("14:08")) || a[0].Late() != 4*time.Hour+3*time.Minute {
				t.Errorf("sent %+v", a)
			}
		})
	}
}

// A restart, or another process, knows what refused.
func TestRefusedAddressIsNoted(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	attempts(d, "10:05", "10:07", failing(errDown))
	d.restart()
	if tried := attempts(d, "10:07", "10:09", failing(errDown)); !slices.Equal(tried, []string{"10:08"}) {
		t.Errorf("tried at %v", tried)
	}
}

// Each try is made with another of the alerts, and when the address takes one
// the others follow in their order.
func TestProbesRotate(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), users(5, "09:10"), counting(time.Hour, time.Hour))
	var tried []string
	down := true
	d.inbox.fail = func(a alert.Alert) error {
		c, _ := a.Rows[0].Get("User")
		if tried = append(tried, hhmm(d.world.now)+" "+c.Text()); down {
			return &notify.Error{Err: errRefused, Shut: true}
		}
		return nil
	}
	for _, at := range []string{"10:05", "10:06", "10:08", "10:12", "10:20", "10:36"} {
		d.tick(clock(at))
	}
	down = false
	report, err := d.tick(clock("11:08"))
	want := []string{"10:05 user0", "10:06 user4", "10:08 user1", "10:12 user3", "10:20 user2", "10:36 user4",
		"11:08 user0", "11:08 user1", "11:08 user2", "11:08 user3", "11:08 user4"}
	if diff := gocmp.Diff(want, tried); diff != "" || err != nil || report.Deliveries[0].Pending != 0 {
		t.Errorf("%+v, %v; tried (-want +got):\n%s", report.Deliveries, err, diff)
	}
}

// Alerts that failed by themselves wait for different times, so that they do not
// come back together; and a replay waits as the first run did.
func TestBackoffIsSpread(t *testing.T) {
	t.Parallel()
	c := config()
	c.Backoff, c.MaxBackoff = 8*time.Minute, 30*time.Minute
	c.ParkAfter = 0
	refuse := failing(&notify.Error{Err: errRefused, Message: true})
	var runs [2][]string
	for i := range runs {
		d := newDay(t, c, []event{happened("a1", "alice", "09:10"), happened("b1", "bob", "09:20")}, counting(time.Hour, time.Hour))
		runs[i] = attempts(d, "10:05", "11:30", refuse)
	}
	if !slices.Equal(runs[0], runs[1]) {
		t.Errorf("tried at %v, and the second time at %v", runs[0], runs[1])
	}
	if len(runs[0]) < 6 || runs[0][2] == runs[0][3] && runs[0][4] == runs[0][5] {
		t.Errorf("tried at %v", runs[0])
	}
	tried := attempts(oneAlert(t, c), "10:05", "13:00", refuse)
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
}

// A destination that wants to be left alone is, with whatever there is for it.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	busy := &notify.Error{Err: errRefused, RetryAfter: 20 * time.Minute}
	other := counting(time.Hour, time.Hour)
	other.ID, other.Name = "other", "Other"
	other.EntityMappings[0].FieldMappings[0].Column = "Count"
	other.Grouping = rule.SingleAlert
	c := config()
	c.Concurrency = 1 // the alert that is refused is recorded, and sent, before those of the digest
	d := newDay(t, c, users(8, "09:10"), other, counting(time.Hour, time.Hour))
	b := &board{inbox: inbox{name: "board", fail: failing(busy)}}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, b); err != nil {
		t.Fatal(err)
	}
	d.world.now = clock("10:05")
	report, err := d.tick(clock("10:05"))
	if out := report.Deliveries[0]; err == nil || len(b.digests) != 0 || out.Behind != 8 || out.Pending != 9 {
		t.Errorf("%d digests after the alert of another rule was to wait, %+v, %v", len(b.digests), out, err)
	}
	b.fail = nil
	for _, at := range []string{"10:06", "10:24"} {
		if report, err := d.tick(clock(at)); err == nil || report.Deliveries[0].Sent != 0 {
			t.Errorf("at %s: %+v, %v", at, report.Deliveries, err)
		}
	}
	if report, err := d.tick(clock("10:25")); err != nil || report.Deliveries[0].Sent != 9 || len(b.digests) != 1 {
		t.Errorf("%d digests, %+v, %v", len(b.digests), report.Deliveries, err)
	}
}

// A process that cannot send says nothing of the address: it tries one alert a
// tick, none of them is counted against, and the next process sends all at once.
func TestLocalFailure(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), users(8, "09:10"), counting(time.Hour, time.Hour))
	tries := 0
	d.inbox.fail = func(alert.Alert) error {
		tries++
		return &notify.Error{Err: errRefused, Local: true}
	}
	for i, at := range []string{"10:05", "10:06", "10:07", "10:08", "10:09", "10:10", "10:11"} {
		if report, err := d.tick(clock(at)); err == nil || tries != i+1 || report.Deliveries[0].Parked != 0 || report.Deliveries[0].Pending != 8 {
			t.Errorf("at %s: %d tries, %+v, %v", at, tries, report.Deliveries, err)
		}
	}
	d.restart()
	d.inbox.fail = nil
	if report, err := d.tick(clock("10:11")); err != nil || report.Deliveries[0].Sent != 8 {
		t.Errorf("the next process: %+v, %v", report.Deliveries, err)
	}
}

// An alert that is refused for what it holds is parked after some attempts, and
// from then on one tick a day fails.
func TestParking(t *testing.T) {
	t.Parallel()
	c := config()
	c.ParkAfter, c.Backoff = 3, 0
	d := oneAlert(t, c)
	tried := attempts(d, "10:05", "10:20", failing(fmt.Errorf("posting: %w", &notify.Error{Err: errRefused, Message: true})))
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
	var failed []string
	for now := clock("10:30"); now.Before(clock("82:00")); now = now.Add(30 * time.Minute) {
		if _, err := d.tick(now); err != nil {
			if failed = append(failed, hhmm(now)); !strings.Contains(err.Error(), "1 alert is parked") {
				t.Error(err)
			}
		}
	}
	if want := []string{"34:30", "58:30"}; !slices.Equal(failed, want) {
		t.Errorf("failed at %v, want %v", failed, want)
	}
}

// An alert that the destination never takes is parked too, whatever it answers,
// but only for attempts between which it took others. Alone it is tried again for
// ever.
func TestPoison(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		err    error
		others bool
		parked int
	}{
		{"alone", errDown, false, 0},
		{"with others", errDown, true, 1},
		{"no answer", &notify.Error{Err: errRefused, Unanswered: true}, true, 1},
		{"with an id of its own", &notify.Error{Err: errRefused, Repeatable: true}, true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			events := []event{happened("p", "poison", "09:10")}
			if test.others {
				for h := 9; h < 30; h++ {
					events = append(events, happened(fmt.Sprint("e", h), fmt.Sprint("user", h), fmt.Sprintf("%d:30", h)))
				}
			}
			c := config()
			c.CatchUp = 0
			d := newDay(t, c, events, counting(time.Hour, time.Hour))
			d.inbox.fail = func(a alert.Alert) error {
				if c, _ := a.Rows[0].Get("User"); c.Text() == "poison" {
					return test.err
				}
				return nil
			}
			parked := 0
			for now := clock("10:05"); now.Before(clock("31:00")); now = now.Add(5 * time.Minute) {
				report, _ := d.tick(now)
				parked = report.Deliveries[0].Parked
			}
			if parked != test.parked || test.others && len(d.inbox.alerts) != 21 {
				t.Errorf("%d parked, %d sent", parked, len(d.inbox.alerts))
			}
		})
	}
}

// mailroom is a destination with two addresses: one of the rule "other", and one
// for all else.
type mailroom struct {
	inbox
	down map[string]bool // by address
	at   []string        // where each alert went
}

func (m *mailroom) Address(a alert.Alert) string {
	switch {
	case a.Address != "":
		return a.Address
	case a.RuleID == "other":
		return "to other"
	}
	return "to counting"
}

func (m *mailroom) Addresses() []string { return []string{"to counting", "to other"} }

func (m *mailroom) Notify(ctx context.Context, a alert.Alert) error {
	if m.down[m.Address(a)] {
		return &notify.Error{Err: errRefused, Shut: true}
	}
	err := m.inbox.Notify(ctx, a)
	if err == nil {
		m.at = append(m.at, m.Address(a))
	}
	return err
}

// One address that refuses does not stop the others of the destination.
func TestAddressesAreApart(t *testing.T) {
	t.Parallel()
	other := counting(time.Hour, time.Hour)
	other.ID, other.Name = "other", "Other"
	c := config()
	c.Health = DefaultHealth()
	d := newDay(t, c, users(4, "09:10"), other, counting(time.Hour, time.Hour))
	m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{"to other": true}}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, d.inbox, m); err != nil {
		t.Fatal(err)
	}
	report, err := d.tick(clock("10:05"))
	if out := report.Deliveries[1]; err == nil || out.Sent != 4 || out.Pending != 4 || out.Behind != 3 || len(m.alerts) != 4 ||
		out.Addresses[0].Refused != (time.Time{}) || !out.Addresses[1].Refused.Equal(clock("10:05")) {
		t.Errorf("%+v, %v", out, err)
	}
	for now := clock("10:10"); now.Before(clock("11:00")); now = now.Add(5 * time.Minute) {
		if _, err := d.tick(now); err == nil {
			t.Error("a tick succeeds while an address refuses")
		}
	}
	// What is wrong is reported wherever it does not lead to the same address.
	const wrong = "The destination mail to other does not take alerts"
	if got := d.inbox.titles(); !slices.Equal(got, []string{wrong}) || !slices.Equal(m.titles(), []string{wrong}) {
		t.Errorf("reported %v, and by the other addresses %v", got, m.titles())
	}
	m.down = nil
	for now := clock("11:08"); now.Before(clock("11:30")); now = now.Add(5 * time.Minute) {
		_, _ = d.tick(now)
	}
	if got := d.inbox.titles(); len(m.alerts) != 8+2 || !slices.Equal(got, []string{wrong, "Over: " + wrong}) {
		t.Errorf("%d sent, reported %v", len(m.alerts), got)
	}
}

// That an address refuses is reported to the other addresses of its destination,
// also where that is where such reports would go.
func TestRefusalIsReportedElsewhere(t *testing.T) {
	t.Parallel()
	for _, down := range []string{"to counting", "to other"} {
		c := config()
		c.Health = DefaultHealth()
		other := counting(time.Hour, time.Hour)
		other.ID, other.Name = "other", "Other"
		d := newDay(t, c, users(1, "09:10"), other, counting(time.Hour, time.Hour))
		m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{down: true}}
		var err error
		if d.detector, err = New(d.config, d.rules, d.world, d.ledger, m); err != nil {
			t.Fatal(err)
		}
		for now := clock("10:05"); now.Before(clock("12:00")); now = now.Add(5 * time.Minute) {
			_, _ = d.tick(now)
		}
		wrong := "The destination mail " + down + " does not take alerts"
		if got := m.titles(); !slices.Equal(got, []string{wrong}) || slices.Contains(m.at, down) {
			t.Errorf("%s: reported %q, sent %q", down, got, m.at)
		}
		m.down = nil
		for now := clock("12:10"); now.Before(clock("13:10")); now = now.Add(5 * time.Minute) {
			_, _ = d.tick(now)
		}
		over := 0
		for i, a := range m.alerts {
			if a.Title == "Over: "+wrong && m.at[i] != down {
				over++
			}
		}
		if over != 1 {
			t.Errorf("%s: its end is reported %d times to the other: %q at %q", down, over, m.titles(), m.at)
		}
	}
}

// While an address did not take one alert, and was tried with no other, those
// that come need not wait; and that one is not tried more often for it.
func TestOneAlertToBlame(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]error{"500": errDown, "cut": &notify.Error{Err: errRefused, Unanswered: true}} {
		events := []event{happened("p", "poison", "09:10")}
		for h := 10; h < 16; h++ {
			events = append(events, happened(fmt.Sprint("e", h), fmt.Sprint("user", h), fmt.Sprintf("%d:30", h)))
		}
		c := config()
		c.CatchUp = 0
		d := newDay(t, c, events, counting(time.Hour, time.Hour))
		posts := 0
		d.inbox.fail = func(a alert.Alert) error {
			if named(a, "poison") {
				posts++
				return refusal
			}
			return nil
		}
		parked := 0
		for now := clock("10:05"); now.Before(clock("17:00")); now = now.Add(5 * time.Minute) {
			report, _ := d.tick(now)
			parked = report.Deliveries[0].Parked
		}
		if len(d.inbox.alerts) != 6 || posts > 15 || parked != 1 {
			t.Errorf("%s: %d sent, %d posts of the other, %d parked", name, len(d.inbox.alerts), posts, parked)
		}
		for _, a := range d.inbox.alerts {
			if a.Late() != 0 {
				t.Errorf("%s: sent %s late", name, a.Late())
			}
		}
	}
}

// stuckOutbox is a ledger that fails in a verb of the outbox, for some alerts.
type stuckOutbox struct {
	Ledger
	claim, sent, failed func(alert.Alert) error
}

func (l *stuckOutbox) Claim(ctx context.Context, o ledger.Owed, now, until time.Time) (alert.Alert, bool, error) {
	if l.claim != nil {
		if err := l.claim(*o.Alert); err != nil {
			return *o.Alert, false, err
		}
	}
	return l.Ledger.Claim(ctx, o, now, until)
}

func (l *stuckOutbox) Sent(ctx context.Context, o ledger.Owed) error {
	if l.sent != nil {
		return l.sent(*o.Alert)
	}
	return l.Ledger.Sent(ctx, o)
}

func (l *stuckOutbox) Failed(ctx context.Context, o ledger.Owed, f ledger.Failure) error {
	if l.failed != nil {
		return l.failed(*o.Alert)
	}
	return l.Ledger.Failed(ctx, o, f)
}

// When the ledger cannot note what becomes of a delivery, nothing more is sent,
// of any rule, by itself or with others; and all of it counts as behind.
func TestLedgerFailsWhileSending(t *testing.T) {
	t.Parallel()
	other := counting(time.Hour, time.Hour)
	other.ID, other.Name = "other", "Other"
	other.Grouping = rule.SingleAlert
	for _, test := range []struct {
		name           string
		ledger         stuckOutbox
		fail           error
		sent, behind   int
		posts, digests int
	}{
		{name: "claiming", ledger: stuckOutbox{claim: failing(errDown)}, behind: 9},
		{name: "claiming in digests", ledger: stuckOutbox{claim: func(a alert.Alert) error {
			if a.RuleID == "counting" {
				return errDown
			}
			return nil
		}}, sent: 1, posts: 1, behind: 8},
		{name: "noting", ledger: stuckOutbox{sent: failing(errDown)}, posts: 1, behind: 8},
		{name: "noting a failure", ledger: stuckOutbox{failed: failing(errDown)}, fail: errDown, behind: 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := config()
			c.Concurrency = 1 // what is recorded first is sent first
			d := newDay(t, c, users(8, "09:10"), other, counting(time.Hour, time.Hour))
			test.ledger.Ledger = d.ledger
			b := &board{inbox: inbox{name: "board"}}
			if test.fail != nil {
				b.fail = failing(test.fail)
			}
			var err error
			if d.detector, err = New(d.config, d.rules, d.world, &test.ledger, b); err != nil {
				t.Fatal(err)
			}
			report, err := d.tick(clock("10:05"))
			out := report.Deliveries[0]
			if err == nil || out.Sent != test.sent || out.Behind != test.behind || out.Pending != 9-test.sent || len(b.alerts) != test.posts || len(b.digests) != test.digests {
				t.Errorf("%d posts, %d digests, %+v, %v", len(b.alerts), len(b.digests), out, err)
			}
			// What was sent is not sent again when the ledger is back.
			test.ledger.claim, test.ledger.sent, test.ledger.failed, b.fail = nil, nil, nil, nil
			for _, at := range []string{"10:08", "10:11"} {
				if report, err = d.tick(clock(at)); err != nil {
					t.Error(err)
				}
			}
			sent := len(b.alerts)
			for _, g := range b.digests {
				sent += len(g)
			}
			if sent != 9 || report.Deliveries[0].Pending != 0 {
				t.Errorf("%d alerts sent, %+v", sent, report.Deliveries[0])
			}
		})
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
			t.Errorf("tick %d: reported %d, %+v, %v", i+1, len(d.inbox.alerts), report.Deliveries[0], err)
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
		t.Errorf("reported %v", d.inbox.lines())
	}
	other.fail = nil
	d.tick(clock("10:08"))
	if len(d.inbox.alerts) != 1 || len(other.alerts) != 1 {
		t.Errorf("reported %v, and the other %v", d.inbox.lines(), other.lines())
	}
}

// A rule whose lease another process has is left to it.
func TestLeasedRule(t *testing.T) {
	t.Parallel()
	d := oneAlert(t, config())
	lease, err := d.ledger.(*ledger.Memory).Lease(t.Context(), "counting", 5*time.Minute)
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
		t.Errorf("reported %v, %+v, %v", d.inbox.lines(), report.Rules[0], err)
	}
}

// Suppression holds back what an identity does for some time after it was
// reported, for good: what it did then is not reported later either.
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
	d.checkSent(
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
		t.Errorf("reported %v", d.inbox.lines())
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
		t.Errorf("reported %v, %v", d.inbox.lines(), err)
	}
}

type halfOutbox struct{ Ledger }

func (h *halfOutbox) Waiting(ctx context.Context, ruleID string, from ledger.Place) iter.Seq2[[]ledger.Owed, error] {
	return func(yield func([]ledger.Owed, error) bool) {
		if !yield(nil, errDown) {
			return
		}
		h.Ledger.Waiting(ctx, ruleID, from)(yield)
	}
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
		t.Errorf("reported %v, %v", d.inbox.lines(), err)
	}
}

// halfRecord keeps the first of the alerts, once.
type halfRecord struct {
	Ledger
	failed bool
}

func (h *halfRecord) Record(ctx context.Context, e ledger.Entry) error {
	if h.failed || len(e.Alerts) < 2 {
		return h.Ledger.Record(ctx, e)
	}
	h.failed = true
	e.Alerts = e.Alerts[:1]
	e.State.Pending = append(e.State.Pending, e.Alerts[0].Window.End) // it is still to be run
	return errors.Join(h.Ledger.Record(ctx, e), errDown)
}

// named says whose alert it is.
func named(a alert.Alert, prefix string) bool {
	c, _ := a.Rows[0].Get("User")
	return strings.HasPrefix(c.Text(), prefix)
}

// Many alerts that are never taken do not hold up those that are, sent alone or
// with others, whatever the refusal says.
func TestManyPoisons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		err           error
		poisons, good int
		digests       bool
		most          time.Duration
	}{
		{"refused for what they hold", &notify.Error{Err: errRefused, Message: true}, 30, 1, false, 0},
		{"refused for what they hold, in digests", &notify.Error{Err: errRefused, Message: true}, 12, 100, true, 0},
		{"many refused for what they hold, in digests", &notify.Error{Err: errRefused, Message: true}, 40, 100, true, time.Hour},
		{"refused for nothing", errDown, 12, 1, false, 15 * time.Minute},
		{"refused for nothing, in digests", errDown, 12, 100, true, 15 * time.Minute},
		{"unanswered", &notify.Error{Err: errRefused, Unanswered: true}, 3, 20, false, time.Hour},
		{"unanswered, in digests", &notify.Error{Err: errRefused, Unanswered: true}, 1, 40, true, 2 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var events []event
			for i := range test.poisons {
				events = append(events, happened(fmt.Sprint("p", i), fmt.Sprintf("poison%02d", i), "09:10"))
			}
			for i := range test.good {
				events = append(events, happened(fmt.Sprint("g", i), fmt.Sprintf("zgood%d", i), "09:30"))
			}
			d := newDay(t, config(), events, counting(time.Hour, time.Hour))
			b := &board{inbox: inbox{name: "board"}}
			var to notify.Notifier = &b.inbox
			if test.digests {
				to = b
			}
			b.refuses = func(list ...alert.Alert) error {
				if slices.ContainsFunc(list, func(a alert.Alert) bool { return named(a, "poison") }) {
					return test.err
				}
				return nil
			}
			b.fail = func(a alert.Alert) error { return b.refuses(a) }
			var err error
			if d.detector, err = New(d.config, d.rules, d.world, d.ledger, to); err != nil {
				t.Fatal(err)
			}
			for now := clock("10:05"); now.Before(clock("40:00")); now = now.Add(5 * time.Minute) {
				_, _ = d.tick(now)
				sent := len(b.alerts)
				for _, g := range b.digests {
					sent += len(g)
				}
				if sent == test.good {
					if late := now.Sub(clock("10:05")); late > test.most {
						t.Errorf("the good ones are all sent after %s, want %s at most", late, test.most)
					}
					return
				}
			}
			t.Errorf("after a day %d alerts and %d digests were sent", len(b.alerts), len(b.digests))
		})
	}
}

// What has no answer is not sent again and again while it is found out which
// alert is to blame.
func TestUnansweredDigest(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), users(64, "09:10"), counting(time.Hour, time.Hour))
	posts := map[string]int{}
	b := &board{inbox: inbox{name: "board"}}
	b.refuses = func(list ...alert.Alert) error {
		for _, a := range list {
			posts[a.ID]++
		}
		return &notify.Error{Err: errRefused, Unanswered: true}
	}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, b); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		_, _ = d.tick(clock("10:05").Add(time.Duration(i) * 5 * time.Minute))
		for id, n := range posts {
			if n > i+1 {
				t.Errorf("after %d ticks %s was posted %d times", i+1, id, n)
			}
		}
	}
}

// What waits for an address that refuses takes no room from what others are sent.
func TestSendLimitOfOpenAddresses(t *testing.T) {
	t.Parallel()
	other := counting(time.Hour, time.Hour)
	other.ID, other.Name = "other", "Other"
	c := config()
	c.SendLimit = 4
	d := newDay(t, c, users(8, "09:10"), other, counting(time.Hour, time.Hour))
	m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{"to other": true}}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, m); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		_, _ = d.tick(clock("10:05").Add(time.Duration(i) * 5 * time.Minute))
	}
	if len(m.alerts) != 8 {
		t.Errorf("the address that works was sent %d of 8", len(m.alerts))
	}
}

// An alert that cannot be claimed does not keep an address closed.
func TestProbeThatCannotBeClaimed(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), users(3, "09:10"), counting(time.Hour, time.Hour))
	l := &stuckOutbox{Ledger: d.ledger}
	d.ledger = l
	d.restart()
	d.inbox.fail = failing(&notify.Error{Err: errRefused, Shut: true})
	_, _ = d.tick(clock("10:05"))
	d.inbox.fail = nil
	bad := ""
	l.claim = func(a alert.Alert) error {
		if bad = cmp.Or(bad, a.ID); a.ID == bad {
			return errDown
		}
		return nil
	}
	if report, err := d.tick(clock("10:10")); err == nil || report.Deliveries[0].Sent != 2 || report.Deliveries[0].Behind != 1 {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
}

// A digest whose claims fail is not sent in part: the ledger could not note it.
func TestDigestOfFailingClaims(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), users(8, "09:10"), counting(time.Hour, time.Hour))
	n := 0
	l := &stuckOutbox{Ledger: d.ledger, claim: func(alert.Alert) error {
		if n++; n > 3 {
			return errDown
		}
		return nil
	}}
	b := &board{inbox: inbox{name: "board"}}
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, l, b); err != nil {
		t.Fatal(err)
	}
	if report, err := d.tick(clock("10:05")); err == nil || len(b.digests)+len(b.alerts) != 0 || report.Deliveries[0].Pending != 8 {
		t.Errorf("%d digests, %+v, %v", len(b.digests), report.Deliveries, err)
	}
}

// One tick with a clock that is far ahead does not silence anything for long.
func TestClockAhead(t *testing.T) {
	t.Parallel()
	c := config()
	c.ParkAfter = 1
	d := newDay(t, c, []event{happened("a", "alice", "09:10"), happened("p", "poison", "09:10")}, counting(time.Hour, time.Hour))
	d.inbox.fail = func(a alert.Alert) error {
		if named(a, "poison") {
			return &notify.Error{Err: errRefused, Message: true}
		}
		return &notify.Error{Err: errRefused, Shut: true}
	}
	_, _ = d.tick(clock("10:05"))
	_, _ = d.tick(clock("10:05").Add(365 * 24 * time.Hour))
	d.inbox.fail = nil
	if report, err := d.tick(clock("10:10")); report.Deliveries[0].Sent != 1 {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
	for hour := 11; hour < 40; hour++ {
		if report, err := d.tick(midnight.Add(time.Duration(hour) * time.Hour)); err != nil && strings.Contains(fmt.Sprint(report.Deliveries[0].Err), "parked, as it refused") {
			return
		}
	}
	t.Error("no tick says that an alert is parked")
}

// The addresses that work are sent what is due before those that refuse are
// tried.
func TestProbesComeLast(t *testing.T) {
	t.Parallel()
	other := counting(time.Hour, time.Hour)
	other.ID, other.Name = "other", "Other"
	d := newDay(t, config(), users(1, "09:10"), other, counting(time.Hour, time.Hour))
	m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{"to other": true}}
	var order []string
	m.inbox.fail = func(a alert.Alert) error { order = append(order, a.RuleID); return nil }
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, m); err != nil {
		t.Fatal(err)
	}
	_, _ = d.tick(clock("10:05"))
	d.world.events = append(d.world.events, happened("n", "new", "10:10"))
	m.down, order = nil, nil
	if _, err := d.tick(clock("11:05")); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(order, []string{"counting", "other", "other"}) {
		t.Errorf("sent in the order %v", order)
	}
}

// An alert that could not be parked is not counted as such.
func TestParkingFails(t *testing.T) {
	t.Parallel()
	c := config()
	c.ParkAfter = 1
	d := oneAlert(t, c)
	d.ledger = &stuckOutbox{Ledger: d.ledger, failed: failing(errDown)}
	d.restart()
	d.inbox.fail = failing(&notify.Error{Err: errRefused, Message: true})
	if report, err := d.tick(clock("10:05")); err == nil || report.Deliveries[0].Parked != 0 || report.Deliveries[0].Pending != 1 {
		t.Errorf("%+v, %v", report.Deliveries, err)
	}
}
