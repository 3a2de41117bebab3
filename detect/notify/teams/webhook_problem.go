package teams

import (
	"slices"
	"strings"
)

// WebhookProblem is why an address may not be that of a workflow that takes cards.
type WebhookProblem struct {
	// Certain says that no card sent there arrives.
	Certain bool
	// Text says what is wrong and what to do, without the address.
	Text string
}

// copyIt is where the right address is.
const copyIt = "copy the address that the workflow's trigger shows, When a Teams webhook request is received"

// Problems says what in the address tells that it is not one that takes cards. The
// zero value has none.
func (w WebhookURL) Problems() []WebhookProblem {
	if w.IsZero() {
		return nil
	}
	u := w.reveal()
	host := strings.ToLower(u.Hostname())
	of := func(domains ...string) bool {
		for _, d := range domains {
			if host == d || strings.HasSuffix(host, "."+d) {
				return true
			}
		}
		return false
	}
	var problems []WebhookProblem
	add := func(certain bool, text string) { problems = append(problems, WebhookProblem{certain, text}) }
	switch {
	case of("webhook.office.com") || host == "outlook.office.com" || host == "outlook.office365.com":
		add(true, "this is a connector's address ("+host+"), and Microsoft has retired connectors: make a workflow in the channel, and "+copyIt)
		return problems
	case of("make.powerautomate.com", "make.powerapps.com", "flow.microsoft.com", "make.gov.powerautomate.us", "portal.azure.com", "portal.azure.us", "portal.azure.cn",
		"teams.microsoft.com", "teams.cloud.microsoft", "adaptivecards.io", "adaptivecards.microsoft.com"):
		add(true, "this is the address of a page ("+host+"), such as the designer's, which takes no cards: "+copyIt)
		return problems
	case of("logic.azure.com", "logic.azure.us", "logic.azure.cn"):
		add(false, "workflows of Power Automate are no longer reached at addresses in logic.azure.com, only Logic Apps are: if this is one of Power Automate, "+copyIt+", which is in powerplatform.com now")
	}
	if strings.Contains(strings.ToLower(u.String()), "&amp;") {
		add(true, "the address has &amp; where & belongs, so that it was copied out of HTML or XML: put & in the place of each &amp;")
		return problems
	}
	if !w.signed() && w.audience == "" {
		certain := slices.ContainsFunc(workflowHosts, func(h workflowHost) bool { return of(h.domain) })
		add(certain, "the address has no sig, the signature that a workflow asks for: copy all of it, to the end, and in a shell put it in single quotes. "+
			"If only users of the tenant may start the workflow it needs none: set PUSHBACK_TEAMS_AUTH=identity")
	}
	return problems
}
