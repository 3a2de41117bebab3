package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pushback/detect/workspace"
)

// TestProcessExitCodes ends the process by a signal, idle and in a tick. The
// tick comes to its end, and the code is one with which the host starts it
// again.
func TestProcessExitCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		signal syscall.Signal
		code   int
	}{
		{syscall.SIGTERM, 143}, {syscall.SIGINT, 130}, {syscall.SIGHUP, 129},
	} {
		for _, ticking := range []bool{false, true} {
			name := tc.signal.String()
			if ticking {
				name += " in a tick"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := newCloud(t)
				querying, release := make(chan struct{}), make(chan struct{})
				c.fault = func(int, http.ResponseWriter, *http.Request) bool {
					close(querying)
					<-release
					return false
				}
				h := startHost(t, c, oneRule())
				result := make(chan invoked, 1)
				if ticking {
					c.setNow(at(11, 5))
					go func() { result <- h.post(timerBody(at(11, 5), 0), nil) }()
					<-querying
				}
				if err := h.cmd.Process.Signal(tc.signal); err != nil {
					t.Fatal(err)
				}
				if ticking {
					// It is refused once the signal is there, and waits until then.
					if got := h.post(timerBody(at(11, 10), 0), nil); got.status != http.StatusServiceUnavailable {
						t.Errorf("%d %s", got.status, got.body)
					}
					close(release)
					if got := <-result; got.status != http.StatusOK {
						t.Errorf("%d %s", got.status, got.body)
					}
				}
				h.endedWith(tc.code)
				if lines := h.logged("stopping"); len(lines) != 1 || len(h.logged("stopped")) != 1 {
					t.Errorf("%d lines about the stop", len(lines))
				}
			})
		}
	}
}

// TestProcessPortTaken starts the process at a port that another listens on.
func TestProcessPortTaken(t *testing.T) {
	t.Parallel()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	cmd := exec.Command(bin)
	cmd.Env = []string{portVariable + "=" + port}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), "address already in use") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestServeEnds has serve end for each reason, and wants its exit code.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		open func(context.Context) (*opened, error)
		end  func(end context.CancelCauseFunc, l net.Listener)
		code int
		logs string
	}{
		{name: "the listener breaks", end: func(_ context.CancelCauseFunc, l net.Listener) { l.Close() }, code: 1},
		{name: "a signal", end: func(end context.CancelCauseFunc, _ net.Listener) { end(&signalError{syscall.SIGTERM}) }, code: 143, logs: "signal: terminated"},
		{name: "the host is gone", end: func(end context.CancelCauseFunc, _ net.Listener) { end(errOrphaned) }, code: 75, logs: "is gone"},
		{name: "a panic in the set-up", open: func(context.Context) (*opened, error) { panic("in the set-up") }, code: 70, logs: "panic: in the set-up"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ctx, end := context.WithCancelCause(t.Context())
			defer end(nil)
			f, stdout, stderr := testFunction(t, ctx, time.Minute, func(context.Context) (*workspace.Table, error) { return &workspace.Table{}, nil })
			if tc.open != nil {
				f.open = tc.open
			}
			listener, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var preparing sync.WaitGroup
			preparing.Go(func() { guard(f.log, end, f.prepare) })
			if tc.end != nil {
				go tc.end(end, listener)
			}
			err = servedError(ctx, serve(ctx, listener, f, time.Minute))
			preparing.Wait()
			var exit *exitError
			if !errors.As(err, &exit) || exit.code != tc.code {
				t.Errorf("%v, want exit status %d", err, tc.code)
			}
			if out := stdout.String() + stderr.String(); !strings.Contains(out, tc.logs) {
				t.Errorf("the log lacks %q:\n%s", tc.logs, out)
			}
			if tc.code == exitPanicked && (strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "process_end_test.go")) {
				t.Errorf("not one line with a stack:\n%s", stderr)
			}
		})
	}
}

// TestProcessCutConnection hangs up in a tick: its result is recorded and sent
// all the same, and the process goes on.
func TestProcessCutConnection(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	querying, release := make(chan struct{}), make(chan struct{})
	c.fault = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 0 {
			close(querying)
			<-release
		}
		return false
	}
	h := startHost(t, c, oneRule())
	c.setNow(at(11, 5))
	ctx, hangUp := context.WithCancel(t.Context())
	cut := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+functionPath, strings.NewReader(timerBody(at(11, 5), 0)))
		if err == nil {
			_, err = h.client.Do(req)
		}
		cut <- err
	}()
	<-querying
	hangUp()
	if err := <-cut; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(release)
	got := h.tick(c, at(11, 10), http.StatusOK) // waits for the other
	if windows := got.windows(); len(windows) > 0 || c.queries != 1 {
		t.Errorf("the tick was done again: %v, %d queries", windows, c.queries)
	}
	h.stop()
	checkTold(t, h.logged("alert"), at(10, 0), at(11, 0), at(11, 5))
}

// TestHostPanics has the function panic outside of its tick.
func TestHostPanics(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	h := &host{longest: time.Minute, log: newLogger(&stdout, &stderr, slog.LevelInfo), invoke: func(context.Context, invocation) (*summary, error) {
		panic("https://" + standInTeams + "/?sig=secret")
	}}
	resp, body := ask(t, h, http.MethodPost, functionPath, strings.NewReader(hostBody))
	if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" || body != `{"error":"`+errMistake.Error()+`"}` {
		t.Errorf("%d %q %s", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	if out := stderr.String(); strings.Count(out, "\n") != 1 || !strings.Contains(out, "process_end_test.go") {
		t.Errorf("not one line with a stack:\n%s", out)
	}
}

// TestWatchParent looks once a second whether the parent is gone.
func TestWatchParent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gone atomic.Bool
		began := time.Now()
		time.AfterFunc(90*time.Second+time.Millisecond, func() { gone.Store(true) })
		if !watchParent(t.Context(), gone.Load) || time.Since(began) != 91*time.Second {
			t.Errorf("noticed after %s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if watchParent(ctx, func() bool { return false }) {
			t.Error("the parent is there")
		}
	})
}
