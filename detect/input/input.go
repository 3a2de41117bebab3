// Package input opens and reads files that a person names or a folder holds. It
// never waits for what may not come: a pipe that nobody writes to, a device or
// a file of the kernel that has no end.
package input

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// pseudoTime and pseudoBytes bound the reading of a file that says it is
	// empty. Files of the kernel do, whatever they hold, and some have no end.
	pseudoTime  = 2 * time.Second
	pseudoBytes = 1 << 20
	// pipeTime is how long a pipe that nobody has open for writing is waited for.
	pipeTime  = 2 * time.Second
	pipePause = 20 * time.Millisecond
)

// ErrNotRegular is what opening anything but a regular file gives.
var ErrNotRegular = errors.New("not a regular file")

// ErrEndless is what reading a file of the kernel gives that has no end.
var ErrEndless = errors.New("it has no end, so it is not a file that was written once")

// File is a regular file that is read up to the size that it had when it was
// opened.
type File struct {
	file *os.File
	info fs.FileInfo
	left int64
}

// Open opens a regular file. It does not wait, whatever the path leads to.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	// A device may do something when it is opened.
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	file, err := openNow(path)
	if err != nil {
		return nil, err
	}
	if info, err = file.Stat(); err == nil && !info.Mode().IsRegular() { // it was something else by now
		err = &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		_ = file.Close() // nothing was read
		return nil, err
	}
	f := &File{file: file, info: info, left: info.Size()}
	if f.left == 0 {
		f.left = pseudoBytes
		_ = file.SetReadDeadline(time.Now().Add(pseudoTime)) // a file on a disk has none and needs none
	}
	return f, nil
}

// Read reads from the file.
func (f *File) Read(p []byte) (int, error) {
	if f.left <= 0 {
		return 0, io.EOF
	}
	n, err := f.file.Read(p[:min(int64(len(p)), f.left)])
	f.left -= int64(n)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = ErrEndless
	}
	return n, err
}

// ReadAt reads from a place in the file, up to the size that it had when it was
// opened. What says that it is empty cannot be read so.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	left := f.info.Size() - offset
	if left <= 0 {
		return 0, io.EOF
	}
	n, err := f.file.ReadAt(p[:min(int64(len(p)), left)], offset)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// Info says what the file is.
func (f *File) Info() fs.FileInfo { return f.info }

// ReadFile reads a regular file of at most so many bytes.
func ReadFile(ctx context.Context, path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.info.Size() > most {
		return nil, &TooLargeError{Name: "it", Limit: most}
	}
	return ReadAll(ctx, f, "it", most)
}

// ReadNamed reads what a person named: a regular file, or a pipe such as a shell
// makes of <(...). A pipe that nobody writes to is an error, and one that
// somebody does is waited for.
func ReadNamed(ctx context.Context, path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeNamedPipe == 0 {
		return ReadFile(ctx, path, most)
	}
	file, err := openNow(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := ReadAll(ctx, &pipe{ctx: ctx, file: file, until: time.Now().Add(pipeTime)}, "it", most)
	if err == nil && len(text) == 0 {
		err = errors.New("it is a pipe that nobody writes to")
	}
	return text, err
}

// pipe is a pipe that was opened without waiting for who writes to it.
type pipe struct {
	ctx   context.Context
	file  *os.File
	until time.Time // when a pipe without a writer is given up
	begun bool
}

// Read waits for the first byte. Until somebody has the pipe open for writing it
// looks as if it had ended.
func (p *pipe) Read(b []byte) (int, error) {
	for {
		n, err := p.file.Read(b)
		p.begun = p.begun || n > 0
		if !errors.Is(err, io.EOF) || p.begun || !time.Now().Before(p.until) {
			return n, err
		}
		select {
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		case <-time.After(pipePause):
		}
	}
}

// ReadAll reads all of a source, of at most so many bytes, which errors call
// name. It returns when the context ends, even if the source does not: whoever
// writes to standard input may take for ever.
func ReadAll(ctx context.Context, src io.Reader, name string, most int64) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(&watching{ctx, src}, most+1))
		done <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-done:
		switch {
		case r.err != nil:
			return nil, r.err
		case int64(len(r.text)) > most:
			return nil, &TooLargeError{Name: name, Limit: most}
		}
		return r.text, nil
	}
}

// watching stops when the context ends.
type watching struct {
	ctx context.Context
	io.Reader
}

func (w *watching) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Reader.Read(p)
}

// TooLargeError says that an input is larger than what is read of it.
type TooLargeError struct {
	Name  string
	Limit int64 // in bytes
}

// Error names the input and the limit.
func (e *TooLargeError) Error() string {
	if e.Limit < 1<<20 {
		return fmt.Sprintf("%s is larger than %d KiB, the limit", e.Name, e.Limit>>10)
	}
	return fmt.Sprintf("%s is larger than %d MiB, the limit", e.Name, e.Limit>>20)
}
