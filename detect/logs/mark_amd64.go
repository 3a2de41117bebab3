package logs

import (
	"encoding/binary"
	"math/bits"

	"golang.org/x/sys/cpu"
)

// mark marks bytes of a text, whose padding begins at end: there is a bit for each byte,
// from the lowest on. What is behind the text is marked. The marks are put into those
// given, if they fit.
func mark(marks, text []byte, end int) []byte {
	n := (end+63)/64*8 + padding
	if cap(marks) < n {
		marks = make([]byte, n+n/8)
	}
	marks = marks[:n]
	done := 0
	if blocks := end / 64; blocks > 0 && cpu.X86.HasAVX2 {
		markBlocks(&marks[:blocks*8][0], &text[:blocks*64][0], blocks)
		done = blocks * 64
	}
	clear(marks[done/8:])
	for i := seekMark(text, done); i < end; i = seekMark(text, i+1) {
		marks[i/8] |= 1 << (i % 8)
	}
	marks[end/8] |= 0xff << (end % 8)
	for i := end/8 + 1; i < n; i++ {
		marks[i] = 0xff
	}
	return marks
}

// markBlocks marks blocks of 64 bytes. The processor must have AVX2.
//
//go:noescape
func markBlocks(marks, text *byte, blocks int)

// nextMark returns the first byte from there on that is marked, of a text with marks.
func nextMark(_, marks []byte, i int) int {
	at := uint(i) / 8
	if w := binary.LittleEndian.Uint64(marks[at:at+8]) >> (uint(i) % 8); w != 0 {
		return i + bits.TrailingZeros64(w)
	}
	return farMark(marks, i)
}

// farMark is nextMark where no byte is marked up to the end of the first eight bytes of
// marks.
func farMark(marks []byte, i int) int {
	for i = i/8*8 + 64; ; i += 64 {
		if w := binary.LittleEndian.Uint64(marks[i/8:]); w != 0 {
			return i + bits.TrailingZeros64(w)
		}
	}
}
