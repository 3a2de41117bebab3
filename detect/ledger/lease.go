package ledger

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"
)

// LeasedError says that somebody else runs the rule.
type LeasedError struct {
	RuleID string
	// Until is when the lease ends, unless it is renewed.
	Until time.Time
}

func (e *LeasedError) Error() string {
	if e.Until.IsZero() {
		return fmt.Sprintf("ledger: the lease of rule %q was lost: another process ran it meanwhile", e.RuleID)
	}
	return fmt.Sprintf("ledger: another process runs rule %q: its lease ends at %s", e.RuleID, e.Until.Format(time.RFC3339))
}

// Lease is the right to run a rule for some time. While it lasts nobody else
// can get it, and nobody without it can record anything of the rule. It is kept
// in the rule's shared row, whose ETag decides between two who want it; see fence.go
// for one who had it and does not know that it is over.
type Lease struct {
	l      *Ledger
	ruleID string
	holder string
	length time.Duration

	writing sync.Mutex // held while the shared row is written

	mu sync.Mutex
	// run is the shared row as it was written last, with the state and the tally of
	// what was recorded since.
	run   *runRow
	etag  string // "" if not known
	epoch int64
	lost  bool
	// fence is the ETag of the rule's fence, "" if it is not taken over yet or not
	// known.
	fence string
}

// live reports whether somebody has a lease, where one lasts so long. An end that is
// farther ahead is of a process whose clock was wrong.
func (r *runRow) live(now time.Time, length time.Duration) bool {
	return r.holder != "" && now.Before(r.until) && r.until.Before(now.Add(2*length))
}

// Lease takes the right to run a rule for a length of time. If somebody else has
// it, the error is a [*LeasedError]. The clocks of all processes must agree to within
// a small part of that length.
func (l *Ledger) Lease(ctx context.Context, ruleID string, length time.Duration) (*Lease, error) {
	g := l.Leases(ctx, [][]string{{ruleID}}, length)[0]
	if g.Err != nil {
		return nil, g.Err
	}
	return g.Leases[0], nil
}

// Grant is what came of the leases of a group of rules: all of them, in their order,
// or why there is none.
type Grant struct {
	Leases []*Lease
	Err    error
}

// Leases takes the leases of groups of rules, of each group all or none, in as few
// requests as it can. If somebody else has one of a group, its error is a
// [*LeasedError].
func (l *Ledger) Leases(ctx context.Context, groups [][]string, length time.Duration) []Grant {
	grants := make([]Grant, len(groups))
	leases := make([][]*Lease, len(groups))
	writes := make([][]*rowWrite, len(groups))
	holder := newHolder()
	for i, g := range groups {
		for _, id := range g {
			lease := &Lease{l: l, ruleID: id, holder: holder, length: length}
			leases[i] = append(leases[i], lease)
			writes[i] = append(writes[i], lease.taking(nil))
		}
	}
	l.writeRows(ctx, writes...)
	for i := range groups {
		for k, w := range writes[i] {
			if grants[i].Err = cmp.Or(grants[i].Err, w.done.err); w.done.err == nil {
				leases[i][k].taken(w)
			}
		}
		l.mu.Lock()
		for _, lease := range leases[i] {
			if grants[i].Err == nil {
				l.leases[lease.ruleID] = lease
			} else { // the table may have noted it all the same
				l.released[lease.ruleID] = holder
			}
		}
		l.mu.Unlock()
		if grants[i].Err == nil {
			grants[i].Leases = leases[i]
		}
	}
	return grants
}

// taking returns the write that takes a lease. with, if set, changes more of the row.
func (l *Lease) taking(with func(*runRow)) *rowWrite {
	return &rowWrite{ruleID: l.ruleID, plan: func(run *runRow) (*runRow, error) {
		now := l.l.now()
		if run.holder == l.holder && l.holder != l.l.self {
			return nil, nil // though the answer said otherwise
		}
		if run.live(now, l.length) && run.holder != l.holder && !l.l.wasReleased(run) {
			return nil, &LeasedError{RuleID: l.ruleID, Until: run.until}
		}
		next := *run
		next.format = Format
		next.epoch = max(run.epoch+1, now.UnixMilli())
		next.holder, next.until = l.holder, now.Add(l.length)
		if run.format == 0 { // there was none
			next.purged = firstPurge(l.ruleID, now)
		}
		if with != nil {
			with(&next)
		}
		return &next, nil
	}}
}

// wasReleased reports whether the holder of a lease is this process, which gave it
// back though the table did not note that.
func (l *Ledger) wasReleased(run *runRow) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return run.holder == l.released[run.ruleID] && l.leases[run.ruleID] == nil
}

// firstPurge returns when a new rule counts as purged: some part of the time between
// two purges ago, so that those of many rules are not all in the same tick.
func firstPurge(ruleID string, now time.Time) time.Time {
	h := fnv.New32a()
	_, _ = h.Write([]byte(ruleID))
	return now.Add(-time.Duration(h.Sum32()) * time.Second % purgeInterval).Truncate(time.Second)
}

// taken begins the lease with the row that gives it.
func (l *Lease) taken(w *rowWrite) {
	l.l.inherit(w.was, w.done.run.epoch)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run, l.etag, l.epoch = w.done.run, w.done.etag, w.done.run.epoch
}

// leaseOf returns the lease of a rule that was taken through l, or nil.
func (l *Ledger) leaseOf(ruleID string) *Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leases[ruleID]
}

// state returns the state of the rule with what was recorded since it was saved, or
// reports false if the lease is lost.
func (l *Lease) state() (State, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.run.state.clone(), !l.lost
}

// row returns the shared row as it is known.
func (l *Lease) row() readRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	return readRow{run: l.run, etag: l.etag}
}

func (l *Lease) isKnown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.etag != ""
}

// adopt takes over the shared row as it was read again. What was recorded since the
// row was written stays, where the lease still holds.
func (l *Lease) adopt(r readRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	run := *r.run
	if run.epoch == l.epoch {
		run.state, run.tally = l.run.state, l.run.tally
	}
	l.run, l.etag = &run, r.etag
}

// wrote notes the shared row as it was written.
func (l *Lease) wrote(r readRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run, l.etag = r.run, r.etag
}

// change returns a write of the row of a lease that still holds.
func (l *Lease) change(edit func(*runRow)) *rowWrite {
	return &rowWrite{ruleID: l.ruleID, lease: l, plan: func(run *runRow) (*runRow, error) {
		if err := l.check(run); err != nil {
			return nil, err
		}
		next := *run
		edit(&next)
		return &next, nil
	}}
}

// check returns an error if the lease is lost, given the shared row. A lease that ran
// out but that nobody took is still this process's: the row says so.
func (l *Lease) check(run *runRow) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost || run.holder != l.holder || run.epoch != l.epoch {
		l.lost = true
		return &LeasedError{RuleID: l.ruleID, Until: run.until}
	}
	return nil
}

// Renew begins the length of the lease anew, and saves what was recorded of the
// state. If somebody else has it by now, the error is a [*LeasedError].
func (l *Lease) Renew(ctx context.Context) error {
	w := l.renewal()
	l.l.writeRows(ctx, []*rowWrite{w})
	return w.done.err
}

func (l *Lease) renewal() *rowWrite {
	return l.change(func(run *runRow) { run.until = l.l.now().Add(l.length) })
}

// renewAfter is which part of its length has passed when a lease is renewed. The rest
// must be enough for a query.
const renewAfter = 4

// Keep renews the lease if so little of it is left that what is done next could
// outlast it, and with it all others that this process has and that are not new any
// more. Its errors are those of Renew.
func (l *Lease) Keep(ctx context.Context) error {
	if !l.older(renewAfter) {
		return l.err()
	}
	l.l.renewing.Lock()
	defer l.l.renewing.Unlock()
	if !l.older(renewAfter) { // it was renewed with another
		return l.err()
	}
	l.l.mu.Lock()
	var due []*Lease
	for _, other := range l.l.leases {
		if other != l && other.older(2*renewAfter) && other.err() == nil {
			due = append(due, other)
		}
	}
	l.l.mu.Unlock()
	slices.SortFunc(due, func(a, b *Lease) int { return cmp.Compare(a.ruleID, b.ruleID) })
	mine := l.renewal()
	groups := [][]*rowWrite{{mine}}
	for _, other := range due {
		groups = append(groups, []*rowWrite{other.renewal()})
	}
	l.l.writeRows(ctx, groups...)
	return mine.done.err
}

// older reports whether more than one of so many parts of the lease has passed.
func (l *Lease) older(parts int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.l.now().After(l.run.until.Add(l.length/time.Duration(parts) - l.length))
}

// err returns an error if the lease is known to be lost.
func (l *Lease) err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost {
		return &LeasedError{RuleID: l.ruleID, Until: l.run.until}
	}
	return nil
}

// Release gives the lease back, and saves what was recorded of the state. It is no
// error if it ended before.
func (l *Lease) Release(ctx context.Context) error {
	w := l.release(nil)
	l.l.writeRows(ctx, []*rowWrite{w})
	return w.done.err
}

// release returns the write that gives the lease back, and saves a state or, if it is
// nil, what was recorded of it. Without a state to save it does nothing if the lease
// is lost.
func (l *Lease) release(state *State) *rowWrite {
	l.l.mu.Lock()
	if l.l.leases[l.ruleID] == l {
		delete(l.l.leases, l.ruleID)
	}
	l.l.released[l.ruleID] = l.holder
	l.l.mu.Unlock()
	return &rowWrite{ruleID: l.ruleID, lease: l, plan: func(run *runRow) (*runRow, error) {
		if run.epoch == l.epoch && run.holder == "" && !l.isLost() {
			return nil, nil // done, though the answer said otherwise
		}
		if err := l.check(run); err != nil {
			if state == nil {
				return nil, nil
			}
			return nil, err
		}
		next := *run
		next.holder, next.until = "", time.Time{}
		if state != nil {
			next.state = state.clone()
		}
		return &next, nil
	}}
}

func (l *Lease) isLost() bool { return l.err() != nil }

// Saving is how far a rule has run.
type Saving struct {
	RuleID string
	State  State
	// Keep says to leave the state as it was recorded, and to give back the lease
	// only.
	Keep bool
}

// Save saves how far rules have run and gives back the leases that this process has
// of them, in as few requests as it can. It returns what went wrong with each, in
// their order: a [*LeasedError] where somebody else runs the rule by now.
func (l *Ledger) Save(ctx context.Context, list []Saving) []error {
	writes := make([][]*rowWrite, 0, len(list))
	for _, s := range list {
		var state *State
		if !s.Keep {
			state = &s.State
		}
		if lease := l.leaseOf(s.RuleID); lease != nil {
			writes = append(writes, []*rowWrite{lease.release(state)})
			continue
		}
		writes = append(writes, []*rowWrite{{ruleID: s.RuleID, plan: func(run *runRow) (*runRow, error) {
			if state == nil {
				return nil, nil
			}
			if run.holder != "" && l.now().Before(run.until) {
				return nil, &LeasedError{RuleID: s.RuleID, Until: run.until}
			}
			next := *run
			next.format, next.state = Format, state.clone()
			if run.format == 0 {
				next.purged = firstPurge(s.RuleID, l.now())
			}
			return &next, nil
		}}})
	}
	l.writeRows(ctx, writes...)
	errs := make([]error, len(list))
	for i, w := range writes {
		errs[i] = w[0].done.err
	}
	return errs
}
