package logs

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The members of an object that holds records rather than being one: event
// hubs deliver {"records": [...]}, the query API answers {"tables": [...]}.
const (
	recordsMember = "records"
	tablesMember  = "tables"
)

// isEnvelope says whether the text begins with an object that holds records.
func isEnvelope(head []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(head), jsonOptions...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	for {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return false
		}
		switch name.String() {
		case recordsMember, tablesMember:
			return dec.PeekKind() == '['
		}
		if err := dec.SkipValue(); err != nil {
			return false
		}
	}
}

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

// readJSON reads a sequence of JSON values of any layout: arrays of records,
// envelopes around them, and records that are written over several lines.
func (f *file) readJSON() error {
	for {
		c, ok := f.w.skipSpace()
		if !ok {
			return nil
		}
		var err error
		switch {
		case c == '[':
			err = f.array(f.element)
		case c == '{' && isEnvelope(f.w.prefix(sniffed)):
			err = f.envelope()
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

// envelope reads the object around records. Its other members say nothing
// about them.
func (f *file) envelope() error {
	return f.members(func(name string, c byte) error {
		switch {
		case name == recordsMember && c == '[':
			return f.array(f.element)
		case name == tablesMember && c == '[':
			return f.array(f.answerTable)
		case name == "error" && c == '{':
			p := f.w.nextValue()
			if !f.badPiece(p) {
				f.warn(p.line, "the answer is partial, it carries an error: "+excerpt(p.text))
			}
			return nil
		}
		f.badPiece(f.w.nextValue())
		return nil
	})
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
