package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// eventRule makes an alert of each row of the table Events.
const eventRule = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Events
description: Test.
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: Events_CL | project TimeGenerated, User
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: Name
        columnName: User
eventGroupingSettings:
  aggregationKind: AlertPerResult
version: 1.0.0
kind: Scheduled
`

// A replay reports all of a window, however much that is: no tick comes later to
// report the rest.
func TestReplayReportsAll(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	for i := range 450 {
		fmt.Fprintf(&log, `{"TimeGenerated":"2026-03-17T09:%02d:00Z","User":"user%d","Type":"Events_CL"}`+"\n", i%60, i)
	}
	dir := folder(t, map[string]string{"events.ndjson": log.String(), "rules/events.yaml": eventRule})
	r := handler(t, "replay", "--logs", filepath.Join(dir, "events.ndjson"), "--rules", filepath.Join(dir, "rules"), "--json")
	if got := len(r.alerts(t)); got != 450 {
		t.Errorf("%d alerts, want 450", got)
	}
}

func TestReplayShowsSuppression(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"events.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","User":"ana","Type":"Events_CL"}` + "\n" +
			`{"TimeGenerated":"2026-03-17T10:10:00Z","User":"ana","Type":"Events_CL"}` + "\n",
		"rules/events.yaml": eventRule + "suppressionEnabled: true\nsuppressionDuration: 5h\n",
	})
	r := handler(t, "replay", "--logs", filepath.Join(dir, "events.ndjson"), "--rules", filepath.Join(dir, "rules"), "--verbose")
	for _, want := range []string{"2026-03-17 11:05  held back by the rule's suppression: ana, ", "Held back  1 row by suppression", "Reported   1 alert"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("code %d: %q is not in\n%s%s", r.code, want, r.stdout, r.stderr)
		}
	}
}
