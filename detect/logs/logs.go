// Package logs reads exported logs into the tables of the query engine.
//
// It takes what a workspace and its tools write: NDJSON and JSON arrays with
// the columns at the top level, the diagnostic-settings export with its nested
// properties, the resources of Microsoft Graph and the Entra portal's downloads,
// answers of APIs, CSV and Parquet, each also inside the envelopes that tools add,
// compressed with gzip, zstd or zip, and laid out in folders of any depth. What
// a file is is told by its content; then records are unwrapped from it one by
// one, and each is mapped to the columns of its table.
//
// A record that cannot be used is counted and reported with its file, line and
// reason, and the rest is read. The input is not trusted: whatever it holds,
// reading takes memory in proportion to the records that are kept and to the
// longest line that is allowed.
package logs

import (
	"context"
	"io"
	"time"

	"pushback/detect/kql"
)

// The limits that hold where Options leaves them zero.
const (
	DefaultMaxLine = 16 << 20
	DefaultMaxRows = 20_000_000
)

// Options says what to read. The zero value reads everything.
type Options struct {
	// Tables says which tables to keep, by name. Nil keeps all.
	Tables func(table string) bool
	// Table is the table of records that do not say theirs. A file that nobody
	// chose, but that a folder holds, may say it better by its name.
	Table string
	// FileTable gives the table of such records in one file, by its path, or "".
	// It counts before Table. Nil gives none.
	FileTable func(path string) string
	// Columns names the columns of a table to keep; TimeGenerated and
	// _TimeReceived are kept in any case. The other columns of a known table
	// are null; those of any other are left out. A nil function, or a nil
	// result, keeps all of them.
	Columns func(table string) []string
	// Rows gives, for a known table, a filter of its rows: see
	// kql.TableBuilder.Keep. Records that it leaves out count as read. A nil
	// function, or a nil result, keeps all.
	Rows func(table string) *kql.RowFilter
	// Progress gets how many bytes of the files were read so far, and how
	// many there are, or 0 if that is not known. Bytes are as stored, so a
	// compressed file counts as it is on disk. Calls come one after the other, but
	// from any goroutine.
	Progress func(done, total int64)
	// Received is called with each record that says when the workspace received it, in
	// _TimeReceived; those that Rows leaves out are among them. Calls come one after the
	// other, but from any goroutine. Nil is never called.
	Received func(table string, generated, received time.Time)
	// MaxLine is the longest line, in bytes, and the longest record of a
	// format that is not made of lines. What is longer is a bad line.
	MaxLine int
	// MaxRows bounds the rows of all tables together. Going past it is an
	// error, because results over a part of the logs would mislead.
	MaxRows int
	// GoOn reads the other files where some hold nothing that can be read, and lists
	// those in the report's Unusable. All of them being so is an error in any case.
	GoOn bool
	// DateOrder is that of dates such as 04/03/2026 in columns of which no date
	// tells it. What a file proves to be otherwise is an error.
	DateOrder DateOrder
}

// Logs is what was read.
type Logs struct {
	Tables []*kql.Table // sorted by name
	Report Report
}

// Table returns the table of that name, or nil. Names are compared with case.
func (l *Logs) Table(name string) *kql.Table {
	for _, t := range l.Tables {
		if t.Name() == name {
			return t
		}
	}
	return nil
}

// Read reads a folder with all the folders in it, in the order of their names,
// or a single file. Hidden files are passed over, and files of no known kind
// are listed in the report. It is an error if nothing can be read at all, and
// if a file holds nothing but bad lines.
func Read(ctx context.Context, path string, opts Options) (*Logs, error) {
	return ReadAll(ctx, []string{path}, nil, opts)
}

// ReadAll reads several files and folders as Read does one, in their order. A
// path - is that of stdin, which may be nil if no path is. A file that is in
// several of them is read once.
func ReadAll(ctx context.Context, paths []string, stdin io.Reader, opts Options) (*Logs, error) {
	r := NewReader(opts)
	if err := r.Paths(ctx, paths, stdin); err != nil {
		return nil, err
	}
	return r.Finish()
}

// Paths reads several files and folders, as ReadAll does.
func (r *Reader) Paths(ctx context.Context, paths []string, stdin io.Reader) error {
	all := new(found)
	for _, path := range paths {
		if path == Stdin {
			all.sources = append(all.sources, source{path: StdinName, src: interruptible(ctx, stdin)})
			continue
		}
		f, err := find(path)
		if err != nil {
			return err
		}
		all.join(f)
	}
	if len(paths) > 1 {
		all.once()
	}
	return r.files(ctx, all)
}

// Stdin is the path of standard input, and StdinName what messages call it.
const (
	Stdin     = "-"
	StdinName = "standard input"
)

// interruptible reads a source that may never end: until the context does.
func interruptible(ctx context.Context, src io.Reader) io.Reader {
	out, in := io.Pipe()
	context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })
	go func() {
		_, err := io.Copy(in, src)
		in.CloseWithError(err)
	}()
	return out
}

// span keeps the earliest and the latest of the times it is shown.
type span struct{ first, last time.Time }

// add takes a time of a record, which is never the zero time: see plausibleTime.
func (s *span) add(t time.Time) {
	if s.first.IsZero() || t.Before(s.first) {
		s.first = t
	}
	if t.After(s.last) {
		s.last = t
	}
}
