package kql

import "slices"

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
		b, err := s.read(x, at, scanBounds{})
		if b != nil {
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
	times []timeBound
	texts []*textBound
	rows  int // in segments that neither the bounds of times nor the scope rule out
}

// boundsOf finds the bounds in the filters among stages. The last stage is the one above
// the scan.
func (s *scan) boundsOf(x *execution, stages []stage) scanBounds {
	conditions := conditionsAbove(stages)
	bounds := scanBounds{times: s.timeBounds(conditions), texts: s.textBounds(conditions)}
	w := windowOf(x.scope)
	for i := range s.table.segments {
		seg := &s.table.segments[i]
		if bounds.mayHold(seg) && (s.table.generated < 0 || seg.times.max >= w.from && seg.times.min < w.to) {
			bounds.rows += seg.n
		}
	}
	return bounds
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

// read gives those rows of a segment that are in the scope, and can be within the bounds.
// It gives nil for none.
func (s *scan) read(x *execution, at int, bounds scanBounds) (*batch, error) {
	if err := x.stopped(); err != nil {
		return nil, err
	}
	seg := &s.table.segments[at]
	if !bounds.mayHold(seg) {
		return nil, nil
	}
	sel, all := windowOf(x.scope).rows(s.table, seg)
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
	if !all && len(sel) == 0 {
		return nil, nil
	}
	b := &batch{n: seg.n, cols: make([]*vector, len(s.cols))}
	if !all {
		b.n = len(sel)
	}
	for i, c := range seg.cols {
		switch {
		case !s.need[i]:
		case all:
			b.cols[i] = c
		default:
			b.cols[i] = c.gather(sel)
		}
	}
	return b, nil
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
