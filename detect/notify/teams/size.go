package teams

import "encoding/json"

// Teams takes messages of 28 KB at most. What it counts is not what is posted:
// the workflow keeps the message as a JSON string, in which every quote and
// backslash is two characters. A message that is larger is lost behind a 202.
// https://github.com/MicrosoftDocs/msteams-docs/issues/11274
const (
	mostMessage = 28 << 10
	// reserve is for what the workflow adds.
	reserve = 1 << 10
	// mostSize is the most that Size may be.
	mostSize = mostMessage - reserve
)

// Size returns how large the message with a card is, as Teams counts it, without a
// summary.
func Size(card json.RawMessage) int {
	return escapedLen(card) + envelope
}

// envelope is what a message adds to the size of its card.
var envelope = func() int {
	empty := json.RawMessage("0")
	message, err := messageOf(empty, "")
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return escapedLen(message) - len(empty) + len(`""`)
}()

// summarySize returns how much larger a message is with a summary.
func summarySize(summary string) int {
	message, err := messageOf(json.RawMessage("0"), summary)
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return escapedLen(message) + len(`""`) - envelope - len("0")
}

// escapedLen returns how many bytes JSON takes inside a JSON string. What is for
// HTML counts as the escape that some writers make of it.
func escapedLen(text []byte) int {
	n := len(text)
	for _, b := range text {
		switch b {
		case '"', '\\':
			n++
		case '<', '>', '&':
			n += len(`\u003c`) - 1
		}
	}
	return n
}
