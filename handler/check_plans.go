package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

const (
	// tablesVersion is the version of the API that lists a workspace's tables.
	tablesVersion = "2022-10-01"
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
	m, err := openManager(ctx, c.settings)
	if err != nil {
		return nil, err
	}
	type table struct {
		Name       string `json:"name"`
		Properties struct {
			Plan string `json:"plan"`
		} `json:"properties"`
	}
	list, err := listOf[table](ctx, m, workspaceID+"/tables", tablesVersion, "")
	if err != nil {
		return nil, managerRefused(err, map[int]string{
			http.StatusForbidden: "give the app's identity the role Log Analytics Reader on the workspace",
			http.StatusNotFound:  fmt.Sprintf("check %s_WORKSPACE_RESOURCE_ID", settings.Prefix)})
	}
	plans := map[string]string{}
	for _, t := range list {
		plans[strings.ToLower(t.Name)] = cmp.Or(t.Properties.Plan, analyticsPlan)
	}
	return plans, nil
}
