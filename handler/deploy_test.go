package main

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"pushback/detect/kql"
)

// alertQuery returns the query of an alert rule and the end of its criterion.
func alertQuery(t *testing.T, name string) (query, criterion string) {
	t.Helper()
	text := bicep(t)["infra/modules/alerts.bicep"]
	m := regexp.MustCompile(`(?s)resource ` + name + ` '.*?query: '([^\n]*)'\n(.*?)failingPeriods`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("the alert rule %s is not found", name)
	}
	return strings.ReplaceAll(m[1], "${appName}", "app"), strings.Join(strings.Fields(m[2]), " ")
}

// TestInfraAlertFires runs the query of the alert about failures over what
// Application Insights would have of half an hour.
func TestInfraAlertFires(t *testing.T) {
	t.Parallel()
	query, criterion := alertQuery(t, "failures")
	if criterion != "timeAggregation: 'Count' operator: 'GreaterThanOrEqual' threshold: 1" {
		t.Errorf("it fires if %s", criterion)
	}
	const retried = "0s 30s 60s" // a tick that fails and both its retries
	for _, tc := range []struct {
		name   string
		failed []string // when ticks failed, each with its retries
		alone  bool     // there are no others
		fires  bool
	}{
		{name: "none"},
		{name: "a blip", failed: []string{"10m"}},
		{name: "a blip across the five minutes", failed: []string{"14m30s"}},
		{name: "two ticks", failed: []string{"10m", "15m"}},
		{name: "three ticks", failed: []string{"10m", "15m", "20m"}, fires: true},
		{name: "three ticks of one every ten minutes", failed: []string{"1m", "11m", "21m"}, fires: true},
		{name: "no tick", alone: true},
		{name: "the only tick", failed: []string{"5m"}, alone: true, fires: true},
		{name: "both of one every quarter of an hour", failed: []string{"1m", "16m"}, alone: true, fires: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var rows []string
			add := func(at time.Time, success bool, app string) {
				rows = append(rows, fmt.Sprintf("datetime(%s), %t, '%s'", at.Format(time.RFC3339), success, app))
			}
			start := at(11, 0)
			for minute := range 30 {
				if !tc.alone {
					add(start.Add(time.Duration(minute)*time.Minute), true, "app")
				}
				add(start.Add(time.Duration(minute)*time.Minute), false, "another")
			}
			for _, text := range tc.failed {
				for after := range strings.FieldsSeq(retried) {
					tick, err := time.ParseDuration(text)
					if err != nil {
						t.Fatal(err)
					}
					retry, err := time.ParseDuration(after)
					if err != nil {
						t.Fatal(err)
					}
					add(start.Add(tick+retry), false, "APP")
				}
			}
			requests := "let requests = datatable(timestamp: datetime, success: bool, cloud_RoleName: string)[" + strings.Join(rows, ",\n") + "];\n"
			result, err := kql.Run(t.Context(), requests+query, kql.NewDatabase(), kql.Options{Now: start.Add(30 * time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			if n := result.Rows(); (n > 0) != tc.fires {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// TestInfraTraceAlerts runs the queries of the alerts about silence and about
// what is parked over what the binary logs. They see the logs of ticks that
// succeed, of ticks that fail since a webhook refuses, and of ticks that cannot
// run.
func TestInfraTraceAlerts(t *testing.T) {
	t.Parallel()
	silence, criterion := alertQuery(t, "silence")
	if criterion != "metricMeasureColumn: 'Ended' timeAggregation: 'Total' operator: 'LessThan' threshold: 1" {
		t.Errorf("silence fires if %s", criterion)
	}
	parked, criterion := alertQuery(t, "parked")
	if criterion != "timeAggregation: 'Count' operator: 'GreaterThan' threshold: 0" {
		t.Errorf("parked fires if %s", criterion)
	}
	for _, tc := range []struct {
		name     string
		settings map[string]string
		webhook  int
		ended    int64
		parked   bool
	}{
		{name: "all is well", webhook: http.StatusAccepted, ended: 30},
		{name: "the webhook is off", webhook: http.StatusNotFound, ended: 30},
		{name: "the webhook refuses cards", webhook: http.StatusRequestEntityTooLarge, ended: 30, parked: true},
		{name: "a setting is wrong", webhook: http.StatusAccepted, settings: map[string]string{"PUSHBACK_DELAY": "soon"}},
		{name: "a share that has no rule", webhook: http.StatusAccepted, settings: map[string]string{"PUSHBACK_SHARE": "16/16"}, ended: 30},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.teams = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tc.webhook) }
			settings := map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": standInWebhook, "PUSHBACK_CONTEXT": "off"}
			maps.Copy(settings, tc.settings)
			h := startHost(t, c, settings)
			var messages []string
			for tick := range 30 {
				now := at(2, 5).Add(time.Duration(tick) * 5 * time.Minute)
				c.setNow(now)
				messages = append(messages, h.post(timerBody(now, 0), nil).answer.Logs...)
			}
			h.stop()
			for line := range strings.Lines(h.stdout.String() + h.stderr.String()) {
				messages = append(messages, strings.TrimSpace(line))
			}
			var rows []string
			for _, m := range messages {
				rows = append(rows, fmt.Sprintf("datetime(%s), 'app', @'%s'", at(5, 0).Format(time.RFC3339), strings.ReplaceAll(m, "'", "''")))
			}
			traces := "let traces = datatable(timestamp: datetime, cloud_RoleName: string, message: string)[" + strings.Join(rows, ",\n") + "];\n"
			run := func(query string) *kql.Table {
				result, err := kql.Run(t.Context(), traces+query, kql.NewDatabase(), kql.Options{Now: at(5, 0)})
				if err != nil {
					t.Fatal(err)
				}
				return result
			}
			if got := run(silence).Value(0, 0); fmt.Sprint(got) != fmt.Sprint(tc.ended) {
				t.Errorf("%v ticks came to an end, want %d", got, tc.ended)
			}
			if n := run(parked).Rows(); (n > 0) != tc.parked {
				t.Errorf("%d lines say that alerts are parked", n)
			}
		})
	}
}

// TestActions holds the actions of the workflows to hashes with their versions, and the
// workflows to reading alone but where a job says what else it does.
func TestActions(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	hashes := map[string]string{}
	for _, file := range files {
		text := readFile(t, file)
		for line := range strings.Lines(text) {
			action, ok := strings.CutPrefix(strings.TrimLeft(line, " -"), "uses: ")
			if !ok || strings.HasPrefix(action, "./") {
				continue
			}
			m := regexp.MustCompile(`^([\w./-]+)@([0-9a-f]{40} # v\d+\.\d+\.\d+)\n$`).FindStringSubmatch(action)
			if m == nil {
				t.Errorf("%s: no hash with its version: %s", file, line)
				continue
			}
			if before := hashes[m[1]]; before != "" && before != m[2] {
				t.Errorf("%s: %s is %s here and %s elsewhere", file, m[1], m[2], before)
			}
			hashes[m[1]] = m[2]
		}
		var workflow struct {
			Permissions map[string]string
			Jobs        map[string]struct {
				Uses        string
				Minutes     int `yaml:"timeout-minutes"`
				Permissions map[string]string
			}
		}
		if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"contents": "read"}, workflow.Permissions); diff != "" {
			t.Errorf("%s: %s", file, diff)
		}
		for name, job := range workflow.Jobs {
			want := map[string]map[string]string{
				"deploy":  {"contents": "read", "id-token": "write"},
				"build":   {"contents": "read", "id-token": "write", "attestations": "write"},
				"publish": {"contents": "write"},
			}[name]
			if diff := cmp.Diff(want, job.Permissions); diff != "" || job.Uses == "" && job.Minutes == 0 {
				t.Errorf("%s: the job %s has %d minutes and may: %s", file, name, job.Minutes, diff)
			}
		}
	}
}

// The workflow of a release runs its commands on a clone of the tag: it builds the
// files twice, and makes the release of those that the checksums are of.
func TestReleaseWorkflow(t *testing.T) {
	t.Parallel()
	var workflow struct {
		On   struct{ Push struct{ Tags []string } }
		Jobs map[string]struct {
			Needs string
			Steps []struct{ Name, Run string }
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, "../.github/workflows/release.yml")), &workflow); err != nil {
		t.Fatal(err)
	}
	if workflow.Jobs["build"].Needs != "test" || workflow.Jobs["publish"].Needs != "build" || !slices.Equal(workflow.On.Push.Tags, []string{"v*.*.*"}) {
		t.Errorf("%+v", workflow)
	}
	temp := t.TempDir()
	clone, shims := filepath.Join(temp, "clone"), filepath.Join(temp, "shims")
	for name, script := range map[string]string{
		// go makes files of what the release is given, a different one where DIFFER says so.
		"go": "[ \"$1 $2 $3\" = 'run ./infra/release -tag' ] || exit 9\nout=$6\nmkdir \"$out\"\necho \"$4 $DIFFER${out##*/}\" | sed \"s/dist.*/$DIFFER/\" >\"$out/a.zip\"\n" +
			"[ -z \"$DIFFER\" ] || echo \"$out\" >>\"$out/a.zip\"\n(cd \"$out\" && sha256sum a.zip >SHA256SUMS)\n[ -z \"$8\" ] || echo notes >\"$8\"\n",
		"gh": "printf '%s\\n' \"$@\"\n",
	} {
		if err := errors.Join(os.MkdirAll(shims, 0o755), os.WriteFile(filepath.Join(shims, name), []byte("#!/bin/bash\nset -e\n"+script), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", clone, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgSign=false"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}
	if err := os.Mkdir(clone, 0o755); err != nil {
		t.Fatal(err)
	}
	git("init", "-q", "-b", "main")
	git("commit", "-q", "--allow-empty", "-m", "a")
	git("update-ref", "refs/remotes/origin/main", "HEAD")
	run := func(job, dir string, env ...string) (string, error) {
		var said strings.Builder
		for _, step := range workflow.Jobs[job].Steps {
			if step.Run == "" {
				continue
			}
			cmd := exec.Command("bash", "-e", "-c", step.Run)
			cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
			cmd.Env = append(os.Environ(), append([]string{"PATH=" + shims + string(os.PathListSeparator) + os.Getenv("PATH"), "GITHUB_REF_NAME=v1.2.3", "GITHUB_SHA=HEAD"}, env...)...)
			if err := cmd.Run(); err != nil {
				return said.String(), fmt.Errorf("%s: %w", step.Name, err)
			}
		}
		return said.String(), nil
	}
	same, other := filepath.Join(temp, "same"), filepath.Join(temp, "other")
	for _, dir := range []string{same, other} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := run("build", clone, "RUNNER_TEMP="+same, "DIFFER="); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := run("build", clone, "RUNNER_TEMP="+other, "DIFFER=yes"); err == nil || !strings.Contains(err.Error(), "again") {
		t.Errorf("two builds that differ are taken: %v: %s", err, out)
	}
	out, err := run("publish", same)
	if want := "a.zip: OK\nrelease\ncreate\nv1.2.3\n--verify-tag\n--title\nv1.2.3\n--notes-file\nnotes.md\ndist/SHA256SUMS\ndist/a.zip\n"; err != nil || out != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
	if err := os.WriteFile(filepath.Join(same, "dist/a.zip"), []byte("another"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := run("publish", same); err == nil || strings.Contains(out, "create") {
		t.Errorf("a file that is not what was built is released: %v: %s", err, out)
	}
	git("commit", "-q", "--allow-empty", "-m", "b")
	if _, err := run("build", clone, "RUNNER_TEMP="+t.TempDir()); err == nil || !strings.Contains(err.Error(), "Main has the tag") {
		t.Errorf("a tag that is not on main is released: %v", err)
	}
}

// TestWorkflow holds the workflow that deploys to what the README says of it.
func TestWorkflow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../.github/workflows/deploy.yml")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../infra/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Concurrency struct {
			Group  string
			Cancel string `yaml:"cancel-in-progress"`
		}
		Jobs map[string]struct {
			If          string
			Environment string
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	if c := workflow.Concurrency; !strings.Contains(c.Group, "github.ref") || c.Cancel != "${{ github.event_name == 'pull_request' }}" {
		t.Errorf("runs of main may overtake each other, or end one that deploys: %+v", c)
	}
	variables := map[string]bool{}
	for _, m := range regexp.MustCompile(`vars\.(\w+)`).FindAllStringSubmatch(string(text), -1) {
		variables[m[1]] = true
	}
	section := string(readme)
	section = section[strings.Index(section, "## The workflow"):strings.Index(section, "## Cost")]
	comment, _, _ := strings.Cut(string(text), "\nname:")
	for name := range variables {
		if !strings.Contains(section, "`"+name+"`") || !strings.Contains(comment, name) {
			t.Errorf("%s is not explained", name)
		}
	}
	if subject := "repo:OWNER/REPO:environment:" + workflow.Jobs["deploy"].Environment; len(variables) != 5 || !strings.Contains(section, subject) {
		t.Errorf("%d variables, and the README has no %s", len(variables), subject)
	}
}
