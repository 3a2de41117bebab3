package kql

import (
	"maps"
	"slices"
	"time"
)

// Hours lists the starts of the hours in which the table has rows, in order. It
// goes by TimeGenerated, and rows that are left out count too.
func (t *Table) Hours() []time.Time {
	return slices.SortedFunc(maps.Keys(t.RowsPerHour()), time.Time.Compare)
}

// RowsPerHour counts the rows of each hour that has any, by the hour's start. It
// goes by TimeGenerated, and rows that are left out count too.
func (t *Table) RowsPerHour() map[time.Time]int {
	if t.generated < 0 {
		return nil
	}
	ticks := maps.Clone(t.leftOut.hours)
	if ticks == nil {
		ticks = make(map[int64]int)
	}
	for row := range t.rows {
		if v := t.Value(row, t.generated); !v.IsNull() {
			ticks[v.n/ticksPerHour]++
		}
	}
	hours := make(map[time.Time]int, len(ticks))
	for hour, rows := range ticks {
		hours[ticksToTime(hour*ticksPerHour)] = rows
	}
	return hours
}
