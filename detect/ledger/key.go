package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// The keys. Nothing in them comes from a log but through a hash: an alert's id.
// A rule's id is escaped.
const (
	directory = "rules" // the partition that all rules share

	formatKey = "format" // in the directory too, before the rules
	runPrefix = "run:"   // of the directory's keys
	fenceKey  = "run"    // in a rule's partition: see fenceRow
	purgeKey  = "purge"

	rulePrefix = "rule:" // of partitions, and of the directory's keys up to format 3
	outPrefix  = "out:"  // of the queues, and of rows that the version before wrote
	seenPrefix = "seen:"
	sentPrefix = "sent:"
	notePrefix = "note:"

	// The queues of the outbox, in the order in which a tick reads them.
	dueQueue    = outPrefix + "due:"    // by the time recorded
	laterQueue  = outPrefix + "later:"  // by the time of the next attempt
	parkedQueue = outPrefix + "parked:" // by the time recorded
)

// prefixEnd returns the first key after all that start with a prefix.
func prefixEnd(prefix string) string {
	last := len(prefix) - 1
	return prefix[:last] + string(prefix[last]+1)
}

// partitionOf returns the partition of a rule.
func partitionOf(ruleID string) string { return rulePrefix + escape(ruleID) }

// runKeyOf returns the key of a rule in the directory.
func runKeyOf(ruleID string) string { return runPrefix + escape(ruleID) }

func noteKey(name string) string { return notePrefix + escape(name) }

// outKey returns the key of an alert in a queue.
func outKey(queue string, at time.Time, alertID string) string {
	return queue + moment(at) + ":" + escape(alertID)
}

// isOutKeyOf reports whether a key of the outbox is that of an alert.
func isOutKeyOf(key, alertID string) bool {
	return key[strings.LastIndexByte(key, ':')+1:] == escape(alertID)
}

func sentKey(at time.Time, alertID string) string {
	return sentPrefix + hour(at) + ":" + escape(alertID)
}

// seenKey returns the key of a part of what an alert reported. The parts of one
// alert follow each other.
func seenKey(hour, alertID string, part int) string {
	return fmt.Sprintf("%s%s:%s:%06d", seenPrefix, hour, escape(alertID), part)
}

// hourOfKey returns the hour in the key of a seen row.
func hourOfKey(key string) string {
	h, _, _ := strings.Cut(strings.TrimPrefix(key, seenPrefix), ":")
	return h
}

// hour returns the hour of a time for a key. Hours are in order as texts.
func hour(t time.Time) string { return within(t).Format("2006-01-02T15") }

// moment returns a time for a key. Moments are in order as texts.
func moment(t time.Time) string { return within(t).Format("2006-01-02T15:04:05.000000000Z") }

// within returns a time in UTC, or the nearest that has a year of four digits.
func within(t time.Time) time.Time {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch t = t.UTC(); {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t
}

// maxEscaped keeps every key far below the limit of 1 KiB.
const maxEscaped = 200

// escape returns a text that can be part of a key: letters, digits, - and .
// stand for themselves, any other byte is _ and two digits, and what gets too
// long for that is _h and its hash. No two texts give the same.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "_%02X", c)
		}
		if b.Len() > maxEscaped {
			sum := sha256.Sum256([]byte(text))
			return "_h" + hex.EncodeToString(sum[:])
		}
	}
	return b.String()
}

// unescape returns the text of which escape made a part of a key, if that can be
// known.
func unescape(part string) (text string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		if part[i] != '_' {
			b.WriteByte(part[i])
			continue
		}
		if i+2 >= len(part) {
			return "", false
		}
		c, err := hex.DecodeString(part[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), escape(b.String()) == part
}
