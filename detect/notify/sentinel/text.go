package sentinel

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"

	"pushback/detect/notify/console"
)

// plain returns a text from anywhere as one that Sentinel shows as it is, of at
// most so many UTF-16 units: the service counts no columns, so that what has no
// width counts too.
func plain(text string, most int) string {
	return cut(console.Safe(text), most)
}

// cut shortens a text to at most so many UTF-16 units.
func cut(text string, most int) string {
	units, end := 0, 0
	for i, r := range text {
		units += max(1, utf16.RuneLen(r))
		if units <= most-1 {
			end = i + len(string(r))
		}
		if units > most {
			return text[:end] + "…"
		}
	}
	return text
}

// markup are the characters that HTML or Markdown, both of which comments are
// read as, could take for more than text. As entities they are text in both.
var markup = func() *strings.Replacer {
	var pairs []string
	for _, c := range "&<>\"'`*_[](){}#!|~\\^" {
		pairs = append(pairs, string(c), fmt.Sprintf("&#%d;", c))
	}
	return strings.NewReplacer(pairs...)
}()

// autolinked is what a reader's program makes a link of.
var autolinked = regexp.MustCompile(`(?i)://|www\.|mailto:`)

// inert makes a value of a comment text and nothing else.
func inert(value string) string {
	return markup.Replace(autolinked.ReplaceAllString(plain(value, mostValue), "[$0]"))
}
