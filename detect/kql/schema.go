package kql

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
	"sync"
)

// tablegen makes tables.gz: a line for each table, with its name and its columns.
//
//go:generate go run ./tablegen tables.gz tables.json ../../../shared/facts/tables-all.json
//go:embed tables.gz
var tablesGZ []byte

// KnownTables returns the schemas of the Log Analytics tables that Pushback
// knows, by name. They are those of the Azure Monitor table reference. The
// result is shared: the caller must not change it.
func KnownTables() map[string]Schema { return knownTables() }

var knownTables = sync.OnceValue(func() map[string]Schema {
	fail := func(err error) { panic(fmt.Sprintf("kql: embedded tables.gz: %v", err)) }
	r, err := gzip.NewReader(bytes.NewReader(tablesGZ))
	if err != nil {
		fail(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		fail(err)
	}
	tables := make(map[string]Schema, bytes.Count(text, []byte("\n")))
	for line := range strings.Lines(string(text)) {
		table, columns, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		s := make(Schema, 0, strings.Count(columns, ",")+1)
		for column := range strings.SplitSeq(columns, ",") {
			name, typ, _ := strings.Cut(column, ":")
			t, ok := ParseType(typ)
			if !ok {
				fail(fmt.Errorf("%s.%s: unknown type %q", table, name, typ))
			}
			s = append(s, ColumnSchema{Name: name, Type: t})
		}
		tables[table] = s
	}
	return tables
})
