package main

import (
	"pushback/detect"
	"pushback/detect/enrich"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// withContext has a detector look up context by the querier that runs the
// rules, what those bring among it, and hold back what the settings say.
func withContext(config *detect.Config, s settings.Settings, querier detect.Querier, rules []*rule.Rule) {
	config.MinSeverity, config.RiskCutoff = s.MinSeverity, s.RiskCutoff
	if s.Context {
		c := enrich.DefaultConfig()
		c.History, c.Aftermath, c.Bombing, c.Repeated, c.IPv6Prefix = s.History, s.Aftermath, s.Bombing, s.Repeated, s.IPv6Prefix
		if s.SeveritySteps != nil {
			c.Steps = s.SeveritySteps
		}
		c.Brought = enrich.BroughtBy(rules)
		config.Enricher = enrich.New(c, querier)
	}
}
