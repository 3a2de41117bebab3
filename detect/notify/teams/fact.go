package teams

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// slot is what a custom detail says of every alert that has one by such a name,
// whatever the rule.
type slot int

const (
	noSlot slot = iota
	aName       // of the user
	aUserType
	anApp
	aClient
	aSystem  // that the client runs on
	aBrowser // that the client is
	anAgent
	aDevice
	aPlace
	aNetwork
	aCount // what the line below the headline says
)

// slots has the names of custom details, in lower case and without what says how
// many there are, or at which end of an approval.
var slots = map[string]slot{
	"displayname": aName, "userdisplayname": aName, "accountdisplayname": aName, "usertype": aUserType,
	"application": anApp, "app": anApp, "appdisplayname": anApp, "appname": anApp, "applicationname": anApp,
	"clientapp": aClient, "clientappused": aClient, "client": anAgent, "useragent": anAgent, "operatingsystem": aSystem, "os": aSystem, "browser": aBrowser,
	"device": aDevice, "devicename": aDevice, "devicedisplayname": aDevice,
	"location": aPlace, "place": aPlace, "country": aPlace,
	"asn": aNetwork, "autonomoussystemnumber": aNetwork, "network": aNetwork, "isp": aNetwork,
	"rejection": aCount, "fraudreport": aCount,
}

// slotOf returns what a custom detail says by its name: Applications, ApprovedClient.
func slotOf(name string) slot {
	name = strings.ToLower(name)
	for _, end := range []string{"approved", "prompt"} {
		if rest, ok := strings.CutPrefix(name, end); ok && rest != "s" {
			name = rest
			break
		}
	}
	if s, ok := slots[strings.TrimSuffix(name, "s")]; ok {
		return s
	}
	return slots[name]
}

// The most lines and accounts, addresses or other entities of a fact.
const (
	mostFactLines = 6
	mostNamed     = 3
	mostFactLine  = 100
)

// subject is a fact of the card: a label with a few lines.
type subject struct {
	label string
	lines []string
}

// facts adds who, from where, how, what else the alert is about, and why it is as
// severe as it is, in two columns.
func (b *builder) facts() {
	all := append([]subject{{"Who", b.who()}, {"From", b.from()}, {"How", b.how()}}, b.others()...)
	all = append(all, subject{"Why " + strings.ToLower(b.alert.Severity.String()), b.why()})
	all = slices.DeleteFunc(all, func(f subject) bool { return len(f.lines) == 0 })
	spacing := "Medium"
	for pair := range slices.Chunk(all, 2) {
		var sides []column
		for _, f := range pair {
			items := []any{label(inert(f.label, mostName), "")}
			for _, line := range f.lines[:min(len(f.lines), mostFactLines)] {
				items = append(items, rich("None", textRun{Text: line}))
			}
			sides = append(sides, column{"Column", "stretch", items})
		}
		b.add(aFact, columns(spacing, sides...))
		b.parts[len(b.parts)-1].stands = len(pair)
		spacing = "Small"
	}
}

// line writes a value of a log as a line of a fact, and notes that it is said, if
// it is so whole.
func (b *builder) line(value string) string {
	if len([]rune(value)) <= mostFactLine {
		b.say(value)
	}
	return inert(text.Shown(value), mostFactLine)
}

// who says of the first account what an analyst asks first, and names the others.
func (b *builder) who() []string {
	var names []string
	var first alert.Entity
	for _, e := range b.alert.Entities {
		if name := text.Name(e); name != "" && !slices.Contains(names, name) {
			if len(names) == 0 {
				first = e
			}
			names = append(names, name)
		}
	}
	identity := b.identity(first)
	get := func(name string) string { return strings.Join(firstOf(identity[name], 1), "") }
	var lines []string
	if len(names) <= 1 {
		display := cmp.Or(strings.Join(firstOf(b.values(aName), 1), ""), get("Name"))
		local, _, _ := strings.Cut(strings.Join(names, ""), "@")
		if display != "" && !strings.EqualFold(display, local) && !slices.Contains(names, display) {
			lines = append(lines, b.line(display))
		}
		b.say(get("Name"))
	}
	for _, name := range names[:min(len(names), mostNamed)] {
		lines = append(lines, b.line(name))
	}
	if more := len(names) - mostNamed; more > 0 {
		lines = append(lines, "and "+text.Count(more, "more", "more"))
	}
	if len(names) != 1 {
		return lines
	}
	var job []string
	for _, name := range []string{"Job title", "Department"} {
		if v := get(name); v != "" {
			b.facted = append(b.facted, name)
			b.say(v)
			job = append(job, inert(v, mostFactLine))
		}
	}
	var standing []string
	for _, tag := range identity["Tags"] {
		if vip.MatchString(tag) {
			b.say(tag)
			standing = append(standing, "VIP")
			break
		}
	}
	if role := get("Roles"); role != "" && !b.alert.Context.Has(alert.FoundPrivilegedRole) { // which names it
		if len(identity["Roles"]) == 1 {
			b.say(role)
		}
		standing = append(standing, inert(strings.Join(firstOf(identity["Roles"], 1), ", "), mostFactLine))
	}
	for _, kind := range append(b.values(aUserType), identity["User type"]...) {
		if strings.EqualFold(kind, "Guest") {
			standing = append(standing, "guest")
			break
		}
	}
	if standing = append(standing, job...); len(standing) > 0 {
		lines = append(lines, strings.Join(standing, ", "))
	}
	if manager := get("Manager"); manager != "" {
		b.say(manager)
		lines = append(lines, "Manager: "+inert(manager, mostFactLine))
	}
	return lines
}

// vip is a tag of an account, however the log writes a list of them.
var vip = regexp.MustCompile(`(?i)\bvip\b`)

// firstOf is the beginning of a list.
func firstOf(list []string, n int) []string { return list[:min(len(list), n)] }

// identity returns what is known of an account, by the names of the facts. The
// values are written for reading already.
func (b *builder) identity(e alert.Entity) map[string][]string {
	known := map[string][]string{}
	if b.alert.Context == nil {
		return known
	}
	id, name := e.Account()
	for _, s := range b.alert.Context.Sections {
		if s.Title == identitySection && s.Subject != "" && (strings.EqualFold(s.Subject, name) || strings.EqualFold(s.Subject, id)) {
			for _, f := range s.Facts {
				known[f.Name] = f.Values
			}
		}
	}
	return known
}

// identitySection is the title of what IdentityInfo knows.
const identitySection = "Identity"

// from says which addresses, where they are, and whether that is new.
func (b *builder) from() []string {
	addresses := text.Addresses(b.alert)
	var lines []string
	for _, ip := range addresses[:min(len(addresses), mostNamed)] {
		line := b.line(ip) + b.novelty(ip)
		if place := text.Place(b.alert, ip); place != "" && len(addresses) > 1 {
			line += ", " + b.line(place) + b.novelty(place)
		}
		lines = append(lines, line)
	}
	if more := len(addresses) - mostNamed; more > 0 {
		lines = append(lines, "and "+text.Count(more, "more", "more"))
	}
	if len(addresses) > 1 {
		return lines
	}
	around := b.slotted(aPlace, 2)
	if networks := b.values(aNetwork); len(networks) > 0 {
		name := b.line(networks[0])
		if digits.MatchString(networks[0]) {
			name = "AS" + name
		}
		around = append(around, name)
		if len(networks) == 1 {
			b.saySlot(aNetwork)
		}
	}
	if len(around) > 0 {
		lines = append(lines, strings.Join(around, ", "))
	}
	return lines
}

var digits = regexp.MustCompile(`^[0-9]{1,10}$`)

// novelty is what stands behind a value that is new for the accounts, or usual.
func (b *builder) novelty(value string) string {
	c := b.alert.Context
	switch {
	case c.IsNew(value):
		return " (new)"
	case c != nil && slices.ContainsFunc(c.Usual, func(u alert.Usual) bool { return slices.Contains(u.Addresses, value) }):
		return " (usual)"
	}
	return ""
}

// how says which applications, by which client and on which device.
func (b *builder) how() []string {
	var lines []string
	add := func(parts ...string) {
		if len(parts) > 0 {
			lines = append(lines, strings.Join(parts, ", "))
		}
	}
	add(b.slotted(anApp, 2)...)
	client := b.slotted(aClient, 1)
	switch browser, system := b.slotted(aBrowser, 1), b.slotted(aSystem, 1); {
	case len(browser)+len(system) > 0:
		client = append(browser, system...)
	default:
		for _, agent := range firstOf(b.values(anAgent), 1) {
			if known := text.Client(agent); known != "" {
				client = []string{known}
			} else {
				client = append(client, inert(text.Shown(agent), mostName))
				if len([]rune(agent)) <= mostName && len(b.values(anAgent)) == 1 {
					b.saySlot(anAgent)
				}
			}
		}
	}
	add(client...)
	add(b.slotted(aDevice, 2)...)
	return lines
}

// others are the entities that are neither accounts nor addresses, by their type.
func (b *builder) others() []subject {
	var list []subject
	for _, e := range b.alert.Entities {
		if e.Type == "Account" || e.Type == "IP" || len(e.Fields) == 0 || e.Fields[0].Value == "" {
			continue
		}
		name := text.Label(e.Type)
		i := slices.IndexFunc(list, func(s subject) bool { return s.label == name })
		if i < 0 {
			if len(list) == mostNamed {
				continue // it is among the details
			}
			i = len(list)
			list = append(list, subject{label: name})
		}
		if len(list[i].lines) < mostNamed {
			list[i].lines = append(list[i].lines, b.line(e.Fields[0].Value)+b.novelty(e.Fields[0].Value))
		}
	}
	return list
}

// why says what made the severity another than the rule's.
func (b *builder) why() []string {
	c := b.alert.Context
	if c == nil || len(c.Steps) == 0 {
		return []string{"Set by the rule"}
	}
	path := []string{c.RuleSeverity.String()}
	var reasons []string
	for _, s := range c.Steps {
		path = append(path, s.Severity.String())
		if words := text.Finding(s.Kind); !slices.Contains(reasons, words) {
			reasons = append(reasons, words)
		}
	}
	path = slices.Compact([]string{path[0], path[len(path)-1]})
	return []string{strings.Join(path, " → ") + ": " + inert(strings.Join(firstOf(reasons, mostNamed), ", "), mostValue)}
}

// saySlot notes that all values of a slot are on the card.
func (b *builder) saySlot(s slot) {
	for _, d := range b.shown {
		if slotOf(d.Name) != s {
			continue
		}
		b.shownDetails = append(b.shownDetails, d.Name)
		for _, v := range d.Values {
			b.say(v)
		}
	}
}

// values are those of the custom details that a slot has, each once.
func (b *builder) values(s slot) []string {
	var list []string
	if b.alert.ShowsColumns() && b.alert.NamesNobody() {
		return nil // they are all there is
	}
	for _, d := range b.shown {
		if slotOf(d.Name) != s {
			continue
		}
		for _, v := range d.Values {
			if !text.SaysNothing(v) && !slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(o, v) }) {
				list = append(list, v)
			}
		}
	}
	return list
}

// slotted writes the first values of a slot, and how many more there are: these are
// all among the details then.
func (b *builder) slotted(s slot, most int) []string {
	all := b.values(s)
	var list []string
	for _, v := range all[:min(len(all), most)] {
		mark := ""
		if s == aPlace || s == aDevice {
			mark = b.novelty(v)
		}
		written := inert(text.Shown(v), mostFactLine) + mark
		list = append(list, written)
	}
	if len(all) <= most && !slices.ContainsFunc(all, func(v string) bool { return len([]rune(v)) > mostFactLine }) {
		b.saySlot(s)
	}
	if more := len(all) - most; more > 0 {
		list = append(list, "and "+text.Count(more, "more", "more"))
	}
	return list
}
