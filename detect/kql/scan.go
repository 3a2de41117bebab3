package kql

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

func (s *scan) run(x *execution, emit func(*batch) error) error {
	t := s.table
	w := windowOf(x.scope)
	for from := 0; from < t.rows; from += chunkRows {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		to := min(from+chunkRows, t.rows)
		sel, all := w.rows(t, from, to)
		if !all && len(sel) == 0 {
			continue
		}
		b := &batch{n: to - from, cols: make([]*vector, len(s.cols))}
		if !all {
			b.n = len(sel)
		}
		for i, c := range t.cols {
			switch {
			case !s.need[i]:
			case all:
				b.cols[i] = c.slice(from, to)
			default:
				b.cols[i] = c.gather(sel)
			}
		}
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}

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

// rows selects those of a chunk that are in the window; all says that every
// one is. A row without a time is in no window that has a bound.
func (w window) rows(t *Table, from, to int) (sel []int32, all bool) {
	bounded := w.from >= 0 || w.to <= maxTicks
	if t.generated < 0 || !bounded && w.received > maxTicks {
		return nil, true
	}
	c := t.chunks[from/chunkRows]
	if c.max < w.from || c.min >= w.to {
		return nil, false
	}
	inside := !c.hasNull && c.min >= w.from && c.max < w.to
	if inside && t.received < 0 && c.max <= w.received {
		return nil, true
	}
	times := t.cols[t.generated]
	var received *vector
	if t.received >= 0 && w.received <= maxTicks {
		received = t.cols[t.received]
	}
	all = true
	for i := from; i < to; i++ {
		tick, arrived := times.ints[i], times.ints[i]
		if received != nil && !received.isNull(i) {
			arrived = received.ints[i]
		}
		if times.isNull(i) && bounded || tick < w.from || tick >= w.to || arrived > w.received {
			all = false
			continue
		}
		sel = append(sel, int32(i))
	}
	return sel, all
}
