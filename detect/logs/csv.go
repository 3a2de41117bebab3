package logs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"pushback/detect/kql"
)

// maxReopened bounds how often a quote that is never closed makes the reader
// go back to the line after it, so that no file is scanned over and over.
const maxReopened = 100

// csvFile is the state of reading CSV.
type csvFile struct {
	*file
	comma     byte
	columns   []member // their names; the values are filled in for each record
	origin    origin
	portal    *portal // not nil if the header is one of the Entra portal's
	header    []byte  // the header as it stands
	fields    [][]byte
	reopened  int
	spaced    bool   // a blank stands after each separator
	flattened bool   // its columns are members of objects
	untimed   string // why no record has a time, unless it has a record inside
	headed    int    // the line of the header
}

// readCSV reads CSV as the portals download it and as spreadsheets and PowerShell
// write it: a header whose times may be named like TimeGenerated [UTC], fields in
// quotes that may hold line breaks, and dynamic values as JSON.
func (f *file) readCSV() error {
	c := &csvFile{file: f, comma: ','}
	if !c.readHeader() {
		return nil
	}
	for {
		p, ok := c.next(false)
		if !ok {
			if c.untimed != "" {
				f.bad(nil, c.headed, 0, c.untimed)
			}
			return nil
		}
		if p.text == nil {
			continue // a bad record, counted already
		}
		// Files that were joined bring their headers.
		if text, marked := bytes.CutPrefix(p.text, byteOrderMark); bytes.Equal(text, c.header) {
			continue
		} else if marked {
			if p.text = text; !c.takeHeader(p) {
				return nil
			}
			continue
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
		if c.untimed != "" {
			if !c.inside() {
				f.bad(nil, c.headed, 0, c.untimed)
				return nil
			}
			c.untimed = ""
		}
		if err := c.put(p); err != nil {
			return err
		}
	}
}

// inside says whether a field of the record is a record itself, in JSON, as in what
// Splunk and others export.
func (c *csvFile) inside() bool {
	return slices.ContainsFunc(c.fields, func(field []byte) bool {
		text, ok := embedded(bytes.TrimSpace(field))
		return ok && holdsRecords(text, 0)
	})
}

// put puts the record whose fields were split into its table.
func (c *csvFile) put(p piece) error {
	if c.flattened {
		return c.value(c.together(), p.line, 1)
	}
	if c.portal == nil {
		for i, text := range c.fields {
			c.columns[i].value = value{kind: plainText, raw: text}
		}
		return c.record(c.columns, c.origin, p.line, 1)
	}
	members := c.portal.record(c.fields)
	if !c.portal.hasTime(members) {
		c.bad(nil, p.line, 1, "the date is empty; expected ISO 8601, such as 2026-03-17T09:58:03Z")
		return nil
	}
	return c.record(members, c.origin, p.line, 1)
}

// readHeader takes the first record as the names of the columns. Before it may
// stand what a spreadsheet or PowerShell says about the file: sep=; or #TYPE.
func (c *csvFile) readHeader() bool {
	for {
		p, ok := c.next(true)
		if !ok || p.text == nil {
			return false
		}
		switch {
		case len(bytes.TrimSpace(p.text)) == 0, isTypeLine(p.text):
			continue
		case separatorOf(p.text) != 0:
			c.comma = separatorOf(p.text)
			continue
		}
		return c.takeHeader(p)
	}
}

// isTypeLine says whether a line is what Export-Csv writes before the header.
func isTypeLine(line []byte) bool {
	return bytes.HasPrefix(line, []byte("#TYPE ")) || bytes.HasPrefix(line, []byte(`"#TYPE `))
}

// separatorOf gives the character in a line such as sep=; that spreadsheets
// have before the header, or 0.
func separatorOf(line []byte) byte {
	line = bytes.Trim(line, "\"\r\n")
	if len(line) == len("sep=,") && bytes.EqualFold(line[:len("sep=")], []byte("sep=")) {
		return line[len(line)-1]
	}
	return 0
}

// isCSVHeader says whether a text begins as CSV of logs does, with a header that
// names a column of times.
func isCSVHeader(head []byte) bool {
	for range 5 {
		line := firstLine(head)
		head = head[min(len(head), len(line)+1):]
		line = bytes.TrimSpace(line)
		if len(line) == 0 || isTypeLine(line) || separatorOf(line) != 0 {
			continue
		}
		var names []string
		for _, name := range bytes.Split(line, []byte{separatorIn(line)}) {
			plain, _, _ := cutZone(strings.Trim(string(name), "\" \r"))
			names = append(names, plain)
			if isTimeMember(plain) || strings.HasSuffix(plain, "(UTC)") {
				return true
			}
		}
		_, ok := portalHeader(names)
		return ok
	}
	return false
}

// separators are what may stand between fields, the likeliest first.
const separators = ",;\t|"

// separatorIn gives the separator of a header: that which stands most often
// outside quotes.
func separatorIn(header []byte) byte {
	best, most := byte(','), 0
	for _, c := range []byte(separators) {
		n, quoted := 0, false
		for _, b := range header {
			switch {
			case b == '"':
				quoted = !quoted
			case b == c && !quoted:
				n++
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	return best
}

// takeHeader takes a record as the names of the columns.
func (c *csvFile) takeHeader(p piece) bool {
	c.header = bytes.Clone(p.text)
	c.columns, c.portal, c.flattened, c.untimed = nil, nil, false, ""
	if bytes.IndexByte(p.text, c.comma) < 0 || c.comma == ',' {
		c.comma = separatorIn(p.text)
	}
	c.spaced = isSpaced(p.text, c.comma)
	if err := c.split(p.text); err != "" {
		c.bad(nil, p.line, 0, "the header: "+err)
		return false
	}
	if len(c.fields) > maxMembers {
		c.bad(nil, p.line, 0, fmt.Sprintf("the header has more than %d columns", maxMembers))
		return false
	}
	c.origin = origin{untyped: true, types: make([]kql.Type, len(c.fields))}
	names := make([]string, len(c.fields))
	timed, utc := false, false
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
		names[i] = name
		timed = timed || isTimeMember(name)
		utc = utc || strings.HasSuffix(name, "(UTC)")
		c.columns = append(c.columns, member{name: []byte(name)})
	}
	var ok bool
	if c.portal, ok = portalHeader(names); ok {
		c.origin.types = nil // of other members
		return true
	}
	c.declared, c.declaredTypes = c.columns, c.origin
	if c.flattened = isFlattened(names); c.flattened {
		for _, name := range names {
			timed = timed || isTimeMember(name[strings.LastIndexByte(name, '.')+1:])
		}
	}
	switch {
	case timed:
	case utc:
		c.bad(nil, p.line, 0, "the columns are named in another language than English; set the portal's language to English and download the file again")
	default:
		c.untimed, c.headed = "the header has no column TimeGenerated, so no record has a time; keep that column in the query", p.line
	}
	return timed || c.untimed != ""
}

// isSpaced says whether each name of a header but the first has a blank before it.
// Then the other cells have one too, which is no part of them.
func isSpaced(header []byte, comma byte) bool {
	separated, quoted := false, false
	for i, b := range header {
		switch {
		case b == '"':
			quoted = !quoted
		case b != comma || quoted:
		case i+1 == len(header) || header[i+1] != ' ':
			return false
		default:
			separated = true
		}
	}
	return separated
}

// cutZone takes the zone off a column of times, as in TimeGenerated [UTC] and
// TimeGenerated (UTC).
func cutZone(name string) (plain, zone string, ok bool) {
	if plain, ok := strings.CutSuffix(name, "(UTC)"); ok && isTimeMember(strings.TrimSpace(plain)) {
		return strings.TrimSpace(plain), "UTC", true
	}
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
			start = ch == c.comma || header && strings.IndexByte(separators, ch) >= 0 || start && ch == ' ' && (c.spaced || header)
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

// checked gives a record in UTF-8, and refuses one that is in no encoding.
func (c *csvFile) checked(p piece) piece {
	if at := invalidUTF8(p.text); at >= 0 {
		legacy, ok := c.legacy(p.text, p.line)
		if !ok {
			line, column := position(p.text, at, p.line, p.column)
			c.bad(nil, line, column, fmt.Sprintf("invalid UTF-8: byte 0x%02x", p.text[at]))
			p.text = nil
			return p
		}
		p.text = legacy
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
		if c.spaced {
			text = bytes.TrimLeft(text, " ")
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
