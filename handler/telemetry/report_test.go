package telemetry

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"

	"pushback/detect"
	"pushback/handler/telemetry/telemetrytest"
)

// TestReport exports what a tick did: an event for each rule and each destination,
// with the failures of both and no secret in them.
func TestReport(t *testing.T) {
	t.Parallel()
	c := &telemetrytest.Collector{}
	tel := open(t, c, &buffer{})
	t.Cleanup(tel.Close)
	_, end := tel.Tick(t.Context(), "id")
	end(detect.Report{
		Rules:      []detect.RuleRun{{RuleID: "rule", Windows: []detect.WindowRun{{Rows: 3}}, Err: errors.New("refused https://a.example/?sig=c2VjcmV0")}},
		Deliveries: []detect.Delivery{{Destination: "teams", Sent: 2, Pending: 1, Parked: 4, Err: errors.New("no AccountKey=c2VjcmV0")}},
	}, time.Second, errors.New("the tick failed with https://a.example/?sig=c2VjcmV0"))
	spans := c.Spans()
	if len(spans) != 1 {
		t.Fatalf("%d spans", len(spans))
	}
	var got []string
	for _, e := range spans[0].Events() {
		line := e.Name + ":"
		for _, a := range e.Attributes {
			line += " " + string(a.Key) + "=" + a.Value.String()
		}
		got = append(got, line)
	}
	want := []string{
		"rule: rule=rule windows=1 rows=3 alerts=0 dropped=0 error=refused https://a.example/?…",
		"delivery: destination=teams sent=2 pending=1 parked=4 error=no AccountKey=…",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if status := spans[0].Status().Description; strings.Contains(status, "c2VjcmV0") || !strings.HasPrefix(status, "the tick failed") {
		t.Errorf("status %q", status)
	}
	if diff := cmp.Diff(map[string]int64{"failed": 1}, c.Ticks()); diff != "" {
		t.Errorf("ticks (-want +got):\n%s", diff)
	}
	if id := attribute.String("faas.invocation_id", "id"); len(spans[0].Attributes()) != 1 || spans[0].Attributes()[0] != id {
		t.Errorf("attributes %v", spans[0].Attributes())
	}
}

// Without telemetry a tick is as it is.
func TestNoTelemetry(t *testing.T) {
	t.Parallel()
	var tel *Telemetry
	ctx, end := tel.Tick(t.Context(), "id")
	end(detect.Report{}, 0, nil)
	tel.Close()
	if ctx != t.Context() {
		t.Error("the context is another")
	}
}
