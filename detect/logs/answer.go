package logs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"pushback/detect/kql"
)

// answered is a table of an answer: {"name": "PrimaryResult", "columns": [{"name",
// "type"}], "rows": [[...]]}. Azure Data Explorer has the same in other words, and
// in version 2 as one of the frames of an array.
type answered struct {
	name    string
	kind    string   // of a frame's table: PrimaryResult, or what is not asked for
	columns []member // their names; the values are filled in for each row
	origin  origin
	aside   bool // it says something about the answer and is none
	rows    int  // that were read of it
}

// isFrames says whether the text begins with a frame of Azure Data Explorer.
func isFrames(head []byte) bool {
	return bytes.HasPrefix(head, []byte{'{'}) && bytes.Contains(head[:min(len(head), 200)], []byte(`"FrameType"`))
}

// isTable says whether the text begins with a table of an answer that stands by
// itself: with columns, and rows of cells after them. Python programs write it so,
// the columns as names alone.
func isTable(head []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(head), jsonOptions...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	columns := false
	for {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return false
		}
		switch key := strings.ToLower(name.String()); {
		case dec.PeekKind() == '[' && key == "columns":
			columns = true
		case dec.PeekKind() == '[' && (key == "rows" || key == "data"):
			rest := bytes.TrimLeft(afterColon(head[dec.InputOffset():])[1:], " \t\r\n")
			return columns && (len(rest) == 0 || rest[0] == '[' || rest[0] == ']')
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
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
	part := fragment{}
	defer func() { f.note(part.id, &a) }()
	return f.members(func(member string, c byte) error {
		key := strings.ToLower(member)
		switch {
		case (key == "rows" || key == "data") && c == '[':
			if whole := f.frames.table(part); part.is && whole != nil {
				return f.fragment(part, whole)
			}
			if a.columns == nil {
				f.bad(nil, f.w.line, f.w.column(), "the rows come before the columns; save the API's answer as it is")
				f.badPiece(f.w.nextValue())
				return nil
			}
			return f.array(func() error { return f.answerRow(&a) })
		case key == "columns" && c == '[':
			f.answerColumns(&a)
			return nil
		}
		p := f.w.nextValue()
		if f.badPiece(p) {
			return nil
		}
		switch text := strings.Trim(string(p.text), `"`); key {
		case "name", "tablename":
			a.name = text
		case "tablekind":
			a.kind = text
		case "frametype":
			part.is = text == "TableFragment"
		case "tableid":
			part.id = text
		case "tablefragmenttype":
			part.replaces = text == "DataReplace"
		case "haserrors":
			if text == "true" {
				f.warn(p.line, "the answer is partial: it says that it has errors")
			}
		}
		return nil
	})
}

// isAside says whether a table says something about an answer, and is none.
func (a *answered) isAside() bool {
	if strings.HasPrefix(a.name, "@") || a.kind != "" && a.kind != "PrimaryResult" { // @ExtendedProperties and the like
		return true
	}
	// Version 1 of Azure Data Explorer says it by the columns alone.
	has := make(map[string]bool)
	for _, c := range a.columns {
		has[string(c.name)] = true
	}
	return strings.HasPrefix(a.name, "Table_") && a.name != "Table_0" &&
		(has["Severity"] && has["StatusCode"] || has["Ordinal"] && has["Kind"] || has["Value"] && len(a.columns) == 1)
}

// dataTypes are the types of columns that only their names in .NET tell.
var dataTypes = map[string]kql.Type{
	"int32": kql.Int, "int64": kql.Long, "double": kql.Real, "sbyte": kql.Bool, "boolean": kql.Bool,
	"object": kql.Dynamic, "sqldecimal": kql.Decimal,
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
		if cell.kind == '"' {
			columns = append(columns, member{name: slices.Clone(f.parser.text(cell))})
			a.origin.types = append(a.origin.types, 0)
			continue
		}
		members, err := f.parser.object(cell.raw)
		for _, m := range members {
			text := f.parser.text(m.value)
			switch strings.ToLower(strings.ReplaceAll(string(m.name), "_", "")) {
			case "name", "columnname":
				name = slices.Clone(text)
			case "type", "columntype", "datatype":
				if typ == 0 {
					typ, _ = kql.ParseType(strings.ToLower(string(text)))
				}
				if typ == 0 {
					typ = dataTypes[strings.ToLower(string(text))]
				}
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
	if a.aside = a.isAside(); !a.aside {
		f.declared, f.declaredTypes = columns, a.origin
	}
}

// answerRow reads a row: an array with a cell per column.
func (f *file) answerRow(a *answered) error {
	p := f.w.nextValue()
	if f.badPiece(p) || a.aside {
		return nil
	}
	if p.text[0] == '{' {
		f.warn(p.line, "the answer is partial, it carries an error: "+excerpt(p.text))
		return nil
	}
	cells, err := f.parser.array(p.text)
	if err != nil && invalidUTF8(p.text) >= 0 {
		if decoded, ok := f.legacy(p.text, p.line); ok {
			cells, err = f.parser.array(decoded)
		}
	}
	if err != nil {
		f.badJSON(p.text, err, p.line, p.column)
		return nil
	}
	if len(cells) != len(a.columns) {
		f.bad(nil, p.line, p.column, fmt.Sprintf("the row has %d cells and the table %d columns", len(cells), len(a.columns)))
		return nil
	}
	a.rows++
	for i := range cells {
		a.columns[i].value = cells[i]
	}
	return f.record(a.columns, a.origin, p.line, p.column)
}
