package detect

import (
	"context"
	"errors"
	"fmt"

	"pushback/detect/alert"
)

// maxFailures is how many alerts in a row a destination may fail to take
// before the tick leaves it alone. One bad alert does not hold up those behind
// it, and a destination that is down does not use up the tick's time.
const maxFailures = 3

// deliver sends a destination what is owed to it, in the order in which it was
// recorded, until ctx ends.
func (d *Detector) deliver(ctx context.Context, n Notifier) (out Delivery) {
	elapsed := d.stopwatch()
	out = Delivery{Destination: n.Name()}
	defer func() { out.Duration = elapsed() }()
	if errors.Is(ctx.Err(), context.Canceled) {
		out.Unread = true // somebody waits for the tick to end
		return out
	}
	pending, err := d.pending(ctx, n.Name())
	if err != nil {
		out.Err = fmt.Errorf("destination %s: reading what is owed: %w", n.Name(), err)
		return out
	}
	var errs []error
	inARow := 0
	for i, a := range pending {
		if ctx.Err() != nil {
			out.Left = len(pending) - i
			break
		}
		if err := d.notify(ctx, n, a); err != nil {
			errs = append(errs, fmt.Errorf("destination %s: sending alert %s: %w", n.Name(), a.ID, err))
			if inARow++; inARow == maxFailures {
				break
			}
			continue
		}
		inARow = 0
		if err := d.sent(ctx, n.Name(), a); err != nil {
			// It was told, but the ledger does not know: it will be told again.
			errs = append(errs, fmt.Errorf("destination %s: noting that alert %s was sent: %w", n.Name(), a.ID, err))
			break
		}
		out.Sent++
	}
	out.Pending = len(pending) - out.Sent
	out.Err = errors.Join(errs...)
	return out
}

// pending reads what is owed, also when the time for sending it is up: the
// report says how much that is.
func (d *Detector) pending(ctx context.Context, destination string) (alerts []alert.Alert, err error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err = guarded(func() error {
		alerts, err = d.ledger.Pending(ctx, destination)
		return err
	})
	return alerts, err
}

func (d *Detector) notify(ctx context.Context, n Notifier, a alert.Alert) error {
	ctx, cancel := finishing(ctx, d.config.SendTimeout)
	defer cancel()
	return guarded(func() error { return n.Notify(ctx, a) })
}

func (d *Detector) sent(ctx context.Context, destination string, a alert.Alert) error {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	return guarded(func() error { return d.ledger.Sent(ctx, destination, a) })
}
