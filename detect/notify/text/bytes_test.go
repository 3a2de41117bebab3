package text

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutBytes(t *testing.T) {
	t.Parallel()
	family := "👨\u200d👩\u200d👧" // one character of 18 bytes
	for _, test := range []struct {
		name, in string
		most     int
		want     string
	}{
		{"short", "alice", 5, "alice"},
		{"long", "alice b", 6, "ali…"},
		{"two bytes each", "éééé", 7, "éé…"},
		{"a mark on its letter", "ae\u0301e\u0301", 6, "a…"},
		{"a family", "x" + family + "y", 19, "x…"},
		{"a family that fits", "x" + family + "yyyy", 22, "x" + family + "…"},
		{"one character too long", "e" + strings.Repeat("\u0301", 40), 8, "e\u0301\u0301…"},
		{"no room", "alice", 2, ""},
	} {
		got := CutBytes(test.in, test.most)
		if got != test.want || len(got) > test.most || !utf8.ValidString(got) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
