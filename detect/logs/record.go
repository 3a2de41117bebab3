package logs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"pushback/detect/kql"
)

// The columns and members that say what a record is.
const (
	timeGenerated = "TimeGenerated"
	timestamp     = "Timestamp"
	timeReceived  = "_TimeReceived"
	typeColumn    = "Type"
)

// origin is how the format of a record writes its values.
type origin struct {
	// untyped: strings stand for values of any type, as in CSV.
	untyped bool
	// none: the string None stands for null. The Azure CLI writes it so.
	none bool
	// encoded: a dynamic value is a string of JSON, whatever it holds.
	encoded bool
	// types are those of the cells, by position, where the file declares them;
	// 0 where it does not.
	types []kql.Type
}

func (o *origin) typeOf(i int) kql.Type {
	if i < len(o.types) {
		return o.types[i]
	}
	return 0
}

// value reads a JSON text that stands where a record is expected: an object,
// or an array of them on one line.
func (f *file) value(text []byte, line, column int) error {
	trimmed := trimLeft(text)
	line, column = position(text, len(text)-len(trimmed), line, column)
	if len(trimmed) > 0 && trimmed[0] == '[' {
		return f.elements(trimmed, line, column)
	}
	return f.object(trimmed, line, column)
}

// trimLeft cuts white space, and the byte order mark of a text that another was
// joined to.
func trimLeft(text []byte) []byte {
	for {
		text = bytes.TrimLeft(text, " \t\r\n\x1e") // the last stands before each record of a JSON sequence
		rest, ok := bytes.CutPrefix(text, byteOrderMark)
		if !ok {
			return text
		}
		text = rest
	}
}

// elements reads an array of records that lies in memory.
func (f *file) elements(text []byte, line, column int) error {
	cells, err := f.parser.array(text)
	if err != nil {
		return f.wrong(text, err, line, column)
	}
	if len(cells) > 1 && afterTime(text) != nil {
		cells = cells[1:2]
	}
	// The parser is needed for each of the elements, and its cells with it.
	for _, cell := range slices.Clone(cells) {
		if err := f.object(cell.raw, line, column); err != nil {
			return err
		}
	}
	return nil
}

func (f *file) badJSON(text []byte, err error, line, column int) {
	reason, at := whyNotJSON(text, err)
	line, column = position(text, at, line, column)
	f.bad(nil, line, column, reason)
}

// object reads a record, or an envelope of records, or a string of one.
func (f *file) object(text []byte, line, column int) error {
	if len(text) > 0 && text[0] == '"' && f.depth < maxEnvelopes {
		if invalidUTF8(text) >= 0 {
			if decoded, ok := f.legacy(text, line); ok {
				text = decoded
			}
		}
		if _, next, ok := joinedValue(text, 0); ok && next < len(text) {
			return f.wrong(text, nil, line, column)
		}
		if inner, ok := quotedJSON(text); ok {
			f.depth++
			defer func() { f.depth-- }()
			return f.value(inner, line, column)
		}
	}
	if len(text) > 0 && text[0] != '{' && text[0] != '"' {
		if invalidUTF8(text) >= 0 {
			if decoded, ok := f.legacy(text, line); ok {
				text = decoded
			}
		}
		if at := prefixed(text); at > 0 {
			return f.object(text[at:], line, column+at)
		}
	}
	if len(text) > 0 && text[0] != '{' && jsonStart(text[0]) {
		f.bad(nil, line, column, "expected a record, an object in braces, but found "+excerpt(text))
		return nil
	}
	members, err := f.parser.object(text)
	return f.parsed(text, members, err, line, column)
}

// maxPrefix is how long it may be what stands before a record in its line.
const maxPrefix = 500

// prefixed gives where the record begins in a line before which syslog or Fluentd
// have put a time and a tag, or 0.
func prefixed(text []byte) int {
	if text[0] == '[' && !bytes.HasSuffix(text, []byte{'}'}) {
		return 0
	}
	at := bytes.IndexByte(text[:min(len(text), maxPrefix)], '{')
	if at <= 0 || !isJSONText(text[at:]) || !holdsRecords(text[at:], 0) {
		return 0
	}
	return at
}

// parsed reads a record that was taken apart into its members, or could not be.
func (f *file) parsed(text []byte, members []member, err error, line, column int) error {
	if err != nil {
		return f.wrong(text, err, line, column)
	}
	return f.record(members, origin{}, line, column)
}

// wrong reads a text that is not one record in JSON: several that were joined
// without a line break, or one that is not in UTF-8. Else it is bad.
func (f *file) wrong(text []byte, err error, line, column int) error {
	if invalidUTF8(text) >= 0 && !f.inLegacy {
		if decoded, ok := f.legacy(text, line); ok {
			f.inLegacy = true
			defer func() { f.inLegacy = false }()
			return f.value(decoded, line, column)
		}
	}
	if plain, ok := withoutNaN(text); ok {
		return f.value(plain, line, column)
	}
	startLine, startColumn, before := line, column, 0
	for at, first := betweenValues(text, 0), true; at < len(text); first = false {
		line, column = position(text[before:], at-before, line, column)
		before = at
		to, next, ok := joinedValue(text, at)
		if !ok || first && to == len(text) {
			// It is one value, and wrong in another way.
			if first {
				f.badJSON(text, err, startLine, startColumn)
				return nil
			}
			return f.value(text[at:], line, column)
		}
		if err := f.value(text[at:to], line, column); err != nil {
			return err
		}
		at = next
	}
	return nil
}

// withoutNaN writes null for the numbers that Python writes and JSON does not have,
// and reports false if there are none.
func withoutNaN(text []byte) ([]byte, bool) {
	var out []byte
	from, inString := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString || c != 'N' && c != 'I' && c != '-':
		default:
			for _, name := range []string{"NaN", "Infinity", "-Infinity"} {
				if bytes.HasPrefix(text[i:], []byte(name)) {
					out = append(append(out, text[from:i]...), "null"...)
					from = i + len(name)
					i = from - 1
					break
				}
			}
		}
	}
	return append(out, text[from:]...), from > 0
}

// joinedValue finds the end of the value that begins there, and the start of the
// one after it. It reports false if there is no value, or something else follows.
func joinedValue(text []byte, at int) (to, next int, ok bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text[at:]), jsonOptions...)
	if _, err := dec.ReadValue(); err != nil {
		return 0, 0, false
	}
	to = at + int(dec.InputOffset())
	next = betweenValues(text, to)
	return to, next, next == len(text) || bytes.IndexByte([]byte(`{["`), text[next]) >= 0
}

// betweenValues passes over what may stand between values that were joined.
func betweenValues(text []byte, at int) int {
	for {
		rest := bytes.TrimLeft(trimLeft(text[at:]), ",")
		if len(text)-len(rest) == at {
			return at
		}
		at = len(text) - len(rest)
	}
}

// jsonStart says whether a JSON value can begin with the byte.
func jsonStart(c byte) bool {
	return bytes.IndexByte([]byte(`"-0123456789tfn[`), c) >= 0
}

// marks are the members of a record that say what it is.
type marks struct {
	typ, category, tableName, generated *member
	nested                              bool // it has properties
}

func marksOf(members []member) (m marks) {
	for i := range members {
		this := &members[i]
		if this.inner {
			m.nested = true
			continue
		}
		switch len(this.name) {
		case len(typeColumn):
			if string(this.name) == typeColumn {
				m.typ = this
			}
		case len("category"):
			if string(this.name) == "category" || string(this.name) == "Category" {
				m.category = this
			}
		case len("TableName"):
			if string(this.name) == "TableName" {
				m.tableName = this
			}
		case len(timeGenerated):
			if string(this.name) == timeGenerated {
				m.generated = this
			}
		}
	}
	return m
}

// exported says whether the record is one of the diagnostic export.
func (m *marks) exported() bool {
	return m.nested && m.generated == nil && m.category != nil && m.category.value.kind == '"'
}

// bare says whether the record is one of the diagnostic export that has no
// properties.
func (m *marks) bare(members []member) bool {
	return !m.nested && m.generated == nil && m.category != nil && m.category.value.kind == '"' && string(m.category.name) == "category" &&
		given(members, "time") && given(members, "operationName") && given(members, "resourceId") && findMember(members, properties) == nil
}

// record puts one record into its table, or what is inside it into theirs.
// Nothing of a bad record gets there.
func (f *file) record(members []member, o origin, line, column int) error {
	m := marksOf(members)
	exported := m.exported() || m.bare(members)
	o = m.complete(members, o, exported)
	if m.generated == nil && !exported {
		if f.isBulkAction(members) {
			return nil
		}
		if opened, ok := f.openProperties(members); ok {
			return f.record(opened, o, line, column)
		}
		if g, ok := f.graph(members); ok {
			o.types, o.untyped = nil, false // of other members
			m = marksOf(g.members)
			m.generated = g.generated
			return f.keep(g.members, &m, o, true, line, column)
		}
		if named, ok := f.office(members); ok {
			o.types = nil // of other members
			m = marksOf(named)
			return f.keepIn(officeActivity, named, &m, o, line, column)
		}
		// The tables of Microsoft Defender have it beside TimeGenerated, and
		// advanced hunting has it alone. What such a record has inside belongs to it.
		at := findMember(members, timestamp)
		hunted := at != nil && string(at.name) == timestamp && (at.value.kind == '"' || at.value.kind == plainText)
		if !hunted && !isKnown(members) {
			if ok, err := f.unwrap(members, line, column); ok {
				return err
			}
		}
		if at != nil {
			generated := *at
			m.generated = &generated
		}
		for _, name := range []string{createdDateTime, activityDateTime, detectedDateTime, riskUpdatedDateTime} {
			if m.generated == nil && given(members, name) {
				f.bad(nil, line, column, "the record has "+name+", but neither TimeGenerated nor what a sign-in, a directory audit or a risk detection of Microsoft Graph has")
				return nil
			}
		}
	}
	return f.keep(members, &m, o, exported, line, column)
}

// isBulkAction says whether a line is what Elastic's bulk format has before each
// record: what to do with it. Its members say where, all but a few by an underscore.
func (f *file) isBulkAction(members []member) bool {
	if len(members) != 1 || members[0].value.kind != '{' {
		return false
	}
	if name := string(members[0].name); name != "index" && name != "create" {
		return false
	}
	for _, m := range f.insides(members[0].value) {
		switch name := string(m.name); name {
		case "routing", "pipeline", "require_alias", "require_data_stream", "dynamic_templates", "version", "version_type", "if_seq_no", "if_primary_term", "list_executed_pipelines":
		default:
			if !strings.HasPrefix(name, "_") {
				return false
			}
		}
	}
	return true
}

// isKnown says whether the members are columns of a known table. Then what is inside
// them is no record of its own, even if this one has no time.
func isKnown(members []member) bool {
	table, _ := tableByColumns(members)
	return table != ""
}

// keepIn puts one record into the table of that name.
func (f *file) keepIn(name string, members []member, m *marks, o origin, line, column int) error {
	t, err := f.table(name)
	if err != nil {
		f.bad(nil, line, column, err.Error())
		return nil
	}
	return f.keepOf(t, "", members, m, o, false, line, column)
}

// keep puts one record whose marks are known into its table.
func (f *file) keep(members []member, m *marks, o origin, exported bool, line, column int) error {
	t, reason, err := f.tableOf(members, m, exported, line)
	if err != nil {
		return err
	}
	return f.keepOf(t, reason, members, m, o, exported, line, column)
}

// keepOf puts one record into its table, or says why it has none.
func (f *file) keepOf(t *table, reason string, members []member, m *marks, o origin, exported bool, line, column int) error {
	if t == nil {
		f.bad(nil, line, column, reason)
		return nil
	}
	if t.ignored {
		f.report.Records++
		f.Reader.report.Ignored++
		return nil
	}
	if f.looking {
		f.look(t, members, line)
		return nil
	}
	generated, reason, err := f.generated(t, members, m.generated, exported, line)
	if err != nil {
		return err
	}
	if reason != "" {
		f.bad(t, line, column, reason)
		return nil
	}
	if f.rows >= f.opts.MaxRows {
		return fmt.Errorf("logs: %s:%d: more than %d records; read fewer files or tables at once", f.path, line, f.opts.MaxRows)
	}
	f.rows++
	f.report.Records++
	f.Reader.report.Records++

	t.begin(generated)
	w := writer{file: f, table: t, origin: o, line: line}
	if exported {
		w.derive(members)
	}
	if err := w.cells(members, m, exported); err != nil {
		return err
	}
	t.b.Commit()
	if f.opts.Received != nil && !w.received.IsZero() {
		f.opts.Received(t.name, generated, w.received)
	}
	return nil
}

// complete finds the record's time where it is under another name, and returns
// how its values are written: a result of the Azure CLI names its table.
func (m *marks) complete(members []member, o origin, exported bool) origin {
	if m.tableName != nil && string(m.tableName.value.raw) == `"PrimaryResult"` {
		o.untyped, o.none = true, true
	} else {
		m.tableName = nil
	}
	if exported {
		m.generated = findMember(members, "time")
	} else if m.generated == nil {
		m.generated = findMember(members, timeGenerated)
	}
	return o
}

// cells writes the members of a record into the columns of its table.
func (w *writer) cells(members []member, m *marks, exported bool) error {
	var previous *field
	for i := range members {
		this := &members[i]
		if this == m.generated || this == m.tableName {
			continue
		}
		var mapping *mapping
		switch {
		case !exported && this.inner:
			continue
		case !exported:
			mapping = &w.table.flat
		case this.inner && w.table.name == azureActivity:
			continue // they are in the properties, which are a column
		case this.inner:
			mapping = &w.table.inner
		case string(this.name) == properties && this.value.kind == '{' && w.table.name != azureActivity:
			continue
		default:
			mapping = &w.table.outer
		}
		fd := mapping.field(previous, this.name)
		if fd == nil {
			if fd = w.resolve(mapping, this.name, w.origin.typeOf(i)); fd == nil {
				continue
			}
		}
		if previous != nil {
			previous.next = fd
		}
		previous = fd
		if this.value.kind == 'n' {
			continue
		}
		if fd.column.seq == w.table.seq && w.table.clash(fd) {
			if fd = w.apart(members, fd); w.err != nil {
				return w.err
			}
			if fd == nil {
				continue
			}
			previous = fd
		}
		if w.table.claim(fd.column, fd.rank) {
			if fd.rank == rankFolded {
				fd.column.by = fd
			}
			w.member, w.declared = this.name, w.origin.typeOf(i)
			w.set(fd.column, this.value)
			if w.err != nil {
				return w.err
			}
		}
	}
	return nil
}

// findMember returns the member of that name at the top level, compared without
// case if none has it exactly.
func findMember(members []member, name string) *member {
	var found *member
	for i := range members {
		switch this := &members[i]; {
		case this.inner || len(this.name) != len(name) || !bytes.EqualFold(this.name, []byte(name)):
		case string(this.name) == name:
			return this
		default:
			found = this
		}
	}
	return found
}
