package kql

import (
	"math"
	"slices"
	"time"
)

// TableBuilder collects rows. Set cells of the current row in any order, then
// Commit it, or Discard it; cells not set are null (strings empty).
type TableBuilder struct {
	name   string
	schema Schema
	cols   []*columnBuilder
	rows   int
	sealed int // segments

	keeping *keeping // what Keep asked for, or nil
}

// NewTableBuilder starts a table. The names of the schema must be unique.
func NewTableBuilder(name string, schema Schema) *TableBuilder {
	b := &TableBuilder{name: name}
	for _, c := range schema {
		b.AddColumn(c)
	}
	return b
}

// AddColumn adds a column, null in the rows so far, and returns its position.
func (b *TableBuilder) AddColumn(c ColumnSchema) int {
	b.schema = append(b.schema, c)
	col := &columnBuilder{typ: c.Type}
	for range b.rows / chunkRows {
		col.seal(chunkRows)
	}
	b.cols = append(b.cols, col)
	return len(b.cols) - 1
}

// row is the place of the current row in the segment that is being filled.
func (b *TableBuilder) row() int { return b.rows % chunkRows }

// SetBool sets a cell of a Bool column.
func (b *TableBuilder) SetBool(col int, x bool) { b.cols[col].setInt(b.row(), boolValue(x).n) }

// SetLong sets a cell of an Int or a Long column.
func (b *TableBuilder) SetLong(col int, n int64) { b.cols[col].setInt(b.row(), n) }

// SetReal sets a cell of a Real column.
func (b *TableBuilder) SetReal(col int, f float64) {
	b.cols[col].setInt(b.row(), int64(math.Float64bits(f)))
}

// SetTime sets a cell of a DateTime column, to 100 ns. Instants outside the
// years 1 to 9999 are null.
func (b *TableBuilder) SetTime(col int, t time.Time) {
	b.cols[col].setValue(b.row(), datetimeValue(timeToTicks(t)))
}

// SetString sets a cell of a String column to the text, which is copied.
func (b *TableBuilder) SetString(col int, text []byte) { b.cols[col].setText(b.row(), text) }

// SetJSON sets a cell of a Dynamic column to a JSON value. The caller has
// checked that it is valid. It is copied, and parsed when a query looks at it.
func (b *TableBuilder) SetJSON(col int, text []byte) { b.cols[col].setText(b.row(), text) }

// SetText sets a cell of any type from its text. It reads the text as the
// conversion functions of KQL do, such as todatetime and tolong. It reports
// false, and leaves the cell null, if the text is not of the column's type.
func (b *TableBuilder) SetText(col int, text []byte) bool {
	t := b.schema[col].Type
	if t == String {
		b.SetString(col, text)
		return true
	}
	val := convert(stringValue(string(text)), t)
	b.cols[col].setValue(b.row(), val)
	return !val.IsNull()
}

// Commit ends the current row.
func (b *TableBuilder) Commit() {
	b.rows++
	b.filled()
}

// filled seals the open segment if it is full.
func (b *TableBuilder) filled() {
	if b.row() == 0 && b.keeping != nil {
		b.leaveOut(chunkRows)
	}
	if b.row() == 0 && b.rows > b.sealed*chunkRows {
		b.sealed++
		for _, c := range b.cols {
			c.seal(chunkRows)
		}
	}
}

// Retype converts a column to another type, cell by cell, as tostring(),
// tolong() and so on do. What does not convert becomes null.
func (b *TableBuilder) Retype(col int, to Type) {
	old, c := b.cols[col], &columnBuilder{typ: to}
	for _, sealed := range old.sealed {
		for row := range sealed.n {
			c.setValue(row, convert(sealed.value(row), to))
		}
		c.seal(chunkRows)
	}
	for row := range old.n {
		c.setValue(row, convert(old.value(row), to))
	}
	b.cols[col] = c
	b.schema[col].Type = to
}

// RetypeTime makes a String column one of times, each of which the function
// reads. What it does not read becomes null.
func (b *TableBuilder) RetypeTime(col int, read func(text string) (time.Time, bool)) {
	old, c := b.cols[col], &columnBuilder{typ: DateTime}
	set := func(row int, v Value) {
		val := Value{}
		if t, ok := read(v.s); ok {
			val = datetimeValue(timeToTicks(t))
		}
		c.setValue(row, val)
	}
	for _, sealed := range old.sealed {
		for row := range sealed.n {
			set(row, sealed.value(row))
		}
		c.seal(chunkRows)
	}
	for row := range old.n {
		set(row, old.value(row))
	}
	b.cols[col] = c
	b.schema[col].Type = DateTime
}

// Build returns the table. The builder must not be used afterwards.
func (b *TableBuilder) Build() *Table {
	t := &Table{name: b.name, schema: b.schema}
	if b.keeping != nil {
		if b.row() > 0 {
			b.leaveOut(b.row())
		}
		t.leftOut = b.keeping.leftOut
	}
	if b.row() > 0 {
		for _, c := range b.cols {
			c.seal(b.row())
		}
	}
	for _, c := range b.cols {
		c.text.lexicon.finish()
	}
	for from := 0; from < b.rows; from += chunkRows {
		s := segment{n: min(chunkRows, b.rows-from), cols: make([]*vector, len(b.cols))}
		for i, c := range b.cols {
			s.cols[i] = c.sealed[from/chunkRows]
		}
		t.segments = append(t.segments, s)
	}
	t.finish()
	return t
}

// columnBuilder fills a column, one segment after the other. A segment that is
// full is sealed: it gets the form that takes the least memory, and what it
// was filled in is used for the next.
type columnBuilder struct {
	typ    Type
	sealed []*vector
	n      int // cells of the open segment that are set; those after them are null

	ints  []int64 // all types that are not text or boxed; of a Real its bits
	nulls []bool  // of ints, nil while none is null
	text  textBuilder
	vals  []Value // boxed types, but Dynamic only once a cell is no JSON text
}

// isText says whether the open segment holds texts.
func (c *columnBuilder) isText() bool { return c.typ == String || c.typ == Dynamic && c.vals == nil }

// room makes the row the next one to be set. Those before it that nobody set
// become null, and what was set for it already is forgotten.
func (c *columnBuilder) room(row int) {
	c.cut(row)
	for c.n < row {
		c.add(Value{})
	}
}

// cut forgets the cells of the open segment from a row on.
func (c *columnBuilder) cut(row int) {
	if c.n <= row {
		return
	}
	c.n = row
	switch {
	case c.isText():
		c.text.cut(row)
	case c.typ.boxed():
		c.vals = c.vals[:row]
	default:
		c.ints = c.ints[:row]
		if c.nulls != nil {
			c.nulls = c.nulls[:row]
		}
	}
}

// add appends a cell, which is null or of the column's type.
func (c *columnBuilder) add(v Value) {
	if c.typ == Dynamic && c.vals == nil && v.kind != kindNull {
		c.vals = make([]Value, c.n, chunkRows)
		for row := range c.vals {
			if text := c.text.at(row); text != "" {
				c.vals[row] = parsedJSON(Value{kind: kindJSON, s: text})
			}
		}
		c.text.empty()
	}
	switch {
	case c.isText():
		c.text.add([]byte(v.s))
	case c.typ.boxed():
		c.vals = append(c.vals, v)
	default:
		if v.kind == kindNull && c.nulls == nil {
			c.nulls = make([]bool, c.n, chunkRows)
		}
		if c.nulls != nil {
			c.nulls = append(c.nulls, v.kind == kindNull)
		}
		c.ints = append(c.ints, v.n)
	}
	c.n++
}

func (c *columnBuilder) setValue(row int, v Value) {
	c.room(row)
	c.add(v)
}

func (c *columnBuilder) setInt(row int, n int64) {
	c.room(row)
	c.ints = append(c.ints, n)
	if c.nulls != nil {
		c.nulls = append(c.nulls, false)
	}
	c.n++
}

func (c *columnBuilder) setText(row int, text []byte) {
	c.room(row)
	if c.isText() {
		c.text.add(text)
	} else {
		c.vals = append(c.vals, parsedJSON(Value{kind: kindJSON, s: string(text)}))
	}
	c.n++
}

// value returns a cell of the open segment.
func (c *columnBuilder) value(row int) Value {
	switch {
	case row >= c.n || c.nulls != nil && c.nulls[row]:
		return convert(Value{}, c.typ)
	case c.typ == String:
		return stringValue(c.text.at(row))
	case c.isText():
		if text := c.text.at(row); text != "" {
			return parsedJSON(Value{kind: kindJSON, s: text})
		}
		return Value{}
	case c.typ.boxed():
		return c.vals[row]
	}
	return Value{kind: c.typ, n: c.ints[row]}
}

// open gives the rows of the open segment as a vector. It is valid until one of
// them is set.
func (c *columnBuilder) open(rows int) *vector {
	c.room(rows)
	v := &vector{typ: c.typ, n: rows}
	switch {
	case c.isText() && c.text.apart:
		v.strs = c.text.texts()
	case c.isText():
		v.strs, v.codes = c.text.distinct, c.text.codes
	case c.typ.boxed():
		v.vals = c.vals
	case c.typ == Real:
		v.nulls, v.reals = c.nulls, realsOf(c.ints)
	default:
		v.nulls, v.ints = c.nulls, c.ints
	}
	return v
}

// pick keeps only some rows of the open segment, which has so many; they are
// named in order.
func (c *columnBuilder) pick(sel []int32, rows int) {
	if c.n == 0 {
		return // all are null
	}
	c.room(rows)
	switch {
	case c.isText():
		c.text.pick(sel)
	case c.typ.boxed():
		c.vals = moved(c.vals, sel)
	default:
		c.ints = moved(c.ints, sel)
		if c.nulls != nil {
			c.nulls = moved(c.nulls, sel)
		}
	}
	c.n = len(sel)
}

// moved brings the chosen elements, which are in order, to the front.
func moved[T any](list []T, sel []int32) []T {
	for to, from := range sel {
		list[to] = list[from]
	}
	return list[:len(sel)]
}

// seal ends the open segment, which has so many rows.
func (c *columnBuilder) seal(rows int) {
	v := &vector{typ: c.typ, n: rows}
	if c.n == 0 {
		v = constantVector(c.typ, Value{}, rows)
	} else {
		c.room(rows)
		switch {
		case c.isText():
			c.text.seal(v)
		case c.typ.boxed():
			v.vals = c.vals
			c.vals = nil
		default:
			c.sealInts(v)
		}
	}
	c.sealed = append(c.sealed, v)
	c.n, c.nulls = 0, nil
	c.ints = c.ints[:0]
}

func (c *columnBuilder) sealInts(v *vector) {
	v.nulls = c.nulls
	same := true
	for i, n := range c.ints {
		same = same && n == c.ints[0] && (v.nulls == nil || v.nulls[i] == v.nulls[0])
	}
	keep := c.ints
	if same {
		v.constant, keep = true, keep[:1]
		if v.nulls != nil {
			v.nulls = v.nulls[:1:1]
		}
	}
	if c.typ != Real {
		v.ints = append([]int64(nil), keep...)
		return
	}
	v.reals = realsOf(keep)
}

func realsOf(bits []int64) []float64 {
	reals := make([]float64, len(bits))
	for i, n := range bits {
		reals[i] = math.Float64frombits(uint64(n))
	}
	return reals
}

// textBuilder fills a segment of texts. It numbers the distinct ones, since
// logs repeat most of what they say, until there are so many that keeping each
// is cheaper: identifiers, say.
type textBuilder struct {
	codes    []uint16
	distinct []string
	ids      []uint32          // of the distinct ones in the lexicon, noID for those it has not
	codeOf   map[string]uint16 // of those that the lexicon has not
	lexicon  lexicon           // of all segments
	segment  uint32            // which this one is to the lexicon, less one

	apart bool   // the texts lie one after the other, and not by their codes
	bytes []byte // all of them
	ends  []int  // where each ends
	// plain is how many more segments are begun without looking for repeats,
	// after one in which there were few.
	plain int
}

// These bound what finding repeats costs: the most distinct texts of a segment
// that are numbered, unless the lexicon says that others repeat them, and how often
// a column without repeats is looked at.
const (
	maxDistinct  = chunkRows / 4
	plainForward = 15
)

func (b *textBuilder) len() int {
	if b.apart {
		return len(b.ends)
	}
	return len(b.codes)
}

func (b *textBuilder) add(text []byte) {
	if !b.apart && b.len() == 0 && b.plain > 0 {
		b.plain--
		b.apart = true
	}
	if b.apart {
		b.keep(text)
		return
	}
	id, known := b.lexicon.codeOf[string(text)]
	if known {
		if p := b.lexicon.places[id]; p.segment == b.segment+1 {
			b.codes = append(b.codes, p.code)
			return
		}
	} else if code, ok := b.codeOf[string(text)]; ok {
		b.codes = append(b.codes, code)
		return
	}
	if n := len(b.distinct); n == maxDistinct && !b.lexicon.goOn(b.ids, len(b.codes)) || n > maxUsed {
		b.separate()
		b.add(text)
		return
	}
	if known {
		b.codes = append(b.codes, b.number(b.lexicon.texts[id], id))
	} else {
		b.codes = append(b.codes, b.number(string(text), noID))
	}
}

// number gives a text its number in the segment.
func (b *textBuilder) number(text string, id uint32) uint16 {
	code := uint16(len(b.distinct))
	b.distinct, b.ids = append(b.distinct, text), append(b.ids, id)
	if id != noID {
		b.lexicon.places[id] = place{b.segment + 1, code}
		return code
	}
	if b.codeOf == nil {
		b.codeOf = make(map[string]uint16)
	}
	b.codeOf[text] = code
	return code
}

// keep adds a text to those that lie one after the other.
func (b *textBuilder) keep(text []byte) {
	b.bytes = append(b.bytes, text...)
	b.ends = append(b.ends, len(b.bytes))
}

// separate goes over to keeping each text.
func (b *textBuilder) separate() {
	for _, code := range b.codes {
		b.keep([]byte(b.distinct[code]))
	}
	b.forget()
	b.apart, b.plain = true, b.lexicon.missed()
}

func (b *textBuilder) forget() {
	clear(b.distinct)
	b.codes, b.distinct, b.ids = b.codes[:0], b.distinct[:0], b.ids[:0]
	clear(b.codeOf)
	b.segment++
}

// empty forgets all texts of the segment.
func (b *textBuilder) empty() {
	b.bytes, b.ends, b.apart = b.bytes[:0], b.ends[:0], false
	b.forget()
}

func (b *textBuilder) at(row int) string {
	if !b.apart {
		return b.distinct[b.codes[row]]
	}
	return string(b.bytes[b.start(row):b.ends[row]])
}

func (b *textBuilder) start(row int) int {
	if row == 0 {
		return 0
	}
	return b.ends[row-1]
}

func (b *textBuilder) cut(rows int) {
	if !b.apart {
		b.codes = b.codes[:rows]
		return
	}
	b.bytes, b.ends = b.bytes[:b.start(rows)], b.ends[:rows]
}

// texts are those that lie one after the other.
func (b *textBuilder) texts() []string {
	all := string(b.bytes)
	texts := make([]string, len(b.ends))
	for row, end := range b.ends {
		texts[row] = all[b.start(row):end]
	}
	return texts
}

// pack puts the texts that lie one after the other into a vector.
func (b *textBuilder) pack(v *vector) {
	if len(b.bytes) > math.MaxUint32 {
		v.strs = b.texts()
		return
	}
	v.packed = &packedTexts{text: string(b.bytes), ends: make([]uint32, len(b.ends))}
	for row, end := range b.ends {
		v.packed.ends[row] = uint32(end)
	}
}

// pick keeps only some of the texts, which are named in order.
func (b *textBuilder) pick(sel []int32) {
	if b.apart {
		size := 0
		for to, from := range sel {
			size += copy(b.bytes[size:], b.bytes[b.start(int(from)):b.ends[from]])
			b.ends[to] = size
		}
		b.bytes, b.ends = b.bytes[:size], b.ends[:len(sel)]
		return
	}
	old, ids := b.distinct, b.ids
	b.codes = moved(b.codes, sel)
	b.distinct, b.ids = nil, nil
	clear(b.codeOf)
	b.segment++
	const none = -1
	again := slices.Repeat([]int32{none}, len(old))
	for row, code := range b.codes {
		if again[code] == none {
			again[code] = int32(b.number(old[code], ids[code]))
		}
		b.codes[row] = uint16(again[code])
	}
}

// seal puts the texts into a vector, and gets ready for the next segment.
func (b *textBuilder) seal(v *vector) {
	switch {
	case b.apart:
		b.pack(v)
	case len(b.distinct) == 1:
		b.lexicon.add(b.distinct, b.ids)
		v.strs, v.constant = []string{b.distinct[0]}, true
	case !b.lexicon.seal(v, b.codes, b.distinct, b.ids):
		v.strs = append([]string(nil), b.distinct...) // without room for more
		v.codes = append([]uint16(nil), b.codes...)
	}
	b.plain += b.lexicon.givenUp()
	b.empty()
}
