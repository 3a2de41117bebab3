package telemetry

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	otelresource "go.opentelemetry.io/otel/sdk/resource"

	"pushback/detect"
	"pushback/handler/telemetry/telemetrytest"
)

// buffer is a log that is written to while it is read.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// count counts a text in the log.
func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func (b *buffer) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(b, nil)) }

// open returns telemetry that goes to a collector.
func open(t *testing.T, c *telemetrytest.Collector, out *buffer) *Telemetry {
	t.Helper()
	spans, points := c.Exporters()
	tel, err := New(otelresource.Empty(), out.logger(), spans, points)
	if err != nil {
		t.Fatal(err)
	}
	return tel
}

// TestTelemetryCollectorAway lets the collector hang, refuse and come back. The
// first tick waits for a while, the next do not, both is said once, and what
// was waited for is not lost.
func TestTelemetryCollectorAway(t *testing.T) {
	t.Parallel()
	out, c := &buffer{}, &telemetrytest.Collector{}
	tel := open(t, c, out)
	t.Cleanup(tel.Close)
	tick := func() time.Duration {
		_, end := tel.Tick(t.Context(), "id")
		began := time.Now()
		end(detect.Report{}, time.Second, nil)
		return time.Since(began)
	}
	if took := tick(); took > FlushTime || len(c.Spans()) != 1 {
		t.Errorf("a tick took %s and exported %d spans", took, len(c.Spans()))
	}

	hang := make(chan struct{})
	c.Set(nil, hang)
	if took := tick(); took < FlushTime || took > 2*FlushTime {
		t.Errorf("the first tick waited %s", took)
	}
	for range 5 {
		if took := tick(); took > FlushTime/2 {
			t.Errorf("a later tick waited %s", took)
		}
	}
	if n := out.count("telemetry is not exported"); n != 2 {
		t.Errorf("%d warnings of two signals:\n%s", n, &out.text)
	}

	c.Set(nil, nil)
	close(hang)
	for deadline := time.Now().Add(time.Minute); out.count("telemetry is exported again") < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not back:\n%s", &out.text)
		}
	}
	tick()
	if len(c.Spans()) != 8 {
		t.Errorf("%d of 8 spans", len(c.Spans()))
	}

	c.Set(errors.New("403 Forbidden"), nil)
	tick()
	tick()
	if n := out.count("403 Forbidden"); n != 2 {
		t.Errorf("%d warnings of two signals:\n%s", n, &out.text)
	}
}

// TestTelemetryEnds bounds what the end of the process costs with a collector that
// hangs.
func TestTelemetryEnds(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	defer close(hang)
	out, c := &buffer{}, &telemetrytest.Collector{}
	c.Set(nil, hang)
	tel := open(t, c, out)
	_, span := tel.tracer.Start(t.Context(), "tick")
	span.End()
	began := time.Now()
	tel.Close()
	if took := time.Since(began); took > FlushTime+FlushTime/2 {
		t.Errorf("it took %s", took)
	}
	if n := out.count("telemetry is not exported"); n != 2 {
		t.Errorf("%d warnings of two signals:\n%s", n, &out.text)
	}
}

// TestTelemetryVariables has what OpenTelemetry's variables say.
func TestTelemetryVariables(t *testing.T) {
	const at, secret = "https://collector.example:4318", "hunter2"
	type env map[string]string
	for _, tc := range []struct {
		name            string
		env             env
		traces, metrics bool
		wrong           []string // what the error names
	}{
		{name: "nothing"},
		{name: "all", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at}, traces: true, metrics: true},
		{name: "traces", env: env{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": at}, traces: true},
		{name: "metrics", env: env{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": " " + at + " "}, metrics: true},
		{name: "blank", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": " "}},
		{name: "no traces", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_TRACES_EXPORTER": "none"}, metrics: true},
		{name: "no metrics", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_METRICS_EXPORTER": "None", "OTEL_TRACES_EXPORTER": "otlp"}, traces: true},
		{name: "another exporter", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_TRACES_EXPORTER": "console"}, wrong: []string{"OTEL_TRACES_EXPORTER"}},
		{name: "disabled", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense", "OTEL_SDK_DISABLED": "TRUE"}},
		{name: "not disabled", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_SDK_DISABLED": "no"}, traces: true, metrics: true},
		{name: "a host and a port", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, wrong: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://"}},
		{name: "an address and a port", env: env{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "10.0.0.1:4318"}, wrong: []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}},
		{name: "a password and no scheme", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "user:" + secret + "@collector:4318"}, wrong: []string{"OTEL_EXPORTER_OTLP_ENDPOINT"}},
		{name: "a password that is no URL", env: env{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://user:%" + secret + "@collector"}, wrong: []string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"}},
		{name: "a password", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:" + secret + "@collector"}, wrong: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"}},
		{name: "headers", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=" + secret + ", x=a%2Cb"}, traces: true, metrics: true},
		{name: "headers that are none", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": at, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key: " + secret}, wrong: []string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS"}},
		{name: "several", env: env{"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "y"}, wrong: []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range tc.env {
				t.Setenv(name, value)
			}
			traces, metrics, err := exportedSignals()
			if traces != tc.traces || metrics != tc.metrics || (err != nil) != (tc.wrong != nil) {
				t.Errorf("traces %t, metrics %t, error %v", traces, metrics, err)
			}
			for _, part := range tc.wrong {
				if err != nil && !strings.Contains(err.Error(), part) {
					t.Errorf("no %s in %v", part, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("a secret in %v", err)
			}
		})
	}
}

// TestTelemetryPanics has an exporter panic, which is no reason for the process to
// end.
func TestTelemetryPanics(t *testing.T) {
	t.Parallel()
	out := &buffer{}
	s := &signal{name: "traces", log: out.logger()}
	s.await(func(context.Context) error { panic("in the exporter") })
	if !s.isDown() || out.count("panic: in the exporter") != 1 {
		t.Errorf("%s", &out.text)
	}
}
