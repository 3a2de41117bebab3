package console

import (
	"strings"

	"pushback/detect/notify/text"
)

// pad adds spaces up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-text.Width(s)))
}

// Wrap breaks text into lines of at most a width, which is no less than 8.
func Wrap(s string, width int) []string { return wrap(s, width) }

// wrap breaks text into lines of at most a width, at spaces where it can and
// inside a word where it must.
func wrap(s string, width int) []string {
	width = max(width, 8)
	var lines []string
	line, used := "", 0
	for word := range strings.SplitSeq(s, " ") {
		w := text.Width(word)
		if used > 0 && used+1+w > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		for w > width {
			head := text.Head(word, width)
			if head == "" {
				break
			}
			lines = append(lines, head)
			word = word[len(head):]
			w = text.Width(word)
		}
		line, used = line+word, used+w
	}
	return append(lines, line)
}
