// Package ledger records, per rule, how far it has run and what it has reported,
// and keeps what is still to be sent.
//
// A tick asks it where a rule stopped ([State]), what of a window is news
// (Unseen), to record that and put its alerts into the outbox, all or nothing
// (Record), and what is in the outbox (Waiting); and it notes there what became of
// each delivery (Claim, Sent, Failed).
//
// # What the table holds
//
// There is one table, with a partition per rule, so that a batch of rows is one
// transaction:
//
//	run                                the rule's State and the lease
//	seen:<hour>:<alert id>:<part>      the activities that an alert reported
//	out:due:<time>:<alert id>          the alert, and what each destination has of it
//	out:later:<time>:<alert id>        the same while it waits for its next attempt
//	out:parked:<time>:<alert id>       the same while nobody is sent it
//	sent:<hour>:<alert id>             the same once nobody waits for it, for the audit
//	note:<name>                        what a destination noted of the rule
//	purge                              when old rows were last removed
//
// a partition per story that rules share, with its notes and when they were
// purged, and a partition that lists all of these and has the number of the
// ledger's format. The hour of a seen row is that of the
// rule's watermark when it was written or that of the activities' end, whichever
// is later; so all that a window's rows must be compared with is one range of
// keys, from the window's start on, and costs what happened lately, not what the
// table holds.
//
// A seen row is written once and never changed: writing it again after an answer
// that got lost is no change, and two writers cannot undo each other. An alert's
// seen row and its out row are written by one transaction, and the run row by
// the last one, so a crash between two loses nothing and repeats nothing.
package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// State is how far a rule has run. The zero value is a rule that never ran.
type State struct {
	// First is the end of the earliest window that the rule is run for.
	First time.Time `json:"first"`
	// Watermark is the time up to which the due windows were worked out. Those
	// are done but for the ones in Pending.
	Watermark time.Time `json:"watermark"`
	// Pending lists the ends of the windows that are still to be run, oldest
	// first: a run of them failed or was cut short.
	Pending []time.Time `json:"pending,omitempty"`
	// LastSuccess is the time of the last tick that ran a window of the rule, and
	// Failures counts the ticks since in which something of it failed.
	LastSuccess time.Time `json:"lastSuccess,omitzero"`
	Failures    int       `json:"failures,omitempty"`
	// Looks is how far late records were looked for.
	Looks Looks `json:"looks,omitzero"`
}

// Looks is how far records that came in late were looked for.
type Looks struct {
	// Looked is the tick up to which it is known which windows have such records, and
	// Late are those that are still to be run again for them, oldest first.
	Looked time.Time `json:"looked,omitzero"`
	Late   []Stretch `json:"late,omitempty"`
	// Mark is the workspace's own time of the last complete look, and Beyond that of
	// the last look for what came in too late for any window.
	Mark   time.Time `json:"mark,omitzero"`
	Beyond time.Time `json:"beyond,omitzero"`
}

// IsZero reports whether nothing was looked for.
func (l Looks) IsZero() bool {
	return l.Looked.IsZero() && l.Mark.IsZero() && l.Beyond.IsZero() && len(l.Late) == 0
}

// Stretch is the windows that end from First to Last.
type Stretch struct {
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// IsZero reports whether the rule never ran.
func (s State) IsZero() bool { return s.Watermark.IsZero() }

// clone returns a copy that shares nothing with s.
func (s State) clone() State {
	s.Pending = slices.Clone(s.Pending)
	s.Looks.Late = slices.Clone(s.Looks.Late)
	return s
}

// Ledger is a ledger over some store; see [Memory] and [Table]. It is safe for
// concurrent use, by several processes too where the store is shared.
type Ledger struct {
	store store
	// clock is when leases end and deliveries are noted. Without it, it is
	// always the same time.
	clock func() time.Time
	// seenFor and sentFor are how long rows are kept. Without sentFor, what is
	// sent is forgotten.
	seenFor, sentFor time.Duration
	// selfPurge purges a rule's rows as its watermark moves.
	selfPurge bool

	mu     sync.Mutex
	seq    int64
	leases map[string]*Lease // by rule
	// stories are those that this process put into the directory.
	stories map[string]bool
	// listed is what Begin read of the rules, if isListed.
	listed   []string
	isListed bool
}

func (l *Ledger) now() time.Time {
	if l.clock == nil {
		return time.Time{}
	}
	return l.clock().UTC()
}

// nextSeq returns numbers that grow, also from one process to the next.
func (l *Ledger) nextSeq() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	if l.clock != nil {
		l.seq = max(l.seq, l.clock().UnixNano())
	}
	return l.seq
}

// newHolder returns a name for one holder of leases that nobody else has.
func newHolder() string { return rand.Text() }

// State returns how far the rule has run.
func (l *Ledger) State(ctx context.Context, ruleID string) (State, error) {
	run, _, err := l.run(ctx, ruleID)
	if err != nil {
		return State{}, err
	}
	return run.state.clone(), nil
}

// run returns a rule's run row and its ETag, which is empty if there is none.
func (l *Ledger) run(ctx context.Context, ruleID string) (*runRow, string, error) {
	i, err := l.store.get(ctx, partitionOf(ruleID), runKey)
	switch {
	case errors.Is(err, errMissing):
		return &runRow{ruleID: ruleID, format: firstFormat}, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("ledger: rule %q: %w", ruleID, err)
	}
	run, err := as[*runRow](i)
	if err != nil {
		return nil, "", fmt.Errorf("ledger: rule %q: %w", ruleID, err)
	}
	if run.format > Format {
		return nil, "", &FormatError{Found: run.format}
	}
	return run, i.etag, nil
}

// runChange returns the change that sets a run row, given the ETag of the one
// that it replaces.
func (l *Ledger) runChange(run *runRow, etag string) (change, error) {
	c := change{verb: replace, key: runKey, etag: etag, row: run}
	if etag == "" {
		c.verb = insert
	}
	return l.store.prepare(partitionOf(run.ruleID), c)
}

// enlist puts a rule into the directory. It comes before all that is written of
// the rule, so that nothing which is owed can be overlooked.
func (l *Ledger) enlist(ctx context.Context, ruleID string) error {
	c, err := l.store.prepare(directory, change{verb: replace, key: partitionOf(ruleID), row: &ruleRow{ruleID}})
	if err == nil {
		_, err = l.store.commit(ctx, directory, c)
	}
	if err != nil {
		return fmt.Errorf("ledger: enlisting rule %q: %w", ruleID, err)
	}
	l.list(ruleID)
	return nil
}
