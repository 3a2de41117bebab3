package logs

import (
	"context"
	"errors"
	"syscall"
	"testing"
)

// TestReadFails reads a file that opens and then cannot be read, whoever asks.
func TestReadFails(t *testing.T) {
	t.Parallel()
	if _, err := Read(context.Background(), "/proc/self/mem", Options{}); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v", err)
	}
}
