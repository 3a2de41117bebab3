package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// flowAddress is what a workflow's trigger shows that only users of the tenant may start.
const flowAddress = "https://" + standInFlow + "/powerautomate/automations/direct/workflows/0123456789abcdef/triggers/manual/paths/invoke?api-version=1"

// flowStandIn takes what the stand-in's identity posts, once it is let in.
type flowStandIn struct {
	t *testing.T

	mu    sync.Mutex
	let   bool
	took  int
	asked int
}

func (f *flowStandIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodHead {
		if r.Header.Get("Authorization") != "" || r.URL.Path != "/" {
			f.t.Errorf("whoever looks whether %s is there shows %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		return
	}
	f.asked++
	if r.Host != standInFlow || r.URL.Query().Has("sig") || r.Header.Get("Authorization") != "Bearer "+standInFlowToken {
		f.t.Errorf("%s is posted to with %q", r.Host, r.Header.Get("Authorization"))
	}
	if !f.let {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":{"code":"MisMatchingOAuthClaims","message":"not `+r.Header.Get("Authorization")+`"}}`)
		return
	}
	f.took++
	w.WriteHeader(http.StatusAccepted)
}

func (f *flowStandIn) open() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.let = true
}

func (f *flowStandIn) counts() (took, asked int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.took, f.asked
}

// TestProcessIdentity posts to a workflow that is open to the app's identity alone:
// not while there is no token, nor before the workflow knows the identity; then all.
func TestProcessIdentity(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	flow := &flowStandIn{t: t}
	c.teams, c.noFlowToken = flow.ServeHTTP, true
	h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": flowAddress, "PUSHBACK_TEAMS_AUTH": "identity"})
	h.tick(c, at(11, 5), http.StatusInternalServerError)
	if _, asked := flow.counts(); asked != 0 {
		t.Errorf("%d requests without a token", asked)
	}
	c.mu.Lock()
	c.noFlowToken = false
	c.mu.Unlock()
	h.tick(c, at(11, 15), http.StatusInternalServerError)
	if took, asked := flow.counts(); took != 0 || asked != 1 {
		t.Errorf("%d of %d requests were taken before the workflow knew the identity", took, asked)
	}
	flow.open()
	h.tick(c, at(11, 25), http.StatusOK)
	h.stop()
	if took, _ := flow.counts(); took == 0 {
		t.Error("no card was posted")
	}
	if out := h.stderr.String(); !strings.Contains(out, "as the app's identity: there is no token for https://service.flow.microsoft.com") || !strings.Contains(out, "az ad sp create --id 7df0a125") {
		t.Error("the log does not say that there is no token")
	} else if !strings.Contains(out, "the workflow does not take the app's identity") {
		t.Error("the log does not say that the workflow does not know the identity")
	}
	if out := h.stdout.String() + h.stderr.String(); strings.Contains(out, standInFlowToken) || strings.Contains(out, "c2lnbmF0dXJl") {
		t.Error("the log holds the token")
	}
}

// TestCheckIdentity says whose the token is, and what a refusal means.
func TestCheckIdentity(t *testing.T) {
	t.Parallel()
	w := newCheckWorld(t)
	w.tables(t, w.clock())
	flow := &flowStandIn{t: t}
	w.teams = flow.ServeHTTP
	w.settings["PUSHBACK_TEAMS_WEBHOOK_URL"], w.settings["PUSHBACK_TEAMS_AUTH"] = flowAddress, "identity"
	check := func(args ...string) (lines []checkLine) {
		t.Helper()
		res := command(t, w.settings, append([]string{"check", "--json"}, args...)...)
		for line := range strings.SplitSeq(strings.TrimSpace(res.stdout), "\n") {
			var l checkLine
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if l.Check == "teams" {
				lines = append(lines, l)
			}
		}
		if all := res.stdout + res.stderr; strings.Contains(all, "c2lnbmF0dXJl") || strings.Contains(all, "0123456789abcdef") {
			t.Errorf("check shows a secret: %s", all)
		}
		return lines
	}
	expect := func(lines []checkLine, status, want string) {
		t.Helper()
		if len(lines) != 1 || lines[0].Status != status || !strings.Contains(lines[0].Text, want) {
			t.Errorf("%+v, want %s %s", lines, status, want)
		}
	}
	const whose = "there is a token for https://service.flow.microsoft.com, of the identity with the object id " + standInObject + " in the tenant f0e1d2c3-b4a5-4697-8879-6a5b4c3d2e1f: this id belongs under Allowed users of the workflow's trigger"
	expect(check(), checkOK, whose)
	expect(check("--send-test-card"), checkFailed, "the workflow does not take the app's identity: the object id of the app's identity, which handler check names, belongs under Allowed users")
	flow.open()
	expect(check("--send-test-card"), checkOK, "took a test card; "+whose)
	c := w.cloudStandIn
	c.mu.Lock()
	c.noFlowToken = true
	c.mu.Unlock()
	expect(check(), checkFailed, "there is no token for https://service.flow.microsoft.com")
}

// TestWhoseToken reads what a token says of its identity, and nothing else.
func TestWhoseToken(t *testing.T) {
	t.Parallel()
	if object, tenant := whoseToken(standInFlowToken); object != standInObject || tenant != "f0e1d2c3-b4a5-4697-8879-6a5b4c3d2e1f" {
		t.Errorf("%q, %q", object, tenant)
	}
	for _, token := range []string{"", "a.b.c", standInToken, "x." + strings.Repeat("A", 10) + ".y", "x.eyJvaWQiOiI8c2NyaXB0PiJ9.y", "x.eyJvaWQiOiJ7N2EwYzFlNTItNGE2Yy00ZjBlLTljNTUtMGQ5YjJmMWY2YTExfSJ9.y", "x.W10.y"} {
		if object, tenant := whoseToken(token); object != "" || tenant != "" {
			t.Errorf("%q says %q, %q", token, object, tenant)
		}
	}
}
