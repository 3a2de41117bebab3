package detect

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/workspace"
)

// HealthRuleID is the id of what Pushback tells about itself: alerts like those
// of a rule, recorded and delivered as they are.
const HealthRuleID = "3f0c7a52-51d6-4c0e-9d43-6b1f6b6f0c11"

const healthRuleName = "Pushback health"

// Health says when something is wrong with Pushback itself. Each thing that is
// wrong is told once, and once more when it is over.
type Health struct {
	// FailingTicks is how many ticks in a row something of a rule must fail.
	FailingTicks int
	// Stuck is how long an alert must wait for a destination.
	Stuck time.Duration
	// Tables are watched for silence, each by its own rhythm: it is silent if
	// nothing arrived for half again as long as in its longest silence of the two
	// weeks before, and the lateness. RhythmEvery is how often they are asked.
	Tables      []string
	RhythmEvery time.Duration
}

// DefaultHealth returns three ticks, 20 minutes, and a look at the tables every
// hour.
func DefaultHealth() *Health {
	return &Health{FailingTicks: 3, Stuck: 20 * time.Minute, RhythmEvery: time.Hour}
}

// condition is something that is wrong.
type condition struct {
	key, title, text string
	since            time.Time
	// not is the destination that it is about, and that is not told of it.
	not string
}

// healthState is what is known to be wrong. It is read from the ledger when a
// process begins, so that a restart repeats nothing.
type healthState struct {
	open   map[string]alert.Reference
	rhythm time.Time // when the tables were last asked
	// silent are the tables' conditions of then, and newest the hours of the last
	// records of the tables that answered.
	silent []condition
	newest map[string]time.Time
}

// rhythmHistory is how far back a table's rhythm is looked for, and rhythmLeast
// how much of it there must be.
const (
	rhythmHistory = 15 * 24 * time.Hour
	rhythmLeast   = 8 * 24 * time.Hour
)

// healthMemory is how far back the ledger is read for what is still wrong.
const healthMemory = 60 * 24 * time.Hour

const healthDetail = "Condition"

// health tells what went wrong and what is over. The alerts are delivered by the
// next tick.
func (d *Detector) health(ctx context.Context, report *Report) {
	if d.config.Health == nil || ctx.Err() != nil {
		return
	}
	err := guarded(func() error {
		if d.healthState == nil {
			s, err := d.readHealth(ctx, report.Time)
			if err != nil {
				return err
			}
			d.healthState = s
		}
		return d.tellHealth(ctx, report)
	})
	if err != nil && ctx.Err() == nil {
		report.HealthErr = fmt.Errorf("telling what is wrong with Pushback itself: %w", err)
	}
}

func (d *Detector) readHealth(ctx context.Context, now time.Time) (*healthState, error) {
	told, err := d.ledger.Recent(ctx, HealthRuleID, now.Add(-healthMemory))
	if err != nil {
		return nil, err
	}
	s := &healthState{open: map[string]alert.Reference{}}
	for _, a := range told {
		for _, detail := range a.CustomDetails {
			if detail.Name != healthDetail || len(detail.Values) != 1 {
				continue
			}
			if key := detail.Values[0]; a.Updates != nil {
				delete(s.open, key)
			} else {
				s.open[key] = alert.Reference{ID: a.ID, Title: a.Title, Created: a.Created}
			}
		}
	}
	return s, nil
}

func (d *Detector) tellHealth(ctx context.Context, report *Report) error {
	now, s := report.Time, d.healthState
	found, judged := d.conditions(ctx, report)
	var changed []func()
	byMissing := map[string][]alert.Alert{} // by the destination that is not told
	for _, c := range found {
		if _, open := s.open[c.key]; open {
			continue
		}
		a := healthAlert(c, now)
		byMissing[c.not] = append(byMissing[c.not], a)
		changed = append(changed, func() { s.open[c.key] = alert.Reference{ID: a.ID, Title: a.Title, Created: now} })
	}
	for _, key := range slices.Sorted(maps.Keys(s.open)) {
		if !judged(key) || slices.ContainsFunc(found, func(c condition) bool { return c.key == key }) {
			continue
		}
		told := s.open[key]
		a := healthAlert(condition{key: key, title: "Over: " + told.Title, text: "What was told is over.", since: now}, now)
		a.Severity, a.Updates = alert.Informational, &told
		byMissing[""] = append(byMissing[""], a)
		changed = append(changed, func() { delete(s.open, key) })
	}
	for _, not := range slices.Sorted(maps.Keys(byMissing)) {
		to := slices.DeleteFunc(d.destinations(), func(name string) bool { return name == not })
		e := ledger.Entry{RuleID: HealthRuleID, State: ledger.State{First: now, Watermark: now}, Alerts: byMissing[not], Destinations: to}
		if err := d.record(ctx, e); err != nil {
			return err
		}
		report.Health = append(report.Health, byMissing[not]...)
	}
	for _, change := range changed {
		change()
	}
	return nil
}

func healthAlert(c condition, now time.Time) alert.Alert {
	fingerprint := alert.NewFingerprint(HealthRuleID, []alert.Field{{Identifier: healthDetail, Value: c.key}})
	at := alert.Span{Start: c.since, End: c.since}
	a := alert.Alert{
		RuleID: HealthRuleID, RuleName: healthRuleName, Title: c.title, Description: c.text, Severity: alert.Medium,
		CustomDetails: []alert.Detail{{Name: healthDetail, Values: []string{c.key}}},
		Window:        at, Span: at, Activities: []alert.Activity{{Fingerprint: fingerprint, Span: at}}, Created: now,
	}
	a.ID = alert.NewID(HealthRuleID, a.Activities)
	return a
}

// conditions returns what is wrong after a tick. judged says of a condition's
// key whether this tick could tell if it still holds.
func (d *Detector) conditions(ctx context.Context, report *Report) (found []condition, judged func(key string) bool) {
	h, now := d.config.Health, report.Time
	known := map[string]bool{}
	for _, r := range report.Rules {
		key, skipped := "rule "+r.RuleID, "skipped "+r.RuleID
		known[key] = len(r.Windows) > 0
		// While it fails, windows grow too old one by one: that is one story.
		known[skipped] = len(r.Windows) > 0 && r.Failures == 0
		if r.Failures >= h.FailingTicks {
			text := fmt.Sprintf("Something of the rule failed in %d ticks in a row.", r.Failures)
			if !r.LastSuccess.IsZero() {
				text += " A window of it was last run at " + r.LastSuccess.UTC().Format(time.RFC3339) + "."
			}
			if err := r.Failure(); err != nil {
				first, _, _ := strings.Cut(err.Error(), "\n")
				text += " " + first
			}
			found = append(found, condition{key: key, title: fmt.Sprintf("The rule %q fails", r.RuleName), text: text, since: cmp.Or(r.LastSuccess, now)})
		}
		if r.Skipped.Windows > 0 {
			found = append(found, condition{
				key: skipped, title: fmt.Sprintf("The rule %q did not look at some windows", r.RuleName),
				text: "These " + r.Skipped.String() + ".", since: r.Skipped.From,
			})
		}
	}
	for _, out := range report.Deliveries {
		if out.Unread || out.Err != nil && out.Sent+out.Pending+out.Parked == 0 {
			continue // what is owed is not known
		}
		stuck, parked := "destination "+out.Destination, "parked "+out.Destination
		// That alerts wait no more is not enough: they may have been parked.
		known[stuck] = out.Sent > 0 && out.Err == nil || out.Pending+out.Parked == 0
		known[parked] = true
		if waits := now.Sub(out.Oldest); out.Pending > 0 && waits >= h.Stuck {
			text := fmt.Sprintf("%d alerts wait for it, the oldest since %s.", out.Pending, out.Oldest.UTC().Format(time.RFC3339))
			if out.Err != nil {
				first, _, _ := strings.Cut(out.Err.Error(), "\n")
				text += " " + first
			}
			found = append(found, condition{key: stuck, title: "The destination " + out.Destination + " does not take alerts", text: text, since: out.Oldest, not: out.Destination})
		}
		if out.Parked > 0 {
			found = append(found, condition{
				key: parked, title: "Alerts for " + out.Destination + " are parked",
				text: fmt.Sprintf("It refused %d alerts so often that they are sent no more: see handler outbox list --parked.", out.Parked), since: now, not: out.Destination,
			})
		}
	}
	d.rhythms(ctx, now)
	found = append(found, d.healthState.silent...)
	return found, func(key string) bool {
		if table, ok := strings.CutPrefix(key, "table "); ok {
			// What is silent for long has no rhythm any more. A new record ends it.
			newest := d.healthState.newest[table]
			return !newest.IsZero() && newest.Add(time.Hour).After(d.healthState.open[key].Created)
		}
		return known[key]
	}
}

// rhythms asks how the tables' records arrive, if it is time to.
func (d *Detector) rhythms(ctx context.Context, now time.Time) {
	h, s := d.config.Health, d.healthState
	if len(h.Tables) == 0 || !s.rhythm.IsZero() && now.Sub(s.rhythm) < h.RhythmEvery {
		return
	}
	s.rhythm, s.silent, s.newest = now, nil, map[string]time.Time{}
	for _, name := range h.Tables {
		table, err := d.querier.Query(ctx, workspace.Query{
			Text:  "['" + name + "'] | summarize Records = count() by Hour = bin(TimeGenerated, 1h) | project Hour",
			Start: now.Add(-rhythmHistory), End: now, Now: now, RuleID: "health", RuleVersion: "rhythm",
		})
		if err != nil {
			if hopeless(err) {
				return // the rules' own failures say it
			}
			continue // as handler check says
		}
		var hours []time.Time
		for _, row := range table.Rows {
			if hour, ok := row[0].(time.Time); ok {
				hours = append(hours, hour)
			}
		}
		newest, longest, silent := silence(hours, now, d.config.Lateness)
		s.newest[name] = newest
		if silent {
			s.silent = append(s.silent, condition{
				key: "table " + name, title: "The table " + name + " is silent",
				text: fmt.Sprintf("Its newest record is of the hour of %s. In the two weeks before, the longest time without one was %s. The rules see nothing of what is missing: see whether its connector works.",
					newest.UTC().Format(time.RFC3339), longest),
				since: newest,
			})
		}
	}
}

// silence judges a table by the hours in which it has records: whether the time
// since the last of them is unusually long.
func silence(hours []time.Time, now time.Time, lateness time.Duration) (newest time.Time, longest time.Duration, silent bool) {
	if len(hours) == 0 {
		return time.Time{}, 0, false // nothing to compare with
	}
	slices.SortFunc(hours, time.Time.Compare)
	newest = hours[len(hours)-1]
	for i := 1; i < len(hours); i++ {
		longest = max(longest, hours[i].Sub(hours[i-1])-time.Hour)
	}
	if newest.Sub(hours[0]) < rhythmLeast {
		return newest, longest, false
	}
	quiet := now.Sub(newest) - time.Hour
	return newest, longest, quiet > longest*3/2+lateness+time.Hour
}
