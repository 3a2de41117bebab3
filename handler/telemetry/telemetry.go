// Package telemetry exports what ticks did over OpenTelemetry.
package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/tracing/azotel"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	otelresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"

	"pushback/detect"
	"pushback/detect/secret"
	"pushback/handler/telemetry/otlp"
)

// Telemetry exports a trace and metrics of each tick over OTLP. Nil exports
// nothing.
type Telemetry struct {
	signals []*signal // those that are exported
	traces  trace.TracerProvider
	tracer  trace.Tracer
	// stopping, if set, is done when the process is to end.
	stopping context.Context

	ticks, windows, rows, alerts, dropped, sent metric.Int64Counter
	duration                                    metric.Float64Histogram
	failures, waiting, pending, parked          metric.Int64Gauge
}

// Open returns where the telemetry of a version goes, or nil if nothing says so.
// The Azure clients that are made from then on are traced too.
func Open(ctx context.Context, version string, log *slog.Logger) (*Telemetry, error) {
	withTraces, withMetrics, err := exportedSignals()
	if err != nil || !withTraces && !withMetrics {
		return nil, err
	}
	what, err := otelresource.New(ctx, otelresource.WithAttributes(
		attribute.String("service.name", "pushback"), attribute.String("service.version", version)), otelresource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	var spans sdktrace.SpanExporter
	if withTraces {
		to, err := collector("TRACES")
		if err != nil {
			return nil, err
		}
		spans = otlp.NewTraces(to)
	}
	var points sdkmetric.Exporter
	if withMetrics {
		to, err := collector("METRICS")
		if err != nil {
			return nil, err
		}
		if points, err = otlp.NewMetrics(to, variable); err != nil {
			return nil, err
		}
	}
	t, err := New(what, log, spans, points)
	if err != nil {
		return nil, err
	}
	t.stopping = ctx
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		if _, noted := errors.AsType[exportError](err); !noted {
			log.Warn("telemetry", "error", err.Error())
		}
	}))
	otel.SetTracerProvider(t.traces)
	return t, nil
}

// New returns telemetry that goes to exporters, either of which may be
// nil.
func New(what *otelresource.Resource, log *slog.Logger, spans sdktrace.SpanExporter, points sdkmetric.Exporter) (*Telemetry, error) {
	t := &Telemetry{traces: tracenoop.NewTracerProvider()}
	if spans != nil {
		s := &signal{name: "traces", log: log}
		provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spanExporter{spans, s}), sdktrace.WithResource(what))
		s.flush, s.shutdown = provider.ForceFlush, provider.Shutdown
		t.traces, t.signals = provider, append(t.signals, s)
	}
	var meters metric.MeterProvider = metricnoop.NewMeterProvider()
	if points != nil {
		s := &signal{name: "metrics", log: log}
		provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(pointExporter{points, s})), sdkmetric.WithResource(what))
		s.flush, s.shutdown = provider.ForceFlush, provider.Shutdown
		meters, t.signals = provider, append(t.signals, s)
	}
	t.tracer = t.traces.Tracer("pushback")
	return t, t.instruments(meters.Meter("pushback"))
}

// instruments makes the metrics. The README lists them.
func (t *Telemetry) instruments(m metric.Meter) error {
	var errs []error
	counter := func(name, unit, what string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	gauge := func(name, unit, what string) metric.Int64Gauge {
		g, err := m.Int64Gauge(name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return g
	}
	t.ticks = counter("pushback.ticks", "{tick}", "Ticks, by outcome.")
	t.windows = counter("pushback.rule.windows", "{window}", "Passes of windows that were run, by rule.")
	t.rows = counter("pushback.rule.rows", "{row}", "Rows that rules found, by rule.")
	t.alerts = counter("pushback.rule.alerts", "{alert}", "Alerts that were recorded, by rule.")
	t.dropped = counter("pushback.rule.dropped", "{activity}", "Activities that were reported before, by rule.")
	t.failures = gauge("pushback.rule.failures", "{tick}", "Ticks in a row in which something of the rule failed.")
	t.waiting = gauge("pushback.rule.waiting", "{window}", "Windows that are due and not done, by rule.")
	t.sent = counter("pushback.destination.sent", "{alert}", "Alerts that the destination took.")
	t.pending = gauge("pushback.destination.pending", "{alert}", "Alerts that wait for the destination.")
	t.parked = gauge("pushback.destination.parked", "{alert}", "Alerts that the destination refused for good.")
	var err error
	t.duration, err = m.Float64Histogram("pushback.tick.duration", metric.WithUnit("s"), metric.WithDescription("How long ticks took, with the wait for their turn."))
	return errors.Join(append(errs, err)...)
}

// Tick begins the trace of a tick. The function that it returns ends it, with
// what came of it, and waits until it is exported. A process that ends waits
// once for all, in Close.
func (t *Telemetry) Tick(ctx context.Context, invocation string) (context.Context, func(detect.Report, time.Duration, error)) {
	if t == nil {
		return ctx, func(detect.Report, time.Duration, error) {}
	}
	ctx, span := t.tracer.Start(ctx, "tick", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("faas.invocation_id", invocation)))
	return ctx, func(r detect.Report, took time.Duration, err error) {
		t.report(ctx, span, r, took, err)
		if t.stopping != nil && t.stopping.Err() != nil {
			return
		}
		var flushing sync.WaitGroup
		for _, s := range t.signals {
			if !s.isDown() {
				flushing.Go(func() { s.await(s.flush) })
			}
		}
		flushing.Wait()
	}
}

func (t *Telemetry) report(ctx context.Context, span trace.Span, r detect.Report, took time.Duration, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
		span.SetStatus(codes.Error, secret.Hide(err.Error()))
	}
	t.ticks.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	t.duration.Record(ctx, took.Seconds())
	for _, run := range r.Rules {
		rule, totals := metric.WithAttributes(attribute.String("rule", run.RuleID)), run.Totals()
		t.windows.Add(ctx, int64(totals.Windows), rule)
		t.rows.Add(ctx, int64(totals.Rows), rule)
		t.alerts.Add(ctx, int64(totals.Alerts+totals.Updates), rule)
		t.dropped.Add(ctx, int64(totals.Dropped), rule)
		t.failures.Record(ctx, int64(run.Failures), rule)
		t.waiting.Record(ctx, int64(run.Waiting), rule)
		attributes := []attribute.KeyValue{attribute.String("rule", run.RuleID), attribute.Int("windows", totals.Windows),
			attribute.Int("rows", totals.Rows), attribute.Int("alerts", totals.Alerts), attribute.Int("dropped", totals.Dropped)}
		if failure := run.Failure(); failure != nil {
			attributes = append(attributes, attribute.String("error", secret.Hide(failure.Error())))
		}
		span.AddEvent("rule", trace.WithAttributes(attributes...))
	}
	for _, d := range r.Deliveries {
		destination := metric.WithAttributes(attribute.String("destination", d.Destination))
		t.sent.Add(ctx, int64(d.Sent), destination)
		t.pending.Record(ctx, int64(d.Pending), destination)
		t.parked.Record(ctx, int64(d.Parked), destination)
		attributes := []attribute.KeyValue{attribute.String("destination", d.Destination), attribute.Int("sent", d.Sent),
			attribute.Int("pending", d.Pending), attribute.Int("parked", d.Parked)}
		if d.Err != nil {
			attributes = append(attributes, attribute.String("error", secret.Hide(d.Err.Error())))
		}
		span.AddEvent("delivery", trace.WithAttributes(attributes...))
	}
	span.End()
}

// Close exports what is left. It takes FlushTime at most.
func (t *Telemetry) Close() {
	if t == nil {
		return
	}
	var closing sync.WaitGroup
	for _, s := range t.signals {
		closing.Go(func() { s.await(s.shutdown) })
	}
	closing.Wait()
}

// ClientOptions are those of the Azure clients in a cloud, which are traced if
// there is telemetry.
func ClientOptions(c cloud.Configuration) azcore.ClientOptions {
	o := azcore.ClientOptions{Cloud: c}
	if provider, ok := otel.GetTracerProvider().(*sdktrace.TracerProvider); ok {
		o.TracingProvider = azotel.NewTracingProvider(provider, nil)
	}
	return o
}
