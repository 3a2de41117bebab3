package kql

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what a query may use. A zero limit stands for the one in
// DefaultLimits.
type Limits struct {
	// Rows is how many rows an operator may hold, and a result may have.
	Rows int
	// Bytes is about how much memory all operators of the query may hold
	// together. The tables that it reads do not count.
	Bytes int64
	// Time is how long it may take.
	Time time.Duration
}

// DefaultLimits are those of a query that does not set its own. The time is
// what the query API gives a query at most, and the memory a share of what the
// process may have.
var DefaultLimits = Limits{Rows: 5_000_000, Bytes: shareOfMemory(), Time: 10 * time.Minute}

func (l Limits) orDefault() Limits {
	if l.Rows <= 0 {
		l.Rows = DefaultLimits.Rows
	}
	if l.Bytes <= 0 {
		l.Bytes = DefaultLimits.Bytes
	}
	if l.Time <= 0 {
		l.Time = DefaultLimits.Time
	}
	return l
}

// LimitError says which of its limits a query went past, and what to do.
type LimitError struct {
	Message string
	// OfMemory says that it is the limit of memory.
	OfMemory bool
}

func (e *LimitError) Error() string { return e.Message }

// execution is one run of a query: what it reads and what bounds it. Several
// goroutines can work for it.
type execution struct {
	ctx     context.Context
	limits  Limits
	scope   Scope
	workers int          // goroutines that may work on a table at once
	made    atomic.Int64 // rows so far, by operators that can make many of few
	held    atomic.Int64 // bytes that operators hold now

	others []*Table     // results beside the first, which fork and facet give
	drawn  atomic.Int64 // batches of random numbers

	kept sync.Map // what parts of the plan keep, see once

	// whole is the execution that this one is a part of, whose limits hold for
	// both, or nil. See part.
	whole *execution
}

// part begins the execution of operators over a part of the rows, such as those of
// a partition. What depends on the rows of the part is kept there, and anything
// else by the whole.
func (x *execution) part() *execution {
	w := x.all()
	return &execution{ctx: w.ctx, limits: w.limits, scope: w.scope, workers: 1, whole: w}
}

// all is the whole that an execution is a part of, or the execution itself.
func (x *execution) all() *execution {
	if x.whole != nil {
		return x.whole
	}
	return x
}

// ofThePart is a part of the plan that may depend on the rows of a partition.
type ofThePart interface{ isOfThePart() bool }

// once computes what a part of the plan keeps while it runs, the first time that
// anybody asks. It is kept here, by the part that it belongs to, because a plan does
// not change: it can run again, and several times at once.
func once[T any](x *execution, part any, compute func() T) T {
	if p, ok := part.(ofThePart); x.whole != nil && (!ok || !p.isOfThePart()) {
		x = x.whole
	}
	get, ok := x.kept.Load(part)
	if !ok {
		get, _ = x.kept.LoadOrStore(part, sync.OnceValue(compute))
	}
	return get.(func() T)()
}

// newExecution starts the clock of a query. The caller calls the function when
// the query is over.
func newExecution(ctx context.Context, opts Options) (*execution, context.CancelFunc) {
	x := &execution{limits: opts.Limits.orDefault(), scope: opts.Scope, workers: opts.Workers}
	if x.workers <= 0 {
		x.workers = runtime.GOMAXPROCS(0)
	}
	late := &LimitError{Message: fmt.Sprintf("the query takes more than %s, its limit: filter earlier, or read less", x.limits.Time)}
	var cancel context.CancelFunc
	x.ctx, cancel = context.WithTimeoutCause(ctx, x.limits.Time, late)
	return x, cancel
}

// stopped is why the query must end now: its time is over, or the caller gave
// up.
func (x *execution) stopped() error {
	if x.ctx.Err() == nil {
		return nil
	}
	var late *LimitError
	if errors.As(context.Cause(x.ctx), &late) {
		return late
	}
	return x.ctx.Err()
}

// holds fails when an operator holds more rows than it may, or when the
// query's time is over.
func (x *execution) holds(rows int) error {
	if rows > x.limits.Rows {
		return &LimitError{Message: fmt.Sprintf("the query holds more than %d rows at once, its limit: filter earlier, or summarize", x.limits.Rows)}
	}
	return x.stopped()
}

// madePerHeld is how many rows may pass through for each that may be held.
const madePerHeld = 20

// makes fails when operators that multiply rows have made too many. The query
// would hardly end, even if nobody holds them.
func (x *execution) makes(rows int) error {
	most := int64(madePerHeld) * int64(x.limits.Rows)
	if x.all().made.Add(int64(rows)) > most {
		return &LimitError{Message: fmt.Sprintf("the query makes more than %d rows with range, mv-expand and join, its limit: filter earlier", most)}
	}
	return x.stopped()
}

// memory is what one operator holds, in bytes, as far as its execution knows.
type memory struct {
	x    *execution
	held int64
}

// add takes note of so many more bytes, and fails past the limit. Operators
// ask after a batch or a few, so a query can go past its limit by that much.
func (m *memory) add(bytes int64) error {
	m.held += bytes
	return m.x.within(m.x.all().held.Add(bytes))
}

// within fails if so many bytes are more than the query may hold.
func (x *execution) within(bytes int64) error {
	if bytes <= x.limits.Bytes {
		return nil
	}
	limit := fmt.Sprintf("%d MiB", x.limits.Bytes>>20)
	if x.limits.Bytes < 1<<20 {
		limit = fmt.Sprintf("%d KiB", x.limits.Bytes>>10)
	}
	return &LimitError{Message: "the query holds more than " + limit + " of memory, its limit: filter earlier, keep fewer columns, or summarize", OfMemory: true}
}

// set takes note of how many bytes it is now.
func (m *memory) set(bytes int64) error { return m.add(bytes - m.held) }

// claim takes note of bytes that are about to be allocated, and ends the query
// past the limit. It is for where no error can be returned.
func (m *memory) claim(bytes int64) {
	if err := m.add(bytes); err != nil {
		panic(runFailure{err})
	}
}

// release gives back some of it.
func (m *memory) release(bytes int64) {
	m.held -= bytes
	m.x.all().held.Add(-bytes)
}

// free gives back all of it.
func (m *memory) free() { m.release(m.held) }
