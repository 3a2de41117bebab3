package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/tracing/azotel"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	otelresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"pushback/detect"
)

// telemetry exports a trace and metrics of each tick over OTLP. Nil exports
// nothing.
type telemetry struct {
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
	tracer  trace.Tracer
	log     *slog.Logger

	ticks, windows, rows, alerts, dropped, sent metric.Int64Counter
	duration                                    metric.Float64Histogram
	failures, waiting, pending, parked          metric.Int64Gauge
}

// otlpVariables are OpenTelemetry's own: with one of them set there is an
// export, to where they and their like say.
var otlpVariables = []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"}

// flushTime is how long a tick waits at its end for its telemetry to be taken:
// the platform may stop the process as soon as it has the answer.
const flushTime = 5 * time.Second

// openTelemetry returns where telemetry goes, or nil if nothing says so. From
// then on the Azure clients are traced too.
func openTelemetry(ctx context.Context, log *slog.Logger) (*telemetry, error) {
	configured := false
	for _, name := range otlpVariables {
		configured = configured || os.Getenv(name) != ""
	}
	if !configured || os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return nil, nil
	}
	what, err := otelresource.New(ctx, otelresource.WithAttributes(
		attribute.String("service.name", "pushback"), attribute.String("service.version", versionText())), otelresource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	spans, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	points, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, err
	}
	t := &telemetry{
		traces:  sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(what)),
		metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(points)), sdkmetric.WithResource(what)),
		log:     log,
	}
	t.tracer = t.traces.Tracer("pushback")
	if err := t.instruments(t.metrics.Meter("pushback")); err != nil {
		return nil, err
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("telemetry", "error", err.Error()) }))
	otel.SetTracerProvider(t.traces)
	return t, nil
}

// instruments makes the metrics. The README lists them.
func (t *telemetry) instruments(m metric.Meter) error {
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
	t.dropped = counter("pushback.rule.dropped", "{activity}", "Activities that were told before, by rule.")
	t.failures = gauge("pushback.rule.failures", "{tick}", "Ticks in a row in which something of the rule failed.")
	t.waiting = gauge("pushback.rule.waiting", "{window}", "Windows that are due and not done, by rule.")
	t.sent = counter("pushback.destination.sent", "{alert}", "Alerts that the destination took.")
	t.pending = gauge("pushback.destination.pending", "{alert}", "Alerts that wait for the destination.")
	t.parked = gauge("pushback.destination.parked", "{alert}", "Alerts that the destination refused for good.")
	var err error
	t.duration, err = m.Float64Histogram("pushback.tick.duration", metric.WithUnit("s"), metric.WithDescription("How long ticks took."))
	return errors.Join(append(errs, err)...)
}

// tick begins the trace of a tick. The function that it returns ends it, with
// what came of it, and waits until it is exported.
func (t *telemetry) tick(ctx context.Context, invocation string) (context.Context, func(detect.Report, error)) {
	if t == nil {
		return ctx, func(detect.Report, error) {}
	}
	ctx, span := t.tracer.Start(ctx, "tick", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("faas.invocation_id", invocation)))
	return ctx, func(r detect.Report, err error) {
		t.report(ctx, span, r, err)
		flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		if err := errors.Join(t.traces.ForceFlush(flushing), t.metrics.ForceFlush(flushing)); err != nil {
			t.log.Warn("telemetry", "error", err.Error())
		}
	}
}

func (t *telemetry) report(ctx context.Context, span trace.Span, r detect.Report, err error) {
	outcome := "ok"
	if err != nil {
		outcome = "failed"
		span.SetStatus(codes.Error, err.Error())
	}
	t.ticks.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	t.duration.Record(ctx, r.Duration.Seconds())
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
			attributes = append(attributes, attribute.String("error", failure.Error()))
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
			attributes = append(attributes, attribute.String("error", d.Err.Error()))
		}
		span.AddEvent("delivery", trace.WithAttributes(attributes...))
	}
	span.End()
}

// close exports what is left.
func (t *telemetry) close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	return errors.Join(t.traces.Shutdown(ctx), t.metrics.Shutdown(ctx))
}

// clientOptions are those of the Azure clients in a cloud, which are traced if
// there is telemetry.
func clientOptions(c cloud.Configuration) azcore.ClientOptions {
	o := azcore.ClientOptions{Cloud: c}
	if provider, ok := otel.GetTracerProvider().(*sdktrace.TracerProvider); ok {
		o.TracingProvider = azotel.NewTracingProvider(provider, nil)
	}
	return o
}
