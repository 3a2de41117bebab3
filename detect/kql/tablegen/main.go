// Tablegen writes tables.gz, the schemas of the Log Analytics tables that package
// kql knows. It takes them from JSON files that map each table to its columns and
// each column to its KQL type, as the Azure Monitor table reference has them. Where
// several files have a column, the first counts.
//
//	go run ./detect/kql/tablegen detect/kql/tables.gz detect/kql/tables.json reference.json
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/kql"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: tablegen TO.gz FROM.json ...")
		os.Exit(2)
	}
	if err := generate(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "tablegen:", err)
		os.Exit(1)
	}
}

// plain is what names look like. They are not escaped.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func generate(to string, from []string) error {
	tables := map[string][]string{} // "column type", in order
	for _, file := range from {
		if err := read(file, tables); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	names := make([]string, 0, len(tables))
	for name := range tables {
		names = append(names, name)
	}
	slices.Sort(names)
	var text bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&text, "%s %s\n", name, strings.Join(tables[name], ","))
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := w.Write(text.Bytes()); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	fmt.Printf("%d tables, %d bytes, %d packed\n", len(names), text.Len(), packed.Len())
	return os.WriteFile(to, packed.Bytes(), 0o644)
}

// read adds the tables of a file, token by token, because a map would lose the
// order of the columns.
func read(file string, tables map[string][]string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		table, ok := name.(string)
		if !ok || !plain.MatchString(table) {
			return fmt.Errorf("%v is not the name of a table", name)
		}
		if _, err := dec.Token(); err != nil {
			return err
		}
		for dec.More() {
			var pair [2]string
			for i := range pair {
				t, err := dec.Token()
				if err != nil {
					return fmt.Errorf("%s: %w", table, err)
				}
				pair[i], _ = t.(string)
			}
			column, typ := pair[0], pair[1]
			if _, ok := kql.ParseType(typ); !ok || !plain.MatchString(column) {
				return fmt.Errorf("%s: %q of type %q is not a column", table, column, typ)
			}
			if !slices.ContainsFunc(tables[table], func(have string) bool { return strings.HasPrefix(have, column+":") }) {
				tables[table] = append(tables[table], column+":"+typ)
			}
		}
		if _, err := dec.Token(); err != nil {
			return err
		}
	}
	return nil
}
