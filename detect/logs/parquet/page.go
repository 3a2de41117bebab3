package parquet

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"slices"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The kinds of pages.
const (
	dataPage       = 0
	indexPage      = 1
	dictionaryPage = 2
	dataPageV2     = 3
)

// pageHeader is what stands before a page.
type pageHeader struct {
	kind, unpacked, packed int64
	crc                    int64
	checked                bool
	values, encoding       int64
	defEncoding, repEncode int64
	defBytes, repBytes     int64
	isPlain                bool // its values are not compressed, whatever the column says
}

func readPageHeader(t *thrift) (h pageHeader) {
	number := func(to *int64) func(byte) {
		return func(typ byte) { *to = t.integer(typ) }
	}
	inner := func(typ byte, fields map[int64]func(byte)) {
		t.fields(typ, func(id int64, typ byte) {
			if read := fields[id]; read != nil {
				read(typ)
				return
			}
			t.skip(typ)
		})
	}
	inner(thriftStruct, map[int64]func(byte){
		1: number(&h.kind),
		2: number(&h.unpacked),
		3: number(&h.packed),
		4: func(typ byte) { h.crc, h.checked = t.integer(typ), true },
		5: func(typ byte) {
			inner(typ, map[int64]func(byte){1: number(&h.values), 2: number(&h.encoding), 3: number(&h.defEncoding), 4: number(&h.repEncode)})
		},
		7: func(typ byte) { inner(typ, map[int64]func(byte){1: number(&h.values), 2: number(&h.encoding)}) },
		8: func(typ byte) {
			inner(typ, map[int64]func(byte){
				1: number(&h.values), 4: number(&h.encoding), 5: number(&h.defBytes), 6: number(&h.repBytes),
				7: func(typ byte) { h.isPlain = typ == thriftFalse; t.skip(typ) },
			})
		},
	})
	return h
}

// leaf reads the values of a column in a row group, page by page.
type leaf struct {
	file  *File
	node  *node
	chunk chunk
	left  int64 // entries that no page was read of yet
	next  int64 // where the next page begins

	repWidth, defWidth int
	page, dictionary   []byte
	dict               *dictionary
	inPage             int64 // entries of the page that were not looked at
	reps, defs         hybrid
	values             values

	filled   bool // there is an entry, with these levels
	rep, def int
}

// fail ends the reading. What is read then is nothing.
func (l *leaf) fail(err error) {
	if l.file.err == nil {
		l.file.err = err
	}
	l.filled, l.rep, l.def, l.inPage, l.left = false, 0, 0, 0, 0
}

func (l *leaf) damaged(what string) { l.fail(damaged("column %q: %s", l.file.path(l.node), what)) }

// peek looks at the levels of the next entry. Beyond the last they are zero.
func (l *leaf) peek() (rep, def int) {
	if l.filled || l.file.err != nil {
		return l.rep, l.def
	}
	l.rep, l.def = 0, 0
	for l.inPage == 0 {
		if l.left == 0 || l.next >= l.chunk.from+l.chunk.size {
			return 0, 0
		}
		if l.nextPage(); l.file.err != nil {
			return 0, 0
		}
	}
	l.inPage--
	ok := true
	if l.repWidth > 0 {
		l.rep, ok = l.reps.level(l.node.rep)
	}
	if ok && l.defWidth > 0 {
		l.def, ok = l.defs.level(l.node.def)
	}
	if !ok {
		l.damaged("its levels end too early, or are too high")
		return 0, 0
	}
	l.filled = true
	return l.rep, l.def
}

// starts says whether there is an entry that begins a record.
func (l *leaf) starts() bool {
	rep, _ := l.peek()
	return l.filled && rep == 0
}

// nextPage reads a page, or the dictionary.
func (l *leaf) nextPage() {
	f := l.file
	if err := f.ctx.Err(); err != nil {
		l.fail(err)
		return
	}
	rest := l.chunk.from + l.chunk.size - l.next
	h, size, err := f.pageHeader(l.next, rest)
	if err != nil {
		l.fail(err)
		return
	}
	rest -= size
	switch {
	case h.packed < 0 || h.unpacked < 0 || h.values < 0 || h.defBytes < 0 || h.repBytes < 0 || h.packed > rest:
		l.damaged("a page is said to be what it cannot be")
		return
	case h.packed > maxPage || h.unpacked > maxPage:
		l.fail(wrong("column %q has a page of %d bytes; at most %d are read: write the file again with smaller pages",
			f.path(l.node), max(h.packed, h.unpacked), int64(maxPage)))
		return
	case h.values > maxValues:
		l.fail(wrong("column %q has a page of %d values; at most %d are read: write the file again with smaller pages", f.path(l.node), h.values, maxValues))
		return
	}
	packed, err := f.stored(l.next+size, h)
	if err != nil {
		l.fail(err)
		return
	}
	l.next += size + h.packed
	if f.Progress != nil {
		f.Progress(size + h.packed)
	}
	switch h.kind {
	case dictionaryPage:
		var ok bool
		if l.dictionary, ok = l.unpack(l.dictionary, packed, 0, h); ok {
			l.dict, ok = newDictionary(l.node, l.dictionary, h.values)
			if !ok {
				l.damaged("its dictionary is cut off")
			}
		}
	case dataPage:
		l.openPage(packed, h)
	case dataPageV2:
		l.openPageV2(packed, h)
	default: // an index, which nobody needs
	}
}

// pageHeader reads the header of a page, and returns how long it is.
func (f *File) pageHeader(at, rest int64) (h pageHeader, size int64, err error) {
	for most := int64(1 << 10); ; most *= 16 {
		head := make([]byte, min(most, rest))
		if err := f.readAt(head, at); err != nil {
			return h, 0, err
		}
		t := &thrift{data: head}
		h = readPageHeader(t)
		switch {
		case t.short && int64(len(head)) < rest && most < maxHeader:
			continue
		case t.failed():
			return h, 0, damaged("the header of a page cannot be read")
		}
		return h, int64(t.at), nil
	}
}

// stored reads a page as it is stored. It is valid until the next call.
func (f *File) stored(at int64, h pageHeader) ([]byte, error) {
	f.packed = slices.Grow(f.packed[:0], int(h.packed))[:h.packed]
	if err := f.readAt(f.packed, at); err != nil {
		return nil, err
	}
	if h.checked && crc32.ChecksumIEEE(f.packed) != uint32(h.crc) {
		return nil, damaged("the checksum of a page is another")
	}
	return f.packed, nil
}

// unpack decompresses a page into the memory of one before. The first bytes of it
// are not compressed.
func (l *leaf) unpack(into, packed []byte, plain int, h pageHeader) ([]byte, bool) {
	f := l.file
	size := int(h.unpacked)
	if l.chunk.codec == codecNone || h.isPlain {
		size = len(packed)
	}
	if f.held += int64(size) - int64(cap(into)); f.held > MaxHeld {
		l.fail(wrong("the pages of a row group take more than %d MiB of memory: write the file again with smaller pages or row groups", MaxHeld>>20))
		return nil, false
	}
	if cap(into) < size {
		into = make([]byte, size)
	} else {
		f.held += int64(cap(into) - size)
	}
	into = into[:size]
	if plain > size || plain > len(packed) {
		l.damaged("a page is shorter than its levels")
		return nil, false
	}
	copy(into, packed[:plain])
	if l.chunk.codec == codecNone || h.isPlain {
		copy(into[plain:], packed[plain:])
		return into, true
	}
	if !f.codecs.decode(l.chunk.codec, into[plain:], packed[plain:]) {
		l.damaged("a page cannot be decompressed to the size that it is said to have")
		return nil, false
	}
	return into, true
}

// openPage begins to read a page of the first version.
func (l *leaf) openPage(packed []byte, h pageHeader) {
	var ok bool
	if l.page, ok = l.unpack(l.page, packed, 0, h); !ok {
		return
	}
	data := l.page
	levels := func(width int, encoding int64) (h hybrid) {
		if width == 0 {
			return h
		}
		if encoding != encodingRLE {
			l.fail(wrong("column %q has levels in the encoding %d, which is not read: write the file again with a newer program", l.file.path(l.node), encoding))
			return h
		}
		if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
			l.damaged("the levels of a page are cut off")
			return h
		}
		n := int(binary.LittleEndian.Uint32(data))
		h = hybrid{data: data[4 : 4+n], width: width}
		data = data[4+n:]
		return h
	}
	l.reps = levels(l.repWidth, h.repEncode)
	l.defs = levels(l.defWidth, h.defEncoding)
	if l.file.err == nil {
		l.begin(data, h)
	}
}

// openPageV2 begins to read a page of the second version, whose levels are not
// compressed.
func (l *leaf) openPageV2(packed []byte, h pageHeader) {
	if h.repBytes > int64(len(packed)) || h.defBytes > int64(len(packed))-h.repBytes {
		l.damaged("the levels of a page are cut off")
		return
	}
	var ok bool
	if l.page, ok = l.unpack(l.page, packed, int(h.repBytes+h.defBytes), h); !ok {
		return
	}
	l.reps = hybrid{data: l.page[:h.repBytes], width: l.repWidth}
	l.defs = hybrid{data: l.page[h.repBytes : h.repBytes+h.defBytes], width: l.defWidth}
	l.begin(l.page[h.repBytes+h.defBytes:], h)
}

// begin gets ready to read the entries of a page.
func (l *leaf) begin(data []byte, h pageHeader) {
	if h.values > l.left {
		l.damaged("its pages have more values than it is said to have")
		return
	}
	l.left -= h.values
	l.inPage = h.values
	if h.values == 0 {
		return
	}
	var err error
	if l.values, err = newValues(l, data, h); err != nil {
		l.fail(err)
	}
}

// The codecs of pages.
const (
	codecNone    = 0
	codecSnappy  = 1
	codecGzip    = 2
	codecBrotli  = 4
	codecLZ4     = 5 // blocks as Hadoop frames them
	codecZstd    = 6
	codecLZ4Raw  = 7
	maxZstdInner = 128 << 20
)

func known(codec int64) bool {
	switch codec {
	case codecNone, codecSnappy, codecGzip, codecBrotli, codecLZ4, codecZstd, codecLZ4Raw:
		return true
	}
	return false
}

func codecName(codec int64) string {
	if codec == 3 {
		return "LZO"
	}
	return "an unknown codec"
}

// codecs decompresses pages. It keeps what can be used again.
type codecs struct {
	zstd *zstd.Decoder
	gzip *gzip.Reader
}

func (c *codecs) close() {
	if c.zstd != nil {
		c.zstd.Close()
		c.zstd = nil
	}
}

// decode decompresses a page, and says whether it is just as long as it should be.
// No codec writes more than that.
func (c *codecs) decode(codec int64, to, packed []byte) bool {
	switch codec {
	case codecSnappy:
		if n, err := snappy.DecodedLen(packed); err != nil || n != len(to) {
			return false
		}
		out, err := snappy.Decode(to, packed)
		return err == nil && len(out) == len(to)
	case codecGzip:
		src := bytes.NewReader(packed)
		if c.gzip == nil {
			z, err := gzip.NewReader(src)
			if err != nil {
				return false
			}
			c.gzip = z
		} else if c.gzip.Reset(src) != nil {
			return false
		}
		return fills(c.gzip, to)
	case codecBrotli:
		return fills(brotli.NewReader(bytes.NewReader(packed)), to)
	case codecZstd:
		if c.zstd == nil {
			z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdInner))
			if err != nil {
				return false
			}
			c.zstd = z
		}
		return c.zstd.Reset(bytes.NewReader(packed)) == nil && fills(c.zstd, to)
	case codecLZ4Raw:
		return unpackLZ4(to, packed)
	case codecLZ4:
		return unpackHadoop(to, packed) || unpackLZ4(to, packed)
	}
	return false
}

// fills reads all that a source has, and says whether that is just what there is
// room for.
func fills(src io.Reader, to []byte) bool {
	if _, err := io.ReadFull(src, to); err != nil {
		return false
	}
	n, err := src.Read(make([]byte, 1))
	for n == 0 && err == nil {
		n, err = src.Read(make([]byte, 1))
	}
	return n == 0 && err == io.EOF
}

func unpackLZ4(to, packed []byte) bool {
	if len(to) == 0 {
		return true
	}
	n, err := lz4.UncompressBlock(packed, to)
	return err == nil && n == len(to)
}

// unpackHadoop decompresses blocks of LZ4 that say how long they are, unpacked and
// packed.
func unpackHadoop(to, packed []byte) bool {
	for len(packed) > 0 {
		if len(packed) < 8 {
			return false
		}
		unpacked, size := uint64(binary.BigEndian.Uint32(packed)), uint64(binary.BigEndian.Uint32(packed[4:]))
		if packed = packed[8:]; size > uint64(len(packed)) || unpacked > uint64(len(to)) || !unpackLZ4(to[:unpacked], packed[:size]) {
			return false
		}
		to, packed = to[unpacked:], packed[size:]
	}
	return len(to) == 0
}
