package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"pushback/detect"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/teams"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// identity is who the process runs as.
func identity(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
}

// openWorkspace returns the workspace that rules query, as the identity that
// the process runs as: the managed one on Azure, that of the Azure CLI or the
// AZURE_ variables elsewhere. Nothing is sent yet.
func openWorkspace(s settings, log *slog.Logger) (detect.Querier, error) {
	cloud, err := workspace.Cloud(s.Cloud.value)
	if err != nil {
		return nil, err
	}
	options := clientOptions(cloud)
	credential, err := identity(options)
	if err != nil {
		return nil, fmt.Errorf("the identity for the workspace: %w", err)
	}
	isFirst := func(id string) bool { return id == s.WorkspaceID.value } // naming it twice changes nothing
	return workspace.New(s.WorkspaceID.value, credential, workspace.Options{
		ClientOptions:        options,
		AdditionalWorkspaces: slices.DeleteFunc(slices.Clone(s.AdditionalWorkspaces.values), isFirst),
		Timeout:              s.QueryTimeout.Duration,
		Build:                version,
		Logger:               log,
	})
}

// openDestinations returns where alerts go: always the log, Sentinel if there
// is a workspace of it, and Teams if there is a webhook.
func openDestinations(s settings, rules []*rule.Rule, notes sentinel.Notes, log *slog.Logger) ([]detect.Notifier, error) {
	to := []detect.Notifier{alertLog{log.Handler()}}
	if s.SentinelWorkspace.value != "" { // before Teams, whose cards lead to the incidents
		incidents, err := openSentinel(s, rules, notes)
		if err != nil {
			return nil, err
		}
		to = append(to, incidents)
	}
	if !s.TeamsWebhookURL.value.IsZero() {
		channel, err := openTeams(s)
		if err != nil {
			return nil, err
		}
		to = append(to, channel)
	}
	return to, nil
}

// openTeams returns the webhooks that alerts are posted to.
func openTeams(s settings) (*teams.Teams, error) {
	most := 5
	if s.TeamsMaxCards.value != nil { // else it is wrong, and said so
		most = int(*s.TeamsMaxCards.value)
	}
	return teams.New(s.TeamsWebhookURL.value, teams.Options{
		Links:    cardLinks(s),
		Routes:   s.TeamsRoutes.value,
		MaxCards: most,
		Timeout:  sendTime - 2*time.Second, // so that the error says what took so long
	})
}

// openSentinel returns the workspace whose incidents alerts become.
func openSentinel(s settings, rules []*rule.Rule, notes sentinel.Notes) (*sentinel.Destination, error) {
	cloud, err := workspace.Cloud(s.Cloud.value)
	if err != nil {
		return nil, err
	}
	w, err := sentinel.ParseWorkspace(s.SentinelWorkspace.value)
	if err != nil {
		return nil, err
	}
	options := clientOptions(cloud)
	credential, err := identity(options)
	if err != nil {
		return nil, fmt.Errorf("the identity for Sentinel: %w", err)
	}
	return sentinel.New(w, notes, credential, sentinel.Options{ClientOptions: options, Rules: rules, Links: cardLinks(s)})
}

// cardLinks is what the buttons of cards need to know.
func cardLinks(s settings) teams.Links {
	return teams.Links{WorkspaceResourceID: cmp.Or(s.WorkspaceResourceID.value, s.SentinelWorkspace.value), NoPortal: s.Cloud.value != "public", Build: version}
}
