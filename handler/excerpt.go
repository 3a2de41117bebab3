package main

import (
	"fmt"
	"strings"

	"pushback/detect/kql"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/secret"
)

// excerptWidth is how many characters of a line are shown on either side of a
// place: queries that programs write have lines of a megabyte.
const excerptWidth = 60

// caret shows a line of a text, or what is around the place of a longer one,
// with a mark under the place. Line and column count from 1. It is empty if the
// text has no such line.
func caret(source string, line, column int) string {
	lines := strings.Split(source, "\n")
	if line > len(lines) {
		return ""
	}
	// A tab would be as wide as the terminal likes.
	runes := []rune(strings.ReplaceAll(strings.TrimSuffix(lines[line-1], "\r"), "\t", " "))
	at := min(max(column-1, 0), len(runes))
	before, after := runes[:at], runes[at:]
	if len(before) > excerptWidth || len(after) > excerptWidth {
		const around = 4000
		if secret.In(string(runes[max(0, at-around):min(len(runes), at+around)])) {
			return "" // a part of a secret does not look like one
		}
		if len(before) > excerptWidth {
			before = append([]rune("…"), before[len(before)-excerptWidth:]...)
		}
		if len(after) > excerptWidth {
			after = append(after[:excerptWidth:excerptWidth], '…')
		}
	}
	left := text.Safe(string(before))
	return "\n    " + left + text.Safe(string(after)) + "\n    " + strings.Repeat(" ", text.Width(left)) + "^"
}

// withExcerpt returns what an error says, and the place in the source, without a
// secret. Where one is hidden the mark would stand under something else.
func withExcerpt(e *kql.Error, source string) string {
	place := caret(source, e.Line, e.Column)
	shown := secret.HideEcho(place, source)
	if shown != place {
		shown = shown[:strings.LastIndexByte(shown, '\n')]
	}
	return secret.HideEcho(e.Message, source) + shown
}

// queryProblem shows an error of a rule's query at its place in the rule file.
func queryProblem(r *rule.Rule, e *kql.Error) string {
	line, column := r.Query.Locate(e.Line, e.Column)
	return fmt.Sprintf("%s:%d:%d: %s", r.File, line, column, withExcerpt(e, r.Query.Text))
}
