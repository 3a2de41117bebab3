package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pushback/detect/alert"
)

// Owed is an alert that a destination waits for.
type Owed struct {
	// Alert has for certain only its ID, RuleID, RuleName, Title, Severity, Address and Created: Claim
	// gives all of it.
	Alert       *alert.Alert
	Destination string
	// Attempts is how often it was tried in vain, and LastError what came of
	// the last one. Counted is how many of the attempts count against the alert,
	// and Mark and Unanswered are those of the last failure.
	Attempts   int
	Counted    int
	Mark       int
	Unanswered bool
	LastError  string
	// Next is when it is due again. The zero time is at once.
	Next time.Time
	// Parked alerts are not sent until Retry.
	Parked bool
}

// ErrNotOwed says that no destination waits for an alert of this id.
var ErrNotOwed = errors.New("no such alert is owed")

// Pending returns the alerts that are owed to a destination, in the order in
// which they were recorded: what continues an alert comes after it. Parked ones
// are not among them.
func (l *Ledger) Pending(ctx context.Context, destination string) ([]alert.Alert, error) {
	rows, err := l.outbox(ctx, false)
	if err != nil {
		return nil, err
	}
	var pending []alert.Alert
	for _, o := range rows {
		if i := o.find(destination); i >= 0 && !o.to[i].Parked {
			pending = append(pending, o.alert)
		}
	}
	return pending, nil
}

// Outbox returns all that is owed to anybody, parked or not, in the order in
// which it was recorded. If some of it cannot be read, it returns the rest with
// the error.
func (l *Ledger) Outbox(ctx context.Context) ([]Owed, error) {
	rows, err := l.outbox(ctx, true)
	all := make([]Owed, 0, len(rows))
	for _, o := range rows {
		for i, d := range o.to {
			if !d.settled() {
				all = append(all, o.owed(i))
			}
		}
	}
	return all, err
}

func (o *outRow) owed(i int) Owed {
	d := o.to[i]
	return Owed{
		Alert: &o.alert, Destination: d.Name,
		Attempts: d.Attempts, Counted: d.Counted, Mark: d.Mark, Unanswered: d.Unanswered, LastError: d.LastError, Next: d.Next, Parked: d.Parked,
	}
}

// outbox returns the out rows of all rules in the order of their recording. A
// rule or a row that cannot be read does not hide the others: they come with the
// error.
func (l *Ledger) outbox(ctx context.Context, brief bool) ([]*outRow, error) {
	ids, err := l.rules(ctx)
	if err != nil {
		return nil, err
	}
	var rows []*outRow
	var errs []error
	for _, id := range ids {
		for i, err := range l.store.list(ctx, partitionOf(id), outPrefix, prefixEnd(outPrefix), brief) {
			var o *outRow
			if err == nil {
				o, err = as[*outRow](i)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("ledger: reading what rule %q still has to tell: %w", id, err))
				continue
			}
			rows = append(rows, o)
		}
	}
	slices.SortFunc(rows, func(a, b *outRow) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), strings.Compare(a.alert.ID, b.alert.ID))
	})
	return rows, errors.Join(errs...)
}

// Claim reserves an alert for the caller to send it to a destination until some
// time, and returns all of it: of several that want to, one gets it. If it dies
// with it, the alert is due again at that time.
func (l *Ledger) Claim(ctx context.Context, destination string, a alert.Alert, now, until time.Time) (whole alert.Alert, claimed bool, err error) {
	holder := newHolder()
	err = l.update(ctx, a.RuleID, a.ID, func(o *outRow) bool {
		whole = o.alert
		i := o.find(destination)
		if i < 0 || o.to[i].Parked {
			return false
		}
		if o.to[i].Holder == holder {
			claimed = true // by the attempt before, though the answer said otherwise
			return false
		}
		if o.to[i].Next.After(now) {
			return false
		}
		o.to[i].Holder, o.to[i].Next = holder, until
		return true
	}, func() { claimed = true })
	return whole, claimed, err
}

// Sent notes that a destination accepted an alert. Noting it twice, or of an
// alert that is not owed, changes nothing.
func (l *Ledger) Sent(ctx context.Context, destination string, a alert.Alert) error {
	return l.settle(ctx, a.RuleID, a.ID, destination, func(d *delivery) { d.Sent = l.noted() })
}

// noted returns when something is noted; never the zero time, which is never.
func (l *Ledger) noted() time.Time {
	if now := l.now(); !now.IsZero() {
		return now
	}
	return time.Unix(0, 0).UTC()
}

// Failure is an attempt to send an alert in vain.
type Failure struct {
	Err string
	// Counts says that the attempt counts against the alert, and not only
	// against the destination.
	Counts bool
	// Mark is how many deliveries the address had taken by then. It is kept for
	// the caller, who compares it with the next.
	Mark int
	// Unanswered says that it may have been taken. It is kept too.
	Unanswered bool
	// Next is when to try again.
	Next time.Time
	// Park says not to, until Retry.
	Park bool
}

// maxError is how much of an error is kept, in bytes.
const maxError = 1000

// Failed notes that a destination did not accept an alert.
func (l *Ledger) Failed(ctx context.Context, destination string, a alert.Alert, f Failure) error {
	if len(f.Err) > maxError {
		cut := maxError
		for !utf8.RuneStart(f.Err[cut]) {
			cut--
		}
		f.Err = f.Err[:cut] + "…"
	}
	f.Err = strings.ToValidUTF8(f.Err, "\uFFFD")
	attempts, counted := -1, 0
	return l.settle(ctx, a.RuleID, a.ID, destination, func(d *delivery) {
		if attempts < 0 { // once, however often this is tried
			attempts, counted = d.Attempts+1, d.Counted
			if f.Counts {
				counted++
			}
		}
		d.Attempts, d.Counted, d.Mark, d.Unanswered = attempts, counted, f.Mark, f.Unanswered
		d.LastError, d.Next, d.Parked, d.Holder = f.Err, f.Next, f.Park, ""
	})
}

// Retry has an alert be sent again at once, parked or not, to a destination or
// to all that wait for it if that is empty.
func (l *Ledger) Retry(ctx context.Context, alertID, destination string) error {
	return l.byHand(ctx, alertID, destination, func(d *delivery) {
		d.Attempts, d.Counted, d.Mark, d.Unanswered = 0, 0, 0, false
		d.Next, d.Parked, d.Holder = time.Time{}, false, ""
	})
}

// Drop gives up sending an alert to a destination, or to all that wait for it
// if that is empty. What was dropped is kept as what was sent is.
func (l *Ledger) Drop(ctx context.Context, alertID, destination string) error {
	return l.byHand(ctx, alertID, destination, func(d *delivery) { d.Dropped = l.noted() })
}

// byHand changes what destinations have of an alert whose rule is not known.
func (l *Ledger) byHand(ctx context.Context, alertID, destination string, change func(*delivery)) error {
	rows, err := l.outbox(ctx, true)
	if err != nil {
		return err
	}
	for _, o := range rows {
		if o.alert.ID != alertID {
			continue
		}
		found := false
		for _, d := range o.to {
			if d.settled() || destination != "" && d.Name != destination {
				continue
			}
			found = true
			if err := l.settle(ctx, o.alert.RuleID, alertID, d.Name, change); err != nil {
				return err
			}
		}
		if found {
			return nil
		}
	}
	if destination != "" {
		return fmt.Errorf("ledger: alert %q for %s: %w", alertID, destination, ErrNotOwed)
	}
	return fmt.Errorf("ledger: alert %q: %w", alertID, ErrNotOwed)
}

// settle changes what a destination that waits for an alert has of it.
func (l *Ledger) settle(ctx context.Context, ruleID, alertID, destination string, change func(*delivery)) error {
	return l.update(ctx, ruleID, alertID, func(o *outRow) bool {
		i := o.find(destination)
		if i < 0 {
			return false
		}
		change(&o.to[i])
		return true
	}, nil)
}

// sentAt is the time under which an alert is kept that nobody waits for any
// more: now, or without a clock when it was recorded.
func (l *Ledger) sentAt(o *outRow) time.Time {
	if l.clock == nil {
		return o.recorded
	}
	return l.now()
}

// update changes an out row if it is there and change says so; changed, if set,
// is called once that is done. A row of which nobody waits any more is moved to
// what was sent, in one transaction.
func (l *Ledger) update(ctx context.Context, ruleID, alertID string, edit func(*outRow) bool, changed func()) error {
	partition := partitionOf(ruleID)
	for conflicts := 0; ; conflicts++ {
		i, err := l.store.get(ctx, partition, outKey(alertID))
		if errors.Is(err, errMissing) {
			return nil
		}
		var o *outRow
		if err == nil {
			o, err = as[*outRow](i)
		}
		if err == nil {
			next := *o
			next.to = slices.Clone(o.to)
			if !edit(&next) {
				return nil
			}
			changes := []change{{verb: replace, key: i.key, etag: i.etag, row: &next}}
			if next.settled() {
				changes[0].verb, changes[0].row = remove, nil
				if l.sentFor > 0 {
					changes = append(changes, change{verb: replace, key: sentKey(l.sentAt(&next), alertID), row: &next})
				}
			}
			for j := range changes {
				if err == nil {
					changes[j], err = l.store.prepare(partition, changes[j])
				}
			}
			if err == nil {
				_, err = l.store.commit(ctx, partition, changes...)
			}
		}
		if err == nil {
			if changed != nil {
				changed()
			}
			return nil
		}
		if !conflict(err) || conflicts == maxConflicts {
			return fmt.Errorf("ledger: noting what became of alert %s: %w", alertID, err)
		}
	}
}
