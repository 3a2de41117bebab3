package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pushback/detect/rule/pull/pulltest"
)

// rulesWorld is a cloud with a workspace of rules, and the settings for it.
func rulesWorld(t *testing.T) (*pulltest.Server, map[string]string) {
	t.Helper()
	c := newCloud(t)
	s := &pulltest.Server{Workspace: standInSentinel, Token: standInToken, Page: 2, Lists: map[string][]any{
		"alertRules": {
			pulltest.Rule("00000000-0000-0000-0000-0000000000a1", "Failures", map[string]any{"alertRuleTemplateName": "00000000-0000-0000-0000-0000000000f1", "templateVersion": "1.0.1"}),
			pulltest.Rule("00000000-0000-0000-0000-0000000000a2", "../../evil", map[string]any{"query": "Ours(1h) | join kind=inner (_GetWatchlist('vip')) on $left.UserPrincipalName == $right.SearchKey",
				"customDetails": nil, "entityMappings": []any{map[string]any{"entityType": "Account", "fieldMappings": []any{map[string]any{"identifier": "FullName", "columnName": "UserPrincipalName"}}}}}),
			pulltest.Other("BuiltInFusion", "Fusion"),
		},
		"alertRuleTemplates":            {pulltest.Template("00000000-0000-0000-0000-0000000000f1", "1.0.4")},
		"savedSearches":                 {pulltest.Function("Ours", "since:timespan", "SigninLogs\n| where TimeGenerated > ago(since)"), pulltest.Function("", "", "a saved query")},
		"watchlists":                    {pulltest.Watchlist("vip", "User")},
		"watchlists/vip/watchlistItems": {pulltest.WatchlistItem("1", map[string]any{"User": "ana@contoso.example"}), pulltest.WatchlistItem("2", map[string]any{"User": "bob@contoso.example"}), pulltest.WatchlistItem("3", map[string]any{"User": "eve@contoso.example"})},
	}}
	c.arm = s.ServeHTTP
	settings := map[string]string{"PUSHBACK_WORKSPACE_RESOURCE_ID": standInSentinel}
	for _, variable := range c.env() {
		k, v, _ := strings.Cut(variable, "=")
		settings[k] = v
	}
	c.settle()
	return s, settings
}

// The binary pulls what lint and test take, once and again, and says what differs.
func TestRulePull(t *testing.T) {
	t.Parallel()
	s, settings := rulesWorld(t)
	dir := filepath.Join(t.TempDir(), "rules")
	run := func(code int, args ...string) result {
		t.Helper()
		r := command(t, settings, args...)
		if r.code != code {
			t.Errorf("%q: exit code %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
		}
		return r
	}
	r := run(0, "rule", "pull", dir)
	for _, want := range []string{"new      " + filepath.Join(dir, "evil.yaml"), "new      " + filepath.Join(dir, "failures.yaml"), "new      " + filepath.Join(dir, "functions", "Ours.kql"),
		"new      " + filepath.Join(dir, "watchlists", "vip.csv"), "2 rules, 1 function, 1 watchlist in logs: 4 files new, 0 changed, 0 as before"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("lacks %q:\n%s", want, r.stdout)
		}
	}
	if !strings.Contains(r.stderr, "left out: 1 Fusion") {
		t.Errorf("stderr: %s", r.stderr)
	}
	if calls := s.Calls(); len(calls) != 2+2+2 { // two pages of rules, two lists, two pages of items
		t.Errorf("calls %q", calls)
	}
	if r := run(0, "rule", "pull", dir); !strings.HasPrefix(r.stdout, "2 rules, 1 function, 1 watchlist in logs: 0 files new, 0 changed, 4 as before") {
		t.Errorf("a second pull: %s", r.stdout)
	}
	if r := run(0, "lint", dir, "--functions", filepath.Join(dir, "functions"), "--watchlists", filepath.Join(dir, "watchlists")); !strings.Contains(r.stdout, "2 rules: 0 errors, 0 warnings") {
		t.Errorf("lint: %s%s", r.stdout, r.stderr)
	}
	const cases = `- name: a VIP
  logs:
    SigninLogs:
      - {TimeGenerated: 2026-03-17T09:10:00Z, UserPrincipalName: eve@contoso.example, ResultType: "50126"}
      - {TimeGenerated: 2026-03-17T09:11:00Z, UserPrincipalName: kim@contoso.example, ResultType: "50126"}
  expect:
    - entities: [{Account: eve@contoso.example}]
`
	if err := os.WriteFile(filepath.Join(dir, "evil.test.yaml"), []byte(cases), 0o644); err != nil {
		t.Fatal(err)
	}
	run(0, "test", dir, "--functions", filepath.Join(dir, "functions"), "--watchlists", filepath.Join(dir, "watchlists"))

	if r := run(0, "rule", "diff", dir); !strings.Contains(r.stdout, `older than its template rule      "Failures" (00000000-0000-0000-0000-0000000000a1)`) ||
		!strings.Contains(r.stdout, ": version 1.0.1, the template has 1.0.4\n4 the same, 1 older than its template\n") {
		t.Errorf("diff: %s", r.stdout)
	}
	s.Change(func(s *pulltest.Server) {
		s.Lists["alertRules"][0] = pulltest.Rule("00000000-0000-0000-0000-0000000000a1", "Failures", map[string]any{"severity": "High", "query": "SigninLogs\n| where ResultType == \"50074\""})
	})
	r = run(1, "rule", "diff", dir)
	for _, want := range []string{`differs     rule      "Failures" (00000000-0000-0000-0000-0000000000a1) ` + filepath.Join(dir, "failures.yaml") + "\n", "    severity: Medium here, High there\n",
		"        -| where ResultType == \"50126\"\n", "        +| where ResultType == \"50074\"\n", "3 the same, 1 different\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("diff lacks %q:\n%s", want, r.stdout)
		}
	}
	if r.stderr != "" {
		t.Errorf("diff: %s", r.stderr)
	}
	r = run(1, "rule", "diff", dir, "--json")
	var f struct {
		Kind, Status, Name, ID, File string
		Differences                  []struct{ Setting, Here, There, Lines string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &f); err != nil || f.Status != "differs" || len(f.Differences) != 2 {
		t.Errorf("%v: %s", err, r.stdout)
	}
	if p := s.Problems(); len(p) > 0 {
		t.Errorf("calls were wrong: %q", p)
	}
}

// What is refused leaves the folder as it is, and the rest is done.
func TestRulePullRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  string // the list, and
		page   int    // the page of it that is refused
		files  []string
		stderr string
	}{
		{"the second page of rules", "alertRules", 1, []string{"functions/Ours.kql", "watchlists/vip.csv"}, "reading the analytics rules: Azure Resource Manager answered 403 AuthorizationFailed"},
		{"the functions", "savedSearches", 0, []string{"evil.yaml", "failures.yaml", "watchlists/vip.csv"}, "reading the saved functions: "},
		{"the watchlists", "watchlists", 0, []string{"evil.yaml", "failures.yaml", "functions/Ours.kql"}, "reading the watchlists: "},
		{"the items of a watchlist", "watchlists/vip/watchlistItems", 1, []string{"evil.yaml", "failures.yaml", "functions/Ours.kql"}, "reading the items of the watchlist “vip”: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, settings := rulesWorld(t)
			page := 0
			s.Change(func(s *pulltest.Server) {
				s.Fault = func(list string, _ int) int {
					if list == test.fault {
						if page++; page == test.page+1 {
							return http.StatusForbidden
						}
					}
					return 0
				}
			})
			dir := t.TempDir()
			r := command(t, settings, "rule", "pull", dir)
			if r.code != exitFailed || !strings.Contains(r.stderr, test.stderr) || !strings.Contains(r.stderr, "give the identity the role Microsoft Sentinel Reader on "+standInSentinel) {
				t.Errorf("exit code %d\n%s", r.code, r.stderr)
			}
			if got := slices.Sorted(maps.Keys(filesIn(t, dir))); !slices.Equal(got, test.files) {
				t.Errorf("files %q, want %q", got, test.files)
			}
		})
	}
}

// filesIn are the files of a folder by their paths.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		relative, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(relative)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Mistakes of the command line are said before anything is asked.
func TestRulePullUsage(t *testing.T) {
	t.Parallel()
	file := filepath.Join(folder(t, map[string]string{"x": ""}), "x")
	for _, test := range []struct {
		args     []string
		settings map[string]string
		code     int
		want     string
	}{
		{args: []string{"rule", "pull"}, code: exitUsage, want: "pull takes one folder of rules"},
		{args: []string{"rule", "diff", "a", "b"}, code: exitUsage, want: "diff takes one folder of rules, and got 2 arguments"},
		{args: []string{"rule", "diff", filepath.Join(t.TempDir(), "none")}, code: exitUsage, want: "there is no such folder"},
		{args: []string{"rule", "pull", t.TempDir()}, code: exitFailed, want: "no workspace is named: set PUSHBACK_WORKSPACE_RESOURCE_ID"},
		{args: []string{"rule", "pull", "--workspace", "/subscriptions/x", t.TempDir()}, code: exitUsage, want: "--workspace: "},
		{args: []string{"rule", "pull", file}, settings: map[string]string{"PUSHBACK_SENTINEL_WORKSPACE": standInSentinel}, code: exitUsage, want: "x is a file: name the folder of the rules"},
		{args: []string{"rule", "pull", t.TempDir()}, settings: map[string]string{"PUSHBACK_SENTINEL_WORKSPACE": "logs"}, code: exitFailed, want: "PUSHBACK_SENTINEL_WORKSPACE"},
	} {
		r := command(t, test.settings, test.args...)
		if r.code != test.code || !strings.Contains(r.stderr, test.want) || r.stdout != "" {
			t.Errorf("%q: exit code %d\n%s%s", test.args, r.code, r.stdout, r.stderr)
		}
	}
}

// No token is said once, and for all lists.
func TestRulePullWithoutToken(t *testing.T) {
	t.Parallel()
	_, settings := rulesWorld(t)
	settings["IDENTITY_ENDPOINT"] = "http://127.0.0.1:1"
	dir := t.TempDir()
	r := command(t, settings, "rule", "pull", dir)
	if r.code != exitFailed || strings.Count(r.stderr, "there is no token for") != 1 || len(filesIn(t, dir)) > 0 {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
