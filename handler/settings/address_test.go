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
	if unknown := Unknown(); len(unknown) != 1 {
		t.Errorf("unknown: %v", unknown)
	}
}
