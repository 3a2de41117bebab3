package workspace

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Canonical encodes a cell of a [Table] without ambiguity: two cells have the
// same encoding exactly if they are the same value. A text differs from the
// number, the array or the time that reads like it, an empty text from null,
// and an array from a text of its elements, whatever they hold. The order of an
// object's keys does not matter, that of an array's elements does.
func Canonical(value any) string {
	var room [256]byte // for what an identity holds as a rule
	return string(appendCanonical(room[:0], value))
}

// appendCanonical appends the encoding of a value: a letter for its kind, and
// its length before all that can be long.
func appendCanonical(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 'n')
	case string:
		return appendKind(b, 's', v)
	case bool:
		if v {
			return append(b, 't')
		}
		return append(b, 'f')
	case json.Number:
		return appendKind(b, 'd', v.String())
	case time.Time:
		return appendKind(b, 'm', Text(v))
	case time.Duration:
		return appendKind(b, 'p', Text(v))
	case Dynamic:
		return appendCanonical(b, v.Value())
	case []any:
		b = binary.AppendUvarint(append(b, 'a'), uint64(len(v)))
		for _, e := range v {
			b = appendCanonical(b, e)
		}
		return b
	case map[string]any:
		b = binary.AppendUvarint(append(b, 'o'), uint64(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = binary.AppendUvarint(b, uint64(len(key)))
			b = appendCanonical(append(b, key...), v[key])
		}
		return b
	default: // the other numbers
		return appendKind(b, 'd', Text(v))
	}
}

func appendKind(b []byte, kind byte, text string) []byte {
	b = binary.AppendUvarint(append(b, kind), uint64(len(text)))
	return append(b, text...)
}
