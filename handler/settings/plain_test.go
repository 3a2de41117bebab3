package settings

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/enrich"
	"pushback/detect/notify/portal"
)

// TestPlain sets every setting and expects its plain value. What is not set is its
// default, and what is wrong is zero.
func TestPlain(t *testing.T) {
	const (
		id        = "11111111-2222-3333-4444-555555555555"
		workspace = "/subscriptions/" + id + "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs"
		hook      = "https://teams.example/workflows/1?sig=c2VjcmV0"
		signing   = "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
	)
	for name, value := range map[string]string{
		"WORKSPACE_ID": id, "ADDITIONAL_WORKSPACES": id, "CLOUD": "USGovernment", "SCHEDULE": "0 */5 * * * *", "RULES": "rules", "SILENCES": "silences.yaml", "DELAY": "1m", "LATENESS": "3h", "LATE_LOOK": "240h",
		"CATCH_UP": "48h", "CONCURRENCY": "3", "QUERY_RATE": "100", "SHARE": "2/4", "QUERY_TIMEOUT": "1m", "TICK_TIMEOUT": "5m", "TABLE_CONNECTION": "UseDevelopmentStorage=true", "TABLE_NAME": "other",
		"SEEN_RETENTION": "100h", "SENT_RETENTION": "200h", "MAX_ALERTS": "7", "CONTEXT": "OFF", "SEVERITY_STEPS": "bombing=+1", "HISTORY": "10d", "AFTERMATH": "12h", "BOMBING": "6", "REPEATED": "7", "IPV6_PREFIX": "56", "MIN_SEVERITY": "low", "RISK_CUTOFF": "20",
		"TEAMS_WEBHOOK_URL": hook, "TEAMS_AUTH": "Signature", "TEAMS_MAX_CARDS": "3", "TEAMS_ROUTES": "High=" + hook, "TEAMS_WEBHOOK_URL_VIP": hook, "TEAMS_HEARTBEAT": "60d", "WEBHOOK_URL": hook + "&to=tickets", "WEBHOOK_SECRET": signing, "WORKSPACE_RESOURCE_ID": workspace,
		"PORTAL": "Azure", "ALERTS_ENDPOINT": "https://x.usgovvirginia-1.ingest.monitor.azure.us/", "ALERTS_RULE": "dcr-0a", "ALERTS_STREAM": "Custom-Other",
		"SENTINEL_WORKSPACE": workspace, "LOG_LEVEL": "warn",
	} {
		t.Setenv(Prefix+"_"+name, value)
	}
	s, err := ReadFor("serve")
	if err != nil {
		t.Fatal(err)
	}
	steps, err := enrich.ParseSteps("bombing=+1")
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		WorkspaceID: id, AdditionalWorkspaces: []string{id}, Cloud: "usgovernment", Schedule: s.Schedule, Rules: "rules", Silences: "silences.yaml", Delay: time.Minute, Lateness: 3 * time.Hour, LateLook: 240 * time.Hour,
		CatchUp: 48 * time.Hour, Concurrency: 3, QueryRate: 100, Share: detect.Share{Number: 2, Of: 4}, QueryTimeout: time.Minute, TickTimeout: 5 * time.Minute, TableConnection: "UseDevelopmentStorage=true", TableName: "other",
		SeenRetention: 100 * time.Hour, SentRetention: 200 * time.Hour, MaxAlerts: 7, SeveritySteps: steps, History: 240 * time.Hour, Aftermath: 12 * time.Hour, Bombing: 6, Repeated: 7, IPv6Prefix: 56, MinSeverity: alert.Low, RiskCutoff: s.RiskCutoff,
		TeamsWebhookURL: s.TeamsWebhookURL, TeamsMaxCards: 3, TeamsRoutes: s.TeamsRoutes, TeamsAddresses: s.TeamsAddresses, TeamsHeartbeat: 60 * 24 * time.Hour, WebhookURL: s.WebhookURL, WebhookSecret: s.WebhookSecret, WorkspaceResourceID: workspace,
		Portal: portal.Azure, AlertsEndpoint: "https://x.usgovvirginia-1.ingest.monitor.azure.us", AlertsRule: "dcr-0a", AlertsStream: "Custom-Other",
		SentinelWorkspace: workspace, LogLevel: slog.LevelWarn, given: s.given,
	}
	if diff := cmp.Diff(fmt.Sprintf("%+v", want), fmt.Sprintf("%+v", s)); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if s.Schedule.String() != "0 */5 * * * *" || s.TeamsWebhookURL.IsZero() || s.WebhookURL.IsZero() || s.WebhookURL.String() == s.TeamsWebhookURL.String() || s.WebhookSecret.IsZero() || *s.RiskCutoff != 20 || len(s.TeamsRoutes) != 1 || len(s.TeamsAddresses) != 1 || !s.Given("RULES") || s.Given("TABLE_ENDPOINT") {
		t.Errorf("%+v", s)
	}
	if text := fmt.Sprintf("%v %+v %#v %s %#v", s, s, s.TableConnection, s.TableConnection, s); strings.Contains(text, "c2VjcmV0") || strings.Contains(text, "UseDevelopmentStorage") {
		t.Errorf("a secret is printed: %s", text)
	}
	t.Setenv("PUSHBACK_TEAMS_ROUTES", "") // which is the other form
	t.Setenv("PUSHBACK_ROUTES", "routes.yaml")
	if s, err = Read(); err != nil || s.Routes != "routes.yaml" || s.TeamsRoutes != nil {
		t.Errorf("%v: %+v", err, s)
	}
	t.Setenv("PUSHBACK_TEAMS_MAX_CARDS", "none")
	t.Setenv("PUSHBACK_LOG_LEVEL", "loud")
	t.Setenv("PUSHBACK_SCHEDULE", "x")
	if s, err = Read(); err == nil || s.TeamsMaxCards != 0 || s.LogLevel != slog.LevelInfo || s.Schedule != nil || !s.Given("SCHEDULE") {
		t.Errorf("%v: %+v", err, s)
	}
}

// Sentinel has ended in one cloud, so its destinations are refused there alone.
func TestSentinelInClouds(t *testing.T) {
	const (
		id        = "11111111-2222-3333-4444-555555555555"
		workspace = "/subscriptions/" + id + "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs"
		ended     = "PUSHBACK_CLOUD is china, where Microsoft Sentinel ended in August 2026"
	)
	for _, tc := range []struct {
		cloud string
		set   map[string]string
		wants []string
	}{
		{"china", nil, nil},
		{"china", map[string]string{"TEAMS_WEBHOOK_URL": "https://teams.example/workflows/1"}, nil},
		{"china", map[string]string{"SENTINEL_WORKSPACE": workspace}, []string{"PUSHBACK_SENTINEL_WORKSPACE is set and " + ended}},
		{"China", map[string]string{"ALERTS_ENDPOINT": "https://x.westeurope-1.ingest.monitor.azure.com", "ALERTS_RULE": "dcr-00000000000000000000000000000001", "SENTINEL_WORKSPACE": workspace},
			[]string{"PUSHBACK_ALERTS_ENDPOINT is set and " + ended, "PUSHBACK_SENTINEL_WORKSPACE is set and " + ended}},
		{"usgovernment", map[string]string{"SENTINEL_WORKSPACE": workspace}, nil},
		{"public", map[string]string{"SENTINEL_WORKSPACE": workspace}, nil},
	} {
		for _, name := range []string{"TEAMS_WEBHOOK_URL", "SENTINEL_WORKSPACE", "ALERTS_ENDPOINT", "ALERTS_RULE"} {
			t.Setenv(Prefix+"_"+name, tc.set[name])
		}
		t.Setenv(Prefix+"_CLOUD", tc.cloud)
		_, err := Read()
		if (err != nil) != (len(tc.wants) > 0) {
			t.Errorf("%s, %v: %v", tc.cloud, tc.set, err)
		}
		for _, want := range tc.wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %v: %v, want %s", tc.cloud, tc.set, err, want)
			}
		}
	}
}

// The alerts' settings are set together, and each is what it says.
func TestAlertSettings(t *testing.T) {
	const endpoint, id = "https://x.westeurope-1.ingest.monitor.azure.com", "dcr-00000000000000000000000000000001"
	for _, test := range []struct{ endpoint, rule, stream, portal, want string }{
		{endpoint, id, "", "", ""},
		{"", "", "", "", ""},
		{endpoint, "", "", "", "PUSHBACK_ALERTS_ENDPOINT and PUSHBACK_ALERTS_RULE one is set"},
		{"", id, "", "", "PUSHBACK_ALERTS_ENDPOINT and PUSHBACK_ALERTS_RULE one is set"},
		{"http://x", id, "", "", "PUSHBACK_ALERTS_ENDPOINT is \"http://x\""},
		{endpoint + "/dataCollectionRules", id, "", "", "ingest.monitor.azure.com"},
		{endpoint, "pushback-alerts", "", "", "the immutable id"},
		{endpoint, id, "PushbackAlerts_CL", "", "PUSHBACK_ALERTS_STREAM"},
		{endpoint, id, "", "sentinel", "one of defender, azure"},
		{"@Microsoft.KeyVault(x)", id, "", "", "Key Vault reference"},
	} {
		for name, value := range map[string]string{"ENDPOINT": test.endpoint, "RULE": test.rule, "STREAM": test.stream} {
			t.Setenv(Prefix+"_ALERTS_"+name, value)
		}
		t.Setenv(Prefix+"_PORTAL", test.portal)
		s, err := Read()
		switch {
		case test.want == "" && (err != nil || s.Portal != portal.Defender || s.AlertsStream != "Custom-PushbackAlerts" || s.AlertsRule != test.rule):
			t.Errorf("%+v: %v, %+v", test, err, s)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// The webhook's settings are set together, and each is what it says. No error has
// anything of them.
func TestWebhookSettings(t *testing.T) {
	const url, signing = "https://receiver.example/c2VjcmV0", "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
	for _, test := range []struct{ url, secret, want string }{
		{url, signing, ""},
		{"https://receiver.example", " " + signing + "  " + signing + "MTI= ", ""},
		{"", "", ""},
		{url, "", "PUSHBACK_WEBHOOK_URL and PUSHBACK_WEBHOOK_SECRET one is set: expected both"},
		{"", signing, "PUSHBACK_WEBHOOK_URL and PUSHBACK_WEBHOOK_SECRET one is set: expected both"},
		{"http://127.0.0.1/c2VjcmV0", signing, "PUSHBACK_WEBHOOK_URL is not right: expected an https:// address that takes a POST; the webhook's address does not start with https://"},
		{"https://user:c2VjcmV0@receiver.example", signing, "PUSHBACK_WEBHOOK_URL is not right: expected an https:// address that takes a POST; the webhook's address has a"},
		{url, "c2VjcmV0", "PUSHBACK_WEBHOOK_SECRET is not right: expected whsec_ and 24 to 64 bytes in base64, several with space between them; secret 1 does not begin with whsec_"},
		{url, signing + ",", "secret 1 is not base64"},
		{url, signing + " " + signing, "secret 2 is there twice"},
		{url, "whsec_c2VjcmV0", "secret 1 has 6 bytes"},
		{"@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/c2VjcmV0)", signing, "PUSHBACK_WEBHOOK_URL is a Key Vault reference"},
		{url, "@microsoft.keyvault(SecretUri=https://v.vault.azure.net/secrets/c2VjcmV0)", "PUSHBACK_WEBHOOK_SECRET is a Key Vault reference"},
	} {
		t.Setenv(Prefix+"_WEBHOOK_URL", test.url)
		t.Setenv(Prefix+"_WEBHOOK_SECRET", test.secret)
		s, err := Read()
		switch {
		case test.want == "" && (err != nil || s.WebhookURL.IsZero() != (test.url == "") || s.WebhookSecret.IsZero() != (test.url == "")):
			t.Errorf("%s: %v", test.url, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "c2VjcmV0")):
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	if got, err := ParseEndpoint("https://a.table.core.windows.net/"); err != nil || got != "https://a.table.core.windows.net" {
		t.Errorf("%q, %v", got, err)
	}
	for _, text := range []string{"", "a.example", "http://a.example", "https://", "https://a.example/x", "https://u:p@a.example", "https://a.example?sig=x", "https://a.example#x"} {
		if got, err := ParseEndpoint(text); err == nil || got != "" {
			t.Errorf("%q is taken for %q", text, got)
		}
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"x\x1b[2J":                `is "x\x1b[2J"`,
		"https://a/?sig=c2VjcmV0": "holds what looks like a secret, which is not shown",
	} {
		if got := Quoted(text); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// Each setting is in a group with those that are about the same, so that a group is
// listed once.
func TestGroups(t *testing.T) {
	t.Parallel()
	seen, last := map[string]bool{}, ""
	for _, s := range All() {
		if s.Group == "" || s.Description == "" || s.Group != last && seen[s.Group] {
			t.Errorf("%s is in the group %q", s.Key, s.Group)
		}
		seen[s.Group], last = true, s.Group
	}
	if MostLateness != 48*time.Hour || MostLateLook != 14*24*time.Hour {
		t.Errorf("the lateness goes up to %s, the late look to %s", MostLateness, MostLateLook)
	}
}
