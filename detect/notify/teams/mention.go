package teams

import (
	"regexp"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// mention names somebody in a card. Teams puts them where the card has the text:
// https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format#mention-support-within-adaptive-cards
type mention struct {
	Type      string    `json:"type"`
	Text      string    `json:"text"`
	Mentioned mentioned `json:"mentioned"`
}

type mentioned struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// mostMentions is how many people a card mentions.
const mostMentions = 20

// mentionsOf returns the people that alerts are to mention, each once.
func mentionsOf(alerts ...alert.Alert) (list []alert.Mention) {
	for _, a := range alerts {
		for _, m := range a.Mentions {
			known := slices.ContainsFunc(list, func(o alert.Mention) bool { return strings.EqualFold(o.ID, m.ID) })
			if !known && len(list) < mostMentions {
				list = append(list, m)
			}
		}
	}
	return list
}

// plainName leaves of a name what neither Markdown nor a tag can be made of.
func plainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if strings.ContainsRune("<>&*_`[]()#|\\~!{}", r) {
			return ' '
		}
		return r
	}, text.Line(name))
	return text.Cut(strings.Join(strings.Fields(name), " "), mostName)
}

// mention has a card name people, and returns the line with their names to put into it,
// or nothing. Teams finds who is meant by the place of a name among all such texts, so
// the card must have no others: see inert.
func (c *card) mention(people []alert.Mention) []any {
	var names []string
	for _, p := range people {
		name := plainName(p.Name)
		if name == "" {
			continue
		}
		at := "<at>" + name + "</at>"
		names = append(names, at)
		c.MSTeams.Entities = append(c.MSTeams.Entities, mention{Type: "mention", Text: at, Mentioned: mentioned{ID: p.ID, Name: name}})
	}
	if len(names) == 0 {
		return nil
	}
	return []any{textBlock{Type: "TextBlock", Text: strings.Join(names, " "), Wrap: true}}
}

// tags are what somebody is mentioned by.
var tags = regexp.MustCompile(`(?i)<(\s*/?\s*at\b)`)
