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

// claimedAlert is an alert of a digest.
type claimedAlert struct {
	owed  *ledger.Owed
	whole alert.Alert
}

// digest sends several alerts of a rule at once. Each is claimed before and noted
// after, as if it were sent alone.
func (t *trip) digest(ctx context.Context, s *visit, group []*ledger.Owed) {
	var claimed []claimedAlert
	until := t.clock().Add(t.config.SendTimeout + claimFor)
	for i, o := range group {
		if ctx.Err() != nil {
			t.out.Left += len(group) - i
			break
		}
		if t.stopped {
			break
		}
		if whole, ok := t.claim(ctx, o); ok {
			claimed = append(claimed, claimedAlert{o, whole})
		}
	}
	if t.stopped {
		return // what is claimed is due again when the claims end
	}
	// What had no answer is not sent again as it was, while others are taken:
	// some of it may never have one.
	again := func(p claimedAlert) bool { return p.owed.Unanswered && s.othersSince(p.owed) }
	if len(claimed) > 1 && slices.ContainsFunc(claimed, again) {
		t.halves(ctx, s, claimed, until)
		return
	}
	t.several(ctx, s, claimed, until)
}

// suspicious reports whether the address took others since some of the alerts
// were not taken.
func suspicious(s *visit, claimed []claimedAlert) bool {
	return slices.ContainsFunc(claimed, func(p claimedAlert) bool { return s.othersSince(p.owed) })
}

// halves sends each half of the alerts by itself.
func (t *trip) halves(ctx context.Context, s *visit, claimed []claimedAlert, until time.Time) {
	half := len(claimed) / 2
	t.several(ctx, s, claimed[:half], until)
	rest := claimed[half:]
	if !t.open(ctx, s) || t.clock().Add(t.config.SendTimeout).After(until) {
		t.release(ctx, s, rest, errors.New("it was to be sent with others, one of which was refused"))
		return
	}
	t.several(ctx, s, rest, until)
}

// several sends alerts that are claimed until some time. Where they are refused
// for what one of them holds, each half is sent by itself, until that one is
// found: the others must not be parked with it.
func (t *trip) several(ctx context.Context, s *visit, claimed []claimedAlert, until time.Time) {
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
		t.accepted(ctx, s, list...)
		return
	}
	verdict := judge(err)
	// Not where it may have been taken: what is sent again is repeated.
	divide := verdict.Message || suspicious(s, claimed) && !verdict.Shut && !verdict.Repeatable && !verdict.Unanswered && verdict.RetryAfter == 0
	if divide && s.splits < mostSplits {
		s.splits++
		t.halves(ctx, s, claimed, until)
		return
	}
	t.fail(fmt.Sprintf("sending %s at once, the first of them", counted(len(claimed), "alert", "alerts")), list[0], err)
	t.missed(s, nil, verdict, err)
	t.release(ctx, s, claimed, err)
}

// release gives claimed alerts back that were not taken. What became of them
// counts against none.
func (t *trip) release(ctx context.Context, s *visit, claimed []claimedAlert, why error) {
	for _, p := range claimed {
		if t.stopped {
			return // the claims end by themselves
		}
		t.noteFailure(ctx, p.owed, ledger.Failure{Err: why.Error(), Mark: s.state.Count, Unanswered: judge(why).Unanswered})
	}
}
