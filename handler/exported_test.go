package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// The table of standard input can be named, and a --table that is about no file is said
// to be, whatever else is wrong.
func TestTableOfOneFile(t *testing.T) {
	t.Parallel()
	const record = `{"TimeGenerated":"2026-03-17T10:00:00Z","Mine":1}`
	path := filepath.Join(folder(t, map[string]string{"query_data.json": record}), "query_data.json")
	for _, tt := range []struct {
		name, logs, table string
		code              int
		want              string
	}{
		{"a file", path, "query_data.json=My_CL", exitDone, ""},
		{"another file", path, "data.json=My_CL", exitUsage, "--table data.json=My_CL: --logs holds no file data.json"},
		{"standard input", "-", "-=My_CL", exitDone, ""},
		{"standard input as messages call it", "-", "standard input=My_CL", exitDone, ""},
		{"a file in place of standard input", "-", "query_data.json=My_CL", exitUsage, "--logs holds no file query_data.json"},
		{"standard input in place of a file", path, "-=My_CL", exitUsage, "--table -=My_CL: --logs holds no file -"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			r := result{code: run(t.Context(), []string{"query", "--logs", tt.logs, "--table", tt.table, "My_CL | count"}, strings.NewReader(record), &stdout, &stderr)}
			r.stdout, r.stderr = stdout.String(), stderr.String()
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) || (tt.code == exitDone) != strings.Contains(r.stdout, "\n1\n") {
				t.Errorf("code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
}
