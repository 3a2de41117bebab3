package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/transport"
	"pushback/handler/settings"
)

const (
	// tablesVersion is the version of the API that lists a workspace's tables.
	tablesVersion = "2022-10-01"
	// mostTables is how many bytes the list takes: some thousand tables.
	mostTables = 32 << 20
	// analyticsPlan is the plan of tables that a rule can read in full.
	analyticsPlan = "Analytics"
)

// plans warns of tables on a plan that rules cannot be run on: another API queries
// those, without join and functions.
func (c *checker) plans(ctx context.Context, rules []*rule.Rule) {
	id := cmp.Or(c.settings.WorkspaceResourceID, c.settings.SentinelWorkspace)
	if id == "" {
		c.note("plan", checkOK, "the plans of the tables are not checked: that needs %s_WORKSPACE_RESOURCE_ID", settings.Prefix)
		return
	}
	plans, err := c.tablePlans(ctx, id)
	if err != nil {
		c.note("plan", checkWarning, "the plans of the tables are not known: %v", err)
		return
	}
	wrong := 0
	for _, name := range ruleTables(rules) {
		plan, known := plans[strings.ToLower(name)]
		if !known || strings.EqualFold(plan, analyticsPlan) {
			continue
		}
		wrong++
		c.note("plan", checkWarning, "%s is on the plan %s, which rules cannot be run on: %s. Set its plan to %s, or change the rules", name, text.Cut(text.Safe(plan), 40), readers(rules, name), analyticsPlan)
	}
	if wrong == 0 {
		c.note("plan", checkOK, "the rules' tables are on the plan %s", analyticsPlan)
	}
}

// readers names the rules that read a table.
func readers(rules []*rule.Rule, table string) string {
	const most = 5
	var names []string
	for _, r := range rules {
		if slices.Contains(ruleTables([]*rule.Rule{r}), table) {
			names = append(names, fmt.Sprintf("%q", r.Name))
		}
	}
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more read it", more)
	}
	if len(names) == 1 {
		return names[0] + " reads it"
	}
	return strings.Join(names, ", ") + " read it"
}

// tablePlans returns the plans of a workspace's tables, by their names in lower case.
func (c *checker) tablePlans(ctx context.Context, workspaceID string) (map[string]string, error) {
	options, err := cloudOptions(c.settings, []tune{impatient})
	if err != nil {
		return nil, err
	}
	if err := token(ctx, options, options.Cloud.Services[cloud.ResourceManager].Audience+"/.default"); err != nil {
		return nil, err
	}
	credential, err := identity(options)
	if err != nil {
		return nil, err
	}
	options.Transport = transport.Bounded(options.Transport, transport.Limits{Service: "Azure Resource Manager", Answer: mostTables})
	client, err := arm.NewClient("pushback", "v1.0.0", credential, &arm.ClientOptions{ClientOptions: options, DisableRPRegistration: true})
	if err != nil {
		return nil, err
	}
	req, err := runtime.NewRequest(ctx, http.MethodGet, runtime.JoinPaths(client.Endpoint(), workspaceID, "tables"))
	if err != nil {
		return nil, err
	}
	query := req.Raw().URL.Query()
	query.Set("api-version", tablesVersion)
	req.Raw().URL.RawQuery = query.Encode()
	resp, err := client.Pipeline().Do(req)
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK) {
		return nil, plansRefused(runtime.NewResponseError(resp))
	}
	var list struct {
		Value []struct {
			Name       string `json:"name"`
			Properties struct {
				Plan string `json:"plan"`
			} `json:"properties"`
		} `json:"value"`
	}
	if err := runtime.UnmarshalAsJSON(resp, &list); err != nil {
		return nil, fmt.Errorf("reading the list of tables: %w", err)
	}
	plans := map[string]string{}
	for _, t := range list.Value {
		plans[strings.ToLower(t.Name)] = cmp.Or(t.Properties.Plan, analyticsPlan)
	}
	return plans, nil
}

// plansRefused says in a line why the list was refused.
func plansRefused(err error) error {
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return err
	}
	line := fmt.Sprintf("Azure Resource Manager answered %d %s (%s)", refused.StatusCode, http.StatusText(refused.StatusCode), text.Cut(text.Safe(refused.ErrorCode), 60))
	switch refused.StatusCode {
	case http.StatusForbidden:
		line += ": give the app's identity the role Log Analytics Reader on the workspace"
	case http.StatusNotFound:
		line += fmt.Sprintf(": check %s_WORKSPACE_RESOURCE_ID", settings.Prefix)
	}
	return errors.New(line)
}
