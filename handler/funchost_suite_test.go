//go:build linux && amd64

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pushback/detect/ledger/azurite"
)

// TestFunctionsHost runs the packaged app under the Functions host itself, with
// stand-ins for what it reaches in the cloud. The tests spend their time waiting
// for the host, so several run at once, the longest first.
func TestFunctionsHost(t *testing.T) {
	t.Parallel()
	hostCommand(t)
	const atOnce = 5
	type scenario struct {
		name string
		run  func(t *testing.T)
	}
	scenarios := make(chan scenario)
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for s := range scenarios {
				t.Run(s.name, s.run)
			}
		})
	}
	for _, s := range []scenario{
		{"memory", hostMemory},
		{"two hosts", hostPair},
		{"killed while it posts", hostKilledPosting},
		{"a workspace that fails", hostWorkspaceFails},
		{"killed in a query", hostKilledInQuery},
		{"killed while it records", hostKilledRecording},
		{"killed when it is done", hostKilledDone},
		{"function timeout", hostFunctionTimeout},
		{"host killed in a tick", hostKilledInTick},
		{"host stopped in a tick", hostStoppedInTick},
		{"cards", hostCards},
		{"quiet", hostQuiet},
		{"by hand in a tick", hostManual},
		{"no schedule", hostNoSchedule},
		{"no executable", hostNoExecutable},
		{"no run bit", hostNoRunBit},
		{"no setting", hostNoSetting},
		{"no storage", hostNoStorage},
	} {
		scenarios <- s
	}
	close(scenarios)
	running.Wait()
}

// hostCards has a tick post a card, the next ones nothing, and then one about an
// event that came late. The ledger is in the host's own storage, as in a local run.
func hostCards(t *testing.T) {
	c := newEventCloud(t)
	h := newHost(t, c, nil, nil)
	// Only in the emulator at its own ports does serve make the table.
	if r := command(t, map[string]string{"PUSHBACK_TABLE_CONNECTION": azurite.Storage(t)}, "outbox", "init"); r.code != exitDone {
		t.Fatalf("outbox init: %s", r.stderr)
	}
	c.happen("ana.example", "bob.example")
	h.start()
	h.wait("the cards", c.delivered)
	h.ticks(2)
	c.checkOnce()
	c.happen("late.example")
	h.wait("the late card", c.delivered)
	h.ticks(2)
	c.checkOnce()
	// What the host logs of the ticks can be read: a sentence of ours in each, and
	// lines of JSON.
	sentences := 0
	for _, e := range h.entries() {
		switch {
		case e.category == "Function.function-app.User":
			sentences++
			if !strings.HasPrefix(e.text, "tick 2") || strings.Contains(e.text, "\n") || strings.Contains(e.text, "{") {
				t.Errorf("not a sentence: %s", e.text)
			}
		case e.category == "Host.Function.Console":
			var l logLine
			if err := json.Unmarshal([]byte(e.text), &l); err != nil || l.Msg == "" {
				t.Errorf("no line of JSON: %s", e.text)
			}
		case e.level == "fail":
			t.Errorf("the host logs a failure: %s", e.text)
		}
	}
	if ticks := h.ended("Succeeded"); sentences < ticks {
		t.Errorf("%d sentences of %d ticks", sentences, ticks)
	}
}

// hostQuiet has ticks with nothing to do, each of which is one entry of the log.
// Then it stops the idle host as Ctrl-C in a terminal does.
func hostQuiet(t *testing.T) {
	c := newEventCloud(t)
	delay := time.Duration((time.Now().Minute()+30)%60) * time.Minute // so that the next window is due in half an hour
	h := newHost(t, c, newLedgerTable(t), map[string]string{"PUSHBACK_RULES": "", "PUSHBACK_DELAY": delay.String(), "PUSHBACK_SCHEDULE": "*/2 * * * * *"})
	h.start()
	h.ticks(4)
	var ticks [][]hostEntry
	for _, e := range h.entries() {
		switch {
		case strings.HasPrefix(e.text, "Executing 'Functions.function-app'"):
			ticks = append(ticks, nil)
		case len(ticks) > 0 && (e.category == "Function.function-app.User" || e.category == "Host.Function.Console"):
			ticks[len(ticks)-1] = append(ticks[len(ticks)-1], e)
		}
	}
	for _, entries := range ticks[1:4] { // the first one runs a window
		if len(entries) != 1 || entries[0].category != "Function.function-app.User" || !strings.HasSuffix(entries[0].text, ": nothing was due") {
			t.Errorf("a quiet tick logs %q", entries)
		}
	}
	if err := syscall.Kill(-h.cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-h.exited
	h.wait("the handler to end", func() bool { return len(h.handlers()) == 0 })
}

// hostWorkspaceFails has the workspace answer 500 until an invocation has failed:
// it says why, and is tried again after the half minute of function.json.
func hostWorkspaceFails(t *testing.T) {
	c := newEventCloud(t)
	h := newHost(t, c, newLedgerTable(t), nil)
	c.onQuery(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if h.ended("Failed") > 0 {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"error":{"code":"InternalServerError","message":"the stand-in is down"}}`))
		return true
	})
	c.happen("ana.example")
	h.start()
	h.wait("the card", c.delivered)
	h.ticks(1)
	c.checkOnce()
	var failed, id string
	tries := 0
	for _, e := range h.entries() {
		var l logLine
		if e.category == "Host.Function.Console" && json.Unmarshal([]byte(e.text), &l) == nil && l.Level == "ERROR" && l.Msg == "rule" {
			failed, id = l.Error, l.Invocation
		}
		if id != "" && strings.HasPrefix(e.text, "Executing") && strings.Contains(e.text, "Id="+id) {
			tries++ // after the first
		}
	}
	if !strings.Contains(failed, "the stand-in is down") || !strings.Contains(failed, "500") {
		t.Errorf("the log does not say why: %s", failed)
	}
	if tries != 1 || !strings.Contains(h.log.String(), ", retry 1 of 2: ") {
		t.Errorf("the invocation was tried %d times again", tries)
	}
}

// killedOnce returns a function that kills the handler the first time that it is
// called, frees what it held, and reports whether it did.
func killedOnce(h *azureHost, table *ledgerTable) func() bool {
	var done atomic.Bool
	return func() bool {
		if !done.CompareAndSwap(false, true) {
			return false
		}
		h.killHandler()
		table.endLeases() // which would last for minutes
		return true
	}
}

// startedAgain waits until the handler was killed and started again so often, and
// all cards are there.
func startedAgain(t *testing.T, c *eventCloud, h *azureHost, kills int) {
	t.Helper()
	h.wait("the handler to be started again", func() bool { return h.starts() == 1+kills })
	h.wait("the cards", c.delivered)
	h.ticks(2)
	c.checkOnce()
	if n := h.starts(); n != 1+kills {
		t.Errorf("it was started %d times", n)
	}
}

func hostKilledInQuery(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, nil)
	h.retryAtOnce()
	kill := killedOnce(h, table)
	c.happen("ana.example")
	c.onQuery(func(int, http.ResponseWriter, *http.Request) bool { return kill() })
	h.start()
	startedAgain(t, c, h, 1)
	c.onQuery(nil)
	h.killHandler() // between two ticks, most likely
	table.endLeases()
	c.happen("bob.example")
	startedAgain(t, c, h, 2)
}

// hostKilledRecording kills the handler before the ledger has its alerts, and
// after it has them.
func hostKilledRecording(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	var before, after func() bool
	proxy := azurite.NewProxy(t, func(r *http.Request) *azurite.Fault {
		switch name := requestName(r); {
		case !strings.HasPrefix(name, "transaction") || !strings.Contains(name, "seen"):
		case before():
			return &azurite.Fault{Name: "killed before"}
		default:
			return &azurite.Fault{Name: "perhaps killed after", After: true, Hit: func() { after() }}
		}
		return nil
	})
	h := newHost(t, c, table, map[string]string{"PUSHBACK_TABLE_CONNECTION": azurite.Connection(proxy.Addr)})
	h.retryAtOnce()
	before, after = killedOnce(h, table), killedOnce(h, table)
	c.happen("ana.example")
	h.start()
	h.wait("both kills", func() bool { return proxy.Hits()["killed before"] > 0 && proxy.Hits()["perhaps killed after"] > 0 })
	proxy.Set(nil)
	startedAgain(t, c, h, 2)
}

// hostKilledPosting kills the handler before Teams has taken its card. The alert
// is claimed then, and its claim has to end.
func hostKilledPosting(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, nil)
	h.retryAtOnce()
	kill := killedOnce(h, table)
	c.happen("ana.example")
	c.onCard(func(http.ResponseWriter, *http.Request) bool { return kill() })
	h.start()
	startedAgain(t, c, h, 1)
}

// hostKilledDone kills the handler when the ledger knows that the card was sent,
// and when the tick was answered.
func hostKilledDone(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	var kill func() bool
	hit := make(chan struct{})
	once := sync.OnceFunc(func() { close(hit) })
	proxy := azurite.NewProxy(t, func(r *http.Request) *azurite.Fault {
		if name := requestName(r); !strings.Contains(name, "sent") || !c.delivered() {
			return nil
		}
		return &azurite.Fault{Name: "killed", After: true, Hit: func() { kill(); once() }}
	})
	h := newHost(t, c, table, map[string]string{"PUSHBACK_TABLE_CONNECTION": azurite.Connection(proxy.Addr)})
	h.retryAtOnce()
	kill = killedOnce(h, table)
	c.happen("ana.example")
	h.start()
	h.wait("the note of the card", func() bool {
		select {
		case <-hit:
			return true
		default:
			return false
		}
	})
	proxy.Set(nil)
	startedAgain(t, c, h, 1)
	h.ticks(1)
	h.killHandler()
	table.endLeases()
	c.happen("bob.example")
	startedAgain(t, c, h, 2)
}

// hostKilledInTick kills the host in a tick. The handler finishes what it does,
// gives up its lease and ends; the next host goes on.
func hostKilledInTick(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, nil)
	reached, release := make(chan struct{}), make(chan struct{})
	c.onQuery(func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 0 {
			close(reached)
			<-release
		}
		return false
	})
	c.happen("ana.example")
	h.start()
	<-reached
	h.signal(syscall.SIGKILL)
	<-h.exited
	began := time.Now()
	close(release)
	h.wait("the handler to end", func() bool { return len(h.handlers()) == 0 })
	t.Logf("the handler ended %s after its host", time.Since(began).Round(time.Millisecond))
	if !c.delivered() {
		t.Error("it did not finish what it did")
	}
	nextHost(c, h)
}

// nextHost starts the host again, which goes on where the handler before it ended.
// It is asked for runs by hand, since its timer waits for the lock of the one
// before.
func nextHost(c *eventCloud, h *azureHost) {
	h.t.Helper()
	h.start()
	h.tickByHand()
	c.happen("bob.example")
	h.tickByHand()
	// A run that the timer began can end in the place of the one by hand.
	h.wait("all that happened to be delivered", c.delivered)
	h.tickByHand()
	c.checkOnce()
}

// hostStoppedInTick stops the host in a tick of 15 seconds, which is more than it
// waits.
func hostStoppedInTick(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, nil)
	reached := make(chan struct{})
	c.onQuery(func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if n > 0 {
			return false
		}
		close(reached)
		select {
		case <-time.After(15 * time.Second):
		case <-r.Context().Done():
		}
		return false
	})
	c.happen("ana.example")
	h.start()
	<-reached
	h.signal(syscall.SIGINT)
	<-h.exited
	began := time.Now()
	h.wait("the handler to end", func() bool { return len(h.handlers()) == 0 })
	t.Logf("the handler ended %s after its host", time.Since(began).Round(time.Millisecond))
	nextHost(c, h)
}

// hostPair has two hosts share a storage: one ticks. When it is killed, in a tick,
// the other takes over as soon as the timer's lock has run out.
func hostPair(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	one, other := newHost(t, c, table, nil), newHost(t, c, table, nil)
	other.id = one.id
	c.happen("ana.example")
	one.start()
	one.wait("the card", c.delivered)
	other.start()
	one.ticks(2)
	if n := other.ended("Succeeded"); n > 0 {
		t.Errorf("the other host ticks too, %d times", n)
	}
	other.manual() // which goes beside the one's ticks all the same
	other.ticks(1)
	c.checkOnce()
	reached, release := make(chan struct{}), make(chan struct{})
	var first atomic.Bool
	c.onQuery(func(int, http.ResponseWriter, *http.Request) bool {
		if first.CompareAndSwap(false, true) {
			close(reached)
			<-release
		}
		return false
	})
	c.happen("bob.example")
	<-reached
	one.signal(syscall.SIGKILL)
	<-one.exited
	close(release)
	began := time.Now()
	c.happen("cleo.example")
	other.wait("the other host to take over", func() bool { return strings.Contains(other.log.String(), "Timer fired at") })
	t.Logf("the other host took over after %s", time.Since(began).Round(time.Second))
	other.wait("the cards", c.delivered)
	other.ticks(2)
	c.checkOnce()
	if n := len(one.handlers()); n > 0 {
		t.Error("the handler of the host that was killed lives on")
	}
}

// hostManual asks for a run by hand in a tick: it waits for its turn, and each
// card comes once.
func hostManual(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, nil)
	reached, release := make(chan struct{}), make(chan struct{})
	c.onQuery(func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 0 {
			close(reached)
			<-release
		}
		return false
	})
	c.happen("ana.example", "bob.example")
	h.start()
	<-reached
	h.manual()
	h.wait("the run by hand", func() bool { return strings.Contains(h.log.String(), "programmatically called") })
	close(release)
	h.wait("the sentence of the run by hand", func() bool { return strings.Contains(h.log.String(), ", run by hand: ") })
	h.ticks(1)
	c.checkOnce()
	if n := h.ended("Failed"); n > 0 {
		t.Errorf("%d invocations failed", n)
	}
}

// hostFunctionTimeout has a tick outlast the time that host.json gives it.
func hostFunctionTimeout(t *testing.T) {
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, nil)
	h.retryAtOnce()
	h.edit("host.json", "00:10:00", "00:00:10")
	c.onQuery(func(n int, _ http.ResponseWriter, r *http.Request) bool {
		if n > 0 {
			return false
		}
		<-r.Context().Done() // the handler was killed
		table.endLeases()
		return true
	})
	c.happen("ana.example")
	h.start()
	startedAgain(t, c, h, 1)
	if !strings.Contains(h.log.String(), "Timeout value of 00:00:10 exceeded") {
		t.Error("the host did not run out of patience")
	}
}

// hostMemory runs 200 ticks of a second, of which every tenth has something to
// post. The handler must take no more memory at the end than after the first
// fifty.
func hostMemory(t *testing.T) {
	const ticks, warm = 200, 50
	c, table := newEventCloud(t), newLedgerTable(t)
	h := newHost(t, c, table, map[string]string{"PUSHBACK_SCHEDULE": "* * * * * *"})
	c.happen("user0.example")
	h.start()
	h.wait("the first tick", func() bool { return h.ended("Succeeded") > 0 })
	first := time.Since(h.began)
	pids := h.handlers()
	if len(pids) != 1 {
		t.Fatalf("%d handlers run", len(pids))
	}
	var early, late float64
	for n := 10; n <= ticks; n += 10 {
		h.wait("ten ticks", func() bool { return h.ended("Succeeded") >= n })
		c.happen(fmt.Sprintf("user%d.example", n))
		switch n {
		case warm:
			early = peakMegabytes(t, pids[0])
		case ticks:
			late = peakMegabytes(t, pids[0])
		}
	}
	h.wait("the cards", c.delivered)
	h.ticks(1)
	c.checkOnce()
	if h.starts() != 1 || h.ended("Failed") > 0 {
		t.Errorf("%d starts, %d failed ticks", h.starts(), h.ended("Failed"))
	}
	t.Logf("from the host's start to the end of the first tick %s, of which the handler took %s until it listened; at its peak it had %.1f MB after %d ticks and %.1f MB after %d",
		first.Round(time.Millisecond), h.handlerStart(pids[0]).Round(time.Millisecond), early, warm, late, ticks)
	if late > early*1.1+2 {
		t.Errorf("the handler grew from %.1f to %.1f MB", early, late)
	}
}

// handlerStart returns how long the handler took from its start until it listened.
func (h *azureHost) handlerStart(pid int) time.Duration {
	h.t.Helper()
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid)))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range h.entries() {
		var line struct {
			Time time.Time
			Msg  string
		}
		if json.Unmarshal([]byte(e.text), &line) == nil && line.Msg == "listening" {
			return line.Time.Sub(info.ModTime())
		}
	}
	h.t.Error("the handler does not say that it listens")
	return 0
}

// missing starts the host without something and expects what the README says of
// it in its log.
func missing(t *testing.T, h *azureHost, says ...string) {
	t.Helper()
	readme := documented(t)
	h.start()
	for _, text := range says {
		if !strings.Contains(readme, text) {
			t.Errorf("no README says %q", text)
		}
		h.wait(text, func() bool { return strings.Contains(h.log.String(), text) })
	}
}

func hostNoSchedule(t *testing.T) {
	h := newHost(t, newEventCloud(t), newLedgerTable(t), map[string]string{"PUSHBACK_SCHEDULE": ""})
	missing(t, h, "The 'function-app' function is in error:", "'%PUSHBACK_SCHEDULE%' does not resolve to a value.")
	if len(h.handlers()) != 1 {
		t.Error("the handler does not run on")
	}
}

func hostNoExecutable(t *testing.T) {
	h := newHost(t, newEventCloud(t), newLedgerTable(t), nil)
	if err := os.Remove(filepath.Join(h.root, "bin/handler")); err != nil {
		t.Fatal(err)
	}
	missing(t, h, "Failed to start Worker Channel. Process fileName: bin/handler")
	h.wait("a tick that hangs", func() bool { return strings.Contains(h.log.String(), "Executing 'Functions.function-app'") })
	if n := h.ended(""); n > 0 {
		t.Errorf("%d ticks ended", n)
	}
}

func hostNoRunBit(t *testing.T) {
	h := newHost(t, newEventCloud(t), newLedgerTable(t), nil)
	if err := os.Chmod(filepath.Join(h.root, "bin/handler"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.start()
	h.wait("the host to say why", func() bool {
		return strings.Contains(h.log.String(), "Failed to start Worker Channel. Process fileName: "+filepath.Join(h.root, "bin/handler")) && strings.Contains(h.log.String(), "Permission denied")
	})
}

func hostNoSetting(t *testing.T) {
	h := newHost(t, newEventCloud(t), newLedgerTable(t), map[string]string{"PUSHBACK_WORKSPACE_ID": ""})
	missing(t, h, "not ready: every invocation fails until this is put right")
	h.wait("a tick that fails", func() bool { return h.ended("Failed") > 0 })
	if !strings.Contains(h.log.String(), "the setting PUSHBACK_WORKSPACE_ID is not set") {
		t.Error("the log does not name the setting")
	}
}

func hostNoStorage(t *testing.T) {
	nowhere := "DefaultEndpointsProtocol=http;AccountName=" + azurite.Account + ";AccountKey=" + azurite.Key +
		";BlobEndpoint=http://127.0.0.1:1/x;QueueEndpoint=http://127.0.0.1:1/x;TableEndpoint=http://127.0.0.1:1/" + azurite.Account + ";"
	h := newHost(t, newEventCloud(t), nil, map[string]string{"AzureWebJobsStorage": nowhere})
	missing(t, h, "connection refused", "The listener for function 'Functions.function-app' was unable to start.")
}
