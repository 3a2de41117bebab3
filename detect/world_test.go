package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// midnight is when the tests' day begins.
var midnight = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

// clock returns a time of that day, or of a later one: "26:30" is half past two
// on the next.
func clock(hhmm string) time.Time {
	h, m, _ := strings.Cut(hhmm, ":")
	hours, err := strconv.Atoi(h)
	minutes, err2 := strconv.Atoi(m)
	if err != nil || err2 != nil {
		panic("not a time: " + hhmm)
	}
	return midnight.Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
}

// event is something that a user did.
type event struct {
	id      string
	user    string
	at      time.Time
	arrived time.Time // when the workspace had it
}

func happened(id, user, at string) event { return event{id, user, clock(at), clock(at)} }

func (e event) arriving(at string) event {
	e.arrived = clock(at)
	return e
}

// world is a workspace with events, at a time. Its answers are those of a rule
// that counts events per user, with their first and last time.
type world struct {
	events []event
	now    time.Time
	// fail, if set, decides about a query before it is answered.
	fail func(q workspace.Query) error
	// takes, if set, is how long a query takes.
	takes   func(q workspace.Query) time.Duration
	mu      sync.Mutex
	queries []workspace.Query
	// only, if set, is the id of the only rule that finds something.
	only string
}

var worldColumns = []workspace.Column{
	{Name: "StartTime", Type: "datetime"}, {Name: "EndTime", Type: "datetime"},
	{Name: "User", Type: "string"}, {Name: "Count", Type: "long"}, {Name: "Events", Type: "dynamic"},
}

func (w *world) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	w.mu.Lock()
	w.queries = append(w.queries, q)
	w.mu.Unlock()
	if w.takes != nil {
		select {
		case <-time.After(w.takes(q)):
		case <-ctx.Done():
			return nil, fmt.Errorf("querying the world: %w", ctx.Err())
		}
	}
	if w.fail != nil {
		if err := w.fail(q); err != nil {
			return nil, err
		}
	}
	table := &workspace.Table{Columns: worldColumns}
	users := map[string][]event{}
	for _, e := range w.events {
		if (w.only == "" || q.RuleID == w.only) && !e.at.Before(q.Start) && e.at.Before(q.End) && !e.arrived.After(w.now) {
			users[e.user] = append(users[e.user], e)
		}
	}
	for user, events := range users {
		slices.SortFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
		ids := make([]string, len(events))
		for i, e := range events {
			ids[i] = strconv.Quote(e.id)
		}
		table.Rows = append(table.Rows, []any{
			events[0].at, events[len(events)-1].at, user, int64(len(events)),
			workspace.NewDynamic("[" + strings.Join(ids, ",") + "]"),
		})
	}
	slices.SortFunc(table.Rows, func(a, b []any) int {
		if c := a[0].(time.Time).Compare(b[0].(time.Time)); c != 0 {
			return c
		}
		return strings.Compare(a[2].(string), b[2].(string))
	})
	return table, nil
}

// inbox is a destination.
type inbox struct {
	name string
	fail func(a alert.Alert) error
	// takes, if set, is how long reporting an alert takes.
	takes  time.Duration
	alerts []alert.Alert
}

func (i *inbox) Name() string { return i.name }

func (i *inbox) Notify(ctx context.Context, a alert.Alert) error {
	if i.takes > 0 {
		select {
		case <-time.After(i.takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if i.fail != nil {
		if err := i.fail(a); err != nil {
			return err
		}
	}
	i.alerts = append(i.alerts, a)
	return nil
}

// reported returns one line per alert: when, about which span, whether it continues
// an earlier one, and who.
func (i *inbox) lines() []string {
	var lines []string
	for _, a := range i.alerts {
		line := fmt.Sprintf("at %s: %s-%s", hhmm(a.Created), hhmm(a.Span.Start), hhmm(a.Span.End))
		for _, p := range a.Previously() {
			line += fmt.Sprintf(" after %s-%s", hhmm(p.Start), hhmm(p.End))
		}
		for _, r := range a.Rows {
			c, _ := r.Get("User")
			line += " " + c.Text()
		}
		lines = append(lines, line)
	}
	return lines
}

// hhmm is the reverse of clock, with seconds where there are any.
func hhmm(t time.Time) string {
	d := t.Sub(midnight)
	text := fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
	if rest := d % time.Minute; rest != 0 {
		text += "+" + rest.String()
	}
	return text
}

// counting returns the rule that the world answers.
func counting(frequency, period time.Duration) *rule.Rule {
	return &rule.Rule{
		ID: "counting", Name: "Counting", Version: "1.0.0", File: "counting.yaml",
		Severity: alert.Medium, Query: rule.Query{Text: "Events"},
		QueryFrequency: frequency, QueryPeriod: period,
		Grouping: rule.AlertPerResult,
		EntityMappings: []rule.EntityMapping{{
			EntityType: "Account", FieldMappings: []rule.FieldMapping{{Identifier: "Name", Column: "User"}},
		}},
	}
}

// config is the default, without a clock so that reports can be compared.
func config() Config {
	c := DefaultConfig()
	c.Clock = nil
	return c
}

// day is a run of a detector over a world.
type day struct {
	t        testing.TB
	config   Config
	rules    []*rule.Rule
	world    *world
	ledger   Ledger
	inbox    *inbox
	detector *Detector
	reports  []Report
}

func newDay(t testing.TB, c Config, events []event, rules ...*rule.Rule) *day {
	t.Helper()
	d := &day{t: t, config: c, rules: rules, world: &world{events: events}, ledger: ledger.NewMemory(), inbox: &inbox{name: "inbox"}}
	d.restart()
	return d
}

// restart puts a new detector over the same ledger.
func (d *day) restart(others ...notify.Notifier) {
	d.t.Helper()
	var err error
	if d.detector, err = New(d.config, d.rules, d.world, d.ledger, append([]notify.Notifier{d.inbox}, others...)...); err != nil {
		d.t.Fatal(err)
	}
}

func (d *day) tick(now time.Time) (Report, error) {
	d.world.now = now
	report, err := d.detector.Tick(d.t.Context(), now)
	d.reports = append(d.reports, report)
	return report, err
}

// run ticks whenever a pass is due, after from and until to.
func (d *day) run(from, to string) {
	d.t.Helper()
	for now := d.detector.Next(clock(from)); !now.IsZero() && !now.After(clock(to)); now = d.detector.Next(now) {
		if _, err := d.tick(now); err != nil {
			d.t.Fatalf("tick at %s: %v", hhmm(now), err)
		}
	}
}

func (d *day) checkSent(want ...string) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.inbox.lines()); diff != "" {
		d.t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// windows returns one line per window that was run.
func windows(reports ...Report) []string {
	var lines []string
	for _, r := range reports {
		for _, run := range r.Rules {
			for _, w := range run.Windows {
				lines = append(lines, fmt.Sprintf("at %s: %s-%s pass %d", hhmm(r.Time), hhmm(w.Window.Start), hhmm(w.Window.End), w.Pass))
			}
		}
	}
	return lines
}

var errDown = errors.New("it is down")
