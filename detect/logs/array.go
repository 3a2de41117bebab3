package logs

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// isPretty says whether the text begins with an object that is written over
// several lines. If the first line is incomplete but the second begins an
// object of its own, it is rather one record per line and the first one bad.
func isPretty(head []byte) bool {
	first := bytes.TrimRight(firstLine(head), " \t\r")
	rest := bytes.TrimLeft(head[min(len(head), len(firstLine(head))):], " \t\r\n")
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '}' {
		return false
	}
	switch first[len(first)-1] {
	case '{', ',', '[', ':':
		return true
	}
	return false
}

// isJoined says whether the text begins with an object that another follows in
// the same line.
func isJoined(head []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(head), jsonOptions...)
	if v, err := dec.ReadValue(); err != nil || v.Kind() != '{' {
		return false
	}
	return bytes.HasPrefix(bytes.TrimLeft(head[dec.InputOffset():], " \t,"), []byte{'{'})
}

// readJSON reads a sequence of JSON values of any layout: arrays of records,
// envelopes around them, and records that are written over several lines.
func (f *file) readJSON() error {
	for {
		c, ok := f.w.skipSpace()
		if !ok {
			return nil
		}
		var err error
		f.texts = f.texts[:0]
		switch {
		case c == ',':
			f.w.advance(1)
			continue
		case bytes.HasPrefix(f.w.prefix(len(byteOrderMark)), byteOrderMark):
			f.w.advance(len(byteOrderMark))
			continue
		case c == '[':
			err = f.records(false)
		case c == '{' && isEnvelope(f.w.prefix(sniffed)):
			err = f.envelope()
		case c == '{' && isTable(f.w.prefix(sniffed)):
			err = f.answerTable()
		default:
			err = f.element()
		}
		if err != nil {
			return err
		}
	}
}

// array reads the elements of an array one by one, whatever its size. Commas
// too many or too few cost nothing, since the elements tell themselves apart.
func (f *file) array(element func() error) error {
	f.w.advance(1)
	for {
		c, ok := f.w.skipSpace()
		switch {
		case !ok:
			f.cut("array")
			return nil
		case c == ']':
			f.w.advance(1)
			return nil
		case c == ',':
			f.w.advance(1)
			continue
		}
		if err := element(); err != nil {
			return err
		}
	}
}

// cut reports a file that ends where it should not, unless what broke the
// stream is reported anyway.
func (f *file) cut(inside string) {
	if f.w.failed() == nil {
		f.bad(nil, f.w.line, 0, "the file ends inside the "+inside+"; it seems to be cut off")
	}
}

// element reads a record.
func (f *file) element() error {
	p := f.w.nextValue()
	if f.badPiece(p) {
		return nil
	}
	return f.value(p.text, p.line, p.column)
}

// members reads the members of the object that begins here. The function gets
// the name of each and the first byte of its value, which it must consume.
func (f *file) members(member func(name string, c byte) error) error {
	f.w.advance(1)
	for {
		c, ok := f.w.skipSpace()
		switch {
		case !ok:
			f.cut("object")
			return nil
		case c == '}':
			f.w.advance(1)
			return nil
		case c == ',':
			f.w.advance(1)
			continue
		}
		key := f.w.nextValue()
		if f.badPiece(key) {
			continue
		}
		name := strings.Trim(string(key.text), `"`)
		if c != '"' {
			f.bad(nil, key.line, key.column, fmt.Sprintf("expected a member's name in quotes, found %s", excerpt(key.text)))
			continue
		}
		if c, ok = f.w.skipSpace(); ok && c == ':' {
			f.w.advance(1)
			c, ok = f.w.skipSpace()
		}
		if !ok {
			f.cut("object")
			return nil
		}
		if c == '}' || c == ',' {
			continue // a name without a value has nothing to lose
		}
		if err := member(name, c); err != nil {
			return err
		}
	}
}
