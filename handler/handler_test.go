package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"pushback/detect/alert"
	"pushback/handler/settings"
)

// inMemory is the connection of a ledger that is not kept.
const inMemory = settings.InMemory

// result is what a command line did.
type result struct {
	code           int
	stdout, stderr string
}

// handler runs a command line in process.
func handler(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), args, strings.NewReader("print from_stdin = 1"), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// demoJSON is what the demo prints as JSON. It is the same each time, and takes
// long under the race detector.
var demoJSON = sync.OnceValue(func() result {
	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"demo", "--json"}, strings.NewReader(""), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
})

// alerts reads what --json printed.
func (r result) alerts(t *testing.T) []alert.Alert {
	t.Helper()
	if r.code != exitDone {
		t.Fatalf("exit code %d\n%s", r.code, r.stderr)
	}
	var list []alert.Alert
	dec := json.NewDecoder(strings.NewReader(r.stdout))
	dec.DisallowUnknownFields()
	for dec.More() {
		var a alert.Alert
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{name: "no command gives help", code: exitDone, stdout: "replay"},
		{name: "help leads to the settings", args: []string{"--help"}, code: exitDone, stdout: "handler help settings"},
		{name: "help lists the settings", args: []string{"help", "settings"}, code: exitDone, stdout: "PUSHBACK_LATENESS"},
		{name: "unknown command", args: []string{"reply"}, code: exitUsage, stderr: `unknown command "reply"`},
		{name: "unknown flag", args: []string{"demo", "--jsn"}, code: exitUsage, stderr: "unknown flag: --jsn"},
		{name: "bad flag value", args: []string{"demo", "--seed", "x"}, code: exitUsage, stderr: `"--seed"`},
		{name: "argument too many", args: []string{"demo", "x"}, code: exitUsage, stderr: "takes no argument"},
		{name: "replay without logs", args: []string{"replay"}, code: exitUsage, stderr: "replay needs --logs DIR"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := handler(t, tc.args...)
			if r.code != tc.code || !strings.Contains(r.stdout, tc.stdout) || !strings.Contains(r.stderr, tc.stderr) {
				t.Errorf("code %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
			}
			if tc.code != exitDone && r.stdout != "" {
				t.Errorf("an error beside output: %s", r.stdout)
			}
		})
	}
}

func TestSettingsAreAllReportedAtOnce(t *testing.T) {
	t.Setenv("PUSHBACK_DELAY", "soon")
	t.Setenv("PUSHBACK_LATENESS", "-1h")
	r := handler(t, "demo")
	for _, want := range []string{`PUSHBACK_DELAY is "soon"`, `PUSHBACK_LATENESS is "-1h"`, "from 0s to 48h, such as 5m or 2h"} {
		if r.code != exitFailed || !strings.Contains(r.stderr, want) {
			t.Errorf("code %d, stderr lacks %q: %s", r.code, want, r.stderr)
		}
	}
}
