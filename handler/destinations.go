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

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/teams"
	"pushback/detect/notify/webhook"
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
	// tests says that the check sends the test.
	tests bool
	// untested is why a test goes nowhere while the destination is not set up.
	untested string
	// addresses, if set, are those that routes can name, by the names of their settings.
	addresses func(s settings.Settings) []heldAddress
	// several says that settings with _ and a name behind that of setting hold more.
	several bool
	// caveat, if set, is what whoever set it up has to know, said at every start
	// and check. From its time on it is a warning.
	caveat string
	from   time.Time
}

// heldAddress is a place of a destination that a setting holds.
type heldAddress struct {
	setting string
	// same reports whether another address of the destination is the same.
	same func(other heldAddress) bool
	of   any // the address, which is a secret
}

// setup is what destinations are opened with.
type setup struct {
	settings settings.Settings
	rules    []*rule.Rule
	notes    sentinel.Notes // nil for a check
	querier  detect.Querier // nil if the workspace does not answer a check
	log      *slog.Logger
	tunes    []tune
}

// destinations lists what alerts can be sent to, in the order in which they are
// sent. The cards of Teams lead to the incidents of those before.
var destinations = []destination{
	{
		name:       "log",
		configured: func(settings.Settings) bool { return true },
		open:       func(o setup) (notify.Notifier, error) { return alertLog{withSecrets(o.log.Handler())}, nil },
	},
	{
		name:       sentinel.Name,
		setting:    "SENTINEL_WORKSPACE",
		configured: func(s settings.Settings) bool { return s.SentinelWorkspace != "" },
		open:       func(o setup) (notify.Notifier, error) { return openSentinel(o) },
		check:      checkSentinel,
		caveat: "incidents that are made through Sentinel's API are not shown in the Defender portal, and the Azure portal's Sentinel, which shows them, ends on 31 March 2027: " +
			"nobody sees them from then on. Have an analytics rule make them: see detect/notify/alerts/README.md for how to change over",
		from: time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC),
	},
	{
		name:       alerts.Name,
		setting:    "ALERTS_ENDPOINT",
		configured: func(s settings.Settings) bool { return s.AlertsEndpoint != "" && s.AlertsRule != "" },
		open:       func(o setup) (notify.Notifier, error) { return openAlerts(o) },
		check:      checkAlerts,
	},
	{
		name:       "teams",
		setting:    "TEAMS_WEBHOOK_URL",
		common:     true,
		configured: func(s settings.Settings) bool { return !s.TeamsWebhookURL.IsZero() },
		open:       func(o setup) (notify.Notifier, error) { return openTeams(o) },
		check:      checkTeams,
		tests:      true,
		addresses:  teamsAddresses,
		several:    true,
		untested:   "there is no webhook to send a test card to",
	},
	{
		name:       webhook.Name,
		setting:    "WEBHOOK_URL",
		configured: func(s settings.Settings) bool { return !s.WebhookURL.IsZero() && !s.WebhookSecret.IsZero() },
		open:       func(o setup) (notify.Notifier, error) { return openWebhook(o.settings) },
		check:      checkWebhook,
		tests:      true,
		addresses:  webhookAddresses,
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

// withCaveat returns the destinations that are set up and have a caveat.
func withCaveat(s settings.Settings) []destination {
	return slices.DeleteFunc(slices.Clone(destinations), func(d destination) bool { return d.caveat == "" || !d.configured(s) })
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

// webhookAddresses is the one address that the webhook has.
func webhookAddresses(s settings.Settings) []heldAddress {
	if s.WebhookURL.IsZero() {
		return nil
	}
	return []heldAddress{{setting: settings.Prefix + "_WEBHOOK_URL", of: s.WebhookURL, same: func(heldAddress) bool { return true }}}
}

// cardLinks returns what the buttons of cards need to know.
func cardLinks(s settings.Settings) teams.Links {
	l := teams.Links{Portal: s.Portal.In(s.Cloud), WorkspaceResourceID: cmp.Or(s.WorkspaceResourceID, s.SentinelWorkspace), Cloud: s.Cloud, NoPortal: s.Cloud == "", Build: version}
	if s.AlertsEndpoint != "" {
		l.Table = alerts.Table
	}
	return l
}

// openWebhook returns the receiver that alerts are posted to.
func openWebhook(s settings.Settings) (*webhook.Webhook, error) {
	return webhook.New(s.WebhookURL, s.WebhookSecret, webhook.Options{
		Links:      cardLinks(s),
		HealthRule: detect.HealthRuleID,
		Timeout:    sendTime - 2*time.Second, // so that the error says what took so long
	})
}

// checkWebhook reaches the receiver's host, or posts a test.
func checkWebhook(ctx context.Context, o setup, test *alert.Alert) (string, error) {
	receiver, err := openWebhook(o.settings)
	if err == nil {
		err = receiver.Reach(ctx)
	}
	if err != nil {
		return "", err
	}
	if test == nil {
		return fmt.Sprintf("%s can be reached; --send-test-card shows whether it takes what is posted", o.settings.WebhookURL), nil
	}
	if err := receiver.Test(ctx, *test); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s took a test", o.settings.WebhookURL), nil
}

// openAlerts returns the table whose rows an analytics rule turns into alerts.
func openAlerts(o setup) (*alerts.Destination, error) {
	sender, err := alertSender(o)
	if err != nil {
		return nil, err
	}
	return alerts.New(sender, o.querier, o.notes, alerts.Options{Rules: o.rules, Links: cardLinks(o.settings)}), nil
}

func alertSender(o setup) (alerts.Sender, error) {
	options, err := cloudOptions(o.settings, o.tunes)
	if err != nil {
		return nil, err
	}
	credential, err := identity(options)
	if err != nil {
		return nil, fmt.Errorf("the identity for the Logs Ingestion API: %w", err)
	}
	to := alerts.Ingestion{Endpoint: o.settings.AlertsEndpoint, Rule: o.settings.AlertsRule, Stream: o.settings.AlertsStream}
	return alerts.NewSender(to, credential, options)
}

// checkAlerts sends no rows, and looks for the table that they go to.
func checkAlerts(ctx context.Context, o setup, _ *alert.Alert) (string, error) {
	options, err := cloudOptions(o.settings, o.tunes)
	if err == nil {
		_, err = token(ctx, options, alerts.Scope(options.Cloud))
	}
	var sender alerts.Sender
	if err == nil {
		sender, err = alertSender(o)
	}
	takes := "takes rows"
	if err == nil {
		err = sender.Send(ctx, nil)
	}
	if notify.Judge(err).Message { // it knows us, and wants rows
		takes, err = "can be reached, and does not say whether it takes rows", nil
	}
	if err != nil {
		var call *alerts.Error
		var request *url.Error
		if errors.As(err, &call) && errors.As(err, &request) {
			err = fmt.Errorf("alerts: writing no rows: %w", withHost(request))
		}
		return "", advised(err)
	}
	newest := "the workspace was not asked for its table " + alerts.Table
	if o.querier != nil {
		found, err := alerts.Newest(ctx, o.querier, time.Now())
		switch {
		case err != nil:
			return "", err
		case found.IsZero():
			newest = "the table " + alerts.Table + " has no row of the last 14 days"
		default:
			newest = "the newest row of the table " + alerts.Table + " is of " + found.UTC().Format(time.RFC3339)
		}
	}
	return fmt.Sprintf("%s %s for %s; %s", o.settings.AlertsEndpoint, takes, o.settings.AlertsRule, newest), nil
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
		_, err = token(ctx, options, options.Cloud.Services[cloud.ResourceManager].Audience+"/.default")
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
