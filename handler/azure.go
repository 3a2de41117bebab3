package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"pushback/detect"
	"pushback/detect/ledger"
	"pushback/detect/workspace"
)

// openWorkspace returns the workspace that rules query, as the identity that
// the process runs as: the managed one on Azure, that of the Azure CLI or the
// AZURE_ variables elsewhere. Nothing is sent yet.
func openWorkspace(s settings, log *slog.Logger) (detect.Querier, error) {
	cloud, err := workspace.Cloud(s.Cloud.value)
	if err != nil {
		return nil, err
	}
	options := azcore.ClientOptions{Cloud: cloud}
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
	if err != nil {
		return nil, fmt.Errorf("the identity for the workspace: %w", err)
	}
	isFirst := func(id string) bool { return id == s.WorkspaceID.value } // naming it twice changes nothing
	return workspace.New(s.WorkspaceID.value, credential, workspace.Options{
		ClientOptions:        options,
		AdditionalWorkspaces: slices.DeleteFunc(slices.Clone(s.AdditionalWorkspaces.values), isFirst),
		Timeout:              s.QueryTimeout.Duration,
		Logger:               log,
	})
}

// openLedger returns what remembers how far the rules have run and what they
// told.
func openLedger(_ context.Context, _ settings, log *slog.Logger) (detect.Ledger, error) {
	log.Warn("the ledger is in memory: when the process restarts, what was reported is forgotten and windows of before are not made up for")
	return ledger.NewMemory(), nil
}

// openDestinations returns where alerts go.
func openDestinations(_ settings, log *slog.Logger) []detect.Notifier {
	return []detect.Notifier{alertLog{log.Handler()}}
}
