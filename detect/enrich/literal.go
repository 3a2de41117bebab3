package enrich

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// listLiteral writes texts as a KQL literal of type dynamic. They come from
// logs: whatever is in them, they stay inside their quotes. What is not valid
// UTF-8 becomes U+FFFD, as in JSON.
func listLiteral(texts []string) string {
	var b strings.Builder
	b.WriteString("dynamic([")
	for i, t := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(&b, t)
	}
	b.WriteString("])")
	return b.String()
}

// textSize is how many bytes a text takes in a listLiteral, at most.
func textSize(t string) int {
	var b strings.Builder
	writeText(&b, t)
	return b.Len() + 1
}

// writeText quotes a text in what JSON and KQL have in common. Everything that
// could end the text or hide what follows is an escape: quotes, backslashes,
// control and format characters, and line breaks of any kind. Past the basic
// plane there is no common escape: those are written as they are.
func writeText(b *strings.Builder, t string) {
	b.WriteByte('"')
	for _, r := range t {
		switch {
		case r == '"', r == '\\', r == '\'', r == '`', r < ' ', r >= 0x7f && r < 0xa0,
			r <= 0xffff && (unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)):
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

// timeLiteral writes a time with all the decimals that Log Analytics keeps.
func timeLiteral(t time.Time) string {
	return "datetime(" + t.UTC().Format("2006-01-02T15:04:05.0000000Z") + ")"
}
