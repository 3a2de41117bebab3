package sentinel

import (
	"fmt"
	"html"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/console"
	"pushback/detect/notify/portal"
)

// mostComment is how many characters a comment holds. It is counted in bytes,
// of which there are never fewer.
const mostComment = 30_000

const mostValue = 500

// text makes a value inert: no tag, no entity, no second line, and no address
// that a reader's program makes a link of.
func text(value string) string {
	value = console.Cut(console.Safe(value), mostValue)
	value = strings.ReplaceAll(value, "://", "[:]//")
	return html.EscapeString(value)
}

// Comment returns what was found out about an alert as HTML of at most 30,000
// characters. Nothing from a log is read as HTML. What has no room is counted.
func Comment(a alert.Alert, l portal.Links) string {
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
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = text(v)
		}
		return text(name) + ": " + strings.Join(texts, ", ")
	}
	line("<b>%s: %s</b>", a.Severity, text(a.Title))
	line("%s UTC", text(console.Range(a.Span)))
	if earlier := a.Previously(); len(earlier) > 0 {
		line("Continues what was reported for %s UTC", text(console.Range(earlier[0])))
	}
	if u := a.Updates; u != nil {
		line("Update of: %s", text(u.Title))
	}
	var links []string
	for _, link := range portal.Of(a, l) {
		links = append(links, fmt.Sprintf(`<a href="%s">%s</a>`, html.EscapeString(link.URL), html.EscapeString(link.Title)))
	}
	if len(links) > 0 {
		line("%s", strings.Join(links, " | "))
	}
	var items []string
	c := a.Context
	if c != nil {
		for _, f := range c.Findings {
			items = append(items, text(f.Text))
		}
		list("Findings", items)
		if len(c.Steps) > 0 {
			steps := c.RuleSeverity.String() + " by the rule"
			for _, s := range c.Steps {
				steps += ", " + s.Severity.String() + " for " + text(s.Kind)
			}
			line("Severity: %s", steps)
		}
	}
	items = nil
	for _, e := range a.Entities {
		var fields []string
		for _, f := range e.Fields {
			value := text(f.Value)
			if c.IsNew(f.Value) {
				value += " (new for this account)"
			}
			fields = append(fields, text(f.Identifier)+" "+value)
		}
		items = append(items, text(e.Type)+": "+strings.Join(fields, ", "))
	}
	list("Entities", items)
	items = nil
	for _, d := range a.CustomDetails {
		items = append(items, fact(console.Label(d.Name), d.Values))
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
			items = append(items, text(s.Title)+", "+text(s.Subject)+": "+strings.Join(facts, "; "))
		}
		list("Context", items)
		items = nil
		for _, m := range c.Timeline {
			items = append(items, m.Time.UTC().Format(time.DateTime)+" "+text(m.Text))
		}
		list("Timeline (UTC)", items)
		items = nil
		for _, u := range c.Unavailable {
			items = append(items, text(u))
		}
		list("Not known", items)
	}
	items = nil
	for _, n := range a.Notes {
		items = append(items, text(n))
	}
	list("Notes", items)
	return fit(lines, strings.TrimSpace("Pushback "+text(l.Build))+", rule "+text(a.RuleName+" "+a.RuleVersion)+", alert "+text(a.ID))
}

// fit joins lines and an end, and leaves out the last lines where there is no
// room.
func fit(lines []string, end string) string {
	const br = "<br>"
	size := len(end)
	for _, l := range lines {
		size += len(l) + len(br)
	}
	kept := len(lines)
	for size > mostComment-100 && kept > 0 { // room to say so
		kept--
		size -= len(lines[kept]) + len(br)
	}
	if left := len(lines) - kept; left > 0 {
		lines = append(lines[:kept:kept], fmt.Sprintf("Left out, as a comment holds no more: %d lines", left))
	}
	return strings.Join(append(lines, end), br)
}
