package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
	"pushback/detect/document"
	"pushback/detect/secret"
	"pushback/detect/silence"
	"pushback/detect/suggest"
)

// What a file, and a route, may hold: more is a mistake.
const (
	mostRoutes    = 500
	mostValues    = 1000
	mostEntities  = 20
	mostAddresses = 20
	mostMentions  = 20
	mostLength    = 1000 // of a value, in bytes
)

// ofRoutes is what the file holds.
const ofRoutes document.Kind = "routes"

// Problem is something that is wrong with a route, or a warning about it.
type Problem = document.Problem

// Errors joins the problems that are no warnings, or is nil.
func Errors(problems []Problem) error { return document.Errors(problems) }

// Words are the names that a route can use. What is nil is not checked.
type Words struct {
	// EntityType returns the name of an entity type.
	EntityType func(name string) (canonical string, identifiers []string, ok bool)
	Tactics    []string
	// Rules are those that run and those that ship.
	Rules []Rule
	// Workspaces are the ids of those that are queried.
	Workspaces []string
	// Setting says whose address a setting holds, nobody's if it is none that holds an
	// address, and what is wrong with it, if anything is. Settings says how those that do
	// are called.
	Setting  func(name string) (destination, wrong string)
	Settings string
	// Elsewhere says that the settings are those of another machine, so that one that is
	// not set here is no more than a warning.
	Elsewhere bool
}

// Rule is a rule by the names that routes may call it, with what its alerts can be.
type Rule struct {
	ID, Name string
	Shipped  string // the name of one that Pushback ships with
	Runs     bool
	// Most is the highest severity that an alert of it can have.
	Most alert.Severity
	// Tactics are those of its alerts, unless AnyTactic says that its rows name them.
	Tactics   []string
	AnyTactic bool
}

// names lists what the rule is called.
func (r Rule) names() []string {
	return slices.DeleteFunc([]string{r.ID, r.Name, r.Shipped}, func(n string) bool { return n == "" })
}

// Load reads a file of routes. If there are problems that are no warnings, none of its
// routes is to be used.
func Load(path string, words Words) ([]Route, []Problem) {
	data, problem := ofRoutes.Load(path)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	return Parse(path, data, words)
}

// Parse reads the text of a file of routes. What it says of it holds no secret, also
// where an address stands in the place of a setting's name.
func Parse(file string, data []byte, words Words) ([]Route, []Problem) {
	d, items := ofRoutes.Parse(file, data, mostRoutes, "let one route match more")
	r := &reader{Reader: d, words: words}
	var list []Route
	lines := map[string]int{}
	for _, item := range items {
		one, ok := r.route(item)
		if !ok {
			continue
		}
		if line := lines[strings.ToLower(one.Name)]; line > 0 && one.Name != "" {
			r.Fail(item, "the name %s is also that of the route in line %d", one.Name, line)
		}
		lines[strings.ToLower(one.Name)] = item.Line
		list = append(list, one)
		r.nodes = append(r.nodes, item)
	}
	if document.Errors(r.Problems()) == nil {
		r.reach(list)
	}
	problems := slices.Clone(r.Problems())
	for i := range problems {
		problems[i].Message = secret.Hide(problems[i].Message)
	}
	return list, problems
}

// reader reads routes.
type reader struct {
	*document.Reader
	words Words
	nodes []*yaml.Node // of the routes that were read
}

// The keys of the file.
var (
	routeKeys   = []string{"name", "match", "to", "mention", "continue"}
	matchKeys   = []string{"rule", "severity", "tactic", "entity", "workspace", "hours"}
	entityKeys  = []string{"type", "name", "suffix", "cidr", "tag"}
	mentionKeys = []string{"id", "name"}
)

var (
	nameForm    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })
	settingForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,127}$`) })
	guid        = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	userName    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^\s@<>"&]{1,100}@[A-Za-z0-9.-]{1,150}$`) })
)

func (r *reader) route(n *yaml.Node) (Route, bool) {
	values := r.Mapping(n, "a route", routeKeys)
	if values == nil {
		return Route{}, false
	}
	one := Route{Name: strings.TrimSpace(r.Text(values["name"], "name")), Place: fmt.Sprintf("%s:%d", r.File(), n.Line), line: n.Line}
	if one.Name != "" && !nameForm().MatchString(one.Name) {
		r.Fail(values["name"], "the name %.80q is none: use up to 64 letters, digits, dots, hyphens and underscores, a letter or a digit first", one.Name)
	}
	if node := values["match"]; node != nil {
		one.Match = r.match(node)
	}
	one.To = r.to(n, values["to"])
	one.Mention = r.mentions(values["mention"])
	if node := values["continue"]; node != nil {
		switch strings.ToLower(r.Text(node, "continue")) {
		case "true":
			one.Continue = true
		case "false", "":
		default:
			r.Fail(node, "continue is true or false")
		}
	}
	return one, true
}

// to reads the names of settings. A value that is none is not quoted: it may be an
// address.
func (r *reader) to(n, node *yaml.Node) (list []string) {
	if node == nil {
		r.Fail(n, "the route has no to: name the setting that holds the address, such as PUSHBACK_TEAMS_WEBHOOK_URL; what is to be sent nowhere is for a silence")
		return nil
	}
	texts := r.Texts(node, "to")
	if len(texts) > mostAddresses {
		r.Fail(node, "the route has %d addresses, and at most %d can be", len(texts), mostAddresses)
		return nil
	}
	for i, text := range texts {
		at := document.Item(node, i)
		text = strings.TrimSpace(text)
		switch {
		case !settingForm().MatchString(text):
			r.Fail(at, "to names the settings that hold the addresses, such as PUSHBACK_TEAMS_WEBHOOK_URL, and not the addresses, which are secrets: what stands here is no name of a setting")
			continue
		case slices.Contains(list, text):
			r.Fail(at, "%s is there twice", text)
			continue
		}
		list = append(list, text)
		if r.words.Setting == nil {
			continue
		}
		switch destination, wrong := r.words.Setting(text); {
		case destination == "":
			r.Fail(at, "%s is no setting that holds an address: use %s", text, r.words.Settings)
		case wrong != "":
			r.Note(at, r.words.Elsewhere, "%s", wrong)
		}
	}
	return list
}

func (r *reader) match(n *yaml.Node) (m Match) {
	values := r.Mapping(n, "match", matchKeys)
	if values == nil {
		return m
	}
	m.Rules = r.texts(values["rule"], "rule")
	for i, name := range m.Rules {
		r.rule(document.Item(values["rule"], i), name)
	}
	if node := values["severity"]; node != nil {
		var err error
		if m.Severity, err = alert.ParseSeverity(strings.TrimSpace(r.Text(node, "severity"))); err != nil {
			r.Fail(node, "severity: %v", err)
		}
	}
	m.Tactics = r.texts(values["tactic"], "tactic")
	for i, name := range m.Tactics {
		known := slices.IndexFunc(r.words.Tactics, func(t string) bool { return strings.EqualFold(t, name) })
		if r.words.Tactics != nil && known < 0 {
			r.Fail(document.Item(values["tactic"], i), "there is no tactic %.60q%s", name, meant(name, r.words.Tactics, ": write it as rules do, such as CredentialAccess"))
		}
	}
	m.Workspaces = r.texts(values["workspace"], "workspace")
	for i, id := range m.Workspaces {
		node := document.Item(values["workspace"], i)
		switch {
		case !guid.MatchString(strings.ToLower(id)):
			r.Fail(node, "%.60q is no workspace: use its id, a GUID that stands on its Overview page in the portal", id)
		case len(r.words.Workspaces) > 0 && !slices.ContainsFunc(r.words.Workspaces, func(w string) bool { return strings.EqualFold(w, id) }):
			r.Fail(node, "no alert is of the workspace %s: it is not among PUSHBACK_WORKSPACE_ID and PUSHBACK_ADDITIONAL_WORKSPACES", id)
		}
	}
	hours := values["hours"]
	for i, text := range r.texts(hours, "hours") {
		h, err := silence.ParseHours(text)
		if err != nil {
			r.Fail(document.Item(hours, i), "hours: %v", err)
			continue
		}
		m.Hours = append(m.Hours, h)
	}
	if node := values["entity"]; node != nil {
		items := r.oneOrMore(node, "entity")
		if len(items) > mostEntities {
			r.Fail(node, "there are %d entities, and at most %d can be", len(items), mostEntities)
			return m
		}
		for _, item := range items {
			m.Entities = append(m.Entities, r.entity(item))
		}
	}
	return m
}

// texts returns values that have something in them.
func (r *reader) texts(n *yaml.Node, what string) []string {
	list := r.Texts(n, what)
	if len(list) > mostValues {
		r.Fail(n, "%s has %d values, and at most %d can be", what, len(list), mostValues)
		return nil
	}
	for i := range list {
		switch list[i] = strings.TrimSpace(list[i]); {
		case list[i] == "":
			r.Fail(document.Item(n, i), "%s has an empty value, which nothing has", what)
		case len(list[i]) > mostLength:
			r.Fail(document.Item(n, i), "%s has a value of more than %d bytes", what, mostLength)
		}
	}
	return list
}

// rule says whether a rule that runs is called so.
func (r *reader) rule(n *yaml.Node, name string) {
	if r.words.Rules == nil || name == "" {
		return
	}
	pattern := silence.NewPattern(name)
	var all []string
	ships := false
	for _, of := range r.words.Rules {
		all = append(all, of.names()...)
		if slices.ContainsFunc(of.names(), pattern.Matches) {
			if of.Runs {
				return
			}
			ships = true
		}
	}
	if ships {
		r.Fail(n, "no rule that runs is called %.80q, so that the route is never taken: it ships, and is not among PUSHBACK_RULES, or it is disabled", name)
		return
	}
	r.Fail(n, "no rule is called %.80q, so that the route is never taken%s", name, meant(name, all, ": use ids, names, names of shipped rules, or * for any text"))
}

func meant(given string, names []string, or string) string {
	if best := suggest.Nearest(given, names); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return or
}

func (r *reader) entity(n *yaml.Node) (e Entity) {
	values := r.Mapping(n, "entity", entityKeys)
	if values == nil {
		return e
	}
	e.Type = strings.TrimSpace(r.Text(values["type"], "type"))
	e.Names, e.Suffixes = r.texts(values["name"], "name"), r.texts(values["suffix"], "suffix")
	e.CIDR, e.Tags = r.texts(values["cidr"], "cidr"), r.texts(values["tag"], "tag")
	if e.Type != "" && r.words.EntityType != nil {
		canonical, _, ok := r.words.EntityType(e.Type)
		if !ok {
			r.Fail(values["type"], "there is no entity type %.60q: use Account, IP, Host or another of Sentinel's", e.Type)
			return e
		}
		e.Type = canonical
	}
	for i, text := range e.CIDR {
		if _, ok := silence.ParseCIDR(text); !ok {
			r.Fail(document.Item(values["cidr"], i), "%.60q is no range of addresses: write it like 203.0.113.0/24 or 2001:db8::/32", text)
		}
	}
	for i, text := range e.Suffixes {
		if strings.Contains(text, "*") {
			r.Fail(document.Item(values["suffix"], i), "in a suffix a * stands for itself: leave it out, or use name")
		}
	}
	switch only := func(kind string) bool { return e.Type == "" || strings.EqualFold(e.Type, kind) }; {
	case len(values) == 0:
		r.Fail(n, "the entity says nothing: give it a type, name, suffix, cidr or tag")
	case e.CIDR != nil && !only("IP"):
		r.Fail(values["cidr"], "no %s has an address of a range, so that the route is never taken: only an IP has", e.Type)
	case e.Tags != nil && !only(account):
		r.Fail(values["tag"], "no %s has a tag, so that the route is never taken: only an Account has", e.Type)
	case e.CIDR != nil && e.Tags != nil:
		r.Fail(n, "no entity has both, an address and a tag, so that the route is never taken: make it two entities, each of which the alert must have")
	case e.CIDR != nil && e.Suffixes != nil:
		r.Fail(n, "no entity has both, an address and a suffix, so that the route is never taken: make it two entities, each of which the alert must have")
	}
	return e
}

// oneOrMore returns the items of a list, or the one that stands in its place.
func (r *reader) oneOrMore(n *yaml.Node, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return []*yaml.Node{n}
	}
	if len(n.Content) == 0 {
		r.Fail(n, "%s is an empty list", what)
	}
	return n.Content
}

func (r *reader) mentions(n *yaml.Node) (list []alert.Mention) {
	if n == nil {
		return nil
	}
	items := r.oneOrMore(n, "mention")
	if len(items) > mostMentions {
		r.Fail(n, "there are %d people, and at most %d can be mentioned", len(items), mostMentions)
		return nil
	}
	for _, item := range items {
		var m alert.Mention
		if item.Kind == yaml.MappingNode {
			values := r.Mapping(item, "mention", mentionKeys)
			m = alert.Mention{ID: strings.TrimSpace(r.Text(values["id"], "id")), Name: strings.TrimSpace(r.Text(values["name"], "name"))}
		} else {
			m.ID = strings.TrimSpace(r.Text(item, "mention"))
		}
		isGUID := guid.MatchString(strings.ToLower(m.ID))
		if m.Name == "" && !isGUID {
			m.Name, _, _ = strings.Cut(m.ID, "@")
		}
		switch {
		case !isGUID && !userName().MatchString(m.ID):
			r.Fail(item, "%.60q is nobody to mention: use a user principal name, such as amy@contoso.example, or the object id of a user", m.ID)
		case m.Name == "":
			r.Fail(item, "the user %s has no name to be shown: write {id: %[1]s, name: Amy}", m.ID)
		case len(m.Name) > 60 || strings.ContainsAny(m.Name, "<>&*_`[]()#|\\~!{}\n\r\t"):
			r.Fail(item, "the name %.80q cannot be shown: use up to 60 letters, digits, spaces and dots", m.Name)
		case slices.ContainsFunc(list, func(o alert.Mention) bool { return strings.EqualFold(o.ID, m.ID) }):
			r.Fail(item, "%s is there twice", m.ID)
		default:
			list = append(list, m)
		}
	}
	return list
}
