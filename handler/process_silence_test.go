package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pushback/detect/ledger/azurite"
)

const (
	// silencedUser is an account of the sample's day with one alert, of Medium severity.
	silencedUser = "zoe.brueckner@fabrikam.example"
	silencesYAML = `silences:
  - id: etienne
    rules: [mfa-rejected-by-user]
    match: [{entity: Account, identifier: FullName, value: "ETIENNE.*@fabrikam.example"}]
    review: 2026-03-20
    hours: [Mon-Fri 00:00-24:00 Europe/Berlin, Sat 08:00-12:00]
    reason: pen test, ticket 4711
    by: amy
  - id: over
    match: [{entity: Account, identifier: FullName, value: nobody@fabrikam.example}]
    until: 2026-01-01
    reason: over
    by: amy
`
)

// TestProcessSilence adds a silence by hand beside a file of them: what both cover is
// recorded and sent nowhere, and each command says so.
func TestProcessSilence(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	file := filepath.Join(t.TempDir(), "silences.yaml")
	if err := os.WriteFile(file, []byte(silencesYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := oneRule(newLedgerTable(t).settings(azurite.Addr(t)), map[string]string{"PUSHBACK_SILENCES": file})
	silence := func(args ...string) result {
		t.Helper()
		return command(t, settings, append([]string{"silence"}, args...)...)
	}
	expect := func(r result, code int, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(r.stdout+r.stderr, w) {
				t.Errorf("there is no %q\nstdout: %s\nstderr: %s", w, r.stdout, r.stderr)
			}
		}
		if r.code != code {
			t.Errorf("code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
		}
	}
	add := func(more ...string) result {
		t.Helper()
		return silence(append([]string{"add", "--rule", "mfa-rejected-by-user", "--match", "Account.FullName=" + silencedUser, "--from", "2026-03-01", "--for", "24h", "--reason", "test\x1b[2J of the app", "--by", "bob"}, more...)...)
	}
	expect(add("--id", "kim"), exitDone, "silence kim is added")
	expect(add("--id", "KIM"), exitFailed, "there is a silence kim")
	expect(add("--id", "over"), exitFailed, "the file of silences has one of the id over")
	expect(add("--match", "IP.Address"), exitUsage, "is no matcher")
	expect(add("--rule", "mfa-rejected"), exitUsage, `no rule that runs or ships is called "mfa-rejected"`)
	expect(silence("add", "--match", "IP.Address=0.0.0.0/0", "--for", "1h", "--reason", "r", "--by", "b"), exitUsage, "so wide")
	expect(silence("add", "--rule", "mfa-rejected-by-user", "--for", "1h", "--reason", "r", "--by", "b"), exitUsage, "no matcher")
	expect(silence("add", "--match", "IP.Address=203.0.113.7", "--for", "31d", "--reason", "r", "--by", "b"), exitUsage, "within 30 days")
	expect(silence("list"), exitDone, "kim", "etienne", "past its review", "over", "ended")

	h := startHost(t, c, settings)
	for hour := range 26 {
		h.tick(c, at(hour, 5), http.StatusOK)
	}
	h.stop()
	for _, l := range h.logged("alert") {
		if strings.Contains(l.Title, silencedUser) || strings.Contains(l.Title, "etienne") {
			t.Errorf("sent: %s", l.Title)
		}
	}
	if got := len(h.logged("silenced")); got != 2 {
		t.Errorf("the log has %d lines of silences, want 2", got)
	}

	expect(silence("show", "kim"), exitDone, "Account.FullName="+silencedUser, "kim held back 1 alert", "MFA rejected by "+silencedUser, `test\x1b[2J of the app`)
	expect(silence("show", "etienne"), exitDone, "etienne held back 1 alert")
	var listed struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		HeldBack int    `json:"heldBack"`
		Last     *struct{ Title string }
	}
	r := silence("list", "--json", "--in-force")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if err := json.Unmarshal([]byte(lines[0]), &listed); err != nil || len(lines) != 2 || listed.ID != "kim" || listed.State != "in force" || listed.HeldBack != 1 || listed.Last == nil {
		t.Errorf("%v, %+v\n%s", err, listed, r.stdout)
	}
	expect(add("--id", "try", "--dry-run"), exitDone, "try would have held back 1 alert", "MFA rejected by "+silencedUser, "nothing was added")
	expect(silence("add", "--match", "Account.FullName=sarah.gagne@*", "--for", "1h", "--reason", "r", "--by", "b", "--dry-run"), exitDone, "would have held back nothing", "(up to Medium)")
	expect(silence("show", "try"), exitFailed, "there is no silence")
	expect(silence("end", "etienne"), exitFailed, "is in the file, at "+file+":2")
	expect(silence("end", "nobody"), exitFailed, "there is no silence")
	expect(silence("end", "kim", "--by", "amy"), exitDone, "silence kim is ended")
	expect(silence("end", "kim"), exitFailed, "silence kim ended at")
	expect(silence("list", "--in-force"), exitDone, "etienne")
	if r := silence("list", "--in-force"); strings.Contains(r.stdout, "kim") {
		t.Errorf("it is still in force:\n%s", r.stdout)
	}
	expect(command(t, settings, "check"), exitFailed, "etienne ("+file+":2) holds back alerts of mfa-rejected-by-user up to Medium", "Mon-Fri 00:00-24:00 Europe/Berlin or Sat 08:00-12:00, past its review")
}

// TestProcessSilencesFile expects a file that is wrong to hold nothing back: the rules
// run, and every tick fails.
func TestProcessSilencesFile(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	file := filepath.Join(t.TempDir(), "silences.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(silencesYAML, "until:", "untill:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := oneRule(newLedgerTable(t).settings(azurite.Addr(t)), map[string]string{"PUSHBACK_SILENCES": file})
	h := startHost(t, c, settings)
	for hour := range 22 {
		h.tick(c, at(hour, 5), http.StatusInternalServerError)
	}
	h.stop()
	sent := 0
	for _, l := range h.logged("alert") {
		if strings.Contains(l.Title, "etienne") {
			sent++
		}
	}
	if sent != 1 {
		t.Errorf("%d alerts were sent, want 1", sent)
	}
	r := command(t, settings, "silence", "check", file)
	if want := file + `:11:5: a silence has no key "untill": did you mean "until"?`; r.code != exitFailed || !strings.Contains(r.stdout, want) {
		t.Errorf("code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
