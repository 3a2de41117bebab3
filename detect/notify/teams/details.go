package teams

import (
	"fmt"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// details adds what is hidden until somebody asks for it: one block below another,
// in this order. What is on the card already is not said again.
func (b *builder) details() {
	b.description()
	b.history()
	b.sections()
	b.customDetails()
	b.entities()
	b.properties()
	b.command()
	b.notes()
	b.gaps()
	b.provenance()
}

// description adds what the rule says of its alerts, and what this one goes on
// from.
func (b *builder) description() {
	a := b.alert
	h := text.HeadlineOf(a)
	if title := text.Line(a.Title); title != "" && (h.Verdict != "" && ours(a) || a.Headline() != "" && !strings.Contains(h.About, title)) {
		b.add(aDescription, rich("Small", textRun{Text: inert(title, mostTitle)}))
	}
	if whole := text.Line(a.Description); whole != "" && !b.said[strings.ToLower(whole)] {
		b.add(aDescription, rich("Small", textRun{Text: inert(whole, mostDescription)}))
	}
	if continues := text.Continues(a); continues != "" {
		b.add(aDescription, small(continues))
	}
	if a.Updates != nil {
		update := text.UpdateOf(*a.Updates, func(title string) string { return inert(text.Line(title), mostTitle) })
		b.add(aDescription, rich("Small", textRun{Text: update}))
	}
}

// plainFacts are what a fact of an account says if there is nothing to say.
var plainFacts = map[string]string{"Enabled": "true", "MFA registered": "true", "User type": "Member"}

// sections adds what is known of each entity. Whose it is is said where it could be
// another's.
func (b *builder) sections() {
	c := b.alert.Context
	if c == nil {
		return
	}
	if c.RiskScore != nil && *c.RiskScore != 0 {
		b.add(aSection, fact("Risk score", fmt.Sprint(*c.RiskScore)))
	}
	subjects := map[string]int{}
	for _, s := range c.Sections {
		subjects[s.Title]++
	}
	list(c.Sections, func(s alert.Section) {
		var lines []string
		if subjects[s.Title] > 1 {
			lines = append(lines, inert(text.Line(s.Subject), mostValue))
		}
		before := len(lines)
		for _, f := range s.Facts[:min(len(s.Facts), mostLines)] {
			said := b.news(f.Values)
			if len(said) == 0 || s.Title == identitySection && slices.Contains(b.facted, f.Name) || len(said) == 1 && strings.EqualFold(plainFacts[f.Name], said[0]) {
				continue
			}
			for _, v := range said {
				b.say(v)
			}
			lines = append(lines, inert(text.Line(f.Name), mostName)+": "+values(said))
		}
		if len(lines) > before {
			b.add(aSection, fact(s.Title, lines...))
		}
	}, b.more(aSection, "sections"))
}

// news returns the values that say something and that are not all on the card
// already.
func (b *builder) news(values []string) []string {
	var list []string
	for _, v := range values {
		if !text.SaysNothing(v) {
			list = append(list, v)
		}
	}
	if !slices.ContainsFunc(list, func(v string) bool { return !b.hasSaid(v) }) {
		return nil
	}
	return list
}

// detail writes a custom detail, or returns nothing if it has nothing to say that
// is not on the card already.
func (b *builder) detail(d alert.Detail) string {
	write := text.ValueOf(d)
	if d.Name != alert.WorstIdentities {
		write = text.Shown
	}
	return strings.Join(text.List(b.news(d.Values), mostValues, func(v string) string {
		return inert(write(v), mostValue) + b.novelty(v)
	}), ", ")
}

// rest adds the first custom details of a rule whose alerts are about something
// else than prompts: what its author found worth saying. Where columns stand in for
// them, they are all there is.
func (b *builder) rest() {
	b.cardFacts()
	if ours(b.alert) {
		return
	}
	if len(b.alert.CardFacts()) > 0 {
		return // which the rule chose
	}
	label, n := text.LabelOf(b.alert), 0
	columns := b.alert.ShowsColumns() && b.alert.NamesNobody()
	all := b.shown
	zeros := columns && !slices.ContainsFunc(all, func(d alert.Detail) bool { return len(b.news(d.Values)) > 0 })
	for _, d := range all {
		said := ""
		switch {
		case !columns && (slotOf(d.Name) != noSlot || n == mostRest):
		case zeros: // a row of nothing but zeros says just that
			said = values(d.Values)
		default:
			said = b.detail(d)
		}
		if said == "" {
			continue
		}
		n++
		b.add(aRest, fact(label(d.Name), said))
		for _, v := range d.Values {
			b.say(v)
		}
		b.shownDetails = append(b.shownDetails, d.Name)
	}
}

// cardFacts adds what the rule shows, whatever it says: its author chose it.
func (b *builder) cardFacts() {
	for _, f := range b.alert.CardFacts() {
		var said []string
		room := mostFactText
		for _, v := range f.Values {
			written := inert(text.Shown(v), mostValue) + b.novelty(v)
			if room -= len([]rune(written)); len(said) > 0 && (room < 0 || len(said) == mostValues) {
				break
			}
			b.say(v)
			said = append(said, written)
		}
		if more := len(f.Values) - len(said) + max(0, f.More); more > 0 {
			said = append(said, fmt.Sprintf("and %d more", more))
		}
		if len(said) > 0 {
			b.add(aFact, fact(f.Label, strings.Join(said, ", ")))
		}
	}
}

// customDetails adds those that are not on the card.
func (b *builder) customDetails() {
	label := text.LabelOf(b.alert)
	var rest []alert.Detail
	for _, d := range b.shown {
		// Which are counted in the line below the headline.
		counted := slotOf(d.Name) == aCount || d.Name == alert.Prompts && text.Approved(b.alert)
		counted = counted || slotOf(d.Name) == aUserType && len(d.Values) == 1 && strings.EqualFold(d.Values[0], "Member")
		if !counted && !b.alert.InFacts(d) && !slices.Contains(b.shownDetails, d.Name) {
			rest = append(rest, d)
		}
	}
	list(rest, func(d alert.Detail) {
		if said := b.detail(d); said != "" {
			b.add(aDetail, fact(label(d.Name), said))
		}
	}, b.more(aDetail, "details"))
}

// entities adds the identifiers that are not on the card.
func (b *builder) entities() {
	several := map[string]int{}
	for _, e := range b.alert.Entities {
		several[e.Type]++
	}
	list(b.alert.Entities, func(e alert.Entity) {
		var lines []string
		for i, f := range text.Identifiers(e) {
			if text.SaysNothing(f.Value) || b.hasSaid(f.Value) && !(i == 0 && several[e.Type] > 1 && len(e.Fields) > 1) {
				continue
			}
			b.say(f.Value)
			name := ""
			if i > 0 {
				name = inert(f.Identifier, mostName) + " "
			}
			lines = append(lines, name+inert(text.Value(f.Value), mostValue)+b.novelty(f.Value))
		}
		if len(lines) > mostValues {
			lines = append(lines[:mostValues:mostValues], fmt.Sprintf("and %d more", len(lines)-mostValues))
		}
		if len(lines) > 0 {
			b.add(anEntity, fact(text.Label(e.Type), lines...))
		}
	}, b.more(anEntity, "entities"))
}

func (b *builder) properties() {
	list(b.alert.Properties, func(p alert.Property) {
		if !text.SaysNothing(p.Value) && !(b.said[strings.ToLower(text.Line(p.Value))] && text.Line(p.Value) == text.Line(b.alert.FirstSteps())) {
			b.add(aProperty, fact(text.Label(p.Name), inert(text.Plain(p.Value), mostValue)))
		}
	}, b.more(aProperty, "properties"))
}

// command adds what holds back news of the same for a day.
func (b *builder) command() {
	if lines := silenceLines(b.alert); len(lines) > 0 {
		b.add(aCommand, silenceFact(lines))
	}
}

func (b *builder) notes() {
	list(b.alert.Notes, func(n string) { b.add(aNote, fact("Note", inert(text.Line(n), mostValue))) }, b.more(aNote, "notes"))
}

func (b *builder) gaps() {
	if c := b.alert.Context; c != nil {
		list(c.Unavailable, func(u string) { b.add(aGap, fact("Not known", inert(text.Line(u), mostValue))) }, b.more(aGap, "gaps"))
	}
}

// provenance adds what the rule looks for in MITRE's terms, and what the alert is
// called where it is kept.
func (b *builder) provenance() {
	a := b.alert
	mitre := append(slices.Clone(a.Tactics), a.Techniques...)
	for i, name := range mitre {
		mitre[i] = text.Label(name)
	}
	if len(mitre) > 0 {
		b.add(aTechnique, fact("MITRE ATT&CK", values(mitre)))
	}
	if rule := inert(text.Line(a.RuleVersion), mostName); rule != "" {
		b.add(anID, fact("Rule version", rule))
	}
	if a.ID != "" {
		b.add(anID, fact("Alert id", inert(a.ID, mostName)))
	}
}

// values writes a list of texts of ours in one line.
func values(list []string) string {
	return strings.Join(text.List(list, mostValues, func(v string) string { return inert(v, mostValue) }), ", ")
}
