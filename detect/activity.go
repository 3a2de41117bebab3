package detect

import (
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// The names of the columns that say when an activity took place, the first
// that the result has being used; compared without case.
var (
	startColumns  = []string{"StartTime", "StartTimeUtc"}
	endColumns    = []string{"EndTime", "EndTimeUtc"}
	momentColumns = []string{"TimeGenerated", "timestamp"} // the second is what many published rules call it, and Defender
)

// IsTimeColumn reports whether a column of that name says when an activity took
// place, and is no part of what identifies it.
func IsTimeColumn(name string) bool {
	return slices.ContainsFunc(slices.Concat(startColumns, endColumns, momentColumns), func(n string) bool { return strings.EqualFold(n, name) })
}

// foundActivity is what one or more rows of a result say that somebody did.
type foundActivity struct {
	alert.Activity
	rows []int // indexes into the result
}

// found is all that a result says, in lists of the same length. There may be very
// many: what is of no use any more is dropped list by list.
type found struct {
	activities []alert.Activity
	rows       [][]int // of each activity, indexes into the result
}

// at returns one of the activities.
func (f *found) at(i int) foundActivity { return foundActivity{f.activities[i], f.rows[i]} }

// rowReader reads rows as activities.
type rowReader struct {
	ruleID             string
	table              *workspace.Table
	window             alert.Span
	identities         []int // indexes of the identity columns
	addresses          []int // indexes of the columns that hold IP addresses
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
	for _, name := range r.AddressColumns() {
		if i := table.Column(name); i >= 0 {
			reader.addresses = append(reader.addresses, i)
		}
	}
	for _, name := range r.IdentityColumns() {
		if i := table.Column(name); i >= 0 && !slices.Contains(reader.identities, i) {
			reader.identities = append(reader.identities, i)
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

// found returns the rows as activities, in their order. Rows with the same identity
// and span are one activity. If there are no rows, that is the activity: the
// rule's, over the window.
func (r rowReader) found() found {
	if len(r.table.Rows) == 0 {
		return found{
			activities: []alert.Activity{{Fingerprint: alert.NewFingerprint(r.ruleID, nil), Span: r.wholeWindow()}},
			rows:       [][]int{nil},
		}
	}
	type key struct {
		fingerprint alert.Fingerprint
		start, end  time.Time // in UTC, so that == compares them
	}
	n := len(r.table.Rows)
	f := found{activities: make([]alert.Activity, 0, n), rows: make([][]int, 0, n)}
	index := make(map[key]int, n)
	indexes := make([]int, n)
	var identity []alert.Field // room for that of each row
	for i, row := range r.table.Rows {
		identity = r.encoded(identity[:0], row, r.identityColumns(row))
		a := alert.Activity{Fingerprint: alert.NewFingerprint(r.ruleID, identity), Span: r.spanOf(row)}
		k := key{a.Fingerprint, a.Span.Start, a.Span.End}
		a.Events = r.recordedOf(row)
		if j, ok := index[k]; ok {
			f.rows[j] = append(f.rows[j], i)
			f.activities[j].Events = mergedEvents(f.activities[j].Events, a.Events)
			continue
		}
		index[k] = len(f.activities)
		indexes[i] = i
		f.activities, f.rows = append(f.activities, a), append(f.rows, indexes[i:i+1:i+1])
	}
	return f
}

// eventsOfRows returns the events of the rows of an activity.
func (r rowReader) eventsOfRows(rows []int) (events []ledger.Event) {
	for _, i := range rows {
		events = append(events, r.eventsOf(r.table.Rows[i])...)
	}
	return events
}

// keep lets go of all rows but those of some activities: there may be very many.
func (r rowReader) keep(some ...found) {
	all := r.table.Rows
	r.table.Rows = nil
	if slices.ContainsFunc(some, func(f found) bool { return len(f.rows) > 0 }) {
		r.table.Rows = make([][]any, len(all))
	}
	for _, f := range some {
		for _, rows := range f.rows {
			for _, i := range rows {
				r.table.Rows[i] = all[i]
			}
		}
	}
}

// over returns a reader of the same rows in another table, which holds them.
func (r rowReader) over(table *workspace.Table) rowReader {
	r.table = table
	return r
}

// identity returns who the first of rows is about, for a person.
func (r rowReader) identity(rows []int) []alert.Field {
	if len(rows) == 0 {
		return nil
	}
	row := r.table.Rows[rows[0]]
	return r.readable(row, r.identityColumns(row))
}

// identityColumns returns the columns that say who a row is about. A row whose
// identity columns are all empty is about somebody unknown: then everything it
// says has to be the same for it to be the same activity.
func (r rowReader) identityColumns(row []any) []int {
	for _, c := range r.identities {
		if !isEmpty(row[c]) {
			return r.identities
		}
	}
	return r.rest
}

// isEmpty reports whether a value says nothing: it is null or the empty text, or
// an array of such.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case workspace.Dynamic:
		return isEmpty(v.Value())
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !isEmpty(e) })
	}
	return false
}

// encoded appends the values of columns for comparing, each written so that no
// other is written the same.
func (r rowReader) encoded(fields []alert.Field, row []any, columns []int) []alert.Field {
	for _, c := range columns {
		fields = append(fields, alert.Field{Identifier: r.table.Columns[c].Name, Value: encodedIdentity(row[c], slices.Contains(r.addresses, c))})
	}
	return fields
}

// encodedIdentity encodes a value without ambiguity. The elements of an array
// are sorted: make_set and make_list promise no order, and another order of the
// same elements is nothing new. An address counts as what it is, however it is
// spelled.
func encodedIdentity(value any, isAddress bool) string {
	elements, isArray := elementsOf(value)
	if !isArray {
		return workspace.Canonical(canonical(value, isAddress))
	}
	texts := make([]string, len(elements))
	for i, e := range elements {
		texts[i] = workspace.Canonical(canonical(e, isAddress))
	}
	slices.Sort(texts)
	if isAddress {
		texts = slices.Compact(texts) // two spellings are one address
	}
	sorted := make([]any, len(texts))
	for i, text := range texts {
		sorted[i] = text
	}
	return workspace.Canonical(sorted)
}

func elementsOf(value any) (elements []any, isArray bool) {
	if d, ok := value.(workspace.Dynamic); ok {
		elements, isArray = d.Value().([]any)
	}
	return elements, isArray
}

// canonical returns a value, or if it is a text and an address, that in its one
// spelling.
func canonical(value any, isAddress bool) any {
	if d, ok := value.(workspace.Dynamic); ok {
		value = d.Value()
	}
	if text, ok := value.(string); ok && isAddress {
		return alert.CanonicalAddress(text)
	}
	return value
}

// readable returns the values of columns for a person.
func (r rowReader) readable(row []any, columns []int) []alert.Field {
	fields := make([]alert.Field, len(columns))
	for i, c := range columns {
		text := workspace.Text(row[c])
		if slices.Contains(r.addresses, c) {
			text = alert.CanonicalAddress(text)
		}
		fields[i] = alert.Field{Identifier: r.table.Columns[c].Name, Value: text}
	}
	return fields
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

// These are the members of an element of an events column that is an object.
// They say its id; a group of events, which are the same if they are close;
// when it was; and what its id was when the rule took another for it.
const (
	idKey     = "id"
	groupKey  = "group"
	timeKey   = "time"
	formerKey = "former"
)

// eventsOf returns the row's events.
func (r rowReader) eventsOf(row []any) []ledger.Event {
	var events []ledger.Event
	r.eachEvent(row, func(value any) {
		e := eventOf(value)
		e.Former = formerEvents(value)
		events = append(events, e)
	})
	return events
}

// recordedOf returns what the ledger keeps of the row's events, sorted and each once.
func (r rowReader) recordedOf(row []any) []alert.EventID {
	var ids []alert.EventID
	r.eachEvent(row, func(value any) {
		e := eventOf(value)
		ids = append(ids, e.ID)
		if e.Group != "" {
			ids = append(ids, e.Group)
		}
	})
	slices.Sort(ids)
	return slices.Clip(slices.Compact(ids))
}

// eachEvent calls with each value of a row that stands for an event.
func (r rowReader) eachEvent(row []any, with func(value any)) {
	for _, c := range r.events {
		value := row[c]
		if d, ok := value.(workspace.Dynamic); ok {
			value = d.Value()
			if elements, isArray := value.([]any); isArray {
				for _, e := range elements {
					if !isEmpty(e) {
						with(e)
					}
				}
				continue
			}
		}
		if !isEmpty(value) {
			with(value)
		}
	}
}

// formerEvents returns what format 1 of the ledger has for the event that a value
// stands for.
func formerEvents(value any) []alert.EventID {
	object, _ := value.(map[string]any)
	switch former := object[formerKey]; {
	case isEmpty(object[idKey]):
		return []alert.EventID{alert.FormerEventID(workspace.Text(value))}
	case !isEmpty(former):
		return []alert.EventID{alert.FormerEventID(workspace.Text(former))}
	}
	return nil
}

// eventOf returns the event that a value stands for, without what format 1 has for it.
func eventOf(value any) ledger.Event {
	object, _ := value.(map[string]any)
	if isEmpty(object[idKey]) {
		return ledger.Event{ID: alert.NewEventID(workspace.Canonical(value))}
	}
	e := ledger.Event{ID: alert.NewEventID(workspace.Canonical(object[idKey]))}
	if text, ok := object[timeKey].(string); ok {
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			e.Time = at.UTC()
			if group := object[groupKey]; !isEmpty(group) {
				e.Group = alert.NewGroupMark(workspace.Canonical(group), e.Time)
			}
		}
	}
	return e
}

func mergedEvents(a, b []alert.EventID) []alert.EventID {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// mostListed is how many activities that are no news a window lists: there may
// be very many.
const mostListed = 1000

// sort returns what is new of what was found, as the ledger answers, and what the
// rule's suppression holds back of it. It lists in the window's run what is
// neither.
func (r rowReader) sort(f found, answer ledger.Answer, w *WindowRun) (news, suppressed found) {
	news = found{activities: answer.News, rows: f.rows[:0]}
	suppressed = found{activities: answer.Suppressed, rows: make([][]int, 0, len(answer.Suppressed))}
	// The answer is in the order of the question.
	next, held := answer.News, answer.Suppressed
	for i, a := range f.activities {
		switch {
		case isNext(next, a):
			next = next[1:]
			news.rows = append(news.rows, f.rows[i])
		case isNext(held, a):
			held = held[1:]
			suppressed.rows = append(suppressed.rows, f.rows[i])
		default:
			list(&w.Dropped, &w.MoreDropped, r.dropped(a, f.rows[i]))
		}
	}
	return news, suppressed
}

func (r rowReader) dropped(a alert.Activity, rows []int) Dropped {
	return Dropped{Span: a.Span, Identity: r.identity(rows)}
}

// list adds to those that a window lists, or counts how many more there are.
func list(to *[]Dropped, more *int, d Dropped) {
	if len(*to) == mostListed {
		*more++
		return
	}
	*to = append(*to, d)
}

func isNext(list []alert.Activity, a alert.Activity) bool {
	return len(list) > 0 && list[0].Fingerprint == a.Fingerprint && list[0].Span.Equal(a.Span)
}
