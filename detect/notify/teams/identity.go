package teams

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// workflowHosts lists where workflows are reached, the cloud whose identities they
// know, and whom a token for them is made out to. The office of a government that is
// in the public cloud has workflows of its own.
// https://learn.microsoft.com/power-automate/oauth-authentication#audience-values
var workflowHosts = []workflowHost{
	{"environment.api.powerplatform.com", "public", "https://service.flow.microsoft.com/"},
	{"environment.api.gov.powerplatform.microsoft.us", "public", "https://gov.service.flow.microsoft.us/"},
	{"environment.api.high.powerplatform.microsoft.us", "usgovernment", "https://high.service.flow.microsoft.us/"},
	{"environment.api.appsplatform.us", "usgovernment", "https://service.flow.appsplatform.us/"},
	{"environment.api.powerplatform.partner.microsoftonline.cn", "china", "https://service.powerautomate.cn/"},
	{"logic.azure.com", "public", "https://service.flow.microsoft.com/"},
	{"logic.azure.us", "usgovernment", "https://high.service.flow.microsoft.us/"},
	{"logic.azure.cn", "china", "https://service.powerautomate.cn/"},
}

// workflowHost is where workflows are reached.
type workflowHost struct{ domain, cloud, audience string }

// WithIdentity returns the address as one that is posted to with a token of the app's
// identity in a cloud, public, usgovernment or china. It has to be one of that cloud's
// workflows, and without a signature: a token goes nowhere else, and a workflow takes
// no request with both. Its errors do not quote the address.
func (w WebhookURL) WithIdentity(cloud string) (WebhookURL, error) {
	u := w.reveal()
	if w.signed() {
		return WebhookURL{}, errors.New("teams: the address has a signature, sig, which a workflow does not take together with the app's identity: " +
			"let the workflow's trigger be started by Specific users in my tenant, and copy its address again, which then has none")
	}
	var domains []string
	elsewhere := ""
	for _, h := range workflowHosts {
		own := h.cloud == cloud
		if own {
			domains = append(domains, "*."+h.domain)
		}
		if !isOf(u, h.domain) {
			continue
		}
		if own {
			w.audience = h.audience
			return w, nil
		}
		elsewhere = h.cloud
	}
	if elsewhere != "" {
		return WebhookURL{}, fmt.Errorf("teams: the address is of a workflow in the cloud %s, where the identity of an app in the cloud %s is not known", elsewhere, cloud)
	}
	return WebhookURL{}, fmt.Errorf("teams: the host of the address, %s, is none of a workflow in the cloud %s, and a token of the app's identity goes to no other: %s",
		u.Host, cloud, strings.Join(domains, ", "))
}

// isOf reports whether an address is of a host below a domain, and of the usual port.
func isOf(u *url.URL, domain string) bool {
	return u.Scheme == "https" && (u.Port() == "" || u.Port() == "443") && strings.HasSuffix(strings.ToLower(u.Hostname()), "."+domain)
}

// signed reports whether the address has a signature.
func (w WebhookURL) signed() bool {
	for name := range w.reveal().Query() {
		if strings.EqualFold(name, "sig") {
			return true
		}
	}
	return false
}

// Audience is whom a token for the address is made out to, or nothing if it is posted
// to without one.
func (w WebhookURL) Audience() string { return w.audience }

// Scope returns what a token for an audience is asked for by. The audience ends in a
// slash, which is a part of it: a workflow refuses a token that is made out to the same
// without it. So there are two.
func Scope(audience string) string { return audience + "/.default" }

// tokens are those of the app's identity, by audience. The Azure CLI, which developers
// sign in with, takes seconds for each.
type tokens struct {
	credential azcore.TokenCredential

	mu    sync.Mutex
	known map[string]azcore.AccessToken
}

// leastLeft is how long a token that is kept is good for at least.
const leastLeft = 5 * time.Minute

// of returns a token for an audience.
func (t *tokens) of(ctx context.Context, audience string, now time.Time) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.known[audience]; ok && now.Add(leastLeft).Before(known.ExpiresOn) {
		return known.Token, nil
	}
	token, err := t.credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{Scope(audience)}})
	if err != nil {
		return "", err
	}
	if t.known == nil {
		t.known = map[string]azcore.AccessToken{}
	}
	t.known[audience] = token
	return token.Token, nil
}

// forget drops a token that was refused. The next is asked for; where the platform keeps
// tokens itself, that may be the same one.
func (t *tokens) forget(audience string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.known, audience)
}
