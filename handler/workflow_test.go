package main

import (
	"encoding/xml"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflowStep is a step of a workflow that runs a command.
type workflowStep struct {
	Name             string `yaml:"name"`
	DisplayName      string `yaml:"displayName"`
	Run              string `yaml:"run"`
	Script           string `yaml:"script"`
	WorkingDirectory string `yaml:"working-directory"`
	Folder           string `yaml:"workingDirectory"`
}

var fencedYAML = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// workflows reads those that the README of rules has.
func workflows(t *testing.T) (github, azure []workflowStep) {
	t.Helper()
	readme, err := os.ReadFile("../detect/rule/README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := fencedYAML.FindAllStringSubmatch(string(readme), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d workflows", len(blocks))
	}
	var first struct {
		Jobs map[string]struct{ Steps []workflowStep }
	}
	var second struct{ Steps []workflowStep }
	if err := yaml.Unmarshal([]byte(blocks[0][1]), &first); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(blocks[1][1]), &second); err != nil {
		t.Fatal(err)
	}
	for name := range maps.Keys(first.Jobs) {
		github = append(github, first.Jobs[name].Steps...)
	}
	return github, second.Steps
}

// TestWorkflowsRun runs the commands of the workflows as an agent does: from a checkout
// with a folder of rules, and with Pushback beside it.
func TestWorkflowsRun(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	github, azure := workflows(t)
	for name, steps := range map[string][]workflowStep{"GitHub Actions": github, "Azure DevOps": azure} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sources, temp := t.TempDir(), t.TempDir()
			own := sources
			if name == "Azure DevOps" {
				own = filepath.Join(sources, "own")
			}
			rules := filepath.Join(own, "rules")
			if err := os.CopyFS(rules, os.DirFS(filepath.Join(root, "detect", "rule", "examples"))); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(root, filepath.Join(sources, "pushback")); err != nil {
				t.Fatal(err)
			}
			// run runs the steps whose names are given, and returns those that fail.
			run := func(names ...string) (failed []string, output string) {
				t.Helper()
				var ran []string
				for _, s := range steps {
					title, script, dir := s.Name+s.DisplayName, s.Run+s.Script, s.WorkingDirectory+s.Folder
					if script == "" || !slices.Contains(names, title) {
						continue
					}
					ran = append(ran, title)
					dir = strings.TrimPrefix(strings.ReplaceAll(dir, "$(Build.SourcesDirectory)", ""), "/")
					cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", script)
					cmd.Dir = filepath.Join(sources, dir)
					cmd.Env = append(os.Environ(), "RUNNER_TEMP="+temp, "AGENT_TEMPDIRECTORY="+temp)
					out, err := cmd.CombinedOutput()
					output += string(out)
					if err != nil {
						failed = append(failed, title)
					}
				}
				if !slices.Equal(ran, names) {
					t.Fatalf("ran %v, want %v", ran, names)
				}
				return failed, output
			}
			// results reads the file of JUnit.
			results := func() (tests, failures int) {
				t.Helper()
				text, err := os.ReadFile(filepath.Join(own, "results.xml"))
				if err != nil {
					t.Fatal(err)
				}
				var suites struct {
					Suites []struct {
						Tests    int `xml:"tests,attr"`
						Failures int `xml:"failures,attr"`
					} `xml:"testsuite"`
				}
				if err := xml.Unmarshal(text, &suites); err != nil {
					t.Fatal(err)
				}
				for _, s := range suites.Suites {
					tests, failures = tests+s.Tests, failures+s.Failures
				}
				return tests, failures
			}

			if failed, output := run("Build", "Lint", "Test"); len(failed) > 0 {
				t.Fatalf("%v failed:\n%s", failed, output)
			}
			if tests, failures := results(); tests != 23 || failures != 0 {
				t.Errorf("%d tests, %d failures", tests, failures)
			}

			// A rule that changed what it finds fails, and the results say which case.
			path := filepath.Join(rules, "password-spray.yaml")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), "LeastAccounts = 8", "LeastAccounts = 7", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if failed, output := run("Lint", "Test"); !slices.Equal(failed, []string{"Test"}) || !strings.Contains(output, "seven accounts are not enough") {
				t.Errorf("failed %v:\n%s", failed, output)
			}
			if tests, failures := results(); tests != 23 || failures != 1 {
				t.Errorf("%d tests, %d failures", tests, failures)
			}
			// A query that is wrong fails at once.
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), "summarize", "sumarize", 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			if failed, output := run("Lint"); !slices.Equal(failed, []string{"Lint"}) || !strings.Contains(output, "password-spray.yaml:") {
				t.Errorf("failed %v:\n%s", failed, output)
			}
		})
	}
}
