package teams

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/post"
)

// Route sends the alerts of a rule, or of a severity, to a webhook of their own.
type Route struct {
	// RuleID is the rule, or "" for all.
	RuleID string
	// Severity counts if there is no RuleID.
	Severity alert.Severity
	Webhook  WebhookURL
}

// ParseRoutes reads routes with space between them, each a severity or the id of
// a rule, an equals sign and the address of a webhook:
//
//	High=https://... d99cf5c3-d660-436c-895b-8a8f8448da23=https://...
//
// Its errors name a route by its number and never quote an address.
func ParseRoutes(text string) ([]Route, error) {
	var routes []Route
	known := map[string]bool{}
	for i, entry := range strings.Fields(text) {
		fail := func(format string, args ...any) ([]Route, error) {
			return nil, fmt.Errorf("teams: route %d: "+format, append([]any{i + 1}, args...)...)
		}
		what, address, ok := strings.Cut(entry, "=")
		if !ok || strings.Contains(what, "://") {
			return fail("expected a severity or the id of a rule, then = and the address of a webhook")
		}
		webhook, err := ParseWebhookURL(address)
		if err != nil {
			return fail("%s", strings.TrimPrefix(err.Error(), "teams: "))
		}
		r := Route{Webhook: webhook}
		if id := strings.ToLower(what); guid.MatchString(id) {
			r.RuleID = id
		} else if r.Severity, err = alert.ParseSeverity(what); err != nil {
			return fail("before the = there is neither a severity nor the id of a rule")
		}
		if known[strings.ToLower(what)] {
			return fail("there is one for the same rule or severity already")
		}
		known[strings.ToLower(what)] = true
		routes = append(routes, r)
	}
	if len(routes) == 0 {
		return nil, errors.New("teams: there is no route")
	}
	return routes, nil
}

// Named is a webhook with the name of the setting that holds it.
type Named struct {
	Name    string
	Webhook WebhookURL
}

// channel is a webhook with the requests that it may be sent.
type channel struct {
	name    string
	webhook WebhookURL
	turns   *post.Turns
}

// all lists the webhooks, one that is under several names as often.
func (t *Teams) all() []channel {
	return slices.Concat([]channel{t.other}, t.routes, t.named)
}

// route returns where an alert goes. That is the address that it is for, or
// that of its rule, else of its severity, else the one of all others.
func (t *Teams) route(a alert.Alert) channel {
	if a.Address != "" {
		for i, n := range t.options.Named {
			if n.Name == a.Address {
				return t.named[i]
			}
		}
		for _, c := range t.all() {
			if c.name == a.Address {
				return c
			}
		}
	}
	bySeverity := -1
	for i, r := range t.options.Routes {
		switch {
		case r.RuleID != "" && strings.EqualFold(r.RuleID, a.RuleID):
			return t.routes[i]
		case r.RuleID == "" && r.Severity == a.Severity:
			bySeverity = i
		}
	}
	if bySeverity >= 0 {
		return t.routes[bySeverity]
	}
	return t.other
}

// Address returns the name of the webhook that an alert goes to: its host and a
// few characters that no other has.
func (t *Teams) Address(a alert.Alert) string { return t.route(a).name }

// Addresses lists the names of all webhooks.
func (t *Teams) Addresses() []string {
	var names []string
	for _, c := range t.all() {
		if !slices.Contains(names, c.name) {
			names = append(names, c.name)
		}
	}
	return names
}

var guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
