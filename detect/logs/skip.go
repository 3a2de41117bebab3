package logs

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// These pass over JSON without decoding it. They accept nothing that a strict
// parser refuses; what they do not accept may still be JSON, and is left to one.
//
// The text must go on for padding bytes beyond what they look at, so that eight
// bytes can be looked at together anywhere in it.

const padding = 8

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stringEnd returns where a string ends that begins there, at its closing quote,
// and whether it has escapes. It returns -1 if it accepts none.
func stringEnd(b []byte, i int) (end int, escaped bool) {
	for {
		x := binary.LittleEndian.Uint64(b[i : i+8 : len(b)])
		// The highest bit of a byte is set that is no plain one: a quote or a control
		// character, which are below 0x21 once a bit is turned, a backslash, or one
		// beyond ASCII. Bytes after the first of them may have it without being one.
		stop := ((x ^ 2*ones - 0x21*ones) | (x ^ '\\'*ones - ones) | x) & highs
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) / 8
		if i >= len(b)-padding {
			return -1, false
		}
		switch c := b[i]; {
		case c == '"':
			return i, escaped
		case c == '\\':
			escaped = true
			switch b[i+1] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				i += 2
			case 'u':
				if !isHex4(b[i+2:i+6]) || b[i+2]|0x20 == 'd' && b[i+3] >= '8' {
					return -1, false // half of a pair, perhaps
				}
				i += 6
			default:
				return -1, false
			}
		case c < ' ':
			return -1, false
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				return -1, false
			}
			i += n
		}
	}
}

func isHex4(digits []byte) bool {
	for _, c := range digits[:4] {
		if c-'0' > 9 && (c|0x20)-'a' > 5 {
			return false
		}
	}
	return true
}

// afterSpace passes over white space.
func afterSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' {
		i++
	}
	return i
}

// numberEnd returns where a number ends that begins there, or -1.
func numberEnd(b []byte, i int) int {
	digits := func() bool {
		from := i
		for b[i]-'0' <= 9 {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	if b[i] == '0' {
		i++
	} else if !digits() {
		return -1
	}
	if b[i] == '.' {
		i++
		if !digits() {
			return -1
		}
	}
	if b[i]|0x20 == 'e' {
		i++
		if b[i] == '+' || b[i] == '-' {
			i++
		}
		if !digits() {
			return -1
		}
	}
	return i
}

// literalEnd returns where true, false or null ends that begins there, or -1.
func literalEnd(b []byte, i int) int {
	word := "null"
	switch b[i] {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// deepest is how deep values may lie in one another that are passed over here.
const deepest = 32

// valueEnd returns where a value ends that begins there, or -1.
func valueEnd(b []byte, i, depth int) int {
	switch c := b[i]; {
	case c == '"':
		if i, _ = stringEnd(b, i+1); i < 0 {
			return -1
		}
		return i + 1
	case c == '{' || c == '[':
		return containerEnd(b, i, depth)
	case c == '-' || c-'0' <= 9:
		return numberEnd(b, i)
	}
	return literalEnd(b, i)
}

// containerEnd returns where an object or an array ends that begins there, or -1.
func containerEnd(b []byte, i, depth int) int {
	if depth == deepest {
		return -1
	}
	object, last := b[i] == '{', byte(']')
	if object {
		last = '}'
	}
	i = afterSpace(b, i+1)
	if b[i] == last {
		return i + 1
	}
	for {
		if object {
			if b[i] != '"' {
				return -1
			}
			end, _ := stringEnd(b, i+1)
			if end < 0 {
				return -1
			}
			if i = end + 1; b[i] != ':' {
				if i = afterSpace(b, i); b[i] != ':' {
					return -1
				}
			}
			i = afterSpace(b, i+1)
		}
		if b[i] == '"' {
			end, _ := stringEnd(b, i+1)
			if end < 0 {
				return -1
			}
			i = end + 1
		} else if i = valueEnd(b, i, depth+1); i < 0 {
			return -1
		}
		switch b[i] {
		case ',':
			i = afterSpace(b, i+1)
			continue
		case last:
			return i + 1
		}
		if i = afterSpace(b, i); b[i] == last {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = afterSpace(b, i+1)
	}
}
