package kql

import "math"

// aggregate is an entry of the table of aggregates. Their signatures read like
// those of scalar functions. The result promoted is the wider integer of an
// integer, and the type of the first argument otherwise.
type aggregate struct {
	sig string
	doc string
	// examples are pairs as those of scalar functions are, over the rows that
	// exampleRows lists.
	examples examples
	// stem begins the name of the output column, before _ and the argument's
	// name. Without one the column is called as the argument is.
	stem string
	// naming is for what is called otherwise.
	naming func(b *binder, n *call) string
	// start makes the state of one group; t is the type of the first argument.
	start func(t Type) accumulator
	// check looks closer at arguments that fit the signature.
	check func(n *call, args []expr)
	// columns binds those that give several columns, instead of start.
	columns func(b *binder, item named, n *call) []*column

	name   string
	params []param
	result string
}

// exampleRows are what the examples of aggregates are over.
const exampleRows = `datatable(x:long, s:string, d:dynamic) [
    1, "a", dynamic({"p":1}),
    2, "b", dynamic({"q":2}),
    2, "b", dynamic({"p":3}),
    long(null), "", dynamic(null)]`

// accumulator gathers the rows of one group.
type accumulator interface {
	add(args []Value)
	result() Value
}

// severalResults is an accumulator that fills several columns; nil stands for
// nulls in all.
type severalResults interface{ results() []Value }

// aggregates is the table of all, by name.
func aggregates() map[string]*aggregate { return theAggregates }

var theAggregates map[string]*aggregate

// The tables refer to functions that refer to the tables, hence init.
func init() { theAggregates = buildAggregates() }

// aggregateGroup is one of the tables, and what it is about.
type aggregateGroup struct {
	title      string
	aggregates []*aggregate
}

func aggregateGroups() []aggregateGroup {
	return []aggregateGroup{
		{"Aggregates that count", countingAggregates()},
		{"Aggregates that choose", extremeAggregates()},
		{"Aggregates that collect", collectingAggregates()},
		{"Aggregates that compute", statisticAggregates()},
	}
}

func buildAggregates() map[string]*aggregate {
	all := make(map[string]*aggregate)
	for _, group := range aggregateGroups() {
		for _, a := range group.aggregates {
			a.name, a.params, a.result = parseSignature(a.sig)
			if all[a.name] != nil {
				panic("kql: aggregate " + a.name + " is defined twice")
			}
			all[a.name] = a
		}
	}
	return all
}

// each makes a start that does not depend on the type.
func each(f func() accumulator) func(Type) accumulator {
	return func(Type) accumulator { return f() }
}

// onlyIf makes the form with a predicate as the argument at a position.
func onlyIf(at int, start func(Type) accumulator) func(Type) accumulator {
	return func(t Type) accumulator { return &conditional{at, start(t)} }
}

// countingAggregates count rows, values and bits.
func countingAggregates() []*aggregate {
	count := each(func() accumulator { return &counting{} })
	distinct := each(func() accumulator { return &distinctCount{} })
	bits := func(f func(x, y int64) int64) func(Type) accumulator {
		return func(Type) accumulator { return &combiningBits{f: f} }
	}
	return []*aggregate{
		{sig: "count(value:scalar?) long", doc: "The number of rows, also of those where the value is null.", stem: "count", start: count,
			examples: examples{"count()", "4"}},
		{sig: "cnt() long", doc: "The same as count().", stem: "cnt", start: count,
			examples: examples{"cnt()", "4"}},
		{sig: "countif(predicate:bool) long", doc: "The number of rows for which the predicate is true.", stem: "countif", start: onlyIf(0, count),
			examples: examples{"countif(x > 1)", "2"}},
		{sig: "dcount(value:scalar, accuracy:integer?) long", doc: "The number of distinct values; exact here, an estimate in the service.", stem: "dcount", start: distinct,
			examples: examples{"dcount(x)", "2"}},
		{sig: "dcountif(value:scalar, predicate:bool, accuracy:integer?) long", doc: "The number of distinct values among rows for which the predicate is true.", stem: "dcountif", start: onlyIf(1, distinct),
			examples: examples{"dcountif(x, s == 'b')", "1"}},
		{sig: "count_distinct(value:notdynamic) long", doc: "The number of distinct values.", stem: "count_distinct", start: distinct,
			examples: examples{"count_distinct(x)", "2"}},
		{sig: "count_distinctif(value:notdynamic, predicate:bool) long", doc: "The number of distinct values among rows for which the predicate is true.", stem: "count_distinctif", start: onlyIf(1, distinct),
			examples: examples{"count_distinctif(x, x < 2)", "1"}},
		{sig: "binary_all_and(value:integer) first", doc: "The bits that all values have.", start: bits(func(x, y int64) int64 { return x & y }),
			examples: examples{"binary_all_and(x)", "0"}},
		{sig: "binary_all_or(value:integer) first", doc: "The bits that some value has.", start: bits(func(x, y int64) int64 { return x | y }),
			examples: examples{"binary_all_or(x)", "3"}},
		{sig: "binary_all_xor(value:integer) first", doc: "The bits that an odd number of values have.", start: bits(func(x, y int64) int64 { return x ^ y }),
			examples: examples{"binary_all_xor(x)", "1"}},
	}
}

// extremeAggregates choose values, or rows by them.
func extremeAggregates() []*aggregate {
	least := each(func() accumulator { return &extremum{sign: -1} })
	most := each(func() accumulator { return &extremum{sign: 1} })
	anyOf := each(func() accumulator { return &first{} })
	return []*aggregate{
		{sig: "min(value:orderable) first", doc: "The least value.", stem: "min", start: least,
			examples: examples{"min(x)", "1"}},
		{sig: "minif(value:orderable, predicate:bool) first", doc: "The least value among rows for which the predicate is true.", stem: "minif", start: onlyIf(1, least),
			examples: examples{"minif(x, s == 'b')", "2"}},
		{sig: "max(value:orderable) first", doc: "The greatest value.", stem: "max", start: most,
			examples: examples{"max(x)", "2", "max(s)", "b"}},
		{sig: "maxif(value:orderable, predicate:bool) first", doc: "The greatest value among rows for which the predicate is true.", stem: "maxif", start: onlyIf(1, most),
			examples: examples{"maxif(x, s == 'a')", "1"}},
		{sig: "arg_max(maximized:orderable, returned:scalar*) first", doc: "The greatest value, and what else its row holds: columns, or * for all.", columns: picks(1),
			examples: examples{"arg_max(x, s)", "2, b"}},
		{sig: "arg_min(minimized:orderable, returned:scalar*) first", doc: "The least value, and what else its row holds: columns, or * for all.", columns: picks(-1),
			examples: examples{"arg_min(x, *)", `1, a, {"p":1}`}},
		{sig: "argmax(maximized:orderable, returned:scalar*) first", doc: "The same as arg_max(), the names with max_ in front.", columns: picks(1),
			examples: examples{"argmax(x, s)", "2, b"}},
		{sig: "argmin(minimized:orderable, returned:scalar*) first", doc: "The same as arg_min(), the names with min_ in front.", columns: picks(-1),
			examples: examples{"argmin(x, s)", "1, a"}},
		{sig: "take_any(value:scalar, more:scalar*) first", doc: "The values of some row: columns, or * for all.", columns: picks(0),
			examples: examples{"take_any(s)", "a"}},
		{sig: "any(value:scalar, more:scalar*) first", doc: "The same as take_any(), the names with any_ in front.", columns: picks(0),
			examples: examples{"any(x, s)", "1, a"}},
		{sig: "take_anyif(value:scalar, predicate:bool) first", doc: "A value of some row for which the predicate is true.", start: onlyIf(1, anyOf),
			examples: examples{"take_anyif(s, x == 2)", "b"}},
		{sig: "anyif(value:scalar, predicate:bool) first", doc: "The same as take_anyif().", stem: "anyif", start: onlyIf(1, anyOf),
			examples: examples{"anyif(s, x == 1)", "a"}},
	}
}

// maxCollected is how many elements make_set and make_list keep unless the
// query says. maxCollectedOnce is that of their former names.
const (
	maxCollected     = 1_048_576
	maxCollectedOnce = 128
)

// collectingAggregates make arrays and property bags.
func collectingAggregates() []*aggregate {
	set := each(func() accumulator { return &collecting{seen: map[string]bool{}, limit: maxCollected} })
	list := each(func() accumulator { return &collecting{limit: maxCollected} })
	bag := each(func() accumulator { return &bagging{limit: maxCollected} })
	return []*aggregate{
		{sig: "make_set(value:scalar, max:integer?) dynamic", doc: "The distinct values that are not null, as an array; of arrays, their elements.", stem: "set", start: set,
			examples: examples{"make_set(x)", "[1,2]"}},
		{sig: "make_set_if(value:scalar, predicate:bool, max:integer?) dynamic", doc: "The distinct values of rows for which the predicate is true.", stem: "set", start: onlyIf(1, set),
			examples: examples{"make_set_if(s, x > 1)", `["b"]`}},
		{sig: "makeset(value:scalar, max:integer?) dynamic", doc: "make_set() that keeps 128 values unless the query says otherwise.", stem: "set",
			start:    each(func() accumulator { return &collecting{seen: map[string]bool{}, limit: maxCollectedOnce} }),
			examples: examples{"makeset(x, 1)", "[1]"}},
		{sig: "make_list(value:scalar, max:integer?) dynamic", doc: "The values that are not null, as an array; of arrays, their elements.", stem: "list", start: list,
			examples: examples{"make_list(x)", "[1,2,2]"}},
		{sig: "make_list_if(value:scalar, predicate:bool, max:integer?) dynamic", doc: "The values of rows for which the predicate is true.", stem: "list", start: onlyIf(1, list),
			examples: examples{"make_list_if(s, x > 1)", `["b","b"]`}},
		{sig: "make_list_with_nulls(value:scalar) dynamic", doc: "All values, nulls too, as an array.", stem: "list",
			start:    each(func() accumulator { return &collecting{limit: maxCollected, nulls: true} }),
			examples: examples{"make_list_with_nulls(x)", "[1,2,2,null]"}},
		{sig: "makelist(value:scalar, max:integer?) dynamic", doc: "make_list() that keeps 128 values unless the query says otherwise.", stem: "list",
			start:    each(func() accumulator { return &collecting{limit: maxCollectedOnce} }),
			examples: examples{"makelist(x, 2)", "[1,2]"}},
		{sig: "make_bag(bag:bag, max:integer?) dynamic", doc: "One property bag of all, of equal keys one value.", stem: "bag", start: bag,
			examples: examples{"make_bag(d)", `{"p":1,"q":2}`}},
		{sig: "make_dictionary(bag:bag, max:integer?) dynamic", doc: "make_bag() that keeps 128 keys unless the query says otherwise.", stem: "dictionary",
			start:    each(func() accumulator { return &bagging{limit: maxCollectedOnce} }),
			examples: examples{"make_dictionary(d, 1)", `{"p":1}`}},
		{sig: "make_bag_if(bag:bag, predicate:bool, max:integer?) dynamic", doc: "One property bag of rows for which the predicate is true.", stem: "bag", start: onlyIf(1, bag),
			examples: examples{"make_bag_if(d, x > 1)", `{"q":2,"p":3}`}},
		{sig: "buildschema(value:dynamic) dynamic", doc: "The types of all values, of the properties of bags and of the elements of arrays.", stem: "schema",
			start:    each(func() accumulator { return &describing{} }),
			examples: examples{"buildschema(d)", `{"p":"long","q":"long"}`}},
	}
}

func promoted(t Type) Type {
	if t == Int {
		return Long
	}
	return t
}

func averageType(t Type) Type {
	if t == Int || t == Long {
		return Real
	}
	return t
}

// resultType is the type of the aggregate over a first argument of type t.
func (a *aggregate) resultType(t Type) Type {
	switch a.result {
	case "first":
		return t
	case "promoted":
		return promoted(t)
	case "average":
		return averageType(t)
	}
	r, _ := ParseType(a.result)
	return r
}

// conditional passes on the rows for which the argument at a position is true,
// without that argument.
type conditional struct {
	at int
	to accumulator
}

func (c *conditional) add(args []Value) {
	if args[c.at].isTrue() {
		rest := make([]Value, 0, len(args)-1)
		rest = append(append(rest, args[:c.at]...), args[c.at+1:]...)
		c.to.add(rest)
	}
}

func (c *conditional) result() Value { return c.to.result() }

func (c *conditional) size() int64 {
	if to, ok := c.to.(grows); ok {
		return to.size()
	}
	return 0
}

func (c *conditional) within() accumulator { return c.to }

func (c *conditional) chargeTo(held *memory) {
	if to, ok := c.to.(charges); ok {
		to.chargeTo(held)
	}
}

type counting struct{ n int64 }

func (c *counting) add([]Value)   { c.n++ }
func (c *counting) result() Value { return longValue(c.n) }

type distinctCount struct {
	seen  map[string]struct{}
	buf   []byte
	bytes int64
}

func (d *distinctCount) size() int64 {
	if d.seen == nil {
		return 0
	}
	return mapBytes(len(d.seen), textEntry) + allocated(int64(cap(d.buf))) + d.bytes
}

func (d *distinctCount) add(args []Value) {
	if args[0].IsNull() {
		return
	}
	d.buf = groupKey(d.buf[:0], args[0])
	if _, ok := d.seen[string(d.buf)]; !ok {
		if d.seen == nil {
			d.seen = make(map[string]struct{})
		}
		d.seen[string(d.buf)] = struct{}{}
		d.bytes += allocated(int64(len(d.buf)))
	}
}

func (d *distinctCount) result() Value { return longValue(int64(len(d.seen))) }

// summing adds up, in the type of the result; of nothing it is zero.
type summing struct {
	t    Type
	sum  Value   // of reals and decimals
	wide wideSum // of the others
}

// isWide says whether the sum is one of integers.
func (s *summing) isWide() bool { return s.t == Long || s.t == TimeSpan || s.t == DateTime }

func (s *summing) add(args []Value) {
	v := convert(args[0], s.t)
	switch {
	case v.IsNull():
	case s.isWide():
		s.wide.add(v.n)
	case s.sum.IsNull():
		s.sum = v
	default:
		s.sum = plus(s.sum, v)
	}
}

func (s *summing) size() int64 { return s.sum.held() }

func (s *summing) result() Value {
	if s.isWide() {
		n, ok := s.wide.whole()
		return wholeValue(s.t, n, ok)
	}
	if s.sum.IsNull() {
		return convert(longValue(0), s.t)
	}
	return s.sum
}

// averaging is null of nothing.
type averaging struct {
	t   Type
	sum summing
	n   int64
}

func (a *averaging) add(args []Value) {
	if args[0].IsNull() {
		return
	}
	switch a.t {
	case DateTime: // as a timespan since tick 0
		args = []Value{timespanValue(args[0].n)}
		a.sum.t = TimeSpan
	default:
		a.sum.t = a.t
	}
	a.sum.add(args)
	a.n++
}

func (a *averaging) size() int64 { return a.sum.size() }

func (a *averaging) result() Value {
	if a.n == 0 {
		if a.t == Real {
			return realValue(math.NaN()) // 0 divided by 0
		}
		return Value{}
	}
	if a.sum.isWide() { // datetimes of fifteen rows are more ticks than a timespan holds
		n, ok := a.sum.wide.mean(a.n)
		return wholeValue(a.t, n, ok)
	}
	return divided(a.sum.result(), convert(longValue(a.n), a.t))
}

// extremum is the least or the greatest value, null of nothing.
type extremum struct {
	sign int
	best Value
}

func (e *extremum) add(args []Value) {
	if v := args[0]; !v.IsNull() && (e.best.IsNull() || sortOrder(v, e.best)*e.sign > 0) {
		e.best = v
	}
}

func (e *extremum) result() Value { return e.best }
func (e *extremum) size() int64   { return e.best.held() }

// first keeps the first value that says something.
type first struct{ v Value }

func (f *first) add(args []Value) {
	if isEmpty(f.v) {
		f.v = args[0]
	}
}

func (f *first) result() Value { return f.v }
func (f *first) size() int64   { return f.v.held() }

// collecting gathers values up to a limit; with seen, each once.
type collecting struct {
	seen  map[string]bool
	limit int64
	nulls bool // are kept
	items []Value
	buf   []byte
	bytes int64
	held  *memory
}

func (c *collecting) chargeTo(held *memory) { c.held = held }

func (c *collecting) add(args []Value) {
	limit := optional(args, 1, c.limit)
	if args[0].kind == kindArray {
		for _, v := range args[0].array() {
			c.one(v, limit)
		}
		return
	}
	c.one(args[0], limit)
}

func (c *collecting) one(v Value, limit int64) {
	if v.IsNull() && !c.nulls || int64(len(c.items)) >= limit {
		return
	}
	if c.seen != nil {
		c.buf = groupKey(c.buf[:0], v)
		if c.seen[string(c.buf)] {
			return
		}
		c.seen[string(c.buf)] = true
		c.bytes += allocated(int64(len(c.buf)))
	}
	c.items = append(enlarged(c.items, 1, c.held), v)
	c.bytes += v.held()
}

func (c *collecting) size() int64 {
	size := allocated(valueBytes*int64(cap(c.items))) + allocated(int64(cap(c.buf))) + c.bytes
	if c.seen != nil {
		size += mapBytes(len(c.seen), textBoolEntry)
	}
	return size
}

func (c *collecting) result() Value {
	if c.items == nil {
		return arrayValue([]Value{})
	}
	return arrayValue(c.items)
}

type bagging struct {
	b     *bag
	limit int64 // of keys, unless the query says
	bytes int64
	held  *memory
}

func (g *bagging) chargeTo(held *memory) { g.held = held }

func (g *bagging) size() int64 {
	if g.b == nil {
		return 0
	}
	size := 96 + allocated(16*int64(cap(g.b.keys))) + allocated(valueBytes*int64(cap(g.b.vals))) + g.bytes
	if g.b.index != nil {
		size += mapBytes(len(g.b.index), textIntEntry)
	}
	return size
}

func (g *bagging) add(args []Value) {
	if args[0].kind != kindBag {
		return
	}
	limit := optional(args, 1, g.limit)
	if g.b == nil {
		g.b = newBag(8)
	}
	for i, k := range args[0].bag().keys {
		if g.b.find(k) < 0 && int64(len(g.b.keys)) < limit {
			v := args[0].bag().vals[i]
			g.b.keys, g.b.vals = enlarged(g.b.keys, 1, g.held), enlarged(g.b.vals, 1, g.held)
			g.b.set(k, v)
			g.bytes += allocated(int64(len(k))) + v.held()
		}
	}
}

func (g *bagging) result() Value {
	if g.b == nil {
		return bagValue(newBag(0))
	}
	return bagValue(g.b)
}

// picking keeps several values of one row. It is the row in which the first
// value is the least or the greatest, or with sign 0 the first row.
type picking struct {
	sign int
	row  []Value
}

func (p *picking) add(args []Value) {
	if p.row == nil || p.prefers(args[0], p.row[0], len(args)) {
		p.row = append(p.row[:0], args...)
	}
}

// prefers says whether a row takes the place of another. Each has so many
// values, of which the first are given.
func (p *picking) prefers(val, old Value, values int) bool {
	switch {
	case p.sign == 0:
		// Of a single column a value that says something is preferred.
		return values == 1 && isEmpty(old)
	case val.IsNull():
		return false
	}
	return old.IsNull() || sortOrder(val, old)*p.sign > 0
}

// size is what the row holds.
func (p *picking) size() int64 {
	size := allocated(valueBytes * int64(cap(p.row)))
	for _, v := range p.row {
		size += v.held()
	}
	return size
}

func (p *picking) result() Value    { return Value{} } // it has several
func (p *picking) results() []Value { return p.row }

// combiningBits is null of nothing.
type combiningBits struct {
	f func(x, y int64) int64
	v Value
}

func (c *combiningBits) add(args []Value) {
	switch v := args[0]; {
	case v.IsNull():
	case c.v.IsNull():
		c.v = v
	default:
		c.v = Value{kind: v.kind, n: c.f(c.v.n, v.n)}
	}
}

func (c *combiningBits) result() Value { return c.v }
