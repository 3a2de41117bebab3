package console

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Safe returns text from a log in a form that a terminal shows and never
// obeys: control characters, characters that change the direction of writing
// or have no width, and bytes that are no UTF-8 come out as escapes such as
// \x1b or \u202e.
func Safe(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !Harmless(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var sb strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&sb, `\x%02x`, s[i])
		case Harmless(r):
			sb.WriteRune(r)
		case r == '\n':
			sb.WriteString(`\n`)
		case r == '\t':
			sb.WriteString(`\t`)
		case r == '\r':
			sb.WriteString(`\r`)
		case r < 0x80:
			fmt.Fprintf(&sb, `\x%02x`, r)
		case r <= 0xFFFF:
			fmt.Fprintf(&sb, `\u%04x`, r)
		default:
			fmt.Fprintf(&sb, `\U%08x`, r)
		}
		i += size
	}
	return sb.String()
}

// Harmless says whether a terminal only draws the character. Format characters
// (category Cf) are not: they turn the writing around or hide. The two joiners
// are, because whole scripts cannot be written without them.
func Harmless(r rune) bool {
	const joiner, nonJoiner = '\u200d', '\u200c'
	return r == joiner || r == nonJoiner || unicode.IsGraphic(r)
}

// widths measures as terminals outside East Asia draw.
var widths = func() *runewidth.Condition {
	c := runewidth.NewCondition()
	c.EastAsianWidth = false
	return c
}()

// Width returns how many columns of a terminal the text takes.
func Width(s string) int { return widths.StringWidth(s) }

// Cut shortens text to a width, and ends it with an ellipsis where it does.
func Cut(s string, width int) string { return widths.Truncate(s, width, "…") }

// pad adds spaces up to a width.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-Width(s)))
}

// wrap breaks text into lines of at most a width, at spaces where it can and
// inside a word where it must.
func wrap(s string, width int) []string {
	width = max(width, 8)
	var lines []string
	line, used := "", 0
	for word := range strings.SplitSeq(s, " ") {
		w := Width(word)
		if used > 0 && used+1+w > width {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		for w > width {
			head := widths.Truncate(word, width, "")
			if head == "" {
				break
			}
			lines = append(lines, head)
			word = word[len(head):]
			w = Width(word)
		}
		line, used = line+word, used+w
	}
	return append(lines, line)
}

// SafeLines is Safe for a text of several lines of our own, such as an error
// that quotes a log: its line breaks stay.
func SafeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Safe(l)
	}
	return strings.Join(lines, "\n")
}
