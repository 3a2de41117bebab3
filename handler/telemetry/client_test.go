package telemetry

import (
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCollector keeps to OpenTelemetry's variables.
func TestCollector(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	dir := t.TempDir()
	ca, none := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "none.pem")
	for file, text := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), none: []byte("x")} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := collector("TRACES"); err != nil {
		t.Error(err)
	} else if _, err := c.Client.Get(server.URL); err == nil {
		t.Error("a certificate is trusted that nobody named")
	}
	for variable, value := range map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": ca, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": ca} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			c, err := collector("TRACES")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Client.Get(server.URL); err != nil {
				t.Error(err)
			}
		})
	}
	for variable, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_CERTIFICATE": none, "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE": filepath.Join(dir, "missing"),
		"OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			if _, err := collector("METRICS"); err == nil || !strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_METRICS_") {
				t.Errorf("error = %v", err)
			}
		})
	}
}

func TestWhereASignalGoes(t *testing.T) {
	for _, tc := range []struct {
		name     string
		env      map[string]string
		endpoint string
		header   http.Header
		gzip     bool
	}{
		{name: "all signals", env: map[string]string{"ENDPOINT": "https://c.example:4318/otel/"}, endpoint: "https://c.example:4318/otel/v1/metrics"},
		{name: "one signal", env: map[string]string{"ENDPOINT": "https://c.example", "METRICS_ENDPOINT": "http://m.example/in"}, endpoint: "http://m.example/in"},
		{name: "headers", env: map[string]string{"ENDPOINT": "https://c.example", "HEADERS": "x=1", "METRICS_HEADERS": "api-key = a%2Cb ,y=2", "COMPRESSION": "gzip"},
			endpoint: "https://c.example/v1/metrics", header: http.Header{"Api-Key": {"a,b"}, "Y": {"2"}}, gzip: true},
		{name: "not compressed after all", env: map[string]string{"ENDPOINT": "https://c.example", "COMPRESSION": "gzip", "METRICS_COMPRESSION": "none"}, endpoint: "https://c.example/v1/metrics"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range tc.env {
				t.Setenv("OTEL_EXPORTER_OTLP_"+name, value)
			}
			c, err := collector("METRICS")
			if err != nil {
				t.Fatal(err)
			}
			if c.Endpoint != tc.endpoint || c.Gzip != tc.gzip || !maps.EqualFunc(c.Header, tc.header, slices.Equal) {
				t.Errorf("%s %v %v", c.Endpoint, c.Header, c.Gzip)
			}
		})
	}
}
