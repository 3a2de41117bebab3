package main

import (
	"strings"
	"testing"
)

// A mistake in the command line is said, with its exit code, before anything that the
// command would need: here no command has a ledger or a workspace.
func TestUsageErrorsComeFirst(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"logs/a.json": "{}", "file": "", "rule.yaml": deskRule})
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"replay", "--logs", "logs", "--silences", "nowhere.yaml"}, "--silences nowhere.yaml: there is no such file: give a file of silences"},
		{[]string{"demo", "--silences", "logs"}, "--silences logs: this is a folder: give a file of silences"},
		{[]string{"test", "rule.yaml", "--silences", "nowhere.yaml"}, "--silences nowhere.yaml: there is no such file"},
		{[]string{"silence", "check", "nowhere.yaml"}, "nowhere.yaml: there is no such file: give a file of silences"},
		{[]string{"silence", "add", "--for", "1h", "--match", "Account.FullName=amy"}, "reason"},
		{[]string{"silence", "add", "--for", "1h", "--reason", "r"}, "match"},
		{[]string{"silence", "add", "--for", "1h", "--reason", "r", "--match", "Account.FullName=amy", "--rule", "nowhere"}, "nowhere"},
		{[]string{"silence", "add", "--for", "1h", "--reason", "r", "--match", "Account.FullName=amy", "--finding", "nothing"}, "nothing"},
		{[]string{"outbox", "retry", "x", "--to", "pager"}, `--to is "pager": expected one of `},
		{[]string{"outbox", "drop", "--parked", "--to", "pager"}, `--to is "pager": expected one of `},
		{[]string{"query", " "}, "query needs a query"},
		{[]string{"demo", "--write", ""}, "--write is empty"},
		{[]string{"demo", "--write", "file"}, "--write: file is a file: give a folder"},
		{[]string{"check", "--settings", "nowhere.json"}, "--settings: nowhere.json: there is no such file"},
		{[]string{"helpp"}, `did you mean "help"?`},
		{[]string{"completion", "zsh", "x"}, `zsh takes no argument, and got "x"`},
	} {
		r := commandIn(t, dir, nil, c.args...)
		if r.code != exitUsage || !strings.Contains(r.stderr, c.want) || r.stdout != "" {
			t.Errorf("%q: code %d, want %q: %s%s", c.args, r.code, c.want, r.stdout, r.stderr)
		}
	}
}
