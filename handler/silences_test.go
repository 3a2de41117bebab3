package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pushback/detect/alert"
)

// trySilences writes a file of silences and returns its path.
func trySilences(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "silences.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const trialYAML = `silences:
  - id: trial
    rules: [mfa-rejected-by-user]
    match: [{entity: Account, identifier: FullName, value: "*"}]
    review: 2026-12-31
    reason: trial
    by: amy
  - id: nobody
    match: [{entity: Account, identifier: FullName, value: nobody@fabrikam.example}]
    review: 2026-12-31
    reason: nobody
    by: amy
`

// TestDemoSilences expects a demo with silences to say what each would have held back,
// and to report the rest: nothing that says that somebody got in is held back.
func TestDemoSilences(t *testing.T) {
	t.Parallel()
	path := trySilences(t, trialYAML)
	all, tried := demoJSON().alerts(t), handler(t, "demo", "--json", "--silences", path).alerts(t)
	held := map[string]bool{}
	var noted bool
	for _, a := range tried {
		if a.HeldBack == nil {
			noted = noted || strings.Contains(strings.Join(a.Notes, " "), "not held back by silence trial (up to Medium)")
			continue
		}
		held[a.ID] = true
		if a.HeldBack.Silence != "trial" || a.HeldBack.Reason != "trial" || a.Severity > alert.Medium || a.Compromised() {
			t.Errorf("held back: %s, %s, %+v", a.Title, a.Severity, a.HeldBack)
		}
	}
	if len(held) == 0 || !noted {
		t.Errorf("%d of %d alerts are held back; one says why not: %v", len(held), len(all), noted)
	}
	sent := map[string]bool{}
	for _, a := range tried {
		sent[a.ID] = true
	}
	for _, a := range all {
		if !sent[a.ID] && a.Updates == nil { // news of what is held back has no other
			t.Errorf("neither held back nor sent: %s %s", a.Severity, a.Title)
		}
		if a.RuleName == "MFA Rejected by User" && a.Severity <= alert.Medium && !a.Compromised() && !held[a.ID] && a.Storm == nil {
			t.Errorf("not held back: %s %s", a.Severity, a.Title)
		}
	}

	r := handler(t, "demo", "--silences", path)
	for _, want := range []string{"\nSilences\n", "trial would have held back ", "nobody would have held back nothing\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("there is no %q in\n%s", want, r.stdout[max(0, len(r.stdout)-3000):])
		}
	}
	for _, a := range tried {
		if listed := strings.Contains(r.stdout[strings.LastIndex(r.stdout, "\nSilences\n"):], a.ID); listed != (a.HeldBack != nil) {
			t.Errorf("%s is listed: %v", a.ID, listed)
		}
	}
	if s := handler(t, "demo", "--summary", "--json", "--silences", path); !strings.Contains(s.stdout, `"silenced":{"trial":`) {
		t.Errorf("the summary is\n%s", s.stdout)
	}
}

// TestTestSilences expects cases to say what silences would hold back of them, and to
// end as they do without.
func TestTestSilences(t *testing.T) {
	t.Parallel()
	path := trySilences(t, trialYAML)
	r := handler(t, "test", "mfa-rejected-by-user", "--silences", path)
	if r.code != exitDone || !strings.Contains(r.stdout, "trial would have held back ") || strings.Contains(r.stdout, "trial would have held back nothing") || !strings.Contains(r.stdout, "nobody would have held back nothing") {
		t.Errorf("code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	if r := handler(t, "test", "mfa-rejected-by-user", "--json", "--silences", path); r.code != exitDone || !strings.Contains(r.stdout, `"silenced":{"trial":`) {
		t.Errorf("code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

// TestSilencesAreWrong expects each command to refuse a file of silences that is wrong,
// with the place.
func TestSilencesAreWrong(t *testing.T) {
	t.Parallel()
	path := trySilences(t, strings.Replace(trialYAML, "review: 2026-12-31", "review: soon", 1))
	for _, args := range [][]string{{"demo"}, {"test", "mfa-fatigue"}} {
		r := handler(t, append(args, "--silences", path)...)
		if r.code != exitFailed || !strings.Contains(r.stderr, path+`:5:13: review: "soon" is no time`) {
			t.Errorf("%v: code %d\n%s", args, r.code, r.stderr)
		}
	}
	if r := handler(t, "demo", "--silences", path+".none"); r.code != exitUsage || !strings.Contains(r.stderr, "there is no such file") {
		t.Errorf("code %d\n%s", r.code, r.stderr)
	}
}

// TestBacktestSilences expects a backtest to count what each silence would have held
// back, and to list it.
func TestBacktestSilences(t *testing.T) {
	t.Parallel()
	w := newPast(t)
	b := w.backtest(t, parsed(t, failedLogons), 3)
	b.settings.Context, b.json = false, true
	var err error
	if b.tried, err = readSilences(trySilences(t, strings.Replace(trialYAML, "mfa-rejected-by-user", "failed sign-ins of MANY", 1)), b.rules); err != nil {
		t.Fatal(err)
	}
	list, _, err := w.run(t, b)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || list[0].Alerts != 12 || list[0].Silenced["trial"] != 12 || list[0].Silenced["nobody"] != 0 {
		t.Errorf("%+v", list)
	}
	var out bytes.Buffer
	if err := b.tried.write(&out, styleOf(&out)); err != nil || !strings.Contains(out.String(), "trial would have held back 12 alerts\n") {
		t.Errorf("%v\n%s", err, out.String())
	}
}
