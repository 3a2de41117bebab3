package detect

import (
	"context"
	"errors"
	"fmt"
)

// maxFailures is how many alerts in a row a destination may fail to take
// before the tick leaves it alone. One bad alert does not hold up those behind
// it, and a destination that is down does not use up the tick's time.
const maxFailures = 3

// deliver sends a destination what is owed to it, in the order in which it was
// recorded.
func (d *Detector) deliver(ctx context.Context, n Notifier) Delivery {
	out := Delivery{Destination: n.Name()}
	pending, err := d.ledger.Pending(ctx, n.Name())
	if err != nil {
		out.Err = fmt.Errorf("destination %s: reading what is owed: %w", n.Name(), err)
		return out
	}
	var errs []error
	inARow := 0
	for _, a := range pending {
		if err := ctx.Err(); err != nil {
			errs = append(errs, fmt.Errorf("destination %s: the time is up: %w", n.Name(), err))
			break
		}
		if err := n.Notify(ctx, a); err != nil {
			errs = append(errs, fmt.Errorf("destination %s: sending alert %s: %w", n.Name(), a.ID, err))
			if inARow++; inARow == maxFailures {
				break
			}
			continue
		}
		inARow = 0
		if err := d.ledger.Sent(ctx, n.Name(), a); err != nil {
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
