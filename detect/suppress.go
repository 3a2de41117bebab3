package detect

import (
	"fmt"
	"slices"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// quiet is what a rule's suppression holds back of a window, with the alerts that
// there would be of it. What somebody did who got in shows in the context alone:
// so they are assessed like others, in the same queries, and those that say so
// are reported.
type quiet struct {
	found  found
	alerts []alert.Alert
}

// suppress returns what is held back. Of very many the heaviest are assessed, as
// many as a window may have alerts.
func (r *runner) suppress(of *rule.Rule, b builder, suppressed found, run *RuleRun) quiet {
	q := quiet{found: suppressed}
	n := len(suppressed.activities)
	if n == 0 {
		return q
	}
	assessed := suppressed
	if limit := r.config.MaxAlerts; of.Grouping == rule.AlertPerResult && limit > 0 && n > limit {
		assessed = found{}
		for _, s := range b.suspects(suppressed) {
			for _, i := range s.found[:min(len(s.found), limit-len(assessed.activities))] {
				assessed.activities = append(assessed.activities, suppressed.activities[i])
				assessed.rows = append(assessed.rows, suppressed.rows[i])
			}
		}
		run.warn(fmt.Sprintf("rule %q: warning: the suppression holds back %s that were not assessed, of %s: a window has no more than %s (PUSHBACK_MAX_ALERTS)",
			of.Name, counted(n-limit, "activity", "activities"), grouped(n), counted(limit, "alert", "alerts")))
	}
	q.alerts = b.alerts(assessed)
	return q
}

// hold adds the alerts that are reported all the same to the window's, and returns
// the activities of the others.
func (q quiet) hold(reader rowReader, w *WindowRun) (held []alert.Activity) {
	type activity struct {
		fingerprint alert.Fingerprint
		start, end  int64
	}
	keyOf := func(a alert.Activity) activity {
		return activity{a.Fingerprint, a.Span.Start.UnixNano(), a.Span.End.UnixNano()}
	}
	reported := map[activity]bool{}
	for _, a := range q.alerts {
		if !a.Compromised() {
			continue
		}
		a.Notes = append(slices.Clone(a.Notes), "The rule's suppression would hold this alert back. It is reported because somebody may have got in.")
		w.Alerts = append(w.Alerts, a)
		w.New += len(a.Activities)
		for _, found := range a.Activities {
			reported[keyOf(found)] = true
		}
	}
	for i, a := range q.found.activities {
		if !reported[keyOf(a)] {
			held = append(held, a)
			list(&w.Suppressed, &w.MoreSuppressed, reader.dropped(a, q.found.rows[i]))
		}
	}
	return held
}
