package kql

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEnd      tokenKind = iota
	tokName               // an identifier or a keyword
	tokQuoted             // ['name'], a name that is no keyword
	tokString             // a string literal; text is what it stands for
	tokNumber             // 12, 0x1F, 1.5, 1e3
	tokTimeSpan           // 90m, 1.5h
	tokTyped              // long(...), datetime(...) and their like; text is inside the parentheses
	tokPunct              // an operator or a separator; text is itself
)

// token is a piece of the query. The text of a name or punctuation is as
// written; a literal's is decoded.
type token struct {
	kind tokenKind
	text string
	name string // of tokTyped: the type's name, in lower case
	span
	glued bool // nothing stands between it and the token before
}

// typedLiterals are the names that, before a parenthesis, start a literal.
var typedLiterals = map[string]Type{
	"bool": Bool, "boolean": Bool, "datetime": DateTime, "date": DateTime, "decimal": Decimal,
	"double": Real, "real": Real, "guid": GUID, "int": Int, "long": Long,
	"time": TimeSpan, "timespan": TimeSpan,
}

// punctuation, longest first so that the first that fits is the right one.
var punctuation = []string{
	"==", "!=", "=~", "!~", "<=", ">=", "<>", "=>", "..",
	"|", "(", ")", "[", "]", "{", "}", ",", ";", ".", "=", "<", ">", "+", "-", "*", "/", "%", ":", "@", "~",
}

type lexer struct {
	text string
	at   int
}

// lex splits the text into tokens, the last of which is tokEnd.
func lex(text string) []token {
	if !utf8.ValidString(text) {
		for i, r := range text {
			if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD") {
				panic(syntaxError(span{i, i + 1}, "the query is not valid UTF-8 here"))
			}
		}
	}
	l := &lexer{text: text}
	var tokens []token
	for {
		before := l.at
		l.skipSpace()
		t := l.next()
		t.glued = t.start == before && before > 0
		tokens = append(tokens, t)
		if t.kind == tokEnd {
			return tokens
		}
	}
}

func (l *lexer) skipSpace() {
	for l.at < len(l.text) {
		switch rest := l.text[l.at:]; {
		case strings.HasPrefix(rest, "//"):
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				l.at += end + 1
			} else {
				l.at = len(l.text)
			}
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\uFEFF' {
				return
			}
			l.at += size
		}
	}
}

func isNameStart(c byte) bool { return c == '_' || c == '$' || isLetter(c) }
func isNamePart(c byte) bool  { return c == '_' || isLetter(c) || isDigit(c) }
func isLetter(c byte) bool    { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }

func (l *lexer) next() token {
	start := l.at
	if start >= len(l.text) {
		return token{kind: tokEnd, span: span{start, start}}
	}
	rest := l.text[start:]
	switch c := rest[0]; {
	case c == '"' || c == '\'' || c == '@' || strings.HasPrefix(rest, "```") || strings.HasPrefix(rest, "~~~") ||
		(c == 'h' || c == 'H') && len(rest) > 1 && (rest[1] == '"' || rest[1] == '\'' || rest[1] == '@'):
		return l.stringLiteral()
	case isDigit(c):
		return l.number()
	case isNameStart(c):
		return l.name()
	case c == '!' && len(rest) > 1 && isLetter(rest[1]):
		l.at++
		l.nameChars()
		if l.at < len(l.text) && l.text[l.at] == '~' {
			l.at++
		}
		return token{kind: tokPunct, text: l.text[start:l.at], span: span{start, l.at}}
	case c == '[':
		if t, ok := l.quotedName(); ok {
			return t
		}
	}
	for _, p := range punctuation {
		if strings.HasPrefix(rest, p) {
			l.at += len(p)
			return token{kind: tokPunct, text: p, span: span{start, l.at}}
		}
	}
	r, size := utf8.DecodeRuneInString(rest)
	panic(syntaxError(span{start, start + size}, "the character %q has no meaning here", r))
}

func (l *lexer) nameChars() {
	for l.at < len(l.text) && isNamePart(l.text[l.at]) {
		l.at++
	}
}

func (l *lexer) name() token {
	start := l.at
	l.at++
	l.nameChars()
	word := l.text[start:l.at]
	if l.at < len(l.text) && l.text[l.at] == '~' && (word == "in" || word == "has_any" || word == "has_all") {
		l.at++
		return token{kind: tokName, text: word + "~", span: span{start, l.at}}
	}
	if _, ok := typedLiterals[strings.ToLower(word)]; ok {
		if t, ok := l.typedLiteral(start, word); ok {
			return t
		}
	}
	return token{kind: tokName, text: word, span: span{start, l.at}}
}

// typedLiteral reads the rest of long(...) and its like. What is inside is not
// made of tokens: datetime(2026-03-17 09:58) would be a subtraction.
func (l *lexer) typedLiteral(start int, word string) (token, bool) {
	open := l.at
	if open >= len(l.text) || l.text[open] != '(' {
		return token{}, false
	}
	end := strings.IndexAny(l.text[open:], ")\n")
	if end < 0 || l.text[open+end] == '\n' {
		panic(syntaxError(span{start, len(l.text)}, "%s( has no closing parenthesis on its line", word))
	}
	l.at = open + end + 1
	return token{
		kind: tokTyped, name: strings.ToLower(word),
		text: strings.TrimSpace(l.text[open+1 : open+end]), span: span{start, l.at},
	}, true
}

func isName(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf || !isNamePart(byte(r)) })
}

// number reads an integer, a real or a timespan such as 90m. What is none of
// them is a name, which may begin with digits.
func (l *lexer) number() token {
	start := l.at
	if strings.HasPrefix(l.text[start:], "0x") || strings.HasPrefix(l.text[start:], "0X") {
		l.at += 2
		l.nameChars()
		return token{kind: tokNumber, text: l.text[start:l.at], span: span{start, l.at}}
	}
	digits := func() {
		for l.at < len(l.text) && isDigit(l.text[l.at]) {
			l.at++
		}
	}
	digits()
	if l.at+1 < len(l.text) && l.text[l.at] == '.' && isDigit(l.text[l.at+1]) {
		l.at++
		digits()
	} else if l.at < len(l.text) && l.text[l.at] == '.' && !strings.HasPrefix(l.text[l.at:], "..") {
		l.at++ // 1. is a real
	}
	if l.at < len(l.text) && l.text[l.at]|0x20 == 'e' {
		exp := l.at + 1
		if exp < len(l.text) && (l.text[exp] == '+' || l.text[exp] == '-') {
			exp++
		}
		if exp < len(l.text) && isDigit(l.text[exp]) {
			l.at = exp
			digits()
			if number := l.at; isName(l.text[start:number]) {
				if l.nameChars(); l.at > number {
					return token{kind: tokName, text: l.text[start:l.at], span: span{start, l.at}}
				}
			}
			return token{kind: tokNumber, text: l.text[start:l.at], span: span{start, l.at}}
		}
	}
	number := l.at
	l.nameChars()
	switch suffix := l.text[number:l.at]; {
	case suffix == "":
		return token{kind: tokNumber, text: l.text[start:l.at], span: span{start, l.at}}
	case timespanUnits[suffix] != 0:
		return token{kind: tokTimeSpan, text: l.text[start:l.at], span: span{start, l.at}}
	case isName(l.text[start:l.at]):
		return token{kind: tokName, text: l.text[start:l.at], span: span{start, l.at}}
	default:
		panic(syntaxError(span{start, l.at}, "%q is neither a number nor a timespan such as 90m, 1.5h or 100ms", l.text[start:l.at]))
	}
}

// quotedName reads ['name'] or ["name"].
func (l *lexer) quotedName() (token, bool) {
	start := l.at
	inner := &lexer{text: l.text, at: l.at + 1}
	name, some := "", false
	for { // ['a' 'b'] is ['ab']
		for inner.at < len(l.text) && (l.text[inner.at] == ' ' || l.text[inner.at] == '\t') {
			inner.at++
		}
		if inner.at >= len(l.text) || l.text[inner.at] != '"' && l.text[inner.at] != '\'' {
			break
		}
		name, some = name+inner.stringLiteral().text, true
	}
	if !some || inner.at >= len(l.text) || l.text[inner.at] != ']' {
		return token{}, false // an array of strings, say
	}
	l.at = inner.at + 1
	return token{kind: tokQuoted, text: name, span: span{start, l.at}}, true
}

// stringLiteral reads a string in any of its forms. It is "..." or '...', with
// @ (verbatim) or h (obfuscated) in front, or has several lines in ```...``` or
// ~~~...~~~.
func (l *lexer) stringLiteral() token {
	start := l.at
	if c := l.text[l.at]; c|0x20 == 'h' {
		l.at++
	}
	verbatim := false
	if l.at < len(l.text) && l.text[l.at] == '@' {
		verbatim = true
		l.at++
	}
	if l.at >= len(l.text) || l.text[l.at] != '"' && l.text[l.at] != '\'' && l.text[l.at] != '`' && l.text[l.at] != '~' {
		panic(syntaxError(span{start, l.at}, "a string literal must follow @"))
	}
	for _, fence := range []string{"```", "~~~"} {
		if strings.HasPrefix(l.text[l.at:], fence) {
			body := l.text[l.at+3:]
			end := strings.Index(body, fence)
			if end < 0 {
				panic(syntaxError(span{start, len(l.text)}, "the string that starts here with %s is never closed", fence))
			}
			l.at += 3 + end + 3
			return token{kind: tokString, text: body[:end], span: span{start, l.at}}
		}
	}
	quote := l.text[l.at]
	l.at++
	var sb strings.Builder
	for l.at < len(l.text) {
		c := l.text[l.at]
		switch {
		case c == quote && verbatim && l.at+1 < len(l.text) && l.text[l.at+1] == quote:
			sb.WriteByte(quote)
			l.at += 2
		case c == quote:
			l.at++
			return token{kind: tokString, text: sb.String(), span: span{start, l.at}}
		case c == '\n' || c == '\r':
			panic(syntaxError(span{start, l.at}, "the string that starts here is not closed on its line"))
		case c == '\\' && !verbatim:
			l.escape(&sb)
		default:
			sb.WriteByte(c)
			l.at++
		}
	}
	panic(syntaxError(span{start, len(l.text)}, "the string that starts here is never closed"))
}

var simpleEscapes = map[byte]byte{
	'\\': '\\', '"': '"', '\'': '\'', 'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

// escape decodes one escape sequence.
func (l *lexer) escape(sb *strings.Builder) {
	start := l.at
	l.at++
	bad := func() {
		end := min(l.at+1, len(l.text))
		panic(syntaxError(span{start, end}, "%q is no escape of a string: write \\\\ for a backslash, or put @ before the quote", l.text[start:end]))
	}
	if l.at >= len(l.text) {
		bad()
	}
	c := l.text[l.at]
	if plain, ok := simpleEscapes[c]; ok {
		sb.WriteByte(plain)
		l.at++
		return
	}
	hex := func(digits int) rune {
		r := rune(0)
		for range digits {
			if l.at >= len(l.text) {
				bad()
			}
			d := strings.IndexByte(hexDigits, l.text[l.at]|0x20)
			if isDigit(l.text[l.at]) {
				d = int(l.text[l.at] - '0')
			}
			if d < 0 || r > unicode.MaxRune {
				bad()
			}
			r = r<<4 | rune(d)
			l.at++
		}
		return r
	}
	hexLen := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	switch {
	case hexLen > 0:
		l.at++
		r := hex(hexLen)
		// \u is a unit of UTF-16, as in JSON: two may make one character.
		if after := l.at; c == 'u' && utf16.IsSurrogate(r) && strings.HasPrefix(l.text[after:], `\u`) {
			l.at += len(`\u`)
			if pair := utf16.DecodeRune(r, hex(4)); pair != unicode.ReplacementChar {
				r = pair
			} else {
				l.at = after
			}
		}
		sb.WriteRune(r)
	case c >= '0' && c <= '7':
		r := rune(0)
		for n := 0; n < 3 && l.at < len(l.text) && l.text[l.at] >= '0' && l.text[l.at] <= '7'; n++ {
			r = r<<3 | rune(l.text[l.at]-'0')
			l.at++
		}
		sb.WriteRune(r)
	default:
		bad()
	}
}
