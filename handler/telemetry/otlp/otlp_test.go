package otlp

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	metricsv1 "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// received is a collector that keeps the last request, decoded by the generated code.
func received(t *testing.T, into proto.Message) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
			}
			body = unzipped
		}
		text, err := io.ReadAll(body)
		if err == nil {
			err = proto.Unmarshal(text, into)
		}
		if err != nil || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%v: %s", err, r.Header)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return server
}

// hard has attributes of each type with values that are encoded differently. It is new for each
// caller, because a set sorts the list that it is made of.
func hard() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("text", "Zoë\x00\n\"<"), attribute.String("", ""), attribute.Bool("yes", true), attribute.Bool("no", false),
		attribute.Int64("least", math.MinInt64), attribute.Int64("none", 0), attribute.Float64("third", 1.0/3), attribute.Float64("zero", 0), attribute.Float64("infinite", math.Inf(-1)),
		attribute.BoolSlice("bools", []bool{true, false}), attribute.Int64Slice("numbers", []int64{0, -1, 1 << 62}), attribute.Float64Slice("doubles", []float64{0, -0.5}),
		attribute.StringSlice("texts", []string{"", "a"}), attribute.StringSlice("nothing", nil),
	}
}

// TestTracesAsTheLibrary compares what is sent with what OpenTelemetry's exporter sends.
func TestTracesAsTheLibrary(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 9, 0, 0, 123456789, time.UTC)
	state, err := trace.ParseTraceState("vendor=1")
	if err != nil {
		t.Fatal(err)
	}
	id := func(n byte, remote bool) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1, 15: n}, SpanID: trace.SpanID{n, 7: 1}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: remote})
	}
	about := resource.NewWithAttributes("https://schema.example/1", attribute.String("service.name", "pushback"))
	var spans tracetest.SpanStubs
	for i, kind := range []trace.SpanKind{trace.SpanKindUnspecified, trace.SpanKindInternal, trace.SpanKindServer, trace.SpanKindClient, trace.SpanKindProducer, trace.SpanKindConsumer} {
		s := tracetest.SpanStub{Name: fmt.Sprint("span ", i), SpanContext: id(byte(i+1), false), SpanKind: kind, StartTime: at, EndTime: at.Add(time.Second), Resource: about}
		s.InstrumentationScope.Name = fmt.Sprint("scope ", i%2)
		switch i {
		case 1:
			s.Parent, s.Attributes, s.DroppedAttributes, s.DroppedEvents, s.DroppedLinks = id(9, true), hard(), 1, 2, 3
			s.Status = sdktrace.Status{Code: codes.Error, Description: "it failed"}
		case 2:
			s.Parent, s.Resource = id(9, false), resource.NewSchemaless(attribute.String("service.name", "other"))
			s.Events = []sdktrace.Event{{Name: "rule", Time: at, Attributes: hard(), DroppedAttributeCount: 4}, {Name: ""}}
			s.Status.Code = codes.Ok
		case 3:
			s.Links = []sdktrace.Link{{SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{2}, SpanID: trace.SpanID{3}, Remote: true}), Attributes: hard(), DroppedAttributeCount: 5}}
			s.InstrumentationScope.Version, s.InstrumentationScope.SchemaURL = "v1", "https://schema.example/2"
			s.InstrumentationScope.Attributes = attribute.NewSet(attribute.Int("n", 1))
		}
		spans = append(spans, s)
	}
	var want, got tracev1.ExportTraceServiceRequest
	library, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(received(t, &want).URL+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{library.ExportSpans(t.Context(), spans.Snapshots()),
		NewTraces(&Collector{Client: http.DefaultClient, Endpoint: received(t, &got).URL, Gzip: true}).ExportSpans(t.Context(), spans.Snapshots())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(flat(&want), flat(&got), protocmp.Transform()); diff != "" {
		t.Errorf("(-the library's +ours)\n%s", diff)
	}
}

// flat has each span by its name, with its resource and scope: what belongs together, and
// not where it stands.
func flat(r *tracev1.ExportTraceServiceRequest) map[string]proto.Message {
	spans := map[string]proto.Message{}
	for _, ofResource := range r.ResourceSpans {
		for _, ofScope := range ofResource.ScopeSpans {
			for _, s := range ofScope.Spans {
				one := proto.CloneOf(ofResource)
				one.ScopeSpans = one.ScopeSpans[:1]
				one.ScopeSpans[0] = proto.CloneOf(ofScope)
				one.ScopeSpans[0].Spans = append(one.ScopeSpans[0].Spans[:0:0], s)
				spans[s.Name] = one
			}
		}
	}
	return spans
}

// TestMetricsAsTheLibrary does so for each kind of data that an instrument can have.
func TestMetricsAsTheLibrary(t *testing.T) {
	t.Parallel()
	for name, preferences := range map[string]map[string]string{
		"default": nil,
		"preferred": {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Delta",
			"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var want, got metricsv1.ExportMetricsServiceRequest
			library, err := otlpmetrichttp.New(t.Context(), otlpmetrichttp.WithEndpointURL(received(t, &want).URL+"/v1/metrics"))
			if err != nil {
				t.Fatal(err)
			}
			ours, err := NewMetrics(&Collector{Client: http.DefaultClient, Endpoint: received(t, &got).URL}, func(name string) string { return preferences[name] })
			if err != nil {
				t.Fatal(err)
			}
			reader := sdkmetric.NewManualReader(sdkmetric.WithTemporalitySelector(ours.Temporality), sdkmetric.WithAggregationSelector(ours.Aggregation))
			provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithResource(resource.NewWithAttributes("https://schema.example", hard()...)))
			measure(t, provider.Meter("pushback", metric.WithInstrumentationVersion("v1"), metric.WithSchemaURL("https://schema.example/3")))
			var data metricdata.ResourceMetrics
			if err := reader.Collect(t.Context(), &data); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{library.Export(t.Context(), &data), ours.Export(t.Context(), &data)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if n := len(got.ResourceMetrics[0].ScopeMetrics[0].Metrics); n != 6 {
				t.Errorf("%d metrics", n)
			}
			if diff := cmp.Diff(&want, &got, protocmp.Transform()); diff != "" {
				t.Errorf("(-the library's +ours)\n%s", diff)
			}
		})
	}
}

// measure has each kind of instrument measure something, in a span that is sampled, so
// that there are exemplars.
func measure(t *testing.T, m metric.Meter) {
	t.Helper()
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled}))
	ints, err1 := m.Int64Counter("ints", metric.WithUnit("{row}"), metric.WithDescription("Rows."))
	both, err2 := m.Float64UpDownCounter("both")
	gauge, err3 := m.Int64Gauge("gauge")
	floats, err4 := m.Float64Gauge("floats")
	seconds, err5 := m.Float64Histogram("seconds", metric.WithUnit("s"))
	sizes, err6 := m.Int64Histogram("sizes")
	for _, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, with := range []metric.MeasurementOption{metric.WithAttributes(), metric.WithAttributes(hard()...)} {
		ints.Add(ctx, int64(i), with)
		both.Add(ctx, -0.5*float64(i), with)
		gauge.Record(ctx, int64(-i), with)
		floats.Record(ctx, float64(i), with)
		for _, v := range []float64{0, -3, 0.25, 12, 1e9} {
			seconds.Record(ctx, v, with)
			sizes.Record(ctx, int64(v), with)
		}
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"} {
		_, err := NewMetrics(nil, func(n string) string { return map[string]string{name: "sometimes"}[n] })
		if err == nil || !strings.HasPrefix(err.Error(), name+" is none of ") {
			t.Errorf("error = %v", err)
		}
	}
}

// TestAnswers checks what is taken for a success, what is sent again, and what is said.
func TestAnswers(t *testing.T) {
	t.Parallel()
	partial, err := proto.Marshal(&tracev1.ExportTraceServiceResponse{PartialSuccess: &tracev1.ExportTracePartialSuccess{RejectedSpans: 3, ErrorMessage: "too old"}})
	if err != nil {
		t.Fatal(err)
	}
	empty, err := proto.Marshal(&tracev1.ExportTraceServiceResponse{PartialSuccess: &tracev1.ExportTracePartialSuccess{}})
	if err != nil {
		t.Fatal(err)
	}
	protobuf := http.Header{"Content-Type": {"application/x-protobuf"}}
	type answer struct {
		status int
		header http.Header
		body   string
	}
	for _, tc := range []struct {
		name    string
		answers []answer
		want    string
	}{
		{name: "taken", answers: []answer{{status: 200}}},
		{name: "an empty partial success", answers: []answer{{200, protobuf, string(empty)}}},
		{name: "JSON", answers: []answer{{200, http.Header{"Content-Type": {"application/json"}}, "{}"}}},
		{name: "a part", answers: []answer{{200, protobuf, string(partial)}}, want: "the collector rejected 3 of what it was sent: too old"},
		{name: "nonsense", answers: []answer{{200, protobuf, "\xff\xff"}}, want: "no protobuf of OTLP"},
		{name: "too much", answers: []answer{{200, protobuf, strings.Repeat("x", mostAnswer+1)}}, want: "more than 65536 bytes"},
		{name: "later", answers: []answer{{status: 429}, {status: 502}, {status: 503}, {status: 504}, {status: 200}}},
		{name: "when it asks", answers: []answer{{503, http.Header{"Retry-After-Ms": {"1"}}, "busy"}, {status: 200}}},
		{name: "not within a minute", answers: []answer{{503, http.Header{"Retry-After": {"61"}}, "busy"}}, want: "the collector answered 503 Service Unavailable: busy"},
		{name: "never", answers: []answer{{401, nil, "who?"}}, want: "the collector answered 401 Unauthorized: who?"},
		{name: "a fault of its own", answers: []answer{{status: 500}}, want: "the collector answered 500 Internal Server Error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != "x" || r.Header.Get("Api-Key") != "1" {
					t.Errorf("%q %v", body, err)
				}
				a := tc.answers[min(int(asked.Add(1)), len(tc.answers))-1]
				for name, values := range a.header {
					w.Header()[name] = values
				}
				w.WriteHeader(a.status)
				_, _ = io.WriteString(w, a.body)
			}))
			t.Cleanup(server.Close)
			c := Collector{Client: http.DefaultClient, Endpoint: server.URL, Header: http.Header{"Api-Key": {"1"}}, first: time.Millisecond}
			err := c.send(t.Context(), []byte("x"))
			if n := int(asked.Load()); n != len(tc.answers) {
				t.Errorf("asked %d times, want %d", n, len(tc.answers))
			}
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}

// TestSendEnds has a wait end with the process.
func TestSendEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	c := Collector{Client: http.DefaultClient, Endpoint: server.URL}
	if err := c.send(ctx, nil); err == nil {
		t.Error("it was taken")
	}
}

// FuzzRejected agrees with the generated code about every answer.
func FuzzRejected(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("\x0a\x0b\x08\x03\x12\x07too old\x0a\x02\x08\x04"))
	f.Add([]byte("\x0a\x00\x0a"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var want tracev1.ExportTraceServiceResponse
		err := proto.Unmarshal(answer, &want)
		if err != nil && strings.Contains(err.Error(), "UTF-8") {
			return // what is no text is shown as it is
		}
		p := want.PartialSuccess
		if got := rejected(answer); (got != nil) != (err != nil || p.GetRejectedSpans() != 0 || p.GetErrorMessage() != "") {
			t.Errorf("%q: %v, want %v or %v", answer, got, err, p)
		}
	})
}
