package parquet

import "encoding/binary"

// The types of the compact protocol of Thrift.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
	thriftUUID   = 13
)

// maxThriftDepth is how deep structures may be inside others.
const maxThriftDepth = 40

// thrift reads the compact protocol of Thrift, in which a Parquet file describes
// itself. It makes nothing of what it reads, so that no number in it can make it
// take memory. After an error everything is zero.
type thrift struct {
	data  []byte
	at    int
	short bool // the data ended too early
	wrong bool // it is not the protocol
	depth int
}

func (t *thrift) failed() bool { return t.short || t.wrong }

func (t *thrift) byte() byte {
	if t.failed() || t.at >= len(t.data) {
		t.short = true
		return 0
	}
	t.at++
	return t.data[t.at-1]
}

func (t *thrift) uvarint() uint64 {
	if t.failed() {
		return 0
	}
	n, size := binary.Uvarint(t.data[t.at:])
	switch {
	case size == 0:
		t.short = true
		return 0
	case size < 0:
		t.wrong = true
		return 0
	}
	t.at += size
	return n
}

// integer reads a number of any width.
func (t *thrift) integer(typ byte) int64 {
	switch typ {
	case thriftByte:
		return int64(int8(t.byte()))
	case thriftI16, thriftI32, thriftI64:
		n := t.uvarint()
		return int64(n>>1) ^ -int64(n&1)
	}
	t.skip(typ)
	t.wrong = true
	return 0
}

// binary reads a text, which is part of the data.
func (t *thrift) binary(typ byte) []byte {
	if typ != thriftBinary {
		t.wrong = true
		return nil
	}
	n := t.uvarint()
	if t.failed() || n > uint64(len(t.data)-t.at) {
		t.short = true
		return nil
	}
	text := t.data[t.at : t.at+int(n)]
	t.at += int(n)
	return text
}

// fields reads a structure. The function gets the number and the type of each of
// its fields, and must consume its value.
func (t *thrift) fields(typ byte, field func(id int64, typ byte)) {
	if typ != thriftStruct || t.depth >= maxThriftDepth {
		t.wrong = true
		return
	}
	t.depth++
	defer func() { t.depth-- }()
	var id int64
	for {
		head := t.byte()
		if t.failed() || head == 0 {
			return
		}
		if delta := head >> 4; delta != 0 {
			id += int64(delta)
		} else {
			id = t.integer(thriftI16)
		}
		field(id, head&0xf)
	}
}

// list reads a list. The function gets the type of each of its elements, and must
// consume it.
func (t *thrift) list(typ byte, element func(typ byte)) {
	if typ != thriftList && typ != thriftSet {
		t.wrong = true
		return
	}
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	inner := head & 0xf
	if inner == thriftTrue || inner == thriftFalse {
		inner = thriftByte // which stands for a boolean in a list
	}
	for ; n > 0 && !t.failed(); n-- {
		element(inner)
	}
}

// skip passes over a value.
func (t *thrift) skip(typ byte) {
	switch typ {
	case thriftTrue, thriftFalse: // the type is the value
	case thriftByte:
		t.byte()
	case thriftI16, thriftI32, thriftI64:
		t.uvarint()
	case thriftDouble:
		t.pass(8)
	case thriftUUID:
		t.pass(16)
	case thriftBinary:
		t.binary(typ)
	case thriftList, thriftSet:
		if t.depth >= maxThriftDepth {
			t.wrong = true
			return
		}
		t.depth++
		t.list(typ, t.skip)
		t.depth--
	case thriftMap:
		n := t.uvarint()
		if n == 0 || t.depth >= maxThriftDepth {
			t.wrong = t.wrong || n != 0
			return
		}
		t.depth++
		for types := t.byte(); n > 0 && !t.failed(); n-- {
			t.skip(element(types >> 4))
			t.skip(element(types & 0xf))
		}
		t.depth--
	case thriftStruct:
		t.fields(typ, func(_ int64, typ byte) { t.skip(typ) })
	default:
		t.wrong = true
	}
}

// element gives the type that an element of a map has.
func element(typ byte) byte {
	if typ == thriftTrue || typ == thriftFalse {
		return thriftByte
	}
	return typ
}

func (t *thrift) pass(n int) {
	if t.failed() || n > len(t.data)-t.at {
		t.short = true
		return
	}
	t.at += n
}
