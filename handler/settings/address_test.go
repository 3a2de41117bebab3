package settings

import (
	"fmt"
	"strings"
	"testing"
)

// TestAddresses pins which variables hold further webhooks, and that none is ever shown.
func TestAddresses(t *testing.T) {
	const hook, key = "https://teams.example/workflows/1?sig=c2VjcmV0", TeamsAddress
	for _, tt := range []struct {
		name  string
		env   map[string]string
		names string // of the addresses
		want  []string
	}{
		{name: "some", env: map[string]string{key: hook, key + "_B": hook, key + "_A1": " " + hook + " ", key + "_C": ""}, names: key + "_A1 " + key + "_B"},
		{name: "no address", env: map[string]string{key: hook, key + "_B": "http://teams.example/c2VjcmV0"}, want: []string{"the setting " + key + "_B is not right: expected the https:// address that the workflow shows; the webhook's address does not start"}},
		{name: "not resolved", env: map[string]string{key: hook, key + "_B": "@Microsoft.KeyVault(SecretName=c2VjcmV0)"}, want: []string{key + "_B is a Key Vault reference that is not resolved"}},
		{name: "without the first", env: map[string]string{key + "_B": hook}, names: key + "_B", want: []string{"the setting " + key + "_B is set without " + key}},
		{name: "two forms", env: map[string]string{key: hook, "PUSHBACK_ROUTES": "routes.yaml", "PUSHBACK_TEAMS_ROUTES": "High=" + hook}, want: []string{"PUSHBACK_ROUTES and PUSHBACK_TEAMS_ROUTES are both set"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			s, err := Read()
			var names []string
			for _, n := range s.TeamsAddresses {
				names = append(names, n.Name)
			}
			if got := strings.Join(names, " "); got != tt.names {
				t.Errorf("addresses %q", got)
			}
			text := fmt.Sprint(err)
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("there is no %q in %s", want, text)
				}
			}
			if len(tt.want) == 0 && err != nil || strings.Contains(text+fmt.Sprintf("%+v %#v", s, s), "c2VjcmV0") {
				t.Errorf("%s %+v", text, s)
			}
			if unknown := Unknown(); len(unknown) > 0 {
				t.Errorf("unknown: %v", unknown)
			}
		})
	}
	t.Setenv(key+"_lower", hook)
	t.Setenv(TeamsAuth+"_A", "identity")
	if unknown := Unknown(); len(unknown) != 1 {
		t.Errorf("unknown: %v", unknown)
	}
}

// TestAuth pins with which webhooks a token of the app's identity goes.
func TestAuth(t *testing.T) {
	const (
		flow, gov = "https://d.2f.environment.api.powerplatform.com/workflows/c2VjcmV0", "https://d.2.environment.api.high.powerplatform.microsoft.us/workflows/c2VjcmV0"
		signed    = "https://d.2f.environment.api.powerplatform.com/workflows/c2VjcmV0?sig=c2VjcmV0"
		audience  = "https://service.flow.microsoft.com/"
		key, auth = TeamsAddress, TeamsAuth
	)
	for _, tt := range []struct {
		name  string
		env   map[string]string
		first string // the audience of the webhook for all others
		named string // the audiences of the others
		want  []string
	}{
		{name: "by signature", env: map[string]string{key: signed, key + "_A": signed}, named: key + "_A="},
		{name: "all", env: map[string]string{auth: "Identity", key: flow, key + "_A": flow + "2"}, first: audience, named: key + "_A=" + audience},
		{name: "one", env: map[string]string{auth + "_A": "identity", key: signed, key + "_A": flow, key + "_B": signed}, named: key + "_A=" + audience + " " + key + "_B="},
		{name: "all but one", env: map[string]string{auth: "identity", auth + "_A": "signature", key: flow, key + "_A": signed}, first: audience, named: key + "_A="},
		{name: "another cloud", env: map[string]string{auth: "identity", "PUSHBACK_CLOUD": "usgovernment", key: gov}, first: "https://high.service.flow.microsoft.us/"},
		{name: "routes", env: map[string]string{auth: "identity", key: flow, "PUSHBACK_TEAMS_ROUTES": "High=" + signed}, first: audience,
			want: []string{"the setting PUSHBACK_TEAMS_ROUTES does not go with PUSHBACK_TEAMS_AUTH=identity: the address has a signature"}},
		{name: "signed", env: map[string]string{auth: "identity", auth + "_A": "identity", key: signed, key + "_A": signed}, want: []string{
			"the setting PUSHBACK_TEAMS_WEBHOOK_URL does not go with PUSHBACK_TEAMS_AUTH=identity: the address has a signature",
			"the setting PUSHBACK_TEAMS_WEBHOOK_URL_A does not go with PUSHBACK_TEAMS_AUTH_A=identity: the address has a signature"}},
		{name: "the cloud of others", env: map[string]string{auth: "identity", key: gov}, want: []string{"the address is of a workflow in the cloud usgovernment"}},
		{name: "no cloud", env: map[string]string{auth: "identity", "PUSHBACK_CLOUD": "moon", key: flow}, want: []string{"PUSHBACK_CLOUD"}},
		{name: "anywhere", env: map[string]string{auth: "identity", key: "https://teams.example/c2VjcmV0"}, want: []string{"the host of the address, teams.example, is none of a workflow in the cloud public"}},
		{name: "neither", env: map[string]string{auth: "token", auth + "_A": "c2VjcmV0", key: flow, key + "_A": flow}, named: key + "_A=",
			want: []string{"PUSHBACK_TEAMS_AUTH", "the setting PUSHBACK_TEAMS_AUTH_A", "one of signature, identity"}},
		{name: "of no webhook", env: map[string]string{auth + "_A": "identity", key: signed}, want: []string{"the setting PUSHBACK_TEAMS_AUTH_A is set without PUSHBACK_TEAMS_WEBHOOK_URL_A"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, value := range tt.env {
				t.Setenv(name, value)
			}
			s, err := Read()
			var named []string
			for _, n := range s.TeamsAddresses {
				named = append(named, n.Name+"="+n.Webhook.Audience())
			}
			if got := strings.Join(named, " "); got != tt.named || s.TeamsWebhookURL.Audience() != tt.first {
				t.Errorf("audiences %q, %q", s.TeamsWebhookURL.Audience(), got)
			}
			text := fmt.Sprint(err)
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("there is no %q in %s", want, text)
				}
			}
			if len(tt.want) == 0 && err != nil || strings.Contains(strings.ReplaceAll(text, `"c2VjcmV0"`, ""), "c2VjcmV0") {
				t.Errorf("%s", text)
			}
			if unknown := Unknown(); len(unknown) > 0 {
				t.Errorf("unknown: %v", unknown)
			}
		})
	}
}
