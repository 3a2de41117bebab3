package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"pushback/infra/biceptest"
)

// azdHook and azdProject are what azd's schema of azure.yaml lets stand where ours has
// something:
// https://raw.githubusercontent.com/Azure/azure-dev/main/schemas/v1.0/azure.yaml.json
type azdHook struct{ Shell, Run string }

// azdHooks has a hook for each kind of system, and so nothing beside them.
type azdHooks struct{ Posix, Windows azdHook }

type azdProject struct {
	Name             string
	RequiredVersions struct{ Azd string } `yaml:"requiredVersions"`
	Infra            struct{ Provider, Path, Module string }
	Services         map[string]struct {
		Project, Host, Language, Dist string
		Hooks                         map[string]azdHooks
	}
}

func readAzd(t *testing.T) azdProject {
	t.Helper()
	text, err := os.ReadFile("../infra/azure.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var project azdProject
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&project); err != nil {
		t.Fatalf("infra/azure.yaml: %v", err)
	}
	return project
}

// azure.yaml has what azd's schema asks for, finds the Bicep, and packages by the
// tool that everybody packages by, alike on all systems.
func TestAzd(t *testing.T) {
	t.Parallel()
	project := readAzd(t)
	if !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(project.Name) || project.RequiredVersions.Azd != ">= 1.20.0" {
		t.Errorf("%+v", project)
	}
	for _, name := range []string{project.Infra.Module + ".bicep", project.Infra.Module + ".bicepparam"} {
		if _, err := os.Stat(filepath.Join("../infra", project.Infra.Path, name)); err != nil || project.Infra.Provider != "bicep" {
			t.Errorf("azd finds no %s by %+v: %v", name, project.Infra, err)
		}
	}
	service, ok := project.Services["handler"]
	if !ok || len(project.Services) != 1 || service.Host != "function" || service.Language != "custom" || service.Project != "." {
		t.Fatalf("%+v", project.Services)
	}
	if len(service.Hooks) != 1 {
		t.Fatalf("hooks: %v", service.Hooks)
	}
	hooks := service.Hooks["prepackage"]
	if hooks.Posix.Shell != "sh" || hooks.Windows.Shell != "pwsh" {
		t.Errorf("%+v", hooks)
	}
	// PowerShell does not fail with the command that a script ends with.
	windows := strings.ReplaceAll(hooks.Posix.Run, "${RULES_DIR:-}", "$env:RULES_DIR") + "\nexit $LASTEXITCODE\n"
	if diff := cmp.Diff(windows, hooks.Windows.Run); diff != "" {
		t.Errorf("the hooks differ (-posix +windows):\n%s", diff)
	}
	// azd runs it in the service's folder, and deploys what it left in dist.
	shims := t.TempDir()
	script := "#!/bin/sh\n[ \"$1 $2\" = 'run ./package' ] && [ -d package ] && [ -f \"$4/host.json\" ] && shift 2 && printf '%s\\n' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(shims, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for rules, want := range map[string]string{"": "-rules=", "/my rules": "-rules=/my rules"} {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", hooks.Posix.Run)
		cmd.Dir = filepath.Join("../infra", service.Project)
		cmd.Env = []string{"PATH=" + shims + string(os.PathListSeparator) + os.Getenv("PATH"), "RULES_DIR=" + rules}
		out, err := cmd.CombinedOutput()
		if want := "-root\n..\n-o\n" + service.Dist + "\n" + want + "\n"; err != nil || string(out) != want {
			t.Errorf("%q, want %q: %v", out, want, err)
		}
	}
	if filepath.Ext(service.Dist) != ".zip" {
		t.Errorf("azd would zip %s itself, and lose the run bit on Windows", service.Dist)
	}
}

// azd finds one app by its tag, also among several, and nothing else has it.
func TestAzdTag(t *testing.T) {
	t.Parallel()
	for _, parameters := range [][]string{nil, {"param apps = 3", "param tags = { team: 'soc' }"}} {
		d := deployed(t, parameters...)
		tagged := 0
		for _, r := range d.PredictedResources {
			tags, _ := r["tags"].(map[string]any)
			name, ok := tags["azd-service-name"].(string)
			if !ok {
				continue
			}
			tagged++
			if _, is := readAzd(t).Services[name]; !is || r.text("type") != "Microsoft.Web/sites" {
				t.Errorf("%s %s is tagged for the service %q", r.text("type"), r.text("name"), name)
			}
			if len(parameters) > 0 && tags["team"] != "soc" {
				t.Errorf("its other tags are gone: %v", tags)
			}
		}
		if sites := len(d.of("Microsoft.Web/sites")); tagged != 1 || sites != 1+2*min(1, len(parameters)) {
			t.Errorf("%d of %d apps are tagged", tagged, sites)
		}
	}
}

// What the parameters and the hooks read of the environment is explained.
func TestAzdEnvironment(t *testing.T) {
	t.Parallel()
	parameters := readFile(t, "../infra/main.bicepparam")
	hooks := readAzd(t).Services["handler"].Hooks["prepackage"]
	readme := readFile(t, "../infra/README.md")
	read := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?s)readEnvironmentVariable\(\s*'(\w+)'|\$\{(\w+)|\$env:(\w+)`).FindAllStringSubmatch(parameters+hooks.Posix.Run+hooks.Windows.Run, -1) {
		read[m[1]+m[2]+m[3]] = true
	}
	for name := range read {
		if !strings.Contains(readme, "`"+name+"`") {
			t.Errorf("infra/README.md does not explain %s", name)
		}
	}
	if len(read) < 6 {
		t.Errorf("read: %v", read)
	}
	// Without any of them the parameters are those of nothing in particular.
	text, _, err := biceptest.Need(t).BuildParams("../infra/main.bicepparam")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"operatorEmails": {
      "value": []`, `"rulesFolder": {
      "value": ""`, `"teamsWebhookUrl": {
      "value": ""`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}
