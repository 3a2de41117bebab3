package kql

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"pushback/detect/kql/kqltest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// verdict is what the official parser says of a query.
type verdict kqltest.Verdict

// errors lists the diagnostics that reject the query.
func (v verdict) errors() []string {
	var list []string
	for _, d := range v.Diagnostics {
		if d.Severity == "Error" {
			list = append(list, fmt.Sprintf("%d:%d: %s: %s", d.Line, d.Column, d.Code, d.Message))
		}
	}
	return list
}

func (v verdict) schema() Schema {
	var s Schema
	for _, c := range v.Columns {
		t, _ := ParseType(c.Type)
		s = append(s, ColumnSchema{c.Name, t})
	}
	return s
}

// askOfficialParser gives a verdict for each query, over the tables.
func askOfficialParser(t *testing.T, tables map[string]Schema, queries []string) []verdict {
	t.Helper()
	declared := map[string][]kqltest.Column{}
	for name, schema := range tables {
		columns := []kqltest.Column{}
		for _, c := range schema {
			columns = append(columns, kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
		declared[name] = columns
	}
	var verdicts []verdict
	for _, v := range kqltest.Ask(t, declared, queries) {
		verdicts = append(verdicts, verdict(v))
	}
	return verdicts
}

func schemasOf(db *Database) map[string]Schema {
	schemas := make(map[string]Schema)
	for _, name := range db.Names() {
		schemas[name] = db.Table(name).Schema()
	}
	return schemas
}

// What the tests run, the official parser must accept and give the same
// columns; what they refuse it must reject at the same place, unless it is the
// language and only not supported here.
func TestOfficialParserAgreesWithTheTests(t *testing.T) {
	t.Parallel()
	all := testQueries(t)
	queries := make([]string, len(all))
	for i, q := range all {
		queries[i] = q.query
	}
	schemas := schemasOf(testTables())
	agreed, refused, unsupported, listed := 0, 0, 0, 0
	for i, v := range askOfficialParser(t, schemas, queries) {
		q := all[i]
		problem := ""
		if q.refused {
			_, err := runTestQuery(q.query)
			var ours *Error
			if !errors.As(err, &ours) {
				t.Errorf("%s: got %v, want an *Error", q.query, err)
				continue
			}
			if ours.Kind == UnsupportedError {
				unsupported++
				continue
			}
			problem = v.rejects(ours)
		} else {
			problem = v.accepts(q.query, schemas)
		}
		switch {
		case problem != "" && q.official == "":
			t.Errorf("%s\n%s", q.query, problem)
		case problem == "" && q.official != "":
			t.Errorf("%s\nthere is no difference from the official parser, and one is listed: %s", q.query, q.official)
		case problem != "":
			listed++
		case q.refused:
			refused++
		default:
			agreed++
		}
	}
	t.Logf("%d queries: both accept %d with the same columns and reject %d at the same place; %d are not supported here, %d differ as listed",
		len(all), agreed, refused, unsupported, listed)
}

// accepts says what is wrong if a query that runs does not have the verdict,
// and the columns, that it should have.
func (v verdict) accepts(query string, schemas map[string]Schema) string {
	if rejected := v.errors(); len(rejected) > 0 {
		return "it is rejected, and we accept it: " + strings.Join(rejected, "; ")
	}
	ours, err := Check(query, schemas)
	switch {
	case err != nil:
		return "it runs, and does not check: " + err.Error()
	case ours.Open:
		return "" // no parser knows what the data says
	}
	if diff := cmp.Diff(v.schema(), ours.Columns); diff != "" {
		return "-official +ours: " + diff
	}
	return ""
}

// rejects says what is wrong if a query is not rejected where we refuse it.
func (v verdict) rejects(ours *Error) string {
	rejected := v.errors()
	if len(rejected) == 0 {
		return "it is accepted, and we refuse it: " + ours.Error()
	}
	for _, d := range v.Diagnostics {
		if d.Severity == "Error" && d.Line == ours.Line && d.Column == ours.Column {
			return ""
		}
	}
	return "it is rejected elsewhere: " + strings.Join(rejected, "; ") + "\nand here: " + ours.Error()
}

// Every KQL text that ships must be accepted by the official parser, without
// so much as a warning but that a table of a fuzzy union is unknown.
func TestOfficialParserAcceptsWhatShips(t *testing.T) {
	t.Parallel()
	var files, queries []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		// Package alerts tests its queries against the table of its own that they read.
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "alerts") {
			return filepath.SkipDir
		}
		ext := filepath.Ext(path)
		isCases := strings.HasSuffix(path, ".test.yaml")
		if d.IsDir() || isCases || ext != ".kql" && ext != ".yaml" && ext != ".yml" {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := string(data)
		if ext != ".kql" {
			var rule struct{ Query string }
			if err := yaml.Unmarshal(data, &rule); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if text = rule.Query; text == "" {
				return nil
			}
		}
		files, queries = append(files, path), append(queries, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, "mfa-rejected-by-user.yaml") }) {
		t.Fatalf("the default rule is not among %q", files)
	}
	for i, v := range askOfficialParser(t, KnownTables(), queries) {
		for _, d := range v.Diagnostics {
			t.Errorf("%s: line %d, column %d of the query: %s %s: %s", files[i], d.Line, d.Column, d.Severity, d.Code, d.Message)
		}
		ours, err := Check(queries[i], KnownTables())
		if err != nil {
			t.Errorf("%s: %v", files[i], err)
			continue
		}
		if diff := cmp.Diff(v.schema(), ours.Columns); diff != "" {
			t.Errorf("%s: -official +ours:\n%s", files[i], diff)
		}
	}
}
