package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"pushback/detect"
	"pushback/infra/biceptest"
)

// resource is one of a deployment.
type resource map[string]any

func (r resource) text(path ...string) string {
	var value any = map[string]any(r)
	for _, key := range path {
		value = value.(map[string]any)[key]
	}
	text, _ := value.(string)
	return text
}

// deployment is what a deployment makes, as the compiler predicts it.
type deployment struct {
	PredictedResources []resource
	Outputs            map[string]any
	Diagnostics        []any
	extra              map[string]any // settings that are given, which the prediction leaves out as a secret
}

// deployed predicts what main.bicep makes with parameters.
func deployed(t *testing.T, parameters ...string) *deployment {
	t.Helper()
	d, err := predicted(t, infraIn(t, azureEnvironments["public"], nil), parameters...)
	if err != nil || len(d.Diagnostics) > 0 {
		t.Fatalf("%v, %v", err, d.Diagnostics)
	}
	return d
}

// predicted predicts what the main.bicep of a folder makes with parameters.
func predicted(t *testing.T, infra string, parameters ...string) (*deployment, error) {
	t.Helper()
	c := biceptest.Need(t)
	dir := t.TempDir()
	main, err := filepath.Rel(dir, filepath.Join(infra, "main.bicep"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(parameters, func(p string) bool { return strings.HasPrefix(p, "param extraSettings") }) {
		parameters = append(slices.Clone(parameters), "param extraSettings = {}") // else the prediction takes all settings for a secret
	}
	lines := append([]string{"using '" + filepath.ToSlash(main) + "'",
		"param workspaceResourceId = '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/logs'"}, parameters...)
	file := filepath.Join(dir, "test.bicepparam")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := c.Snapshot(file, "11111111-1111-1111-1111-111111111111", "pushback", "westeurope")
	if err != nil {
		return &deployment{}, err
	}
	d := deployment{extra: map[string]any{}}
	for _, m := range regexp.MustCompile(`param extraSettings = \{(.*)\}`).FindAllStringSubmatch(strings.Join(parameters, "\n"), -1) {
		for _, s := range regexp.MustCompile(`(\w+): '([^']*)'`).FindAllStringSubmatch(m[1], -1) {
			d.extra[s[1]] = s[2]
		}
	}
	return &d, json.Unmarshal(text, &d)
}

// of returns the resources of a type.
func (d *deployment) of(kind string) []resource {
	var found []resource
	for _, r := range d.PredictedResources {
		if r.text("type") == kind {
			found = append(found, r)
		}
	}
	return found
}

// settings returns the settings of an app.
func (d *deployment) settings(t *testing.T, app string) map[string]any {
	t.Helper()
	for _, r := range d.of("Microsoft.Web/sites/config") {
		if r.text("name") == app+"/appsettings" {
			expression, _ := r["properties"].(string)
			parameters := map[string]map[string]any{"extraSettings": d.extra}
			// What an app beyond the first is given is a secret, too: see TestInfraShareSettings.
			if first := d.of("Microsoft.Web/sites")[0].text("name"); app != first {
				all := d.settings(t, first)
				_, apps, _ := strings.Cut(fmt.Sprint(all["PUSHBACK_SHARE"]), "/")
				all["PUSHBACK_SHARE"] = strings.TrimPrefix(app, first+"-") + "/" + apps
				maps.DeleteFunc(all, func(key string, _ any) bool { return !strings.HasPrefix(key, "PUSHBACK_") })
				parameters["settings"] = all
			}
			settings, err := appSettingsOf(expression, parameters)
			if err != nil {
				t.Fatal(err)
			}
			return settings
		}
	}
	t.Fatalf("%s has no settings", app)
	return nil
}

// roles returns the role assignments of an app's identity, with its name replaced.
func (d *deployment) roles(t *testing.T, app string) []string {
	t.Helper()
	var found []string
	for _, r := range d.of("Microsoft.Authorization/roleAssignments") {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if replaced := replaceName(string(text), "/userAssignedIdentities/"+app); replaced != string(text) {
			found = append(found, strings.ReplaceAll(replaced, r.text("name"), "GUID"))
		}
	}
	slices.Sort(found)
	return found
}

// alertRules returns the alert rules about an app, with its name replaced.
func (d *deployment) alertRules(t *testing.T, app string) []string {
	t.Helper()
	var found []string
	for _, r := range d.of("Microsoft.Insights/scheduledQueryRules") {
		if !strings.HasPrefix(r.text("properties", "displayName"), app+" ") {
			continue
		}
		properties := maps.Clone(r["properties"].(map[string]any))
		scopes := fmt.Sprint(properties["scopes"]) // the component can have the name of the first app
		delete(properties, "scopes")
		text, err := json.Marshal(properties)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, replaceName(string(text), app)+scopes)
	}
	slices.Sort(found)
	return found
}

// replaceName replaces a name where it does not go on, as app-1 does in app-10.
func replaceName(text, name string) string {
	parts := strings.Split(text, name)
	replaced := parts[0]
	for _, part := range parts[1:] {
		if part != "" && strings.Contains("-0123456789abcdefghijklmnopqrstuvwxyz", part[:1]) {
			replaced += name + part
		} else {
			replaced += "ITS NAME" + part
		}
	}
	return replaced
}

// everything asks for all that a deployment can have.
var everything = []string{"param privateNetwork = true", "param sentinelIncidents = true", "param sentinelApiIncidents = true", "param rulesFolder = 'rules'", "param tags = { team: 'soc' }",
	"param actionGroupIds = ['/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/soc/providers/Microsoft.Insights/actionGroups/duty']"}

// One app is what it was before there could be several: no share, and nothing that
// several have. The first of several is the same but for its share.
func TestInfraOneApp(t *testing.T) {
	t.Parallel()
	one := deployed(t, everything...)
	if sites := one.of("Microsoft.Web/sites"); len(sites) != 1 {
		t.Fatalf("%d apps", len(sites))
	}
	app := one.of("Microsoft.Web/sites")[0].text("name")
	if share, ok := one.settings(t, app)["PUSHBACK_SHARE"]; ok {
		t.Errorf("the only app has the share %v", share)
	}
	for kind, want := range map[string]int{"Microsoft.ManagedIdentity/userAssignedIdentities": 1, "Microsoft.Web/serverfarms": 1,
		"Microsoft.Storage/storageAccounts/blobServices/containers": 1, "Microsoft.Insights/scheduledQueryRules": 3} {
		if got := one.of(kind); len(got) != want {
			t.Errorf("%d of %s, want %d", len(got), kind, want)
		}
	}

	several := deployed(t, append(slices.Clone(everything), "param apps = 2")...)
	byID := map[string]resource{}
	for _, r := range several.PredictedResources {
		byID[r.text("id")] = r
	}
	settings := several.settings(t, app)
	delete(settings, "PUSHBACK_SHARE")
	if want := one.settings(t, app); !maps.Equal(settings, want) {
		t.Errorf("with a second app the settings are %v, not %v", settings, want)
	}
	for _, r := range one.PredictedResources {
		if r.text("type") != "Microsoft.Web/sites/config" && !reflect.DeepEqual(r, byID[r.text("id")]) {
			t.Errorf("with a second app %s is not the same", r.text("id"))
		}
	}
	if extra := len(several.PredictedResources) - len(one.PredictedResources); extra < 10 {
		t.Errorf("a second app takes only %d resources", extra)
	}
	for name, value := range one.Outputs {
		if name != "functionAppNames" && !reflect.DeepEqual(value, several.Outputs[name]) {
			t.Errorf("with a second app the output %s is %v, not %v", name, several.Outputs[name], value)
		}
	}
}

// Each of several apps has a share of the rules and all that an app needs of its own,
// and they have one ledger.
func TestInfraApps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		apps       int
		parameters []string
	}{
		// A share among the further settings would be the same in all apps.
		{3, append(slices.Clone(everything), "param extraSettings = { PUSHBACK_SHARE: '1/2', PUSHBACK_MIN_SEVERITY: 'medium' }")},
		// The names are the longest that there are, and the Application Insights is somebody else's.
		{16, []string{"param name = 'abcdefghijkl'", "param applicationInsightsResourceId = '/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/ops/providers/Microsoft.Insights/components/all'"}},
	} {
		t.Run(fmt.Sprint(tc.apps), func(t *testing.T) {
			t.Parallel()
			d := deployed(t, append(tc.parameters, fmt.Sprintf("param apps = %d", tc.apps))...)
			ids := map[string]bool{}
			for _, r := range d.PredictedResources {
				if id := r.text("id"); ids[id] {
					t.Errorf("two resources are %s", id)
				} else {
					ids[id] = true
				}
			}
			for _, kind := range []string{"Microsoft.Storage/storageAccounts", "Microsoft.Storage/storageAccounts/tableServices/tables", "Microsoft.KeyVault/vaults"} {
				if n := len(d.of(kind)); n != 1 {
					t.Errorf("%d of %s, want one for all", n, kind)
				}
			}
			identities, sites := d.of("Microsoft.ManagedIdentity/userAssignedIdentities"), d.of("Microsoft.Web/sites")
			if len(identities) != tc.apps || len(sites) != tc.apps || len(d.of("Microsoft.Web/serverfarms")) != tc.apps {
				t.Fatalf("%d identities, %d apps and %d plans, want %d of each", len(identities), len(sites), len(d.of("Microsoft.Web/serverfarms")), tc.apps)
			}
			var names []any
			seen := map[string]bool{}
			own := func(kind, value string) {
				t.Helper()
				if value == "" || seen[kind+value] {
					t.Errorf("two apps have the %s %q", kind, value)
				}
				seen[kind+value] = true
			}
			first := sites[0].text("name")
			for i, site := range sites {
				name := site.text("name")
				names = append(names, name)
				// The host keeps the lock of its timer under 32 characters of the name, in the storage account of all.
				own("lock", name[:min(len(name), 32)])
				own("plan", site.text("properties", "serverFarmId"))
				own("container", site.text("properties", "functionAppConfig", "deployment", "storage", "value"))
				own("identity", site.text("properties", "keyVaultReferenceIdentity"))
				if got, want := site.text("properties", "virtualNetworkSubnetId"), sites[0].text("properties", "virtualNetworkSubnetId"); got != want {
					t.Errorf("%s is in the subnet %s, not in %s", name, got, want)
				}

				settings := d.settings(t, name)
				share, err := detect.ParseShare(fmt.Sprint(settings["PUSHBACK_SHARE"]))
				if want := (detect.Share{Number: i + 1, Of: tc.apps}); err != nil || share != want {
					t.Errorf("%s has the share %v, want %v: %v", name, settings["PUSHBACK_SHARE"], want, err)
				}
				of := func(app string) map[string]string {
					all := map[string]string{}
					for key, value := range d.settings(t, app) {
						if key != "PUSHBACK_SHARE" {
							all[key] = replaceName(value.(string), "/userAssignedIdentities/"+app)
						}
					}
					return all
				}
				if got, want := of(name), of(first); !maps.Equal(got, want) {
					t.Errorf("%s has the settings %v, not %v", name, got, want)
				}
				if !strings.Contains(of(name)["AZURE_CLIENT_ID"], "ITS NAME") {
					t.Errorf("%s is %s", name, of(name)["AZURE_CLIENT_ID"])
				}
				if got, want := d.roles(t, name), d.roles(t, first); len(want) < 5 || !slices.Equal(got, want) {
					t.Errorf("%s has the roles\n%s\nnot\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if got, want := d.alertRules(t, name), d.alertRules(t, first); len(want) != 3 || !slices.Equal(got, want) {
					t.Errorf("%s has the alert rules\n%s\nnot\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			if got := d.Outputs["functionAppNames"]; !reflect.DeepEqual(got, names) {
				t.Errorf("the package would be deployed to %v, not to %v", got, names)
			}
			if got := d.Outputs["functionAppName"]; got != first {
				t.Errorf("the first app is %v, not %s", got, first)
			}
		})
	}
}

// An app beyond the first is given what the first is, but for its share.
func TestInfraShareSettings(t *testing.T) {
	t.Parallel()
	text, _, err := biceptest.Need(t).Build("../infra/main.bicep")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	// given returns the settings that a module of some resources is given.
	given := func(properties map[string]any) string {
		parameters, _ := properties["parameters"].(map[string]any)
		settings, _ := parameters["settings"].(map[string]any)
		value, _ := settings["value"].(string)
		return value
	}
	args := func(module string) []expression {
		t.Helper()
		value := given(template.Resources[module].Properties)
		e, rest, err := parseExpression(strings.TrimPrefix(value, "["))
		if err != nil || rest != "]" || e.function != "union" || len(e.args) != 2 {
			t.Fatalf("the settings of %s are %s: %v", module, value, err)
		}
		return e.args
	}
	first, further := args("app"), args("shares")
	if first[0].source != further[0].source {
		t.Errorf("the first app has the settings\n%s\nand the others\n%s", first[0].source, further[0].source)
	}
	if got, want := further[1].source, "createObject('PUSHBACK_SHARE', format('{0}/{1}', range(2, sub(parameters('apps'), 1))[copyIndex()], parameters('apps')))"; got != want {
		t.Errorf("the share is %s, not %s", got, want)
	}
	inner, _ := template.Resources["shares"].Properties["template"].(map[string]any)
	modules, _ := inner["resources"].(map[string]any)
	module, _ := modules["app"].(map[string]any)
	properties, _ := module["properties"].(map[string]any)
	if got := given(properties); got != "[parameters('settings')]" {
		t.Errorf("an app beyond the first is given %s", got)
	}
}

// A share that is set by hand is kept where the template deploys one app.
func TestInfraShareByHand(t *testing.T) {
	t.Parallel()
	d := deployed(t, "param extraSettings = { PUSHBACK_SHARE: '2/2' }")
	if got := d.settings(t, d.of("Microsoft.Web/sites")[0].text("name"))["PUSHBACK_SHARE"]; got != "2/2" {
		t.Errorf("the share is %v", got)
	}
}

// There are no more apps than shares can be, and they are deployed one after the
// other, since two cannot be added to a subnet at once.
func TestInfraAppsInOrder(t *testing.T) {
	t.Parallel()
	var template struct {
		Parameters map[string]struct {
			DefaultValue       any
			MinValue, MaxValue int
		}
		Resources map[string]struct {
			Copy struct {
				Mode      string
				BatchSize int
			}
			DependsOn []string
		}
	}
	text, _, err := biceptest.Need(t).Build("../infra/main.bicep")
	if err == nil {
		err = json.Unmarshal(text, &template)
	}
	if err != nil {
		t.Fatal(err)
	}
	apps := template.Parameters["apps"]
	if apps.DefaultValue != float64(1) || apps.MinValue != 1 || apps.MaxValue < 2 || apps.MaxValue > detect.MostShares {
		t.Errorf("there are %v apps, %d at least and %d at most", apps.DefaultValue, apps.MinValue, apps.MaxValue)
	}
	loops := 0
	for name, r := range template.Resources {
		if r.Copy.Mode == "" {
			continue
		}
		loops++
		after := func(module string) bool { return slices.Contains(r.DependsOn, module) }
		if r.Copy.Mode != "serial" || r.Copy.BatchSize != 1 || !after("app") || !after("endpoints") || !after("insights") {
			t.Errorf("%s is deployed %s in batches of %d after %v", name, r.Copy.Mode, r.Copy.BatchSize, r.DependsOn)
		}
	}
	if loops != 1 {
		t.Errorf("%d loops over apps", loops)
	}
}

// The workflow deploys the package to each app that is named, and fails with the
// first that takes none.
func TestWorkflowApps(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../.github/workflows/deploy.yml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	steps := workflow.Jobs["deploy"].Steps
	step := steps[len(steps)-1]
	for _, tc := range []struct{ apps, want string }{
		{"one", "one\n"},
		{"one two  three", "one\ntwo\nthree\n"},
		{"one broken three", "one\n"},
	} {
		t.Run(tc.apps, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// az of these tests notes the app of the command, and refuses one.
			const az = "#!/bin/bash\n[ \"$1 $2 $3 $4 $5 $6 $7\" = 'functionapp deployment source config-zip --resource-group group --name' ] && " +
				"[ \"$9 ${10}\" = '--src pushback.zip' ] && [ \"$8\" != broken ] && echo \"$8\"\n"
			if err := os.WriteFile(filepath.Join(dir, "az"), []byte(az), 0o700); err != nil {
				t.Fatal(err)
			}
			values := map[string]string{"${{ vars.AZURE_FUNCTION_APP }}": tc.apps, "${{ vars.AZURE_RESOURCE_GROUP }}": "group"}
			cmd := exec.Command("bash", "-e", "-c", step.Run) // as GitHub runs it
			cmd.Env = []string{"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")}
			for name, value := range step.Env {
				cmd.Env = append(cmd.Env, name+"="+values[value])
			}
			out, err := cmd.CombinedOutput()
			if string(out) != tc.want || (err != nil) != strings.Contains(tc.apps, "broken") {
				t.Errorf("it deploys to %q, want %q: %v", out, tc.want, err)
			}
		})
	}
}
