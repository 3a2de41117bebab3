// Package suggest finds the name that somebody meant who mistyped one.
package suggest

import (
	"strings"
	"unicode/utf8"
)

// longest is how many characters a name has at most that is compared: the time
// that it takes grows with the square.
const longest = 128

// Nearest returns the name at the least edit distance from the one that is
// given, without regard to case, or "" if none is near enough to be what was
// meant. Of equally near ones it is the first by spelling, so that the same
// mistake always gets the same answer.
func Nearest(given string, names []string) string {
	g := []rune(strings.ToLower(given))
	if len(g) > longest {
		return ""
	}
	// A third of the name may be mistyped: beyond that a suggestion confuses more
	// than it helps.
	best, least := "", max(1, len(g)/3)
	for _, name := range names {
		n := utf8.RuneCountInString(name)
		if n > longest || n-len(g) > least || len(g)-n > least {
			continue
		}
		d := distance(g, []rune(strings.ToLower(name)))
		if d < least || d == least && (best == "" || name < best) {
			best, least = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn one text into the other.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
