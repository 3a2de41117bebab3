package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// window gives a stream out in pieces, lines or JSON values, that lie in one
// buffer of bounded size. A piece longer than the limit is passed over in
// constant memory.
type window struct {
	src       io.Reader
	buf       []byte
	pos, end  int   // buf[pos:end] is not consumed yet
	limit     int   // the longest piece
	base      int64 // where buf[0] is in the stream
	line      int   // the line of buf[pos], from 1
	lineStart int64 // where that line begins in the stream
	err       error // why the stream ended: io.EOF, or what went wrong
}

const windowSize = 256 << 10

// mostSkipped is how many bytes of a piece are passed over beyond the limit. What
// goes on longer is no record: the file is damaged, or sparse, or has no end.
const mostSkipped = 64 << 20

// endlessError says that a stream was given up inside a record.
type endlessError struct{ limit int }

func (e *endlessError) Error() string {
	return fmt.Sprintf("a record goes on for more than %d bytes, where at most %d are read: the rest of the file is not read", mostSkipped, e.limit)
}

// giveUp ends the stream inside a piece that began at a line.
func (w *window) giveUp(line int) {
	w.advance(w.end - w.pos)
	w.line, w.err = line, &endlessError{w.limit}
}

func newWindow(src io.Reader, limit int) *window {
	return &window{src: src, buf: make([]byte, min(windowSize, max(limit, 512))), limit: limit, line: 1}
}

// more reads on. What is not consumed yet stays, though it may move.
func (w *window) more() bool {
	if w.err != nil {
		return false
	}
	if w.pos > 0 {
		copy(w.buf, w.buf[w.pos:w.end])
		w.base += int64(w.pos)
		w.end -= w.pos
		w.pos = 0
	}
	if w.end == len(w.buf) {
		w.buf = append(w.buf, make([]byte, len(w.buf))...)
	}
	for range 100 {
		n, err := w.src.Read(w.buf[w.end:])
		w.end += n
		w.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// failed returns why the stream ended before its time, or nil.
func (w *window) failed() error {
	if w.err == nil || errors.Is(w.err, io.EOF) {
		return nil
	}
	return w.err
}

// column is that of the next byte, from 1.
func (w *window) column() int { return int(w.base + int64(w.pos) - w.lineStart + 1) }

// advance consumes n bytes and keeps count of the lines.
func (w *window) advance(n int) {
	piece := w.buf[w.pos : w.pos+n]
	if breaks := bytes.Count(piece, []byte{'\n'}); breaks > 0 {
		w.line += breaks
		w.lineStart = w.base + int64(w.pos+bytes.LastIndexByte(piece, '\n')) + 1
	}
	w.pos += n
}

// skipSpace consumes white space and returns the byte after it, which it does
// not consume. It reports false at the end.
func (w *window) skipSpace() (byte, bool) {
	for {
		for i, c := range w.buf[w.pos:w.end] {
			switch c {
			case ' ', '\t', '\r', '\n':
				continue
			}
			w.advance(i)
			return c, true
		}
		w.advance(w.end - w.pos)
		if !w.more() {
			return 0, false
		}
	}
}

// prefix returns up to n of the next bytes without consuming them.
func (w *window) prefix(n int) []byte {
	for w.end-w.pos < n && w.more() {
	}
	return w.buf[w.pos:min(w.pos+n, w.end)]
}

// piece is part of a stream. Its text is valid until the next call.
type piece struct {
	text   []byte // nil if it is longer than the limit
	length int64
	line   int
	column int
	cut    bool // the stream broke off inside it
}

func (p *piece) tooLong() bool { return p.text == nil && p.length > 0 }

// nextLine consumes a line and its line break, and reports false at the end.
func (w *window) nextLine() (piece, bool) {
	p := piece{line: w.line, column: w.column()}
	for scanned := 0; ; {
		if i := bytes.IndexByte(w.buf[w.pos+scanned:w.end], '\n'); i >= 0 && scanned+i <= w.limit {
			n := scanned + i
			p.text, p.length = w.buf[w.pos:w.pos+n], int64(n)
			w.pos += n + 1
			w.line++
			w.lineStart = w.base + int64(w.pos)
			return p, true
		}
		if scanned = w.end - w.pos; scanned > w.limit {
			p.length = w.skipLine()
			p.cut = w.failed() != nil
			return p, true
		}
		if w.more() {
			continue
		}
		if scanned = w.end - w.pos; scanned == 0 {
			return p, false
		}
		p.text, p.length = w.buf[w.pos:w.end], int64(scanned)
		p.cut = w.failed() != nil
		w.advance(scanned)
		return p, true
	}
}

// lines consumes as many whole lines as there is room for, and puts them into the
// buffer with their line breaks. It does not count them, and gives none if the next
// line has no end in the buffer.
func (w *window) lines(buf []byte) []byte {
	n := copy(buf, w.buf[w.pos:w.end])
	held := w.pos + n // what lies beyond stays
	for idle := 0; held == w.end && n < len(buf) && w.err == nil; {
		m, err := w.src.Read(buf[n:])
		w.err = err
		if n += m; m > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			w.err = io.ErrNoProgress
		}
	}
	whole := bytes.LastIndexByte(buf[:n], '\n') + 1
	if held < w.end { // nothing was read
		w.pos += whole
	} else {
		w.base += int64(w.pos + whole)
		if len(w.buf) < n-whole {
			w.buf = make([]byte, n-whole)
		}
		w.pos, w.end = 0, copy(w.buf, buf[whole:n])
	}
	if whole > 0 {
		w.lineStart = w.base + int64(w.pos)
	}
	return buf[:whole]
}

// skipLine consumes the rest of a line and returns its length. It gives up on a
// line that does not end.
func (w *window) skipLine() (length int64) {
	for {
		if i := bytes.IndexByte(w.buf[w.pos:w.end], '\n'); i >= 0 {
			w.advance(i + 1)
			return length + int64(i)
		}
		length += int64(w.end - w.pos)
		w.advance(w.end - w.pos)
		if length > mostSkipped {
			w.giveUp(w.line)
		}
		if !w.more() {
			return length
		}
	}
}

// nextValue consumes a JSON value, found by its brackets and quotes alone, so
// that one that is not well formed costs only itself. The next byte must not
// be white space. A string ends at a line break at the latest, since it must
// not hold one: so a quote that is missing spoils one line and not the file.
func (w *window) nextValue() piece {
	p := piece{line: w.line, column: w.column()}
	var skipped int64
	depth, inString, escaped, scalar := 0, false, false, false
	for i := 0; ; i++ {
		if i > w.limit {
			skipped += int64(i)
			w.advance(i)
			i = 0
			if skipped > mostSkipped {
				w.giveUp(p.line)
			}
		}
		if w.pos+i == w.end && !w.more() {
			if n := w.end - w.pos; !scalar || w.failed() != nil {
				p.cut = true
			} else {
				i = n
			}
			return w.take(p, i, skipped)
		}
		c := w.buf[w.pos+i]
		switch {
		case inString:
			switch {
			case c == '\n':
				inString = false
			case escaped:
				escaped = false
				continue
			case c == '\\':
				escaped = true
				continue
			case c == '"':
				inString = false
			default:
				continue
			}
			escaped = false
		case c == '"' && !scalar:
			inString = true
			continue
		case scalar:
			switch c {
			case ',', ']', '}', '[', '{', '"', ':', ' ', '\t', '\r', '\n':
				return w.take(p, i, skipped)
			}
			continue
		case c == '{' || c == '[':
			depth++
			continue
		case c == '}' || c == ']':
			depth--
		default:
			scalar = depth == 0
			continue
		}
		if depth <= 0 {
			return w.take(p, i+1, skipped)
		}
	}
}

// take consumes n bytes as the end of p.
func (w *window) take(p piece, n int, skipped int64) piece {
	if skipped == 0 {
		p.text = w.buf[w.pos : w.pos+n]
	}
	p.length = skipped + int64(n)
	w.advance(n)
	return p
}
