package alert

import (
	"encoding/json"
	"strings"
	"time"
)

// Alert reports what a rule found in one window, with all that a destination
// needs to show it. It survives a trip through JSON unchanged.
type Alert struct {
	// ID is a GUID derived from the rule and the activities; see NewID.
	ID          string `json:"id"`
	RuleID      string `json:"ruleId"`
	RuleName    string `json:"ruleName"`
	RuleVersion string `json:"ruleVersion,omitempty"`

	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Severity    Severity `json:"severity"`
	Tactics     []string `json:"tactics,omitempty"`
	Techniques  []string `json:"techniques,omitempty"`
	// Guidance is the address of the page that says what to do, if the rule
	// names one.
	Guidance string `json:"guidance,omitempty"`

	Entities      []Entity   `json:"entities,omitempty"`
	CustomDetails []Detail   `json:"customDetails,omitempty"`
	Properties    []Property `json:"properties,omitempty"`

	// Window is what the rule's query looked at; its end is not part of it.
	Window Span `json:"window"`
	// Span is when the activities took place, from the first to the last.
	Span       Span       `json:"span"`
	Activities []Activity `json:"activities"`
	// Rows are the rows of the result that the alert is about, empty if it is
	// about there being none.
	Rows []Row `json:"rows,omitempty"`
	// Card is what the rule says of the alert in its own words, nil if it leaves that to
	// the destinations.
	Card *Card `json:"card,omitempty"`
	// Notes are for the reader: what could not be filled in, and why.
	Notes []string `json:"notes,omitempty"`
	// Context is what was looked up about the entities, nil if nothing was.
	Context *Context `json:"context,omitempty"`
	// Updates is the alert that this one brings news of, nil if it stands for
	// itself.
	Updates *Reference `json:"updates,omitempty"`
	// Resumes is the id of an alert that was held back, which this one brings news of.
	// Nobody has that one: so this one stands for itself.
	Resumes string `json:"resumes,omitempty"`
	// Storm is set if the alert stands for more than one window may have of the
	// rule. Of its Activities the outbox has the first only.
	Storm *Storm `json:"storm,omitempty"`
	// HeldBack says why the alert is sent nowhere, nil if it is.
	HeldBack *HeldBack `json:"heldBack,omitempty"`
	// IncidentURL leads to the incident that was made of the alert, if one was, and
	// IncidentNumber is its number where analysts look, if it is known.
	IncidentURL    string `json:"incidentUrl,omitempty"`
	IncidentNumber string `json:"incidentNumber,omitempty"`
	// Address is the name of the address that the alert is for, of a destination
	// with several. It is empty where the rule and the severity decide.
	Address string `json:"address,omitempty"`
	// Mentions are who the address is to name. They are set as the alert is sent.
	Mentions []Mention `json:"mentions,omitempty"`
	// Created is the time of the tick that made the alert.
	Created time.Time `json:"created"`
	// SentAt is when the alert is sent, if that is long after it was made, since
	// its destination refused it till then; else it is zero.
	SentAt time.Time `json:"sentAt,omitzero"`
}

// Late returns how much later than it was made the alert is sent, or zero.
func (a Alert) Late() time.Duration {
	if a.SentAt.IsZero() || a.Created.IsZero() {
		return 0
	}
	return max(a.SentAt.Sub(a.Created), 0)
}

// Previously returns the spans of the same identities that were reported before,
// merged and in order. It is empty if all of it is news; otherwise the alert
// continues an earlier one.
func (a Alert) Previously() []Span {
	var all []Span
	for _, activity := range a.Activities {
		all = append(all, activity.Previously...)
	}
	return Merge(all)
}

// Activity is what one identity did in one stretch of time. It is the unit in
// which the ledger records what was reported.
type Activity struct {
	Fingerprint Fingerprint `json:"fingerprint"`
	Span        Span        `json:"span"`
	// Events are the hashed ids of the single events of the activity, in
	// order, if the rule names them. Where there are any they decide what is
	// news; else the span does.
	Events []EventID `json:"events,omitempty"`
	// Previously lists the spans of this identity that were reported before and
	// touch Span, in order. They do not cover it.
	Previously []Span `json:"previously,omitempty"`
}

// Entity is somebody or something that the alert is about, in Sentinel's terms:
// an Account, an IP, a Host.
type Entity struct {
	Type   string  `json:"type"`
	Fields []Field `json:"fields"`
}

// Field is one identifier of an entity, or one column of an identity, with its
// value. The value comes from a log and may hold anything.
type Field struct {
	Identifier string `json:"identifier"`
	Value      string `json:"value"`
}

// Detail is a custom detail: a name that the rule chose and the distinct values
// of its column, in the order of the rows.
type Detail struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// Property is a property of the alert that the rule overrides per row, such as
// AlertLink or ProductName.
type Property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Row is one row of a rule's result, its columns in the order of the query.
type Row []Cell

// Cell is one value of a row.
type Cell struct {
	Column string `json:"column"`
	// Value is the value as JSON in the form that encoding/json writes. It is
	// exact: a 64-bit integer keeps all its digits, a time all its decimals.
	Value json.RawMessage `json:"value"`
}

// Text returns the value for reading: a string without its quotes, nothing for
// null, and other values as JSON.
func (c Cell) Text() string {
	var text string
	if err := json.Unmarshal(c.Value, &text); err == nil { // null leaves it empty
		return text
	}
	return strings.TrimSpace(string(c.Value))
}

// Get returns the cell of a column, compared by its exact name.
func (r Row) Get(column string) (Cell, bool) {
	for _, c := range r {
		if c.Column == column {
			return c, true
		}
	}
	return Cell{}, false
}
