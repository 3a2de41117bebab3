package kql

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// RowFilter says which rows of a table queries can use at all. A reader of logs
// need not keep the others.
type RowFilter struct {
	// A row is kept if it passes all conditions of one of the alternatives.
	// There is one for each time that a query reads the table.
	alternatives []rowConditions
}

type rowConditions struct {
	cols       []*column // of the scan
	conditions []expr
	texts      []string // of the conditions, as a plan has them
}

// RowFilters finds the filter of each table of which no query uses all rows. It
// is made of what stands in where right behind the table's name, as far as that
// depends neither on the time of the query, nor on TimeGenerated, nor on other
// rows. It is of the tables as the catalog has them; without any filter the
// queries give the same answers.
func (c Catalog) RowFilters(queries ...string) map[string]*RowFilter {
	filters := make(map[string]*RowFilter)
	whole := make(map[string]bool)
	for _, q := range queries {
		reads, ok := c.rowConditions(q)
		if !ok {
			return nil
		}
		for table, list := range reads {
			for _, r := range list {
				if len(r.conditions) == 0 {
					whole[table] = true
				}
				if filters[table] == nil {
					filters[table] = new(RowFilter)
				}
				filters[table].alternatives = append(filters[table].alternatives, r)
			}
		}
	}
	maps.DeleteFunc(filters, func(table string, _ *RowFilter) bool { return whole[table] })
	return filters
}

// rowConditions gives the conditions of each scan in a query, by table. It
// reports false if these are not known before there are logs.
func (c Catalog) rowConditions(query string) (reads map[string][]rowConditions, ok bool) {
	// What the query's time goes into differs from one time to another.
	var found [2][]rowConditions
	var plan *compiled
	for i, now := range []int64{1_000_000_001, 2_345_678_912} {
		var err error
		plan, err = compileDry(query, c.database(), time.Unix(now, 1))
		if err != nil || len(plan.optional) > 0 {
			return nil, false
		}
		prepareAll(plan.root)
		found[i] = conditionsOf(plan)
	}
	reads = make(map[string][]rowConditions)
	for i, r := range found[1] {
		both := rowConditions{cols: r.cols}
		for j, text := range r.texts {
			if slices.Contains(found[0][i].texts, text) {
				both.conditions, both.texts = append(both.conditions, r.conditions[j]), append(both.texts, text)
			}
		}
		table := plan.scans[i].table.name
		reads[table] = append(reads[table], both)
	}
	return reads, true
}

// conditionsOf finds the conditions above each scan of a plan. A scan that the
// plan does not show has none.
func conditionsOf(plan *compiled) []rowConditions {
	found := make([]rowConditions, len(plan.scans))
	x := newExplainer()
	x.scanned = func(s *scan, above []stage) {
		at := slices.Index(plan.scans, s)
		if at < 0 {
			return // a datatable
		}
		r := rowConditions{cols: s.cols}
		var find func(e expr)
		find = func(e expr) {
			if ap, ok := e.(*applyExpr); ok && ap.op == "and" && len(ap.args) == 2 {
				find(ap.args[0])
				find(ap.args[1])
			} else if dependsOnRowAlone(e) {
				r.conditions, r.texts = append(r.conditions, e), append(r.texts, x.expr(e))
			}
		}
		for i := len(above) - 1; i >= 0; i-- {
			f, ok := above[i].(*filter)
			if !ok {
				break
			}
			find(f.predicate)
		}
		found[at] = r
	}
	x.plan(plan.root)
	return found
}

// dependsOnRowAlone says whether an expression is made of the row's columns and
// of constants. The columns of time do not count: logs may carry when a record
// was received where the catalog does not.
func dependsOnRowAlone(e expr) bool {
	switch e := e.(type) {
	case *constExpr:
		return !e.ofNow
	case *columnExpr:
		return e.col.name != generatedColumn && e.col.name != receivedColumn
	case *applyExpr:
		return !e.readsTable && !e.ofNow && !slices.ContainsFunc(e.args, func(a expr) bool { return !dependsOnRowAlone(a) })
	}
	return false
}

// String writes the filter as a query would.
func (f *RowFilter) String() string {
	texts := make([]string, len(f.alternatives))
	for i, a := range f.alternatives {
		texts[i] = strings.Join(a.texts, " and ")
		if len(a.texts) > 1 && len(f.alternatives) > 1 {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(slices.Compact(texts), " or ")
}

// keeping is a row filter at work in a builder.
type keeping struct {
	filter    *RowFilter
	cols      []bool // those that it reads
	generated int    // the column of times, or -1
	leftOut   leftOut
}

// leftOut is what a table knows of the rows that its reader left out.
type leftOut struct {
	rows  int
	times timeRange
	hours map[int64]int // how many rows each hour has
}

// Keep leaves out rows that do not pass the filter, as far as that saves
// memory. A row that passes is kept, and one that does not may be. The columns
// that the filter reads must be there already, with the types that they have in
// its catalog; otherwise Keep has no effect.
func (b *TableBuilder) Keep(f *RowFilter) {
	k := &keeping{filter: f, cols: make([]bool, len(b.schema)), generated: timeColumn(b.schema, generatedColumn)}
	k.leftOut = leftOut{times: timeRange{min: maxTicks + 1, max: -1}, hours: make(map[int64]int)}
	for _, a := range f.alternatives {
		in := make([]*column, len(b.schema))
		read := make(map[*column]bool)
		for _, e := range a.conditions {
			needs(e, read)
		}
		for c := range read {
			at := b.schema.Index(c.name)
			if at < 0 || b.schema[at].Type != c.typ {
				return
			}
			in[at], k.cols[at] = c, true
		}
		for _, e := range a.conditions {
			resolve(e, in)
		}
	}
	b.keeping = k
}

// leaveOut drops rows of the open segment that do not pass, if these are the
// most of it.
func (b *TableBuilder) leaveOut(rows int) {
	k := b.keeping
	open := &batch{n: rows, cols: make([]*vector, len(b.cols))}
	for i, read := range k.cols {
		if read {
			open.cols[i] = b.cols[i].open(rows)
		}
	}
	passes, err := k.filter.passing(open)
	if err != nil {
		b.keeping.filter = new(RowFilter) // the query will say what is wrong
		return
	}
	sel := make([]int32, 0, rows/2)
	for row, ok := range passes {
		if ok {
			sel = append(sel, int32(row))
		}
	}
	if len(sel) > rows/2 {
		return
	}
	k.note(b.cols, passes)
	for _, c := range b.cols {
		c.pick(sel, rows)
	}
	b.rows += len(sel) - rows
}

// note takes down when the rows were that do not pass.
func (k *keeping) note(cols []*columnBuilder, passes []bool) {
	for row, ok := range passes {
		if ok {
			continue
		}
		k.leftOut.rows++
		if k.generated < 0 {
			continue
		}
		v := cols[k.generated].value(row)
		if v.IsNull() {
			k.leftOut.times.hasNull = true
			continue
		}
		k.leftOut.times.min, k.leftOut.times.max = min(k.leftOut.times.min, v.n), max(k.leftOut.times.max, v.n)
		k.leftOut.hours[v.n/ticksPerHour]++
	}
}

// passing says of each row whether it is to be kept.
func (f *RowFilter) passing(b *batch) (passes []bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			failure, ok := p.(runFailure)
			if !ok {
				panic(p)
			}
			err = failure.err
		}
	}()
	passes = make([]bool, b.n)
	if len(f.alternatives) == 0 {
		for row := range passes {
			passes[row] = true
		}
		return passes, nil
	}
	for _, a := range f.alternatives {
		holding := make([]int, b.n) // conditions that hold
		for _, e := range a.conditions {
			for _, row := range trueRows(e.eval(nil, b)) {
				holding[row]++
			}
		}
		for row, n := range holding {
			passes[row] = passes[row] || n == len(a.conditions)
		}
	}
	return passes, nil
}
