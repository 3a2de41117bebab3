package post

import (
	"sync"
	"time"
)

// PerSecond is how many requests a second are sent to an address at most. Teams
// throttles a webhook past that.
const PerSecond = 4

// Turns spaces requests out. It may be used concurrently.
type Turns struct {
	mu   sync.Mutex
	free time.Time // when the next may leave
}

// Next takes the next turn and returns how long until then.
func (t *Turns) Next(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.free.Before(now) {
		t.free = now
	}
	wait := t.free.Sub(now)
	t.free = t.free.Add(time.Second / PerSecond)
	return wait
}
