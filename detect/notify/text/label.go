package text

import (
	"strings"
	"unicode"

	"pushback/detect/alert"
)

// Label writes a name such as OperatingSystems as Operating systems, and
// MFAMethods as MFA methods.
func Label(name string) string {
	runes := []rune(name)
	lower := func(i int) bool { return i >= 0 && i < len(runes) && unicode.IsLower(runes[i]) }
	upper := func(i int) bool { return i >= 0 && i < len(runes) && unicode.IsUpper(runes[i]) }
	var sb strings.Builder
	for i, r := range runes {
		// A new word starts at a capital behind a small letter, and at the last
		// capital of a run that goes on in small letters; ASNs is one word.
		plural := i+2 >= len(runes) || !lower(i+2)
		if i > 0 && upper(i) && (lower(i-1) || upper(i-1) && lower(i+1) && !plural) {
			sb.WriteByte(' ')
			if lower(i + 1) {
				r = unicode.ToLower(r)
			}
		}
		sb.WriteRune(r)
	}
	return sb.String()
}

// LabelOf returns what writes the names of an alert's details. Columns that stand in
// for details keep theirs: that is what the query calls them.
func LabelOf(a alert.Alert) func(name string) string {
	if a.ShowsColumns() {
		return func(name string) string { return name }
	}
	return Label
}
