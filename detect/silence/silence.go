// Package silence is exceptions: what holds back which alerts, why, on whose word
// and until when.
//
// A silence names rules, matchers that must all hold, and the highest severity that
// it holds back. It says nothing of what somebody did outside its time, and never
// hides that somebody may have got in. Silences are in a reviewed file beside the
// rules, and in the ledger, where the command silence puts them.
package silence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Silence is an exception.
type Silence struct {
	ID string `json:"id"`
	// Rules are the ids, the names or the shipped names of rules. None stands for all.
	Rules []string `json:"rules,omitempty"`
	// Match are matchers that must all hold, for every row of an alert.
	Match []Matcher `json:"match"`
	// MaxSeverity is the highest severity that is held back.
	MaxSeverity alert.Severity `json:"maxSeverity"`
	// From and Until are when what it is about took place: Until is not part of it.
	// The zero times are no limit.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Review is when somebody has to look at it again. It holds back all the same.
	Review time.Time `json:"review,omitzero"`
	// Hours are the hours of the week to which it is limited, if there are any.
	Hours  []Hours `json:"hours,omitempty"`
	Reason string  `json:"reason"`
	By     string  `json:"by"`
	// Added is when it was put into the ledger, zero for one of a file, and EndedBy
	// who ended it early.
	Added   time.Time `json:"added,omitzero"`
	EndedBy string    `json:"endedBy,omitempty"`
	// Place is where the file has it, such as silences.yaml:3. It is empty for one of
	// the ledger.
	Place string `json:"-"`
}

// DefaultMaxSeverity is what a silence holds back up to, unless it says more or less.
const DefaultMaxSeverity = alert.Medium

// LongestAdHoc is how long one of the ledger can last from when it is added.
const LongestAdHoc = 30 * 24 * time.Hour

// Matcher is one of a silence's conditions: of an entity's identifier, of a custom
// detail or of a finding.
type Matcher struct {
	Entity     string `json:"entity,omitempty"`
	Identifier string `json:"identifier,omitempty"`
	Detail     string `json:"detail,omitempty"`
	// Finding is a kind of finding that the alert must have.
	Finding alert.FindingKind `json:"finding,omitempty"`
	// Of Values, Exactly and CIDR one must be like the value. In Values a * stands for
	// any text, in Exactly for itself.
	Values  []string `json:"value,omitempty"`
	Exactly []string `json:"exactly,omitempty"`
	CIDR    []string `json:"cidr,omitempty"`
}

// String writes the matcher as the command silence takes it.
func (m Matcher) String() string {
	name := m.name()
	if m.Finding != "" {
		return name
	}
	var parts []string
	for _, v := range m.Exactly {
		parts = append(parts, fmt.Sprintf("%q", v))
	}
	parts = append(append(parts, m.Values...), m.CIDR...)
	return name + "=" + strings.Join(parts, " or ")
}

func (m Matcher) name() string {
	switch {
	case m.Finding != "":
		return "finding=" + string(m.Finding)
	case m.Detail != "":
		return "detail." + m.Detail
	}
	return m.Entity + "." + m.Identifier
}

// AllRules is the name that stands for every rule.
const AllRules = "all"

// ofAll reports whether the silence is about every rule.
func (s *Silence) ofAll() bool {
	return len(s.Rules) == 0 || slices.ContainsFunc(s.Rules, func(r string) bool { return strings.EqualFold(r, AllRules) })
}

// State is where a silence stands at a time.
type State string

// The states of silences.
const (
	Pending   State = "pending"
	InForce   State = "in force"
	NeedsLook State = "past its review" // and in force
	Ended     State = "ended"
)

// StateAt returns where the silence stands.
func (s *Silence) StateAt(now time.Time) State {
	switch {
	case !s.Until.IsZero() && !now.Before(s.Until):
		return Ended
	case now.Before(s.From):
		return Pending
	case !s.Review.IsZero() && !now.Before(s.Review):
		return NeedsLook
	}
	return InForce
}

// Holds reports whether the silence is in force.
func (s *Silence) Holds(now time.Time) bool {
	state := s.StateAt(now)
	return state == InForce || state == NeedsLook
}

// Over reports whether all of a span lies in the silence's time: in its hours too, if
// it has some.
func (s *Silence) Over(span alert.Span) bool {
	if span.Start.Before(s.From) || !s.Until.IsZero() && !span.End.Before(s.Until) {
		return false
	}
	return len(s.Hours) == 0 || within(s.Hours, span)
}
