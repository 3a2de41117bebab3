package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A query about the columns of a table is answered of those that the logs alone have,
// whatever it makes of the answer.
func TestSchemaOfLogs(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"DeviceInfo.json":   `{"TimeGenerated":"2026-03-17T09:00:00Z","Own":1}`,
		"DeviceEvents.json": `{"tables":[{"name":"PrimaryResult","columns":[{"name":"TimeGenerated","type":"datetime"},{"name":"Own","type":"long"}],"rows":[]}]}`,
	})
	for _, table := range []string{"DeviceInfo", "DeviceEvents"} {
		for query, want := range map[string]string{
			" | getschema": "Own,",
			" | getschema | where ColumnName == 'Own' | project ColumnName, ColumnType": "ColumnName,ColumnType\nOwn,long\n",
			" | getschema | summarize countif(ColumnName == 'Own')":                     "\n1\n",
			" | project Own | getschema | project ColumnName":                           "ColumnName\nOwn\n",
		} {
			r := handler(t, "query", "--logs", filepath.Join(dir, table+".json"), "--output", "csv", table+query)
			if r.code != exitDone || !strings.Contains(r.stdout, want) {
				t.Errorf("%s%s: code %d\n%s%s", table, query, r.code, r.stdout, r.stderr)
			}
		}
	}
}
