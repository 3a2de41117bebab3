package text

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// The most that is read of a value that is JSON, and how deep.
const (
	mostPlain = 20_000
	mostDepth = 4
)

// Plain writes a value of a log for reading where it is not text: an array as its
// elements with commas between them, an object as its names and values, and a time
// without the fractions of a second. Other values are as they are.
func Plain(value string) string {
	trimmed := strings.TrimSpace(value)
	if t, err := time.Parse(time.RFC3339Nano, trimmed); err == nil && len(trimmed) > len("2006-01-02T15:04:05") && alert.Known(t) {
		return t.UTC().Format(time.DateTime) + " UTC"
	}
	if len(trimmed) < 2 || len(trimmed) > mostPlain || trimmed[0] != '[' && trimmed[0] != '{' {
		return value
	}
	d := json.NewDecoder(strings.NewReader(trimmed))
	d.UseNumber()
	if written, ok := plain(d, mostDepth); ok && !d.More() {
		return written
	}
	return value
}

// plain writes the next value of a document, and reports false for one that is none
// or is too deep. Names keep their order.
func plain(d *json.Decoder, depth int) (string, bool) {
	token, err := d.Token()
	if err != nil {
		return "", false
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return scalar(token), true
	}
	if depth == 0 {
		return "", false
	}
	var parts []string
	for d.More() {
		name := ""
		if delim == '{' {
			token, err := d.Token()
			if err != nil {
				return "", false
			}
			name = Item(token.(string)) + ": " // of an object the decoder gives no other
		}
		v, ok := plain(d, depth-1)
		if !ok {
			return "", false
		}
		if v != "" {
			parts = append(parts, name+v)
		}
	}
	if _, err := d.Token(); err != nil {
		return "", false
	}
	return strings.Join(parts, ", "), true
}

// scalar writes a value that is no list. A text is written so that it cannot end
// the list that it is in.
func scalar(token json.Token) string {
	switch v := token.(type) {
	case nil:
		return ""
	case string:
		return Item(v)
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// SaysNothing reports whether a value is empty, zero or another way to say that
// there is none.
func SaysNothing(value string) bool {
	v := strings.ToLower(strings.TrimSpace(value))
	if slices.Contains([]string{"", "none", "null", "nil", "n/a", "unknown", "undefined", "[]", "{}", `""`, `[""]`, "-", "0001-01-01t00:00:00z"}, v) {
		return true
	}
	return bytes.ContainsRune([]byte(v), '0') && strings.Trim(v, "0.:") == "" && !strings.Contains(v, "::") && strings.Count(v, ".") < 2
}

// Shown writes a value of a log for a place of its own: see Plain and Value.
func Shown(value string) string {
	if p := Plain(value); p != value {
		return p
	}
	return Value(value)
}
