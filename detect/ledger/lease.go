package ledger

import (
	"context"
	"fmt"
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
// in the rule's run row, whose ETag decides between two who want it.
type Lease struct {
	l      *Ledger
	ruleID string
	holder string
	length time.Duration

	mu    sync.Mutex
	run   *runRow
	etag  string // "" if not known
	until time.Time
}

// Lease takes the right to run a rule for a length of time, which every Record
// begins anew. If somebody else has it, the error is a [*LeasedError]. The
// clocks of all processes must agree to within a small part of that length.
func (l *Ledger) Lease(ctx context.Context, ruleID string, length time.Duration) (*Lease, error) {
	lease := &Lease{l: l, ruleID: ruleID, holder: newHolder(), length: length}
	for conflicts := 0; ; conflicts++ {
		run, etag, err := l.run(ctx, ruleID)
		if err != nil {
			return nil, err
		}
		now := l.now()
		if run.holder == lease.holder && etag != "" {
			// Our own, though the answer said otherwise.
			lease.renewed(run, etag)
			break
		}
		// An end that far ahead is of a process whose clock was wrong.
		if run.holder != "" && now.Before(run.until) && run.until.Before(now.Add(2*length)) {
			return nil, &LeasedError{RuleID: ruleID, Until: run.until}
		}
		if run.format < Format {
			if err := l.raise(ctx); err != nil {
				return nil, err
			}
		}
		if etag == "" {
			if err := l.enlist(ctx, ruleID); err != nil {
				return nil, err
			}
		}
		next := *run
		next.format = Format
		next.holder, next.until = lease.holder, now.Add(length)
		etag, err = l.setRun(ctx, &next, etag)
		if err == nil {
			lease.renewed(&next, etag)
			break
		}
		if !conflict(err) || conflicts == maxConflicts {
			return nil, fmt.Errorf("ledger: leasing rule %q: %w", ruleID, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leases[ruleID] = lease
	return lease, nil
}

func (l *Ledger) setRun(ctx context.Context, run *runRow, etag string) (string, error) {
	c, err := l.runChange(run, etag)
	if err != nil {
		return "", err
	}
	return l.store.commit(ctx, partitionOf(run.ruleID), c)
}

// leaseOf returns the lease of a rule that was taken through l, or nil.
func (l *Ledger) leaseOf(ruleID string) *Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.leases[ruleID]
}

// Renew begins the length of the lease anew. If somebody else has it by now,
// the error is a [*LeasedError].
func (l *Lease) Renew(ctx context.Context) error {
	return l.update(ctx, func(run *runRow) { run.until = l.l.now().Add(l.length) })
}

// Keep renews the lease if so little of it is left that a request could outlast
// it. Its errors are those of Renew.
func (l *Lease) Keep(ctx context.Context) error {
	if !l.expiring() {
		return nil
	}
	return l.Renew(ctx)
}

// Release gives the lease back. It is no error if it ended before.
func (l *Lease) Release(ctx context.Context) error {
	l.l.mu.Lock()
	if l.l.leases[l.ruleID] == l {
		delete(l.l.leases, l.ruleID)
	}
	l.l.mu.Unlock()
	err := l.update(ctx, func(run *runRow) { run.holder, run.until = "", time.Time{} })
	if _, lost := err.(*LeasedError); lost {
		return nil
	}
	return err
}

// update changes the run row of a lease that still holds.
func (l *Lease) update(ctx context.Context, change func(*runRow)) error {
	for conflicts := 0; ; conflicts++ {
		run, etag, err := l.current(ctx)
		if err != nil {
			return err
		}
		next := *run
		change(&next)
		etag, err = l.l.setRun(ctx, &next, etag)
		if err == nil {
			l.renewed(&next, etag)
			return nil
		}
		l.forget()
		if !conflict(err) || conflicts == maxConflicts {
			return fmt.Errorf("ledger: renewing the lease of rule %q: %w", l.ruleID, err)
		}
	}
}

// current returns the run row and its ETag, or a LeasedError if the lease is
// lost. A lease that ran out but that nobody took is still ours: the ETag of
// the row says so.
func (l *Lease) current(ctx context.Context) (*runRow, string, error) {
	l.mu.Lock()
	run, etag := l.run, l.etag
	l.mu.Unlock()
	if etag != "" {
		return run, etag, nil
	}
	run, etag, err := l.l.run(ctx, l.ruleID)
	if err != nil {
		return nil, "", err
	}
	if run.holder != l.holder {
		return nil, "", &LeasedError{RuleID: l.ruleID, Until: run.until}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run, l.etag, l.until = run, etag, run.until
	return run, etag, nil
}

// renewed notes the run row as it was written, and its ETag if it is known.
func (l *Lease) renewed(run *runRow, etag string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run, l.etag, l.until = run, etag, run.until
}

// forget has the run row be read again.
func (l *Lease) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.etag = ""
}

// expiring reports whether so little of the lease is left that a request could
// outlast it.
func (l *Lease) expiring() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.l.now().After(l.until.Add(-l.length / 2))
}
