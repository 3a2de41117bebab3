package main

import (
	"fmt"
	"slices"
	"strings"

	"pushback/detect/kql"
	"pushback/detect/logs"
	"pushback/detect/rule"
)

// withKnown adds the tables that queries name, that are known and that the logs do
// not hold: they are empty. It returns the names of those, and of the tables that
// the logs hold without a record, which come to the same. A table of which no query
// can use a row is not one of them, though it has no rows here.
func withKnown(lists library, l *logs.Logs, queries ...string) (all []*kql.Table, empty []string) {
	all = slices.Clone(l.Tables)
	held := map[string]*kql.Table{}
	for _, t := range l.Tables {
		held[t.Name()] = t
	}
	records := map[string]int64{}
	for _, t := range l.Report.Tables {
		records[t.Name] = t.Records
	}
	known := kql.KnownTables()
	for _, query := range queries {
		named, err := lists.tables(query)
		if err != nil {
			continue // what is wrong with it is said where it is run
		}
		for _, name := range named {
			t := held[name]
			if t == nil && known[name] != nil {
				t = kql.NewTableBuilder(name, known[name]).Build()
				held[name], all = t, append(all, t)
			}
			if t != nil && t.Rows() == 0 && records[name] == 0 && !slices.Contains(empty, name) {
				empty = append(empty, name)
			}
		}
	}
	slices.Sort(empty)
	return all, empty
}

// emptyNotes says which rules run over tables without a record, those of the same
// rules on one line.
func emptyNotes(lists library, empty []string, rules []*rule.Rule) []string {
	type note struct {
		tables []string
		rules  []string
	}
	var notes []*note
	for _, table := range empty {
		var names []string
		for _, r := range rules {
			if tables, err := lists.tables(r.Query.Text); err == nil && slices.Contains(tables, table) {
				names = append(names, fmt.Sprintf("%q", r.Name))
			}
		}
		if len(names) == 0 {
			continue
		}
		i := slices.IndexFunc(notes, func(n *note) bool { return slices.Equal(n.rules, names) })
		if i < 0 {
			i, notes = len(notes), append(notes, &note{rules: names})
		}
		notes[i].tables = append(notes[i].tables, table)
	}
	var texts []string
	for _, n := range notes {
		run := map[bool]string{true: "runs", false: "run"}[len(n.rules) == 1]
		who := strings.Join(n.rules, " and ")
		if len(n.rules) > 3 {
			who = fmt.Sprintf("%d rules", len(n.rules))
		}
		texts = append(texts, fmt.Sprintf("%s: no records; %s %s as if %s", strings.Join(n.tables, ", "), who, run, wereEmpty(len(n.tables))))
	}
	return texts
}

// wereEmpty is how tables are taken that have no records.
func wereEmpty(tables int) string {
	if tables == 1 {
		return "it were empty"
	}
	return "they were empty"
}
