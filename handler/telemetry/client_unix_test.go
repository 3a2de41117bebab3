//go:build unix

package telemetry

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"pushback/detect/input"
)

// A pipe in the place of a certificate or a key is refused: reading it would hold
// up the start of serve for good.
func TestCertificatesThatBlock(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, variables := range []map[string]string{
		{"OTEL_EXPORTER_OTLP_CERTIFICATE": pipe},
		{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": pipe, "OTEL_EXPORTER_OTLP_CLIENT_KEY": pipe},
	} {
		for name, value := range variables {
			t.Setenv(name, value)
		}
		if _, err := collector("TRACES"); !errors.Is(err, input.ErrNotRegular) {
			t.Errorf("%v: error = %v", variables, err)
		}
		for name := range variables {
			t.Setenv(name, "")
		}
	}
}
