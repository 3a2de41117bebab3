package settings

import (
	"cmp"
	"errors"
	"os"
	"strings"

	"pushback/detect/suggest"
)

// standInWorkflows are the workflows' addresses that stand for those in a key vault, by
// cloud where that is not the public one. None is ever sent anything.
var standInWorkflows = map[string]string{
	"usgovernment": "https://in-the-vault.environment.api.high.powerplatform.microsoft.us/x",
	"china":        "https://in-the-vault.environment.api.powerplatform.partner.microsoftonline.cn/x",
}

// standIns stand for the values of settings that are in a key vault, so that the rest can
// be read as serve reads it. Those that are not here are right without one.
var standIns = map[string]string{
	"WEBHOOK_URL":      "https://in-the-vault.invalid/x",
	"WEBHOOK_SECRET":   "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw",
	"TABLE_CONNECTION": "AccountName=invault;AccountKey=MDAw",
	"WORKSPACE_ID":     "00000000-0000-0000-0000-000000000000",
	"ALERTS_ENDPOINT":  "https://in-the-vault.invalid",
	"ALERTS_RULE":      "dcr-00000000000000000000000000000000",
}

// Deployed reads settings that an app elsewhere has, in the place of those of the
// environment, and returns what is wrong with them as serve would say it there. What is
// a reference to a key vault is taken for right.
func Deployed(values map[string]string) (Settings, error) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, Prefix+"_") {
			if err := os.Unsetenv(name); err != nil {
				return Settings{}, err
			}
		}
	}
	var errs []error
	for name, value := range values {
		if !strings.HasPrefix(name, Prefix+"_") {
			continue
		}
		if IsReference(value) {
			workflow := cmp.Or(standInWorkflows[strings.ToLower(values[Prefix+"_CLOUD"])], "https://in-the-vault.environment.api.powerplatform.com/x")
			switch {
			case name == TeamsAddress, addressForm.MatchString(name):
				value = workflow
			case name == Prefix+"_TEAMS_ROUTES":
				value = "High=" + workflow
			default:
				value = standIns[strings.TrimPrefix(name, Prefix+"_")]
			}
			if value == "" {
				continue // its default is right
			}
		}
		errs = append(errs, os.Setenv(name, value))
	}
	if err := errors.Join(errs...); err != nil {
		return Settings{}, err
	}
	return ReadFor("serve")
}

// IsReference reports whether a value is a reference to a key vault.
func IsReference(value string) bool { return unresolved(strings.TrimSpace(value)) }

// Meant returns the setting that was probably meant by a name that is none, or nothing.
func Meant(name string) string {
	return suggest.Nearest(strings.ToUpper(name), keys())
}
