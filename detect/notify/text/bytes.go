package text

import (
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// CutBytes shortens a text to at most so many bytes of UTF-8 and ends it with an
// ellipsis where it does. It cuts between what a reader takes for characters, and
// only where one alone is longer than that between code points.
func CutBytes(s string, most int) string {
	const ellipsis = "…"
	if len(s) <= most {
		return s
	}
	room := most - len(ellipsis)
	if room < 0 {
		return ""
	}
	end := 0
	for it := graphemes.FromString(s); it.Next() && it.End() <= room; {
		end = it.End()
	}
	if end == 0 {
		for end = room; end > 0 && !utf8.RuneStart(s[end]); {
			end--
		}
	}
	return s[:end] + ellipsis
}
