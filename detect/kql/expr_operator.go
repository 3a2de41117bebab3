package kql

import (
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// binaryExpr binds an operator between two operands.
func (b *binder) binaryExpr(n *binary, in []*column) expr {
	b.count(n.span)
	if at, ok := n.left.(*star); ok && (stringOperators[n.op] || n.op == "==") {
		return b.anyColumn(at, n, in)
	}
	if n.op == ":" { // of search, deeper in an expression
		n = searched(n, false).(*binary)
	}
	left, right := b.expr(n.left, in), b.expr(n.right, in)
	for _, side := range []expr{left, right} {
		if tuple, ok := side.(*tupleExpr); ok && tuple.types != nil {
			panic(semanticError(n.opAt, "SEM0001", "these are several values, and %s takes one: choose one with [0], [1] and so on", n.op))
		}
	}
	switch n.op {
	case "and", "or":
		left, right = b.logicalOperand(left, n.left), b.logicalOperand(right, n.right)
		rows := threeValuedAnd
		if n.op == "or" {
			rows = threeValuedOr
		}
		e := &applyExpr{t: Bool, op: n.op, args: []expr{left, right}, rows: rows, batch: logicalBatch(n.op)}
		if right, ok := right.(*applyExpr); ok && ofTheRow(right) {
			e.decides = decides[n.op]
		}
		return fold(e)
	case "==", "!=", "<", "<=", ">", ">=":
		return b.comparison(n.op, n.opAt, left, right)
	case "+", "-", "*", "/", "%":
		return b.arithmetic(n, left, right)
	}
	return b.stringOperator(n, left, right)
}

func (b *binder) requireBool(e expr, n node) expr {
	if e.typ() != Bool {
		panic(semanticError(n.pos(), "SEM0001", "a bool is expected here, and this is a %s%s", e.typ(), conversionHint(Bool)))
	}
	return e
}

// logicalOperand is an operand of and or or, which alone take what a dynamic
// holds.
func (b *binder) logicalOperand(e expr, n node) expr {
	if e.typ() == Dynamic {
		e = converted(e, Bool)
	}
	return b.requireBool(e, n)
}

// decides reports whether the left operand of and or or says all: then the right
// one is not looked at.
var decides = map[string]func(left *vector, row int) bool{
	"and": func(left *vector, row int) bool {
		return left.typ == Bool && !isNullAt(left, row) && !isTrueAt(left, row)
	},
	"or": isTrueAt,
}

func isNullAt(v *vector, row int) bool { return v.nulls != nil && v.nulls[v.at(row)] }

// ofTheRow reports whether an expression says the same of a row whatever rows
// are with it.
func ofTheRow(e expr) bool {
	switch e := e.(type) {
	case *constExpr, *columnExpr:
		return true
	case *applyExpr:
		return !e.readsTable && !slices.ContainsFunc(e.args, func(a expr) bool { return !ofTheRow(a) })
	}
	return false
}

// undecided evaluates the right operand of and or or where the left one does not
// decide. What it gives for the other rows does not matter. If they are few,
// leaving them out saves nothing.
func (e *applyExpr) undecided(x *execution, b *batch, left *vector) *vector {
	sel := rowsWhere(left, func(v *vector, row int) bool { return !e.decides(v, row) })
	if len(sel) > b.n/2 {
		return e.args[1].eval(x, b)
	}
	out := newVector(Bool, b.n)
	if len(sel) == 0 {
		return out
	}
	right := e.args[1].eval(x, b.only(sel, e.args[1]))
	for i, row := range sel {
		out.set(int(row), right.value(i))
	}
	return out
}

// threeValuedAnd knows that null and false is false.
func threeValuedAnd(a []Value) Value {
	switch {
	case a[0].kind == Bool && a[0].n == 0 || a[1].kind == Bool && a[1].n == 0:
		return boolValue(false)
	case a[0].IsNull() || a[1].IsNull():
		return Value{}
	}
	return boolValue(true)
}

func threeValuedOr(a []Value) Value {
	switch {
	case a[0].isTrue() || a[1].isTrue():
		return boolValue(true)
	case a[0].IsNull() || a[1].IsNull():
		return Value{}
	}
	return boolValue(false)
}

// logicalBatch is "and" or "or" where no operand is null. That is the usual
// case, and a null among them takes the way by rows.
func logicalBatch(op string) func([]*vector, int) *vector {
	rows := threeValuedAnd
	if op == "or" {
		rows = threeValuedOr
	}
	return func(args []*vector, n int) *vector {
		out := newVector(Bool, n)
		l, r := args[0], args[1]
		if l.nulls == nil && r.nulls == nil {
			if !l.isFlat() && r.isFlat() {
				l, r = r, l // either order says the same
			}
			if l.isFlat() {
				copy(out.ints, l.ints)
			} else {
				for i := range n {
					out.ints[i] = l.ints[l.at(i)]
				}
			}
			switch {
			case op == "and" && r.isFlat():
				for i, v := range r.ints[:n] {
					out.ints[i] &= v
				}
			case op == "and":
				for i := range n {
					out.ints[i] &= r.ints[r.at(i)]
				}
			case r.isFlat():
				for i, v := range r.ints[:n] {
					out.ints[i] |= v
				}
			default:
				for i := range n {
					out.ints[i] |= r.ints[r.at(i)]
				}
			}
			return out
		}
		vals := make([]Value, 2)
		for i := range n {
			vals[0], vals[1] = l.value(i), r.value(i)
			out.set(i, rows(vals))
		}
		return out
	}
}

// comparison binds == and its kin. Where the types differ the side that is
// not a string decides: the string, or what the dynamic holds, is converted.
func (b *binder) comparison(op string, at span, left, right expr) expr {
	lt, rt := left.typ(), right.typ()
	equality := op == "==" || op == "!="
	ordered := func(t Type) bool { return t != String && t != GUID }
	switch {
	case !equality && (!ordered(lt) || !ordered(rt) || lt == Dynamic && !rt.isNumber() && rt != Dynamic || rt == Dynamic && !lt.isNumber() && lt != Dynamic):
		panic(semanticError(at, "SEM0064", "the operator %s does not go between a %s and a %s: convert them to what has an order", op, lt, rt))
	case lt == rt && lt != Dynamic:
	case lt.isNumber() && rt.isNumber():
	case lt == Dynamic && rt == Dynamic:
	case lt == Dynamic:
		left = comparable(left, rt)
	case rt == Dynamic:
		right = comparable(right, lt)
	case lt == String:
		left = comparable(left, rt)
	case rt == String:
		right = comparable(right, lt)
	case lt == Bool && rt.isNumber() || rt == Bool && lt.isNumber():
		left, right = converted(left, Long), converted(right, Long)
	case equality && (lt.isTime() && rt.isNumber() || rt.isTime() && lt.isNumber()):
		// A time is the number of its ticks of 100 ns, as tolong() gives it. The
		// parser of the service takes the comparison; the reference is silent.
		if lt.isTime() {
			left = converted(left, Long)
		} else {
			right = converted(right, Long)
		}
	default:
		panic(semanticError(at, "SEM0064", "a %s and a %s can not be compared by %s: convert one of them", lt, rt, op))
	}
	lt, rt = left.typ(), right.typ()
	e := &applyExpr{t: Bool, op: op, args: []expr{left, right}, rows: comparisonRows(op)}
	switch {
	case lt == rt && lt != Real && !lt.boxed():
		e.batch = comparisonBatch(op, lt == String)
	}
	return fold(e)
}

// comparable converts an operand to the other one's type. A number among
// them makes text that is no number null, which equals nothing.
func comparable(e expr, to Type) expr {
	if to != Int && to != Long || e.typ() != String && e.typ() != Dynamic {
		return converted(e, to)
	}
	// "500121" and "500121.0" are the number 500121, and 1.5 is no long: so
	// the value keeps the kind it has.
	return fold(&applyExpr{t: Dynamic, args: []expr{e}, rows: func(a []Value) Value {
		if isNumeric(a[0]) {
			return a[0]
		}
		f := convert(a[0], Real)
		if n := convert(a[0], Long); !n.IsNull() && (f.IsNull() || float64(n.n) == f.real()) {
			return n
		}
		return f
	}})
}

func holds(op string, order int) bool {
	switch op {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// comparisonRows has the reference's rules for null. Two nulls give null. Null
// and a value are not equal, and have no order.
func comparisonRows(op string) func([]Value) Value {
	return func(a []Value) Value {
		l, r := a[0], a[1]
		if l.IsNull() || r.IsNull() {
			if l.IsNull() != r.IsNull() && (op == "==" || op == "!=") {
				return boolValue(op == "!=")
			}
			return Value{}
		}
		if l.kind == Real && math.IsNaN(l.real()) || r.kind == Real && math.IsNaN(r.real()) {
			return boolValue(op == "!=")
		}
		order, ok := compare(l, r)
		if !ok { // two dynamics of different kinds, or of arrays
			if op == "==" || op == "!=" {
				return boolValue(equal(l, r) == (op == "=="))
			}
			return Value{}
		}
		return boolValue(holds(op, order))
	}
}

// decidedByRange says what a comparison of times with a constant gives for all rows,
// if the segment's range decides.
func decidedByRange(op string, l, r *vector) (holds, ok bool) {
	if l.constant && r.within != nil {
		l, r, op = r, l, turnedOperators[op]
	}
	if l.within == nil || !r.constant || r.nulls != nil && r.nulls[0] {
		return false, false
	}
	least, most, than := l.within.min, l.within.max, r.ints[0]
	switch op {
	case "<":
		return most < than, most < than || least >= than
	case "<=":
		return most <= than, most <= than || least > than
	case ">":
		return least > than, least > than || most <= than
	case ">=":
		return least >= than, least >= than || most < than
	}
	return false, false
}

// comparisonBatch compares whole vectors of one type.
func comparisonBatch(op string, text bool) func([]*vector, int) *vector {
	less, same, more := holds(op, -1), holds(op, 0), holds(op, 1)
	bit := func(b bool) int64 { return boolValue(b).n }
	ifLess, ifSame, ifMore := bit(less), bit(same), bit(more)
	// As in comparisonRows, two nulls give null, and one alone is unequal.
	hasSame, ifUnequal := op == "==" || op == "!=", bit(op == "!=")
	return func(args []*vector, n int) *vector {
		l, r := args[0], args[1]
		if same, ok := decidedByRange(op, l, r); ok {
			return constantVector(Bool, boolValue(same), n)
		}
		out := newVector(Bool, n)
		switch {
		case text && hasSame:
			for i := range n {
				if out.ints[i] = ifUnequal; l.strs[l.at(i)] == r.strs[r.at(i)] {
					out.ints[i] = ifSame
				}
			}
		case text:
			for i := range n {
				switch strings.Compare(l.strs[l.at(i)], r.strs[r.at(i)]) {
				case 0:
					out.ints[i] = ifSame
				case -1:
					out.ints[i] = ifLess
				default:
					out.ints[i] = ifMore
				}
			}
		case l.isFlat() && r.isFlat():
			right := r.ints[:n]
			for i, than := range l.ints[:n] {
				out.ints[i] = ofOrder(than, right[i], ifLess, ifSame, ifMore)
			}
		case l.isFlat() && r.constant:
			than := r.ints[0]
			for i, v := range l.ints[:n] {
				out.ints[i] = ofOrder(v, than, ifLess, ifSame, ifMore)
			}
		default:
			for i := range n {
				out.ints[i] = ofOrder(l.ints[l.at(i)], r.ints[r.at(i)], ifLess, ifSame, ifMore)
			}
		}
		if l.nulls == nil && r.nulls == nil {
			return out
		}
		for i := range n {
			switch noLeft, noRight := isNullAt(l, i), isNullAt(r, i); {
			case !noLeft && !noRight:
			case noLeft != noRight && hasSame:
				out.ints[i] = ifUnequal
			default:
				out.setNull(i)
			}
		}
		return out
	}
}

// ofOrder chooses by the order of two numbers.
func ofOrder(l, r, ifLess, ifSame, ifMore int64) int64 {
	switch {
	case l == r:
		return ifSame
	case l < r:
		return ifLess
	}
	return ifMore
}

// betweenExpr is low <= left and left <= high.
func (b *binder) betweenExpr(n *between, in []*column) expr {
	left, low, high := b.expr(n.left, in), b.expr(n.low, in), b.expr(n.high, in)
	if (left.typ() == DateTime || left.typ() == Dynamic) && low.typ() == DateTime && high.typ() == TimeSpan {
		high = fold(&applyExpr{t: DateTime, args: []expr{low, high}, rows: func(a []Value) Value { return plus(a[0], a[1]) }})
	}
	for _, bound := range []struct {
		e expr
		n node
	}{{low, n.low}, {high, n.high}} {
		if bound.e.typ() == String || left.typ() == String {
			panic(semanticError(bound.n.pos(), "SEM0001", "between needs numbers, datetimes or timespans, not strings"))
		}
	}
	from := b.comparison(">=", n.low.pos(), left, low)
	to := b.comparison("<=", n.high.pos(), left, high)
	e := fold(&applyExpr{t: Bool, op: "and", args: []expr{from, to}, rows: threeValuedAnd})
	if n.negated {
		return fold(&applyExpr{t: Bool, args: []expr{e}, rows: negatedBool})
	}
	return e
}

func negatedBool(a []Value) Value {
	if a[0].IsNull() {
		return Value{}
	}
	return boolValue(!a[0].isTrue())
}

// arithmetic binds + - * / %.
func (b *binder) arithmetic(n *binary, left, right expr) expr {
	lt, rt := left.typ(), right.typ()
	t := Dynamic
	if lt != Dynamic || rt != Dynamic {
		// What a dynamic holds shows only row by row, so it takes the other
		// side's type.
		if lt == Dynamic {
			left, lt = converted(left, rt), rt
		}
		if rt == Dynamic {
			right, rt = converted(right, lt), lt
		}
		t = arithmeticType(n.op, lt, rt)
	}
	if t == kindNull {
		hint := ""
		if n.op == "+" && (lt == String || rt == String) {
			hint = ": strcat() joins strings"
		}
		panic(semanticError(n.opAt, "SEM0064", "the operator %s does not go between a %s and a %s%s", n.op, lt, rt, hint))
	}
	op := n.op
	rows := map[string]func(a, b Value) Value{"+": plus, "-": subtracted, "*": times, "/": divided, "%": modulo}[op]
	var batch func([]*vector, int) *vector
	if whole := map[string]func(x, y int64) (int64, bool){"+": addWhole, "-": subtractWhole}[op]; whole != nil && areWhole(lt, rt) {
		batch = wholeBatch(t, whole)
	}
	return fold(&applyExpr{t: t, args: []expr{left, right}, batch: batch, rows: func(a []Value) Value {
		switch {
		case a[0].IsNull() || a[1].IsNull():
			return Value{}
		case t == Dynamic:
			if arithmeticType(op, a[0].kind, a[1].kind) == kindNull {
				return Value{}
			}
			return rows(a[0], a[1])
		}
		return convert(rows(a[0], a[1]), t)
	}})
}

// areWhole says whether values of two types are whole numbers, of rows or of ticks,
// which are added as they are.
func areWhole(l, r Type) bool {
	return (l == Int || l == Long) && (r == Int || r == Long) || l.isTime() && r.isTime()
}

// wholeBatch adds or subtracts whole vectors of whole numbers.
func wholeBatch(t Type, op func(x, y int64) (int64, bool)) func([]*vector, int) *vector {
	return func(args []*vector, n int) *vector {
		l, r := args[0], args[1]
		out := newVector(t, n)
		noNulls := l.nulls == nil && r.nulls == nil
		for i := range n {
			sum, ok := op(l.ints[l.at(i)], r.ints[r.at(i)])
			if !noNulls && (isNullAt(l, i) || isNullAt(r, i)) || !ok || t != Long && wholeValue(t, sum, ok).IsNull() {
				out.setNull(i)
			} else {
				out.ints[i] = sum
			}
		}
		return out
	}
}

// widest is the type that holds the numbers of both.
func widest(l, r Type) Type {
	if l == Int && r == Int {
		return Int
	}
	return arithmeticType("+", l, r)
}

// arithmeticType is the type of a result, kindNull where there is none.
func arithmeticType(op string, l, r Type) Type {
	if l.isNumber() && r.isNumber() {
		switch {
		case l == Decimal || r == Decimal:
			return Decimal
		case l == Real || r == Real:
			return Real
		}
		return Long // of two ints too
	}
	switch {
	case l == DateTime && r == TimeSpan && (op == "+" || op == "-"):
		return DateTime
	case l == TimeSpan && r == DateTime && op == "+":
		return DateTime
	case l == DateTime && r == DateTime && (op == "-" || op == "%"), l == DateTime && r == TimeSpan && op == "%":
		return TimeSpan // the time of the day is t % 1d
	case l == DateTime && r == TimeSpan && op == "/":
		return Real
	case l == TimeSpan && r == TimeSpan:
		switch op {
		case "+", "-", "%":
			return TimeSpan
		case "/":
			return Real
		}
	case l == TimeSpan && r.isNumber() && (op == "*" || op == "/"):
		return TimeSpan
	case l.isNumber() && r == TimeSpan && op == "*":
		return TimeSpan
	}
	return kindNull
}

// checked makes of an operation on integers one that is null where its result
// does not fit.
func checked(kind Type, op func(x, y int64) (int64, bool)) func(x, y int64) Value {
	return func(x, y int64) Value {
		n, ok := op(x, y)
		return wholeValue(kind, n, ok)
	}
}

func plus(a, b Value) Value {
	switch {
	case a.kind == DateTime || b.kind == DateTime:
		return checked(DateTime, addWhole)(a.n, b.n)
	case a.kind == TimeSpan:
		return checked(TimeSpan, addWhole)(a.n, b.n)
	}
	return number(a, b, checked(Long, addWhole), func(x, y float64) float64 { return x + y }, (*apd.Context).Add)
}

func subtracted(a, b Value) Value {
	switch {
	case a.kind == DateTime && b.kind == DateTime:
		return checked(TimeSpan, subtractWhole)(a.n, b.n)
	case a.kind == DateTime:
		return checked(DateTime, subtractWhole)(a.n, b.n)
	case a.kind == TimeSpan:
		return checked(TimeSpan, subtractWhole)(a.n, b.n)
	}
	return number(a, b, checked(Long, subtractWhole), func(x, y float64) float64 { return x - y }, (*apd.Context).Sub)
}

func times(a, b Value) Value {
	if b.kind == TimeSpan {
		a, b = b, a
	}
	if a.kind == TimeSpan {
		if b.kind == Int || b.kind == Long {
			return checked(TimeSpan, multiplyWhole)(a.n, b.n)
		}
		return ticksOf(float64(a.n) * toReal(b).real())
	}
	return number(a, b, checked(Long, multiplyWhole), func(x, y float64) float64 { return x * y }, (*apd.Context).Mul)
}

func ticksOf(f float64) Value {
	if v := truncated(f); !v.IsNull() {
		return timespanValue(v.n)
	}
	return Value{}
}

// divided is null where an integer is divided by zero.
func divided(a, b Value) Value {
	if a.kind == TimeSpan || a.kind == DateTime {
		if b.kind == TimeSpan {
			return realValue(float64(a.n) / float64(b.n))
		}
		if b.kind == Int || b.kind == Long {
			return checked(TimeSpan, divideWhole)(a.n, b.n)
		}
		return ticksOf(float64(a.n) / toReal(b).real())
	}
	return number(a, b, checked(Long, divideWhole), func(x, y float64) float64 { return x / y }, func(c *apd.Context, d, x, y *apd.Decimal) (apd.Condition, error) {
		cond, err := c.Quo(d, x, y)
		d.Reduce(d)
		return cond, err
	})
}

// modulo has the sign of the divisor's absolute value: never negative.
func modulo(a, b Value) Value {
	whole := func(x, y int64) Value {
		if y == 0 || y == -1 {
			if y == 0 {
				return Value{}
			}
			return longValue(0)
		}
		m := x % y
		if m < 0 {
			m += max(y, -y)
		}
		return longValue(m)
	}
	if a.kind == TimeSpan || a.kind == DateTime {
		return convert(whole(a.n, b.n), TimeSpan)
	}
	return number(a, b, whole, func(x, y float64) float64 {
		m := math.Mod(x, y)
		if m < 0 {
			m += math.Abs(y)
		}
		return m
	}, func(c *apd.Context, d, x, y *apd.Decimal) (apd.Condition, error) {
		cond, err := c.Rem(d, x, y)
		if err == nil && d.Negative && !d.IsZero() {
			var abs apd.Decimal
			abs.Abs(y)
			return c.Add(d, d, &abs)
		}
		return cond, err
	})
}

// number applies an operation to two numbers in the wider of their kinds.
func number(a, b Value, whole func(x, y int64) Value, float func(x, y float64) float64,
	dec func(c *apd.Context, d, x, y *apd.Decimal) (apd.Condition, error)) Value {
	switch {
	case a.kind == Decimal || b.kind == Decimal:
		x, y := convert(a, Decimal), convert(b, Decimal)
		if x.IsNull() || y.IsNull() {
			return Value{}
		}
		d := new(apd.Decimal)
		if _, err := dec(decimalContext, d, x.decimal(), y.decimal()); err != nil {
			return Value{}
		}
		return decimalValue(d)
	case a.kind == Real || b.kind == Real:
		return realValue(float(realOf(a), realOf(b)))
	}
	return whole(a.n, b.n)
}

func realOf(v Value) float64 {
	if v.kind == Real {
		return v.real()
	}
	return float64(v.n)
}
