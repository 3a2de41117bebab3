package rule

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// position is a place in a file, counted from 1, columns in characters.
type position struct{ line, column int }

// source is a file's text, to find places in it.
type source struct {
	text []rune

	// yamlLines and lines hold the offsets at which lines begin: as the YAML
	// library counts them, which takes the Unicode separators for line breaks,
	// and as editors do.
	yamlLines []int
	lines     []int
}

func newSource(text string) *source {
	s := &source{text: []rune(text), yamlLines: []int{0}, lines: []int{0}}
	for i := 0; i < len(s.text); {
		n := s.breakAt(i)
		if n == 0 {
			i++
			continue
		}
		if r := s.text[i]; r == '\n' || r == '\r' {
			s.lines = append(s.lines, i+n)
		}
		s.yamlLines = append(s.yamlLines, i+n)
		i += n
	}
	return s
}

// breakAt returns the length of the line break at the offset, or 0.
func (s *source) breakAt(i int) int {
	if i >= len(s.text) {
		return 0
	}
	switch s.text[i] {
	case '\r':
		if i+1 < len(s.text) && s.text[i+1] == '\n' {
			return 2
		}
		return 1
	case '\n', '\u0085', '\u2028', '\u2029':
		return 1
	}
	return 0
}

// offset finds a node's place in the text.
func (s *source) offset(n *yaml.Node) int {
	if n.Line < 1 {
		return 0
	}
	line := min(n.Line, len(s.yamlLines)) - 1
	return min(s.yamlLines[line]+max(n.Column, 1)-1, len(s.text))
}

// position returns the line and column of an offset.
func (s *source) position(offset int) position {
	i, found := slices.BinarySearch(s.lines, offset)
	if !found {
		i--
	}
	return position{line: i + 1, column: offset - s.lines[i] + 1}
}

// characters returns for each character of a scalar's value, and for its end,
// where it is written. Characters that the file does not hold one for one (the
// space that joins two folded lines) get the place that made them. If value
// and text cannot be matched, the rest gets the place of the last match.
func (s *source) characters(n *yaml.Node) []position {
	value := []rune(n.Value)
	places := make([]position, 0, len(value)+1)

	a := s.aligner(n, value)
	last, lost := a.at, false
	for _, want := range value {
		if !lost {
			if at, ok := a.next(want); ok {
				last = at
			} else {
				lost = true
			}
		}
		places = append(places, s.position(last))
	}
	end := last
	if !lost && len(value) > 0 {
		end = a.at
	}
	return append(places, s.position(end))
}

// aligner walks through a scalar as it is written, in step with its value.
type aligner struct {
	*source
	at     int
	style  yaml.Style
	indent int // of a block scalar
}

const blockStyle = yaml.LiteralStyle | yaml.FoldedStyle

func (s *source) aligner(n *yaml.Node, value []rune) *aligner {
	a := &aligner{source: s, at: s.offset(n), style: n.Style}
	a.skipProperties()
	switch {
	case a.style&blockStyle != 0:
		for a.at < len(a.text) && a.breakAt(a.at) == 0 {
			a.at++ // the header: an indicator, perhaps a comment
		}
		a.at += a.breakAt(a.at)
		a.indent = a.blockIndent(value)
		a.skipIndent()
	case a.style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		a.at++
	}
	return a
}

// skipProperties skips a tag and an anchor before the scalar.
func (a *aligner) skipProperties() {
	for a.at < len(a.text) && (a.text[a.at] == '&' || a.text[a.at] == '!') {
		for a.at < len(a.text) && !isSpace(a.text[a.at]) {
			a.at++
		}
		for a.at < len(a.text) && isSpace(a.text[a.at]) {
			a.at++
		}
	}
}

// blockIndent is by how much a block scalar is indented: by what its first line
// with text is indented more in the file than in the value.
func (a *aligner) blockIndent(value []rune) int {
	written, _ := firstIndent(a.text[min(a.at, len(a.text)):])
	kept, found := firstIndent(value)
	if !found {
		return 0
	}
	return max(0, written-kept)
}

// firstIndent counts the spaces that the first line with text begins with.
func firstIndent(text []rune) (spaces int, found bool) {
	for _, r := range text {
		switch {
		case r == ' ':
			spaces++
		case isSpace(r) && r != '\t':
			spaces = 0
		default:
			return spaces, true
		}
	}
	return 0, false
}

// skipIndent skips what the beginning of a line does not add to the value.
func (a *aligner) skipIndent() {
	for n := 0; a.at < len(a.text); n++ {
		r := a.text[a.at]
		if a.style&blockStyle != 0 && (r != ' ' || n == a.indent) || r != ' ' && r != '\t' {
			return
		}
		a.at++
	}
}

// next finds the character and moves behind it.
func (a *aligner) next(want rune) (at int, ok bool) {
	for a.at < len(a.text) {
		at := a.at
		if n := a.breakAt(at); n > 0 {
			a.at += n
			a.skipIndent()
			if want == '\n' || want == ' ' || want == a.text[at] {
				return at, true
			}
			continue
		}
		r, width := a.text[at], 1
		switch {
		case a.style&yaml.DoubleQuotedStyle != 0 && r == '\\':
			if a.breakAt(at+1) > 0 { // an escaped line break is nothing
				a.at++
				a.at += a.breakAt(a.at)
				a.skipIndent()
				continue
			}
			r, width = a.escape(at)
		case a.style&yaml.SingleQuotedStyle != 0 && r == '\'':
			width = 2
		}
		if r == want {
			a.at += width
			return at, true
		}
		if width > 1 || !isSpace(r) {
			return 0, false
		}
		a.at++ // white space that folding dropped
	}
	return 0, false
}

// escapes are the characters that a double-quoted scalar writes with one
// letter after the backslash.
var escapes = map[rune]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': 0x1b,
	' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': '\u0085', '_': '\u00a0', 'L': '\u2028', 'P': '\u2029',
}

// escape reads the escape sequence at the offset.
func (a *aligner) escape(at int) (r rune, width int) {
	if at+1 >= len(a.text) {
		return -1, 1
	}
	letter := a.text[at+1]
	digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[letter]
	if digits == 0 {
		if r, ok := escapes[letter]; ok {
			return r, 2
		}
		return -1, 2
	}
	r = a.hex(at+2, digits)
	// JSON writes what does not fit four digits as two escapes.
	if letter == 'u' && utf16.IsSurrogate(r) {
		next := at + 2 + digits
		if next+1 < len(a.text) && a.text[next] == '\\' && a.text[next+1] == 'u' {
			if pair := utf16.DecodeRune(r, a.hex(next+2, digits)); pair != utf8.RuneError {
				return pair, 2 * (2 + digits)
			}
		}
		r = utf8.RuneError
	}
	return r, 2 + digits
}

// hex reads hexadecimal digits.
func (a *aligner) hex(at, digits int) (r rune) {
	for i := at; i < at+digits && i < len(a.text); i++ {
		r = r<<4 | rune(strings.IndexRune("0123456789abcdef", lower(a.text[i])))
	}
	return r
}

func lower(r rune) rune {
	if r >= 'A' && r <= 'Z' {
		return r + ('a' - 'A')
	}
	return r
}

func isSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '\u0085', '\u2028', '\u2029':
		return true
	}
	return false
}
