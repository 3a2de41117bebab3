//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
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

// parentVariable has this test's binary be the parent of the process whose
// command line follows: it reads its output, and lives until it is killed.
const parentVariable = "PROCESS_PARENT"

func init() {
	if os.Getenv(parentVariable) == "" {
		return
	}
	os.Unsetenv(parentVariable)
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	// The output goes through a pipe that only this process reads, to its own.
	cmd.Stdout, cmd.Stderr = struct{ *os.File }{os.Stdout}, struct{ *os.File }{os.Stderr}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := os.WriteFile(os.Getenv("PROCESS_PARENT_OF"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = cmd.Wait()
	select {}
}

// adopt has this process be the parent of what its children leave behind, so
// that it can wait for it as it can for them.
var adopt = sync.OnceValue(func() error {
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0); errno != 0 {
		return errno
	}
	return nil
})

// waitOrphan waits for a process that was left behind, and returns its exit code.
func waitOrphan(t testing.TB, pid int) int {
	t.Helper()
	timeout := time.AfterFunc(time.Minute, func() {
		t.Error("the orphan lives on")
		_ = syscall.Kill(pid, syscall.SIGKILL)
	})
	defer timeout.Stop()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(pid, &status, 0, nil)
		if err == nil {
			return status.ExitStatus()
		}
		if err != syscall.EINTR {
			t.Fatalf("waiting for the orphan: %v", err)
		}
	}
}

// orphaned is the process below a parent of its own.
type orphaned struct {
	*functionsHost
	parent *exec.Cmd
	pid    int
}

// startOrphan starts the process below a parent that the test can kill.
func startOrphan(t *testing.T, c *cloudStandIn, settings map[string]string) *orphaned {
	t.Helper()
	if err := adopt(); err != nil {
		t.Skipf("what is left behind cannot be waited for: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := &orphaned{functionsHost: startHost(t, c, settings)}
	o.stop()
	pidFile := filepath.Join(t.TempDir(), "pid")
	o.env = append(o.env, parentVariable+"=1", "PROCESS_PARENT_OF="+pidFile)
	o.wrap = []string{self}
	o.start()
	o.parent = o.cmd
	text, err := os.ReadFile(pidFile)
	if err == nil {
		o.pid, err = strconv.Atoi(string(text))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if o.pid > 0 { // the test failed before it was waited for
			_ = syscall.Kill(o.pid, syscall.SIGKILL)
			waitOrphan(t, o.pid)
		}
	})
	return o
}

// orphan kills the parent.
func (o *orphaned) orphan() {
	o.t.Helper()
	if err := o.parent.Process.Kill(); err != nil {
		o.t.Error(err)
	}
	<-o.exited
}

// ends waits for the process that was left behind.
func (o *orphaned) ends() {
	o.t.Helper()
	code := waitOrphan(o.t, o.pid)
	o.pid = 0
	if code != exitOrphaned {
		o.t.Errorf("the orphan ended with %d", code)
	}
}

// TestProcessOrphaned kills the host of a process that is idle, is in a query, in
// one that does not end, or is posting a card. The process writes into a log that
// nobody reads, finishes what it began, gives up its lease and ends. The next one
// goes on at once: nothing is lost, and nothing is posted twice.
func TestProcessOrphaned(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		// ticking has a tick run, and stuck its query not end. posting kills the
		// host while a card is on its way.
		ticking, stuck, posting bool
	}{
		{name: "idle"},
		{name: "in a query", ticking: true},
		{name: "in a query that does not end", ticking: true, stuck: true},
		{name: "while it posts a card", ticking: true, posting: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			var mu sync.Mutex
			cards := map[string]int{}
			var first atomic.Bool
			reached, release := make(chan struct{}), make(chan struct{})
			wait := func() {
				if tc.ticking && first.CompareAndSwap(false, true) {
					close(reached)
					<-release
				}
			}
			c.fault = func(int, http.ResponseWriter, *http.Request) bool {
				if !tc.posting {
					wait()
				}
				return false
			}
			c.teams = func(w http.ResponseWriter, r *http.Request) {
				if tc.posting {
					wait()
				}
				var body bytes.Buffer
				if _, err := body.ReadFrom(r.Body); err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				cards[body.String()]++
				w.WriteHeader(http.StatusAccepted)
			}
			settings := newLedgerTable(t).settings(azurite.Addr(t))
			settings["PUSHBACK_TEAMS_WEBHOOK_URL"] = "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0LXNpZ25hdHVyZQ"
			o := startOrphan(t, c, settings)
			if tc.ticking {
				c.setNow(at(11, 5))
				go func() { // its host will not get the answer
					if resp, err := o.client.Post(o.url+functionPath, "application/json", strings.NewReader(timerBody(at(11, 5), 0))); err == nil {
						resp.Body.Close()
					}
				}()
				<-reached
			}
			o.orphan()
			if tc.ticking && !tc.stuck {
				close(release)
			}
			o.ends()
			if tc.stuck {
				close(release)
			}
			mu.Lock()
			before := len(cards)
			mu.Unlock()
			if finished := tc.ticking && !tc.stuck; finished != (before > 0) {
				t.Errorf("%d cards were posted before the process ended", before)
			}
			next := startHost(t, c, settings)
			next.tick(c, at(11, 6), http.StatusOK)
			next.stop()
			// What the first could not write into its log, the next one does.
			alerts := append(alertLines(t, o.stdout.String()), next.logged("alert")...)
			checkTold(t, alerts, at(10, 0), at(11, 0), at(11, 5))
			mu.Lock()
			defer mu.Unlock()
			for _, n := range cards {
				if n != 1 {
					t.Errorf("a card was posted %d times", n)
				}
			}
			if len(cards) == 0 || len(cards) != len(alerts) {
				t.Errorf("%d cards for %d alerts", len(cards), len(alerts))
			}
		})
	}
}

// TestOrphanedFrom looks who the parent is: process 1, or another that adopts what
// is left behind.
func TestOrphanedFrom(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		startedBy, now int
		known, gone    bool
	}{
		{startedBy: 1, now: 1},
		{startedBy: 40, now: 40, known: true},
		{startedBy: 40, now: 1, known: true, gone: true},
		{startedBy: 40, now: 7, known: true, gone: true},
	} {
		gone := orphanedFrom(tc.startedBy, func() int { return tc.now })
		if (gone != nil) != tc.known || gone != nil && gone() != tc.gone {
			t.Errorf("%+v", tc)
		}
	}
}
