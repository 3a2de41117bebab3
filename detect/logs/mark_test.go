package logs

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// The marks are those bytes that a string in JSON cannot have plain, or that are not
// ASCII, however many are looked at together and wherever they are.
func TestMark(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	texts := [][]byte{nil, []byte("\n")}
	for c := range 256 {
		texts = append(texts, []byte{byte(c)}, bytes.Repeat([]byte{byte(c)}, 200), append(bytes.Repeat([]byte{'a'}, c), byte(c), 'b'))
	}
	for range 200 {
		text := make([]byte, random.IntN(300))
		for i := range text {
			if text[i] = byte(random.Uint32()); random.IntN(3) > 0 {
				text[i] = "abc{}:, \"\\\n\t~\x7f\x80!"[random.IntN(16)]
			}
		}
		texts = append(texts, text)
	}
	var marks []byte // of the text before, at first
	for _, text := range texts {
		padded := append(bytes.Clone(text), make([]byte, padding)...)
		marks = mark(marks, padded, len(text))
		next := len(text)
		for i := len(text); i >= 0; i-- {
			if c := padded[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
				next = i
			}
			if got := nextMark(padded, marks, i); got != next {
				t.Fatalf("%q: from %d on, %d is marked first, not %d", text, i, got, next)
			}
			if got := seekMark(padded, i); got != next {
				t.Fatalf("%q: from %d on, %d is found first, not %d", text, i, got, next)
			}
		}
	}
}
