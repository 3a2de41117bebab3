package kql

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

// mathFunctions work on numbers.
func mathFunctions() []*scalarFunction {
	float := func(f func(float64) float64) func([]Value) Value {
		return func(a []Value) Value { return realValue(f(convert(a[0], Real).real())) }
	}
	isReal := func(f func(float64) bool) func([]Value) Value {
		return func(a []Value) Value { return boolValue(!a[0].IsNull() && f(a[0].real())) }
	}
	return []*scalarFunction{
		{sig: "abs(value:summable) first", doc: "The value without its sign.", naming: nameOfFirst, bind: bindAbs,
			examples: examples{"abs(-5)", "5", "abs(-1h)", "01:00:00"}},
		{sig: "round(value:number, digits:integer!?) first", doc: "The number rounded to some digits behind the point, halves to even.", strict: true, naming: nameOfFirst, rows: round,
			examples: examples{"round(2.567, 2)", "2.57", "round(21.5, -1)", "20"}},
		{sig: "ceiling(value:number) first", doc: "The least integer that is not less.", strict: true, naming: nameOfFirst, rows: ceiling,
			examples: examples{"ceiling(1.2)", "2", "ceiling(-1.2)", "-1"}},
		{sig: "sign(value:number) real", doc: "-1, 0 or 1.", strict: true,
			examples: examples{"sign(-42)", "-1", "sign(0)", "0"},
			rows: func(a []Value) Value {
				order, _ := compare(a[0], longValue(0))
				return realValue(float64(order))
			}},
		{sig: "pow(base:number, exponent:number) real", doc: "The base to the power of the exponent.", strict: true, naming: nameOfFirst,
			examples: examples{"pow(2, 3)", "8"},
			rows: func(a []Value) Value {
				return realValue(math.Pow(convert(a[0], Real).real(), convert(a[1], Real).real()))
			}},
		{sig: "sqrt(value:number) real", doc: "The square root, null of a negative number.", strict: true, naming: nameOfFirst, rows: notNegative(math.Sqrt),
			examples: examples{"sqrt(16)", "4", "sqrt(2.25)", "1.5"}},
		{sig: "exp(value:number) real", doc: "e to the power of the value.", strict: true, naming: nameOfFirst, rows: float(math.Exp),
			examples: examples{"exp(0)", "1"}},
		{sig: "exp2(value:number) real", doc: "2 to the power of the value.", strict: true, naming: nameOfFirst, rows: float(math.Exp2),
			examples: examples{"exp2(10)", "1024"}},
		{sig: "exp10(value:number) real", doc: "10 to the power of the value.", strict: true, naming: nameOfFirst, rows: float(func(f float64) float64 { return math.Pow(10, f) }),
			examples: examples{"exp10(3)", "1000"}},
		{sig: "log(value:number) real", doc: "The natural logarithm, null of a negative number.", strict: true, naming: nameOfFirst, rows: notNegative(math.Log),
			examples: examples{"log(1)", "0", "log(0)", "-Infinity", "log(-1)", "null"}},
		{sig: "log10(value:number) real", doc: "The logarithm to base 10, null of a negative number.", strict: true, naming: nameOfFirst, rows: notNegative(log10),
			examples: examples{"log10(1000)", "3", "log10(5)", "0.6989700043360189"}},
		{sig: "log2(value:number) real", doc: "The logarithm to base 2, null of a negative number.", strict: true, naming: nameOfFirst, rows: notNegative(log2),
			examples: examples{"log2(8)", "3"}},
		{sig: "pi() real", doc: "The ratio of a circle's circumference to its diameter.", rows: func([]Value) Value { return realValue(math.Pi) },
			examples: examples{"pi()", "3.141592653589793"}},
		{sig: "sin(angle:number) real", doc: "The sine.", strict: true, naming: nameOfFirst, rows: float(math.Sin),
			examples: examples{"sin(0)", "0"}},
		{sig: "cos(angle:number) real", doc: "The cosine.", strict: true, naming: nameOfFirst, rows: float(math.Cos),
			examples: examples{"cos(0)", "1"}},
		{sig: "tan(angle:number) real", doc: "The tangent.", strict: true, naming: nameOfFirst, rows: float(math.Tan),
			examples: examples{"tan(0)", "0"}},
		{sig: "cot(angle:number) real", doc: "The cotangent.", strict: true, rows: float(func(f float64) float64 { return 1 / math.Tan(f) }),
			examples: examples{"round(cot(pi() / 4), 6)", "1"}},
		{sig: "asin(value:number) real", doc: "The angle whose sine is the value, null outside -1 to 1.", strict: true, naming: nameOfFirst, rows: arc(math.Asin),
			examples: examples{"asin(0)", "0", "asin(2)", "null"}},
		{sig: "acos(value:number) real", doc: "The angle whose cosine is the value, null outside -1 to 1.", strict: true, naming: nameOfFirst, rows: arc(math.Acos),
			examples: examples{"acos(1)", "0", "acos(-2)", "null"}},
		{sig: "atan(value:number) real", doc: "The angle whose tangent is the value.", strict: true, naming: nameOfFirst, rows: float(math.Atan),
			examples: examples{"atan(0)", "0"}},
		{sig: "atan2(y:number, x:number) real", doc: "The angle between the x axis and the line to a point.", strict: true, naming: nameOfFirst,
			examples: examples{"atan2(0, 1)", "0", "atan2(1, 0) == pi() / 2", "true"},
			rows: func(a []Value) Value {
				return realValue(math.Atan2(convert(a[0], Real).real(), convert(a[1], Real).real()))
			}},
		{sig: "degrees(radians:number) real", doc: "An angle in degrees.", strict: true, rows: float(func(f float64) float64 { return 180 / math.Pi * f }),
			examples: examples{"degrees(pi())", "180"}},
		{sig: "radians(degrees:number) real", doc: "An angle in radians.", strict: true, rows: float(func(f float64) float64 { return math.Pi / 180 * f }),
			examples: examples{"radians(180)", "3.141592653589793"}},
		{sig: "isnan(value:real) bool", doc: "Whether the value is not a number.", rows: isReal(math.IsNaN),
			examples: examples{"isnan(real(nan))", "true", "isnan(1.5)", "false"}},
		{sig: "isinf(value:real) bool", doc: "Whether the value is infinite.", rows: isReal(func(f float64) bool { return math.IsInf(f, 0) }),
			examples: examples{"isinf(1.0 / 0.0)", "true", "isinf(1.5)", "false"}},
		{sig: "isfinite(value:real) bool", doc: "Whether the value is neither infinite nor not a number.", rows: isReal(func(f float64) bool { return !math.IsInf(f, 0) && !math.IsNaN(f) }),
			examples: examples{"isfinite(1.5)", "true", "isfinite(real(nan))", "false"}},
		{sig: "around(value:scalar, center:scalar, delta:scalar) bool", doc: "Whether the value is at most delta away from the center.", bind: bindAround,
			examples: examples{"around(5, 6, 1)", "true", "around(datetime(2026-01-01), datetime(2026-01-03), 1d)", "false"}},
		{sig: "bin(value:summable, size:summable) first", doc: "The value rounded down to a multiple of the size.", naming: nameOfFirst, bind: bindBin,
			examples: examples{"bin(4.5, 1)", "4", "bin(-7, 5)", "-10", "bin(datetime(1970-05-11 13:45:07), 1d)", "1970-05-11T00:00:00.0000000Z"}},
		{sig: "floor(value:summable, size:summable) first", doc: "The same as bin().", naming: nameOfFirst, bind: bindBin,
			examples: examples{"floor(25m, 10m)", "00:20:00"}},
		{sig: "bin_at(value:summable, size:summable, fixed:summable) first", doc: "The value rounded down to a fixed point or to a multiple of the size away from it.", naming: nameOfFirst, bind: bindBinAt,
			examples: examples{"bin_at(6.5, 2.5, 7)", "4.5", "bin_at(1h, 1d, 12h)", "-12:00:00", "bin_at(datetime(2017-05-17 10:20), 7d, datetime(2017-06-04))", "2017-05-14T00:00:00.0000000Z"}},
	}
}

// log10 and log2 take the exponent out first, as the C library does. The
// quotient of two logarithms, which Go has, is off in the last digits.
func log10(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return math.Log(x)
	}
	const (
		inverseLn10 = 4.34294481903251816668e-01
		log10Of2Hi  = 3.01029995663611771306e-01
		log10Of2Lo  = 3.69423907715893078616e-13
	)
	fraction, exponent := binaryParts(x)
	k := float64(exponent)
	return k*log10Of2Lo + inverseLn10*math.Log(fraction) + k*log10Of2Hi
}

func log2(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return math.Log(x)
	}
	fraction, exponent := binaryParts(x)
	return float64(exponent) + math.Log(fraction)*(1/math.Ln2)
}

// binaryParts is math.Frexp with a fraction of 1 to 2 from 1 on. So the
// logarithms of fraction and exponent never have different signs.
func binaryParts(x float64) (fraction float64, exponent int) {
	fraction, exponent = math.Frexp(x)
	if exponent > 0 {
		return 2 * fraction, exponent - 1
	}
	return fraction, exponent
}

// notNegative is for functions that are null below zero.
func notNegative(f func(float64) float64) func([]Value) Value {
	return func(a []Value) Value {
		if x := convert(a[0], Real).real(); !(x < 0) {
			return realValue(f(x))
		}
		return Value{}
	}
}

// arc is for functions that are null outside -1 to 1.
func arc(f func(float64) float64) func([]Value) Value {
	return func(a []Value) Value {
		if x := convert(a[0], Real).real(); x >= -1 && x <= 1 {
			return realValue(f(x))
		}
		return Value{}
	}
}

func bindAround(b *binder, n *call, args []expr) expr {
	value, center, delta := args[0].typ(), args[1].typ(), args[2].typ()
	switch {
	case value.isNumber() && center.isNumber() && delta.isNumber():
	case (value == DateTime || value == TimeSpan) && center == value && delta == TimeSpan:
	default:
		panic(semanticError(n.span, "SEM0220", "around() compares numbers, datetimes by a timespan, or timespans; this is a %s, a %s and a %s", value, center, delta))
	}
	return fold(&applyExpr{t: Bool, args: args, rows: func(a []Value) Value {
		if a[0].IsNull() || a[1].IsNull() || a[2].IsNull() {
			return Value{}
		}
		if order, ok := compare(a[2], convert(longValue(0), delta)); ok && order < 0 {
			return boolValue(false)
		}
		low, high := subtracted(a[1], a[2]), plus(a[1], a[2])
		return boolValue((low.IsNull() || sortOrder(a[0], low) >= 0) && (high.IsNull() || sortOrder(a[0], high) <= 0))
	}})
}

// bindAbs makes a long of an int, as arithmetic does.
func bindAbs(b *binder, n *call, args []expr) expr {
	t := args[0].typ()
	switch t {
	case Int:
		t = Long
	case DateTime:
		panic(semanticError(n.args[0].pos(), "SEM0220", "the argument 'value' of abs() must be a number or a timespan, and this is a datetime"))
	}
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
		v := convert(a[0], t)
		if v.IsNull() {
			return v
		}
		if n := negated(v); n.IsNull() || sortOrder(v, n) < 0 {
			return n // null for the least integer, whose counterpart there is not
		}
		return v
	}})
}

func round(a []Value) Value {
	digits := int64(0)
	if len(a) > 1 {
		digits = min(max(a[1].n, -300), 300)
	}
	switch a[0].kind {
	case Decimal:
		d := new(apd.Decimal)
		c := *decimalContext
		c.Rounding = apd.RoundHalfEven
		if _, err := c.Quantize(d, a[0].decimal(), int32(-digits)); err != nil {
			return a[0] // it has no more digits than that
		}
		return decimalValue(d)
	case Real:
		f := a[0].real()
		scale := math.Pow10(int(digits))
		if scaled := f * scale; !math.IsInf(scaled, 0) && scale > 0 {
			f = math.RoundToEven(scaled) / scale
		}
		return realValue(f)
	}
	if digits >= 0 {
		return a[0]
	}
	n, ok := roundWhole(a[0].n, -digits)
	return wholeValue(a[0].kind, n, ok)
}

func ceiling(a []Value) Value {
	switch a[0].kind {
	case Decimal:
		d := new(apd.Decimal)
		if _, err := decimalContext.Ceil(d, a[0].decimal()); err != nil {
			return Value{}
		}
		return decimalValue(d)
	case Real:
		return realValue(math.Ceil(a[0].real()))
	}
	return a[0]
}

// decimalFloor is x rounded down to a multiple of y.
func decimalFloor(c *apd.Context, d, x, y *apd.Decimal) (apd.Condition, error) {
	var q apd.Decimal
	if cond, err := c.Quo(&q, x, y); err != nil {
		return cond, err
	}
	if cond, err := c.Floor(&q, &q); err != nil {
		return cond, err
	}
	return c.Mul(d, &q, y)
}

// bindBin has a type for each pair: numbers by numbers, datetimes and
// timespans by timespans.
func bindBin(b *binder, n *call, args []expr) expr {
	value, size := args[0].typ(), args[1].typ()
	t := value
	switch {
	case value.isNumber() && size.isNumber():
		t = widest(value, size)
	case (value == DateTime || value == TimeSpan) && size == TimeSpan:
	default:
		panic(semanticError(n.span, "SEM0220", "%s() rounds a %s, and not by a %s%s", n.fn.text, value, size, conversionHint(value)))
	}
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
		if a[0].IsNull() || a[1].IsNull() {
			return Value{}
		}
		return convert(rounded(a[0], a[1]), t)
	}})
}

func rounded(v, size Value) Value {
	switch {
	case v.kind == Decimal || size.kind == Decimal:
		q := number(v, size, nil, nil, decimalFloor)
		return q
	case v.kind == Real || size.kind == Real:
		by := realOf(size)
		if by <= 0 {
			return Value{}
		}
		return realValue(math.Floor(realOf(v)/by) * by)
	}
	if size.n <= 0 {
		return Value{}
	}
	down, ok := roundDown(v.n, size.n, 0)
	kind := v.kind
	if kind == Int {
		kind = Long // the size may be one, and the caller knows the type
	}
	return wholeValue(kind, down, ok)
}

// bindBinAt moves the fixed point to zero, and back.
func bindBinAt(b *binder, n *call, args []expr) expr {
	value, size, fixed := args[0].typ(), args[1].typ(), args[2].typ()
	t, between := value, TimeSpan
	switch {
	case value.isNumber() && size.isNumber() && fixed.isNumber():
		t = widest(widest(value, size), fixed)
		between = t
	case (value == DateTime || value == TimeSpan) && size == TimeSpan && fixed == value:
	default:
		panic(semanticError(n.span, "SEM0220", "bin_at() rounds numbers, or a datetime or a timespan by a timespan from a fixed point of its own type; this is a %s, a %s and a %s", value, size, fixed))
	}
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
		if a[0].IsNull() || a[1].IsNull() || a[2].IsNull() {
			return Value{}
		}
		if t == Int || t == Long || t == DateTime || t == TimeSpan {
			if a[1].n <= 0 {
				return Value{}
			}
			down, ok := roundDown(a[0].n, a[1].n, a[2].n)
			return wholeValue(t, down, ok)
		}
		down := convert(rounded(convert(subtracted(a[0], a[2]), between), a[1]), between)
		if down.IsNull() {
			return down
		}
		return convert(plus(a[2], down), t)
	}})
}
