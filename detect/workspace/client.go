// Package workspace asks a Log Analytics workspace a query and gives back a
// typed table.
//
// It is a thin layer over azquery. What it adds: the rule's time and name in
// front of the query, values without loss (azquery reads every number as a
// float64), and errors of one line that point into the rule's own text. A
// partial answer is an error, never an answer.
package workspace

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"
)

// Client queries one workspace. It is safe for concurrent use.
type Client struct {
	workspaceID string
	logs        *azquery.LogsClient
}

// Options are the settings of a [Client]; the zero value is the public cloud.
type Options struct {
	// ClientOptions are handed to azquery: the cloud, retries, and the
	// transport, by which a local engine can answer in place of the service.
	azcore.ClientOptions
}

// New returns a client for the workspace with this id (its customer id, a
// GUID, not its resource id). The credential needs read access to the logs.
// It sends nothing yet.
func New(workspaceID string, credential azcore.TokenCredential, options Options) (*Client, error) {
	if workspaceID == "" {
		return nil, errors.New("workspace: the workspace id is empty")
	}
	if credential == nil {
		return nil, errors.New("workspace: there is no credential")
	}
	logs, err := azquery.NewLogsClient(credential, &azquery.LogsClientOptions{ClientOptions: options.ClientOptions})
	if err != nil {
		return nil, fmt.Errorf("workspace: %w", err)
	}
	return &Client{workspaceID: workspaceID, logs: logs}, nil
}

// Query runs q and returns its first table. An error is one line long. It is a
// [*QueryError] if the service refused the query's text, a [*PartialError] if
// the answer is incomplete, a [*ServiceError] for any other refusal, and wraps
// ctx's error if that ended the wait.
func (c *Client) Query(ctx context.Context, q Query) (*Table, error) {
	// azquery decodes the rows into float64s, so the answer is read again, from
	// the body that azcore keeps.
	var answer *http.Response
	text, span := q.text(), q.timespan()
	_, err := c.logs.QueryWorkspace(policy.WithCaptureResponse(ctx, &answer), c.workspaceID,
		azquery.Body{Query: &text, Timespan: &span}, nil)
	if err != nil {
		return nil, q.failure(ctx, err)
	}
	body, err := runtime.Payload(answer)
	if err != nil {
		return nil, q.failure(ctx, err)
	}
	table, err := decode(body)
	if err != nil {
		return nil, q.failure(ctx, err)
	}
	return table, nil
}
