package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pushback/handler/settings"
	"pushback/infra/biceptest"
)

// bicep returns the Bicep files by name.
func bicep(t *testing.T) map[string]string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"../infra/*.bicep", "../infra/modules/*.bicep"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	files := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(name, "../")] = string(text)
	}
	if len(files) < 9 {
		t.Fatalf("only %d Bicep files", len(files))
	}
	return files
}

var (
	declared  = regexp.MustCompile(`^(param|output) (\w+) `)
	resources = regexp.MustCompile(`^\s*resource (\w+) '([\w./]+)(?:@[\w-]+)?' (existing )?= `)
)

// above returns the comments and decorators above a line.
func above(lines []string, i int) string {
	first := i
	for first > 0 && strings.TrimSpace(lines[first-1]) != "" {
		first--
	}
	return strings.Join(lines[first:i], "\n")
}

// TestInfraDescribed wants every parameter and output described and every role
// assignment to say why. It wants every resource to name the page that it was
// looked up on, or to follow one of its kind in the file.
func TestInfraDescribed(t *testing.T) {
	t.Parallel()
	parameters, roles := 0, 0
	for name, text := range bicep(t) {
		lines := strings.Split(text, "\n")
		known := map[string]bool{}
		for i, line := range lines {
			if m := declared.FindStringSubmatch(line); m != nil {
				parameters++
				if !strings.Contains(above(lines, i), "@description('") {
					t.Errorf("%s:%d: %s %s has no description", name, i+1, m[1], m[2])
				}
			}
			m := resources.FindStringSubmatch(line)
			if m == nil || m[3] != "" {
				continue
			}
			comment := above(lines, i)
			if strings.Contains(comment, "https://learn.microsoft.com/azure/templates/") {
				known[m[2]] = true
			}
			if !known[m[2]] && !strings.HasPrefix(line, "  ") {
				t.Errorf("%s:%d: the resource %s does not say where %s was looked up", name, i+1, m[1], m[2])
			}
			if m[2] == "Microsoft.Authorization/roleAssignments" {
				roles++
				if !strings.Contains(comment, "// Reason: ") {
					t.Errorf("%s:%d: the role assignment %s has no reason", name, i+1, m[1])
				}
			}
		}
	}
	if parameters < 30 || roles < 6 {
		t.Errorf("%d parameters and %d role assignments: the test does not find them", parameters, roles)
	}
}

// TestInfraSecrets wants no key of storage, no public blob and no setting that
// holds a secret.
func TestInfraSecrets(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`(?i)listKeys|AccountKey|SharedAccessSignature|allowSharedKeyAccess: true|allowBlobPublicAccess: true|publicAccess: '(Blob|Container)'|AzureWebJobsStorage:|` +
		`ftpsState:|FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_RUN_FROM_PACKAGE|PUSHBACK_TABLE_CONNECTION|TLS1_[01]|DisableLocalAuth: false|disableLocalAuth: false`)
	all := ""
	for name, text := range bicep(t) {
		for i, line := range strings.Split(text, "\n") {
			if m := forbidden.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", name, i+1, m)
			}
		}
		all += text
	}
	for _, want := range []string{"allowSharedKeyAccess: false", "allowBlobPublicAccess: false", "minimumTlsVersion: 'TLS1_2'", "publicAccess: 'None'", "DisableLocalAuth: true",
		"enableRbacAuthorization: true", "httpsOnly: true"} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %s", want)
		}
	}
	if !strings.Contains(all, "@secure()\n@description('Settings of an app") || !strings.Contains(all, "\nparam extraSettings Settings = {}") {
		t.Error("settings that somebody adds are kept with the deployment")
	}
	// Secrets go from a secure parameter to the vault, and the app gets a reference.
	for setting, parameter := range map[string]string{"TEAMS_WEBHOOK_URL": "teamsWebhookUrl", "WEBHOOK_URL": "webhookUrl", "WEBHOOK_SECRET": "webhookSecret"} {
		if !strings.Contains(all, "PUSHBACK_"+setting+": '@Microsoft.KeyVault(") || strings.Count(all, "@secure()\nparam "+parameter+" string") != 2 {
			t.Errorf("%s is not kept in the vault alone", parameter)
		}
	}
}

// TestInfraSettings compares the settings of the app with those of the binary.
func TestInfraSettings(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, s := range settings.All() {
		known[s.Key] = true
	}
	set := map[string]bool{}
	for name, text := range bicep(t) {
		for i, line := range strings.Split(text, "\n") {
			for _, key := range regexp.MustCompile(`(?:^\s+|\{ )(PUSHBACK_\w+):`).FindAllStringSubmatch(line, -1) {
				set[key[1]] = true
				if !known[key[1]] {
					t.Errorf("%s:%d: the binary knows no setting %s", name, i+1, key[1])
				}
			}
		}
	}
	required := []string{"PUSHBACK_SCHEDULE", "PUSHBACK_TABLE_ENDPOINT"} // the host and the ledger do not do without
	for _, s := range settings.All() {
		if s.NeededBy == "serve" {
			required = append(required, s.Key)
		}
	}
	for _, key := range required {
		if !set[key] {
			t.Errorf("the app's settings.Settings lack %s", key)
		}
	}
}

// TestInfraScanned has checkov parse the Bicep and look for what is insecure.
// What is waived says why, beside the line.
func TestInfraScanned(t *testing.T) {
	t.Parallel()
	checkov, err := filepath.Abs("../.ci/venv/bin/checkov")
	if err == nil {
		_, err = os.Stat(checkov)
	}
	if err != nil {
		t.Skip("checkov is not installed: run make test")
	}
	cmd := exec.Command(checkov, "-d", "../infra", "--framework", "bicep", "-o", "json", "--skip-download")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "LOG_LEVEL=CRITICAL")
	out, runErr := cmd.Output()
	type finding struct {
		ID       string `json:"check_id"`
		Name     string `json:"check_name"`
		File     string `json:"file_path"`
		Lines    []int  `json:"file_line_range"`
		Resource string
		Result   struct {
			Comment string `json:"suppress_comment"`
		} `json:"check_result"`
	}
	var report struct {
		Results struct {
			Passed  []finding `json:"passed_checks"`
			Failed  []finding `json:"failed_checks"`
			Skipped []finding `json:"skipped_checks"`
			Errors  []string  `json:"parsing_errors"`
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("checkov: %v, %v: %.500s", runErr, err, out)
	}
	for _, f := range report.Results.Failed {
		t.Errorf("%s:%v: %s: %s %s", f.File, f.Lines, f.Resource, f.ID, f.Name)
	}
	for _, f := range report.Results.Errors {
		if filepath.Base(f) != "shapes.bicep" { // types alone, no resource
			t.Errorf("checkov cannot parse %s", f)
		}
	}
	for _, f := range report.Results.Skipped {
		if len(strings.Fields(f.Result.Comment)) < 5 {
			t.Errorf("%s:%v: %s is waived without a reason", f.File, f.Lines, f.ID)
		}
	}
	if len(report.Results.Passed) < 25 {
		t.Errorf("only %d checks passed: the scanner does not see the resources", len(report.Results.Passed))
	}
}

// The compiler has nothing to say of any file, with every rule of its linter on, and
// neither has its formatter.
func TestInfraCompiles(t *testing.T) {
	t.Parallel()
	c := biceptest.Need(t)
	said := func(file string, diagnostics []biceptest.Diagnostic, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, d := range diagnostics {
			t.Errorf("%s:%d: %s %s: %s", d.Source, d.Range.Start.Line+1, d.Level, d.Code, d.Message)
		}
	}
	_, diagnostics, err := c.Build("../infra/main.bicep") // and all that it is made of
	said("main.bicep", diagnostics, err)
	parameters, diagnostics, err := c.BuildParams("../infra/main.bicepparam")
	said("main.bicepparam", diagnostics, err)
	if !bytes.Contains(parameters, []byte(`"workspaceResourceId"`)) {
		t.Errorf("the parameters are %s", parameters)
	}

	files := bicep(t)
	all := strings.Join(slices.Collect(maps.Values(files)), "")
	text, err := os.ReadFile("../infra/main.bicepparam")
	if err != nil {
		t.Fatal(err)
	}
	files["infra/main.bicepparam"] = string(text)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if base := filepath.Base(name); !strings.HasPrefix(base, "main.") && !strings.Contains(all, base+"' ") && !strings.Contains(all, base+"'\n") {
			t.Errorf("nothing uses %s, so that it is not compiled", name)
		}
		formatted, err := c.Format(filepath.Join("..", filepath.FromSlash(name)))
		if err != nil || string(formatted) != files[name] {
			t.Errorf("bicep format would change %s: %v", name, err)
		}
	}
}

// Every rule of the linter is on: what is off is not seen in the compiler's answer.
func TestInfraRules(t *testing.T) {
	t.Parallel()
	c := biceptest.Need(t)
	dir := t.TempDir()
	config, err := os.ReadFile("../infra/bicepconfig.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules struct {
		Analyzers struct {
			Core struct {
				Rules map[string]struct{ Level string }
			}
		}
	}
	if err := json.Unmarshal(config, &rules); err != nil {
		t.Fatal(err)
	}
	for name, rule := range rules.Analyzers.Core.Rules {
		if rule.Level != "warning" && rule.Level != "error" {
			t.Errorf("%s is %q", name, rule.Level)
		}
	}
	// Each of these has a mistake of a rule that is off by default.
	const file = `param tags object
param place string
var size = 1
resource old 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: place
}
resource assigned 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, old.properties.primaryEndpoints.blob)
  properties: { principalId: place, roleDefinitionId: place }
}
output all object = union(tags, { size: size, place: resourceGroup().location })
`
	for name, text := range map[string]string{"bicepconfig.json": string(config), "mistakes.bicep": file} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, diagnostics, err := c.Build(filepath.Join(dir, "mistakes.bicep"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, d := range diagnostics {
		found[d.Code] = true
	}
	for _, want := range []string{"use-recent-api-versions", "use-user-defined-types", "use-description-params", "use-description-vars", "use-description-outputs", "no-loc-expr-outside-params"} {
		if !found[want] {
			t.Errorf("the linter does not report %s: %v", want, slices.Sorted(maps.Keys(found)))
		}
	}
}

// What the analytics rules are for is in the workspace's resource group, in its
// region, and off unless it is asked for; and so is each way to Sentinel by itself.
func TestInfraSentinel(t *testing.T) {
	t.Parallel()
	text, _, err := biceptest.Need(t).Build("../infra/main.bicep")
	if err != nil {
		t.Fatal(err)
	}
	var main struct {
		Parameters map[string]struct{ DefaultValue any }
		Resources  map[string]struct {
			Condition, SubscriptionID, ResourceGroup string
			Properties                               struct{ Parameters map[string]any }
		}
	}
	if err := json.Unmarshal(text, &main); err != nil {
		t.Fatal(err)
	}
	for parameter, want := range map[string]any{"sentinelIncidents": false, "sentinelApiIncidents": false, "sentinelGrouping": "only", "portal": "defender"} {
		if got := main.Parameters[parameter].DefaultValue; got != want {
			t.Errorf("%s is %v, want %v", parameter, got, want)
		}
	}
	found := 0
	for name, r := range main.Resources {
		switch name {
		case "sentinelAlerts":
			found++
			parameter, _ := r.Properties.Parameters["location"].(map[string]any)
			location, _ := parameter["value"].(string)
			if r.Condition != "[parameters('sentinelIncidents')]" || r.SubscriptionID != "[variables('workspaceParts')[2]]" || r.ResourceGroup != "[variables('workspaceParts')[4]]" ||
				location != "[reference('workspace', '2026-03-01', 'full').location]" {
				t.Errorf("%s: if %s, in %s and %s, at %s", name, r.Condition, r.SubscriptionID, r.ResourceGroup, location)
			}
		case "monitorScope":
			found++
			if r.Condition != "[and(parameters('privateNetwork'), parameters('sentinelIncidents'))]" {
				t.Errorf("%s: if %s", name, r.Condition)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d of 2 modules", found)
	}
}
