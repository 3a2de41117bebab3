package alerts

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/ingestion/azlogs"

	"pushback/detect/notify"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/detect/transport"
)

// Sender writes rows, all of them or none. Its error is a [*notify.Error], which is
// Unanswered where the rows may have been written all the same. It keeps nothing
// and tries nothing twice: whoever calls it knows when to.
type Sender interface {
	Send(ctx context.Context, rows []Row) error
}

// Ingestion is where the Logs Ingestion API takes rows.
type Ingestion struct {
	Endpoint string // https://NAME.REGION-1.ingest.monitor.azure.com
	Rule     string // the immutable id of the data collection rule: dcr-...
	Stream   string // of the rule
}

// mostBody is how many bytes a call holds, before and after compression. The
// service takes 1,048,576.
const mostBody = 1_000_000

// mostAnswer is how many bytes of an answer are read: one that takes rows is
// empty.
const mostAnswer = 1 << 20

// ingestion is the Sender of the Logs Ingestion API.
type ingestion struct {
	to     Ingestion
	client *azlogs.Client
}

// NewSender returns the Sender of the Logs Ingestion API. Nothing is sent yet.
func NewSender(i Ingestion, credential azcore.TokenCredential, o azcore.ClientOptions) (Sender, error) {
	o.Retry = policy.RetryOptions{MaxRetries: -1} // a row that is sent twice is there twice
	o.Transport = written{transport.Bounded(o.Transport, transport.Limits{Service: "the Logs Ingestion API", Answer: mostAnswer})}
	client, err := azlogs.NewClient(i.Endpoint, credential, &azlogs.ClientOptions{ClientOptions: o})
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return &ingestion{to: i, client: client}, nil
}

// Scope returns what a token for the service of a cloud is asked for by.
func Scope(c cloud.Configuration) string {
	return c.Services[azlogs.ServiceNameIngestion].Audience + "/.default"
}

// Send writes rows in one call. Without rows it shows whether they would be taken.
func (i *ingestion) Send(ctx context.Context, rows []Row) error {
	if rows == nil {
		rows = []Row{} // the service takes anything but an array without a word
	}
	var body bytes.Buffer
	w := gzip.NewWriter(&body)
	_, err := w.Write(encode(rows))
	if err = errors.Join(err, w.Close()); err != nil {
		return &notify.Error{Err: fmt.Errorf("alerts: packing the rows: %w", err), Message: true}
	}
	var begun atomic.Bool
	ctx = context.WithValue(ctx, begunKey{}, &begun)
	_, err = i.client.Upload(ctx, i.to.Rule, i.to.Stream, body.Bytes(), &azlogs.UploadOptions{ContentEncoding: to.Ptr("gzip")})
	if err == nil {
		return nil
	}
	return i.verdict(err, begun.Load())
}

// begunKey is where the context has whether a call was begun to be written.
type begunKey struct{}

// written is a transporter that notes whether a request was begun to be written.
// Before that, where there is no token or no connection, nothing was sent.
type written struct{ policy.Transporter }

// Do implements policy.Transporter.
func (w written) Do(r *http.Request) (*http.Response, error) {
	if begun, ok := r.Context().Value(begunKey{}).(*atomic.Bool); ok {
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{WroteHeaders: func() { begun.Store(true) }}))
	}
	return w.Transporter.Do(r)
}

// Error is a call of the Logs Ingestion API that failed.
type Error struct {
	// Status and Code are the service's, zero and empty if it did not answer.
	Status int
	Code   string
	text   string
	err    error
}

// Error says what failed and what to do.
func (e *Error) Error() string { return "alerts: writing rows: " + e.text }

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.err }

// verdict says what a failure is about. Begun says that the call was begun to be
// written.
func (i *ingestion) verdict(err error, begun bool) *notify.Error {
	e := &Error{err: err}
	v := &notify.Error{Err: e, Repeatable: true}
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		e.text = text.Cut(text.Safe(secret.Hide(err.Error())), 400)
		_, redirected := errors.AsType[*transport.RedirectError](err)
		v.Unanswered = begun && !redirected
		v.Shut = !v.Unanswered
		return v
	}
	e.Status, e.Code = r.StatusCode, r.ErrorCode
	e.text = strings.TrimSpace(fmt.Sprintf("%d %s", r.StatusCode, text.Cut(text.Safe(r.ErrorCode), 60)))
	if message := sentinel.MessageOf(r); message != "" {
		e.text += ": " + message
	}
	switch {
	case r.StatusCode == http.StatusUnauthorized:
		e.text += ". Check that the identity is of the workspace's tenant, and that PUSHBACK_CLOUD is its cloud"
		v.Shut = true
	case r.StatusCode == http.StatusForbidden:
		e.text += ". Give the identity the role Monitoring Metrics Publisher on the data collection rule " + i.to.Rule + "; it can take half an hour until it counts"
		v.Shut = true
	case r.StatusCode == http.StatusNotFound:
		e.text += ". Check that PUSHBACK_ALERTS_RULE is the immutable id of the data collection rule and PUSHBACK_ALERTS_STREAM one of its streams, and that PUSHBACK_ALERTS_ENDPOINT is in its region"
		v.Shut = true
	case r.StatusCode == http.StatusTooManyRequests:
		v.Shut = true
		if r.RawResponse != nil {
			v.RetryAfter = transport.RetryAfter(r.RawResponse.Header, time.Now())
		}
		if v.RetryAfter == 0 {
			v.RetryAfter = time.Minute
		}
	case r.StatusCode == http.StatusRequestTimeout, r.StatusCode >= 500, r.StatusCode < 400:
		// Somebody on the way says that it does not know either.
		v.Unanswered = true
	default: // about what was sent, as far as can be seen
		v.Message, v.Repeatable = true, false
	}
	return v
}
