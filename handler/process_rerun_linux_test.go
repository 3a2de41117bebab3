package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal returns a pseudo-terminal: what is written to the one end is typed at the
// other.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &unlocked, syscall.TIOCGPTN: &number} {
		if _, _, failed := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(value))); failed != 0 {
			t.Fatal(failed)
		}
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}

// TestProcessRerunAsks answers the question at a terminal.
func TestProcessRerunAsks(t *testing.T) {
	t.Parallel()
	d, last := newRerunDesk(t)
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		typed string
		code  int
		says  string
	}{
		{"\n", exitFailed, "nothing is marked"}, {"n\n", exitFailed, "nothing is marked"}, {"Yes\n", exitDone, "5 windows marked"},
	} {
		keyboard, screen := terminal(t)
		if _, err := keyboard.WriteString(tc.typed); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		cmd := exec.Command(bin, "rerun", "Refused", "--from", zulu(last.Add(-5*time.Hour)), "--to", zulu(last))
		cmd.Dir, cmd.Env = d.dir, []string{"HOME=" + t.TempDir()}
		for name, value := range d.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = screen, &out, &out
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		said := out.String()
		if cmd.ProcessState.ExitCode() != tc.code || !strings.Contains(said, "They would report 2 alerts") || !strings.Contains(said, "run 5 windows of Refused once more? [y/N] ") || !strings.Contains(said, tc.says) {
			t.Errorf("%q: code %d\n%s", tc.typed, cmd.ProcessState.ExitCode(), said)
		}
	}
}
