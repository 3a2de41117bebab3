package main

import (
	"cmp"
	"fmt"
	"strings"

	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// buttons says which buttons cards have, and what brings those that are missing. A
// card has a button only where it leads somewhere.
func (c *checker) buttons(rules []*rule.Rule) {
	if c.settings.TeamsWebhookURL.IsZero() {
		return
	}
	present, missing := buttonsOf(c.settings, rules)
	said := "cards have no button"
	if len(present) > 0 {
		said = "cards have the buttons " + strings.Join(present, ", ")
	}
	if len(missing) > 0 {
		said += ". Without a button: " + strings.Join(missing, "; ")
	}
	c.note("buttons", checkOK, "%s", said)
}

// buttonsOf returns the buttons that cards have, and for each that is missing what
// to do.
func buttonsOf(s settings.Settings, rules []*rule.Rule) (present, missing []string) {
	add := func(is bool, name, otherwise string) {
		if is {
			present = append(present, name)
		} else {
			missing = append(missing, name+": "+otherwise)
		}
	}
	setting := func(name string) string { return settings.Prefix + "_" + name }
	links := cardLinks(s)
	incidents := s.SentinelWorkspace != "" || s.AlertsEndpoint != "" && s.AlertsRule != ""
	if s.Cloud == "china" {
		missing = append(missing, "Incident: Microsoft Sentinel, which has them, ended in this cloud in August 2026")
	} else {
		add(incidents, "Incident", fmt.Sprintf("set %s and %s, which the deployment's template does", setting("ALERTS_ENDPOINT"), setting("ALERTS_RULE")))
	}
	signIns, user := "Sign-ins in Defender", "User in Defender"
	if links.Portal != portal.Defender {
		signIns, user = "Sign-ins in Logs", "User in Entra"
	}
	if links.NoPortal {
		missing = append(missing, fmt.Sprintf("%s, %s: which portals there are depends on %s, and that is not right", signIns, user, setting("CLOUD")))
	} else {
		add(links.Portal == portal.Defender || links.WorkspaceResourceID != "", signIns, "set "+setting("WORKSPACE_RESOURCE_ID")+" to the resource id of the workspace")
		present = append(present, user)
	}
	var without []string
	for _, r := range rules {
		if r.Guidance == "" {
			without = append(without, cmp.Or(r.Name, r.ID))
		}
	}
	if len(without) < len(rules) {
		present = append(present, portal.Guidance)
	}
	if len(without) > 0 {
		missing = append(missing, fmt.Sprintf("%s of %s: name its address in the rule, under pushback: guidance", portal.Guidance,
			strings.Join(text.List(without, 3, func(name string) string { return text.Quoted(name) }), ", ")))
	}
	return present, missing
}
