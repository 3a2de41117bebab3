package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonOptions reads JSON as strictly as its standard does, but for members that
// are given twice: the last one counts, as in the workspace.
var jsonOptions = []jsontext.Options{jsontext.AllowDuplicateNames(true)}

// value is one cell as the file has it.
type value struct {
	kind byte // the JSON kind: one of n t f " 0 { [, or plainText
	raw  []byte
}

// plainText is the kind of a value without a type of its own, as in CSV.
const plainText = 'T'

// member is a named cell of a record.
type member struct {
	name  []byte
	value value
	inner bool // a member of the record's properties
}

// maxMembers bounds the members of one record.
const maxMembers = 10_000

// properties is the member that the diagnostic export nests the others in.
const properties = "properties"

// parser takes records apart. It keeps its memory from one to the next.
type parser struct {
	dec     *jsontext.Decoder
	src     bytes.Buffer
	members []member
	cells   []value
	scratch []byte
	walk    walker
}

// start begins to parse a text.
func (p *parser) start(text []byte) {
	p.src = *bytes.NewBuffer(text)
	if p.dec == nil {
		p.dec = jsontext.NewDecoder(&p.src, jsonOptions...)
		return
	}
	p.dec.Reset(&p.src, jsonOptions...)
}

// object parses an object into its members, and those of its properties after
// the member that holds them. They are valid until the next call.
func (p *parser) object(text []byte) ([]member, error) {
	p.start(text)
	p.members = p.members[:0]
	if err := p.open('{'); err != nil {
		return nil, err
	}
	for p.dec.PeekKind() == '"' {
		name, err := p.name()
		if err != nil {
			return nil, err
		}
		if string(name) == properties && p.dec.PeekKind() == '{' {
			err = p.nested(text, name)
		} else {
			err = p.add(name, false)
		}
		if err != nil {
			return nil, err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return nil, err
	}
	return p.members, p.end(text)
}

// nested parses the properties. The object as a whole is a member, too.
func (p *parser) nested(text, name []byte) error {
	at := len(p.members)
	p.members = append(p.members, member{name: name})
	if err := p.open('{'); err != nil {
		return err
	}
	from := p.dec.InputOffset() - 1
	for p.dec.PeekKind() == '"' {
		inner, err := p.name()
		if err != nil {
			return err
		}
		if err := p.add(inner, true); err != nil {
			return err
		}
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	p.members[at].value = value{kind: '{', raw: text[from:p.dec.InputOffset()]}
	return nil
}

// array parses an array into its elements, valid until the next call.
func (p *parser) array(text []byte) ([]value, error) {
	p.start(text)
	p.cells = p.cells[:0]
	if err := p.open('['); err != nil {
		return nil, err
	}
	for {
		switch p.dec.PeekKind() {
		case ']':
			if _, err := p.dec.ReadToken(); err != nil {
				return nil, err
			}
			return p.cells, p.end(text)
		}
		v, err := p.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		p.cells = append(p.cells, value{kind: byte(v.Kind()), raw: v})
	}
}

func (p *parser) open(kind jsontext.Kind) error {
	tok, err := p.dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != kind {
		return fmt.Errorf("expected %s, found %s", kindName(byte(kind)), kindName(byte(tok.Kind())))
	}
	return nil
}

func (p *parser) name() ([]byte, error) {
	v, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return v[1 : len(v)-1], nil
	}
	return jsontext.AppendUnquote(nil, v)
}

func (p *parser) add(name []byte, inner bool) error {
	v, err := p.dec.ReadValue()
	if err != nil {
		return err
	}
	if len(p.members) >= maxMembers {
		return fmt.Errorf("the record has more than %d members", maxMembers)
	}
	if v.Kind() == '{' {
		v = plainDates(v)
	}
	p.members = append(p.members, member{name: name, value: value{kind: byte(v.Kind()), raw: v}, inner: inner})
	return nil
}

// end makes sure that nothing follows what was parsed.
func (p *parser) end(text []byte) error {
	at := p.dec.InputOffset()
	rest := bytes.TrimLeft(text[at:], " \t\r\n")
	if len(rest) == 0 {
		return nil
	}
	return &jsontext.SyntacticError{
		ByteOffset: at + int64(len(text[at:])-len(rest)),
		Err:        fmt.Errorf("text after the end of the record: %s", excerpt(rest)),
	}
}

// text returns what a value is as text: a string without its quotes, anything
// else as it stands. It is valid until the next call.
func (p *parser) text(v value) []byte {
	if v.kind != '"' {
		return v.raw
	}
	if bytes.IndexByte(v.raw, '\\') < 0 {
		return v.raw[1 : len(v.raw)-1]
	}
	text, err := jsontext.AppendUnquote(p.scratch[:0], v.raw)
	if err != nil {
		return nil // not possible: the value was parsed
	}
	p.scratch = text
	return text
}

// unquoted gives what a string of JSON holds.
func unquoted(raw []byte) ([]byte, error) { return jsontext.AppendUnquote(nil, raw) }

// compact returns JSON without the white space between its tokens.
func (p *parser) compact(raw []byte) []byte {
	if !bytes.ContainsAny(raw, " \t\r\n") {
		return raw
	}
	out := p.scratch[:0]
	inString, escaped := false, false
	for _, c := range raw {
		switch {
		case inString:
			inString = escaped || c != '"'
			escaped = !escaped && c == '\\'
		case c == '"':
			inString = true
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		}
		out = append(out, c)
	}
	p.scratch = out
	return out
}

// whyNotJSON says what is wrong with a text that the parser refused, and where
// in it, from 0.
func whyNotJSON(text []byte, err error) (reason string, at int) {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return err.Error(), 0
	}
	at = min(int(syntax.ByteOffset), len(text))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "not valid JSON: the record ends in the middle", len(text)
	case strings.Contains(err.Error(), "UTF-8"):
		if bad := invalidUTF8(text); bad >= 0 {
			return fmt.Sprintf("invalid UTF-8: byte 0x%02x", text[bad]), bad
		}
	}
	return "not valid JSON: " + syntax.Err.Error(), at
}

// invalidUTF8 returns where the text stops being UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// position turns an offset in a text, which begins at a line and a column, into
// a line and a column.
func position(text []byte, at, line, column int) (int, int) {
	before := text[:at]
	if breaks := bytes.Count(before, []byte{'\n'}); breaks > 0 {
		return line + breaks, at - bytes.LastIndexByte(before, '\n')
	}
	return line, column + at
}

func kindName(kind byte) string {
	switch kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"', plainText:
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "something else"
}
