package alertstest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"pushback/detect/kql"
	"pushback/detect/notify/alerts"
	"pushback/detect/rule"
)

// Sentinel runs analytics rules of kind Scheduled over the table, and makes alerts
// and incidents as the service documents. Run it at whole five minutes.
type Sentinel struct {
	Ingestion *Server
	Columns   []alerts.Column
	Rules     []*rule.Rule
	// EntitiesColumn is the column from which the rules take all entities.
	EntitiesColumn string
	// Late is how long after its time a run takes place: it sees what was ingested
	// until then, of the times before. Whether now() is a run's time or that at which
	// it takes place is not documented: Behind says the latter.
	Late   time.Duration
	Behind bool
	// Disabled has no rule run.
	Disabled bool
	// Unsynced keeps incidents out of the Defender portal.
	Unsynced bool
	// MergedInto, if set, is the number of the incident that Defender merges all
	// others into.
	MergedInto int

	mu        sync.Mutex
	alerts    []Alert
	incidents []*Incident
	problems  []string
}

// Alert is a row of SecurityAlert.
type Alert struct {
	ID          string
	Rule        string
	Time        time.Time
	Title       string
	Description string
	Severity    string
	Tactics     []string
	Techniques  []string
	Entities    []map[string]any
	Details     map[string][]string
	Link, Steps string
}

// Incident is a row of SecurityIncident.
type Incident struct {
	Number   int
	Title    string
	Severity string
	First    time.Time
	Alerts   []string
	// Name is that of its resource.
	Name    string
	key     string
	changed []time.Time // when each alert came
	edits   []edit
}

// edit is what an analyst made of an incident.
type edit struct {
	at                    time.Time
	status, class, reason string
}

// Decide has an analyst close an incident with a classification and its reason, or with
// the status Active open it again: it keeps when it was closed last.
func (s *Sentinel) Decide(number int, at time.Time, status, class, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.incidents[number-1]
	i.edits = append(i.edits, edit{at, status, class, reason})
}

// Alerts returns the alerts so far.
func (s *Sentinel) Alerts() []Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.alerts)
}

// Incidents returns the incidents so far.
func (s *Sentinel) Incidents() []Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Incident
	for _, i := range s.incidents {
		copied := *i
		copied.Alerts = slices.Clone(i.Alerts)
		list = append(list, copied)
	}
	return list
}

// Problems returns what the service would have dropped without a word.
func (s *Sentinel) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

func (s *Sentinel) problem(format string, args ...any) {
	if len(s.problems) < 20 {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

// Run runs the rules at their time.
func (s *Sentinel) Run(ctx context.Context, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Disabled {
		return nil
	}
	db, now := kql.NewDatabase(s.Ingestion.Table(s.Columns, at.Add(s.Late))), at
	if s.Behind {
		now = at.Add(s.Late)
	}
	for _, r := range s.Rules {
		result, err := kql.Run(ctx, r.Query.Text, db, kql.Options{Now: now, Scope: kql.Scope{From: at.Add(-r.QueryPeriod), To: at}})
		if err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		s.result(r, result, at)
	}
	return nil
}

// The limits of what a rule may override.
// https://learn.microsoft.com/azure/sentinel/customize-alert-details
// https://learn.microsoft.com/azure/sentinel/surface-custom-details-in-alerts
const (
	mostAlerts, mostDifferent         = 150, 50
	mostSingle, mostCollection        = 256, 5 << 10
	mostDetailValues, mostDetailBytes = 50, 2 << 10
	mostEntities, mostEntityBytes     = 500, 64 << 10
	mostOfIncident                    = 150
)

// result makes alerts of a result.
func (s *Sentinel) result(r *rule.Rule, table *kql.Table, at time.Time) {
	rows := table.Rows()
	if rows > mostAlerts {
		s.problem("%d rows in one run", rows)
		rows = mostAlerts
	}
	titles := map[string]bool{}
	var list []Alert
	for i := range rows {
		a := s.alert(r, table, i)
		a.Time = at
		titles[a.Title] = true
		list = append(list, a)
	}
	if len(titles) > mostDifferent {
		s.problem("%d titles in one run: all alerts have the rule's", len(titles))
		for i := range list {
			list[i].Title = r.Name
		}
	}
	for _, a := range list {
		s.alerts = append(s.alerts, a)
		if r.Incident.CreateIncident {
			s.group(r, a)
		}
	}
}

// alert makes one alert.
func (s *Sentinel) alert(r *rule.Rule, table *kql.Table, row int) Alert {
	schema := table.Schema()
	value := func(column string) kql.Value {
		i := schema.Index(column)
		if i < 0 {
			s.problem("the result of %s has no column %s", r.Name, column)
			return kql.Value{}
		}
		return table.Value(row, i)
	}
	text := func(column string) string { return value(column).String() }
	single := func(what, text, otherwise string, most int) string {
		if len(text) > most || !utf8.ValidString(text) {
			s.problem("%s has %d bytes: it is dropped", what, len(text))
			return otherwise
		}
		return text
	}
	render := func(f rule.Format) string {
		written, ok := f.Render(func(column string) (string, bool) { return text(column), true })
		if !ok {
			s.problem("a column of %q has no value", f.Text)
		}
		return written
	}
	a := Alert{ID: uuid.NewString(), Rule: r.Name, Title: r.Name, Description: r.Description, Severity: r.Severity.String(), Details: map[string][]string{}}
	o := r.AlertDetails
	a.Title = single("the title", render(o.DisplayNameFormat), r.Name, mostSingle)
	a.Description = single("the description", render(o.DescriptionFormat), r.Description, mostCollection)
	if severity := text(o.SeverityColumn); slices.Contains([]string{"Informational", "Low", "Medium", "High"}, severity) {
		a.Severity = severity
	} else {
		s.problem("the severity %q is none", severity)
	}
	a.Tactics = s.collection("tactics", text(o.TacticsColumn))
	for _, p := range o.DynamicProperties {
		switch p.Property {
		case "AlertLink":
			a.Link = single("AlertLink", text(p.Column), "", mostSingle)
		case "RemediationSteps":
			a.Steps = single("RemediationSteps", text(p.Column), "", mostSingle)
		case "Techniques":
			a.Techniques = s.collection("techniques", text(p.Column))
		default:
			s.problem("the property %s cannot be set", p.Property)
		}
	}
	s.details(r, &a, text)
	s.entities(&a, text(s.EntitiesColumn))
	return a
}

func (s *Sentinel) collection(what, text string) (list []string) {
	if len(text) > mostCollection {
		s.problem("%s have %d bytes: they are dropped", what, len(text))
		return nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		s.problem("%s are %q", what, text)
	}
	return list
}

// details takes the custom details, all of them or none.
func (s *Sentinel) details(r *rule.Rule, a *Alert, text func(string) string) {
	if len(r.CustomDetails) > 20 {
		s.problem("%d custom details", len(r.CustomDetails))
	}
	for _, d := range r.CustomDetails {
		if len(d.Name) > 20 {
			s.problem("the custom detail %s has too long a name", d.Name)
		}
		values := []string{text(d.Column)}
		var list []string
		if json.Unmarshal([]byte(values[0]), &list) == nil && strings.HasPrefix(values[0], "[") {
			values = list
		}
		if len(values) > mostDetailValues {
			s.problem("the custom detail %s has %d values", d.Name, len(values))
			values = values[:mostDetailValues]
		}
		a.Details[d.Name] = values
	}
	var size strings.Builder
	e := json.NewEncoder(&size)
	e.SetEscapeHTML(false)
	if err := e.Encode(a.Details); err != nil || size.Len() > mostDetailBytes {
		s.problem("the custom details have %d bytes: they are dropped", size.Len())
		a.Details = map[string][]string{}
	}
}

// entities takes the entities from one column.
func (s *Sentinel) entities(a *Alert, value string) {
	if err := json.Unmarshal([]byte(value), &a.Entities); err != nil {
		s.problem("the entities are %.100q", value)
	}
	if len(a.Entities) > mostEntities || len(value) > mostEntityBytes {
		s.problem("%d entities of %d bytes: they are dropped", len(a.Entities), len(value))
		a.Entities = nil
	}
}

// group puts an alert into its incident.
func (s *Sentinel) group(r *rule.Rule, a Alert) {
	g := r.Incident.Grouping
	key := a.ID
	if g.Enabled {
		key = r.ID
		for _, name := range g.GroupByCustomDetails {
			key += "\x00" + strings.Join(a.Details[name], "\x00")
		}
	}
	for _, i := range slices.Backward(s.incidents) {
		if i.key == key && a.Time.Sub(i.First) <= g.LookbackDuration && len(i.Alerts) < mostOfIncident {
			i.Alerts, i.changed = append(i.Alerts, a.ID), append(i.changed, a.Time)
			if rank(a.Severity) > rank(i.Severity) {
				i.Severity = a.Severity
			}
			return
		}
	}
	s.incidents = append(s.incidents, &Incident{Number: len(s.incidents) + 1, Title: a.Title, Severity: a.Severity, First: a.Time, Alerts: []string{a.ID}, Name: uuid.NewString(), key: key, changed: []time.Time{a.Time}})
}

func rank(severity string) int {
	return slices.Index([]string{"Informational", "Low", "Medium", "High"}, severity)
}

// ProviderURL returns the address of an incident in the Defender portal.
func ProviderURL(number int) string {
	return fmt.Sprintf("https://security.microsoft.com/incident2/%d/overview?tid=00000000-0000-0000-0000-0000000000ff", 1000+number)
}

// Tables returns SecurityAlert and SecurityIncident.
func (s *Sentinel) Tables() []*kql.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	raised := kql.NewTableBuilder("SecurityAlert", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "SystemAlertId", Type: kql.String},
		{Name: "AlertName", Type: kql.String}, {Name: "ExtendedProperties", Type: kql.String}})
	for _, a := range s.alerts {
		details, _ := json.Marshal(a.Details)
		extended, _ := json.Marshal(map[string]string{"Custom Details": string(details)})
		set(raised, a.Time.UTC().Format(time.RFC3339Nano), a.ID, a.Title, string(extended))
	}
	opened := kql.NewTableBuilder("SecurityIncident", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "IncidentNumber", Type: kql.Int}, {Name: "AlertIds", Type: kql.Dynamic},
		{Name: "AdditionalData", Type: kql.Dynamic}, {Name: "ProviderIncidentId", Type: kql.String}, {Name: "IncidentUrl", Type: kql.String}, {Name: "Labels", Type: kql.Dynamic},
		{Name: "IncidentName", Type: kql.String}, {Name: "Status", Type: kql.String}, {Name: "Classification", Type: kql.String}, {Name: "ClassificationReason", Type: kql.String},
		{Name: "CreatedTime", Type: kql.DateTime}, {Name: "ClosedTime", Type: kql.DateTime}, {Name: "LastModifiedTime", Type: kql.DateTime}, {Name: "BookmarkIds", Type: kql.Dynamic}})
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	incident := func(i *Incident, at time.Time, number int, alerts []string, label string) {
		ids, _ := json.Marshal(alerts)
		url, provider := ProviderURL(number), fmt.Sprint(1000+number)
		if s.Unsynced {
			url, provider = "", ""
		}
		data, _ := json.Marshal(map[string]string{"providerIncidentUrl": url})
		labels := "[]"
		state := edit{status: "New"}
		var closed time.Time
		for _, e := range i.edits {
			if e.at.After(at) {
				continue
			}
			if state = e; e.status == "Closed" {
				closed = e.at
			}
		}
		if label != "" {
			labels = `[{"labelName":"` + label + `","labelType":"AutoAssigned"}]`
			state, closed = edit{status: "Closed", class: "Undetermined"}, at
		}
		set(opened, stamp(at), fmt.Sprint(number), string(ids), string(data), provider,
			fmt.Sprintf("https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident/%d", number), labels,
			i.Name, state.status, state.class, state.reason, stamp(i.First), stamp(closed), stamp(at), "[]")
	}
	for _, i := range s.incidents {
		for n := range i.Alerts { // a row for each change
			at := i.changed[n].Add(time.Duration(n) * time.Second)
			label := ""
			if s.MergedInto > 0 {
				label = "Redirected"
				incident(i, at.Add(-time.Second), s.MergedInto, i.Alerts[:n+1], "")
			}
			incident(i, at, i.Number, i.Alerts[:n+1], label)
		}
		for _, e := range i.edits {
			there := 0
			for n := range i.changed {
				if !i.changed[n].After(e.at) {
					there = n + 1
				}
			}
			incident(i, e.at, i.Number, i.Alerts[:there], "")
		}
	}
	return []*kql.Table{raised.Build(), opened.Build()}
}

func set(b *kql.TableBuilder, cells ...string) {
	for i, text := range cells {
		if text != "" && !b.SetText(i, []byte(text)) {
			panic("bad cell " + text)
		}
	}
	b.Commit()
}
