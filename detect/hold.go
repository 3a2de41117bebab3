package detect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/silence"
	"pushback/detect/workspace"
)

// cover notes which silences cover an alert: all its activities and all their rows.
func (b builder) cover(a alert.Alert, rows [][]any) {
	if b.silences == nil {
		return
	}
	spans := make([]alert.Span, len(a.Activities))
	for i, activity := range a.Activities {
		spans[i] = activity.Span
	}
	list := b.silences.Covering(a.RuleID, a.RuleName, spans, func(yield func(silence.Row) bool) {
		for _, row := range rows {
			if !yield(b.silenceRow(row)) {
				return
			}
		}
	})
	if len(list) > 0 {
		b.covered[a.ID] = list
	}
}

// silenceRow returns what a row names, for silences.
func (b builder) silenceRow(row []any) silence.Row {
	var r silence.Row
	for _, mapping := range b.rule.EntityMappings {
		if g := b.mapped(row, mapping); len(g) > 0 {
			r.Groups = append(r.Groups, g)
		}
	}
	if g := b.listed(row, func(string) {}); len(g) > 0 {
		r.Groups = append(r.Groups, byType(g)...)
	}
	r.Details = b.customDetails([][]any{row})
	return r
}

// byType divides the entities of a list by their types.
func byType(list []alert.Entity) []silence.Group {
	return silence.RowOf(alert.Alert{Entities: list}).Groups
}

// hold decides which of some alerts are sent nowhere, notes on each why, or why a
// silence that covers it does not hold it back, and returns how many they are. Of none
// whose context failed a silence does.
func (r *runner) hold(alerts []alert.Alert, failed bool, covered func(alert.Alert) silence.Covering) (held int) {
	for i := range alerts {
		a := &alerts[i]
		a.HeldBack = r.config.held(a, failed, covered(*a))
		if a.HeldBack != nil {
			held++
		}
	}
	return held
}

// held returns why an alert is sent nowhere, or nil.
func (c Config) held(a *alert.Alert, failed bool, covering silence.Covering) *alert.HeldBack {
	if len(covering) > 0 {
		by, whyNot := covering.Decide(*a, failed)
		if by != nil {
			return &alert.HeldBack{By: alert.HeldBySilence, Silence: by.ID, Reason: by.Reason}
		}
		if len(whyNot) > mostWhyNot {
			whyNot = whyNot[:mostWhyNot]
		}
		for _, why := range whyNot {
			if !slices.Contains(a.Notes, why) {
				a.Notes = append(slices.Clip(a.Notes), why)
			}
		}
	}
	return c.heldBack(*a)
}

// mostWhyNot is how many silences an alert names that do not hold it back.
const mostWhyNot = 3

// holdUpdates does the same with updates of earlier alerts. What held the earlier one
// back holds back the update too, as far as its severity lets it: it is about the same
// activity. An update that is sent of one that was not goes out whole.
func (r *runner) holdUpdates(ctx context.Context, p *progress, updates, open []alert.Alert, now time.Time) {
	byID := make(map[string]*alert.Alert, len(open))
	for i := range open {
		byID[open[i].ID] = &open[i]
	}
	silences := r.silences.About(p.rule.ID, p.rule.Name)
	r.hold(updates, false, func(u alert.Alert) silence.Covering {
		first := byID[referenceOf(u)]
		switch {
		case silences == nil || first == nil:
			return nil
		case first.Silenced():
			return silences.ByID(first.HeldBack.Silence)
		}
		return silences.Covering(p.rule.ID, p.rule.Name, spansOf(*first), func(yield func(silence.Row) bool) { yield(silence.RowOf(u)) })
	})
	wanted := map[string]*alert.Alert{}
	for i := range updates {
		u := &updates[i]
		if first := byID[referenceOf(*u)]; first != nil && first.Silenced() && u.HeldBack == nil {
			u.Resumes, u.Updates = first.ID, nil
			u.Activities = first.Activities
			u.Notes = append(slices.Clip(u.Notes), fmt.Sprintf("Silence %s held back an earlier alert of this, of %s.", first.HeldBack.Silence, first.Created.UTC().Format("2006-01-02 15:04 UTC")))
			wanted[first.ID] = u
		}
	}
	if len(wanted) == 0 {
		return
	}
	whole, err := r.history.Whole(ctx, p.rule.ID, now.Add(-followedFor), func(a alert.Alert) bool { return wanted[a.ID] != nil })
	if err != nil { // it is sent all the same
		p.run.warn(fmt.Sprintf("rule %q: warning: the rows of an alert that was held back: %v", p.rule.Name, err))
	}
	for _, a := range whole {
		wanted[a.ID].Rows = a.Rows
	}
}

// spansOf returns the spans of an alert's activities.
func spansOf(a alert.Alert) []alert.Span {
	if len(a.Activities) == 0 {
		return []alert.Span{a.Span}
	}
	spans := make([]alert.Span, len(a.Activities))
	for i, activity := range a.Activities {
		spans[i] = activity.Span
	}
	return spans
}

// WouldSilence returns the silences that cover an alert that the ledger has, and the
// one of them that would hold it back, or nil and why not. The rule is that of the
// alert, nil if it is not known: then all that the alert names is taken for one row.
func WouldSilence(set *silence.Set, a alert.Alert, r *rule.Rule) (by *silence.Silence, whyNot []string) {
	rows := func(yield func(silence.Row) bool) { yield(silence.RowOf(a)) }
	if r != nil && len(a.Rows) > 0 {
		b := newBuilder(r, tableOf(a.Rows), a.Window, a.Created)
		rows = func(yield func(silence.Row) bool) {
			for _, row := range b.table.Rows {
				if !yield(b.silenceRow(row)) {
					return
				}
			}
		}
	}
	return set.Covering(a.RuleID, a.RuleName, spansOf(a), rows).Decide(a, false)
}

// tableOf returns an alert's rows as the result that they were. What they hold is text
// or dynamic, which is all that names are made of.
func tableOf(rows []alert.Row) *workspace.Table {
	t := &workspace.Table{}
	for _, cell := range rows[0] {
		t.Columns = append(t.Columns, workspace.Column{Name: cell.Column})
	}
	for _, row := range rows {
		values := make([]any, len(t.Columns))
		for i, c := range t.Columns {
			cell, ok := row.Get(c.Name)
			if !ok {
				continue
			}
			switch text := string(cell.Value); {
			case text == "" || text == "null":
			case text[0] == '[' || text[0] == '{':
				values[i] = workspace.NewDynamic(text)
			default:
				values[i] = cell.Text()
			}
		}
		t.Rows = append(t.Rows, values)
	}
	return t
}
