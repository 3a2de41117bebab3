package workspace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"pushback/detect/transport"
)

// DefaultRate is how many requests the service takes of one identity in 30 seconds.
// It runs five of its queries at once: see
// https://learn.microsoft.com/azure/azure-monitor/service-limits.
const DefaultRate = 200

// largeAnswer is from what an answer takes in memory on that only one is held.
const largeAnswer = 4 << 20

// throttle keeps the queries of a process to what the service takes, and what they
// hold to what fits into the process.
type throttle struct {
	slots *semaphore.Weighted
	rate  *rate.Limiter
	in30s int // what rate lets through
	large *semaphore.Weighted

	mu    sync.Mutex
	until time.Time // when the service wants to be asked again
}

// newThrottle returns a throttle that lets so many queries run at once, and so many
// requests come in any 30 seconds: a quarter in a burst, and the others evenly.
func newThrottle(atOnce, in30s int) *throttle {
	burst := max(in30s/4, 1)
	return &throttle{
		slots: semaphore.NewWeighted(int64(atOnce)),
		rate:  rate.NewLimiter(rate.Limit(float64(in30s-burst)/30), burst),
		in30s: in30s,
		large: semaphore.NewWeighted(1),
	}
}

// ThrottledError says that a query was not sent, since the service asked to be left
// alone for longer than the query may take. Until is zero where its turn does not come
// in that time, as so many requests are sent.
type ThrottledError struct {
	Until time.Time
	rate  int // how many may be sent in 30 seconds
}

// Error says until when, or why.
func (e *ThrottledError) Error() string {
	if e.Until.IsZero() {
		return fmt.Sprintf("no more than %d requests are sent in 30 seconds, and its turn does not come in the time that it may take: a later tick tries again", e.rate)
	}
	return fmt.Sprintf("the service asked to be left alone until %s, as too many queries ran at once: a later tick tries again", e.Until.UTC().Format(time.RFC3339))
}

// NonRetriable says that the same query is not to be tried again.
func (*ThrottledError) NonRetriable() {}

// begin waits until a query may be sent, and returns what ends it.
func (t *throttle) begin(ctx context.Context, timeout time.Duration) (end func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	if err := t.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	end = func() { t.slots.Release(1) }
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := t.admit(limited); err != nil {
		end()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return end, nil
}

// admit waits until a request may be sent, if that is in ctx's time.
func (t *throttle) admit(ctx context.Context) error {
	if t == nil {
		return nil
	}
	for {
		if err := t.leaveAlone(ctx); err != nil {
			return err
		}
		if err := t.rate.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &ThrottledError{rate: t.in30s}
		}
		// Meanwhile an answer may have asked for more.
		if !time.Now().Before(t.quietUntil()) {
			return nil
		}
	}
}

// quietUntil returns when the service wants to be asked again.
func (t *throttle) quietUntil() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.until
}

// leaveAlone waits until the service wants to be asked again, if that is in ctx's
// time.
func (t *throttle) leaveAlone(ctx context.Context) error {
	for {
		until := t.quietUntil()
		wait := time.Until(until)
		if wait <= 0 {
			return nil
		}
		if deadline, ok := ctx.Deadline(); ok && until.After(deadline) {
			return &ThrottledError{Until: until}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heed has all queries wait as long as an answer asks for.
func (t *throttle) heed(response *http.Response) {
	if t == nil || response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable {
		return
	}
	now := time.Now()
	until := now.Add(transport.RetryAfter(response.Header, now))
	t.mu.Lock()
	defer t.mu.Unlock()
	if until.After(t.until) {
		t.until = until
	}
}

// errCrowded says that an answer is large while another large one is held.
var errCrowded = errors.New("another large answer is held")

// holding is what is held of large answers.
type holding struct {
	mu    sync.Mutex
	large *semaphore.Weighted // nil if none is
}

type holdingKey struct{}

// Hold returns a context whose queries' answers are in use until release is called,
// so that not several large ones are in memory at once. It must be called when the
// answers are not used any more.
func Hold(ctx context.Context) (held context.Context, release func()) {
	h := &holding{}
	return context.WithValue(ctx, holdingKey{}, h), h.release
}

func (h *holding) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.large != nil {
		h.large.Release(1)
		h.large = nil
	}
}

// try takes the right to hold a large answer, if it is free.
func (h *holding) try(t *throttle) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case t == nil || h.large == t.large:
		return nil
	case !t.large.TryAcquire(1):
		return errCrowded
	}
	h.large = t.large
	return nil
}

// wait waits for the right to hold a large answer.
func (h *holding) wait(ctx context.Context, t *throttle) error {
	if err := t.large.Acquire(ctx, 1); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.large = t.large
	return nil
}
