package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rhythm"
	"pushback/detect/workspace"
)

// HealthRuleID is the id of what Pushback reports about itself: alerts like those
// of a rule, recorded and delivered as they are.
const HealthRuleID = ledger.OwnID

// HealthRuleName is the name of that rule.
const HealthRuleName = "Pushback health"

const (
	healthRuleName = HealthRuleName
	healthSeverity = alert.Medium
)

// watchNotes is what a watch needs of the ledger: see there what each method does.
type watchNotes interface {
	Notes
	recorder
}

// watch reports what is wrong with Pushback itself.
type watch struct {
	config    Config
	querier   Querier // asks how the tables' records come
	notifiers []notify.Notifier
	notes     watchNotes
	recall    *recall
	rules     division
	// unnoted is what happened once, such as windows that were skipped, and the
	// ledger could not note yet: mostOpen at most. Only a tick uses it.
	unnoted map[conditionKey]condition
}

// look records alerts about what went wrong and what is over. They are delivered
// by the next tick.
func (w *watch) look(ctx context.Context, report *Report, full Fullness) {
	if w.config.Health == nil || ctx.Err() != nil {
		return
	}
	err := guarded(func() error {
		warnings := report.HealthWarnings
		// Apps with other shares note something at the same time.
		for range w.config.Share.shares() {
			report.HealthWarnings = slices.Clone(warnings)
			if done, err := w.report(ctx, report, full); done || err != nil {
				return err
			}
		}
		return nil // another process reports it
	})
	if err != nil && ctx.Err() == nil {
		report.HealthErr = fmt.Errorf("reporting what is wrong with Pushback itself: %w", err)
	}
}

// report is false if another process noted something meanwhile.
func (w *watch) report(ctx context.Context, report *Report, full Fullness) (done bool, err error) {
	text, tag, err := w.notes.Note(ctx, HealthRuleID, healthNote)
	if err != nil {
		return false, err
	}
	s, err := readHealth(text)
	if err != nil { // who wrote it is not known, and the watch goes on
		report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("the note %q of rule %q was damaged and is replaced, so that something may be reported again: %v", healthNote, HealthRuleID, err))
	}
	now := report.Time
	for _, out := range report.Deliveries {
		report.HealthWarnings = append(report.HealthWarnings, out.Warnings...)
	}
	s.count(report, w.rules)
	s.fill(w.rules.share.String(), full)
	s.forgetShares(w.rules)
	w.rhythms(ctx, &s, report)
	found := w.diagnose(&s, report, full)
	for _, c := range found.conditions {
		s.open(c, now)
	}
	for key, open := range s.Open {
		if !open.Over.IsZero() || slices.ContainsFunc(found.conditions, func(c condition) bool { return c.key == key }) {
			continue
		}
		if over, why := found.over(key, open); over {
			open.Over, open.Ending = now, why
			if key.kind == tableSilent && s.Tables[key.name] != nil {
				s.Tables[key.name].Heal(rhythm.HourOf(open.Since))
			}
		}
	}
	report.Wrong = nil
	for _, key := range slices.SortedFunc(maps.Keys(s.Open), compareKeys) {
		if s.Open[key].Over.IsZero() {
			report.Wrong = append(report.Wrong, s.Open[key].Title)
		}
	}
	if tag, err = w.note(ctx, s, text, tag); err != nil || tag == "" {
		return text == "" && len(s.Open)+len(s.Failing)+len(s.Tables)+len(s.Full) == 0, err
	}
	return true, w.record(ctx, s, tag, report)
}

const (
	healthNote   = "health"
	healthDetail = "Condition"
)

// Fullnesses returns how full the ticks of each share are, as it was noted last.
func Fullnesses(ctx context.Context, n Notes) (map[string]Fullness, error) {
	text, _, err := n.Note(ctx, HealthRuleID, healthNote)
	if err != nil {
		return nil, fmt.Errorf("reading how full the ticks are: %w", err)
	}
	s, err := readHealth(text)
	return s.Full, err
}

// noteOnce notes what no later tick would see, and returns since when the ledger
// was gone. That is the windows that rules did not look at, before the ledger
// forgets that they were due, and that it was gone. What cannot be noted is kept
// for the next tick of this process.
func (w *watch) noteOnce(ctx context.Context, runs []RuleRun, now time.Time) (ledgerGone time.Time) {
	var found []condition
	if ledgerGone = w.recall.since; !ledgerGone.IsZero() {
		found = append(found, w.recall.goneCondition())
		if !slices.ContainsFunc(runs, func(r RuleRun) bool { return r.Err != nil }) { // else one may still have to begin there
			w.recall.found()
		}
	}
	if w.config.Health == nil {
		return ledgerGone
	}
	for _, r := range runs {
		if r.Skipped.Windows > 0 {
			found = append(found, skippedCondition(r))
		}
	}
	w.noteAll(ctx, found, now)
	return ledgerGone
}

// noteLate notes which records came in too late for any window, before it is saved
// that they were looked for.
func (w *watch) noteLate(ctx context.Context, runs []RuleRun, now time.Time) {
	if w.config.Health == nil {
		return
	}
	var found []condition
	for _, r := range runs {
		if len(r.TooLate) > 0 {
			found = append(found, tooLateCondition(r, now))
		}
	}
	if len(found) > 0 {
		w.noteAll(ctx, found, now)
	}
}

// noteAll notes conditions, and those that could not be noted before.
func (w *watch) noteAll(ctx context.Context, found []condition, now time.Time) {
	for _, c := range found {
		if _, there := w.unnoted[c.key]; !there && len(w.unnoted) < mostOpen {
			w.unnoted[c.key] = c
		}
	}
	if len(w.unnoted) == 0 {
		return
	}
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err := guarded(func() error {
		for range 5 {
			text, tag, err := w.notes.Note(ctx, HealthRuleID, healthNote)
			if err != nil {
				return err
			}
			s, err := readHealth(text)
			if err != nil {
				return err // look begins it anew
			}
			for _, c := range w.unnoted {
				s.open(c, now)
			}
			if next, err := w.note(ctx, s, text, tag); err != nil || next != "" {
				return err
			}
		}
		return errors.New("other processes note something all the time")
	})
	if err == nil {
		clear(w.unnoted)
	}
}

// note notes the state in the place of the text that was read with a tag.
// It returns the new tag, or nothing if another process noted something
// meanwhile.
func (w *watch) note(ctx context.Context, s healthState, before, tag string) (string, error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	text, err := json.Marshal(s)
	if err != nil || string(text) == before {
		return tag, err
	}
	if before == "" && len(s.Open)+len(s.Failing)+len(s.Tables)+len(s.Full) == 0 {
		return "", nil
	}
	next, ok, err := w.notes.SetNote(ctx, HealthRuleID, healthNote, string(text), tag)
	if err != nil || !ok {
		return "", err
	}
	return next, nil
}

// record records the alerts of what was noted and not reported. They are made
// of the note alone: done again after a crash they are the same alerts.
func (w *watch) record(ctx context.Context, s healthState, tag string, report *Report) error {
	before, err := json.Marshal(s)
	if err != nil {
		return err
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.Open), compareKeys) {
		open := s.Open[key]
		first := healthAlert(key, open)
		if !open.Reported {
			if err := w.recordAll(ctx, key, open, first, open.Not, report); err != nil {
				return err
			}
			open.Reported = true
		}
		if !open.Over.IsZero() {
			// What it is about is sent it too, since it works again.
			if err := w.recordAll(ctx, key, open, healthOver(key, first, open), "", report); err != nil {
				return err
			}
			delete(s.Open, key)
		}
	}
	_, err = w.note(ctx, s, string(before), tag)
	return err
}

// recordAll records an alert for all destinations but one, and a copy of
// it for each other address of that which a condition is about.
func (w *watch) recordAll(ctx context.Context, key conditionKey, open *openCondition, a alert.Alert, not string, report *Report) error {
	to := slices.DeleteFunc(namesOf(w.notifiers), func(name string) bool { return name == not })
	if err := w.recordOne(ctx, a, to, open, report); err != nil {
		return err
	}
	if !slices.Contains(namesOf(w.notifiers), open.Via) {
		return nil
	}
	for _, name := range open.Others {
		copied := healthMoment(a, key.String()+" for "+name, a.Created, a.Span.Start)
		copied.Address = name
		if err := w.recordOne(ctx, copied, []string{open.Via}, open, report); err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) recordOne(ctx context.Context, a alert.Alert, to []string, open *openCondition, report *Report) error {
	targets := w.config.targets()
	// That it is over goes where that it began went, whatever the time is now.
	atFirst := func(destination string, a alert.Alert) ([]ledger.Target, bool) {
		a.Created = open.Found
		return targets(destination, a)
	}
	if targets == nil {
		atFirst = nil
	}
	e := ledger.Entry{RuleID: HealthRuleID, State: ledger.State{First: a.Created, Watermark: a.Created}, Alerts: []alert.Alert{a}, Destinations: to, Targets: atFirst}
	if err := record(ctx, w.notes, e); err != nil {
		return err
	}
	report.Health = append(report.Health, a)
	return nil
}

// healthAlert returns the alert of a condition.
func healthAlert(key conditionKey, open *openCondition) alert.Alert {
	a := alert.Alert{
		RuleID: HealthRuleID, RuleName: healthRuleName, Title: open.Title, Description: open.Text, Severity: healthSeverity,
		CustomDetails: []alert.Detail{{Name: healthDetail, Values: []string{key.String()}}},
	}
	return healthMoment(a, key.String(), open.Found, open.Since)
}

// healthOver returns the alert that says that a condition is over. It is as
// severe as the one that it updates, so that it takes the same way.
func healthOver(key conditionKey, first alert.Alert, open *openCondition) alert.Alert {
	a := first
	a.Title, a.Description = alert.Over+first.Title, cmp.Or(open.Ending, "What was reported is over.")
	a.Updates = &alert.Reference{ID: first.ID, Title: first.Title, Created: first.Created, Severity: first.Severity, Identity: alert.Identity(first.Activities)}
	return healthMoment(a, key.String(), open.Over, open.Over)
}

// healthMoment gives an alert about something its time and an id of its own.
func healthMoment(a alert.Alert, about string, created, at time.Time) alert.Alert {
	span := alert.Span{Start: at, End: at}
	// Nobody else chooses what these ids are made of. They stay as they ever were,
	// so that what is noted is recorded once, whatever version goes on with it.
	fingerprint := alert.FormerFingerprint(HealthRuleID, []alert.Field{{Identifier: healthDetail, Value: about}})
	a.Window, a.Span, a.Created = span, span, created
	// The tick is part of what it is: the same may happen again since the same
	// time.
	a.Activities = []alert.Activity{{Fingerprint: fingerprint, Span: span, Events: []alert.EventID{alert.FormerEventID(created.Format(time.RFC3339Nano))}}}
	a.ID = alert.FormerID(HealthRuleID, a.Activities)
	return a
}

// rhythms asks how the tables' records arrive, if it is time to.
func (w *watch) rhythms(ctx context.Context, s *healthState, report *Report) {
	h, now := w.config.Health, report.Time
	if !w.config.Share.first() {
		return
	}
	for name := range s.Tables {
		if !slices.Contains(h.Tables, name) {
			delete(s.Tables, name)
		}
	}
	for _, name := range h.Tables {
		if ctx.Err() != nil {
			return
		}
		r := s.Tables[name]
		if r != nil && now.Sub(r.Tried) < h.RhythmEvery {
			continue
		}
		if r == nil {
			r = &rhythm.Rhythm{}
		}
		err := w.ask(ctx, r, name, now)
		if ctx.Err() != nil || hopeless(err) && !errors.As(err, new(*workspace.QueryError)) {
			return // the next tick asks; the rules' own failures say what is wrong
		}
		r.Tried = now
		s.Tables[name] = r
		if err != nil {
			report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("the table %s is not watched for silence: %v", name, err))
		}
	}
}

// rhythmTimeout is how long asking one table may take.
const rhythmTimeout = 30 * time.Second

// ask asks a table for what arrived since it was asked last.
func (w *watch) ask(ctx context.Context, r *rhythm.Rhythm, name string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, rhythmTimeout)
	defer cancel()
	table, err := w.querier.Query(ctx, workspace.Query{
		Text:  "['" + name + "'] | summarize Records = count() by Hour = bin(TimeGenerated, 1h) | project Hour",
		Start: r.Since(now, w.config.Lateness), End: now, Now: now, RuleID: "health", RuleVersion: "rhythm",
	})
	if _, missing := workspace.MissingTable(err); missing {
		r.Asked, r.Missing = now, true
		return nil
	}
	if err != nil {
		return err
	}
	var found []int64
	for _, row := range table.Rows {
		if hour, ok := row[0].(time.Time); ok {
			found = append(found, rhythm.HourOf(hour))
		}
	}
	r.Asked, r.Missing = now, false
	r.Add(found)
	return nil
}

// ledger notes that the tick found no ledger, so that a health alert says so
// once there is one again.
func (w *watch) ledger(report *Report) {
	if errors.Is(report.Err(), ledger.ErrNoTable) {
		w.recall.lost(report.Time)
	}
}

// namesOf returns the names of the notifiers.
func namesOf(notifiers []notify.Notifier) []string {
	names := make([]string, len(notifiers))
	for i, n := range notifiers {
		names[i] = n.Name()
	}
	return names
}
