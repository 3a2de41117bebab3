package kql

import (
	"time"
)

// Table is a named set of rows in typed columns. It does not change once it
// is built, so any number of queries can read it at once.
type Table struct {
	name     string
	schema   Schema
	segments []segment
	rows     int
	// generated and received are the positions of columns, or -1. They are
	// TimeGenerated, and when the workspace got the row.
	generated, received int
	leftOut             leftOut
	indexes             *textIndexes

	warnings  []string   // of the query that it is the result of
	rendering *Rendering // that the query asks for, or nil
	others    []*Table   // that fork and facet give beside it
}

// segment is chunkRows rows of a table; only the last one can have fewer. Its
// vectors are the batches that a scan gives, so reading copies nothing.
type segment struct {
	n        int
	cols     []*vector
	times    timeRange // of TimeGenerated
	received timeRange // of when the workspace got the rows, as far as they say
}

// Warnings returns what the reader of a query's result should know.
func (t *Table) Warnings() []string { return t.warnings }

// Others returns the tables that a query gives besides, by fork or facet.
func (t *Table) Others() []*Table { return t.others }

// Rendering returns what the query's render operator asks for, nil if it has
// none.
func (t *Table) Rendering() *Rendering { return t.rendering }

// The columns that a workspace gives a meaning of its own.
const (
	generatedColumn = "TimeGenerated"
	receivedColumn  = "_TimeReceived"
)

// chunkRows is how many rows go through the operators at once. They are enough
// to make the work per batch small against the work per row, and few enough to
// stay in the processor's cache.
const chunkRows = 4096

// timeRange is the least and the greatest tick among rows; hasNull when some
// row has none.
type timeRange struct {
	min, max int64
	hasNull  bool
}

// Name returns the table's name.
func (t *Table) Name() string { return t.name }

// Schema returns the columns, which the caller must not change.
func (t *Table) Schema() Schema { return t.schema }

// Rows returns the number of rows.
func (t *Table) Rows() int { return t.rows }

// LeftOut returns the number of rows that a row filter spared the table.
func (t *Table) LeftOut() int { return t.leftOut.rows }

// Value returns one cell; row and column count from 0.
func (t *Table) Value(row, column int) Value {
	return t.segments[row/chunkRows].cols[column].value(row % chunkRows)
}

// TimeRange returns the earliest and the latest TimeGenerated, and false if no
// row has one. Rows that are left out count too.
func (t *Table) TimeRange() (first, last time.Time, ok bool) {
	lo, hi := maxTicks+1, int64(-1)
	if t.leftOut.rows > 0 {
		lo, hi = t.leftOut.times.min, t.leftOut.times.max
	}
	for _, s := range t.segments {
		lo, hi = min(lo, s.times.min), max(hi, s.times.max)
	}
	if hi < lo {
		return time.Time{}, time.Time{}, false
	}
	return ticksToTime(lo), ticksToTime(hi), true
}

// newTable makes a table of whole columns, which it keeps.
func newTable(name string, schema Schema, cols []*vector, rows int) *Table {
	t := &Table{name: name, schema: schema}
	for from := 0; from < rows; from += chunkRows {
		to := min(from+chunkRows, rows)
		part := make([]*vector, len(cols))
		for i, c := range cols {
			part[i] = c.slice(from, to)
		}
		t.segments = append(t.segments, segment{n: to - from, cols: part})
	}
	t.finish()
	return t
}

// finish learns from the segments what the table must know of itself.
func (t *Table) finish() {
	t.indexes = new(textIndexes)
	t.generated, t.received = timeColumn(t.schema, generatedColumn), timeColumn(t.schema, receivedColumn)
	for i := range t.segments {
		s := &t.segments[i]
		t.rows += s.n
		s.times, s.received = t.rangeOf(s, t.generated), t.rangeOf(s, t.received)
	}
}

// rangeOf finds the least and the greatest of a segment's times in a column, which
// may be -1, and has the column know it too.
func (t *Table) rangeOf(s *segment, at int) timeRange {
	r := timeRange{min: maxTicks + 1, max: -1}
	if at < 0 {
		return r
	}
	times := s.cols[at]
	for row := range s.n {
		if times.isNull(row) {
			r.hasNull = true
			continue
		}
		tick := times.ints[times.at(row)]
		r.min, r.max = min(r.min, tick), max(r.max, tick)
	}
	if !r.hasNull && s.n > 0 {
		within := *times
		within.within = &r
		s.cols[at] = &within
	}
	return r
}

func timeColumn(s Schema, name string) int {
	if i := s.Index(name); i >= 0 && s[i].Type == DateTime {
		return i
	}
	return -1
}
