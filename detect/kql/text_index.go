package kql

import (
	"cmp"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync"
)

// textIndexes are those of a table's columns. A table that is asked again and again for the
// rows of some accounts, as by the windows of a replay, is not to be looked through each
// time. What does not change of the table is found once.
type textIndexes struct {
	mu    sync.Mutex
	asked map[int]int        // by column
	found map[int]*textIndex // by column; nil for one that can have none
	made  int
}

// These say which tables are worth an index: those that are this large and were asked more
// often than this. An index takes four bytes for each row, so a table has no more than some.
const (
	indexedSegments = 16
	indexedAsked    = 3
	mostIndexes     = 8
)

// textIndex finds the rows of a table by the text that a column has.
type textIndex struct {
	of     *vector      // all texts of the column's dictionary
	folded []foldedText // in order
	begins []uint32     // where the rows of each text begin; one more for the end
	rows   []uint32     // of the table, by text and then in order
	failed sync.Map     // which functions fail for a text, by what closed gives of them
}

// foldedText is a text of a dictionary, by what it has in common with those that differ
// from it in case alone.
type foldedText struct{ hash, code uint32 }

// textIndex returns the index of a column, or nil if it has none: its segments do not share
// a dictionary, or an index is not worth it yet.
func (t *Table) textIndex(column int) *textIndex {
	if len(t.segments) < indexedSegments || t.rows > math.MaxUint32-1 {
		return nil
	}
	all := t.indexes
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.asked == nil {
		all.asked, all.found = map[int]int{}, map[int]*textIndex{}
	}
	if all.asked[column]++; all.asked[column] <= indexedAsked {
		return nil
	}
	ix, ok := all.found[column]
	if !ok && all.made < mostIndexes {
		if ix = t.newTextIndex(column); ix != nil {
			all.made++
		}
		all.found[column] = ix
	}
	return ix
}

// sharedTexts returns a vector with all texts of a column whose segments share a dictionary,
// or nil if they do not, or have too many texts.
func (t *Table) sharedTexts(column int) *vector {
	if len(t.segments) == 0 {
		return nil
	}
	of := t.segments[0].cols[column]
	for i := range t.segments {
		v := t.segments[i].cols[column]
		if v.dict == nil || v.dict.lasting == nil || v.dict != of.dict || v.nulls != nil || v.codes == nil && v.wide == nil {
			return nil
		}
		if v.distinct() > of.distinct() {
			of = v
		}
	}
	if of.distinct() > t.rows/maxElements {
		return nil
	}
	return of
}

func (t *Table) newTextIndex(column int) *textIndex {
	of := t.sharedTexts(column)
	if of == nil {
		return nil
	}
	texts := of.distinct()
	ix := &textIndex{of: of, begins: make([]uint32, texts+1), rows: make([]uint32, t.rows), folded: make([]foldedText, texts)}
	each := func(do func(code, row uint32)) {
		for at := range t.segments {
			v, from := t.segments[at].cols[column], uint32(at*chunkRows)
			for row := range v.n {
				do(v.code(row), from+uint32(row))
			}
		}
	}
	each(func(code, _ uint32) { ix.begins[code+1]++ })
	for code := range texts {
		ix.begins[code+1] += ix.begins[code]
	}
	next := slices.Clone(ix.begins)
	each(func(code, row uint32) {
		ix.rows[next[code]] = row
		next[code]++
	})
	for code := range ix.folded {
		ix.folded[code] = foldedText{foldedHash(of.strs[code]), uint32(code)}
	}
	slices.SortFunc(ix.folded, func(a, b foldedText) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.code, b.code)) })
	return ix
}

var foldedSeed = maphash.MakeSeed()

// foldedHash is the same for texts that differ in case alone.
func foldedHash(text string) uint32 {
	var folded [128]byte
	if n, ok := foldASCII(folded[:], text); ok {
		return uint32(maphash.Bytes(foldedSeed, folded[:n]))
	}
	return uint32(maphash.String(foldedSeed, foldCase(text)))
}

// like returns the codes of texts that may differ from a text in case alone, as far as
// their hashes tell.
func (ix *textIndex) like(text string) []foldedText {
	hash := foldedHash(text)
	from, _ := slices.BinarySearchFunc(ix.folded, hash, func(f foldedText, hash uint32) int { return cmp.Compare(f.hash, hash) })
	to := from
	for to < len(ix.folded) && ix.folded[to].hash == hash {
		to++
	}
	return ix.folded[from:to]
}

// between returns the rows of a text among those of the table from one up to another.
func (ix *textIndex) between(code, from, to uint32) []uint32 {
	rows := ix.rows[ix.begins[code]:ix.begins[code+1]]
	begin, _ := slices.BinarySearch(rows, from)
	end, _ := slices.BinarySearch(rows[begin:], to)
	return rows[begin : begin+end]
}

// codes returns those of the texts for which a condition holds, which is of the index's
// column. It may hold for a text that none of the rows has that are read. It reports false
// if the condition fails for a text, which may be none of theirs either.
func (ix *textIndex) codes(x *execution, s *scan, c *textCondition) (codes []uint32, ok bool) {
	note := func(text string) {
		for _, f := range ix.like(text) {
			codes = append(codes, f.code)
		}
	}
	switch {
	case c.lasts:
		if _, failed := ix.failed.Load(c.expr.lasting); failed {
			return nil, false
		}
		defer func() {
			switch failed := recover().(type) {
			case nil:
			case runFailure:
				ix.failed.Store(c.expr.lasting, true)
				codes, ok = nil, false
			default:
				panic(failed)
			}
		}()
		codes = allCodes(ix.of.distinct())
	case c.expr.items != nil:
		c.expr.items.eachText(note)
	default: // ==
		for _, arg := range c.expr.args {
			if a, ok := arg.(*constExpr); ok {
				note(a.val.s)
			}
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	// Texts with the hash of another, or with another case, may be among them.
	holding := codes[:0]
	for part := range slices.Chunk(codes, chunkRows) {
		if x.stopped() != nil {
			return nil, false // the scan says so
		}
		for i, holds := range c.holdsFor(x, s, ix.of, part) {
			if holds {
				holding = append(holding, part[i])
			}
		}
	}
	return holding, true
}

// rowSet is a set of the rows of a table, from the first row of a segment on.
type rowSet struct {
	first int // the segment
	bits  []uint64
	n     int // rows in it
}

// The words of each segment are its own.
const segmentWords = chunkRows / 64

// segment returns the words of a segment.
func (r *rowSet) segment(at int) []uint64 {
	from := (at - r.first) * segmentWords
	return r.bits[from : from+segmentWords]
}

// count is how many rows of a segment are in the set.
func (r *rowSet) count(at int) (n int) {
	for _, word := range r.segment(at) {
		n += bits.OnesCount64(word)
	}
	return n
}

// list lists them.
func (r *rowSet) list(at int) []int32 {
	sel := make([]int32, 0, r.count(at))
	for i, word := range r.segment(at) {
		for ; word != 0; word &= word - 1 {
			sel = append(sel, int32(i*64+bits.TrailingZeros64(word)))
		}
	}
	return sel
}

// has says whether a row of a segment is in the set.
func (r *rowSet) has(at int, row int32) bool {
	return r.segment(at)[row/64]>>(row%64)&1 != 0
}

// add adds rows of the table.
func (r *rowSet) add(rows []uint32) {
	from := uint32(r.first * chunkRows)
	for _, row := range rows {
		row -= from
		r.bits[row/64] |= 1 << (row % 64)
	}
}

// keep leaves in the set what is in another of the same segments.
func (r *rowSet) keep(other *rowSet) {
	for i := range r.bits {
		r.bits[i] &= other.bits[i]
	}
}

// measure counts the rows.
func (r *rowSet) measure() {
	r.n = 0
	for _, word := range r.bits {
		r.n += bits.OnesCount64(word)
	}
}
