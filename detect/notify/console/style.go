package console

import "pushback/detect/alert"

// Style is how to draw.
type Style struct {
	// Width is how many columns there are; 0 is 80.
	Width int
	// Color says whether to use the colours of a terminal.
	Color bool
}

// The usual width of text for a screen of unknown size, and the least and the
// most that is used. Longer lines are hard to read.
const (
	defaultWidth = 80
	leastWidth   = 40
	mostWidth    = 120
)

func (s Style) width() int {
	if s.Width <= 0 {
		return defaultWidth
	}
	return min(max(s.Width, leastWidth), mostWidth)
}

// Attributes of a terminal (ECMA-48, SGR).
const (
	bold   = "1"
	dim    = "2"
	red    = "1;97;41"
	yellow = "30;43"
	blue   = "1;97;44"
	grey   = "30;47"
)

func (s Style) paint(attribute, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + attribute + "m" + text + "\x1b[0m"
}

// Bold returns the text in bold face.
func (s Style) Bold(text string) string { return s.paint(bold, text) }

// Dim returns the text in a fainter face.
func (s Style) Dim(text string) string { return s.paint(dim, text) }

// severity returns the severity as a badge: a word always, a colour if there
// are any.
func (s Style) severity(v alert.Severity) string {
	attribute := map[alert.Severity]string{alert.High: red, alert.Medium: yellow, alert.Low: blue}[v]
	if attribute == "" {
		attribute = grey
	}
	return s.paint(attribute, " "+badge(v)+" ")
}

func badge(v alert.Severity) string {
	switch v {
	case alert.High:
		return "HIGH"
	case alert.Medium:
		return "MEDIUM"
	case alert.Low:
		return "LOW"
	}
	return "INFO"
}

// Status returns the word for how something went, in its colour if there are any.
func (s Style) Status(word string) string {
	switch word {
	case "ok":
		return s.paint("32", word)
	case "warning":
		return s.paint(yellow, word)
	case "failed":
		return s.paint(red, word)
	}
	return word
}
