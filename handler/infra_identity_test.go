package main

import (
	"strings"
	"testing"
)

// A webhook that the app's identity opens is no secret: its address is in the settings
// and not in the vault. Another is in the vault alone.
func TestInfraIdentity(t *testing.T) {
	t.Parallel()
	// The prediction leaves out what is a secret.
	infra := infraIn(t, azureEnvironments["public"], func(text string) string {
		return strings.ReplaceAll(text, "@secure()\nparam teamsWebhookUrl", "param teamsWebhookUrl")
	})
	for _, tc := range []struct {
		name       string
		parameters []string
		secrets    int
		address    string // what the setting begins with
		auth       any
	}{
		{"signature", []string{"param teamsWebhookUrl = '" + standInWebhook + "'"}, 1, "format('@Microsoft.KeyVault(SecretUri=", nil},
		{"identity", []string{"param teamsWebhookUrl = '" + flowAddress + "'", "param teamsAuth = 'identity'"}, 0, flowAddress, "identity"},
		{"none", []string{"param teamsAuth = 'identity'"}, 0, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, err := predicted(t, infra, tc.parameters...)
			if err != nil {
				t.Fatal(err)
			}
			secrets := 0
			for _, s := range d.of("Microsoft.KeyVault/vaults/secrets") {
				if strings.HasSuffix(s.text("name"), "/teams-webhook-url") {
					secrets++
				}
			}
			if secrets != tc.secrets {
				t.Errorf("%d secrets in the vault, want %d", secrets, tc.secrets)
			}
			settings := d.settings(t, d.of("Microsoft.Web/sites")[0].text("name"))
			address, _ := settings["PUSHBACK_TEAMS_WEBHOOK_URL"].(string)
			if !strings.HasPrefix(address, tc.address) || (address == "") != (tc.address == "") || settings["PUSHBACK_TEAMS_AUTH"] != tc.auth {
				t.Errorf("the settings are %q and %v", address, settings["PUSHBACK_TEAMS_AUTH"])
			}
		})
	}
}
