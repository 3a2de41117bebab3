package logs

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pushback/detect/kql"
)

// writer writes the cells of one record into the current row of its table.
type writer struct {
	file   *file
	table  *table
	origin origin
	line   int

	member   []byte   // the one that is being written
	declared kql.Type // what the file says it is, or 0
	received time.Time
	err      error // why the file cannot be read on
}

// resolve finds out where a member goes that the mapping has not seen before,
// and adds a column if there is none for it. The type is that which the file
// declares, or 0. Past the limits it returns nil, and counts the cell.
func (w *writer) resolve(m *mapping, member []byte, typ kql.Type) *field {
	t := w.table
	name := string(member)
	if m.rename != nil {
		if renamed := m.rename(t, name); renamed != "" {
			name = renamed
		}
	}
	fd := &field{name: string(member), in: m, rank: m.rank}
	var exact bool
	if fd.column, exact = t.find(name); fd.column != nil {
		if m.rank == rankExact && !exact && m.rename == nil {
			fd.rank = rankFolded
		}
	} else {
		if m.added != nil {
			name = m.added(name)
		}
		return w.add(fd, name, typ)
	}
	if len(m.fields) < maxRemembered {
		m.fields[fd.name] = fd
	}
	return fd
}

// add gives a field a column of that name, which may be there by now. Past the
// limits it returns nil, and counts the cell.
func (w *writer) add(fd *field, name string, typ kql.Type) *field {
	t, m := w.table, fd.in
	if fd.column = t.columns[name]; fd.column == nil {
		if name == "" && w.origin.untyped {
			return nil // as pandas has before the numbers of rows
		}
		if name == "" || len(name) > maxNameSize || len(t.added) >= maxExtra {
			if t.dropped == 0 {
				t.droppedAt = Problem{File: w.file.path, Line: w.line}
			}
			t.dropped++
			return nil
		}
		if name == timeReceived {
			typ = kql.DateTime
		}
		fd.column = t.addColumn(name, typ)
		t.added = append(t.added, fd.column)
	}
	if len(m.fields) < maxRemembered {
		m.fields[fd.name] = fd
	}
	return fd
}

// apart gives a member of its own a column whose name differs in case alone from
// one that another member of the record has: its own, or that of the member that
// was first. It returns the field to write the member by, or nil.
func (w *writer) apart(members []member, fd *field) *field {
	t := w.table
	if fd.rank == rankFolded {
		return w.add(&field{name: fd.name, in: fd.in, rank: rankExact}, fd.name, 0)
	}
	first := fd.column.by
	moved := w.add(&field{name: first.name, in: first.in, rank: rankExact}, first.name, 0)
	for i := range members {
		if m := &members[i]; moved != nil && !m.inner && string(m.name) == first.name && m.value.kind != 'n' && t.claim(moved.column, moved.rank) {
			w.member, w.declared = m.name, 0
			w.set(moved.column, m.value)
		}
	}
	return fd
}

// constant sets a column to a text that stands in no member of the record.
// Tables of a known schema get no column for it.
func (w *writer) constant(name string, text []byte) {
	t := w.table
	c := t.columns[name]
	if c == nil {
		if t.schema != nil {
			return
		}
		c = t.addColumn(name, kql.String)
	}
	if t.claim(c, rankDerived) {
		t.b.SetString(c.index, text)
	}
}

// set stores a value in a column, converted to its type as the workspace does
// when it takes a record in. A value that does not convert leaves the cell
// null and is counted.
func (w *writer) set(c *column, v value) {
	if c.infer != nil {
		w.setInferred(c, v)
		return
	}
	p, b := &w.file.parser, w.table.b
	switch v.kind {
	case '"', plainText:
		w.setText(c, p.text(v))
		return
	case '{', '[':
		if c.camel && v.kind == '{' && inPascalCase(v.raw) {
			w.spoil(c, pascalCase, v.raw)
		}
		switch c.typ {
		case kql.Dynamic:
			if bytes.IndexByte(v.raw, '\n') >= 0 {
				v.raw = p.compact(v.raw)
			}
			b.SetJSON(c.index, v.raw)
		case kql.String:
			b.SetString(c.index, p.compact(v.raw))
		default:
			w.fail(c, v.raw)
		}
		return
	}
	switch c.typ {
	case kql.String:
		if c.code {
			w.checkCode(c, v.raw)
		}
		b.SetString(c.index, v.raw)
	case kql.Dynamic:
		b.SetJSON(c.index, v.raw)
	case kql.Bool:
		if v.kind == '0' {
			w.setText(c, v.raw)
		} else {
			b.SetBool(c.index, v.kind == 't')
		}
	case kql.Int, kql.Long:
		n, err := strconv.ParseInt(string(v.raw), 10, 64)
		if err != nil || c.typ == kql.Int && (n < math.MinInt32 || n > math.MaxInt32) {
			w.setText(c, v.raw)
		} else {
			b.SetLong(c.index, n)
		}
	case kql.Real:
		if n, err := strconv.ParseFloat(string(v.raw), 64); v.kind == '0' && err == nil {
			b.SetReal(c.index, n)
		} else {
			w.setText(c, v.raw)
		}
	case kql.DateTime:
		if at, ok := epoch(v.raw); ok {
			b.SetTime(c.index, at)
		} else {
			w.fail(c, v.raw)
		}
	case kql.TimeSpan:
		w.fail(c, v.raw) // a number of what?
	default:
		w.setText(c, v.raw)
	}
}

// checkCode counts a code that has become a decimal number.
func (w *writer) checkCode(c *column, text []byte) {
	if integer, ok := bytes.CutSuffix(text, []byte(".0")); ok && isDigits(string(integer)) {
		w.spoil(c, decimal, text)
	}
}

// maxScalar is more than the text of any number, time or guid has. What is
// longer is none of them, and not worth a closer look.
const maxScalar = 100

// setText stores a text in a column of any type.
func (w *writer) setText(c *column, text []byte) {
	b := w.table.b
	if len(text) > 0 && mayBeSpoiled(text) {
		text = w.decoded(c, text)
	}
	if c.typ == kql.String {
		if c.code || c.camel || len(text) >= maxCell {
			w.checkText(c, text)
		}
		b.SetString(c.index, text)
		return
	}
	if len(text) == 0 || w.origin.none && string(text) == "None" {
		return // null
	}
	switch c.typ {
	case kql.Dynamic:
		v := bytes.TrimSpace(text)
		if isContainer(v) || w.origin.encoded && isJSONText(v) {
			if c.camel && v[0] == '{' && inPascalCase(v) {
				w.spoil(c, pascalCase, v)
			}
			b.SetJSON(c.index, v)
			return
		}
		switch {
		case isCut(v):
			w.spoil(c, cutText, v)
		case !isPowerShellText(v) && string(v) != "null": // the one is counted by now, the other says nothing
			w.spoil(c, otherText, v)
		}
		w.setQuoted(c, text)
	case kql.DateTime:
		t, ok, err := w.file.time(w.table, w.member, text, w.line)
		switch {
		case err != nil:
			w.err = err
		case ok:
			b.SetTime(c.index, t)
			if c.name == timeReceived {
				w.received = t
			}
		default:
			w.fail(c, text)
		}
	default:
		if len(text) > maxScalar || !b.SetText(c.index, text) {
			w.fail(c, text)
		}
	}
}

// setQuoted stores a text as a string in a dynamic column.
func (w *writer) setQuoted(c *column, text []byte) {
	quoted, err := jsontext.AppendQuote(nil, text)
	if err != nil {
		w.fail(c, text)
		return
	}
	w.table.b.SetJSON(c.index, quoted)
}

// fail counts a cell that is not of its column's type.
func (w *writer) fail(c *column, text []byte) {
	if c.count == 0 {
		c.first = Problem{
			File: w.file.path, Line: w.line,
			Reason: c.name + ": " + excerpt(text) + " is not of type " + c.typ.String(),
		}
	}
	c.count++
}

// isContainer says whether the text is a JSON array or object.
func isContainer(text []byte) bool {
	return len(text) > 0 && (text[0] == '{' || text[0] == '[') && isJSONText(text)
}

func isJSONText(text []byte) bool { return jsontext.Value(text).IsValid(jsonOptions...) }
