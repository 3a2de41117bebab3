package parquet

import (
	"math/bits"
	"slices"
)

// repetition says how often a field stands in what it is a field of.
type repetition uint8

const (
	required repetition = iota
	optional
	repeated
)

// The physical types.
const (
	physBool = iota
	physInt32
	physInt64
	physInt96
	physFloat
	physDouble
	physBytes
	physFixed
	physNone = -1 // of a group
)

// meaning is what a physical type stands for.
type meaning uint8

const (
	plain meaning = iota
	text
	jsonText
	decimalNumber
	date
	timeOfDay
	timestamp
	unsigned
	guid
	half
	list
	mapping
)

// node is a field of the schema.
type node struct {
	name       string
	repetition repetition
	physical   int
	length     int // of a value of fixed length
	meaning    meaning
	unit       int64 // of a time, in nanoseconds
	scale      int   // of a decimal
	converted  int64 // -1 for none
	children   []*node

	def, rep    int // the levels at which the field is there, and at which it is repeated
	first, last int // its leaves: first to before last
}

func (n *node) isLeaf() bool { return n.physical != physNone }

func (n *node) kind() Kind {
	if n.repetition == repeated || !n.isLeaf() {
		return Nested
	}
	switch n.meaning {
	case jsonText:
		return Nested
	case decimalNumber:
		return Decimal
	case date, timestamp:
		return Time
	case timeOfDay:
		return TimeSpan
	case guid:
		return GUID
	case half:
		return Real
	case unsigned:
		return Long
	}
	switch n.physical {
	case physBool:
		return Bool
	case physInt32:
		if n.meaning == text {
			return Text
		}
		return Int
	case physInt64:
		return Long
	case physInt96:
		return Time
	case physFloat, physDouble:
		return Real
	}
	return Text
}

// readFooter reads the schema, and where the row groups are described.
func (f *File) readFooter(data []byte) error {
	t := &thrift{data: data}
	var flat []*node
	var counts []int64
	encrypted, many := false, false
	t.fields(thriftStruct, func(id int64, typ byte) {
		switch id {
		case 2:
			t.list(typ, func(typ byte) {
				if len(flat) > 4*maxLeaves {
					t.wrong = true
					return
				}
				n, children := readNode(t, typ)
				flat, counts = append(flat, n), append(counts, children)
			})
		case 4:
			t.list(typ, func(typ byte) {
				from := t.at
				if t.skip(typ); len(f.groups) >= maxGroups {
					t.wrong, many = true, true
					return
				}
				f.groups = append(f.groups, t.data[from:t.at])
			})
		case 8:
			encrypted = true
			t.skip(typ)
		default:
			t.skip(typ)
		}
	})
	switch {
	case many:
		return wrong("the Parquet file has more than %d row groups: write it again with fewer", maxGroups)
	case t.failed():
		return damaged("its footer cannot be read")
	case encrypted:
		return wrong("an encrypted Parquet file, which is not read: write it again without encryption")
	case len(flat) == 0:
		return damaged("it has no schema")
	}
	f.root = flat[0]
	f.root.repetition, f.root.physical = required, physNone
	next := 1
	if err := f.grow(f.root, flat, counts, 0, &next, 0, 0, 0); err != nil {
		return err
	}
	return nil
}

// readNode reads a field of the schema, and how many fields it has itself.
func readNode(t *thrift, typ byte) (*node, int64) {
	n := &node{physical: physNone, converted: -1}
	var children int64
	t.fields(typ, func(id int64, typ byte) {
		switch id {
		case 1:
			n.physical = int(t.integer(typ))
		case 2:
			n.length = int(t.integer(typ))
		case 3:
			n.repetition = repetition(t.integer(typ))
		case 4:
			n.name = string(t.binary(typ))
		case 5:
			children = t.integer(typ)
		case 6:
			n.converted = t.integer(typ)
		case 7:
			n.scale = int(t.integer(typ))
		case 10:
			t.fields(typ, func(id int64, typ byte) { n.logical(t, id, typ) })
		default:
			t.skip(typ)
		}
	})
	if n.meaning == plain {
		n.meaning, n.unit = convertedType(n.converted)
	}
	if children > 0 {
		n.physical = physNone
	}
	return n, children
}

// logical reads what a field's values stand for, as files say it today.
func (n *node) logical(t *thrift, id int64, typ byte) {
	switch id {
	case 1, 4, 11: // 11 is a column of nulls, of which nothing else is known
		n.meaning = text
	case 2:
		n.meaning = mapping
	case 3:
		n.meaning = list
	case 5:
		n.meaning = decimalNumber
		t.fields(typ, func(id int64, typ byte) {
			if id == 1 {
				n.scale = int(t.integer(typ))
				return
			}
			t.skip(typ)
		})
		return
	case 6:
		n.meaning = date
	case 7, 8:
		n.meaning, n.unit = timestamp, 1_000_000
		if id == 7 {
			n.meaning = timeOfDay
		}
		t.fields(typ, func(id int64, typ byte) {
			if id != 2 {
				t.skip(typ)
				return
			}
			t.fields(typ, func(id int64, typ byte) {
				switch id {
				case 2:
					n.unit = 1000
				case 3:
					n.unit = 1
				}
				t.skip(typ)
			})
		})
		return
	case 10:
		t.fields(typ, func(id int64, typ byte) {
			if id == 2 && typ == thriftFalse {
				n.meaning = unsigned
			}
			t.skip(typ)
		})
		return
	case 12:
		n.meaning = jsonText
	case 14:
		n.meaning = guid
	case 15:
		n.meaning = half
	}
	t.skip(typ)
}

// convertedType gives the same, as files said it before.
func convertedType(converted int64) (m meaning, unit int64) {
	switch converted {
	case 0, 4:
		return text, 0
	case 1, 2:
		return mapping, 0
	case 3:
		return list, 0
	case 5:
		return decimalNumber, 0
	case 6:
		return date, 0
	case 7:
		return timeOfDay, 1_000_000
	case 8:
		return timeOfDay, 1000
	case 9:
		return timestamp, 1_000_000
	case 10:
		return timestamp, 1000
	case 11, 12, 13, 14:
		return unsigned, 0
	case 19:
		return jsonText, 0
	}
	return plain, 0
}

// grow gives a field those that follow it in the footer, as many as it says.
func (f *File) grow(n *node, flat []*node, counts []int64, at int, next *int, def, rep, depth int) error {
	if n.repetition > repeated || depth > maxDepth {
		return damaged("its schema is none that can be read")
	}
	if at > 0 && n.repetition != required {
		def++
	}
	if n.repetition == repeated {
		rep++
	}
	n.def, n.rep, n.first = def, rep, len(f.leaves)
	if n.isLeaf() {
		if n.physical < physBool || n.physical > physFixed || n.physical == physFixed && (n.length < 1 || n.length > maxTypeLen) {
			return damaged("column %q is of no known type", n.name)
		}
		if len(f.leaves) >= maxLeaves {
			return wrong("the Parquet file has more than %d columns", maxLeaves)
		}
		f.leaves = append(f.leaves, n)
		n.last = len(f.leaves)
		return nil
	}
	if counts[at] < 1 || counts[at] > int64(len(flat)-*next) {
		return damaged("its schema is none that can be read")
	}
	for range counts[at] {
		child := flat[*next]
		index := *next
		*next++
		if err := f.grow(child, flat, counts, index, next, def, rep, depth+1); err != nil {
			return err
		}
		n.children = append(n.children, child)
	}
	n.last = len(f.leaves)
	n.settle()
	return nil
}

// settle finds out whether a group is a list or a map as it should be.
func (n *node) settle() {
	isOne := len(n.children) == 1 && n.children[0].repetition == repeated && n.repetition != repeated
	switch n.meaning {
	case list:
		if !isOne {
			n.meaning = plain
		}
	case mapping:
		if !isOne || len(n.children[0].children) != 2 || !n.children[0].children[0].isLeaf() || n.children[0].children[0].repetition == repeated {
			n.meaning = plain
		}
	}
}

// wrapped says whether the repeated field of a list is only around its element, as
// it should be, and not the element itself, as older files have it.
func (n *node) wrapped(parent string) bool {
	return !n.isLeaf() && len(n.children) == 1 && n.name != "array" && n.name != parent+"_tuple"
}

// chunk is where the values of a column in a row group are.
type chunk struct {
	codec       int64
	values      int64
	from, size  int64
	here, known bool
}

// openGroup gets ready to read a row group, and returns how many records it has.
func (f *File) openGroup(number int) (rows int64, err error) {
	t := &thrift{data: f.groups[number]}
	chunks := make([]chunk, 0, len(f.leaves))
	t.fields(thriftStruct, func(id int64, typ byte) {
		switch id {
		case 1:
			t.list(typ, func(typ byte) {
				if len(chunks) >= len(f.leaves) {
					t.wrong = true
					return
				}
				chunks = append(chunks, readChunk(t, typ))
			})
		case 3:
			rows = t.integer(typ)
		default:
			t.skip(typ)
		}
	})
	if t.failed() || rows < 0 || rows > 0 && len(chunks) != len(f.leaves) {
		return 0, damaged("row group %d cannot be what its footer says", number+1)
	}
	f.readers, f.held = f.readers[:0], 0
	for i := range chunks {
		c := &chunks[i]
		n := f.leaves[i]
		switch {
		case !c.here:
			return 0, wrong("the values of column %q are in another file, as in _metadata of Spark: give the folder of the files themselves", n.name)
		case !c.known:
			return 0, wrong("column %q is encrypted, which is not read: write the file again without encryption", n.name)
		case c.from < 0 || c.size < 0 || c.from > f.size || c.size > f.size-c.from || c.values < 0:
			return 0, damaged("column %q is said to be where the file is not", n.name)
		case !known(c.codec):
			return 0, wrong("column %q is compressed with %s, which is not read: write the file again with zstd or snappy", n.name, codecName(c.codec))
		}
		f.readers = append(f.readers, &leaf{
			file: f, node: n, chunk: *c, left: c.values, next: c.from,
			repWidth: bits.Len(uint(n.rep)), defWidth: bits.Len(uint(n.def)),
		})
	}
	return rows, nil
}

// readChunk reads where the values of a column are.
func readChunk(t *thrift, typ byte) chunk {
	c := chunk{here: true}
	var data, dictionary int64
	t.fields(typ, func(id int64, typ byte) {
		switch id {
		case 1:
			c.here = len(t.binary(typ)) == 0
		case 3:
			c.known = true
			t.fields(typ, func(id int64, typ byte) {
				switch id {
				case 4:
					c.codec = t.integer(typ)
				case 5:
					c.values = t.integer(typ)
				case 7:
					c.size = t.integer(typ)
				case 9:
					data = t.integer(typ)
				case 11:
					dictionary = t.integer(typ)
				default:
					t.skip(typ)
				}
			})
		case 8, 9:
			c.known = false
			t.skip(typ)
		default:
			t.skip(typ)
		}
	})
	c.from = data
	if dictionary > 0 && dictionary < data {
		c.from = dictionary
	}
	return c
}

// closeGroup makes sure that all values of a row group were read.
func (f *File) closeGroup() error {
	defer func() { f.readers = f.readers[:0] }()
	for _, l := range f.readers {
		if l.peek(); f.err == nil && l.filled {
			return damaged("column %q has values of more records than the row group", l.node.name)
		}
	}
	return f.err
}

// path is a leaf's name with those of the groups that it is in.
func (f *File) path(leaf *node) string {
	name, at := "", f.root
	for at != leaf {
		i := slices.IndexFunc(at.children, func(c *node) bool { return c.first <= leaf.first && leaf.first < c.last })
		at = at.children[i]
		if name != "" {
			name += "."
		}
		name += at.name
	}
	return name
}
