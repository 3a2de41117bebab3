package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestProcessTelemetry takes what a tick exports over OTLP: its trace with the
// Azure services in it, and the metrics that the README lists. A collector that
// fails is no reason for a tick to.
func TestProcessTelemetry(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	children := map[string]bool{}
	names := map[string]bool{}
	down, ticks := false, 0
	var raw strings.Builder
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		var from io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if from, err = gzip.NewReader(r.Body); err != nil {
				t.Error(err)
				return
			}
		}
		body, err := io.ReadAll(from)
		if err != nil {
			t.Error(err)
		}
		raw.Write(body)
		switch r.URL.Path {
		case "/v1/traces":
			var m traces.ExportTraceServiceRequest
			if err := proto.Unmarshal(body, &m); err != nil {
				t.Error(err)
			}
			var tick []byte
			for _, rs := range m.ResourceSpans {
				for _, ss := range rs.ScopeSpans {
					for _, s := range ss.Spans {
						if s.Name == "tick" {
							ticks++
							tick = s.TraceId
							if len(s.Events) < 2 {
								t.Errorf("the tick has %d events", len(s.Events))
							}
						}
					}
				}
			}
			for _, rs := range m.ResourceSpans {
				for _, ss := range rs.ScopeSpans {
					for _, s := range ss.Spans {
						if tick != nil && s.Name != "tick" && string(s.TraceId) == string(tick) {
							children[ss.Scope.Name] = true
						}
					}
				}
			}
		case "/v1/metrics":
			var m metrics.ExportMetricsServiceRequest
			if err := proto.Unmarshal(body, &m); err != nil {
				t.Error(err)
			}
			for _, rm := range m.ResourceMetrics {
				for _, sm := range rm.ScopeMetrics {
					for _, one := range sm.Metrics {
						if strings.HasPrefix(one.Name, "pushback.") {
							names[one.Name] = true
						}
					}
				}
			}
		default:
			t.Errorf("the collector got %s", r.URL.Path)
		}
	}))
	defer collector.Close()
	c := newCloud(t)
	h := startHost(t, c, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL})
	h.tick(c, at(11, 5), http.StatusOK)
	mu.Lock()
	down = true
	mu.Unlock()
	h.tick(c, at(12, 5), http.StatusOK)
	h.stop()
	if !strings.Contains(h.stdout.String()+h.stderr.String(), `"msg":"telemetry"`) {
		t.Error("nothing is said of a collector that refuses")
	}
	mu.Lock()
	defer mu.Unlock()
	if ticks != 1 || len(children) == 0 {
		t.Errorf("%d ticks, with calls of %v", ticks, children)
	}
	if strings.Contains(raw.String(), standInToken) || strings.Contains(raw.String(), standInIdentityHeader) {
		t.Error("a secret is exported")
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(pushback\\.[a-z_.]+)`").FindAllStringSubmatch(string(readme), -1) {
		listed[m[1]] = true
	}
	if diff := cmp.Diff(keys(listed), keys(names)); diff != "" {
		t.Errorf("metrics (-README +exported):\n%s", diff)
	}
}

func keys(m map[string]bool) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
