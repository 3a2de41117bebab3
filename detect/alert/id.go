package alert

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/google/uuid"
)

// idSpace is the name space of the ids of Pushback's alerts. Changing it would
// make every open incident look like a new one.
var idSpace = uuid.MustParse("6f0d6d3c-3b0f-5c0a-9e0b-7a5e1d0b5a11")

// NewGUID returns a GUID that is made of texts: all of it is a hash, for with a
// version in it fewer than 128 bits would be.
func NewGUID(texts ...string) string { return uuid.UUID(hash(texts...)).String() }

// NewID returns the id of the alert of a rule about these activities: a GUID,
// as a Sentinel incident wants one. The same rule and activities always give
// the same id, in whatever order they come, so reporting an alert twice is
// reporting the same alert.
func NewID(ruleID string, activities []Activity) string {
	return NewGUID(activityTexts(activities, alertKind, ruleID)...)
}

// FormerID returns the id that an alert has in format 1 of the ledger.
func FormerID(ruleID string, activities []Activity) string {
	return uuid.NewSHA1(idSpace, encode(activityTexts(activities, ruleID))).String()
}

// activityTexts returns some texts, and one for each activity in an order that is
// always the same.
func activityTexts(activities []Activity, first ...string) []string {
	texts := append(make([]string, 0, len(first)+len(activities)), first...)
	var part []byte
	for _, a := range activities {
		part = appendText(part[:0], string(a.Fingerprint))
		part = appendTime(part, a.Span.Start)
		part = appendTime(part, a.Span.End)
		for _, e := range a.Events {
			part = appendText(part, string(e))
		}
		texts = append(texts, string(part))
	}
	slices.Sort(texts[len(first):])
	return texts
}

// appendTime appends a time as encode does its text.
func appendTime(out []byte, t time.Time) []byte {
	var room [2 * len(time.RFC3339Nano)]byte
	text := t.UTC().AppendFormat(room[:0], time.RFC3339Nano)
	out = binary.AppendUvarint(out, uint64(len(text)))
	return append(out, text...)
}

// UpdateID returns the id of the update of an alert that has a kind of finding for
// its news. There is one of each.
func UpdateID(id string, news FindingKind) string { return NewGUID(updateKind, id, string(news)) }
