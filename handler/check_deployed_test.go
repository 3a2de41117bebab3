package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
)

const (
	siteSubscription = "/subscriptions/00000000-0000-0000-0000-000000000001"
	siteGroup        = siteSubscription + "/resourceGroups/pushback"
	siteID           = siteGroup + "/providers/Microsoft.Web/sites/pushback-abc"
	siteIdentity     = siteGroup + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pushback-abc"
	sitePrincipal    = "7a0c1e52-4a6c-4f0e-9c55-0d9b2f1f6a11"
	siteClient       = "11111111-aaaa-bbbb-cccc-222222222222"
	siteSecret       = "c2VjcmV0LXNpZ25hdHVyZQ"
)

// siteStandIn is what Azure Resource Manager says of one function app.
type siteStandIn struct {
	t *testing.T

	mu         sync.Mutex
	settings   map[string]string
	references map[string]string // the status by setting
	roles      map[string]string // the role by scope
	runtime    string            // of Flex Consumption; none if empty
	state      string
	groups     []string       // that are notified of failures
	silence    []string       // that are notified when it stops
	foreign    []string       // those of a rule that is not about the app
	pages      bool           // of the roles each is on a page of its own
	elsewhere  bool           // and the next page is at another host
	system     bool           // the identity is the app's own
	version    string         // that the app logged, if not 9.9.9
	refuse     map[string]int // the status by the end of the path
}

func newSite(t *testing.T) *siteStandIn {
	return &siteStandIn{t: t, runtime: "custom", state: "Running", groups: []string{siteGroup + "/providers/Microsoft.Insights/actionGroups/soc"}, silence: []string{siteGroup + "/providers/Microsoft.Insights/actionGroups/soc"},
		settings: map[string]string{
			"AZURE_CLIENT_ID": siteClient, "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=" + siteSecret, "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=" + siteClient + ";Authorization=AAD",
			"AzureWebJobsStorage__accountName": "account", "AzureWebJobsStorage__credential": "managedidentity", "AzureWebJobsStorage__clientId": siteClient,
			"PUSHBACK_SCHEDULE": "0 */5 * * * *", "PUSHBACK_WORKSPACE_ID": standInWorkspace, "PUSHBACK_WORKSPACE_RESOURCE_ID": standInSentinel,
			"PUSHBACK_TABLE_ENDPOINT": "https://account.table.core.windows.net", "PUSHBACK_TEAMS_WEBHOOK_URL": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/teams)",
		},
		references: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "Resolved"},
		roles: map[string]string{
			siteGroup + "/providers/Microsoft.Storage/storageAccounts/account/tableServices/default/tables/pushback": "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
			siteGroup + "/providers/Microsoft.Storage/storageAccounts/account":                                       "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
			siteGroup + "/providers/Microsoft.Insights/components/pushback":                                          "3913510d-42f4-4e42-8a64-420c390055eb",
			standInSentinel: "73c42c96-874c-492b-b04d-ab87d138a893",
		},
	}
}

func (s *siteStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			s.t.Error(err)
		}
	}
	type object = map[string]any
	for end, status := range s.refuse {
		if strings.HasSuffix(r.URL.Path, end) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":{"code":"Refused%d","message":"%s"}}`, status, siteSecret)
			return
		}
	}
	if r.Header.Get("Authorization") != "Bearer "+standInToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method + " " + r.URL.Path + " " + r.URL.Query().Get("api-version") {
	case "GET " + siteID + " 2025-03-01":
		properties := object{"state": s.state}
		if s.runtime != "" {
			properties["functionAppConfig"] = object{"runtime": object{"name": s.runtime, "version": "1.0"}}
		}
		identity := object{"type": "UserAssigned", "userAssignedIdentities": object{siteIdentity: object{"principalId": sitePrincipal, "clientId": siteClient}}}
		if s.system {
			identity = object{"type": "SystemAssigned", "principalId": sitePrincipal}
		}
		answer(object{"id": siteID, "kind": "functionapp,linux", "properties": properties, "identity": identity})
	case "POST " + siteID + "/config/appsettings/list 2025-03-01":
		answer(object{"name": "appsettings", "properties": s.settings})
	case "GET " + siteID + "/config/configreferences/appsettings 2025-03-01":
		list := []object{}
		for name, status := range s.references {
			list = append(list, object{"name": name, "properties": object{"reference": s.settings[name], "status": status, "source": "KeyVault", "vaultName": "v"}})
		}
		answer(object{"value": list})
	case "GET " + siteSubscription + "/providers/Microsoft.Authorization/roleAssignments 2022-04-01":
		if got := r.URL.Query().Get("$filter"); got != "assignedTo('"+sitePrincipal+"')" {
			s.t.Errorf("the filter is %s", got)
		}
		list := []object{}
		for _, scope := range slices.Sorted(maps.Keys(s.roles)) {
			list = append(list, object{"properties": object{"scope": scope, "principalId": sitePrincipal, "roleDefinitionId": siteSubscription + "/providers/Microsoft.Authorization/roleDefinitions/" + s.roles[scope]}})
		}
		page := object{"value": list}
		if n, _ := strconv.Atoi(r.URL.Query().Get("$skiptoken")); s.pages && n < len(list) {
			next := *r.URL
			query := next.Query()
			query.Set("$skiptoken", strconv.Itoa(n+1))
			next.Scheme, next.Host, next.RawQuery = "https", r.Host, query.Encode()
			if s.elsewhere {
				next.Host = "elsewhere.example"
			}
			page = object{"value": list[n : n+1], "nextLink": next.String()}
		} else if s.pages {
			page = object{"value": []object{}}
		}
		answer(page)
	case "GET " + siteGroup + "/providers/Microsoft.Insights/scheduledQueryRules 2026-03-01":
		about := func(name, query string, groups []string) object {
			return object{"name": name, "properties": object{"enabled": true, "criteria": object{"allOf": []object{{"query": query}}}, "actions": object{"actionGroups": groups}}}
		}
		answer(object{"value": []object{
			about("pushback-failures", `requests | where cloud_RoleName =~ "pushback-abc"`, s.groups),
			about("pushback-silence", `traces | where cloud_RoleName =~ "pushback-ABC"`, s.silence),
			about("other", `requests | where cloud_RoleName =~ "pushback-abcdef"`, s.foreign)}})
	default:
		s.t.Errorf("nobody knows %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
}

// telemetryOf gives the workspace what an app of a version logs as it starts.
func (c *cloudStandIn) telemetryOf(app, of string) {
	now := c.clock()
	b := kql.NewTableBuilder("AppTraces", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "AppRoleName", Type: kql.String}, {Name: "Message", Type: kql.String}})
	for i, v := range []string{"0.0.1", of} {
		b.SetTime(0, now.Add(time.Duration(i-2)*time.Hour))
		b.SetString(1, []byte(app))
		b.SetString(2, []byte(`{"time":"2026-03-17T10:00:00Z","level":"INFO","msg":"listening","address":"127.0.0.1:1","version":"`+v+`"}`))
		b.Commit()
	}
	c.service = &service.Service{DB: kql.NewDatabase(b.Build()), Now: c.clock}
}

// TestCheckDeployed compares an app with what this version needs, changes nothing, and
// shows no secret.
func TestCheckDeployed(t *testing.T) {
	t.Parallel()
	own := strings.TrimSuffix(strings.Fields(command(t, nil, "--version").stdout)[2], ",")
	fine := []string{"ok app pushback-abc runs", "of pushback-abc are right for this version", "ok reference 1 reference to key vaults resolved", "ok role the app's identity has the 4 roles", "ok notified", "warning version pushback-abc runs version 9.9.9"}
	set := func(pairs ...string) func(s *siteStandIn) {
		return func(s *siteStandIn) {
			for i := 0; i < len(pairs); i += 2 {
				if s.settings[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
					delete(s.settings, pairs[i])
				}
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change func(s *siteStandIn)
		args   []string
		want   []string
		code   int
	}{
		{name: "all is well", want: fine},
		{name: "names that are none", change: set("PUSHBACK_LATENES", "2h", "PUSHBACK_FUTURE_THING_OF_NEXT_YEAR", siteSecret), want: []string{
			"warning settings PUSHBACK_LATENES is no setting of this version: rename it to PUSHBACK_LATENESS", "warning settings PUSHBACK_FUTURE_THING_OF_NEXT_YEAR is no setting of this version, which passes over it"}},
		{name: "values that are wrong", change: set("PUSHBACK_LATENESS", "soon", "PUSHBACK_WORKSPACE_ID", "", "PUSHBACK_SCHEDULE", ""), code: 1, want: []string{
			"failed settings the setting PUSHBACK_LATENESS", "failed settings the setting PUSHBACK_WORKSPACE_ID is not set", "failed settings PUSHBACK_SCHEDULE is not set"}},
		{name: "a secret that is wrong", change: set("PUSHBACK_TEAMS_WEBHOOK_URL", "http://"+siteSecret, "PUSHBACK_WEBHOOK_URL", "https://x.example/"+siteSecret), code: 1, want: []string{
			"failed settings the setting PUSHBACK_TEAMS_WEBHOOK_URL is not right", "of the settings PUSHBACK_WEBHOOK_URL and PUSHBACK_WEBHOOK_SECRET one is set"}},
		{name: "all secrets in the vault", change: func(s *siteStandIn) {
			for _, name := range []string{"PUSHBACK_WEBHOOK_URL", "PUSHBACK_WEBHOOK_SECRET", "PUSHBACK_TEAMS_ROUTES", "PUSHBACK_LATENESS"} {
				s.settings[name], s.references[name] = "@Microsoft.KeyVault(VaultName=v;SecretName=s)", "Resolved"
			}
		}, want: []string{"are right for this version", "ok reference 5 references to key vaults resolved"}},
		{name: "settings of the host", change: set("FUNCTIONS_WORKER_RUNTIME", "dotnet", "WEBSITE_TIME_ZONE", "UTC", "AzureWebJobsStorage__accountName", "", "AZURE_CLIENT_ID", standInWorkspace, "APPLICATIONINSIGHTS_CONNECTION_STRING", ""), code: 1, want: []string{
			"warning settings FUNCTIONS_WORKER_RUNTIME is set, which Flex Consumption does not take: remove it", "warning settings WEBSITE_TIME_ZONE is set",
			"failed settings AzureWebJobsStorage or AzureWebJobsStorage__accountName or", "failed settings AZURE_CLIENT_ID is that of no identity", "warning settings APPLICATIONINSIGHTS_CONNECTION_STRING is not set"}},
		{name: "another plan", change: func(s *siteStandIn) { s.runtime = "" }, code: 1, want: []string{"failed settings FUNCTIONS_WORKER_RUNTIME is \"\": set it to custom"}},
		{name: "another runtime, stopped", change: func(s *siteStandIn) { s.runtime = "node" }, code: 1, want: []string{`failed app the runtime of pushback-abc is "node"`}},
		{name: "stopped", change: func(s *siteStandIn) { s.state = "Stopped" }, code: 1, want: []string{`failed app the state of pushback-abc is "Stopped"`, "start it with az functionapp start"}},
		{name: "references", change: func(s *siteStandIn) {
			s.references = map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "AccessToKeyVaultDenied"}
			s.settings["PUSHBACK_TEAMS_WEBHOOK_URL_VIP"] = "@microsoft.keyvault(SecretName=x)"
		}, code: 1, want: []string{"failed reference PUSHBACK_TEAMS_WEBHOOK_URL is a reference to a key vault that the platform does not resolve (AccessToKeyVaultDenied): give the app's identity the role Key Vault Secrets User",
			"warning reference PUSHBACK_TEAMS_WEBHOOK_URL_VIP is a reference to a key vault that the platform has not resolved yet"}},
		{name: "roles", change: func(s *siteStandIn) {
			s.roles = map[string]string{siteGroup: "4633458b-17de-408a-b874-0445c86b69e6", standInSentinel + "2": "73c42c96-874c-492b-b04d-ab87d138a893"}
		}, code: 1, want: []string{"failed role the app's identity lacks the role Storage Table Data Contributor on the storage account of the ledger", "failed role the app's identity lacks the role Log Analytics Reader on " + standInSentinel}},
		{name: "a role at a management group, and one on each page", change: func(s *siteStandIn) {
			delete(s.roles, standInSentinel)
			s.roles["/providers/Microsoft.Management/managementGroups/soc"], s.pages = "73c42c96-874c-492b-b04d-ab87d138a893", true
		}, want: fine},
		{name: "roles at another host", change: func(s *siteStandIn) { s.pages, s.elsewhere = true, true }, want: []string{"warning role which roles the app's identity has is not known: the next page of Azure Resource Manager is at another host"}},
		{name: "a ledger with a key", change: func(s *siteStandIn) {
			set("PUSHBACK_TABLE_ENDPOINT", "", "PUSHBACK_TABLE_CONNECTION", "@Microsoft.KeyVault(VaultName=v;SecretName=t)")(s)
			s.references["PUSHBACK_TABLE_CONNECTION"] = "Resolved"
			s.roles[siteGroup+"/providers/Microsoft.Storage/storageAccounts/account/tableServices/default/tables/pushback"] = "none"
		}, want: []string{"ok role the app's identity has the 3 roles"}},
		{name: "a host with a key", change: func(s *siteStandIn) {
			set("PUSHBACK_TABLE_ENDPOINT", "", "AzureWebJobsStorage", "AccountKey="+siteSecret, "AzureWebJobsStorage__accountName", "", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "")(s)
			s.roles = map[string]string{standInSentinel: "73c42c96-874c-492b-b04d-ab87d138a893"}
		}, want: []string{"ok role the app's identity has the 1 role"}},
		{name: "no client id", change: set("AZURE_CLIENT_ID", ""), code: 1, want: []string{
			"failed settings AZURE_CLIENT_ID is not set, and the app has no identity of its own", "warning role the roles of the app's identity are not known"}},
		{name: "an identity of its own", change: func(s *siteStandIn) {
			s.system = true
			delete(s.settings, "AZURE_CLIENT_ID")
			delete(s.settings, "AzureWebJobsStorage__clientId")
		}, want: fine},
		{name: "a workspace in the vault", change: func(s *siteStandIn) {
			for _, name := range []string{"PUSHBACK_WORKSPACE_ID", "PUSHBACK_ALERTS_ENDPOINT"} {
				s.settings[name], s.references[name] = "@Microsoft.KeyVault(VaultName=v;SecretName=s)", "Resolved"
			}
			s.settings["PUSHBACK_ALERTS_RULE"] = "dcr-0123456789abcdef0123456789abcdef"
			s.roles[siteGroup+"/providers/Microsoft.Insights/dataCollectionRules/r"] = "3913510d-42f4-4e42-8a64-420c390055eb"
		}, want: []string{"are right for this version", "ok role the app's identity has the 5 roles", "warning version which version pushback-abc runs is not known: its workspace stands in a key vault"}},
		{name: "the same version", change: func(s *siteStandIn) { s.version = own }, want: []string{"ok version pushback-abc runs this version, " + own}},
		{name: "nobody is notified", change: func(s *siteStandIn) { s.groups, s.silence, s.foreign = nil, nil, s.groups }, want: []string{"warning notified nobody is notified when the app fails or stops"}},
		{name: "not all rules notify somebody", change: func(s *siteStandIn) { s.silence = nil }, want: []string{"warning notified of some alert rules about the app nobody is notified, since these have no action group: pushback-silence"}},
		{name: "a file of settings", args: []string{"--app", siteID, "--settings", "local.settings.json"}, code: 2, want: []string{"--send-test-card and --settings do not"}},
		{name: "401", change: func(s *siteStandIn) { s.refuse = map[string]int{siteID: 401} }, code: 1, want: []string{"failed app pushback-abc: Azure Resource Manager answered 401 Unauthorized (Refused401): sign in again"}},
		{name: "404", change: func(s *siteStandIn) { s.refuse = map[string]int{siteID: 404} }, code: 1, want: []string{"answered 404 Not Found (Refused404): check --app"}},
		{name: "403", change: func(s *siteStandIn) { s.refuse = map[string]int{"/list": 403} }, code: 1, want: []string{"ok app", "failed settings pushback-abc: its settings cannot be read: Azure Resource Manager answered 403 Forbidden (Refused403): whoever checks needs the role Website Contributor"}},
		{name: "429 and more", change: func(s *siteStandIn) {
			s.refuse = map[string]int{"/configreferences/appsettings": 429, "/roleAssignments": 403, "/scheduledQueryRules": 403}
		}, want: []string{"warning reference whether the platform resolves the references to key vaults is not known: Azure Resource Manager answered 429", "warning role which roles the app's identity has is not known", "warning notified whether anybody is notified"}},
		{name: "no app", args: []string{}, code: 2, want: []string{"--deployed needs --app with the resource id of the function app"}},
		{name: "no id", args: []string{"--app", "pushback-abc"}, code: 2, want: []string{"expected a resource id such as"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.setNow(time.Now())
			s := newSite(t)
			if tt.change != nil {
				tt.change(s)
			}
			c.telemetryOf("pushback-abc", cmp.Or(s.version, "9.9.9"))
			c.arm = s.ServeHTTP
			// What the environment has of settings is not the app's.
			env := map[string]string{"PUSHBACK_SENTINEL_WORKSPACE": "nonsense", "PUSHBACK_TABLE_CONNECTION": "memory"}
			for _, v := range c.env() {
				k, v, _ := strings.Cut(v, "=")
				env[k] = v
			}
			args := tt.args
			if args == nil {
				args = []string{"--app", siteID}
			}
			before := maps.Clone(s.settings)
			res := command(t, env, append([]string{"check", "--deployed"}, args...)...)
			all := strings.Join(strings.Fields(res.stdout+" "+res.stderr), " ")
			for _, want := range tt.want {
				if !strings.Contains(all, want) {
					t.Errorf("there is no %q in\n%s", want, all)
				}
			}
			if res.code != tt.code || strings.Contains(all, siteSecret) || !maps.Equal(before, s.settings) || strings.Contains(all, "nonsense") {
				t.Errorf("exit %d: %s", res.code, all)
			}
		})
	}
}

// TestCovers says which scopes of a role cover a resource.
func TestCovers(t *testing.T) {
	t.Parallel()
	const workspace, storage = standInSentinel, "/providers/Microsoft.Storage/storageAccounts/"
	for _, tt := range []struct {
		scope, resource string
		want            bool
	}{
		{workspace, workspace, true}, {strings.ToUpper(workspace), workspace, true}, {siteSubscription, workspace, true}, {siteSubscription + "/resourceGroups/soc", workspace, true},
		{siteSubscription + "/resourceGroups/so", workspace, false}, {workspace + "2", workspace, false}, {"/", workspace, true},
		{"/providers/Microsoft.Management/managementGroups/soc", workspace, true}, {"/providers/Microsoft.Management/managementGroups/soc", storage, true},
		{siteGroup + storage + "a", storage, true}, {siteGroup, storage, true}, {siteID, storage, false},
	} {
		if covers(tt.scope, tt.resource) != tt.want {
			t.Errorf("%s on %s: %v", tt.scope, tt.resource, !tt.want)
		}
	}
}
