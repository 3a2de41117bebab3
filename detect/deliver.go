package detect

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"pushback/detect/ledger"
)

// maxFailures is how many alerts in a row a destination may fail to take
// before the tick leaves it alone. One bad alert does not hold up those behind
// it, and a destination that is down does not use up the tick's time.
const maxFailures = 3

// deliver sends a destination what is owed to it and due, in the order in which
// it was recorded, until ctx ends. now is the tick's time.
func (d *Detector) deliver(ctx context.Context, n Notifier, now time.Time) (out Delivery) {
	elapsed := d.stopwatch()
	out = Delivery{Destination: n.Name()}
	defer func() { out.Duration = elapsed() }()
	if errors.Is(ctx.Err(), context.Canceled) {
		out.Unread = true // somebody waits for the tick to end
		return out
	}
	due, waiting, err := d.due(ctx, n.Name(), now)
	if err != nil {
		out.Err = fmt.Errorf("destination %s: reading what is owed: %w", n.Name(), err)
		return out
	}
	out.Pending = waiting
	var errs []error
	fail := func(doing string, o ledger.Owed, err error) {
		errs = append(errs, fmt.Errorf("destination %s: %s alert %s: %w", n.Name(), doing, o.Alert.ID, err))
	}
	inARow := 0
	for i, o := range due {
		if ctx.Err() != nil {
			out.Left = len(due) - i
			break
		}
		claimed, err := d.claim(ctx, o, now.Add(elapsed()))
		if err != nil {
			fail("claiming", o, err)
			break
		}
		if !claimed {
			continue // another process sends it
		}
		if err := d.notify(ctx, n, o); err != nil {
			failure, alone := d.failure(o, err, now.Add(elapsed()))
			if failure.Park {
				err = fmt.Errorf("%w (refused %d times, it is parked: see handler outbox)", err, o.Attempts+1)
				out.Parked++
				out.Pending--
			}
			fail("sending", o, err)
			if err := d.failed(ctx, o, failure); err != nil {
				fail("noting the failure to send", o, err)
				break
			}
			if inARow++; inARow == maxFailures || alone {
				break
			}
			continue
		}
		inARow = 0
		if err := d.sent(ctx, o); err != nil {
			// It was told, but the ledger does not know: it will be told again.
			fail("noting the sending of", o, err)
			break
		}
		out.Sent++
		out.Pending--
	}
	out.Err = errors.Join(errs...)
	return out
}

// failure is what becomes of an alert that a destination did not take. alone
// says that the destination wants to be left alone.
func (d *Detector) failure(o ledger.Owed, err error, now time.Time) (f ledger.Failure, alone bool) {
	f.Err = err.Error()
	attempts := o.Attempts + 1
	var refused interface{ Permanent() bool }
	if errors.As(err, &refused) && refused.Permanent() && d.config.ParkAfter > 0 && attempts >= d.config.ParkAfter {
		f.Park = true
		return f, false
	}
	wait := d.backoff(o, attempts)
	var busy interface{ RetryAfter() time.Duration }
	if errors.As(err, &busy) && busy.RetryAfter() > 0 {
		wait, alone = max(wait, busy.RetryAfter()), true
	}
	if wait > 0 {
		f.Next = now.Add(wait)
	}
	return f, alone
}

// backoff is how long an alert waits after so many attempts.
func (d *Detector) backoff(o ledger.Owed, attempts int) time.Duration {
	wait := d.config.MaxBackoff
	if doubled := float64(d.config.Backoff) * math.Pow(2, float64(attempts-1)); doubled < float64(wait) {
		wait = time.Duration(doubled)
	}
	// What spreads alerts out is made of what they are, so that a replay waits
	// as production did.
	h := fnv.New32a()
	fmt.Fprint(h, o.Alert.ID, o.Destination, attempts)
	return wait + wait/4*time.Duration(int64(h.Sum32()%2001)-1000)/1000
}

// claimFor is how long an alert is reserved beyond the time that sending it may
// take.
const claimFor = 2 * saveTimeout

// due reads what is owed, also when the time for sending it is up: the report
// says how much that is.
func (d *Detector) due(ctx context.Context, destination string, now time.Time) (due []ledger.Owed, waiting int, err error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	limit := d.config.SendLimit
	if limit == 0 {
		limit = math.MaxInt
	}
	err = guarded(func() error {
		due, waiting, err = d.ledger.Due(ctx, destination, now, limit)
		return err
	})
	return due, waiting, err
}

func (d *Detector) claim(ctx context.Context, o ledger.Owed, now time.Time) (claimed bool, err error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err = guarded(func() error {
		claimed, err = d.ledger.Claim(ctx, o.Destination, o.Alert, now, now.Add(d.config.SendTimeout+claimFor))
		return err
	})
	return claimed, err
}

func (d *Detector) notify(ctx context.Context, n Notifier, o ledger.Owed) error {
	ctx, cancel := finishing(ctx, d.config.SendTimeout)
	defer cancel()
	return guarded(func() error { return n.Notify(ctx, o.Alert) })
}

func (d *Detector) sent(ctx context.Context, o ledger.Owed) error {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	return guarded(func() error { return d.ledger.Sent(ctx, o.Destination, o.Alert) })
}

func (d *Detector) failed(ctx context.Context, o ledger.Owed, f ledger.Failure) error {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	return guarded(func() error { return d.ledger.Failed(ctx, o.Destination, o.Alert, f) })
}
