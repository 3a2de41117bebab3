package kql

import (
	"strings"
	"testing"
)

// What foldASCII takes it folds as foldCase does, and it leaves the rest.
func TestFoldASCII(t *testing.T) {
	t.Parallel()
	var buf [128]byte
	for c := range 256 {
		text := "a" + string(rune(c)) + "Z"
		n, ok := foldASCII(buf[:], text)
		if ok != (c < 128) || ok && string(buf[:n]) != foldCase(text) {
			t.Errorf("%q: %q, %v", text, buf[:n], ok)
		}
	}
	if _, ok := foldASCII(buf[:], strings.Repeat("a", 129)); ok {
		t.Error("there is no room for 129 bytes")
	}
}
