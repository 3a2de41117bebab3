package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// rowWorld is a ledger that processes share, and the table that they write rows of
// alerts into.
type rowWorld struct {
	t         *testing.T
	now       time.Time
	ledger    *ledger.Memory
	ingestion *alertstest.Server
	owed      int
}

func newRowWorld(t *testing.T) *rowWorld {
	w := &rowWorld{t: t, now: clock("10:00"), ledger: ledger.NewMemory()}
	w.ingestion = &alertstest.Server{Rule: "dcr-1", Streams: map[string][]alerts.Column{alerts.Stream: alerts.Columns()}, Now: func() time.Time { return w.now }}
	return w
}

// record has the ledger owe a number of alerts of each of two rules.
func (w *rowWorld) record(n int) {
	w.t.Helper()
	for _, r := range rule.Shipped() {
		var list []alert.Alert
		for range n {
			w.owed++
			a := alert.Alert{RuleID: r.ID, RuleName: r.Name, Title: fmt.Sprint("alert ", w.owed), Severity: alert.Medium, Created: w.now,
				Span: alert.Span{Start: w.now, End: w.now}, Entities: []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "AadUserId", Value: fmt.Sprint(w.owed)}}}}}
			a.Activities = []alert.Activity{{Fingerprint: alert.NewFingerprint(r.ID, a.Entities[0].Fields), Span: a.Span}}
			a.ID = alert.NewID(r.ID, a.Activities)
			list = append(list, a)
		}
		e := ledger.Entry{RuleID: r.ID, State: ledger.State{First: w.now, Watermark: w.now}, Alerts: list, Destinations: []string{alerts.Name}}
		if err := w.ledger.Record(w.t.Context(), e); err != nil {
			w.t.Fatal(err)
		}
	}
}

// settled reports whether nothing is owed any more.
func (w *rowWorld) settled() bool {
	owed, err := w.ledger.Outbox(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return len(owed) == 0
}

// rows counts the rows by the alert's id.
func (w *rowWorld) rows() map[string]int {
	n := map[string]int{}
	for _, r := range w.ingestion.Records() {
		n[r.Text("AlertId")]++
	}
	return n
}

// process is one that delivers, and that can die at any of its steps: what it does
// from then on has no effect.
type process struct {
	*rowWorld
	courier *courier
	steps   int
	dieAt   int  // the step at which it dies, or 0
	after   bool // the step has its effect all the same
	dead    bool
	fault   func() error // of a step, if set
}

func (w *rowWorld) start() *process {
	p := &process{rowWorld: w}
	sender, err := alerts.NewSender(alerts.Ingestion{Endpoint: "https://x.ingest.monitor.azure.com", Rule: "dcr-1", Stream: alerts.Stream}, anyToken{}, azcore.ClientOptions{Transport: w.ingestion})
	if err != nil {
		w.t.Fatal(err)
	}
	d := alerts.New(dyingSender{p, sender}, p, p, alerts.Options{Rules: rule.Shipped()})
	c := DefaultConfig()
	c.Clock = nil
	p.courier = newCourier(c, division{}, []notify.Notifier{d}, p, p)
	return p
}

// tick delivers what is owed.
func (p *process) tick() Delivery {
	outs := p.courier.deliver(p.t.Context(), p.now, func() time.Time { return p.now }).end()
	return outs[0]
}

var errDead = errors.New("the process is dead")

// step does something that has an effect.
func (p *process) step(do func() error) error {
	if p.dead {
		return errDead
	}
	if p.fault != nil {
		if err := p.fault(); err != nil {
			return err
		}
	}
	if p.steps++; p.steps == p.dieAt {
		p.dead = true
		if p.after {
			_ = do()
		}
		return errDead
	}
	return do()
}

func (p *process) Rules(ctx context.Context) ([]string, error) { return p.ledger.Rules(ctx) }

func (p *process) Waiting(ctx context.Context, ruleID string, from ledger.Place) iter.Seq2[[]ledger.Owed, error] {
	return p.ledger.Waiting(ctx, ruleID, from)
}

func (p *process) Claim(ctx context.Context, owed ledger.Owed, now, until time.Time) (a alert.Alert, ok bool, err error) {
	err = p.step(func() error {
		a, ok, err = p.ledger.Claim(ctx, owed, now, until)
		return err
	})
	return a, ok && err == nil, err
}

func (p *process) Sent(ctx context.Context, owed ledger.Owed) error {
	return p.step(func() error { return p.ledger.Sent(ctx, owed) })
}

func (p *process) Failed(ctx context.Context, owed ledger.Owed, f ledger.Failure) error {
	return p.step(func() error { return p.ledger.Failed(ctx, owed, f) })
}

func (p *process) Tally(ctx context.Context, ids []string, since time.Time) (ledger.Tally, error) {
	return p.ledger.Tally(ctx, ids, since)
}

func (p *process) Note(ctx context.Context, id, name string) (text, tag string, err error) {
	err = p.step(func() error {
		text, tag, err = p.ledger.Note(ctx, id, name)
		return err
	})
	return text, tag, err
}

func (p *process) SetNote(ctx context.Context, id, name, text, tag string) (next string, ok bool, err error) {
	err = p.step(func() error {
		next, ok, err = p.ledger.SetNote(ctx, id, name, text, tag)
		return err
	})
	return next, ok && err == nil, err
}

func (p *process) Query(ctx context.Context, q workspace.Query) (table *workspace.Table, err error) {
	err = p.step(func() error {
		s := &service.Service{DB: kql.NewDatabase(p.ingestion.Table(alerts.Columns(), p.now)), Now: func() time.Time { return p.now }}
		c, err := workspace.New("11111111-2222-3333-4444-555555555555", anyToken{}, workspace.Options{ClientOptions: azcore.ClientOptions{Transport: s}})
		if err == nil {
			table, err = c.Query(ctx, q)
		}
		return err
	})
	return table, err
}

// dyingSender is the sender of a process.
type dyingSender struct {
	p      *process
	sender alerts.Sender
}

func (s dyingSender) Send(ctx context.Context, rows []alerts.Row) error {
	err := s.p.step(func() error { return s.sender.Send(ctx, rows) })
	if errors.Is(err, errDead) {
		return &notify.Error{Err: err, Unanswered: true, Repeatable: true}
	}
	return err
}

// Whatever step a process dies at, and whether that has its effect or not, each
// alert is one row in the end: what may have been written is looked for, and not
// before the table shows it.
func TestRowsAfterCrashes(t *testing.T) {
	t.Parallel()
	for _, after := range []bool{false, true} {
		for step := 1; ; step++ {
			w := newRowWorld(t)
			w.ingestion.Delay = func() time.Duration { return 9*time.Minute + 30*time.Second }
			w.record(3)
			first, second := w.start(), w.start()
			first.dieAt, first.after = step, after
			first.tick()
			died := first.dead
			for range 60 {
				second.tick()
				w.now = w.now.Add(time.Minute)
			}
			rows := w.rows()
			for id, n := range rows {
				if n != 1 {
					t.Errorf("step %d, %t: alert %s has %d rows", step, after, id, n)
				}
			}
			if len(rows) != w.owed || !w.settled() {
				t.Errorf("step %d, %t: rows of %d alerts of %d, all settled: %t", step, after, len(rows), w.owed, w.settled())
			}
			if !died {
				if step < 20 {
					t.Errorf("only %d steps", step)
				}
				break
			}
		}
	}
}

// Through a day of faults, with two processes that die and come back, each alert is
// one row, unless the table shows one later than ten minutes after it was taken:
// those are counted.
func TestRowsThroughADayOfFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(daysOfFaults) {
		slow := seed == 3 // the table is late
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 25))
			w := newRowWorld(t)
			w.ingestion.Delay = func() time.Duration {
				if slow && r.IntN(3) == 0 {
					return 25 * time.Minute
				}
				return time.Duration(r.IntN(590)) * time.Second
			}
			calm := false
			w.ingestion.Fault = func(int) alertstest.Fault {
				if calm {
					return alertstest.Fault{}
				}
				kinds := []int{alertstest.Cut, alertstest.Unreached, 429, 500, 503, 403}
				switch r.IntN(4) {
				case 0:
					return alertstest.Fault{Before: kinds[r.IntN(len(kinds))]}
				case 1:
					return alertstest.Fault{After: []int{alertstest.Cut, 500}[r.IntN(2)]}
				}
				return alertstest.Fault{}
			}
			fault := func() error {
				if !calm && r.IntN(150) == 0 {
					return errors.New("a fault of the ledger or the workspace")
				}
				return nil
			}
			begin := func() *process {
				p := w.start()
				p.fault = fault
				if !calm && r.IntN(2) == 0 {
					p.dieAt, p.after = 1+r.IntN(400), r.IntN(2) == 0
				}
				return p
			}
			processes := []*process{begin(), begin()}
			again := 0
			for minute := range 28 * 60 {
				calm = minute >= 24*60
				if minute%30 == 0 && !calm {
					w.record(1 + r.IntN(8))
				}
				for i, p := range processes {
					if r.IntN(3) == 0 {
						continue
					}
					again += p.tick().Again
					if p.dead || calm && p.dieAt > 0 {
						processes[i] = begin()
					}
				}
				w.now = w.now.Add(time.Minute)
			}
			rows, twice := w.rows(), 0
			for id, n := range rows {
				twice += n - 1
				if n > 1 && !slow {
					t.Errorf("alert %s has %d rows", id, n)
				}
			}
			if len(rows) != w.owed || !w.settled() {
				t.Errorf("rows of %d alerts of %d, all settled: %t", len(rows), w.owed, w.settled())
			}
			if twice > again || slow && twice == 0 {
				t.Errorf("%d rows too many, %d written again", twice, again)
			}
			if p := w.ingestion.Problems(); len(p) > 0 {
				t.Errorf("calls were wrong: %q", p)
			}
		})
	}
}

// No more rows are written in five minutes than one run of the analytics rule turns
// into alerts with titles of their own, by however many processes; the rest comes
// later, all alerts of a delivery in one call.
func TestRowsInMeasure(t *testing.T) {
	t.Parallel()
	w := newRowWorld(t)
	w.record(60)
	processes := []*process{w.start(), w.start()}
	var at []time.Time
	for range 40 {
		for _, p := range processes {
			before := len(w.ingestion.Records())
			out := p.tick()
			if out.Err != nil {
				t.Fatal(out.Err)
			}
			for range len(w.ingestion.Records()) - before {
				at = append(at, w.now)
			}
		}
		w.now = w.now.Add(time.Minute)
	}
	if len(at) != w.owed || !w.settled() {
		t.Errorf("%d rows of %d alerts", len(at), w.owed)
	}
	for i := range at {
		n := 0
		for j := i; j < len(at) && at[j].Sub(at[i]) < alerts.Every; j++ {
			n++
		}
		if n > alerts.MostPer {
			t.Fatalf("%d rows within five minutes of %s", n, hhmm(at[i]))
		}
	}
	if calls, largest := w.ingestion.Calls(); largest != alerts.MostPer || calls > 8 {
		t.Errorf("%d calls, of at most %d rows", calls, largest)
	}
}

// What a destination that is a Batcher refuses is noted of each alert, and what it
// says of itself once.
func TestBatchRefused(t *testing.T) {
	t.Parallel()
	w := newRowWorld(t)
	w.record(4)
	w.ingestion.Assigned = w.now.Add(-time.Minute) // the role does not count yet
	p := w.start()
	out := p.tick()
	if out.Err == nil || strings.Count(out.Err.Error(), "Monitoring Metrics Publisher") != 1 || out.Addresses[0].Refused.IsZero() || out.Pending != 8 || out.Parked != 0 {
		t.Errorf("%+v", out)
	}
	for range 120 {
		w.now = w.now.Add(time.Minute)
		p.tick()
	}
	if !w.settled() || len(w.rows()) != 8 {
		t.Errorf("rows of %d alerts", len(w.rows()))
	}
	for id, n := range w.rows() {
		if n != 1 {
			t.Errorf("alert %s has %d rows", id, n)
		}
	}
}

// Alerts that a destination took and that nothing came of are reported to the
// others, until something comes of what it takes; that it is not known ends nothing.
func TestLostAlertsAreReported(t *testing.T) {
	t.Parallel()
	key := conditionKey{kind: alertsLost, name: alerts.Name}
	w := &watch{config: Config{Health: DefaultHealth()}}
	found := func(f notify.Followed) *diagnosis {
		s, err := readHealth("")
		if err != nil {
			t.Fatal(err)
		}
		return w.diagnose(&s, &Report{Time: clock("10:00"), Deliveries: []Delivery{{Destination: alerts.Name, Followed: f}}}, Fullness{})
	}
	d := found(notify.Followed{Known: true, Lost: 2, Oldest: clock("09:20"), Text: "2 rows became nothing: see the rule."})
	if len(d.conditions) != 1 || d.conditions[0].key != key || d.conditions[0].not != alerts.Name || !d.conditions[0].since.Equal(clock("09:20")) ||
		d.conditions[0].text != "Nothing came of 2 alerts, the first of them sent at 2026-03-14T09:20:00Z. 2 rows became nothing: see the rule." {
		t.Errorf("%+v", d.conditions)
	}
	for _, test := range []struct {
		f    notify.Followed
		over bool
	}{{notify.Followed{Known: true}, true}, {notify.Followed{}, false}} {
		d := found(test.f)
		over, why := d.over(key, &openCondition{Found: clock("09:50")})
		if len(d.conditions) != 0 || over != test.over || over && why == "" {
			t.Errorf("%+v: %+v, over: %t, %q", test.f, d.conditions, over, why)
		}
	}
}
