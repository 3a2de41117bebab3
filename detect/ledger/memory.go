package ledger

import (
	"context"
	"slices"
	"sync"
	"time"

	"pushback/detect/alert"
)

// retention is how long Memory remembers what it was told, counted from the
// rule's watermark then. It must exceed the longest query period (14 days), the
// lateness and the catch-up together: so long can a query return the same row.
const retention = 30 * 24 * time.Hour

// purgeInterval is how far the watermark moves between two purges.
const purgeInterval = 24 * time.Hour

// Memory is a ledger that lives as long as the process: for replay, and for
// tests. It is safe for concurrent use. It remembers what a rule told for 30
// days of the rule's watermark, and an alert until it is sent.
type Memory struct {
	mu    sync.Mutex
	rules map[string]*memoryRule
	// owed holds what is to be sent, in the order in which it was recorded.
	owed []*owedAlert
}

// memoryRule is what Memory knows of one rule.
type memoryRule struct {
	state  State
	seen   map[alert.Fingerprint][]told // in order, no two of which touch
	events map[event]time.Time          // when an event was told
	alerts map[string]time.Time         // when an alert was recorded, by its id
	purged time.Time                    // the watermark of the last purge
}

// event is a single event of an identity.
type event struct {
	of alert.Fingerprint
	id alert.EventID
}

// told is a span that was told, and the watermark when it last grew. The span
// alone does not say when to forget it: a rule may return rows about a time
// long before its window.
type told struct {
	span alert.Span
	at   time.Time
}

type owedAlert struct {
	alert alert.Alert
	to    []string
}

// NewMemory returns an empty ledger.
func NewMemory() *Memory {
	return &Memory{rules: map[string]*memoryRule{}}
}

// State returns how far the rule has run.
func (m *Memory) State(_ context.Context, ruleID string) (State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.rules[ruleID]; r != nil {
		return r.state.clone(), nil
	}
	return State{}, nil
}

// Unseen returns, in the same order, those of the rule's activities that are
// news: with an event that was not told of their fingerprint or, if they name no
// events, whose span is not inside what was told of it; each with the told spans
// that it touches as Previously. It changes nothing, so two
// activities of the argument do not hide each other.
func (m *Memory) Unseen(_ context.Context, ruleID string, activities []alert.Activity) ([]alert.Activity, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rules[ruleID]
	var news []alert.Activity
	for _, a := range activities {
		var spans []alert.Span
		if r != nil {
			for _, t := range r.seen[a.Fingerprint] {
				spans = append(spans, t.span)
			}
		}
		toldEvent := func(id alert.EventID) bool {
			if r == nil {
				return false
			}
			_, told := r.events[event{a.Fingerprint, id}]
			return told
		}
		if a, ok := unseen(a, spans, toldEvent); ok {
			news = append(news, a)
		}
	}
	return news, nil
}

// Record keeps a rule's new alerts, all or nothing: their activities become
// seen, each alert is owed to every destination, and the rule's state is set.
// An alert whose id was recorded before is not owed again.
func (m *Memory) Record(_ context.Context, ruleID string, state State, alerts []alert.Alert, destinations []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rules[ruleID]
	if r == nil {
		r = &memoryRule{seen: map[alert.Fingerprint][]told{}, events: map[event]time.Time{}, alerts: map[string]time.Time{}}
		m.rules[ruleID] = r
	}
	r.state = state.clone()
	for _, a := range alerts {
		for _, activity := range a.Activities {
			r.tell(activity)
		}
		if _, known := r.alerts[a.ID]; known {
			continue
		}
		r.alerts[a.ID] = state.Watermark
		if len(destinations) > 0 {
			m.owed = append(m.owed, &owedAlert{alert: a, to: slices.Clone(destinations)})
		}
	}
	r.purge()
	return nil
}

// Pending returns the alerts that are owed to a destination, in the order in
// which they were recorded: what continues an alert comes after it.
func (m *Memory) Pending(_ context.Context, destination string) ([]alert.Alert, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var pending []alert.Alert
	for i, o := range m.owed {
		if slices.Contains(o.to, destination) {
			if pending == nil {
				pending = make([]alert.Alert, 0, len(m.owed)-i)
			}
			pending = append(pending, o.alert)
		}
	}
	return pending, nil
}

// Sent notes that a destination accepted an alert. Noting it twice, or of an
// alert that is not owed, changes nothing.
func (m *Memory) Sent(_ context.Context, destination string, a alert.Alert) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.owed, func(o *owedAlert) bool { return o.alert.ID == a.ID })
	if i < 0 {
		return nil
	}
	o := m.owed[i]
	o.to = slices.DeleteFunc(o.to, func(d string) bool { return d == destination })
	if len(o.to) == 0 {
		m.owed = slices.Delete(m.owed, i, i+1)
	}
	return nil
}

// tell adds an activity to what was told, merged with what it touches.
func (r *memoryRule) tell(a alert.Activity) {
	for _, id := range a.Events {
		r.events[event{a.Fingerprint, id}] = r.state.Watermark
	}
	grown := told{span: a.Span, at: r.state.Watermark}
	var spans []told
	for _, t := range r.seen[a.Fingerprint] {
		if t.span.Touches(a.Span) {
			grown.span = grown.span.Hull(t.span)
		} else {
			spans = append(spans, t)
		}
	}
	spans = append(spans, grown)
	slices.SortFunc(spans, func(a, b told) int { return a.span.Compare(b.span) })
	r.seen[a.Fingerprint] = spans
}

// purge forgets what was told longer than the retention ago, so that months of
// ticks do not fill the memory.
func (r *memoryRule) purge() {
	if r.state.Watermark.Sub(r.purged) < purgeInterval {
		return
	}
	r.purged = r.state.Watermark
	oldest := r.state.Watermark.Add(-retention)
	for f, spans := range r.seen {
		spans = slices.DeleteFunc(spans, func(t told) bool { return t.at.Before(oldest) })
		if r.seen[f] = spans; len(spans) == 0 {
			delete(r.seen, f)
		}
	}
	for e, at := range r.events {
		if at.Before(oldest) {
			delete(r.events, e)
		}
	}
	for id, at := range r.alerts {
		if at.Before(oldest) {
			delete(r.alerts, id)
		}
	}
}
