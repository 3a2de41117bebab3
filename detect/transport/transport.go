// Package transport carries requests to services whose answers are not to be
// trusted. The real service may be broken, and what answers in its place may be
// hostile.
//
// What is read of an answer is bounded, headers and body alike, counted after
// decompression. No redirect is followed: the token of a request would go along,
// and what comes back would pass for the service's own.
package transport

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Limits bound what is read of a service's answers.
type Limits struct {
	// Service is what errors call the service, such as "the workspace".
	Service string
	// Answer is how many bytes of a success are read, as they are after
	// decompression.
	Answer int64
}

const (
	// DefaultConnect is how long a connection may take to come about.
	DefaultConnect = 30 * time.Second

	// mostRefusal is how many bytes are read of an answer that is no success:
	// services say in a few hundred why they refuse.
	mostRefusal = 1 << 20
	// mostHeaders is how many bytes the headers of an answer take, those of
	// interim answers included. Go reads 10 MiB.
	mostHeaders = 256 << 10
)

// Bounded returns a transporter for a service. It sends by base, or without one
// by connections of its own. Of an [http.Client] it takes the transport only:
// the client reads where a redirect leads, and quotes it.
func Bounded(base policy.Transporter, l Limits) policy.Transporter {
	switch b := base.(type) {
	case nil:
		base = roundTripper{New(DefaultConnect)}
	case *http.Client:
		base = roundTripper{cmp.Or[http.RoundTripper](b.Transport, http.DefaultTransport)}
	}
	return &bounded{base, l}
}

// Single returns a transporter that sends one request for one: it follows no redirect.
func Single(base http.RoundTripper) policy.Transporter { return roundTripper{base} }

// roundTripper is a transporter that sends one request for one.
type roundTripper struct{ http.RoundTripper }

// Do implements policy.Transporter. Its errors name the host as those of
// [http.Client] do, but no query, which can be a secret.
func (r roundTripper) Do(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTrip(request)
	if err != nil {
		where := url.URL{Scheme: request.URL.Scheme, Host: request.URL.Host, Path: request.URL.Path}
		method := request.Method
		return nil, &url.Error{Op: method[:1] + strings.ToLower(method[1:]), URL: where.String(), Err: err}
	}
	return response, nil
}

// New returns a transport like azcore's own, but that it reads fewer headers. A
// connection has to come about within connect.
func New(connect time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    min(connect, 10*time.Second),
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    10,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: mostHeaders,
		// A connection that is dead is noticed although nothing closes it.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// bounded is a transporter that keeps to limits.
type bounded struct {
	base   policy.Transporter
	limits Limits
}

// Do implements policy.Transporter.
func (b *bounded) Do(request *http.Request) (*http.Response, error) {
	response, err := b.base.Do(request)
	if err != nil {
		if headersTooLarge(err) {
			return nil, &TooLargeError{Service: b.limits.Service, Limit: mostHeaders, Headers: true}
		}
		return response, err
	}
	if to, ok := redirect(response); ok {
		_ = response.Body.Close() // nobody reads it
		return nil, &RedirectError{Service: b.limits.Service, Status: response.StatusCode, Host: to}
	}
	capRetryAfter(response.Header, time.Now())
	most := b.limits.Answer
	if response.StatusCode < 200 || response.StatusCode > 299 {
		most = min(most, mostRefusal)
	}
	response.Body = &body{
		ReadCloser: response.Body, ctx: request.Context(), left: most,
		err: &TooLargeError{Service: b.limits.Service, Limit: most, Status: response.StatusCode},
	}
	return response, nil
}

// headersTooLarge reports whether a transport gave up on the headers. It has no
// error of its own for that.
func headersTooLarge(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") ||
		strings.Contains(text, "response header list larger than advertised limit") ||
		strings.Contains(text, "too many 1xx informational responses")
}

// redirect returns the host that an answer points to, if it is a redirect.
func redirect(r *http.Response) (host string, ok bool) {
	switch r.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return "", false
	}
	location := r.Header.Get("Location")
	to, err := url.Parse(location)
	if err != nil || location == "" {
		return "", true
	}
	if to.Host == "" && r.Request != nil && r.Request.URL != nil {
		return r.Request.URL.Host, true
	}
	return to.Host, true
}

// body is an answer's body up to a limit.
type body struct {
	io.ReadCloser
	ctx  context.Context
	left int64
	err  *TooLargeError
}

// Read fails at the limit and when the request's time is over, which a
// transport of another make may not look at.
func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left < 0 {
		return 0, b.err
	}
	// One byte more than there may be says that there is more.
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, b.err
	}
	return n, err
}

// TooLargeError says that a service sent more than is read of an answer.
type TooLargeError struct {
	Service string
	Limit   int64 // in bytes
	Status  int   // of the answer
	Headers bool  // it is the headers that are too large
}

// Error names the service and the limit, and says what to do.
func (e *TooLargeError) Error() string {
	what := fmt.Sprintf("an answer (%d) of more than %s", e.Status, size(e.Limit))
	if e.Headers {
		what = "an answer whose headers are larger than " + size(e.Limit)
	}
	return fmt.Sprintf("%s sent %s, the limit: no such service does, so check the address that is set and what stands between, such as a proxy", e.Service, what)
}

// NonRetriable marks it for azcore: another try would be as large.
func (e *TooLargeError) NonRetriable() {}

// size writes a number of bytes.
func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// RedirectError says that a service answered with a redirect.
type RedirectError struct {
	Service string
	Status  int
	Host    string // that it points to, as it was sent; may be empty
}

// Error names the service and the host, and says what to do.
func (e *RedirectError) Error() string {
	to := "a redirect that leads nowhere"
	if e.Host != "" {
		const longest = 100
		host := e.Host
		if len(host) > longest {
			host = host[:longest] + "..."
		}
		to = fmt.Sprintf("a redirect to the host %+q", host)
	}
	return fmt.Sprintf("%s answered %d with %s, which is not followed: check the address and the cloud that are set, and what stands between, such as a proxy", e.Service, e.Status, to)
}

// NonRetriable marks it for azcore: another try would be redirected too.
func (e *RedirectError) NonRetriable() {}
