package sentinel

import (
	"fmt"
	"html"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
)

// mostComment is how many characters a comment holds. It is counted in bytes,
// of which there are never fewer.
const mostComment = 30_000

// The most characters of a value, and the most values of a fact.
const (
	mostValue  = 300
	mostValues = 8
)

// Comment returns what was found out about an alert as HTML of at most 30,000
// characters, with remarks about the incident. Nothing from a log is read as HTML
// or Markdown. What has no room is counted.
func Comment(a alert.Alert, l portal.Links, remarks ...string) string {
	var lines []string
	line := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	list := func(title string, items []string) {
		if len(items) > 0 {
			line("<b>%s</b>", title)
			for _, item := range items {
				line("&bull; %s", item)
			}
		}
	}
	fact := func(name string, values []string) string {
		var texts []string
		for i, v := range values {
			if i == mostValues {
				texts = append(texts, fmt.Sprintf("and %d more", len(values)-i))
				break
			}
			texts = append(texts, inert(v))
		}
		return inert(name) + ": " + strings.Join(texts, ", ")
	}
	line("<b>%s: %s</b>", a.Severity, inert(a.Title))
	if at := text.Stamp(a.Span); at != "" {
		line("%s", inert(at))
	}
	if late := text.Late(a); late != "" {
		line("%s", late)
	}
	if earlier := a.Previously(); len(earlier) > 0 && earlier[0].Known() {
		line("Continues what was reported for %s", inert(text.Stamp(earlier[0])))
	}
	if u := a.Updates; u != nil {
		line("Update of: %s", inert(u.Title))
	}
	for _, r := range remarks {
		line("%s", html.EscapeString(r))
	}
	var links []string
	for _, link := range portal.Of(a, l) {
		links = append(links, fmt.Sprintf(`<a href="%s" target="_blank">%s</a>`, html.EscapeString(link.URL), html.EscapeString(link.Title)))
	}
	if len(links) > 0 {
		line("%s", strings.Join(links, " | "))
	}
	var items []string
	c := a.Context
	if c != nil {
		for _, f := range c.Findings {
			items = append(items, inert(f.Text))
		}
		list("Findings", items)
		if len(c.Steps) > 0 {
			steps := c.RuleSeverity.String() + " by the rule"
			for _, s := range c.Steps {
				steps += ", " + s.Severity.String() + " for " + inert(s.Kind)
			}
			line("Severity: %s", steps)
		}
	}
	items = nil
	for _, e := range a.Entities {
		var fields []string
		for _, f := range e.Fields {
			value := inert(f.Value)
			if c.IsNew(f.Value) {
				value += " (new for this account)"
			}
			fields = append(fields, inert(f.Identifier)+" "+value)
		}
		if len(fields) > 0 {
			items = append(items, inert(e.Type)+": "+strings.Join(fields, ", "))
		}
	}
	list("Entities", items)
	items = nil
	for _, d := range a.CustomDetails {
		items = append(items, fact(text.Label(d.Name), d.Values))
	}
	list("Details", items)
	if c != nil {
		items = nil
		if c.RiskScore != nil {
			items = append(items, fmt.Sprintf("Risk score: %d", *c.RiskScore))
		}
		for _, s := range c.Sections {
			facts := make([]string, len(s.Facts))
			for i, f := range s.Facts {
				facts[i] = fact(f.Name, f.Values)
			}
			items = append(items, inert(s.Title)+", "+inert(s.Subject)+": "+strings.Join(facts, "; "))
		}
		list("Context", items)
		items = nil
		for _, m := range c.Timeline {
			at := ""
			if alert.Known(m.Time) {
				at = m.Time.UTC().Format(time.DateTime) + " "
			}
			items = append(items, at+inert(m.Text))
		}
		list("Timeline (UTC)", items)
		items = nil
		for _, u := range c.Unavailable {
			items = append(items, inert(u))
		}
		list("Not known", items)
	}
	items = nil
	for _, n := range a.Notes {
		items = append(items, inert(n))
	}
	list("Notes", items)
	return fit(lines, strings.TrimSpace("Pushback "+inert(l.Build))+", rule "+inert(a.RuleName+" "+a.RuleVersion)+", alert "+inert(a.ID))
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
		kept = append(kept, fmt.Sprintf("Left out, as a comment holds no more: %d lines", left))
	}
	return strings.Join(append(kept, end), br)
}
