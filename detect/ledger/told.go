package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Question asks what is new about the rows of a window.
type Question struct {
	RuleID     string
	Activities []alert.Activity
	// Trace, if set, returns of the activity at an index how else the ledger may
	// know it. Without it that knows each by its fingerprint and the ids of its
	// events. It is called more than once, so that very many need not be kept.
	Trace func(i int) Trace
	// Window is what the query looked at. It matters where activities have
	// events but their spans do not cover these.
	Window alert.Span
	// Suppression is how long after an identity's alert no other of it is told,
	// counted until Now, the tick's time. Zero is no suppression.
	Suppression time.Duration
	Now         time.Time
}

// Answer divides the activities that are news, each list in the order of the
// question and with the told spans that an activity touches as Previously, those
// included that were suppressed.
type Answer struct {
	News []alert.Activity
	// Suppressed would be news, but its identity was told of too recently.
	Suppressed []alert.Activity
}

// Trace is how else the ledger may know an activity.
type Trace struct {
	// Former are the fingerprints that format 1 has of its identity: one for each
	// spelling that its rows have of it.
	Former []alert.Fingerprint
	// Events are its events. Without any, each id of the activity's Events is one.
	Events []Event
}

// Event is a single event of an activity. It was reported if one of its ids was,
// or something of its group at nearly the same time.
type Event struct {
	ID alert.EventID
	// Group is a mark of the events that are the same as this one if they are
	// close, or nothing. See alert.NewGroupMark.
	Group alert.EventID
	// Former are the ids that format 1 has of it. They count where the event lies
	// in what was reported then: whoever chooses them may use them again.
	Former []alert.EventID
	// Time is when the event was, the zero time if that is not known: then a
	// former id counts whenever it was reported.
	Time time.Time
}

// GroupReach is how far apart events of one group may be to be the same.
const GroupReach = 2 * time.Minute

// Unseen returns those of the question's activities that are news: with an event
// that was not reported of their fingerprint or, if they name no events, whose
// span is not inside what was reported of it. It changes nothing, so two
// activities of a question do not hide each other.
func (l *Ledger) Unseen(ctx context.Context, q Question) (Answer, error) {
	var answer Answer
	if len(q.Activities) == 0 {
		return answer, nil
	}
	// What is asked about, by fingerprint and by format 1's. An identity has no
	// history, nil, until a row is read that is about it.
	histories := make(map[alert.Fingerprint]*history, len(q.Activities))
	former := make(map[alert.Fingerprint][]alert.Fingerprint)
	from := q.Activities[0].Span.Start
	earliest := func(t time.Time) {
		if t.Before(from) {
			from = t
		}
	}
	for i, a := range q.Activities {
		earliest(a.Span.Start)
		histories[a.Fingerprint] = nil
		trace := q.trace(i)
		for _, f := range trace.Former {
			if !slices.Contains(former[f], a.Fingerprint) {
				former[f] = append(former[f], a.Fingerprint)
			}
		}
		for _, e := range trace.Events {
			if _, at, ok := e.Group.GroupMark(); ok {
				earliest(at.Add(-GroupReach))
			}
		}
	}
	if !q.Window.Start.IsZero() {
		earliest(q.Window.Start)
	}
	if q.Suppression > 0 {
		earliest(q.Now.Add(-q.Suppression))
	}
	// What ends just before a span touches it.
	from = from.Add(-alert.Resolution)

	expected, err := l.expected(ctx, &q, hour(from))
	if err != nil {
		return Answer{}, err
	}
	for r, err := range l.seen(ctx, q.RuleID, from) {
		if err != nil {
			return Answer{}, err
		}
		expected.read(r)
		for _, a := range r.activities {
			if h := historyOf(histories, a.Fingerprint); h != nil {
				h.add(a, r.seenRow, q.Window.End)
				h.know(a.Events)
			}
			for _, f := range former[a.Fingerprint] {
				h := historyOf(histories, f)
				h.add(a, r.seenRow, q.Window.End)
				h.knowFormer(a)
			}
		}
	}
	if err := expected.check(q.RuleID); err != nil {
		return Answer{}, err
	}
	for _, h := range histories {
		if h != nil {
			h.sort()
		}
	}
	// The lists are made as long as they have to be: they may be very long.
	const known, isNew, isSuppressed = 0, 1, 2
	what, count := make([]byte, len(q.Activities)), [3]int{}
	for i, a := range q.Activities {
		h := histories[a.Fingerprint]
		switch {
		case h == nil:
			what[i] = isNew
		case !h.isNews(a, q.trace(i).Events):
			what[i] = known
		case q.Suppression > 0 && h.told.After(q.Now.Add(-q.Suppression)):
			what[i] = isSuppressed
		default:
			what[i] = isNew
		}
		count[what[i]]++
	}
	answer.News, answer.Suppressed = list(count[isNew]), list(count[isSuppressed])
	for i, a := range q.Activities {
		if what[i] == known {
			continue
		}
		a.Previously = nil
		if h := histories[a.Fingerprint]; h != nil {
			for _, span := range h.spans {
				if span.Touches(a.Span) {
					a.Previously = append(a.Previously, span)
				}
			}
		}
		if what[i] == isSuppressed {
			answer.Suppressed = append(answer.Suppressed, a)
		} else {
			answer.News = append(answer.News, a)
		}
	}
	return answer, nil
}

// list returns a list with room for n activities, nil if there are none.
func list(n int) []alert.Activity {
	if n == 0 {
		return nil
	}
	return make([]alert.Activity, 0, n)
}

// historyOf returns the history of an identity that is asked about, or nil if it
// is not.
func historyOf(histories map[alert.Fingerprint]*history, f alert.Fingerprint) *history {
	h, asked := histories[f]
	if asked && h == nil {
		h = &history{}
		histories[f] = h
	}
	return h
}

func (q *Question) trace(i int) Trace {
	if q.Trace == nil {
		return Trace{}
	}
	return q.Trace(i)
}

// history is what is known of one identity. There may be very many with little
// in each: so its lists are sorted once all of it is added, and it has no maps.
type history struct {
	spans  []alert.Span // then merged
	events []alert.EventID
	groups []groupMoment
	former []formerEvent
	told   time.Time // when it was last told of; suppressed does not count
}

// groupMoment is a moment of a group of events.
type groupMoment struct {
	group string
	at    time.Time
}

// formerEvent is an event by format 1's id, and the span in which it was
// reported.
type formerEvent struct {
	id   alert.EventID
	span alert.Span
}

// add takes in what a row says. What the window that is asked about told itself
// suppresses nothing: it may have been recorded in part only, and the rest is
// still to be told.
func (h *history) add(a alert.Activity, r *seenRow, window time.Time) {
	h.spans = append(h.spans, a.Span)
	if !r.suppressed && r.at.After(h.told) && (window.IsZero() || !r.window.Equal(window)) {
		h.told = r.at
	}
}

func (h *history) know(events []alert.EventID) {
	for _, e := range events {
		if group, at, ok := e.GroupMark(); ok {
			h.groups = append(h.groups, groupMoment{group, at})
		} else {
			h.events = append(h.events, e)
		}
	}
}

// knowFormer takes in the events of an activity that was recorded in format 1.
func (h *history) knowFormer(a alert.Activity) {
	for _, e := range a.Events {
		h.former = append(h.former, formerEvent{e, a.Span})
	}
}

// sort readies the history to be asked.
func (h *history) sort() {
	if len(h.spans) > 1 {
		h.spans = alert.Merge(h.spans)
	}
	slices.Sort(h.events)
	slices.SortFunc(h.groups, func(a, b groupMoment) int { return strings.Compare(a.group, b.group) })
	slices.SortFunc(h.former, func(a, b formerEvent) int { return strings.Compare(string(a.id), string(b.id)) })
}

func (h *history) isNews(a alert.Activity, events []Event) bool {
	switch {
	case len(a.Events) == 0:
		return !a.Span.Covered(h.spans)
	case len(events) == 0:
		return slices.ContainsFunc(a.Events, func(id alert.EventID) bool { return !h.knows(Event{ID: id}) })
	}
	return slices.ContainsFunc(events, func(e Event) bool { return !h.knows(e) })
}

// knows reports whether an event was reported.
func (h *history) knows(e Event) bool {
	if _, told := slices.BinarySearch(h.events, e.ID); told {
		return true
	}
	if group, at, ok := e.Group.GroupMark(); ok {
		first, _ := slices.BinarySearchFunc(h.groups, group, func(m groupMoment, group string) int { return strings.Compare(m.group, group) })
		for _, m := range h.groups[first:] {
			if m.group != group {
				break
			}
			if at.Sub(m.at).Abs() <= GroupReach {
				return true
			}
		}
	}
	for _, id := range e.Former {
		first, _ := slices.BinarySearchFunc(h.former, id, func(f formerEvent, id alert.EventID) int { return strings.Compare(string(f.id), string(id)) })
		for _, f := range h.former[first:] {
			if f.id != id {
				break
			}
			if e.Time.IsZero() || (alert.Span{Start: f.span.Start.Add(-GroupReach), End: f.span.End.Add(GroupReach)}).Contains(alert.Between(e.Time, e.Time)) {
				return true
			}
		}
	}
	return false
}

// toldRow is a seen row with the hour of its key.
type toldRow struct {
	hour string
	*seenRow
}

// seen yields the rows that hold what ended, or was told, since the hour of a
// time. Parts of an alert that was not recorded to the end are left out. One that
// was has all of them: else the answer lacks some.
func (l *Ledger) seen(ctx context.Context, ruleID string, from time.Time) iter.Seq2[toldRow, error] {
	return func(yield func(toldRow, error) bool) {
		fail := func(err error) {
			yield(toldRow{}, fmt.Errorf("ledger: reading what rule %q told: %w", ruleID, err))
		}
		whole := ""         // the key of the alert whose part 0 was read, without the part
		next, parts := 0, 0 // the part of it that comes next, and how many it has
		complete := func() error {
			if next < parts {
				return fmt.Errorf("part %d of %d is missing of %s: the table's answer was cut, or somebody removed the row", next, parts, whole)
			}
			return nil
		}
		for i, err := range l.store.list(ctx, partitionOf(ruleID), seenPrefix+hour(from), prefixEnd(seenPrefix), false) {
			var r *seenRow
			if err == nil {
				r, err = as[*seenRow](i)
			}
			if err != nil {
				fail(err)
				return
			}
			alertKey := i.key[:max(0, strings.LastIndexByte(i.key, ':'))]
			switch {
			case r.part == 0:
				if err := complete(); err != nil {
					fail(err)
					return
				}
				whole, next, parts = alertKey, 1, r.parts
			case alertKey != whole:
				continue
			case r.part != next && next < parts:
				fail(complete())
				return
			default:
				next++
			}
			if !yield(toldRow{hourOfKey(i.key), r}, nil) {
				return
			}
		}
		if err := complete(); err != nil {
			fail(err)
		}
	}
}
