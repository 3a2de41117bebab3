package logs

import (
	"fmt"
	"strings"
	"time"

	"pushback/detect/kql"
)

// Limits on what names in the input can make the reader keep.
const (
	maxTables     = 500
	maxRemembered = 10_000 // spellings of types, categories and members
)

// tableOf finds the table of a record: by its Type, its category, or what is
// known of its file. Without one it says why.
func (f *file) tableOf(members []member, m *marks, exported bool, line int) (t *table, reason string, err error) {
	switch {
	case exported:
		t, err = f.tableOfCategory(f.parser.text(m.category.value))
	case m.typ != nil && m.typ.value.kind != 'n' && len(f.parser.text(m.typ.value)) > 0:
		text := f.parser.text(m.typ.value)
		if t = f.lookup[string(text)]; t != nil {
			return t, "", nil
		}
		if m.typ.value.kind == '{' || m.typ.value.kind == '[' || !plausible().Match(text) {
			return nil, fmt.Sprintf("Type: %s is not a table's name", excerpt(text)), nil
		}
		if t, err = f.table(string(text)); t != nil && len(f.lookup) < maxRemembered {
			f.lookup[string(text)] = t
		}
	default:
		if m.category != nil {
			if known, ok := categories[strings.ToLower(string(f.parser.text(m.category.value)))]; ok {
				t, err = f.table(known)
				break
			}
		}
		name := f.within
		if name == "" {
			name, reason = f.fileTable(members, line)
		}
		if name != "" {
			t, err = f.table(name)
		}
	}
	switch {
	case err != nil:
		return nil, err.Error(), nil
	case t == nil && exported:
		return nil, fmt.Sprintf("category: %s is not a log category", excerpt(f.parser.text(m.category.value))), nil
	case t == nil:
		return nil, reason, nil
	}
	return t, "", nil
}

// tableOfCategory finds the table of a record of the diagnostic export. A
// category that Microsoft Entra does not have is a table of its own, unless
// the path names a table that is known.
func (f *file) tableOfCategory(category []byte) (*table, error) {
	if t := f.byCategory[string(category)]; t != nil {
		return t, nil
	}
	name, entra := categories[strings.ToLower(string(category))]
	switch {
	case entra:
	case activityCategories[strings.ToLower(string(category))]:
		name = azureActivity
	case f.names.known(f.pathTable) != "":
		name = f.pathTable
	case plausible().Match(category):
		name = string(category)
	case f.pathTable != "":
		name = f.pathTable
	case f.ownName != "":
		name = f.ownName
	default:
		return nil, nil
	}
	t, err := f.table(name)
	if t == nil {
		return nil, err
	}
	t.entra = t.entra || entra
	if len(f.byCategory) < maxRemembered {
		f.byCategory[string(category)] = t
	}
	return t, nil
}

// table returns the table of that name, compared without case, and makes it if
// there is none.
func (r *Reader) table(name string) (*table, error) {
	if spelled, ok := r.names[strings.ToLower(name)]; ok {
		name = spelled
	}
	if t := r.tables[name]; t != nil {
		return t, nil
	}
	if len(r.tables) >= maxTables {
		return nil, fmt.Errorf("table %s: more than %d tables; is Type the name of a table?", excerpt([]byte(name)), maxTables)
	}
	name = r.names.add(name)
	t := newTable(name, kql.KnownTables()[name], &r.opts)
	r.tables[name] = t
	return t, nil
}

// generated reads the time of a record, without which it is in no window.
func (f *file) generated(table *table, members []member, m *member, exported bool, line int) (t time.Time, reason string, err error) {
	name := timeGenerated
	if exported {
		name = "time"
	}
	const expected = "expected ISO 8601, such as 2026-03-17T09:58:03Z"
	if m != nil && !strings.EqualFold(string(m.name), name) {
		name = string(m.name) // of a resource of Microsoft Graph
	}
	if m == nil || m.value.kind == 'n' {
		if m == nil && findMember(members, "@timestamp") != nil {
			return t, "a document of Elastic, whose fields are not those of the log, and which does not keep the original: " +
				"have the integration preserve it (event.original) and export that", nil
		}
		if m == nil && findMember(members, "eventTimestamp") != nil {
			return t, "an event of an activity log as Azure's management lists it, which is not read: " +
				"export AzureActivity of a workspace, or the activity log by its diagnostic settings", nil
		}
		if what := f.timeless(members); m == nil && what != "" {
			return t, what, nil
		}
		return t, name + " is missing; " + expected, nil
	}
	text := f.parser.text(m.value)
	if m.value.kind == '"' || m.value.kind == plainText {
		if len(text) == 0 {
			return t, name + " is empty; " + expected, nil
		}
		var ok bool
		f.ofServer = exported && string(m.name) == "time"
		t, ok, err = f.time(table, m.name, text, line)
		if f.ofServer = false; err != nil {
			return t, "", err
		}
		if ok {
			if !plausibleTime(t) {
				return t, fmt.Sprintf("%s: %s is not the time of a log record; expected one between 1970 and 2200", name, excerpt(text)), nil
			}
			return t, "", nil
		}
	}
	if m.value.kind == '0' || m.value.kind == plainText {
		if at, ok := epoch(text); ok {
			return at, "", nil
		}
	}
	return t, fmt.Sprintf("%s: %s is not a time; %s", name, excerpt(text), expected), nil
}

// plausibleTime says whether a record can be of that time. Programs write the
// first or the last moment they know for one that they do not know, and a
// single such record would stretch a replay over centuries.
func plausibleTime(t time.Time) bool { return t.Year() >= 1970 && t.Year() < 2200 }
