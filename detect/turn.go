package detect

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// turns hand out rules to be worked on, several at a time: each in its place, and
// one that is not done yet again behind the others. So one with much to catch up does
// not keep the others waiting. Rules of one story are worked on one at a time where
// they look at what the others reported.
type turns struct {
	// inOrder has what is done for the rules take effect in the order in which they
	// were handed out.
	inOrder bool
	// alone keeps rules of one story apart.
	alone bool

	mu      sync.Mutex
	changed *sync.Cond
	queue   []queued // the next first
	size    int      // of a round of turns
	coming  bool     // more rules come
	running int
	busy    map[string]bool // the stories that are worked on
	// given counts the rules that were handed out, and settled those that are done.
	given, settled int
}

// queued is a rule with the place of its next turn.
type queued struct {
	*progress
	place int
}

// inTurns calls work for each of the rules, and again while that reports that there
// is more to do, up to some number at a time. It returns when all are done or, with
// what has begun, when ctx ends. What work does after it called settle takes effect
// in the order of the turns, if that is wanted. Unless prepare is nil, a rule's first
// turn comes once that called ready with it, while others are worked on.
// What rules of one story do before that may be at the same time, unless alone is set.
func inTurns(ctx context.Context, rules []*progress, atOnce int, inOrder, alone bool, prepare func(ready func(*progress)), work func(p *progress, settle func()) (more bool)) {
	t := &turns{size: len(rules), inOrder: inOrder, alone: alone, busy: map[string]bool{}, coming: true}
	t.changed = sync.NewCond(&t.mu)
	defer context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})()
	places := map[*progress]int{}
	for i, p := range rules {
		places[p] = i
		if prepare == nil {
			t.queue = append(t.queue, queued{p, i})
		}
	}
	worker := func() {
		for {
			p, turn := t.next(ctx)
			if p.progress == nil {
				return
			}
			more := false
			// A rule's own work is guarded where it is known what failed.
			err := guarded(func() error {
				more = work(p.progress, func() { t.await(turn) })
				return nil
			})
			if err != nil {
				p.fail("running it", err)
			}
			t.done(p, turn, more && ctx.Err() == nil)
		}
	}
	var workers sync.WaitGroup
	others := min(atOnce, len(rules))
	if prepare == nil {
		others--
	}
	for range others {
		workers.Go(worker)
	}
	if prepare != nil {
		prepare(func(p *progress) { t.add(queued{p, places[p]}) })
	}
	t.mu.Lock()
	t.coming = false
	t.changed.Broadcast()
	t.mu.Unlock()
	if prepare == nil {
		worker()
	}
	workers.Wait()
}

// add puts a rule into its place of the queue.
func (t *turns) add(p queued) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(p)
	t.changed.Broadcast()
}

func (t *turns) insert(p queued) {
	i, _ := slices.BinarySearchFunc(t.queue, p.place, func(q queued, place int) int { return cmp.Compare(q.place, place) })
	t.queue = slices.Insert(t.queue, i, p)
}

// next takes the next rule that may be worked on out of the queue, and says which
// turn that is. It waits for one, and returns nil if there is none any more.
func (t *turns) next(ctx context.Context) (p queued, turn int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		if ctx.Err() != nil || len(t.queue) == 0 && t.running == 0 && !t.coming {
			t.changed.Broadcast()
			return queued{}, 0
		}
		for i, p := range t.queue {
			if story := p.rule.Story; story == "" || !t.busy[story] || !t.alone {
				t.queue = slices.Delete(t.queue, i, i+1)
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
func (t *turns) done(p queued, turn int, more bool) {
	t.await(turn)
	t.mu.Lock()
	defer t.mu.Unlock()
	if more {
		p.place += t.size
		t.insert(p)
	}
	delete(t.busy, p.rule.Story)
	t.running--
	t.settled++
	t.changed.Broadcast()
}
