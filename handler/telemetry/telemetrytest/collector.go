// Package telemetrytest stands in for an OpenTelemetry collector. Only tests import
// it.
package telemetrytest

import (
	"context"
	"maps"
	"slices"
	"sync"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Collector stands in for a collector, behind both exporters.
type Collector struct {
	mu      sync.Mutex
	answer  error         // to each export
	hang    chan struct{} // exports wait until it is closed
	spans   []sdktrace.ReadOnlySpan
	outcome map[string]int64 // of pushback.ticks
}

func (c *Collector) export() error {
	c.mu.Lock()
	hang, answer := c.hang, c.answer
	c.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return answer
}

// Set says what the exports get from now on: an answer, once hang is closed.
func (c *Collector) Set(answer error, hang chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer, c.hang = answer, hang
}

type spanCollector struct{ *Collector }

func (c spanCollector) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := c.export(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = append(c.spans, spans...)
	return nil
}

func (c spanCollector) Shutdown(context.Context) error { return nil }

type pointCollector struct{ *Collector }

func (c pointCollector) Export(_ context.Context, points *metricdata.ResourceMetrics) error {
	if err := c.export(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcome = map[string]int64{}
	for _, scope := range points.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if m.Name != "pushback.ticks" || !ok {
				continue
			}
			for _, p := range sum.DataPoints {
				outcome, _ := p.Attributes.Value("outcome")
				c.outcome[outcome.AsString()] += p.Value
			}
		}
	}
	return nil
}

func (c pointCollector) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return sdkmetric.DefaultTemporalitySelector(k)
}

func (c pointCollector) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(k)
}

func (c pointCollector) ForceFlush(context.Context) error { return nil }
func (c pointCollector) Shutdown(context.Context) error   { return nil }

// Exporters returns the exporters of traces and of metrics that it is behind.
func (c *Collector) Exporters() (sdktrace.SpanExporter, sdkmetric.Exporter) {
	return spanCollector{c}, pointCollector{c}
}

// Spans returns the spans that were exported.
func (c *Collector) Spans() []sdktrace.ReadOnlySpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Ticks returns how many ticks were counted, by their outcome.
func (c *Collector) Ticks() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.outcome)
}
