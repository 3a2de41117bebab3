package kql

import (
	"slices"
	"time"
)

// Hours lists the starts of the hours in which the table has rows, in order. It
// goes by TimeGenerated, and rows that are left out count too.
func (t *Table) Hours() []time.Time {
	if t.generated < 0 {
		return nil
	}
	var hours []time.Time
	seen := make(map[int64]bool)
	for hour := range t.leftOut.hours {
		seen[hour] = true
		hours = append(hours, ticksToTime(hour*ticksPerHour))
	}
	for row := range t.rows {
		v := t.Value(row, t.generated)
		if hour := v.n / ticksPerHour; !v.IsNull() && !seen[hour] {
			seen[hour] = true
			hours = append(hours, ticksToTime(hour*ticksPerHour))
		}
	}
	slices.SortFunc(hours, time.Time.Compare)
	return hours
}
