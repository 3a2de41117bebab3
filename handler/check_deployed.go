package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"pushback/detect/notify/text"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// The versions of the API of Azure Resource Manager.
const (
	sitesVersion       = "2025-03-01"
	assignmentsVersion = "2022-04-01"
	alertRulesVersion  = "2026-03-01"
)

// siteForm is the resource id of a function app.
var siteForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(/subscriptions/[0-9a-f-]{36})(/resourceGroups/[\w.()-]{1,90})/providers/Microsoft\.Web/sites/([a-z0-9-]{2,60})$`)
})

// deployedApp is a function app in Azure Resource Manager.
type deployedApp struct{ id, subscription, group, name string }

// parseApp reads the resource id of a function app, or without one takes the app that
// the process runs in.
func parseApp(id string) (deployedApp, error) {
	if id == "" {
		owner, _, _ := strings.Cut(os.Getenv("WEBSITE_OWNER_NAME"), "+")
		site, group := os.Getenv("WEBSITE_SITE_NAME"), os.Getenv("WEBSITE_RESOURCE_GROUP")
		if owner == "" || site == "" || group == "" {
			return deployedApp{}, usageError{errors.New("--deployed needs --app with the resource id of the function app: az functionapp show --resource-group GROUP --name NAME --query id --output tsv")}
		}
		id = "/subscriptions/" + owner + "/resourceGroups/" + group + "/providers/Microsoft.Web/sites/" + site
	}
	m := siteForm().FindStringSubmatch(strings.TrimSuffix(id, "/"))
	if m == nil {
		return deployedApp{}, usageError{fmt.Errorf("--app %s: expected a resource id such as /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Web/sites/NAME", settings.Quoted(id))}
	}
	return deployedApp{id: m[0], subscription: m[1], group: m[1] + m[2], name: m[3]}, nil
}

// site is what Azure Resource Manager says of a function app.
type site struct {
	Identity struct {
		PrincipalID            string                      `json:"principalId"` // of its own identity, if it has one
		UserAssignedIdentities map[string]assignedIdentity `json:"userAssignedIdentities"`
	} `json:"identity"`
	Properties struct {
		State             string `json:"state"`
		FunctionAppConfig *struct {
			Runtime struct {
				Name string `json:"name"`
			} `json:"runtime"`
		} `json:"functionAppConfig"`
	} `json:"properties"`
}

type assignedIdentity struct {
	PrincipalID string `json:"principalId"`
	ClientID    string `json:"clientId"`
}

// principal is the object id of the identity that the app runs as, with a client id in
// AZURE_CLIENT_ID; none if it is not known.
func (s site) principal(client string) string {
	assigned := slices.Collect(maps.Values(s.Identity.UserAssignedIdentities))
	switch {
	case client == "":
		return s.Identity.PrincipalID
	case settings.IsReference(client) && len(assigned) == 1:
		return assigned[0].PrincipalID
	}
	for _, u := range assigned {
		if strings.EqualFold(u.ClientID, client) {
			return u.PrincipalID
		}
	}
	return ""
}

// deployed compares an app that is deployed with what this version takes. It changes
// nothing, and shows no value of a setting that can be a secret.
func (c *checker) deployed(ctx context.Context, app deployedApp) {
	ctx, cancel := context.WithTimeout(ctx, 2*checkTimeout)
	defer cancel()
	own, _ := settings.Read() // of it the cloud alone counts
	if own.Cloud == "" {
		c.note("settings", checkFailed, "the setting PUSHBACK_CLOUD is wrong here: it says which cloud the app is in, public, usgovernment or china")
		return
	}
	m, err := openManager(ctx, own)
	if err != nil {
		c.fail("credential", err)
		return
	}
	var of site
	if err := m.ask(ctx, http.MethodGet, app.id, sitesVersion, &of); err != nil {
		c.note("app", checkFailed, "%s: %s", app.name, managerRefused(err, map[int]string{
			http.StatusNotFound: "check --app, and the subscription that az login chose", http.StatusForbidden: "whoever checks needs the role Reader on the function app"}))
		return
	}
	c.app(app, of)
	var list struct {
		Properties map[string]string `json:"properties"`
	}
	if err := m.ask(ctx, http.MethodPost, app.id+"/config/appsettings/list", sitesVersion, &list); err != nil {
		c.note("settings", checkFailed, "%s: its settings cannot be read: %s", app.name, managerRefused(err, map[int]string{
			http.StatusForbidden: "whoever checks needs the role Website Contributor on the function app: reading settings is more than Reader may"}))
		return
	}
	s := c.deployedSettings(app, of, list.Properties)
	c.references(ctx, m, app, list.Properties)
	c.roles(ctx, m, app, of, list.Properties, s)
	c.notified(ctx, m, app)
	c.deployedVersion(ctx, app, list.Properties, s)
}

// app says whether the app runs, and what.
func (c *checker) app(app deployedApp, of site) {
	switch runtime := of.Properties.FunctionAppConfig; {
	case of.Properties.State != "" && !strings.EqualFold(of.Properties.State, "Running"):
		c.note("app", checkFailed, "the state of %s %s: start it with az functionapp start", app.name, settings.Quoted(of.Properties.State))
	case runtime != nil && !strings.EqualFold(runtime.Runtime.Name, "custom"):
		c.note("app", checkFailed, "the runtime of %s %s: it needs custom, which is chosen when the app is made. Deploy the template again", app.name, settings.Quoted(runtime.Runtime.Name))
	default:
		c.note("app", checkOK, "%s runs", app.name)
	}
}

// deployedSettings compares the settings of an app with those that this version has, and
// returns them.
func (c *checker) deployedSettings(app deployedApp, of site, values map[string]string) settings.Settings {
	before := c.failed
	s, err := settings.Deployed(values)
	if err != nil {
		c.fail("settings", err)
	}
	for _, name := range settings.Unknown() {
		if meant := settings.Meant(name); meant != "" {
			if _, set := values[meant]; !set {
				c.note("settings", checkWarning, "%s is no setting of this version: rename it to %s if that is what it means", name, meant)
				continue
			}
		}
		c.note("settings", checkWarning, "%s is no setting of this version, which passes over it: it is misspelt, or of another version. Remove it, or deploy the version that has it", name)
	}
	need := func(do string, names ...string) {
		if !slices.ContainsFunc(names, func(n string) bool { return values[n] != "" }) {
			c.note("settings", checkFailed, "%s is not set: %s", strings.Join(names, " or "), do)
		}
	}
	need("the host does not find the function without it. Set it to 0 */5 * * * *, every five minutes", settings.Prefix+"_SCHEDULE")
	need("the host has no storage, and starts no timer. Deploy the template again", hostStorage, hostStorageAccount, hostStorage+"__blobServiceUri")
	if values["APPLICATIONINSIGHTS_CONNECTION_STRING"] == "" {
		c.note("settings", checkWarning, "APPLICATIONINSIGHTS_CONNECTION_STRING is not set: there is no telemetry, and no alert rule notices that the app fails. Deploy the template again")
	}
	flex := of.Properties.FunctionAppConfig != nil
	for _, name := range []string{"FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE", timeZoneVariable} {
		if values[name] != "" && flex {
			c.note("settings", checkWarning, "%s is set, which Flex Consumption does not take: remove it", name)
		}
	}
	if got := values["FUNCTIONS_WORKER_RUNTIME"]; !flex && !strings.EqualFold(got, "custom") {
		c.note("settings", checkFailed, "FUNCTIONS_WORKER_RUNTIME %s: set it to custom, or the host looks for functions of another language", settings.Quoted(got))
	}
	switch client := values["AZURE_CLIENT_ID"]; {
	case of.principal(client) != "" || settings.IsReference(client):
	case client != "":
		c.note("settings", checkFailed, "AZURE_CLIENT_ID is that of no identity of the app: set it to the client id of one that is assigned to it")
	case len(of.Identity.UserAssignedIdentities) > 0:
		c.note("settings", checkFailed, "AZURE_CLIENT_ID is not set, and the app has no identity of its own: set it to the client id of the one that is assigned to it")
	}
	if c.failed == before {
		c.note("settings", checkOK, "%s of %s are right for this version", count(int64(s.CountGiven()), "setting"), app.name)
	}
	return s
}

// references says which references to key vaults the platform does not resolve.
func (c *checker) references(ctx context.Context, m *manager, app deployedApp, values map[string]string) {
	var held []string
	for name, value := range values {
		if settings.IsReference(value) {
			held = append(held, name)
		}
	}
	if len(held) == 0 {
		return
	}
	var list struct {
		Value []struct {
			Name       string `json:"name"`
			Properties struct {
				Status     string `json:"status"`
				VaultName  string `json:"vaultName"`
				SecretName string `json:"secretName"`
			} `json:"properties"`
		} `json:"value"`
	}
	if err := m.ask(ctx, http.MethodGet, app.id+"/config/configreferences/appsettings", sitesVersion, &list); err != nil {
		c.note("reference", checkWarning, "whether the platform resolves the references to key vaults is not known: %s", managerRefused(err, map[int]string{
			http.StatusForbidden: "whoever checks needs the role Website Contributor on the function app"}))
		return
	}
	status := map[string]string{}
	for _, r := range list.Value {
		status[r.Name] = r.Properties.Status
	}
	slices.Sort(held)
	right := 0
	for _, name := range held {
		do := map[string]string{
			"AccessToKeyVaultDenied": "give the app's identity the role Key Vault Secrets User on the vault, and let the app reach it if the vault refuses networks",
			"VaultNotFound":          "check the vault's name in the reference, and its private DNS zone if it is reached through one",
			"SecretNotFound":         "make the secret, or correct its name in the reference", "SecretVersionNotFound": "make that version, or leave it out of the reference",
			"InvalidSyntax": "write it as @Microsoft.KeyVault(SecretUri=https://VAULT/secrets/NAME)", "MSINotEnabled": "assign the app the identity that keyVaultReferenceIdentity names",
		}
		switch s := status[name]; {
		case strings.EqualFold(s, "Resolved"):
			right++
		case s == "" || strings.EqualFold(s, "Initialized"):
			c.note("reference", checkWarning, "%s is a reference to a key vault that the platform has not resolved yet: check again in some minutes", name)
		default:
			c.note("reference", checkFailed, "%s is a reference to a key vault that the platform does not resolve (%s): %s", name, text.Cut(text.Safe(s), 60), cmp.Or(do[s], "look at it in the portal, under Environment variables"))
		}
	}
	if right == len(held) {
		c.note("reference", checkOK, "%s to key vaults resolved", count(int64(right), "reference"))
	}
}

// neededRole is a role that the app's identity needs on a resource.
type neededRole struct {
	name  string
	ids   []string // of it, and of those that may more
	scope string   // of the resource, or a part of any
	on    string   // what the resource is
}

// neededRoles lists the roles that the settings of an app need. Of storage and of what
// keeps telemetry the settings do not say which it is, so any of its kind will do. Whether
// the vault lets the app in, its references say.
func neededRoles(values map[string]string, s settings.Settings) (needed []neededRole) {
	const storage = "/providers/Microsoft.Storage/storageAccounts/"
	// The host's storage may be asked with another identity, or with a key.
	otherwise := values[hostStorage] != "" || values[hostStorageClient] != "" && !strings.EqualFold(values[hostStorageClient], values["AZURE_CLIENT_ID"])
	if !otherwise {
		needed = append(needed, neededRole{"Storage Blob Data Owner", []string{"b7e6dc6d-f1e8-4753-8033-0f276bb0955b"}, storage, "the storage account of the host"})
	}
	if s.TableConnection == "" && (s.TableEndpoint != "" || !otherwise) {
		needed = append(needed, neededRole{"Storage Table Data Contributor", []string{"0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"}, storage, "the storage account of the ledger"})
	}
	publisher := []string{"3913510d-42f4-4e42-8a64-420c390055eb"}
	if strings.Contains(strings.ToUpper(values["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]), "AUTHORIZATION=AAD") {
		needed = append(needed, neededRole{"Monitoring Metrics Publisher", publisher, "/providers/Microsoft.Insights/components/", "the Application Insights"})
	}
	if s.AlertsEndpoint != "" {
		needed = append(needed, neededRole{"Monitoring Metrics Publisher", publisher, "/providers/Microsoft.Insights/dataCollectionRules/", "the data collection rule of the alerts"})
	}
	if w := s.WorkspaceResourceID; w != "" {
		// Log Analytics Reader, Log Analytics Contributor, Reader, Contributor, Owner, Monitoring Reader, Microsoft Sentinel Reader, Responder, Contributor.
		needed = append(needed, neededRole{"Log Analytics Reader", []string{"73c42c96-874c-492b-b04d-ab87d138a893", "92aaf0da-9dab-42b6-94a3-d43ce8d16293", "acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c",
			"8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "43d0d8ad-25c7-4714-9337-8ba259a9fe05", "8d289c81-5878-46d4-8554-54e1e3d8b5cb", "3e150937-b8fe-4cfb-8069-0eaf05ecd056", "ab8e14d6-4a74-4a29-9ba8-549422addade"}, w, w})
	}
	if w := s.SentinelWorkspace; w != "" {
		needed = append(needed, neededRole{"Microsoft Sentinel Contributor", []string{"ab8e14d6-4a74-4a29-9ba8-549422addade"}, w, w})
	}
	return needed
}

// roles says which roles the app's identity lacks.
func (c *checker) roles(ctx context.Context, m *manager, app deployedApp, of site, values map[string]string, s settings.Settings) {
	principal := of.principal(values["AZURE_CLIENT_ID"])
	switch {
	case regexp.MustCompile(`^[0-9a-fA-F-]{36}$`).MatchString(principal):
	case len(of.Identity.UserAssignedIdentities) == 0:
		c.note("role", checkFailed, "%s has no identity: assign one and set AZURE_CLIENT_ID to its client id", app.name)
		return
	default:
		c.note("role", checkWarning, "the roles of the app's identity are not known: AZURE_CLIENT_ID does not say which it is")
		return
	}
	needed := neededRoles(values, s)
	subscriptions := []string{app.subscription}
	for _, id := range []string{s.WorkspaceResourceID, s.SentinelWorkspace} {
		if parts := strings.SplitN(id, "/", 4); len(parts) == 4 {
			if of := "/subscriptions/" + strings.ToLower(parts[2]); !slices.ContainsFunc(subscriptions, func(s string) bool { return strings.EqualFold(s, of) }) {
				subscriptions = append(subscriptions, of)
			}
		}
	}
	type assignment struct {
		Properties struct {
			RoleDefinitionID string `json:"roleDefinitionId"`
			Scope            string `json:"scope"`
		} `json:"properties"`
	}
	var held []assignment
	for _, subscription := range subscriptions {
		list, err := listOf[assignment](ctx, m, subscription+"/providers/Microsoft.Authorization/roleAssignments", assignmentsVersion, "assignedTo('"+principal+"')")
		if err != nil {
			c.note("role", checkWarning, "which roles the app's identity has is not known: %s", managerRefused(err, map[int]string{http.StatusForbidden: "whoever checks needs the role Reader on the subscription"}))
			return
		}
		held = append(held, list...)
	}
	missing := 0
	for _, n := range needed {
		if !slices.ContainsFunc(held, func(a assignment) bool {
			id := a.Properties.RoleDefinitionID
			return slices.Contains(n.ids, strings.ToLower(id[strings.LastIndexByte(id, '/')+1:])) && covers(a.Properties.Scope, n.scope)
		}) {
			missing++
			c.note("role", checkFailed, "the app's identity lacks the role %s on %s: assign it, or deploy the template again. A new role counts after some minutes", n.name, n.on)
		}
	}
	if missing == 0 {
		c.note("role", checkOK, "the app's identity has the %s that its settings need", count(int64(len(needed)), "role"))
	}
}

// covers reports whether a role on a scope is one on a resource, or on any of its kind. Of
// management groups those alone are listed that the subscription is in.
func covers(scope, resource string) bool {
	scope, resource = strings.ToLower(strings.TrimSuffix(scope, "/")), strings.ToLower(resource)
	switch {
	case strings.HasPrefix(scope, "/providers/microsoft.management/managementgroups/"):
		return true
	case strings.HasPrefix(resource, "/providers/"):
		return strings.Contains(scope+"/", resource) || !strings.Contains(scope, "/providers/")
	}
	return resource == scope || strings.HasPrefix(resource, scope+"/")
}

// alertRule is an alert rule of Azure Monitor that runs a query.
type alertRule struct {
	Name       string `json:"name"`
	Properties struct {
		Enabled  *bool `json:"enabled"`
		Criteria struct {
			AllOf []struct {
				Query string `json:"query"`
			} `json:"allOf"`
		} `json:"criteria"`
		Actions struct {
			ActionGroups []string `json:"actionGroups"`
		} `json:"actions"`
	} `json:"properties"`
}

// isAbout reports whether a rule that is switched on names an app.
func (r alertRule) isAbout(app string) bool {
	if r.Properties.Enabled != nil && !*r.Properties.Enabled {
		return false
	}
	for _, criterion := range r.Properties.Criteria.AllOf {
		query := strings.ToLower(criterion.Query)
		if app := strings.ToLower(app); strings.Contains(query, `"`+app+`"`) || strings.Contains(query, "'"+app+"'") {
			return true
		}
	}
	return false
}

// notified says whether anybody hears of it when the app fails.
func (c *checker) notified(ctx context.Context, m *manager, app deployedApp) {
	list, err := listOf[alertRule](ctx, m, app.group+"/providers/Microsoft.Insights/scheduledQueryRules", alertRulesVersion, "")
	if err != nil {
		c.note("notified", checkWarning, "whether anybody is notified when the app fails is not known: %s", managerRefused(err, map[int]string{http.StatusForbidden: "whoever checks needs the role Reader on the resource group"}))
		return
	}
	var heard, unheard []string
	for _, r := range list {
		switch {
		case !r.isAbout(app.name):
		case len(r.Properties.Actions.ActionGroups) > 0:
			heard = append(heard, r.Name)
		default:
			unheard = append(unheard, text.Cut(text.Safe(r.Name), 80))
		}
	}
	const do = "deploy again with operatorEmails or actionGroupIds"
	switch {
	case len(heard) == 0:
		c.note("notified", checkWarning, "nobody is notified when the app fails or stops, since no alert rule of its resource group that names it has an action group: %s", do)
	case len(unheard) > 0:
		c.note("notified", checkWarning, "of some alert rules about the app nobody is notified, since these have no action group: %s. To give them one, %s", strings.Join(unheard, ", "), do)
	default:
		c.note("notified", checkOK, "action groups are notified when the app fails or stops")
	}
}

// deployedVersion says which version the app started last, as its telemetry has it.
func (c *checker) deployedVersion(ctx context.Context, app deployedApp, values map[string]string, s settings.Settings) {
	if s.WorkspaceID == "" {
		return
	}
	if settings.IsReference(values[settings.Prefix+"_WORKSPACE_ID"]) {
		c.note("version", checkWarning, "which version %s runs is not known: its workspace stands in a key vault. This is %s", app.name, versionText())
		return
	}
	q, err := openWorkspace(s, slog.New(slog.DiscardHandler), impatient)
	if err != nil {
		c.fail("version", err)
		return
	}
	end := c.now().UTC()
	table, err := q.Query(ctx, workspace.Query{Text: versionQuery(app.name), Start: end.Add(-30 * 24 * time.Hour), End: end, Now: end})
	if err != nil || len(table.Rows) == 0 || len(table.Rows[0]) != 1 {
		said := "its telemetry of 30 days does not say"
		if err != nil {
			said = err.Error()
		}
		c.note("version", checkWarning, "which version %s runs is not known: %s. This is %s", app.name, said, versionText())
		return
	}
	var line struct{ Version string }
	message, _ := table.Rows[0][0].(string)
	if json.Unmarshal([]byte(message), &line) != nil || line.Version == "" {
		c.note("version", checkWarning, "which version %s runs is not known: its telemetry does not say. This is %s", app.name, versionText())
		return
	}
	if line.Version != versionText() {
		c.note("version", checkWarning, "%s runs version %s, and this is %s: deploy the package of this version, or check with the binary of that one", app.name, text.Cut(text.Safe(line.Version), 60), versionText())
		return
	}
	c.note("version", checkOK, "%s runs this version, %s", app.name, versionText())
}

// versionQuery finds the line that serve logs as it starts. The name of an app is letters,
// digits and dashes.
func versionQuery(app string) string {
	return "AppTraces\n| where AppRoleName =~ \"" + app + "\" and Message has '\"msg\":\"listening\"'\n| top 1 by TimeGenerated desc\n| project Message"
}
