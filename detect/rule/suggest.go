package rule

import (
	"strings"

	"pushback/detect/suggest"
)

// suggestion returns `: did you mean "x"?` for the name that is nearest to the
// given one, or "" if none is near enough to be what was meant.
func suggestion(given string, names []string) string {
	if best := suggest.Nearest(given, names); best != "" {
		return `: did you mean "` + best + `"?`
	}
	return ""
}

// oneOf returns the suggestion, or the list of what would have been right.
func oneOf(given string, names []string) string {
	if s := suggestion(given, names); s != "" {
		return s
	}
	return ": use " + orList(names)
}

// orList writes names as a list that ends in "or".
func orList(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// canonical returns the name that equals the given one but for case.
func canonical(given string, names []string) (string, bool) {
	for _, name := range names {
		if strings.EqualFold(name, given) {
			return name, true
		}
	}
	return "", false
}
