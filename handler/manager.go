package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/notify/text"
	"pushback/detect/transport"
	"pushback/handler/settings"
)

// mostOfManager is how many bytes of an answer of Azure Resource Manager are read: some
// thousand tables.
const mostOfManager = 32 << 20

// manager asks Azure Resource Manager.
type manager struct{ client *arm.Client }

func openManager(ctx context.Context, s settings.Settings) (*manager, error) {
	options, err := cloudOptions(s, []tune{impatient})
	if err != nil {
		return nil, err
	}
	if _, err := token(ctx, options, options.Cloud.Services[cloud.ResourceManager].Audience+"/.default"); err != nil {
		return nil, err
	}
	credential, err := identity(options)
	if err != nil {
		return nil, err
	}
	options.Transport = transport.Bounded(options.Transport, transport.Limits{Service: "Azure Resource Manager", Answer: mostOfManager})
	client, err := arm.NewClient("pushback", "v1.0.0", credential, &arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true})
	return &manager{client}, err
}

// ask sends a request without a body about a resource, and reads the answer into what is
// given.
func (m *manager) ask(ctx context.Context, method, path, version string, answer any) error {
	return m.do(ctx, method, m.address(path, version, ""), answer)
}

// address is that of a resource, in a version of the API.
func (m *manager) address(path, version, filter string) string {
	query := url.Values{"api-version": {version}}
	if filter != "" {
		query.Set("$filter", filter)
	}
	return runtime.JoinPaths(m.client.Endpoint(), path) + "?" + query.Encode()
}

func (m *manager) do(ctx context.Context, method, address string, answer any) error {
	req, err := runtime.NewRequest(ctx, method, address)
	if err != nil {
		return err
	}
	resp, err := m.client.Pipeline().Do(req)
	if err != nil {
		return err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return runtime.NewResponseError(resp)
	}
	return runtime.UnmarshalAsJSON(resp, answer)
}

// listOf asks for all pages of a list.
func listOf[T any](ctx context.Context, m *manager, path, version, filter string) ([]T, error) {
	const most = 100
	own, err := url.Parse(m.client.Endpoint())
	if err != nil {
		return nil, err
	}
	var all []T
	next := m.address(path, version, filter)
	for range most {
		var page struct {
			Value    []T    `json:"value"`
			NextLink string `json:"nextLink"`
		}
		if err := m.do(ctx, http.MethodGet, next, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		if page.NextLink == "" {
			return all, nil
		}
		// The token goes along, to the manager and to nobody else.
		to, err := url.Parse(page.NextLink)
		if err != nil || to.Scheme != own.Scheme || !strings.EqualFold(to.Host, own.Host) || to.User != nil {
			return nil, errors.New("the next page of Azure Resource Manager is at another host")
		}
		next = page.NextLink
	}
	return nil, fmt.Errorf("the list of Azure Resource Manager has more than %d pages", most)
}

// managerRefused says in a line why Azure Resource Manager refused, with what to do if that
// is known of a status. It quotes nothing of the answer but the code.
func managerRefused(err error, do map[int]string) error {
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return err
	}
	line := fmt.Sprintf("Azure Resource Manager answered %d %s (%s)", refused.StatusCode, http.StatusText(refused.StatusCode), text.Cut(text.Safe(refused.ErrorCode), 60))
	advice := do[refused.StatusCode]
	if advice == "" {
		advice = map[int]string{
			http.StatusUnauthorized:    "sign in again with az login, to the tenant of the app, and check that PUSHBACK_CLOUD is its cloud",
			http.StatusTooManyRequests: "wait some minutes and check again",
		}[refused.StatusCode]
	}
	if advice != "" {
		line += ": " + advice
	}
	return errors.New(line)
}
