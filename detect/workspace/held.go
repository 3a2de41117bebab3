package workspace

import (
	"encoding/json"
	"math/bits"
	"time"
)

// What a row and a cell take, beside the cell's value. This is the place in the
// slice of rows, which grows by a quarter and is there twice then, and the
// interface.
const rowBytes, cellBytes = 56, 16

// heldBytes is about how many bytes a cell's value takes. Of a dynamic it is many
// times its text, if that holds many small things.
func heldBytes(value any) int64 {
	switch v := value.(type) {
	case nil, bool:
		return 0
	case string:
		return 16 + int64(len(v))
	case json.Number:
		return 16 + int64(len(v))
	case time.Time:
		return 24
	case Dynamic:
		return 48 + int64(cap(v.raw)) + heldBytes(v.value)
	case []any:
		size := 24 + 16*int64(cap(v))
		for _, element := range v {
			size += heldBytes(element)
		}
		return size
	case map[string]any:
		// Slots of a key and a value, a power of two of them and never full.
		const slot = 33
		size := int64(48)
		if len(v) > 0 {
			size += slot * max(8, int64(1)<<bits.Len(uint(len(v)*8/7)))
		}
		for name, member := range v {
			size += int64(len(name)) + heldBytes(member)
		}
		return size
	}
	return 8
}
