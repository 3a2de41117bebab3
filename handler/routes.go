package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/route"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// routesFile is a file of routes.
type routesFile struct {
	list     []route.Route
	set      *route.Set
	warnings []string
}

// readRoutes reads a file of routes for rules. If some rules could not be read, no name
// of one is taken for wrong.
func readRoutes(path string, s settings.Settings, rules []*rule.Rule, allRead bool) (*routesFile, error) {
	words := routeWords(s, rules, allRead)
	list, problems := route.Load(path, words)
	f := &routesFile{list: list}
	for _, p := range problems {
		if p.Warning {
			f.warnings = append(f.warnings, strings.Replace(p.String(), "warning: ", "", 1))
		}
	}
	if err := route.Errors(problems); err != nil {
		return nil, err
	}
	f.set = route.New(list, route.Names{
		Rules: routeRules(s, rules), Workspace: s.WorkspaceID,
		Destination: func(setting string) string { destination, _ := words.Setting(setting); return destination },
		Same:        func(setting string) string { return sameSetting(s, setting) },
	})
	return f, nil
}

// routeWords are the names that routes can use.
func routeWords(s settings.Settings, rules []*rule.Rule, allRead bool) route.Words {
	w := route.Words{
		EntityType: rule.EntityType, Tactics: rule.Tactics(), Settings: addressSettings(),
		Setting: func(name string) (destination, wrong string) { return addressSetting(s, name) },
	}
	if allRead {
		w.Rules = routeRules(s, rules)
	}
	if s.WorkspaceID != "" {
		w.Workspaces = append([]string{s.WorkspaceID}, s.AdditionalWorkspaces...)
	}
	return w
}

// routeRules are rules by the names that routes may call them, with what their alerts
// can be: those that run, those that ship, and Pushback's own.
func routeRules(s settings.Settings, rules []*rule.Rule) (list []route.Rule) {
	byID := map[string]*rule.Rule{}
	for _, r := range slices.Concat(rule.Shipped(), rules) {
		byID[strings.ToLower(r.ID)] = r
	}
	runs := map[string]bool{}
	for _, r := range rules {
		runs[strings.ToLower(r.ID)] = !r.Disabled
	}
	for _, one := range silenceRules(rules) {
		id := strings.ToLower(one.ID)
		of, r := byID[id], route.Rule{ID: one.ID, Name: one.Name, Shipped: one.Shipped, Runs: one.Runs, Most: alert.High}
		if !one.Runs && runs[id] {
			continue // it is there twice, as one that ships and as one that runs
		}
		r.Tactics, r.AnyTactic = of.Tactics, of.AlertDetails.TacticsColumn != ""
		if !s.Context && of.AlertDetails.SeverityColumn == "" { // else findings may raise it
			r.Most = of.Severity
		}
		list = append(list, r)
	}
	return append(list, route.Rule{ID: detect.HealthRuleID, Name: detect.HealthRuleName, Runs: true, Most: alert.Medium})
}

// addressSetting returns the destination whose address a setting holds, or nothing, and
// what is wrong with the setting.
func addressSetting(s settings.Settings, name string) (destination, wrong string) {
	for _, d := range destinations {
		own := settings.Prefix + "_" + d.setting
		if d.addresses == nil || name != own && !(d.several && strings.HasPrefix(name, own+"_")) {
			continue
		}
		if slices.ContainsFunc(d.addresses(s), func(a heldAddress) bool { return a.setting == name }) {
			return d.name, ""
		}
		return d.name, fmt.Sprintf("the setting %s is not set, or is wrong: it is to hold the address", name)
	}
	return "", ""
}

// addressSettings says how the settings are called that hold addresses.
func addressSettings() string {
	var names []string
	for _, d := range destinations {
		own := settings.Prefix + "_" + d.setting
		switch {
		case d.several:
			names = append(names, own+", or "+own+"_ and a name")
		case d.addresses != nil:
			names = append(names, own)
		}
	}
	return strings.Join(names, "; ")
}

// sameSetting returns the first setting of those that hold the same address.
func sameSetting(s settings.Settings, setting string) string {
	for _, d := range destinations {
		if d.addresses == nil {
			continue
		}
		all := d.addresses(s)
		if i := slices.IndexFunc(all, func(a heldAddress) bool { return a.setting == setting }); i >= 0 {
			return all[slices.IndexFunc(all, all[i].same)].setting
		}
	}
	return setting
}

// use has a detector send alerts where the routes say.
func (f *routesFile) use(config *detect.Config) {
	config.Routes = func(destination string, a alert.Alert) (at []ledger.Target, routed bool) {
		targets, routed := f.set.At(f.set.Decide(a), destination)
		for _, t := range targets {
			at = append(at, ledger.Target{Address: t.Setting, Mentions: t.Mentions})
		}
		return at, routed
	}
}

// unnamed lists the settings of addresses that no route names. What is sent where no
// route says anything needs none.
func (f *routesFile) unnamed(s settings.Settings) (list []string) {
	for _, d := range destinations {
		if d.addresses == nil {
			continue
		}
		for _, a := range d.addresses(s) {
			named := f != nil && slices.ContainsFunc(f.list, func(r route.Route) bool { return slices.Contains(r.To, a.setting) })
			if !named && a.setting != settings.Prefix+"_"+d.setting {
				list = append(list, a.setting)
			}
		}
	}
	return list
}

// routes reads the file of routes. One that is wrong counts for nothing: alerts go where
// they would without it.
func (a *app) routes(config *detect.Config, rules []*rule.Rule, allRead bool) error {
	if a.settings.Routes == "" {
		return nil
	}
	f, err := readRoutes(a.settings.Routes, a.settings, rules, allRead)
	if err != nil {
		a.log.Error("the file of routes counts for nothing, and every tick fails until it is put right; alerts go to each destination's own address", "errors", failures(err))
		return err
	}
	for _, w := range f.warnings {
		a.log.Warn(w)
	}
	f.use(config)
	return nil
}

// routes checks the file of routes, and lists what is in it.
func (c *checker) routes() {
	path := c.settings.Routes
	set := readRules(c.settings.Rules) // those of other shares too
	var f *routesFile
	if path != "" {
		var err error
		if f, err = readRoutes(path, c.settings, set.rules, set.allRead()); err != nil {
			c.fail("route", err)
			c.note("route", checkFailed, "%s (%s_ROUTES) counts for nothing until it is put right: alerts go to each destination's own address", path, settings.Prefix)
			return
		}
		for _, w := range f.warnings {
			c.note("route", checkWarning, "%s", w)
		}
		for _, r := range f.set.All() {
			c.note("route", checkOK, "%s sends %.400s to %s", r.Title(), matchText(r.Match), routeTo(r))
		}
		if len(f.list) == 0 {
			c.note("route", checkWarning, "%s has no routes: alerts go to each destination's own address", path)
		}
	}
	for _, name := range f.unnamed(c.settings) {
		c.note("route", checkWarning, "no route names %s, so that nothing but heartbeats is sent there: name it in the file of %s_ROUTES, or remove it", name, settings.Prefix)
	}
}

// matchText says in words what a route matches.
func matchText(m route.Match) string {
	parts := []string{"alerts"}
	add := func(word string, values ...string) {
		if len(values) > 0 {
			parts = append(parts, word+" "+strings.Join(values, " or "))
		}
	}
	add("of the rules", m.Rules...)
	if m.Severity > alert.Informational {
		add("from severity", m.Severity.String())
		parts[len(parts)-1] += " on"
	}
	add("with the tactic", m.Tactics...)
	for _, e := range m.Entities {
		add("about an entity with", e.String())
	}
	add("of the workspace", m.Workspaces...)
	hours := make([]string, len(m.Hours))
	for i, h := range m.Hours {
		hours[i] = h.String()
	}
	add("made", hours...)
	if len(parts) == 1 {
		return "all alerts"
	}
	return strings.Join(parts, " ")
}

// routeTo says where a route sends alerts.
func routeTo(r *route.Route) string {
	to := strings.Join(r.To, " and ")
	if names := mentionNames(r.Mention); names != "" {
		to += ", mentions " + names
	}
	if r.Continue {
		to += ", and goes on"
	}
	return to
}

func mentionNames(list []alert.Mention) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = fmt.Sprintf("%s (%s)", m.Name, m.ID)
	}
	return strings.Join(names, ", ")
}

// routeProblems checks the files of routes that stand beside the rules of a path, for
// lint. Settings are those of the environment: where it has none they are elsewhere.
func routeProblems(path string, rules []*rule.Rule, allRead bool) (problems []rule.Problem) {
	s, _ := settings.Read() // what is wrong with settings check says
	words := routeWords(s, rules, allRead)
	words.Elsewhere = !slices.ContainsFunc(destinations, func(d destination) bool { return d.addresses != nil && len(d.addresses(s)) > 0 })
	for i := range words.Rules { // which of those that ship run the app's settings say
		words.Rules[i].Runs = words.Rules[i].Runs || words.Rules[i].Shipped != ""
	}
	for _, file := range rule.Beside(path, "routes") {
		_, found := route.Load(file, words)
		for _, p := range found {
			problems = append(problems, rule.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message, Warning: p.Warning})
		}
	}
	slices.SortStableFunc(problems, func(a, b rule.Problem) int { return cmp.Compare(a.File, b.File) })
	return problems
}
