package alerts

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// Table is the table of the workspace that has the rows.
const Table = "PushbackAlerts_CL"

// Stream is the stream of the data collection rule that takes the rows.
const Stream = "Custom-PushbackAlerts"

// Column is a column of the table and of the stream.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// columnsJSON is the definition of the table: infra takes the table's and the
// stream's columns from it, and the tests hold Row and the rules' queries to it.
//
//go:embed columns.json
var columnsJSON []byte

// Columns returns the columns of the table, in their order.
func Columns() []Column {
	var columns []Column
	if err := json.Unmarshal(columnsJSON, &columns); err != nil {
		panic(err) // it is part of the program
	}
	return columns
}

//go:embed incidents.kql
var incidentsQuery string

//go:embed noincidents.kql
var noIncidentsQuery string

// Queries returns the queries of the analytics rules that read the table: of the
// one whose alerts become incidents, and of the other.
func Queries() (incidents, noIncidents string) { return incidentsQuery, noIncidentsQuery }

// Row is an alert as a row of the table. Everything in it is within the limits of
// the table and of the alert that the analytics rule makes of it: what is longer
// the service would cut or drop without a word.
type Row struct {
	TimeGenerated time.Time  `json:"TimeGenerated"` // when it is sent: times long past are replaced
	AlertID       string     `json:"AlertId"`
	RuleID        string     `json:"RuleId"`
	RuleName      string     `json:"RuleName"`
	RuleVersion   string     `json:"RuleVersion"`
	Title         string     `json:"AlertTitle"`
	Description   string     `json:"AlertDescription"`
	Severity      string     `json:"AlertSeverity"`
	Tactics       []string   `json:"Tactics"`
	Techniques    []string   `json:"Techniques"` // T1078: an alert takes no others
	SubTechniques []string   `json:"SubTechniques"`
	StartTime     *time.Time `json:"StartTime"`
	EndTime       *time.Time `json:"EndTime"`
	CreatedTime   *time.Time `json:"CreatedTime"`
	Entities      []Entity   `json:"Entities"`
	// CustomDetails are those of the alert, by name. Details are the same as the
	// lines that the Sentinel alert has room for.
	CustomDetails map[string][]string `json:"CustomDetails"`
	Details       []string            `json:"Details"`
	// LeftOut names what had no room.
	LeftOut          []string `json:"LeftOut"`
	Findings         []string `json:"Findings"`
	Guidance         string   `json:"Guidance"`
	AlertLink        string   `json:"AlertLink"`
	RemediationSteps string   `json:"RemediationSteps"`
	Links            []Link   `json:"Links"`
	// Story is what the alerts of one incident have in common.
	Story          string `json:"Story"`
	CreateIncident bool   `json:"CreateIncident"`
	// UpdateOf is the id of the alert that this one brings news of.
	UpdateOf string `json:"UpdateOf"`
	Build    string `json:"Build"`
}

// Link leads somewhere.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// What the alert of an analytics rule and a field of the table hold, in bytes.
// https://learn.microsoft.com/azure/sentinel/customize-alert-details
// https://learn.microsoft.com/azure/sentinel/surface-custom-details-in-alerts
const (
	mostSingle      = 256   // a title, a link
	mostDescription = 5_000 // 5 KB
	mostListed      = 50    // of an alert's tactics, or a custom detail's values
	mostDetails     = 2_000 // 2 KB of custom details, their names included
	mostEntities    = 500
	mostEntityBytes = 60_000 // 64 KB
	mostColumn      = 30_000 // of any other column, which is cut beyond 64 KB
	mostName        = 100    // of a rule, among the custom details
	mostDetail      = 300    // of the values of one custom detail among them
	mostValue       = 1_000  // of a value in a column
	mostLeftOut     = 400    // of what is named there
	mostSaidLeftOut = 1_500  // and in the description
)

// setting is what makes a row of an alert beside itself.
type setting struct {
	now   time.Time
	links portal.Links
	story string
	// incident says whether one is wanted.
	incident bool
}

// newRow returns the row of an alert.
func newRow(a alert.Alert, s setting) Row {
	r := Row{
		TimeGenerated: s.now.UTC(), AlertID: a.ID, RuleID: single(a.RuleID), RuleName: single(a.RuleName), RuleVersion: single(a.RuleVersion),
		Title: single(a.Title), Severity: severityOf(a).String(), Story: s.story, CreateIncident: s.incident, Build: single(s.links.Build),
		StartTime: moment(a.Span.Start), EndTime: moment(a.Span.End), CreatedTime: moment(a.Created),
		Tactics: []string{}, Techniques: []string{}, SubTechniques: []string{}, Entities: []Entity{}, CustomDetails: map[string][]string{}, Details: []string{}, LeftOut: []string{}, Findings: []string{}, Links: []Link{},
	}
	if strings.TrimSpace(r.Title) == "" {
		r.Title = "Alert " + a.ID
	}
	if a.Updates != nil {
		r.UpdateOf = single(a.Updates.ID)
	}
	f := fitting{row: &r}
	f.tactics(a)
	f.links(a, s.links)
	f.entities(a.Entities)
	f.findings(a)
	f.details(a)
	f.describe(a)
	return r
}

// severityOf returns the severity of an alert, which for an update is no less than
// that of what it updates.
func severityOf(a alert.Alert) alert.Severity {
	if a.Updates != nil && a.Updates.Severity > a.Severity {
		return a.Updates.Severity
	}
	return a.Severity
}

// single makes a text safe, on one line, and cuts it to what a single field holds.
func single(value string) string { return text.CutBytes(safe(value), mostSingle) }

// mostRead is how many bytes of a text are looked at: no field holds as many.
const mostRead = 8_000

// safe makes a text safe, on one line.
func safe(value string) string {
	if len(value) > mostRead {
		cut := mostRead
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		value = value[:cut]
	}
	return text.Safe(text.Line(value))
}

// moment is a time, or nil if it is not known.
func moment(t time.Time) *time.Time {
	if !alert.Known(t) {
		return nil
	}
	t = t.UTC()
	return &t
}

// fitting fills a row as far as there is room, and names what has none.
type fitting struct {
	row  *Row
	lost []string // what was left out
}

func (f *fitting) leaveOut(format string, args ...any) {
	f.lost = append(f.lost, fmt.Sprintf(format, args...))
}

// tactics takes those that Sentinel knows: it refuses others.
func (f *fitting) tactics(a alert.Alert) {
	for _, t := range a.Tactics {
		switch {
		case !rule.IsTactic(t) || len(f.row.Tactics) == mostListed:
			f.leaveOut("tactic %s", text.CutBytes(safe(t), 60))
		case !slices.Contains(f.row.Tactics, t):
			f.row.Tactics = append(f.row.Tactics, t)
		}
	}
	for _, t := range a.Techniques {
		parent, _, sub := strings.Cut(t, ".")
		if !rule.IsTechnique(t) || len(f.row.Techniques) == mostListed || len(f.row.SubTechniques) == mostListed {
			f.leaveOut("technique %s", text.CutBytes(safe(t), 60))
			continue
		}
		if !slices.Contains(f.row.Techniques, parent) {
			f.row.Techniques = append(f.row.Techniques, parent)
		}
		if sub && !slices.Contains(f.row.SubTechniques, t) {
			f.row.SubTechniques = append(f.row.SubTechniques, t)
		}
	}
}

// links takes the alert's links. One that is cut leads nowhere, so that it is
// whole or not there.
func (f *fitting) links(a alert.Alert, l portal.Links) {
	room := mostColumn
	for _, link := range portal.Of(a, l) {
		title := text.CutBytes(safe(link.Title), mostSingle)
		if room -= len(title) + len(link.URL) + 40; room < 0 {
			f.leaveOut("link %s", title)
			continue
		}
		f.row.Links = append(f.row.Links, Link{title, link.URL})
		if link == (portal.Link{Title: portal.Guidance, URL: a.Guidance}) {
			f.row.Guidance = link.URL
		}
	}
	for _, p := range a.Properties {
		if p.Name == "AlertLink" && portal.IsLink(p.Value) {
			f.row.AlertLink = p.Value
		}
	}
	if f.row.AlertLink == "" {
		f.row.AlertLink = f.row.Guidance
	}
	if len(f.row.AlertLink) > mostSingle {
		f.row.AlertLink = ""
		f.leaveOut("AlertLink")
	}
	steps := ""
	if f.row.Guidance != "" {
		steps = "Follow " + f.row.Guidance
	}
	if own := single(a.FirstSteps()); own != "" {
		steps = own
	}
	for _, p := range a.Properties {
		if p.Name == "RemediationSteps" && strings.TrimSpace(p.Value) != "" {
			steps = single(p.Value)
		}
	}
	if len(steps) > mostSingle {
		f.leaveOut("RemediationSteps")
		steps = ""
	}
	f.row.RemediationSteps = steps
}

// entities takes the first of the entities.
func (f *fitting) entities(all []alert.Entity) {
	size := 2
	for _, e := range all {
		entity := newEntity(e)
		if len(entity) < 2 { // it has a type alone
			continue
		}
		n := len(encode(entity)) + 1
		if len(f.row.Entities) == mostEntities || size+n > mostEntityBytes {
			f.leaveOut("%d of %d entities", len(all)-len(f.row.Entities), len(all))
			return
		}
		size += n
		f.row.Entities = append(f.row.Entities, entity)
	}
}

// findings takes what stands out, in words.
func (f *fitting) findings(a alert.Alert) {
	if a.Context == nil {
		return
	}
	room := mostColumn
	for i, found := range a.Context.Findings {
		said := text.CutBytes(safe(found.Text), mostValue)
		if room -= len(encode(said)) + 1; room < 0 {
			f.leaveOut("%d findings", len(a.Context.Findings)-i)
			return
		}
		f.row.Findings = append(f.row.Findings, said)
	}
}

// brought are what the rule's own context knows, as details: the table has no other
// place for it.
func brought(c *alert.Context) (list []alert.Detail) {
	if c == nil {
		return nil
	}
	index := map[string]int{}
	subjects := map[string]int{}
	for _, s := range c.Sections {
		subjects[s.Title]++
	}
	for _, s := range c.Sections {
		if !s.Brought {
			continue
		}
		for _, f := range s.Facts {
			name := s.Title + ": " + f.Name
			i, there := index[name]
			if !there {
				i = len(list)
				index[name] = i
				list = append(list, alert.Detail{Name: name})
			}
			for _, v := range f.Values {
				if subjects[s.Title] > 1 {
					v = s.Subject + ": " + v
				}
				list[i].Values = append(list[i].Values, v)
			}
		}
	}
	return list
}

// details takes the custom details, whole where the table has room and in short
// where the Sentinel alert has.
func (f *fitting) details(a alert.Alert) {
	room := mostColumn
	short := mostDetails - mostLeftOut - len(encode(f.fixed()))
	var lost []string
	for _, d := range slices.Concat(a.CustomDetails, brought(a.Context)) {
		name := text.CutBytes(safe(d.Name), 60)
		var values []string
		for i, v := range d.Values {
			v = text.CutBytes(safe(v), mostValue)
			if room -= len(encode(v)) + 1; room < 0 {
				values = append(values, fmt.Sprintf("… and %d more", len(d.Values)-i))
				break
			}
			values = append(values, v)
		}
		f.row.CustomDetails[name] = values
		line := name + ": " + text.CutBytes(strings.Join(values, ", "), mostDetail)
		n := len(encode(line)) + 1
		if n > short || len(f.row.Details) == mostListed-1 {
			lost = append(lost, name)
			continue
		}
		short -= n
		f.row.Details = append(f.row.Details, line)
	}
	if len(lost) > 0 {
		f.leaveOut("custom details %s", strings.Join(lost, ", "))
	}
	// What is most of the alert first.
	slices.SortStableFunc(f.lost, func(a, b string) int { return strings.Compare(weight(a), weight(b)) })
	room = mostLeftOut
	for i, what := range f.lost {
		what = text.CutBytes(what, mostLeftOut/2)
		n := len(encode(what)) + 1
		if n > room-len(`"and 100 more",`) {
			f.row.LeftOut = append(f.row.LeftOut, fmt.Sprintf("and %d more", len(f.lost)-i))
			break
		}
		room -= n
		f.row.LeftOut = append(f.row.LeftOut, what)
	}
}

// weight orders what was left out: the custom details, then the entities.
func weight(what string) string {
	switch {
	case strings.HasPrefix(what, "custom details "):
		return "1"
	case strings.HasSuffix(what, " entities"):
		return "2"
	}
	return "3"
}

// fixed are the custom details that every alert has, with the most that they take.
func (f *fitting) fixed() map[string][]string {
	return map[string][]string{
		DetailAlert: {f.row.AlertID}, DetailStory: {f.row.Story}, DetailRule: {text.CutBytes(f.row.RuleName, mostSingle)},
		DetailUpdate: {f.row.UpdateOf}, DetailBuild: {f.row.Build}, DetailDetails: {}, DetailLeftOut: {},
	}
}

// The custom details of the alerts that the analytics rules make.
const (
	DetailAlert   = "AlertId"
	DetailStory   = "Story"
	DetailRule    = "Rule"
	DetailUpdate  = "UpdateOf"
	DetailDetails = "Details"
	DetailLeftOut = "LeftOut"
	DetailBuild   = "Build"
)

// describe says in plain text what the alert is, what was found out about it and
// what to do.
func (f *fitting) describe(a alert.Alert) {
	var lines []string
	add := func(line string) {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	if own := text.Line(a.Headline()); own != text.Line(a.Title) {
		add(safe(own))
	}
	add(safe(text.FirstSteps(a)))
	add(safe(a.Description))
	if stamp := text.Stamp(a.Span); stamp != "" {
		add("When: " + stamp)
	}
	add(text.Continues(a))
	add(text.Late(a))
	if a.Updates != nil {
		add(text.UpdateOf(*a.Updates, safe))
	}
	for _, said := range f.row.Findings {
		add("- " + said)
	}
	for _, fact := range a.CardFacts() {
		add(text.CutBytes(safe(fact.Label), 60) + ": " + text.CutBytes(safe(text.Fact(fact)), mostValue))
	}
	if steps := text.Steps(a.Context, safe); steps != "" {
		add("Severity: " + steps)
	}
	for _, note := range a.Notes {
		add("Note: " + safe(note))
	}
	end := ""
	if len(f.lost) > 0 {
		end = "\nLeft out, as an alert holds no more: " + text.CutBytes(strings.Join(f.lost, "; "), mostSaidLeftOut)
	}
	f.row.Description = text.CutBytes(strings.Join(lines, "\n"), mostDescription-len(end)) + end
}

// encode returns a value as the JSON that is sent.
func encode(value any) []byte {
	var sb strings.Builder
	e := json.NewEncoder(&sb)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic(err) // texts always are
	}
	return []byte(strings.TrimSuffix(sb.String(), "\n"))
}
