package detect

import (
	"context"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
)

// batch sends a destination what is due and what it has room for, all at once.
// What has no room waits: it is due.
func (t *trip) batch(ctx context.Context, b notify.Batcher) {
	s := t.visitAt("")
	var waiting []*ledger.Owed
	for _, o := range t.due {
		if !t.handled[o] && !t.unclaimable[o] {
			waiting = append(waiting, o)
		}
	}
	if len(waiting) == 0 || t.stopped || s.closed {
		return
	}
	if ctx.Err() != nil {
		t.out.Left += len(waiting)
		return
	}
	room, err := t.room(ctx, b)
	if err != nil {
		t.errs = append(t.errs, fmt.Errorf("destination %s: %w", t.n.Name(), err))
		s.closed = true // for this tick
		return
	}
	if limit := t.config.SendLimit; limit > 0 {
		room = min(room, limit-t.singles)
	}
	var claimed []claimedAlert
	for i, o := range waiting {
		if len(claimed) >= room || t.stopped {
			break
		}
		if ctx.Err() != nil {
			t.out.Left += len(waiting) - i
			break
		}
		if whole, ok := t.claim(ctx, o); ok {
			claimed = append(claimed, claimedAlert{o, whole})
			t.singles++
		}
	}
	if !t.stopped { // else what is claimed is due again when the claims end
		t.batched(ctx, s, b, claimed)
	}
}

func (t *trip) room(ctx context.Context, b notify.Batcher) (room int, err error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err = guarded(func() error {
		room, err = b.Room(ctx, t.clock())
		return err
	})
	return room, err
}

// batched sends alerts that are claimed, and notes what became of each.
func (t *trip) batched(ctx context.Context, s *visit, b notify.Batcher, claimed []claimedAlert) {
	if len(claimed) == 0 {
		return
	}
	whole := make([]alert.Alert, len(claimed))
	for i := range claimed {
		if ctx.Err() == nil { // it may take long of so many
			t.lead(ctx, &claimed[i].whole)
		}
		whole[i] = claimed[i].whole
	}
	sending, cancel := finishing(ctx, t.config.SendTimeout)
	var outcomes []notify.Outcome
	err := guarded(func() error {
		outcomes = b.Deliver(sending, whole, t.clock())
		return nil
	})
	cancel()
	for len(outcomes) < len(claimed) { // it panicked
		outcomes = append(outcomes, notify.Outcome{Err: err})
	}
	var taken []*ledger.Owed
	for i, p := range claimed {
		if outcomes[i].Err == nil {
			taken = append(taken, p.owed)
			if outcomes[i].Again {
				t.out.Again++
			}
		}
	}
	if len(taken) > 0 {
		t.accepted(ctx, s, taken...)
	}
	seen := map[error]bool{}
	for i, p := range claimed {
		if err := outcomes[i].Err; err != nil && !t.stopped {
			t.missedOf(ctx, s, p.owed, err, seen)
		}
	}
}

// missedOf notes that an alert of several was not taken. What became of several
// says of the address what one attempt does.
func (t *trip) missedOf(ctx context.Context, s *visit, o *ledger.Owed, err error, seen map[error]bool) {
	verdict := judge(err)
	switch {
	case verdict.Held:
		t.noteFailure(ctx, o, ledger.Failure{Err: err.Error(), Mark: s.state.Count, Next: verdict.Next})
	case verdict.Message || !seen[err]:
		seen[err] = true
		t.refused(ctx, s, o, err)
	default:
		t.noteFailure(ctx, o, ledger.Failure{Err: err.Error(), Mark: s.state.Count, Unanswered: verdict.Unanswered, Next: verdict.Next})
	}
}

// followTimeout is how long looking what became of what a destination took may
// take.
const followTimeout = 30 * time.Second

// follow has the destinations look what became of what they took.
func (c *courier) follow(ctx context.Context, tick time.Time, outs []Delivery) {
	for i, n := range c.notifiers {
		f, ok := n.(notify.Follower)
		if !ok || ctx.Err() != nil {
			continue
		}
		ctx, cancel := finishing(ctx, followTimeout)
		err := guarded(func() (err error) {
			outs[i].Followed, err = f.Follow(ctx, tick)
			return err
		})
		cancel()
		if err != nil {
			outs[i].Warnings = append(outs[i].Warnings, fmt.Sprintf("destination %s: %v", n.Name(), err))
		}
	}
}
