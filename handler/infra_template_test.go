package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pushback/infra/biceptest"
)

// template is a compiled one: that of the deployment, or of a module in it.
type template struct {
	Definitions map[string]struct{ Type string }
	Parameters  map[string]struct {
		Type string
		Ref  string `json:"$ref"`
	}
	Variables map[string]any
	Resources templateResources
	Outputs   map[string]struct{ Value any }
}

// templateResources are by symbolic names, or by numbers where a module has no type of
// its own: the compiler writes a list then.
type templateResources map[string]templateResource

func (rs *templateResources) UnmarshalJSON(text []byte) error {
	var list []templateResource
	if json.Unmarshal(text, &list) != nil {
		return json.Unmarshal(text, (*map[string]templateResource)(rs))
	}
	*rs = templateResources{}
	for i, r := range list {
		(*rs)[fmt.Sprint(i)] = r
	}
	return nil
}

type templateResource struct {
	Type, APIVersion, Scope string
	Name                    string
	Existing                bool
	Condition               any
	DependsOn               []string
	Properties              any // an object, or an expression that is one
}

func (r templateResource) property(name string) any {
	properties, _ := r.Properties.(map[string]any)
	return properties[name]
}

// nested returns the module that a resource deploys.
func (r templateResource) nested(t *testing.T) *template {
	t.Helper()
	if r.Type != "Microsoft.Resources/deployments" {
		return nil
	}
	text, err := json.Marshal(r.property("template"))
	if err != nil {
		t.Fatal(err)
	}
	return readTemplate(t, text)
}

func readTemplate(t *testing.T, text []byte) *template {
	t.Helper()
	read := &template{}
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	return read
}

// compiledInfra returns the template of the deployment.
func compiledInfra(t *testing.T) *template {
	t.Helper()
	text, _, err := biceptest.Need(t).Build("../infra/main.bicep")
	if err != nil {
		t.Fatal(err)
	}
	return readTemplate(t, text)
}

// walk calls do with a template and all modules in it, by path.
func (tm *template) walk(t *testing.T, path string, do func(path string, tm *template)) {
	t.Helper()
	do(path, tm)
	for _, name := range slices.Sorted(maps.Keys(tm.Resources)) {
		if inner := tm.Resources[name].nested(t); inner != nil {
			inner.walk(t, path+"/"+name, do)
		}
	}
}

// secure says whether a parameter is one that a deployment does not keep.
func (tm *template) secure(name string) bool {
	p := tm.Parameters[name]
	kind := p.Type
	if definition, ok := strings.CutPrefix(p.Ref, "#/definitions/"); ok {
		kind = tm.Definitions[definition].Type
	}
	return strings.EqualFold(kind, "securestring") || strings.EqualFold(kind, "secureobject")
}

// secrets returns what of a value is a secret: a secure parameter, a variable that has
// one, or a key that is listed. Whether one is empty is none.
func (tm *template) secrets(value any) []string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	shown := regexp.MustCompile(`empty\(parameters\('\w+'\)\)`).ReplaceAllString(string(text), "")
	var found []string
	for _, m := range regexp.MustCompile(`parameters\('(\w+)'\)`).FindAllStringSubmatch(shown, -1) {
		if tm.secure(m[1]) {
			found = append(found, m[0])
		}
	}
	for _, m := range regexp.MustCompile(`variables\('(\w+)'\)`).FindAllStringSubmatch(shown, -1) {
		found = append(found, tm.secrets(tm.Variables[m[1]])...)
	}
	return append(found, regexp.MustCompile(`(?i)\blist\w*\(`).FindAllString(shown, -1)...)
}

// No secret is in an output or goes into a parameter that a deployment keeps.
func TestInfraKeepsNoSecret(t *testing.T) {
	t.Parallel()
	given := 0
	compiledInfra(t).walk(t, "main", func(path string, tm *template) {
		for name, output := range tm.Outputs {
			if found := tm.secrets(output.Value); len(found) > 0 {
				t.Errorf("%s: the output %s shows %v", path, name, found)
			}
		}
		for name, r := range tm.Resources {
			inner := r.nested(t)
			if inner == nil {
				continue
			}
			parameters, _ := r.property("parameters").(map[string]any)
			for parameter, value := range parameters {
				if found := tm.secrets(value); len(found) > 0 {
					given++
					if !inner.secure(parameter) {
						t.Errorf("%s/%s: the parameter %s keeps %v", path, name, parameter, found)
					}
				}
			}
		}
	})
	if given < 4 { // the webhook, and the settings of the first app and the others
		t.Errorf("%d secrets are given to modules: the test does not see them", given)
	}
}

// The test of secrets sees one in each place that it can be in.
func TestInfraSecretsSeen(t *testing.T) {
	t.Parallel()
	tm := readTemplate(t, []byte(`{"definitions": {"S": {"type": "secureObject"}, "P": {"type": "object"}},
		"parameters": {"key": {"type": "securestring"}, "all": {"$ref": "#/definitions/S"}, "plain": {"$ref": "#/definitions/P"}, "name": {"type": "string"}},
		"variables": {"wrapped": {"a": "[format('{0}', parameters('key'))]"}, "harmless": "[empty(parameters('key'))]"}}`))
	for value, want := range map[string]int{"[parameters('key')]": 1, "[parameters('all').x]": 1, "[parameters('plain')]": 0, "[parameters('name')]": 0, "[variables('wrapped')]": 1,
		"[variables('harmless')]": 0, "[if(empty(parameters('key')), '', 'x')]": 0, "[listKeys('a', '2020-01-01').keys[0]]": 1, "[reference('list').x]": 0} {
		if got := tm.secrets(map[string]any{"value": value}); len(got) != want {
			t.Errorf("%s has the secrets %v, want %d", value, got, want)
		}
	}
}

// Every resource says a version of its API that is no preview. That there is one, and
// none is newer, the compiler says.
func TestInfraVersions(t *testing.T) {
	t.Parallel()
	resources := 0
	compiledInfra(t).walk(t, "main", func(path string, tm *template) {
		for name, r := range tm.Resources {
			resources++
			if !regexp.MustCompile(`^20\d\d-\d\d-\d\d$`).MatchString(r.APIVersion) {
				t.Errorf("%s/%s: %s has version %q", path, name, r.Type, r.APIVersion)
			}
		}
	})
	if resources < 50 {
		t.Errorf("only %d resources", resources)
	}
}

// Every role is assigned to the app's identity by its name in Azure, and the assignment
// is named by what is known before a deployment.
func TestInfraRoles(t *testing.T) {
	t.Parallel()
	const (
		reader      = "73c42c96-874c-492b-b04d-ab87d138a893" // Log Analytics Reader
		contributor = "ab8e14d6-4a74-4a29-9ba8-549422addade" // Microsoft Sentinel Contributor
		blobs       = "b7e6dc6d-f1e8-4753-8033-0f276bb0955b" // Storage Blob Data Owner
		tables      = "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3" // Storage Table Data Contributor
		secrets     = "4633458b-17de-408a-b874-0445c86b69e6" // Key Vault Secrets User
		publisher   = "3913510d-42f4-4e42-8a64-420c390055eb" // Monitoring Metrics Publisher
	)
	want := []string{
		"main/insights " + publisher, "main/sentinelAlerts " + publisher, "main/shares/access " + blobs, "main/shares/access " + secrets, "main/shares/access " + tables,
		"main/shares/alertsWriter " + publisher, "main/shares/insights " + publisher, "main/shares/workspaceRoles " + reader, "main/shares/workspaceRoles " + contributor,
		"main/storage " + tables, "main/storage " + blobs, "main/vault " + secrets, "main/workspaceRoles " + reader, "main/workspaceRoles " + contributor,
	}
	slices.Sort(want)
	var got []string
	compiledInfra(t).walk(t, "main", func(path string, tm *template) {
		for name, r := range tm.Resources {
			if inner := r.nested(t); inner != nil {
				parameters, _ := r.property("parameters").(map[string]any)
				if _, ok := inner.Parameters["principalId"]; ok {
					id, principal := fmt.Sprint(parameters["identityId"]), fmt.Sprint(parameters["principalId"])
					if !strings.Contains(id, "resourceId('Microsoft.ManagedIdentity/userAssignedIdentities'") || principal != "map[value:[reference('identity').principalId]]" {
						t.Errorf("%s/%s is given %s and %s", path, name, id, principal)
					}
				}
			}
			if r.Type != "Microsoft.Authorization/roleAssignments" {
				continue
			}
			role := regexp.MustCompile(`'([0-9a-f-]{36})'\)\]$`).FindStringSubmatch(fmt.Sprint(r.property("roleDefinitionId")))
			if role == nil {
				t.Fatalf("%s/%s has the role %v", path, name, r.property("roleDefinitionId"))
			}
			got = append(got, path+" "+role[1])
			if !strings.HasPrefix(r.Name, "[guid(resourceId(") || !strings.HasSuffix(r.Name, ", parameters('identityId'), '"+role[1]+"')]") || strings.Contains(r.Name, "reference(") {
				t.Errorf("%s/%s is named %s", path, name, r.Name)
			}
			if scope := strings.TrimSuffix(strings.TrimPrefix(r.Scope, "["), "]"); scope == "" || !strings.Contains(r.Name, "guid("+scope+",") {
				t.Errorf("%s/%s: the role is on %s and named %s", path, name, r.Scope, r.Name)
			}
			if r.property("principalType") != "ServicePrincipal" || r.property("principalId") != "[parameters('principalId')]" {
				t.Errorf("%s/%s is of %v %v", path, name, r.property("principalType"), r.property("principalId"))
			}
		}
	})
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("roles\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// after says whether a resource of a template is deployed after another.
func (tm *template) after(later, earlier string) bool {
	for _, name := range tm.Resources[later].DependsOn {
		if m := regexp.MustCompile(`^\[format\('(\w+)\[`).FindStringSubmatch(name); m != nil {
			name = m[1] // one of a loop
		}
		if name == earlier || tm.after(name, earlier) {
			return true
		}
	}
	return false
}

// What a resource needs is there before it.
func TestInfraOrder(t *testing.T) {
	t.Parallel()
	main := compiledInfra(t)
	modules := map[string]*template{"main": main}
	main.walk(t, "main", func(path string, tm *template) { modules[path] = tm })
	for _, tc := range []struct{ path, later, earlier string }{
		// The host reads the package and its state as soon as the app is there, by the roles, the names and the network.
		{"main", "app", "storage"}, {"main", "app", "vault"}, {"main", "app", "workspaceRoles"}, {"main", "app", "insights"}, {"main", "app", "network"},
		{"main", "app", "endpoints"}, {"main", "app", "sentinelAlerts"}, {"main", "app", "monitorScope"},
		{"main", "storage", "identity"}, {"main", "workspaceRoles", "identity"}, {"main", "alerts", "app"}, {"main", "alerts", "insights"},
		{"main", "endpoints", "monitorScope"}, {"main", "monitorScope", "sentinelAlerts"}, {"main", "endpoints", "storage"}, {"main", "endpoints", "vault"},
		{"main", "shares", "app"}, {"main", "shares", "endpoints"}, {"main", "shares", "storage"}, {"main", "shares", "vault"}, {"main", "shares", "sentinelAlerts"},
		{"main/shares", "app", "access"}, {"main/shares", "app", "workspaceRoles"}, {"main/shares", "app", "insights"}, {"main/shares", "app", "alertsWriter"}, {"main/shares", "alerts", "app"},
		{"main/sentinelAlerts", "collection", "table"}, {"main/sentinelAlerts", "incidents", "table"}, {"main/sentinelAlerts", "noIncidents", "table"}, {"main/sentinelAlerts", "publisher", "collection"},
		{"main/insights", "publisher", "made"}, {"main/vault", "webhook", "vault"}, {"main/vault", "secretsUser", "vault"}, {"main/storage", "ledger", "tables"}, {"main/storage", "blobOwner", "account"},
		{"main/network", "network", "group"}, {"main/network", "network", "gateway"}, {"main/network", "gateway", "address"},
		{"main/endpoints", "zoneGroups", "endpoints"}, {"main/endpoints", "zoneGroups", "zones"}, {"main/app", "app", "plan"}, {"main/app", "app::appSettings", "app"},
	} {
		tm := modules[tc.path]
		if tm == nil || tm.Resources[tc.later].Type == "" || tm.Resources[tc.earlier].Type == "" {
			t.Errorf("%s has no %s or no %s", tc.path, tc.later, tc.earlier)
			continue
		}
		if !tm.after(tc.later, tc.earlier) {
			t.Errorf("in %s, %s can be deployed before %s: %v", tc.path, tc.later, tc.earlier, tm.Resources[tc.later].DependsOn)
		}
	}
}

// The app is in a network of its own where it is asked for, and a fixed address is one
// of a NAT gateway.
func TestInfraNetwork(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		private, fixed                                bool
		subnets, gateways, addresses, endpoints, open int
	}{
		{false, false, 0, 0, 0, 0, 0},
		{true, false, 2, 0, 0, 4, 1},
		{false, true, 2, 1, 1, 0, 0},
		{true, true, 2, 1, 1, 4, 0},
	} {
		t.Run(fmt.Sprint(tc.private, tc.fixed), func(t *testing.T) {
			t.Parallel()
			d := deployed(t, fmt.Sprint("param privateNetwork = ", tc.private), fmt.Sprint("param fixedOutboundAddress = ", tc.fixed))
			subnets, open, gateway := 0, 0, ""
			for _, network := range d.of("Microsoft.Network/virtualNetworks") {
				for _, s := range network["properties"].(map[string]any)["subnets"].([]any) {
					subnets++
					properties := s.(map[string]any)["properties"].(map[string]any)
					out, said := properties["defaultOutboundAccess"].(bool)
					if !said {
						t.Errorf("%v does not say whether it has outgoing access", s)
					}
					if out {
						open++
					}
					if nat, ok := properties["natGateway"].(map[string]any); ok {
						gateway = fmt.Sprint(nat["id"])
					}
				}
			}
			gateways, addresses := d.of("Microsoft.Network/natGateways"), d.of("Microsoft.Network/publicIPAddresses")
			if got := [5]int{subnets, len(gateways), len(addresses), len(d.of("Microsoft.Network/privateEndpoints")), open}; got != [5]int{tc.subnets, tc.gateways, tc.addresses, tc.endpoints, tc.open} {
				t.Errorf("%d subnets, gateways, addresses, endpoints and open subnets", got)
			}
			if tc.fixed && gateway != gateways[0].text("id") {
				t.Errorf("the app goes through %s", gateway)
			}
			if address := fmt.Sprint(d.Outputs["outboundAddress"]); (address != "") != tc.fixed {
				t.Errorf("the address is %s", address)
			}
			if subnet := d.of("Microsoft.Web/sites")[0].text("properties", "virtualNetworkSubnetId"); (subnet != "") != (tc.subnets > 0) {
				t.Errorf("the app is in %q", subnet)
			}
			if open := d.of("Microsoft.Storage/storageAccounts")[0].text("properties", "publicNetworkAccess"); (open == "Disabled") != tc.private {
				t.Errorf("the storage account is %s", open)
			}
		})
	}
}
