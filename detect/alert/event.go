package alert

import (
	"crypto/sha256"
	"encoding/hex"
)

// EventID is the hashed id of a single event. It is 16 hexadecimal digits:
// within one identity, where ids are compared, that is enough to tell millions
// apart, and an activity of hundreds of events stays small.
type EventID string

// NewEventID hashes an id, which comes from a log and may hold anything.
func NewEventID(id string) EventID {
	sum := sha256.Sum256([]byte(id))
	return EventID(hex.EncodeToString(sum[:8]))
}
