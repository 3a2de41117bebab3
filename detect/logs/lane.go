package logs

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"pushback/detect/kql"
)

// Records of a file look much alike. Once one was read with all that may be in a
// record, others of its table take a lane: the same members, by name, mean the
// same columns. On it only what a query needs is decoded, and everything else is
// passed over by its structure, but checked to be JSON all the same. The member
// that came after one in the record before is tried first.
//
// Whatever is not exactly as it was learned leaves the lane: another table, a name
// that is new, a value that is not plainly of its column's type, a line that is
// wrong. Such a line is read as if there were no lanes, and what it holds may be
// learned. So a lane changes nothing but the time that it takes.

// lane is what is known of the records of a table. It does not change: what is
// learned goes into another.
type lane struct {
	table   *table
	typ     []byte // what its records say in Type, as in the file; nil if they say none
	fields  []laneField
	byName  map[string]int
	columns []int // in the builder, of the cells that are kept: of TimeGenerated first
	typed   int   // among them, of Type, or -1
	got     int   // among them, of _TimeReceived, or -1
	filter  *laneFilter
}

// laneField is a member of the records.
type laneField struct {
	key    []byte    // with its quotes and a colon
	head   [2]uint64 // its first 16 bytes, in little-endian words
	within [2]uint64 // a mask of those that it has
	what   laneKind
	cell   int // in lane.columns
	once   bool
	flag   laneFlags
}

// setHead sets the head by the key.
func (fd *laneField) setHead() {
	for i := range min(len(fd.key), 16) {
		fd.head[i/8] |= uint64(fd.key[i]) << (i % 8 * 8)
		fd.within[i/8] |= 0xff << (i % 8 * 8)
	}
}

// isAt says whether the key is in a text at i. Near the end of the text it says no.
func (fd *laneField) isAt(b []byte, i int) bool {
	if i+16 > len(b) {
		return false
	}
	h := b[i : i+16]
	return (binary.LittleEndian.Uint64(h)^fd.head[0])&fd.within[0]|(binary.LittleEndian.Uint64(h[8:])^fd.head[1])&fd.within[1] == 0
}

// name is that of the member.
func (fd *laneField) name() []byte { return fd.key[1 : len(fd.key)-2] }

// laneKind says what becomes of a member.
type laneKind uint8

const (
	laneSkip  laneKind = iota // nothing
	laneLeave                 // its record leaves the lane
	laneGenerated
	laneType
	laneText
	laneJSON
	laneInt
	laneLong
	laneBool
	laneTime
)

// laneFlags are what is checked of the values of a column.
type laneFlags uint8

const (
	laneCode laneFlags = 1 << iota
	laneCamel
)

// mostLane bounds the members that a lane knows.
const mostLane = 500

// learn makes a lane of a record that was read from a line of its own, or adds to
// the one there is. What the record has is in its table by now.
func (f *file) learn(members []member) {
	if f.alone {
		return
	}
	t, typ := f.laneTable(members)
	if t == nil || t.ignored {
		return
	}
	key := laneKey{string(typ), f.pathTable, typ == nil}
	if typ != nil {
		key.path = ""
	}
	old := f.lanes[key]
	if old == nil {
		if len(f.lanes) >= maxTables {
			return
		}
		old = newLane(t, bytes.Clone(typ))
	}
	l := *old
	for i := range members {
		if m := &members[i]; l.byName[string(m.name)] == 0 && len(l.fields) < mostLane && isPlainName(m.name) {
			if len(l.fields) == len(old.fields) {
				l.fields, l.columns, l.byName = slices.Clip(l.fields), slices.Clip(l.columns), maps.Clone(l.byName)
			}
			l.add(m.name)
		}
	}
	if len(l.fields) > len(old.fields) {
		l.filter = l.filtering()
		old = &l
		f.lanes[key] = old
	}
	f.lane.Store(old)
}

// laneKey is what tells lanes apart: what their records say in Type, or of which
// table the file is if they say none.
type laneKey struct {
	typ, path string
	typeless  bool
}

// laneTable gives the table whose lane a record may have, or nil, and what it says
// in Type.
func (f *file) laneTable(members []member) (t *table, typ []byte) {
	m := marksOf(members)
	if m.generated == nil || m.generated.value.kind != '"' || m.nested || m.tableName != nil || f.looking || f.within != "" {
		return nil, nil
	}
	if m.typ == nil {
		if m.category != nil || f.pathTable == "" {
			return nil, nil
		}
		t, _ = f.Reader.table(f.pathTable)
		return t, nil
	}
	if m.typ.value.kind != '"' || bytes.IndexByte(m.typ.value.raw, '\\') >= 0 {
		return nil, nil
	}
	typ = m.typ.value.raw[1 : len(m.typ.value.raw)-1]
	return f.lookup[string(typ)], typ
}

func isPlainName(name []byte) bool {
	for _, c := range name {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

func newLane(t *table, typ []byte) *lane {
	l := &lane{table: t, typ: typ, byName: make(map[string]int), columns: []int{t.generated.index}, typed: -1, got: -1}
	l.fields = []laneField{{}} // before the first member
	if t.typ != nil && t.typ.index >= 0 {
		l.typed = len(l.columns)
		l.columns = append(l.columns, t.typ.index)
	}
	return l
}

// add learns what a member means.
func (l *lane) add(name []byte) {
	t := l.table
	fd := laneField{key: slices.Concat([]byte{'"'}, name, []byte(`":`)), what: laneLeave}
	fd.setHead()
	l.byName[string(name)] = len(l.fields)
	defer func() { l.fields = append(l.fields, fd) }()
	switch string(name) {
	case timeGenerated:
		fd.what, fd.once = laneGenerated, true
		return
	case typeColumn:
		fd.what, fd.once = laneType, true
		if l.typ == nil {
			fd.what = laneLeave
		}
		return
	case "TableName", properties:
		return
	case "category", "Category":
		if l.typ == nil {
			return
		}
	}
	known := t.flat.fields[string(name)]
	if known == nil {
		return
	}
	c := known.column
	if c.index < 0 {
		fd.what = laneSkip
		return
	}
	if known.rank != rankExact || c.infer != nil || c == t.generated || c == t.typ {
		return
	}
	switch c.typ {
	case kql.String:
		fd.what = laneText
	case kql.Dynamic:
		fd.what = laneJSON
	case kql.Int:
		fd.what = laneInt
	case kql.Long:
		fd.what = laneLong
	case kql.Bool:
		fd.what = laneBool
	case kql.DateTime:
		fd.what = laneTime
	default:
		return
	}
	if c.code {
		fd.flag |= laneCode
	}
	if c.camel {
		fd.flag |= laneCamel
	}
	fd.once, fd.cell = true, len(l.columns)
	if c.name == timeReceived {
		l.got = fd.cell
	}
	l.columns = append(l.columns, c.index)
}

// isText says whether a column's cells are texts.
func (l *lane) isText(cell int) bool {
	if cell == l.typed {
		return true
	}
	for i := range l.fields {
		if fd := &l.fields[i]; fd.once && fd.cell == cell && cell > 0 {
			return fd.what == laneText || fd.what == laneJSON
		}
	}
	return false
}

// laneRows are records of a block that took a lane.
type laneRows struct {
	lane  *lane
	n     int
	cells []kql.Cells
	times [2]int64 // the least and the greatest
	left  []int64  // when those were that the filter leaves out
	got   []int64  // and when they were received, if the lane has that
}

// walker takes records along a lane.
type walker struct {
	lane  *lane
	next  []int32 // the field that came after each in the record before
	seen  []int   // the record, by number, that had each field last
	n     int     // records
	ints  []int64 // the cells of one, of lane.columns
	texts []kql.Span
	isInt []bool
}

// enter makes the walker ready for a lane.
func (k *walker) enter(l *lane) {
	if k.lane == l {
		return
	}
	*k = walker{lane: l, next: make([]int32, len(l.fields)), seen: make([]int, len(l.fields)), n: k.n,
		ints: make([]int64, len(l.columns)), texts: make([]kql.Span, len(l.columns)), isInt: make([]bool, len(l.columns))}
	for i := range k.next {
		k.next[i] = int32(min(i+1, len(l.fields)-1))
	}
	for i := range l.columns {
		k.isInt[i] = !l.isText(i)
	}
}

// empty gets the rows ready for records of a lane.
func (r *laneRows) empty(k *walker) {
	l := k.lane
	r.lane, r.n, r.left, r.got = l, 0, r.left[:0], r.got[:0]
	r.times = [2]int64{math.MaxInt64, math.MinInt64}
	for len(r.cells) < len(l.columns) {
		r.cells = append(r.cells, kql.Cells{})
	}
	r.cells = r.cells[:len(l.columns)]
	for i := range r.cells {
		c := &r.cells[i]
		c.Column = l.columns[i]
		if k.isInt[i] {
			if c.Texts = nil; c.Ints == nil {
				c.Ints = make([]int64, 0, 256)
			}
			c.Ints = c.Ints[:0]
		} else {
			c.Ints, c.Texts = nil, c.Texts[:0]
		}
	}
}

// take reads a record that begins in the text at i, in a line that begins before. It
// returns where the line ends, or -1 if the record leaves the lane.
func (k *walker) take(blk *block, line, i int) int {
	b, marks := blk.text, blk.marks
	l := k.lane
	k.n++
	for c := range k.ints {
		k.ints[c], k.texts[c] = kql.NullInt, kql.Span{}
	}
	typed := l.typ == nil
	generated := false
	at := int32(0)
	if i++; b[i] <= ' ' {
		i = afterSpace(b, i)
	}
	for {
		// The name.
		field := k.next[at]
		fd := &l.fields[field]
		if n := len(fd.key); fd.isAt(b, i) && (n <= 16 || bytes.HasPrefix(b[i+16:], fd.key[16:])) {
			i += n
		} else {
			if field, i = k.find(b, marks, i); field < 0 {
				return -1
			}
			k.next[at] = field
			fd = &l.fields[field]
		}
		if at = field; b[i] <= ' ' {
			i = afterSpace(b, i)
		}
		if k.seen[field] == k.n && fd.once {
			return -1
		}
		k.seen[field] = k.n

		// The value.
		from, kind, escaped := i, b[i], false
		switch {
		case kind == '"':
			if i = nextMark(b, marks, i+1); b[i] != '"' {
				if i, escaped = stringEnd(b, marks, i); i < 0 {
					return -1
				}
			}
			i++
		case kind == '{' || kind == '[':
			i = containerEnd(b, marks, i, 1)
		case kind == '-' || kind-'0' <= 9:
			i = numberEnd(b, i)
		default:
			i = literalEnd(b, i)
		}
		if i < 0 {
			return -1
		}
		if fd.what != laneSkip {
			switch fd.what {
			case laneGenerated:
				tick, ok := int64(0), kind == '"'
				if ok {
					tick, ok = kql.ISOTicks(b[from+1 : i-1])
				}
				if !ok || tick < firstTick || tick >= endTick {
					return -1
				}
				k.ints[0], generated = tick, true
			case laneType:
				if kind != '"' || string(b[from+1:i-1]) != string(l.typ) {
					return -1
				}
				typed = true
			default:
				if kind != 'n' && !k.set(blk, fd, kind, from, i, escaped) {
					return -1
				}
				b = blk.text
			}
		}

		// What follows it.
		if b[i] != ',' {
			if i = afterSpace(b, i); b[i] != ',' {
				break
			}
		}
		if i++; b[i] <= ' ' {
			i = afterSpace(b, i)
		}
	}
	if b[i] != '}' || !typed || !generated {
		return -1
	}
	if i = afterSpace(b, i+1); b[i] != '\n' || i-line > blk.limit {
		return -1
	}
	k.keep(blk)
	return i
}

// find returns which field's name is in the text at i, or -1, and where its value may
// begin.
func (k *walker) find(b, marks []byte, i int) (field int32, value int) {
	if b[i] != '"' {
		return -1, i
	}
	close, _ := stringEnd(b, marks, i+1)
	if close < 0 {
		return -1, i
	}
	known := k.lane.byName[string(b[i+1:close])]
	if i = afterSpace(b, close+1); known == 0 || b[i] != ':' {
		return -1, i
	}
	return int32(known), i + 1
}

// firstTick and endTick bound the times of records: see plausibleTime.
var (
	firstTick = kql.Ticks(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC))
	endTick   = kql.Ticks(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
)

// set takes down a value of a column, if that is easy.
func (k *walker) set(blk *block, fd *laneField, kind byte, from, to int, escaped bool) bool {
	b := blk.text
	raw := b[from:to]
	switch fd.what {
	case laneText:
		switch kind {
		case '"':
			from, to = from+1, to-1
			if escaped {
				at := len(b) - padding
				text, err := jsontext.AppendUnquote(b[:at], raw)
				if err != nil {
					clear(b[at:])
					return false
				}
				blk.text = append(text, make([]byte, padding)...)
				b, from, to = blk.text, at, len(text)
			}
			text := b[from:to]
			if len(text) > 0 && (mayBeSpoiled(text) && (text[0] == '"' || isPowerShellText(text)) || len(text) >= maxCell ||
				fd.flag != 0 && (fd.flag&laneCode != 0 && bytes.HasSuffix(text, []byte(".0")) || fd.flag&laneCamel != 0 && text[0] == '{')) {
				return false
			}
		case '{', '[':
			if fd.flag&laneCamel != 0 || kind == '{' && bytes.Contains(raw, []byte("/Date(")) || bytes.ContainsAny(raw, " \t\r") {
				return false
			}
		default:
			if fd.flag&laneCode != 0 && bytes.HasSuffix(raw, []byte(".0")) {
				return false
			}
		}
		k.texts[fd.cell] = kql.Span{From: uint32(from), To: uint32(to)}
	case laneJSON:
		if kind == '"' || kind == '{' && (fd.flag&laneCamel != 0 && (raw[1] != '"' || inPascalCase(raw[:3])) || bytes.Contains(raw, []byte("/Date("))) {
			return false
		}
		k.texts[fd.cell] = kql.Span{From: uint32(from), To: uint32(to)}
	case laneInt, laneLong:
		n, ok := shortInt(raw)
		if !ok || fd.what == laneInt && (n < math.MinInt32 || n > math.MaxInt32) {
			return false
		}
		k.ints[fd.cell] = n
	case laneBool:
		switch kind {
		case 't':
			k.ints[fd.cell] = 1
		case 'f':
			k.ints[fd.cell] = 0
		default:
			return false
		}
	case laneTime:
		if kind != '"' {
			return false
		}
		tick, ok := kql.ISOTicks(raw[1 : len(raw)-1])
		if !ok {
			return false
		}
		k.ints[fd.cell] = tick
	default:
		return false
	}
	return true
}

// shortInt reads an integer of up to 18 digits.
func shortInt(raw []byte) (n int64, ok bool) {
	digits := raw
	if len(raw) > 0 && raw[0] == '-' {
		digits = raw[1:]
	}
	if len(digits) == 0 || len(digits) > 18 {
		return 0, false
	}
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if len(digits) < len(raw) {
		n = -n
	}
	return n, true
}

// keep adds the record to the block's rows, or what is counted of one that the
// filter leaves out.
func (k *walker) keep(blk *block) {
	r := &blk.rows
	tick := k.ints[0]
	r.times[0], r.times[1] = min(r.times[0], tick), max(r.times[1], tick)
	if k.lane.filter != nil && !k.lane.filter.mayPass(blk.text, k.texts) {
		r.left = append(r.left, tick)
		if k.lane.got >= 0 {
			r.got = append(r.got, k.ints[k.lane.got])
		}
		return
	}
	r.n++
	for i := range r.cells {
		c := &r.cells[i]
		if k.isInt[i] {
			c.Ints = append(c.Ints, k.ints[i])
		} else {
			c.Texts = append(c.Texts, k.texts[i])
		}
	}
}

// countRows counts the records of a block that took a lane.
func (f *file) countRows(b *block) {
	r := &b.rows
	n := int64(r.n + len(r.left))
	if n == 0 {
		return
	}
	t := r.lane.table
	f.rows += int(n)
	f.laned += n
	f.report.Records += n
	f.Reader.report.Records += n
	t.times.add(kql.TickTime(r.times[0]))
	t.times.add(kql.TickTime(r.times[1]))
	if len(r.left) > 0 {
		t.b.LeaveOut(r.left)
		f.receivedAt(r, r.left, r.got)
	}
	if r.lane.typed >= 0 {
		at := len(b.text) - padding
		b.text = append(append(b.text[:at], t.name...), make([]byte, padding)...)
		name := kql.Span{From: uint32(at), To: uint32(at + len(t.name))}
		texts := r.cells[r.lane.typed].Texts
		for i := range texts {
			texts[i] = name
		}
	}
}

// keepRows puts some of the records of a block that took a lane into their table.
func (f *file) keepRows(b *block, from, to int) {
	if from == to {
		return
	}
	r := &b.rows
	r.lane.table.b.Append(b.text, r.cells, from, to)
	if r.lane.got >= 0 {
		f.receivedAt(r, r.cells[0].Ints[from:to], r.cells[r.lane.got].Ints[from:to])
	}
}

// receivedAt says when records were received.
func (f *file) receivedAt(r *laneRows, generated, received []int64) {
	if f.opts.Received == nil {
		return
	}
	for i, tick := range received {
		if tick > 0 { // there is one, and it is not the zero time
			f.opts.Received(r.lane.table.name, kql.TickTime(generated[i]), kql.TickTime(tick))
		}
	}
}
