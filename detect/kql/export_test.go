package kql

import "time"

// What only tests need of a table that is being built.

// Schema returns the columns so far, which the caller must not change.
func (b *TableBuilder) Schema() Schema { return b.schema }

// SetTimeSpan sets a cell of a TimeSpan column, to 100 ns.
func (b *TableBuilder) SetTimeSpan(col int, d time.Duration) {
	b.cols[col].setInt(b.row(), int64(d)/100)
}

// Discard forgets what was set since the last Commit.
func (b *TableBuilder) Discard() {
	for _, c := range b.cols {
		c.cut(b.row())
	}
}

// Cell returns a committed cell.
func (b *TableBuilder) Cell(row, col int) Value {
	c := b.cols[col]
	if at := row / chunkRows; at < len(c.sealed) {
		return c.sealed[at].value(row % chunkRows)
	}
	return c.value(row % chunkRows)
}
