package main

import (
	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/enrich"
)

// withContext has a detector look up context by the querier that runs the
// rules, and hold back what the settings say.
func withContext(config *detect.Config, s settings, querier detect.Querier) error {
	least, err := alert.ParseSeverity(s.MinSeverity.value)
	if err != nil {
		return err
	}
	config.MinSeverity, config.RiskCutoff = least, s.RiskCutoff.value
	if s.Context.value == "on" {
		c := enrich.DefaultConfig()
		if s.SeveritySteps.value != nil {
			c.Steps = s.SeveritySteps.value
		}
		config.Enricher = enrich.New(c, querier)
	}
	return nil
}
