package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"
)

// needed are the actions that a delivery takes.
var needed = []string{
	"Microsoft.SecurityInsights/incidents/read", "Microsoft.SecurityInsights/incidents/write",
	"Microsoft.SecurityInsights/incidents/comments/read", "Microsoft.SecurityInsights/incidents/comments/write",
	"Microsoft.SecurityInsights/incidents/relations/read", "Microsoft.SecurityInsights/incidents/relations/write",
	"Microsoft.SecurityInsights/bookmarks/read", "Microsoft.SecurityInsights/bookmarks/write",
}

// permissions is an answer of
// https://learn.microsoft.com/rest/api/authorization/permissions/list-for-resource.
type permissions struct {
	Value []struct {
		Actions    []string `json:"actions"`
		NotActions []string `json:"notActions"`
	} `json:"value"`
	NextLink string `json:"nextLink"`
}

// Check verifies that the workspace has Sentinel and that the identity may do
// what a delivery takes. It writes nothing.
func (d *Destination) Check(ctx context.Context) error {
	pager := d.incidents.NewListPager(d.workspace.Group, d.workspace.Name, &armsecurityinsights.IncidentsClientListOptions{Top: to.Ptr(int32(1))})
	if _, err := pager.NextPage(ctx); err != nil {
		return d.failed("reading the incidents", err)
	}
	p, err := d.permissions(ctx)
	if err != nil {
		return d.failed("reading the permissions", err)
	}
	var lacking []string
	for _, action := range needed {
		if !p.allow(action) {
			lacking = append(lacking, action)
		}
	}
	if len(lacking) > 0 {
		return d.failed("the identity may not "+strings.Join(lacking, ", "), errors.New("give it "+d.role()))
	}
	return nil
}

// role says which role a delivery takes.
func (d *Destination) role() string {
	return "the role Microsoft Sentinel Contributor on " + d.workspace.String() + ": Microsoft Sentinel Responder is not enough, it cannot make bookmarks"
}

// mostPages is how many pages of permissions are read: an identity has a few roles,
// and one page holds them.
const mostPages = 20

// permissions returns what the identity may do in the workspace.
func (d *Destination) permissions(ctx context.Context) (all permissions, err error) {
	first := runtime.JoinPaths(d.access.Endpoint(), d.workspace.String(), "/providers/Microsoft.Authorization/permissions") + "?api-version=2022-04-01"
	pages := 0
	for next := first; next != ""; {
		if pages++; pages > mostPages {
			return all, fmt.Errorf("there are more than %d pages of them, the limit", mostPages)
		}
		request, err := runtime.NewRequest(ctx, http.MethodGet, next)
		if err != nil {
			return all, err
		}
		response, err := d.access.Pipeline().Do(request)
		if err != nil {
			return all, err
		}
		if !runtime.HasStatusCode(response, http.StatusOK) {
			return all, runtime.NewResponseError(response)
		}
		var page permissions
		if err := runtime.UnmarshalAsJSON(response, &page); err != nil {
			return all, err
		}
		all.Value = append(all.Value, page.Value...)
		// The token goes to the manager and to nobody else.
		if next = page.NextLink; next != "" && !strings.HasPrefix(next, strings.TrimSuffix(d.access.Endpoint(), "/")+"/") {
			return all, errors.New("the rest of them is at another host")
		}
	}
	return all, nil
}

// allow reports whether one of the roles has an action.
func (p permissions) allow(action string) bool {
	for _, role := range p.Value {
		if matches(role.Actions, action) && !matches(role.NotActions, action) {
			return true
		}
	}
	return false
}

// matches reports whether one of the patterns, in which * is anything, is an
// action.
func matches(patterns []string, action string) bool {
	for _, pattern := range patterns {
		expression := "(?i)^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$"
		if ok, err := regexp.MatchString(expression, action); err == nil && ok {
			return true
		}
	}
	return false
}
