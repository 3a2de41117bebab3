package text

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

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

// Head returns the beginning of a text that takes at most so many columns of a
// terminal.
func Head(s string, width int) string { return widths.Truncate(s, width, "") }

// CutUnits shortens a text to at most so many UTF-16 units and ends it with
// an ellipsis where it does. What has no width counts too.
func CutUnits(s string, most int) string {
	units, end := 0, 0 // end is where the text is cut if it is
	for i, r := range s {
		if units < most {
			end = i
		}
		if units += max(1, utf16.RuneLen(r)); units > most {
			return s[:end] + "…"
		}
	}
	return s
}

// CutSafe returns Safe of a text, cut after so many characters with an ellipsis
// behind them. It cuts no escape in two. What escape returns for a byte that
// stands behind another, unless that is empty, takes the place of it.
func CutSafe(s string, most int, escape func(before, b byte) string) string {
	var sb strings.Builder
	n := 0
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRuneInString(s[i:])
		piece := Safe(s[i : i+size])
		if i > 0 && size == 1 {
			if escaped := escape(s[i-1], s[i]); escaped != "" {
				piece = escaped
			}
		}
		if n += utf8.RuneCountInString(piece); n > most {
			sb.WriteString("…")
			break
		}
		sb.WriteString(piece)
		i += size
	}
	return sb.String()
}
