package sentinel

import (
	"fmt"
	"regexp"
	"sync"
)

// Workspace names a Log Analytics workspace with Sentinel in Azure Resource
// Manager.
type Workspace struct{ Subscription, Group, Name string }

// workspaceID is compiled when it is used, since it takes as long as the rest of a start.
var workspaceID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^/subscriptions/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/resourceGroups/([\p{L}\p{N}_().-]{1,90})/providers/Microsoft\.OperationalInsights/workspaces/([a-z0-9][a-z0-9-]{2,61}[a-z0-9])$`)
})

// WorkspaceForm is what a workspace's resource id looks like.
const WorkspaceForm = "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME"

// ParseWorkspace reads a workspace's resource id.
func ParseWorkspace(id string) (Workspace, error) {
	m := workspaceID().FindStringSubmatch(id)
	if m == nil {
		return Workspace{}, fmt.Errorf("sentinel: %.300q is not the resource id of a workspace: expected %s", id, WorkspaceForm)
	}
	return Workspace{m[1], m[2], m[3]}, nil
}

// String returns the resource id.
func (w Workspace) String() string {
	return "/subscriptions/" + w.Subscription + "/resourceGroups/" + w.Group + "/providers/Microsoft.OperationalInsights/workspaces/" + w.Name
}
