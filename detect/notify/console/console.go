// Package console tells alerts to somebody who sits at a terminal.
//
// What comes from a log is shown and never obeyed: see [Safe].
package console

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode"

	"pushback/detect/alert"
	"pushback/detect/notify"
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

	mark := s.severity(a.Severity)
	indent := len(badge(a.Severity)) + 3
	for i, line := range wrap(Safe(a.Title), s.width()-indent) {
		if i == 0 {
			sb.WriteString(mark + " " + s.Bold(line) + "\n")
		} else {
			sb.WriteString(strings.Repeat(" ", indent) + s.Bold(line) + "\n")
		}
	}
	if text := when(a); text != "" {
		for _, line := range wrap(text, s.width()-indent) {
			sb.WriteString(strings.Repeat(" ", indent) + s.Dim(line) + "\n")
		}
	}
	if late := text.Late(a); late != "" {
		sb.WriteString(strings.Repeat(" ", indent) + late + "\n")
	}
	if earlier := spans(a.Previously()); earlier != "" {
		text := "Continues what was reported for " + earlier
		for _, line := range wrap(text, s.width()-indent) {
			sb.WriteString(strings.Repeat(" ", indent) + line + "\n")
		}
	}
	if a.Updates != nil {
		text := "Update of "
		if at := Moment(a.Updates.Created); at != "" {
			text = "Update of what was reported " + at + ": "
		}
		for _, line := range wrap(text+Safe(a.Updates.Title), s.width()-indent) {
			sb.WriteString(strings.Repeat(" ", indent) + line + "\n")
		}
	}
	c.findings(&sb, a.Context)
	if a.Description != "" {
		sb.WriteString("\n")
		for text := range strings.SplitSeq(strings.TrimSpace(a.Description), "\n") {
			for _, line := range wrap(Safe(strings.TrimSuffix(text, "\r")), s.width()-2) {
				sb.WriteString(strings.TrimRight("  "+line, " ") + "\n")
			}
		}
	}
	sb.WriteString("\n")

	fields := fieldsOf(a)
	label := 0
	for _, f := range fields {
		label = max(label, min(Width(f.name), 20))
	}
	for _, f := range fields {
		sb.WriteString(c.field(f, label))
	}
	sb.WriteString("\n")
	_, err := io.WriteString(c.w, sb.String())
	return err
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

// fieldsOf lists what an alert says beside its title: its entities, then the
// rule's custom details, then notes. What is empty is left out.
func fieldsOf(a alert.Alert) []field {
	var list []field
	for _, e := range a.Entities {
		if len(e.Fields) == 0 {
			continue
		}
		list = append(list, field{Safe(e.Type), entityText(e)})
	}
	for _, d := range a.CustomDetails {
		values := make([]string, 0, len(d.Values))
		for _, v := range d.Values {
			if v != "" {
				values = append(values, Safe(v))
			}
		}
		if len(values) > 0 {
			list = append(list, field{Label(Safe(d.Name)), strings.Join(values, ", ")})
		}
	}
	for _, p := range a.Properties {
		list = append(list, field{Label(Safe(p.Name)), Safe(p.Value)})
	}
	if len(a.Tactics)+len(a.Techniques) > 0 {
		list = append(list, field{"MITRE ATT&CK", Safe(strings.Join(append(append([]string(nil), a.Tactics...), a.Techniques...), ", "))})
	}
	list = append(list, known(a.Context)...)
	for _, n := range a.Notes {
		list = append(list, field{"Note", Safe(n)})
	}
	return list
}

// entityText names an entity by its first identifier, and adds the others in
// a line each.
func entityText(e alert.Entity) string {
	if len(e.Fields) == 0 {
		return ""
	}
	first := e.Fields[0].Value
	var others []string
	for _, f := range e.Fields[1:] {
		// A full name says what the name and the suffix say.
		if e.Fields[0].Identifier == "FullName" && (f.Identifier == "Name" || f.Identifier == "UPNSuffix") && strings.Contains(first, f.Value) {
			continue
		}
		others = append(others, Safe(f.Identifier)+" "+Safe(f.Value))
	}
	return strings.Join(append([]string{Safe(first)}, others...), "\n")
}

// Label writes a name such as OperatingSystems as Operating systems, and
// MFAMethods as MFA methods.
func Label(name string) string {
	runes := []rune(name)
	lower := func(i int) bool { return i >= 0 && i < len(runes) && unicode.IsLower(runes[i]) }
	upper := func(i int) bool { return i >= 0 && i < len(runes) && unicode.IsUpper(runes[i]) }
	var sb strings.Builder
	for i, r := range runes {
		// A new word starts at a capital behind a small letter, and at the last
		// capital of a run that goes on in small letters; ASNs is one word.
		plural := i+2 >= len(runes) || !lower(i+2)
		if i > 0 && upper(i) && (lower(i-1) || upper(i-1) && lower(i+1) && !plural) {
			sb.WriteByte(' ')
			if lower(i + 1) {
				r = unicode.ToLower(r)
			}
		}
		sb.WriteRune(r)
	}
	return sb.String()
}

// when says when it took place, and in which window it was found.
func when(a alert.Alert) string {
	var texts []string
	if at := Stamp(a.Span); at != "" {
		texts = append(texts, at)
	}
	if a.Window.Known() {
		texts = append(texts, "window "+Range(a.Window))
	}
	if alert.Known(a.Created) {
		reported := clock(a.Created)
		if day := a.Created.UTC().Format(time.DateOnly); day != a.Span.End.UTC().Format(time.DateOnly) {
			reported = day + " " + reported
		}
		texts = append(texts, "reported "+reported)
	}
	return strings.Join(texts, " · ")
}

// spans lists those that are known.
func spans(list []alert.Span) string {
	var texts []string
	for _, s := range list {
		if s.Known() {
			texts = append(texts, Range(s))
		}
	}
	return strings.Join(texts, ", ")
}

// Stamp is Range and the zone that it is in, or nothing if the span is not known.
func Stamp(s alert.Span) string {
	if !s.Known() {
		return ""
	}
	return Range(s) + " UTC"
}

// Moment is Stamp of a single time.
func Moment(t time.Time) string { return Stamp(alert.Span{Start: t, End: t}) }

// Range writes a span of time in UTC, as short as it can be without loss of
// its date: 2026-03-17 09:58:03 – 10:02:11.
func Range(s alert.Span) string {
	if !s.Known() {
		return "an unknown time"
	}
	start, end := s.Start.UTC(), s.End.UTC()
	text := start.Format(time.DateOnly) + " " + clock(start)
	switch {
	case start.Equal(end):
		return text
	case start.Format(time.DateOnly) == end.Format(time.DateOnly):
		return text + "–" + clock(end)
	}
	return text + " – " + end.Format(time.DateOnly) + " " + clock(end)
}

// clock writes a time of day, without seconds that are zero.
func clock(t time.Time) string {
	t = t.UTC()
	if t.Second() == 0 && t.Nanosecond() == 0 {
		return t.Format("15:04")
	}
	return t.Format(time.TimeOnly)
}
