// Package parquet reads the records of Parquet files, one by one, each column of a
// record as the JSON of its value.
//
// The files are not trusted. Every number in a file that says how much there is of
// something is held against what is there before memory is taken for it; what
// repeats a value, a run of levels say, is counted down and not written out; and
// the pages that are held at once, one of each column, have a limit together. So
// reading takes memory in proportion to them and to the longest record.
//
// See https://parquet.apache.org/docs/file-format and
// https://github.com/apache/parquet-format.
package parquet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits on what a file may make the reader hold.
const (
	MaxHeld    = 512 << 20 // bytes of all pages and dictionaries that are held at once
	maxPage    = 128 << 20 // bytes of a page, packed or not
	maxFooter  = 64 << 20
	maxHeader  = 1 << 20 // of a page
	maxGroups  = 1 << 20
	maxLeaves  = 10_000
	maxDepth   = 32 // of groups inside groups
	maxTypeLen = 1 << 20
	maxValues  = 1 << 24 // of a page, nulls among them

	// Pages may repeat a value for all of their records, and be compressed beside.
	// Files of logs grow much less than gzip can make a text grow at most; one
	// that grows more was made to.
	maxGrowth  = 1100
	alwaysRoom = 64 << 20 // bytes of values, of a file of any size
)

// Magic is what a Parquet file begins and ends with.
const Magic = "PAR1"

// Error says why a file cannot be read, or not to its end, in words that follow
// its name.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func wrong(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// damaged is the reason why what a file says cannot be.
func damaged(format string, args ...any) error {
	return wrong("the Parquet file is damaged (%s), so records may be wrong or missing; copy the file again", fmt.Sprintf(format, args...))
}

// Kind is what the values of a column are.
type Kind uint8

// The kinds of columns.
const (
	Text Kind = iota
	Bool
	Int  // of 32 bits at most
	Long // of 64 bits
	Real
	Decimal
	Time
	TimeSpan
	GUID
	Nested // an object or an array, or JSON
)

// Column is a column of a file: a member of its records.
type Column struct {
	Name string
	Kind Kind
}

// File is a Parquet file whose footer was read.
type File struct {
	// Progress gets how many bytes were read since it was called before. Nil is
	// never called.
	Progress func(n int64)

	src    io.ReaderAt
	size   int64
	root   *node
	leaves []*node
	groups [][]byte // the row groups, as the footer describes them
	held   int64

	packed  []byte // a page as it is stored
	codecs  codecs
	readers []*leaf
	err     error // what ended the reading

	ctx  context.Context
	out  []byte // the values of a record
	most int    // bytes of them
	over bool   // there are more
}

// Open reads the footer of a file. An error is an *Error, or one of the source.
func Open(src io.ReaderAt, size int64) (*File, error) {
	f := &File{src: src, size: size}
	const ends = len(Magic) + 4
	if size < int64(len(Magic)+ends) {
		return nil, wrong("the Parquet file is cut off; copy the file again")
	}
	tail := make([]byte, ends)
	if err := f.readAt(tail, size-int64(ends)); err != nil {
		return nil, err
	}
	length := int64(binary.LittleEndian.Uint32(tail))
	switch magic := string(tail[4:]); {
	case magic == "PARE":
		return nil, wrong("an encrypted Parquet file, which is not read: write it again without encryption")
	case magic != Magic:
		return nil, wrong("the Parquet file is cut off: its end, which says what is in it, is missing; copy the file again")
	case length > size-int64(ends+len(Magic)):
		return nil, damaged("its footer is longer than the file")
	case length > maxFooter:
		return nil, wrong("the Parquet file has a footer of %d bytes; at most %d are read: write it again with fewer row groups", length, maxFooter)
	}
	footer := make([]byte, length)
	if err := f.readAt(footer, size-int64(ends)-length); err != nil {
		return nil, err
	}
	return f, f.readFooter(footer)
}

func (f *File) readAt(p []byte, at int64) error {
	n, err := f.src.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return wrong("the Parquet file is cut off; copy the file again")
	}
	return err
}

// Columns lists the columns, in the order of the file.
func (f *File) Columns() []Column {
	list := make([]Column, len(f.root.children))
	for i, n := range f.root.children {
		list[i] = Column{n.name, n.kind()}
	}
	return list
}

// Rows reads the records. The function gets, for each of the columns, its value in
// JSON: null if there is none, a number or a boolean, else a string, an object or
// an array. Times are in ISO 8601. A record whose values take more than so many
// bytes together comes as nil. The values are valid until the function returns; an
// error of it ends the reading, and is returned. Any other error is an *Error, or
// one of the source.
func (f *File) Rows(ctx context.Context, most int, row func(values [][]byte) error) error {
	values := make([][]byte, len(f.root.children))
	ends := make([]int, len(values))
	f.ctx, f.most = ctx, most
	room := int64(alwaysRoom) + maxGrowth*f.size
	defer f.codecs.close()
	for number := range f.groups {
		rows, err := f.openGroup(number)
		if err != nil {
			return err
		}
		for n := int64(0); n < rows; n++ {
			if n&0x3ff == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			f.out, f.over = f.out[:0], false
			for i, column := range f.root.children {
				if first := f.readers[column.first]; !first.starts() && f.err == nil {
					f.err = damaged("column %q has values of fewer records than the row group", column.name)
				}
				f.field(column)
				ends[i] = len(f.out)
			}
			if f.err != nil {
				return f.err
			}
			from := 0
			for i, end := range ends {
				values[i], from = f.out[from:end], end
			}
			this := values
			if f.over {
				this = nil
			}
			if room -= int64(len(f.out)); room < 0 {
				return wrong("the values of the Parquet file take more than %d times what the file does, so the rest is not read: write it again with another program", maxGrowth)
			}
			if err := row(this); err != nil {
				return err
			}
		}
		if err := f.closeGroup(); err != nil {
			return err
		}
	}
	return nil
}
