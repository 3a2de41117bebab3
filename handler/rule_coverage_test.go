package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
)

// coverageRule is a rule with tactics, techniques and a query.
func coverageRule(n int, tactics, techniques, query, more string) string {
	return fmt.Sprintf(`id: 00000000-0000-0000-0000-0000000000%02x
name: Rule %d
kind: Scheduled
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
tactics: [%s]
relevantTechniques: [%s]
query: |
  %s
%s`, n, n, tactics, techniques, query, more)
}

// coverageFolder has rules over tables that are known, custom, both, and those of other
// matrices.
func coverageFolder(t *testing.T) string {
	t.Helper()
	return folder(t, map[string]string{
		"1.yaml": coverageRule(1, "InitialAccess, Persistence", "T1078, T1078.004", "SigninLogs", ""),
		"2.yaml": coverageRule(2, "InitialAccess", "T1078", "Ours_CL", ""),
		"3.yaml": coverageRule(3, "CredentialAccess", "T1110", "Ours_CL | take 1", ""),
		"4.yaml": coverageRule(4, "CredentialAccess", "T1621", "union SigninLogs, Ours_CL", ""),
		"5.yaml": coverageRule(5, "Impact", "", "AuditLogs", ""),
		"6.yaml": coverageRule(6, "InhibitResponseFunction", "T0814", "AuditLogs", ""),
		"7.yaml": coverageRule(7, "Discovery", "T1087", "SigninLogs", "enabled: false\n"),
		"8.yaml": coverageRule(8, "", "", "AuditLogs", ""),
	})
}

// layerOf reads a layer: the techniques with their score, as dimmed where they are.
func layerOf(t *testing.T, data []byte) (techniques []string, layer map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &layer); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	for _, one := range layer["techniques"].([]any) {
		one := one.(map[string]any)
		line := fmt.Sprintf("%s %v", one["techniqueID"], one["score"])
		if one["enabled"] == false {
			line += " dimmed"
		}
		techniques = append(techniques, line)
	}
	return techniques, layer
}

func TestRuleCoverage(t *testing.T) {
	t.Parallel()
	dir := coverageFolder(t)
	r := handler(t, "rule", "coverage", dir)
	for _, want := range []string{
		"TACTIC                   RULES  TECHNIQUES\n", "\nReconnaissance               -\n", "\nInitialAccess              1/2  T1078, T1078.004\n", "\nPersistence                  1  T1078, T1078.004\n",
		"\nCredentialAccess           1/2  T1110 (dimmed), T1621\n", "\nImpact                       1\n", "\nDiscovery                    -\n", "\nInhibitResponseFunction      1  T0814\n",
		"\nT1078        1/2  \"Rule 1\", \"Rule 2\"\n", "\nT1110        0/1  \"Rule 3\"\n                  dimmed: Ours_CL is not known\n", "\nT1621          1  \"Rule 4\"\n",
		"\n7 rules: 5 of 15 tactics, 5 techniques, 1 of them dimmed; 1 rule names neither; 1 rule is disabled\n",
	} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("lacks %q:\n%s", want, r.stdout)
		}
	}
	if r.code != exitDone || r.stderr != "" {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}

	r = handler(t, "rule", "coverage", dir, "--navigator", "-")
	got, layer := layerOf(t, []byte(r.stdout))
	if diff := cmp.Diff([]string{"T1078 1", "T1078.004 1", "T1110 0 dimmed", "T1621 1"}, got); diff != "" {
		t.Errorf("the layer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"navigator": "5.2.0", "layer": "4.5"}, layer["versions"]); diff != "" || layer["domain"] != "enterprise-attack" || layer["name"] == "" {
		t.Errorf("the layer is %s", r.stdout)
	}
	for _, want := range []string{"without 1 technique of another matrix", "1 rule names no technique and so in no layer"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("stderr lacks %q: %s", want, r.stderr)
		}
	}
	file := filepath.Join(t.TempDir(), "ics.json")
	if r := handler(t, "rule", "coverage", dir, "--navigator", file, "--domain", "ics"); r.code != exitDone || !strings.Contains(r.stdout, "TACTIC") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got, layer := layerOf(t, data); !slices.Equal(got, []string{"T0814 1"}) || layer["domain"] != "ics-attack" {
		t.Errorf("the layer is %s", data)
	}

	r = handler(t, "rule", "coverage", dir, "--json")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 15+5 {
		t.Errorf("%d lines:\n%s", len(lines), r.stdout)
	}
	for _, want := range []string{
		`{"tactic":"Reconnaissance","techniques":[],"rules":[]}`,
		`{"technique":"T1110","tactics":["CredentialAccess"],"rules":[{"id":"00000000-0000-0000-0000-000000000003","name":"Rule 3","file":"` + filepath.Join(dir, "3.yaml") + `","lacks":["Ours_CL is not known"],"dimmed":true}]}`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("lacks %s:\n%s", want, r.stdout)
		}
	}
}

// With logs the tables are known that they hold, and silent those of which they have no
// record.
func TestRuleCoverageLogs(t *testing.T) {
	t.Parallel()
	logs := folder(t, map[string]string{"Ours_CL.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","A":"b"}` + "\n"})
	r := handler(t, "rule", "coverage", coverageFolder(t), "--logs", logs, "--navigator", "-")
	got, _ := layerOf(t, []byte(r.stdout))
	if diff := cmp.Diff([]string{"T1078 1", "T1078.004 0 dimmed", "T1110 1", "T1621 1"}, got); diff != "" {
		t.Errorf("the layer (-want +got):\n%s%s", diff, r.stderr)
	}
}

// The workspace says which tables it has, and which are silent.
func TestRuleCoverageLive(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	now := time.Now()
	c.setNow(now)
	tables := func(records map[string]time.Time) (list []*kql.Table) {
		for name, newest := range records {
			b := kql.NewTableBuilder(name, kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}})
			b.SetTime(0, newest)
			b.Commit()
			list = append(list, b.Build())
		}
		return list
	}
	c.service = &service.Service{DB: kql.NewDatabase(tables(map[string]time.Time{"SigninLogs": now.AddDate(0, 0, -20), "AuditLogs": now.Add(-time.Hour)})...), Now: c.clock}
	settings := map[string]string{"PUSHBACK_WORKSPACE_ID": standInWorkspace}
	for _, variable := range c.env() {
		k, v, _ := strings.Cut(variable, "=")
		settings[k] = v
	}
	c.settle()
	r := command(t, settings, "rule", "coverage", coverageFolder(t), "--live", "--json")
	for _, want := range []string{`"lacks":["SigninLogs has no record of the last 14 days"],"dimmed":true`, `"lacks":["Ours_CL is not in the workspace"],"dimmed":true`,
		`{"technique":"T0814","tactics":["InhibitResponseFunction"],"rules":[{"id":"00000000-0000-0000-0000-000000000006","name":"Rule 6","file":`} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("lacks %s:\n%s", want, r.stdout)
		}
	}
	if r.code != exitDone || r.stderr != "" {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}

func TestRuleCoverageUsage(t *testing.T) {
	t.Parallel()
	dir := coverageFolder(t)
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--domain", "x", dir}, exitUsage, `--domain is "x"`},
		{[]string{"--live", "--logs", dir, dir}, exitUsage, "--live and --logs are both given"},
		{[]string{"--json", "--navigator", "-", dir}, exitUsage, "--json and --navigator - both write"},
		{[]string{filepath.Join(dir, "none")}, exitUsage, "there is no such file or folder"},
		{[]string{"--live", dir}, exitFailed, "PUSHBACK_WORKSPACE_ID is not set"},
		{[]string{"--navigator", filepath.Join(dir, "none", "layer.json"), dir}, exitFailed, "--navigator"},
	} {
		r := command(t, nil, append([]string{"rule", "coverage"}, test.args...)...)
		if r.code != test.code || !strings.Contains(r.stderr, test.want) || r.stdout != "" {
			t.Errorf("%q: exit code %d\n%s%s", test.args, r.code, r.stdout, r.stderr)
		}
	}
	// A rule that is wrong does not hide the others.
	if err := os.WriteFile(filepath.Join(dir, "wrong.yaml"), []byte("id: x\nseverity: Bad\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := command(t, nil, "rule", "coverage", dir); r.code != exitFailed || !strings.Contains(r.stderr, "wrong.yaml:") || !strings.Contains(r.stdout, "T1078") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
