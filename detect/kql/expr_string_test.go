package kql

import (
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// The quick test for texts that can not hold an operand never takes one out
// that does.
func FuzzAbsence(f *testing.F) {
	for _, operand := range []string{"fraud", "Kelvin", "ſs", "İx", "10.0", "", "---", "zz"} {
		f.Add("MFA denied; FRAUD code entered", operand)
		f.Add("10.0.0.1 ZZ \u212aelvin ſS İX", operand)
	}
	f.Fuzz(func(t *testing.T, text, operand string) {
		absent := absence(operand)
		if absent == nil || !absent(text) {
			return
		}
		for op := range searches {
			if stringTests[op].test(text, operand) {
				t.Fatalf("%q %s %q, and is said to lack it", text, op, operand)
			}
		}
	})
}

// Looking for a text by its rarest letter finds what comparing at each place
// does, also where a letter beyond ASCII stands for one of it.
func TestIndexFold(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	letters := []rune("aAdDkKsS5ſ\u212Aé -")
	text := func(most int) string {
		b := make([]rune, r.IntN(most+1))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	found := 0
	for range 200_000 {
		s, sub := text(20), text(3)
		from := r.IntN(len(s) + 1)
		want := -1
		for i := from; i <= len(s); i++ {
			if _, ok := foldedLen(s[i:], sub); ok && (i == len(s) || utf8.RuneStart(s[i]) || sub == "") {
				want = i
				break
			}
		}
		if got := indexFold(s, sub, from); got != want {
			t.Fatalf("indexFold(%q, %q, %d) = %d, want %d", s, sub, from, got, want)
		}
		if want >= 0 {
			found++
		}
	}
	if found < 10_000 {
		t.Errorf("only %d were found: the test says little", found)
	}
}
