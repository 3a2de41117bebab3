package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pushback/detect/enrich"
	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/detect/suggest"
)

// broughtQueries returns the queries of the contexts that rules bring, as they run for
// entities of no alert. One that the engine does not take is left out: it answers
// nothing.
func broughtQueries(lists library, rules []*rule.Rule) (queries []string) {
	for _, r := range rules {
		for _, c := range r.Context {
			text, _ := enrich.ExampleOf(c)
			if _, err := lists.tables(text); err == nil {
				queries = append(queries, text)
			}
		}
	}
	return queries
}

// wholeTables returns a query for each table that queries name: which of its rows they
// use depends on the alerts.
func wholeTables(lists library, queries []string) []string {
	names := map[string]bool{}
	for _, query := range queries {
		tables, err := lists.tables(query)
		if err != nil {
			continue
		}
		for _, name := range tables {
			if plainName.MatchString(name) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// checkBrought checks the contexts that a rule brings against the known tables: their
// queries, and the columns that they name.
func checkBrought(r *rule.Rule, catalog kql.Catalog) (findings []lintFinding) {
	for _, c := range r.Context {
		if strings.TrimSpace(c.Query.Text) == "" {
			continue // which is an error already
		}
		text, locate := enrich.ExampleOf(c)
		at := func(line, column int, warning bool, format string, args ...any) {
			file, line, column := locate(line, column)
			if file == "" {
				file = r.File
			}
			findings = append(findings, lintFinding{Problem: rule.Problem{File: file, Line: line, Column: column, Warning: warning,
				Message: "context " + c.Name + ": " + fmt.Sprintf(format, args...)}})
		}
		summary, errs := catalog.CheckAll(text)
		for _, err := range errs {
			e, ok := errors.AsType[*kql.Error](err)
			if !ok {
				at(1, 1, false, "%v", err)
				continue
			}
			message, warning := judged(e)
			shown := withExcerpt(&kql.Error{Line: e.Line, Column: e.Column, Message: message}, text)
			message, excerpt, _ := strings.Cut(shown, "\n")
			at(e.Line, e.Column, warning, "%s", message)
			findings[len(findings)-1].excerpt = excerpt
		}
		if summary == nil {
			continue
		}
		for _, w := range summary.Warnings {
			line, column := 1, 1
			if m := warningPlace.FindStringSubmatch(w); m != nil {
				line, _ = strconv.Atoi(m[1])
				column, _ = strconv.Atoi(m[2])
				w = w[len(m[0]):]
			}
			at(line, column, true, "%s", w)
		}
		for _, missing := range summary.Missing {
			at(1, 1, true, "no columns are known of %s: the query goes without it here, and its columns are not checked", missing)
		}
		if !summary.Open && len(errs) == 0 {
			findings = append(findings, checkColumns(r, c, summary.Columns)...)
		}
	}
	return findings
}

// checkColumns checks the columns that a context names against those of its result.
func checkColumns(r *rule.Rule, c rule.Context, columns kql.Schema) (findings []lintFinding) {
	names := make([]string, len(columns))
	for i, column := range columns {
		names[i] = column.Name
	}
	for _, use := range c.Columns() {
		message := ""
		i := slices.Index(names, use.Column)
		folded := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, use.Column) })
		switch {
		case i >= 0 && use.Bool && columns[i].Type != kql.Bool:
			message = fmt.Sprintf("%s needs a column that is true or false, and %s is of type %s: make one with extend, such as | extend Often = Seen > 40", use.Use, use.Column, columns[i].Type)
		case i >= 0:
			continue
		case folded >= 0:
			message = fmt.Sprintf("%s names the column %s, which the query calls %s: write it so", use.Use, use.Column, names[folded])
		default:
			meant := ""
			if best := suggest.Nearest(use.Column, names); best != "" {
				meant = fmt.Sprintf("; did you mean %s?", best)
			}
			message = fmt.Sprintf("%s names the column %s, which the query's result does not have%s (it has %s)", use.Use, use.Column, meant, someNames(names))
		}
		findings = append(findings, lintFinding{Problem: rule.Problem{File: r.File, Line: use.Line, Column: use.Col, Message: message}})
	}
	return findings
}

// broughtNotes says what is wrong with the contexts that a rule brings, for whoever
// runs it: it runs all the same.
func broughtNotes(r *rule.Rule, catalog kql.Catalog) (notes []string) {
	for _, f := range checkBrought(r, catalog) {
		if !f.Warning {
			notes = append(notes, fmt.Sprintf("the rule %q goes without a context: %s", r.Name, f.Problem))
		}
	}
	return notes
}
