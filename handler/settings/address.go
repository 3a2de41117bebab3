package settings

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/notify/teams"
	"pushback/detect/secret"
)

// TeamsAddress is the setting of the webhook for all that no route takes. Others have a
// setting whose name is this one with _ and a name behind it.
const TeamsAddress = Prefix + "_TEAMS_WEBHOOK_URL"

var addressForm = regexp.MustCompile("^" + TeamsAddress + "_[A-Z0-9][A-Z0-9_]{0,63}$")

// isAddress reports whether a variable is a setting of a further webhook.
func isAddress(name string) bool { return addressForm.MatchString(name) }

// readAddresses returns the further webhooks, by name, and what is wrong with those that
// are wrong. An empty one is as if it were not set.
func readAddresses(given map[string]bool) (list []teams.Named, problems []error) {
	for _, variable := range os.Environ() {
		name, text, _ := strings.Cut(variable, "=")
		if text = strings.TrimSpace(text); !isAddress(name) || text == "" {
			continue
		}
		given[name] = true
		if unresolved(text) {
			problems = append(problems, unresolvedError(name))
			continue
		}
		w, err := teams.ParseWebhookURL(text)
		if err != nil {
			expected := "the https:// address that the workflow shows; " + strings.TrimPrefix(err.Error(), "teams: ")
			problems = append(problems, fmt.Errorf("the setting %s is not right: expected %s", name, secret.HideEcho(expected, text)))
			continue
		}
		list = append(list, teams.Named{Name: name, Webhook: w})
	}
	slices.SortFunc(list, func(a, b teams.Named) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return list, problems
}
