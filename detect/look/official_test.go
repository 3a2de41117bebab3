package look

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The official parser takes the queries, whatever the tables are called.
func TestQueriesAreKQL(t *testing.T) {
	t.Parallel()
	const ci = "../../.ci"
	if _, err := os.Stat(filepath.Join(ci, "node_modules", "@kusto", "language-service-next")); err != nil {
		t.Skip("the official KQL parser is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	odd := `Odd's "table" \ é`
	type named map[string]string
	columns := []named{{"name": "TimeGenerated", "type": "datetime"}, {"name": "Name", "type": "string"}, {"name": "Leg", "type": "string"}}
	all := Ask{
		Beginnings: []Beginning{{"Events", `Name == "x" or Name has "\\ | union"`}, {odd, ""}, {"Events", `Leg in ("a", "b")`}},
		Since:      at(1), From: at(2), To: at(3000), Width: 7 * time.Minute,
	}
	beyond := all
	beyond.Beyond = &Beyond{Frequency: 100 * time.Nanosecond, Period: 14 * 24 * time.Hour, After: time.Hour + 1234567*100}
	var in, stderr bytes.Buffer
	enc := json.NewEncoder(&in)
	lines := []any{map[string]any{"tables": []any{map[string]any{"name": "Events", "columns": columns}, map[string]any{"name": odd, "columns": columns}}}}
	for _, asks := range [][]Ask{nil, {all}, {beyond}, {all, beyond, all}} {
		lines = append(lines, map[string]string{"id": "0", "query": Query(asks).Text})
	}
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
	answers := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); answers++ {
		var verdict struct {
			Columns     []named
			Diagnostics []map[string]any
		}
		if err := dec.Decode(&verdict); err != nil {
			t.Fatal(err)
		}
		types := named{}
		for _, c := range verdict.Columns {
			types[c["name"]] = c["type"]
		}
		if len(verdict.Diagnostics) > 0 || types["Leg"] != "long" || types["Stretches"] != "dynamic" || types["Asked"] != "datetime" || types["Excess"] != "timespan" || len(types) != 7 {
			t.Errorf("query %d: %v, %v\n%s", answers, types, verdict.Diagnostics, lines[answers+1])
		}
	}
	if answers != len(lines)-1 {
		t.Errorf("%d answers to %d queries", answers, len(lines)-1)
	}
}
