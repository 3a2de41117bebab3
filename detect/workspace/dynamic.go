package workspace

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Dynamic is a value of KQL's type dynamic: any JSON. It cannot be changed.
type Dynamic struct {
	raw json.RawMessage
	// value is the value, or nil: then it is parsed whenever it is asked for.
	value any
}

// unparsed returns the same value without room for what is parsed, which is
// several times as large.
func (d Dynamic) unparsed() Dynamic { return Dynamic{raw: d.raw} }

// NewDynamic returns the dynamic value of a JSON text. A text that is not JSON
// becomes a string: the service writes a dynamic string without its quotes.
func NewDynamic(text string) Dynamic {
	value, err := parseJSON([]byte(text))
	if err != nil {
		raw, _ := json.Marshal(text) // a string always marshals
		return Dynamic{raw: raw, value: text}
	}
	// Marshalled as encoding/json would, so that it stays the same on every
	// later trip through JSON.
	raw, err := json.Marshal(json.RawMessage(text))
	if err != nil {
		raw = json.RawMessage(text)
	}
	return Dynamic{raw: raw, value: value}
}

// parseJSON reads exactly one JSON value, its numbers as json.Number.
func parseJSON(text []byte) (any, error) {
	if !json.Valid(text) { // a Decoder would accept what follows the value
		return nil, errNotJSON
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	err := d.Decode(&value)
	return value, err
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
		value, _ := parseJSON(d.raw) // it was, before
		return value
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
