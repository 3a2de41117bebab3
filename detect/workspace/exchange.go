package workspace

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// maxAnswerBytes is more than the service ever answers, which is about 100 MB.
const maxAnswerBytes = 256 << 20

// emptyAnswer is what azquery gets to read.
const emptyAnswer = `{"tables":[]}`

// do sends a request once. An answer that breaks off is an error of this try,
// so that it is tried again: a query changes nothing.
func (x *exchange) do(req *policy.Request) (*http.Response, error) {
	runtime.SkipBodyDownload(req)
	x.tries++
	x.answered, x.answer = false, answer{}
	response, err := req.Next()
	if err != nil {
		return response, err
	}
	x.answered, x.status = true, response.StatusCode
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
	body := &source{r: response.Body, left: maxAnswerBytes}
	x.answer.read(body)
	_ = response.Body.Close() // it is read, or of no use
	if body.err != nil {
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

// errTooLarge is an answer that no service gives.
var errTooLarge = errors.New("the answer is larger than 256 MiB")

// source is a body that remembers how reading it failed, so that a cut
// connection can be told from bad JSON.
type source struct {
	r    io.Reader
	left int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, errTooLarge
	}
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
	return !ok || retryAfter(response.Header) < time.Until(deadline)
}

// retryAfter returns how long the service asks to wait, or 0.
func retryAfter(h http.Header) time.Duration {
	for _, header := range []struct {
		name string
		unit time.Duration
	}{{"Retry-After-Ms", time.Millisecond}, {"X-Ms-Retry-After-Ms", time.Millisecond}, {"Retry-After", time.Second}} {
		if n, err := strconv.ParseInt(h.Get(header.name), 10, 32); err == nil && n > 0 {
			return time.Duration(n) * header.unit
		}
	}
	if t, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return max(time.Until(t), 0)
	}
	return 0
}
