package sentinel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/notify/console"
)

// longestRetryAfter is how long at most a service is left alone because it asks
// for it.
const longestRetryAfter = time.Hour

// Error is a step of a delivery that failed.
type Error struct {
	Doing string
	// Status and Code are the service's, zero and empty if it did not answer.
	Status int
	Code   string
	text   string
	after  time.Duration
	err    error
}

// Error says what failed, where, and what to do.
func (e *Error) Error() string { return "sentinel: " + e.Doing + ": " + e.text }

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.err }

// Permanent reports whether the service will not take it however often it is
// told.
func (e *Error) Permanent() bool {
	return e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge
}

// RetryAfter returns how long the service wants to be left alone.
func (e *Error) RetryAfter() time.Duration { return e.after }

// failed returns what a step's error means, nil if there is none.
func (d *Destination) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Doing: doing, err: err}
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		e.text = console.Cut(console.Safe(err.Error()), 400)
		return e
	}
	e.Status, e.Code = r.StatusCode, r.ErrorCode
	e.text = fmt.Sprintf("%d %s", r.StatusCode, console.Cut(console.Safe(r.ErrorCode), 60))
	if message := messageOf(r); message != "" {
		e.text += ": " + message
	}
	switch r.StatusCode {
	case http.StatusUnauthorized:
		e.text += ". Check that the identity is of the workspace's tenant"
	case http.StatusForbidden:
		e.text += ". Give the identity the role Microsoft Sentinel Contributor on " + d.workspace.String() +
			": Microsoft Sentinel Responder is not enough, it cannot make bookmarks"
	case http.StatusNotFound:
		e.text += ". Check that " + d.workspace.String() + " exists and has Microsoft Sentinel"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.after = retryAfter(r.RawResponse)
		if e.after == 0 && r.StatusCode == http.StatusTooManyRequests {
			e.after = time.Minute
		}
	}
	return e
}

// messageOf returns what the service says, which may quote what it was sent.
func messageOf(r *azcore.ResponseError) string {
	if r.RawResponse == nil {
		return ""
	}
	body, err := runtime.Payload(r.RawResponse)
	if err != nil {
		return ""
	}
	var answer struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	return console.Cut(console.Safe(answer.Error.Message), 300)
}

// retryAfter reads how long a service wants to be left alone: seconds, or a time
// that is compared with the service's own.
func retryAfter(r *http.Response) time.Duration {
	if r == nil {
		return 0
	}
	text := r.Header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(text); err == nil {
		if now, err := http.ParseTime(r.Header.Get("Date")); err == nil {
			wait = until.Sub(now)
		}
	}
	return min(max(wait, 0), longestRetryAfter)
}
