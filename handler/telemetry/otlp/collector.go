// Package otlp exports traces and metrics over OTLP: protobuf in HTTP.
//
// OpenTelemetry's own exporters do the same, with packages protobuf and gRPC, which are a
// tenth of the program; the tests compare what the two send.
package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"pushback/detect/transport"
)

// Collector is where a signal goes. What it refuses for now, with status 429, 502, 503 or
// 504, and what does not reach it in time is sent again, for a minute at most; so is
// nothing else.
type Collector struct {
	Client   *http.Client
	Endpoint string      // the whole address
	Header   http.Header // also sent, such as what the collector knows a sender by
	Gzip     bool        // whether the body is compressed

	first time.Duration // the first wait before something is sent again, if not five seconds
}

// mostAnswer is how many bytes of an answer are read.
const mostAnswer = 64 << 10

var errAnswer = errors.New("the collector's answer is no protobuf of OTLP")

// send posts a request until it is taken or refused for good.
func (c *Collector) send(ctx context.Context, body []byte) error {
	if c.Gzip {
		var sb bytes.Buffer
		w := gzip.NewWriter(&sb)
		_, err := w.Write(body)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		body = sb.Bytes()
	}
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = 5*time.Second, 30*time.Second
	if c.first > 0 {
		waits.InitialInterval = c.first
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := c.post(ctx, body)
		if again, ok := errors.AsType[*refusedError](err); err != nil && !(ok && again.forNow) && !isTimeout(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(time.Minute))
	return err
}

func (c *Collector) post(ctx context.Context, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range c.Header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if c.Gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	answer, err := c.Client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostAnswer+1))
	switch {
	case err != nil:
		return err
	case len(text) > mostAnswer:
		return fmt.Errorf("the collector's answer has more than %d bytes", mostAnswer)
	case answer.StatusCode/100 != 2:
		refused := &refusedError{status: answer.Status, why: strings.TrimSpace(string(text)), after: transport.RetryAfter(answer.Header, time.Now())}
		switch answer.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			refused.forNow = true
		}
		return refused
	case answer.Header.Get("Content-Type") == "application/x-protobuf":
		return rejected(text)
	}
	return nil
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// refusedError is an answer that is no success.
type refusedError struct {
	status, why string
	forNow      bool
	after       time.Duration // how long the collector asks to wait, if it does
}

func (e *refusedError) Error() string {
	if e.why == "" {
		return "the collector answered " + e.status
	}
	return "the collector answered " + e.status + ": " + e.why
}

// As has package backoff wait as long as the collector asks for.
func (e *refusedError) As(target any) bool {
	wait, ok := target.(**backoff.RetryAfterError)
	if ok = ok && e.after > 0; ok {
		*wait = &backoff.RetryAfterError{Duration: e.after}
	}
	return ok
}
