package text

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pushback/detect/alert"
)

// Late says how late an alert is sent and when it was made. It is empty if the
// alert is not late.
func Late(a alert.Alert) string {
	late := a.Late()
	if late == 0 {
		return ""
	}
	return fmt.Sprintf("Sent %s late: Pushback found it at %s", Length(late), Minute(a.Created))
}

// Continues says what was reported before of the activities of an alert. It is
// empty if nothing was.
func Continues(a alert.Alert) string {
	earlier := slices.DeleteFunc(a.Previously(), func(s alert.Span) bool { return !s.Known() })
	if len(earlier) == 0 {
		return ""
	}
	said := "Continues what was reported for " + Range(earlier[0])
	if more := len(earlier) - 1; more > 0 {
		said += " and " + Count(more, "other time", "other times")
	}
	return said + " UTC"
}

// UpdateOf says which alert another one updates. The title comes from a log:
// inert makes it safe to show.
func UpdateOf(r alert.Reference, inert func(string) string) string {
	said := "Update of "
	if at := Moment(r.Created); at != "" {
		said += "what was reported " + at + ": "
	}
	return said + quotedTitle(r.Title, inert)
}

// Steps says in one line how findings changed the severity from the rule's, and
// why, or nothing if they did not: Medium → High: 14 prompts within an hour. The
// reasons may name what a log says, so that they go through inert.
func Steps(c *alert.Context, inert func(string) string) string {
	if c == nil || len(c.Steps) == 0 {
		return ""
	}
	last := c.Steps[len(c.Steps)-1].Severity
	var path, reasons []string
	for _, s := range c.Steps {
		if s.Severity == last || last == c.RuleSeverity { // on the way back, the way is said
			path = append(path, s.Severity.String())
		}
		reasons = append(reasons, inert(cmp.Or(s.Text, string(s.Kind))))
	}
	path = slices.Compact(append([]string{c.RuleSeverity.String()}, path...))
	return strings.Join(path, " → ") + ": " + strings.Join(reasons, "; ")
}

// NewMark is what stands behind a value that the alert's accounts were not seen
// with before, and empty for any other value.
func NewMark(c *alert.Context, value string) string {
	if !c.IsNew(value) {
		return ""
	}
	return " (new for this account)"
}

// Identifiers returns the fields of an entity without those that its full name
// says already.
func Identifiers(e alert.Entity) []alert.Field {
	if len(e.Fields) == 0 || e.Fields[0].Identifier != "FullName" {
		return e.Fields
	}
	first := e.Fields[0]
	list := []alert.Field{first}
	for _, f := range e.Fields[1:] {
		if f.Identifier != "Name" && f.Identifier != "UPNSuffix" || !strings.Contains(first.Value, f.Value) {
			list = append(list, f)
		}
	}
	return list
}

// FirstSteps says what the rule wants done first, or nothing.
func FirstSteps(a alert.Alert) string {
	if steps := Line(a.FirstSteps()); steps != "" {
		return "What to do first: " + steps
	}
	return ""
}

// Fact writes the values of a fact of a rule's card on one line, and how many more there
// are. They are not safe to show yet.
func Fact(f alert.CardFact) string {
	written := make([]string, 0, len(f.Values)+1)
	for _, v := range f.Values {
		written = append(written, Shown(v))
	}
	if f.More > 0 {
		written = append(written, fmt.Sprintf("and %d more", f.More))
	}
	return strings.Join(written, ", ")
}

// List writes the first of the items, and how many more there are. An item that
// is written as nothing is left out.
func List[T any](items []T, most int, write func(T) string) []string {
	var list []string
	for i, item := range items {
		if i == most {
			return append(list, fmt.Sprintf("and %d more", len(items)-i))
		}
		if written := write(item); written != "" {
			list = append(list, written)
		}
	}
	return list
}

// Count writes a number with its noun: 1 entity, 2 entities.
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
