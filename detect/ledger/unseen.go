package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	// Events, if set, returns the events of the activity at an index, whose ids and
	// marks of groups are those of the activity. Without it each of these is an
	// event. Former, if set, returns the fingerprints that format 1 has of its
	// identity: one for each spelling that its rows have of it. Both are asked when
	// they are needed, so that very many need not be kept.
	Events func(i int) []Event
	Former func(i int) []alert.Fingerprint
	// Window is what the query looked at. It matters where activities have
	// events but their spans do not cover these.
	Window alert.Span
	// Suppression is how long after an identity's alert no other of it is reported,
	// counted until Now, the tick's time. Zero is no suppression.
	Suppression time.Duration
	Now         time.Time
}

// Answer divides the activities that are news, each list in the order of the
// question. Previously has the spans reported before that an activity touches,
// those that were suppressed among them, but not those of which a silence held
// back all.
type Answer struct {
	News []alert.Activity
	// Suppressed would be news, but its identity was reported too recently.
	Suppressed []alert.Activity
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

// Unseen returns those of the question's activities that are news. An activity
// with events is news if one of them was not reported of its fingerprint; one
// without, if its span is not inside what was reported of it. Unseen changes
// nothing, so two activities of a question do not hide each other.
// If all are news, the answer is the question's own list.
func (l *Ledger) Unseen(ctx context.Context, q Question) (Answer, error) {
	if len(q.Activities) == 0 {
		return Answer{}, nil
	}
	h, err := l.history(ctx, &q)
	if err != nil {
		return Answer{}, err
	}
	// The lists are made as long as they have to be: they may be very long.
	const known, isNew, isSuppressed = 0, 1, 2
	what, count := make([]byte, len(q.Activities)), [3]int{}
	for i, a := range q.Activities {
		who := h.index[a.Fingerprint]
		switch {
		case !h.isNews(who, a, func() []Event { return q.eventsOf(i) }):
			what[i] = known
		case q.Suppression > 0 && h.reported[who].After(q.Now.Add(-q.Suppression)):
			what[i] = isSuppressed
		default:
			what[i] = isNew
		}
		count[what[i]]++
	}
	answer := Answer{Suppressed: list(count[isSuppressed])}
	if count[isNew] == len(q.Activities) {
		answer.News = q.Activities[:0] // very many are not kept twice
	} else {
		answer.News = list(count[isNew])
	}
	for i, a := range q.Activities {
		if what[i] == known {
			continue
		}
		a.Previously = nil
		for _, span := range h.reportedOf(h.index[a.Fingerprint]) {
			if span.Touches(a.Span) {
				a.Previously = append(a.Previously, span)
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

// since returns from when on the seen rows matter to the question.
func (q *Question) since() time.Time {
	from := q.Activities[0].Span.Start
	earliest := func(t time.Time) {
		if t.Before(from) {
			from = t
		}
	}
	for _, a := range q.Activities {
		earliest(a.Span.Start)
		for _, e := range a.Events {
			if _, at, ok := e.GroupMark(); ok {
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
	return from.Add(-alert.Resolution)
}

func (q *Question) eventsOf(i int) []Event {
	if q.Events == nil {
		return nil
	}
	return q.Events(i)
}

// former returns the fingerprints of the question's activities by those that
// format 1 has of them.
func (q *Question) former() map[alert.Fingerprint][]alert.Fingerprint {
	former := map[alert.Fingerprint][]alert.Fingerprint{}
	if q.Former == nil {
		return former
	}
	for i, a := range q.Activities {
		for _, f := range q.Former(i) {
			if !slices.Contains(former[f], a.Fingerprint) {
				former[f] = append(former[f], a.Fingerprint)
			}
		}
	}
	return former
}

// history reads what was reported of the identities that a question is about.
func (l *Ledger) history(ctx context.Context, q *Question) (*history, error) {
	h := newHistory(q)
	from := q.since()
	if lease := l.leaseOf(q.RuleID); lease != nil {
		// What an earlier holder of it recorded is read, and no more can come.
		if err := lease.takeFence(ctx); err != nil {
			return nil, err
		}
	}
	expected, err := l.expected(ctx, q, hour(from))
	if err != nil {
		return nil, err
	}
	var former map[alert.Fingerprint][]alert.Fingerprint // once a row may be of format 1
	for r, err := range l.seen(ctx, q.RuleID, from) {
		if err != nil {
			return nil, err
		}
		expected.read(r)
		for _, a := range r.activities {
			if who, asked := h.index[a.Fingerprint]; asked {
				h.add(who, a, r.seenRow)
				h.know(who, a.Events)
			}
			if !r.unsummed {
				continue
			}
			if former == nil {
				former = q.former()
			}
			for _, f := range former[a.Fingerprint] {
				who := h.index[f]
				h.add(who, a, r.seenRow)
				h.knowFormer(who, a)
			}
		}
	}
	if err := expected.check(q.RuleID); err != nil {
		return nil, err
	}
	h.sort()
	return h, nil
}

// history is what is known of the identities that a question is about. There may
// be very many with little of each: so all of it is in a few lists, by the number
// of the identity.
type history struct {
	index  map[alert.Fingerprint]int32
	window time.Time // the end of the question's window

	all    []spanOf
	events []eventOf
	groups []groupOf
	former []formerOf
	// reported is when each was reported last, if the question suppresses: what was
	// suppressed does not count.
	reported []time.Time
}

type (
	spanOf struct {
		who      int32
		silenced bool // nobody was sent it
		alert.Span
	}
	// eventOf is an event's id: see shortOf.
	eventOf struct {
		who int32
		id  short
	}
	// groupOf is a moment of a group of events.
	groupOf struct {
		who   int32
		group short
		at    int64 // Unix time in milliseconds
	}
	// formerOf is an event by format 1's id, and the span in which it was reported.
	formerOf struct {
		who  int32
		id   alert.EventID
		span alert.Span
	}
)

// short stands for an id: the bytes that its digits say, or a hash of it.
type short [16]byte

func shortOf(id string) (s short) {
	if len(id) == hex.EncodedLen(len(s)) && strings.ToLower(id) == id {
		if _, err := hex.Decode(s[:], []byte(id)); err == nil {
			return s
		}
	}
	sum := sha256.Sum256([]byte(id))
	return short(sum[:len(s)])
}

func (a short) compare(b short) int { return bytes.Compare(a[:], b[:]) }

func newHistory(q *Question) *history {
	h := &history{index: make(map[alert.Fingerprint]int32, len(q.Activities)), window: q.Window.End}
	for _, a := range q.Activities {
		if _, there := h.index[a.Fingerprint]; !there {
			h.index[a.Fingerprint] = int32(len(h.index))
		}
	}
	if q.Suppression > 0 {
		h.reported = make([]time.Time, len(h.index))
	}
	return h
}

// add takes in what a row says. What the window that is asked about reported
// itself suppresses nothing: it may have been recorded in part only, and the rest
// is still to be reported.
func (h *history) add(who int32, a alert.Activity, r *seenRow) {
	h.all = append(h.all, spanOf{who, r.silenced, a.Span})
	if h.reported != nil && !r.suppressed && r.at.After(h.reported[who]) && (h.window.IsZero() || !r.window.Equal(h.window)) {
		h.reported[who] = r.at
	}
}

func (h *history) know(who int32, events []alert.EventID) {
	for _, e := range events {
		if group, at, ok := e.GroupMark(); ok {
			h.groups = append(h.groups, groupOf{who, shortOf(group), at.UnixMilli()})
		} else {
			h.events = append(h.events, eventOf{who, shortOf(string(e))})
		}
	}
}

// knowFormer takes in the events of an activity that was recorded in format 1.
func (h *history) knowFormer(who int32, a alert.Activity) {
	for _, e := range a.Events {
		h.former = append(h.former, formerOf{who, e, a.Span})
	}
}

// sort readies the history to be asked.
func (h *history) sort() {
	slices.SortFunc(h.all, func(a, b spanOf) int { return cmp.Compare(a.who, b.who) })
	slices.SortFunc(h.events, eventOf.compare)
	slices.SortFunc(h.groups, groupOf.compare)
	slices.SortFunc(h.former, formerOf.compare)
}

func (a eventOf) compare(b eventOf) int { return cmp.Or(cmp.Compare(a.who, b.who), a.id.compare(b.id)) }

func (a groupOf) compare(b groupOf) int {
	return cmp.Or(cmp.Compare(a.who, b.who), a.group.compare(b.group))
}

func (a formerOf) compare(b formerOf) int {
	return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.id, b.id))
}

// spansOf returns what is known of an identity, merged.
func (h *history) spansOf(who int32) []alert.Span { return h.spans(who, true) }

// reportedOf returns the same without what silences held back.
func (h *history) reportedOf(who int32) []alert.Span { return h.spans(who, false) }

func (h *history) spans(who int32, silenced bool) []alert.Span {
	first, _ := slices.BinarySearchFunc(h.all, who, func(s spanOf, who int32) int { return cmp.Compare(s.who, who) })
	var spans []alert.Span
	for _, s := range h.all[first:] {
		if s.who != who {
			break
		}
		if silenced || !s.silenced {
			spans = append(spans, s.Span)
		}
	}
	if len(spans) > 1 {
		spans = alert.Merge(spans)
	}
	return spans
}

// isNews reports whether an activity is news. It asks for the activity's events only
// if some are known: of most identities nothing was reported.
func (h *history) isNews(who int32, a alert.Activity, eventsOf func() []Event) bool {
	switch {
	case len(a.Events) == 0:
		return !a.Span.Covered(h.spansOf(who))
	case !h.knowsAny(who):
		return true
	}
	events := eventsOf()
	if len(events) == 0 {
		return slices.ContainsFunc(a.Events, func(id alert.EventID) bool { return !h.knows(who, Event{ID: id}) })
	}
	return slices.ContainsFunc(events, func(e Event) bool { return !h.knows(who, e) })
}

// knowsAny reports whether any event of an identity was reported.
func (h *history) knowsAny(who int32) bool {
	_, events := slices.BinarySearchFunc(h.events, who, func(e eventOf, who int32) int { return cmp.Compare(e.who, who) })
	_, groups := slices.BinarySearchFunc(h.groups, who, func(g groupOf, who int32) int { return cmp.Compare(g.who, who) })
	_, former := slices.BinarySearchFunc(h.former, who, func(f formerOf, who int32) int { return cmp.Compare(f.who, who) })
	return events || groups || former
}

// knows reports whether an event was reported.
func (h *history) knows(who int32, e Event) bool {
	if _, reported := slices.BinarySearchFunc(h.events, eventOf{who, shortOf(string(e.ID))}, eventOf.compare); reported {
		return true
	}
	if group, at, ok := e.Group.GroupMark(); ok {
		want := groupOf{who: who, group: shortOf(group)}
		first, _ := slices.BinarySearchFunc(h.groups, want, groupOf.compare)
		for _, m := range h.groups[first:] {
			if m.compare(want) != 0 {
				break
			}
			if at.Sub(time.UnixMilli(m.at)).Abs() <= GroupReach {
				return true
			}
		}
	}
	for _, id := range e.Former {
		want := formerOf{who: who, id: id}
		first, _ := slices.BinarySearchFunc(h.former, want, formerOf.compare)
		for _, f := range h.former[first:] {
			if f.compare(want) != 0 {
				break
			}
			if e.Time.IsZero() || (alert.Span{Start: f.span.Start.Add(-GroupReach), End: f.span.End.Add(GroupReach)}).Contains(alert.Between(e.Time, e.Time)) {
				return true
			}
		}
	}
	return false
}

// hourRow is a seen row with the hour of its key.
type hourRow struct {
	hour string
	*seenRow
}

// seen yields the rows that hold what ended, or was reported, since the hour of a
// time. Parts of an alert that was not recorded to the end are left out. One that
// was has all of them: else the answer lacks some.
func (l *Ledger) seen(ctx context.Context, ruleID string, from time.Time) iter.Seq2[hourRow, error] {
	return func(yield func(hourRow, error) bool) {
		fail := func(err error) {
			yield(hourRow{}, fmt.Errorf("ledger: reading what rule %q reported: %w", ruleID, err))
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
			if !yield(hourRow{hourOfKey(i.key), r}, nil) {
				return
			}
		}
		if err := complete(); err != nil {
			fail(err)
		}
	}
}
