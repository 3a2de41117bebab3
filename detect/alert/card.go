package alert

import (
	"net/url"
	"slices"
)

// Card is what the rule says of the alert in its own words, for where somebody has
// little time. Every destination shows it in its own way and order.
type Card struct {
	// Headline is what the alert is called there, or nothing: then it is the title.
	Headline string `json:"headline,omitempty"`
	// Facts are columns of the rows that the rule shows under labels of its own.
	Facts []CardFact `json:"facts,omitempty"`
	// Buttons lead to pages that the rule names.
	Buttons []CardButton `json:"buttons,omitempty"`
	// Guidance says what to do first. It is the rule's alone: no log has a say in it.
	Guidance string `json:"guidance,omitempty"`
}

// CardFact is a label that the rule chose and the first distinct values of its column.
type CardFact struct {
	Label  string   `json:"label"`
	Values []string `json:"values"`
	// More counts the values that are not among Values.
	More int `json:"more,omitempty"`
}

// CardButton opens an https address, whose host is the rule's. What is from a log in
// it is percent-encoded.
type CardButton struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// The most that a card has of each.
const (
	MostCardFacts   = 8
	MostCardButtons = 3
)

// Headline is what the rule's card calls the alert, or nothing.
func (a Alert) Headline() string {
	if a.Card == nil {
		return ""
	}
	return a.Card.Headline
}

// CardFacts are the facts of the rule's card, no more than a card has.
func (a Alert) CardFacts() []CardFact {
	if a.Card == nil {
		return nil
	}
	return a.Card.Facts[:min(len(a.Card.Facts), MostCardFacts)]
}

// CardButtons are the buttons of the rule's card, no more than a card has.
func (a Alert) CardButtons() []CardButton {
	if a.Card == nil {
		return nil
	}
	return a.Card.Buttons[:min(len(a.Card.Buttons), MostCardButtons)]
}

// InFacts reports whether a fact of the rule's card has the values of a detail: nobody wants to
// read them twice.
func (a Alert) InFacts(d Detail) bool {
	return slices.ContainsFunc(a.CardFacts(), func(f CardFact) bool { return f.More == 0 && slices.Equal(f.Values, d.Values) })
}

// FirstSteps is what the rule says is to be done first, or nothing.
func (a Alert) FirstSteps() string {
	if a.Card == nil {
		return ""
	}
	return a.Card.Guidance
}

// leadsTo reports whether a button's address names the person, who is encoded in it.
func (p *Person) leadsTo(b CardButton) bool {
	decoded, err := url.PathUnescape(b.URL)
	return p.Named(b.URL) || err == nil && p.Named(decoded)
}

// eraseButtons returns a card without the buttons that lead to the person.
func (p *Person) eraseButtons(c *Card) *Card {
	if c == nil || !slices.ContainsFunc(c.Buttons, p.leadsTo) {
		return c
	}
	rest := *c
	rest.Buttons = slices.DeleteFunc(slices.Clone(c.Buttons), p.leadsTo)
	return &rest
}
