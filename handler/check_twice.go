package main

import (
	"cmp"
	"context"
	"fmt"

	"pushback/detect/rule"
	"pushback/detect/rule/pull"
	"pushback/handler/settings"
)

// twice warns of rules that are switched on in the workspace, too: both would report the
// same.
func (c *checker) twice(ctx context.Context, rules []*rule.Rule) {
	if cmp.Or(c.settings.WorkspaceResourceID, c.settings.SentinelWorkspace) == "" {
		c.note("twice", checkOK, "whether rules are switched on in the workspace, too, is not checked: that needs %s_WORKSPACE_RESOURCE_ID", settings.Prefix)
		return
	}
	client, err := openRules(c.settings, "", impatient)
	var there pull.Rules
	if err == nil {
		there, err = client.Rules(ctx)
	}
	if err != nil {
		c.note("twice", checkWarning, "whether rules are switched on in the workspace, too, is not known: %v", err)
		return
	}
	found := pull.Twice(rules, there.List)
	for _, t := range found {
		c.note("twice", checkWarning, "%s: %q is switched on here and, as %s, in the workspace (%s): both would report the same. Switch one of them off",
			t.Here.File, t.Here.Name, fmt.Sprintf("%q", t.There.Name), t.Why)
	}
	if len(found) == 0 {
		c.note("twice", checkOK, "no rule is switched on in the workspace, too")
	}
}
