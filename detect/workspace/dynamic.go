package workspace

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Dynamic is a value of KQL's type dynamic: any JSON. It cannot be changed.
type Dynamic struct {
	raw json.RawMessage
	// value is the value, or nil: then it is parsed whenever it is asked for.
	value any
}

// parsed returns the same value with what is parsed beside it, for one that is asked
// for often: that is several times as large.
func (d Dynamic) parsed() Dynamic { return Dynamic{raw: d.raw, value: d.Value()} }

// NewDynamic returns the dynamic value of a JSON text. A text that is not JSON
// becomes a string: the service writes a dynamic string without its quotes.
func NewDynamic(text string) Dynamic { return newDynamic([]byte(text)).parsed() }

// newDynamic is NewDynamic without what is parsed. It keeps the text.
func newDynamic(text []byte) Dynamic {
	if !json.Valid(text) {
		raw, _ := json.Marshal(string(text)) // a string always marshals
		return Dynamic{raw: raw}
	}
	if isMarshalled(text) {
		return Dynamic{raw: text}
	}
	// Marshalled as encoding/json would, so that it stays the same on every
	// later trip through JSON.
	raw, err := json.Marshal(json.RawMessage(text))
	if err != nil {
		raw = text
	}
	return Dynamic{raw: raw}
}

// isMarshalled reports whether a JSON text is sure to be as encoding/json would write
// it: there is no space in it, and nothing that it would escape.
func isMarshalled(text []byte) bool {
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n', '<', '>', '&', 0xE2: // with which U+2028 and U+2029 begin
			return false
		}
	}
	return true
}

// textReader reads JSON texts one after the other. There are tens of thousands of
// them in a large answer, and a decoder of its own for each takes many times the text.
type textReader struct {
	text    bytes.Reader
	decoder jsontext.Decoder
}

var textReaders = sync.Pool{New: func() any { return new(textReader) }}

// tolerant are the options of a decoder that takes what encoding/json does.
var tolerant = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// longestPooled is how long a text may be for its decoder to be used again, with the
// room that it made for it.
const longestPooled = 64 << 10

// parseJSON reads a JSON text, which is valid, its numbers as json.Number.
func parseJSON(text []byte) any {
	r := textReaders.Get().(*textReader)
	r.text.Reset(text)
	r.decoder.Reset(&r.text, tolerant...)
	value, err := r.value()
	if err != nil { // as where it nests deeper than one of the two takes
		value = nil
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		_ = d.Decode(&value)
	}
	if len(text) <= longestPooled {
		r.text.Reset(nil)
		textReaders.Put(r)
	}
	return value
}

// value reads the value that comes next.
func (r *textReader) value() (any, error) {
	token, err := r.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return token.Bool(), nil
	case '"':
		return token.String(), nil
	case '0':
		return json.Number(token.String()), nil
	case '[':
		elements := []any{}
		for r.decoder.PeekKind() != ']' {
			element, err := r.value()
			if err != nil {
				return nil, err
			}
			elements = append(elements, element)
		}
		_, err := r.decoder.ReadToken()
		return elements, err
	}
	members := map[string]any{}
	for r.decoder.PeekKind() != '}' {
		token, err := r.decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		if members[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	_, err = r.decoder.ReadToken()
	return members, err
}

// JSON returns the value as compact JSON.
func (d Dynamic) JSON() json.RawMessage {
	if d.raw == nil {
		return json.RawMessage("null")
	}
	return d.raw
}

// MarshalJSON returns the value as compact JSON.
func (d Dynamic) MarshalJSON() ([]byte, error) { return d.JSON(), nil }

// Value returns what encoding/json makes of the value, with json.Number for
// numbers. It is shared: do not change it.
func (d Dynamic) Value() any {
	if d.value == nil && len(d.raw) > 0 {
		return parseJSON(d.raw)
	}
	return d.value
}

// Elements returns the texts of the elements if the value is an array, and
// whether it is one. Elements that are null are left out, as make_set does.
func (d Dynamic) Elements() ([]string, bool) {
	array, ok := d.Value().([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(array))
	for _, e := range array {
		if e != nil {
			texts = append(texts, jsonText(e))
		}
	}
	return texts, true
}

// String returns the value for reading: a string without quotes, the elements
// of an array with commas between them, nothing for null, else JSON.
func (d Dynamic) String() string {
	if texts, ok := d.Elements(); ok {
		return strings.Join(texts, ", ")
	}
	value := d.Value()
	if value == nil {
		return ""
	}
	return jsonText(value)
}

// Equal reports whether both are written the same.
func (d Dynamic) Equal(other Dynamic) bool { return bytes.Equal(d.JSON(), other.JSON()) }

func jsonText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is for reading
	if err := e.Encode(value); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}
