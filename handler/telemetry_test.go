package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	otelresource "go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"pushback/detect"
	"pushback/detect/workspace"
)

// standInCollector stands in for a collector, behind both exporters.
type standInCollector struct {
	mu      sync.Mutex
	answer  error         // to each export
	hang    chan struct{} // exports wait until it is closed
	spans   []sdktrace.ReadOnlySpan
	outcome map[string]int64 // of pushback.ticks
}

func (c *standInCollector) export() error {
	c.mu.Lock()
	hang, answer := c.hang, c.answer
	c.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return answer
}

func (c *standInCollector) set(answer error, hang chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer, c.hang = answer, hang
}

type spanCollector struct{ *standInCollector }

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

type pointCollector struct{ *standInCollector }

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

// testTelemetry returns telemetry that goes to a collector.
func testTelemetry(t *testing.T, c *standInCollector, log *slog.Logger) *telemetry {
	t.Helper()
	tel, err := newTelemetry(otelresource.Empty(), log, spanCollector{c}, pointCollector{c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tel.close)
	return tel
}

// TestTelemetryOfFailures lets ticks fail before, in and after what they do:
// each has a span that says so, and is counted.
func TestTelemetryOfFailures(t *testing.T) {
	t.Parallel()
	works := func(context.Context) (*workspace.Table, error) { return &workspace.Table{}, nil }
	hungUp, hangUp := context.WithCancel(t.Context())
	hangUp()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, tc := range []struct {
		name  string
		query querier
		set   func(*function)
		ctx   context.Context
		now   time.Time
		want  string
	}{
		{name: "a setting is wrong", want: "PUSHBACK_DELAY", set: func(f *function) {
			f.open = func(context.Context) (*opened, error) { return nil, errors.New("PUSHBACK_DELAY is wrong") }
		}},
		{name: "another tick runs", want: "another tick was still running", ctx: hungUp, set: func(f *function) { f.turn <- struct{}{} }},
		{name: "the process stops", want: errStopping.Error(), set: func(f *function) { f.stopping = stopped }},
		{name: "a clock is wrong", want: "one of the clocks is wrong", now: time.Now().Add(2 * time.Hour)},
		{name: "panic in the set-up", want: "a mistake in the program", set: func(f *function) {
			f.open = func(context.Context) (*opened, error) { panic("here") }
		}},
		{name: "a query fails", want: "no answer", query: func(context.Context) (*workspace.Table, error) { return nil, errors.New("no answer") }},
		{name: "a rule is wrong", want: "bad.yaml", set: func(f *function) {
			open := f.open
			f.open = func(ctx context.Context) (*opened, error) {
				o, err := open(ctx)
				o.err = errors.New("bad.yaml:1: it is wrong")
				return o, err
			}
		}},
		{name: "a panic after the tick", want: "a mistake in the program", set: func(f *function) { f.warned = nil }, query: func(context.Context) (*workspace.Table, error) {
			return &workspace.Table{Warnings: []string{"so"}}, nil
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.query == nil {
				tc.query = works
			}
			f, _, _ := testFunction(t, t.Context(), time.Minute, tc.query)
			c := &standInCollector{}
			f.telemetry = testTelemetry(t, c, f.log)
			if tc.set != nil {
				tc.set(f)
			}
			ctx := tc.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if tc.now.IsZero() {
				tc.now = at(11, 5)
			}
			if _, err := f.tick(ctx, invocation{id: "one", now: tc.now}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("%v", err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if len(c.spans) != 1 || c.spans[0].Name() != "tick" || c.spans[0].Status().Code != codes.Error || !strings.Contains(c.spans[0].Status().Description, tc.want) {
				t.Errorf("spans %+v", c.spans)
			}
			if diff := cmp.Diff(map[string]int64{"failed": 1}, c.outcome); diff != "" {
				t.Errorf("ticks (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTelemetryCollectorAway lets the collector hang, refuse and come back: the
// first tick waits for a while, the next do not, both is said once, and what
// was waited for is not lost.
func TestTelemetryCollectorAway(t *testing.T) {
	t.Parallel()
	out := &outputBuffer{}
	c := &standInCollector{}
	tel := testTelemetry(t, c, newLogger(out, out, slog.LevelInfo))
	tick := func() time.Duration {
		_, end := tel.tick(t.Context(), "id")
		began := time.Now()
		end(detect.Report{}, time.Second, nil)
		return time.Since(began)
	}
	said := func(text string) int { return strings.Count(out.String(), text) }
	if took := tick(); took > flushTime || len(c.spans) != 1 {
		t.Errorf("a tick took %s and exported %d spans", took, len(c.spans))
	}

	hang := make(chan struct{})
	c.set(nil, hang)
	if took := tick(); took < flushTime || took > 2*flushTime {
		t.Errorf("the first tick waited %s", took)
	}
	for range 5 {
		if took := tick(); took > flushTime/2 {
			t.Errorf("a later tick waited %s", took)
		}
	}
	if n := said("telemetry is not exported"); n != 2 {
		t.Errorf("%d warnings of two signals:\n%s", n, out)
	}

	c.set(nil, nil)
	close(hang)
	for deadline := time.Now().Add(time.Minute); said("telemetry is exported again") < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it is not back:\n%s", out)
		}
	}
	tick()
	c.mu.Lock()
	if len(c.spans) != 8 {
		t.Errorf("%d of 8 spans", len(c.spans))
	}
	c.mu.Unlock()

	c.set(errors.New("403 Forbidden"), nil)
	tick()
	tick()
	if n := said("403 Forbidden"); n != 2 {
		t.Errorf("%d warnings of two signals:\n%s", n, out)
	}
}

// TestTelemetryEnds bounds what the end of the process costs: the host gives it
// 30 seconds with all that comes before.
func TestTelemetryEnds(t *testing.T) {
	t.Parallel()
	if graceTime+flushTime > 29*time.Second {
		t.Errorf("%s for the tick and %s for its telemetry", graceTime, flushTime)
	}
	hang := make(chan struct{})
	defer close(hang)
	out := &outputBuffer{}
	tel, err := newTelemetry(otelresource.Empty(), newLogger(out, out, slog.LevelInfo), spanCollector{&standInCollector{hang: hang}}, pointCollector{&standInCollector{hang: hang}})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tel.tracer.Start(t.Context(), "tick")
	span.End()
	began := time.Now()
	tel.close()
	if took := time.Since(began); took > flushTime+flushTime/2 {
		t.Errorf("it took %s", took)
	}
	if n := strings.Count(out.String(), "telemetry is not exported"); n != 2 {
		t.Errorf("%d warnings of two signals:\n%s", n, out)
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
	var stdout, stderr outputBuffer
	s := &otlpSignal{name: "traces", log: newLogger(&stdout, &stderr, slog.LevelInfo)}
	s.await(func(context.Context) error { panic("in the exporter") })
	if !s.isDown() || strings.Count(stdout.String(), "panic: in the exporter") != 1 {
		t.Errorf("%s%s", stdout.String(), stderr.String())
	}
}
