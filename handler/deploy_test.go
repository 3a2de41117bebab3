package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"pushback/detect/kql"
)

// TestInfraAlertFires runs the query of the alert about failures over what
// Application Insights would have of half an hour.
func TestInfraAlertFires(t *testing.T) {
	t.Parallel()
	text := bicep(t)["infra/modules/alerts.bicep"]
	m := regexp.MustCompile(`(?s)resource failures .*?query: '([^\n]*)'\n\s+timeAggregation: 'Count'\n\s+operator: 'GreaterThanOrEqual'\n\s+threshold: (\d+)\n`).FindStringSubmatch(text)
	if m == nil {
		t.Fatal("the alert about failures is not found")
	}
	query := strings.ReplaceAll(m[1], "${appName}", "app")
	threshold, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	const retried = "0s 30s 60s" // a tick that fails and both its retries
	for _, tc := range []struct {
		name   string
		failed []string // when ticks failed, each with its retries
		fires  bool
	}{
		{name: "none"},
		{name: "a blip", failed: []string{"10m"}},
		{name: "a blip across the five minutes", failed: []string{"14m30s"}},
		{name: "two ticks", failed: []string{"10m", "15m"}},
		{name: "three ticks", failed: []string{"10m", "15m", "20m"}, fires: true},
		{name: "three ticks of one every ten minutes", failed: []string{"1m", "11m", "21m"}, fires: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var rows []string
			add := func(at time.Time, success bool, app string) {
				rows = append(rows, fmt.Sprintf("datetime(%s), %t, '%s'", at.Format(time.RFC3339), success, app))
			}
			start := at(11, 0)
			for minute := range 30 {
				add(start.Add(time.Duration(minute)*time.Minute), true, "app")
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
			if n := result.Rows(); (n >= threshold) != tc.fires {
				t.Errorf("%d rows, and it fires from %d", n, threshold)
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
	readme, err := os.ReadFile("../README.md")
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
	section = section[strings.Index(section, "## Deploy it"):strings.Index(section, "## Check it")]
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
