package kql

import (
	"fmt"
	"math"
)

// windows number the windows of a plugin. A time that is too far away has none.
type windows interface {
	of(at Value) (int64, bool)
	at(number int64) Value
}

// calendar is windows of a week, which begins on Sunday, a month or a year.
type calendar string

const weekTicks = 7 * ticksPerDay

func (c calendar) of(at Value) (int64, bool) {
	if c == "week" { // the first day of all is a Monday
		return (at.n + ticksPerDay) / weekTicks, true
	}
	t := ticksToTime(at.n)
	if c == "year" {
		return int64(t.Year()), true
	}
	return int64(t.Year())*12 + int64(t.Month()) - 1, true
}

func (c calendar) at(number int64) Value {
	year, month := number, int64(0)
	switch c {
	case "week":
		return wholeValue(DateTime, number*weekTicks-ticksPerDay, number > 0)
	case "month":
		year, month = number/12, number%12
	}
	return datetimeValue(int64(daysBefore(int(year), int(month)+1, 1)) * ticksPerDay)
}

// window binds the length of windows, or week, month or year. They are counted
// from the start on, if there is one.
func (n *evaluateNode) window(b *binder, at int, time *column, start Value) windows {
	c := n.constant(b, at, "the window")
	if c != nil && c.t == String && time.typ == DateTime {
		switch unit := c.val.s; unit {
		case "week", "month", "year":
			return calendar(unit)
		}
		panic(semanticError(n.args[at].expr.pos(), "SEM0220", "the window of %s() is a timespan, or 'week', 'month' or 'year'", n.plugin.text))
	}
	if start.IsNull() {
		start = convert(longValue(0), time.typ)
	}
	return bins{start, n.length(b, at, "the window", time.typ)}
}

// bounded checks how many arguments there are, and gives the place of the one
// behind the start and the end, which may be left out if there are no dimensions.
func (n *evaluateNode) bounded(lengths int) (behind int) {
	if len(n.args) == 2+lengths {
		n.arguments(2+lengths, -1, false)
		return 2
	}
	n.arguments(4+lengths, -1, false)
	return 4
}

// bounds binds the start and the end, if there are any.
func (n *evaluateNode) bounds(b *binder, behind int, time *column) (start, end Value) {
	if behind == 2 {
		return Value{}, Value{}
	}
	return n.value(b, 2, "the start", time.typ), n.value(b, 3, "the end", time.typ)
}

// inBounds cuts off the points that are not within the bounds, where there are any.
func inBounds(points []point, start, end Value) []point {
	if start.IsNull() && end.IsNull() {
		return points
	}
	return within(points, start, end)
}

// bindEngagement is activity_engagement(id, time, [start, end,] inner, outer,
// dimensions...): how many ids there are in each inner window, in the outer one
// that ends with it, and the ratio of the two.
func bindEngagement(b *binder, n *evaluateNode, in relation) relation {
	behind := n.bounded(2)
	t := n.timeline(b, in, 0, 1, behind+2)
	t.byTime = true
	t.gives(Long, "dcount_activities_inner", "dcount_activities_outer")
	t.gives(Real, "activity_ratio")
	start, end := n.bounds(b, behind, t.time)
	w := bins{start, n.length(b, behind, "the inner window", t.time.typ)}
	outer := n.length(b, behind+1, "the outer window", t.time.typ)
	if start.IsNull() {
		w.start = convert(longValue(0), t.time.typ)
	}
	t.compute = func(held *made, points []point) ([]moment, error) {
		if points = inBounds(points, start, end); len(points) == 0 {
			return nil, nil
		}
		first, ok := w.of(points[0].at)
		last, ok2 := w.of(points[len(points)-1].at)
		if !ok || !ok2 {
			return nil, nil
		}
		var list []moment
		within := make(map[string]int64)
		err := w.sliding(held, points, w.times(outer), first, last, func(p *point) { within[p.key]++ },
			func(p *point) {
				if within[p.key]--; within[p.key] == 0 {
					delete(within, p.key)
				}
			},
			func(at Value, points []point) {
				inner := make(map[string]bool)
				for i := len(points) - 1; i >= 0; i-- {
					if order, _ := compare(points[i].at, at); order < 0 {
						break
					}
					inner[points[i].key] = true
				}
				if len(inner) > 0 {
					list = append(list, moment{at: at, vals: []Value{longValue(int64(len(inner))), longValue(int64(len(within))), realValue(float64(len(inner)) / float64(len(within)))}})
				}
			})
		return list, err
	}
	return t
}

// bindActivityMetrics is activity_metrics(id, time, [start, end,] window,
// dimensions...): how many ids there are in each window, how many were not in the
// one before, and which part of those before came back or stayed away.
func bindActivityMetrics(b *binder, n *evaluateNode, in relation) relation {
	behind := n.bounded(1)
	t := n.timeline(b, in, 0, 1, behind+1)
	t.byTime = true
	t.gives(Long, "dcount_values", "dcount_newvalues")
	t.gives(Real, "retention_rate", "churn_rate")
	start, end := n.bounds(b, behind, t.time)
	w := n.window(b, behind, t.time, start)
	t.compute = func(held *made, points []point) ([]moment, error) {
		var list []moment
		var before, now map[string]bool
		number, numberBefore := int64(0), int64(0)
		visit := func() error {
			if number != numberBefore+1 || now == nil {
				before = nil
			}
			if now == nil {
				return nil
			}
			fresh := 0
			for id := range now {
				if !before[id] {
					fresh++
				}
			}
			back := len(now) - fresh
			rate := func(part int) Value { return realValue(float64(part) / float64(len(before))) }
			list = append(list, moment{at: w.at(number), vals: []Value{longValue(int64(len(now))), longValue(int64(fresh)), rate(back), rate(len(before) - back)}})
			return held.make(1)
		}
		for i, p := range inBounds(points, start, end) {
			if i%rowsBetweenLooks == 0 {
				if err := held.x.stopped(); err != nil {
					return nil, err
				}
			}
			at, ok := w.of(p.at)
			if !ok {
				continue
			}
			if now != nil && at != number {
				if err := visit(); err != nil {
					return nil, err
				}
				before, numberBefore, now = now, number, nil
			}
			if now == nil {
				now, number = make(map[string]bool), at
			}
			if !now[p.key] {
				now[p.key] = true
				if err := held.add(mapBytes(1, textEntry)); err != nil {
					return nil, err
				}
			}
		}
		return list, visit()
	}
	return t
}

// bindNewActivity is new_activity_metrics(id, time, start, end, window, [cohort],
// dimensions..., [lookback]): of the ids that are first seen in each window, how
// many are seen in each later one, and how many others are new there. A lookback is
// a table of ids that are not new.
func bindNewActivity(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(5, -1, false)
	var lookback relation
	last := n.args[len(n.args)-1].expr
	if len(n.args) > 5 && columnArgument(last, in) == nil && b.isTabular(last) {
		lookback = b.relation(last)
		rest := *n // the query may be bound again
		rest.args = n.args[:len(n.args)-1]
		n = &rest
	}
	dimensions := 5
	cohort := len(n.args) > 5 && columnArgument(n.args[5].expr, in) == nil
	if cohort {
		dimensions = 6
	}
	t := n.timeline(b, in, 0, 1, dimensions)
	t.byTime = true
	to := &column{"to_" + t.time.name, t.time.typ}
	t.cols = append([]*column{{"from_" + t.time.name, t.time.typ}, to}, t.cols[1:]...)
	t.leading = 1
	t.gives(Long, "dcount_new_values", "dcount_retained_values", "dcount_churn_values")
	t.gives(Real, "retention_rate", "churn_rate")
	if lookback != nil {
		t.before, t.beforeID = lookback, columnIn(lookback.columns(), t.id.name)
		if t.beforeID == nil {
			panic(semanticError(last.pos(), "SEM0100", "the lookback table of %s() has no column '%s'", n.plugin.text, t.id.name))
		}
	}
	start, end := n.value(b, 2, "the start", t.time.typ), n.value(b, 3, "the end", t.time.typ)
	w := n.window(b, 4, t.time, start)
	var only Value
	if cohort {
		only = n.value(b, 5, "the cohort", t.time.typ)
	}
	t.compute = func(held *made, points []point) ([]moment, error) {
		return newActivity(held, within(points, start, end), w, start, end, only)
	}
	return t
}

// columnArgument is the column that an argument names, or nil.
func columnArgument(arg node, in relation) *column {
	if ref, ok := arg.(*name); ok {
		return columnIn(in.columns(), ref.text)
	}
	return nil
}

func newActivity(held *made, points []point, w windows, start, end, cohort Value) ([]moment, error) {
	first, ok := w.of(start)
	last, ok2 := w.of(end)
	if !ok || !ok2 || last < first {
		return nil, nil
	}
	from, until := first, last
	if !cohort.IsNull() {
		if from, ok = w.of(cohort); !ok || from < first || from > last {
			return nil, nil
		}
		until = from
	}
	if all := float64(last-from) + 1; all > 1e9 {
		return nil, &LimitError{Message: fmt.Sprintf("the windows of evaluate give more than %d rows, the limit of the query: give it longer windows or a shorter time", held.x.limits.Rows)}
	}
	rows := uint64(last - from + 1)
	if until > from {
		rows = rows * (rows + 1) / 2
	}
	if err := held.room(rows); err != nil {
		return nil, err
	}
	// For each window, how many of its ids were first seen in which one.
	firstSeen := make(map[string]int64)
	lastSeen := make(map[string]int64)
	seen := make(map[int64]map[int64]int64)
	for i, p := range points {
		if i%rowsBetweenLooks == 0 {
			if err := held.x.stopped(); err != nil {
				return nil, err
			}
		}
		at, ok := w.of(p.at)
		if !ok {
			continue
		}
		since, known := firstSeen[p.key]
		switch {
		case !known && held.past[p.key]:
			since = math.MinInt64 // before all
		case !known:
			since = at
		case lastSeen[p.key] == at:
			continue
		}
		firstSeen[p.key], lastSeen[p.key] = since, at
		if seen[at] == nil {
			seen[at] = make(map[int64]int64)
		}
		seen[at][since]++
		if err := held.add(2*mapBytes(1, textEntry) + 64); err != nil {
			return nil, err
		}
	}
	var list []moment
	for ; from <= until; from++ {
		size := seen[from][from]
		for to := from; to <= last; to++ {
			if err := held.make(1); err != nil {
				return nil, err
			}
			fresh := int64(0)
			for since, ids := range seen[to] {
				if since > from || to == from && since == from {
					fresh += ids
				}
			}
			retained := seen[to][from]
			rate := func(part int64) Value { return realValue(float64(part) / float64(size)) }
			list = append(list, moment{at: w.at(from), vals: []Value{w.at(to), longValue(fresh), longValue(retained), longValue(size - retained), rate(retained), rate(size - retained)}})
		}
	}
	return list, nil
}
