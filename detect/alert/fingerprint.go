package alert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// Fingerprint stands for one identity of one rule: the same rule and the same
// values always give the same fingerprint, and it says nothing about the
// values. It is 32 lower-case hexadecimal digits, so it can be part of a
// storage key whatever the log records hold.
type Fingerprint string

// fingerprintBytes keeps half of a SHA-256. 128 bits put the first accidental
// collision at about 10^19 identities, and an attacker who wants to hide behind
// somebody else's fingerprint would have to find a second preimage, 2^128 tries.
const fingerprintBytes = 16

// NewFingerprint returns the fingerprint of an identity: a rule and the values
// of its identity columns. The order of the columns does not matter; the case
// of their names and values does.
func NewFingerprint(ruleID string, identity []Field) Fingerprint {
	identity = slices.SortedFunc(slices.Values(identity), func(a, b Field) int {
		if c := strings.Compare(a.Identifier, b.Identifier); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	texts := make([]string, 0, 1+2*len(identity))
	texts = append(texts, ruleID)
	for _, f := range identity {
		texts = append(texts, f.Identifier, f.Value)
	}
	sum := sha256.Sum256(encode(texts))
	return Fingerprint(hex.EncodeToString(sum[:fingerprintBytes]))
}

// Identity returns one text for the identities of all activities, whatever their
// order, or nothing if there are none.
func Identity(activities []Activity) string {
	if len(activities) == 0 {
		return ""
	}
	texts := make([]string, len(activities))
	for i, a := range activities {
		texts[i] = string(a.Fingerprint)
	}
	slices.Sort(texts)
	sum := sha256.Sum256(encode(slices.Compact(texts)))
	return hex.EncodeToString(sum[:fingerprintBytes])
}

// encode joins texts so that no two different lists give the same bytes: each
// is preceded by its length, so a value that holds a separator, or looks like
// the next field, cannot pass for another identity.
func encode(texts []string) []byte {
	var out []byte
	for _, t := range texts {
		out = binary.AppendUvarint(out, uint64(len(t)))
		out = append(out, t...)
	}
	return out
}
