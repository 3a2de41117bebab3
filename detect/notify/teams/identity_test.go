package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect/notify"
)

// flow is the address of a workflow that only users of the tenant may start.
const flow = "https://default0123.2f.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=1"

// TestAudiences pins whom a token is made out to in each cloud, and that none goes to
// another host. A scope has the slash that the audience ends with, too.
func TestAudiences(t *testing.T) {
	t.Parallel()
	const path = "/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=1"
	for _, tt := range []struct{ host, cloud, audience, want string }{
		{"d.2f.environment.api.powerplatform.com", "public", "https://service.flow.microsoft.com/", ""},
		{"D.2F.Environment.API.PowerPlatform.com:443", "public", "https://service.flow.microsoft.com/", ""},
		{"d.2.environment.api.gov.powerplatform.microsoft.us", "public", "https://gov.service.flow.microsoft.us/", ""},
		{"d.2.environment.api.high.powerplatform.microsoft.us", "usgovernment", "https://high.service.flow.microsoft.us/", ""},
		{"d.2.environment.api.appsplatform.us", "usgovernment", "https://service.flow.appsplatform.us/", ""},
		{"d.2.environment.api.powerplatform.partner.microsoftonline.cn", "china", "https://service.powerautomate.cn/", ""},
		{"prod-01.westeurope.logic.azure.com", "public", "https://service.flow.microsoft.com/", ""},
		{"prod-01.usgovvirginia.logic.azure.us", "usgovernment", "https://high.service.flow.microsoft.us/", ""},
		{"prod-01.chinaeast2.logic.azure.cn", "china", "https://service.powerautomate.cn/", ""},
		{"d.2f.environment.api.powerplatform.com", "usgovernment", "", "a workflow in the cloud public, where the identity of an app in the cloud usgovernment is not known"},
		{"d.2.environment.api.high.powerplatform.microsoft.us", "public", "", "a workflow in the cloud usgovernment"},
		{"prod-01.westeurope.logic.azure.com", "china", "", "a workflow in the cloud public"},
		{"d.2f.environment.api.powerplatform.com:8443", "public", "", "is none of a workflow"},
		{"d.2f.environment.api.powerplatform.com.", "public", "", "is none of a workflow"},
		{"environment.api.powerplatform.com", "public", "", "is none of a workflow"},
		{"environment.api.powerplatform.com.evil.example", "public", "", "is none of a workflow"},
		{"evil-environment.api.powerplatform.com", "public", "", "is none of a workflow"},
		{"evillogic.azure.com", "public", "", "is none of a workflow"},
		{"teams.example", "public", "", "teams.example, is none of a workflow in the cloud public, and a token of the app's identity goes to no other: *.environment.api.powerplatform.com, *.environment.api.gov.powerplatform.microsoft.us, *.logic.azure.com"},
	} {
		w, err := ParseWebhookURL("https://" + tt.host + path)
		if err != nil {
			t.Fatal(err)
		}
		with, err := w.WithIdentity(tt.cloud)
		switch {
		case tt.want == "" && (err != nil || with.Audience() != tt.audience || Scope(with.Audience()) != tt.audience+"/.default" || !strings.HasSuffix(Scope(with.Audience()), "//.default")):
			t.Errorf("%s in %s: %q, %v", tt.host, tt.cloud, with.Audience(), err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "0123456789abcdef") || !with.IsZero()):
			t.Errorf("%s in %s: %v, want %s", tt.host, tt.cloud, err, tt.want)
		}
		if w.Audience() != "" {
			t.Errorf("%s has the audience %q by itself", tt.host, w.Audience())
		}
	}
	w, err := ParseWebhookURL(workflow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WithIdentity("public"); err == nil || !strings.Contains(err.Error(), "has a signature") || strings.Contains(err.Error(), "S3cr3t") {
		t.Errorf("of a signed address: %v", err)
	}
}

// identities hands out tokens, or none.
type identities struct {
	now func() time.Time

	mu     sync.Mutex
	scopes []string
	err    error
}

func (i *identities) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return azcore.AccessToken{}, i.err
	}
	i.scopes = append(i.scopes, strings.Join(o.Scopes, " "))
	return azcore.AccessToken{Token: fmt.Sprintf("eyT0kenOfTheIdentityN%dxQ", len(i.scopes)), ExpiresOn: i.now().Add(time.Hour)}, nil
}

func (i *identities) fail(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

// through sends every request to a stand-in.
type through struct{ server *httptest.Server }

func (t through) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.URL.Host = t.server.Listener.Addr().String()
	return t.server.Client().Transport.RoundTrip(sent)
}

// TestIdentity posts with a token, and has no error say what it is.
func TestIdentity(t *testing.T) {
	t.Parallel()
	clock := newClock()
	var mu sync.Mutex
	var posted []string
	reply := answer(http.StatusAccepted, "")
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		posted = append(posted, r.Host+" "+r.Header.Get("Authorization"))
		say := reply
		mu.Unlock()
		say(w, r)
	}))
	t.Cleanup(server.Close)
	plain, err := ParseWebhookURL(flow)
	if err != nil {
		t.Fatal(err)
	}
	w, err := plain.WithIdentity("public")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ParseWebhookURL("https://teams.example/workflows/1?sig=S3cr3t")
	if err != nil {
		t.Fatal(err)
	}
	who := &identities{now: clock.Now}
	o := Options{Credential: who, Transport: through{server}, Now: clock.Now, Sleep: clock.Sleep, Named: []Named{{"OTHER", other}}}
	n, err := New(w, o)
	if err != nil {
		t.Fatal(err)
	}
	send := func(to string) error {
		a := sampleAlert()
		a.Address = to
		return n.Notify(t.Context(), a)
	}
	const host = "default0123.2f.environment.api.powerplatform.com:443"
	expect := func(what string, want ...string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if strings.Join(posted, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: posted %q, want %q", what, posted, want)
		}
		posted = nil
	}
	for range 2 {
		if err := send(""); err != nil {
			t.Fatal(err)
		}
	}
	if err := send("OTHER"); err != nil {
		t.Fatal(err)
	}
	expect("one token for two", host+" Bearer eyT0kenOfTheIdentityN1xQ", host+" Bearer eyT0kenOfTheIdentityN1xQ", "teams.example ")
	if err := clock.Sleep(t.Context(), 56*time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := send(""); err != nil {
		t.Fatal(err)
	}
	expect("a token that ends soon", host+" Bearer eyT0kenOfTheIdentityN2xQ")

	token := 2
	for _, tt := range []struct {
		name, want string
		status     int
		body       string
		header     []string
	}{
		{"not on the list", "the object id of the app's identity, which handler check names, belongs under Allowed users", 403, `{"error":{"code":"MisMatchingOAuthClaims","message":"got eyT0kenOfTheIdentityN2xQ"}}`, nil},
		{"wants a signature", "the workflow takes no token: let its trigger be started by Specific users in my tenant", 401, `{"error":{"code":"DirectApiAuthorizationRequired","message":"Bearer eyT0kenOfTheIdentityN3xQ"}}`, nil},
		{"leads elsewhere", "redirects are not followed", 307, "", []string{"Location", "https://evil.example/"}},
		{"leads to another workflow", "redirects are not followed", 308, "", []string{"Location", flow + "2"}},
	} {
		mu.Lock()
		reply = answer(tt.status, tt.body, tt.header...)
		mu.Unlock()
		err := send("")
		if v := notify.Judge(err); err == nil || !v.Shut || v.Message || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "eyT0ken") || strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: %v %+v", tt.name, err, v)
		}
		expect(tt.name, fmt.Sprintf("%s Bearer eyT0kenOfTheIdentityN%dxQ", host, token))
		if tt.status == 401 || tt.status == 403 {
			token++ // the refused one is not used again
		}
	}

	who.fail(errors.New("AADSTS500011: there is no such service"))
	n.tokens.forget(w.Audience())
	err = send("")
	if v := notify.Judge(err); err == nil || !v.Shut || v.Message || v.Unanswered || !strings.Contains(err.Error(), "as the app's identity: AADSTS500011") {
		t.Errorf("without a token: %v %+v", err, v)
	}
	expect("without a token")
	for i, scope := range who.scopes {
		if scope != "https://service.flow.microsoft.com//.default" {
			t.Errorf("token %d is asked for by %q", i+1, scope)
		}
	}

	if _, err := New(w, Options{}); err == nil || !strings.Contains(err.Error(), "there is no identity") {
		t.Errorf("without an identity: %v", err)
	}
	o.Named = []Named{{"SAME", plain}}
	if _, err := New(w, o); err == nil || !strings.Contains(err.Error(), "both with the app's identity and without") {
		t.Errorf("one address in two ways: %v", err)
	}
}

// TestRefusedWithoutToken says what a workflow wants that only users may start.
func TestRefusedWithoutToken(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		flow:     "the workflow wants a token: set PUSHBACK_TEAMS_AUTH=identity",
		workflow: "the workflow takes no signature, or another",
	} {
		w, err := ParseWebhookURL(address)
		if err != nil {
			t.Fatal(err)
		}
		for code, is := range map[string]bool{"DirectApiAuthorizationRequired": true, "MisMatchingOAuthClaims": true, "AuthorizationFailed": false, "": false} {
			if got := w.refused(http.StatusUnauthorized, code); strings.Contains(got, want) != is || !is && got != "" {
				t.Errorf("%s %s: %q", w, code, got)
			}
		}
		if got := w.refused(http.StatusNotFound, "DirectApiAuthorizationRequired"); got != "" {
			t.Errorf("of a 404: %q", got)
		}
	}
}
