package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// azureEnvironment is what a deployment knows of the cloud that it is to.
type azureEnvironment struct{ name, storage, vault, portal string }

// azureEnvironments are the clouds by what the app calls them.
// https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions-deployment#environment
var azureEnvironments = map[string]azureEnvironment{
	"public":       {"AzureCloud", "core.windows.net", "vault.azure.net", "https://portal.azure.com"},
	"usgovernment": {"AzureUSGovernment", "core.usgovcloudapi.net", "vault.usgovcloudapi.net", "https://portal.azure.us"},
	"china":        {"AzureChinaCloud", "core.chinacloudapi.cn", "vault.azure.cn", "https://portal.azure.cn"},
}

// infraIn copies the Bicep files as a deployment to a cloud evaluates them, with a change
// of each: the compiler's prediction knows no cloud.
func infraIn(t *testing.T, e azureEnvironment, change func(text string) string) (dir string) {
	t.Helper()
	known := strings.NewReplacer("environment().name", "'"+e.name+"'", "environment().suffixes.storage", "'"+e.storage+"'")
	dir = t.TempDir()
	err := filepath.WalkDir("../infra", func(path string, e fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err != nil || e.IsDir() || ext == ".go" || ext == ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".bicep" {
			changed := known.Replace(string(text))
			if at := strings.Index(changed, "environment()."); at >= 0 {
				t.Errorf("the test does not know what a cloud makes of %.60q", changed[at:])
			}
			if change != nil {
				changed = change(changed)
			}
			text = []byte(changed)
		}
		name, err := filepath.Rel("../infra", path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, "infra", name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
	if err == nil { // the Bicep reads queries out of these
		err = os.CopyFS(filepath.Join(dir, "detect", "notify", "alerts"), os.DirFS("../detect/notify/alerts"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "infra")
}

// Each cloud has the names of its own, and none has those of another.
func TestInfraClouds(t *testing.T) {
	t.Parallel()
	// https://learn.microsoft.com/azure/private-link/private-endpoint-dns
	for cloud, want := range map[string]struct{ monitor, vault string }{
		"public":       {"privatelink.monitor.azure.com", "privatelink.vaultcore.azure.net"},
		"usgovernment": {"privatelink.monitor.azure.us", "privatelink.vaultcore.usgovcloudapi.net"},
		"china":        {"privatelink.monitor.azure.cn", "privatelink.vaultcore.azure.cn"},
	} {
		t.Run(cloud, func(t *testing.T) {
			t.Parallel()
			e := azureEnvironments[cloud]
			parameters := []string{"param privateNetwork = true"}
			zones := []string{want.vault, "privatelink.blob." + e.storage, "privatelink.queue." + e.storage, "privatelink.table." + e.storage}
			if cloud != "china" {
				parameters, zones = append(parameters, "param sentinelIncidents = true"), append(zones, want.monitor)
			}
			d, err := predicted(t, infraIn(t, e, nil), parameters...)
			if err != nil || len(d.Diagnostics) > 0 {
				t.Fatal(err, d.Diagnostics)
			}
			var named []string
			for _, z := range d.of("Microsoft.Network/privateDnsZones") {
				named = append(named, z.text("name"))
			}
			for _, zone := range zones {
				if !slices.Contains(named, zone) {
					t.Errorf("no zone is %s: %q", zone, named)
				}
			}
			app := d.of("Microsoft.Web/sites")[0].text("name")
			settings := d.settings(t, app)
			account := d.of("Microsoft.Storage/storageAccounts")[0].text("name")
			if settings["PUSHBACK_CLOUD"] != cloud {
				t.Errorf("the app is in %v", settings["PUSHBACK_CLOUD"])
			}
			for _, service := range []string{"blob", "queue", "table"} {
				address, key := any("https://"+account+"."+service+"."+e.storage), hostStorage+"__"+service+"ServiceUri"
				if cloud == "public" {
					address = nil
				}
				if settings[key] != address {
					t.Errorf("%s is %v, want %v", key, settings[key], address)
				}
			}
			if name := settings[hostStorageAccount]; (name != nil) != (cloud == "public") || name != nil && name != account {
				t.Errorf("the host's account is %v", name)
			}
			if s := storageSuffixes[cloud]; s != e.storage {
				t.Errorf("the app takes the suffix %s for the cloud's, want %s", s, e.storage)
			}
			text, err := json.Marshal(d.PredictedResources)
			if err != nil {
				t.Fatal(err)
			}
			for other, o := range azureEnvironments {
				for _, host := range []string{o.storage, o.vault, strings.TrimPrefix(o.portal, "https://"), "monitor." + strings.TrimPrefix(o.portal, "https://portal.")} {
					if other != cloud && strings.Contains(string(text), host) && !strings.Contains(e.vault+e.storage, host) {
						t.Errorf("a resource has the address %s of %s", host, other)
					}
				}
			}
		})
	}
}

// Where there is no Microsoft Sentinel the deployment fails before it makes anything,
// and says why, if it is asked for. Elsewhere and without it, see TestInfraClouds.
func TestInfraNoSentinel(t *testing.T) {
	t.Parallel()
	for _, parameter := range []string{"sentinelIncidents", "sentinelApiIncidents"} {
		t.Run(parameter, func(t *testing.T) {
			t.Parallel()
			d, err := predicted(t, infraIn(t, azureEnvironments["china"], nil), "param "+parameter+" = true")
			if said := fmt.Sprint(err, d.Diagnostics); !strings.Contains(said, "Microsoft Sentinel ended in the China cloud in August 2026") || len(d.PredictedResources) > 0 {
				t.Errorf("%d resources are made: %.600s", len(d.PredictedResources), said)
			}
		})
	}
}
