package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/ledger"
	"pushback/detect/ledger/azurite"
)

// command runs a command line of the binary that ships, with these variables
// and no others.
func command(t *testing.T, settings map[string]string, args ...string) result {
	t.Helper()
	return commandIn(t, "", settings, args...)
}

// commandIn is command in a folder.
func commandIn(t *testing.T, dir string, settings map[string]string, args ...string) result {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + t.TempDir()}
	for k, v := range settings {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if strings.Contains(r.stdout+r.stderr, azurite.Key) {
		t.Errorf("%v: the key of the table is shown", args)
	}
	for _, c := range r.stdout + r.stderr {
		if c != '\n' && !unicode.IsPrint(c) {
			t.Errorf("%v: %q reaches the terminal", args, c)
		}
	}
	return r
}

// TestProcessRestart takes the process away for three hours: what has run, what
// was reported and what was missed are in the ledger.
func TestProcessRestart(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := startHost(t, c, oneRule(newLedgerTable(t).settings(azurite.Addr(t))))
	for hour := range 10 {
		h.tick(c, at(hour, 5), http.StatusOK)
	}
	h.stop()
	h.start()
	got := h.tick(c, at(12, 20), http.StatusOK)
	// The missed windows, and none before them: no record of those came in late.
	if diff := cmp.Diff([]string{"10:00", "11:00", "12:00"}, got.windows()); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
	for hour := 13; hour <= 26; hour++ {
		h.tick(c, at(hour, 5), http.StatusOK)
	}
	h.stop()
	checkTold(t, h.logged("alert"), at(0, 0), at(24, 0), at(26, 0))
}

// TestProcessOutbox lists, sends again and drops by hand what is owed.
func TestProcessOutbox(t *testing.T) {
	t.Parallel()
	table := newLedgerTable(t)
	settings := table.settings(azurite.Addr(t))
	run := func(args ...string) result {
		t.Helper()
		return command(t, settings, append([]string{"outbox"}, args...)...)
	}
	expect := func(r result, code int, stdout, stderr string) {
		t.Helper()
		if r.code != code || !strings.Contains(r.stdout, stdout) || stdout == "" && r.stdout != "" || !strings.Contains(r.stderr, stderr) || stderr == "" && r.stderr != "" {
			t.Errorf("code %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
		}
	}
	expect(run("list"), exitDone, "nothing is waiting to be sent\n", "")
	expect(run("list", "--json"), exitDone, "", "")
	for _, verb := range []string{"retry", "drop"} {
		expect(run(verb, "nobody\x1b[2J"), exitFailed, "", "no such alert is owed")
		expect(run(verb), exitUsage, "", "needs the id of one alert")
		expect(run(verb, "--parked", "x"), exitUsage, "", "not both")
	}
	expect(run("lst"), exitUsage, "", `unknown command "lst"`)

	const hostile = "\x1b[2Ja\ttitle\n00000000 forged \u202eline \u009b31m<b>|\r"
	waiting := table.owe(hostile+"1", 1)
	again := table.owe(hostile+"2", 2)
	dropped := table.owe(hostile+"3", 3)
	ctx := t.Context()
	for _, a := range []string{again.ID, dropped.ID} {
		for _, alert := range []ledger.Failure{{Err: "down", Next: at(30, 0)}, {Err: "it says " + hostile, Park: true}} {
			one := again
			if a == dropped.ID {
				one = dropped
			}
			if err := table.ledger.Failed(ctx, ledger.Owed{Alert: &one, Destination: "log"}, alert); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := run("list")
	expect(r, exitDone, "parked", "")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[0], "ALERT") || !strings.HasPrefix(lines[1], waiting.ID) || !strings.Contains(lines[1], "at once") ||
		!strings.HasPrefix(lines[2], again.ID) || !strings.HasPrefix(lines[3], dropped.ID) {
		t.Errorf("list:\n%s", r.stdout)
	}
	listed := func(args ...string) (ids []string) {
		t.Helper()
		r := run(append([]string{"list", "--json"}, args...)...)
		for line := range strings.Lines(r.stdout) {
			var e outboxEntry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			parked := e.ID != waiting.ID
			if e.Destination != "log" || e.Severity != "High" || e.Created.IsZero() || !strings.Contains(e.Title, "forged") ||
				e.Parked && (e.Attempts != 2 || !strings.Contains(e.LastError, "it says") || !parked) {
				t.Errorf("%+v", e)
			}
			ids = append(ids, e.ID)
		}
		return ids
	}
	if diff := cmp.Diff([]string{waiting.ID, again.ID, dropped.ID}, listed()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{again.ID, dropped.ID}, listed("--parked")); diff != "" {
		t.Error(diff)
	}

	expect(run("retry", again.ID, "--to", "teams"), exitFailed, "", "for teams: no such alert is owed")
	expect(run("retry", again.ID), exitDone, "", "")
	expect(run("drop", dropped.ID, "--to", "log"), exitDone, "", "")
	expect(run("drop", dropped.ID), exitFailed, "", "see handler outbox list")
	if diff := cmp.Diff([]string{waiting.ID, again.ID}, listed()); diff != "" {
		t.Error(diff)
	}

	// The next tick sends what is left, once.
	c := newCloud(t)
	h := startHost(t, c, settings)
	h.tick(c, at(0, 5), http.StatusOK)
	h.tick(c, at(0, 10), http.StatusOK)
	h.stop()
	want := []string{waiting.ID, again.ID}
	slices.Sort(want)
	if diff := cmp.Diff(want, ids(h.logged("alert"))); diff != "" {
		t.Errorf("reported after it (-want +got):\n%s", diff)
	}
	expect(run("list"), exitDone, "nothing is waiting to be sent\n", "")
}

// TestProcessOutboxWithoutTable runs the commands where there is no ledger to
// look at.
func TestProcessOutboxWithoutTable(t *testing.T) {
	t.Parallel()
	const key = "c2VjcmV0c2VjcmV0"
	for _, tc := range []struct {
		name     string
		settings map[string]string
		says     string
	}{
		{"not set", nil, "PUSHBACK_TABLE_CONNECTION"},
		{"in memory", map[string]string{"PUSHBACK_TABLE_CONNECTION": inMemory}, "is in the memory of serve"},
		{"malformed", map[string]string{"PUSHBACK_TABLE_CONNECTION": "AccountKey=" + key + ";AccountName"}, "PUSHBACK_TABLE_CONNECTION is not right"},
		{"malformed, of the host", map[string]string{"AzureWebJobsStorage": "AccountKey=" + key + ";AccountName"}, "AzureWebJobsStorage"},
		{"unreachable", map[string]string{"PUSHBACK_TABLE_CONNECTION": "AccountName=a;AccountKey=" + key + ";TableEndpoint=http://127.0.0.1:1/a"}, "127.0.0.1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{"list"}, {"retry", "x"}, {"drop", "x"}} {
				r := command(t, tc.settings, append([]string{"outbox"}, args...)...)
				if r.code != exitFailed || r.stdout != "" || !strings.Contains(r.stderr, tc.says) || strings.Contains(r.stderr, key) {
					t.Errorf("%v: code %d\nstdout: %s\nstderr: %s", args, r.code, r.stdout, r.stderr)
				}
				if tc.name == "unreachable" {
					break // it is tried for seconds
				}
			}
		})
	}
}
