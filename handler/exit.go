package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
)

// The exit codes, which the README lists. The Functions host never starts a
// handler again that ended with exitDone, so serve does not end with it.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPanicked    = 70  // EX_SOFTWARE of sysexits.h
	exitOrphaned    = 75  // EX_TEMPFAIL
	exitSignal      = 128 // plus the signal's number, as shells have it
	exitInterrupted = exitSignal + int(syscall.SIGINT)
)

// exitError is an error with an exit code of its own. Its error may be nil:
// then the log has said what there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// signalError is why a context ended: the process was sent a signal.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string { return "signal: " + e.signal.String() }

// code is the exit code of a process that the signal ends.
func (e *signalError) code() int {
	if n, ok := e.signal.(syscall.Signal); ok {
		return exitSignal + int(n)
	}
	return exitSignal
}

// signalContext returns a context that ends with a signalError as its cause
// when the process is asked to end. A terminal that closes asks, too, unless the
// process was started to outlive it.
func signalContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	asks := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		asks = append(asks, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, asks...)
	go func() {
		select {
		case s := <-signals:
			// From now on a signal does what it does to any process: the second one
			// kills at once.
			signal.Stop(signals)
			asked := &signalError{s}
			cancel(asked)
			endSoon(asked.code())
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// serving is set by serve, which takes its time to end in order.
var serving atomic.Bool

// impatience is how long a command may take to end that was asked to. What it is
// busy with does not look at the context then, and nothing is lost with it.
const impatience = 3 * time.Second

// interrupted is the last word of a command that did not come to its end.
const interrupted = "handler: interrupted"

// endSoon ends the process if the command does not.
func endSoon(code int) {
	time.Sleep(impatience)
	if !serving.Load() {
		fmt.Fprintln(os.Stderr, interrupted)
		os.Exit(code)
	}
}

// errOrphaned is why serve ends when its host is gone.
var errOrphaned = errors.New("the Functions host that started this process is gone")

// panicError is why serve ends after a mistake in the program.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %.300v", e.value) }

// logPanic logs a panic with its stack, on one line.
func logPanic(log *slog.Logger, message string, value any, attrs ...any) {
	log.With(attrs...).Error(message, "error", (&panicError{value}).Error(), "stack", string(debug.Stack()))
}

// guard runs work of serve that is no tick. A panic in it is logged and is the
// cause with which end is called: the tick that runs comes to its end, and the
// host starts the process again.
func guard(log *slog.Logger, end context.CancelCauseFunc, work func()) {
	defer func() {
		if v := recover(); v != nil {
			logPanic(log, "a mistake in the program ends the process, and the host starts it again: please report it", v)
			end(&panicError{v})
		}
	}()
	work()
}

// servedError gives the end of serve its exit code: by why its context ended,
// or exitFailed if it did not.
func servedError(ctx context.Context, err error) error {
	var signalled *signalError
	var panicked *panicError
	switch cause := context.Cause(ctx); {
	case errors.As(cause, &signalled):
		return &exitError{signalled.code(), err}
	case errors.As(cause, &panicked):
		return &exitError{exitPanicked, err}
	case errors.Is(cause, errOrphaned):
		return &exitError{exitOrphaned, err}
	default:
		return &exitError{exitFailed, err}
	}
}
