package logs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"pushback/detect/kql"
)

// How many problems are kept with their place; the others are only counted.
const (
	problemsPerFile = 20
	problemsInAll   = 100
	warningsInAll   = 100
)

// Report says what was read and what could not be. It is complete: whatever
// the tables do not hold is counted somewhere in it.
type Report struct {
	Files       []File        // in the order they were read
	Skipped     []Skipped     // files that were not read
	Unusable    []error       // of files that gave no record, if Options.GoOn
	Tables      []TableReport // sorted by name
	Records     int64         // records kept
	Ignored     int64         // good records of tables that Options.Tables left out
	Bad         int64         // records that could not be used
	Problems    []Problem     // the first of the bad records
	Conversions []Conversion  // sorted by table and column
	Warnings    []Problem     // what deserves a look but lost no record
	Bytes       int64         // read from the files, as stored
}

// File is one file that was read.
type File struct {
	Path       string
	Format     string // "NDJSON", "JSON", "CSV" or "Parquet"; "" when it is empty
	Compressed bool
	Bytes      int64 // as stored
	Records    int64 // kept, or of a table that is left out
	Bad        int64
}

// Skipped is a file that was not read, and why.
type Skipped struct {
	Path   string
	Reason string
}

// TableReport is what the files held of one table. First and Last are zero if
// it has no rows.
type TableReport struct {
	Name        string
	Records     int64
	Bad         int64 // bad records that are known to be of this table
	First, Last time.Time
	// Extra names the columns that the files have beyond the table's known
	// schema. It is empty for a table that has none.
	Extra []string
}

// Conversion counts the cells of a column that are not of its type. They are
// null in the table.
type Conversion struct {
	Table, Column string
	Type          kql.Type
	Count         int64
	First         Problem // the first of them
}

// Problem is something wrong at one place.
type Problem struct {
	File   string
	Line   int // 0 if it is about the whole file
	Column int // in bytes, from 1; 0 if it is about the whole line
	Reason string
}

// String gives file:line:column: reason, leaving out what is not known.
func (p Problem) String() string {
	var sb strings.Builder
	sb.WriteString(shownPath(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&sb, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&sb, ":%d", p.Column)
		}
	}
	sb.WriteString(": ")
	sb.WriteString(p.Reason)
	return sb.String()
}

// FileError says that a file gave no record: every line of it is bad.
type FileError struct {
	Path     string
	Bad      int64
	Problems []Problem // the first of them
}

func (e *FileError) Error() string {
	var sb strings.Builder
	if e.Bad == 1 {
		fmt.Fprintf(&sb, "logs: %s holds nothing that can be read", shownPath(e.Path))
	} else {
		fmt.Fprintf(&sb, "logs: %s holds nothing that can be read; all of its %d records are bad", shownPath(e.Path), e.Bad)
	}
	shown := e.Problems[:min(3, len(e.Problems))]
	for _, p := range shown {
		sb.WriteString("\n  ")
		sb.WriteString(p.String())
	}
	if more := e.Bad - int64(len(shown)); more > 0 {
		fmt.Fprintf(&sb, "\n  and %d more", more)
	}
	return sb.String()
}

// shownPath quotes a path that holds what would not show as itself: a file
// may be called anything, a line break included.
func shownPath(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}

// excerpt quotes a piece of the input for a message. What is quoted cannot
// reach a terminal as control characters.
func excerpt(text []byte) string {
	const most = 60
	if len(text) <= most {
		return strconv.Quote(string(text))
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strconv.Quote(string(text[:cut])) + "..."
}
