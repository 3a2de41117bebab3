package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/teams"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// destination is a place that alerts are sent to. A new one is its package, its
// settings and a row of the table below.
type destination struct {
	name string
	// setting is the one that turns it on, without the prefix; none for a
	// destination that is always on.
	setting string
	// common says that most set it up, so that a check names it first.
	common bool
	// configured reports whether the settings are there to open it with.
	configured func(s settings.Settings) bool
	open       func(o setup) (notify.Notifier, error)
	// check says what was found of the destination, or why it takes no alerts.
	// With a test it is sent that, if nothing else shows that it takes alerts.
	check func(ctx context.Context, o setup, test *alert.Alert) (found string, err error)
	// untested is why a test goes nowhere while the destination is not set up.
	untested string
}

// setup is what destinations are opened with.
type setup struct {
	settings settings.Settings
	rules    []*rule.Rule
	notes    sentinel.Notes // nil for a check
	log      *slog.Logger
	tunes    []tune
}

// destinations lists what alerts can be sent to, in the order in which they are
// sent. The cards of Teams lead to the incidents of Sentinel.
var destinations = []destination{
	{
		name:       "log",
		configured: func(settings.Settings) bool { return true },
		open:       func(o setup) (notify.Notifier, error) { return alertLog{withSecrets(o.log.Handler())}, nil },
	},
	{
		name:       "sentinel",
		setting:    "SENTINEL_WORKSPACE",
		configured: func(s settings.Settings) bool { return s.SentinelWorkspace != "" },
		open:       func(o setup) (notify.Notifier, error) { return openSentinel(o) },
		check:      checkSentinel,
	},
	{
		name:       "teams",
		setting:    "TEAMS_WEBHOOK_URL",
		common:     true,
		configured: func(s settings.Settings) bool { return !s.TeamsWebhookURL.IsZero() },
		open:       func(o setup) (notify.Notifier, error) { return openTeams(o.settings) },
		check:      checkTeams,
		untested:   "there is no webhook to send a test card to",
	},
}

// checkOrder lists the destinations as a check names them, the common ones first.
func checkOrder() []destination {
	return slices.SortedStableFunc(slices.Values(destinations), func(a, b destination) int {
		switch {
		case a.common == b.common:
			return 0
		case a.common:
			return -1
		}
		return 1
	})
}

// openDestinations opens the destinations that are set up.
func openDestinations(o setup) ([]notify.Notifier, error) {
	var to []notify.Notifier
	for _, d := range destinations {
		if !d.configured(o.settings) {
			continue
		}
		n, err := d.open(o)
		if err != nil {
			return nil, err
		}
		to = append(to, n)
	}
	return to, nil
}

// openTeams returns the webhooks that alerts are posted to.
func openTeams(s settings.Settings) (*teams.Teams, error) {
	return teams.New(s.TeamsWebhookURL, teams.Options{
		Links:    cardLinks(s),
		Routes:   s.TeamsRoutes,
		MaxCards: cmp.Or(s.TeamsMaxCards, 5), // of a number that is wrong check has said so
		Timeout:  sendTime - 2*time.Second,   // so that the error says what took so long
	})
}

// cardLinks returns what the buttons of cards need to know.
func cardLinks(s settings.Settings) teams.Links {
	return teams.Links{WorkspaceResourceID: cmp.Or(s.WorkspaceResourceID, s.SentinelWorkspace), NoPortal: s.Cloud != "public", Build: version}
}

// checkTeams reaches the webhooks, or posts a test card to the first.
func checkTeams(ctx context.Context, o setup, test *alert.Alert) (string, error) {
	channel, err := openTeams(o.settings)
	if err == nil {
		err = channel.Reach(ctx)
	}
	if err != nil {
		return "", err
	}
	if test == nil {
		return fmt.Sprintf("%s can be reached; --send-test-card shows whether it posts", o.settings.TeamsWebhookURL), nil
	}
	if err := channel.Notify(ctx, *test); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s took a test card", o.settings.TeamsWebhookURL), nil
}

// openSentinel returns the workspace whose incidents alerts become.
func openSentinel(o setup) (*sentinel.Destination, error) {
	options, err := cloudOptions(o.settings, o.tunes)
	if err != nil {
		return nil, err
	}
	w, err := sentinel.ParseWorkspace(o.settings.SentinelWorkspace)
	if err != nil {
		return nil, err
	}
	credential, err := identity(options)
	if err != nil {
		return nil, fmt.Errorf("the identity for Sentinel: %w", err)
	}
	return sentinel.New(w, o.notes, credential, sentinel.Options{ClientOptions: options, Rules: o.rules, Links: cardLinks(o.settings)})
}

// checkSentinel reads what incidents and bookmarks need. It makes none.
func checkSentinel(ctx context.Context, o setup, _ *alert.Alert) (string, error) {
	options, err := cloudOptions(o.settings, o.tunes)
	if err == nil {
		err = token(ctx, options, options.Cloud.Services[cloud.ResourceManager].Audience+"/.default")
	}
	if err != nil {
		return "", err
	}
	d, err := openSentinel(o)
	if err == nil {
		err = d.Check(ctx)
	}
	if err != nil {
		var step *sentinel.Error
		var request *url.Error
		if errors.As(err, &step) && errors.As(err, &request) {
			// A destination cuts long errors short, and the cause is at their end.
			err = fmt.Errorf("sentinel: %s: %w", step.Doing, withHost(request))
		}
		return "", advised(err)
	}
	return fmt.Sprintf("incidents and bookmarks can be made in %s", o.settings.SentinelWorkspace), nil
}
