package rule

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

func (p *parser) incident(n *yaml.Node) {
	p.mapping(n, "incidentConfiguration", map[string]field{
		"createIncident": func(n *yaml.Node) {
			if create, ok := p.truth(n, "createIncident"); ok {
				p.rule.Incident.CreateIncident = create
			}
		},
		"groupingConfiguration": p.incidentGrouping,
	})
}

func (p *parser) incidentGrouping(n *yaml.Node) {
	g := &p.rule.Incident.Grouping
	p.mapping(n, "groupingConfiguration", map[string]field{
		"enabled":              func(n *yaml.Node) { g.Enabled, _ = p.truth(n, "enabled") },
		"reopenClosedIncident": func(n *yaml.Node) { g.ReopenClosedIncident, _ = p.truth(n, "reopenClosedIncident") },
		"lookbackDuration": func(n *yaml.Node) {
			if d, ok := p.duration(n, "lookbackDuration"); ok {
				g.LookbackDuration = d
			}
		},
		"matchingMethod": func(n *yaml.Node) {
			if i, ok := p.choice(n, "matchingMethod", matchingMethodNames); ok {
				g.MatchingMethod = MatchingMethod(i)
				p.note("matchingMethod", n)
			}
		},
		"groupByEntities":     func(n *yaml.Node) { g.GroupByEntities = p.names(n, "groupByEntities", entityTypeNames) },
		"groupByAlertDetails": func(n *yaml.Node) { g.GroupByAlertDetails = p.names(n, "groupByAlertDetails", groupableAlertDetails) },
		"groupByCustomDetails": func(n *yaml.Node) {
			p.list(n, "groupByCustomDetails", func(_ int, item *yaml.Node) {
				if name, ok := p.text(item, "an item of groupByCustomDetails"); ok {
					p.note("groupByCustomDetails "+name, item)
					g.GroupByCustomDetails = append(g.GroupByCustomDetails, name)
				}
			})
		},
	})
}

// names reads a list of known names.
func (p *parser) names(n *yaml.Node, what string, known []string) (names []string) {
	p.list(n, what, func(_ int, item *yaml.Node) {
		if i, ok := p.choice(item, "an item of "+what, known); ok {
			p.note(what+" "+known[i], item)
			names = append(names, known[i])
		}
	})
	return names
}

// checkIncident reports a grouping by what the rule does not have. It runs last:
// the keys may come in any order.
func (p *parser) checkIncident() {
	g := p.rule.Incident.Grouping
	for _, name := range g.GroupByEntities {
		if !slices.ContainsFunc(p.rule.EntityMappings, func(m EntityMapping) bool { return m.EntityType == name }) {
			p.report(p.at["groupByEntities "+name], true, "groupByEntities names %s, which entityMappings does not map: it groups nothing", name)
		}
	}
	details := make([]string, len(p.rule.CustomDetails))
	for i, d := range p.rule.CustomDetails {
		details[i] = d.Name
	}
	for _, name := range g.GroupByCustomDetails {
		if !slices.Contains(details, name) {
			p.report(p.at["groupByCustomDetails "+name], true, "groupByCustomDetails names %q, which customDetails does not have%s",
				clip(name), suggestion(name, details))
		}
	}
	if g.Enabled && g.MatchingMethod == Selected && len(g.GroupByEntities)+len(g.GroupByAlertDetails)+len(g.GroupByCustomDetails) == 0 {
		p.report(p.at["matchingMethod"], false, "matchingMethod Selected has nothing selected: fill groupByEntities, groupByAlertDetails or groupByCustomDetails")
	}
}
