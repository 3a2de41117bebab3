package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
)

const (
	// mostDigested is how many alerts one digest reports at most: each is claimed
	// and noted by itself.
	mostDigested = 1000
	// mostSplits is how many digests a tick divides, for an address, that are
	// refused because of some of what they report.
	mostSplits = 20
)

// parcel is an alert of a digest that is claimed.
type parcel struct {
	owed  *ledger.Owed
	whole alert.Alert
}

// digest sends several alerts of a rule at once. Each is claimed before and noted
// after, as if it were sent alone.
func (t *trip) digest(ctx context.Context, s *stop, group []*ledger.Owed) {
	var claimed []parcel
	until := t.clock().Add(t.config.SendTimeout + claimFor)
	for i, o := range group {
		if ctx.Err() != nil {
			t.out.Left += len(group) - i
			break
		}
		if t.stopped {
			break
		}
		if whole, ok := t.take(ctx, o); ok {
			claimed = append(claimed, parcel{o, whole})
		}
	}
	t.several(ctx, s, claimed, until)
}

// several sends alerts that are claimed until some time. Where they are refused
// for what one of them holds, each half is sent by itself, until that one is
// found: the others must not be parked with it.
func (t *trip) several(ctx context.Context, s *stop, claimed []parcel, until time.Time) {
	switch len(claimed) {
	case 0:
		return
	case 1:
		t.one(ctx, s, claimed[0].owed, claimed[0].whole)
		return
	}
	list := make([]*ledger.Owed, len(claimed))
	whole := make([]alert.Alert, len(claimed))
	for i, p := range claimed {
		list[i], whole[i] = p.owed, p.whole
	}
	sending, cancel := finishing(ctx, t.config.SendTimeout)
	err := guarded(func() error { return t.n.(notify.Digester).NotifyAll(sending, whole) })
	cancel()
	if err == nil {
		t.took(ctx, s, list...)
		return
	}
	verdict := judge(err)
	others := slices.ContainsFunc(list, s.othersSince)
	if s.splits < mostSplits && (verdict.Message || others && !verdict.Shut && !verdict.Repeatable && verdict.RetryAfter == 0) {
		s.splits++
		half := len(claimed) / 2
		for i, part := range [][]parcel{claimed[:half], claimed[half:]} {
			if i > 0 && (!t.open(ctx, s) || t.clock().Add(t.config.SendTimeout).After(until)) {
				t.release(ctx, s, part, errors.New("it was to be sent with others, one of which was refused"))
				return
			}
			t.several(ctx, s, part, until)
		}
		return
	}
	t.fail(fmt.Sprintf("sending %d alerts at once, the first of them", len(claimed)), list[0], err)
	t.missed(s, list[0], verdict, err)
	t.release(ctx, s, claimed, err)
}

// release gives claimed alerts back that were not taken. What became of them
// counts against none.
func (t *trip) release(ctx context.Context, s *stop, claimed []parcel, why error) {
	for _, p := range claimed {
		if t.stopped {
			return // the claims end by themselves
		}
		t.noteFailure(ctx, p.owed, ledger.Failure{Err: why.Error(), Mark: s.state.Count})
	}
}
