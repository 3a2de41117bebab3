package detect

import (
	"context"
	"time"
)

// noteTime is how much of a stop's grace is kept for noting how things ended:
// an alert that was sent, how far the rules have run, the leases.
const noteTime = 1500 * time.Millisecond

const (
	// saveTimeout is how long noting that an alert was sent may take, also after
	// the tick's own time is up: else it would be sent again.
	saveTimeout = 20 * time.Second
	// statesTimeout is how long saving the states of all rules may take, also
	// after the tick's own time is up. If they were not saved then, a tick that
	// is always cut short would begin at the same window for ever.
	statesTimeout = 25 * time.Second
	// readTimeout is how long reading what is owed may take.
	readTimeout = 30 * time.Second
	// recordTimeout is how long recording a window's alerts may take, also after
	// the tick's own time is up: they were found, at some cost.
	recordTimeout = time.Minute
)

// stop is how a tick that is stopped comes to its end. Contexts carry it as a
// value, since what a tick must finish outlives its own context.
type stop struct {
	tick     context.Context // the tick's own
	underWay context.Context // ends noteTime before the last one
	last     context.Context
}

type stopKey struct{}

// Stoppable returns a context for [Detector.Tick] that is cancelled finish after
// stopped ends. What is being recorded or sent then has until grace after
// stopped ended, less the time to note how it went: after the grace the process
// may be gone.
func Stoppable(ctx, stopped context.Context, finish, grace time.Duration) (context.Context, context.CancelFunc) {
	tick, cancelTick := context.WithCancel(ctx)
	underWay, cancelUnderWay := context.WithCancel(context.Background())
	last, cancelLast := context.WithCancel(context.Background())
	disarm := context.AfterFunc(stopped, func() {
		time.AfterFunc(finish, cancelTick)
		time.AfterFunc(max(finish, grace-noteTime), cancelUnderWay)
		time.AfterFunc(max(finish, grace), cancelLast)
	})
	cancel := func() {
		disarm()
		cancelTick()
		cancelUnderWay()
		cancelLast()
	}
	return context.WithValue(tick, stopKey{}, &stop{tick, underWay, last}), cancel
}

// finishing returns a context for what must not be left half-done. It does not
// end with ctx but after a time of its own, or never if that is zero. The grace
// of a tick that is stopped ends it all the same.
func finishing(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	s, _ := ctx.Value(stopKey{}).(*stop)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), timeout)
	}
	if s == nil {
		return ctx, cancel
	}
	end := s.underWay
	if s.tick.Err() != nil { // it notes how something went
		end = s.last
	}
	disarm := context.AfterFunc(end, cancel)
	return ctx, func() { disarm(); cancel() }
}
