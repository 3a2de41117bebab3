package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
)

// TestCheckSettings has settings that are valid and wrong all the same.
func TestCheckSettings(t *testing.T) {
	t.Parallel()
	const workspace = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME"
	const local = `{"IsEncrypted": false, "Values": {"PUSHBACK_SCHEDULE": "0 */5 * * * *", "PUSHBACK_TABLE_CONNECTION": "memory"}}`
	for _, tc := range []struct {
		name     string
		settings map[string]string
		files    map[string]string
		args     []string
		want     []string // lines, each by its status, its check and a part, which must be all but ok ones that are about other things
		lacks    string
	}{
		{name: "the placeholder", settings: map[string]string{"PUSHBACK_WORKSPACE_ID": placeholder},
			want: []string{"failed settings the setting PUSHBACK_WORKSPACE_ID is 00000000-0000-0000-0000-000000000000, the placeholder of local.settings.json.example: set it to the id of your Log Analytics workspace"}, lacks: "all settings are valid"},
		{name: "the placeholder in others", settings: map[string]string{"PUSHBACK_ADDITIONAL_WORKSPACES": "22222222-2222-3333-4444-555555555555," + placeholder, "PUSHBACK_WORKSPACE_RESOURCE_ID": workspace, "PUSHBACK_SENTINEL_WORKSPACE": workspace},
			want: []string{"failed settings PUSHBACK_ADDITIONAL_WORKSPACES is 0000", "failed settings PUSHBACK_WORKSPACE_RESOURCE_ID is /subscriptions/0000", "failed settings PUSHBACK_SENTINEL_WORKSPACE is /subscriptions/0000"}},
		{name: "every second of a minute", settings: map[string]string{"PUSHBACK_SCHEDULE": "* */15 * * * *"}, want: []string{"warning schedule for one tick put 0 there, 0 */15 * * * *"}},
		{name: "every other second", settings: map[string]string{"PUSHBACK_SCHEDULE": "*/2 0 * * * *"}, want: []string{"warning schedule put 0 there, 0 0 * * * *"}},
		{name: "a time zone", settings: map[string]string{"WEBSITE_TIME_ZONE": "W. Europe Standard Time"}, want: []string{`warning schedule WEBSITE_TIME_ZONE is "W. Europe Standard Time"`}},
		{name: "a connector", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://contoso.webhook.office.com/webhookb2/c2VjcmV0@x/IncomingWebhook/y/z"},
			want: []string{"failed teams PUSHBACK_TEAMS_WEBHOOK_URL, contoso.webhook.office.com/…"}},
		{name: "a logic app", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://prod-1.westeurope.logic.azure.com:443/workflows/c2VjcmV0/triggers/manual/paths/invoke?sig=c2VjcmV0"},
			want: []string{"warning teams in powerplatform.com now"}},
		{name: "the designer", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://make.powerautomate.com/environments/c2VjcmV0/flows/x/details"}, want: []string{"failed teams the designer's"}},
		{name: "HTML", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://x.environment.api.powerplatform.com/workflows/c2VjcmV0/invoke?api-version=1&amp;sig=c2VjcmV0"}, want: []string{"failed teams &amp; where & belongs"}},
		{name: "no signature", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://x.environment.api.powerplatform.com/workflows/c2VjcmV0/invoke?api-version=1"}, want: []string{"failed teams the address has no sig"}},
		{name: "no signature for a relay", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://relay.invalid/c2VjcmV0"}, want: []string{"warning teams the address has no sig"}},
		{name: "a route", settings: map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://relay.invalid/x?sig=1", "PUSHBACK_TEAMS_ROUTES": "High=https://outlook.office.com/webhook/c2VjcmV0"},
			want: []string{"failed teams PUSHBACK_TEAMS_ROUTES, outlook.office.com/…"}},
		{name: "the emulator in Azure", settings: map[string]string{"PUSHBACK_TABLE_CONNECTION": "", "AzureWebJobsStorage": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=c2VjcmV0"},
			want: []string{"warning ledger AzureWebJobsStorage has the storage emulator's account"}},
		{name: "the emulator of another port", settings: map[string]string{"PUSHBACK_TABLE_CONNECTION": "AccountName=DevStoreAccount1;AccountKey=c2VjcmV0;BlobEndpoint=http://127.0.0.1:10000/x"},
			want: []string{"warning ledger PUSHBACK_TABLE_CONNECTION has the storage emulator's account"}},

		{name: "a file that is there", settings: map[string]string{"PUSHBACK_SCHEDULE": "", "PUSHBACK_TABLE_CONNECTION": ""}, files: map[string]string{localSettingsFile: local},
			want: []string{"ok settings 2 variables of local.settings.json", "ok schedule 0 */5", "warning ledger it is in memory"}},
		{name: "a file beside the environment", settings: map[string]string{"PUSHBACK_TABLE_CONNECTION": ""}, files: map[string]string{localSettingsFile: local}, lacks: "in memory"},
		{name: "a file that is named", files: map[string]string{"x.json": strings.Replace(local, "*/5", "*/7", 1)}, args: []string{"--settings", "x.json"},
			want: []string{"ok settings 0 variables of x.json", "ok schedule 0 */5"}},
		{name: "a file that is wrong", settings: map[string]string{"PUSHBACK_SCHEDULE": "", "PUSHBACK_TABLE_CONNECTION": ""}, files: map[string]string{localSettingsFile: "{"}, want: []string{"failed settings local.settings.json:1: this is not JSON"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			set := map[string]string{"PUSHBACK_SCHEDULE": "0 */5 * * * *", "PUSHBACK_TABLE_CONNECTION": inMemory, "HTTPS_PROXY": "http://127.0.0.1:1"}
			for k, v := range tc.settings {
				if set[k] = v; v == "" {
					delete(set, k)
				}
			}
			r := commandIn(t, folder(t, tc.files), set, append([]string{"check", "--json"}, tc.args...)...)
			var lines []string
			for line := range strings.Lines(r.stdout) {
				var l checkLine
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				if l.Do != "" && !strings.HasSuffix(l.Text, l.Do) {
					t.Errorf("what to do is not the end of the text: %+v", l)
				}
				lines = append(lines, l.Status+" "+l.Check+" "+l.Text)
			}
			all := strings.Join(lines, "\n")
			for _, want := range tc.want {
				words := strings.SplitN(want, " ", 3)
				found := false
				for _, line := range lines {
					found = found || strings.HasPrefix(line, words[0]+" "+words[1]+" ") && strings.Contains(line, words[2])
				}
				if !found {
					t.Errorf("no %q in\n%s", want, all)
				}
			}
			if tc.lacks != "" && strings.Contains(all, tc.lacks) || strings.Contains(r.stdout+r.stderr, "c2VjcmV0") {
				t.Errorf("code %d: %s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
	for _, args := range [][]string{{"--settings", "none.json"}, {"--settings"}} {
		if r := commandIn(t, t.TempDir(), nil, append([]string{"check"}, args...)...); r.code != exitUsage {
			t.Errorf("%s: code %d: %s", args, r.code, r.stderr)
		}
	}
}

// What to do stands on a line of its own, and no line is wider than the terminal.
func TestCheckText(t *testing.T) {
	t.Parallel()
	l := checkLine{Check: "ledger", Status: checkFailed, Text: "the table is gone, as was reported by a service with a long name: make it with handler outbox init. Then run it again", Do: "make it with handler outbox init. Then run it again"}
	const want = `failed   ledger       the table is gone, as was reported by a
                      service with a long name:
                      make it with handler outbox init. Then
                      run it again
`
	if diff := cmp.Diff(want, checkText(l, console.Style{Width: 61})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, width := range []int{20, 40, 60, 100, 160} {
		for _, status := range []string{checkOK, checkWarning, checkFailed} {
			l.Status = status
			for line := range strings.Lines(checkText(l, console.Style{Width: width})) {
				if w := text.Width(strings.TrimSuffix(line, "\n")); w > width {
					t.Errorf("at width %d: %d: %s", width, w, line)
				}
			}
		}
	}
	if colored := checkText(l, console.Style{Width: 80, Color: true}); !strings.Contains(colored, "\x1b[1;97;41mfailed\x1b[0m  ledger") && !strings.Contains(colored, "\x1b[1;97;41mfailed\x1b[0m   ledger") {
		t.Errorf("%q", colored)
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"all settings are valid": "",
		"x is not set: the host does not find it. Set it to 0, or leave it": "Set it to 0, or leave it",
		"x holds no data at all: connect the tables. Until then":            "connect the tables. Until then",
		"the setting X is \"a\": expected one of b":                         "expected one of b",
		"dial tcp: connect: connection refused: check the endpoint":         "check the endpoint",
		"settings: setting the scene":                                       "",
		"x: 403: give the identity the role: Reader":                        "give the identity the role: Reader",
	} {
		if _, do := advice(text); do != want {
			t.Errorf("%s: %q, want %q", text, do, want)
		}
	}
}
