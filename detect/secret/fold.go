package secret

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// folded is a text with its encodings undone: percent-encoding, the escapes of
// JSON and the entities of HTML, also one within another.
type folded struct {
	original, text string
	// places says where each byte of text begins in original, and where the last
	// one ends. It is nil as long as they are the same.
	places []int
}

// place returns where a byte of the text is in the original.
func (f folded) place(i int) int {
	if f.places == nil {
		return i
	}
	return f.places[i]
}

// mostPasses is how many encodings within another are undone.
const mostPasses = 4

func fold(text string) folded {
	f := folded{original: text, text: text}
	for range mostPasses {
		if !strings.ContainsAny(f.text, `%\&`) {
			break
		}
		next := f.pass()
		if len(next.text) == len(f.text) {
			break
		}
		f = next
	}
	return f
}

// pass undoes one encoding of each character.
func (f folded) pass() folded {
	out := make([]byte, 0, len(f.text))
	places := make([]int, 0, len(f.text)+1)
	for i := 0; i < len(f.text); {
		decoded, n := decode(f.text[i:])
		for range len(decoded) {
			places = append(places, f.place(i))
		}
		out = append(out, decoded...)
		i += n
	}
	return folded{original: f.original, text: string(out), places: append(places, f.place(len(f.text)))}
}

// entities are the named ones that stand for what addresses are made of.
var entities = map[string]string{
	"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'", "equals": "=", "percnt": "%", "quest": "?",
	"sol": "/", "colon": ":", "commat": "@", "plus": "+", "semi": ";", "period": ".", "num": "#", "lowbar": "_",
}

// decode returns what the text begins with, and how many bytes of it that is.
func decode(text string) (decoded string, n int) {
	plain := func() (string, int) { return text[:1], 1 }
	number := func(from, length, base int) (string, int) {
		if len(text) < from+length {
			return plain()
		}
		c, err := strconv.ParseUint(text[from:from+length], base, 32)
		if err != nil {
			return plain()
		}
		if base == 16 && length == 2 {
			return string([]byte{byte(c)}), from + length
		}
		return string(utf8.AppendRune(nil, rune(c))), from + length
	}
	switch text[0] {
	case '%':
		return number(1, 2, 16)
	case '\\':
		if len(text) < 2 {
			return plain()
		}
		switch text[1] {
		case '/':
			return "/", 2
		case 'u':
			return number(2, 4, 16)
		case 'x':
			return number(2, 2, 16)
		}
	case '&':
		end := strings.IndexByte(text[:min(len(text), 10)], ';')
		if end < 2 {
			return plain()
		}
		name := text[1:end]
		if s, ok := entities[strings.ToLower(name)]; ok {
			return s, end + 1
		}
		if name[0] == '#' {
			digits, base := name[1:], 10
			if digits != "" && (digits[0] == 'x' || digits[0] == 'X') {
				digits, base = digits[1:], 16
			}
			if c, err := strconv.ParseUint(digits, base, 21); err == nil {
				return string(utf8.AppendRune(nil, rune(c))), end + 1
			}
		}
	}
	return plain()
}

// lowered lowers ASCII letters only, so that every byte stays in its place.
func lowered(text string) string {
	out := []byte(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + ('a' - 'A')
		}
	}
	return string(out)
}
