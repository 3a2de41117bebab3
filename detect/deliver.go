package detect

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// maxFailures is how many alerts in a row a destination may fail to take
// before the tick leaves it alone. One bad alert does not hold up those behind
// it, and a destination that is down does not use up the tick's time.
const maxFailures = 3

// deliverAll sends each destination what it is owed. clock gives the time in
// this tick: the tick's own, and what has passed of it.
func (d *Detector) deliverAll(ctx context.Context, clock func() time.Time) []Delivery {
	outs := make([]Delivery, 0, len(d.notifiers))
	if errors.Is(ctx.Err(), context.Canceled) { // somebody waits for the tick to end
		for _, n := range d.notifiers {
			outs = append(outs, Delivery{Destination: n.Name(), Unread: true})
		}
		return outs
	}
	owed, err := d.outbox(ctx)
	for i, n := range d.notifiers {
		sharing, cancel := share(ctx, len(d.notifiers)-i)
		out := d.deliver(sharing, n, owed[n.Name()], clock)
		cancel()
		out.Incomplete = err != nil
		if err != nil && i == 0 {
			out.Err = errors.Join(fmt.Errorf("reading what is owed: %w", err), out.Err)
		}
		outs = append(outs, out)
		delete(owed, n.Name())
	}
	// What is left is for destinations that there were once.
	for _, name := range slices.Sorted(maps.Keys(owed)) {
		out := Delivery{Destination: name, Orphaned: true, Incomplete: err != nil}
		for _, o := range owed[name] {
			out.count(o)
		}
		outs = append(outs, out)
	}
	return outs
}

// share returns a context with an equal part of what is left of another's time:
// a destination that is slow, and has much to take, leaves the others theirs.
func share(ctx context.Context, destinations int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || destinations <= 1 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(destinations))
}

// count counts an alert that is owed.
func (out *Delivery) count(o *ledger.Owed) {
	if o.Parked {
		out.Parked++
	} else {
		out.Pending++
		if made := o.Alert.Created; out.Oldest.IsZero() || made.Before(out.Oldest) {
			out.Oldest = made
		}
	}
}

// deliver sends a destination what is owed to it and due, in the order in which
// it was recorded, until ctx ends.
func (d *Detector) deliver(ctx context.Context, n Notifier, owed []*ledger.Owed, clock func() time.Time) (out Delivery) {
	elapsed := d.stopwatch()
	out = Delivery{Destination: n.Name()}
	defer func() { out.Duration = elapsed() }()
	var due []*ledger.Owed
	now := clock()
	for _, o := range owed {
		out.count(o)
		if !o.Parked && !o.Next.After(now) {
			out.Behind++
		}
		if !o.Parked && !o.Next.After(now) && (len(due) < d.config.SendLimit || d.config.SendLimit == 0) {
			due = append(due, o)
		}
	}
	var errs []error
	fail := func(doing string, o *ledger.Owed, err error) {
		errs = append(errs, fmt.Errorf("destination %s: %s alert %s: %w", n.Name(), doing, o.Alert.ID, err))
	}
	defer func() { out.Err = errors.Join(errs...) }()
	inARow := 0
	due, digests := digested(n, due, owed, now, d.config.SendLimit)
	for i, o := range due {
		if ctx.Err() != nil {
			out.Left = len(due) - i
			break
		}
		out.Behind--
		key := delivered{n.Name(), o.Alert.ID}
		if !d.unnoted[key] {
			whole, claimed, err := d.claim(ctx, o, clock())
			if err != nil {
				// Of this alert alone, or of the ledger: the next ones tell.
				fail("claiming", o, err)
				if inARow++; inARow == maxFailures {
					break
				}
				continue
			}
			if !claimed {
				continue // another process sends it
			}
			d.lead(ctx, n, &whole)
			if err := d.notify(ctx, n, whole); err != nil {
				failure, alone := d.failure(o, err, clock())
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
		}
		inARow = 0
		if err := d.sent(ctx, o); err != nil {
			d.unnoted[key] = true
			fail("noting the sending of", o, err)
			break
		}
		delete(d.unnoted, key)
		out.Sent++
		out.Pending--
	}
	for i, group := range digests {
		if ctx.Err() != nil || inARow == maxFailures {
			for _, left := range digests[i:] {
				out.Left += len(left)
			}
			break
		}
		out.Behind -= len(group)
		if !d.deliverDigest(ctx, n.(Digester), group, clock, &out, fail) {
			inARow = maxFailures
		}
	}
	return out
}

// leadTimeout is how long looking for the incident of an alert may take: the
// alert is claimed already.
const leadTimeout = 5 * time.Second

// lead has an alert for a destination lead to the incident that a destination
// before it made of it, if one did.
func (d *Detector) lead(ctx context.Context, to Notifier, a *alert.Alert) {
	for _, n := range d.notifiers {
		if n.Name() == to.Name() {
			return
		}
		if o, ok := n.(Opener); ok && a.IncidentURL == "" {
			ctx, cancel := finishing(ctx, leadTimeout)
			a.IncidentURL = o.IncidentURL(ctx, *a)
			cancel()
		}
	}
}

// failure is what becomes of an alert that a destination did not take. alone
// says that the destination wants to be left alone.
func (d *Detector) failure(o *ledger.Owed, err error, now time.Time) (f ledger.Failure, alone bool) {
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
func (d *Detector) backoff(o *ledger.Owed, attempts int) time.Duration {
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
const claimFor = 3 * saveTimeout

// outbox reads what is owed, by destination, also when the time for sending it
// is up: the report says how much that is. What can be read comes with the error
// about the rest.
func (d *Detector) outbox(ctx context.Context) (map[string][]*ledger.Owed, error) {
	ctx, cancel := finishing(ctx, readTimeout)
	defer cancel()
	var all []ledger.Owed
	err := guarded(func() (err error) {
		all, err = d.ledger.Outbox(ctx)
		return err
	})
	owed := make(map[string][]*ledger.Owed)
	for i := range all {
		o := &all[i]
		owed[o.Destination] = append(owed[o.Destination], o)
	}
	return owed, err
}

func (d *Detector) claim(ctx context.Context, o *ledger.Owed, now time.Time) (whole alert.Alert, claimed bool, err error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err = guarded(func() error {
		whole, claimed, err = d.ledger.Claim(ctx, o.Destination, *o.Alert, now, now.Add(d.config.SendTimeout+claimFor))
		return err
	})
	return whole, claimed, err
}

func (d *Detector) notify(ctx context.Context, n Notifier, a alert.Alert) error {
	ctx, cancel := finishing(ctx, d.config.SendTimeout)
	defer cancel()
	return guarded(func() error { return n.Notify(ctx, a) })
}

func (d *Detector) sent(ctx context.Context, o *ledger.Owed) error {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	return guarded(func() error { return d.ledger.Sent(ctx, o.Destination, *o.Alert) })
}

func (d *Detector) failed(ctx context.Context, o *ledger.Owed, f ledger.Failure) error {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	return guarded(func() error { return d.ledger.Failed(ctx, o.Destination, *o.Alert, f) })
}
