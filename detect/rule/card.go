package rule

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"pushback/detect/secret"
)

// Card is what a rule says of its alerts where somebody has little time: on a card, a
// comment and a row. It stands in the order that every card has. The zero value leaves
// that to Pushback. It is Pushback's own addition to the format: `pushback: {card: ...}`.
type Card struct {
	// Headline takes the place of the alert's title where there is one.
	Headline Format
	Facts    []CardFact
	Buttons  []CardButton
	// Guidance says in a few words what to do first.
	Guidance string
}

// CardFact shows a column of the result under a label.
type CardFact struct {
	Label  string
	Column string
}

// CardButton leads to a page that depends on columns of the result.
type CardButton struct {
	Title string
	URL   Format // https; the host has no column in it
}

// The most that a card has, and the most characters of what its author writes. The
// guidance is a single field of Sentinel's alert, too, which holds 256 bytes.
const (
	maxCardFacts    = 8
	maxCardButtons  = 3
	maxHeadline     = 250
	maxCardGuidance = 250
	maxLabel        = 40
	maxButtonTitle  = 30
	maxButtonURL    = 2000 // also with the columns' values
)

// IsZero reports whether the rule says nothing.
func (c Card) IsZero() bool {
	return c.Headline.IsZero() && len(c.Facts)+len(c.Buttons) == 0 && c.Guidance == ""
}

// ErrNoValue says that a column which a button needs has none.
var ErrNoValue = errors.New("a column in its address has no value")

// Address returns the address with the columns' values in it. They are
// percent-encoded, so that a value is always a value and never more of the
// address. What no encoding makes harmless gets no address, and an error that names no
// value.
func (b CardButton) Address(lookup func(column string) (string, bool)) (string, error) {
	address, ok := b.URL.Render(func(column string) (string, bool) {
		value, ok := lookup(column)
		return percentEncoded(strings.TrimSpace(value)), ok
	})
	switch {
	case !ok:
		return "", ErrNoValue
	case len(address) > maxButtonURL:
		return "", fmt.Errorf("with the values in it its address is longer than %d bytes", maxButtonURL)
	}
	u, err := url.Parse(address)
	if err != nil || hasDotSegment(u.Path) {
		return "", errors.New("a value in its path would lead to another path")
	}
	return address, nil
}

// percentEncoded writes a value so that it is one wherever it stands in a path, a query or a
// fragment: of ASCII only letters, digits and -._~ stay.
func percentEncoded(value string) string {
	return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// hasDotSegment reports whether a path has a . or .. that a browser or a server takes
// for a step to another path, also one that was encoded.
func hasDotSegment(path string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' }), func(segment string) bool {
		return segment == "." || segment == ".."
	})
}

// literalHost is what an address begins with: its host is written out, and ends before
// anything else begins.
var literalHost = regexp.MustCompile(`^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?#]|$)`)

// buttonPattern says in the schema what parseAddress refuses first.
const buttonPattern = `^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?([/?#].*)?$`

// parseAddress reads the address of a button.
func parseAddress(text string) (Format, error) {
	f, err := ParseFormat(text)
	if err != nil {
		return Format{}, err
	}
	var literal strings.Builder // with a character where a column is
	for _, part := range f.parts {
		if part.isColumn {
			literal.WriteString("x")
		} else {
			literal.WriteString(part.text)
		}
	}
	first := ""
	if len(f.parts) > 0 && !f.parts[0].isColumn {
		first = f.parts[0].text
	}
	host := literalHost.FindStringSubmatch(first)
	u, err := url.Parse(literal.String())
	switch {
	case len(text) > maxButtonURL:
		return Format{}, fmt.Errorf("it has %d bytes: write at most %d", len(text), maxButtonURL)
	case strings.HasPrefix(strings.ToLower(text), "http://"):
		return Format{}, errors.New("http is read by whoever is on the way: write https://")
	case host == nil, host[3] == "" && len(f.parts) > 1:
		return Format{}, errors.New("write it as https://host/path with the host written out: a column may stand behind the host alone, as in https://host/users/{{Column}}")
	case err != nil, u.User != nil, u.String() != literal.String():
		return Format{}, errors.New("it is no address: escape what is special in it, such as a space as %20")
	case hasDotSegment(u.Path):
		return Format{}, errors.New("its path has . or .. in it: write the path that is meant")
	}
	return f, nil
}

// holdsSecret reports whether what the author wrote behind the host looks like a secret.
func (f Format) holdsSecret() bool {
	var written strings.Builder
	for i, part := range f.parts {
		switch {
		case part.isColumn:
		case i == 0:
			written.WriteString(strings.TrimLeft(strings.TrimPrefix(part.text, literalHost.FindString(part.text)), "/"))
		default:
			written.WriteString(part.text)
		}
	}
	return secret.In("?" + written.String())
}

// card reads what the rule says of its cards.
func (p *parser) card(n *yaml.Node) {
	c := &p.rule.Card
	p.mapping(n, "card", map[string]field{
		"headline": func(n *yaml.Node) { c.Headline = p.headline(n) },
		"facts":    p.cardFacts,
		"buttons":  p.cardButtons,
		"guidance": func(n *yaml.Node) {
			p.shorterThan(n, maxCardGuidance)
			if text, ok := p.wording(n, "guidance", maxCardGuidance); ok {
				c.Guidance = text
			}
		},
	})
}

// headline reads a text with {{Column}} in it.
func (p *parser) headline(n *yaml.Node) Format {
	p.shorterThan(n, maxHeadline)
	text, ok := p.text(n, "headline")
	if !ok {
		return Format{}
	}
	f, err := ParseFormat(n.Value)
	if err != nil {
		p.errorf(n, "headline: %v", err)
		return Format{}
	}
	if length := utf8.RuneCountInString(text); length > maxHeadline {
		p.errorf(n, "headline has %d characters: write at most %d", length, maxHeadline)
		return Format{}
	}
	p.notePlaces(n, f, cardHeadlinePath)
	return f
}

func (p *parser) cardFacts(n *yaml.Node) {
	p.noMoreKeys(n, maxCardFacts)
	labels := p.labels(n, "facts", "fact", maxCardFacts)
	p.pairs(n, "facts", func(label string, keyNode, value *yaml.Node) {
		ok := labels(label, maxLabel, keyNode)
		column, isText := p.cardText(value, "fact "+clip(label), "name a column of the query's result")
		switch {
		case !isText || !ok:
		case strings.Contains(column, "{{"):
			p.errorf(value, "fact %q names %q: write the name of one column, without {{ and }}", clip(label), clip(column))
		default:
			p.note(cardFactPath(len(p.rule.Card.Facts)), value)
			p.rule.Card.Facts = append(p.rule.Card.Facts, CardFact{strings.TrimSpace(label), column})
		}
	})
}

func (p *parser) cardButtons(n *yaml.Node) {
	p.noMoreKeys(n, maxCardButtons)
	labels := p.labels(n, "buttons", "button", maxCardButtons)
	p.pairs(n, "buttons", func(title string, keyNode, value *yaml.Node) {
		p.like(value, buttonPattern)
		ok := labels(title, maxButtonTitle, keyNode)
		text, isText := p.cardText(value, "button "+clip(title), "write the address of the page as https://host/path")
		if !isText || !ok {
			return
		}
		f, err := parseAddress(text)
		if err != nil {
			p.errorf(value, "button %q: %q: %v", clip(title), clip(text), err)
			return
		}
		if f.holdsSecret() {
			p.warnf(value, "button %q: its address holds what looks like a secret, which everybody who sees a card would see", clip(title))
		}
		p.notePlaces(value, f, cardButtonPath(len(p.rule.Card.Buttons)))
		p.rule.Card.Buttons = append(p.rule.Card.Buttons, CardButton{strings.TrimSpace(title), f})
	})
}

// cardText reads what stands behind a label.
func (p *parser) cardText(n *yaml.Node, what, right string) (string, bool) {
	if !p.drawing() && isNull(n) {
		p.errorf(n, "%s has no value: %s", what, right)
		return "", false
	}
	return p.text(n, what)
}

// labels returns what checks the labels of a mapping one by one: that there are no more than so
// many, and that each is short and one of its own, as somebody reads it.
func (p *parser) labels(n *yaml.Node, what, one string, most int) func(label string, longest int, at *yaml.Node) bool {
	seen := map[string]bool{}
	if p.is(n, yaml.MappingNode) && !p.drawing() && len(resolve(n).Content) == 0 {
		p.warnf(n, "%s is empty and ignored: name what to show or remove it", what)
	}
	return func(label string, longest int, at *yaml.Node) bool {
		if p.drawing() {
			return true
		}
		label = strings.TrimSpace(label)
		read := strings.ToLower(strings.Join(strings.Fields(label), " "))
		before := seen[read]
		seen[read] = true
		switch length := utf8.RuneCountInString(label); {
		case label == "":
			p.errorf(at, "a %s has no label: give it one", one)
		case before:
			p.errorf(at, "%s %q is there twice: remove one", one, clip(label))
		case length > longest:
			p.errorf(at, "the label of %s %q has %d characters: write at most %d", one, clip(label), length, longest)
		case strings.Contains(label, "{{"):
			p.errorf(at, "the label of %s %q has a column in it: it is the same on every card", one, clip(label))
		case len(seen) == most+1:
			p.errorf(at, "there are more than %d %s: a card has room for %d", most, what, most)
		default:
			return len(seen) <= most
		}
		return false
	}
}

// wording reads a short text of the author's alone.
func (p *parser) wording(n *yaml.Node, what string, longest int) (string, bool) {
	text, ok := p.text(n, what)
	if !ok {
		return "", false
	}
	switch length := utf8.RuneCountInString(text); {
	case length > longest:
		p.errorf(n, "%s has %d characters: write at most %d, and the rest under remediation or on the page that pushback: guidance names", what, length, longest)
		return "", false
	case strings.Contains(text, "{{"):
		p.errorf(n, "%s has a column in it: it is the same on every card, so that no log has a say in it; show the column under facts", what)
		return "", false
	}
	return text, true
}

// write adds what the rule says of its cards.
func (c Card) write(own *writer) {
	card, facts, buttons := &writer{}, &writer{}, &writer{}
	card.text("headline", c.Headline.Text)
	for _, f := range c.Facts {
		facts.text(f.Label, f.Column)
	}
	for _, b := range c.Buttons {
		buttons.text(b.Title, b.URL.Text)
	}
	card.part("facts", facts)
	card.part("buttons", buttons)
	card.text("guidance", c.Guidance)
	own.part("card", card)
}

// columns calls add for every place where the card names a column.
func (c Card) columns(add func(column, use, path string)) {
	for i, column := range c.Headline.Columns() {
		add(column, "card headline", formatPath(cardHeadlinePath, i))
	}
	for i, f := range c.Facts {
		add(f.Column, fmt.Sprintf("card fact %q", f.Label), cardFactPath(i))
	}
	for i, b := range c.Buttons {
		for j, column := range b.URL.Columns() {
			add(column, fmt.Sprintf("card button %q", b.Title), formatPath(cardButtonPath(i), j))
		}
	}
}

const cardHeadlinePath = "card headline"

func cardFactPath(i int) string   { return fmt.Sprintf("card fact %d", i) }
func cardButtonPath(i int) string { return fmt.Sprintf("card button %d", i) }
