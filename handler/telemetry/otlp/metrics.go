package otlp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/encoding/protowire"
)

// Metrics exports metrics. It implements sdkmetric.Exporter.
type Metrics struct {
	to          *Collector
	temporality sdkmetric.TemporalitySelector
	aggregation sdkmetric.AggregationSelector
}

// NewMetrics returns what exports metrics to a collector, as the variables
// OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE and
// OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION prefer. What a variable of
// them says that it cannot is an error.
func NewMetrics(to *Collector, variable func(name string) string) (*Metrics, error) {
	m := &Metrics{to: to, temporality: sdkmetric.DefaultTemporalitySelector, aggregation: sdkmetric.DefaultAggregationSelector}
	return m, errors.Join(
		preferred(&m.temporality, variable, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", map[string]sdkmetric.TemporalitySelector{
			"cumulative": sdkmetric.CumulativeTemporalitySelector, "delta": sdkmetric.DeltaTemporalitySelector, "lowmemory": sdkmetric.LowMemoryTemporalitySelector}),
		preferred(&m.aggregation, variable, "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", map[string]sdkmetric.AggregationSelector{
			"explicit_bucket_histogram": sdkmetric.DefaultAggregationSelector, "base2_exponential_bucket_histogram": exponential}))
}

// Temporality is that of a kind of instrument.
func (m *Metrics) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return m.temporality(k)
}

// Aggregation is that of a kind of instrument.
func (m *Metrics) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return m.aggregation(k)
}

// Export sends metrics. Its error is that of [Collector].
func (m *Metrics) Export(ctx context.Context, r *metricdata.ResourceMetrics) error {
	body, err := metrics(r)
	if err != nil {
		return err
	}
	return m.to.send(ctx, body)
}

// ForceFlush does nothing: nothing is held back.
func (m *Metrics) ForceFlush(context.Context) error { return nil }

// Shutdown does nothing: there is nothing to close.
func (m *Metrics) Shutdown(context.Context) error { return nil }

// exponential is what base2_exponential_bucket_histogram means, with the size that the
// specification has.
func exponential(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	if k == sdkmetric.InstrumentKindHistogram {
		return sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}
	}
	return sdkmetric.DefaultAggregationSelector(k)
}

// metrics is an ExportMetricsServiceRequest.
func metrics(r *metricdata.ResourceMetrics) (message, error) {
	var request, ofResource message
	ofResource.message(1, about(r.Resource))
	for _, s := range r.ScopeMetrics {
		var ofScope message
		ofScope.message(1, scope(s.Scope))
		for _, data := range s.Metrics {
			m, err := instrument(data)
			if err != nil {
				return nil, fmt.Errorf("the metric %s: %w", data.Name, err)
			}
			ofScope.message(2, m)
		}
		ofScope.text(3, s.Scope.SchemaURL)
		ofResource.message(2, ofScope)
	}
	ofResource.text(3, r.Resource.SchemaURL())
	request.message(1, ofResource)
	return request, nil
}

// instrument is a Metric: what an instrument measured.
func instrument(data metricdata.Metrics) (message, error) {
	var m message
	m.text(1, data.Name)
	m.text(2, data.Description)
	m.text(3, data.Unit)
	switch d := data.Data.(type) {
	case metricdata.Gauge[int64]:
		m.message(5, points(d.DataPoints, number))
	case metricdata.Gauge[float64]:
		m.message(5, points(d.DataPoints, number))
	case metricdata.Sum[int64]:
		m.message(7, sum(d))
	case metricdata.Sum[float64]:
		m.message(7, sum(d))
	case metricdata.Histogram[int64]:
		m.message(9, withTemporality(points(d.DataPoints, buckets), d.Temporality))
	case metricdata.Histogram[float64]:
		m.message(9, withTemporality(points(d.DataPoints, buckets), d.Temporality))
	case metricdata.ExponentialHistogram[int64]:
		m.message(10, withTemporality(points(d.DataPoints, exponentialBuckets), d.Temporality))
	case metricdata.ExponentialHistogram[float64]:
		m.message(10, withTemporality(points(d.DataPoints, exponentialBuckets), d.Temporality))
	default:
		return nil, fmt.Errorf("a kind of data that is not exported: %T", d)
	}
	return m, nil
}

// points are the data points of a metric, which are in its first field.
func points[P any](list []P, encode func(P) message) message {
	var m message
	for _, p := range list {
		m.message(1, encode(p))
	}
	return m
}

func sum[N int64 | float64](s metricdata.Sum[N]) message {
	m := withTemporality(points(s.DataPoints, number), s.Temporality)
	m.number(3, protowire.EncodeBool(s.IsMonotonic))
	return m
}

func withTemporality(m message, t metricdata.Temporality) message {
	const delta, cumulative = 1, 2
	if t == metricdata.DeltaTemporality {
		m.number(2, delta)
	} else {
		m.number(2, cumulative)
	}
	return m
}

// number is a NumberDataPoint.
func number[N int64 | float64](p metricdata.DataPoint[N]) message {
	var m message
	m.time(2, p.StartTime)
	m.time(3, p.Time)
	value64(&m, 4, 6, p.Value)
	exemplars(&m, 5, p.Exemplars)
	m.attributes(7, p.Attributes.ToSlice())
	return m
}

// buckets is a HistogramDataPoint.
func buckets[N int64 | float64](p metricdata.HistogramDataPoint[N]) message {
	var m, counts, bounds message
	m.time(2, p.StartTime)
	m.time(3, p.Time)
	m.fixed64(4, p.Count)
	m.givenDouble(5, float64(p.Sum))
	for _, c := range p.BucketCounts {
		counts = protowire.AppendFixed64(counts, c)
	}
	m.bytes(6, counts)
	for _, b := range p.Bounds {
		bounds = protowire.AppendFixed64(bounds, math.Float64bits(b))
	}
	m.bytes(7, bounds)
	exemplars(&m, 8, p.Exemplars)
	m.attributes(9, p.Attributes.ToSlice())
	extremum(&m, 11, p.Min)
	extremum(&m, 12, p.Max)
	return m
}

// exponentialBuckets is an ExponentialHistogramDataPoint.
func exponentialBuckets[N int64 | float64](p metricdata.ExponentialHistogramDataPoint[N]) message {
	var m message
	m.attributes(1, p.Attributes.ToSlice())
	m.time(2, p.StartTime)
	m.time(3, p.Time)
	m.fixed64(4, p.Count)
	m.givenDouble(5, float64(p.Sum))
	m.number(6, protowire.EncodeZigZag(int64(p.Scale)))
	m.fixed64(7, p.ZeroCount)
	for field, b := range map[protowire.Number]metricdata.ExponentialBucket{8: p.PositiveBucket, 9: p.NegativeBucket} {
		var bucket, counts message
		bucket.number(1, protowire.EncodeZigZag(int64(b.Offset)))
		for _, c := range b.Counts {
			counts = protowire.AppendVarint(counts, c)
		}
		bucket.bytes(2, counts)
		m.message(field, bucket)
	}
	exemplars(&m, 11, p.Exemplars)
	extremum(&m, 12, p.Min)
	extremum(&m, 13, p.Max)
	m.fixed64(14, math.Float64bits(p.ZeroThreshold))
	return m
}

// extremum writes the least or the greatest value, if it is known.
func extremum[N int64 | float64](m *message, field protowire.Number, e metricdata.Extrema[N]) {
	if v, ok := e.Value(); ok {
		m.givenDouble(field, float64(v))
	}
}

// exemplars writes the measurements that stand for those of a data point.
func exemplars[N int64 | float64](m *message, field protowire.Number, list []metricdata.Exemplar[N]) {
	for _, e := range list {
		var inner message
		inner.time(2, e.Time)
		value64(&inner, 3, 6, e.Value)
		inner.bytes(4, e.SpanID)
		inner.bytes(5, e.TraceID)
		inner.attributes(7, e.FilteredAttributes)
		m.message(field, inner)
	}
}

// value64 writes a value into the field of its kind.
func value64[N int64 | float64](m *message, double, integer protowire.Number, n N) {
	switch n := any(n).(type) {
	case int64:
		m.given64(integer, uint64(n))
	case float64:
		m.givenDouble(double, n)
	}
}

// preferred sets what a variable prefers by its name. Without it the default stays.
func preferred[S any](set *S, variable func(string) string, name string, choices map[string]S) error {
	text := strings.ToLower(variable(name))
	if text == "" {
		return nil
	}
	choice, ok := choices[text]
	if !ok {
		return fmt.Errorf("%s is none of %s", name, strings.Join(slices.Sorted(maps.Keys(choices)), ", "))
	}
	*set = choice
	return nil
}
