package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"

	"pushback/detect/notify/alerts"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// Each cloud has its own services, and its own names for whom a token is made out to.
func TestCloudAddresses(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ authority, logs, logsScope, manager, managerAudience, ingestionScope string }{
		"public": {"https://login.microsoftonline.com/", "https://api.loganalytics.io/v1", "https://api.loganalytics.io/.default",
			"https://management.azure.com", "https://management.core.windows.net/", "https://monitor.azure.com//.default"},
		"usgovernment": {"https://login.microsoftonline.us/", "https://api.loganalytics.us/v1", "https://api.loganalytics.us/.default",
			"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/", "https://monitor.azure.us//.default"},
		"china": {"https://login.chinacloudapi.cn/", "https://api.loganalytics.azure.cn/v1", "https://api.loganalytics.azure.cn/.default",
			"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/", "https://monitor.azure.cn//.default"},
	} {
		options, err := cloudOptions(settings.Settings{Cloud: name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c := options.Cloud
		got := []string{c.ActiveDirectoryAuthorityHost, c.Services[azquery.ServiceNameLogs].Endpoint, workspace.Scope(c),
			c.Services[cloud.ResourceManager].Endpoint, c.Services[cloud.ResourceManager].Audience, alerts.Scope(c)}
		if expected := []string{want.authority, want.logs, want.logsScope, want.manager, want.managerAudience, want.ingestionScope}; !slices.Equal(got, expected) {
			t.Errorf("%s has\n%q, want\n%q", name, got, expected)
		}
		o, err := ledgerOptions(settings.Settings{Cloud: name, TableConnection: "AccountName=a;AccountKey=c2VjcmV0"})
		if err != nil || o.Suffix != azureEnvironments[name].storage {
			t.Errorf("%s has the suffix %q, %v", name, o.Suffix, err)
		}
	}
}

// publicHosts finds a host of the public cloud that another cloud has a name of its own for.
var publicHosts = regexp.MustCompile(`(?i)[a-z0-9*.-]*\b(azure\.com|windows\.net|azure\.net|microsoftonline\.com|loganalytics\.io|microsoft\.com|powerplatform\.com)\b`)

// hostsAllowed lists why a file has such hosts all the same.
var hostsAllowed = map[string]string{
	"detect/ledger/table.go":                 "what a connection string without a suffix means where nobody says which cloud it is of, and an example",
	"detect/notify/portal/portal.go":         "the portals by cloud",
	"detect/notify/teams/identity.go":        "the hosts of workflows by cloud",
	"detect/notify/teams/webhook_problem.go": "pages that people copy instead of an address, of any cloud",
	"handler/outbox.go":                      "an example",
	"handler/settings/cloud.go":              "the domains by cloud",
	"handler/settings/deployed.go":           "stand-ins for addresses in a vault, by cloud",
	"handler/settings/settings.go":           "examples",
	"handler/settings/value.go":              "examples",
	"handler/table.go":                       "the domains of storage accounts by cloud",
	"infra/modules/endpoints.bicep":          "the private zones by cloud",
}

// TestHostsOfClouds wants no host of the public cloud in what runs in another cloud too,
// but for tables by cloud, and examples. Pages of documentation are the same for all.
func TestHostsOfClouds(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	look := func(file string, line int, text string) {
		for _, host := range publicHosts.FindAllString(text, -1) {
			host = strings.ToLower(host)
			if strings.HasPrefix(host, "learn.microsoft.") || strings.HasPrefix(host, "go.microsoft.") || host == "schema.management.azure.com" {
				continue
			}
			found[file] = true
			if hostsAllowed[file] == "" {
				t.Errorf("%s:%d: %s is of the public cloud alone: take it from the cloud that is set", file, line, host)
			}
		}
	}
	for _, dir := range []string{"../handler", "../detect", "../infra"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
			if e.IsDir() {
				// What only a test links, and the queries of whoever uses the engine.
				if base := e.Name(); base == "testdata" || base == "node_modules" || strings.HasSuffix(base, "test") || name == "detect/kql" || name == "detect/sample" {
					return fs.SkipDir
				}
				return nil
			}
			if filepath.Ext(path) == ".bicep" {
				for i, line := range strings.Split(bicep(t)[name], "\n") {
					if !strings.HasPrefix(strings.TrimSpace(line), "//") {
						look(name, i+1, line)
					}
				}
				return nil
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			files := gotoken.NewFileSet()
			f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == gotoken.STRING {
					if text, err := strconv.Unquote(l.Value); err == nil {
						look(name, files.Position(l.Pos()).Line, text)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for file := range hostsAllowed {
		if !found[file] {
			t.Errorf("%s has no such host any more: take it off the list", file)
		}
	}
}
