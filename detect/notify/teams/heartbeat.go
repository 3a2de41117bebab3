package teams

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"pushback/detect/notify"
	"pushback/detect/notify/text"
)

// Heartbeat posts a card that says that all is well, or not, where there was
// nothing to post for a long time. Workflows go off without a word if nothing
// triggers them for 90 days. Its errors are like those of Notify.
func (t *Teams) Heartbeat(ctx context.Context, address string, h notify.Heartbeat) error {
	card, summary, err := heartbeatCard(h, t.options.Links)
	if err != nil {
		return &notify.Error{Err: err, Message: true}
	}
	for _, to := range t.all() {
		if to.name == address {
			return t.send(ctx, to, card, summary)
		}
	}
	return fmt.Errorf("teams: there is no webhook %s", address)
}

// mostWrong is how many things that are wrong a heartbeat names.
const mostWrong = 5

// heartbeatCard returns a heartbeat as an Adaptive Card: in three lines what was
// watched, what was found, and whether all is well; and what a notification says. What holds for [Card] holds
// for it.
func heartbeatCard(h notify.Heartbeat, links Links) (_ json.RawMessage, summary string, err error) {
	style, title := "good", "All is well"
	if len(h.Wrong) > 0 || h.LastRun.IsZero() {
		style, title = "warning", "Not all is well"
	}
	watched := "No rule is set up."
	if n := len(h.Rules); n > 0 {
		names := text.List(h.Rules, mostValues, func(name string) string { return inert(text.Line(name), mostName) })
		watched = text.Count(n, "rule", "rules") + ": " + strings.Join(names, ", ")
		if h.LastRun.IsZero() {
			watched += ". Not every one has run yet."
		} else {
			watched += ". Last run at " + text.Minute(h.LastRun) + "."
		}
	}
	found := "Nothing"
	switch n := h.Reported + h.HeldBack; {
	case h.More:
		found = fmt.Sprintf("More than %d alerts", n)
	case n > 0:
		found = text.Count(n, "alert", "alerts")
	}
	if h.HeldBack > 0 {
		found += fmt.Sprintf(", %d of them held back", h.HeldBack)
	}
	found += fmt.Sprintf(" since %s (%s)", text.Minute(h.Since), text.Length(h.Now.Sub(h.Since)))
	if h.Uncounted {
		found = "The alerts since " + text.Minute(h.Since) + " cannot be counted: see the log"
	} else if h.Reported > 0 {
		found += ", and nothing that is sent to this channel"
	}
	found += "."
	well := "All is well. This card shows that the channel still takes cards."
	if len(h.Wrong) > 0 {
		wrong := text.List(h.Wrong, mostWrong, func(what string) string { return inert(text.Line(what), mostValue) })
		well = strings.Join(wrong, "; ") + ". See handler check."
	} else if h.LastRun.IsZero() {
		well = "Pushback has not run a rule yet. See handler check."
	}
	c := newCard(title)
	c.Body = []any{
		container{Type: "Container", Style: style, Bleed: true, Items: []any{
			rich("", textRun{Text: "HEARTBEAT", Weight: "Bolder"}, textRun{Text: " · Pushback"}),
			heading(title, "Small", "Large"),
		}},
		fact("Watched", watched), fact("Found", found), fact("State", well),
	}
	if links.Build != "" {
		c.Body = append(c.Body, small("Pushback "+inert(text.Line(links.Build), mostName)))
	}
	card, err := encode(c)
	return card, "Pushback: " + title, err
}
