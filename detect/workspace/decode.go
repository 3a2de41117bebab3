package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// primaryTable is the name of the table that holds a query's result. Others
// hold statistics.
const primaryTable = "PrimaryResult"

// answer is the body of the service's answer. Cells stay raw, so that a number
// keeps its digits.
type answer struct {
	Tables []answerTable   `json:"tables"`
	Error  json.RawMessage `json:"error"`
}

type answerTable struct {
	Name    string `json:"name"`
	Columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"columns"`
	Rows [][]json.RawMessage `json:"rows"`
}

// decode reads the body of a successful answer.
func decode(body []byte) (*Table, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if len(a.Error) > 0 && string(a.Error) != "null" {
		return nil, newPartialError(a.Error)
	}
	if len(a.Tables) == 0 {
		return nil, errors.New("the answer holds no table")
	}
	for _, t := range a.Tables {
		if t.Name == primaryTable {
			return t.typed()
		}
	}
	return a.Tables[0].typed()
}

func (t answerTable) typed() (*Table, error) {
	table := &Table{Columns: make([]Column, len(t.Columns)), Rows: make([][]any, len(t.Rows))}
	parse := make([]func(json.RawMessage) (any, error), len(t.Columns))
	for i, c := range t.Columns {
		kind := strings.ToLower(c.Type)
		table.Columns[i] = Column{Name: c.Name, Type: kind}
		if parse[i] = parsers[kind]; parse[i] == nil {
			return nil, fmt.Errorf("reading the answer: column %q has the unknown type %q", c.Name, c.Type)
		}
	}
	for i, raw := range t.Rows {
		if len(raw) != len(t.Columns) {
			return nil, fmt.Errorf("reading the answer: row %d has %d values for %d columns", i+1, len(raw), len(t.Columns))
		}
		row := make([]any, len(raw))
		for j, cell := range raw {
			v, err := parse[j](cell)
			if err != nil {
				return nil, fmt.Errorf("reading the answer: row %d, column %q: %w", i+1, t.Columns[j].Name, err)
			}
			row[j] = v
		}
		table.Rows[i] = row
	}
	return table, nil
}
