package settings

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/kelseyhightower/envconfig"
)

func TestSettingsOfServe(t *testing.T) {
	const id = "11111111-2222-3333-4444-555555555555"
	for _, tc := range []struct {
		name string
		env  map[string]string
		want []string // each a problem; none if all is well
	}{
		{name: "nothing set", want: []string{"PUSHBACK_WORKSPACE_ID is not set: expected a GUID"}},
		{name: "empty is not set", env: map[string]string{"PUSHBACK_WORKSPACE_ID": " ", "PUSHBACK_DELAY": "", "PUSHBACK_CLOUD": ""},
			want: []string{"PUSHBACK_WORKSPACE_ID is not set"}},
		{name: "enough", env: map[string]string{"PUSHBACK_WORKSPACE_ID": id}},
		{name: "all", env: map[string]string{
			"PUSHBACK_WORKSPACE_ID": strings.ToUpper(id), "PUSHBACK_ADDITIONAL_WORKSPACES": id + ", " + id,
			"PUSHBACK_CLOUD": "USGovernment", "PUSHBACK_SCHEDULE": "0 */5 * * * *", "PUSHBACK_DELAY": "0s", "PUSHBACK_LATENESS": "48h", "PUSHBACK_LATE_LOOK": "336h",
			"PUSHBACK_CATCH_UP": "336h", "PUSHBACK_QUERY_TIMEOUT": "1s", "PUSHBACK_TICK_TIMEOUT": "10m", "PUSHBACK_LOG_LEVEL": "debug",
		}},
		{name: "all wrong", env: map[string]string{
			"PUSHBACK_WORKSPACE_ID": "urn:uuid:" + id, "PUSHBACK_ADDITIONAL_WORKSPACES": id + ",,x", "PUSHBACK_CLOUD": "germany",
			"PUSHBACK_SCHEDULE": "*/5 * * * *", "PUSHBACK_DELAY": "-1s", "PUSHBACK_LATENESS": "49h", "PUSHBACK_LATE_LOOK": "15d", "PUSHBACK_CATCH_UP": "0s",
			"PUSHBACK_QUERY_TIMEOUT": "11m", "PUSHBACK_TICK_TIMEOUT": "forever\x1b[2J", "PUSHBACK_LOG_LEVEL": "loud",
			"PUSHBACK_CONTEXT": "maybe", "PUSHBACK_SEVERITY_STEPS": "bombing=+9", "PUSHBACK_HISTORY": "off", "PUSHBACK_AFTERMATH": "1d", "PUSHBACK_BOMBING": "1", "PUSHBACK_REPEATED": "many", "PUSHBACK_IPV6_PREFIX": "129", "PUSHBACK_MIN_SEVERITY": "urgent", "PUSHBACK_RISK_CUTOFF": "-1", "PUSHBACK_MAX_ALERTS": "0",
			"PUSHBACK_TEAMS_WEBHOOK_URL": "http://example.com/secret", "PUSHBACK_TEAMS_MAX_CARDS": "0", "PUSHBACK_WORKSPACE_RESOURCE_ID": "/subscriptions/1",
			"PUSHBACK_TEAMS_ROUTES": "High=http://example.com/secret",
		}, want: []string{
			`PUSHBACK_WORKSPACE_ID is "urn:uuid:` + id + `": expected a GUID`,
			`PUSHBACK_ADDITIONAL_WORKSPACES is "` + id + `,,x": expected GUIDs with commas`,
			`PUSHBACK_CLOUD is "germany": expected one of public, usgovernment, china`,
			`PUSHBACK_SCHEDULE is "*/5 * * * *": expected an NCRONTAB expression of six fields`,
			`PUSHBACK_DELAY is "-1s": expected a duration from 0s to 48h`,
			`PUSHBACK_LATENESS is "49h": expected a duration from 0s to 48h`,
			`PUSHBACK_LATE_LOOK is "15d": expected a duration from 0s to 336h`,
			`PUSHBACK_CATCH_UP is "0s": expected a duration from 1m to 336h`,
			`PUSHBACK_QUERY_TIMEOUT is "11m": expected a duration from 1s to 10m`,
			`PUSHBACK_TICK_TIMEOUT is "forever\x1b[2J": expected a duration from 3m to 24h`,
			`PUSHBACK_MAX_ALERTS is "0": expected a whole number from 1 on`,
			`PUSHBACK_CONTEXT is "maybe": expected one of on, off`,
			`PUSHBACK_SEVERITY_STEPS is "bombing=+9": expected findings with what they do to the severity, such as bombing=+1: bombing cannot change`,
			`PUSHBACK_HISTORY is "off": expected a number of days or a duration from 72h to 2160h`,
			`PUSHBACK_AFTERMATH is "1d": expected a duration from 1h to 72h`,
			`PUSHBACK_BOMBING is "1": expected a whole number from 2 on`,
			`PUSHBACK_REPEATED is "many": expected a whole number from 2 on`,
			`PUSHBACK_IPV6_PREFIX is "129": expected a whole number from 16 to 128`,
			`PUSHBACK_MIN_SEVERITY is "urgent": expected one of informational, low, medium, high`,
			`PUSHBACK_RISK_CUTOFF is "-1": expected a whole number from 0 on`,
			`PUSHBACK_TEAMS_WEBHOOK_URL is not right: expected the https:// address that the workflow shows; the webhook's address does not start with https://`,
			`PUSHBACK_TEAMS_MAX_CARDS is "0": expected a whole number from 1 on`,
			`PUSHBACK_TEAMS_ROUTES is not right: expected routes such as High=https://... with space between them; route 1: the webhook's address does not start`,
			`PUSHBACK_WORKSPACE_RESOURCE_ID is "/subscriptions/1": expected /subscriptions/ID`,
			`PUSHBACK_LOG_LEVEL is "loud": expected one of debug, info, warn, error`,
		}},
		{name: "references that are not resolved", env: map[string]string{
			"PUSHBACK_WORKSPACE_ID": "@Microsoft.KeyVault(VaultName=v;SecretName=secret)", "PUSHBACK_RULES": "@Microsoft.KeyVault(VaultName=v;SecretName=secret)",
			"PUSHBACK_TABLE_CONNECTION":  "@microsoft.keyvault(VaultName=v;SecretName=secret)",
			"PUSHBACK_TEAMS_WEBHOOK_URL": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/secret)",
		}, want: []string{
			"PUSHBACK_WORKSPACE_ID is a Key Vault reference that is not resolved: check that the app's identity has the role Key Vault Secrets User",
			"PUSHBACK_RULES is a Key Vault reference that is not resolved",
			"PUSHBACK_TABLE_CONNECTION is a Key Vault reference that is not resolved",
			"PUSHBACK_TEAMS_WEBHOOK_URL is a Key Vault reference that is not resolved",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			s, err := ReadFor("serve")
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got %q", got)
			}
			for i, want := range tc.want {
				if !strings.HasPrefix(got[i], "the setting "+want) || strings.Contains(want, "reference") && strings.Contains(got[i], "vault.azure.net") {
					t.Errorf("got %s\nwant %s", got[i], want)
				}
			}
			if tc.name == "all" && (s.WorkspaceID != id || !slices.Equal(s.AdditionalWorkspaces, []string{id}) || s.Cloud != "usgovernment") {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestUnknownSettings(t *testing.T) {
	t.Setenv("PUSHBACK_LATENES", "3h")
	t.Setenv("PUSHBACK_LATENESS", "3h")
	if got := Unknown(); !slices.Equal(got, []string{"PUSHBACK_LATENES"}) {
		t.Errorf("%q", got)
	}
}

func TestPeriod(t *testing.T) {
	const limits = reflect.StructTag(`min:"24h" max:"2160h"`)
	for text, want := range map[string]time.Duration{"off": 0, "OFF": 0, "30d": 30 * 24 * time.Hour, "1d": 24 * time.Hour, "90d": 90 * 24 * time.Hour, "36h30m": 36*time.Hour + 30*time.Minute} {
		var p period
		if expected := p.read(text, limits); expected != "" || p.Duration != want {
			t.Errorf("%s is %s, expected %s", text, p.Duration, expected)
		}
	}
	for _, text := range []string{"", "0d", "91d", "23h", "d", "1.5d", "-1d", "99999999999999999999d", "1d1h", "on"} {
		var p period
		if p.read(text, limits) == "" || p.Duration != 0 {
			t.Errorf("%q is taken for %s", text, p.Duration)
		}
	}
}

// TestKeys compares the names with those that the library reads.
func TestKeys(t *testing.T) {
	t.Parallel()
	var usage strings.Builder
	if err := envconfig.Usagef(Prefix, &variables{}, &usage, "{{range .}}{{usage_key .}}\n{{end}}"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(usage.String()), keys()); diff != "" {
		t.Errorf("(-the library's +ours)\n%s", diff)
	}
}
