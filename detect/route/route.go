// Package route says at which addresses alerts are sent, by what they are about and
// when they are made. Routes are in a reviewed file beside the rules, in their order.
//
// A destination is sent every alert at its own address, unless a route says otherwise. An
// address is known by the name of the setting that holds it, which belongs to a
// destination; what it is nobody sees.
package route

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/silence"
)

// Route sends the alerts that match to addresses.
type Route struct {
	// Name is its own, or empty, and Place where the file has it: routes.yaml:3.
	Name, Place string
	Match       Match
	// To are the names of the settings that hold the addresses, and Mention who is named
	// there.
	To      []string
	Mention []alert.Mention
	// Continue has the routes behind it be asked too.
	Continue bool

	line int
}

// Title names the route in a message.
func (r *Route) Title() string {
	if r.Name == "" {
		return r.Place
	}
	return r.Name + " (" + r.Place + ")"
}

// Match is what an alert must be. What is empty says nothing; of several values one must
// be so, and an alert must have an entity for each of Entities.
type Match struct {
	Rules      []string // ids, names and names of shipped rules; a * stands for any text
	Severity   alert.Severity
	Tactics    []string
	Entities   []Entity
	Workspaces []string
	Hours      []silence.Hours
}

// Entity is what an entity must be, in all of what is set.
type Entity struct {
	Type     string
	Names    []string // a * stands for any text
	Suffixes []string
	CIDR     []string
	Tags     []string // of an account; a * stands for any text
}

// String writes the entity as the file has it.
func (e Entity) String() string {
	var parts []string
	add := func(key string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			parts = append(parts, key+" "+strings.Join(values, " or "))
		}
	}
	add("type", e.Type)
	add("name", e.Names...)
	add("suffix", e.Suffixes...)
	add("cidr", e.CIDR...)
	add("tag", e.Tags...)
	return strings.Join(parts, ", ")
}

// Set is routes that are ready to be asked. It is safe for concurrent use, and may be
// nil, which is none.
type Set struct {
	routes []compiled
	names  Names
	// routed are the destinations of which a route names an address.
	routed map[string]bool
}

// Names are what routes are compared with that an alert does not say itself.
type Names struct {
	Rules []Rule
	// Workspace is the id of the one whose alerts do not name another.
	Workspace string
	// Destination returns whose address a setting holds, and Same the first of the
	// settings that hold the same one.
	Destination func(setting string) string
	Same        func(setting string) string
}

// compiled is a route with its patterns.
type compiled struct {
	*Route
	rules    []silence.Pattern
	entities []compiledEntity
}

type compiledEntity struct {
	Entity
	names, tags []silence.Pattern
	ranges      []netip.Prefix
}

// New returns routes that are ready to be asked.
func New(list []Route, names Names) *Set {
	s := &Set{names: names, routed: map[string]bool{}}
	for i := range list {
		c := compiled{Route: &list[i], rules: patterns(list[i].Match.Rules)}
		for _, e := range list[i].Match.Entities {
			c.entities = append(c.entities, compile(e))
		}
		s.routes = append(s.routes, c)
		for _, setting := range list[i].To {
			s.routed[names.Destination(setting)] = true
		}
	}
	return s
}

func compile(e Entity) compiledEntity {
	c := compiledEntity{Entity: e, names: patterns(e.Names), tags: patterns(e.Tags)}
	for _, text := range e.CIDR {
		if p, ok := silence.ParseCIDR(text); ok {
			c.ranges = append(c.ranges, p)
		}
	}
	return c
}

func patterns(texts []string) (list []silence.Pattern) {
	for _, text := range texts {
		list = append(list, silence.NewPattern(text))
	}
	return list
}

// All returns the routes in their order.
func (s *Set) All() []*Route {
	if s == nil {
		return nil
	}
	list := make([]*Route, len(s.routes))
	for i := range s.routes {
		list[i] = s.routes[i].Route
	}
	return list
}

// Decision is where an alert goes, and why.
type Decision struct {
	// Steps are the routes that were asked, in their order, up to one that matched and
	// does not go on.
	Steps []Step
	// Targets are the addresses, each once. Without one each destination has the alert at
	// its own.
	Targets []Target
}

// Step is a route that was asked.
type Step struct {
	Route *Route
	// WhyNot says on what it does not match. It is empty if it does.
	WhyNot string
}

// Target is an address that an alert goes to.
type Target struct {
	Setting, Destination string
	Mentions             []alert.Mention
}

// Decide returns where an alert goes. It depends on the alert alone, and on no clock: of
// hours what counts is when the alert was made.
func (s *Set) Decide(a alert.Alert) (d Decision) {
	if s == nil {
		return d
	}
	of := s.subject(a)
	for i := range s.routes {
		r := &s.routes[i]
		why := r.whyNot(of)
		d.Steps = append(d.Steps, Step{r.Route, why})
		if why != "" {
			continue
		}
		for _, setting := range r.To {
			d.add(Target{Setting: s.names.Same(setting), Destination: s.names.Destination(setting), Mentions: r.Mention})
		}
		if !r.Continue {
			break
		}
	}
	return d
}

// add adds an address, or to one that is there who is to be mentioned.
func (d *Decision) add(t Target) {
	i := slices.IndexFunc(d.Targets, func(o Target) bool { return o.Setting == t.Setting })
	if i < 0 {
		t.Mentions = slices.Clone(t.Mentions)
		d.Targets = append(d.Targets, t)
		return
	}
	known := &d.Targets[i].Mentions
	for _, m := range t.Mentions {
		if !slices.ContainsFunc(*known, func(o alert.Mention) bool { return strings.EqualFold(o.ID, m.ID) }) {
			*known = append(*known, m)
		}
	}
}

// Routed reports whether routes say where a destination has alerts: it is so if one names
// an address of it.
func (s *Set) Routed(destination string) bool { return s != nil && s.routed[destination] }

// At returns where a destination has an alert by a decision. It is false if the
// destination has it at its own address, as no route matched or none is about it.
func (s *Set) At(d Decision, destination string) (at []Target, routed bool) {
	if len(d.Targets) == 0 || !s.Routed(destination) {
		return nil, false
	}
	for _, t := range d.Targets {
		if t.Destination == destination {
			at = append(at, t)
		}
	}
	return at, true
}

// subject is an alert as routes see it.
type subject struct {
	alert.Alert
	rules      []string // what the rule is called
	workspaces []string
	entities   []known
}

// known is an entity with what is known of it.
type known struct {
	kind    string
	names   []string
	address netip.Addr
	tags    []string
}

func (s *Set) subject(a alert.Alert) subject {
	of := subject{Alert: a, rules: []string{a.RuleID, a.RuleName}, workspaces: workspacesOf(a)}
	for _, r := range s.names.Rules {
		if r.Shipped != "" && strings.EqualFold(r.ID, a.RuleID) {
			of.rules = append(of.rules, r.Shipped)
		}
	}
	if len(of.workspaces) == 0 && s.names.Workspace != "" {
		of.workspaces = []string{s.names.Workspace}
	}
	accounts := 0
	for _, e := range a.Entities {
		if e.Type == account {
			accounts++
		}
	}
	for _, e := range a.Entities {
		k := known{kind: e.Type, names: namesOf(e)}
		if addr, err := netip.ParseAddr(e.Address()); err == nil {
			k.address = addr
		}
		if e.Type == account {
			k.tags = tagsOf(a.Context, k.names, accounts == 1)
		}
		of.entities = append(of.entities, k)
	}
	return of
}

const account = "Account"

// namesOf returns what an entity is called. What an account calls itself to be shown is
// no name of it.
func namesOf(e alert.Entity) (names []string) {
	fields := map[string]string{}
	for _, f := range e.Fields {
		value := strings.TrimSpace(f.Value)
		fields[f.Identifier] = value
		if value != "" && (e.Type != account || f.Identifier != "DisplayName" && f.Identifier != "UPNSuffix") {
			names = append(names, value)
		}
	}
	add := func(name string) {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
			names = append(names, name)
		}
	}
	if _, full := e.Account(); full != "" {
		add(full)
	}
	if host, domain := fields["HostName"], fields["DnsDomain"]; host != "" && domain != "" {
		add(host + "." + domain)
	}
	return names
}

// TagFacts are the names of the facts of an account that are tags of it.
var TagFacts = []string{"Tags", "Groups", "Roles"}

// tagsOf returns the tags of an account: what its context says under [TagFacts],
// whichever query found it. Where the alert has no other account, all of it is about this
// one.
func tagsOf(c *alert.Context, names []string, only bool) (tags []string) {
	if c == nil {
		return nil
	}
	for _, s := range c.Sections {
		if !only && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, strings.TrimSpace(s.Subject)) }) {
			continue
		}
		for _, f := range s.Facts {
			if slices.Contains(TagFacts, f.Name) {
				tags = append(tags, f.Values...)
			}
		}
	}
	return tags
}

// workspaceColumn has the id of the workspace that a record is in.
const workspaceColumn = "TenantId"

func workspacesOf(a alert.Alert) (ids []string) {
	for _, row := range a.Rows {
		if c, ok := row.Get(workspaceColumn); ok {
			if id := strings.ToLower(c.Text()); guid.MatchString(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// whyNot says on what a route does not match, or nothing.
func (r *compiled) whyNot(of subject) string {
	m := &r.Match
	switch {
	case len(r.rules) > 0 && !slices.ContainsFunc(r.rules, func(p silence.Pattern) bool { return slices.ContainsFunc(of.rules, p.Matches) }):
		return fmt.Sprintf("rule: %s is not %s", cmp.Or(of.RuleName, of.RuleID), strings.Join(m.Rules, " or "))
	case of.Severity < m.Severity:
		return fmt.Sprintf("severity: %s is below %s", of.Severity, m.Severity)
	case len(m.Tactics) > 0 && !shareOne(m.Tactics, of.Tactics):
		return fmt.Sprintf("tactic: %s is not among %s", strings.Join(m.Tactics, " or "), listed(of.Tactics))
	case len(m.Workspaces) > 0 && !shareOne(m.Workspaces, of.workspaces):
		return fmt.Sprintf("workspace: %s is not among %s", strings.Join(m.Workspaces, " or "), listed(of.workspaces))
	}
	for i := range r.entities {
		if e := &r.entities[i]; !slices.ContainsFunc(of.entities, e.matches) {
			return "entity: none has " + e.String()
		}
	}
	if len(m.Hours) > 0 && !slices.ContainsFunc(m.Hours, func(h silence.Hours) bool { return h.Holds(of.Created) }) {
		return fmt.Sprintf("hours: %s is not in %s", of.Created.UTC().Format(time.RFC3339), hoursText(m.Hours))
	}
	return ""
}

func hoursText(hours []silence.Hours) string {
	texts := make([]string, len(hours))
	for i, h := range hours {
		texts[i] = h.String()
	}
	return strings.Join(texts, " or ")
}

func listed(values []string) string {
	if len(values) == 0 {
		return "its none"
	}
	return "its " + strings.Join(values, ", ")
}

// shareOne reports whether two lists have a value in common, in any case.
func shareOne(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool {
		return slices.ContainsFunc(b, func(y string) bool { return strings.EqualFold(strings.TrimSpace(x), strings.TrimSpace(y)) })
	})
}

// matches reports whether all holds for one entity.
func (e *compiledEntity) matches(k known) bool {
	one := func(list []silence.Pattern, values []string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(p silence.Pattern) bool { return slices.ContainsFunc(values, p.Matches) })
	}
	return (e.Type == "" || strings.EqualFold(e.Type, k.kind)) && one(e.names, k.names) && one(e.tags, k.tags) &&
		(len(e.Suffixes) == 0 || slices.ContainsFunc(e.Suffixes, func(s string) bool {
			return slices.ContainsFunc(k.names, func(name string) bool { return endsIn(name, s) })
		})) &&
		(len(e.ranges) == 0 || k.address.IsValid() && slices.ContainsFunc(e.ranges, func(p netip.Prefix) bool { return p.Contains(k.address) }))
}

// endsIn reports whether a name ends in a suffix, as a part of its own: who takes
// evilcontoso.example for a name is not of contoso.example.
func endsIn(name, suffix string) bool {
	name, suffix = strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.TrimSpace(suffix))
	rest, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return false
	}
	return rest == "" || isMark(suffix[0]) || isMark(rest[len(rest)-1])
}

// isMark reports whether a character divides the parts of a name.
func isMark(b byte) bool { return strings.IndexByte(`@.\/`, b) >= 0 }
