package teams

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"pushback/detect/notify/console"
)

// inert returns text from a log in a form that means nothing to Teams in a
// TextRun, which reads no Markdown: on one line, with control and direction
// characters as escapes; with addresses defanged as analysts do (https[://]),
// since clients make links of bare ones; and without the card's functions,
// such as {{DATE()}}. It is cut after so many characters.
func inert(text string, most int) string {
	var sb strings.Builder
	n, brace := 0, false
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		piece := console.Safe(text[i : i+size])
		if piece == "{" && brace {
			piece = `\x7b`
		}
		brace = text[i] == '{'
		if n += utf8.RuneCountInString(piece); n > most {
			sb.WriteString("…")
			break
		}
		sb.WriteString(piece)
		i += size
	}
	return autolinked.ReplaceAllString(sb.String(), "[$0]")
}

// autolinked is what turns bare text into a link.
var autolinked = regexp.MustCompile(`(?i)://|www\.|mailto:`)

// line writes text of several lines in one.
func line(text string) string {
	return strings.TrimSpace(lineBreaks.ReplaceAllString(text, " "))
}

var lineBreaks = regexp.MustCompile(`[ \t]*\r?\n\s*`)

// literal escapes inert text for where Markdown is read.
func literal(text string) string { return markdown.Replace(text) }

var markdown = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`,
	"<", `\<`, ">", `\>`, "&", `\&`, "~", `\~`, "|", `\|`, "#", `\#`)
