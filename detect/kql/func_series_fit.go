package kql

import (
	"math"
)

// seriesFitFunctions describe a series of numbers by few.
func seriesFitFunctions() []*scalarFunction {
	const sample = "dynamic([23,46,23,87,4,8,3,75,2,56,13,75,32,16,29])"
	const line = "dynamic([2,5,6,8,11,15,17,18,25,26,30,30])"
	statistics := []string{"min", "min_idx", "max", "max_idx", "avg", "stdev", "variance"}
	statisticTypes := []Type{Real, Long, Real, Long, Real, Real, Real}
	lineNames := []string{"rsquare", "slope", "variance", "rvariance", "interception", "line_fit"}
	lineTypes := []Type{Real, Real, Real, Real, Real, Dynamic}
	polyNames := []string{"rsquare", "coefficients", "variance", "rvariance", "poly_fit"}
	polyTypes := []Type{Real, Dynamic, Real, Real, Dynamic}
	twoTypes := typesAll(Real, len(twoLinesNames))
	twoTypes[1], twoTypes[4] = Long, Dynamic
	of := func(f func(xs []float64) Value) func([]Value) Value {
		return onArray(func(items, _ []Value) Value {
			xs, _ := numbersOf(items)
			kept := xs[:0]
			for _, x := range xs {
				if !math.IsNaN(x) {
					kept = append(kept, x)
				}
			}
			return f(kept)
		})
	}
	return []*scalarFunction{
		{sig: "series_stats(series:array, ignore_nonfinite:bool!?) dynamic",
			doc:      "Several values: min, min_idx, max, max_idx, avg, stdev and variance of a series. They are null if an element is no finite number, unless the second argument is true.",
			examples: examples{"tostring(series_stats(" + sample + ")[6])", "812.4571428571429", "tostring(series_stats(dynamic([1,null,3]))[2])", "", "tostring(series_stats(dynamic([1,null,3]), true)[4])", "2"},
			bind: severalValues(statistics, statisticTypes, func(a []Value) []Value {
				s, ok := statisticsOf(a)
				if !ok {
					return nil
				}
				return s[:len(statistics)]
			})},
		{sig: "series_stats_dynamic(series:array, ignore_nonfinite:bool!?) dynamic",
			doc:      "A property bag of what series_stats() gives, and sum and len.",
			examples: examples{"series_stats_dynamic(" + sample + ").sum", "492", "series_stats_dynamic(dynamic([1,3]))", `{"min":1.0,"min_idx":0,"max":3.0,"max_idx":1,"avg":2.0,"stdev":1.4142135623730951,"variance":2.0,"sum":4.0,"len":2}`},
			rows: func(a []Value) Value {
				s, ok := statisticsOf(a)
				if !ok {
					s = make([]Value, len(statistics)+2)
				}
				return bagOf(append(statistics[:len(statistics):len(statistics)], "sum", "len"), s)
			}},
		{sig: "series_fit_line(series:array) dynamic",
			doc:      "Several values of the line that fits the series best: rsquare, slope, variance, rvariance, interception and line_fit.",
			examples: examples{"round(toreal(series_fit_line(" + line + ")[1]), 3)", "2.731", "round(toreal(series_fit_line(" + line + ")[4]), 3)", "-1.667"},
			bind:     severalValues(lineNames, lineTypes, func(a []Value) []Value { return fitted(a[0], lineOf) })},
		{sig: "series_fit_line_dynamic(series:array) dynamic",
			doc:      "A property bag of what series_fit_line() gives.",
			examples: examples{"series_fit_line_dynamic(dynamic([1,2,3])).slope", "1"},
			rows:     func(a []Value) Value { return bagOf(lineNames, fitted(a[0], lineOf)) }},
		{sig: "series_fit_2lines(series:array) dynamic",
			doc:      "Several values of the two lines that fit the two parts of the series best, wherever it is cut: rsquare, split_idx, variance, rvariance and line_fit of both, and rsquare, slope, interception, variance and rvariance of the right and the left one. Each line's x begins at 1, and each part has two points at least; neither is published.",
			examples: examples{"tostring(series_fit_2lines(dynamic([1,2,3,9,7,5]))[1])", "3", "tostring(series_fit_2lines(dynamic([1,2,3,9,7,5]))[6])", "-2"},
			bind:     severalValues(twoLinesNames, twoTypes, func(a []Value) []Value { return fitted(a[0], twoLinesOf) })},
		{sig: "series_fit_2lines_dynamic(series:array) dynamic",
			doc:      "A property bag of what series_fit_2lines() gives, with the bags right and left.",
			examples: examples{"series_fit_2lines_dynamic(dynamic([1,2,3,9,7,5])).left.slope", "1"},
			rows: func(a []Value) Value {
				vals := fitted(a[0], twoLinesOf)
				if vals == nil {
					return Value{}
				}
				parts := []string{"rsquare", "slope", "interception", "variance", "rvariance"}
				return bagOf([]string{"rsquare", "split_idx", "variance", "rvariance", "line_fit", "right", "left"},
					append(vals[:5:5], bagOf(parts, vals[5:10]), bagOf(parts, vals[10:15])))
			}},
		{sig: "series_fit_poly(series:array, x:array?, degree:integer?) dynamic",
			doc:      "Several values of the polynomial that fits the series best: rsquare, coefficients from the highest power down, variance, rvariance and poly_fit. x is 1, 2 and so on unless it is given, and the degree is 1.",
			examples: examples{"round(toreal(series_fit_poly(dynamic([1,4,9,16]), dynamic([1,2,3,4]), toint(2))[0]), 6)", "1"},
			bind:     severalValues(polyNames, polyTypes, polynomialOf)},
		{sig: "series_sum(series:array) real", doc: "The sum of the elements that are numbers.", rows: of(func(xs []float64) Value { return realValue(sumOf(xs)) }),
			examples: examples{"series_sum(dynamic([1,2,3,4]))", "10"}},
		{sig: "series_product(series:array) real", doc: "The product of the elements that are numbers.",
			examples: examples{"series_product(dynamic([1,2,3,4]))", "24"},
			rows: of(func(xs []float64) Value {
				product := 1.0
				for _, x := range xs {
					product *= x
				}
				return realValue(product)
			})},
		{sig: "series_magnitude(series:array) real", doc: "The square root of the sum of the squares.",
			examples: examples{"series_magnitude(dynamic([1,2,3,4]))", "5.477225575051661"},
			rows:     of(func(xs []float64) Value { return realValue(math.Sqrt(dotProduct(xs, xs))) })},
		{sig: "series_dot_product(left:series, right:series) real",
			doc:      "The sum of the products of the elements at the same positions of two series, or of a series and a number; null if one is empty.",
			examples: examples{"series_dot_product(dynamic([1,2,4]), dynamic([4,2,1]))", "12", "series_dot_product(dynamic([1,2,4]), 2)", "14", "series_dot_product(dynamic([]), 2)", "null"},
			bind: func(b *binder, n *call, args []expr) expr {
				if args[0].typ() != Dynamic && args[1].typ() != Dynamic {
					panic(semanticError(n.fn.span, "SEM0220", "one of the arguments of %s() must be a dynamic array, and these are a %s and a %s", n.fn.text, args[0].typ(), args[1].typ()))
				}
				return fold(&applyExpr{t: Real, args: args, rows: func(a []Value) Value {
					n := shorter(a[0], a[1])
					if n == 0 {
						return Value{}
					}
					sum := 0.0
					for i := range n {
						if l, r := numericElement(elementAt(a[0], i)), numericElement(elementAt(a[1], i)); !l.IsNull() && !r.IsNull() {
							sum += realOf(l) * realOf(r)
						}
					}
					return realValue(sum)
				}})
			}},
		{sig: "series_cosine_similarity(left:array, right:array, left_magnitude:real?, right_magnitude:real?) real",
			doc:      "The cosine of the angle between two series; their magnitudes may be given. Null if one is empty.",
			examples: examples{"round(series_cosine_similarity(dynamic([0.1,0.2,0.1,0.2]), dynamic([1,2,3,4])), 6)", "0.92376", "series_cosine_similarity(dynamic([]), dynamic([1]))", "null"},
			rows: func(a []Value) Value {
				n := shorter(a[0], a[1])
				if n == 0 || a[0].kind != kindArray || a[1].kind != kindArray {
					return Value{}
				}
				var xs, ys []float64
				for i := range n {
					if l, r := numericElement(elementAt(a[0], i)), numericElement(elementAt(a[1], i)); !l.IsNull() && !r.IsNull() {
						xs, ys = append(xs, realOf(l)), append(ys, realOf(r))
					}
				}
				magnitude := func(at int, xs []float64) float64 {
					if len(a) > at && !a[at].IsNull() {
						return a[at].real()
					}
					return math.Sqrt(dotProduct(xs, xs))
				}
				return finiteReal(dotProduct(xs, ys) / (magnitude(2, xs) * magnitude(3, ys)))
			}},
		{sig: "series_pearson_correlation(left:array, right:array) real",
			doc:      "Pearson's coefficient of correlation of two series; null if they are not as long as each other, or hold what is no number.",
			examples: examples{"series_pearson_correlation(dynamic([1,2,3]), dynamic([2,4,6]))", "1", "series_pearson_correlation(dynamic([1,2]), dynamic([1]))", "null"},
			rows: func(a []Value) Value {
				if a[0].kind != kindArray || a[1].kind != kindArray || len(a[0].array()) != len(a[1].array()) {
					return Value{}
				}
				xs, all1 := numbersOf(a[0].array())
				ys, all2 := numbersOf(a[1].array())
				if !all1 || !all2 || len(xs) == 0 {
					return Value{}
				}
				mx, my := meanOf(xs), meanOf(ys)
				var sxy, sxx, syy float64
				for i := range xs {
					sxy += (xs[i] - mx) * (ys[i] - my)
					sxx += (xs[i] - mx) * (xs[i] - mx)
					syy += (ys[i] - my) * (ys[i] - my)
				}
				return finiteReal(sxy / math.Sqrt(sxx*syy))
			}},
	}
}

var twoLinesNames = []string{"rsquare", "split_idx", "variance", "rvariance", "line_fit",
	"right_rsquare", "right_slope", "right_interception", "right_variance", "right_rvariance",
	"left_rsquare", "left_slope", "left_interception", "left_variance", "left_rvariance"}

// shorter is how many elements both have; a number has as many as the other.
func shorter(x, y Value) int {
	n, m := elementCount(x), elementCount(y)
	switch {
	case n < 0 && isNumericElement(x):
		return max(m, 0)
	case m < 0 && isNumericElement(y):
		return max(n, 0)
	}
	return max(min(n, m), 0)
}

func bagOf(keys []string, vals []Value) Value {
	if vals == nil {
		return Value{}
	}
	b := newBag(len(keys))
	for i, k := range keys {
		b.set(k, vals[i])
	}
	return bagValue(b)
}

func sumOf(xs []float64) (sum float64) {
	for _, x := range xs {
		sum += x
	}
	return sum
}

func dotProduct(xs, ys []float64) (sum float64) {
	for i, x := range xs {
		sum += x * ys[i]
	}
	return sum
}

func meanOf(xs []float64) float64 { return sumOf(xs) / float64(len(xs)) }

// statisticsOf gives min, min_idx, max, max_idx, avg, stdev, variance, sum and len of
// the series that is the first argument.
func statisticsOf(a []Value) ([]Value, bool) {
	if a[0].kind != kindArray {
		return nil, false
	}
	ignore := len(a) > 1 && a[1].isTrue()
	xs, _ := numbersOf(a[0].array())
	least, most := -1, -1
	var kept []float64
	for i, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			if !ignore {
				return nil, false
			}
			continue
		}
		kept = append(kept, x)
		if least < 0 || x < xs[least] {
			least = i
		}
		if most < 0 || x > xs[most] {
			most = i
		}
	}
	if len(kept) == 0 {
		return nil, false
	}
	// The way of Welford, which gives the digits that the reference prints.
	var mean, squares, variance float64
	for i, x := range kept {
		d := x - mean
		mean += d / float64(i+1)
		squares += d * (x - mean)
	}
	if len(kept) > 1 {
		variance = squares / float64(len(kept)-1)
	}
	return []Value{
		realValue(xs[least]), longValue(int64(least)), realValue(xs[most]), longValue(int64(most)),
		realValue(meanOf(kept)), realValue(math.Sqrt(variance)), realValue(variance), realValue(sumOf(kept)), longValue(int64(len(kept))),
	}, true
}

func squaresAround(xs []float64, mean float64) (sum float64) {
	for _, x := range xs {
		sum += (x - mean) * (x - mean)
	}
	return sum
}

// fitted fits a series of two numbers or more. There is nothing to fit where an
// element is no finite number.
func fitted(series Value, fit func(ys []float64) []Value) []Value {
	if series.kind != kindArray {
		return nil
	}
	ys, all := numbersOf(series.array())
	if !all || len(ys) < 2 {
		return nil
	}
	for _, y := range ys {
		if math.IsInf(y, 0) {
			return nil
		}
	}
	return fit(ys)
}

// lineFit is a line y = slope*x + intercept over x = 0, 1, ... What the functions give
// as interception is where x is -1, as they count it from 1.
type lineFit struct {
	slope, intercept float64
	mean             float64
	squares          float64 // of the differences from the mean
	residual         float64 // of the differences from the line
	n                int
}

// fitLine fits a line to the points that are numbers.
func fitLine(ys []float64) lineFit {
	f := lineFit{}
	var mx, my float64
	for x, y := range ys {
		if !math.IsNaN(y) {
			f.n++
			mx += float64(x)
			my += y
		}
	}
	mx, my = mx/float64(f.n), my/float64(f.n)
	var sxx, sxy float64
	for x, y := range ys {
		if !math.IsNaN(y) {
			dx := float64(x) - mx
			sxx += dx * dx
			sxy += dx * (y - my)
			f.squares += (y - my) * (y - my)
		}
	}
	if sxx > 0 {
		f.slope = sxy / sxx
	}
	f.intercept, f.mean = my-f.slope*mx, my
	for x, y := range ys {
		if !math.IsNaN(y) {
			d := y - f.at(x)
			f.residual += d * d
		}
	}
	return f
}

func (f lineFit) at(x int) float64 { return f.slope*float64(x) + f.intercept }

// rsquare is 1 of points that are all on the line, also where that is level.
func rsquare(residual, squares float64) float64 {
	if residual <= 1e-12*squares || squares == 0 {
		return 1
	}
	return 1 - residual/squares
}

// variance of a population of n, or of a sample.
func sampleVariance(squares float64, n int) float64 {
	if n < 2 {
		return 0
	}
	return squares / float64(n-1)
}

func lineOf(ys []float64) []Value {
	f := fitLine(ys)
	line := make([]float64, len(ys))
	for x := range line {
		line[x] = f.at(x)
	}
	return []Value{
		realValue(rsquare(f.residual, f.squares)), realValue(f.slope), realValue(sampleVariance(f.squares, f.n)),
		realValue(sampleVariance(f.residual, f.n)), realValue(f.at(-1)), realSeries(line),
	}
}

// twoLinesOf cuts the series where the two lines leave the least. Running sums give
// what a line leaves of each part at once.
func twoLinesOf(ys []float64) []Value {
	n := len(ys)
	if n < 4 {
		return nil
	}
	mean := meanOf(ys)
	var sy, sxy, syy = make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)
	for i, y := range ys {
		d := y - mean
		sy[i+1], sxy[i+1], syy[i+1] = sy[i]+d, sxy[i]+float64(i)*d, syy[i]+d*d
	}
	left := func(from, to int) float64 {
		m := float64(to - from)
		y, yy := sy[to]-sy[from], syy[to]-syy[from]
		xy := sxy[to] - sxy[from] - y*(float64(from)+float64(to)-1)/2 // around the middle
		sxx := m * (m*m - 1) / 12
		return max(0, yy-y*y/m-xy*xy/sxx)
	}
	best, split := math.Inf(1), 0
	for at := 2; at <= n-2; at++ {
		if r := left(0, at) + left(at, n); r < best {
			best, split = r, at
		}
	}
	l, r := fitLine(ys[:split]), fitLine(ys[split:])
	line := make([]float64, n)
	for x := range line {
		if x < split {
			line[x] = l.at(x)
		} else {
			line[x] = r.at(x - split)
		}
	}
	squares, residual := squaresAround(ys, mean), l.residual+r.residual
	part := func(f lineFit) []Value {
		return []Value{realValue(rsquare(f.residual, f.squares)), realValue(f.slope), realValue(f.at(-1)),
			realValue(sampleVariance(f.squares, f.n)), realValue(sampleVariance(f.residual, f.n))}
	}
	vals := []Value{realValue(rsquare(residual, squares)), longValue(int64(split)), realValue(sampleVariance(squares, n)),
		realValue(sampleVariance(residual, n)), realSeries(line)}
	return append(append(vals, part(r)...), part(l)...)
}

// How large a polynomial and its series may be.
const (
	maxDegree     = 32
	maxPolynomial = 1 << 23
)

// polynomialOf fits by orthogonal polynomials over the points, which stay exact where
// powers do not, and gives the coefficients of the powers.
func polynomialOf(a []Value) []Value {
	degree := int(optional(a, 2, 1))
	var xs []float64
	if len(a) > 1 && a[1].kind == kindArray {
		var all bool
		if xs, all = numbersOf(a[1].array()); !all {
			return nil
		}
	}
	return fitted(a[0], func(ys []float64) []Value {
		n := len(ys)
		if xs == nil {
			for i := range n {
				xs = append(xs, float64(i+1))
			}
		}
		if len(xs) != n || degree < 1 || degree >= n {
			return nil
		}
		if degree > maxDegree || n*(degree+1) > maxPolynomial {
			panic(limitError("series_fit_poly() fits a polynomial of degree %d at most, to %d points at most", maxDegree, maxPolynomial/(degree+1)))
		}
		coefficients, ok := fitPolynomial(xs, ys, degree)
		if !ok {
			return nil
		}
		fit, residual := make([]float64, n), 0.0
		for i, x := range xs {
			for k := degree; k >= 0; k-- {
				fit[i] = fit[i]*x + coefficients[k]
			}
			residual += (ys[i] - fit[i]) * (ys[i] - fit[i])
		}
		squares := squaresAround(ys, meanOf(ys))
		down := make([]float64, degree+1)
		for k, c := range coefficients {
			down[degree-k] = c
		}
		return []Value{realValue(rsquare(residual, squares)), realSeries(down), realValue(sampleVariance(squares, n)),
			realValue(sampleVariance(residual, n)), realSeries(fit)}
	})
}

// fitPolynomial builds, from the recurrence of Forsythe, polynomials that are
// orthogonal over the points. It is false where there are too few different points.
func fitPolynomial(xs, ys []float64, degree int) ([]float64, bool) {
	n := len(xs)
	last, now := make([]float64, n), make([]float64, n)
	lastPowers, powers := make([]float64, degree+1), make([]float64, degree+1)
	out := make([]float64, degree+1)
	for i := range now {
		now[i] = 1
	}
	powers[0] = 1
	before := 1.0
	for k := 0; ; k++ {
		norm, xnorm, proj := 0.0, 0.0, 0.0
		for i, p := range now {
			norm += p * p
			xnorm += xs[i] * p * p
			proj += ys[i] * p
		}
		if !(norm > 0) || math.IsInf(norm, 0) {
			return nil, false
		}
		for j, c := range powers {
			out[j] += c * proj / norm
		}
		if k == degree {
			return out, true
		}
		alpha, beta := xnorm/norm, 0.0
		if k > 0 {
			beta = norm / before
		}
		next, nextPowers := make([]float64, n), make([]float64, degree+1)
		for i := range next {
			next[i] = (xs[i]-alpha)*now[i] - beta*last[i]
		}
		for j := range nextPowers {
			nextPowers[j] = -alpha*powers[j] - beta*lastPowers[j]
			if j > 0 {
				nextPowers[j] += powers[j-1]
			}
		}
		last, now, lastPowers, powers, before = now, next, powers, nextPowers, norm
	}
}
