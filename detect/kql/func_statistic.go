package kql

import "math"

// statisticFunctions are those of probability.
func statisticFunctions() []*scalarFunction {
	three := func(f func(x, a, b float64) float64) func([]Value) Value {
		return func(a []Value) Value {
			return realValue(f(floatOf(a[0]), floatOf(a[1]), floatOf(a[2])))
		}
	}
	one := func(f func(float64) float64) func([]Value) Value {
		return func(a []Value) Value { return realValue(f(floatOf(a[0]))) }
	}
	return []*scalarFunction{
		{sig: "gamma(value:number) real", doc: "The gamma function.", strict: true, naming: nameOfFirst, rows: one(math.Gamma),
			examples: examples{"gamma(5)", "24"}},
		{sig: "loggamma(value:number) real", doc: "The logarithm of the absolute value of the gamma function.", strict: true, naming: nameOfFirst, rows: one(func(x float64) float64 { y, _ := math.Lgamma(x); return y }),
			examples: examples{"round(loggamma(5), 6)", "3.178054"}},
		{sig: "erf(value:number) real", doc: "The error function.", strict: true, naming: nameOfFirst, rows: one(math.Erf),
			examples: examples{"erf(0)", "0", "round(erf(0.5), 6)", "0.5205"}},
		{sig: "erfc(value:number) real", doc: "The complementary error function.", strict: true, naming: nameOfFirst, rows: one(math.Erfc),
			examples: examples{"erfc(0)", "1"}},
		{sig: "beta_cdf(x:number, alpha:number, beta:number) real", doc: "The cumulative beta distribution; NaN where it is not defined.", strict: true, rows: three(betaCDF),
			examples: examples{"round(beta_cdf(0.5, 2, 2), 6)", "0.5", "beta_cdf(2, 1, 1)", "NaN"}},
		{sig: "beta_inv(probability:number, alpha:number, beta:number) real", doc: "The inverse of the cumulative beta distribution; NaN where that is not defined, and null of what is no probability.", strict: true, rows: func(a []Value) Value {
			if p := realOf(a[0]); p < 0 || p > 1 {
				return Value{} // as the reference prints it
			}
			return three(betaInverse)(a)
		},
			examples: examples{"round(beta_inv(0.5, 2, 2), 6)", "0.5", "beta_inv(2, 1, 1)", "null", "beta_inv(0.5, -1, 1)", "NaN"}},
		{sig: "beta_pdf(x:number, alpha:number, beta:number) real", doc: "The density of the beta distribution; NaN where it is not defined.", strict: true, rows: three(betaDensity),
			examples: examples{"round(beta_pdf(0.5, 2, 2), 6)", "1.5", "beta_pdf(-1, 1, 1)", "NaN"}},
		{sig: "welch_test(mean1:number, variance1:number, count1:number, mean2:number, variance2:number, count2:number) real", doc: "The p-value of Welch's t-test of two samples, from their means, variances and counts.", strict: true,
			examples: examples{"round(welch_test(10, 4, 20, 12, 4, 20), 6)", "0.003073"},
			rows: func(a []Value) Value {
				x := make([]float64, len(a))
				for i := range a {
					x[i] = floatOf(a[i])
				}
				return realValue(welchTest(x[0], x[1], x[2], x[3], x[4], x[5]))
			}},
	}
}

// mostGamma is up to where a real holds the gamma function.
const mostGamma = 170

func betaCDF(x, a, b float64) float64 {
	if !(x >= 0 && x <= 1 && a > 0 && b > 0) {
		return nan
	}
	return incompleteBeta(x, a, b)
}

func betaDensity(x, a, b float64) float64 {
	if !(x >= 0 && x <= 1 && a > 0 && b > 0) {
		return nan
	}
	if a+b < mostGamma {
		return math.Pow(x, a-1) * math.Pow(1-x, b-1) * (math.Gamma(a+b) / math.Gamma(a) / math.Gamma(b))
	}
	return math.Exp((a-1)*math.Log(x) + (b-1)*math.Log1p(-x) - logBeta(a, b))
}

// betaInverse halves the span that the value is in until it is as narrow as a
// real can tell.
func betaInverse(p, a, b float64) float64 {
	if !(p >= 0 && p <= 1 && a > 0 && b > 0) {
		return nan
	}
	low, high := 0.0, 1.0
	for range 200 {
		mid := (low + high) / 2
		if mid == low || mid == high {
			break
		}
		if incompleteBeta(mid, a, b) < p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// logBeta is the logarithm of the beta function. As long as the gamma function
// can be had it is exacter than by logarithms.
func logBeta(a, b float64) float64 {
	if a+b < mostGamma {
		return math.Log(math.Gamma(a) / math.Gamma(a+b) * math.Gamma(b))
	}
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

// incompleteBeta is the regularized incomplete beta function, by its continued
// fraction: see https://dlmf.nist.gov/8.17#v.
func incompleteBeta(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where it converges slowly the other end is better
		return 1 - incompleteBeta(1-x, b, a)
	}
	const tiny, terms = 1e-300, 10_000
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	h := d
	for m := 1.0; m < terms; m++ {
		for _, k := range []float64{m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)), -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))} {
			if d = 1 + k*d; math.Abs(d) < tiny {
				d = tiny
			}
			if c = 1 + k/c; math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			h *= d * c
		}
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return betaDensity(x, a, b) * x * (1 - x) / a * h
}

// welchTest is the probability that two samples of one mean differ so much.
func welchTest(m1, v1, n1, m2, v2, n2 float64) float64 {
	e1, e2 := v1/n1, v2/n2
	t := (m1 - m2) / math.Sqrt(e1+e2)
	freedom := (e1 + e2) * (e1 + e2) / (e1*e1/(n1-1) + e2*e2/(n2-1))
	if math.IsNaN(t) || !(freedom > 0) {
		return nan
	}
	return incompleteBeta(freedom/(freedom+t*t), freedom/2, 0.5)
}

// floatOf is a number as a real.
func floatOf(v Value) float64 { return convert(v, Real).real() }
