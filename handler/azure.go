package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"pushback/detect"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/detect/transport"
	"pushback/detect/workspace"
	"pushback/handler/settings"
	"pushback/handler/telemetry"
)

// mostToken is how many bytes are read of an answer that holds a token.
const mostToken = 1 << 20

// identity is who the process runs as: the managed identity on Azure, that of
// the Azure CLI or the AZURE_ variables elsewhere.
func identity(options azcore.ClientOptions) (azcore.TokenCredential, error) {
	options.Transport = transport.Bounded(options.Transport, transport.Limits{Service: "the identity's endpoint", Answer: mostToken})
	credential, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: options})
	if err != nil {
		return nil, err
	}
	return plainCredential{credential}, nil
}

// plainCredential says in a line why there is no token. The SDK does in a dozen,
// of which most are about what was not tried.
type plainCredential struct{ azcore.TokenCredential }

func (c plainCredential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := c.TokenCredential.GetToken(ctx, options)
	if err != nil {
		err = &tokenError{scopes: options.Scopes, late: ctx.Err() != nil, err: err}
	}
	return token, err
}

// tokenError says that there is no token, why, and what to do.
type tokenError struct {
	scopes []string
	late   bool // the time was up
	err    error
}

// tokenAdvice is what to do without a token.
const tokenAdvice = "check the app's managed identity and that AZURE_CLIENT_ID is its client id, or off Azure run az login"

// workflowAdvice is what to do where the tenant knows nothing of workflows: their
// service is added to it by its first use.
const workflowAdvice = "the tenant does not know Power Automate's service yet: check PUSHBACK_CLOUD, and have an administrator run az ad sp create --id 7df0a125-d3be-4c96-aa54-591f83ff541c"

func (e *tokenError) Error() string {
	service := strings.TrimRight(strings.TrimSuffix(strings.Join(e.scopes, ", "), "/.default"), "/")
	cause := tokenCause(e.err)
	if endpoint, err := url.Parse(os.Getenv("IDENTITY_ENDPOINT")); e.late && err == nil && endpoint.Host != "" {
		cause = fmt.Sprintf("the identity's endpoint %s did not answer in time (%s)", endpoint.Host, cause)
	}
	advice := tokenAdvice
	if strings.Contains(cause, "AADSTS500011") && strings.Contains(service, ".flow.") {
		advice = workflowAdvice
	}
	return fmt.Sprintf("there is no token for %s: %s: %s", service, cause, advice)
}

func (e *tokenError) Unwrap() error { return e.err }

var (
	// attempted is between what the SDK tried in turn. What belongs to one is
	// indented further.
	attempted = regexp.MustCompile(`\n\t([^\t])`)
	// chatter is what does not belong in a line.
	chatter = regexp.MustCompile(`-{5,}|\.? *To troubleshoot, visit https://\S+`)
)

// tokenCause is the cause in an error of the SDK, on one line. One of the ways to
// get a token ended the search unless none of them is set up.
func tokenCause(err error) string {
	cause := err.Error()
	if _, list, ok := strings.Cut(cause, "Attempted credentials:"); ok {
		cause = strings.TrimPrefix(attempted.ReplaceAllString(list, "; $1"), "; ")
		var failed *azidentity.AuthenticationFailedError
		if places := attempted.FindAllStringSubmatchIndex(list, -1); errors.As(err, &failed) && len(places) > 0 {
			cause = list[places[len(places)-1][2]:]
		}
	}
	cause = strings.Join(strings.Fields(chatter.ReplaceAllString(cause, " ")), " ")
	// The endpoint may repeat what it was sent.
	cause = secret.Remove(cause, os.Getenv("IDENTITY_HEADER"), os.Getenv("MSI_SECRET"), os.Getenv("AZURE_CLIENT_SECRET"))
	return text.Cut(text.Safe(cause), 600)
}

// tune changes the options of a client.
type tune func(*azcore.ClientOptions)

// cloudOptions are the options of the clients in the settings' cloud.
func cloudOptions(s settings.Settings, tunes []tune) (azcore.ClientOptions, error) {
	cloud, err := workspace.Cloud(s.Cloud)
	if err != nil {
		return azcore.ClientOptions{}, err
	}
	options := telemetry.ClientOptions(cloud)
	for _, t := range tunes {
		t(&options)
	}
	return options, nil
}

// openWorkspace returns the workspace that rules query, as the identity that
// the process runs as. Nothing is sent yet.
func openWorkspace(s settings.Settings, log *slog.Logger, tunes ...tune) (detect.Querier, error) {
	options, err := cloudOptions(s, tunes)
	if err != nil {
		return nil, err
	}
	credential, err := identity(options)
	if err != nil {
		return nil, fmt.Errorf("the identity for the workspace: %w", err)
	}
	isFirst := func(id string) bool { return id == s.WorkspaceID } // naming it twice changes nothing
	return workspace.New(s.WorkspaceID, credential, workspace.Options{
		ClientOptions:        options,
		AdditionalWorkspaces: slices.DeleteFunc(slices.Clone(s.AdditionalWorkspaces), isFirst),
		Timeout:              s.QueryTimeout,
		Concurrency:          s.Concurrency,
		Rate:                 s.QueryRate,
		Build:                version,
		Logger:               log,
	})
}
