package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"pushback/detect/ledger/azurite"
	"pushback/detect/rule"
	"pushback/infra/binary"
)

// built builds the binary once, as what ships is built.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "pushback")
	if err != nil {
		return "", err
	}
	builtDir = dir
	target := binary.Target{}
	bin := filepath.Join(dir, target.Name())
	version, err := binary.Describe("..")
	if err != nil {
		return "", err
	}
	return bin, binary.Compile("..", bin, version, target)
})

var builtDir string

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for processes rather than compute.
	if err := flag.Set("test.parallel", strconv.Itoa(max(6, 2*runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	if err := os.Unsetenv("COLUMNS"); err != nil { // outputs are compared at the usual width
		panic(err)
	}
	code := azurite.Run(m)
	if builtDir != "" {
		if err := os.RemoveAll(builtDir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// functionsHost stands in for the Functions host: it starts the binary as
// host.json says, waits until it answers, and posts invocations.
type functionsHost struct {
	t              testing.TB
	root           string   // the folder of host.json
	env            []string // beside what start adds
	wrap           []string // what runs the binary, if it is not run itself
	url            string
	cmd            *exec.Cmd
	process        atomic.Pointer[os.Process] // cmd's, for other goroutines
	exited         chan struct{}              // closed when the process ended
	exit           error                      // how, then
	stdout, stderr *outputBuffer
	client         *http.Client
}

// outputBuffer is a buffer that may be read while a process writes it.
type outputBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
	// wrote, if set, is called with each write after it.
	wrote func(p []byte)
}

func (b *outputBuffer) Write(p []byte) (int, error) {
	if b.wrote != nil {
		defer b.wrote(p)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *outputBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startHost lays out a function app and starts it against a cloud, with
// settings beside the workspace's id. The test ends it.
// oneRule has the first of the shipped rules run alone, for tests that count what
// one rule does. What is given is added.
func oneRule(more ...map[string]string) map[string]string {
	settings := map[string]string{"PUSHBACK_RULES": rule.ShippedNames()[0]}
	for _, m := range more {
		maps.Copy(settings, m)
	}
	return settings
}

func startHost(t testing.TB, c *cloudStandIn, settings map[string]string) *functionsHost {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	h := &functionsHost{t: t, root: t.TempDir(), stdout: &outputBuffer{}, stderr: &outputBuffer{}, client: &http.Client{Transport: &http.Transport{}}}
	for _, file := range []string{"host.json", "function-app/function.json"} {
		h.copy("../"+file, file)
	}
	h.link(bin, h.executable())

	h.env = append(c.env(), "PUSHBACK_SCHEDULE=0 */5 * * * *")
	if _, ok := settings["PUSHBACK_TABLE_CONNECTION"]; !ok {
		h.env = append(h.env, "PUSHBACK_TABLE_CONNECTION="+inMemory)
	}
	if _, ok := settings["PUSHBACK_WORKSPACE_ID"]; !ok {
		h.env = append(h.env, "PUSHBACK_WORKSPACE_ID="+standInWorkspace)
	}
	for k, v := range settings {
		h.env = append(h.env, k+"="+v)
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		h.env = append(h.env, name+"="+os.Getenv(name))
	}
	h.start()
	t.Cleanup(func() {
		select {
		case <-h.exited:
		default:
			h.stop()
		}
		for name, out := range map[string]string{"stdout": h.stdout.String(), "stderr": h.stderr.String()} {
			for _, secret := range h.secrets() {
				if strings.Contains(out, secret) {
					t.Errorf("a secret is on %s", name)
				}
			}
			if t.Failed() {
				t.Logf("%s ends with:\n%s", name, out[max(0, len(out)-8000):])
			}
		}
	})
	return h
}

// secrets are the values that must not leave the process.
func (h *functionsHost) secrets() []string {
	secrets := []string{standInToken, standInIdentityHeader, azurite.Key}
	for _, variable := range h.env {
		if key, ok := strings.CutPrefix(variable, "PUSHBACK_WEBHOOK_SECRET="); ok {
			secrets = append(secrets, strings.TrimPrefix(key, "whsec_"))
		}
		if address, err := url.Parse(strings.TrimPrefix(variable, "PUSHBACK_WEBHOOK_URL=")); err == nil && address.Query().Has("code") {
			secrets = append(secrets, address.Query().Get("code"))
		}
		if address, err := url.Parse(strings.TrimPrefix(variable, "PUSHBACK_TEAMS_WEBHOOK_URL=")); err == nil && address.Query().Has("sig") {
			secrets = append(secrets, address.Query().Get("sig"))
		}
	}
	return secrets
}

func (h *functionsHost) copy(from, to string) {
	h.t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		to = filepath.Join(h.root, to)
		if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
			err = os.WriteFile(to, data, 0o755)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// link is copy for the binary. A file that was written here could still be open
// in a process that another test is starting, and then it cannot be run.
func (h *functionsHost) link(from, to string) {
	h.t.Helper()
	to = filepath.Join(h.root, to)
	err := os.MkdirAll(filepath.Dir(to), 0o755)
	if err == nil {
		err = os.Symlink(from, to)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// executable returns the path of the binary as host.json has it.
func (h *functionsHost) executable() string {
	var host hostJSON
	text, err := os.ReadFile(filepath.Join(h.root, "host.json"))
	if err == nil {
		err = json.Unmarshal(text, &host)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return host.CustomHandler.Description.DefaultExecutablePath
}

// start runs the binary and waits until it answers, as the host does.
func (h *functionsHost) start() {
	h.t.Helper()
	for range 3 { // somebody else may take the free port in between
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			h.t.Fatal(err)
		}
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		l.Close()

		h.url = "http://127.0.0.1:" + port
		command := append(slices.Clone(h.wrap), filepath.Join(h.root, h.executable()))
		h.cmd = exec.Command(command[0], command[1:]...)
		h.cmd.Dir = h.root
		worker := uuid.NewString()
		h.cmd.Env = append(append([]string{}, h.env...),
			"FUNCTIONS_CUSTOMHANDLER_PORT="+port, "FUNCTIONS_HTTPWORKER_PORT="+port,
			"FUNCTIONS_CUSTOMHANDLER_WORKER_ID="+worker, "FUNCTIONS_HTTPWORKER_ID="+worker,
			"FUNCTIONS_APP_ROOT_PATH="+h.root)
		h.cmd.Stdout, h.cmd.Stderr = h.stdout, h.stderr
		h.process.Store(nil)
		if err := h.cmd.Start(); err != nil {
			h.t.Fatal(err)
		}
		h.process.Store(h.cmd.Process)
		h.exited = make(chan struct{})
		go func(cmd *exec.Cmd, exited chan struct{}) {
			h.exit = cmd.Wait()
			close(exited)
		}(h.cmd, h.exited)
		if h.ping() {
			return
		}
	}
	h.t.Fatalf("the process does not answer\n%s%s", h.stdout, h.stderr)
}

// ping asks until there is an answer, for 30 seconds at most.
func (h *functionsHost) ping() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/", nil)
		if err != nil {
			h.t.Fatal(err)
		}
		if resp, err := h.client.Do(req); err == nil {
			resp.Body.Close()
			return true
		}
		select {
		case <-h.exited:
			return false
		case <-ctx.Done():
			h.kill()
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

// stop ends the process by a signal, and expects it to end well.
func (h *functionsHost) stop() {
	h.t.Helper()
	h.terminate()
	h.ended()
}

func (h *functionsHost) terminate() {
	h.t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		h.t.Errorf("SIGTERM: %v", err)
	}
}

// ended waits for the process, which must have ended in order after SIGTERM.
func (h *functionsHost) ended() {
	h.t.Helper()
	h.endedWith(exitSignal + int(syscall.SIGTERM))
}

// endedWith waits for the process, which must have ended with an exit code. It is
// never 0, with which the host would not start it again.
func (h *functionsHost) endedWith(code int) {
	h.t.Helper()
	select {
	case <-h.exited:
		var exit *exec.ExitError
		if !errors.As(h.exit, &exit) || exit.ExitCode() != code {
			h.t.Errorf("the process ended with %v, want exit status %d\n%s", h.exit, code, h.stderr)
		}
	case <-time.After(60 * time.Second):
		h.kill()
		h.t.Error("the process does not end")
	}
}

func (h *functionsHost) kill() {
	if err := h.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.t.Error(err)
	}
	<-h.exited
}

// invoked is how an invocation ended.
type invoked struct {
	status int
	body   string
	answer struct {
		Outputs     map[string]any
		Logs        []string
		ReturnValue *summary
	}
	refusal refusal
}

// windows lists the windows of all rules that ran, as their ends.
func (i invoked) windows() []string {
	var ends []string
	for _, r := range i.answer.ReturnValue.Rules {
		for _, w := range r.Windows {
			ends = append(ends, w.End.Format("15:04"))
		}
	}
	return ends
}

// timerBody is what the host posts for a tick: with the timer as an object or,
// as it also may be, a string.
func timerBody(now time.Time, retry int) string {
	timer := `{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}`
	if now.Minute()%2 == 0 {
		timer = fmt.Sprintf(`{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":%q,"LastUpdated":%[1]q,"Next":%q},"IsPastDue":false}`,
			now.Add(-5*time.Minute).Format("2006-01-02T15:04:05.0000000-07:00"), now.Format("2006-01-02T15:04:05-07:00"))
		timer = strconv.Quote(timer)
	}
	metadata := ""
	if retry > 0 {
		metadata = fmt.Sprintf(`,"RetryContext":{"RetryCount":%d,"MaxRetryCount":2}`, retry)
	}
	return fmt.Sprintf(`{"Data":{"timer":%s},"Metadata":{"sys":{"MethodName":"function-app","UtcNow":%q,"RandGuid":%q}%s}}`,
		timer, now.UTC().Format("2006-01-02T15:04:05.0000000Z"), uuid.NewString(), metadata)
}

// post sends a body to the function. wrote, if not nil, is called when the
// request was sent.
func (h *functionsHost) post(body string, wrote func()) invoked {
	ctx := context.Background()
	if wrote != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { wrote() }})
	}
	var got invoked
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+functionPath, strings.NewReader(body))
	if err != nil {
		h.t.Error(err)
		return got
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("X-Azure-Functions-InvocationId", uuid.NewString())
	req.Header.Set("X-Azure-Functions-HostVersion", "4.1041.200.25360")
	req.Header.Set("User-Agent", "Azure-Functions-Host/4.1041.200.25360")
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Errorf("invocation: %v", err)
		return got
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Errorf("invocation: %v", err)
	}
	got.status, got.body = resp.StatusCode, string(text)
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") || !strings.HasPrefix(got.body, "{") {
		h.t.Errorf("the host would not take this: %d %s %s", got.status, kind, text)
	}
	for _, secret := range h.secrets() {
		if strings.Contains(got.body, secret) {
			h.t.Error("a secret is in an answer")
		}
	}
	target := any(&got.refusal)
	if got.status == http.StatusOK {
		target = &got.answer
	}
	if err := json.Unmarshal(text, target); err != nil {
		h.t.Errorf("invocation answered %d %s: %v", got.status, text, err)
	}
	if got.status == http.StatusOK && (got.answer.Outputs == nil || len(got.answer.Logs) != 1 || got.answer.ReturnValue == nil) {
		h.t.Errorf("the host would not take this: %s", text)
	}
	return got
}

// tick invokes the function at a time, which is also the cloud's, and expects
// a status.
func (h *functionsHost) tick(c *cloudStandIn, now time.Time, status int) invoked {
	h.t.Helper()
	return h.retry(c, now, 0, status)
}

func (h *functionsHost) retry(c *cloudStandIn, now time.Time, retry, status int) invoked {
	h.t.Helper()
	c.setNow(now)
	got := h.post(timerBody(now, retry), nil)
	if got.status != status {
		h.t.Fatalf("tick at %s: status %d, want %d\n%s", now.Format("15:04"), got.status, status, got.body)
	}
	return got
}

// logLine is a line of the log.
type logLine struct {
	Level      string
	Msg        string
	ID         string
	Invocation string
	Rule       string
	Title      string
	UpdateOf   string // the alert that it brings news of
	Error      string
	Errors     []string
	Manual     bool
	PastDue    bool
	Retry      int
	MaxRetries int
	Details    map[string][]string
}

// log reads what the process wrote, errors last.
func (h *functionsHost) log() []logLine {
	h.t.Helper()
	var lines []logLine
	for line := range strings.Lines(h.stdout.String() + h.stderr.String()) {
		var l logLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			h.t.Errorf("a line of the log is no JSON: %s", line)
		}
		lines = append(lines, l)
	}
	for line := range strings.Lines(h.stderr.String()) {
		if !strings.Contains(line, `"level":"ERROR"`) {
			h.t.Errorf("no error, but on stderr: %s", line)
		}
	}
	return lines
}

// logged returns the lines with a message.
func (h *functionsHost) logged(msg string) []logLine {
	h.t.Helper()
	var lines []logLine
	for _, l := range h.log() {
		if l.Msg == msg {
			lines = append(lines, l)
		}
	}
	return lines
}
