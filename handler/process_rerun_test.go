package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newRerunDesk returns a desk whose rule reported alice, and whose workspace has
// records of bob and carol by now that came back.
func newRerunDesk(t *testing.T) (d *desk, last time.Time) {
	t.Helper()
	last = lastWindow()
	alice := refusedBy("alice@contoso.example", last.Add(-10*time.Minute))
	d = newDesk(t, alice)
	d.run(exitDone, "tick")
	if cards := d.channel.take(); len(cards) != 1 {
		t.Fatalf("%d cards", len(cards))
	}
	d.put(alice, refusedBy("bob\x1b[31m@contoso.example", last.Add(-270*time.Minute)), refusedBy("carol@contoso.example", last.Add(-230*time.Minute)),
		refusedBy("dave@contoso.example", last.Add(-9*time.Hour)).with("ResultType", "0"))
	return d, last
}

func zulu(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// TestProcessRerun previews windows of the past, marks them, and has ticks run them:
// what is new is reported once, and what was reported is not.
func TestProcessRerun(t *testing.T) {
	t.Parallel()
	d, last := newRerunDesk(t)
	args := []string{"rerun", "Refused", "--from", zulu(last.Add(-5 * time.Hour)), "--to", zulu(last)}
	more := func(m ...string) []string { return append(append([]string{}, args...), m...) }
	before := d.rows()
	for _, looking := range [][]string{more(), more("--dry-run")} {
		code := exitDone
		if len(looking) == len(args) {
			code = exitUsage
		}
		r := d.run(code, looking...)
		expectLine(t, r.stdout, "Refused: 5 windows from ", stamp(last.Add(-6*time.Hour)), stamp(last))
		expectLine(t, r.stdout, "1 row, 0 new, 1 reported before") // alice
		expectLine(t, r.stdout, "They would report 2 alerts")
		expectLine(t, r.stdout, "Medium", "Refused by carol@contoso.example")
		if strings.Contains(r.stdout, "\x1b") || strings.Contains(r.stdout, "marked") {
			t.Errorf("%s", r.stdout)
		}
		if code == exitUsage {
			expectLine(t, r.stderr, "nothing is marked", "--yes")
		}
	}
	if diff := cmp.Diff(before, d.rows()); diff != "" {
		t.Errorf("a preview wrote to the ledger (-before +after):\n%s", diff)
	}
	r := d.run(exitDone, more("--yes")...)
	expectLine(t, r.stdout, "5 windows marked: the ticks to come run them")
	var out rerunOutput
	r = d.run(exitDone, more("--yes", "--json")...) // again changes nothing
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Marked != 0 || out.Waiting != 5 || len(out.Windows) != 5 || len(out.Alerts) != 2 {
		t.Errorf("%v: %s", err, r.stdout)
	}
	if cards := d.channel.take(); len(cards) > 0 {
		t.Errorf("a preview sent %v", cards)
	}

	r = d.run(exitDone, "tick", "--dry-run")
	expectLine(t, r.stdout, "Refused: 5 windows run", "2 new")
	r = d.run(exitDone, "tick")
	expectLine(t, r.stdout, "Refused: 5 windows run", "2 new")
	if cards := d.channel.take(); len(cards) != 2 {
		t.Errorf("%d cards", len(cards))
	}
	for _, args := range [][]string{{"tick"}, more("--dry-run")} {
		r = d.run(exitDone, args...)
		if !strings.Contains(r.stdout, "Nothing new to report.") && !strings.Contains(r.stdout, "They would report nothing new.") {
			t.Errorf("%v: %s", args, r.stdout)
		}
	}
	if cards := d.channel.take(); len(cards) > 0 {
		t.Errorf("sent again: %v", cards)
	}
}

// TestProcessRerunRefuses has rerun be given what it cannot do.
func TestProcessRerunRefuses(t *testing.T) {
	t.Parallel()
	d, last := newRerunDesk(t)
	d.write("off.yaml", strings.Replace(strings.Replace(deskRule, "name: Refused", "name: Switched off\nenabled: false", 1), "000000000001", "000000000002", 1))
	d.env["PUSHBACK_RULES"] = "rule.yaml,off.yaml"
	from := zulu(last.Add(-5 * time.Hour))
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{}, exitUsage, "takes one rule"},
		{[]string{"a", "b"}, exitUsage, "takes one rule"},
		{[]string{"Refused"}, exitUsage, "needs --from"},
		{[]string{"Refused", "--from", "yesterday"}, exitUsage, `--from is "yesterday"`},
		{[]string{"Refused", "--from", "-3h"}, exitUsage, "how long ago"},
		{[]string{"Refused", "--from", "2026-03-02", "--to", "2026-03-01"}, exitUsage, "is not before --to"},
		{[]string{"Refused", "--from", "1m"}, exitUsage, "no window of the rule"},
		{[]string{"Refsued", "--from", from}, exitUsage, `did you mean "Refused"?`},
		{[]string{"Switched off", "--from", from}, exitFailed, "is disabled"},
		{[]string{"rule", "--from", from, "--dry-run", "--yes"}, exitUsage, "give one of them"},
		{[]string{"rule", "--cancel", "--from", from}, exitUsage, "--cancel"},
		{[]string{"rule", "--from", "60d", "--to", "50d", "--yes"}, exitFailed, "PUSHBACK_SEEN_RETENTION is 30d"},
		{[]string{"rule", "--from", "10d", "--to", "9d", "--yes"}, exitFailed, "the workspace has nothing before " + stamp(last.Add(-9*time.Hour))},
		{[]string{"rule", "--from", from, "--settings", "nowhere"}, exitUsage, "--settings"},
	} {
		r := d.run(tc.code, append([]string{"rerun"}, tc.args...)...)
		if !strings.Contains(r.stderr, tc.says) || strings.Contains(r.stdout, "marked") {
			t.Errorf("%q:\nstdout: %s\nstderr: %s\nwant %q", tc.args, r.stdout, r.stderr, tc.says)
		}
	}
	r := d.run(exitDone, "rerun", "rule.yaml", "--from", "12h", "--yes")
	expectLine(t, r.stdout, "left out: the workspace has nothing before")
	r = d.run(exitDone, "rerun", deskRuleID, "--cancel")
	expectLine(t, r.stdout, `of "Refused" that were marked are not run once more`)
	r = d.run(exitDone, "tick")
	expectLine(t, r.stdout, "Nothing new to report.")
	d.env["PUSHBACK_TABLE_NAME"] = "nowhere"
	r = d.run(exitFailed, "rerun", "rule", "--from", from, "--yes")
	expectLine(t, r.stderr, `table "nowhere"`, "handler outbox init")
	delete(d.env, "PUSHBACK_TABLE_NAME")
	d.env["PUSHBACK_TABLE_CONNECTION"] = inMemory
	r = d.run(exitFailed, "rerun", "rule", "--from", from, "--yes")
	expectLine(t, r.stderr, "nobody else can see it")
}

// TestProcessRerunBesideTicks marks windows twice at a time while ticks run, and
// another process has the lease at first. All windows are run, and what they find is
// reported once.
func TestProcessRerunBesideTicks(t *testing.T) {
	t.Parallel()
	d, last := newRerunDesk(t)
	lease, err := d.table.ledger.Lease(t.Context(), deskRuleID, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 4)
	for i := range 2 {
		go func() {
			r := commandIn(t, d.dir, d.env, "rerun", deskRuleID, "--from", zulu(last.Add(time.Duration(-5+i)*time.Hour)), "--to", zulu(last), "--yes", "--no-preview")
			done <- fmt.Sprint(r.code, r.stderr)
		}()
		go func() { done <- fmt.Sprint(commandIn(t, d.dir, d.env, "tick").code) }()
	}
	time.Sleep(2 * time.Second) // what is waited for is another process: nothing is asserted of it
	if err := lease.Release(t.Context()); err != nil {
		t.Error(err)
	}
	for range cap(done) {
		if said := <-done; !strings.HasPrefix(said, "0") {
			t.Error(said)
		}
	}
	d.run(exitDone, "tick")
	if cards := d.channel.take(); len(cards) != 2 {
		t.Errorf("%d cards", len(cards))
	}
	state, err := d.table.ledger.State(t.Context(), deskRuleID)
	if err != nil || len(state.Rerun) > 0 {
		t.Errorf("%v, still to be run: %v", err, state.Rerun)
	}
}

// TestProcessRerunKilled kills the tick that runs windows once more in the middle of
// them: the next ones run what is left, and what the windows find is reported once.
func TestProcessRerunKilled(t *testing.T) {
	t.Parallel()
	d, last := newRerunDesk(t)
	d.run(exitDone, "rerun", "Refused", "--from", zulu(last.Add(-5*time.Hour)), "--to", zulu(last), "--yes")
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "tick")
	cmd.Dir, cmd.Env = d.dir, []string{"HOME=" + t.TempDir()}
	for name, value := range d.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	asked := 0
	d.cloud.fault = func(int, http.ResponseWriter, *http.Request) bool {
		if asked++; asked < 3 {
			return false
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		return true
	}
	if err := cmd.Run(); err == nil {
		t.Error("the tick came to its end")
	}
	d.cloud.fault = nil
	d.table.endLeases()
	r := d.run(exitDone, "tick")
	expectLine(t, r.stdout, "Refused: ", "run")
	d.run(exitDone, "tick")
	if cards := d.channel.take(); len(cards) != 2 {
		t.Errorf("%d cards", len(cards))
	}
	state, err := d.table.ledger.State(t.Context(), deskRuleID)
	if err != nil || len(state.Rerun) > 0 {
		t.Errorf("%v, still to be run: %v", err, state.Rerun)
	}
}
