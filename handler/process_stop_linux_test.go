package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

var caughtLine = regexp.MustCompile(`(?m)^SigCgt:\s+([0-9a-f]+)$`)

// startCommand starts the binary and waits until it catches signals.
func startCommand(t *testing.T, stderr io.Writer, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe() // which nobody writes to
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill() // unless it has ended, as it should
	})
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if m := caughtLine.FindSubmatch(text); m != nil {
			if mask, err := strconv.ParseUint(string(m[1]), 16, 64); err == nil && mask&(1<<(uint(syscall.SIGINT)-1)) != 0 {
				break
			}
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // Go catches it from the start, and the command a little later
	return cmd
}

// ends waits for the process and returns its exit code, -1 if a signal killed it.
func ends(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !timer.Stop() {
		t.Error("the process does not end")
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return cmd.ProcessState.ExitCode()
}

// endlessExpression is one expression over a text of 20 MB that takes minutes.
const endlessExpression = `print countof(strrep('ab ', 7000000), '(a?b?c?d?e?f?g?){80}z', 'regex')`

// TestProcessInterrupt interrupts commands that are busy with what does not look
// whether it should end.
func TestProcessInterrupt(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.ndjson": workspaceRecord + "\n"})
	for name, args := range map[string][]string{
		"one expression":           {"query", endlessExpression},
		"checking it before logs":  {"query", "--logs", dir, endlessExpression},
		"explaining it":            {"query", "--explain", endlessExpression},
		"standard input":           {"query", "-"},
		"alerts on standard input": {"card", "--alert", "-"},
		"a pipe":                   {"query", "--file", "/dev/stdin"},
		"many groups":              {"query", "range x from 1 to 4000000 step 1 | extend s = strcat(x, 'a') | summarize make_set(s) by x | sort by x | summarize count() by x"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			cmd := startCommand(t, &stderr, args...)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if code := ends(t, cmd); code != exitInterrupted || stderr.String() != interrupted+"\n" {
				t.Errorf("it ended with %d: %s", code, stderr.String())
			}
		})
	}
}

// TestProcessSecondSignal kills at once, also serve while it ends in order.
func TestProcessSecondSignal(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		var stderr bytes.Buffer
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "SigninLogs.ndjson"), []byte(workspaceRecord+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := startCommand(t, &stderr, "query", "--logs", dir, endlessExpression)
		for range 2 {
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		code := ends(t, cmd)
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != sig {
			t.Errorf("%s twice: it ended with %d: %s", sig, code, stderr.String())
		}
	}
}
