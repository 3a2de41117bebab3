package detect

import (
	"context"
	"sync"
)

// turns hand out rules to be worked on, several at a time: in the order of a queue,
// where a rule that is not done yet comes in again behind the others. So one with
// much to catch up does not keep the others waiting. Rules of one story are not
// worked on at the same time, since they look at what the others reported.
type turns struct {
	// inOrder has what is done for the rules take effect in the order in which they
	// were handed out.
	inOrder bool

	mu      sync.Mutex
	changed *sync.Cond
	queue   []*progress
	running int
	busy    map[string]bool // the stories that are worked on
	// given counts the rules that were handed out, and settled those that are done.
	given, settled int
}

// inTurns calls work for each of the rules, and again while that reports that there
// is more to do, up to some number at a time. It returns when all are done or, with
// what has begun, when ctx ends. What work does after it called settle takes effect
// in the order of the turns, if that is wanted.
func inTurns(ctx context.Context, rules []*progress, atOnce int, inOrder bool, work func(p *progress, settle func()) (more bool)) {
	t := &turns{queue: append([]*progress(nil), rules...), inOrder: inOrder, busy: map[string]bool{}}
	t.changed = sync.NewCond(&t.mu)
	defer context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})()
	worker := func() {
		for {
			p, turn := t.next(ctx)
			if p == nil {
				return
			}
			more := false
			// A rule's own work is guarded where it is known what failed.
			err := guarded(func() error {
				more = work(p, func() { t.await(turn) })
				return nil
			})
			if err != nil {
				p.fail("running it", err)
			}
			t.done(p, turn, more && ctx.Err() == nil)
		}
	}
	var workers sync.WaitGroup
	for range min(atOnce, len(rules)) - 1 {
		workers.Go(worker)
	}
	worker()
	workers.Wait()
}

// next takes the next rule that may be worked on out of the queue, and says which
// turn that is. It waits for one, and returns nil if there is none any more.
func (t *turns) next(ctx context.Context) (p *progress, turn int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		if ctx.Err() != nil || len(t.queue) == 0 && t.running == 0 {
			t.changed.Broadcast()
			return nil, 0
		}
		for i, p := range t.queue {
			if story := p.rule.Story; story == "" || !t.busy[story] {
				t.queue = append(t.queue[:i:i], t.queue[i+1:]...)
				t.busy[story] = true
				t.running++
				t.given++
				return p, t.given - 1
			}
			if t.inOrder {
				break
			}
		}
		t.changed.Wait()
	}
}

// await waits until all turns before one are done, if that matters.
func (t *turns) await(turn int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.inOrder && t.settled < turn {
		t.changed.Wait()
	}
}

// done ends a turn.
func (t *turns) done(p *progress, turn int, more bool) {
	t.await(turn)
	t.mu.Lock()
	defer t.mu.Unlock()
	if more {
		t.queue = append(t.queue, p)
	}
	delete(t.busy, p.rule.Story)
	t.running--
	t.settled++
	t.changed.Broadcast()
}
