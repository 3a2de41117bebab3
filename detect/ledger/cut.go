package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"pushback/detect/alert"
)

// maxCell is how much of one value is kept of an alert that is too large.
const maxCell = 2_000

// alertText returns an alert as JSON of at most limit UTF-16 units. What is too
// large is cut rather than lost: first long values, then rows, then the rest,
// with a note that says so.
func alertText(a alert.Alert, limit int) (string, error) {
	text, err := encodeJSON(a)
	if err != nil || units(text) <= limit {
		return text, err
	}
	all := len(a.Rows)
	a.Rows = slices.Clone(a.Rows)
	for i, row := range a.Rows {
		a.Rows[i] = cutCells(row)
	}
	note := func(kept int) string {
		if kept == all {
			return fmt.Sprintf("This alert is too large to keep whole: values of more than %d characters are cut.", maxCell)
		}
		return fmt.Sprintf("This alert is too large to keep whole: it shows %d of its %d rows, and of long values only the beginning.", kept, all)
	}
	// All that is not a row, with room for the note and the commas.
	bare := a
	bare.Rows = nil
	rest, err := encodeJSON(bare)
	if err != nil {
		return "", err
	}
	left := limit - units(rest) - units(note(all+1)) - 100
	kept := 0
	for _, row := range a.Rows {
		text, err := encodeJSON(row)
		if err != nil {
			return "", err
		}
		if left -= units(text) + 1; left < 0 {
			break
		}
		kept++
	}
	if kept > 0 || all == 0 {
		b := a
		b.Rows = a.Rows[:kept]
		b.Notes = append(slices.Clone(a.Notes), note(kept))
		if text, err := encodeJSON(b); err != nil || units(text) <= limit {
			return text, err
		}
	}
	// It is the rest that is large. Nearly always the first try has room.
	for room := limit; ; room -= room/8 + 1 {
		text, err := encodeJSON(trimmed(a, room))
		if err != nil || units(text) <= limit || room <= 0 {
			return text, err
		}
	}
}

// cutCells returns a row whose long values are cut.
func cutCells(row alert.Row) alert.Row {
	row = slices.Clone(row)
	for i, c := range row {
		if len(c.Value) > maxCell {
			if text, err := json.Marshal(cut(c.Text(), maxCell)); err == nil {
				row[i].Value = text
			}
		}
		row[i].Column = cut(c.Column, maxCell)
	}
	return row
}

// cut shortens a text to a number of characters.
func cut(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

// units returns the length of a text in UTF-16 units.
func units(text string) int {
	n := 0
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// encodeJSON is json.Marshal that leaves <, > and & as they are: it is smaller,
// and a raw value stays byte by byte what it was.
func encodeJSON(value any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
