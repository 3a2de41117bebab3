package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// primaryTable is the name of the table that holds a query's result. Others
// hold statistics.
const primaryTable = "PrimaryResult"

// answer is what the body of a successful answer holds.
type answer struct {
	table      *Table
	partial    json.RawMessage // the error beside the tables
	statistics json.RawMessage
	// large is asked once an answer is large, and may refuse it.
	large func() error
	// err is what is wrong with the body.
	err error
}

// failure returns why the answer is none: an error stands beside the tables, or
// there is no table. Warnings of the service go into the table.
func (a *answer) failure() error {
	if len(a.partial) > 0 && string(a.partial) != "null" {
		warnings, err := beside(a.partial)
		if err != nil {
			return err
		}
		if a.table != nil {
			a.table.Warnings = warnings
		}
	}
	if a.table == nil {
		return errors.New("the answer holds no table")
	}
	return nil
}

// read reads a body as it comes in.
func (a *answer) read(body *source) {
	// As tolerant as encoding/json.
	d := jsontext.NewDecoder(body, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	body.parsed = d.InputOffset
	if err := a.decode(d); err != nil {
		a.table, a.err = nil, fmt.Errorf("reading the answer: %w", err)
	}
}

func (a *answer) decode(d *jsontext.Decoder) error {
	var tables []answerTable
	err := object(d, func(name string) (err error) {
		switch name {
		case "tables":
			return array(d, func() error {
				t := answerTable{primary: len(tables) == 0, large: a.large}
				err := t.decode(d)
				tables = append(tables, t)
				return err
			})
		case "error":
			a.partial, err = raw(d)
		case "statistics":
			a.statistics, err = raw(d)
		default:
			err = d.SkipValue()
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return errors.New("there is something after its end")
	}
	if len(tables) == 0 {
		return nil
	}
	chosen := tables[0]
	for _, t := range tables {
		if t.name == primaryTable {
			chosen = t
			break
		}
	}
	a.table = &Table{Columns: chosen.columns, Rows: chosen.rows}
	return chosen.err
}

// answerTable is a table in an answer.
type answerTable struct {
	// primary says that the table is the result, as long as no other has the
	// name.
	primary bool
	name    string
	columns []Column
	rows    [][]any
	// err is what is wrong with the table's contents; it counts if the table
	// turns out to be the result.
	err error

	parsers []parser
	early   json.RawMessage // rows that came before the columns
	held    int64           // about how many bytes the rows take
	large   func() error    // nil once it was asked
}

// decode reads one table of an answer. What is wrong with it is kept in its err,
// since another table may be the one that counts.
func (t *answerTable) decode(d *jsontext.Decoder) error {
	err := object(d, func(name string) error {
		switch name {
		case "name":
			text, err := d.ReadValue()
			if err != nil {
				return err
			}
			t.name, _, err = literal(json.RawMessage(text))
			t.primary = t.primary || t.name == primaryTable
			return err
		case "columns":
			v, err := d.ReadValue()
			if err != nil {
				return err
			}
			return t.setColumns(v)
		case "rows":
			if !t.primary && t.name != "" {
				return d.SkipValue()
			}
			if t.parsers == nil && t.err == nil {
				var err error
				t.early, err = raw(d)
				return err
			}
			return t.decodeRows(d)
		}
		return d.SkipValue()
	})
	if err != nil {
		return err
	}
	if t.rows == nil {
		t.rows = [][]any{}
	}
	if t.early != nil {
		return t.decodeRows(jsontext.NewDecoder(strings.NewReader(string(t.early)), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)))
	}
	return nil
}

func (t *answerTable) setColumns(v jsontext.Value) error {
	var columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(v, &columns); err != nil {
		return err
	}
	t.columns, t.parsers = make([]Column, len(columns)), make([]parser, len(columns))
	for i, c := range columns {
		kind := strings.ToLower(c.Type)
		t.columns[i] = Column{Name: c.Name, Type: kind}
		switch parse := parsers[kind]; {
		case parse != nil:
			t.parsers[i] = remembering(parse, &t.held)
		case t.err == nil:
			t.err = fmt.Errorf("reading the answer: column %q has the unknown type %q", c.Name, c.Type)
		}
	}
	return nil
}

func (t *answerTable) decodeRows(d *jsontext.Decoder) error {
	return array(d, func() error {
		if t.err != nil {
			return d.SkipValue()
		}
		row, n := make([]any, len(t.parsers)), 0
		err := array(d, func() error {
			cell, err := d.ReadValue()
			if err != nil {
				return err
			}
			if n++; n > len(row) || t.err != nil {
				return nil
			}
			if t.held > maxHeldBytes {
				return &TooMuchError{Rows: len(t.rows)}
			}
			if row[n-1], err = t.parsers[n-1](json.RawMessage(cell)); err != nil {
				t.err = fmt.Errorf("reading the answer: row %d, column %q: %w", len(t.rows)+1, t.columns[n-1].Name, err)
			}
			t.held += cellBytes
			return nil
		})
		if err != nil {
			return err
		}
		if n != len(row) && t.err == nil {
			t.err = fmt.Errorf("reading the answer: row %d has %d values for %d columns", len(t.rows)+1, n, len(row))
		}
		t.rows = append(t.rows, row)
		if t.held += rowBytes; t.held > maxHeldBytes {
			return &TooMuchError{Rows: len(t.rows)}
		}
		if t.held > largeAnswer && t.large != nil {
			if err := t.large(); err != nil {
				return err
			}
			t.large = nil
		}
		return nil
	})
}

// raw reads a value to keep.
func raw(d *jsontext.Decoder) (json.RawMessage, error) {
	v, err := d.ReadValue()
	return json.RawMessage(v.Clone()), err
}

// object reads an object and calls member with the name of each member, to read
// its value.
func object(d *jsontext.Decoder, member func(name string) error) error {
	return composite(d, '{', func() error {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		return member(name.String())
	})
}

// array reads an array, or null, and calls element to read each element.
func array(d *jsontext.Decoder, element func() error) error {
	if d.PeekKind() == 'n' {
		return d.SkipValue()
	}
	return composite(d, '[', element)
}

func composite(d *jsontext.Decoder, open jsontext.Kind, part func() error) error {
	token, err := d.ReadToken()
	if err != nil {
		return unexpected(err)
	}
	if token.Kind() != open {
		return fmt.Errorf("expected %s, got %s", open, token.Kind())
	}
	for {
		switch d.PeekKind() {
		case '}', ']':
			_, err := d.ReadToken()
			return err
		}
		if err := part(); err != nil {
			return unexpected(err)
		}
	}
}

// unexpected makes of an end of the body an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
