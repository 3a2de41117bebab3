package logs

import (
	"fmt"
	"slices"
	"strings"

	"pushback/detect/kql"
)

// answered is a table of the query API's answer:
// {"name": "PrimaryResult", "columns": [{"name", "type"}], "rows": [[...]]}.
type answered struct {
	name    string
	columns []member // their names; the values are filled in for each row
	origin  origin
}

// answerTable reads a table of an answer, row by row.
func (f *file) answerTable() error {
	a := answered{origin: origin{encoded: true}}
	if c, _ := f.w.skipSpace(); c != '{' {
		p := f.w.nextValue()
		if !f.badPiece(p) {
			f.bad(nil, p.line, p.column, "expected a table, an object in braces, but found "+excerpt(p.text))
		}
		return nil
	}
	return f.members(func(member string, c byte) error {
		switch {
		case member == "rows" && c == '[':
			if a.columns == nil {
				f.bad(nil, f.w.line, f.w.column(), "the rows come before the columns; save the API's answer as it is")
				f.badPiece(f.w.nextValue())
				return nil
			}
			return f.array(func() error { return f.answerRow(&a) })
		case member == "columns" && c == '[':
			f.answerColumns(&a)
			return nil
		}
		p := f.w.nextValue()
		if !f.badPiece(p) && member == "name" {
			a.name = strings.Trim(string(p.text), `"`)
		}
		return nil
	})
}

// answerColumns reads the names and types of the columns.
func (f *file) answerColumns(a *answered) {
	p := f.w.nextValue()
	if f.badPiece(p) {
		return
	}
	cells, err := f.parser.array(p.text)
	if err != nil {
		f.badJSON(p.text, err, p.line, p.column)
		return
	}
	columns := make([]member, 0, len(cells))
	for i, cell := range slices.Clone(cells) {
		var name []byte
		var typ kql.Type
		members, err := f.parser.object(cell.raw)
		for _, m := range members {
			switch string(m.name) {
			case "name":
				name = slices.Clone(f.parser.text(m.value))
			case "type":
				typ, _ = kql.ParseType(string(f.parser.text(m.value)))
			}
		}
		if err != nil || len(name) == 0 || typ == 0 {
			f.bad(nil, p.line, p.column, fmt.Sprintf("column %d: expected a name and a known type, found %s", i+1, excerpt(cell.raw)))
			return
		}
		columns = append(columns, member{name: name})
		a.origin.types = append(a.origin.types, typ)
	}
	a.columns = columns
}

// answerRow reads a row: an array with a cell per column.
func (f *file) answerRow(a *answered) error {
	p := f.w.nextValue()
	if f.badPiece(p) || strings.HasPrefix(a.name, "@") { // @ExtendedProperties and the like
		return nil
	}
	cells, err := f.parser.array(p.text)
	if err != nil {
		f.badJSON(p.text, err, p.line, p.column)
		return nil
	}
	if len(cells) != len(a.columns) {
		f.bad(nil, p.line, p.column, fmt.Sprintf("the row has %d cells and the table %d columns", len(cells), len(a.columns)))
		return nil
	}
	for i := range cells {
		a.columns[i].value = cells[i]
	}
	return f.record(a.columns, a.origin, p.line, p.column, false)
}
