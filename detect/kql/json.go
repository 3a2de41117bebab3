package kql

// jsonScanner reads the JSON that most logs are made of. It has no escapes, and
// is in ASCII. Its strings are parts of the text, so that next to nothing is
// allocated. Anything else, valid or not, it leaves to the decoder that knows
// it all.
type jsonScanner struct {
	text  string
	at    int
	depth int
}

// maxScannedDepth bounds the recursion; what is nested deeper is left to the
// decoder.
const maxScannedDepth = 64

// scanJSON reads a text that is one JSON value. It reports false for what it
// does not know.
func scanJSON(text string) (Value, bool) {
	s := jsonScanner{text: text}
	v, ok := s.value()
	s.space()
	return v, ok && s.at == len(text)
}

func (s *jsonScanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next skips white space and gives the byte after it, 0 at the end.
func (s *jsonScanner) next() byte {
	if s.space(); s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *jsonScanner) value() (Value, bool) {
	switch c := s.next(); {
	case c == '"':
		text, ok := s.str()
		return stringValue(text), ok
	case c == '{':
		return s.object()
	case c == '[':
		return s.array()
	case c == '-' || isDigit(c):
		return s.number()
	case c == 't':
		return boolValue(true), s.word("true")
	case c == 'f':
		return boolValue(false), s.word("false")
	case c == 'n':
		return Value{}, s.word("null")
	}
	return Value{}, false
}

func (s *jsonScanner) word(w string) bool {
	if len(s.text)-s.at < len(w) || s.text[s.at:s.at+len(w)] != w {
		return false
	}
	s.at += len(w)
	return true
}

// str reads a string whose quote is next.
func (s *jsonScanner) str() (string, bool) {
	from := s.at + 1
	for i := from; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			return s.text[from:i], true
		case c == '\\' || c < ' ' || c >= 0x80:
			return "", false
		}
	}
	return "", false
}

func (s *jsonScanner) number() (Value, bool) {
	from := s.at
	if s.text[s.at] == '-' {
		s.at++
	}
	whole := s.digits()
	if whole == 0 || whole > 1 && s.text[s.at-whole] == '0' {
		return Value{}, false
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		if s.at++; s.digits() == 0 {
			return Value{}, false
		}
	}
	if s.at < len(s.text) && s.text[s.at]|0x20 == 'e' {
		s.at++
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return Value{}, false
		}
	}
	return jsonNumber(s.text[from:s.at]), true
}

func (s *jsonScanner) digits() (n int) {
	for s.at < len(s.text) && isDigit(s.text[s.at]) {
		s.at++
		n++
	}
	return n
}

func (s *jsonScanner) array() (Value, bool) {
	if !s.enter() {
		return Value{}, false
	}
	items := []Value{}
	for s.next() != ']' {
		if len(items) > 0 && !s.comma() {
			return Value{}, false
		}
		item, ok := s.value()
		if !ok {
			return Value{}, false
		}
		if len(items) == 0 {
			items = make([]Value, 0, 4)
		}
		items = append(items, item)
	}
	s.leave()
	return arrayValue(items), true
}

func (s *jsonScanner) object() (Value, bool) {
	if !s.enter() {
		return Value{}, false
	}
	b := newBag(4)
	for s.next() != '}' {
		if len(b.keys) > 0 && !s.comma() || s.next() != '"' {
			return Value{}, false
		}
		key, ok := s.str()
		if !ok || s.next() != ':' {
			return Value{}, false
		}
		s.at++
		item, ok := s.value()
		if !ok {
			return Value{}, false
		}
		b.set(key, item)
	}
	s.leave()
	return bagValue(b), true
}

func (s *jsonScanner) comma() bool {
	if s.next() != ',' {
		return false
	}
	s.at++
	return true
}

// enter goes past the bracket that is next, and leave past the closing one.
func (s *jsonScanner) enter() bool {
	s.at++
	s.depth++
	return s.depth <= maxScannedDepth
}

func (s *jsonScanner) leave() {
	s.at++
	s.depth--
}
