// Package console shows alerts to somebody who sits at a terminal.
//
// What comes from a log is shown and never obeyed: see [text.Safe].
package console

import (
	"context"
	"io"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
)

var _ notify.Notifier = (*Console)(nil)

// Console writes alerts to a terminal or a file. Its methods return the first
// error of the writer.
type Console struct {
	w     io.Writer
	style Style
}

// New makes a Console.
func New(w io.Writer, style Style) *Console { return &Console{w, style} }

// Name is "console".
func (c *Console) Name() string { return "console" }

// Notify writes one alert: how bad, what, when, who, and what the rule adds.
func (c *Console) Notify(_ context.Context, a alert.Alert) error {
	var sb strings.Builder
	s := c.style
	sb.WriteString(s.Dim(strings.Repeat("─", s.width())) + "\n")
	c.head(&sb, a)
	c.findings(&sb, a.Context)
	if steps := text.FirstSteps(a); steps != "" {
		sb.WriteString("\n")
		for _, line := range wrap(text.Safe(steps), s.width()-2) {
			sb.WriteString("  " + line + "\n")
		}
	}
	if a.Description != "" {
		sb.WriteString("\n")
		for paragraph := range strings.SplitSeq(strings.TrimSpace(a.Description), "\n") {
			for _, line := range wrap(text.Safe(strings.TrimSuffix(paragraph, "\r")), s.width()-2) {
				sb.WriteString(strings.TrimRight("  "+line, " ") + "\n")
			}
		}
	}
	sb.WriteString("\n")

	fields := fieldsOf(a)
	label := 0
	for _, f := range fields {
		label = max(label, min(text.Width(f.name), 20))
	}
	for _, f := range fields {
		sb.WriteString(c.field(f, label))
	}
	sb.WriteString("\n")
	_, err := io.WriteString(c.w, sb.String())
	return err
}

// head writes the severity and the title, and below it when the alert took place
// and what it goes on from.
func (c *Console) head(sb *strings.Builder, a alert.Alert) {
	s := c.style
	indent := len(badge(a.Severity)) + 3
	margin := s.severity(a.Severity) + " "
	write := func(words string, paint func(string) string) {
		for _, line := range wrap(words, s.width()-indent) {
			sb.WriteString(margin + paint(line) + "\n")
			margin = strings.Repeat(" ", indent)
		}
	}
	if own := text.Line(a.Headline()); own != "" && own != text.Line(a.Title) {
		write(text.Safe(own), s.Bold)
		write(text.Safe(a.Title), s.Dim)
	} else {
		write(text.Safe(a.Title), s.Bold)
	}
	if at := when(a); at != "" {
		write(at, s.Dim)
	}
	said := []string{text.Late(a), text.Continues(a)}
	if a.Updates != nil {
		said = append(said, text.UpdateOf(*a.Updates, text.Safe))
	}
	for _, words := range said {
		if words != "" {
			write(words, func(line string) string { return line })
		}
	}
}

// field is a label with what stands behind it, which may have several lines.
type field struct{ name, value string }

// field draws one, its further lines under its first.
func (c *Console) field(f field, label int) string {
	const margin, gap = 2, 2
	var sb strings.Builder
	indent := margin + label + gap
	var lines []string
	for line := range strings.SplitSeq(f.value, "\n") {
		lines = append(lines, wrap(line, c.style.width()-indent)...)
	}
	for i, line := range lines {
		if i == 0 {
			sb.WriteString(strings.Repeat(" ", margin) + c.style.Dim(pad(f.name, label)) + strings.Repeat(" ", gap) + line + "\n")
		} else {
			sb.WriteString(strings.Repeat(" ", indent) + line + "\n")
		}
	}
	return sb.String()
}

// fieldsOf lists what an alert says beside its title: its entities, then the facts of the
// rule's card, its custom details, notes and the pages that the card leads to. What is empty is left out.
func fieldsOf(a alert.Alert) []field {
	var list []field
	for _, e := range a.Entities {
		if len(e.Fields) == 0 {
			continue
		}
		list = append(list, field{text.Safe(e.Type), entityText(e)})
	}
	for _, f := range a.CardFacts() {
		list = append(list, field{text.Safe(f.Label), text.Safe(text.Fact(f))})
	}
	label := text.LabelOf(a)
	for _, d := range a.Shown() {
		if a.InFacts(d) {
			continue
		}
		write := text.ValueOf(d)
		values := make([]string, 0, len(d.Values))
		for _, v := range d.Values {
			if v != "" {
				values = append(values, text.Safe(write(v)))
			}
		}
		if len(values) > 0 {
			list = append(list, field{label(text.Safe(d.Name)), strings.Join(values, ", ")})
		}
	}
	for _, p := range a.Properties {
		list = append(list, field{text.Label(text.Safe(p.Name)), text.Safe(p.Value)})
	}
	if len(a.Tactics)+len(a.Techniques) > 0 {
		list = append(list, field{"MITRE ATT&CK", text.Safe(strings.Join(append(append([]string(nil), a.Tactics...), a.Techniques...), ", "))})
	}
	list = append(list, known(a.Context)...)
	for _, n := range a.Notes {
		list = append(list, field{"Note", text.Safe(n)})
	}
	for _, link := range portal.OfRule(a) {
		list = append(list, field{text.Safe(link.Title), text.Safe(link.URL)})
	}
	return list
}

// entityText names an entity by its first identifier, and adds the others in
// a line each.
func entityText(e alert.Entity) string {
	if len(e.Fields) == 0 {
		return ""
	}
	var lines []string
	for i, f := range text.Identifiers(e) {
		line := text.Safe(f.Value)
		if i > 0 {
			line = text.Safe(f.Identifier) + " " + line
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// when says when it took place, and in which window it was found.
func when(a alert.Alert) string {
	var texts []string
	if at := text.Stamp(a.Span); at != "" {
		texts = append(texts, at)
	}
	if a.Window.Known() {
		texts = append(texts, "window "+text.Range(a.Window))
	}
	if alert.Known(a.Created) {
		reported := text.Clock(a.Created)
		if day := a.Created.UTC().Format(time.DateOnly); day != a.Span.End.UTC().Format(time.DateOnly) {
			reported = day + " " + reported
		}
		texts = append(texts, "reported "+reported)
	}
	return strings.Join(texts, " · ")
}
