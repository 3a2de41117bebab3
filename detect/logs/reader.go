package logs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"pushback/detect/kql"
	"pushback/detect/logs/parquet"
)

// Reader collects the records of any number of files. Use File for each of
// them and then Finish. A Reader belongs to one goroutine.
type Reader struct {
	opts   Options
	names  names
	tables map[string]*table // by name
	lookup map[string]*table // by the Type that records carry, as they spell it
	parser parser
	inside parser // of objects inside the record that the other has
	lanes  map[laneKey]*lane
	lane   atomic.Pointer[lane] // that records took last
	alone  bool                 // no record takes one: what tests compare with
	laned  int64                // records that took one
	rows   int
	done   int64
	total  int64
	report Report
	failed error // what made the reader stop for good
}

// NewReader makes a Reader.
func NewReader(opts Options) *Reader {
	if opts.MaxLine <= 0 {
		opts.MaxLine = DefaultMaxLine
	}
	if opts.MaxRows <= 0 {
		opts.MaxRows = DefaultMaxRows
	}
	return &Reader{
		opts:   opts,
		names:  newNames(),
		tables: make(map[string]*table),
		lookup: make(map[string]*table),
		lanes:  make(map[laneKey]*lane),
	}
}

// File reads one file from src. The name is what messages call it; its parts
// may also name the table and the kind, as for a file on disk. Of a file that
// holds nothing but bad lines it returns a *FileError, and the Reader can go
// on; after any other error it cannot. A source that is an io.ReaderAt may be
// read twice: see DateOrderError.
func (r *Reader) File(ctx context.Context, name string, src io.Reader) error {
	return r.file(ctx, source{path: name, named: name}, src)
}

// Finish returns the tables. The Reader must not be used afterwards.
func (r *Reader) Finish() (*Logs, error) {
	switch {
	case r.failed != nil:
		return nil, r.failed
	case len(r.report.Files) == 0 && len(r.report.Skipped) > 0:
		first := r.report.Skipped[0]
		return nil, fmt.Errorf("logs: none of the %d files holds logs, such as %s: %s", len(r.report.Skipped), shownPath(first.Path), first.Reason)
	case len(r.report.Files) == 0:
		return nil, errors.New("logs: no file was read")
	}
	l := &Logs{Report: r.report}
	for _, t := range r.tables {
		if t.ignored {
			continue
		}
		built := t.build()
		summary := TableReport{Name: t.name, Records: int64(built.Rows() + built.LeftOut()), Bad: t.bad, Extra: t.extra()}
		summary.First, summary.Last = t.times.first, t.times.last
		l.Tables = append(l.Tables, built)
		l.Report.Tables = append(l.Report.Tables, summary)
		l.Report.Conversions = append(l.Report.Conversions, t.conversions()...)
		if t.dropped > 0 && len(l.Report.Warnings) < warningsInAll {
			l.Report.Warnings = append(l.Report.Warnings, t.droppedAt)
		}
	}
	slices.SortStableFunc(l.Tables, func(a, b *kql.Table) int { return strings.Compare(a.Name(), b.Name()) })
	slices.SortStableFunc(l.Report.Tables, func(a, b TableReport) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(l.Report.Conversions, func(a, b Conversion) int {
		return strings.Compare(a.Table+"\x00"+a.Column, b.Table+"\x00"+b.Column)
	})
	return l, nil
}

// file is a file that is being read.
type file struct {
	*Reader
	source
	w          *window
	lineNumber int // of the line after those that were put into tables
	report     File
	problems   []Problem
	pathTable  string // the table of records that do not say theirs; "" if that is not known
	ownName    string // what the file's name can be, if it is no known table
	noTable    string // why there is no such table

	declared      []member          // the columns that a header declares
	declaredTypes origin            // and their types
	byCategory    map[string]*table // of the categories that the path has a say in

	ctx      context.Context
	again    func() io.Reader // the file from its start; nil if it can be read only once
	stored   *stored          // not nil if it is a Parquet file
	dates    dateOrders
	inferred map[*column]*dateColumn // of columns whose type nothing declares
	looking  bool                    // only for what its dates prove
	zoned    bool                    // its header says which columns are times
	ofServer bool                    // the time that is being read was written by a service, the month first
	depth    int                     // of wrappers around the current record

	graphRecord  graphRecord
	frames       frames              // of the answer that is being read
	within       string              // the table that an envelope around the current record is called after
	texts        [][sha256.Size]byte // what was read as records in the current object
	spoiled      []spoiled
	warnedLegacy bool
	inLegacy     bool
}

func (r *Reader) file(ctx context.Context, s source, src io.Reader) error {
	if r.failed != nil {
		return r.failed
	}
	switch at, size, magic := indexed(src); magic {
	case zipMagic:
		return r.archive(ctx, s, at, size)
	case parquet.Magic:
		return r.parquet(ctx, s, at, size)
	}
	return r.stream(ctx, s, src, fromStart(src), -1)
}

// begin makes what reads a file.
func (r *Reader) begin(ctx context.Context, s source, again func() io.Reader) *file {
	f := &file{
		Reader:     r,
		source:     s,
		report:     File{Path: s.path},
		byCategory: make(map[string]*table),
		ctx:        ctx,
		again:      again,
	}
	f.nameTable()
	return f
}

// stream reads a file as its bytes come. Its size as stored is -1 if that is what
// comes.
func (r *Reader) stream(ctx context.Context, s source, src io.Reader, again func() io.Reader, size int64) error {
	if r.failed != nil {
		return r.failed
	}
	stored := &raw{ctx: ctx, src: src}
	if size < 0 {
		stored.progress = r.progress
	}
	f := r.begin(ctx, s, again)
	text, compressed, err := contents(stored)
	f.report.Compressed = compressed || size >= 0
	if stored.err != nil && (size < 0 || ctx.Err() != nil) {
		return r.fail(s.path, stored.err)
	}
	var inside *parquetInside
	if errors.As(err, &inside) {
		err = f.parquetInside(inside)
	} else if err == nil {
		f.w = newWindow(text, r.opts.MaxLine)
		err = f.read()
	}
	var foreign *foreignError
	switch {
	case errors.As(err, &foreign):
		return r.foreign(s, foreign.what)
	case f.stored != nil && err == nil:
	case f.stored != nil && !isBroken(err):
		return r.stop(s.path, err)
	case f.w == nil:
		f.broken(0, err)
	case err != nil:
		r.failed = err
		return err
	case stored.err != nil && (size < 0 || ctx.Err() != nil):
		return r.fail(s.path, stored.err)
	default:
		if err := f.w.failed(); err != nil {
			f.broken(f.w.line, err)
		}
	}
	f.report.Bytes = stored.n
	if size >= 0 {
		f.report.Bytes = size
		r.progress(size)
	}
	return f.close()
}

// nameTable finds the table that the file is said to be of, by somebody or by
// its name.
func (f *file) nameTable() {
	named, sure := f.names.fromPath(f.named)
	said := ""
	if f.opts.FileTable != nil {
		said = f.opts.FileTable(f.path)
	}
	if said == "" && (!f.loose || !sure) {
		said = f.opts.Table // of a file in a folder its name says more
	}
	switch {
	case said != "":
		f.pathTable = cmp.Or(f.names.exact(said), said)
	case sure:
		f.pathTable = named
	default:
		f.ownName = named
	}
}

// chosen says whether somebody said the table of the file's records.
func (f *file) chosen() bool {
	return f.opts.Table != "" && !f.loose || f.opts.FileTable != nil && f.opts.FileTable(f.path) != ""
}

// close adds the file to the report.
func (f *file) close() error {
	r := f.Reader
	f.inferOrders()
	f.warnOfSpoiled()
	r.report.Files = append(r.report.Files, f.report)
	r.report.Bytes += f.report.Bytes
	r.report.Bad += f.report.Bad
	room := max(0, problemsInAll-len(r.report.Problems))
	r.report.Problems = append(r.report.Problems, f.problems[:min(room, len(f.problems))]...)
	switch {
	case f.report.Records > 0:
	case f.report.Bad > 0:
		return &FileError{Path: f.path, Bad: f.report.Bad, Problems: f.problems}
	default:
		f.warn(0, "holds no records")
		f.keepEmpty()
	}
	return nil
}

// keepEmpty makes the table of a file without records, with the columns that its
// header declares: a table that is there and empty is not one that is missing.
func (f *file) keepEmpty() {
	name, _ := f.fileTable(f.declared, 1)
	if name == "" {
		return
	}
	t, err := f.table(name)
	if err != nil {
		f.warn(0, err.Error())
		return
	}
	if t.ignored {
		return
	}
	w := writer{file: f, table: t}
	for i, m := range f.declared {
		if !strings.EqualFold(string(m.name), timeGenerated) && t.flat.fields[string(m.name)] == nil {
			w.resolve(&t.flat, m.name, f.declaredTypes.typeOf(i))
		}
	}
}

// fail ends the reading for good.
func (r *Reader) fail(path string, err error) error {
	r.failed = fmt.Errorf("logs: read %s: %w", path, err)
	return r.failed
}

func (r *Reader) progress(n int64) {
	r.done += n
	if r.opts.Progress != nil {
		r.opts.Progress(r.done, r.total)
	}
}

// bad counts a record that cannot be used. The table is nil if it is not known.
func (f *file) bad(t *table, line, column int, reason string) {
	f.report.Bad++
	if t != nil {
		t.bad++
	}
	if len(f.problems) < problemsPerFile {
		f.problems = append(f.problems, Problem{File: f.path, Line: line, Column: column, Reason: reason})
	}
}

// broken counts what broke the stream. It goes before the problems that come
// of it.
func (f *file) broken(line int, err error) {
	f.report.Bad++
	f.problems = slices.Insert(f.problems, 0, Problem{File: f.path, Line: line, Reason: err.Error()})
	f.problems = f.problems[:min(problemsPerFile, len(f.problems))]
}

// badPiece counts a piece that is longer than the limit or was cut off, and
// reports whether it did.
func (f *file) badPiece(p piece) bool {
	switch {
	case p.cut && f.w.failed() != nil:
		return true // what broke the stream is reported at its end
	case p.tooLong():
		f.bad(nil, p.line, 0, fmt.Sprintf("a record of %d bytes; at most %d are read", p.length, f.opts.MaxLine))
	case p.cut:
		f.bad(nil, p.line, p.column, "the file ends inside this record; it seems to be cut off")
	default:
		return false
	}
	return true
}

func (f *file) warn(line int, reason string) {
	r := f.Reader
	if len(r.report.Warnings) < warningsInAll {
		r.report.Warnings = append(r.report.Warnings, Problem{File: f.path, Line: line, Reason: reason})
	}
}

// sniffed is how much of a file is looked at to find out what it is.
const sniffed = 64 << 10

// read finds the format by the first bytes, since endings are often wrong, and
// reads the file in it. An error is one that ends the reading for good.
func (f *file) read() error {
	first, ok := f.w.skipSpace()
	if !ok {
		return nil
	}
	head := f.w.prefix(sniffed)
	envelope := first == '{' && isEnvelope(head)
	header := first != '{' && first != '[' && isCSVHeader(head)
	if (!header || markdownTable.Match(head)) && !f.looking {
		if what := f.foreignHead(first, head, envelope); what != "" {
			return &foreignError{what}
		}
	}
	switch {
	case first == '[' || envelope || first == '{' && (isPretty(head) || isJoined(head) || isTable(head)):
		f.report.Format = "JSON"
		return f.readJSON()
	case first != '{' && (header || isCSV(f.named)):
		if what := foreignCSV(head); what != "" {
			return &foreignError{what}
		}
		f.report.Format = "CSV"
		return f.readCSV()
	}
	f.report.Format = "NDJSON"
	return f.readNDJSON()
}

// foreignHead says what a file is by its beginning, if that is neither a record
// nor a header, or "".
func (f *file) foreignHead(first byte, head []byte, envelope bool) string {
	switch first {
	case '{', '[', '"':
		switch {
		case bytes.HasPrefix(head, []byte("[{'")), bytes.HasPrefix(head, []byte("{'")):
			return foreignText(head)
		case first == '{':
			return foreignJSON(head, envelope)
		}
		return ""
	}
	if what := foreignText(head); what != "" && !bytes.Contains(head, []byte("\n{")) {
		return what
	}
	if f.loose && isPlainText(f.named) && !bytes.Contains(head, []byte(`{"`)) {
		return "a text without records: neither JSON nor CSV with a column TimeGenerated"
	}
	return ""
}

func firstLine(text []byte) []byte {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i]
	}
	return text
}
