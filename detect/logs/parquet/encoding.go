package parquet

import (
	"encoding/binary"
	"math"
)

// The encodings of values.
const (
	encodingPlain           = 0
	encodingPlainDictionary = 2
	encodingRLE             = 3
	encodingDelta           = 5
	encodingDeltaLength     = 6
	encodingDeltaBytes      = 7
	encodingDictionary      = 8
	encodingSplit           = 9
)

// cell is a value: a number, by its bits, or bytes.
type cell struct {
	n uint64
	b []byte
}

// values gives the values of a page one by one, and reports false if there is none.
// None of them writes out what it reads: a page that repeats a value a billion
// times takes the memory of a page.
type values interface {
	next() (cell, bool)
}

// newValues reads the values of a page in its encoding.
func newValues(l *leaf, data []byte, h pageHeader) (values, error) {
	n, most := l.node, uint64(h.values)
	switch h.encoding {
	case encodingPlain:
		if n.physical == physBool {
			return &hybrid{data: data, width: 1, run: math.MaxInt64, packed: true}, nil
		}
		return &plainValues{n, data}, nil
	case encodingPlainDictionary, encodingDictionary:
		if l.dict == nil {
			return nil, damaged("column %q: a page is of a dictionary that is not there", l.file.path(n))
		}
		if len(data) == 0 {
			return &dictionaryValues{dict: l.dict}, nil // of nulls alone
		}
		if data[0] > 32 {
			return nil, damaged("column %q: a page has indexes of more than 32 bits", l.file.path(n))
		}
		return &dictionaryValues{l.dict, hybrid{data: data[1:], width: int(data[0])}}, nil
	case encodingRLE:
		if n.physical == physBool {
			if len(data) < 4 {
				return &hybrid{}, nil
			}
			return &hybrid{data: data[4:], width: 1}, nil
		}
	case encodingDelta:
		if n.physical == physInt32 || n.physical == physInt64 {
			return newDelta(data, most), nil
		}
	case encodingDeltaLength:
		if n.physical == physBytes {
			lengths := newDelta(data, most)
			return &lengthValues{lengths, data[lengths.size():]}, nil
		}
	case encodingDeltaBytes:
		if n.physical == physBytes || n.physical == physFixed {
			prefixes := newDelta(data, most)
			data = data[prefixes.size():]
			lengths := newDelta(data, most)
			return &prefixValues{prefixes: prefixes, rest: lengthValues{lengths, data[lengths.size():]}}, nil
		}
	case encodingSplit:
		if width := n.width(); width > 0 {
			return &splitValues{node: n, data: data, count: len(data) / width, width: width}, nil
		}
	}
	return nil, wrong("column %q has values in the encoding %d, which is not read: write the file again with another program", l.file.path(n), h.encoding)
}

// width is the length of a value, or 0 if it has none of its own.
func (n *node) width() int {
	switch n.physical {
	case physInt32, physFloat:
		return 4
	case physInt64, physDouble:
		return 8
	case physInt96:
		return 12
	case physFixed:
		return n.length
	}
	return 0
}

// cell makes a value of its bytes.
func (n *node) cell(b []byte) cell {
	switch n.physical {
	case physInt32, physFloat:
		return cell{n: uint64(binary.LittleEndian.Uint32(b))}
	case physInt64, physDouble:
		return cell{n: binary.LittleEndian.Uint64(b)}
	}
	return cell{b: b}
}

// plainValues are values one after another.
type plainValues struct {
	node *node
	data []byte
}

func (p *plainValues) next() (c cell, ok bool) {
	size := p.node.width()
	if p.node.physical == physBytes {
		if len(p.data) < 4 || uint64(binary.LittleEndian.Uint32(p.data)) > uint64(len(p.data)-4) {
			return c, false
		}
		size = int(binary.LittleEndian.Uint32(p.data))
		p.data = p.data[4:]
	}
	if size > len(p.data) {
		return c, false
	}
	c = p.node.cell(p.data[:size:size])
	p.data = p.data[size:]
	return c, true
}

// dictionary holds values that pages refer to by their numbers.
type dictionary struct {
	node  *node
	data  []byte
	count int
	ends  []uint32 // of values of any length, each of which begins 4 bytes after the one before
}

// newDictionary reads a dictionary, and reports false if it has fewer values than
// it is said to have.
func newDictionary(n *node, data []byte, count int64) (*dictionary, bool) {
	d := &dictionary{node: n, data: data}
	if width := n.width(); width > 0 {
		d.count = int(count)
		return d, count <= int64(len(data)/width)
	}
	if n.physical != physBytes || count > int64(len(data)/4) {
		return d, false
	}
	d.ends = make([]uint32, 0, count)
	p := plainValues{n, data}
	for range count {
		if _, ok := p.next(); !ok {
			return d, false
		}
		d.ends = append(d.ends, uint32(len(data)-len(p.data)))
	}
	d.count = len(d.ends)
	return d, true
}

func (d *dictionary) value(i uint32) (c cell, ok bool) {
	if uint64(i) >= uint64(d.count) {
		return c, false
	}
	if d.ends == nil {
		width := d.node.width()
		return d.node.cell(d.data[int(i)*width : int(i+1)*width]), true
	}
	from := uint32(0)
	if i > 0 {
		from = d.ends[i-1]
	}
	return cell{b: d.data[from+4 : d.ends[i]]}, true
}

// dictionaryValues are numbers of values in a dictionary.
type dictionaryValues struct {
	dict    *dictionary
	indexes hybrid
}

func (d *dictionaryValues) next() (c cell, ok bool) {
	i, ok := d.indexes.number()
	if !ok {
		return c, false
	}
	return d.dict.value(i)
}

// hybrid reads small numbers: runs of the same one, and runs that are packed bit by
// bit. It is the form of levels and of indexes.
type hybrid struct {
	data   []byte
	width  int
	run    uint64 // what is left of the run
	packed bool
	value  uint32 // of a run of the same
	bit    int    // the next one of a packed run
}

func (h *hybrid) number() (n uint32, ok bool) {
	for h.run == 0 {
		if !h.nextRun() {
			return 0, false
		}
	}
	h.run--
	if !h.packed {
		return h.value, true
	}
	n, ok = bitsAt(h.data, h.bit, h.width)
	h.bit += h.width
	if h.run == 0 {
		h.data = h.data[min(len(h.data), (h.bit+7)/8):]
	}
	return n, ok
}

// nextRun begins a run.
func (h *hybrid) nextRun() bool {
	head, size := binary.Uvarint(h.data)
	if size <= 0 {
		return false
	}
	h.data = h.data[size:]
	if h.packed = head&1 != 0; h.packed {
		h.bit = 0
		if h.run = head >> 1; h.run > math.MaxInt32 {
			return false
		}
		h.run *= 8
		return true
	}
	bytes := (h.width + 7) / 8
	if bytes > len(h.data) {
		return false
	}
	h.run, h.value = head>>1, 0
	for i, b := range h.data[:bytes] {
		h.value |= uint32(b) << (8 * i)
	}
	h.data = h.data[bytes:]
	return true
}

// level reads a level, and reports false if it is too high or there is none.
func (h *hybrid) level(most int) (int, bool) {
	n, ok := h.number()
	return int(n), ok && n <= uint32(most)
}

// next makes values of the bits of booleans.
func (h *hybrid) next() (cell, bool) {
	n, ok := h.number()
	return cell{n: uint64(n)}, ok
}

// bitsAt reads a number of so many bits, 32 at most, and reports false if it begins
// beyond the data. What it lacks of the last byte of a run is zero.
func bitsAt(data []byte, bit, width int) (uint32, bool) {
	n, ok := longBitsAt(data, bit, width)
	return uint32(n), ok
}

// longBitsAt does the same for up to 64 bits.
func longBitsAt(data []byte, bit, width int) (n uint64, ok bool) {
	if width == 0 {
		return 0, true
	}
	from := bit / 8
	if from >= len(data) {
		return 0, false
	}
	shift := bit % 8
	n = uint64(data[from]) >> shift
	for i, have := from+1, 8-shift; have < width && i < len(data); i, have = i+1, have+8 {
		n |= uint64(data[i]) << have
	}
	if width < 64 {
		n &= 1<<width - 1
	}
	return n, true
}

// delta reads numbers as their differences, in blocks of small blocks.
type delta struct {
	data     []byte
	at       int
	left     uint64 // numbers
	first    bool   // the first is in the header
	value    int64
	perMini  int
	minis    int
	least    int64
	widths   []byte
	mini     int // the next small block of the block
	inMini   int // numbers left in the small block
	width    int
	bit      int // the next one in the small block
	miniFrom int
}

const maxDeltaBlock = 1 << 20 // numbers

// newDelta reads so many numbers at most.
func newDelta(data []byte, most uint64) *delta {
	d := &delta{data: data, first: true}
	block, ok1 := d.uvarint()
	minis, ok2 := d.uvarint()
	left, ok3 := d.uvarint()
	d.value = d.zigzag()
	if !ok1 || !ok2 || !ok3 || left > most || minis == 0 || block > maxDeltaBlock || minis > block || block%minis != 0 || block/minis%8 != 0 {
		d.left = 0
		return d
	}
	d.left, d.minis, d.perMini = left, int(minis), int(block/minis)
	d.mini = d.minis
	return d
}

func (d *delta) uvarint() (uint64, bool) {
	n, size := binary.Uvarint(d.data[d.at:])
	d.at += max(size, 0)
	return n, size > 0
}

func (d *delta) zigzag() int64 {
	n, _ := d.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (d *delta) number() (n int64, ok bool) {
	if d.left == 0 {
		return 0, false
	}
	d.left--
	if d.first {
		d.first = false
		return d.value, true
	}
	if d.inMini == 0 && !d.nextMini() {
		d.left = 0
		return 0, false
	}
	d.inMini--
	diff, ok := longBitsAt(d.data[d.miniFrom:d.at], d.bit, d.width)
	d.bit += d.width
	d.value += d.least + int64(diff)
	return d.value, ok
}

// nextMini begins a small block, and a block before it if that is due.
func (d *delta) nextMini() bool {
	if d.mini == d.minis {
		d.least = d.zigzag()
		if d.minis > len(d.data)-d.at {
			return false
		}
		d.widths = d.data[d.at : d.at+d.minis]
		d.at += d.minis
		d.mini = 0
	}
	d.width = int(d.widths[d.mini])
	d.mini++
	if d.width > 64 {
		return false
	}
	d.inMini, d.bit, d.miniFrom = d.perMini, 0, d.at
	d.at = min(len(d.data), d.at+d.perMini*d.width/8)
	return true
}

// size is how many bytes the numbers take.
func (d *delta) size() int {
	all := *d
	for {
		if _, ok := all.number(); !ok {
			return all.at
		}
	}
}

func (d *delta) next() (cell, bool) {
	n, ok := d.number()
	return cell{n: uint64(n)}, ok
}

// lengthValues are texts one after another, their lengths before all of them.
type lengthValues struct {
	lengths *delta
	data    []byte
}

func (v *lengthValues) next() (c cell, ok bool) {
	n, ok := v.lengths.number()
	if !ok || n < 0 || n > int64(len(v.data)) {
		return c, false
	}
	c.b = v.data[:n:n]
	v.data = v.data[n:]
	return c, true
}

// prefixValues are texts that begin as the one before does.
type prefixValues struct {
	prefixes *delta
	rest     lengthValues
	last     []byte
}

func (v *prefixValues) next() (c cell, ok bool) {
	n, ok := v.prefixes.number()
	if !ok || n < 0 || n > int64(len(v.last)) {
		return c, false
	}
	rest, ok := v.rest.next()
	if !ok {
		return c, false
	}
	v.last = append(v.last[:n], rest.b...)
	return cell{b: v.last}, true
}

// splitValues are the first bytes of all values, then the second, and so on.
type splitValues struct {
	node         *node
	data         []byte
	count, width int
	at           int
	bytes        []byte
}

func (v *splitValues) next() (c cell, ok bool) {
	if v.at >= v.count {
		return c, false
	}
	v.bytes = v.bytes[:0]
	for i := range v.width {
		v.bytes = append(v.bytes, v.data[i*v.count+v.at])
	}
	v.at++
	return v.node.cell(v.bytes), true
}
