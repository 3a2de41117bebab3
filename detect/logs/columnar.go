package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"pushback/detect/kql"
	"pushback/detect/logs/parquet"
)

// A Parquet file is read as the JSON records that it holds, but for the types of
// its columns, which it declares. Where it lies in folders such as year=2026 those
// are columns of its records, too.

// stored is a Parquet file of which any part can be read.
type stored struct {
	src  io.ReaderAt
	size int64
}

// parquetInside says that a stream holds a Parquet file.
type parquetInside struct{ src io.Reader }

func (*parquetInside) Error() string { return "a Parquet file" }

// maxParquetInside bounds a Parquet file that comes as a stream, or is compressed
// as a whole: its end, which says what is in it, is needed first, so all of it is
// held.
const maxParquetInside = 256 << 20

// parquet reads a Parquet file.
func (r *Reader) parquet(ctx context.Context, s source, at io.ReaderAt, size int64) error {
	f := r.begin(ctx, s, nil)
	f.stored = &stored{at, size}
	err := f.readParquet(f.stored, r.progress)
	f.report.Bytes = size
	switch {
	case isBroken(err):
		f.broken(0, err)
	case err != nil:
		return r.stop(s.path, err)
	}
	return f.close()
}

// parquetInside reads a Parquet file that comes as a stream.
func (f *file) parquetInside(inside *parquetInside) error {
	data, err := io.ReadAll(io.LimitReader(inside.src, maxParquetInside+1))
	switch {
	case err != nil:
		return err
	case len(data) > maxParquetInside:
		return &foreignError{fmt.Sprintf("a Parquet file of more than %d MiB, which is read only as a file of its own: unpack it", maxParquetInside>>20)}
	}
	f.stored = &stored{bytes.NewReader(data), int64(len(data))}
	return f.readParquet(f.stored, nil)
}

// isBroken says whether a Parquet file is to blame for an error.
func isBroken(err error) bool {
	_, broken := errors.AsType[*parquet.Error](err)
	return broken
}

// stop ends the reading for good by an error that may be of a file.
func (r *Reader) stop(path string, err error) error {
	if r.failed == nil {
		r.failed = err
		if _, ok := errors.AsType[*DateOrderError](err); !ok && !strings.HasPrefix(err.Error(), "logs: ") {
			return r.fail(path, err)
		}
	}
	return r.failed
}

// parquetTypes are the types of columns by the kinds of their values. A text
// declares none: it may be a time, as in JSON, where all integers are long, too.
var parquetTypes = map[parquet.Kind]kql.Type{
	parquet.Bool: kql.Bool, parquet.Int: kql.Long, parquet.Long: kql.Long, parquet.Real: kql.Real, parquet.Decimal: kql.Decimal,
	parquet.Time: kql.DateTime, parquet.TimeSpan: kql.TimeSpan, parquet.GUID: kql.GUID, parquet.Nested: kql.Dynamic,
}

// readParquet reads the records of a Parquet file.
func (f *file) readParquet(s *stored, progress func(n int64)) error {
	f.report.Format = "Parquet"
	p, err := parquet.Open(s.src, s.size)
	if err != nil {
		return err
	}
	p.Progress = progress
	columns := p.Columns()
	members := make([]member, len(columns))
	o := origin{types: make([]kql.Type, len(columns))}
	for i, c := range columns {
		members[i].name = []byte(c.Name)
		o.types[i] = parquetTypes[c.Kind]
	}
	members = f.partitions(members)
	f.declared, f.declaredTypes = members, o
	row := 0
	return p.Rows(f.ctx, f.opts.MaxLine, func(values [][]byte) error {
		row++
		if values == nil {
			f.bad(nil, row, 0, fmt.Sprintf("a record of more than %d bytes", f.opts.MaxLine))
			return nil
		}
		for i, v := range values {
			members[i].value = value{kind: kindOf(v), raw: v}
		}
		return f.record(members, o, row, 0)
	})
}

// kindOf gives the kind of a value by its first byte.
func kindOf(v []byte) byte {
	if len(v) == 0 {
		return 'n'
	}
	if c := v[0]; c == '-' || c >= '0' && c <= '9' {
		return '0'
	}
	return v[0]
}

// partitions adds the columns that the names of folders hold, such as year=2026,
// unless the file has them itself.
func (f *file) partitions(members []member) []member {
	folders := strings.Split(path.Dir(strings.ReplaceAll(f.named, `\`, "/")), "/")
	for _, folder := range folders {
		name, text, ok := strings.Cut(folder, "=")
		if !ok || !plausible().MatchString(name) ||
			slices.ContainsFunc(members, func(m member) bool { return strings.EqualFold(string(m.name), name) }) {
			continue
		}
		if plain, err := url.PathUnescape(text); err == nil {
			text = plain
		}
		m := member{name: []byte(name), value: value{kind: 'n'}}
		if text != "__HIVE_DEFAULT_PARTITION__" {
			if quoted, err := jsontext.AppendQuote(nil, text); err == nil {
				m.value = value{kind: '"', raw: quoted}
			}
		}
		members = append(members, m)
	}
	return members
}
