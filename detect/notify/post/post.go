// Package post posts messages to webhooks, for the destinations that have one.
package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"pushback/detect/notify"
)

// Answer is what a webhook said.
type Answer struct {
	Status int
	Header http.Header
	Text   string // the beginning of the body
}

// mostAnswer is how much of an answer is read.
const mostAnswer = 64 << 10

// Once posts a body to an address, once, within a time. Redirects are not
// followed: to another host they would hand over what is posted, and most turn a
// POST into a GET, whose 200 would look like success. So there is no http.Client,
// whose errors besides hold the address.
//
// Without an answer its error is a [*notify.Error], and never holds the address.
func Once(ctx context.Context, via http.RoundTripper, timeout time.Duration, to URL, header http.Header, body []byte) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var reached, written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { reached.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) { written.Store(info.Err == nil) },
	})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.Reveal().String(), bytes.NewReader(body))
	if err != nil {
		return Answer{}, &notify.Error{Err: errors.New("the address makes no request"), Shut: true} // err may quote it
	}
	for name, values := range header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("User-Agent", "pushback")
	response, err := via.RoundTrip(request)
	if err != nil {
		return Answer{}, &notify.Error{Err: unanswered(ctx, to, err), Shut: !reached.Load(), Unanswered: written.Load()}
	}
	defer response.Body.Close()
	// A status is an answer, also if what should follow it does not come.
	text, _ := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	return Answer{response.StatusCode, response.Header, strings.TrimSpace(string(text))}, nil
}

// unanswered is the error of a request that has no answer.
func unanswered(ctx context.Context, to URL, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer in time: %w", ctx.Err())
	}
	if text := err.Error(); to.Redact(text) != text {
		return errors.New(to.Redact(text))
	}
	return err
}

// Reach makes sure that an address's host answers, whatever it is. It posts
// nothing, and its request does not hold the address.
func Reach(ctx context.Context, via http.RoundTripper, timeout time.Duration, host string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+host+"/", nil)
	if err != nil {
		return err
	}
	response, err := via.RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
