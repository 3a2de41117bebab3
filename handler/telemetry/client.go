package telemetry

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"pushback/detect/input"
	"pushback/detect/transport"
	"pushback/handler/telemetry/otlp"
)

// collector returns where a signal, TRACES or METRICS, goes, as OpenTelemetry's variables
// say. They are checked before: see exportedSignals.
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
func collector(signal string) (*otlp.Collector, error) {
	either := func(name string) (value, of string) {
		own, all := "OTEL_EXPORTER_OTLP_"+signal+"_"+name, "OTEL_EXPORTER_OTLP_"+name
		return cmp.Or(variable(own), variable(all)), own
	}
	c := &otlp.Collector{Endpoint: variable("OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT")}
	if c.Endpoint == "" { // the address of all signals, each of which has a path of its own
		c.Endpoint = strings.TrimRight(variable("OTEL_EXPORTER_OTLP_ENDPOINT"), "/") + "/v1/" + strings.ToLower(signal)
	}
	headers, _ := either("HEADERS")
	c.Header = readHeaders(headers)
	switch compression, name := either("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		c.Gzip = true
	default:
		return nil, fmt.Errorf("%s is neither gzip nor none", name)
	}
	var err error
	c.Client, err = collectorClient(either)
	return c, err
}

// collectorClient returns what requests go through. It follows no redirect, along
// which would go the headers that the collector knows a sender by, and reads no
// headers without end.
func collectorClient(either func(name string) (value, of string)) (*http.Client, error) {
	carrier := transport.New(10 * time.Second)
	if file, name := either("CERTIFICATE"); file != "" {
		text, err := readPEM(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		carrier.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !carrier.TLSClientConfig.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: the file holds no certificate in PEM", name)
		}
	}
	certificate, name := either("CLIENT_CERTIFICATE")
	if key, _ := either("CLIENT_KEY"); certificate != "" && key != "" {
		pair, err := keyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		carrier.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	timeout := 10 * time.Second
	if text, name := either("TIMEOUT"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%s is not a number of milliseconds", name)
		}
		timeout = time.Duration(n) * time.Millisecond
	}
	return &http.Client{Transport: carrier, Timeout: timeout, CheckRedirect: func(next *http.Request, _ []*http.Request) error {
		if next.Response == nil {
			return errors.New("a redirect that is not followed")
		}
		return &transport.RedirectError{Service: "the collector", Status: next.Response.StatusCode, Host: next.URL.Host}
	}}, nil
}

// readPEM reads a file of certificates or of a key. A pipe or a device would hold
// up the start of serve.
func readPEM(path string) ([]byte, error) {
	const most = 1 << 20
	return input.ReadFile(context.Background(), path, most)
}

// keyPair reads a certificate and its key.
func keyPair(certificate, key string) (tls.Certificate, error) {
	chain, err := readPEM(certificate)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := readPEM(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(chain, private)
}
