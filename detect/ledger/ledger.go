// Package ledger remembers, per rule, how far it has run and what it has told,
// and keeps what is still to be sent.
//
// A ledger answers four questions: where did the rule stop ([State]); is this
// activity news (Unseen); keep these alerts and remember their activities, all
// or nothing (Record); and what does a destination still wait for (Pending,
// Sent).
package ledger

import (
	"slices"
	"time"

	"pushback/detect/alert"
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
}

// IsZero reports whether the rule never ran.
func (s State) IsZero() bool { return s.Watermark.IsZero() }

// clone returns a copy that shares nothing with s.
func (s State) clone() State {
	s.Pending = slices.Clone(s.Pending)
	return s
}

// unseen returns the activity with what was told of it before, given the merged
// spans told of its fingerprint and which of its events were told, and whether
// any of it is news.
func unseen(a alert.Activity, told []alert.Span, toldEvent func(alert.EventID) bool) (alert.Activity, bool) {
	news := !a.Span.Covered(told)
	if len(a.Events) > 0 {
		news = slices.ContainsFunc(a.Events, func(e alert.EventID) bool { return !toldEvent(e) })
	}
	if !news {
		return alert.Activity{}, false
	}
	a.Previously = nil
	for _, span := range told {
		if span.Touches(a.Span) {
			a.Previously = append(a.Previously, span)
		}
	}
	return a, true
}
