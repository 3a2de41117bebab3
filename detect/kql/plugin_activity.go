package kql

import (
	"cmp"
	"slices"
)

// bindActivityCounts is activity_counts_metrics(id, time, start, end, window,
// dimensions...): how many rows and how many ids there are in each window of time,
// how many of the ids are new, and how many there were up to then.
func bindActivityCounts(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(5, -1, false)
	cols := in.columns()
	a := &activityCounts{in: in, id: n.column(b, 0, "the id", cols), time: n.column(b, 1, "the time", cols)}
	if a.id.typ == Dynamic {
		panic(semanticError(n.args[0].expr.pos(), "SEM0220", "the id of %s() must not be dynamic: tostring() converts", n.plugin.text))
	}
	span := a.time.typ
	switch {
	case span == DateTime:
		span = TimeSpan
	case span != TimeSpan && !span.isNumber():
		panic(semanticError(n.args[1].expr.pos(), "SEM0220", "the time of %s() must be a datetime, a timespan or a number, not a %s", n.plugin.text, a.time.typ))
	}
	for i, of := range []struct {
		what string
		typ  Type
		to   *Value
	}{{"the start", a.time.typ, &a.start}, {"the end", a.time.typ, &a.end}, {"the window", span, &a.window}} {
		c := n.constant(b, i+2, of.what)
		if c == nil {
			continue
		}
		at := n.args[i+2].expr.pos()
		if *of.to = b.coerce(c, of.typ, at).(*constExpr).val; of.to.IsNull() {
			panic(semanticError(at, "SEM0220", "%s of %s() is null", of.what, n.plugin.text))
		}
		if of.what == "the window" && !isPositive(*of.to) {
			panic(semanticError(at, "SEM0220", "the window of %s() must be positive", n.plugin.text))
		}
	}
	names := newNaming("Column", new(int))
	a.cols = []*column{{names.unique(a.time.name), a.time.typ}}
	for i := range n.args[5:] {
		d := n.column(b, i+5, "a dimension", cols)
		if d.typ == Dynamic {
			panic(semanticError(n.args[i+5].expr.pos(), "SEM0220", "a dimension of %s() must not be dynamic: tostring() converts", n.plugin.text))
		}
		a.dimensions = append(a.dimensions, d)
		a.cols = append(a.cols, &column{names.unique(d.name), d.typ})
	}
	for _, name := range []string{"count", "dcount", "new_dcount", "aggregated_dcount"} {
		a.cols = append(a.cols, &column{names.unique(name), Long})
	}
	return a
}

type activityCounts struct {
	in                 relation
	id, time           *column
	dimensions         []*column
	start, end, window Value
	cols               []*column
}

func (a *activityCounts) columns() []*column { return a.cols }

func (a *activityCounts) prepare(map[*column]bool) {
	below := map[*column]bool{a.id: true, a.time: true}
	for _, d := range a.dimensions {
		below[d] = true
	}
	a.in.prepare(below)
}

func (a *activityCounts) explain(x *explainer) explained {
	return explained{text: "evaluate activity_counts_metrics(" + x.columnName(a.id) + ", " + x.columnName(a.time) + ")", gives: a.cols, inputs: []relation{a.in}}
}

// windowOf gives the start of the window that a time is in, if it is between the
// start and the end. Both belong to it.
func (a *activityCounts) windowOf(at Value) (Value, bool) {
	if at.IsNull() {
		return Value{}, false
	}
	if order, ok := compare(at, a.start); !ok || order < 0 {
		return Value{}, false
	}
	if order, ok := compare(at, a.end); !ok || order > 0 {
		return Value{}, false
	}
	if isWhole(at.kind) {
		down, ok := roundDown(at.n, a.window.n, a.start.n)
		return wholeValue(at.kind, down, ok), ok
	}
	down := rounded(subtracted(at, a.start), a.window)
	return convert(plus(a.start, down), at.kind), !down.IsNull()
}

func isPositive(v Value) bool {
	if isWhole(v.kind) {
		return v.n > 0
	}
	order, ok := compare(v, longValue(0))
	return ok && order > 0
}

// activity is one window of one combination of dimensions.
type activity struct {
	at       Value
	group    int32
	row      int // the first
	count    int64
	ids      []string
	distinct int64
	fresh    int64
	total    int64
}

func (a *activityCounts) run(x *execution, emit func(*batch) error) error {
	all, err := collect(a.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	in := a.in.columns()
	times, ids := all.cols[columnIndex(in, a.time)], all.cols[columnIndex(in, a.id)]
	var dims []*vector
	var types []Type
	for _, d := range a.dimensions {
		dims, types = append(dims, all.cols[columnIndex(in, d)]), append(types, d.typ)
	}
	index := newKeyIndex(types)
	groups := index.number(dims, all.n, nil)
	held := memory{x: x}
	defer held.free()
	windows := make(map[string]*activity)
	inWindow := make(map[string]bool)
	for row := range all.n {
		if row%rowsBetweenLooks == 0 {
			if err := x.stopped(); err != nil {
				return err
			}
		}
		at, ok := a.windowOf(times.value(row))
		if !ok {
			continue
		}
		key := string(groupKey(groupKey(nil, longValue(int64(groups[row]))), at))
		w := windows[key]
		if w == nil {
			w = &activity{at: at, group: groups[row], row: row}
			windows[key] = w
			if err := held.add(mapBytes(1, textEntry) + 160); err != nil {
				return err
			}
		}
		w.count++
		id := string(groupKey(nil, ids.value(row)))
		if inWindow[key+id] {
			continue
		}
		inWindow[key+id] = true
		w.ids = append(w.ids, id)
		if err := held.add(2*allocated(int64(len(key)+len(id))) + 64); err != nil {
			return err
		}
	}
	list := make([]*activity, 0, len(windows))
	for _, w := range windows {
		list = append(list, w)
	}
	slices.SortFunc(list, func(v, w *activity) int {
		order, _ := compare(v.at, w.at)
		return cmp.Or(order, cmp.Compare(v.group, w.group))
	})
	seen := make(map[int32]map[string]bool)
	for _, w := range list {
		if seen[w.group] == nil {
			seen[w.group] = make(map[string]bool)
		}
		for _, id := range w.ids {
			w.distinct++
			if !seen[w.group][id] {
				seen[w.group][id] = true
				w.fresh++
			}
		}
		w.total = int64(len(seen[w.group]))
	}
	out := &rows{n: len(list), held: memory{x: x}}
	for _, c := range a.cols {
		out.cols = append(out.cols, newVector(c.typ, len(list)))
	}
	for i, w := range list {
		out.cols[0].set(i, w.at)
		for d := range dims {
			out.cols[1+d].set(i, dims[d].value(w.row))
		}
		for at, n := range []int64{w.count, w.distinct, w.fresh, w.total} {
			out.cols[1+len(dims)+at].set(i, longValue(n))
		}
	}
	return emitRows(out, emit)
}
