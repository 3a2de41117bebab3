package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestProcessBacktest runs the binary against the stand-in of the cloud: it asks the
// workspace as serve does, and nothing else.
func TestProcessBacktest(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.setNow(time.Now())
	path := filepath.Join(t.TempDir(), "rule.yaml")
	if err := os.WriteFile(path, []byte(failedLogons), 0o644); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{"PUSHBACK_WORKSPACE_ID": standInWorkspace}
	for _, variable := range c.env() {
		name, value, _ := strings.Cut(variable, "=")
		settings[name] = value
	}
	r := command(t, settings, "backtest", "--rules", path, "--days", "1", "--queries-per-minute", "300")
	if r.code != exitDone || !strings.Contains(r.stdout, " queries asked, 0 answers kept from before. Nothing was sent.") || !strings.Contains(r.stdout, "0 alerts in ") || !strings.Contains(r.stdout, "4 windows, 0 rows in all") {
		t.Errorf("code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queries != 4 {
		t.Errorf("%d queries", c.queries)
	}
}
