package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

const (
	// mostWorst is how many identities a storm names: as many values as a card
	// shows of a detail.
	mostWorst = 10
	// mostStormRows is how many rows of those a storm shows.
	mostStormRows = 50
	// mostIdentity is how much of the text of an identity is shown, in characters.
	mostIdentity = 200
)

// suspect is one identity of a storm.
type suspect struct {
	fingerprint alert.Fingerprint
	found       []int // indexes of its activities
	rows        int
	events      int
	severity    alert.Severity // the highest that the rule gives a row of it
	span        alert.Span
}

// storm returns the one alert that stands for more than limit: all of their
// activities, the highest of their severities, and the worst identities by name.
// The worst come first in it, so that a reader who cuts it keeps them. identity
// returns who rows are about. Like alerts it lets go of the rows.
func (b builder) storm(news found, limit int, identity func(rows []int) []alert.Field) alert.Alert {
	suspects := b.suspects(news)
	var worst []foundActivity
	shown := 0
	for _, s := range suspects[:min(len(suspects), mostWorst)] {
		for _, i := range s.found {
			if shown >= mostStormRows {
				break
			}
			f := news.at(i)
			f.rows = f.rows[:min(len(f.rows), mostStormRows-shown)]
			shown += len(f.rows)
			worst = append(worst, f)
		}
	}
	lines := b.worstLines(suspects, news, identity)
	r := *b.rule
	o := &r.AlertDetails
	o.DisplayNameFormat, o.DescriptionFormat, o.SeverityColumn = rule.Format{}, rule.Format{}, "" // these are of all
	b.rule = &r
	a := b.alert(worst)
	clear(b.table.Rows)

	a.Severity = max(b.rule.Severity, suspects[0].severity)
	storm := &alert.Storm{Alerts: len(news.activities), Identities: len(suspects), Limit: limit}
	a.Activities = make([]alert.Activity, 0, len(news.activities))
	for _, s := range suspects {
		storm.Rows += s.rows
		a.Span = a.Span.Hull(s.span)
		for _, i := range s.found {
			a.Activities = append(a.Activities, news.activities[i])
		}
	}
	a.Storm = storm
	a.ID = alert.NewID(a.RuleID, a.Activities)
	a.Title = fmt.Sprintf("Storm: %s alerts of %s in one window", grouped(storm.Alerts), b.rule.Name)
	text := fmt.Sprintf("This alert stands for %s alerts about %s in %s, more than the %s of a rule in one window (PUSHBACK_MAX_ALERTS). All of their activities are recorded, and none is reported by itself.",
		grouped(storm.Alerts), counted(storm.Identities, "identity", "identities"), counted(storm.Rows, "row", "rows"), grouped(limit))
	a.Description = strings.TrimSpace(text + "\n\n" + b.rule.Description)
	a.CustomDetails = append([]alert.Detail{{Name: alert.WorstIdentities, Values: lines}}, a.CustomDetails...)
	a.Notes = append(a.Notes, fmt.Sprintf("The entities, the details and the rows are those of the worst identities: %d of %s.",
		min(len(suspects), mostWorst), grouped(storm.Identities)))
	return a
}

// keepStorm has the context of a storm, which is that of the worst identities
// alone, not lower the severity of all.
func keepStorm(a *alert.Alert) {
	c := a.Context
	if c == nil {
		return
	}
	if a.Severity < c.RuleSeverity {
		a.Severity, c.Steps = c.RuleSeverity, nil
	}
	a.Notes = append(a.Notes, "The context is that of the worst identities: it was not looked up for the others.")
}

// suspects returns the identities of a storm, the worst first. They are by the
// severity that the rule gives them, the number of their events, that of their
// rows, and then by what is always the same.
func (b builder) suspects(news found) []suspect {
	index := map[alert.Fingerprint]int{}
	all := make([]suspect, 0, len(news.activities)) // as many as there can be
	for i, f := range news.activities {
		j, ok := index[f.Fingerprint]
		if !ok {
			j = len(all)
			index[f.Fingerprint] = j
			all = append(all, suspect{fingerprint: f.Fingerprint, span: f.Span, severity: b.rule.Severity})
		}
		s := &all[j]
		s.found = append(s.found, i)
		s.rows += len(news.rows[i])
		s.span = s.span.Hull(f.Span)
		for _, id := range f.Events {
			if _, _, isMark := id.GroupMark(); !isMark {
				s.events++
			}
		}
		s.severity = max(s.severity, b.highest(news.rows[i]))
	}
	for _, s := range all {
		slices.SortFunc(s.found, func(x, y int) int {
			return cmp.Or(news.activities[x].Span.Start.Compare(news.activities[y].Span.Start), news.activities[x].Span.End.Compare(news.activities[y].Span.End))
		})
	}
	slices.SortFunc(all, func(x, y suspect) int {
		return cmp.Or(cmp.Compare(y.severity, x.severity), cmp.Compare(y.events, x.events), cmp.Compare(y.rows, x.rows),
			x.span.Start.Compare(y.span.Start), cmp.Compare(x.fingerprint, y.fingerprint))
	})
	return all
}

// highest returns the highest severity that rows name, or the lowest there is.
func (b builder) highest(rows []int) alert.Severity {
	highest := alert.Informational
	if column := b.rule.AlertDetails.SeverityColumn; column != "" {
		for _, i := range rows {
			if s, err := alert.ParseSeverity(b.text(b.table.Rows[i], column)); err == nil {
				highest = max(highest, s)
			}
		}
	}
	return highest
}

// worstLines says who the worst are, and what makes them so.
func (b builder) worstLines(suspects []suspect, news found, identity func(rows []int) []alert.Field) []string {
	var lines []string
	for _, s := range suspects[:min(len(suspects), mostWorst)] {
		what := counted(s.rows, "row", "rows")
		if s.events > 0 {
			what = counted(s.events, "event", "events") + " in " + what
		}
		if b.rule.AlertDetails.SeverityColumn != "" {
			what += ", " + s.severity.String()
		}
		lines = append(lines, fmt.Sprintf("%s (%s)", b.name(news.rows[s.found[0]], identity), what))
	}
	return lines
}

// name returns who an activity is about in few words: the first identifier of
// each of its entities, or without entities its identity.
func (b builder) name(rows []int, identity func(rows []int) []alert.Field) string {
	var names []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" && len(names) < mostWorst {
			names = append(names, text)
		}
	}
	for _, i := range rows[:min(len(rows), 1)] {
		for _, e := range b.entities([][]any{b.table.Rows[i]}) {
			add(e.Fields[0].Value)
		}
	}
	if len(names) == 0 {
		for _, field := range identity(rows) {
			add(field.Value)
		}
	}
	if len(names) == 0 {
		return "an identity without a name"
	}
	name := []rune(strings.Join(names, " · "))
	if len(name) > mostIdentity {
		name = append(name[:mostIdentity], '…')
	}
	return string(name)
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped writes a number with commas.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
