package verdict

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"pushback/detect/notify/alerts"
	"pushback/detect/workspace"
)

const (
	// every is how often incidents are read: each day in the tick of the same time, which
	// the host's timer does not call to the second. again is how long after a failure.
	every, again = 24*time.Hour - time.Minute, time.Hour
	// span is how far back an incident may have changed, and an alert may lie: as long
	// as Sentinel keeps its tables for free. overlap is how much is read twice, since a
	// row may be seen later than its time.
	span, overlap = 90 * 24 * time.Hour, 6 * time.Hour
	// pageSize is how many incidents a query returns, and mostPages how many queries
	// a tick makes.
	pageSize, mostPages = 500, 20
	// mostAlerts is how many alerts of an incident are kept. Sentinel puts 150 into one.
	mostAlerts = 200
	// oldest is how long ago an incident may have been made, or changed, that the
	// workspace shows now: what is longer ago is no time of it.
	oldest = 5 * 366 * 24 * time.Hour
	// soon is how far a row may lie ahead of our clock.
	soon = time.Hour
)

// The queries are marked in LAQueryLogs as ours.
const queryMark, queryVersion = "health", "verdicts"

// incidentsQuery asks for the incidents with alerts of ours that changed since a time,
// each as it was changed last, those behind a place in their order. An incident of the
// destination alerts lists Sentinel's alerts, whose custom details have our ids; one
// that was made by the API lists bookmarks, which have our ids for their names. The
// tables may not be there yet.
const incidentsQuery = `let After = datetime(%s);
let PlaceTime = datetime(%s);
let PlaceNumber = %d;
let Latest = materialize(union isfuzzy=true (datatable (TimeGenerated: datetime, IncidentNumber: int, IncidentName: string, Status: string, Classification: string, ClassificationReason: string, CreatedTime: datetime, ClosedTime: datetime, LastModifiedTime: datetime, Labels: dynamic, AlertIds: dynamic, BookmarkIds: dynamic) []), SecurityIncident
| where TimeGenerated > After
| extend Modified = coalesce(LastModifiedTime, TimeGenerated)
| summarize arg_max(TimeGenerated, IncidentName, Status, Classification, ClassificationReason, CreatedTime, ClosedTime, Labels, AlertIds, BookmarkIds) by IncidentNumber, Modified
| summarize Seen = max(TimeGenerated), arg_max(Modified, IncidentName, Status, Classification, ClassificationReason, CreatedTime, ClosedTime, Labels, AlertIds, BookmarkIds) by IncidentNumber
| where Seen > PlaceTime or Seen == PlaceTime and IncidentNumber > PlaceNumber);
let Listed = Latest
| mv-expand Id = AlertIds
| project IncidentNumber, SystemAlertId = tostring(Id)
| where isnotempty(SystemAlertId);
let Raised = union isfuzzy=true (datatable (TimeGenerated: datetime, SystemAlertId: string, ExtendedProperties: string) []), SecurityAlert
| where SystemAlertId in (Listed | project SystemAlertId)
| extend AlertId = tostring(parse_json(tostring(parse_json(ExtendedProperties)["Custom Details"]))["` + alerts.DetailAlert + `"][0])
| where isnotempty(AlertId)
| distinct SystemAlertId, AlertId;
let Marked = Latest
| mv-expand Id = BookmarkIds
| project IncidentNumber, AlertId = tostring(Id)
| where isnotempty(AlertId);
Listed
| join kind=inner Raised on SystemAlertId
| project IncidentNumber, AlertId
| union Marked
| summarize Alerts = make_set(AlertId, %d) by IncidentNumber
| join kind=inner Latest on IncidentNumber
| project Seen, Modified, IncidentNumber, IncidentName, Status, Classification, ClassificationReason, CreatedTime, ClosedTime, Merged = tostring(Labels) has "Redirected", Alerts
| sort by Seen asc, IncidentNumber asc
| take %d`

// Querier asks the workspace. [*workspace.Client] is one.
type Querier interface {
	Query(ctx context.Context, q workspace.Query) (*workspace.Table, error)
}

// Reader reads what analysts decided, and keeps it in the ledger.
type Reader struct {
	querier Querier
	notes   Notes
}

// NewReader returns a Reader that asks a workspace.
func NewReader(q Querier, n Notes) *Reader { return &Reader{q, n} }

// place is how far a reading got: up to an incident, in the order of when they changed
// as far as the workspace shows.
type place struct {
	Time   time.Time `json:"time"`
	Number int       `json:"number"`
}

// Read reads what analysts decided since it was read last, if a day has passed. What
// it does not get to, the next call reads. Where it fails it goes on from there an hour
// later. Of several processes one reads.
func (r *Reader) Read(ctx context.Context, now time.Time) error {
	now = now.UTC()
	p, tag, err := readProgress(ctx, r.notes)
	if err != nil || !p.due(now) {
		return err
	}
	if p.After.IsZero() || p.Place == (place{}) { // a reading begins
		p.After, p.Begun = now.Add(-span), now
		if !p.Read.IsZero() && p.Read.Add(-overlap).After(p.After) {
			p.After = p.Read.Add(-overlap)
		}
	}
	p.Next = now.Add(again)
	for range mostPages {
		// It is noted before each query, so that no other process asks as well.
		var ok bool
		if tag, ok, err = p.save(ctx, r.notes, tag); err != nil || !ok {
			return err
		}
		list, to, err := r.page(ctx, p, now)
		if err != nil {
			return fmt.Errorf("reading incidents, which is tried again in an hour: %w", err)
		}
		if err := keep(ctx, r.notes, list); err != nil {
			return fmt.Errorf("%w; it is tried again in an hour", err)
		}
		for _, i := range list {
			if date := dayOf(i); p.First.IsZero() || date.Before(p.First) {
				p.First = date
			}
		}
		if to == (place{}) {
			p = progress{Read: p.Begun, Next: p.Begun.Add(every), First: p.First}
			break
		}
		p.Place = to
	}
	if !p.After.IsZero() { // there is more, for the next tick
		p.Next = now
	}
	_, _, err = p.save(ctx, r.notes, tag)
	return err
}

// page asks for incidents from a place on, and returns how far it got, or no place if
// that is all.
func (r *Reader) page(ctx context.Context, p progress, now time.Time) (list []Incident, to place, err error) {
	moment := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
	from := p.Place
	if from.Time.IsZero() {
		from.Time = p.After
	}
	table, err := r.querier.Query(ctx, workspace.Query{
		Text:  fmt.Sprintf(incidentsQuery, moment(p.After), moment(from.Time), from.Number, mostAlerts, pageSize),
		Start: now.Add(-span), End: now.Add(soon), Now: now, RuleID: queryMark, RuleVersion: queryVersion,
	})
	if _, missing := workspace.MissingTable(err); missing { // then nobody decided anything
		return nil, place{}, nil
	}
	if err != nil {
		return nil, place{}, err
	}
	for n, row := range table.Rows {
		i, seen, err := incidentOf(table, row)
		if err != nil {
			return nil, place{}, fmt.Errorf("row %d of the answer: %w", n+1, err)
		}
		to = place{seen, i.Number}
		if len(i.Alerts) > 0 {
			list = append(list, i)
		}
	}
	if len(table.Rows) < pageSize {
		to = place{}
	}
	return list, to, nil
}

// incidentOf reads a row of the answer, and returns when the workspace showed it.
func incidentOf(table *workspace.Table, row []any) (i Incident, seen time.Time, err error) {
	value := func(name string) any {
		if n := table.Column(name); n >= 0 {
			return row[n]
		}
		return nil
	}
	text := func(name string) string { return workspace.Text(value(name)) }
	moment := func(name string) time.Time {
		t, _ := value(name).(time.Time)
		return t.UTC()
	}
	seen = moment("Seen")
	if i.Number, err = strconv.Atoi(text("IncidentNumber")); err != nil || seen.IsZero() {
		return i, seen, fmt.Errorf("it has no number or no time of an incident: %.60q, %.60q", text("IncidentNumber"), text("Seen"))
	}
	i.Name, _ = guid(text("IncidentName"))
	i.Created, i.Changed, i.Merged = moment("CreatedTime"), moment("Modified"), text("Merged") == "true"
	if seen.Sub(i.Changed).Abs() > oldest {
		i.Changed = seen
	}
	if i.Changed.Sub(i.Created) > oldest || i.Created.After(i.Changed) {
		i.Created = i.Changed
	}
	i.decide(text("Status"), text("Classification"), text("ClassificationReason"), moment("ClosedTime"))
	var ids []string
	if raw := workspace.JSON(value("Alerts")); json.Unmarshal(raw, &ids) != nil {
		return i, seen, fmt.Errorf("the alerts of incident %d are %.60q: expected a list of ids", i.Number, raw)
	}
	for _, id := range ids {
		if id, ok := guid(id); ok {
			i.Alerts = append(i.Alerts, id)
		}
	}
	slices.Sort(i.Alerts)
	i.Alerts = slices.Compact(i.Alerts)
	return i, seen, nil
}

// guid returns the one spelling of an id. What is none, such as the id of a bookmark
// that somebody wrote, is no alert of ours.
func guid(text string) (string, bool) {
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return "", false
	}
	return id.String(), true
}
