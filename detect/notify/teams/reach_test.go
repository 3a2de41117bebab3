package teams

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Reaching a host asks it for nothing, once, and says nothing of the webhook.
func TestReach(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.RequestURI)
		w.WriteHeader(http.StatusNotFound) // an answer all the same
	}))
	t.Cleanup(up.Close)
	down := httptest.NewTLSServer(nil)
	down.Close()
	webhook := func(address string) WebhookURL {
		w, err := ParseWebhookURL(address)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	routes := []Route{{RuleID: ruleID, Webhook: webhook(up.URL + "/another?sig=S3cr3t")}}
	n, err := New(webhook(up.URL+secretPath), Options{Routes: routes, Transport: up.Client().Transport})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Reach(t.Context()); err != nil {
		t.Error(err)
	}
	if got := strings.Join(asked, ", "); got != "HEAD /" {
		t.Errorf("the host was asked %q", got)
	}

	routes = append(routes, Route{RuleID: ruleID, Webhook: webhook(down.URL + secretPath)})
	if n, err = New(webhook(up.URL+secretPath), Options{Routes: routes, Transport: up.Client().Transport}); err != nil {
		t.Fatal(err)
	}
	err = n.Reach(t.Context())
	host := strings.TrimPrefix(down.URL, "https://")
	if err == nil || !strings.Contains(err.Error(), "reaching "+host) || strings.Contains(err.Error(), "S3cr3t") || strings.Contains(err.Error(), "workflows") {
		t.Errorf("%v", err)
	}
}
