package teams

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pushback/detect/notify"
	"pushback/detect/notify/text"
)

// Heartbeat posts a card that says that all is well, or not, where there was
// nothing to post for a long time. Workflows go off without a word if nothing
// triggers them for 90 days. Its errors are like those of Notify.
func (t *Teams) Heartbeat(ctx context.Context, address string, h notify.Heartbeat) error {
	card, err := HeartbeatCard(h, t.options.Links)
	if err != nil {
		return &notify.Error{Err: err, Message: true}
	}
	for _, to := range append([]channel{t.other}, t.routes...) {
		if to.name == address {
			return t.send(ctx, to, card)
		}
	}
	return fmt.Errorf("teams: there is no webhook %s", address)
}

// mostWrong is how many things that are wrong a heartbeat names.
const mostWrong = 5

// HeartbeatCard returns a heartbeat as an Adaptive Card: in three lines what was
// watched, what was found, and whether all is well. What holds for [Card] holds
// for it.
func HeartbeatCard(h notify.Heartbeat, links Links) (json.RawMessage, error) {
	style, title := "good", "All is well"
	if len(h.Wrong) > 0 || h.LastRun.IsZero() {
		style, title = "warning", "Not all is well"
	}
	watched := "No rule is set up."
	if n := len(h.Rules); n > 0 {
		names := make([]string, 0, mostValues)
		for i, name := range h.Rules {
			if i == mostValues {
				names = append(names, fmt.Sprintf("%d more", n-i))
				break
			}
			names = append(names, inert(text.Line(name), mostName))
		}
		watched = "1 rule: "
		if n > 1 {
			watched = fmt.Sprintf("%d rules: ", n)
		}
		watched += strings.Join(names, ", ")
		if h.LastRun.IsZero() {
			watched += ". Not every one has run yet."
		} else {
			watched += ". Last run at " + utc(h.LastRun) + "."
		}
	}
	found := "Nothing"
	switch n := h.Reported + h.HeldBack; {
	case h.More:
		found = fmt.Sprintf("More than %d alerts", n)
	case n == 1:
		found = "1 alert"
	case n > 1:
		found = fmt.Sprintf("%d alerts", n)
	}
	if h.HeldBack > 0 {
		found += fmt.Sprintf(", %d of them held back", h.HeldBack)
	}
	found += fmt.Sprintf(" since %s (%s)", utc(h.Since), text.Length(h.Now.Sub(h.Since)))
	if h.Uncounted {
		found = "The alerts since " + utc(h.Since) + " cannot be counted: see the log"
	} else if h.Reported > 0 {
		found += ", and nothing that is sent to this channel"
	}
	found += "."
	well := "All is well. This card shows that the channel still takes cards."
	if len(h.Wrong) > 0 {
		wrong := make([]string, 0, mostWrong)
		for i, what := range h.Wrong {
			if i == mostWrong {
				wrong = append(wrong, fmt.Sprintf("and %d more", len(h.Wrong)-i))
				break
			}
			wrong = append(wrong, inert(text.Line(what), mostValue))
		}
		well = strings.Join(wrong, "; ") + ". See handler check."
	} else if h.LastRun.IsZero() {
		well = "Pushback has not run a rule yet. See handler check."
	}
	c := newCard(title)
	c.Body = []any{
		container{Type: "Container", Style: style, Bleed: true, Items: []any{
			rich("", textRun{Text: "HEARTBEAT", Weight: "Bolder"}, textRun{Text: " · Pushback"}),
			rich("Small", textRun{Text: title, Size: "Large", Weight: "Bolder"}),
		}},
		fact("Watched", watched), fact("Found", found), fact("State", well),
	}
	if links.Build != "" {
		c.Body = append(c.Body, small("Pushback "+inert(text.Line(links.Build), mostName)))
	}
	return encode(c)
}

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }
