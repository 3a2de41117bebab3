package main

import (
	"fmt"
	"time"

	"pushback/detect/kql"
	"pushback/detect/look"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// looks is what is known of the rules' looks for late records.
type looks struct {
	// beginnings are what looks ask for, by the rule's id.
	beginnings map[string][]look.Beginning
	// without says why a rule has no looks, by its id: its late passes run instead.
	without map[string]error
}

// looksOf reads the beginnings of the rules' queries.
func looksOf(rules []*rule.Rule, catalog kql.Catalog) looks {
	l := looks{beginnings: make(map[string][]look.Beginning), without: make(map[string]error)}
	for _, r := range rules {
		beginnings, err := catalog.Beginnings(r.Query.Text)
		list := []look.Beginning{}
		for _, b := range beginnings {
			schema := catalog.Tables[b.Table]
			if at := schema.Index("TimeGenerated"); at < 0 || schema[at].Type != kql.DateTime {
				err = fmt.Errorf("the records of %s have no TimeGenerated", b.Table)
			}
			list = append(list, look.Beginning(b))
		}
		if err != nil {
			l.without[r.ID] = err
		} else {
			l.beginnings[r.ID] = list
		}
	}
	return l
}

// lateLook returns how long late records are looked for. Where that is not set it
// is no longer than what was reported is remembered.
func lateLook(s settings.Settings, rules []*rule.Rule) time.Duration {
	within := s.LateLook
	if s.Given("LATE_LOOK") {
		return within
	}
	for _, r := range rules {
		within = min(within, max(s.Lateness, s.SeenRetention-r.QueryPeriod-s.CatchUp))
	}
	return within
}
