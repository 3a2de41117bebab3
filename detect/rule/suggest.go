package rule

import (
	"strings"
	"unicode/utf8"
)

// suggestion returns `: did you mean "x"?` for the name that is nearest to the
// given one, or "" if none is near enough to be what was meant.
func suggestion(given string, names []string) string {
	if best := nearest(given, names); best != "" {
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

func nearest(given string, names []string) string {
	if utf8.RuneCountInString(given) > 64 {
		return ""
	}
	best, bestDistance := "", 0
	g := strings.ToLower(given)
	for _, name := range names {
		n := strings.ToLower(name)
		d := distance(g, n)
		// A third of the name may be mistyped: beyond that a suggestion
		// confuses more than it helps.
		if limit := max(1, min(len(n), len(g))/3); d > limit {
			continue
		}
		if best == "" || d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn one string into the other.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	var before []int
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		next := make([]int, len(y)+1)
		next[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(y)]
}

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
