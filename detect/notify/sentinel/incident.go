package sentinel

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
	"pushback/detect/notify/console"
	"pushback/detect/rule"
)

// The most characters of texts.
const (
	mostTitle       = 250
	mostDescription = 4000
	mostQuery       = 10_000
	mostResult      = 30_000
	mostLabel       = 100
)

// toldSeverity is the label that says which severity we gave an incident last:
// another one is an analyst's.
const toldSeverity = "pushback-severity:"

func newIncident(a alert.Alert) armsecurityinsights.Incident {
	i := armsecurityinsights.Incident{Properties: &armsecurityinsights.IncidentProperties{
		Title:                to.Ptr(cmp.Or(console.Cut(console.Safe(a.Title), mostTitle), "Alert "+a.ID)),
		Description:          to.Ptr(console.Cut(console.Safe(a.Description), mostDescription)),
		Severity:             to.Ptr(armsecurityinsights.IncidentSeverity(a.Severity.String())),
		Status:               to.Ptr(armsecurityinsights.IncidentStatusNew),
		FirstActivityTimeUTC: to.Ptr(a.Span.Start.UTC()),
		LastActivityTimeUTC:  to.Ptr(a.Span.End.UTC()),
	}}
	addLabels(i.Properties, a)
	i.Properties.Labels = append(i.Properties.Labels, label(toldSeverity+a.Severity.String()))
	return i
}

func label(text string) *armsecurityinsights.IncidentLabel {
	return &armsecurityinsights.IncidentLabel{LabelName: to.Ptr(console.Cut(console.Safe(text), mostLabel))}
}

// addLabels adds the alert's labels that are not there and reports whether there
// were any.
func addLabels(p *armsecurityinsights.IncidentProperties, a alert.Alert) bool {
	before := len(p.Labels)
	for _, text := range slices.Concat([]string{a.RuleID}, a.Tactics, a.Techniques) {
		l := label(text)
		if !slices.ContainsFunc(p.Labels, func(x *armsecurityinsights.IncidentLabel) bool { return value(x.LabelName) == *l.LabelName }) {
			p.Labels = append(p.Labels, l)
		}
	}
	return len(p.Labels) > before
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
// The title, the owner, the status of one that is open, and a severity that is
// not the one that we gave it are the analyst's.
func update(i armsecurityinsights.Incident, a alert.Alert, reopen bool) (armsecurityinsights.Incident, bool) {
	p := *i.Properties
	// What only the service may set.
	p.AdditionalData, p.CreatedTimeUTC, p.IncidentNumber, p.LastModifiedTimeUTC, p.RelatedAnalyticRuleIDs = nil, nil, nil, nil, nil
	p.Labels = nil
	told := ""
	for _, l := range i.Properties.Labels {
		if l == nil {
			continue
		}
		if severity, ok := strings.CutPrefix(value(l.LabelName), toldSeverity); ok {
			told = severity
			continue
		}
		p.Labels = append(p.Labels, &armsecurityinsights.IncidentLabel{LabelName: l.LabelName})
	}
	changed := addLabels(&p, a)
	if p.FirstActivityTimeUTC == nil || a.Span.Start.Before(*p.FirstActivityTimeUTC) {
		p.FirstActivityTimeUTC, changed = to.Ptr(a.Span.Start.UTC()), true
	}
	if p.LastActivityTimeUTC == nil || a.Span.End.After(*p.LastActivityTimeUTC) {
		p.LastActivityTimeUTC, changed = to.Ptr(a.Span.End.UTC()), true
	}
	severity := armsecurityinsights.IncidentSeverity(a.Severity.String())
	if p.Severity != nil && string(*p.Severity) == told && slices.Index(severities, severity) > slices.Index(severities, *p.Severity) {
		p.Severity, told, changed = &severity, string(severity), true
	}
	if told != "" {
		p.Labels = append(p.Labels, label(toldSeverity+told))
	}
	if reopen {
		p.Status, changed = to.Ptr(armsecurityinsights.IncidentStatusNew), true
		p.Classification, p.ClassificationComment, p.ClassificationReason = nil, nil, nil
	}
	if !changed {
		return i, false
	}
	p.IncidentURL = nil
	return armsecurityinsights.Incident{Name: i.Name, Etag: i.Etag, Properties: &p}, true
}

// bookmarkOf returns the bookmark of an alert.
func bookmarkOf(a alert.Alert, r *rule.Rule) armsecurityinsights.Bookmark {
	query := "// No rule that runs has the id " + a.RuleID + ": there is no query to show."
	if r != nil {
		query = console.Cut(r.Query.Text, mostQuery)
	}
	p := &armsecurityinsights.BookmarkProperties{
		DisplayName:    to.Ptr(cmp.Or(console.Cut(console.Safe(a.Title), mostTitle), "Alert "+a.ID)),
		Query:          &query,
		QueryResult:    to.Ptr(result(a)),
		QueryStartTime: to.Ptr(a.Window.Start.UTC()),
		QueryEndTime:   to.Ptr(a.Window.End.UTC()),
		EventTime:      to.Ptr(a.Span.Start.UTC()),
		Created:        to.Ptr(a.Created.UTC()),
		Notes:          to.Ptr(console.Cut(console.Safe(a.RuleName+" "+a.RuleVersion), mostTitle)),
	}
	for _, e := range a.Entities {
		m := &armsecurityinsights.BookmarkEntityMappings{EntityType: to.Ptr(e.Type)}
		for _, f := range e.Fields {
			m.FieldMappings = append(m.FieldMappings, &armsecurityinsights.EntityFieldMapping{Identifier: to.Ptr(f.Identifier), Value: to.Ptr(f.Value)})
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

// result returns the alert's first row as a JSON object, as far as there is
// room: a column that has none is left out and named.
func result(a alert.Alert) string {
	if len(a.Rows) == 0 {
		return "{}"
	}
	var b strings.Builder
	b.WriteByte('{')
	var left []string
	member := func(name string, raw []byte) {
		key, err := json.Marshal(name)
		if err != nil {
			panic(err)
		}
		if b.Len()+len(key)+len(raw) > mostResult && !strings.HasPrefix(name, "_") {
			left = append(left, name)
			return
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(raw)
	}
	for _, c := range a.Rows[0] {
		if !json.Valid(c.Value) {
			continue
		}
		member(c.Column, c.Value)
	}
	if len(left) > 0 {
		names, err := json.Marshal(left)
		if err != nil {
			panic(err)
		}
		member("_leftOut", names)
	}
	b.WriteByte('}')
	return b.String()
}
