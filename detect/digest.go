package detect

import (
	"context"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// mostDigested is how many alerts one digest tells of at most: each is claimed
// and noted by itself.
const mostDigested = 1000

// digested takes the rules out of what is due of which a destination is owed
// more than it wants to be told one by one: of them it is told all that is due,
// at once.
func digested(n Notifier, due, owed []*ledger.Owed, now time.Time, limit int) (single []*ledger.Owed, digests [][]*ledger.Owed) {
	d, ok := n.(Digester)
	if !ok || d.Most() <= 0 {
		return due, nil
	}
	count := map[string]int{}
	byRule := map[string][]*ledger.Owed{}
	var rules []string
	for _, o := range owed {
		if o.Parked || o.Next.After(now) {
			continue
		}
		id := o.Alert.RuleID
		if count[id]++; count[id] == 1 {
			rules = append(rules, id)
		}
		if len(byRule[id]) < mostDigested {
			byRule[id] = append(byRule[id], o)
		}
	}
	for _, id := range rules {
		if count[id] > d.Most() {
			digests = append(digests, byRule[id])
		}
	}
	for _, o := range owed { // not due: what digests take makes room for others
		if o.Parked || o.Next.After(now) || count[o.Alert.RuleID] > d.Most() {
			continue
		}
		if limit == 0 || len(single) < limit {
			single = append(single, o)
		}
	}
	return single, digests
}

// deliverDigest tells a destination of several alerts at once. Each is claimed
// before and noted after, as if it were told alone. It reports whether the
// destination took it.
func (d *Detector) deliverDigest(ctx context.Context, n Digester, group []*ledger.Owed, clock func() time.Time, out *Delivery, fail func(string, *ledger.Owed, error)) bool {
	var claimed []*ledger.Owed
	var whole []alert.Alert
	note := func(o *ledger.Owed) bool {
		key := delivered{n.Name(), o.Alert.ID}
		if err := d.sent(ctx, o); err != nil {
			d.unnoted[key] = true
			fail("noting the sending of", o, err)
			return false
		}
		delete(d.unnoted, key)
		out.Sent++
		out.Pending--
		return true
	}
	for i, o := range group {
		if ctx.Err() != nil {
			out.Left += len(group) - i
			out.Behind += len(group) - i
			break
		}
		if d.unnoted[delivered{n.Name(), o.Alert.ID}] {
			if !note(o) {
				return false
			}
			continue
		}
		a, ok, err := d.claim(ctx, o, clock())
		if err != nil {
			fail("claiming", o, err)
			break
		}
		if ok {
			claimed, whole = append(claimed, o), append(whole, a)
		}
	}
	if len(claimed) == 0 {
		return true
	}
	sending, cancel := finishing(ctx, d.config.SendTimeout)
	err := guarded(func() error { return n.NotifyAll(sending, whole) })
	cancel()
	if err == nil {
		for i, o := range claimed {
			if !note(o) {
				// The ledger is down. What is not noted is told again by
				// another process, and by this one noted later.
				for _, rest := range claimed[i+1:] {
					d.unnoted[delivered{n.Name(), rest.Alert.ID}] = true
				}
				return false
			}
		}
		return true
	}
	fail(fmt.Sprintf("sending %d alerts at once, the first of them", len(claimed)), claimed[0], err)
	// They wait together: else they would come back a few at a time.
	var next time.Time
	for _, o := range claimed {
		f, _ := d.failure(o, err, clock())
		if next.IsZero() {
			next = f.Next
		}
		f.Next = next
		if f.Park {
			out.Parked++
			out.Pending--
		}
		if err := d.failed(ctx, o, f); err != nil {
			fail("noting the failure to send", o, err)
			break
		}
	}
	return false
}
