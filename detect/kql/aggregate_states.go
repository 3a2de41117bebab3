package kql

import "reflect"

// groupStates are the states of one aggregate in all groups. Aggregates that
// are used much have theirs column by column; the others have an accumulator
// per group.
type groupStates interface {
	// grow makes states for the groups up to n, and charges what they take before
	// it is there.
	grow(n int, held *memory)
	// add takes in rows. Of each it gets the group, noKey for a row that does
	// not count, and the arguments.
	add(groups []int32, args []*vector)
	// result is the value of one of the aggregate's columns.
	result(group, col int) Value
	// size is about how many bytes they hold.
	size() int64
}

// columnOfStates are states that have what they give as a column. Nothing is added to
// them once they gave it.
type columnOfStates interface {
	// column is one of the aggregate's columns, for all groups, or nil if it must be
	// asked for each.
	column(col int) *vector
}

// newGroupStates finds the states that give what the accumulators would.
func newGroupStates(start func() accumulator, args []expr, several bool) groupStates {
	sample := start()
	if c, ok := sample.(*conditional); ok {
		rest := append(append([]expr(nil), args[:c.at]...), args[c.at+1:]...)
		if of := columnarStates(c.to, rest); of != nil {
			return &statesIf{at: c.at, of: of}
		}
		return &accumulators{start: start, several: several}
	}
	if s := columnarStates(sample, args); s != nil {
		return s
	}
	return &accumulators{start: start, several: several}
}

// columnarStates has those that are kept column by column, else nil.
func columnarStates(sample accumulator, args []expr) groupStates {
	t := kindNull
	if len(args) > 0 {
		t = args[0].typ()
	}
	switch s := sample.(type) {
	case *counting:
		return &counts{}
	case *extremum:
		switch {
		case isWhole(t):
			return &wholeExtremes{t: t, sign: s.sign}
		case t == String:
			return &textExtremes{sign: s.sign}
		}
	case *summing:
		if t == Long || t == Int || t == TimeSpan {
			return &wholeSums{t: s.t}
		}
	case *distinctCount:
		if t == String || isWhole(t) {
			return &distinctCounts{seen: newPairs(t)}
		}
	case *picking:
		p := &picked{how: s}
		for _, a := range args {
			p.cols = append(p.cols, newVector(a.typ(), 0))
		}
		return p
	}
	return nil
}

// accumulators are states of any aggregate.
type accumulators struct {
	start   func() accumulator
	several bool // they are severalResults
	list    []accumulator
	each    int64 // how many bytes one takes, without what it keeps
	bytes   int64 // what they keep
}

// grows is an accumulator that keeps values. It says about how many bytes they
// take, for the limit on memory.
type grows interface{ size() int64 }

// charges is an accumulator that grows by large pieces: it charges each before
// it is there.
type charges interface{ chargeTo(held *memory) }

// structBytes is how many bytes an accumulator takes without what it keeps.
func structBytes(a accumulator) int64 {
	size := allocated(int64(reflect.TypeOf(a).Elem().Size()))
	if outer, ok := a.(interface{ within() accumulator }); ok {
		size += structBytes(outer.within())
	}
	return size
}

func (a *accumulators) grow(n int, held *memory) {
	for len(a.list) < n {
		acc := a.start()
		if a.each == 0 {
			a.each = structBytes(acc)
		}
		if c, collects := acc.(charges); collects {
			c.chargeTo(held)
		}
		if g, keeps := acc.(grows); keeps {
			a.bytes += g.size()
		}
		a.list = append(enlarged(a.list, 1, held), acc)
	}
}

func (a *accumulators) add(groups []int32, args []*vector) {
	vals := make([]Value, len(args))
	for row, at := range groups {
		if at == noKey {
			continue
		}
		for i, v := range args {
			vals[i] = v.value(row)
		}
		acc := a.list[at]
		g, keeps := acc.(grows)
		if !keeps {
			acc.add(vals)
			continue
		}
		before := g.size()
		acc.add(vals)
		a.bytes += g.size() - before
	}
}

func (a *accumulators) result(group, col int) Value {
	if a.several {
		if r := a.list[group].(severalResults).results(); r != nil {
			return r[col]
		}
		return Value{}
	}
	return a.list[group].result()
}

func (a *accumulators) size() int64 {
	return 16*int64(cap(a.list)) + a.each*int64(len(a.list)) + a.bytes
}

// statesIf passes on the rows for which the argument at a position is true,
// without that argument.
type statesIf struct {
	at int
	of groupStates
}

func (s *statesIf) add(groups []int32, args []*vector) {
	chosen := make([]int32, len(groups))
	for i := range chosen {
		chosen[i] = noKey
	}
	for _, row := range trueRows(args[s.at]) {
		chosen[row] = groups[row]
	}
	rest := append(append([]*vector(nil), args[:s.at]...), args[s.at+1:]...)
	s.of.add(chosen, rest)
}

func (s *statesIf) grow(n int, held *memory)    { s.of.grow(n, held) }
func (s *statesIf) result(group, col int) Value { return s.of.result(group, col) }
func (s *statesIf) size() int64                 { return s.of.size() }

func (s *statesIf) column(col int) *vector {
	if of, ok := s.of.(columnOfStates); ok {
		return of.column(col)
	}
	return nil
}

// counts is count().
type counts struct{ n []int64 }

func (c *counts) grow(n int, held *memory) { c.n = grown(c.n, n, held) }

func (c *counts) add(groups []int32, _ []*vector) {
	for _, at := range groups {
		if at != noKey {
			c.n[at]++
		}
	}
}

func (c *counts) result(group, _ int) Value { return longValue(c.n[group]) }
func (c *counts) size() int64               { return 8 * int64(cap(c.n)) }
func (c *counts) column(int) *vector        { return &vector{typ: Long, n: len(c.n), ints: c.n} }

// wholeExtremes is min() and max() of what is kept as an integer.
type wholeExtremes struct {
	t    Type
	sign int
	best []int64
	some []bool
}

func (e *wholeExtremes) grow(n int, held *memory) {
	e.best, e.some = grown(e.best, n, held), grown(e.some, n, held)
}

func (e *wholeExtremes) add(groups []int32, args []*vector) {
	v := args[0]
	for row, at := range groups {
		i := v.at(row)
		if at == noKey || v.nulls != nil && v.nulls[i] {
			continue
		}
		if n := v.ints[i]; !e.some[at] || e.sign > 0 && n > e.best[at] || e.sign < 0 && n < e.best[at] {
			e.best[at], e.some[at] = n, true
		}
	}
}

func (e *wholeExtremes) result(group, _ int) Value {
	if !e.some[group] {
		return Value{}
	}
	return Value{kind: e.t, n: e.best[group]}
}

func (e *wholeExtremes) size() int64 { return 8*int64(cap(e.best)) + int64(cap(e.some)) }

func (e *wholeExtremes) column(int) *vector {
	v := &vector{typ: e.t, n: len(e.best), ints: e.best}
	for group, some := range e.some {
		if !some {
			v.setNull(group)
		}
	}
	return v
}

// textExtremes is min() and max() of strings.
type textExtremes struct {
	sign  int
	best  []string
	some  []bool
	bytes int64
}

func (e *textExtremes) grow(n int, held *memory) {
	e.best, e.some = grown(e.best, n, held), grown(e.some, n, held)
}

func (e *textExtremes) add(groups []int32, args []*vector) {
	v := args[0]
	for row, at := range groups {
		if at == noKey {
			continue
		}
		if s := v.strs[v.at(row)]; !e.some[at] || e.sign > 0 && s > e.best[at] || e.sign < 0 && s < e.best[at] {
			e.bytes += allocated(int64(len(s))) - allocated(int64(len(e.best[at])))
			e.best[at], e.some[at] = s, true
		}
	}
}

func (e *textExtremes) result(group, _ int) Value {
	if !e.some[group] {
		return Value{}
	}
	return stringValue(e.best[group])
}

func (e *textExtremes) size() int64 { return 16*int64(cap(e.best)) + int64(cap(e.some)) + e.bytes }

// wholeSums is sum() of integers and timespans.
type wholeSums struct {
	t   Type // of the result
	sum []wideSum
}

func (s *wholeSums) grow(n int, held *memory) { s.sum = grown(s.sum, n, held) }

func (s *wholeSums) add(groups []int32, args []*vector) {
	v := args[0]
	for row, at := range groups {
		if i := v.at(row); at != noKey && (v.nulls == nil || !v.nulls[i]) {
			s.sum[at].add(v.ints[i])
		}
	}
}

func (s *wholeSums) result(group, _ int) Value {
	n, ok := s.sum[group].whole()
	return wholeValue(s.t, n, ok)
}

func (s *wholeSums) size() int64 { return 16 * int64(cap(s.sum)) }

// pairs are the values that groups have, each once.
type pairs struct {
	values *keyIndex
	seen   map[uint64]struct{} // group and value
}

func newPairs(t Type) pairs {
	return pairs{newKeyIndex([]Type{t}), make(map[uint64]struct{})}
}

// each calls the function for each row whose value is new to its group.
func (p *pairs) each(groups []int32, v *vector, fresh func(row int, group int32)) {
	for row, value := range p.values.number([]*vector{v}, len(groups), nil) {
		at := groups[row]
		if at == noKey {
			continue
		}
		pair := uint64(at)<<32 | uint64(value)
		if _, ok := p.seen[pair]; !ok {
			p.seen[pair] = struct{}{}
			fresh(row, at)
		}
	}
}

func (p *pairs) size() int64 { return p.values.size() + mapBytes(len(p.seen), pairEntry) }

// distinctCounts is dcount() and its kin.
type distinctCounts struct {
	seen pairs
	n    []int64
}

func (d *distinctCounts) grow(n int, held *memory) { d.n = grown(d.n, n, held) }

func (d *distinctCounts) add(groups []int32, args []*vector) {
	v := args[0]
	d.seen.each(groups, v, func(row int, group int32) {
		if !v.isNull(row) {
			d.n[group]++
		}
	})
}

func (d *distinctCounts) result(group, _ int) Value { return longValue(d.n[group]) }
func (d *distinctCounts) size() int64               { return d.seen.size() + 8*int64(cap(d.n)) }
