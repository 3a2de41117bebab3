package kql

import (
	"fmt"
	"time"
)

// Table is a named set of rows in typed columns. It does not change once it
// is built; only the lazy parsing of JSON text writes to it, so it must not be
// queried by two goroutines at once.
type Table struct {
	name   string
	schema Schema
	cols   []*vector
	rows   int
	// generated and received are the positions of TimeGenerated and of the
	// column that says when the workspace got the row, or -1.
	generated, received int
	chunks              []timeRange // of TimeGenerated, one per chunkRows rows

	warnings  []string   // of the query that it is the result of
	rendering *Rendering // that the query asks for, or nil
}

// Warnings returns what the reader of a query's result should know.
func (t *Table) Warnings() []string { return t.warnings }

// Rendering returns what the query's render operator asks for, nil if it has
// none.
func (t *Table) Rendering() *Rendering { return t.rendering }

// The columns that a workspace gives a meaning of its own.
const (
	generatedColumn = "TimeGenerated"
	receivedColumn  = "_TimeReceived"
)

// chunkRows is how many rows go through the operators at once: enough to make
// the work per batch small against the work per row, few enough to stay in the
// processor's cache.
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

// Value returns one cell; row and column count from 0.
func (t *Table) Value(row, column int) Value { return t.cols[column].value(row) }

// TimeRange returns the earliest and the latest TimeGenerated, and false if no
// row has one.
func (t *Table) TimeRange() (first, last time.Time, ok bool) {
	lo, hi := maxTicks+1, int64(-1)
	for _, c := range t.chunks {
		lo, hi = min(lo, c.min), max(hi, c.max)
	}
	if hi < lo {
		return time.Time{}, time.Time{}, false
	}
	return ticksToTime(lo), ticksToTime(hi), true
}

func newTable(name string, schema Schema, cols []*vector, rows int) *Table {
	t := &Table{name: name, schema: schema, cols: cols, rows: rows}
	t.generated, t.received = timeColumn(schema, generatedColumn), timeColumn(schema, receivedColumn)
	if t.generated < 0 {
		return t
	}
	times := cols[t.generated]
	for from := 0; from < rows; from += chunkRows {
		c := timeRange{min: maxTicks + 1, max: -1}
		for i := from; i < min(from+chunkRows, rows); i++ {
			if times.isNull(i) {
				c.hasNull = true
				continue
			}
			tick := times.ints[times.at(i)]
			c.min, c.max = min(c.min, tick), max(c.max, tick)
		}
		t.chunks = append(t.chunks, c)
	}
	return t
}

func timeColumn(s Schema, name string) int {
	if i := s.Index(name); i >= 0 && s[i].Type == DateTime {
		return i
	}
	return -1
}

// internStrings bounds the distinct strings of a column that are kept to be
// shared: sign-in logs repeat most of what they say, but not their ids.
const internStrings = 1 << 14

// TableBuilder collects rows. Set cells of the current row in any order, then
// Commit it, or Discard it; cells not set are null (strings empty).
type TableBuilder struct {
	name   string
	schema Schema
	cols   []*vector
	intern []map[string]string
	rows   int
}

// NewTableBuilder starts a table. The names of the schema must be unique.
func NewTableBuilder(name string, schema Schema) *TableBuilder {
	b := &TableBuilder{name: name}
	for _, c := range schema {
		b.AddColumn(c)
	}
	return b
}

// Schema returns the columns so far, which the caller must not change.
func (b *TableBuilder) Schema() Schema { return b.schema }

// Rows returns the number of rows committed.
func (b *TableBuilder) Rows() int { return b.rows }

// AddColumn adds a column, null in the rows so far, and returns its position.
func (b *TableBuilder) AddColumn(c ColumnSchema) int {
	b.schema = append(b.schema, c)
	v := &vector{typ: c.Type}
	for range b.rows {
		v.appendValue(Value{})
	}
	b.cols = append(b.cols, v)
	b.intern = append(b.intern, nil)
	return len(b.cols) - 1
}

// cell makes room for the current row in a column and returns the vector.
func (b *TableBuilder) cell(col int) *vector {
	v := b.cols[col]
	if v.n == b.rows {
		v.appendValue(Value{})
	}
	return v
}

func (b *TableBuilder) setInt(col int, n int64) {
	v := b.cell(col)
	v.ints[b.rows] = n
	if v.nulls != nil {
		v.nulls[b.rows] = false
	}
}

// SetBool sets a cell of a Bool column.
func (b *TableBuilder) SetBool(col int, x bool) { b.setInt(col, boolValue(x).n) }

// SetLong sets a cell of an Int or a Long column.
func (b *TableBuilder) SetLong(col int, n int64) { b.setInt(col, n) }

// SetReal sets a cell of a Real column.
func (b *TableBuilder) SetReal(col int, f float64) {
	v := b.cell(col)
	v.reals[b.rows] = f
	if v.nulls != nil {
		v.nulls[b.rows] = false
	}
}

// SetTime sets a cell of a DateTime column, to 100 ns. Instants outside the
// years 1 to 9999 are null.
func (b *TableBuilder) SetTime(col int, t time.Time) {
	v := b.cell(col)
	if v.nulls != nil {
		v.nulls[b.rows] = false
	}
	v.set(b.rows, datetimeValue(timeToTicks(t)))
}

// SetTimeSpan sets a cell of a TimeSpan column, to 100 ns.
func (b *TableBuilder) SetTimeSpan(col int, d time.Duration) { b.setInt(col, int64(d)/100) }

// SetString sets a cell of a String column to the text, which is copied.
func (b *TableBuilder) SetString(col int, text []byte) {
	v := b.cell(col)
	if len(text) == 0 {
		v.strs[b.rows] = ""
		return
	}
	known := b.intern[col]
	if s, ok := known[string(text)]; ok {
		v.strs[b.rows] = s
		return
	}
	s := string(text)
	v.strs[b.rows] = s
	if known == nil {
		known = make(map[string]string)
		b.intern[col] = known
	}
	if len(known) < internStrings {
		known[s] = s
	}
}

// SetJSON sets a cell of a Dynamic column to a JSON value, which the caller
// has checked to be valid; it is copied, and parsed when a query looks at it.
func (b *TableBuilder) SetJSON(col int, text []byte) {
	b.cell(col).vals[b.rows] = Value{kind: kindJSON, s: string(text)}
}

// SetText sets a cell of any type from its text, as the conversion functions
// of KQL (todatetime, tolong and so on) read it. It reports false, and leaves
// the cell null, if the text is not of the column's type.
func (b *TableBuilder) SetText(col int, text []byte) bool {
	t := b.schema[col].Type
	if t == String {
		b.SetString(col, text)
		return true
	}
	val := convert(stringValue(string(text)), t)
	b.cell(col).set(b.rows, val)
	return !val.IsNull()
}

// Commit ends the current row.
func (b *TableBuilder) Commit() {
	b.rows++
	for _, v := range b.cols {
		if v.n < b.rows {
			v.appendValue(Value{})
		}
	}
}

// Discard forgets what was set since the last Commit.
func (b *TableBuilder) Discard() {
	for i, v := range b.cols {
		if v.n > b.rows {
			*v = *v.slice(0, b.rows)
			b.cols[i] = v
		}
	}
}

// Retype converts a column to another type, cell by cell, as tostring(),
// tolong() and so on do. What does not convert becomes null.
func (b *TableBuilder) Retype(col int, to Type) {
	old := b.cols[col]
	v := &vector{typ: to}
	for i := range old.n {
		v.appendValue(convert(old.value(i), to))
	}
	b.cols[col], b.intern[col] = v, nil
	b.schema[col].Type = to
}

// Cell returns a committed cell, for a caller who wants to decide on a type.
func (b *TableBuilder) Cell(row, col int) Value { return b.cols[col].value(row) }

// Build returns the table. The builder must not be used afterwards.
func (b *TableBuilder) Build() *Table {
	for i, v := range b.cols {
		if v.n != b.rows {
			panic(fmt.Sprintf("kql: column %s has %d cells in %d rows", b.schema[i].Name, v.n, b.rows))
		}
	}
	return newTable(b.name, b.schema, b.cols, b.rows)
}
