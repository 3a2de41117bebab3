package console

import (
	"fmt"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// findings writes what stands out, a line or more for each.
func (c *Console) findings(sb *strings.Builder, context *alert.Context) {
	if context == nil || len(context.Findings) == 0 {
		return
	}
	sb.WriteString("\n")
	for _, f := range context.Findings {
		for i, line := range wrap(text.Safe(f.Text), c.style.width()-4) {
			mark := "  • "
			if i > 0 {
				mark = "    "
			}
			sb.WriteString(mark + line + "\n")
		}
	}
}

// known lists what was looked up: the steps of the severity, what is known of
// each entity, and what could not be had.
func known(c *alert.Context) []field {
	if c == nil {
		return nil
	}
	var list []field
	if steps := text.Steps(c, text.Safe); steps != "" {
		list = append(list, field{"Severity", steps})
	}
	if c.RiskScore != nil {
		list = append(list, field{"Risk score", fmt.Sprint(*c.RiskScore)})
	}
	for _, s := range c.Sections {
		lines := []string{text.Safe(s.Subject)}
		for _, f := range s.Facts {
			values := make([]string, len(f.Values))
			for i, v := range f.Values {
				values[i] = text.Safe(v)
			}
			lines = append(lines, text.Safe(f.Name)+": "+strings.Join(values, ", "))
		}
		list = append(list, field{text.Safe(s.Title), strings.Join(lines, "\n")})
	}
	var moments []string
	for _, m := range c.Timeline {
		moments = append(moments, moment(m))
	}
	if len(moments) > 0 {
		list = append(list, field{"Timeline", strings.Join(moments, "\n")})
	}
	if len(c.Unavailable) > 0 {
		lines := make([]string, len(c.Unavailable))
		for i, u := range c.Unavailable {
			lines[i] = text.Safe(u)
		}
		list = append(list, field{"Not known", strings.Join(lines, "\n")})
	}
	return list
}

// moment is a line of the timeline.
func moment(m alert.Moment) string {
	if !alert.Known(m.Time) {
		return text.Safe(m.Text)
	}
	return text.Range(alert.Span{Start: m.Time, End: m.Time}) + " " + text.Safe(m.Text)
}
