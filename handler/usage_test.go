package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// A path of the command line that is not there is a mistake in it, whichever command it
// is of, and one of a setting is none.
func TestAbsent(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"failures.yaml": failuresRule, "SigninLogs.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z"}` + "\n"})
	logs, there, none := filepath.Join(dir, "SigninLogs.ndjson"), filepath.Join(dir, "failures.yaml"), filepath.Join(dir, "none.yaml")
	for _, args := range [][]string{
		{"test", none},
		{"test", there, none},
		{"test", "--strict", none},
		{"test", "--init", none},
		{"test", "--functions", none, there},
		{"test", "mfa-fatigue," + none},
		{"lint", none},
		{"lint", "--json", there, none},
		{"replay", "--logs", none},
		{"replay", "--logs", logs, "--logs", none},
		{"replay", "--logs", logs, "--rules", none},
		{"replay", "--logs", logs, "--rules", there + "," + none},
		{"query", "--logs", none, "SigninLogs"},
		{"query", "--file", none},
		{"query", "--logs", logs, "--file", none},
		{"card", "--alert", none},
		{"backtest", "--rules", none},
		{"rule", "convert", none},
	} {
		r := handler(t, args...)
		if out := r.stdout + r.stderr; r.code != exitUsage || strings.Count(out, none+":") != 1 && !strings.Contains(out, `"file":"`+none) {
			t.Errorf("%s: code %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	for _, args := range [][]string{{"test", "mfa-fatigu"}, {"lint", "mfa-fatigu"}, {"replay", "--logs", logs, "--rules", "mfa-fatigu"}} {
		if r := handler(t, args...); r.code != exitUsage || !strings.Contains(r.stdout+r.stderr, `no shipped rule of that name: did you mean "mfa-fatigue"?`) {
			t.Errorf("%s: code %d: %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
}

// A command that is given no file, or a folder in its place, is a mistake in it too.
func TestNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"query", "--file", dir}, "--file " + dir + ": this is a folder"},
		{[]string{"card", "--alert", dir}, "--alert " + dir + ": this is a folder"},
		{[]string{"card"}, "card needs --alert FILE"},
		{[]string{"card", "alert.json"}, "takes no argument, and got \"alert.json\""},
	} {
		if r := handler(t, c.args...); r.code != exitUsage || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s: code %d: %s", c.args, r.code, r.stderr)
		}
	}
}

func TestAbsentRules(t *testing.T) {
	dir := folder(t, map[string]string{"SigninLogs.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z"}` + "\n"})
	t.Setenv("PUSHBACK_RULES", filepath.Join(dir, "none.yaml"))
	if r := handler(t, "replay", "--logs", dir); r.code != exitFailed || !strings.Contains(r.stderr, "there is no such file or folder") {
		t.Errorf("code %d: %s", r.code, r.stderr)
	}
}

// A rule that is named twice is a warning, and not one of a warning.
func TestCheckRuleTwice(t *testing.T) {
	t.Setenv("PUSHBACK_RULES", "mfa-fatigue,mfa-fatigue")
	r := handler(t, "check")
	if want := "warning  rule         mfa-fatigue: the rule \"MFA Fatigue\" is named twice: it runs once\n"; !strings.Contains(r.stdout, want) || strings.Contains(r.stdout, "already that of") {
		t.Errorf("%s\nwant %s", r.stdout, want)
	}
}
