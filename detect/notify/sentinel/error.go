package sentinel

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/notify"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/detect/transport"
)

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

// verdict says what the failure is about. Where Sentinel does not answer, the
// same is sent again without harm: each resource has an id of its own.
func (e *Error) verdict() *notify.Error {
	v := &notify.Error{Err: e, RetryAfter: e.after}
	switch {
	case e.Status == 0:
		_, redirected := errors.AsType[*transport.RedirectError](e.err)
		v.Repeatable, v.Shut = true, redirected
	case e.Status == http.StatusRequestEntityTooLarge:
		v.Message = true
	case e.Status == http.StatusBadRequest:
		v.Message = !aboutWorkspace.MatchString(e.Code) && !strings.Contains(strings.ToLower(e.text), "not onboarded")
		v.Shut = !v.Message
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden, e.Status == http.StatusNotFound, e.Status == http.StatusTooManyRequests:
		v.Shut = true
	}
	return v
}

// aboutWorkspace is what a 400 says that is about the workspace and not about
// what was sent.
var aboutWorkspace = regexp.MustCompile(`(?i)onboard|subscription|notregistered|notenabled|not enabled|disabled|api-?version`)

// failed returns what a step's error means, a [*notify.Error] of an [*Error], or
// nil if there is none.
func (d *Destination) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Doing: doing, err: err}
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		e.text = text.Cut(text.Safe(secret.Hide(err.Error())), 400)
		return e.verdict()
	}
	e.Status, e.Code = r.StatusCode, r.ErrorCode
	e.text = strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, text.Cut(text.Safe(r.ErrorCode), 60)))
	if message := MessageOf(r); message != "" {
		e.text += ": " + message
	}
	switch r.StatusCode {
	case http.StatusUnauthorized:
		e.text += ". Check that the identity is of the workspace's tenant"
	case http.StatusForbidden:
		e.text += ". Give the identity " + d.role()
	case http.StatusNotFound:
		e.text += ". Check that " + d.workspace.String() + " exists and has Microsoft Sentinel"
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if r.RawResponse != nil {
			e.after = transport.RetryAfter(r.RawResponse.Header, time.Now())
		}
		if e.after == 0 && r.StatusCode == http.StatusTooManyRequests {
			e.after = time.Minute
		}
	}
	return e.verdict()
}

// MessageOf returns what a service of Azure says in an error, which may quote what
// it was sent.
func MessageOf(r *azcore.ResponseError) string {
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
	return text.Cut(text.Safe(secret.Hide(answer.Error.Message)), 300)
}
