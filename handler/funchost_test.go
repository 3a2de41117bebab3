//go:build linux && amd64

package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
)

// hostVariable says where the command is that starts the Functions host with a
// folder and a port, or that there is none. Without it the command is looked for
// beside the checkout.
const hostVariable = "FUNC_HOST"

// hostCommand returns the command that starts the Functions host. Without it the
// test fails in CI and is skipped elsewhere.
func hostCommand(t testing.TB) string {
	t.Helper()
	command := os.Getenv(hostVariable)
	if command == "none" {
		t.Skip("there is no Functions host here, says " + hostVariable)
	}
	if command == "" {
		command = "../../shared/tools/functions-host/func-host"
	}
	path, err := filepath.Abs(command)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		what := fmt.Sprintf("there is no Functions host: %v; %s says where its command is", err, hostVariable)
		if os.Getenv("CI") != "" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	return path
}

// eventsRule finds every event on each tick, which a rule of Sentinel with a
// schedule would do every five minutes at most.
const eventsRule = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Events
description: Test.
severity: Low
kind: NRT
query: Events_CL | project TimeGenerated, User
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: Name
        columnName: User
eventGroupingSettings:
  aggregationKind: AlertPerResult
version: 1.0.0
`

// packaged builds the zip that a function app is deployed from once, with the
// rule beside the shipped one.
var packaged = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "packaged")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	rules, out := filepath.Join(dir, "rules"), filepath.Join(dir, "pushback.zip")
	if err := os.Mkdir(rules, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(rules, "events.yaml"), []byte(eventsRule), 0o600); err != nil {
		return nil, err
	}
	if text, err := exec.Command("go", "run", "../infra/package", "-root", "..", "-rules", rules, "-version", "test", "-o", out).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("packaging: %w\n%s", err, text)
	}
	return os.ReadFile(out)
})

// eventCloud is a cloud with a table of events, which come while ticks run, and a
// channel of Teams. The Functions host calls at its own time, so the events are
// of the window that is queried first after they came.
type eventCloud struct {
	*cloudStandIn
	mu      sync.Mutex
	events  []event
	queries int            // of the rule
	cards   map[string]int // by user
	// asked, if set, sees each query of the rule before it is answered, with the
	// number of those before it. It says whether it answered it.
	asked func(n int, w http.ResponseWriter, r *http.Request) bool
	// posted, if set, sees each card before it is taken, and says whether it
	// refused it.
	posted func(w http.ResponseWriter, r *http.Request) bool
}

type event struct {
	user string
	at   time.Time
}

var eventSchema = kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "User", Type: kql.String}}

func newEventCloud(t testing.TB) *eventCloud {
	t.Helper()
	c := &eventCloud{cloudStandIn: newCloud(t), cards: map[string]int{}}
	c.setNow(time.Now())
	tables := []*kql.Table{kql.NewTableBuilder("Events_CL", eventSchema).Build()}
	for _, name := range []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"} {
		tables = append(tables, kql.NewTableBuilder(name, kql.KnownTables()[name]).Build())
	}
	c.service = &service.Service{DB: kql.NewDatabase(tables...), Now: time.Now}
	c.fault = c.query
	c.teams = c.post
	c.settle()
	return c
}

// happen has events of users arrive.
func (c *eventCloud) happen(users ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, user := range users {
		c.events = append(c.events, event{user: user})
	}
}

// onQuery and onCard set what sees queries and cards from now on.
func (c *eventCloud) onQuery(asked func(n int, w http.ResponseWriter, r *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = asked
}

func (c *eventCloud) onCard(posted func(http.ResponseWriter, *http.Request) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posted = posted
}

// seen returns how often cards about each user were posted.
func (c *eventCloud) seen() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]int{}
	for _, e := range c.events {
		seen[e.user] = c.cards[e.user]
	}
	return seen
}

// delivered reports whether there is a card about each user.
func (c *eventCloud) delivered() bool {
	for _, n := range c.seen() {
		if n == 0 {
			return false
		}
	}
	return true
}

// checkOnce expects one card about each user.
func (c *eventCloud) checkOnce() {
	c.t.Helper()
	for user, n := range c.seen() {
		if n != 1 {
			c.t.Errorf("%d cards about %s", n, user)
		}
	}
}

// query answers a query, of the rule or about how late records come.
func (c *eventCloud) query(_ int, w http.ResponseWriter, r *http.Request) bool {
	var body struct{ Query, Timespan string }
	text, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	if !strings.Contains(body.Query, "Events_CL") {
		return false
	}
	ofRule := strings.Contains(body.Query, "project TimeGenerated, User")
	c.mu.Lock()
	n, asked := c.queries, c.asked
	if ofRule {
		c.queries++
	}
	c.mu.Unlock()
	if ofRule && asked != nil && asked(n, w, r) {
		return true
	}
	c.mu.Lock()
	builder := kql.NewTableBuilder("Events_CL", eventSchema)
	for i := range c.events {
		if _, end, found := strings.Cut(body.Timespan, "/"); ofRule && found && c.events[i].at.IsZero() {
			if at, err := time.Parse(time.RFC3339, end); err == nil {
				c.events[i].at = at.Add(-time.Minute)
			}
		}
		if c.events[i].at.IsZero() {
			continue
		}
		builder.SetTime(0, c.events[i].at)
		builder.SetString(1, []byte(c.events[i].user))
		builder.Commit()
	}
	service := &service.Service{DB: kql.NewDatabase(builder.Build()), Now: time.Now}
	c.mu.Unlock()
	resp, err := service.Do(r)
	if err != nil {
		return true // whoever asked has gone
	}
	defer resp.Body.Close()
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
	return true
}

// post takes a card.
func (c *eventCloud) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	posted := c.posted
	c.mu.Unlock()
	if posted != nil && posted(w, r) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if bytes.Contains(body, []byte(e.user)) {
			c.cards[e.user]++
		}
	}
	w.WriteHeader(http.StatusAccepted)
}

// azureHost is the Functions host itself, on the packaged app.
type azureHost struct {
	t       testing.TB
	command string
	root    string // of the app
	id      string // of the host: those with the same one share the timer
	url     string
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the host has ended
	log     *outputBuffer
	began   time.Time
}

// firstHost has the first host unpack itself before others start.
var firstHost sync.Mutex

// newHost unpacks the app, with settings beside those that it needs, and does not
// start the host yet. Its ledger is in the table, or in the host's own storage if
// there is none.
func newHost(t testing.TB, c *eventCloud, table *ledgerTable, settings map[string]string) *azureHost {
	t.Helper()
	h := &azureHost{t: t, command: hostCommand(t), root: t.TempDir(), log: &outputBuffer{}}
	h.id = "h" + strings.ToLower(regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(filepath.Base(filepath.Dir(h.root)), ""))
	h.id = h.id[max(0, len(h.id)-30):]
	if err := adopt(); err != nil {
		t.Skipf("what the host leaves behind cannot be waited for: %v", err)
	}
	content, err := packaged()
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		h.unpack(f)
	}
	values := map[string]string{
		"AzureWebJobsStorage": azurite.Storage(t), "FUNCTIONS_WORKER_RUNTIME": "custom",
		"PUSHBACK_WORKSPACE_ID": standInWorkspace, "PUSHBACK_SCHEDULE": "*/3 * * * * *", "PUSHBACK_DELAY": "0s",
		"PUSHBACK_RULES": "rules/events.yaml", "PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0LXNpZ25hdHVyZQ",
	}
	for _, variable := range c.env() {
		name, value, _ := strings.Cut(variable, "=")
		values[name] = value
	}
	if table != nil {
		for name, value := range table.settings(azurite.Addr(t)) {
			values[name] = value
		}
	}
	for name, value := range settings {
		if values[name] = value; value == "" {
			delete(values, name)
		}
	}
	h.write("local.settings.json", map[string]any{"IsEncrypted": false, "Values": values})
	t.Cleanup(func() {
		for _, secret := range []string{"c2VjcmV0LXNpZ25hdHVyZQ", standInToken, standInIdentityHeader, azurite.Key} {
			if strings.Contains(h.log.String(), secret) {
				t.Error("a secret is in the host's log")
			}
		}
		if t.Failed() {
			out := h.log.String()
			t.Logf("the host's log ends with:\n%s", out[max(0, len(out)-12000):])
		}
	})
	return h
}

func (h *azureHost) unpack(f *zip.File) {
	h.t.Helper()
	to := filepath.Join(h.root, filepath.FromSlash(f.Name))
	from, err := f.Open()
	if err != nil {
		h.t.Fatal(err)
	}
	defer from.Close()
	content, err := io.ReadAll(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, content, f.Mode())
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *azureHost) write(name string, value any) {
	h.t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = os.WriteFile(filepath.Join(h.root, name), text, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// edit changes a file of the app.
func (h *azureHost) edit(name, old, new string) {
	h.t.Helper()
	path := filepath.Join(h.root, name)
	text, err := os.ReadFile(path)
	if err == nil && strings.Count(string(text), old) != 1 {
		err = fmt.Errorf("%s does not have one %s", name, old)
	}
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(text), old, new, 1)), 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// retryAtOnce has the host try a tick that failed again after two seconds, and
// not after the half minute of function.json.
func (h *azureHost) retryAtOnce() { h.edit("function-app/function.json", "00:00:30", "00:00:02") }

// start starts the host. The test ends it, and what it leaves behind: all of it
// is one process group.
func (h *azureHost) start() {
	h.t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	h.url = "http://127.0.0.1:" + port
	h.cmd = exec.Command(h.command, h.root, port)
	h.cmd.Env = []string{"TMPDIR=" + h.t.TempDir(), "AzureFunctionsWebHost__hostid=" + h.id}
	for _, name := range []string{"PATH", "HOME", "XDG_CACHE_HOME", "FUNC_HOST_HOME"} {
		if value, ok := os.LookupEnv(name); ok {
			h.cmd.Env = append(h.cmd.Env, name+"="+value)
		}
	}
	h.cmd.Stdout, h.cmd.Stderr = h.log, h.log
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.cmd.WaitDelay = 5 * time.Second
	firstHost.Lock()
	defer firstHost.Unlock()
	h.began = time.Now()
	if err := h.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	group, exited, cmd := h.cmd.Process.Pid, make(chan struct{}), h.cmd
	h.exited = exited
	go func() {
		_ = cmd.Wait() // it is killed, or stopped as the test says
		close(exited)
	}()
	h.t.Cleanup(func() {
		_ = syscall.Kill(-group, syscall.SIGKILL)
		<-exited
		for {
			if pid, err := syscall.Wait4(-group, nil, 0, nil); err != syscall.EINTR && pid <= 0 {
				break
			}
		}
	})
	h.wait("the host to listen", func() bool { return strings.Contains(h.log.String(), "Now listening on: "+h.url) })
}

// wait waits until something is so.
func (h *azureHost) wait(what string, so func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// signal sends the host a signal.
func (h *azureHost) signal(s syscall.Signal) {
	h.t.Helper()
	if err := h.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.t.Error(err)
	}
}

// handlers returns the ids of the handlers of the app that run.
func (h *azureHost) handlers() []int {
	var pids []int
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == filepath.Join(h.root, "bin/handler") {
			if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// killHandler kills the handler as the host's platform would, and waits until it
// is gone.
func (h *azureHost) killHandler() {
	pids := h.handlers()
	if len(pids) != 1 {
		h.t.Errorf("%d handlers run", len(pids))
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			h.t.Error(err)
		}
	}
	for deadline := time.Now().Add(time.Minute); slices.ContainsFunc(pids, func(pid int) bool { return slices.Contains(h.handlers(), pid) }); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Error("the handler outlives SIGKILL")
			return
		}
	}
}

// manual asks for a run by hand, as the README does.
func (h *azureHost) manual() {
	h.t.Helper()
	h.wait("a run by hand to be taken", func() bool {
		resp, err := http.Post(h.url+"/admin/functions/function-app", "application/json", strings.NewReader(`{"input":""}`))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusAccepted
	})
}

// tickByHand asks for a run by hand and waits until it has succeeded.
func (h *azureHost) tickByHand() {
	h.t.Helper()
	before := h.ended("Succeeded")
	h.manual()
	h.wait("the run by hand", func() bool { return h.ended("Succeeded") > before })
}

// hostEntry is an entry of the host's log.
type hostEntry struct{ level, category, text string }

var entryHead = regexp.MustCompile(`^(info|warn|fail|crit|dbug): (\S+)\[\d+\]$`)

// entries reads the host's log.
func (h *azureHost) entries() []hostEntry {
	var entries []hostEntry
	for line := range strings.Lines(h.log.String()) {
		line = strings.TrimRight(line, "\n")
		if m := entryHead.FindStringSubmatch(line); m != nil {
			entries = append(entries, hostEntry{level: m[1], category: m[2]})
		} else if text, ok := strings.CutPrefix(line, "      "); ok && len(entries) > 0 {
			last := &entries[len(entries)-1]
			last.text = strings.TrimPrefix(last.text+"\n"+text, "\n")
		}
	}
	return entries
}

// ended counts the invocations that ended so: Succeeded or Failed.
func (h *azureHost) ended(how string) int {
	return strings.Count(h.log.String(), "Executed 'Functions.function-app' ("+how)
}

// starts counts how often the host has started the handler.
func (h *azureHost) starts() int { return strings.Count(h.log.String(), `"msg":"listening"`) }

// ticks waits until so many more invocations have succeeded.
func (h *azureHost) ticks(more int) {
	h.t.Helper()
	want := h.ended("Succeeded") + more
	h.wait(fmt.Sprintf("%d ticks", more), func() bool { return h.ended("Succeeded") >= want })
}
