package ledger

import (
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
)

// row is what a table holds under a key: one of the types below. A row that was
// stored is never modified, only replaced.
type row interface{ isRow() }

// runRow says how far a rule has run and who runs it at the moment. It lies in the
// partition that all rules share. That of a story says when it was purged.
type runRow struct {
	ruleID string
	format int // of what is written of the rule
	state  State
	epoch  int64     // grows with each lease
	holder string    // of the lease, "" if it was given back
	until  time.Time // when the lease ends
	tally  tally     // never modified
	// owes says that the rule may owe an alert. It is set before the first one is
	// put out.
	owes bool
	// began and recorded are when something of the rule was recorded first and last:
	// not later than any of it, and not earlier. Both are of the ticks' time.
	began, recorded time.Time
	purged          time.Time

	// unmoved says that it was read from where a version before kept it.
	unmoved bool
}

// fenceRow is the row of a rule's partition that every transaction changes which
// records something of the rule, under its ETag. Whoever takes it over, with a
// later lease, has those of all earlier leases fail. It has the key of the row in
// which versions before kept the state and the lease, and so keeps them out too.
type fenceRow struct {
	ruleID string
	format int
	epoch  int64  // of the lease that took it over
	holder string // of that lease
	// former is what a version before kept in it, until the fence is first taken
	// over.
	former *runRow
}

// ruleRow lists a rule for a version before.
type ruleRow struct{ ruleID string }

// formatRow is the number of the ledger's format.
type formatRow struct{ number int }

// purgeRow says when a rule's rows were last purged, by a version before.
type purgeRow struct{ at time.Time }

// seenRow holds activities that were reported, or suppressed. Those of one alert
// can need several rows, its parts. They count once part 0 is there, which is
// written last, with the alert's outRow.
type seenRow struct {
	alertID    string
	at         time.Time // the rule's watermark then
	window     time.Time // the end of the alert's window
	part       int
	parts      int
	suppressed bool
	// silenced says that a silence held the alert back: what is known of it is no
	// news, but nobody was sent it. It is suppressed too.
	silenced   bool
	activities []alert.Activity // without Previously; nil if brief
	// unsummed says that the row has no checksums, so that it may be of format 1.
	unsummed bool
}

// outRow is an alert that is owed to somebody, or was.
type outRow struct {
	seq      int64 // the order in which alerts were recorded
	recorded time.Time
	to       []delivery
	alert    alert.Alert // if brief, only what identifies it
}

// noteRow is what a destination noted: see Note.
type noteRow struct {
	at   time.Time // when it was set
	text string    // "" if brief
}

// delivery is what one destination has of an alert.
type delivery struct {
	Name string `json:"name"`
	// Address and Mentions are those of its Target.
	Address  string          `json:"address,omitempty"`
	Mentions []alert.Mention `json:"mentions,omitempty"`
	Attempts int             `json:"attempts,omitempty"`
	// Counted are those of the attempts that count against the alert. Mark and
	// Unanswered are those of the last Failure.
	Counted    int       `json:"counted,omitempty"`
	Mark       int       `json:"mark,omitempty"`
	Unanswered bool      `json:"unanswered,omitempty"`
	Next       time.Time `json:"next,omitzero"`
	LastError  string    `json:"lastError,omitempty"`
	Parked     bool      `json:"parked,omitempty"`
	// Holder is who is sending it now, until Next.
	Holder string `json:"holder,omitempty"`
	// Sent is when it was accepted, Dropped when it was given up by hand.
	Sent    time.Time `json:"sent,omitzero"`
	Dropped time.Time `json:"dropped,omitzero"`
}

func (*runRow) isRow()    {}
func (*fenceRow) isRow()  {}
func (*ruleRow) isRow()   {}
func (*formatRow) isRow() {}
func (*purgeRow) isRow()  {}
func (*seenRow) isRow()   {}
func (*outRow) isRow()    {}
func (*noteRow) isRow()   {}

// settled reports whether the destination is owed nothing any more.
func (d delivery) settled() bool { return !d.Sent.IsZero() || !d.Dropped.IsZero() }

// settled reports whether no destination is owed the alert any more.
func (o *outRow) settled() bool {
	return !slices.ContainsFunc(o.to, func(d delivery) bool { return !d.settled() })
}

// find returns the index of an address of a destination that is owed the alert, or -1.
func (o *outRow) find(destination, address string) int {
	return slices.IndexFunc(o.to, func(d delivery) bool { return d.Name == destination && d.Address == address && !d.settled() })
}

// addressed returns an alert as it is for where it goes.
func (d delivery) addressed(a alert.Alert) alert.Alert {
	if d.Address != "" {
		a.Address, a.Mentions = d.Address, d.Mentions
	}
	return a
}

// key returns where the row belongs. That is with those that are due if a
// destination was never sent it in vain or is being sent it, else with those
// that wait for a time, and with the parked ones if nothing else is owed.
func (o *outRow) key() string {
	var next time.Time
	for _, d := range o.to {
		switch {
		case d.settled() || d.Parked:
		case d.Next.IsZero() || d.Holder != "":
			return outKey(dueQueue, o.order(), o.alert.ID)
		case next.IsZero() || d.Next.Before(next):
			next = d.Next
		}
	}
	if next.IsZero() {
		return outKey(parkedQueue, o.order(), o.alert.ID)
	}
	return outKey(laterQueue, next, o.alert.ID)
}

// order returns the row's seq as a time, which it is where there is a clock.
func (o *outRow) order() time.Time { return time.Unix(0, o.seq) }

// The parts of an alert's activities are kept well below what an entity may
// hold, so that part 0 and the alert fit into one transaction.
const (
	maxPartSize   = 100_000 // in characters
	activitySize  = 150     // of an activity without events
	eventSize     = 50      // of an event's id or mark
	maxPartEvents = (maxPartSize - activitySize) / eventSize
)

// remembered returns the activities as the ledger keeps them. The span of each
// is grown by what was reported of it before, so that the whole is known as
// long as its end is.
func remembered(activities []alert.Activity) []alert.Activity {
	grown := slices.Clone(activities)
	for i := range grown {
		a := &grown[i]
		for _, span := range a.Previously {
			if span.Touches(a.Span) {
				a.Span = a.Span.Hull(span)
			}
		}
		a.Previously = nil
	}
	return grown
}

// mostOutgoing is how many activities of an alert are kept with it, and
// mostOfStorm how many of a storm.
const (
	mostOutgoing = 2000
	mostOfStorm  = 200
)

// outgoing returns an alert as it is kept for its destinations. Its activities are
// in its seen rows: very many of them say nothing to a reader.
func outgoing(a alert.Alert) alert.Alert {
	n := len(a.Activities)
	switch {
	case a.Storm != nil: // which says how many there are
		a.Activities = slices.Clone(a.Activities[:min(n, mostOfStorm)])
	case n > mostOutgoing:
		a.Activities = slices.Clone(a.Activities[:mostOutgoing])
		a.Notes = append(slices.Clone(a.Notes), fmt.Sprintf("This alert is too large to keep whole: %d of its %d activities are kept with it. All of them are recorded.", mostOutgoing, n))
	}
	return a
}

// seenParts divides activities into rows.
func seenParts(id string, at time.Time, suppressed bool, activities []alert.Activity) []*seenRow {
	var rows []*seenRow
	size := maxPartSize
	add := func(a alert.Activity) {
		need := activitySize + len(a.Fingerprint) + eventSize*len(a.Events)
		if size+need > maxPartSize {
			rows = append(rows, &seenRow{alertID: id, at: at, part: len(rows), suppressed: suppressed})
			size = 0
		}
		last := rows[len(rows)-1]
		last.activities = append(last.activities, a)
		size += need
	}
	for _, a := range activities {
		if len(a.Events) <= maxPartEvents {
			add(a)
			continue
		}
		for events := range slices.Chunk(a.Events, maxPartEvents) {
			part := a
			part.Events = events
			add(part)
		}
	}
	for _, r := range rows {
		r.parts = len(rows)
	}
	return rows
}
