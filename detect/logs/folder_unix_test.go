//go:build unix

package logs

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Opening a pipe that nobody writes to would wait for ever.
func TestPipesAreSkipped(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"SigninLogs.json": goodLine})
	pipe := filepath.Join(dir, "pipe.json")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := Read(context.Background(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Skipped{{pipe, "not a regular file"}}, l.Report.Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	if _, err := Read(context.Background(), pipe, Options{}); err == nil {
		t.Error("a pipe is read when it is given itself")
	}
}
