//go:build unix

package input

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What is no regular file is refused and never waited for: this would hang.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(fifo(t), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo(t), link, "/dev/zero", "/dev/null", dir} {
		if _, err := Open(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: error = %v", path, err)
		}
		if _, err := ReadFile(t.Context(), path, 10); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: error = %v", path, err)
		}
	}
	for _, path := range []string{"/dev/zero", dir} {
		if _, err := ReadNamed(t.Context(), path, 10); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: error = %v", path, err)
		}
	}
}

func TestPipes(t *testing.T) {
	t.Parallel()
	t.Run("nobody writes", func(t *testing.T) {
		t.Parallel()
		if _, err := ReadNamed(t.Context(), fifo(t), 10); err == nil || !strings.Contains(err.Error(), "a pipe that nobody writes to") {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("somebody opens it and writes nothing", func(t *testing.T) {
		t.Parallel()
		path := fifo(t)
		w, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := ReadNamed(ctx, path, 10); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}
	})
	for _, size := range []int{1, 10, 11, 1 << 20} {
		path := fifo(t)
		go func() {
			w, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return
			}
			defer w.Close()
			_, _ = w.Write([]byte(strings.Repeat("x", size/2)))
			time.Sleep(10 * time.Millisecond) // the rest comes later
			_, _ = w.Write([]byte(strings.Repeat("x", size-size/2)))
		}()
		text, err := ReadNamed(t.Context(), path, 10)
		var large *TooLargeError
		if fits := size <= 10; fits && (err != nil || len(text) != size) || !fits && !errors.As(err, &large) {
			t.Errorf("of %d bytes %d are read, error = %v", size, len(text), err)
		}
	}
}

// TestReaderThatHangs ends with the context although nothing is read.
func TestReaderThatHangs(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := ReadAll(ctx, r, "it", 10); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}
