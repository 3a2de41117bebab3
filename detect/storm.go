package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

const (
	// mostWorst is how many identities a storm names: as many values as a card
	// shows of a detail.
	mostWorst = 10
	// mostStormRows is how many rows of those a storm shows.
	mostStormRows = 50
	// mostNames is how many values of an identity are shown.
	mostNames = 5
)

// suspect is one identity of a storm.
type suspect struct {
	fingerprint alert.Fingerprint
	found       []int // indexes of its activities
	rows        int
	events      int
	severity    alert.Severity // the highest that the rule gives a row of it, or what the context made of it
	reported    int64          // prompts that users reported
	why         string         // what the context says, if that matters
	span        alert.Span
}

// storm is what a rule found in a window that is more than a limit of alerts.
type storm struct {
	builder
	news     found
	limit    int
	suspects []suspect // the worst first
	// identity returns who rows are about.
	identity func(rows []int) []alert.Field
	// severity is what the rule gives.
	severity alert.Severity
	// id and activities are the alert's. There may be very many of them, so that they
	// are made once.
	id         string
	activities []alert.Activity
}

// storm returns what one alert is to stand for. It lets go of the rows of all but
// the worst identities: they take much memory.
func (b builder) storm(news found, limit int, identity func(rows []int) []alert.Field) storm {
	s := storm{builder: b, news: news, limit: limit, suspects: b.suspects(news), identity: identity}
	for _, suspect := range s.suspects[min(len(s.suspects), max(limit, mostWorst)):] {
		for _, i := range suspect.found {
			for _, row := range news.rows[i] {
				b.table.Rows[row] = nil
			}
		}
	}
	s.severity = b.rule.Severity
	for _, suspect := range s.suspects {
		s.severity = max(s.severity, suspect.severity)
	}
	s.activities = make([]alert.Activity, len(news.activities))
	s.order(s.activities)
	s.id = alert.NewID(b.rule.ID, s.activities)
	return s
}

// order puts all activities into a list, those of the worst first.
func (s storm) order(list []alert.Activity) {
	list = list[:0]
	for _, suspect := range s.suspects {
		for _, i := range suspect.found {
			list = append(list, s.news.activities[i])
		}
	}
}

// alert returns the one alert that stands for all: all of the activities, the
// highest of the severities, and the worst identities by name. The worst come
// first in it, so that a reader who cuts it keeps them.
func (s storm) alert() alert.Alert {
	b, news, suspects := s.builder, s.news, s.suspects
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
	lines := b.worstLines(suspects, news, s.identity)
	r := *b.rule
	o := &r.AlertDetails
	o.DisplayNameFormat, o.DescriptionFormat, o.SeverityColumn = rule.Format{}, rule.Format{}, "" // these are of all
	r.Card = ofAll(r.Card)
	b.rule = &r
	a := b.alert(worst)

	a.Severity = s.severity
	storm := &alert.Storm{Alerts: len(news.activities), Identities: len(suspects), Limit: s.limit}
	for _, s := range suspects {
		storm.Rows += s.rows
		a.Span = a.Span.Hull(s.span)
	}
	a.Storm = storm
	a.ID, a.Activities = s.id, s.activities
	s.order(a.Activities)
	a.Title = fmt.Sprintf("Storm: %s alerts of %s in one window", grouped(storm.Alerts), b.rule.Name)
	said := fmt.Sprintf("This alert stands for %s alerts about %s in %s, more than the %s of a rule in one window (PUSHBACK_MAX_ALERTS). All of their activities are recorded, and none is reported by itself.",
		grouped(storm.Alerts), counted(storm.Identities, "identity", "identities"), counted(storm.Rows, "row", "rows"), grouped(s.limit))
	a.Description = strings.TrimSpace(said + "\n\n" + b.rule.Description)
	a.CustomDetails = append([]alert.Detail{{Name: alert.WorstIdentities, Values: lines}}, a.CustomDetails...)
	a.Notes = append(a.Notes, fmt.Sprintf("The entities, the details and the rows are those of the worst identities: %d of %s.",
		min(len(suspects), mostWorst), grouped(storm.Identities)))
	return a
}

// assessed returns an alert about each of the worst identities, as many as a
// window without a storm may have, so that their context says who is worse than
// the rows do.
func (s storm) assessed() []alert.Alert {
	list := make([]alert.Alert, 0, s.limit)
	for _, suspect := range s.suspects[:min(len(s.suspects), s.limit)] {
		found := make([]foundActivity, 0, len(suspect.found))
		for _, i := range suspect.found[:min(len(suspect.found), mostStormRows)] {
			f := s.news.at(i)
			f.rows = f.rows[:min(len(f.rows), mostStormRows)]
			found = append(found, f)
		}
		a, _ := s.builder.outline(found)
		list = append(list, a)
	}
	return list
}

// rank orders the identities by what was found out about them, and has the alert
// name the worst, with their context. list is what assessed returned.
func (s storm) rank(a *alert.Alert, list []alert.Alert) {
	if !slices.ContainsFunc(list, func(a alert.Alert) bool { return a.Context != nil }) {
		return
	}
	type ranked struct {
		suspect
		alert  alert.Alert
		weight alert.Weight
	}
	all := make([]ranked, len(list))
	for i, one := range list {
		all[i] = ranked{s.suspects[i], one, alert.Weigh(one)}
		all[i].severity, all[i].why = one.Severity, reasonOf(one)
	}
	slices.SortStableFunc(all, func(x, y ranked) int { return alert.CompareWeights(x.weight, y.weight) })
	for i, r := range all {
		s.suspects[i], list[i] = r.suspect, r.alert
	}
	*a = s.alert()
	a.Context = contextOf(list[:min(len(list), mostWorst)], s.severity)
	if n := len(a.Context.Steps); n > 0 {
		a.Severity = a.Context.Steps[n-1].Severity
	}
	keepStorm(a)
}

// reasonOf says in a few words why an alert matters more than its row says.
func reasonOf(a alert.Alert) string {
	if a.Context == nil {
		return ""
	}
	if n := len(a.Context.Steps); n > 0 && a.Severity > a.Context.RuleSeverity {
		return a.Context.Steps[n-1].Text
	}
	for _, f := range a.Context.Findings {
		if f.Kind.Compromises() && a.Context.Compromised() {
			return f.Text
		}
	}
	return ""
}

// contextOf returns what is known of the worst identities of a storm, to which
// the rule gives a severity: of each kind of finding the first, and all else that
// has room.
func contextOf(worst []alert.Alert, severity alert.Severity) *alert.Context {
	all := &alert.Context{RuleSeverity: severity}
	byKind := map[alert.FindingKind]alert.Finding{}
	for _, a := range worst {
		c := a.Context
		if c == nil {
			continue
		}
		if n := len(c.Steps); n > 0 && a.Severity > severity && len(all.Steps) == 0 { // they come by severity
			all.Steps = []alert.Step{c.Steps[n-1]}
		}
		for _, f := range c.Findings {
			if _, there := byKind[f.Kind]; !there {
				byKind[f.Kind] = f
			}
		}
		if c.RiskScore != nil && (all.RiskScore == nil || *c.RiskScore > *all.RiskScore) {
			all.RiskScore = c.RiskScore
		}
		all.New = append(all.New, missingFrom(all.New, c.New)...)
		all.Sections = append(all.Sections, c.Sections...)
		all.Usual, all.Regulars = append(all.Usual, c.Usual...), append(all.Regulars, c.Regulars...)
		all.Unavailable = append(all.Unavailable, missingFrom(all.Unavailable, c.Unavailable)...)
		all.Timeline = append(all.Timeline, c.Timeline...)
	}
	for _, kind := range kindsOf(worst) {
		if f, there := byKind[kind]; there {
			all.Findings = append(all.Findings, f)
		}
	}
	if left := len(all.Timeline) - mostStormRows; left > 0 { // those of the worst come first
		all.Timeline = all.Timeline[:mostStormRows]
		all.Unavailable = append(all.Unavailable, fmt.Sprintf("The timeline is of the worst identities: %s of others have no room", counted(left, "moment", "moments")))
	}
	slices.SortStableFunc(all.Timeline, func(x, y alert.Moment) int { return x.Time.Compare(y.Time) })
	return all
}

// kindsOf returns the kinds of findings that alerts can have, the weightiest first.
func kindsOf(alerts []alert.Alert) []alert.FindingKind {
	known := alert.FindingKinds()
	var raising, others []alert.FindingKind
	for _, a := range alerts {
		if a.Context == nil {
			continue
		}
		for _, f := range a.Context.Findings {
			switch {
			case slices.Contains(known, f.Kind), slices.Contains(raising, f.Kind), slices.Contains(others, f.Kind):
			case slices.ContainsFunc(a.Context.Steps, func(s alert.Step) bool { return s.Kind == f.Kind }):
				raising = append(raising, f.Kind)
			default:
				others = append(others, f.Kind)
			}
		}
	}
	return alert.KindsWith(raising, others)
}

// missingFrom returns those of the texts that a list does not have.
func missingFrom(list, texts []string) []string {
	return slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return slices.Contains(list, s) })
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

// suspects returns the identities of a storm, the worst first by what their rows
// say: by the severity that the rule gives them, whether users reported prompts,
// the number of their events, that of their rows, and then by what is always the
// same.
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
		s.reported += b.reports(news.rows[i])
	}
	for _, s := range all {
		slices.SortFunc(s.found, func(x, y int) int {
			return cmp.Or(news.activities[x].Span.Start.Compare(news.activities[y].Span.Start), news.activities[x].Span.End.Compare(news.activities[y].Span.End))
		})
	}
	slices.SortFunc(all, func(x, y suspect) int {
		return cmp.Or(cmp.Compare(y.severity, x.severity), cmp.Compare(min(y.reported, 1), min(x.reported, 1)), cmp.Compare(y.events, x.events), cmp.Compare(y.rows, x.rows),
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

// reports returns how many prompts of rows were reported by users.
func (b builder) reports(rows []int) (n int64) {
	for _, detail := range b.rule.CustomDetails {
		if detail.Name != alert.FraudReports {
			continue
		}
		for _, i := range rows {
			if reports, err := strconv.ParseInt(b.text(b.table.Rows[i], detail.Column), 10, 64); err == nil {
				n += max(reports, 0)
			}
		}
	}
	return n
}

// worstLines says who the worst are, and what makes them so.
func (b builder) worstLines(suspects []suspect, news found, identity func(rows []int) []alert.Field) []string {
	var lines []string
	for _, s := range suspects[:min(len(suspects), mostWorst)] {
		what := counted(s.rows, "row", "rows")
		if s.events > 0 {
			what = counted(s.events, "event", "events") + " in " + what
		}
		if b.rule.AlertDetails.SeverityColumn != "" || s.why != "" {
			what += ", " + s.severity.String()
		}
		if s.reported > 0 {
			what += ", reported by the user"
		}
		if s.why != "" {
			what += ": " + s.why
		}
		lines = append(lines, fmt.Sprintf("%s (%s)", b.name(news.rows[s.found[0]], identity), what))
	}
	return lines
}

// name returns who an activity is about in few words: the first identifier of
// each of its entities, or without entities its identity.
func (b builder) name(rows []int, identity func(rows []int) []alert.Field) string {
	var names []string
	add := func(value string) {
		if strings.TrimSpace(value) != "" {
			names = append(names, text.Quoted(value))
		}
	}
	for _, i := range rows[:min(len(rows), 1)] {
		for _, e := range b.entities([][]any{b.table.Rows[i]}, func(string) {}) {
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
	return strings.Join(text.List(names, mostNames, func(name string) string { return name }), " · ")
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
