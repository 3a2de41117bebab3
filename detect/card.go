package detect

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// The most of a card that is kept, in UTF-16 units: no destination shows more, and the
// rows have the rest.
const (
	mostHeadline   = 500
	mostFactValues = 10
	mostFactValue  = 400
	mostSteps      = 250
)

// card gives the alert what the rule says of its cards, with the values of the first row
// that has them all, and for facts of all rows. It is kept with the alert, so that the
// card is the same whoever sends it, and when. The remediation says what to do first
// where the card does not.
func (b builder) card(a *alert.Alert, rows [][]any, remediation string) {
	r := b.rule.Card
	c := alert.Card{Guidance: cmp.Or(text.Line(r.Guidance), text.CutUnits(text.Line(remediation), mostSteps))}
	if headline, ok := b.headline(r.Headline, rows); ok {
		c.Headline = text.CutUnits(headline, mostHeadline)
	} else if !r.Headline.IsZero() {
		a.Notes = append(a.Notes, "The headline is the alert's title: a column in the rule's headline has no value.")
	}
	for _, f := range r.Facts {
		if fact := b.fact(f, rows); len(fact.Values) > 0 {
			c.Facts = append(c.Facts, fact)
		}
	}
	for _, button := range r.Buttons {
		switch address, err := b.address(button, rows); {
		case err == nil:
			c.Buttons = append(c.Buttons, alert.CardButton{Title: button.Title, URL: address})
		case !errors.Is(err, rule.ErrNoValue): // it is a button of other alerts
			a.Notes = append(a.Notes, fmt.Sprintf("The button “%s” is left out: %v.", button.Title, err))
		}
	}
	if c.Headline != "" || len(c.Facts)+len(c.Buttons) > 0 || c.Guidance != "" {
		a.Card = &c
	}
}

// headline writes the rule's headline. One without columns needs no row.
func (b builder) headline(format rule.Format, rows [][]any) (string, bool) {
	if len(format.Columns()) == 0 {
		return format.Render(func(string) (string, bool) { return "", false })
	}
	return b.render(format, rows)
}

// fact returns the values of a column.
func (b builder) fact(f rule.CardFact, rows [][]any) alert.CardFact {
	values := b.distinct(rows, f.Column)
	if slices.Contains(b.rule.AddressColumns(), f.Column) {
		values = spelledOnce(values)
	}
	fact := alert.CardFact{Label: f.Label, More: max(0, len(values)-mostFactValues)}
	for _, value := range values[:len(values)-fact.More] {
		fact.Values = append(fact.Values, text.CutUnits(value, mostFactValue))
	}
	return fact
}

// spelledOnce returns addresses in their one spelling, each once.
func spelledOnce(addresses []string) (list []string) {
	seen := map[string]bool{}
	for _, address := range addresses {
		if address = alert.CanonicalAddress(address); !seen[address] {
			seen[address] = true
			list = append(list, address)
		}
	}
	return list
}

// address returns where a button leads.
func (b builder) address(button rule.CardButton, rows [][]any) (string, error) {
	if len(button.URL.Columns()) == 0 {
		return button.Address(func(string) (string, bool) { return "", false })
	}
	for _, row := range rows {
		address, err := button.Address(func(column string) (string, bool) { return strings.Join(b.values(row, column), ","), true })
		if !errors.Is(err, rule.ErrNoValue) {
			return address, err
		}
	}
	return "", rule.ErrNoValue
}

// ofAll returns the card of an alert that stands for very many: what names one of
// them is left out.
func ofAll(c rule.Card) rule.Card {
	all := rule.Card{Guidance: c.Guidance}
	for _, b := range c.Buttons {
		if len(b.URL.Columns()) == 0 {
			all.Buttons = append(all.Buttons, b)
		}
	}
	return all
}
