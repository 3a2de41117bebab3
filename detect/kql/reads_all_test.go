package kql

import "testing"

// TestSearchReadsAll expects a search through all tables, of which a catalog can have more
// than are bound, to read all of each.
func TestSearchReadsAll(t *testing.T) {
	t.Parallel()
	tables := KnownTables()
	for _, q := range []string{`search "x" | count`, `search AppDisplayName:"x"`, `find where AppDisplayName has "x" | count`, `union * | count`, `let T = search "x"; T | count`} {
		s, err := Catalog{Tables: tables}.Check(q)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"SigninLogs", "AuditLogs"} {
			if len(s.Reads[table]) != len(tables[table]) {
				t.Errorf("%s reads %d columns of %s, want %d", q, len(s.Reads[table]), table, len(tables[table]))
			}
		}
	}
}
