package alert

import (
	"slices"
	"strings"
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
	return NewGUID(append([]string{alertKind, ruleID}, activityTexts(activities)...)...)
}

// FormerID returns the id that an alert has in format 1 of the ledger.
func FormerID(ruleID string, activities []Activity) string {
	return uuid.NewSHA1(idSpace, encode(append([]string{ruleID}, activityTexts(activities)...))).String()
}

func activityTexts(activities []Activity) []string {
	texts := make([]string, len(activities))
	for i, a := range activities {
		part := []string{
			string(a.Fingerprint),
			a.Span.Start.UTC().Format(time.RFC3339Nano),
			a.Span.End.UTC().Format(time.RFC3339Nano),
		}
		for _, e := range a.Events {
			part = append(part, string(e))
		}
		texts[i] = string(encode(part))
	}
	slices.SortFunc(texts, strings.Compare)
	return texts
}

// UpdateID returns the id of the update of an alert that has a kind of finding for
// its news. There is one of each.
func UpdateID(id string, news FindingKind) string { return NewGUID(updateKind, id, string(news)) }
