package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

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

// TestWorkflow holds the workflow to what the README says of it, and its
// actions to hashes.
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
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "uses:") && !regexp.MustCompile(`uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+\n`).MatchString(line) {
			t.Errorf("no hash with its version: %s", line)
		}
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
