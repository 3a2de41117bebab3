package logs

import (
	"encoding/binary"
	"math/bits"
)

// A string in JSON goes on to its closing quote, or to what must be looked at before
// that: an escape, a control character, which may not be in it, and what is beyond ASCII,
// which may not be UTF-8. These bytes are marked, the quote too. Nearly every string ends
// at the first of them, however long it is.
//
// A processor that can look at many bytes at once marks those of a whole text first, which
// is cheap next to looking for each as it is needed; elsewhere they are looked for one by one.

// padding is how many bytes a text must go on beyond what is looked at, so that eight
// bytes can be looked at together anywhere in it.
const padding = 8

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// seekMark returns the first byte from there on that is to be marked. Each byte of the
// padding is one, as long as it is zero.
func seekMark(text []byte, i int) int {
	for {
		x := binary.LittleEndian.Uint64(text[i : i+8])
		// The highest bit of a byte is set that is to be marked: a quote or a control
		// character, which are below 0x21 once a bit is turned, a backslash, or one
		// beyond ASCII. Bytes after the first of them may have it without being one.
		if stop := ((x ^ 2*ones - 0x21*ones) | (x ^ '\\'*ones - ones) | x) & highs; stop != 0 {
			return i + bits.TrailingZeros64(stop)/8
		}
		i += 8
	}
}
