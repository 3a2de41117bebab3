package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/detect/transport"
)

const (
	// mostAnswer is how many bytes of an answer are read. The saved searches of a
	// workspace come on one page.
	mostAnswer = 64 << 20
	// mostPages is how many pages of a list are read.
	mostPages = 10_000
	// savedSearches is the version of the API that lists saved searches.
	savedSearches = "2020-08-01"
)

// insights are the versions of the API that lists rules, templates and watchlists: the
// first that is there is taken. The last is that of the SDK, which reads neither
// subTechniques nor sentinelEntitiesMappings of a rule.
var insights = []string{"2025-07-01-preview", "2022-09-01-preview"}

// Client reads the analytics rules, the saved functions and the watchlists of a
// workspace. It writes nothing there.
type Client struct {
	workspace sentinel.Workspace
	arm       *arm.Client
	insights  []string // the versions that may be there
}

// New returns a Client. Nothing is sent yet.
func New(w sentinel.Workspace, credential azcore.TokenCredential, o azcore.ClientOptions) (*Client, error) {
	options := &arm.ClientOptions{ClientOptions: o, DisableRPRegistration: true}
	if options.Retry.MaxRetries == 0 {
		// A manager that is busy says for how long, mostly some seconds.
		options.Retry = policy.RetryOptions{MaxRetries: 5, RetryDelay: time.Second, MaxRetryDelay: 2 * time.Minute}
	}
	options.Transport = transport.Bounded(options.Transport, transport.Limits{Service: "Azure Resource Manager", Answer: mostAnswer})
	client, err := arm.NewClient("pushback/detect/rule/pull", "v0.0.0", credential, options)
	if err != nil {
		return nil, err
	}
	return &Client{workspace: w, arm: client, insights: insights}, nil
}

// Workspace returns the workspace that is read.
func (c *Client) Workspace() sentinel.Workspace { return c.workspace }

// security lists resources of Sentinel.
func (c *Client) security(ctx context.Context, what string, path ...string) ([]json.RawMessage, error) {
	return c.filtered(ctx, what, "", path...)
}

// filtered lists those resources of Sentinel that pass a filter.
func (c *Client) filtered(ctx context.Context, what, filter string, path ...string) ([]json.RawMessage, error) {
	for {
		query := url.Values{"api-version": {c.insights[0]}}
		if filter != "" {
			query.Set("$filter", filter)
		}
		list, err := c.list(ctx, what, query, append([]string{"providers/Microsoft.SecurityInsights"}, path...)...)
		refused, ok := errors.AsType[*azcore.ResponseError](err)
		if ok && refused.StatusCode == http.StatusBadRequest && len(c.insights) > 1 {
			c.insights = c.insights[1:] // a cloud may not have the newest
			continue
		}
		return list, err
	}
}

// list reads all pages of a list. Each part of the path is one: what is odd in it is
// escaped, but for the slashes of the first.
func (c *Client) list(ctx context.Context, what string, query url.Values, path ...string) (list []json.RawMessage, err error) {
	escaped := []string{c.workspace.String(), path[0]}
	for _, part := range path[1:] {
		escaped = append(escaped, url.PathEscape(part))
	}
	next := runtime.JoinPaths(c.arm.Endpoint(), escaped...) + "?" + query.Encode()
	seen := map[string]bool{}
	for next != "" {
		if seen[next] || len(seen) == mostPages {
			return nil, c.failed(what, fmt.Errorf("the pages do not end, after %d of them", len(seen)))
		}
		seen[next] = true
		var page struct {
			Value    []json.RawMessage `json:"value"`
			NextLink string            `json:"nextLink"`
		}
		if err := c.get(ctx, next, &page); err != nil {
			return nil, c.failed(what, err)
		}
		list = append(list, page.Value...)
		if next = page.NextLink; next != "" && !sameHost(next, c.arm.Endpoint()) {
			// The token goes to the manager and to nobody else.
			return nil, c.failed(what, errors.New("the next page is at another host"))
		}
	}
	return list, nil
}

// get reads one page.
func (c *Client) get(ctx context.Context, address string, page any) error {
	address, err := runtime.EncodeQueryParams(address)
	if err != nil {
		return err
	}
	request, err := runtime.NewRequest(ctx, http.MethodGet, address)
	if err != nil {
		return err
	}
	request.Raw().Header.Set("Accept", "application/json")
	response, err := c.arm.Pipeline().Do(request)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(response, http.StatusOK) {
		return runtime.NewResponseError(response)
	}
	return runtime.UnmarshalAsJSON(response, page)
}

// sameHost reports whether an address is one of an endpoint.
func sameHost(address, endpoint string) bool {
	a, err := url.Parse(address)
	if err != nil {
		return false
	}
	e, err := url.Parse(endpoint)
	if err != nil || a.User != nil {
		return false
	}
	port := func(u *url.URL) string {
		if u.Port() == "" {
			return "443"
		}
		return u.Port()
	}
	return a.Scheme == e.Scheme && strings.EqualFold(a.Hostname(), e.Hostname()) && port(a) == port(e)
}

// Error is a list that could not be read.
type Error struct {
	What   string
	Status int // of the answer, or 0
	text   string
	err    error
}

// Error says what failed, why, and what to do.
func (e *Error) Error() string { return "reading " + e.What + ": " + e.text }

// Unwrap returns the SDK's error.
func (e *Error) Unwrap() error { return e.err }

// failed says in a line why a list could not be read.
func (c *Client) failed(what string, err error) error {
	e := &Error{What: what, err: err}
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		e.text = text.Cut(text.Safe(secret.Hide(err.Error())), 400)
		return e
	}
	e.Status = refused.StatusCode
	e.text = strings.TrimSpace(fmt.Sprintf("Azure Resource Manager answered %d %s", refused.StatusCode, text.Cut(text.Safe(refused.ErrorCode), 60)))
	if message := sentinel.MessageOf(refused); message != "" {
		e.text += ": " + strings.TrimRight(message, ". ")
	}
	switch refused.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		e.text += ": give the identity the role Microsoft Sentinel Reader on " + c.workspace.String()
	case http.StatusNotFound:
		e.text += ": check that there is a workspace " + c.workspace.String() + ", with Microsoft Sentinel"
	case http.StatusTooManyRequests:
		e.text += ": the service is busy, try again later"
	}
	return e
}
