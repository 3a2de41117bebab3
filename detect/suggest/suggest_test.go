package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	operators := []string{"where", "summarize", "sort", "project", "join"}
	for _, test := range []struct {
		given string
		names []string
		want  string
	}{
		{"wher", operators, "where"},
		{"WHERE", operators, "where"},
		{"whree", operators, "where"}, // a swap counts once
		{"sumarise", operators, "summarize"},
		{"sumryze", operators, ""}, // three of seven letters
		{"jo", operators, ""},
		{"x", []string{"y"}, "y"}, // one letter may always be wrong
		{"", []string{"a"}, "a"},
		{"", nil, ""},
		{"cat", []string{"rat", "bat", "hat"}, "bat"},
		{"cat", []string{"rat", "cart"}, "cart"},
		{"cat", []string{"rat", "CAT"}, "CAT"},
		{"größe", []string{"grösse", "grüße"}, "grüße"}, // a letter is one, however many bytes it takes
		{strings.Repeat("a", 129), []string{strings.Repeat("a", 128)}, ""},
		{strings.Repeat("a", 128), []string{strings.Repeat("a", 129), strings.Repeat("a", 128) + "b"}, ""},
	} {
		if got := Nearest(test.given, test.names); got != test.want {
			t.Errorf("%q among %q: %q, want %q", test.given, test.names, got, test.want)
		}
	}
}
