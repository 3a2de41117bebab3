package kql

import (
	ziparchive "archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// externalReading says how to make rows of a file.
type externalReading struct {
	schema    Schema
	format    string
	skipFirst bool
	mapping   []externalField // per column; nil for the place, or the name, of the column
}

// externalField is where a column's value is in a record.
type externalField struct {
	given   bool
	ordinal int
	path    []pathStep
	value   *string // the same in each record
}

// Limits on what is unpacked: an archive can stand for any amount of nothing.
const (
	maxExternal        = 1 << 30
	maxExternalArchive = 256 << 20
	maxExternalEntries = 10_000
)

var errExternalLong = &LimitError{Message: fmt.Sprintf("a file of externaldata holds more than %d MiB unpacked: keep a part of it", maxExternal>>20)}

// boundedReader fails where more comes than may.
type boundedReader struct {
	of   io.Reader
	left int64
}

func (r *boundedReader) Read(p []byte) (int, error) {
	n, err := r.of.Read(p)
	if r.left -= int64(n); r.left < 0 {
		return 0, errExternalLong
	}
	return n, err
}

// recordReader fails where one record takes more than a value may.
type recordReader struct {
	of   io.Reader
	left int
}

func (r *recordReader) next() { r.left = maxValueSize }

func (r *recordReader) Read(p []byte) (int, error) {
	n, err := r.of.Read(p)
	if r.left -= n; r.left < 0 {
		return 0, &LimitError{Message: fmt.Sprintf("a file of externaldata has a record of more than %d MiB", maxValueSize>>20)}
	}
	return n, err
}

// read unpacks the file where it is packed. What an archive holds is read as one file
// after the other, and nothing of it is written anywhere.
func (r externalReading) read(file ExternalFile, out *externalRows) error {
	start := bufio.NewReaderSize(file, 64<<10)
	magic, err := start.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case bytes.HasPrefix(magic, []byte("PK\x03\x04")) || bytes.HasPrefix(magic, []byte("PK\x05\x06")):
		size, err := io.Copy(io.Discard, io.LimitReader(start, maxExternalArchive+1))
		if err != nil {
			return err
		}
		if size > maxExternalArchive {
			return &LimitError{Message: fmt.Sprintf("an archive of externaldata is larger than %d MiB", maxExternalArchive>>20)}
		}
		archive, err := ziparchive.NewReader(file, size)
		if err != nil {
			return fmt.Errorf("the zip archive is broken: %w", err)
		}
		if len(archive.File) > maxExternalEntries {
			return &LimitError{Message: fmt.Sprintf("an archive of externaldata holds more than %d files", maxExternalEntries)}
		}
		left := int64(maxExternal)
		for _, entry := range archive.File {
			if entry.FileInfo().IsDir() {
				continue
			}
			unpacked, err := entry.Open()
			if err != nil {
				return fmt.Errorf("the zip archive is broken: %w", err)
			}
			bound := &boundedReader{unpacked, left}
			if err := errors.Join(r.records(bound, out), unpacked.Close()); err != nil {
				return err
			}
			left = bound.left
		}
		return nil
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		unpacked, err := gzip.NewReader(start)
		if err != nil {
			return fmt.Errorf("the gzip file is broken: %w", err)
		}
		return r.records(&boundedReader{unpacked, maxExternal}, out)
	}
	return r.records(&boundedReader{start, maxExternal}, out)
}

func (r externalReading) records(from io.Reader, out *externalRows) error {
	in := bufio.NewReaderSize(from, 64<<10)
	if mark, _ := in.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		if _, err := in.Discard(3); err != nil {
			return err
		}
	}
	switch r.format {
	case "raw":
		text, err := io.ReadAll(io.LimitReader(in, maxValueSize+1))
		if err != nil {
			return err
		}
		if len(text) > maxValueSize {
			return &LimitError{Message: fmt.Sprintf("a file of externaldata in the format raw is one value, and holds more than %d MiB", maxValueSize>>20)}
		}
		return out.add(r.fields([]string{string(text)}))
	case "txt":
		return r.lines(in, out, func(line string) []string { return []string{line} })
	case "tsve":
		return r.lines(in, out, func(line string) []string {
			fields := strings.Split(line, "\t")
			for i, f := range fields {
				fields[i] = unescapedTSV.Replace(f)
			}
			return fields
		})
	case "json", "multijson", "singlejson":
		return r.objects(in, out)
	}
	return r.separated(in, out, externalFormats[r.format])
}

var unescapedTSV = strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r", `\\`, `\`)

// lines makes a record of each line.
func (r externalReading) lines(in *bufio.Reader, out *externalRows, split func(line string) []string) error {
	first := true
	for {
		line, err := boundedLine(in)
		if err != nil && (!errors.Is(err, io.EOF) || line == "") {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if skip := first && r.skipFirst; !skip {
			if err := out.add(r.fields(split(line))); err != nil {
				return err
			}
		}
		first = false
	}
}

// boundedLine reads a line that a value can hold.
func boundedLine(in *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if line = append(line, part...); len(line) > maxValueSize {
			return "", &LimitError{Message: fmt.Sprintf("a file of externaldata has a line of more than %d MiB", maxValueSize>>20)}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return string(line), err
		}
	}
}

// separated reads records of fields, which may stand in quotes.
func (r externalReading) separated(in io.Reader, out *externalRows, comma rune) error {
	bound := &recordReader{of: in}
	records := csv.NewReader(bound)
	records.Comma, records.FieldsPerRecord, records.LazyQuotes, records.ReuseRecord = comma, -1, true, true
	for first := true; ; first = false {
		bound.next()
		fields, err := records.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case first && r.skipFirst:
			continue
		}
		if err := out.add(r.fields(fields)); err != nil {
			return err
		}
	}
}

// fields finds the columns' values by their places.
func (r externalReading) fields(fields []string) func(int) Value {
	return func(i int) Value {
		at := i
		if r.mapping != nil {
			switch f := r.mapping[i]; {
			case !f.given:
				return convert(Value{}, r.schema[i].Type)
			case f.value != nil:
				return fromText(*f.value, r.schema[i].Type)
			default:
				at = f.ordinal
			}
		}
		if at < 0 || at >= len(fields) {
			return convert(Value{}, r.schema[i].Type)
		}
		return fromText(fields[at], r.schema[i].Type)
	}
}

// fromText is the value of a type that a text stands for, null if it stands for none.
func fromText(text string, t Type) Value {
	text = strings.ToValidUTF8(strings.Clone(text), "\uFFFD")
	switch t {
	case String:
		return stringValue(text)
	case Dynamic:
		if v, ok := parseJSON(text); ok {
			return v
		}
		if text == "" {
			return Value{}
		}
		return stringValue(text)
	}
	return convert(stringValue(strings.TrimSpace(text)), t)
}

// objects reads JSON objects, one after the other or in arrays, whatever the space
// between them.
func (r externalReading) objects(in *bufio.Reader, out *externalRows) error {
	bound := &recordReader{of: in}
	values := json.NewDecoder(bound)
	n, first, array := 0, true, false
	for {
		bound.next()
		if array && !values.More() {
			if _, err := values.Token(); err != nil { // the end of the array
				return jsonProblem(n, err)
			}
			array = false
			continue
		}
		if !array && startsArray(values, in) {
			if _, err := values.Token(); err != nil {
				return jsonProblem(n, err)
			}
			array = true
			continue
		}
		n++
		var raw json.RawMessage
		err := values.Decode(&raw)
		if errors.Is(err, io.EOF) && !array {
			return nil
		}
		if err != nil {
			return jsonProblem(n, err)
		}
		v, ok := parseJSON(string(raw))
		if !ok || v.kind != kindBag {
			return fmt.Errorf("value %d is no JSON object", n)
		}
		if skip := first && r.skipFirst; !skip {
			if err := out.add(r.members(v)); err != nil {
				return err
			}
		}
		first = false
	}
}

// startsArray says whether an array comes next, of which each element is a record.
func startsArray(values *json.Decoder, in *bufio.Reader) bool {
	rest, _ := io.ReadAll(values.Buffered()) // which is in memory
	for size := 0; ; size += 64 {
		for _, c := range rest {
			if !strings.ContainsRune(" \t\r\n", rune(c)) {
				return c == '['
			}
		}
		ahead, err := in.Peek(min(size+64, 4096))
		if rest = ahead; err != nil || size > 4096 {
			return len(bytes.TrimLeft(rest, " \t\r\n")) > 0 && bytes.TrimLeft(rest, " \t\r\n")[0] == '['
		}
	}
}

func jsonProblem(n int, err error) error {
	var limit *LimitError
	if errors.As(err, &limit) {
		return limit
	}
	return fmt.Errorf("value %d is no JSON: %w", n, err)
}

// members finds the columns' values by their names, or their paths.
func (r externalReading) members(record Value) func(int) Value {
	return func(i int) Value {
		c := r.schema[i]
		var found Value
		switch {
		case r.mapping == nil:
			val, ok := record.bag().get(c.Name)
			for k, key := range record.bag().keys {
				if !ok && strings.EqualFold(key, c.Name) {
					val, ok = record.bag().vals[k], true
				}
			}
			found = val
		case r.mapping[i].value != nil:
			return fromText(*r.mapping[i].value, c.Type)
		case r.mapping[i].given:
			found, _ = follow(record, r.mapping[i].path)
		}
		switch {
		case c.Type == Dynamic:
			return found
		case found.kind == String:
			return fromText(found.s, c.Type)
		case c.Type == String && !found.IsNull():
			return stringValue(found.String())
		}
		return convert(found, c.Type)
	}
}

// externalMapping reads a mapping: an array of objects, each with a column and its
// place, path or value. Names are taken in any case.
func externalMapping(text string, schema Schema) ([]externalField, error) {
	v, ok := parseJSON(text)
	if !ok || v.kind != kindArray {
		return nil, errors.New("must be a JSON array of objects with Column and Properties")
	}
	member := func(of Value, names ...string) (Value, bool) {
		if of.kind != kindBag {
			return Value{}, false
		}
		for _, name := range names {
			for i, key := range of.bag().keys {
				if strings.EqualFold(key, name) {
					return of.bag().vals[i], true
				}
			}
		}
		return Value{}, false
	}
	fields := make([]externalField, len(schema))
	for n, item := range v.array() {
		column, ok := member(item, "Column", "Name")
		if !ok {
			return nil, fmt.Errorf("names no Column in object %d", n+1)
		}
		at := schema.Index(column.String())
		if at < 0 {
			return nil, fmt.Errorf("names the column '%s', which is not declared", column.String())
		}
		f := externalField{given: true, ordinal: -1}
		where := item
		if properties, ok := member(item, "Properties"); ok {
			where = properties
		}
		if p, ok := member(where, "Path"); ok {
			if f.path, ok = jsonPath(p.String()); !ok {
				return nil, fmt.Errorf("has the path '%s' for the column '%s': write $ and then .key, ['key'] or [0]", p.String(), column.String())
			}
		} else if o, ok := member(where, "Ordinal"); ok {
			place, err := strconv.Atoi(o.String())
			if err != nil || place < 0 {
				return nil, fmt.Errorf("has the Ordinal '%s' for the column '%s': it counts from 0", o.String(), column.String())
			}
			f.ordinal = place
		} else if c, ok := member(where, "ConstValue", "ConstantValue"); ok {
			constant := c.String()
			f.value = &constant
		} else {
			return nil, fmt.Errorf("says neither Path nor Ordinal nor ConstValue of the column '%s'", column.String())
		}
		fields[at] = f
	}
	return fields, nil
}
