package enrich

import (
	"fmt"
	"strings"
)

func (b *batch) uebaAccount(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	if name := r.text("Insight"); name != "" {
		a.insights.add(name, r.number("Records"))
		return
	}
	a.records += r.number("Records")
	a.priority = max(a.priority, r.number("Priority"))
}

// unusual names the insights that UEBA set, the most frequent first.
func (a *account) unusual(n int) []string {
	var list []string
	for _, name := range byCount(a.insights) {
		words := strings.ToLower(spaced(name))
		if a.insights[name] > 1 {
			words += fmt.Sprintf(" (%d)", a.insights[name])
		}
		list = append(list, words)
	}
	return head(list, n)
}

// spaced puts a space before each word of an insight's name.
func spaced(name string) string {
	var b strings.Builder
	runes := []rune(name)
	upper := func(i int) bool { return i >= 0 && i < len(runes) && runes[i] >= 'A' && runes[i] <= 'Z' }
	for i, r := range runes {
		// A word begins behind a small letter, and before the last capital of ISPUsed.
		if i > 0 && upper(i) && (!upper(i-1) || i+1 < len(runes) && !upper(i+1)) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
