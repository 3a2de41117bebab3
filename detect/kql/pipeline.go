package kql

import (
	"errors"
	"sync"
)

// stage is an operator that works on each batch by itself, whatever came before
// it. where and extend are, sort and summarize are not. Stages above the scan
// of a table work on several of its segments at once. An apply may run on
// several goroutines, and so may the expressions that it evaluates.
type stage interface {
	relation
	input() relation
	apply(x *execution, b *batch, emit func(*batch) error) error
}

// chain passes what comes from below a stage, and the stages under it, through
// all of them. It gives what takes the batches, and where they come from.
func chain(top stage, x *execution, emit func(*batch) error) (take func(*batch) error, below relation) {
	take, below = emit, top
	for {
		s, ok := below.(stage)
		if !ok {
			return take, below
		}
		next := take
		take = func(b *batch) error { return s.apply(x, b, next) }
		below = s.input()
	}
}

// runStages runs a stage and the stages below it, down to what is none.
func runStages(top stage, x *execution, emit func(*batch) error) error {
	take, below := chain(top, x, emit)
	s, ok := below.(*scan)
	if !ok {
		return below.run(x, take)
	}
	var stages []stage
	for below = top; below != relation(s); below = below.(stage).input() {
		if f, ok := below.(*filter); ok && f.keepsNothing() {
			return nil // and nothing of the table is read
		}
		stages = append(stages, below.(stage))
	}
	bounds := s.bounds(stages)
	segment := func(at int, emit func(*batch) error) error {
		b, err := s.read(x, at, bounds)
		if b == nil {
			return err
		}
		take, _ := chain(top, x, emit)
		return take(b)
	}
	if segments := len(s.table.segments); x.workers > 1 && segments > 1 {
		return inParallel(x, segments, segment, emit)
	}
	for at := range s.table.segments {
		if err := segment(at, emit); err != nil {
			return err
		}
	}
	return nil
}

// part is one of several parts of a relation's rows. It has its batches and,
// once these have ended, how it ended.
type part struct {
	at      int
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
	todo, inOrder := make(chan *part), make(chan *part, x.workers*partsAhead)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		defer close(todo)
		defer close(inOrder)
		for at := range n {
			p := &part{at: at, batches: make(chan *batch, batchesAhead)}
			for _, to := range []chan *part{inOrder, todo} {
				select {
				case to <- p:
				case <-stop:
					return
				}
			}
		}
	})
	for range min(x.workers, n) {
		running.Go(func() {
			for p := range todo {
				p.make(run, stop)
			}
		})
	}
	defer running.Wait()
	defer close(stop)
	for p := range inOrder {
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
	return nil
}

// make runs one part. A panic is kept for the goroutine that runs the query.
func (p *part) make(run func(at int, emit func(*batch) error) error, stop <-chan struct{}) {
	defer close(p.batches)
	defer func() { p.panics = recover() }()
	p.err = run(p.at, func(b *batch) error {
		select {
		case p.batches <- b:
			return nil
		case <-stop:
			return errStopped
		}
	})
}
