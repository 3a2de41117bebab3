package logs

import (
	"bytes"
	"fmt"
	"strings"

	"pushback/detect/kql"
)

// maxReopened bounds how often a quote that is never closed makes the reader
// go back to the line after it, so that no file is scanned over and over.
const maxReopened = 100

// csvFile is the state of reading CSV.
type csvFile struct {
	*file
	comma    byte
	columns  []member // their names; the values are filled in for each record
	origin   origin
	fields   [][]byte
	reopened int
}

// readCSV reads CSV as the portal downloads it: a header whose times are named
// like TimeGenerated [UTC], fields in quotes that may hold line breaks, and
// dynamic values as JSON.
func (f *file) readCSV() error {
	c := &csvFile{file: f, comma: ','}
	header, ok := c.next(true)
	if !ok || !c.header(header) {
		return nil
	}
	for {
		p, ok := c.next(false)
		if !ok {
			return nil
		}
		if p.text == nil {
			continue // a bad record, counted already
		}
		if err := c.split(p.text); err != "" {
			f.bad(nil, p.line, 0, err)
			continue
		}
		if len(c.fields) == 1 && len(bytes.TrimSpace(c.fields[0])) == 0 {
			continue // an empty line
		}
		if len(c.fields) != len(c.columns) {
			f.bad(nil, p.line, 0, fmt.Sprintf("the record has %d fields and the header %d", len(c.fields), len(c.columns)))
			continue
		}
		for i, text := range c.fields {
			c.columns[i].value = value{kind: plainText, raw: text}
		}
		if err := f.record(c.columns, c.origin, p.line, 1, false); err != nil {
			return err
		}
	}
}

// header takes the first record as the names of the columns.
func (c *csvFile) header(p piece) bool {
	if p.text == nil {
		return false
	}
	if i := bytes.IndexByte(p.text, ','); i < 0 {
		for _, other := range []byte{';', '\t'} {
			if bytes.IndexByte(p.text, other) >= 0 {
				c.comma = other
			}
		}
	}
	if err := c.split(p.text); err != "" {
		c.bad(nil, p.line, 0, "the header: "+err)
		return false
	}
	if len(c.fields) > maxMembers {
		c.bad(nil, p.line, 0, fmt.Sprintf("the header has more than %d columns", maxMembers))
		return false
	}
	c.origin = origin{untyped: true, types: make([]kql.Type, len(c.fields))}
	generated := false
	for i, text := range c.fields {
		name := strings.TrimSpace(string(text))
		if plain, zone, ok := cutZone(name); ok {
			name = plain
			if !isUTC(zone) {
				c.bad(nil, p.line, 0, fmt.Sprintf("column %s: its times are in %s, which is not known here; "+
					"set the portal's display time zone to UTC and download the file again", name, excerpt([]byte(zone))))
				return false
			}
			c.origin.types[i] = kql.DateTime
			c.zoned = true
		}
		generated = generated || strings.EqualFold(name, timeGenerated)
		c.columns = append(c.columns, member{name: []byte(name)})
	}
	if !generated {
		c.bad(nil, p.line, 0, "the header has no column TimeGenerated, so no record has a time; keep that column in the query")
	}
	return generated
}

// cutZone takes the zone off a column of times, as in TimeGenerated [UTC].
func cutZone(name string) (plain, zone string, ok bool) {
	at := strings.LastIndex(name, " [")
	if at <= 0 || !strings.HasSuffix(name, "]") {
		return name, "", false
	}
	return strings.TrimSpace(name[:at]), name[at+2 : len(name)-1], true
}

// isUTC says whether a header means UTC by the name of its times' zone: the
// portal writes it in several ways.
func isUTC(zone string) bool {
	zone = strings.Join(strings.Fields(plainSpaces(zone)), " ")
	for _, name := range []string{
		"UTC", "(UTC)", "Etc/UTC", "UTC+00:00", "Coordinated Universal Time",
		"(UTC) Coordinated Universal Time", "(UTC+00:00) Coordinated Universal Time",
	} {
		if strings.EqualFold(zone, name) {
			return true
		}
	}
	return false
}

// next consumes a record and its line break. The text is nil if it is bad,
// which is counted.
func (c *csvFile) next(header bool) (piece, bool) {
	w := c.w
	p := piece{line: w.line, column: 1}
	quoted, start, wasQuoted := false, true, false
	for i := 0; ; i++ {
		if w.pos+i == w.end && !w.more() {
			switch {
			case i == 0:
				return p, false
			case w.failed() != nil:
				w.advance(i)
				return p, true // what broke the stream is reported at its end
			case quoted:
				return c.unclosed(p, header), true
			}
			return c.checked(w.take(p, i, 0)), true
		}
		if i > w.limit {
			if quoted && c.reopened < maxReopened {
				return c.unclosed(p, header), true
			}
			p.length = w.skipLine()
			p.cut = w.failed() != nil
			c.badPiece(p)
			p.text = nil
			return p, true
		}
		switch ch := w.buf[w.pos+i]; {
		case ch == '"':
			// Two quotes in a row inside a field close it and open it again.
			if quoted {
				quoted, wasQuoted = false, true
			} else if start || wasQuoted {
				quoted = true
			}
			start = false
			continue
		case quoted:
			continue
		case ch == '\n':
			return c.checked(w.take(p, i+1, 0)), true
		default:
			start = ch == c.comma || header && (ch == ';' || ch == '\t')
		}
		wasQuoted = false
	}
}

// unclosed counts a record whose quotes do not end. It costs its first line;
// what follows is read again on its own.
func (c *csvFile) unclosed(p piece, header bool) piece {
	c.bad(nil, p.line, 0, "a quote is not closed")
	if c.reopened++; c.reopened > maxReopened || header {
		c.w.advance(c.w.end - c.w.pos)
	} else {
		c.w.skipLine()
	}
	p.text = nil
	return p
}

// checked refuses a record that is not UTF-8.
func (c *csvFile) checked(p piece) piece {
	if at := invalidUTF8(p.text); at >= 0 {
		line, column := position(p.text, at, p.line, p.column)
		c.bad(nil, line, column, fmt.Sprintf("invalid UTF-8: byte 0x%02x", p.text[at]))
		p.text = nil
		return p
	}
	p.text = bytes.TrimRight(p.text, "\r\n")
	if p.text == nil {
		p.text = []byte{}
	}
	return p
}

// split takes a record apart into fields. It unescapes them in place, for the
// text is not needed any more.
func (c *csvFile) split(text []byte) (wrong string) {
	c.fields = c.fields[:0]
	for {
		if len(c.fields) > maxMembers {
			return fmt.Sprintf("the record has more than %d fields", maxMembers)
		}
		if len(text) == 0 || text[0] != '"' {
			i := bytes.IndexByte(text, c.comma)
			if i < 0 {
				c.fields = append(c.fields, text)
				return ""
			}
			c.fields = append(c.fields, text[:i])
			text = text[i+1:]
			continue
		}
		text = text[1:]
		n, i := 0, 0
		for {
			at := bytes.IndexByte(text[i:], '"')
			if at < 0 {
				return "a quote is not closed"
			}
			n += copy(text[n:], text[i:i+at])
			i += at + 1
			if i == len(text) || text[i] != '"' {
				break
			}
			text[n] = '"'
			n++
			i++
		}
		c.fields = append(c.fields, text[:n])
		switch {
		case i == len(text):
			return ""
		case text[i] != c.comma:
			return fmt.Sprintf("field %d: text after the closing quote: %s", len(c.fields), excerpt(text[i:]))
		}
		text = text[i+1:]
	}
}
