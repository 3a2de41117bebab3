package ledger

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

func TestParseConnection(t *testing.T) {
	t.Parallel()
	const key = "c2VjcmV0" // "secret"
	for _, tt := range []struct{ text, endpoint, err string }{
		{"UseDevelopmentStorage=true", "http://127.0.0.1:10002/devstoreaccount1", ""},
		{" usedevelopmentstorage = TRUE ; ", "http://127.0.0.1:10002/devstoreaccount1", ""},
		{"UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite", "http://azurite:10002/devstoreaccount1", ""},
		{"UseDevelopmentStorage=false", "", "can only be true"},
		{"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + key + ";EndpointSuffix=core.usgovcloudapi.net", "https://a.table.core.usgovcloudapi.net", ""},
		{"AccountName=a;AccountKey=" + key, "https://a.table.core.windows.net", ""},
		{"AccountName=a;AccountKey=" + key + ";TableEndpoint=https://b.example/;BlobEndpoint=https://c", "https://b.example", ""},
		{"TableEndpoint=https://b.example/;SharedAccessSignature=?sv=1&sig=s%3D", "https://b.example/?sv=1&sig=s%3D", ""},
		{"AccountName=a;SharedAccessSignature=sig=" + key, "https://a.table.core.windows.net/?sig=" + key, ""},
		{"", "", "neither AccountName nor TableEndpoint"},
		{key, "", "part 1 is not of the form"},
		{"AccountName=a", "", "neither AccountKey nor SharedAccessSignature"},
		{"AccountName=a;AccountKey=" + key + "!", "", "not in base64"},
		{"AccountKey=" + key + ";TableEndpoint=https://b.example", "", "no AccountName"},
		{"AccountName=a;AccountKey=" + key + ";TableEndpoint=https://" + key + "@b", "", "not an http or https address"},
		{"AccountName=a;AccountKey=" + key + ";TableEndpoint=ftp://b", "", "not an http or https address"},
		{"AccountName=a;SharedAccessSignature=%zz" + key, "", "not a list of URL parameters"},
	} {
		c, err := parseConnection(tt.text, "")
		if c.endpoint != tt.endpoint && tt.err == "" {
			t.Errorf("%q: endpoint %q, want %q", tt.text, c.endpoint, tt.endpoint)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%q: error %v, want %q", tt.text, err, tt.err)
		}
		if err != nil && strings.Contains(err.Error(), key) {
			t.Errorf("%q: the error shows the key: %v", tt.text, err)
		}
	}
}

// A connection string that names no cloud is of the ledger's.
func TestConnectionInClouds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"AccountName=a;AccountKey=c2VjcmV0":                                                "https://a.table.core.chinacloudapi.cn",
		"AccountName=a;AccountKey=c2VjcmV0;EndpointSuffix=core.usgovcloudapi.net":          "https://a.table.core.usgovcloudapi.net",
		"AccountName=a;AccountKey=c2VjcmV0;TableEndpoint=https://a.table.core.windows.net": "https://a.table.core.windows.net",
	} {
		if c, err := parseConnection(text, "core.chinacloudapi.cn"); err != nil || c.endpoint != want {
			t.Errorf("%s: %s, %v", text, c.endpoint, err)
		}
	}
}

func FuzzParseConnection(f *testing.F) {
	f.Add("UseDevelopmentStorage=true")
	f.Add("AccountName=a;AccountKey=c2VjcmV0;TableEndpoint=http://b;;")
	f.Add("AccountName=a;SharedAccessSignature=?sig=x")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseConnection(text, "")
		if err == nil && !strings.HasPrefix(c.endpoint, "http") {
			t.Errorf("%q has the endpoint %q", text, c.endpoint)
		}
		_, _ = Open(Options{ConnectionString: text})
	})
}

type nobody struct{}

func (nobody) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		o    Options
		err  string
	}{
		{"identity", Options{Endpoint: "https://a.table.core.windows.net/", Credential: nobody{}}, ""},
		{"no identity", Options{Endpoint: "https://a.table.core.windows.net"}, "needs an identity"},
		{"plain http", Options{Endpoint: "http://a.table.core.windows.net", Credential: nobody{}}, "must be an address such as"},
		{"with a signature", Options{Endpoint: "https://a.table.core.windows.net/?sig=x", Credential: nobody{}}, "must be an address such as"},
		{"nothing", Options{}, "must be an address such as"},
		{"short name", Options{ConnectionString: "UseDevelopmentStorage=true", Table: "ab"}, `"ab" cannot be the name`},
		{"reserved name", Options{ConnectionString: "UseDevelopmentStorage=true", Table: "Tables"}, `"Tables" cannot be the name`},
		{"hostile name", Options{ConnectionString: "UseDevelopmentStorage=true", Table: "a/b'c"}, "cannot be the name"},
		{"negative", Options{ConnectionString: "UseDevelopmentStorage=true", SeenRetention: -1}, "cannot be negative"},
	} {
		_, err := Open(tt.o)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
	}
}

// answering is a transport that gives one answer to all, or none.
type answering struct {
	status int
	code   string
	err    error
}

func (a answering) Do(r *http.Request) (*http.Response, error) {
	if a.err != nil {
		c := http.Client{Transport: failing{a.err}}
		return c.Do(r)
	}
	body := `{"odata.error":{"code":"` + a.code + `","message":{"lang":"en-US","value":"Sorry\u0007.\nRequestId:1"}}}`
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Request: r,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}, nil
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestErrorsTellNoSecret looks at what is said when requests fail.
func TestErrorsTellNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "c2VjcmV0LXNlY3JldA"
	for name, o := range map[string]Options{
		"key":       {ConnectionString: "AccountName=acc;AccountKey=" + base64.StdEncoding.EncodeToString([]byte(secret))},
		"signature": {ConnectionString: "AccountName=acc;SharedAccessSignature=sig=" + secret},
	} {
		for _, tt := range []struct {
			answer answering
			want   string
		}{
			{answering{err: errors.New("no route to host")}, `reading table "pushback" at acc.table.core.windows.net: no route to host`},
			{answering{status: 403, code: "AuthorizationPermissionMismatch"}, "403 AuthorizationPermissionMismatch: Sorry. (the identity needs the role"},
			{answering{status: 403, code: "AuthenticationFailed"}, "403 AuthenticationFailed: Sorry. (the account key, signature or identity was not accepted)"},
			{answering{status: 503, code: "ServerBusy"}, "503 ServerBusy: Sorry. (the service is busy; the next tick tries again)"},
		} {
			o.ClientOptions.Transport = tt.answer
			o.ClientOptions.Retry.RetryDelay = 1
			o.ClientOptions.Retry.MaxRetryDelay = 1
			l := open(t, o)
			_, err := l.State(t.Context(), "rule")
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: error %v, want %q", name, err, tt.want)
			}
			if _, err := unseen(t.Context(), l.Ledger, "rule", newAlert("rule", activity("a", 0, 1)).Activities); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
}
