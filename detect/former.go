package detect

import (
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

// What format 1 of the ledger took for an identity and for an event's id. Its
// rows are read for as long as they are kept, so that nothing which was reported
// in it is reported again.

// mostSpellings is how many ways to write an identity are looked for.
const mostSpellings = 64

// formerOfRows returns the fingerprints that format 1 of the ledger has of the
// activity of rows.
func (r rowReader) formerOfRows(rows []int) (all []alert.Fingerprint) {
	if len(rows) == 0 {
		return []alert.Fingerprint{alert.FormerFingerprint(r.ruleID, nil)}
	}
	for _, i := range rows {
		for _, former := range r.former(r.table.Rows[i]) {
			if !slices.Contains(all, former) {
				all = append(all, former)
			}
		}
	}
	return all
}

// former returns the fingerprints that format 1 has of what a row is about: one
// for each spelling of its addresses that is in the row.
func (r rowReader) former(row []any) []alert.Fingerprint {
	columns := r.identities
	text := func(c int) string { return formerIdentity(row[c]) }
	if !slices.ContainsFunc(columns, func(c int) bool { return text(c) != "" }) {
		columns = r.rest
	}
	all := [][]alert.Field{nil}
	for _, c := range columns {
		spellings := []string{text(c)}
		if address, ok := row[c].(string); ok && slices.Contains(r.addresses, c) {
			spellings = r.spellings(row, address)
		}
		var longer [][]alert.Field
		for _, spelling := range spellings {
			for _, fields := range all {
				if len(longer) < mostSpellings {
					longer = append(longer, append(slices.Clip(fields), alert.Field{Identifier: r.table.Columns[c].Name, Value: spelling}))
				}
			}
		}
		all = longer
	}
	fingerprints := make([]alert.Fingerprint, len(all))
	for i, fields := range all {
		fingerprints[i] = alert.FormerFingerprint(r.ruleID, fields)
	}
	return fingerprints
}

// spellings returns all texts of a row that are the same address, this one
// first.
func (r rowReader) spellings(row []any, address string) []string {
	texts := []string{address}
	canonical := alert.CanonicalAddress(address)
	add := func(value any) {
		if text, ok := value.(string); ok && !slices.Contains(texts, text) && alert.CanonicalAddress(text) == canonical {
			texts = append(texts, text)
		}
	}
	add(canonical)
	for _, value := range row {
		if elements, isArray := elementsOf(value); isArray {
			for _, e := range elements {
				add(e)
			}
			continue
		}
		add(value)
	}
	return texts
}

// formerIdentity returns a value of an identity.
func formerIdentity(value any) string {
	d, ok := value.(workspace.Dynamic)
	if !ok {
		return workspace.Text(value)
	}
	elements, ok := d.Elements()
	if !ok {
		return string(d.JSON())
	}
	slices.Sort(elements)
	return strings.Join(elements, "\n")
}
