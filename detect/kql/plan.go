package kql

import (
	"fmt"
	"slices"
)

// The plan: what the binder makes of the syntax tree. Relations produce rows
// in batches, each pushing its own into the function it is given, and scalar
// expressions produce one vector per batch.

// column is one column of a relation's output. Columns are compared by
// identity: two of the same name are two.
type column struct {
	name string
	typ  Type
}

// batch is some rows of a relation, in the order of its columns. A column that
// nobody needs is nil.
type batch struct {
	n    int
	cols []*vector
	// memo has what named expressions gave, if whoever made the batch wants each
	// computed once.
	memo map[*applyExpr]*vector
}

// unpack gives the columns that have packed texts a string for each. Only a scan makes
// such batches, for whoever takes them alone.
func (b *batch) unpack() {
	for i, c := range b.cols {
		if c != nil && c.packed != nil {
			b.cols[i] = c.unpacked()
		}
	}
}

// size is about how many bytes the rows take when they are copied.
func (b *batch) size() (size int64) {
	for _, c := range b.cols {
		if c != nil {
			size += c.size()
		}
	}
	return size
}

// relation is a tabular operator, bound.
type relation interface {
	// columns lists the output, in order.
	columns() []*column
	// prepare passes on which columns are needed. It gets those of the output,
	// asks the inputs for theirs, and resolves the expressions against them. It
	// is called once, before run.
	prepare(need map[*column]bool)
	// run pushes all rows into emit, in order, and stops at its first error.
	run(x *execution, emit func(*batch) error) error
}

// expr is a scalar expression, bound.
type expr interface {
	typ() Type
	// eval gives a value per row of the batch. There is no execution while constants
	// are computed.
	eval(x *execution, b *batch) *vector
	// children lists the expressions it is made of.
	children() []expr
}

type (
	constExpr struct {
		t   Type
		val Value
		// ofNow is set if it is made of the time at which the query runs.
		ofNow bool
	}
	columnExpr struct {
		col *column
		at  int // in the batch; set by resolve
	}
	// applyExpr is a function or an operator over values.
	applyExpr struct {
		t    Type
		args []expr
		// op is what a query calls it. It is an operator, or a function's name, or
		// "" for a conversion that the binder has put in.
		op string
		// decides, if set, reports whether the first argument says all of a row: then
		// the second need not be known.
		decides func(first *vector, row int) bool
		// chooses is set of iff and case where each argument need be known only for the
		// rows that it is the value of.
		chooses bool
		// coalesces is set of coalesce where the arguments behind the first need be known
		// only for the rows for which that is empty.
		coalesces bool
		// show writes what is neither an operator between two arguments nor a call
		// of op.
		show func(x *explainer, args []string) string
		// part is set of a member or an element of the first argument, and items of in
		// and its kin where all items are constants.
		part  bool
		items *itemSet
		// named is set if a let statement or a parameter of a function stands for
		// it. It may be in several places then.
		named bool
		// readsTable is set if the value depends on a table too, and ofNow if a
		// constant of it that is not among args is made of the query's time.
		readsTable, ofNow bool
		// sameInRun is set if it reads tables, but gives the same for the same values
		// as long as the query runs.
		sameInRun bool
		// of is the one column that it is made of, if it is made of nothing else but
		// constants; see resolve.
		of *columnExpr
		// lasting is what function of its column it is, if it is the same in every query.
		lasting string
		// rows is what most functions have: a value from values. batch is what
		// those have that earn it: a vector from vectors.
		rows  func(args []Value) Value
		batch func(args []*vector, n int) *vector
		// prepared stands for rows where that depends on tables, which are read once
		// in a run.
		prepared func(x *execution) func(args []Value) Value
	}
)

func (e *constExpr) typ() Type                           { return e.t }
func (e *constExpr) children() []expr                    { return nil }
func (e *constExpr) eval(_ *execution, b *batch) *vector { return constantVector(e.t, e.val, b.n) }

func (e *columnExpr) typ() Type        { return e.col.typ }
func (e *columnExpr) children() []expr { return nil }

// eval keeps what it looks into for whoever evaluates the column next.
func (e *columnExpr) eval(_ *execution, b *batch) *vector {
	v := b.cols[e.at]
	if v.unread() {
		v = v.looked()
		b.cols[e.at] = v
	}
	return v
}

func (e *applyExpr) typ() Type        { return e.t }
func (e *applyExpr) children() []expr { return e.args }

func (e *applyExpr) eval(x *execution, b *batch) *vector {
	if !e.named || b.memo == nil {
		return e.compute(x, b)
	}
	out, ok := b.memo[e]
	if !ok {
		out = e.compute(x, b)
		b.memo[e] = out
	}
	return out
}

func (e *applyExpr) compute(x *execution, b *batch) *vector {
	if e.of != nil && x != nil && e.of.at < len(b.cols) && b.cols[e.of.at] != nil && b.cols[e.of.at].dict != nil {
		if out := e.remembered(x, b); out != nil {
			return out
		}
	}
	args := make([]*vector, len(e.args))
	for i, a := range e.args {
		if e.decides != nil && i == 1 {
			args[i] = e.undecided(x, b, args[0])
		} else {
			args[i] = a.eval(x, b)
		}
		if e.chooses && i == 0 && args[0].isFlat() && b.n > 0 {
			return e.chosen(x, b, args[0])
		}
		if e.coalesces && i == 0 && b.n > 0 {
			if out := e.coalesced(x, b, args[0]); out != nil {
				return out
			}
		}
	}
	if len(args) > 0 {
		if once, codes := elementsOf(args, b.n); once != nil {
			// A value for each combination of elements, which rows share.
			out := *e.apply(x, once, once[0].n)
			if !out.constant {
				out = *out.flat()
			}
			out.n = b.n
			if codes == nil {
				out.constant = true
			} else if !out.constant {
				out.codes = codes
			}
			return &out
		}
	}
	return e.apply(x, args, b.n)
}

// elementsOf gives the arguments as vectors of their elements. These must be
// fewer than the rows and belong together: all but one are constant, or they
// share their codes because they are made from the same column.
func elementsOf(args []*vector, rows int) (once []*vector, codes []uint16) {
	if once, codes, ok := sharedElements(args, rows); ok {
		return once, codes
	}
	if rows == 0 {
		return nil, nil // not even one element
	}
	n := 1
	for _, a := range args {
		switch {
		case a.constant:
		case a.codes == nil, codes != nil && &codes[0] != &a.codes[0]:
			return nil, nil
		case len(a.codes) > 0:
			codes, n = a.codes, a.distinct()
		}
	}
	if n > rows {
		return nil, nil
	}
	once = make([]*vector, len(args))
	for i, a := range args {
		if a.constant {
			c := *a
			c.n = n
			once[i] = &c
		} else {
			once[i] = a.elements()
		}
	}
	return once, codes
}

// apply computes the value of each row.
func (e *applyExpr) apply(x *execution, args []*vector, n int) *vector {
	goOn(x, 0)
	if e.batch != nil {
		return e.batch(args, n)
	}
	out := newVector(e.t, n)
	rows := e.rows
	if e.prepared != nil && n > 0 {
		rows = e.prepared(x)
	}
	vals := make([]Value, len(args))
	total, made := int64(0), int64(0)
	for row := range n {
		largest := int64(0)
		for i, a := range args {
			vals[i] = a.value(row)
			largest = max(largest, vals[i].footprint())
		}
		if row%rowsBetweenLooks == rowsBetweenLooks-1 {
			goOn(x, made)
		}
		val := rows(vals)
		size := checkSize(val)
		total, made = total+size, made+max(0, val.footprint()-largest)
		out.set(row, val)
	}
	if made > chargeStep {
		goOn(x, made)
	}
	if total > maxBatchSize {
		panic(limitError("an expression makes more than %d MiB of text for %d rows", maxBatchSize>>20, n))
	}
	return out
}

// rowsBetweenLooks is how many rows a function computes before it looks whether
// the query must end. A row can take a while, and looking does not.
const rowsBetweenLooks = 16

// goOn ends the query if its time is over, or if the caller gave up. So it does if
// a batch that is on its way has grown by more bytes than there is room for beside
// what is held.
func goOn(x *execution, made int64) {
	if x == nil || x.ctx == nil {
		return
	}
	err := x.stopped()
	if err == nil && made > chargeStep {
		err = x.within(x.all().held.Load() + made)
	}
	if err != nil {
		panic(runFailure{err})
	}
}

// resolve points the column references of an expression at their places in
// the input's batches.
func resolve(e expr, in []*column) {
	resolveColumns(e, in)
	noteColumn(e)
}

func resolveColumns(e expr, in []*column) {
	if c, ok := e.(*columnExpr); ok {
		for i, col := range in {
			if col == c.col {
				c.at = i
				return
			}
		}
		panic("kql: column " + c.col.name + " is not in the input") // a bug of a prepare
	}
	for _, child := range e.children() {
		resolveColumns(child, in)
	}
}

// needs marks the columns that an expression reads.
func needs(e expr, need map[*column]bool) {
	if c, ok := e.(*columnExpr); ok {
		need[c.col] = true
	}
	for _, child := range e.children() {
		needs(child, need)
	}
}

// isTrueAt says whether a row of a predicate's vector holds: null does not.
func isTrueAt(v *vector, row int) bool {
	if v.typ != Bool { // a dynamic that holds a bool
		return v.value(row).isTrue()
	}
	row = v.at(row)
	return v.ints[row] != 0 && (v.nulls == nil || !v.nulls[row])
}

// trueRows lists the rows for which a predicate's vector holds.
func trueRows(v *vector) []int32 {
	if v.typ != Bool || !v.isFlat() || v.nulls != nil {
		return rowsWhere(v, isTrueAt)
	}
	some := 0
	for _, bit := range v.ints[:v.n] {
		some += int(bit)
	}
	if some == 0 {
		return nil
	}
	sel := make([]int32, 0, some)
	for row, bit := range v.ints[:v.n] {
		if bit != 0 {
			sel = append(sel, int32(row))
		}
	}
	return sel
}

// rowsWhere lists the rows of a vector that a test holds for. Each element is
// tested once, however many rows have it, but for those of a dictionary, of which
// there may be more than rows.
func rowsWhere(v *vector, test func(v *vector, row int) bool) []int32 {
	if v.dict != nil {
		var sel []int32
		for row := range v.n {
			if test(v, row) {
				sel = append(sel, int32(row))
			}
		}
		return sel
	}
	e := v.elements()
	if v.isFlat() {
		e = v
	}
	holds := make([]bool, e.n)
	some := 0
	for i := range holds {
		if holds[i] = test(e, i); holds[i] {
			some++
		}
	}
	if some == 0 {
		return nil
	}
	if !v.isFlat() {
		some = v.n
	}
	sel := make([]int32, 0, some)
	for row := range v.n {
		if holds[v.at(row)] {
			sel = append(sel, int32(row))
		}
	}
	return sel
}

// Strings and dynamics can double with every step of a query. So each is
// bounded, and so is what an expression makes of one batch.
const (
	maxValueSize = 32 << 20
	maxBatchSize = 512 << 20
)

// checkSize fails if a value is too large, and gives its size.
func checkSize(v Value) int64 {
	size := v.size()
	if size > maxValueSize {
		panic(limitError("an expression makes a value of more than %d MiB", maxValueSize>>20))
	}
	return size
}

func limitError(format string, args ...any) runFailure {
	return runFailure{&LimitError{Message: fmt.Sprintf(format, args...)}}
}

// runFailure carries an error out of an expression, which has no other way. A
// subquery that ran into a limit is one. Run catches it.
type runFailure struct{ err error }

// subquery is a relation whose rows an expression needs as a whole.
type subquery struct {
	of      relation
	ofAPart bool
}

// newSubquery prepares a relation for an expression. bind makes it.
func (b *binder) newSubquery(bind func() relation) *subquery {
	uses := b.partUses
	rel := bind()
	prepareAll(rel)
	return &subquery{rel, b.partUses > uses}
}

func (s *subquery) isOfThePart() bool { return s.ofAPart }

// rows runs the relation once in each run of the plan, when they are first asked
// for.
func (s *subquery) rows(x *execution) *rows {
	return once(x, s, func() *rows {
		out, err := collect(s.of, x)
		if err != nil {
			panic(runFailure{err})
		}
		if err := out.settle(); err != nil { // any number of goroutines read it from now on
			panic(runFailure{err})
		}
		return out
	})
}

func prepareAll(rel relation) {
	need := make(map[*column]bool)
	for _, c := range rel.columns() {
		need[c] = true
	}
	rel.prepare(need)
}

// rows is a relation's whole output, column by column. A column that was not
// needed is nil.
type rows struct {
	n    int
	cols []*vector
	held memory // what they take, until free
}

// free gives the memory back, once the rows are not needed any more.
func (r *rows) free() { r.held.free() }

// settle looks into all JSON there is, so that reading the rows does not change
// them any more. What it becomes takes more than the text. A column that nobody
// needs is nil.
func (r *rows) settle() error {
	for _, c := range r.cols {
		if c == nil || c.typ != Dynamic {
			continue
		}
		more := int64(0)
		for i := range c.vals {
			if c.vals[i].kind != kindJSON {
				continue
			}
			more -= c.vals[i].held()
			c.vals[i] = parsedJSON(c.vals[i])
			if more += c.vals[i].held(); more > chargeStep {
				if err := r.held.add(more); err != nil {
					return err
				}
				more = 0
			}
		}
		if err := r.held.add(more); err != nil {
			return err
		}
	}
	return nil
}

// choose gives the rows that sel names.
func (b *batch) choose(sel []int32) *batch {
	out := &batch{n: len(sel), cols: make([]*vector, len(b.cols))}
	for i, c := range b.cols {
		if c != nil {
			out.cols[i] = c.choose(sel)
		}
	}
	return out
}

// settle looks into all JSON of the batch, so that several goroutines can read what it
// shares with other batches. The elements of a dictionary were looked into as they were
// computed, and others may be computed now.
func (b *batch) settle() {
	for _, c := range b.cols {
		if c == nil || c.typ != Dynamic || c.dict != nil {
			continue
		}
		for i := range c.vals {
			if c.vals[i].kind == kindJSON {
				c.vals[i] = parsedJSON(c.vals[i])
			}
		}
	}
}

// collect runs a relation and keeps all that it gives.
func collect(rel relation, x *execution) (*rows, error) {
	out := &rows{cols: make([]*vector, len(rel.columns())), held: memory{x: x}}
	unneeded := make([]bool, len(out.cols))
	pointed := int64(0)
	err := rel.run(x, func(b *batch) error {
		for i, col := range b.cols {
			if col == nil || unneeded[i] {
				// Some batches have it still for an operator below.
				out.cols[i], unneeded[i] = nil, true
				continue
			}
			if out.cols[i] == nil {
				out.cols[i] = &vector{typ: col.typ}
			}
			pointed += out.cols[i].add(col, &out.held)
		}
		size := pointed
		for _, col := range out.cols {
			if col != nil {
				size += col.capacity()
			}
		}
		if err := out.held.set(size); err != nil {
			return err
		}
		out.n += b.n
		return x.holds(out.n)
	})
	for i, c := range rel.columns() {
		if out.cols[i] == nil && out.n == 0 {
			out.cols[i] = &vector{typ: c.typ}
		}
	}
	return out, err
}

// emitRows pushes rows in batches.
func emitRows(r *rows, emit func(*batch) error) error {
	for from := 0; from < r.n; from += chunkRows {
		to := min(from+chunkRows, r.n)
		b := &batch{n: to - from, cols: make([]*vector, len(r.cols))}
		for i, c := range r.cols {
			if c != nil {
				b.cols[i] = c.slice(from, to)
			}
		}
		if err := emit(b); err != nil {
			return err
		}
	}
	return nil
}

// emitPicked pushes the rows that sel names, in batches, so that they are never
// there twice.
func emitPicked(r *rows, sel []int32, emit func(*batch) error) error {
	for part := range slices.Chunk(sel, chunkRows) {
		if err := emit((&batch{cols: r.cols}).choose(part)); err != nil {
			return err
		}
	}
	return nil
}
