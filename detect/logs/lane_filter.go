package logs

import (
	"bytes"

	"pushback/detect/kql"
)

// laneFilter leaves out records that cannot pass the row filter of their table,
// because none of the texts is in them that it needs. Which of the others pass is
// for the table to say.
type laneFilter struct {
	alternatives [][][]wanted // see kql.RowFilter.Texts
}

// wanted is a text, and where it must be.
type wanted struct {
	kql.Wanted
	text []byte
	cell int // in lane.columns; -1 if no record of the lane has the column
}

// filtering makes the filter of a lane, or nil.
func (l *lane) filtering() *laneFilter {
	keep := l.table.b.Filter()
	if keep == nil {
		return nil
	}
	cells := make(map[string]int)
	for i := range l.fields {
		if fd := &l.fields[i]; fd.what == laneText || fd.what == laneJSON {
			cells[string(fd.name())] = fd.cell
		}
	}
	filter := new(laneFilter)
	for _, texts := range keep.Texts() {
		var lists [][]wanted
		for _, list := range texts {
			var places []wanted
			for _, w := range list {
				cell, ok := cells[w.Column]
				if c := l.table.columns[w.Column]; c == nil || c.index < 0 || c == l.table.typ || c.infer != nil {
					places = nil // it is not what the filter takes it for
					break
				}
				if !ok {
					cell = -1
				}
				places = append(places, wanted{w, []byte(w.Text), cell})
			}
			if places != nil {
				lists = append(lists, places)
			}
		}
		if len(lists) == 0 {
			return nil
		}
		filter.alternatives = append(filter.alternatives, lists)
	}
	if len(filter.alternatives) == 0 {
		return nil
	}
	return filter
}

// mayPass says whether a record, whose texts are in a block's, may pass the filter.
func (l *laneFilter) mayPass(text []byte, cells []kql.Span) bool {
next:
	for _, lists := range l.alternatives {
		for _, list := range lists {
			found := false
			for i := range list {
				if w := &list[i]; w.cell >= 0 {
					s := cells[w.cell]
					if found = w.mayBeIn(text[s.From:s.To]); found {
						break
					}
				}
			}
			if !found {
				continue next
			}
		}
		return true
	}
	return false
}

// mayBeIn says whether the text may be in a cell, as the condition sees it.
func (w *wanted) mayBeIn(cell []byte) bool {
	switch {
	case len(cell) == 0:
		return false
	case w.Number:
		return string(cell) == w.Text || !isPlainInt(cell)
	case w.InJSON && bytes.IndexByte(cell, '\\') >= 0:
		return true
	case w.Fold:
		return containsFolded(cell, w.text)
	case len(cell) == len(w.text):
		return string(cell) == w.Text
	}
	return bytes.Contains(cell, w.text)
}

// isPlainInt says whether a text is an integer in its only spelling.
func isPlainInt(text []byte) bool {
	for _, c := range text {
		if c-'0' > 9 {
			return false
		}
	}
	return text[0] != '0' && len(text) <= 18 || string(text) == "0"
}

// containsFolded says whether a text in lower case may be in another in any case.
// Letters beyond ASCII may be equal to those of it.
func containsFolded(in, text []byte) bool {
	first, last := text[0], len(in)-len(text)
	for i, c := range in {
		if c >= 0x80 {
			return true
		}
		if i <= last && lower(c) == first && equalFolded(in[i:], text) {
			return true
		}
	}
	return false
}

func equalFolded(in, text []byte) bool {
	for i, c := range text {
		if lower(in[i]) != c {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c-'A' <= 'Z'-'A' {
		return c | 0x20
	}
	return c
}
