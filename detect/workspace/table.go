package workspace

import "strings"

// Table is the result of a query.
type Table struct {
	Columns []Column
	// Rows hold one value per column, of the Go type of the column's type:
	//
	//	bool           bool
	//	int, long      int64
	//	real           float64, with NaN and infinities
	//	string, guid   string
	//	decimal        string, with every digit
	//	datetime       time.Time in UTC, exact to 100 ns
	//	timespan       time.Duration, or string, as the service wrote it, if
	//	               it is past the 292 years that a Duration can hold
	//	dynamic        Dynamic
	//
	// Null is nil. A string is never null, as in KQL, but may be empty.
	Rows [][]any
	// NoData says that the workspace holds no data at all, of any table. It does
	// not look at the query then, so there are no columns either.
	NoData bool
	// Warnings are what the service had to say of a complete answer, such as a
	// part of a fuzzy union that it could not find. Each is a line.
	Warnings []string
}

// Column is a column of a [Table].
type Column struct {
	Name string
	Type string // bool, datetime, decimal, dynamic, guid, int, long, real, string or timespan
}

// Column returns the index of a column, or -1. KQL keeps apart names that
// differ only in case, so the exact name wins; without it, the first that
// differs only in case is taken.
func (t *Table) Column(name string) int {
	folded := -1
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
		if folded < 0 && strings.EqualFold(c.Name, name) {
			folded = i
		}
	}
	return folded
}
