package main

import (
	"os/exec"
	"strings"
	"testing"
)

// A shell offers the findings that a silence can ask for, and no others.
func TestCompletionOfFindings(t *testing.T) {
	t.Parallel()
	r := handler(t, "__complete", "silence", "add", "--finding", "")
	if r.code != exitDone || !strings.Contains(r.stdout, "\n:4") {
		t.Fatalf("code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	kinds := strings.Split(strings.TrimSpace(strings.Split(r.stdout, ":4")[0]), "\n")
	if len(kinds) < 3 {
		t.Errorf("only %q", kinds)
	}
	for _, kind := range kinds {
		if err := addable(t, kind); strings.Contains(err, kind) {
			t.Errorf("%s is offered and refused: %s", kind, err)
		}
	}
}

// addable returns what a dry run of a silence with a finding says.
func addable(t *testing.T, kind string) string {
	return commandIn(t, t.TempDir(), map[string]string{"PUSHBACK_TABLE_CONNECTION": "memory"}, "silence", "add", "--finding", kind, "--match", "Account.FullName=amy@x.example", "--for", "1h", "--reason", "r", "--dry-run").stderr
}

// A shell offers what the settings' files have: silences by their ids, and the rules
// that run.
func TestCompletionOfFiles(t *testing.T) {
	t.Parallel()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string]string{
		"rule.yaml": deskRule,
		"silences.yaml": "silences:\n" +
			"  - {id: pentest, until: 2099-12-31, reason: \"ticket\\u001b[31m 4711\", by: amy, match: [{entity: IP, identifier: Address, cidr: 203.0.113.0/24}]}\n" +
			"  - {id: broken, until: never}\n",
		"local.settings.json": `{"Values": {"PUSHBACK_SILENCES": "silences.yaml", "PUSHBACK_RULES": "rule.yaml"}}`,
		"other.json":          `{"Values": {"PUSHBACK_SILENCES": "none.yaml", "PUSHBACK_RULES": "mfa-fatigue"}}`,
	})
	for _, c := range []struct{ line, want, lacks string }{
		{"silence show ", "pentest\tticket", "\x1b"},
		{"silence show ", "broken\n", ""},
		{"silence show pentest ", ":4", "broken"},
		{"silence show --settings other.json ", ":4", "pentest"},
		{"silence show --settings nowhere.json ", ":4", "pentest"},
		{"silence end ", ":4", "pentest"}, // which is of the file
		{"rerun ", deskRuleID + "\tRefused\n", "MFA"},
		{"rerun --settings other.json ", "MFA Fatigue", "Refused"},
	} {
		cmd := exec.CommandContext(t.Context(), bin, append([]string{"__complete"}, strings.Split(c.line, " ")...)...)
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir}
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), c.want) || c.lacks != "" && strings.Contains(string(out), c.lacks) {
			t.Errorf("%q: %v: want %q and not %q in %s", c.line, err, c.want, c.lacks, out)
		}
	}
}

// Every command that reads settings takes a file of them alike: for what the environment
// does not set, ./local.settings.json if no other is named.
func TestSettingsFlag(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"local.settings.json": `{"Values": {"PUSHBACK_TABLE_NAME": "no good name", "PUSHBACK_SCHEDULE": "0 */5 * * * *"}}`,
		"good.json":           `{"Values": {"PUSHBACK_TABLE_CONNECTION": "memory"}}`,
		"bad.json":            "{\n\"Values\": {\"A\": c2VjcmV0}}",
		"alert.json":          `{"title": "x"}`,
	})
	for _, args := range [][]string{
		{"outbox", "list"}, {"outbox", "init"}, {"outbox", "retry", "x"}, {"outbox", "drop", "x"},
		{"silence", "list"}, {"silence", "show", "x"}, {"silence", "end", "x"}, {"silence", "check", "x"},
		{"silence", "add", "--for", "1h", "--reason", "r", "--match", "Account.FullName=amy"},
		{"alerts", "list"}, {"alerts", "show", "x"}, {"alerts", "export"}, {"alerts", "erase", "--user", "amy@x.example"},
		{"tick"}, {"rerun", "mfa-fatigue", "--from", "2h"}, {"check"}, {"backtest"}, {"card", "--alert", "alert.json"}, {"route"},
	} {
		said := func(more ...string) string {
			r := commandIn(t, dir, nil, append(args[:len(args):len(args)], more...)...)
			return r.stdout + r.stderr
		}
		if out := said(); !strings.Contains(out, "PUSHBACK_TABLE_NAME") {
			t.Errorf("%s does not read ./local.settings.json: %s", args, out)
		}
		if out := said("--settings", "good.json"); strings.Contains(out, "PUSHBACK_TABLE_NAME") {
			t.Errorf("%s reads ./local.settings.json beside another: %s", args, out)
		}
		if out := said("--settings", "bad.json"); !strings.Contains(out, "bad.json:2: ") || strings.Contains(out, "c2VjcmV0") {
			t.Errorf("%s with a file that is no JSON: %s", args, out)
		}
		if out := said("--settings", "nowhere.json"); !strings.Contains(out, "--settings: nowhere.json: ") {
			t.Errorf("%s with a file that is not there: %s", args, out)
		}
	}
}
