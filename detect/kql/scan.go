package kql

import (
	"cmp"
	"math"
	"slices"
)

// scan reads a table, within the query's scope.
type scan struct {
	table *Table
	cols  []*column
	need  []bool
}

func newScan(t *Table) *scan {
	s := &scan{table: t, need: make([]bool, len(t.schema))}
	for _, c := range t.schema {
		s.cols = append(s.cols, &column{c.Name, c.Type})
	}
	return s
}

func (s *scan) columns() []*column { return s.cols }

func (s *scan) prepare(need map[*column]bool) {
	for i, c := range s.cols {
		s.need[i] = s.need[i] || need[c]
	}
}

func (s *scan) explain(x *explainer) explained {
	name := s.table.name
	if name == "" {
		name = "datatable"
	}
	return explained{text: "scan " + name, gives: chosen(s.cols, s.need)}
}

func (s *scan) run(x *execution, emit func(*batch) error) error {
	for at := range s.table.segments {
		b, err := s.read(x, scanPart{at, at + 1}, scanBounds{})
		if b != nil {
			b.unpack()
			err = emit(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scanBounds are what filters right above a scan want of its rows.
type scanBounds struct {
	times  []timeBound
	texts  []*textBound // those that no index knows
	chosen *rowSet      // what indexes know of the others; nil for all rows
	rows   int          // in segments that neither the bounds of times nor the scope rule out
	held   memory
}

// scanPart is which segments are read as one batch.
type scanPart struct{ from, to int }

// boundsOf finds the bounds in the filters among stages, and which segments to read. The
// last stage is the one above the scan. The caller frees what the bounds hold.
func (s *scan) boundsOf(x *execution, stages []stage) (bounds scanBounds, parts []scanPart) {
	conditions := conditionsAbove(stages)
	bounds = scanBounds{times: s.timeBounds(conditions), held: memory{x: x}}
	w := windowOf(x.scope)
	for i := range s.table.segments {
		seg := &s.table.segments[i]
		// Where all times are null, the least of them is after the greatest.
		if bounds.mayHold(seg) && (s.table.generated < 0 || seg.times.hasNull || seg.times.max >= w.from && seg.times.min < w.to) {
			bounds.rows += seg.n
			parts = append(parts, scanPart{i, i + 1})
		}
	}
	if len(parts) == 0 {
		return bounds, nil
	}
	// A function is asked for each text of its column. That is worth it for the rows that
	// other conditions leave, if at all.
	all := s.textBounds(conditions)
	slices.SortStableFunc(all, func(a, b *textBound) int {
		return cmp.Compare(boolValue(anyLasts(a.oneOf)).n, boolValue(anyLasts(b.oneOf)).n)
	})
	rows := bounds.rows
	for _, t := range all {
		set, ok := t.find(x, s, parts[0].from, parts[len(parts)-1].to, rows)
		switch {
		case !ok:
			bounds.texts = append(bounds.texts, t)
			continue
		case set == nil: // the filter is as good
			continue
		case bounds.chosen == nil:
			bounds.chosen = set
			bounds.held.claim(8 * int64(len(set.bits)))
		default:
			bounds.chosen.keep(set)
		}
		bounds.chosen.measure()
		rows = bounds.chosen.n
	}
	if bounds.chosen == nil {
		return bounds, parts
	}
	return bounds, bounds.chosen.parts(parts, x.workers)
}

// These are how few rows a batch is to have, and how many batches each goroutine is to
// have work for, where a batch can be of several segments.
const (
	fewRows     = 512
	partsPerOne = 4
)

// parts puts segments together of which few rows are in the set, and leaves out those of
// which none are.
func (r *rowSet) parts(of []scanPart, workers int) (parts []scanPart) {
	enough := max(fewRows, r.n/(partsPerOne*workers))
	n := 0
	for _, p := range of {
		more := r.count(p.from)
		switch {
		case more == 0:
			continue
		case len(parts) == 0 || n >= enough || n+more > chunkRows:
			parts = append(parts, p)
			n = 0
		}
		parts[len(parts)-1].to = p.to
		n += more
	}
	return parts
}

// mayHold says whether a segment can have a row that is within the bounds of times.
func (b *scanBounds) mayHold(seg *segment) bool {
	for _, bound := range b.times {
		if !bound.mayHold(seg.times) {
			return false
		}
	}
	return true
}

// read gives those rows of some segments that are in the scope, and can be within the
// bounds. It gives nil for none. Texts may be packed.
func (s *scan) read(x *execution, p scanPart, bounds scanBounds) (*batch, error) {
	if err := x.stopped(); err != nil {
		return nil, err
	}
	var pieces []scanPiece
	n := 0
	for at := p.from; at < p.to; at++ {
		seg := &s.table.segments[at]
		if !bounds.mayHold(seg) {
			continue // it lies between others of the part
		}
		sel, all := s.choose(x, at, bounds)
		switch {
		case all:
			n += seg.n
		case len(sel) == 0:
			continue
		default:
			n += len(sel)
		}
		pieces = append(pieces, scanPiece{seg, sel, all})
	}
	if n == 0 {
		return nil, nil
	}
	b := &batch{n: n, cols: make([]*vector, len(s.cols))}
	for i := range s.cols {
		if s.need[i] {
			b.cols[i] = columnOf(pieces, i, n)
		}
	}
	return b, nil
}

// choose gives which rows of a segment are in the scope, and can be within the bounds. It
// says whether all are.
func (s *scan) choose(x *execution, at int, bounds scanBounds) (sel []int32, all bool) {
	seg := &s.table.segments[at]
	sel, all = windowOf(x.scope).rows(s.table, seg)
	switch set := bounds.chosen; {
	case set == nil:
	case all:
		sel, all = set.list(at), false
	default:
		sel = slices.DeleteFunc(sel, func(row int32) bool { return !set.has(at, row) })
	}
	for _, t := range bounds.texts {
		if !all && len(sel) < seg.n/16 {
			break // the filter has little left to do
		}
		if can, ok := t.choose(x, s, seg, bounds.rows); ok && all {
			sel, all = can, false
		} else if ok {
			sel = inBoth(sel, can)
		}
	}
	return sel, all
}

// scanPiece is what is read of a segment.
type scanPiece struct {
	of  *segment
	sel []int32
	all bool
}

// rows calls with each row of the segment that is read, in order.
func (p *scanPiece) rows(take func(row int)) {
	if p.all {
		for row := range p.of.n {
			take(row)
		}
		return
	}
	for _, row := range p.sel {
		take(int(row))
	}
}

// columnOf gives a column of n rows of some pieces as one vector.
func columnOf(pieces []scanPiece, i, n int) *vector {
	first := pieces[0].of.cols[i]
	if len(pieces) == 1 {
		if pieces[0].all {
			return first
		}
		return first.gather(pieces[0].sel)
	}
	isText, isInt := true, true
	for at := range pieces {
		v := pieces[at].of.cols[i]
		plain := v.isFlat() && v.nulls == nil && v.vals == nil && v.reals == nil
		isText, isInt = isText && plain && v.ints == nil, isInt && plain && v.ints != nil
	}
	switch {
	case isText:
		out := &vector{typ: first.typ, n: n, strs: make([]string, 0, n)}
		for at := range pieces {
			if v := pieces[at].of.cols[i]; v.packed != nil {
				pieces[at].rows(func(row int) { out.strs = append(out.strs, v.packed.at(row)) })
			} else {
				pieces[at].rows(func(row int) { out.strs = append(out.strs, v.strs[row]) })
			}
		}
		return out
	case isInt:
		out := &vector{typ: first.typ, n: n, ints: make([]int64, 0, n)}
		within, known := timeRange{min: math.MaxInt64, max: math.MinInt64}, true
		for at := range pieces {
			v := pieces[at].of.cols[i]
			pieces[at].rows(func(row int) { out.ints = append(out.ints, v.ints[row]) })
			if known = known && v.within != nil; known {
				within.min, within.max = min(within.min, v.within.min), max(within.max, v.within.max)
			}
		}
		if known {
			out.within = &within
		}
		return out
	}
	parts := make([]*vector, len(pieces))
	for at := range pieces {
		if parts[at] = pieces[at].of.cols[i].unpacked(); !pieces[at].all {
			parts[at] = parts[at].gather(pieces[at].sel)
		}
	}
	return inOneVector(parts)
}

// inBoth gives what two ordered lists of rows have in common, in the place of the first.
func inBoth(a, b []int32) []int32 {
	n := 0
	for _, row := range a {
		for len(b) > 0 && b[0] < row {
			b = b[1:]
		}
		if len(b) > 0 && b[0] == row {
			a[n] = row
			n++
		}
	}
	return a[:n]
}

// timeBound is a comparison of TimeGenerated with a constant, which a filter
// right above a scan makes. It spares the scan the segments in which no row
// can pass; the filter still looks at the others.
type timeBound struct {
	op   string
	tick int64
}

func (t timeBound) mayHold(r timeRange) bool {
	switch t.op {
	case "<":
		return r.min < t.tick
	case "<=":
		return r.min <= t.tick
	case ">":
		return r.max > t.tick
	case ">=":
		return r.max >= t.tick
	}
	return r.min <= t.tick && t.tick <= r.max
}

// conditionsAbove lists what must all hold for a row to pass the filters among stages that
// are right above a scan. The last stage is the one above it.
func conditionsAbove(stages []stage) (conditions []expr) {
	var split func(e expr)
	split = func(e expr) {
		if ap, ok := e.(*applyExpr); ok && ap.op == "and" {
			split(ap.args[0])
			split(ap.args[1])
		} else {
			conditions = append(conditions, e)
		}
	}
	for _, above := range slices.Backward(stages) {
		f, ok := above.(*filter)
		if !ok {
			break
		}
		split(f.predicate)
	}
	return conditions
}

// timeBounds finds the comparisons of TimeGenerated with constants among conditions that
// must all hold.
func (s *scan) timeBounds(conditions []expr) (bounds []timeBound) {
	if s.table.generated < 0 {
		return nil
	}
	times := s.cols[s.table.generated]
	for _, e := range conditions {
		ap, ok := e.(*applyExpr)
		if !ok || len(ap.args) != 2 {
			continue
		}
		left, right, op := ap.args[0], ap.args[1], ap.op
		if _, turned := left.(*constExpr); turned {
			left, right, op = right, left, turnedOperators[op]
		}
		col, isColumn := left.(*columnExpr)
		val, isConst := right.(*constExpr)
		if turnedOperators[op] != "" && isColumn && col.col == times && isConst && val.val.kind == DateTime {
			bounds = append(bounds, timeBound{op, val.val.n})
		}
	}
	return bounds
}

// turnedOperators are the comparisons with their sides exchanged.
var turnedOperators = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}

// window is a Scope in ticks.
type window struct{ from, to, received int64 }

func windowOf(s Scope) window {
	w := window{from: -1, to: maxTicks + 1, received: maxTicks + 1}
	if !s.From.IsZero() {
		w.from = timeToTicks(s.From)
	}
	if !s.To.IsZero() {
		w.to = timeToTicks(s.To)
	}
	if !s.ReceivedBy.IsZero() {
		w.received = timeToTicks(s.ReceivedBy)
	}
	return w
}

// rows selects those of a segment that are in the window; all says that every
// one is. A row without a time is in no window that has a bound.
func (w window) rows(t *Table, seg *segment) (sel []int32, all bool) {
	bounded := w.from >= 0 || w.to <= maxTicks
	if t.generated < 0 || !bounded && w.received > maxTicks {
		return nil, true
	}
	c := seg.times
	if c.max < w.from || c.min >= w.to {
		return nil, false
	}
	if r := seg.received; t.received >= 0 && !r.hasNull && r.min > w.received || t.received < 0 && !c.hasNull && c.min > w.received {
		return nil, false
	}
	inside := !c.hasNull && c.min >= w.from && c.max < w.to
	inTime := seg.received.max <= w.received // or TimeGenerated says when, or both
	if t.received < 0 || seg.received.hasNull {
		inTime = inTime && c.max <= w.received
	}
	if inside && inTime {
		return nil, true
	}
	times := seg.cols[t.generated]
	var received *vector
	if t.received >= 0 && w.received <= maxTicks {
		received = seg.cols[t.received]
	}
	all = true
	for row := range seg.n {
		tick := times.ints[times.at(row)]
		arrived := tick
		if received != nil && !received.isNull(row) {
			arrived = received.ints[received.at(row)]
		}
		if times.isNull(row) && bounded || tick < w.from || tick >= w.to || arrived > w.received {
			all = false
			continue
		}
		sel = append(sel, int32(row))
	}
	return sel, all
}
