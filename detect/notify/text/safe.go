package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
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

// SafeLines is Safe for a text of several lines of our own, such as an error
// that quotes a log: its line breaks stay.
func SafeLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = Safe(l)
	}
	return strings.Join(lines, "\n")
}

// Line puts a text of several lines on one.
func Line(s string) string {
	return strings.TrimSpace(lineBreaks.ReplaceAllString(s, " "))
}

var lineBreaks = regexp.MustCompile(`[ \t]*\r?\n\s*`)

// Defang breaks what a reader's program makes a link of, as analysts do:
// https[://].
func Defang(s string) string { return autolinked.ReplaceAllString(s, "[$0]") }

var autolinked = regexp.MustCompile(`(?i)://|www\.|mailto:`)

// Markdown escapes a text for where Markdown is read: it is shown as it is.
func Markdown(s string) string { return markdown.Replace(s) }

var markdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
	"<", `\<`, ">", `\>`, "&", `\&`, "~", `\~`, "|", `\|`, "#", `\#`)

// Entities escapes a text for where HTML or Markdown is read, it is not known
// which: it is shown as it is in both.
func Entities(s string) string { return entities.Replace(s) }

// entities are the characters that either could take for more than text.
var entities = func() *strings.Replacer {
	var pairs []string
	for _, c := range "&<>\"'`*_[](){}#!|~\\^" {
		pairs = append(pairs, string(c), fmt.Sprintf("&#%d;", c))
	}
	return strings.NewReplacer(pairs...)
}()
