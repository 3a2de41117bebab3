package teams

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pushback/detect/alert"
)

const ruleID = "d99cf5c3-d660-436c-895b-8a8f8448da23"

func TestParseRoutes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"High=https://a.example/secret": "",
		" high=https://a.example/secret \n" + strings.ToUpper(ruleID) + "=https://b.example/secret?sig=a=b ": "",
		"":                                "there is no route",
		"https://a.example/secret=x":      "route 1: expected a severity",
		"https://a.example/secret":        "route 1: expected a severity",
		"High":                            "route 1: expected a severity",
		"Urgent=https://a.example/secret": "route 1: before the = there is neither",
		"High=http://a.example/secret":    "route 1: the webhook's address does not start with https://",
		"High=https://a.example/secret HIGH=https://b.example/secret": "route 2: there is one for the same",
		"Low=https://a.example/secret High=%%%secret":                 "route 2: the webhook's address is not a URL",
	} {
		routes, err := ParseRoutes(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if out := fmt.Sprint(err) + fmt.Sprintf("%v %+v %#v", routes, routes, routes); strings.Contains(out, "secret") {
			t.Errorf("%q: an address is printed: %s", text, out)
		}
	}
}

// posts notes where requests go.
type posts struct{ to []string }

func (p *posts) RoundTrip(r *http.Request) (*http.Response, error) {
	p.to = append(p.to, r.URL.Host)
	return &http.Response{StatusCode: http.StatusAccepted, Body: io.NopCloser(strings.NewReader(""))}, nil
}

// An alert goes where its rule does, else its severity, else where all go.
func TestRoutes(t *testing.T) {
	t.Parallel()
	routes, err := ParseRoutes("High=https://high.example/x " + ruleID + "=https://rule.example/x")
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseWebhookURL("https://all.example/x")
	if err != nil {
		t.Fatal(err)
	}
	p, clock := &posts{}, newClock()
	to, err := New(all, Options{Routes: routes, Transport: p, Now: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	low, high, rule := alert.Alert{Title: "a", Severity: alert.Low}, alert.Alert{Title: "b", Severity: alert.High}, alert.Alert{Title: "c", Severity: alert.High, RuleID: strings.ToUpper(ruleID)}
	for _, a := range []alert.Alert{low, high, rule} {
		if err := to.Notify(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	// An alert goes to the address that it is for, whatever its rule and severity.
	named := low
	named.Address = to.Address(high)
	if err := to.Notify(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	for _, group := range [][]alert.Alert{{low, low}, {low, high}} {
		if err := to.NotifyAll(context.Background(), group); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"all.example", "high.example", "rule.example", "high.example", "all.example", "high.example"}; !slices.Equal(p.to, want) {
		t.Errorf("posted to %q, want %q", p.to, want)
	}
}
