// Package workspace asks a Log Analytics workspace a query and gives back a
// typed table.
//
// It is a thin layer over azquery. What it adds: the rule's time and name in
// front of the query, values without loss (azquery reads every number as a
// float64), an answer that is read as it comes in, and errors of one line that
// point into the rule's own text and say what to do. A partial answer is an
// error, never an answer.
package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"

	"pushback/detect/transport"
)

const (
	// DefaultTimeout is how long the service works on a query unless it is
	// asked for another time.
	DefaultTimeout = 3 * time.Minute
	// maxTimeout is the longest that the service works on a query.
	maxTimeout = 10 * time.Minute

	// grace is how much longer than the query's timeout its answer is waited
	// for: the service's own word about a timeout says more than none.
	grace = 15 * time.Second
)

// Client queries a workspace. It is safe for concurrent use.
type Client struct {
	workspaceID string
	additional  []*string
	timeout     time.Duration
	logger      *slog.Logger
	logs        *azquery.LogsClient
	build       string
	throttle    *throttle
	requests    atomic.Int64
}

// Requests counts the requests that were sent, tries again among them.
func (c *Client) Requests() int64 { return c.requests.Load() }

// Options are the settings of a [Client]; the zero value is the public cloud.
type Options struct {
	// ClientOptions are handed to azquery: the cloud (see [Cloud]), retries, and
	// the transport, by which a local engine can answer in place of the service.
	// Retries that are not set are those that suit this service: five at most,
	// after as long as it asks for.
	azcore.ClientOptions
	// AdditionalWorkspaces are queried together with the first: a table that the
	// query names is the union of all of theirs. The credential needs read
	// access to each.
	AdditionalWorkspaces []string
	// Timeout is how long a query may take, with all retries, ten minutes at
	// most. The service stops working on the query then. Zero is
	// [DefaultTimeout].
	Timeout time.Duration
	// Concurrency is how many queries run at once; more wait. All of them keep to what
	// the service takes of one identity, wait as long as it asks any of them to, and
	// hold only one large answer at a time: see [Hold]. Zero is no limit at all.
	Concurrency int
	// Rate is how many requests may come in any 30 seconds, where Concurrency is set.
	// Zero is [DefaultRate].
	Rate int
	// Logger, if set, gets the statistics of each query at debug level: time,
	// processor, memory and rows read. They are asked for only if it takes them.
	Logger *slog.Logger
	// Build is a version that the comment in front of each query names, or
	// nothing.
	Build string
}

// New returns a client for the workspace with this id (its customer id, a
// GUID, not its resource id). The credential needs read access to the logs.
// It sends nothing yet.
func New(workspaceID string, credential azcore.TokenCredential, options Options) (*Client, error) {
	switch {
	case workspaceID == "":
		return nil, errors.New("workspace: the workspace id is empty")
	case credential == nil:
		return nil, errors.New("workspace: there is no credential")
	case options.Concurrency < 0 || options.Rate < 0 || options.Rate == 1:
		return nil, errors.New("workspace: the concurrency cannot be negative, nor the rate less than two")
	case options.Timeout < 0 || options.Timeout > maxTimeout:
		return nil, fmt.Errorf("workspace: the query timeout is %s: the service takes up to %s", options.Timeout, maxTimeout)
	}
	c := &Client{workspaceID: workspaceID, build: options.Build, timeout: options.Timeout, logger: options.Logger}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if options.Concurrency > 0 {
		c.throttle = newThrottle(options.Concurrency, cmp.Or(options.Rate, DefaultRate))
	}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	seen := []string{strings.ToLower(workspaceID)}
	for _, id := range options.AdditionalWorkspaces {
		if id == "" || slices.Contains(seen, strings.ToLower(id)) {
			return nil, fmt.Errorf("workspace: the additional workspace %q is empty or named twice", id)
		}
		seen = append(seen, strings.ToLower(id))
		c.additional = append(c.additional, &id)
	}

	o := options.ClientOptions
	o.Retry = retries(o.Retry)
	o.PerRetryPolicies = append(slices.Clone(o.PerRetryPolicies), reader{})
	o.Transport = transport.Bounded(o.Transport, transport.Limits{Service: "the workspace's service", Answer: maxAnswerBytes})
	var err error
	c.logs, err = azquery.NewLogsClient(namedCredential{credential}, &azquery.LogsClientOptions{ClientOptions: o})
	if err != nil {
		return nil, fmt.Errorf("workspace: %w", err)
	}
	return c, nil
}

// Query runs q and returns its result. An error is one line long, names the
// workspace and says what to do. It is
//
//   - a [*QueryError] if the service refused the query's text,
//   - a [*PartialError] if the answer is incomplete,
//   - a [*ServiceError] for any other refusal,
//   - a [*TimeoutError] if there was no answer in the query's time,
//   - a [*transport.TooLargeError] or [*transport.RedirectError] if what
//     answered is not the service,
//   - a [*ConnectionError] if the service could not be reached,
//   - a [*CredentialError] if there was no token for it,
//   - a [*ThrottledError] if it was not sent, to keep to the service's limits,
//
// or wraps ctx's error if that ended the wait.
func (c *Client) Query(ctx context.Context, q Query) (*Table, error) {
	h, ok := ctx.Value(holdingKey{}).(*holding)
	if !ok { // nobody says for how long
		h = &holding{}
		defer h.release()
	}
	table, err := c.ask(ctx, q, h)
	if errors.Is(err, errCrowded) {
		// It is asked again when the other is gone, rather than kept waiting half-read.
		if err = h.wait(ctx, c.throttle); err == nil {
			table, err = c.ask(ctx, q, h)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("querying workspace %s: %w", c.workspaceID, err)
	}
	return table, nil
}

// ask asks a query when its turn comes.
func (c *Client) ask(ctx context.Context, q Query, h *holding) (*Table, error) {
	end, err := c.throttle.begin(ctx, c.timeout)
	if err != nil {
		return nil, err
	}
	defer end()
	timeout := c.timeout
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline))
	}
	wait := max(int(timeout/time.Second), 1)
	statistics := c.logger.Enabled(ctx, slog.LevelDebug)

	x := exchange{throttle: c.throttle, holding: h, requests: &c.requests}
	bounded, cancel := context.WithTimeout(context.WithValue(ctx, exchangeKey{}, &x), c.timeout+grace)
	defer cancel()
	q.build = c.build
	text, span := q.text(), q.timespan()
	_, err = c.logs.QueryWorkspace(bounded, c.workspaceID,
		azquery.Body{Query: &text, Timespan: &span, AdditionalWorkspaces: c.additional},
		&azquery.LogsClientQueryWorkspaceOptions{Options: &azquery.LogsQueryOptions{Wait: &wait, Statistics: &statistics}})
	if statistics {
		c.logStatistics(ctx, q, &x)
	}
	if err == nil {
		err = x.answer.err
	} else {
		err = c.failure(ctx, bounded, q, &x, err)
	}
	if err == nil {
		err = x.answer.failure()
	}
	if err != nil {
		return nil, err
	}
	return x.answer.table, nil
}

// namedCredential marks what goes wrong with a credential.
type namedCredential struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (c namedCredential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.TokenCredential.GetToken(ctx, options)
	if err != nil {
		failed := &CredentialError{err: err}
		if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
			x.credential = failed
		}
		err = failed
	}
	return token, err
}

// exchange is what becomes of one query: its tries, and the answer.
type exchange struct {
	throttle *throttle
	holding  *holding
	requests *atomic.Int64

	tries    int
	status   int  // of the last answer, or 0
	answered bool // by the last try
	answer   answer
	broke    error // why the last try that broke off did, or nil
	// credential is why there was no token, or nil. When the time is over azcore
	// does not say.
	credential *CredentialError
}

// exchangeKey is the key of the *exchange in a request's context.
type exchangeKey struct{}

// reader reads the answer to a query as it comes in. What it hands on to azquery
// is empty: azquery would read the whole body into memory and every number in
// it into a float64.
type reader struct{}

// Do implements policy.Policy. It sees every try.
func (reader) Do(req *policy.Request) (*http.Response, error) {
	x, ok := req.Raw().Context().Value(exchangeKey{}).(*exchange)
	if !ok {
		return req.Next()
	}
	return x.do(req)
}
