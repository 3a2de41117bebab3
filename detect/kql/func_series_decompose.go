package kql

import (
	"cmp"
	"math"
	"slices"
)

// seriesDecomposeFunctions take a series of numbers apart: into what repeats, what
// rises and what is left, or into frequencies.
func seriesDecomposeFunctions() []*scalarFunction {
	const daily = "dynamic([80,139,87,110,68,54,50,51,53,133,86,141,97,156,94,149,95,140,77,61,50,54,47,133,72,152,94,148,105,162,101,160,87,63,53,55,54,151,103,189,108,183,113,175,113,178,90,71,62,62,65,165,109,181,115,182,121,178,114,170])"
	const spike = "dynamic([4,5,4,5,4,5,4,5,4,5,4,90,4,5,4,5,4,5,4,5,4,5,4,5])"
	parts := []string{"baseline", "seasonal", "trend", "residual"}
	filterLimit := func(n, m int) {
		if n*m > maxFilterSteps {
			panic(limitError("a filter of %d coefficients over %d elements takes more than %d steps", m, n, maxFilterSteps))
		}
	}
	return []*scalarFunction{
		{sig: "series_outliers(series:array, kind:string?, ignore:number?, min_percentile:number?, max_percentile:number?, test_points:integer?) dynamic", naming: nameOfFirst,
			doc:      "How far each element is outside of the usual range, by Tukey's test: above 1.5 or below -1.5 it is an outlier, and within the range it is 0. The range is from the 10th to the 90th percentile with the kind 'ctukey', where others may be given, and from the 25th to the 75th with 'tukey'. The factor that the service scales other ranges with is published for the 10th and the 90th only.",
			examples: examples{"series_outliers(dynamic([-3,2.4,15,3.9,5,6,4.5,5.2,3,4,5,16,7,5,5,4]))[0]", "-1.904078548360857", "series_outliers(dynamic([1,2,3,4,100]), 'tukey')[4]", "48"},
			rows:     onArray(seriesOutliers)},
		{sig: "series_periods_detect(series:array, min_period:number, max_period:number, count:long) dynamic",
			doc:      "Several values: the periods in which the series repeats, within bounds, the most certain first, and their scores from 0 to 1. There are as many as the count, 0 for those that are missing. The service's algorithm is not published: here a period is a peak of the autocorrelation, and the score how high it is.",
			examples: examples{"series_periods_detect(" + daily + ", 0.0, 50.0, 2)[0]", "[14.0,0.0]", "round(todouble(series_periods_detect(" + daily + ", 0.0, 50.0, 2)[1][0]), 2)", "0.84"},
			bind: severalValues([]string{"periods", "scores"}, typesAll(Dynamic, 2), func(a []Value) []Value {
				if a[0].kind != kindArray || a[1].IsNull() || a[2].IsNull() || a[3].IsNull() || a[3].n < 0 {
					return nil
				}
				if a[3].n > maxRange {
					panic(limitError("series_periods_detect() gives %d periods at most", maxRange))
				}
				xs, _ := numbersOf(a[0].array())
				periods, scores := make([]float64, a[3].n), make([]float64, a[3].n)
				for i, p := range detectPeriods(xs, convert(a[1], Real).real(), convert(a[2], Real).real()) {
					if i < len(periods) {
						periods[i], scores[i] = float64(p.lag), p.score
					}
				}
				return []Value{realSeries(periods), realSeries(scores)}
			})},
		{sig: "series_periods_validate(series:array, period:number, more:number*) dynamic",
			doc:      "Several values: the periods that are given, and their scores from 0 to 1, as series_periods_detect() has them.",
			examples: examples{"series_periods_validate(" + daily + ", 14.0, 10.0)[0]", "[14.0,10.0]", "round(todouble(series_periods_validate(" + daily + ", 14.0)[1][0]), 2)", "0.84", "series_periods_validate(" + daily + ", 10)[1]", "[0.0]"},
			bind: func(b *binder, n *call, args []expr) expr {
				if len(args) > 17 {
					panic(semanticError(n.fn.span, "SEM0219", "series_periods_validate() takes a series and 16 periods at most"))
				}
				return severalValues([]string{"periods", "scores"}, typesAll(Dynamic, 2), validatedPeriods)(b, n, args)
			}},
		{sig: "series_seasonal(series:array, period:integer?, test_points:integer?) dynamic",
			doc:      "What repeats in the series: of each element the median of those at the same place of a period. Without a period, or with -1, it is detected; zeroes if there is none.",
			examples: examples{"series_seasonal(dynamic([1,3,5,1,3,5,2,4,6]), 3)", "[1.0,3.0,5.0,1.0,3.0,5.0,1.0,3.0,5.0]", "series_seasonal(dynamic([1,3,5,2,4,6,1,3,5,2,4,6]))[0]", "0"},
			rows: onArray(func(items, a []Value) Value {
				xs, _ := numbersOf(items)
				return realSeries(seasonal(xs, optional(a, 1, -1), int(clamped(optional(a, 2, 0), len(xs))), seasonThreshold))
			})},
		{sig: "series_decompose(series:array, period:integer?, trend:string?, test_points:integer?, seasonality_threshold:number?) dynamic",
			doc:      "Several values: baseline, seasonal, trend and residual of a series. The period is detected unless it is given, and 0 is none; the trend is 'avg', 'linefit' or 'none'; the last test points do not count. A detected period must have the threshold as its score, 0.6 unless it is given. Which period is detected follows no published algorithm; see series_periods_detect().",
			examples: examples{"series_decompose(dynamic([1,2,1,2]), 2)[1]", "[1.0,2.0,1.0,2.0]", "series_decompose(dynamic([1,2,3]), 0, 'linefit')[3]", "[0.0,0.0,0.0]"},
			bind: severalValues(parts, typesAll(Dynamic, 4), func(a []Value) []Value {
				return decomposedValues(a, 1, 2, 3, 4)
			})},
		{sig: "series_decompose_forecast(series:array, points:integer, period:integer?, trend:string?, seasonality_threshold:number?) dynamic",
			doc:      "Several values: the baseline of a series, which is the forecast of its last points, which do not count for it; and seasonal, trend and residual. See series_decompose().",
			examples: examples{"series_decompose_forecast(dynamic([1,2,1,2,0,0]), 2, 2)[0]", "[1.0,2.0,1.0,2.0,1.0,2.0]"},
			bind: severalValues(parts, typesAll(Dynamic, 4), func(a []Value) []Value {
				return decomposedValues(a, 2, 3, 1, 4)
			})},
		{sig: "series_decompose_anomalies(series:array, threshold:number?, period:integer?, trend:string?, test_points:integer?, method:string?, seasonality_threshold:number?) dynamic",
			doc:      "Several values: ad_flag, 1 where the series is unusually high, -1 where low, else 0; ad_score; and baseline. An element is unusual if series_outliers(), by the method 'ctukey' or 'tukey', gives what is left of it by series_decompose() a score beyond the threshold, 1.5 unless it is given. The scores' last digits, and which period is detected, follow no published algorithm.",
			examples: examples{"series_decompose_anomalies(" + spike + ")[0][11]", "1", "array_sum(series_decompose_anomalies(" + spike + ")[0])", "1"},
			bind:     severalValues([]string{"ad_flag", "ad_score", "baseline"}, typesAll(Dynamic, 3), anomalies)},
		{sig: "series_fir(series:array, filter:array, normalize:bool?, center:bool?) dynamic", naming: nameOfFirst,
			doc:      "The series through a filter of finite impulse response. The coefficients are divided by their sum unless one is negative or the third argument is false; with center, the filter reaches to both sides.",
			examples: examples{"series_fir(dynamic([0,0,2,2,3]), dynamic([1,-1]), false)", "[0.0,0.0,2.0,0.0,1.0]", "series_fir(dynamic([3,3,3]), dynamic([1,1,1]), true, true)", "[2.0,3.0,2.0]"},
			rows: onArray(func(items, a []Value) Value {
				if a[1].kind != kindArray {
					return Value{}
				}
				filterLimit(len(items), len(a[1].array()))
				return firFilter(items, a)
			})},
		{sig: "series_iir(series:array, numerators:array, denominators:array) dynamic", naming: nameOfFirst,
			doc:      "The series through a filter of infinite impulse response.",
			examples: examples{"series_iir(dynamic([1,2,3,4]), dynamic([1]), dynamic([1,-1]))", "[1.0,3.0,6.0,10.0]"},
			rows: onArray(func(items, a []Value) Value {
				if a[1].kind != kindArray || a[2].kind != kindArray {
					return Value{}
				}
				filterLimit(len(items), len(a[1].array())+len(a[2].array()))
				return iirFilter(items, a[1].array(), a[2].array())
			})},
		{sig: "series_fft(series:array, imaginary:array?) dynamic",
			doc:      "Several values: real and imag of the Fourier transform of a series, which may be complex.",
			examples: examples{"series_fft(dynamic([1,1,1,1]))[0]", "[4.0,0.0,0.0,0.0]"},
			bind:     severalValues([]string{"real", "imag"}, typesAll(Dynamic, 2), func(a []Value) []Value { return transformed(a, false) })},
		{sig: "series_ifft(series:array, imaginary:array?) dynamic",
			doc:      "Several values: real and imag of the inverse Fourier transform of a series, which may be complex.",
			examples: examples{"series_ifft(dynamic([4,0,0,0]))[0]", "[1.0,1.0,1.0,1.0]"},
			bind:     severalValues([]string{"real", "imag"}, typesAll(Dynamic, 2), func(a []Value) []Value { return transformed(a, true) })},
	}
}

// maxFilterSteps bounds what one value costs: no deadline is looked at within it.
const maxFilterSteps = 1 << 30

// seasonThreshold is how certain a period must be to count as a season.
const seasonThreshold = 0.6

func clamped(n int64, most int) int64 { return min(max(n, 0), int64(most)) }

// percentileOf interpolates between sorted numbers.
func percentileOf(sorted []float64, percent float64) float64 {
	at := percent / 100 * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// tukeyFactor scales a score so that 1.5 means the same whatever the range is, if the
// elements are distributed normally. The service's is known for the 10th and the 90th
// percentile from an example that its author has published.
func tukeyFactor(low, high float64) float64 {
	if low == 10 && high == 90 {
		return 2.772605605507915
	}
	z := func(percent float64) float64 { return math.Sqrt2 * math.Erfinv(percent/50-1) }
	quartile := z(75)
	factor := 1.5 * (z(high) - z(low)) / (4*quartile - z(high))
	if !(factor > 0) {
		return 1
	}
	return factor
}

// outlierScores scores numbers against the percentiles of all but the last few.
func outlierScores(xs []float64, low, high float64, testPoints int) []float64 {
	out := make([]float64, len(xs))
	var sorted []float64
	for _, x := range xs[:len(xs)-testPoints] {
		if !math.IsNaN(x) {
			sorted = append(sorted, x)
		}
	}
	if len(sorted) == 0 {
		return out
	}
	slices.Sort(sorted)
	least, most := percentileOf(sorted, low), percentileOf(sorted, high)
	factor := tukeyFactor(low, high)
	for i, x := range xs {
		switch {
		case x > most:
			out[i] = (x - most) / (most - least) * factor
		case x < least:
			out[i] = (x - least) / (most - least) * factor
		}
	}
	return out
}

func seriesOutliers(items, a []Value) Value {
	low, high := 10.0, 90.0
	kind := "ctukey"
	if len(a) > 1 && a[1].s != "" {
		kind = a[1].s
	}
	bound := func(at int, otherwise float64) float64 {
		if len(a) <= at || a[at].IsNull() {
			return otherwise
		}
		return min(max(convert(a[at], Real).real(), 2), 98)
	}
	switch kind {
	case "ctukey":
		low, high = bound(3, low), bound(4, high)
	case "tukey":
		low, high = 25, 75
	default:
		return Value{}
	}
	if !(low < high) {
		return Value{}
	}
	xs, _ := numbersOf(items)
	if len(a) > 2 && !a[2].IsNull() {
		ignored := convert(a[2], Real).real()
		for i, x := range xs {
			if x == ignored {
				xs[i] = math.NaN()
			}
		}
	}
	return realSeries(outlierScores(xs, low, high, int(clamped(optional(a, 5, 0), len(xs)))))
}

// period is a period and how certain it is.
type period struct {
	lag   int
	score float64
}

// periodScores gives the score of each lag up to half of the series' length. It is
// the autocorrelation, scaled by the root of the share of points that have a partner.
// Of the reference's worked example it gives the score that is printed.
func periodScores(xs []float64) []float64 {
	mean, n := 0.0, 0
	for _, x := range xs {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			mean, n = mean+x, n+1
		}
	}
	mean /= float64(n)
	size := 1
	for size < 2*len(xs) {
		size *= 2
	}
	c := make([]complex128, size)
	for i, x := range xs {
		if !math.IsNaN(x) && !math.IsInf(x, 0) {
			c[i] = complex(x-mean, 0)
		}
	}
	fourier(c, false)
	for i, v := range c {
		c[i] = complex(real(v)*real(v)+imag(v)*imag(v), 0)
	}
	fourier(c, true)
	scores := make([]float64, len(xs)/2+1)
	whole := real(c[0])
	if !(whole > 0) || squaresSmall(xs, mean, whole/float64(size)) {
		return scores
	}
	for lag := range scores {
		scores[lag] = real(c[lag]) / whole / math.Sqrt(1-float64(lag)/float64(len(xs)))
	}
	return scores
}

// squaresSmall says whether a series is level but for what rounding leaves.
func squaresSmall(xs []float64, mean, squares float64) bool {
	return squares <= 1e-24*mean*mean*float64(len(xs))
}

// leastPeriod is how many points a period has at least, as the reference says.
const leastPeriod = 4

// isPeak says whether a lag scores higher than its neighbours. The last lag has one
// neighbour only, so it is none.
func isPeak(scores []float64, lag int) bool {
	return lag >= leastPeriod && lag+1 < len(scores) && scores[lag] > 0 && scores[lag] >= scores[lag-1] && scores[lag] > scores[lag+1]
}

// detectPeriods lists the peaks that chance does not explain, the highest first. A
// peak in the shadow of a higher one close by is none, nor is a multiple of a higher
// one.
func detectPeriods(xs []float64, least, most float64) []period {
	if len(xs) < 2*leastPeriod {
		return nil
	}
	scores := periodScores(xs)
	var peaks []period
	for lag := range scores {
		if isPeak(scores, lag) && scores[lag] > byChance(xs) {
			peaks = append(peaks, period{lag, scores[lag]})
		}
	}
	slices.SortStableFunc(peaks, func(p, q period) int { return cmp.Compare(q.score, p.score) })
	peaks = peaks[:min(len(peaks), 256)] // lower ones are of no use
	var found []period
	for i, p := range peaks {
		hidden := slices.ContainsFunc(peaks[:i], func(higher period) bool { return abs(p.lag-higher.lag)*4 <= p.lag }) ||
			slices.ContainsFunc(found, func(f period) bool {
				multiple := math.Round(float64(p.lag) / float64(f.lag))
				return multiple > 1 && math.Abs(float64(p.lag)-multiple*float64(f.lag)) <= multiple/2
			})
		if !hidden {
			found = append(found, p)
		}
	}
	return slices.DeleteFunc(found, func(p period) bool { return float64(p.lag) < least || float64(p.lag) > most })
}

func abs(n int) int { return max(n, -n) }

// byChance is how high the autocorrelation of noise is, 19 times out of 20.
func byChance(xs []float64) float64 { return 1.96 / math.Sqrt(float64(len(xs))) }

func validatedPeriods(a []Value) []Value {
	if a[0].kind != kindArray {
		return nil
	}
	xs, _ := numbersOf(a[0].array())
	scores := periodScores(xs)
	periods, given := make([]float64, len(a)-1), make([]float64, len(a)-1)
	for i, v := range a[1:] {
		if v.IsNull() {
			periods[i] = math.NaN()
			continue
		}
		periods[i] = convert(v, Real).real()
		if lag := math.Round(periods[i]); lag >= leastPeriod && lag < float64(len(scores)) && isPeak(scores, int(lag)) && scores[int(lag)] > byChance(xs) {
			given[i] = scores[int(lag)]
		}
	}
	return []Value{realSeries(periods), realSeries(given)}
}

// seasonal gives the median of the points at the same place of a period. -1 stands
// for the period that the points before the test points show.
func seasonal(xs []float64, length int64, testPoints int, threshold float64) []float64 {
	out := make([]float64, len(xs))
	learned := xs[:len(xs)-testPoints]
	if length < 0 {
		length = 0
		if found := detectPeriods(learned, 0, math.Inf(1)); len(found) > 0 && found[0].score >= threshold {
			length = int64(found[0].lag)
		}
	}
	if length == 0 {
		return out
	}
	for phase := 0; phase < len(xs) && int64(phase) < length; phase++ {
		var points []float64
		for i := int64(phase); i < int64(len(learned)); i += length {
			if !math.IsNaN(learned[i]) {
				points = append(points, learned[i])
			}
		}
		median := 0.0
		if len(points) > 0 {
			slices.Sort(points)
			median = percentileOf(points, 50)
		}
		for i := int64(phase); i < int64(len(xs)); i += length {
			out[i] = median
		}
	}
	return out
}

// decomposition is a series taken apart.
type decomposition struct{ baseline, seasonal, trend, residual []float64 }

// decompose follows the order that the reference gives: first what repeats, then the
// trend of what that leaves. With a line as trend its slope is taken out before the
// medians, which would have a step of it at each period's end otherwise. It is nil for a
// trend that there is not.
func decompose(xs []float64, length int64, trend string, testPoints int, threshold float64) *decomposition {
	n := len(xs)
	d := &decomposition{trend: make([]float64, n), baseline: make([]float64, n), residual: make([]float64, n)}
	rest := make([]float64, n-testPoints)
	some, largest := false, 0.0
	level := slices.Clone(xs)
	tilt := func(slope float64) {
		for i, x := range xs {
			level[i] = x - slope*(float64(i)-float64(len(rest)-1)/2)
		}
	}
	if trend == "linefit" && length != 0 && len(rest) > 1 {
		tilt(fitLine(xs[:len(rest)]).slope)
		d.seasonal = seasonal(level, length, testPoints, threshold)
		for i := range rest {
			rest[i] = xs[i] - d.seasonal[i]
		}
		tilt(fitLine(rest).slope) // of whole periods and others, without what repeats
	}
	d.seasonal = seasonal(level, length, testPoints, threshold)
	for i := range rest {
		rest[i] = xs[i] - d.seasonal[i]
		some = some || !math.IsNaN(rest[i])
	}
	var line lineFit
	switch trend {
	case "none":
	case "avg", "linefit":
		if !some {
			break
		}
		if line = fitLine(rest); trend == "avg" {
			line.intercept, line.slope = line.mean, 0
		}
	default:
		return nil
	}
	for i, x := range xs {
		d.trend[i] = line.at(i)
		d.baseline[i] = d.seasonal[i] + d.trend[i]
		d.residual[i] = x - d.baseline[i]
		if !math.IsNaN(x) {
			largest = max(largest, math.Abs(x))
		}
	}
	for i, r := range d.residual {
		if math.Abs(r) <= 1e-12*largest { // rounding, which is no outlier
			d.residual[i] = 0
		}
	}
	return d
}

// decomposition reads the arguments at their places, and takes the series apart.
func decomposed(a []Value, lengthAt, trendAt, testAt, thresholdAt int) *decomposition {
	if a[0].kind != kindArray {
		return nil
	}
	xs, _ := numbersOf(a[0].array())
	trend, threshold := "avg", seasonThreshold
	if len(a) > trendAt && a[trendAt].s != "" {
		trend = a[trendAt].s
	}
	if len(a) > thresholdAt && !a[thresholdAt].IsNull() {
		threshold = convert(a[thresholdAt], Real).real()
	}
	return decompose(xs, optional(a, lengthAt, -1), trend, int(clamped(optional(a, testAt, 0), len(xs))), threshold)
}

func decomposedValues(a []Value, lengthAt, trendAt, testAt, thresholdAt int) []Value {
	d := decomposed(a, lengthAt, trendAt, testAt, thresholdAt)
	if d == nil {
		return nil
	}
	return []Value{realSeries(d.baseline), realSeries(d.seasonal), realSeries(d.trend), realSeries(d.residual)}
}

// anomalies is series_decompose_anomalies().
func anomalies(a []Value) []Value {
	d := decomposed(a, 2, 3, 4, 6)
	if d == nil {
		return nil
	}
	threshold, low, high := 1.5, 10.0, 90.0
	if len(a) > 1 && !a[1].IsNull() {
		threshold = convert(a[1], Real).real()
	}
	if len(a) > 5 && a[5].s != "" && a[5].s != "ctukey" {
		if a[5].s != "tukey" {
			return nil
		}
		low, high = 25, 75
	}
	scores := outlierScores(d.residual, low, high, int(clamped(optional(a, 4, 0), len(d.residual))))
	flags := make([]Value, len(scores))
	for i, score := range scores {
		switch {
		case score > threshold:
			flags[i] = longValue(1)
		case score < -threshold:
			flags[i] = longValue(-1)
		default:
			flags[i] = longValue(0)
		}
	}
	return []Value{arrayValue(flags), realSeries(scores), realSeries(d.baseline)}
}
