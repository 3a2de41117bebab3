package telemetry

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// exportedSignals reads from OpenTelemetry's own variables which signals have
// somewhere to go. Those are the ones of which an endpoint is set, and the
// exporter is not none.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
func exportedSignals() (traces, metrics bool, err error) {
	if strings.EqualFold(variable("OTEL_SDK_DISABLED"), "true") {
		return false, false, nil
	}
	var errs []error
	set := map[string]bool{}
	for _, signal := range []string{"", "TRACES_", "METRICS_"} {
		endpoint, headers := "OTEL_EXPORTER_OTLP_"+signal+"ENDPOINT", "OTEL_EXPORTER_OTLP_"+signal+"HEADERS"
		text := variable(endpoint)
		set[signal] = text != ""
		errs = append(errs, checkEndpoint(endpoint, text), checkHeaders(headers, variable(headers)))
	}
	wanted := func(signal string) bool {
		name := "OTEL_" + signal + "EXPORTER"
		switch strings.ToLower(variable(name)) {
		case "none":
			return false
		case "", "otlp":
			return set[signal] || set[""]
		}
		errs = append(errs, fmt.Errorf("%s names an unknown exporter: set otlp, the default, or none", name))
		return false
	}
	traces, metrics = wanted("TRACES_"), wanted("METRICS_")
	if err := errors.Join(errs...); err != nil {
		return false, false, err
	}
	return traces, metrics, nil
}

func variable(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// checkEndpoint says what is wrong with an endpoint. It does not repeat it, since there may be a password in it.
func checkEndpoint(name, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%s is not the address of a collector: it begins with https:// or http:// and a host, such as https://collector.example:4318", name)
	case u.User != nil || u.RawQuery != "":
		return fmt.Errorf("%s has a user, a password or a query, which OTLP has no use for: what the collector knows a sender by goes into OTEL_EXPORTER_OTLP_HEADERS", name)
	}
	return nil
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// checkHeaders says whether a list of headers is wrong. It does not repeat it, since
// there is a secret in it.
func checkHeaders(name, text string) error {
	if text == "" {
		return nil
	}
	for header := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(header, "=")
		if _, err := url.PathUnescape(value); !found || err != nil || !headerName.MatchString(strings.TrimSpace(key)) {
			return fmt.Errorf("%s is not a list of headers: NAME=VALUE, with commas between them, and %%2C for a comma in a value", name)
		}
	}
	return nil
}

// readHeaders reads a list of headers that was checked.
func readHeaders(text string) http.Header {
	headers := http.Header{}
	for header := range strings.SplitSeq(text, ",") {
		if key, value, found := strings.Cut(header, "="); found {
			value, _ = url.PathUnescape(value)
			headers.Set(strings.TrimSpace(key), strings.TrimSpace(value))
		}
	}
	return headers
}
