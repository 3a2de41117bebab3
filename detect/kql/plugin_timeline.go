package kql

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// timeline is a plugin that looks at values along a column of times, apart for
// each combination of dimensions.
type timeline struct {
	name       string
	in         relation
	id, time   *column
	dimensions []*column
	cols       []*column // the time, the dimensions, and what it computes
	leading    int       // how many of the values stand before the dimensions
	byTime     bool      // the rows come in the order of time, rather than by dimensions
	before     relation  // a table whose ids are known, or nil
	beforeID   *column
	// compute gives the rows of one combination. Its points are in the order of time.
	// The moments are charged as they are made.
	compute func(held *made, points []point) ([]moment, error)
}

// made is what the moments of a plugin take.
type made struct {
	memory
	moments int
	past    map[string]bool // the ids of the table before
}

// make charges so many moments.
func (m *made) make(moments int) error {
	m.moments += moments
	if err := m.room(0); err != nil {
		return err
	}
	if err := m.x.makes(moments); err != nil {
		return err
	}
	return m.add(int64(moments) * (6*valueBytes + 128)) // twice what one takes: slices grow
}

// room fails if so many moments more are too many.
func (m *made) room(more uint64) error {
	if more <= uint64(m.x.limits.Rows) && m.moments <= m.x.limits.Rows {
		return nil
	}
	return &LimitError{Message: fmt.Sprintf("the windows of evaluate give more than %d rows, the limit of the query: give it longer bins or a shorter time", m.x.limits.Rows)}
}

// point is a row of the input.
type point struct {
	at, id Value
	key    string // the id, for maps
	row    int
}

// moment is a row of the output.
type moment struct {
	at    Value
	vals  []Value
	group int32
	row   int // any of the input with the same dimensions
}

// timeline binds the columns of a plugin. The dimensions are the arguments from
// a place on.
func (n *evaluateNode) timeline(b *binder, in relation, id, time, dimensions int) *timeline {
	cols := in.columns()
	t := &timeline{name: n.plugin.text, in: in, id: n.column(b, id, "the first column", cols), time: n.column(b, time, "the time", cols)}
	if t.id.typ == Dynamic {
		panic(semanticError(n.args[id].expr.pos(), "SEM0220", "the first column of %s() must not be dynamic: tostring() converts", n.plugin.text))
	}
	if typ := t.time.typ; typ != DateTime && typ != TimeSpan && !typ.isNumber() {
		panic(semanticError(n.args[time].expr.pos(), "SEM0220", "the time of %s() must be a datetime, a timespan or a number, not a %s", n.plugin.text, typ))
	}
	names := newNaming("Column", new(int))
	t.cols = []*column{{names.unique(t.time.name), t.time.typ}}
	for i := range n.args[dimensions:] {
		d := n.column(b, i+dimensions, "a dimension", cols)
		if d.typ == Dynamic {
			panic(semanticError(n.args[i+dimensions].expr.pos(), "SEM0220", "a dimension of %s() must not be dynamic: tostring() converts", n.plugin.text))
		}
		t.dimensions = append(t.dimensions, d)
		t.cols = append(t.cols, &column{names.unique(d.name), d.typ})
	}
	return t
}

// gives adds columns that the plugin computes.
func (t *timeline) gives(typ Type, names ...string) {
	taken := newNaming("Column", new(int))
	for _, c := range t.cols {
		taken.unique(c.name)
	}
	for _, name := range names {
		t.cols = append(t.cols, &column{taken.unique(name), typ})
	}
}

// value binds an argument that must be a constant of a type, and not null.
// Without data to read it from, it is null.
func (n *evaluateNode) value(b *binder, at int, what string, typ Type) Value {
	c := n.constant(b, at, what)
	if c == nil {
		return Value{}
	}
	pos := n.args[at].expr.pos()
	v := b.coerce(c, typ, pos).(*constExpr).val
	if v.IsNull() {
		panic(semanticError(pos, "SEM0220", "%s of %s() is null", what, n.plugin.text))
	}
	return v
}

// length binds that of a window, which is positive. Times are as far apart
// as it says.
func (n *evaluateNode) length(b *binder, at int, what string, time Type) Value {
	if time == DateTime {
		time = TimeSpan
	}
	v := n.value(b, at, what, time)
	if !v.IsNull() && !isPositive(v) {
		panic(semanticError(n.args[at].expr.pos(), "SEM0220", "%s of %s() must be positive", what, n.plugin.text))
	}
	return v
}

func (t *timeline) columns() []*column { return t.cols }

func (t *timeline) prepare(map[*column]bool) {
	below := map[*column]bool{t.id: true, t.time: true}
	for _, d := range t.dimensions {
		below[d] = true
	}
	t.in.prepare(below)
	if t.before != nil {
		t.before.prepare(map[*column]bool{t.beforeID: true})
	}
}

func (t *timeline) explain(x *explainer) explained {
	return explained{text: "evaluate " + t.name + "(" + x.columnName(t.id) + ", " + x.columnName(t.time) + ")", gives: t.cols, inputs: t.inputs()}
}

func (t *timeline) inputs() []relation {
	if t.before != nil {
		return []relation{t.in, t.before}
	}
	return []relation{t.in}
}

// known gives the ids of the table before.
func (t *timeline) known(held *made) (map[string]bool, error) {
	if t.before == nil {
		return nil, nil
	}
	all, err := collect(t.before, held.x)
	if err != nil {
		return nil, err
	}
	defer all.free()
	past := make(map[string]bool)
	ids := all.cols[columnIndex(t.before.columns(), t.beforeID)]
	for row := range all.n {
		if row%rowsBetweenLooks == 0 {
			if err := held.x.stopped(); err != nil {
				return nil, err
			}
		}
		key := string(groupKey(nil, ids.value(row)))
		if err := held.add(allocated(int64(len(key))) + 2*textEntry); err != nil {
			return nil, err
		}
		past[key] = true
	}
	return past, nil
}

func (t *timeline) run(x *execution, emit func(*batch) error) error {
	all, err := collect(t.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	in := t.in.columns()
	times, ids := all.cols[columnIndex(in, t.time)], all.cols[columnIndex(in, t.id)]
	var dims []*vector
	var types []Type
	for _, d := range t.dimensions {
		dims, types = append(dims, all.cols[columnIndex(in, d)]), append(types, d.typ)
	}
	groups := newKeyIndex(types).number(dims, all.n, nil)
	held := made{memory: memory{x: x}}
	defer held.free()
	if held.past, err = t.known(&held); err != nil {
		return err
	}
	points := make(map[int32][]point)
	for row := range all.n {
		if row%rowsBetweenLooks == 0 {
			if err := x.stopped(); err != nil {
				return err
			}
		}
		p := point{at: times.value(row), id: ids.value(row), row: row}
		if p.at.IsNull() {
			continue
		}
		p.key = string(groupKey(nil, p.id))
		if err := held.add(4*valueBytes + allocated(int64(len(p.key)))); err != nil { // twice what it takes: slices grow
			return err
		}
		points[groups[row]] = append(points[groups[row]], p)
	}
	var list []moment
	for group, of := range points {
		slices.SortStableFunc(of, func(v, w point) int {
			order, _ := compare(v.at, w.at)
			return order
		})
		moments, err := t.compute(&held, of)
		if err != nil {
			return err
		}
		for _, m := range moments {
			m.group, m.row = group, of[0].row
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(v, w moment) int {
		order, _ := compare(v.at, w.at)
		if t.byTime {
			return cmp.Or(order, cmp.Compare(v.group, w.group))
		}
		return cmp.Or(cmp.Compare(v.group, w.group), order)
	})
	out := &rows{n: len(list), held: memory{x: x}}
	for _, c := range t.cols {
		out.cols = append(out.cols, newVector(c.typ, len(list)))
	}
	for i, m := range list {
		out.cols[0].set(i, convert(m.at, t.time.typ))
		for d := range dims {
			out.cols[1+t.leading+d].set(i, dims[d].value(m.row))
		}
		for at, v := range m.vals {
			if at < t.leading {
				out.cols[1+at].set(i, v)
			} else {
				out.cols[1+len(dims)+at].set(i, v)
			}
		}
	}
	return emitRows(out, emit)
}

// within cuts off the points before a time, and those after another. A time that
// is too early for its type is null, and cuts nothing off.
func within(points []point, from, to Value) []point {
	first := len(points)
	for i, p := range points {
		if order, ok := compare(p.at, from); !ok || order >= 0 {
			first = i
			break
		}
	}
	points = points[first:]
	for i, p := range points {
		if order, ok := compare(p.at, to); !ok || order > 0 {
			return points[:i]
		}
	}
	return points
}

// bins number the windows of equal length from a start on.
type bins struct {
	start, size Value
}

// of is the number of the window that a time is in.
func (w bins) of(at Value) (int64, bool) {
	if isWhole(at.kind) {
		down, ok := roundDown(at.n, w.size.n, w.start.n)
		if !ok {
			return 0, false
		}
		above, ok := subtractWhole(down, w.start.n)
		return above / w.size.n, ok
	}
	i := math.Floor((realOf(at) - realOf(w.start)) / realOf(w.size))
	return int64(i), math.Abs(i) < 1<<53
}

// times is how many windows a length takes, one at least.
func (w bins) times(length Value) int64 {
	if isWhole(length.kind) {
		return max(1, length.n/w.size.n)
	}
	return int64(min(max(1, math.Floor(realOf(length)/realOf(w.size))), 1<<53))
}

// at is the start of a window.
func (w bins) at(i int64) Value {
	if isWhole(w.start.kind) {
		far, ok := multiplyWhole(i, w.size.n)
		if !ok {
			return Value{}
		}
		at, ok := addWhole(w.start.n, far)
		return wholeValue(w.start.kind, at, ok)
	}
	return convert(realValue(realOf(w.start)+float64(i)*realOf(w.size)), w.start.kind)
}

// sliding calls visit for each window from first to last that has points in it
// or in one of the windows before, up to so many. Points that come in are
// entered before, and those that are too old have left.
func (w bins) sliding(held *made, points []point, windows, first, last int64, enter, leave func(*point), visit func(at Value, points []point)) error {
	points = slices.DeleteFunc(points, func(p point) bool {
		_, ok := w.of(p.at)
		return !ok // too far from the start to have a number
	})
	in, out := 0, 0 // the points from out to in are those of the windows
	number := func(i int) int64 {
		n, _ := w.of(points[i].at)
		return n
	}
	for at := first; in < len(points) || out < in; at++ {
		if out == in && in < len(points) { // nothing is there until the next point
			at = max(at, number(in))
		}
		if at > last {
			return nil
		}
		for ; in < len(points) && number(in) <= at; in++ {
			if number(in) == at { // a point gives a row for each window that it is in
				if err := held.room(min(uint64(windows), uint64(last)-uint64(at))); err != nil {
					return err
				}
			}
			enter(&points[in])
		}
		for ; out < in && uint64(at)-uint64(number(out)) >= uint64(windows); out++ {
			leave(&points[out])
		}
		if out == in {
			continue
		}
		if err := held.make(1); err != nil {
			return err
		}
		visit(w.at(at), points[out:in])
		if at == math.MaxInt64 {
			return nil
		}
	}
	return nil
}

// bindSlidingWindow is sliding_window_counts(id, time, start, end, lookback, bin,
// dimensions...): how many rows and how many ids there are in the window that
// ends with each bin.
func bindSlidingWindow(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(6, -1, false)
	t := n.timeline(b, in, 0, 1, 6)
	t.byTime = true
	t.gives(Long, "Count", "Dcount")
	start, end := n.value(b, 2, "the start", t.time.typ), n.value(b, 3, "the end", t.time.typ)
	lookback := n.length(b, 4, "the lookback window", t.time.typ)
	w := bins{start, n.length(b, 5, "the bin", t.time.typ)}
	t.compute = func(held *made, points []point) ([]moment, error) {
		last, ok := w.of(end)
		if !ok {
			return nil, nil
		}
		var list []moment
		times := make(map[string]int64)
		points = within(points, subtracted(start, lookback), end)
		err := w.sliding(held, points, w.times(lookback), 0, last, func(p *point) { times[p.key]++ },
			func(p *point) {
				if times[p.key]--; times[p.key] == 0 {
					delete(times, p.key)
				}
			},
			func(at Value, points []point) {
				list = append(list, moment{at: at, vals: []Value{longValue(int64(len(points))), longValue(int64(len(times)))}})
			})
		return list, err
	}
	return t
}

// bindActiveUsers is active_users_count(id, time, start, end, lookback, period,
// active periods, bin, dimensions...): how many ids are seen in each bin that were
// seen in so many periods of the lookback window.
func bindActiveUsers(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(8, -1, false)
	t := n.timeline(b, in, 0, 1, 8)
	t.byTime = true
	t.gives(Long, "dcount")
	start, end := n.value(b, 2, "the start", t.time.typ), n.value(b, 3, "the end", t.time.typ)
	lookback := n.length(b, 4, "the lookback window", t.time.typ)
	periods := bins{start, n.length(b, 5, "the period", t.time.typ)}
	least := n.value(b, 6, "the count of active periods", Long)
	w := bins{start, n.length(b, 7, "the bin", t.time.typ)}
	t.compute = func(held *made, points []point) ([]moment, error) {
		byID := make(map[string][]point)
		for _, p := range points {
			byID[p.key] = append(byID[p.key], p)
		}
		active := make(map[int64]int64)
		for _, of := range byID {
			seen := make(map[int64]int64) // the points of each period in the window
			out, before := 0, int64(-1)
			for i, p := range of {
				if i%rowsBetweenLooks == 0 {
					if err := held.x.stopped(); err != nil {
						return nil, err
					}
				}
				period, _ := periods.of(p.at)
				seen[period]++
				for ; out < i; out++ {
					if order, _ := compare(of[out].at, subtracted(p.at, lookback)); order > 0 {
						break
					}
					old, _ := periods.of(of[out].at)
					if seen[old]--; seen[old] == 0 {
						delete(seen, old)
					}
				}
				if int64(len(seen)) < least.n || len(within([]point{p}, start, end)) == 0 {
					continue
				}
				if bin, ok := w.of(p.at); ok && bin != before {
					active[bin]++
					before = bin
				}
			}
		}
		var list []moment
		for bin, n := range active {
			list = append(list, moment{at: w.at(bin), vals: []Value{longValue(n)}})
		}
		return list, held.make(len(list))
	}
	return t
}

// bindSessions is session_count(id, time, start, end, bin, lookback, dimensions...):
// how many sessions begin in each bin. One begins where an id was not seen
// within the lookback window.
func bindSessions(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(6, -1, false)
	t := n.timeline(b, in, 0, 1, 6)
	t.byTime = true
	t.gives(Long, "count_sessions")
	start, end := n.value(b, 2, "the start", t.time.typ), n.value(b, 3, "the end", t.time.typ)
	w := bins{start, n.length(b, 4, "the bin", t.time.typ)}
	lookback := n.length(b, 5, "the lookback window", t.time.typ)
	t.compute = func(held *made, points []point) ([]moment, error) {
		last := make(map[string]Value)
		sessions := make(map[int64]int64)
		for i, p := range within(points, start, end) {
			if i%rowsBetweenLooks == 0 {
				if err := held.x.stopped(); err != nil {
					return nil, err
				}
			}
			before, seen := last[p.key]
			last[p.key] = p.at
			if seen {
				if order, _ := compare(before, subtracted(p.at, lookback)); order >= 0 {
					continue
				}
			}
			if bin, ok := w.of(p.at); ok {
				sessions[bin]++
			}
		}
		var list []moment
		for bin, n := range sessions {
			list = append(list, moment{at: w.at(bin), vals: []Value{longValue(n)}})
		}
		return list, held.make(len(list))
	}
	return t
}

// bindRollingPercentile is rolling_percentile(value, percentile, time, bin, bins of a
// window, dimensions...): the percentile of the values in the window that ends
// with each bin.
func bindRollingPercentile(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(5, -1, false)
	t := n.timeline(b, in, 0, 2, 5)
	if typ := t.id.typ; !typ.isNumber() && typ != DateTime && typ != TimeSpan {
		panic(semanticError(n.args[0].expr.pos(), "SEM0220", "the values of %s() must be numbers, datetimes or timespans, not a %s", n.plugin.text, typ))
	}
	percentile := n.value(b, 1, "the percentile", Real)
	if p := percentile; !p.IsNull() && !(p.real() >= 0 && p.real() <= 100) {
		panic(semanticError(n.args[1].expr.pos(), "SEM0220", "a percentile of %s() must be a number from 0 to 100", n.plugin.text))
	}
	size := n.length(b, 3, "the bin", t.time.typ)
	windows := n.length(b, 4, "the count of bins", Long)
	t.gives(t.id.typ, "rolling_"+windows.String()+"_percentile_"+t.id.name+"_"+strconv.FormatFloat(realOf(percentile), 'f', -1, 64))
	w := bins{convert(longValue(0), t.time.typ), size}
	if t.time.typ == DateTime {
		w.start = datetimeValue(0)
	}
	t.compute = func(held *made, points []point) ([]moment, error) {
		first, ok1 := w.of(points[0].at)
		last, ok2 := w.of(points[len(points)-1].at)
		if !ok1 || !ok2 {
			return nil, nil
		}
		var list []moment
		nothing := func(*point) {}
		err := w.sliding(held, points, windows.n, first, last, nothing, nothing, func(at Value, points []point) {
			var of ranking
			for _, p := range points {
				of.add([]Value{p.id, percentile})
			}
			list = append(list, moment{at: at, vals: []Value{convert(of.result(), t.id.typ)}})
		})
		return list, err
	}
	return t
}
