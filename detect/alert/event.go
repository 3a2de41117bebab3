package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// EventID is the hashed id of a single event: 32 hexadecimal digits, or those of
// a group of events with a moment of it; see NewGroupMark. In format 1 of the
// ledger it was 16 digits.
type EventID string

// NewEventID hashes an id, which comes from a log and may hold anything. It must
// be written so that no other id is written the same.
func NewEventID(id string) EventID { return EventID(hexHash(eventKind, id)) }

// FormerEventID returns the id that format 1 of the ledger has of an event: half
// as long, which is too short for what somebody else chooses.
func FormerEventID(id string) EventID {
	sum := sha256.Sum256([]byte(id))
	var digits [16]byte
	hex.Encode(digits[:], sum[:8])
	return EventID(digits[:])
}

// NewGroupMark returns the mark of a moment at which something of a group of
// events happened. Of two that are close enough, the events are the same.
func NewGroupMark(group string, at time.Time) EventID {
	return EventID(hexHash(groupKind, group) + "@" + strconv.FormatInt(at.UnixMilli(), 10))
}

// GroupMark takes a mark apart, and reports whether the id is one.
func (e EventID) GroupMark() (group string, at time.Time, ok bool) {
	group, millis, ok := strings.Cut(string(e), "@")
	if !ok {
		return "", time.Time{}, false
	}
	n, err := strconv.ParseInt(millis, 10, 64)
	return group, time.UnixMilli(n).UTC(), err == nil
}
