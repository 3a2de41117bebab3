package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"pushback/detect"
	"pushback/detect/ledger"
	"pushback/handler/telemetry"
)

// function is the one function of the app: each invocation is a tick.
type function struct {
	telemetry *telemetry.Telemetry // nil for none
	log       *slog.Logger
	// open makes what a tick needs. It is called until it succeeds: a ledger
	// that cannot be reached now may be there for the next tick.
	open    func(context.Context) (*opened, error)
	clock   func() time.Time
	timeout time.Duration // of a tick, counted from its invocation

	// stopping is done when the process is to end. A tick that runs then has
	// finish to come to its end before it is cancelled, and write to record and
	// send what is under way.
	stopping      context.Context
	finish, write time.Duration

	// ticked, if set, is given what each tick did.
	ticked func(detect.Report)

	turn   chan struct{} // of size 1, full during a tick
	opened *opened       // guarded by turn
	warned *once
	// noLedger is the time of the first tick that found no ledger to open, or
	// zero. It is guarded by turn.
	noLedger time.Time
}

// mostAhead is how far the host's time may be ahead of ours.
const mostAhead = time.Hour

// opened is what open made.
type opened struct {
	detector *detect.Detector
	// err is what makes every tick fail, though it does what it can: rule
	// files that are wrong beside others that are not.
	err error
}

func newFunction(log *slog.Logger, open func(context.Context) (*opened, error), timeout time.Duration, stopping context.Context) *function {
	return &function{
		log: log, open: open, clock: time.Now, timeout: timeout,
		stopping: stopping, finish: finishTime, write: writeTime,
		turn: make(chan struct{}, 1), warned: new(once),
	}
}

// prepare opens what the first tick will need, so that what is wrong is in the
// log before it.
func (f *function) prepare() {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	ctx, cancel := context.WithTimeout(f.stopping, f.timeout)
	defer cancel()
	if err := f.ready(ctx); err != nil && f.stopping.Err() == nil {
		f.logFailure("not ready: every invocation fails until this is put right", err)
	}
}

// tick runs what is due. One tick runs at a time; another waits for it, and the
// wait counts as a part of its own time. If that is over before its turn comes
// it fails, and what is due is done by the next: the ledger says how far the
// rules have run, so nothing is lost. A tick that has begun goes on when the
// host hangs up: what it sent and what it did not could not be kept apart.
//
// Everything that fails is logged here, once, and is in the telemetry.
func (f *function) tick(ctx context.Context, inv invocation) (done *summary, err error) {
	arrived := f.clock()
	var report detect.Report
	ctx, exported := f.telemetry.Tick(ctx, inv.id)
	defer func() { exported(report, f.clock().Sub(arrived), err) }() // last of all, so that it has a panic and holds up no other tick
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-f.stopping.Done():
	case <-ctx.Done():
		err = fmt.Errorf("another tick was still running: what is due is left for the next one: %w", ctx.Err())
		f.logFailure("tick failed", err, inv.attrs()...)
		return nil, err
	}
	if f.stopping.Err() != nil {
		return nil, errStopping
	}

	deadline, _ := ctx.Deadline()
	ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	ctx, cancel = detect.Stoppable(ctx, f.stopping, f.finish, f.write)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			logPanic(f.log, "tick failed", p, inv.attrs()...)
			done, err = nil, errMistake
		}
	}()

	attrs := inv.attrs()
	if err := f.readyAt(ctx, inv); err != nil {
		f.logFailure("tick failed", err, attrs...)
		return nil, err
	}
	now, err := f.timeOf(inv, arrived)
	if err != nil {
		f.logFailure("tick failed", err, attrs...)
		return nil, err
	}
	report, err = f.opened.detector.Tick(ctx, now)
	if f.ticked != nil {
		f.ticked(report)
	}
	log := f.log.With(attrs...)
	logReport(ctx, log, report)
	f.warnOf(report)
	if f.opened.err != nil {
		f.logFailure("rules that do not run", f.opened.err, attrs...)
		err = errors.Join(f.opened.err, err)
	}
	if err != nil {
		// The host does not read the lines of an answer that says so.
		log.Error("tick", "tick", report.Time, "failures", len(failures(err)), "ms", report.Duration.Milliseconds())
	}
	return summarize(report), err
}

// timeOf returns the time of a tick that arrived then and has its turn now.
func (f *function) timeOf(inv invocation, arrived time.Time) (time.Time, error) {
	now := inv.now
	switch ours := f.clock(); {
	case now.IsZero():
		now = ours
	case now.After(ours.Add(mostAhead)):
		// It would be taken for the past of all that is to come.
		return now, fmt.Errorf("the invocation's time, %s, is ahead of this machine's, %s: one of the clocks is wrong", now.Format(time.RFC3339), ours.UTC().Format(time.RFC3339))
	}
	if waited := f.clock().Sub(arrived); waited >= time.Second {
		now = now.Add(waited) // for its turn: what it claims, it claims from now on
	}
	return now, nil
}

// readyAt opens what is not open yet for a tick. It remembers when there was
// first no ledger, and reports it with the ledger that is there at last.
func (f *function) readyAt(ctx context.Context, inv invocation) error {
	if err := f.ready(ctx); err != nil {
		if errors.Is(err, ledger.ErrNoTable) && f.noLedger.IsZero() {
			if f.noLedger = inv.now; inv.now.IsZero() {
				f.noLedger = f.clock()
			}
		}
		return err
	}
	if !f.noLedger.IsZero() {
		f.opened.detector.NoLedger(f.noLedger)
		f.noLedger = time.Time{}
	}
	return nil
}

// ready opens what is not open yet.
func (f *function) ready(ctx context.Context) error {
	if f.opened != nil {
		return nil
	}
	o, err := f.open(ctx)
	if err != nil {
		return err
	}
	f.opened = o
	return nil
}

// warn logs a warning the first time that it comes: those about a rule come
// with every tick.
func (f *function) warn(text string) {
	if f.warned.first(text) {
		f.log.Warn(text)
	}
}

// warnOf logs the warnings of a tick.
func (f *function) warnOf(report detect.Report) {
	for _, text := range report.HealthWarnings {
		f.warn(text)
	}
	for _, run := range report.Rules {
		for _, text := range run.Warnings {
			f.warn(text)
		}
	}
}

func (f *function) logFailure(message string, err error, attrs ...any) {
	f.log.With(attrs...).Error(message, "errors", failures(err))
}

// wait waits until no tick runs.
func (f *function) wait(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
		<-f.turn
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
