package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/codes"
	otelresource "go.opentelemetry.io/otel/sdk/resource"

	"pushback/detect/workspace"
	"pushback/handler/telemetry"
	"pushback/handler/telemetry/telemetrytest"
)

// testTelemetry returns telemetry that goes to a collector.
func testTelemetry(t *testing.T, c *telemetrytest.Collector, log *slog.Logger) *telemetry.Telemetry {
	t.Helper()
	spans, points := c.Exporters()
	tel, err := telemetry.New(otelresource.Empty(), log, spans, points)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tel.Close)
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
			c := &telemetrytest.Collector{}
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
			spans := c.Spans()
			if len(spans) != 1 || spans[0].Name() != "tick" || spans[0].Status().Code != codes.Error || !strings.Contains(spans[0].Status().Description, tc.want) {
				t.Errorf("spans %+v", spans)
			}
			if diff := cmp.Diff(map[string]int64{"failed": 1}, c.Ticks()); diff != "" {
				t.Errorf("ticks (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTelemetryFitsTheEnd bounds what the end of the process costs: the host gives it
// 30 seconds with all that comes before.
func TestTelemetryFitsTheEnd(t *testing.T) {
	t.Parallel()
	if graceTime+telemetry.FlushTime > 29*time.Second {
		t.Errorf("%s for the tick and %s for its telemetry", graceTime, telemetry.FlushTime)
	}
}
