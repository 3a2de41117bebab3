package sentinel

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// The most characters of texts.
const (
	mostTitle       = 250
	mostDescription = 4000
	mostQuery       = 10_000
	mostResult      = 30_000
	mostLabel       = 100
	mostField       = 1000
)

// severityLabel is the label that says which severity we gave an incident last.
// Once the incident has another it is an analyst's, and the label says so for
// good. It is part of the incident so that both are always written together.
const (
	severityLabel    = "pushback-severity:"
	analystsSeverity = "analyst"
)

// labelsOf returns the names of an alert's labels.
func labelsOf(a alert.Alert) []string {
	var names []string
	for _, about := range slices.Concat([]string{a.RuleID}, a.Tactics, a.Techniques) {
		if name := plain(about, mostLabel); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// moment is a time as the service takes it, left out if it is not known.
func moment(t time.Time) *time.Time {
	if !alert.Known(t) {
		return nil
	}
	return to.Ptr(t.UTC())
}

func newIncident(a alert.Alert) armsecurityinsights.Incident {
	i := armsecurityinsights.Incident{Properties: &armsecurityinsights.IncidentProperties{
		Title:                to.Ptr(cmp.Or(plain(a.Title, mostTitle), "Alert "+a.ID)),
		Description:          to.Ptr(describe(a)),
		Severity:             to.Ptr(armsecurityinsights.IncidentSeverity(a.Severity.String())),
		Status:               to.Ptr(armsecurityinsights.IncidentStatusNew),
		FirstActivityTimeUTC: moment(a.Span.Start),
		LastActivityTimeUTC:  moment(a.Span.End),
	}}
	for _, name := range append(labelsOf(a), severityLabel+a.Severity.String()) {
		i.Properties.Labels = append(i.Properties.Labels, label(name))
	}
	return i
}

// describe is what an incident says of itself: what the rule calls the alert and what to do
// first, where it says so, and the description.
func describe(a alert.Alert) string {
	var lines []string
	for _, line := range []string{ownHeadline(a), text.FirstSteps(a), a.Description} {
		if line != "" {
			lines = append(lines, plain(line, mostDescription))
		}
	}
	return text.CutUnits(strings.Join(lines, "\n"), mostDescription)
}

func label(text string) *armsecurityinsights.IncidentLabel {
	return &armsecurityinsights.IncidentLabel{LabelName: &text}
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// severities are Sentinel's, the least first.
var severities = []armsecurityinsights.IncidentSeverity{armsecurityinsights.IncidentSeverityInformational, armsecurityinsights.IncidentSeverityLow,
	armsecurityinsights.IncidentSeverityMedium, armsecurityinsights.IncidentSeverityHigh}

// update returns an incident with an alert more, and whether that changes it.
// The title, the owner, the status of one that is open, a severity that is not
// the one that we gave it, and labels of ours that are gone are the analyst's.
func update(i armsecurityinsights.Incident, a alert.Alert, labels []string, reopen bool) (armsecurityinsights.Incident, bool) {
	p := *i.Properties
	// What only the service may set.
	p.AdditionalData, p.CreatedTimeUTC, p.IncidentNumber, p.IncidentURL, p.LastModifiedTimeUTC, p.RelatedAnalyticRuleIDs = nil, nil, nil, nil, nil, nil
	p.Labels = nil
	ours, changed := "", false
	have := map[string]bool{}
	for _, l := range i.Properties.Labels {
		if l == nil {
			continue
		}
		name := value(l.LabelName)
		if severity, ok := strings.CutPrefix(name, severityLabel); ok {
			ours = severity
			continue
		}
		have[name] = true
		p.Labels = append(p.Labels, label(name))
	}
	for _, name := range labelsOf(a) {
		if !have[name] && !slices.Contains(labels, name) {
			p.Labels, changed = append(p.Labels, label(name)), true
		}
	}
	if alert.Known(a.Span.Start) && (p.FirstActivityTimeUTC == nil || a.Span.Start.Before(*p.FirstActivityTimeUTC)) {
		p.FirstActivityTimeUTC, changed = to.Ptr(a.Span.Start.UTC()), true
	}
	if alert.Known(a.Span.End) && (p.LastActivityTimeUTC == nil || a.Span.End.After(*p.LastActivityTimeUTC)) {
		p.LastActivityTimeUTC, changed = to.Ptr(a.Span.End.UTC()), true
	}
	severity := armsecurityinsights.IncidentSeverity(a.Severity.String())
	switch {
	case p.Severity == nil || string(*p.Severity) != ours:
		ours = analystsSeverity
	case slices.Index(severities, severity) > slices.Index(severities, *p.Severity):
		p.Severity, ours, changed = &severity, string(severity), true
	}
	p.Labels = append(p.Labels, label(severityLabel+ours))
	if reopen {
		p.Status, changed = to.Ptr(armsecurityinsights.IncidentStatusNew), true
		p.Classification, p.ClassificationComment, p.ClassificationReason = nil, nil, nil
	}
	if !changed {
		return i, false
	}
	return armsecurityinsights.Incident{Name: i.Name, Etag: i.Etag, Properties: &p}, true
}

// full reports whether an incident holds no more bookmarks, and no more comments.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits
func full(i armsecurityinsights.Incident) (bookmarks, comments bool) {
	if i.Properties == nil || i.Properties.AdditionalData == nil {
		return false, false
	}
	reached := func(n *int32, limit int32) bool { return n != nil && *n >= limit }
	d := i.Properties.AdditionalData
	return reached(d.BookmarksCount, 20), reached(d.CommentsCount, 100)
}

// bookmarkOf returns the bookmark of an alert.
func bookmarkOf(a alert.Alert, r *rule.Rule) armsecurityinsights.Bookmark {
	query := "// The alert is of no rule that is run here, so there is no query to show: " + a.RuleID
	if r != nil {
		query = queryOf(r)
	}
	p := &armsecurityinsights.BookmarkProperties{
		DisplayName:    to.Ptr(cmp.Or(plain(a.Title, mostTitle), "Alert "+a.ID)),
		Query:          &query,
		QueryResult:    to.Ptr(result(a)),
		QueryStartTime: moment(a.Window.Start),
		QueryEndTime:   moment(a.Window.End),
		EventTime:      moment(a.Span.Start),
		Created:        moment(a.Created),
		Notes:          to.Ptr(plain(a.RuleName+" "+a.RuleVersion, mostTitle)),
	}
	for _, e := range a.Entities {
		m := &armsecurityinsights.BookmarkEntityMappings{EntityType: to.Ptr(e.Type)}
		for _, f := range e.Fields {
			m.FieldMappings = append(m.FieldMappings, &armsecurityinsights.EntityFieldMapping{Identifier: to.Ptr(f.Identifier), Value: to.Ptr(text.CutUnits(f.Value, mostField))})
		}
		p.EntityMappings = append(p.EntityMappings, m)
	}
	// The service refuses others.
	known := armsecurityinsights.PossibleAttackTacticValues()
	for _, t := range a.Tactics {
		if tactic := armsecurityinsights.AttackTactic(t); slices.Contains(known, tactic) {
			p.Tactics = append(p.Tactics, &tactic)
		}
	}
	for _, t := range a.Techniques {
		p.Techniques = append(p.Techniques, to.Ptr(t))
	}
	return armsecurityinsights.Bookmark{Properties: p}
}

// queryOf returns a rule's query, or its beginning.
func queryOf(r *rule.Rule) string {
	query := r.Query.Text
	if len(query) <= mostQuery {
		return query
	}
	return query[:strings.LastIndexByte(query[:mostQuery], '\n')+1] + "// The rest of the rule's query has no room here: see the rule."
}

// result returns the alert's first row as a JSON object. The other rows are in
// _moreRows, as far as there is room: a column without room is left out and
// named in _leftOut, and rows without room are counted in _rowsLeftOut.
func result(a alert.Alert) string {
	if len(a.Rows) == 0 {
		return "{}"
	}
	first, left := object(a.Rows[0], mostResult)
	if len(left) > 0 {
		first = append(first, member("_leftOut", raw(left)))
	}
	if len(a.Rows) > 1 {
		room := mostResult
		for _, m := range first {
			room -= len(m) + 1
		}
		var more []string
		for _, row := range a.Rows[1:] {
			members, left := object(row, room)
			if len(left) > 0 {
				break
			}
			text := "{" + strings.Join(members, ",") + "}"
			more = append(more, text)
			room -= len(text) + 1
		}
		first = append(first, member("_moreRows", "["+strings.Join(more, ",")+"]"))
		if n := len(a.Rows) - 1 - len(more); n > 0 {
			first = append(first, member("_rowsLeftOut", strconv.Itoa(n)))
		}
	}
	return "{" + strings.Join(first, ",") + "}"
}

// object returns the members of a row as JSON, and the names of those that have
// no room.
func object(row alert.Row, room int) (members, left []string) {
	for _, c := range row {
		if !json.Valid(c.Value) {
			continue
		}
		m := member(c.Column, string(c.Value))
		if len(m)+1 > room {
			left = append(left, c.Column)
			continue
		}
		members = append(members, m)
		room -= len(m) + 1
	}
	return members, left
}

func member(name, value string) string { return raw(name) + ":" + value }

// raw returns texts as JSON.
func raw(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // texts always are
	}
	return string(text)
}
