package verdict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/silence"
)

const (
	// LeastBenign is in how many incidents an identity was benign at least that is
	// proposed to be silenced.
	LeastBenign = 5
	// proposedFor is how long a silence lasts that is proposed.
	proposedFor = 30 * 24 * time.Hour
	// mostProposals is how many silences are proposed: nobody reviews more.
	mostProposals = 100
)

// Proposal is a silence that is proposed, ready for the file of silences.
type Proposal struct {
	Silence  silence.Silence
	RuleID   string
	RuleName string
	// Incidents counts the incidents of the identity that were closed as benign, and
	// Alerts the alerts in them. Last is the latest of these, and Closed when its
	// incident was closed.
	Incidents, Alerts int
	Last              string
	Closed            time.Time
}

// Desk is what proposals are checked with.
type Desk struct {
	// Words are the names that silences can use.
	Words silence.Words
	// Holds reports whether one of some silences would hold back an alert.
	Holds func(set *silence.Set, a alert.Alert) bool
	// InForce are the silences that there are: what these hold back needs no other.
	InForce []silence.Silence
	// By is who answers for what is proposed.
	By string
}

// cases are the alerts that count for proposals.
type cases struct {
	// benign are those whose incident was closed as benign, and positives whom the
	// true positives were about.
	benign    []benign
	positives []alert.Entity
}

type benign struct {
	alert    alert.Alert
	incident *Incident
}

func newCases() cases { return cases{} }

// add notes an alert. If it is not counted, only what it says against a silence is.
func (c *cases) add(a alert.Alert, i *Incident, counted bool) {
	switch {
	case i == nil:
	case i.Class == TruePositive:
		c.positives = append(c.positives, a.Entities...)
	case i.Class == BenignPositive && counted && a.HeldBack == nil && a.Storm == nil:
		c.benign = append(c.benign, benign{a, i})
	}
}

// Propose returns silences for whom a rule found in [LeastBenign] incidents or more
// that were all benign, those with most first, and how many more there are. Nobody is
// silenced who was in a true positive of any rule. What all the alerts of somebody have
// in common, such as one address, is a part of the silence: so it is as narrow as can
// be, and holds back what it was proposed for. It goes no higher than the severity that
// they had.
func (c *Count) Propose(desk Desk) (list []Proposal, more int) {
	existing := inForce(desk.InForce, c.now, desk.Words.Rules)
	seen := map[string]bool{}
	for _, g := range c.cases.groups() {
		p, key := g.proposal(desk, c.now)
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		if c.cases.isPositive(g.entities) || !p.isRight(desk, g.of) || existing.Len() > 0 && desk.Holds(existing, g.newest().alert) {
			continue
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(b.Incidents, a.Incidents), cmp.Compare(a.RuleName, b.RuleName), cmp.Compare(a.Silence.ID, b.Silence.ID))
	})
	if len(list) > mostProposals {
		list, more = list[:mostProposals], len(list)-mostProposals
	}
	return list, more
}

// inForce returns the silences that hold, as if they had always held.
func inForce(list []silence.Silence, now time.Time, rules []silence.Rule) *silence.Set {
	var held []silence.Silence
	for _, s := range list {
		if s.Holds(now) {
			s.From, s.Until = time.Time{}, time.Time{}
			held = append(held, s)
		}
	}
	return silence.New(held, rules)
}

// group is whom a rule found again and again: all benign alerts that name an identity.
type group struct {
	of []benign
	// entities are the identity, and what the alerts have in common beside it.
	entities []alert.Entity
}

// groups returns the identities with enough incidents, in the order in which they were
// found first.
func (c *cases) groups() (list []*group) {
	byKey := map[string]*group{}
	var all []*group
	for _, b := range c.benign {
		named := map[string]bool{}
		for _, e := range b.alert.Entities {
			key := identity(e)
			if key == "" || named[key] {
				continue
			}
			named[key] = true
			key = b.alert.RuleID + "\n" + key
			if byKey[key] == nil {
				byKey[key] = &group{entities: []alert.Entity{e}}
				all = append(all, byKey[key])
			}
			byKey[key].of = append(byKey[key].of, b)
		}
	}
	for _, g := range all {
		if incidents(g.of) >= LeastBenign {
			g.narrow()
			list = append(list, g)
		}
	}
	return list
}

// incidents counts the incidents of alerts.
func incidents(of []benign) int {
	numbers := map[int]bool{}
	for _, b := range of {
		numbers[b.incident.Number] = true
	}
	return len(numbers)
}

// narrow adds the entities of other types of which each alert has one, and all the same.
func (g *group) narrow() {
	for _, e := range g.of[0].alert.Entities {
		if slices.ContainsFunc(g.entities, func(o alert.Entity) bool { return o.Type == e.Type }) {
			continue
		}
		key := identity(e)
		differs := func(b benign) bool {
			n := 0
			for _, o := range b.alert.Entities {
				if o.Type == e.Type {
					n++
					if identity(o) != key {
						return true
					}
				}
			}
			return n != 1
		}
		if key != "" && !slices.ContainsFunc(g.of, differs) {
			g.entities = append(g.entities, e)
		}
	}
}

func (g *group) newest() benign {
	return slices.MaxFunc(g.of, func(a, b benign) int {
		return cmp.Or(a.alert.Created.Compare(b.alert.Created), cmp.Compare(a.alert.ID, b.alert.ID))
	})
}

// identity is what an entity is told apart by, or nothing if nothing does.
func identity(e alert.Entity) string {
	var keys []string
	for _, m := range silence.MatchersOf(e) {
		keys = append(keys, m.Key())
	}
	return strings.Join(keys, "\n")
}

// proposal returns the silence of a group, and what tells it apart from others.
func (g *group) proposal(desk Desk, now time.Time) (p Proposal, key string) {
	last := g.newest()
	p = Proposal{RuleID: last.alert.RuleID, RuleName: last.alert.RuleName, Incidents: incidents(g.of), Alerts: len(g.of), Last: last.alert.ID, Closed: last.incident.Closed}
	s := silence.Silence{Rules: []string{p.RuleID}, MaxSeverity: alert.Informational, By: desk.By, Until: now.UTC().Truncate(24 * time.Hour).Add(proposedFor)}
	var keys []string
	for _, e := range g.entities {
		for _, m := range silence.MatchersOf(e) {
			s.Match = append(s.Match, m)
			keys = append(keys, m.Key())
		}
	}
	first := last.alert.Created
	for _, b := range g.of {
		s.MaxSeverity = max(s.MaxSeverity, b.alert.Severity)
		if b.alert.Created.Before(first) {
			first = b.alert.Created
		}
	}
	slices.Sort(keys)
	key = strings.Join(append([]string{p.RuleID}, keys...), "\n")
	s.ID = "benign-" + alert.NewGUID("benign", key)[:8]
	s.Reason = fmt.Sprintf("closed as benign in %d incidents with %d alerts between %s and %s, and never a true positive", p.Incidents, p.Alerts,
		first.UTC().Format(time.DateOnly), last.alert.Created.UTC().Format(time.DateOnly))
	p.Silence = s
	return p, key
}

// isRight reports whether the silence can stand in a file, and would have held back the
// alerts of enough incidents.
func (p Proposal) isRight(desk Desk, of []benign) bool {
	if slices.ContainsFunc(silence.Check(p.Silence, desk.Words), func(f silence.Fault) bool { return !f.Warning }) || !p.Silence.IsText() {
		return false
	}
	always := p.Silence
	always.Until = time.Time{}
	set := silence.New([]silence.Silence{always}, desk.Words.Rules)
	held := slices.DeleteFunc(slices.Clone(of), func(b benign) bool { return !desk.Holds(set, b.alert) })
	return incidents(held) >= LeastBenign
}

// isPositive reports whether one of some entities was in a true positive.
func (c *cases) isPositive(entities []alert.Entity) bool {
	return slices.ContainsFunc(entities, func(e alert.Entity) bool {
		return slices.ContainsFunc(c.positives, func(o alert.Entity) bool { return isSame(e, o) })
	})
}

// isSame reports whether two entities may be one. Accounts are if they have a name or
// an id in common; others if nothing that both say differs.
func isSame(a, b alert.Entity) bool {
	if names := alert.NamesOf(a); len(names) > 0 {
		others := alert.NamesOf(b)
		return slices.ContainsFunc(names, func(n string) bool {
			return slices.ContainsFunc(others, func(o string) bool { return strings.EqualFold(n, o) })
		})
	}
	if a.Type != b.Type {
		return false
	}
	same := false
	for _, f := range a.Fields {
		for _, o := range b.Fields {
			if f.Identifier != o.Identifier || strings.TrimSpace(f.Value) == "" || strings.TrimSpace(o.Value) == "" {
				continue
			}
			if silence.Canonical(f.Value) != silence.Canonical(o.Value) {
				return false
			}
			same = true
		}
	}
	return same
}
