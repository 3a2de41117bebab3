package alert

import (
	"slices"
	"strings"
)

// The most columns and values that stand in for details.
const (
	mostShownColumns = 8
	mostShownValues  = 10
)

// NamesNobody reports whether the alert has no entity.
func (a Alert) NamesNobody() bool {
	return !slices.ContainsFunc(a.Entities, func(e Entity) bool { return len(e.Fields) > 0 })
}

// ShowsColumns reports whether the alert has no custom details, so that the first columns
// of its rows stand in for them: an alert that says no more than whom it is about helps
// nobody.
func (a Alert) ShowsColumns() bool {
	detailed := slices.ContainsFunc(a.CustomDetails, func(d Detail) bool {
		return slices.ContainsFunc(d.Values, func(v string) bool { return v != "" })
	})
	return !detailed && len(a.Rows) > 0
}

// Shown returns the details to show: the custom details, or the columns that stand in
// for them, those that have a value. Columns that say when, which every alert says, or
// what an entity says or the service adds are among them only if there are no others.
func (a Alert) Shown() []Detail {
	if !a.ShowsColumns() {
		return a.CustomDetails
	}
	details := a.columns(func(d Detail) bool { return !saidAnyway(d.Name) && !a.isEntity(d) })
	if len(details) == 0 && a.NamesNobody() {
		details = a.columns(func(Detail) bool { return true })
	}
	return details
}

// columns returns the first columns of the rows that are worth showing.
func (a Alert) columns(worth func(Detail) bool) []Detail {
	var details []Detail
	for i, first := range a.Rows[0] {
		if len(details) == mostShownColumns {
			break
		}
		d := Detail{Name: first.Column}
		for _, row := range a.Rows {
			if len(d.Values) == mostShownValues {
				break
			}
			if i >= len(row) {
				continue
			}
			if v := row[i].Text(); v != "" && v != "null" && !slices.Contains(d.Values, v) {
				d.Values = append(d.Values, v)
			}
		}
		if len(d.Values) > 0 && worth(d) {
			details = append(details, d)
		}
	}
	return details
}

// saidAnyway reports whether a column of that name says when, or is one that the service
// adds to every record.
func saidAnyway(name string) bool {
	switch strings.ToLower(name) {
	case "timegenerated", "timestamp", "starttime", "endtime", "tenantid", "sourcesystem", "type", "mg", "managementgroupname":
		return true
	}
	return strings.HasPrefix(name, "_")
}

// isEntity reports whether all values of a column are those of entities.
func (a Alert) isEntity(d Detail) bool {
	return !slices.ContainsFunc(d.Values, func(v string) bool {
		return !slices.ContainsFunc(a.Entities, func(e Entity) bool {
			return slices.ContainsFunc(e.Fields, func(f Field) bool { return strings.EqualFold(f.Value, v) || f.Value == CanonicalAddress(v) })
		})
	})
}
