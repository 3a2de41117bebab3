package sentinel

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// formerSpace is the name space that the ids of stories and incidents had when
// they were UUIDs of SHA-1.
var formerSpace = uuid.MustParse("0b6f5e1c-8f57-5a3e-9d3f-2a4f1c6b7e90")

// What an id is of.
const (
	storyKind    = "story"
	incidentKind = "incident"
	besideKind   = "beside"
)

// story is what the alerts of one incident have in common.
type story struct {
	id string
	// at is the id under which the ledger has the note of the story: the rule's, or
	// that of a story which rules share.
	at string
	// former is the id that the first versions gave it, and of the incidents that
	// they began.
	former string
	// earlier are where versions before noted the story, the latest first.
	earlier []noted
}

// noted is a place in the ledger: the id of a rule and the name of a note.
type noted struct{ at, name string }

// storyOf returns the story that an alert belongs to: what the rule groups by, or
// without grouping its identities. Where the rule shares the story, so does the
// note, and what other rules of it noted before they shared it counts.
func (d *Destination) storyOf(a alert.Alert, r *rule.Rule) story {
	s := storyOf(a, r)
	if r == nil || r.Story == "" {
		return s
	}
	for _, id := range slices.Sorted(maps.Keys(d.rules)) {
		if other := d.rules[id]; other.Story == r.Story && other.ID != r.ID {
			as := a
			as.RuleID = other.ID
			s.earlier = append(s.earlier, storyOf(as, other).earlier...)
		}
	}
	return s
}

// StoryOf returns the id of the story that an alert belongs to, and the id under
// which the ledger keeps what is noted of it: the rule's, or that of a story which
// rules share.
func StoryOf(a alert.Alert, r *rule.Rule) (at, id string) {
	s := storyOf(a, r)
	return s.at, s.id
}

// storyOf returns the story as the rule alone knows it.
func storyOf(a alert.Alert, r *rule.Rule) story {
	own := keying{a.RuleID, func(e alert.Entity) []string { return identifiers(e, canonicalField) }}
	ungrouped := own
	ungrouped.entity = func(e alert.Entity) []string {
		return identifiers(e, func(_ string, f alert.Field) string { return f.Value })
	}
	s := story{at: a.RuleID, id: alert.NewGUID(storyKind, own.key(a, r)), former: uuid.NewSHA1(formerSpace, []byte(ungrouped.key(a, r))).String()}
	s.earlier = []noted{{a.RuleID, s.former}}
	if r != nil && r.Story != "" {
		s.earlier = append([]noted{{a.RuleID, s.id}}, s.earlier...)
		s.at = r.StoryID()
		s.id = alert.NewGUID(storyKind, keying{s.at, sharedIdentifiers}.key(a, r))
	}
	return s
}

// sharedIdentifiers are what says who an entity is to rules that share a story: of
// an account its id, where it has one, since one log knows more of it than
// another.
func sharedIdentifiers(e alert.Entity) []string {
	for _, f := range e.Fields {
		if e.Type == "Account" && f.Identifier == "AadUserId" {
			return []string{e.Type, f.Identifier, strings.ToLower(f.Value)}
		}
	}
	return identifiers(e, canonicalField)
}

// identifiers are all that an entity has.
func identifiers(e alert.Entity, valueOf func(entityType string, f alert.Field) string) []string {
	parts := []string{e.Type}
	for _, f := range e.Fields {
		parts = append(parts, f.Identifier, valueOf(e.Type, f))
	}
	return parts
}

// canonicalField returns an identifier's value as it counts. Alerts that
// versions before recorded have addresses as the log spells them.
func canonicalField(entityType string, f alert.Field) string {
	if rule.IsAddress(entityType, f.Identifier) {
		return alert.CanonicalAddress(f.Value)
	}
	return f.Value
}

// keying is how a story is written as a key: whose it is, and what says who an
// entity is.
type keying struct {
	of     string
	entity func(alert.Entity) []string
}

// key writes what makes a story.
func (k keying) key(a alert.Alert, r *rule.Rule) string {
	var key []string
	add := func(parts ...string) { key = append(key, raw(parts)) }
	severity, identity := a.Severity, alert.Identity(a.Activities)
	if a.Updates != nil { // it belongs to what it updates
		severity, identity = a.Updates.Severity, a.Updates.Identity
	}
	entities := func(wanted func(string) bool) {
		for _, e := range a.Entities {
			if wanted(e.Type) {
				add(k.entity(e)...)
			}
		}
	}
	switch {
	case r == nil || !r.Incident.Grouping.Enabled:
	case r.Incident.Grouping.MatchingMethod == rule.AnyAlert:
		add("any alert")
	case r.Incident.Grouping.MatchingMethod == rule.Selected:
		g := r.Incident.Grouping
		add("selected")
		entities(func(kind string) bool { return slices.Contains(g.GroupByEntities, kind) })
		for _, detail := range g.GroupByAlertDetails {
			add(detail, map[string]string{"DisplayName": a.Title, "Severity": severity.String()}[detail])
		}
		for _, d := range a.CustomDetails {
			if slices.Contains(g.GroupByCustomDetails, d.Name) {
				add(append([]string{d.Name}, slices.Sorted(slices.Values(d.Values))...)...)
			}
		}
	default:
		entities(func(string) bool { return true })
	}
	if len(key) == 0 && identity != "" {
		add("identity", identity)
	}
	if len(key) == 0 {
		add("alert", a.ID)
	}
	slices.Sort(key)
	return raw([]any{k.of, slices.Compact(key)})
}

// incidentOf returns the id of the incident that an alert begins in a story, if
// it begins one. That of an alert which a version before recorded is the one that
// it gave, for it may have made it.
func incidentOf(s story, a alert.Alert) string {
	if isFormer(a) {
		return uuid.NewSHA1(formerSpace, []byte(s.former+" "+a.ID)).String()
	}
	return alert.NewGUID(incidentKind, s.id, a.ID)
}

// secondIncident returns the id of the one that it begins if that is full without
// it.
func secondIncident(own string, a alert.Alert) string {
	if isFormer(a) {
		return uuid.NewSHA1(formerSpace, []byte("beside "+own)).String()
	}
	return alert.NewGUID(besideKind, own)
}

// isFormer reports whether the id of an alert is a UUID of SHA-1, as they all
// were. Those of now are all hash, so that a few look like one. Either way an
// alert stays with what it says.
func isFormer(a alert.Alert) bool {
	id, err := uuid.Parse(a.ID)
	return err == nil && id.Version() == 5 && id.Variant() == uuid.RFC4122
}
