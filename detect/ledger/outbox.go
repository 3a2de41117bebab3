package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"pushback/detect/alert"
)

// Owed is an alert that a destination waits for.
type Owed struct {
	// Place is where it is in the outbox.
	Place Place
	// Alert has for certain only its ID, RuleID, RuleName, Title, Severity, Address and Created: Claim
	// gives all of it.
	Alert       *alert.Alert
	Destination string
	// Address is that of its Target, if it has one. It is the Alert's then, too.
	Address string
	// Recorded is when it was recorded, or when Retry was called after that. It
	// orders what is owed.
	Recorded time.Time
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

// Place is where an alert is in the outbox of its rule. It may change with all
// that is noted of the alert. Places are in the order in which Waiting yields
// them.
type Place string

// Where the parts of a rule's outbox begin.
const (
	FirstPlace  Place = outPrefix
	LaterPlace  Place = laterQueue
	ParkedPlace Place = parkedQueue
)

// ErrNotOwed says that no destination waits for an alert of this id.
var ErrNotOwed = errors.New("no such alert is owed")

// Rules returns the ids of the rules that may owe an alert: those that did when the
// tick began, and those of which this process put out one since.
func (l *Ledger) Rules(ctx context.Context) ([]string, error) {
	d, err := l.directory(ctx)
	if err != nil {
		return nil, err
	}
	return d.rulesOwing(), nil
}

// Waiting yields the alerts that a rule owes, from a place on, each as what its
// destinations wait for. First come those that are due, in the order in which
// they were recorded, so that what continues an alert comes after it; from
// LaterPlace on those that wait for their next attempt, the earliest first; and
// from ParkedPlace on those of which all is parked. The table is asked a
// thousand alerts at a time, and no more than are taken. An alert that cannot
// be read is an error, and those behind it are yielded all the same.
func (l *Ledger) Waiting(ctx context.Context, ruleID string, from Place) iter.Seq2[[]Owed, error] {
	list := func(yield func([]Owed, error) bool) {
		for i, err := range l.store.list(ctx, partitionOf(ruleID), string(max(from, FirstPlace)), prefixEnd(outPrefix), true) {
			var o *outRow
			if err == nil {
				o, err = as[*outRow](i)
			}
			var owed []Owed
			if err != nil {
				err = fmt.Errorf("ledger: reading what rule %q still has to send: %w", ruleID, err)
			} else if owed = o.owed(i.key); len(owed) == 0 {
				continue
			}
			if !yield(owed, err) {
				return
			}
		}
	}
	if from > FirstPlace {
		return list
	}
	return l.watched(ruleID, list)
}

// After returns the place behind one.
func (p Place) After() Place { return p + "!" }

// Outbox returns all that is owed to anybody, parked or not, in the order in
// which it was recorded. If some of it cannot be read, it returns the rest with
// the error.
func (l *Ledger) Outbox(ctx context.Context) ([]Owed, error) {
	d, err := l.readDirectory(ctx)
	if err != nil {
		return nil, err
	}
	var all []Owed
	errs := []error{d.errOfDamaged()}
	for _, id := range d.rulesOwing() {
		for list, err := range l.Waiting(ctx, id, FirstPlace) {
			if err != nil {
				errs = append(errs, err)
			}
			all = append(all, list...)
		}
	}
	slices.SortStableFunc(all, func(a, b Owed) int { return a.Recorded.Compare(b.Recorded) })
	return all, errors.Join(errs...)
}

// owed returns what destinations wait for of a row.
func (o *outRow) owed(key string) []Owed {
	var list []Owed
	for _, d := range o.to {
		if !d.settled() {
			a := &o.alert
			if d.Address != "" {
				of := d.addressed(o.alert)
				a = &of
			}
			list = append(list, Owed{
				Place: Place(key), Alert: a, Destination: d.Name, Address: d.Address, Recorded: o.order(),
				Attempts: d.Attempts, Counted: d.Counted, Mark: d.Mark, Unanswered: d.Unanswered, LastError: d.LastError, Next: d.Next, Parked: d.Parked,
			})
		}
	}
	return list
}

// Claim reserves an alert for the caller to send it to its destination until
// some time, and returns all of it. Of several that want to, one gets it. If it
// dies with it, the alert is due again at that time. An alert that is not at
// its place any more is another's.
func (l *Ledger) Claim(ctx context.Context, owed Owed, now, until time.Time) (whole alert.Alert, claimed bool, err error) {
	holder := newHolder()
	err = l.update(ctx, &owed, false, func(o *outRow) bool {
		whole = o.alert
		i := o.find(owed.Destination, owed.Address)
		if i < 0 || o.to[i].Parked {
			return false
		}
		whole = o.to[i].addressed(whole)
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

// Sent notes that its destination accepted an alert. Noting it twice, or of an
// alert that is not owed, changes nothing.
func (l *Ledger) Sent(ctx context.Context, owed Owed) error {
	return l.settle(ctx, owed, func(_ *outRow, d *delivery) { d.Sent = l.noted() })
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

// Failed notes that its destination did not accept an alert.
func (l *Ledger) Failed(ctx context.Context, owed Owed, f Failure) error {
	if len(f.Err) > maxError {
		cut := maxError
		for !utf8.RuneStart(f.Err[cut]) {
			cut--
		}
		f.Err = f.Err[:cut] + "…"
	}
	f.Err = strings.ToValidUTF8(f.Err, "\uFFFD")
	attempts, counted := -1, 0
	return l.settle(ctx, owed, func(_ *outRow, d *delivery) {
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

// Retry has an alert be sent again at once to its destination, parked or not. It
// comes behind those that are due now.
func (l *Ledger) Retry(ctx context.Context, owed Owed) error {
	seq := l.nextSeq()
	return l.settle(ctx, owed, func(o *outRow, d *delivery) {
		d.Attempts, d.Counted, d.Mark, d.Unanswered = 0, 0, 0, false
		d.Next, d.Parked, d.Holder = time.Time{}, false, ""
		o.seq = max(o.seq, seq)
	})
}

// Drop gives up sending an alert to its destination. What was dropped is kept as
// what was sent is.
func (l *Ledger) Drop(ctx context.Context, owed Owed) error {
	return l.settle(ctx, owed, func(_ *outRow, d *delivery) { d.Dropped = l.noted() })
}

// OwedOf returns what is owed of the alert of an id, to a destination or to all
// that wait for it if that is empty. It is ErrNotOwed if nothing is.
func (l *Ledger) OwedOf(ctx context.Context, alertID, destination string) ([]Owed, error) {
	all, err := l.Outbox(ctx)
	all = slices.DeleteFunc(all, func(o Owed) bool {
		return o.Alert.ID != alertID || destination != "" && o.Destination != destination
	})
	switch {
	case len(all) > 0:
		return all, nil
	case err != nil:
		return nil, err
	case destination != "":
		return nil, fmt.Errorf("ledger: alert %q for %s: %w", alertID, destination, ErrNotOwed)
	}
	return nil, fmt.Errorf("ledger: alert %q: %w", alertID, ErrNotOwed)
}

// settle changes what a destination that waits for an alert has of it.
func (l *Ledger) settle(ctx context.Context, owed Owed, change func(*outRow, *delivery)) error {
	return l.update(ctx, &owed, true, func(o *outRow) bool {
		i := o.find(owed.Destination, owed.Address)
		if i < 0 {
			return false
		}
		change(o, &o.to[i])
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

// find returns the row of an alert. If it is not at its place any more, the rule's
// outbox is searched for it where that is wanted.
func (l *Ledger) find(ctx context.Context, owed *Owed, search bool) (item, error) {
	partition := partitionOf(owed.Alert.RuleID)
	if owed.Place != "" {
		i, err := l.store.get(ctx, partition, string(owed.Place))
		if !search || !errors.Is(err, errMissing) {
			return i, err
		}
	}
	for i, err := range l.store.list(ctx, partition, outPrefix, prefixEnd(outPrefix), true) {
		if err != nil {
			return item{}, err
		}
		if isOutKeyOf(i.key, owed.Alert.ID) {
			owed.Place = Place(i.key)
			i, err = l.store.get(ctx, partition, i.key)
			if errors.Is(err, errMissing) {
				err = errChanged // while it was looked for
			}
			return i, err
		}
	}
	return item{}, errMissing
}

// update changes an out row if it is there and edit says so; changed, if set, is
// called once that is done. The row is moved to the queue in which it belongs
// then, or to what was sent if nobody waits for it any more, in one transaction.
func (l *Ledger) update(ctx context.Context, owed *Owed, search bool, edit func(*outRow) bool, changed func()) error {
	partition := partitionOf(owed.Alert.RuleID)
	for conflicts := 0; ; conflicts++ {
		i, err := l.find(ctx, owed, search || owed.Place == "")
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
			err = l.replace(ctx, partition, i, &next)
		}
		if err == nil {
			if changed != nil {
				changed()
			}
			return nil
		}
		if !conflict(err) || conflicts == maxConflicts {
			return fmt.Errorf("ledger: noting what became of alert %s: %w", owed.Alert.ID, err)
		}
	}
}

// replace writes a row of the outbox that was read and changed to where it belongs.
func (l *Ledger) replace(ctx context.Context, partition string, read item, next *outRow) error {
	changes := []change{{verb: remove, key: read.key, etag: read.etag}}
	key := next.key()
	if was := read.row.(*outRow); was.seq == next.seq && read.key < laterQueue && key < laterQueue {
		key = read.key // also where the version before put it: whoever knows it there finds it
	}
	switch {
	case next.settled():
		if l.sentFor > 0 {
			changes = append(changes, change{verb: replace, key: sentKey(l.sentAt(next), next.alert.ID), row: next})
		}
	case key == read.key:
		changes[0].verb, changes[0].row = replace, next
	default:
		changes = append(changes, change{verb: insert, key: key, row: next})
	}
	for i := range changes {
		c, err := l.store.prepare(partition, changes[i])
		if err != nil {
			return err
		}
		changes[i] = c
	}
	_, err := l.store.commit(ctx, partition, changes...)
	if err == nil && next.settled() {
		l.settled(next.alert.RuleID, next.alert.ID)
	}
	return err
}
