package kql

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// stage is an operator that works on each batch by itself, whatever came before
// it. where and extend are, sort and summarize are not. Stages work on several
// batches at once: segments of a table, or what another operator gives. An apply
// may run on several goroutines, and so may the expressions that it evaluates.
type stage interface {
	relation
	input() relation
	apply(x *execution, b *batch, emit func(*batch) error) error
}

// chain passes what comes from below a stage, and the stages under it, through
// all of them. It gives what takes the batches, and where they come from. Filters
// one above the other are passed at once.
func chain(top stage, x *execution, emit func(*batch) error) (take func(*batch) error, below relation) {
	take, below = emit, top
	for {
		s, ok := below.(stage)
		if !ok {
			return take, below
		}
		next := take
		below = s.input()
		f, isFilter := s.(*filter)
		if !isFilter {
			take = func(b *batch) error { return s.apply(x, b, next) }
			continue
		}
		filters := []*filter{f}
		for f, ok = below.(*filter); ok; f, ok = below.(*filter) {
			filters = append(filters, f)
			below = f.in
		}
		slices.Reverse(filters)
		take = func(b *batch) error {
			if b = passAll(x, filters, b); b == nil {
				return nil
			}
			return next(b)
		}
	}
}

// runStages runs a stage and the stages below it, down to what is none.
func runStages(top stage, x *execution, emit func(*batch) error) error {
	take, below := chain(top, x, emit)
	s, ok := below.(*scan)
	if !ok {
		// The elements of a row of mv-apply are hardly ever more than a batch.
		if _, isRow := below.(*subrows); !isRow && x.workers > 1 && anyWork(top) {
			return spread(x, below, top, emit)
		}
		return below.run(x, take)
	}
	var stages []stage
	for below = top; below != relation(s); below = below.(stage).input() {
		if f, ok := below.(*filter); ok && f.keepsNothing() {
			return nil // and nothing of the table is read
		}
		stages = append(stages, below.(stage))
	}
	// A filter unpacks what it reads, and what it gives.
	_, isFilter := stages[len(stages)-1].(*filter)
	bounds, parts := s.boundsOf(x, stages)
	defer bounds.held.free()
	read := func(at int, emit func(*batch) error) error {
		b, err := s.read(x, parts[at], bounds)
		if b == nil {
			return err
		}
		if !isFilter {
			b.unpack()
		}
		take, _ := chain(top, x, emit)
		return take(b)
	}
	if x.workers > 1 && len(parts) > 1 {
		return inParallel(x, len(parts), read, emit)
	}
	for at := range parts {
		if err := read(at, emit); err != nil {
			return err
		}
	}
	return nil
}

// part is one of several parts of a relation's rows. It has its batches and,
// once these have ended, how it ended.
type part struct {
	run     func(emit func(*batch) error) error
	batches chan *batch
	err     error
	panics  any
}

// How many parts per worker may be ready before their turn, and how many
// batches of each. This bounds what waits, however much a part gives.
const (
	partsAhead   = 2
	batchesAhead = 8
)

// errStopped ends the work on a part that nobody waits for any more.
var errStopped = errors.New("stopped")

// inParallel makes n parts on as many goroutines as the execution may use. It
// emits what they give in the order of the parts: the same batches, and the
// same first error, as one goroutine would give.
func inParallel(x *execution, n int, run func(at int, emit func(*batch) error) error, emit func(*batch) error) error {
	l := newLine(x, min(x.workers, n), emit)
	for at := range n {
		if !l.add(func(emit func(*batch) error) error { return run(at, emit) }) {
			break
		}
	}
	return l.end()
}

// spread runs a relation, and has the stages above it work on several of its
// batches at once. It begins with the second, as one alone is not worth the
// goroutines, and goes on with one at a time as soon as what they make is large:
// what waits for its turn is charged to nobody.
func spread(x *execution, below relation, top stage, emit func(*batch) error) error {
	heavy := x.limits.Bytes / 16
	var l *line
	begun, isHeavy := false, atomic.Bool{}
	take := func(b *batch, emit func(*batch) error) error {
		take, _ := chain(top, x, func(b *batch) error {
			if !isHeavy.Load() && b.size() > heavy {
				isHeavy.Store(true)
			}
			return emit(b)
		})
		return take(b)
	}
	defer func() {
		if l != nil { // below panics
			l.stop()
			l.wait()
		}
	}()
	end := func() (err error) {
		if l != nil {
			of := l
			l = nil
			err = of.end()
		}
		return err
	}
	err := below.run(x, func(b *batch) error {
		if !begun || isHeavy.Load() {
			begun = true
			if err := end(); err != nil {
				return err
			}
			return take(b, emit)
		}
		if l == nil {
			l = newLine(x, x.workers, emit)
		}
		b.settle()
		if !l.add(func(emit func(*batch) error) error { return take(b, emit) }) {
			return errStopped
		}
		return nil
	})
	if failed := end(); failed != nil {
		return failed
	}
	return err
}

// anyWork says whether stages do more than to leave out and to rename columns.
func anyWork(top stage) bool {
	for s, ok := top, true; ok; s, ok = s.input().(stage) {
		p, isProjection := s.(*projection)
		if !isProjection || slices.ContainsFunc(p.from, func(e expr) bool { _, isColumn := e.(*columnExpr); return !isColumn }) {
			return true
		}
	}
	return false
}

// line makes parts on several goroutines, and emits what they give in the order in
// which they were added, on another.
type line struct {
	todo, inOrder chan *part
	stopped       chan struct{} // nobody waits for what is not emitted yet
	stop          func()
	running       sync.WaitGroup
	err           error
	panics        any
}

func newLine(x *execution, workers int, emit func(*batch) error) *line {
	l := &line{todo: make(chan *part), inOrder: make(chan *part, x.workers*partsAhead), stopped: make(chan struct{})}
	l.stop = sync.OnceFunc(func() { close(l.stopped) })
	for range workers {
		l.running.Go(func() {
			for p := range l.todo {
				p.make(l.stopped)
			}
		})
	}
	l.running.Go(func() {
		defer l.stop()
		defer func() { l.panics = recover() }()
		l.err = l.emit(emit)
	})
	return l
}

// add gives a part its place. It says whether anybody waits for it.
func (l *line) add(run func(emit func(*batch) error) error) bool {
	p := &part{run: run, batches: make(chan *batch, batchesAhead)}
	for _, to := range []chan *part{l.inOrder, l.todo} {
		select {
		case to <- p:
		case <-l.stopped:
			return false
		}
	}
	return true
}

// emit passes on what the parts give.
func (l *line) emit(emit func(*batch) error) error {
	for {
		var p *part
		var ok bool
		select {
		case p, ok = <-l.inOrder:
		case <-l.stopped:
			return nil
		}
		if !ok {
			return nil
		}
		for b := range p.batches {
			if err := emit(b); err != nil {
				return err
			}
		}
		switch {
		case p.panics != nil:
			panic(p.panics)
		case p.err != nil:
			return p.err
		}
	}
}

// end waits until all parts that were added are emitted.
func (l *line) end() error {
	l.wait()
	if l.panics != nil {
		panic(l.panics)
	}
	return l.err
}

// wait ends the goroutines, once they have nothing more to do.
func (l *line) wait() {
	close(l.todo)
	close(l.inOrder)
	l.running.Wait()
}

// make runs one part. A panic is kept for the goroutine that runs the query.
func (p *part) make(stop <-chan struct{}) {
	defer close(p.batches)
	defer func() { p.panics = recover() }()
	p.err = p.run(func(b *batch) error {
		select {
		case p.batches <- b:
			return nil
		case <-stop:
			return errStopped
		}
	})
}
