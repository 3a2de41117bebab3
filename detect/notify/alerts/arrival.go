package alerts

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
	"pushback/detect/workspace"
)

const (
	// lookEvery is how often it is looked what came of the rows, and lookAfter how
	// long after they were written at the earliest.
	lookEvery, lookAfter = 5 * time.Minute, 5 * time.Minute
	// lostAfter is after how long a row should have become an alert, and
	// unopenedAfter after how long that should be in an incident.
	lostAfter, unopenedAfter = 30 * time.Minute, time.Hour
	// early is how much before a row was written its time may lie.
	early = time.Hour
)

// The queries are marked in LAQueryLogs as ours.
const queryMark, queryVersion = "health", "alerts"

// inTable returns which alerts have a row that was written since a time.
func (d *Destination) inTable(ctx context.Context, ids []string, since, now time.Time) (map[string]bool, error) {
	table, err := d.querier.Query(ctx, workspace.Query{
		Text:  Table + "\n| where AlertId in (" + list(ids) + ")\n| distinct AlertId",
		Start: since.Add(-early), End: now.Add(early), Now: now, RuleID: queryMark, RuleVersion: queryVersion,
	})
	if err != nil {
		return nil, missingTable(err)
	}
	there := map[string]bool{}
	for _, row := range table.Rows {
		if id, ok := row[0].(string); ok {
			there[id] = true
		}
	}
	return there, nil
}

// newestWithin is how far back the newest row is looked for.
const newestWithin = 14 * 24 * time.Hour

// Newest returns when the newest row of the table was written, zero if there is
// none of the last two weeks.
func Newest(ctx context.Context, q Querier, now time.Time) (time.Time, error) {
	table, err := q.Query(ctx, workspace.Query{
		Text:  Table + "\n| summarize Newest = max(TimeGenerated)",
		Start: now.Add(-newestWithin), End: now.Add(early), Now: now, RuleID: queryMark, RuleVersion: queryVersion,
	})
	if err != nil {
		return time.Time{}, missingTable(err)
	}
	if len(table.Rows) == 1 && len(table.Rows[0]) == 1 {
		newest, _ := table.Rows[0][0].(time.Time)
		return newest, nil
	}
	return time.Time{}, nil
}

// missingTable says what to do where there is no table.
func missingTable(err error) error {
	if _, missing := workspace.MissingTable(err); missing {
		return fmt.Errorf("the workspace has no table %s: deploy infra with sentinelIncidents: %w", Table, err)
	}
	return err
}

// list writes ids, which are GUIDs, for a query.
func list(ids []string) string {
	quoted := make([]string, len(ids))
	for i, id := range ids {
		quoted[i] = strconv.Quote(strings.Map(func(r rune) rune {
			if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'f' {
				return r
			}
			return -1
		}, id))
	}
	return strings.Join(quoted, ", ")
}

// arrivalQuery asks what came of rows: one row of the answer for each that is in
// the table, for each that became an alert, and for each whose alert is in an
// incident. The tables of Sentinel may not be there yet. Of several incidents it is
// the one that changed last, and one that was merged into another, which closes it
// with the label Redirected, only if there is none else.
const arrivalQuery = `let Ids = dynamic([%s]);
let Written = %s
| where AlertId in (Ids)
| distinct AlertId;
let Raised = union isfuzzy=true (datatable (TimeGenerated: datetime, SystemAlertId: string, ExtendedProperties: string) []), SecurityAlert
| extend AlertId = tostring(parse_json(tostring(parse_json(ExtendedProperties)["Custom Details"]))["` + DetailAlert + `"][0])
| where AlertId in (Ids)
| summarize arg_min(TimeGenerated, SystemAlertId) by AlertId
| project AlertId, SystemAlertId;
let Opened = union isfuzzy=true (datatable (TimeGenerated: datetime, IncidentNumber: int, AlertIds: dynamic, AdditionalData: dynamic, ProviderIncidentId: string, IncidentUrl: string, Labels: dynamic) []), SecurityIncident
| summarize arg_max(TimeGenerated, *) by IncidentNumber
| extend Opened = iff(tostring(Labels) has "Redirected", TimeGenerated - 365d, TimeGenerated)
| mv-expand AlertIds
| project SystemAlertId = tostring(AlertIds), Opened, Number = tostring(IncidentNumber), Provider = tostring(ProviderIncidentId), ProviderUrl = tostring(AdditionalData["providerIncidentUrl"]), Url = tostring(IncidentUrl);
Written
| join kind=fullouter Raised on AlertId
| project AlertId = iff(isempty(AlertId), AlertId1, AlertId), InTable = isnotempty(AlertId), SystemAlertId
| join kind=leftouter Opened on SystemAlertId
| summarize arg_max(Opened, Number, Provider, ProviderUrl, Url) by AlertId, InTable, SystemAlertId
| project AlertId, InTable, SystemAlertId, Number, Provider, ProviderUrl, Url`

// arrived is what came of a row.
type arrived struct {
	inTable  bool
	alert    string
	incident Incident
	// elsewhere says that the incident is not in the portal where analysts look.
	elsewhere bool
}

// arrivals asks what came of rows, all at once.
func (d *Destination) arrivals(ctx context.Context, ids []string, since, now time.Time) (map[string]arrived, error) {
	table, err := d.querier.Query(ctx, workspace.Query{
		Text:  fmt.Sprintf(arrivalQuery, list(ids), Table),
		Start: since.Add(-early), End: now.Add(early), Now: now, RuleID: queryMark, RuleVersion: queryVersion,
	})
	if err != nil {
		return nil, err
	}
	column := func(row []any, name string) string {
		if i := table.Column(name); i >= 0 {
			return workspace.Text(row[i])
		}
		return ""
	}
	all := map[string]arrived{}
	for _, row := range table.Rows {
		got := arrived{inTable: column(row, "InTable") == "true", alert: column(row, "SystemAlertId")}
		if number := column(row, "Number"); number != "" {
			got.incident = Incident{number, column(row, "Url")}
			got.elsewhere = d.links.Portal == portal.Defender
			if provider, url := column(row, "Provider"), column(row, "ProviderUrl"); d.links.Portal == portal.Defender && url != "" {
				got.incident, got.elsewhere = Incident{provider, url}, false
			}
		}
		all[column(row, "AlertId")] = got
	}
	return all, nil
}

// Follow looks what came of the rows, if it is time to, and notes the incidents.
// It is called with every tick.
func (d *Destination) Follow(ctx context.Context, now time.Time) (notify.Followed, error) {
	now = now.UTC()
	j, err := d.read(ctx)
	if err != nil {
		return notify.Followed{}, err
	}
	j.age(now)
	var ids []string
	since := now
	for id, e := range j.Rows {
		if e.arrived() || now.Sub(e.At) < lookAfter {
			continue
		}
		ids = append(ids, id)
		if e.At.Before(since) {
			since = e.At
		}
	}
	if len(ids) == 0 || now.Sub(j.Looked) < lookEvery && !j.Looked.After(now) {
		return j.followed(now), nil
	}
	slices.Sort(ids)
	got, err := d.arrivals(ctx, ids, since, now)
	if _, missing := workspace.MissingTable(err); missing {
		got, err = nil, nil // then no row became anything, which is what is reported
	}
	if err != nil {
		return notify.Followed{}, fmt.Errorf("alerts: looking what became of %s: %w", text.Count(len(ids), "row", "rows"), err)
	}
	var errs []error
	for _, id := range ids {
		if a := got[id]; a.elsewhere && now.Sub(j.Rows[id].At) < unopenedAfter { // it takes its time to get there
			a.incident = Incident{}
			got[id] = a
		}
		if i := got[id].incident; i.URL != "" || i.Number != "" {
			if err := noteIncident(ctx, d.notes, j.Rows[id], id, i); err != nil {
				errs = append(errs, err)
				delete(got, id) // it is looked for again
			}
		}
	}
	j, err = d.change(ctx, func(j *journal) {
		j.age(now)
		j.Looked = now
		for _, id := range ids {
			j.arrive(id, got[id], now)
		}
	})
	if err != nil {
		return notify.Followed{}, errors.Join(append(errs, err)...)
	}
	return j.followed(now), errors.Join(errs...)
}

// arrive notes what came of a row.
func (j *journal) arrive(id string, got arrived, now time.Time) {
	e := j.Rows[id]
	if e == nil {
		return
	}
	if got.inTable || got.alert != "" {
		e.Found = true
		if e.Taken.IsZero() {
			e.Taken = now
		}
	}
	if got.alert != "" {
		e.Alert = got.alert
	}
	e.Incident = e.Incident || got.incident != Incident{}
}

// arrived reports whether all came of the row that should.
func (e *entry) arrived() bool { return e.Alert != "" && (e.Quiet || e.Incident) }

// followed says what is known of the rows.
func (j *journal) followed(now time.Time) notify.Followed {
	f := notify.Followed{Known: !j.Looked.IsZero() || len(j.Rows) == 0}
	absent, unread, unopened := 0, 0, 0
	for _, id := range slices.Sorted(maps.Keys(j.Rows)) {
		e := j.Rows[id]
		age := now.Sub(e.At)
		switch {
		case e.Taken.IsZero(), j.Looked.Sub(e.At) < lookAfter: // the courier says so, or it was not looked for yet
			continue
		case !e.Found && age >= lostAfter:
			absent++
		case e.Alert == "" && age >= lostAfter:
			unread++
		case e.Alert != "" && !e.Quiet && !e.Incident && age >= unopenedAfter:
			unopened++
		default:
			continue
		}
		f.Lost++
		if f.Oldest.IsZero() || e.At.Before(f.Oldest) {
			f.Oldest = e.At
		}
	}
	var said []string
	if absent > 0 {
		said = append(said, count(absent, "1 row was taken by the Logs Ingestion API and is", "%d rows were taken by the Logs Ingestion API and are")+
			" not in the table "+Table+": see DCRLogErrors and the metric Logs Rows Dropped per Min of the data collection rule, and whether the identity may read the table.")
	}
	if unread > 0 {
		said = append(said, count(unread, "1 row is in the table "+Table+" and", "%d rows are in the table "+Table+" and")+" became no alert within "+text.Length(lostAfter)+
			": see whether the analytics rules Pushback alerts are there and enabled (Sentinel switches off a rule that keeps failing, and puts AUTO DISABLED before its name), and their runs in SentinelHealth.")
	}
	if unopened > 0 {
		said = append(said, count(unopened, "1 row became an alert that is", "%d rows became alerts that are")+" in no incident after "+text.Length(unopenedAfter)+
			": see whether the analytics rule creates incidents, and whether Microsoft Defender is given them.")
	}
	f.Text = strings.Join(said, " ")
	return f
}

// count writes how many of something there are.
func count(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}
