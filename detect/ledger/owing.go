package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"
)

// The shared row of a rule says that it may owe an alert before the first one is put
// out, and no longer once nothing is left. That takes that nobody can put out another
// meanwhile: the lease was given back, and the fence is such that no earlier holder of
// it can record anything.

// owing is what is known of the alerts that a rule owes.
type owing struct {
	// epoch is the lease, when the outbox was begun to be read, besides whose holder
	// nobody could put anything out; 0 if that is not known.
	epoch int64
	// ids are the alerts that are owed, and settled those that were settled while
	// they were read.
	ids, settled map[string]bool
	// read says that the outbox was read to its end.
	read bool
	// unsure says that something was being recorded while it was read.
	unsure bool
}

// reading notes that all that a rule owes is about to be read.
func (l *Ledger) reading(ruleID string) *owing {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &owing{epoch: l.safe[ruleID], ids: map[string]bool{}, settled: map[string]bool{}, unsure: l.recording[ruleID] > 0}
	l.owing[ruleID] = o
	return o
}

// found notes an alert that is owed.
func (l *Ledger) found(o *owing, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !o.settled[id] {
		o.ids[id] = true
	}
}

// wasRead notes that all that a rule owes was read.
func (l *Ledger) wasRead(o *owing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.read = true
}

// settled notes that nobody waits for an alert any more.
func (l *Ledger) settled(ruleID, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.owing[ruleID]; o != nil {
		delete(o.ids, id)
		o.settled[id] = true
	}
}

// put notes that alerts are about to be put out.
func (l *Ledger) put(bundles []bundle, ruleID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range bundles {
		if o := l.owing[ruleID]; b.owed && o != nil {
			o.ids[b.id] = true
			delete(o.settled, b.id)
		}
	}
}

// mark notes in the shared row of a rule what comes of recording an entry.
func (e *Entry) mark(run *runRow) {
	run.owes = run.owes || e.owes()
	if at, first := e.recorded(); at.After(run.recorded) {
		if run.recorded.IsZero() {
			run.began = first
		}
		run.recorded = at
	}
}

func (e *Entry) owes() bool { return len(e.Alerts) > 0 && len(e.Destinations) > 0 }

// recorded returns when the entry counts as recorded, and the earliest time that
// it has.
func (e *Entry) recorded() (last, first time.Time) {
	if e.count() == 0 {
		return last, first
	}
	last, first = e.State.Watermark, e.State.Watermark
	for i := range e.count() {
		if a, _ := e.alert(i); a != nil {
			if a.Created.After(last) {
				last = a.Created
			}
			if a.Created.Before(first) {
				first = a.Created
			}
		}
	}
	return last, first
}

// mark has the shared row say, before anything of an entry is recorded, that the rule
// may owe an alert, and until when something of it was recorded.
func (l *Lease) mark(ctx context.Context, e Entry) error {
	at, _ := e.recorded()
	l.mu.Lock()
	said := (l.run.owes || !e.owes()) && !at.After(l.run.recorded)
	l.mu.Unlock()
	if said {
		return nil
	}
	w := l.change(func(run *runRow) {
		e.mark(run)
		run.until = l.l.now().Add(l.length)
	})
	l.l.writeRows(ctx, []*rowWrite{w})
	return w.done.err
}

// recorded notes the state of a rule and what was recorded, to be saved with the
// lease.
func (l *Lease) recorded(s State, written tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run := *l.run
	run.state, run.tally = s.clone(), run.tally.add(written, s.Watermark)
	l.run = &run
}

// unmark returns the writes that have the shared rows of rules which owe nothing any
// more say so. Where an earlier holder of the lease could still put out an alert, it
// is fenced first, and a later tick looks again.
func (l *Ledger) unmark(ctx context.Context, d *directoryRows) (writes [][]*rowWrite, err error) {
	l.mu.Lock()
	var ids []string
	epochs := map[string]int64{}
	for id, o := range l.owing {
		r := d.rows[id]
		if o.read && !o.unsure && len(o.ids) == 0 && l.recording[id] == 0 && l.leases[id] == nil && r.run != nil && r.run.owes && !l.held(r.run) {
			ids, epochs[id] = append(ids, id), o.epoch
		}
	}
	l.mu.Unlock()
	slices.Sort(ids)
	for _, id := range ids {
		run := d.rows[id].run
		if run.epoch == 0 || epochs[id] != run.epoch {
			_, err := l.moveFence(ctx, id, run.epoch, "")
			if err != nil && !errors.Is(err, errFenced) && !errors.As(err, new(*LeasedError)) {
				return writes, fmt.Errorf("ledger: fencing rule %q: %w", id, err)
			}
			continue
		}
		writes = append(writes, []*rowWrite{{ruleID: id, plan: func(now *runRow) (*runRow, error) {
			if now.epoch != run.epoch || !now.owes || l.held(now) {
				return nil, nil // somebody else had the lease since
			}
			next := *now
			next.owes = false
			return &next, nil
		}}})
	}
	return writes, nil
}

// held reports whether somebody has the lease of a rule.
func (l *Ledger) held(run *runRow) bool {
	return run.holder != "" && l.now().Before(run.until)
}

// watched yields what is yielded, and notes what a rule owes if all of it was.
func (l *Ledger) watched(ruleID string, list iter.Seq2[[]Owed, error]) iter.Seq2[[]Owed, error] {
	return func(yield func([]Owed, error) bool) {
		o := l.reading(ruleID)
		sure := true
		for owed, err := range list {
			if sure = sure && err == nil; err == nil {
				l.found(o, owed[0].Alert.ID)
			}
			if !yield(owed, err) {
				return
			}
		}
		if sure {
			l.wasRead(o)
		}
	}
}
