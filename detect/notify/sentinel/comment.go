package sentinel

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
)

// mostComment is how many characters a comment holds. It is counted in bytes,
// of which there are never fewer.
const mostComment = 30_000

// The most characters of a value and of a finding, and the most values of a fact.
const (
	mostValue   = 300
	mostFinding = 400
	mostValues  = 8
)

// Comment returns what was found out about an alert as HTML of at most 30,000
// characters, with remarks about the incident, which are HTML. Nothing from a log is read as HTML
// or Markdown. Lines that have no room are left out, and counted.
func Comment(a alert.Alert, l portal.Links, remarks ...string) string {
	lines := about(a)
	if steps := text.FirstSteps(a); steps != "" {
		lines = append(lines, inert(steps))
	}
	lines = append(lines, remarks...)
	lines = append(lines, links(a, l)...)
	lines = append(lines, findings(a.Context)...)
	lines = append(lines, list("Facts", facts(a))...)
	lines = append(lines, list("Entities", entities(a))...)
	lines = append(lines, list("Details", details(a))...)
	lines = append(lines, known(a.Context)...)
	lines = append(lines, list("Notes", all(a.Notes))...)
	return fit(lines, strings.TrimSpace("Pushback "+inert(l.Build))+", rule "+inert(a.RuleName+" "+a.RuleVersion)+", alert "+inert(a.ID))
}

// about says what the alert is, when it took place, and what it goes on from.
func about(a alert.Alert) []string {
	lines := []string{fmt.Sprintf("<b>%s: %s</b>", a.Severity, inert(a.Title))}
	if own := ownHeadline(a); own != "" {
		lines = []string{fmt.Sprintf("<b>%s: %s</b>", a.Severity, inert(own)), inert(a.Title)}
	}
	for _, said := range []string{text.Stamp(a.Span), text.Late(a), text.Continues(a)} {
		if said != "" {
			lines = append(lines, said)
		}
	}
	if a.Updates != nil {
		lines = append(lines, text.UpdateOf(*a.Updates, inert))
	}
	return lines
}

// links returns one line that leads to where the alert is looked into.
func links(a alert.Alert, l portal.Links) []string {
	var anchors []string
	for _, link := range portal.Of(a, l) {
		anchors = append(anchors, anchor(link.URL, link.Title))
	}
	if len(anchors) == 0 {
		return nil
	}
	return []string{strings.Join(anchors, " | ")}
}

// findings lists what stands out, and what that did to the severity.
func findings(c *alert.Context) []string {
	if c == nil {
		return nil
	}
	var said []string
	for _, f := range c.Findings {
		said = append(said, sentence(f.Text))
	}
	lines := list("Findings", said)
	if steps := text.Steps(c, inert); steps != "" {
		lines = append(lines, "Severity: "+steps)
	}
	return lines
}

// entities writes one line for each entity, with all of its identifiers.
func entities(a alert.Alert) []string {
	var lines []string
	for _, e := range a.Entities {
		var fields []string
		for _, f := range e.Fields {
			fields = append(fields, inert(f.Identifier)+" "+inert(text.Value(f.Value))+text.NewMark(a.Context, f.Value))
		}
		if len(fields) > 0 {
			lines = append(lines, inert(e.Type)+": "+strings.Join(fields, ", "))
		}
	}
	return lines
}

// ownHeadline is what the rule's card calls an alert, where it is not its title.
func ownHeadline(a alert.Alert) string {
	if own := text.Line(a.Headline()); own != text.Line(a.Title) {
		return own
	}
	return ""
}

// facts writes one line for each fact of the rule's card.
func facts(a alert.Alert) []string {
	var lines []string
	for _, f := range a.CardFacts() {
		said := text.List(f.Values, mostValues, func(v string) string { return inert(text.Shown(v)) })
		if more := f.More + max(0, len(f.Values)-mostValues); more > 0 {
			said = append(said[:min(len(said), mostValues)], fmt.Sprintf("and %d more", more))
		}
		lines = append(lines, inert(f.Label)+": "+strings.Join(said, ", "))
	}
	return lines
}

// details writes one line for each custom detail.
func details(a alert.Alert) []string {
	var lines []string
	label := text.LabelOf(a)
	for _, d := range a.Shown() {
		if a.InFacts(d) {
			continue
		}
		write := text.ValueOf(d)
		lines = append(lines, fact(label(d.Name), d.Values, func(v string) string { return inert(write(v)) }))
	}
	return lines
}

// known lists what was looked up: what is known of each entity, what happened in
// order, and what could not be had.
func known(c *alert.Context) []string {
	if c == nil {
		return nil
	}
	var sections, moments []string
	if c.RiskScore != nil {
		sections = append(sections, fmt.Sprintf("Risk score: %d", *c.RiskScore))
	}
	for _, s := range c.Sections {
		facts := make([]string, len(s.Facts))
		for i, f := range s.Facts {
			facts[i] = fact(f.Name, f.Values, inert)
		}
		sections = append(sections, inert(s.Title)+", "+inert(text.Item(s.Subject))+": "+strings.Join(facts, "; "))
	}
	for _, m := range c.Timeline {
		at := ""
		if alert.Known(m.Time) {
			at = m.Time.UTC().Format(time.DateTime) + " "
		}
		moments = append(moments, at+inert(m.Text))
	}
	return slices.Concat(list("Context", sections), list("Timeline (UTC)", moments), list("Not known", all(c.Unavailable)))
}

// list writes items under a title, or nothing if there are none.
func list(title string, items []string) []string {
	if len(items) == 0 {
		return nil
	}
	lines := []string{"<b>" + title + "</b>"}
	for _, item := range items {
		lines = append(lines, "&bull; "+item)
	}
	return lines
}

// fact is a name with its values on one line.
func fact(name string, values []string, write func(string) string) string {
	return inert(name) + ": " + strings.Join(text.List(values, mostValues, write), ", ")
}

// all makes texts inert.
func all(texts []string) []string {
	list := make([]string, len(texts))
	for i, t := range texts {
		list[i] = inert(t)
	}
	return list
}

// fit joins lines and an end, and leaves out the lines that have no room.
func fit(lines []string, end string) string {
	const br = "<br>"
	size := len(end) + 100 // to say so
	var kept []string
	for _, l := range lines {
		if size+len(l)+len(br) <= mostComment {
			kept = append(kept, l)
			size += len(l) + len(br)
		}
	}
	if left := len(lines) - len(kept); left > 0 {
		kept = append(kept, "Left out, as a comment holds no more: "+text.Count(left, "line", "lines"))
	}
	return strings.Join(append(kept, end), br)
}
