package kql

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
)

//go:embed tables.json
var tablesJSON string

// KnownTables returns the schemas of the Log Analytics tables that Pushback
// knows, by name. They are those of the Azure Monitor table reference. The
// result is shared: the caller must not change it.
func KnownTables() map[string]Schema { return knownTables() }

var knownTables = sync.OnceValue(func() map[string]Schema {
	// Token by token, because a map would lose the order of the columns.
	dec := json.NewDecoder(strings.NewReader(tablesJSON))
	tables := make(map[string]Schema)
	fail := func(err error) { panic(fmt.Sprintf("kql: embedded tables.json: %v", err)) }
	next := func() json.Token {
		tok, err := dec.Token()
		if err != nil {
			fail(err)
		}
		return tok
	}
	next()
	for dec.More() {
		table := next().(string)
		next()
		var s Schema
		for dec.More() {
			column, typ := next().(string), next().(string)
			t, ok := ParseType(typ)
			if !ok {
				fail(fmt.Errorf("%s.%s: unknown type %q", table, column, typ))
			}
			s = append(s, ColumnSchema{Name: column, Type: t})
		}
		next()
		tables[table] = s
	}
	next()
	if _, err := dec.Token(); err != io.EOF {
		fail(fmt.Errorf("text after the object: %v", err))
	}
	return tables
})
