package kql

import (
	"math"

	"github.com/cockroachdb/apd/v3"
)

// mathFunctions work on numbers.
func mathFunctions() []*scalarFunction {
	float := func(sig, doc string, f func(float64) float64) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, strict: true, naming: nameOfFirst, rows: func(a []Value) Value { return realValue(f(toReal(a[0]).real())) }}
	}
	return []*scalarFunction{
		{sig: "abs(value:summable) first", doc: "The value without its sign.", naming: nameOfFirst, bind: bindAbs},
		{sig: "round(value:number, digits:integer!?) first", doc: "The number rounded to some digits behind the point, halves to even.", strict: true, naming: nameOfFirst, rows: round},
		{sig: "ceiling(value:number) first", doc: "The least integer that is not less.", strict: true, naming: nameOfFirst, rows: ceiling},
		{sig: "pow(base:number, exponent:number) real", doc: "The base to the power of the exponent.", strict: true, naming: nameOfFirst,
			rows: func(a []Value) Value {
				return realValue(math.Pow(toReal(a[0]).real(), toReal(a[1]).real()))
			}},
		float("sqrt(value:number) real", "The square root.", math.Sqrt),
		float("exp(value:number) real", "e to the power of the value.", math.Exp),
		float("log(value:number) real", "The natural logarithm.", math.Log),
		float("log10(value:number) real", "The logarithm to base 10.", math.Log10),
		float("log2(value:number) real", "The logarithm to base 2.", math.Log2),
		{sig: "isnan(value:real) bool", doc: "Whether the value is not a number.", rows: func(a []Value) Value { return boolValue(!a[0].IsNull() && math.IsNaN(a[0].real())) }},
		{sig: "isinf(value:real) bool", doc: "Whether the value is infinite.", rows: func(a []Value) Value { return boolValue(!a[0].IsNull() && math.IsInf(a[0].real(), 0)) }},
		{sig: "isfinite(value:real) bool", doc: "Whether the value is neither infinite nor not a number.", rows: func(a []Value) Value {
			return boolValue(!a[0].IsNull() && !math.IsInf(a[0].real(), 0) && !math.IsNaN(a[0].real()))
		}},
		{sig: "sign(value:number) real", doc: "-1, 0 or 1.", strict: true, rows: func(a []Value) Value {
			order, _ := compare(a[0], longValue(0))
			return realValue(float64(order))
		}},
	}
}

// bindAbs makes a long of an int, as arithmetic does.
func bindAbs(b *binder, n *call, args []expr) expr {
	t := args[0].typ()
	switch t {
	case Int:
		t = Long
	case DateTime:
		failSemantic(n.args[0].pos(), "SEM0220", "the argument 'value' of abs() must be a number or a timespan, and this is a datetime")
	}
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
		v := convert(a[0], t)
		if v.IsNull() {
			return v
		}
		if n := negated(v); sortOrder(v, n) < 0 {
			return n
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
	scale := math.Pow10(int(-digits))
	return convert(realValue(math.RoundToEven(float64(a[0].n)/scale)*scale), a[0].kind)
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
