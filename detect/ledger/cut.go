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
	// It is the rest that is large.
	for most := 16_384; ; most /= 2 {
		b := shorten(bare, most)
		b.Notes = append(b.Notes, fmt.Sprintf("This alert is too large to keep whole: its %d rows and part of its details are left out.", all))
		text, err := encodeJSON(b)
		if err != nil || units(text) <= limit || most <= 1 {
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

// shorten returns an alert without rows, its texts cut to a number of
// characters and its lists to an eighth of that.
func shorten(a alert.Alert, most int) alert.Alert {
	length := max(1, most/8)
	for _, text := range []*string{&a.RuleName, &a.RuleVersion, &a.Title, &a.Description} {
		*text = cut(*text, most)
	}
	texts := func(list []string) []string {
		list = slices.Clone(list[:min(len(list), length)])
		for i := range list {
			list[i] = cut(list[i], most)
		}
		return list
	}
	a.Tactics, a.Techniques, a.Notes = texts(a.Tactics), texts(a.Techniques), texts(a.Notes)
	a.Entities = slices.Clone(a.Entities[:min(len(a.Entities), length)])
	for i := range a.Entities {
		e := &a.Entities[i]
		e.Type = cut(e.Type, most)
		e.Fields = slices.Clone(e.Fields[:min(len(e.Fields), length)])
		for j, f := range e.Fields {
			e.Fields[j] = alert.Field{Identifier: cut(f.Identifier, most), Value: cut(f.Value, most)}
		}
	}
	a.CustomDetails = slices.Clone(a.CustomDetails[:min(len(a.CustomDetails), length)])
	for i, d := range a.CustomDetails {
		a.CustomDetails[i] = alert.Detail{Name: cut(d.Name, most), Values: texts(d.Values)}
	}
	a.Properties = slices.Clone(a.Properties[:min(len(a.Properties), length)])
	for i, p := range a.Properties {
		a.Properties[i] = alert.Property{Name: cut(p.Name, most), Value: cut(p.Value, most)}
	}
	a.Activities = slices.Clone(a.Activities[:min(len(a.Activities), length)])
	for i := range a.Activities {
		// The seen row has the events. The ends of what was reported before matter
		// more than how many pieces it was in.
		act := &a.Activities[i]
		act.Events = nil
		act.Previously = act.Previously[:min(len(act.Previously), length)]
	}
	return a
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
