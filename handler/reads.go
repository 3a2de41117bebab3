package main

import "pushback/detect/kql"

// neededColumns says which columns the queries read. Of a table whose columns
// are not known beforehand it keeps all, and of every table if a query names
// what the known tables do not have: the logs may.
func neededColumns(lists library, queries ...string) func(table string) []string {
	known := kql.KnownTables()
	need := make(map[string][]string)
	whole := make(map[string]bool)
	for _, query := range queries {
		s, err := lists.catalog(known).Check(query)
		if err != nil {
			return nil
		}
		for table, columns := range s.Reads {
			need[table] = append(append(need[table], columns...), s.Optional...)
			// A query that reads every column means those of the logs too.
			whole[table] = whole[table] || len(columns) == len(known[table])
		}
	}
	return func(table string) []string {
		if known[table] == nil || whole[table] {
			return nil
		}
		return append([]string{}, need[table]...)
	}
}

// neededRows says which rows of the known tables the queries can use at all.
func neededRows(lists library, queries ...string) func(table string) *kql.RowFilter {
	filters := lists.catalog(kql.KnownTables()).RowFilters(queries...)
	return func(table string) *kql.RowFilter { return filters[table] }
}
