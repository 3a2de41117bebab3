package teams

import "pushback/detect/notify/text"

// inert returns text from a log in a form that means nothing to Teams in a
// TextRun, which reads no Markdown. It is on one line, with control and
// direction characters as escapes; with addresses defanged, since clients make
// links of bare ones; without the card's functions, such as {{DATE()}}; and without
// the tags of mentions, which would take the place of our own. It is cut after so many
// characters.
func inert(value string, most int) string {
	return text.Defang(text.CutSafe(tags.ReplaceAllString(value, "‹$1"), most, func(before, b byte) string {
		if before == '{' && b == '{' {
			return `\x7b`
		}
		return ""
	}))
}
