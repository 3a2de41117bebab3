package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"pushback/detect/notify/text"
	"pushback/detect/secret"
)

// signal is a kind of telemetry, traces or metrics, on its way to a collector.
// While the collector is away nobody waits for it: what there is is exported in
// the background, and it is up again when that succeeds.
type signal struct {
	name            string
	flush, shutdown func(context.Context) error
	log             *slog.Logger

	mu   sync.Mutex
	down bool // the last export failed
}

func (s *signal) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// note takes what came of an export. That it failed is logged once, until it
// works again.
func (s *signal) note(err error) {
	if errors.Is(err, context.Canceled) {
		return // by the end of the process: it says nothing of the collector
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !s.down:
		s.log.Warn("telemetry is not exported: is the collector of the OTEL_EXPORTER_OTLP_ variables there? Ticks go on and do not wait for it", "signal", s.name, "error", text.Cut(secret.Hide(err.Error()), 400))
	case err == nil && s.down:
		s.log.Info("telemetry is exported again", "signal", s.name)
	}
	s.down = err != nil
}

// await lets export run, and waits for it for FlushTime at most. It is not
// cut off then, or what a slow collector is about to take would be lost.
func (s *signal) await(export func(context.Context) error) {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil { // it is no reason to end
				done <- fmt.Errorf("panic: %.300v", v)
			}
		}()
		done <- export(context.Background())
	}()
	select {
	case err := <-done:
		if err != nil { // a success may be that there was nothing to export
			s.note(err)
		}
	case <-time.After(FlushTime):
		s.note(fmt.Errorf("no answer within %s", FlushTime))
	}
}

// exportError is what a signal has noted.
type exportError struct{ error }

func (e exportError) Unwrap() error { return e.error }

// noted notes what came of an export, and returns it.
func (s *signal) noted(err error) error {
	s.note(err)
	if err != nil {
		return exportError{err}
	}
	return nil
}

type spanExporter struct {
	sdktrace.SpanExporter
	signal *signal
}

func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return e.signal.noted(e.SpanExporter.ExportSpans(ctx, spans))
}

type pointExporter struct {
	sdkmetric.Exporter
	signal *signal
}

func (e pointExporter) Export(ctx context.Context, points *metricdata.ResourceMetrics) error {
	return e.signal.noted(e.Exporter.Export(ctx, points))
}

// FlushTime is how long a tick waits at its end for its telemetry to be taken.
// The platform may stop the process as soon as it has the answer. The process
// waits as long when it ends.
const FlushTime = 2 * time.Second
