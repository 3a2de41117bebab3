package kql

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// The packed schemas have all that tables.json says of the tables that ship with
// rules and context, and the rest of the reference.
func TestKnownTablesArePacked(t *testing.T) {
	t.Parallel()
	known := KnownTables()
	if len(known) < 890 {
		t.Errorf("%d tables are known", len(known))
	}
	text, err := os.ReadFile("tables.json")
	if err != nil {
		t.Fatal(err)
	}
	var ours map[string]map[string]string
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	for table, columns := range ours {
		for column, typ := range columns {
			want, _ := ParseType(typ)
			if !slices.Contains(known[table], ColumnSchema{column, want}) {
				t.Errorf("%s.%s is not a %s: run go run ./detect/kql/tablegen", table, column, typ)
			}
		}
	}
	for table, column := range map[string]ColumnSchema{
		"DeviceEvents": {"AdditionalFields", Dynamic}, "OfficeActivity": {"Operation", String}, "SecurityEvent": {"EventID", Int}, "SigninLogs": {"SessionId", String},
	} {
		if !slices.Contains(known[table], column) {
			t.Errorf("%s has no %v", table, column)
		}
	}
	for table, columns := range known {
		if !slices.Contains(columns, ColumnSchema{"TimeGenerated", DateTime}) || !slices.Contains(columns, ColumnSchema{"Type", String}) {
			t.Errorf("%s lacks what the records of every table have", table)
		}
	}
}

// A pattern does not stand for every table of the reference.
func TestPatternsOverTheReference(t *testing.T) {
	t.Parallel()
	s, err := Check("union withsource=T * | summarize count() by T", KnownTables())
	if err != nil || !s.Open || len(s.Reads["SigninLogs"]) == 0 {
		t.Errorf("%v, %v", s, err)
	}
	if s, err := Check("union AADNonInteractive* | count", KnownTables()); err != nil || s.Open || len(s.Reads) != 1 {
		t.Errorf("%v, %v", s, err)
	}
}
