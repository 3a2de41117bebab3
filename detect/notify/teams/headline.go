package teams

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// styles are those of a severity's band.
var styles = map[alert.Severity]string{alert.High: "attention", alert.Medium: "warning", alert.Low: "accent"}

// band is a container in the severity's colour.
func band(s alert.Severity, items ...any) container {
	style := styles[s]
	if style == "" {
		style = "emphasis"
	}
	return container{Type: "Container", Style: style, Bleed: true, Items: items}
}

// plain is a text that Markdown and the functions of cards make nothing of: it has
// none of their characters, and does not begin like a list.
var plain = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:\p{Nd}+ )?\p{L}[\p{L}\p{M}\p{Nd} .,:;'’“”()/→–…-]*$`)
})

// headlineOf returns the elements that say what an alert is about: its severity
// and its rule, and the headline. Screen readers find the headline as a heading,
// which must be a TextBlock. What Markdown could make something of stands beside the
// heading instead.
func headlineOf(severity alert.Severity, rule string, h text.Headline) []any {
	verdict, about := inert(h.Verdict, mostTitle), inert(h.About, mostTitle)
	whole := text.Headline{Verdict: verdict, About: about}.String()
	kicker := []textRun{{Text: strings.ToUpper(severity.String()), Weight: "Bolder"}}
	if rule := inert(text.Line(rule), mostName); rule != "" && rule != whole && !strings.HasPrefix(whole, rule+": ") { // else the headline says it
		kicker = append(kicker, textRun{Text: " · " + rule, Size: "Small"})
	}
	switch {
	case plain().MatchString(whole):
		return []any{rich("", kicker...), heading(whole, "Small", "Large")}
	case plain().MatchString(verdict) && about != "":
		return []any{rich("", kicker...), heading(verdict, "Small", "Large"), rich("None", textRun{Text: about, Size: "Large", Weight: "Bolder"})}
	}
	elements := []any{heading(strings.ToUpper(severity.String()), "", "Medium")}
	if len(kicker) > 1 {
		elements = append(elements, rich("None", textRun{Text: strings.TrimPrefix(kicker[1].Text, " · "), Size: "Small"}))
	}
	return append(elements, rich("Small", textRun{Text: whole, Size: "Large", Weight: "Bolder"}))
}

// fallbackOf is a headline for what reads Markdown and draws no card.
func fallbackOf(severity alert.Severity, headline string) string {
	return severity.String() + ": " + text.Markdown(inert(headline, mostTitle))
}

// when says when it took place, in the reader's zone and in UTC.
func when(s alert.Span) string {
	if !s.Known() {
		return ""
	}
	// The functions take no fraction of a second.
	start, end := s.Start.UTC().Format(time.RFC3339), s.End.UTC().Format(time.RFC3339)
	here := fmt.Sprintf("{{DATE(%s,SHORT)}} {{TIME(%s)}}", start, start)
	if s.End.Sub(s.Start) >= 12*time.Hour { // the reader's midnight may lie between
		here += fmt.Sprintf(" – {{DATE(%s,SHORT)}} {{TIME(%s)}}", end, end)
	} else if start[:len("2006-01-02T15:04")] != end[:len("2006-01-02T15:04")] {
		here += fmt.Sprintf(" – {{TIME(%s)}}", end)
	}
	return here + " your time · " + text.Range(s) + " UTC"
}

// cameOf says how many prompts there were and what came of them.
func cameOf(a alert.Alert) []string {
	prompts, rejected := 0, int(a.Count(alert.Rejections))
	if a.Context != nil && a.Context.Asked != nil {
		prompts, rejected = a.Context.Asked.Prompts, max(rejected, a.Context.Asked.Rejected)
	}
	var said []string
	if text.Approved(a) {
		prompts = max(prompts, int(a.Count(alert.Prompts)))
	}
	if prompts > rejected {
		said = append(said, text.Count(prompts, "MFA prompt", "MFA prompts"))
	}
	switch {
	case len(said) > 0 && rejected > 0:
		said = append(said, fmt.Sprintf("%d rejected", rejected))
	case rejected > 0:
		said = append(said, text.Count(rejected, "prompt", "prompts")+" rejected")
	}
	if n := int(a.Count(alert.FraudReports)); n > 0 {
		said = append(said, fmt.Sprintf("%d reported as fraud", n))
	}
	switch {
	case len(said) == 0:
	case a.Context.GotIn():
		if slices.ContainsFunc(a.Context.Findings, func(f alert.Finding) bool { return f.Kind.IsOwnSuccess() && !f.Weak }) {
			said = append(said, "signed in")
		}
	case a.Context != nil && a.Context.Asked != nil:
		said = append(said, "no suspicious sign-in")
	}
	return said
}
