package kql

import (
	"math"
	"slices"
	"strings"
)

// statisticAggregates compute sums, means, spreads and ranks.
func statisticAggregates() []*aggregate {
	sum := func(t Type) accumulator { return &summing{t: promoted(t)} }
	avg := func(t Type) accumulator { return &averaging{t: averageType(t)} }
	variance := func(of divisor) func(Type) accumulator {
		return each(func() accumulator { return &spreading{of: of} })
	}
	deviation := func(of divisor) func(Type) accumulator {
		return each(func() accumulator { return &spreading{of: of, root: true} })
	}
	covariance := func(of divisor) func(Type) accumulator {
		return each(func() accumulator { return &covarying{of: of} })
	}
	return []*aggregate{
		{sig: "sum(value:summable) promoted", doc: "The sum.", stem: "sum", start: sum,
			examples: examples{"sum(x)", "5"}},
		{sig: "sumif(value:summable, predicate:bool) promoted", doc: "The sum over rows for which the predicate is true.", stem: "sumif", start: onlyIf(1, sum),
			examples: examples{"sumif(x, s == 'b')", "4"}},
		{sig: "avg(value:summable) average", doc: "The mean of the values that are not null.", stem: "avg", start: avg,
			examples: examples{"avg(x * 3)", "5"}},
		{sig: "avgif(value:summable, predicate:bool) average", doc: "The mean over rows for which the predicate is true.", stem: "avgif", start: onlyIf(1, avg),
			examples: examples{"avgif(x, s == 'b')", "2"}},
		{sig: "stdev(value:number) real", doc: "The standard deviation of a sample.", stem: "stdev", start: deviation(ofSample),
			examples: examples{"round(stdev(x), 6)", "0.57735"}},
		{sig: "stdevif(value:number, predicate:bool) real", doc: "The standard deviation of a sample, of rows for which the predicate is true.", stem: "stdevif", start: onlyIf(1, deviation(ofSample)),
			examples: examples{"stdevif(x, x > 1)", "0"}},
		{sig: "stdevp(value:number) real", doc: "The standard deviation of a population.", stem: "stdevp", start: deviation(ofPopulation),
			examples: examples{"round(stdevp(x), 6)", "0.471405"}},
		{sig: "variance(value:number) real", doc: "The variance of a sample.", stem: "variance", start: variance(ofSample),
			examples: examples{"round(variance(x), 6)", "0.333333"}},
		{sig: "varianceif(value:number, predicate:bool) real", doc: "The variance of a sample, of rows for which the predicate is true.", stem: "varianceif", start: onlyIf(1, variance(ofSample)),
			examples: examples{"varianceif(x, x > 1)", "0"}},
		{sig: "variancep(value:number) real", doc: "The variance of a population.", stem: "variancep", start: variance(ofPopulation),
			examples: examples{"round(variancep(x), 6)", "0.222222"}},
		{sig: "variancepif(value:number, predicate:bool) real", doc: "The variance of a population, of rows for which the predicate is true.", stem: "variancepif", start: onlyIf(1, variance(ofPopulation)),
			examples: examples{"variancepif(x, x > 1)", "0"}},
		{sig: "covariance(x:number, y:number) real", doc: "The covariance of a sample.", stem: "covariance", start: covariance(ofSample),
			examples: examples{"round(covariance(x, x), 6)", "0.333333"}},
		{sig: "covarianceif(x:number, y:number, predicate:bool) real", doc: "The covariance of a sample, of rows for which the predicate is true.", stem: "covarianceif", start: onlyIf(2, covariance(ofSample)),
			examples: examples{"covarianceif(x, -x, x > 1)", "0"}},
		{sig: "covariancep(x:number, y:number) real", doc: "The covariance of a population.", stem: "covariancep", start: covariance(ofPopulation),
			examples: examples{"round(covariancep(x, -x), 6)", "-0.222222"}},
		{sig: "covariancepif(x:number, y:number, predicate:bool) real", doc: "The covariance of a population, of rows for which the predicate is true.", stem: "covariancepif", start: onlyIf(2, covariance(ofPopulation)),
			examples: examples{"covariancepif(x, x, x > 1)", "0"}},
		{sig: "percentile(value:summable, percentile:number!) promoted", doc: "The least value that at least so many percent of the values do not exceed; exact here, an estimate in the service.",
			start: each(func() accumulator { return &ranking{} }), naming: percentileName(1), check: checkPercentiles(1),
			examples: examples{"percentile(x, 50)", "2", "percentile(x, 33)", "1"}},
		{sig: "percentiles(value:summable, percentile:number!, more:number!*) promoted", doc: "A column for each of several percentiles.", columns: bindPercentiles(1), check: checkPercentiles(1),
			examples: examples{"percentiles(x, 5, 95)", "1, 2"}},
		{sig: "percentiles_array(value:summable, percentile:percentile!, more:number!*) dynamic", doc: "Several percentiles, or an array of them, as an array.", stem: "percentiles",
			start: each(func() accumulator { return &ranking{array: true} }), check: checkPercentiles(1),
			examples: examples{"percentiles_array(x, 5, 95)", "[1,2]", "percentiles_array(x, dynamic([0,100]))", "[1,2]"}},
		{sig: "percentilew(value:summable, weight:integer, percentile:number!) promoted", doc: "The percentile of values that count as often as their weights say.",
			start: each(func() accumulator { return &ranking{weighted: true} }), naming: percentileName(2), check: checkPercentiles(2),
			examples: examples{"percentilew(x, 2 - x % 2, 20)", "1"}},
		{sig: "percentilesw(value:summable, weight:integer, percentile:number!, more:number!*) promoted", doc: "A column for each of several weighted percentiles.", columns: bindPercentiles(2), check: checkPercentiles(2),
			examples: examples{"percentilesw(x, x, 10, 30)", "1, 2"}},
		{sig: "percentilesw_array(value:summable, weight:integer, percentile:percentile!, more:number!*) dynamic", doc: "Several weighted percentiles, or an array of them, as an array.", stem: "percentiles",
			start: each(func() accumulator { return &ranking{weighted: true, array: true} }), check: checkPercentiles(2),
			examples: examples{"percentilesw_array(x, x, 10, 30)", "[1,2]"}},
	}
}

// spreading is the variance of numbers, or with root the standard deviation,
// by Welford's method. Of nothing it is 0 for a sample and null for a
// population.
type spreading struct {
	of       divisor
	root     bool
	n        float64
	mean, m2 float64
}

// divisor is what a sum over values is divided by: their number, and of a sample
// one less.
type divisor uint8

const (
	ofPopulation divisor = iota
	ofSample
)

func (s *spreading) add(args []Value) {
	x := convert(args[0], Real)
	if x.IsNull() {
		return
	}
	s.n++
	delta := x.real() - s.mean
	s.mean += delta / s.n
	s.m2 += delta * (x.real() - s.mean)
}

func (s *spreading) result() Value {
	if s.n == 0 && s.of == ofSample {
		return realValue(0)
	}
	v := spreadOver(s.m2, s.n, s.of)
	if s.root && !v.IsNull() {
		return realValue(math.Sqrt(v.real()))
	}
	return v
}

// spreadOver divides a sum over n values.
func spreadOver(sum, n float64, by divisor) Value {
	switch {
	case n == 0:
		return Value{}
	case by == ofSample:
		return realValue(sum / max(n-1, 1))
	}
	return realValue(sum / n)
}

// covarying is the covariance of pairs of which neither is null.
type covarying struct {
	of           divisor
	n            float64
	meanX, meanY float64
	sum          float64
}

func (c *covarying) add(args []Value) {
	x, y := convert(args[0], Real), convert(args[1], Real)
	if x.IsNull() || y.IsNull() {
		return
	}
	c.n++
	dx := x.real() - c.meanX
	c.meanX += dx / c.n
	c.meanY += (y.real() - c.meanY) / c.n
	c.sum += dx * (y.real() - c.meanY)
}

func (c *covarying) result() Value { return spreadOver(c.sum, c.n, c.of) }

// ranking is percentiles by the nearest rank. It is given the value, the
// weight if there are weights, and the percentiles.
type ranking struct {
	weighted, array bool
	values          []weightedValue
	bytes           int64
	percentiles     []Value // or arrays of them
	found           []Value // the results, until there are more values
	held            *memory
}

func (r *ranking) chargeTo(held *memory) { r.held = held }

// size counts what the results take to be found, too: a sum for each value.
func (r *ranking) size() int64 {
	const sum = 8
	return allocated((weightedBytes+sum)*int64(cap(r.values))) + allocated(valueBytes*int64(cap(r.percentiles))) + r.bytes
}

// weightedBytes is what a weightedValue takes beside what it points to.
const weightedBytes = valueBytes + 8

type weightedValue struct {
	v      Value
	weight int64
}

func (r *ranking) add(args []Value) {
	w := weightedValue{args[0], 1}
	rest := args[1:]
	if r.weighted {
		w.weight, rest = optional(args, 1, 0), args[2:]
	}
	if r.percentiles == nil {
		r.percentiles = slices.Clone(rest)
	}
	if !w.v.IsNull() && w.weight > 0 {
		r.values = append(enlarged(r.values, 1, r.held), w)
		r.bytes += w.v.held()
		r.found = nil
	}
}

func (r *ranking) result() Value {
	results := r.results()
	switch {
	case len(results) == 0:
		return Value{}
	case r.array:
		return arrayValue(results)
	}
	return results[0]
}

// results are asked for once per column.
func (r *ranking) results() []Value {
	if len(r.values) == 0 || r.found != nil {
		return r.found
	}
	slices.SortStableFunc(r.values, func(a, b weightedValue) int { return sortOrder(a.v, b.v) })
	upTo, total := make([]float64, len(r.values)), 0.0 // the weight of the values up to each
	for i, w := range r.values {
		total += float64(w.weight)
		upTo[i] = total
	}
	percentiles := flattened(r.percentiles)
	r.found = make([]Value, len(percentiles))
	for i, p := range percentiles {
		percent := convert(p, Real)
		if percent.IsNull() {
			continue
		}
		at, _ := slices.BinarySearch(upTo, percent.real()*total/100)
		v := r.values[min(at, len(upTo)-1)].v
		r.found[i] = convert(v, promoted(v.kind))
	}
	return r.found
}

// checkPercentiles wants numbers from 0 to 100.
func checkPercentiles(from int) func(*call, []expr) {
	return func(n *call, args []expr) {
		for i, a := range args[from:] {
			c, known := a.(*constExpr)
			if !known {
				continue
			}
			for _, p := range flattened([]Value{c.val}) {
				if f := convert(p, Real); f.IsNull() || !(f.real() >= 0 && f.real() <= 100) {
					panic(semanticError(n.args[from+i].pos(), "SEM0220", "a percentile of %s() must be a number from 0 to 100", n.fn.text))
				}
			}
		}
	}
}

// percentileName is percentile, the value's name and the percentile; at is
// where the percentiles start.
func percentileName(at int) func(b *binder, n *call) string {
	return func(b *binder, n *call) string {
		if len(n.args) <= at {
			return ""
		}
		return b.percentileColumn(n, n.args[at])
	}
}

func (b *binder) percentileColumn(n *call, percentile node) string {
	text := ""
	switch p := percentile.(type) {
	case *literal:
		text = p.val.String()
	case *name:
		if d := b.find(p.text); d != nil {
			if c, ok := d.scalar.(*constExpr); ok {
				text = c.val.String()
			}
		}
	}
	of := b.outputName(n.args[0], b.agg.in.columns())
	if n.names[0] != nil {
		of = n.names[0].text
	}
	return "percentile_" + of + "_" + strings.ReplaceAll(text, ".", "_")
}

// bindPercentiles gives a column for each percentile.
func bindPercentiles(at int) func(*binder, named, *call) []*column {
	return func(b *binder, _ named, n *call) []*column {
		args := b.aggregateArguments(n, aggregates()[n.fn.text])
		var cols []*column
		for _, p := range n.args[at:] {
			cols = append(cols, &column{b.percentileColumn(n, p), promoted(args[0].typ())})
		}
		return b.agg.out.addSeveral(cols, args, func() accumulator { return &ranking{weighted: at == 2} })
	}
}
