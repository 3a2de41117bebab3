package workspace

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/transport"
)

const (
	// maxAnswerBytes is more than the service ever answers, which is about 100 MB.
	maxAnswerBytes = 128 << 20
	// maxValueBytes is more than a cell can hold. A value is in memory as a
	// whole while it is read.
	maxValueBytes = 4 << 20
	// maxHeldBytes is what the rows of an answer may take in memory: many times
	// what they take as text, if they are small.
	maxHeldBytes = 120 << 20
)

// emptyAnswer is what azquery gets to read.
const emptyAnswer = `{"tables":[]}`

// do sends a request once. An answer that breaks off is an error of this try,
// so that it is tried again: a query changes nothing.
func (x *exchange) do(req *policy.Request) (*http.Response, error) {
	runtime.SkipBodyDownload(req)
	if x.tries > 0 { // the first was admitted before its time began
		if err := x.throttle.admit(req.Raw().Context()); err != nil {
			return nil, err
		}
	}
	x.tries++
	x.requests.Add(1)
	x.answered, x.answer = false, answer{large: func() error { return x.holding.try(x.throttle) }}
	response, err := req.Next()
	if err != nil {
		x.failed(req, err)
		return response, err
	}
	x.answered, x.status = true, response.StatusCode
	x.throttle.heed(response)
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent: // an error to azquery
		_ = response.Body.Close()
		x.answer.table = &Table{Rows: [][]any{}, NoData: true}
		response.StatusCode, response.Status = http.StatusOK, "200 OK"
		return replaced(response), nil
	default:
		return response, nil
	}
	body := &source{r: response.Body}
	x.answer.read(body)
	_ = response.Body.Close() // it is read, or of no use
	if body.err != nil {
		x.failed(req, body.err)
		return nil, body.err
	}
	return replaced(response), nil
}

// replaced gives an answer the body that azquery gets to read.
func replaced(response *http.Response) *http.Response {
	response.Body = io.NopCloser(strings.NewReader(emptyAnswer))
	response.ContentLength = int64(len(emptyAnswer))
	return response
}

// failed remembers why a try broke off. When the time is over that is all that
// can be said, since azcore gives the end of the time as its error.
func (x *exchange) failed(req *policy.Request, err error) {
	if req.Raw().Context().Err() == nil {
		x.broke = err
	}
}

// errValueTooLarge is a value that no service gives.
var errValueTooLarge = fmt.Errorf("a single value in it is larger than %d MiB, the limit: no workspace gives such", maxValueBytes>>20)

// source is a body that remembers how reading it failed: a cut connection is not
// bad JSON.
type source struct {
	r   io.Reader
	err error
	// read is how much of the body was read, and parsed how much of that the
	// decoder is done with.
	read   int64
	parsed func() int64
}

// Read fails where a value is longer than any that a service gives.
func (s *source) Read(p []byte) (int, error) {
	if s.parsed != nil && s.read-s.parsed() > maxValueBytes {
		return 0, errValueTooLarge
	}
	n, err := s.r.Read(p)
	s.read += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// retries completes the options of the retries. The longest wait between two
// tries is azcore's, a minute.
func retries(o policy.RetryOptions) policy.RetryOptions {
	o.MaxRetries = cmp.Or(o.MaxRetries, 5)
	o.RetryDelay = cmp.Or(o.RetryDelay, time.Second)
	if o.ShouldRetry == nil && o.StatusCodes == nil {
		o.ShouldRetry = worthRetrying
	}
	return o
}

// worthRetrying reports whether a try should be followed by another. A query
// that took the service too long (504) would again, and one that is to wait
// longer than there is time fails at once, with the service's own words.
func worthRetrying(response *http.Response, err error) bool {
	if err != nil {
		return true
	}
	switch response.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable:
	default:
		return false
	}
	if response.Request == nil {
		return true
	}
	deadline, ok := response.Request.Context().Deadline()
	return !ok || transport.RetryAfter(response.Header, time.Now()) < time.Until(deadline)
}
