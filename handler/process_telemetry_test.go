package main

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"pushback/handler/telemetry"
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
	h.tick(c, at(13, 5), http.StatusOK)
	h.stop()
	if n := strings.Count(h.stdout.String(), "telemetry is not exported"); n != 2 {
		t.Errorf("%d warnings about a collector that refuses two signals", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if ticks != 1 || len(children) == 0 {
		t.Errorf("%d ticks, with calls of %v", ticks, children)
	}
	if strings.Contains(raw.String(), standInToken) || strings.Contains(raw.String(), standInIdentityHeader) {
		t.Error("a secret is exported")
	}
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(pushback\\.[a-z_.]+)`").FindAllStringSubmatch(documented(t), -1) {
		listed[m[1]] = true
	}
	if diff := cmp.Diff(keys(listed), keys(names)); diff != "" {
		t.Errorf("metrics (-README +exported):\n%s", diff)
	}
}

// TestProcessTelemetryTrouble has what is wrong, with the process or with the
// collector.
func TestProcessTelemetryTrouble(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		settings func(url string) map[string]string
		hangs    bool
		status   int
		paths    []string // that the collector is asked for
		failed   bool     // the tick's span
		said     map[string]int
	}{
		{
			name: "a setting is wrong",
			settings: func(url string) map[string]string {
				return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url, "PUSHBACK_WORKSPACE_ID": "nowhere"}
			},
			status: http.StatusInternalServerError, paths: []string{"/v1/metrics", "/v1/traces"}, failed: true,
		},
		{
			name: "traces alone",
			settings: func(url string) map[string]string {
				return map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": url + "/mine"}
			},
			status: http.StatusOK, paths: []string{"/mine"},
			said: map[string]int{"telemetry is not exported": 0},
		},
		{
			name:     "the collector hangs",
			settings: func(url string) map[string]string { return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url} },
			hangs:    true, status: http.StatusOK, paths: []string{"/v1/metrics", "/v1/traces"},
			said: map[string]int{"telemetry is not exported": 2},
		},
		{
			name: "an endpoint is none",
			settings: func(url string) map[string]string {
				return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "me:" + standInToken + "@" + strings.TrimPrefix(url, "http://")}
			},
			status: http.StatusOK,
			said:   map[string]int{"there is no telemetry": 1, "OTEL_EXPORTER_OTLP_ENDPOINT is not the address": 1},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			paths := map[string]bool{}
			failed := false
			release := make(chan struct{})
			collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				mu.Lock()
				paths[r.URL.Path] = true
				var m traces.ExportTraceServiceRequest
				if strings.HasSuffix(r.URL.Path, "traces") && err == nil && proto.Unmarshal(body, &m) == nil {
					for _, rs := range m.ResourceSpans {
						for _, ss := range rs.ScopeSpans {
							for _, s := range ss.Spans {
								failed = failed || s.Name == "tick" && s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR
							}
						}
					}
				}
				mu.Unlock()
				if tc.hangs {
					<-release
				}
			}))
			defer collector.Close()
			defer close(release)
			c := newCloud(t)
			h := startHost(t, c, tc.settings(collector.URL))
			h.tick(c, at(11, 5), tc.status)
			began := time.Now()
			for minute := 10; minute < 30; minute += 5 {
				h.tick(c, at(11, minute), tc.status)
			}
			if took := time.Since(began); took > 2*telemetry.FlushTime {
				t.Errorf("four ticks after the first took %s", took)
			}
			began = time.Now()
			h.stop()
			if took := time.Since(began); took > 2*telemetry.FlushTime {
				t.Errorf("the end took %s", took)
			}
			mu.Lock()
			defer mu.Unlock()
			if diff := cmp.Diff(tc.paths, keys(paths)); diff != "" {
				t.Errorf("asked of the collector (-want +got):\n%s", diff)
			}
			if failed != tc.failed {
				t.Errorf("a failed tick is exported: %t", failed)
			}
			for text, want := range tc.said {
				if n := strings.Count(h.stdout.String()+h.stderr.String(), text); n != want {
					t.Errorf("%q is said %d times, want %d", text, n, want)
				}
			}
		})
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
