// Package alerts makes alerts rows of a table of the workspace, which an analytics
// rule of Microsoft Sentinel turns into alerts. Both portals show those, and make
// incidents of them.
//
// A row is written once. What is about to be written is noted in the ledger first
// (journal.go); if no answer came, or nobody was left to read it, the row is looked
// for in the table before it is written again, and not before the table would show
// it. The rule takes an alert's id once however often its row is there. What came
// of the rows is looked up (arrival.go).
//
// The rows, the table, the data collection rule and the rule's query have their
// columns from one file, columns.json.
package alerts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

var (
	_ notify.Batcher  = (*Destination)(nil)
	_ notify.Follower = (*Destination)(nil)
	_ notify.Numberer = (*Destination)(nil)
)

// Name is the destination's name in the ledger.
const Name = "alerts"

// How many rows are written. The analytics rule runs every five minutes; where one
// run has more than fifty different titles, all of its alerts have the rule's.
// Rows of two times five minutes can come in at once, so that half of it is
// written.
const (
	Every = 5 * time.Minute
	// What is noted of the calls is one for all apps that share the rules.
	MostPer = 50 / 2
)

// visibleAfter is how long after it was written a row may not be seen in the
// table.
const visibleAfter = 10 * time.Minute

// Querier asks the workspace. [*workspace.Client] is one.
type Querier interface {
	Query(ctx context.Context, q workspace.Query) (*workspace.Table, error)
}

// Options adjust a Destination. The zero value is fit for use.
type Options struct {
	// Rules are those whose alerts come: they say whether there are incidents and
	// what they are grouped by.
	Rules []*rule.Rule
	// Links are for the rows, and say which portal incidents are looked at in.
	Links portal.Links
	// Now is the clock of Notify, the machine's if nil.
	Now func() time.Time
}

// Destination is the table. It is safe for concurrent use.
type Destination struct {
	sender  Sender
	querier Querier
	notes   Notes
	rules   map[string]*rule.Rule
	links   portal.Links
	now     func() time.Time
}

// New returns a Destination that writes by a sender, and looks for rows by a
// querier.
func New(s Sender, q Querier, n Notes, o Options) *Destination {
	d := &Destination{sender: s, querier: q, notes: n, rules: map[string]*rule.Rule{}, links: o.Links, now: o.Now}
	if d.now == nil {
		d.now = time.Now
	}
	for _, r := range o.Rules {
		d.rules[r.ID] = r
	}
	return d
}

// Name returns the destination's name.
func (d *Destination) Name() string { return Name }

// IncidentURL returns the address of the incident that the alert's story is in, or
// nothing.
func (d *Destination) IncidentURL(ctx context.Context, a alert.Alert) string {
	i, _ := d.incident(ctx, a)
	return i.URL
}

// IncidentNumber returns the number of that incident, or nothing.
func (d *Destination) IncidentNumber(ctx context.Context, a alert.Alert) string {
	i, _ := d.incident(ctx, a)
	return i.Number
}

// Notify writes the row of one alert.
func (d *Destination) Notify(ctx context.Context, a alert.Alert) error {
	return d.Deliver(ctx, []alert.Alert{a}, d.now())[0].Err
}

// Room returns how many rows may be written now.
func (d *Destination) Room(ctx context.Context, now time.Time) (int, error) {
	j, err := d.read(ctx)
	if err != nil {
		return 0, err
	}
	room, _ := j.room(MostPer, now)
	return room, nil
}

// Deliver writes the rows of alerts. What was or may have been written before is
// looked up, and written only if it is not there.
func (d *Destination) Deliver(ctx context.Context, list []alert.Alert, now time.Time) []notify.Outcome {
	outcomes := make([]notify.Outcome, len(list))
	w := &writing{Destination: d, now: now.UTC(), alerts: list, outcomes: outcomes}
	if err := w.begin(ctx); err != nil {
		for i := range outcomes {
			outcomes[i] = notify.Outcome{Err: err}
		}
		return outcomes
	}
	w.send(ctx)
	return outcomes
}

// writing is one delivery.
type writing struct {
	*Destination
	now      time.Time
	alerts   []alert.Alert
	outcomes []notify.Outcome
	// rows are those to be written, and of says which alert each is of.
	rows []Row
	of   []int
	// before are when rows of alerts, by their ids, may have been written before.
	before map[string]time.Time
}

// begin finds out what is to be written, and notes that it is about to be.
func (w *writing) begin(ctx context.Context) error {
	found := map[string]bool{} // in the table, of those that were looked for
	looked := map[string]bool{}
	for range mostConflicts {
		j, err := w.read(ctx)
		if err != nil {
			return &notify.Error{Err: err, Local: true}
		}
		j.age(w.now)
		if err := w.look(ctx, j, found, looked); err != nil {
			return &notify.Error{Err: err, Local: true}
		}
		w.rows, w.of, w.before = nil, nil, map[string]time.Time{}
		room, more := j.room(MostPer, w.now)
		for i, a := range w.alerts {
			if err := w.admit(ctx, j, i, a, found, room-len(w.rows), more); err != nil {
				return &notify.Error{Err: err, Local: true}
			}
		}
		if len(w.rows) > 0 {
			j.Sends = append(j.Sends, send{w.now, len(w.rows)})
		}
		if ok, err := w.save(ctx, j); err != nil || ok {
			if err != nil {
				return &notify.Error{Err: err, Local: true}
			}
			return nil
		}
	}
	return &notify.Error{Err: errBusy, Local: true}
}

// look looks for the rows that may have been written long enough ago to be seen.
func (w *writing) look(ctx context.Context, j *journal, found, looked map[string]bool) error {
	var ids []string
	var first time.Time
	for _, a := range w.alerts {
		e := j.Rows[a.ID]
		var at time.Time
		switch {
		case looked[a.ID]:
			continue
		case e == nil:
			// That it was written may be forgotten, if noting that it was sent failed.
			if at = a.Created; w.now.Sub(at) < arrivedFor || w.now.Sub(at) > doubtFor {
				continue
			}
		case !e.Taken.IsZero() || w.now.Sub(e.At) < visibleAfter:
			continue
		default:
			at = e.At
		}
		ids = append(ids, a.ID)
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if len(ids) == 0 {
		return nil
	}
	there, err := w.inTable(ctx, ids, first, w.now)
	if err != nil {
		return fmt.Errorf("alerts: looking whether rows were written: %w", err)
	}
	for _, id := range ids {
		looked[id], found[id] = true, there[id]
	}
	return nil
}

// admit decides what becomes of an alert: it is there, it has to wait, or its row
// is written, if there is room.
func (w *writing) admit(ctx context.Context, j *journal, i int, a alert.Alert, found map[string]bool, room int, more time.Time) error {
	w.outcomes[i] = notify.Outcome{}
	e := j.Rows[a.ID]
	switch {
	case e != nil && !e.Taken.IsZero():
		return nil
	case found[a.ID]:
		if e != nil {
			e.Taken, e.Found = w.now, true
		}
		return nil
	case e != nil && w.now.Sub(e.At) < visibleAfter:
		next := e.At.Add(visibleAfter)
		w.outcomes[i].Err = &notify.Error{Held: true, Next: next,
			Err: fmt.Errorf("alerts: the row may have been written at %s: it is looked for at %s", e.At.Format(time.RFC3339), next.UTC().Format(time.RFC3339))}
		return nil
	case room <= 0:
		w.outcomes[i].Err = &notify.Error{Held: true, Next: more, Err: fmt.Errorf("alerts: the analytics rule takes no more than %d rows in %s", MostPer, Every)}
		return nil
	}
	if e != nil {
		w.before[a.ID] = e.At
		w.outcomes[i].Again = true
	}
	story, err := w.storyID(ctx, j, a)
	if err != nil {
		return err
	}
	r := w.rules[a.RuleID]
	incident := r == nil || r.Incident.CreateIncident
	j.Rows[a.ID] = &entry{At: w.now, Rule: a.RuleID, Story: story, Quiet: !incident}
	w.rows = append(w.rows, newRow(a, setting{now: w.now, links: w.links, story: story, incident: incident}))
	w.of = append(w.of, i)
	return nil
}

// send writes the rows, in as many calls as they need, and notes what came of it.
func (w *writing) send(ctx context.Context) {
	if len(w.rows) == 0 {
		return
	}
	results := make([]error, len(w.rows))
	for from := 0; from < len(w.rows); {
		to, size := from, 2
		for ; to < len(w.rows); to++ {
			if size += len(encode(w.rows[to])) + 1; size > mostBody && to > from {
				break
			}
		}
		w.part(ctx, from, to, results)
		from = to
	}
	w.judge(results)
	_, err := w.change(context.WithoutCancel(ctx), func(j *journal) {
		for n, i := range w.of {
			id := w.alerts[i].ID
			e := j.Rows[id]
			if e == nil || !e.At.Equal(w.now) {
				continue // another process goes on with it
			}
			verdict := notify.Judge(results[n])
			switch before, tried := w.before[id]; {
			case results[n] == nil:
				e.Taken = w.now
			case verdict.Unanswered:
			case tried:
				e.At = before
			default:
				delete(j.Rows, id)
			}
		}
	})
	for n, i := range w.of {
		w.outcomes[i].Err = results[n]
		if results[n] != nil && !notify.Judge(results[n]).Unanswered {
			w.outcomes[i].Again = false
		}
	}
	if err != nil {
		// What the service took stays taken: the alert is noted as sent.
		for n, i := range w.of {
			if results[n] != nil {
				w.outcomes[i].Err = errors.Join(results[n], err)
			}
		}
	}
}

// part writes some of the rows. Where they are refused for what they hold, or are
// too many, each half is written by itself.
func (w *writing) part(ctx context.Context, from, to int, results []error) {
	err := w.sender.Send(ctx, w.rows[from:to])
	if err != nil && notify.Judge(err).Message && to-from > 1 {
		half := (from + to) / 2
		w.part(ctx, from, half, results)
		w.part(ctx, half, to, results)
		return
	}
	for n := from; n < to; n++ {
		results[n] = err
	}
}

// judge says what the refusals are about: where none of the rows was taken, not
// about what one of them holds. What may have been written waits until the table
// would show it.
func (w *writing) judge(results []error) {
	taken := false
	for _, err := range results {
		taken = taken || err == nil
	}
	known := map[error]error{}
	for n, err := range results {
		if err == nil {
			continue
		}
		if known[err] == nil {
			v := notify.Judge(err)
			v.Err = err
			if v.Unanswered {
				v.Next = w.now.Add(visibleAfter)
			}
			if v.Message && !taken {
				v.Message, v.Shut, v.Repeatable = false, true, true
			}
			known[err] = &v
		}
		results[n] = known[err]
	}
}
