package detect

import (
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// The names of the columns that say when an activity took place, the first
// that the result has being used; compared without case.
var (
	startColumns  = []string{"StartTime", "StartTimeUtc"}
	endColumns    = []string{"EndTime", "EndTimeUtc"}
	momentColumns = []string{"TimeGenerated"}
)

// foundActivity is what one or more rows of a result say that somebody did.
type foundActivity struct {
	alert.Activity
	identity []alert.Field
	rows     []int // indexes into the result
}

// rowReader reads rows as activities.
type rowReader struct {
	ruleID             string
	table              *workspace.Table
	window             alert.Span
	identity           []int // indexes of the identity columns
	rest               []int // indexes of all columns but the times
	events             []int // indexes of the columns that hold the events' ids
	start, end, moment int   // indexes of the time columns, or -1
}

func newRowReader(r *rule.Rule, table *workspace.Table, window alert.Span) rowReader {
	reader := rowReader{ruleID: r.ID, table: table, window: window}
	reader.start = timeColumn(table, startColumns)
	reader.end = timeColumn(table, endColumns)
	reader.moment = timeColumn(table, momentColumns)
	for i := range table.Columns {
		if i != reader.start && i != reader.end && i != reader.moment {
			reader.rest = append(reader.rest, i)
		}
	}
	for _, name := range r.Events {
		if i := table.Column(name); i >= 0 {
			reader.events = append(reader.events, i)
		}
	}
	for _, name := range r.IdentityColumns() {
		if i := table.Column(name); i >= 0 && !slices.Contains(reader.identity, i) {
			reader.identity = append(reader.identity, i)
		}
	}
	return reader
}

// timeColumn returns the index of the first of the names that is a datetime
// column of the table, or -1.
func timeColumn(table *workspace.Table, names []string) int {
	for _, name := range names {
		if i := table.Column(name); i >= 0 && table.Columns[i].Type == "datetime" {
			return i
		}
	}
	return -1
}

// timeless reports whether the result does not say when anything took place.
func (r rowReader) timeless() bool { return r.start < 0 && r.end < 0 && r.moment < 0 }

// activities returns what the rows tell, in their order. Rows with the same
// identity and span are one activity. If there are no rows, that is the
// activity: the rule's, over the window.
func (r rowReader) activities() []foundActivity {
	if len(r.table.Rows) == 0 {
		return []foundActivity{{Activity: alert.Activity{
			Fingerprint: alert.NewFingerprint(r.ruleID, nil),
			Span:        r.wholeWindow(),
		}}}
	}
	type key struct {
		fingerprint alert.Fingerprint
		start, end  time.Time // in UTC, so that == compares them
	}
	found := make([]foundActivity, 0, len(r.table.Rows))
	index := make(map[key]int, len(r.table.Rows))
	for i, row := range r.table.Rows {
		identity := r.identityOf(row)
		a := alert.Activity{Fingerprint: alert.NewFingerprint(r.ruleID, identity), Span: r.spanOf(row)}
		k := key{a.Fingerprint, a.Span.Start, a.Span.End}
		a.Events = r.eventsOf(row)
		if j, ok := index[k]; ok {
			found[j].rows = append(found[j].rows, i)
			found[j].Events = mergedEvents(found[j].Events, a.Events)
			continue
		}
		index[k] = len(found)
		found = append(found, foundActivity{Activity: a, identity: identity, rows: []int{i}})
	}
	return found
}

// identityOf returns the values that say who a row is about. A row whose
// identity columns are all empty is about somebody unknown: then everything it
// says has to be the same for it to be the same activity.
func (r rowReader) identityOf(row []any) []alert.Field {
	known := func(f alert.Field) bool { return f.Value != "" }
	if fields := r.fields(row, r.identity); slices.ContainsFunc(fields, known) {
		return fields
	}
	return r.fields(row, r.rest)
}

func (r rowReader) fields(row []any, columns []int) []alert.Field {
	fields := make([]alert.Field, len(columns))
	for i, c := range columns {
		fields[i] = alert.Field{Identifier: r.table.Columns[c].Name, Value: identityText(row[c])}
	}
	return fields
}

// eventsOf returns the ids of the row's events, sorted and each once.
func (r rowReader) eventsOf(row []any) []alert.EventID {
	var ids []alert.EventID
	for _, c := range r.events {
		texts := []string{workspace.Text(row[c])}
		if d, ok := row[c].(workspace.Dynamic); ok {
			if elements, ok := d.Elements(); ok {
				texts = elements
			}
		}
		for _, text := range texts {
			if text != "" {
				ids = append(ids, alert.NewEventID(text))
			}
		}
	}
	return mergedEvents(ids, nil)
}

func mergedEvents(a, b []alert.EventID) []alert.EventID {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// identityText returns a value for comparing. The elements of an array are
// sorted: make_set and make_list promise no order, and another order of the
// same elements is nothing new.
func identityText(value any) string {
	d, ok := value.(workspace.Dynamic)
	if !ok {
		return workspace.Text(value)
	}
	elements, ok := d.Elements()
	if !ok {
		return string(d.JSON())
	}
	slices.Sort(elements)
	return strings.Join(elements, "\n")
}

// spanOf returns when what a row is about took place. Where a row has only one
// of the two ends, that is the moment; ends the wrong way round are swapped.
func (r rowReader) spanOf(row []any) alert.Span {
	at := func(column int) (time.Time, bool) {
		if column < 0 {
			return time.Time{}, false
		}
		t, ok := row[column].(time.Time)
		return t, ok
	}
	start, hasStart := at(r.start)
	end, hasEnd := at(r.end)
	switch {
	case hasStart && hasEnd:
		return alert.Between(start, end)
	case hasStart:
		return alert.Between(start, start)
	case hasEnd:
		return alert.Between(end, end)
	}
	if moment, ok := at(r.moment); ok {
		return alert.Between(moment, moment)
	}
	return r.wholeWindow()
}

// wholeWindow returns the window with its last moment in place of its end,
// which belongs to the next window: something that happens then is news.
func (r rowReader) wholeWindow() alert.Span {
	return alert.Between(r.window.Start, r.window.End.Add(-alert.Resolution))
}
