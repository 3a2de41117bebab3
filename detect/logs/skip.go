package logs

import "unicode/utf8"

// These pass over JSON without decoding it, by its marks: see mark. They accept nothing
// that a strict parser refuses; what they do not accept may still be JSON, and is left to
// one.

// stringEnd returns where a string ends that begins there, at its closing quote,
// and whether it has escapes. It returns -1 if it accepts none.
func stringEnd(b, marks []byte, i int) (end int, escaped bool) {
	for {
		i = nextMark(b, marks, i)
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
func valueEnd(b, marks []byte, i, depth int) int {
	switch c := b[i]; {
	case c == '"':
		if i, _ = stringEnd(b, marks, i+1); i < 0 {
			return -1
		}
		return i + 1
	case c == '{' || c == '[':
		return containerEnd(b, marks, i, depth)
	case c == '-' || c-'0' <= 9:
		return numberEnd(b, i)
	}
	return literalEnd(b, i)
}

// containerEnd returns where an object or an array ends that begins there, or -1.
func containerEnd(b, marks []byte, i, depth int) int {
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
			if i = nextMark(b, marks, i+1); b[i] != '"' {
				if i, _ = stringEnd(b, marks, i); i < 0 {
					return -1
				}
			}
			if i++; b[i] != ':' {
				if i = afterSpace(b, i); b[i] != ':' {
					return -1
				}
			}
			if i++; b[i] <= ' ' {
				i = afterSpace(b, i)
			}
		}
		if b[i] != '"' {
			if i = valueEnd(b, marks, i, depth+1); i < 0 {
				return -1
			}
		} else {
			if i = nextMark(b, marks, i+1); b[i] != '"' {
				if i, _ = stringEnd(b, marks, i); i < 0 {
					return -1
				}
			}
			i++
		}
		if b[i] <= ' ' {
			i = afterSpace(b, i)
		}
		if b[i] != ',' {
			if b[i] == last {
				return i + 1
			}
			return -1
		}
		if i++; b[i] <= ' ' {
			i = afterSpace(b, i)
		}
	}
}
