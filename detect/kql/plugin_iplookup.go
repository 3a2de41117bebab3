package kql

import (
	byteorder "encoding/binary"
	"slices"
)

// ipRange reads an address, which may carry a prefix such as /24, as one of IPv6.
type ipRange func(text string) (address [16]byte, prefix int64, ok bool)

func ipv4Range(text string) (address [16]byte, prefix int64, ok bool) {
	ip, prefix, ok := parseIPv4(text)
	address[10], address[11] = 0xFF, 0xFF
	byteorder.BigEndian.PutUint32(address[12:], ip)
	return address, prefix + 96, ok
}

// bindIPLookup is ipv4_lookup(table, address, range, keys..., return_unmatched) and
// the same for IPv6: each row with the rows of the table whose ranges its address
// is in.
func bindIPLookup(read ipRange) func(b *binder, n *evaluateNode, in relation) relation {
	return func(b *binder, n *evaluateNode, in relation) relation {
		n.arguments(3, -1, false)
		l := &ipLookup{in: in, read: read, table: b.relation(n.args[0].expr)}
		l.address = n.column(b, 1, "the address", in.columns())
		l.within = n.column(b, 2, "the range", l.table.columns())
		for i, c := range []*column{l.address, l.within} {
			if c.typ != String && c.typ != Dynamic {
				panic(semanticError(n.args[i+1].expr.pos(), "SEM0220", "%s() looks up texts, and '%s' is a %s", n.plugin.text, c.name, c.typ))
			}
		}
		for i, a := range n.args[3:] {
			if _, isName := a.expr.(*name); isName && a.name != "return_unmatched" {
				if n.plugin.text == "ipv6_lookup" {
					panic(semanticError(a.expr.pos(), "SEM0219", "ipv6_lookup() takes no more keys"))
				}
				left, right := n.column(b, i+3, "a key", in.columns()), n.column(b, i+3, "a key", l.table.columns())
				if left.typ != right.typ || left.typ == Dynamic {
					panic(semanticError(a.expr.pos(), "SEM0220", "the key '%s' of %s() must be of one type on both sides, and not dynamic", left.name, n.plugin.text))
				}
				l.leftKeys, l.rightKeys = append(l.leftKeys, left), append(l.rightKeys, right)
				continue
			}
			c := n.constant(b, i+3, "return_unmatched")
			if c == nil || c.t != Bool || i+3 != len(n.args)-1 {
				panic(semanticError(a.expr.pos(), "SEM0220", "%s() takes a table, an address, a range, keys and return_unmatched, which is true or false", n.plugin.text))
			}
			l.unmatched = c.val.isTrue()
		}
		names := newNaming("Column", new(int))
		for _, c := range in.columns() {
			l.cols = append(l.cols, &column{names.unique(c.name), c.typ})
			b.inheritReceived(l.cols[len(l.cols)-1], c)
		}
		for _, c := range l.table.columns() {
			if !slices.Contains(l.rightKeys, c) {
				l.right = append(l.right, c)
				l.cols = append(l.cols, &column{names.unique(c.name), c.typ})
			}
		}
		return l
	}
}

type ipLookup struct {
	in, table           relation
	read                ipRange
	address, within     *column
	leftKeys, rightKeys []*column
	unmatched           bool
	right               []*column // of the table, that the output has
	cols                []*column
	need                []bool
}

func (l *ipLookup) columns() []*column { return l.cols }

func (l *ipLookup) prepare(need map[*column]bool) {
	left, right := map[*column]bool{l.address: true}, map[*column]bool{l.within: true}
	for i := range l.leftKeys {
		left[l.leftKeys[i]], right[l.rightKeys[i]] = true, true
	}
	l.need = make([]bool, len(l.cols))
	in := l.in.columns()
	for i, c := range l.cols {
		switch l.need[i] = need[c]; {
		case !need[c]:
		case i < len(in):
			left[in[i]] = true
		default:
			right[l.right[i-len(in)]] = true
		}
	}
	l.in.prepare(left)
	l.table.prepare(right)
}

func (l *ipLookup) explain(x *explainer) explained {
	return explained{text: "look up the ranges of the second by " + x.columnName(l.address), gives: chosen(l.cols, l.need), inputs: []relation{l.in, l.table}}
}

// run indexes the ranges by their prefixes and masked addresses.
func (l *ipLookup) run(x *execution, emit func(*batch) error) error {
	table, err := collect(l.table, x)
	if err != nil {
		return err
	}
	defer table.free()
	keyOf := func(buf []byte, address [16]byte, prefix int64, keys []*vector, row int) []byte {
		masked := maskIPv6(address, prefix)
		buf = append(append(buf, byte(prefix)), masked[:]...)
		for _, k := range keys {
			buf = groupKey(buf, k.value(row))
		}
		return buf
	}
	pick := func(cols []*vector, of, keys []*column) (list []*vector) {
		for _, k := range keys {
			list = append(list, cols[columnIndex(of, k)])
		}
		return list
	}
	ranges := make(map[string][]int32)
	var prefixes [129]bool
	within, keys := table.cols[columnIndex(l.table.columns(), l.within)], pick(table.cols, l.table.columns(), l.rightKeys)
	for row := range table.n {
		if row%rowsBetweenLooks == 0 {
			if err := x.stopped(); err != nil {
				return err
			}
		}
		address, prefix, ok := l.read(within.value(row).String())
		if !ok {
			continue
		}
		prefixes[prefix] = true
		key := keyOf(nil, address, prefix, keys, row)
		ranges[string(key)] = append(ranges[string(key)], int32(row))
		if err := table.held.add(allocated(int64(len(key))) + 64); err != nil {
			return err
		}
	}
	in := l.in.columns()
	return l.in.run(x, func(b *batch) error {
		addresses, keys := b.cols[columnIndex(in, l.address)], pick(b.cols, in, l.leftKeys)
		var left, right []int32
		var buf []byte
		give := func() error {
			if len(left) == 0 {
				return nil
			}
			out := &batch{n: len(left), cols: make([]*vector, len(l.cols))}
			for i := range l.cols {
				switch {
				case !l.need[i]:
				case i < len(in):
					out.cols[i] = b.cols[i].gather(left)
				default:
					out.cols[i] = table.cols[columnIndex(l.table.columns(), l.right[i-len(in)])].gather(right)
				}
			}
			left, right = left[:0], right[:0]
			return emit(out)
		}
		for row := range b.n {
			if row%rowsBetweenLooks == 0 {
				if err := x.stopped(); err != nil {
					return err
				}
			}
			var found []int32
			if address, own, ok := l.read(addresses.value(row).String()); ok {
				address = maskIPv6(address, own)
				for prefix, used := range prefixes {
					if used {
						buf = keyOf(buf[:0], address, int64(prefix), keys, row)
						found = append(found, ranges[string(buf)]...)
					}
				}
			}
			slices.Sort(found)
			if len(found) == 0 && l.unmatched {
				found = []int32{-1}
			}
			if err := x.makes(len(found)); err != nil {
				return err
			}
			for part := range slices.Chunk(found, chunkRows) {
				for _, at := range part {
					left, right = append(left, int32(row)), append(right, at)
				}
				if len(left) >= chunkRows {
					if err := give(); err != nil {
						return err
					}
				}
			}
		}
		return give()
	})
}
