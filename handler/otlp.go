package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"pushback/detect/notify/text"
	"pushback/detect/secret"
)

// otlpSignal is a kind of telemetry, traces or metrics, on its way to a collector.
// While the collector is away nobody waits for it: what there is is exported in
// the background, and it is up again when that succeeds.
type otlpSignal struct {
	name            string
	flush, shutdown func(context.Context) error
	log             *slog.Logger

	mu   sync.Mutex
	down bool // the last export failed
}

func (s *otlpSignal) isDown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

// note takes what came of an export. That it failed is logged once, until it
// works again.
func (s *otlpSignal) note(err error) {
	if errors.Is(err, context.Canceled) {
		return // by the end of the process: it says nothing of the collector
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && !s.down:
		s.log.Warn("telemetry is not exported: is the collector of the OTEL_EXPORTER_OTLP_ variables there? Ticks go on and do not wait for it", "signal", s.name, "error", text.Cut(secret.Hide(err.Error()), 400))
	case err == nil && s.down:
		s.log.Info("telemetry is exported again", "signal", s.name)
	}
	s.down = err != nil
}

// await lets export run, and waits for it for flushTime at most. It is not
// cut off then, or what a slow collector is about to take would be lost.
func (s *otlpSignal) await(export func(context.Context) error) {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil { // it is no reason to end
				done <- &panicError{v}
			}
		}()
		done <- export(context.Background())
	}()
	select {
	case err := <-done:
		if err != nil { // a success may be that there was nothing to export
			s.note(err)
		}
	case <-time.After(flushTime):
		s.note(fmt.Errorf("no answer within %s", flushTime))
	}
}

// exportError is what a signal has noted.
type exportError struct{ error }

func (e exportError) Unwrap() error { return e.error }

// noted notes what came of an export, and returns it.
func (s *otlpSignal) noted(err error) error {
	s.note(err)
	if err != nil {
		return exportError{err}
	}
	return nil
}

type spanExporter struct {
	sdktrace.SpanExporter
	signal *otlpSignal
}

func (e spanExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	return e.signal.noted(e.SpanExporter.ExportSpans(ctx, spans))
}

type pointExporter struct {
	sdkmetric.Exporter
	signal *otlpSignal
}

func (e pointExporter) Export(ctx context.Context, points *metricdata.ResourceMetrics) error {
	return e.signal.noted(e.Exporter.Export(ctx, points))
}

// exportedSignals reads from OpenTelemetry's own variables which signals have
// somewhere to go: those of which an endpoint is set, and the exporter is not
// none. https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func exportedSignals() (traces, metrics bool, err error) {
	if strings.EqualFold(otelVariable("OTEL_SDK_DISABLED"), "true") {
		return false, false, nil
	}
	var errs []error
	set := map[string]bool{}
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		endpoint, headers := "OTEL_EXPORTER_OTLP_"+signal+"ENDPOINT", "OTEL_EXPORTER_OTLP_"+signal+"HEADERS"
		text := otelVariable(endpoint)
		set[signal] = text != ""
		errs = append(errs, checkEndpoint(endpoint, text), checkHeaders(headers, otelVariable(headers)))
	}
	wanted := func(signal string) bool {
		name := "OTEL_" + signal + "EXPORTER"
		switch strings.ToLower(otelVariable(name)) {
		case "none":
			return false
		case "", "otlp":
			return set[signal] || set[""]
		}
		errs = append(errs, fmt.Errorf("%s names an exporter that is not here: there are otlp, the default, and none", name))
		return false
	}
	traces, metrics = wanted("TRACES_"), wanted("METRICS_")
	if err := errors.Join(errs...); err != nil {
		return false, false, err
	}
	return traces, metrics, nil
}

func otelVariable(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// checkEndpoint says what is wrong with an endpoint, which the exporters would
// ignore. It does not repeat it, since there may be a password in it.
func checkEndpoint(name, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%s is no address of a collector: it begins with https:// or http:// and a host, such as https://collector.example:4318", name)
	case u.User != nil || u.RawQuery != "":
		return fmt.Errorf("%s has a user, a password or a query, which OTLP has no use for: what the collector knows a sender by goes into OTEL_EXPORTER_OTLP_HEADERS", name)
	}
	return nil
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// checkHeaders says whether a list of headers is wrong. The exporters would
// write the secret in it to standard error.
func checkHeaders(name, text string) error {
	if text == "" {
		return nil
	}
	for header := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(header, "=")
		if _, err := url.PathUnescape(value); !found || err != nil || !headerName.MatchString(strings.TrimSpace(key)) {
			return fmt.Errorf("%s is no list of headers: NAME=VALUE, with commas between them, and %%2C for a comma in a value", name)
		}
	}
	return nil
}
