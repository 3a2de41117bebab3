package ledger

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// tally counts the alerts that were recorded of a rule, by the hour of their seen
// rows. It is kept in the rule's shared row and shows that an answer of the table
// service which lists the seen rows lacks some. It counts no more than there are:
// what may have been written or not is left out, and so is what a version before
// wrote.
type tally map[string]int

// tallyReach is how far back a tally reaches. It is less than the least time for
// which seen rows are kept, so that none that counts was purged.
const tallyReach = 23 * time.Hour

// add returns a tally with what was written since, and without what is out of
// reach.
func (t tally) add(written tally, at time.Time) tally {
	sum := maps.Clone(t)
	if sum == nil {
		sum = tally{}
	}
	for h, n := range written {
		sum[h] += n
	}
	least := hour(at.Add(-tallyReach))
	maps.DeleteFunc(sum, func(h string, _ int) bool { return h < least })
	return sum
}

// count counts the alerts that changes which were made record.
func (t tally) count(changes []change) {
	for _, c := range changes {
		if r, ok := c.row.(*seenRow); ok && c.verb == insert && r.part == 0 && !r.suppressed {
			t[hourOfKey(c.key)]++
		}
	}
}

// expectation is what an answer that lists seen rows must at least have.
type expectation struct {
	least string // the hour from which on it is known
	want  int
	got   int
}

// expected returns what a list of the seen rows from an hour on must at least
// have. It takes a lease: who has one has read the run row.
func (l *Ledger) expected(ctx context.Context, q *Question, from string) (e expectation, err error) {
	lease := l.leaseOf(q.RuleID)
	if lease == nil || q.Now.IsZero() {
		return e, nil
	}
	run := lease.row().run
	e.least = max(from, hour(q.Now.Add(-min(tallyReach, l.seenFor-time.Hour))))
	for h, n := range run.tally {
		if h >= e.least {
			e.want += n
		}
	}
	return e, nil
}

// read notes a row of the answer.
func (e *expectation) read(r hourRow) {
	if r.part == 0 && !r.suppressed && r.hour >= e.least {
		e.got++
	}
}

func (e *expectation) check(ruleID string) error {
	if e.got < e.want {
		return fmt.Errorf("ledger: reading what rule %q reported: the table's answer has %d alerts since %s, and at least %d were recorded: it was cut, or somebody removed rows (then this is over when they would be %s old)",
			ruleID, e.got, e.least, e.want, tallyReach)
	}
	return nil
}
