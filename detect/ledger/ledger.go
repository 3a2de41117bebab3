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
// There is one table. One partition, the directory, is shared by all rules. A tick
// reads it at its start, in one query, and writes its rows in transactions of up to
// 100 (shared.go):
//
//	format                             the number of the ledger's format
//	note:<name>                        what Pushback noted of itself
//	run:<rule>                         the rule's State and lease, and whether it may owe an alert
//
// Each rule has a partition of its own, so that a batch of its rows is one
// transaction, and so has each story that rules share, for its notes:
//
//	run                                the fence: see below
//	seen:<hour>:<alert id>:<part>      the activities that an alert reported
//	out:due:<time>:<alert id>          the alert, and what each destination has of it
//	out:later:<time>:<alert id>        the same while it waits for its next attempt
//	out:parked:<time>:<alert id>       the same while nobody is sent it
//	sent:<hour>:<alert id>             the same once nobody waits for it, for the audit
//	note:<name>                        what a destination noted of the rule
//
// The hour of a seen row is that of the rule's watermark when it was written or
// that of the activities' end, whichever is later; so all that a window's rows must
// be compared with is one range of keys, from the window's start on, and costs what
// happened lately, not what the table holds.
//
// A seen row is written once and never changed: writing it again after an answer
// that got lost is no change, and two writers cannot undo each other. An alert's
// seen row and its out row are written by one transaction, and the state is saved
// after them, so a crash between two loses nothing and repeats nothing: the window
// is run again, and what was recorded of it is known.
//
// # Leases and fences
//
// A lease is in the shared partition and what it guards is not, so the lease alone
// cannot keep out a process that was paused for longer than it lasts. The fence
// does (fence.go): every transaction that records something changes it under its
// ETag, and whoever has a later lease takes it over before it reads what was
// reported or records anything. From then on whatever an earlier one still sends
// fails.
//
// # What may be owed
//
// Only partitions that may hold an alert which is owed are read for some. So the
// shared row says that a rule may owe one before its first alert is put out, and
// says so until a process saw that none is left while nobody could record any
// (owing.go).
package ledger

import (
	"context"
	"crypto/rand"
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
	// Rerun lists windows of the past that somebody wants run once more, oldest
	// first, and that are still to be run.
	Rerun []Stretch `json:"rerun,omitempty"`
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
	s.Rerun = slices.Clone(s.Rerun)
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
	// released are the holders of the leases that this process gave back, by rule,
	// though the table may not have noted that.
	released map[string]string
	// tick is the shared partition as Begin read it, with what this process wrote
	// since, or nil.
	tick *directoryRows
	// raised is the format that the table is known to have at least.
	raised int
	// known are the rules and stories of which this process read a row.
	known map[string]bool
	// ownMoved are the notes of Pushback's own that are not where a version before put
	// them, by key.
	ownMoved map[string]bool
	// safe are the leases, by rule, besides whose holders nobody can record anything.
	safe  map[string]int64
	owing map[string]*owing // by rule
	// recording counts the calls of Record under way, by rule.
	recording map[string]int
	alone     map[string]*sync.Mutex // by rule: see recordAlone
	self      string                 // the holder of leases that Record takes itself

	renewing sync.Mutex // held while leases are renewed
}

// newLedger returns a ledger over a store.
func newLedger(s store) *Ledger {
	return &Ledger{
		store: s, leases: map[string]*Lease{}, released: map[string]string{}, known: map[string]bool{}, ownMoved: map[string]bool{}, safe: map[string]int64{},
		owing: map[string]*owing{}, recording: map[string]int{}, alone: map[string]*sync.Mutex{}, self: newHolder(),
	}
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
	if lease := l.leaseOf(ruleID); lease != nil {
		if s, ok := lease.state(); ok {
			return s, nil
		}
	}
	r := l.readRows(ctx, []string{ruleID}, false)[ruleID]
	if r.err != nil {
		return State{}, r.err
	}
	return r.run.state.clone(), nil
}
