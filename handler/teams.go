package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/google/uuid"

	"pushback/detect/alert"
	"pushback/detect/notify/teams"
	"pushback/handler/settings"
)

// openTeams returns the webhooks that alerts are posted to.
func openTeams(o setup) (*teams.Teams, error) {
	s := o.settings
	var credential azcore.TokenCredential
	if len(teamsAudiences(s)) > 0 {
		options, err := cloudOptions(s, o.tunes)
		if err == nil {
			credential, err = identity(options)
		}
		if err != nil {
			return nil, fmt.Errorf("the identity for Teams: %w", err)
		}
	}
	return teams.New(s.TeamsWebhookURL, teams.Options{
		Links:      cardLinks(s),
		Routes:     s.TeamsRoutes,
		Named:      teamsNamed(s),
		Credential: credential,
		MaxCards:   cmp.Or(s.TeamsMaxCards, 5), // of a number that is wrong check has said so
		Timeout:    sendTime - 2*time.Second,   // so that the error says what took so long
	})
}

// teamsNamed are the webhooks by the names of their settings, that for what no route
// takes first.
func teamsNamed(s settings.Settings) []teams.Named {
	if s.TeamsWebhookURL.IsZero() {
		return s.TeamsAddresses
	}
	return append([]teams.Named{{Name: settings.TeamsAddress, Webhook: s.TeamsWebhookURL}}, s.TeamsAddresses...)
}

func teamsAddresses(s settings.Settings) (list []heldAddress) {
	for _, n := range teamsNamed(s) {
		list = append(list, heldAddress{setting: n.Name, of: n.Webhook, same: func(o heldAddress) bool {
			w, ok := o.of.(teams.WebhookURL)
			return ok && n.Webhook.Is(w)
		}})
	}
	return list
}

// teamsAudiences are whom the tokens are made out to that go with what is posted to the
// webhooks, each once.
func teamsAudiences(s settings.Settings) (list []string) {
	add := func(w teams.WebhookURL) {
		if a := w.Audience(); a != "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	for _, n := range teamsNamed(s) {
		add(n.Webhook)
	}
	for _, r := range s.TeamsRoutes {
		add(r.Webhook)
	}
	return list
}

// checkTeams reaches the webhooks, or posts a test card to the first.
func checkTeams(ctx context.Context, o setup, test *alert.Alert) (string, error) {
	channel, err := openTeams(o)
	if err == nil {
		err = channel.Reach(ctx)
	}
	if err != nil {
		return "", err
	}
	known, err := checkIdentities(ctx, o)
	if err != nil {
		return "", err
	}
	if test == nil {
		return fmt.Sprintf("%s can be reached; --send-test-card shows whether it posts%s", o.settings.TeamsWebhookURL, known), nil
	}
	if err := channel.Notify(ctx, *test); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s took a test card%s", o.settings.TeamsWebhookURL, known), nil
}

// checkIdentities gets the tokens that are posted with, and says whose they are: that is
// what a workflow's trigger asks whoever sets it up for.
func checkIdentities(ctx context.Context, o setup) (known string, err error) {
	for _, audience := range teamsAudiences(o.settings) {
		options, err := cloudOptions(o.settings, o.tunes)
		if err != nil {
			return "", err
		}
		token, err := token(ctx, options, teams.Scope(audience))
		if err != nil {
			return "", err
		}
		known += "; there is a token for " + strings.TrimSuffix(audience, "/")
		if object, tenant := whoseToken(token.Token); object != "" {
			known += fmt.Sprintf(", of the identity with the object id %s in the tenant %s: this id belongs under Allowed users of the workflow's trigger", object, cmp.Or(tenant, "that it does not say"))
		}
	}
	return known, nil
}

// whoseToken returns the ids of the identity that a token is of, and of its tenant, or
// nothing if it does not say. Nothing depends on them, so that nobody verified it.
func whoseToken(token string) (object, tenant string) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", ""
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return "", ""
	}
	var claims struct{ OID, TID string }
	if json.Unmarshal(text, &claims) != nil {
		return "", ""
	}
	read := func(text string) string {
		id, err := uuid.Parse(text)
		if err != nil || len(text) != 36 {
			return ""
		}
		return id.String()
	}
	return read(claims.OID), read(claims.TID)
}
