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
// setting whose name is this one with _ and a name behind it. TeamsAuth is the setting
// of how all of them know who posts, and with _ and such a name of how that one does.
const (
	TeamsAddress = Prefix + "_TEAMS_WEBHOOK_URL"
	TeamsAuth    = Prefix + "_TEAMS_AUTH"
)

// byIdentity is the value of TeamsAuth that sends a token.
const byIdentity = "identity"

var (
	addressForm = regexp.MustCompile("^" + TeamsAddress + "_[A-Z0-9][A-Z0-9_]{0,63}$")
	authForm    = regexp.MustCompile("^" + TeamsAuth + "_[A-Z0-9][A-Z0-9_]{0,63}$")
)

// isAddress reports whether a variable is a setting of a further webhook.
func isAddress(name string) bool { return addressForm.MatchString(name) || authForm.MatchString(name) }

// readAddresses returns the further webhooks, by name, and what is wrong with those that
// are wrong. An empty one is as if it were not set.
func readAddresses(given map[string]bool, auth, cloud string) (list []teams.Named, problems []error) {
	auths := readAuths(given, &problems)
	for _, variable := range os.Environ() {
		name, text, _ := strings.Cut(variable, "=")
		if text = strings.TrimSpace(text); !addressForm.MatchString(name) || text == "" {
			continue
		}
		given[name] = true
		of := TeamsAuth + strings.TrimPrefix(name, TeamsAddress)
		own, set := auths[of]
		if delete(auths, of); !set {
			of, own = TeamsAuth, auth
		}
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
		if own == byIdentity {
			if w, err = withIdentity(w, name, of, cloud); err != nil {
				problems = append(problems, err)
			}
			if w.IsZero() {
				continue
			}
		}
		list = append(list, teams.Named{Name: name, Webhook: w})
	}
	for of := range auths {
		problems = append(problems, fmt.Errorf("the setting %s is set without %s: expected that too, the webhook that it is about", of, TeamsAddress+strings.TrimPrefix(of, TeamsAuth)))
	}
	slices.SortStableFunc(list, func(a, b teams.Named) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return list, problems
}

// readAuths returns how single webhooks know who posts, by the names of the settings.
func readAuths(given map[string]bool, problems *[]error) map[string]string {
	auths := map[string]string{}
	for _, variable := range os.Environ() {
		name, text, _ := strings.Cut(variable, "=")
		if text = strings.TrimSpace(text); !authForm.MatchString(name) || text == "" {
			continue
		}
		given[name] = true
		var value choice
		if expected := value.read(text, `choices:"signature,identity"`); expected != "" {
			*problems = append(*problems, fmt.Errorf("the setting %s %s: expected %s", name, Quoted(text), expected))
		}
		auths[name] = value.value
	}
	return auths
}

// withIdentity returns an address that is posted to with a token of the app's identity.
// It is none if it cannot be, so that nothing is posted to it without one. Of a cloud
// that is not right it is said elsewhere.
func withIdentity(w teams.WebhookURL, name, of, cloud string) (teams.WebhookURL, error) {
	if cloud == "" || w.IsZero() {
		return teams.WebhookURL{}, nil
	}
	with, err := w.WithIdentity(cloud)
	if err != nil {
		return teams.WebhookURL{}, fmt.Errorf("the setting %s does not go with %s=%s: %s", name, of, byIdentity, strings.TrimPrefix(err.Error(), "teams: "))
	}
	return with, nil
}

// identify has the webhooks without a name of their own be posted to as TeamsAuth says.
func (v *variables) identify(problems *[]error) {
	if v.TeamsAuth.value != byIdentity {
		return
	}
	identify := func(w *teams.WebhookURL, name string) {
		with, err := withIdentity(*w, name, TeamsAuth, v.Cloud.value)
		if *w = with; err != nil {
			*problems = append(*problems, err)
		}
	}
	identify(&v.TeamsWebhookURL.value, TeamsAddress)
	for i := range v.TeamsRoutes.value {
		identify(&v.TeamsRoutes.value[i].Webhook, Prefix+"_TEAMS_ROUTES")
	}
	v.TeamsRoutes.value = slices.DeleteFunc(v.TeamsRoutes.value, func(r teams.Route) bool { return r.Webhook.IsZero() })
}
