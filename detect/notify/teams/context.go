package teams

import (
	"fmt"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// contextFirst adds what an analyst reads first: the findings, and why the
// severity is what it is.
func contextFirst(a alert.Alert, add func(kind, any)) {
	c := a.Context
	if c == nil {
		return
	}
	for i, f := range c.Findings {
		if i == mostValues {
			add(aFinding, rich("Small", textRun{Text: fmt.Sprintf("and %d more findings", len(c.Findings)-i), IsSubtle: true}))
			break
		}
		weight := ""
		if i == 0 {
			weight = "Bolder"
		}
		add(aFinding, rich("Small", textRun{Text: "• " + inert(text.Line(f.Text), mostFinding), Weight: weight}))
	}
	if steps := text.Steps(c, func(reason string) string { return inert(text.Line(reason), mostValue) }); steps != "" {
		add(aFinding, rich("Small", textRun{Text: "Severity: " + steps, Size: "Small", IsSubtle: true}))
	}
}

// contextRest adds what is known of the entities, what happened in order, and
// what could not be had.
func contextRest(c *alert.Context, add func(kind, any), more func(kind, string) func(int)) {
	if c == nil {
		return
	}
	if c.RiskScore != nil {
		add(aSection, fact("Risk score", fmt.Sprint(*c.RiskScore)))
	}
	list(c.Sections, func(s alert.Section) {
		// A line for the entity, and the facts one behind the other.
		lines := []string{inert(text.Line(s.Subject), mostValue)}
		facts := text.List(s.Facts, mostLines, func(f alert.Detail) string {
			return inert(text.Line(f.Name), mostName) + ": " + values(f.Values)
		})
		if len(facts) > 0 {
			lines = append(lines, strings.Join(facts, " · "))
		}
		add(aSection, fact(s.Title, lines...))
	}, more(aSection, "sections"))
	list(c.Timeline, func(m alert.Moment) {
		when := ""
		if alert.Known(m.Time) {
			when = m.Time.UTC().Format("02 Jan 15:04:05")
		}
		add(aMoment, fact(when, inert(text.Line(m.Text), mostValue)))
	}, more(aMoment, "moments"))
	list(c.Unavailable, func(u string) { add(aGap, fact("Not known", inert(text.Line(u), mostValue))) }, more(aGap, "gaps"))
}
