package telemetry

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCollectorClient keeps to the variables that the exporters leave to it.
func TestCollectorClient(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	dir := t.TempDir()
	ca, none := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "none.pem")
	for file, text := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), none: []byte("x")} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if client, err := collectorClient("TRACES"); err != nil {
		t.Error(err)
	} else if _, err := client.Get(server.URL); err == nil {
		t.Error("a certificate is trusted that nobody named")
	}
	for variable, value := range map[string]string{"OTEL_EXPORTER_OTLP_CERTIFICATE": ca, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": ca} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			client, err := collectorClient("TRACES")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Get(server.URL); err != nil {
				t.Error(err)
			}
		})
	}
	for variable, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_CERTIFICATE": none, "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE": filepath.Join(dir, "missing"),
		"OTEL_EXPORTER_OTLP_TIMEOUT": "soon",
	} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, value)
			if _, err := collectorClient("METRICS"); err == nil || !strings.HasPrefix(err.Error(), "OTEL_EXPORTER_OTLP_METRICS_") {
				t.Errorf("error = %v", err)
			}
		})
	}
}
