// Package kqltest asks the official KQL parser, for tests of queries.
package kqltest

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"pushback/detect/checkout"
)

// Column is a column of a table or of a result, with its type as KQL names it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Diagnostic is what the parser says of a place in a query.
type Diagnostic struct {
	Code, Severity, Message, Token string
	Line, Column                   int
}

// Verdict is what the parser says of a query: the columns of its result and, if it is
// not fine, why not.
type Verdict struct {
	Columns     []Column     `json:"columns"`
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// Ask gives the official parser's verdict of each query, over tables with their
// columns. Without the parser the test is skipped.
func Ask(t testing.TB, tables map[string][]Column, queries []string) []Verdict {
	t.Helper()
	root, err := checkout.Root()
	if err != nil {
		t.Fatal(err)
	}
	ci := filepath.Join(root, ".ci")
	if _, err := os.Stat(filepath.Join(ci, "node_modules", "@kusto", "language-service-next")); err != nil {
		t.Skip("the official KQL parser is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	type table struct {
		Name    string   `json:"name"`
		Columns []Column `json:"columns"`
	}
	var declared []table
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		declared = append(declared, table{name, tables[name]})
	}
	lines := []any{map[string]any{"tables": declared}}
	for i, q := range queries {
		lines = append(lines, map[string]string{"id": strconv.Itoa(i), "query": q})
	}
	var in, stderr bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, line := range lines {
		if err := enc.Encode(line); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(ci, "kql", "check.js"))
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%.2000s", cmd, err, stderr.String())
	}
	var verdicts []Verdict
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var v Verdict
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		verdicts = append(verdicts, v)
	}
	if len(verdicts) != len(queries) {
		t.Fatalf("%d queries and %d verdicts", len(queries), len(verdicts))
	}
	return verdicts
}
