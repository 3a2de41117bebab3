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

// hashBytes keeps half of a SHA-256 in every id that is made of values from a
// log. An attacker who chooses them and looks for two that give the same id has
// to make 2^64 tries and keep as many; one who wants to hide behind somebody
// else's has to find a second preimage, 2^128 tries.
const hashBytes = 16

// What a hash is of, so that no two kinds of ids can be made of the same bytes.
const (
	identityKind = "identity"
	eventKind    = "event"
	groupKind    = "group"
	alertKind    = "alert"
	updateKind   = "update"
)

// hash returns the first half of the SHA-256 of texts.
func hash(texts ...string) [hashBytes]byte {
	h := sha256.New() // rather than of one text: there may be very many
	var room [512]byte
	part := room[:0]
	for _, t := range texts {
		if part = appendText(part, t); len(part) > len(room)/2 {
			h.Write(part)
			part = part[:0]
		}
	}
	h.Write(part)
	var sum [sha256.Size]byte
	return [hashBytes]byte(h.Sum(sum[:0]))
}

func hexHash(texts ...string) string {
	sum := hash(texts...)
	var digits [2 * hashBytes]byte
	hex.Encode(digits[:], sum[:])
	return string(digits[:])
}

// NewFingerprint returns the fingerprint of an identity: a rule and the values
// of its identity columns. The order of the columns does not matter; the case
// of their names and values does. A value must be written so that no other is
// written the same.
func NewFingerprint(ruleID string, identity []Field) Fingerprint {
	var room [mostRoom]string
	return Fingerprint(hexHash(appendIdentity(append(room[:0], identityKind), ruleID, identity)...))
}

// FormerFingerprint returns the fingerprint that format 1 of the ledger has of
// an identity, whose values are those of its time.
func FormerFingerprint(ruleID string, identity []Field) Fingerprint {
	var room [mostRoom]string
	return Fingerprint(hexHash(appendIdentity(room[:0], ruleID, identity)...))
}

// mostRoom is for how many texts of an identity there is room without an allocation.
const mostRoom = 18

func appendIdentity(texts []string, ruleID string, identity []Field) []string {
	var room [mostRoom / 2]Field
	identity = append(room[:0], identity...)
	slices.SortStableFunc(identity, func(a, b Field) int {
		if c := strings.Compare(a.Identifier, b.Identifier); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
	texts = append(texts, ruleID)
	for _, f := range identity {
		texts = append(texts, f.Identifier, f.Value)
	}
	return texts
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
	return hexHash(slices.Compact(texts)...)
}

// encode joins texts so that no two different lists give the same bytes: each
// is preceded by its length, so a value that holds a separator, or looks like
// the next field, cannot pass for another identity.
func encode(texts []string) []byte {
	var out []byte
	for _, t := range texts {
		out = appendText(out, t)
	}
	return out
}

func appendText(out []byte, text string) []byte {
	out = binary.AppendUvarint(out, uint64(len(text)))
	return append(out, text...)
}
