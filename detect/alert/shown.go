package alert

import "slices"

// The most columns and values that stand in for details.
const (
	mostShownColumns = 8
	mostShownValues  = 10
)

// ShowsColumns reports whether the alert names nobody and has no custom details, so
// that the first columns of its rows stand in for them: an alert without anything on
// it helps nobody.
func (a Alert) ShowsColumns() bool {
	named := slices.ContainsFunc(a.Entities, func(e Entity) bool { return len(e.Fields) > 0 })
	detailed := slices.ContainsFunc(a.CustomDetails, func(d Detail) bool {
		return slices.ContainsFunc(d.Values, func(v string) bool { return v != "" })
	})
	return !named && !detailed && len(a.Rows) > 0
}

// Shown returns the details to show: the custom details, or the columns that stand in
// for them, those that have a value.
func (a Alert) Shown() []Detail {
	if !a.ShowsColumns() {
		return a.CustomDetails
	}
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
		if len(d.Values) > 0 {
			details = append(details, d)
		}
	}
	return details
}
