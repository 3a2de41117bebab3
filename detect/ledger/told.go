package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
)

// Question asks what is new about the rows of a window.
type Question struct {
	RuleID     string
	Activities []alert.Activity
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

// Ask is Unseen with suppression.
func (l *Ledger) Ask(ctx context.Context, q Question) (Answer, error) {
	var answer Answer
	if len(q.Activities) == 0 {
		return answer, nil
	}
	histories := map[alert.Fingerprint]*history{}
	from := q.Activities[0].Span.Start
	earliest := func(t time.Time) {
		if t.Before(from) {
			from = t
		}
	}
	for _, a := range q.Activities {
		earliest(a.Span.Start)
		if histories[a.Fingerprint] == nil {
			histories[a.Fingerprint] = &history{}
		}
		if h := histories[a.Fingerprint]; len(a.Events) > 0 && h.events == nil {
			h.events = map[alert.EventID]struct{}{}
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

	for r, err := range l.seen(ctx, q.RuleID, from) {
		if err != nil {
			return Answer{}, err
		}
		for _, a := range r.activities {
			if h := histories[a.Fingerprint]; h != nil {
				h.add(a, r, q.Window.End)
			}
		}
	}
	for _, h := range histories {
		h.spans = alert.Merge(h.spans)
	}
	for _, a := range q.Activities {
		h := histories[a.Fingerprint]
		if !h.isNews(a) {
			continue
		}
		a.Previously = nil
		for _, span := range h.spans {
			if span.Touches(a.Span) {
				a.Previously = append(a.Previously, span)
			}
		}
		if q.Suppression > 0 && h.told.After(q.Now.Add(-q.Suppression)) {
			answer.Suppressed = append(answer.Suppressed, a)
		} else {
			answer.News = append(answer.News, a)
		}
	}
	return answer, nil
}

// history is what is known of one identity.
type history struct {
	spans  []alert.Span // merged once all are added
	events map[alert.EventID]struct{}
	told   time.Time // when it was last told of; suppressed does not count
}

// add takes in what a row says. What the window that is asked about told itself
// suppresses nothing: it may have been recorded in part only, and the rest is
// still to be told.
func (h *history) add(a alert.Activity, r *seenRow, window time.Time) {
	h.spans = append(h.spans, a.Span)
	if h.events != nil {
		for _, e := range a.Events {
			h.events[e] = struct{}{}
		}
	}
	if !r.suppressed && r.at.After(h.told) && (window.IsZero() || !r.window.Equal(window)) {
		h.told = r.at
	}
}

func (h *history) isNews(a alert.Activity) bool {
	if len(a.Events) == 0 {
		return !a.Span.Covered(h.spans)
	}
	return slices.ContainsFunc(a.Events, func(e alert.EventID) bool {
		_, told := h.events[e]
		return !told
	})
}

// seen yields the rows that hold what ended, or was told, since the hour of a
// time. Parts of an alert that was not recorded to the end are left out.
func (l *Ledger) seen(ctx context.Context, ruleID string, from time.Time) func(yield func(*seenRow, error) bool) {
	return func(yield func(*seenRow, error) bool) {
		whole := "" // the alert whose part 0 was read
		for i, err := range l.store.list(ctx, partitionOf(ruleID), seenPrefix+hour(from), prefixEnd(seenPrefix), false) {
			var r *seenRow
			if err == nil {
				r, err = as[*seenRow](i)
			}
			if err != nil {
				yield(nil, fmt.Errorf("ledger: reading what rule %q told: %w", ruleID, err))
				return
			}
			if r.part == 0 {
				whole = r.alertID
			}
			if r.alertID == whole && !yield(r, nil) {
				return
			}
		}
	}
}
