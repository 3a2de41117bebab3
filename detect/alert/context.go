package alert

import (
	"slices"
	"strings"
	"time"
)

// Context is what was looked up about an alert's entities, and what it means.
// All its texts are plain: they hold values from logs, which may be anything.
type Context struct {
	// Findings say what stands out, the weightiest first.
	Findings []Finding `json:"findings,omitempty"`
	// RuleSeverity is the severity that the rule gave, and Steps are what led
	// from it to the alert's, in the order in which they were taken.
	RuleSeverity Severity `json:"ruleSeverity"`
	Steps        []Step   `json:"steps,omitempty"`
	// RiskScore is the figure by which the published rule decides what to report:
	// one for a high blast radius, and the investigation priorities that UEBA
	// gave to the address, added up. It is nil if UEBA had nothing to say.
	RiskScore *int64 `json:"riskScore,omitempty"`
	// New lists those of the alert's values that its accounts were not seen with
	// before: addresses, countries and names of devices.
	New []string `json:"new,omitempty"`
	// Sections hold what is known of each entity.
	Sections []Section `json:"sections,omitempty"`
	// Asked counts the prompts around the alert that were not approved. It is nil if
	// they could not be looked up, or the alert has no account.
	Asked *Asked `json:"asked,omitempty"`
	// Timeline lists the prompts and what came after them, oldest first.
	Timeline []Moment `json:"timeline,omitempty"`
	// Usual is what the accounts used long before, and Regulars who is at home at the
	// addresses: what comes later is judged by them.
	Usual    []Usual    `json:"usual,omitempty"`
	Regulars []Regulars `json:"regulars,omitempty"`
	// Unavailable has a line for each kind of context that could not be had,
	// with the reason.
	Unavailable []string `json:"unavailable,omitempty"`
	// Failed says that some of it could not be had for another reason than that the
	// workspace does not have it.
	Failed bool `json:"failed,omitempty"`
}

// Has reports whether there is a finding of a kind.
func (c *Context) Has(kind FindingKind) bool {
	return c != nil && slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Kind == kind })
}

// Says reports whether there is a finding of a kind that is not weak.
func (c *Context) Says(kind FindingKind) bool {
	return c != nil && slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Kind == kind && !f.Weak })
}

// GotIn reports whether somebody signed in who may not be the user.
func (c *Context) GotIn() bool {
	return c != nil && slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Kind.IsSuccess() && !f.Weak })
}

// IsNew reports whether a value of the alert is new for its accounts. A place
// is if it ends in a country that is: Sofia, BG.
func (c *Context) IsNew(value string) bool {
	return c != nil && slices.ContainsFunc(c.New, func(n string) bool {
		return strings.EqualFold(n, value) || strings.HasSuffix(value, ", "+n)
	})
}

// Asked counts prompts for the second factor that were not approved.
type Asked struct {
	Prompts  int `json:"prompts"`  // all of them
	Rejected int `json:"rejected"` // those that the user rejected
}

// Step is a change of the severity.
type Step struct {
	Severity Severity `json:"severity"` // after the step
	// Kind is that of the finding that is the reason.
	Kind FindingKind `json:"kind"`
	// Text says why in a few words: signed in from the same address 3 min after
	// rejecting.
	Text string `json:"text"`
}

// Section is what one kind of context knows of one entity.
type Section struct {
	// Title is short and of our own: Identity, Sign-ins before, UEBA.
	Title string `json:"title"`
	// Subject is the entity: an account's name or an address.
	Subject string   `json:"subject"`
	Facts   []Detail `json:"facts"`
	// Brought says that it is of a context that the rule brings, under the title that
	// the rule gives it.
	Brought bool `json:"brought,omitempty"`
}

// Usual is what an account used long before: where and on what its sign-ins were.
type Usual struct {
	Account   string   `json:"account"`
	Addresses []string `json:"addresses,omitempty"`
	Networks  []string `json:"networks,omitempty"` // numbers of AS
	Devices   []string `json:"devices,omitempty"`  // ids
}

// Regulars are the accounts that signed in from an address long before.
type Regulars struct {
	Address  string   `json:"address"`
	Accounts []string `json:"accounts,omitempty"`
	Many     bool     `json:"many,omitempty"` // more than are listed
}

// Moment is something that happened, for a timeline.
type Moment struct {
	Time time.Time  `json:"time"`
	Kind MomentKind `json:"kind"`
	Text string     `json:"text"`
	// Brief is Text without the address. It is empty in alerts of versions before.
	Brief string `json:"brief,omitempty"`
	// Count is how often it happened, if more than once, From from which address, and
	// Until is when it happened last.
	Count int       `json:"count,omitempty"`
	From  string    `json:"from,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// Ordinary says that it is a sign-in that does not stand out.
	Ordinary bool `json:"ordinary,omitempty"`
}

// MomentKind is what happened at a moment. The context queries use the same
// names.
type MomentKind string

// The kinds of moments.
const (
	// MomentRejected is a prompt for the second factor that the user rejected.
	MomentRejected MomentKind = "rejected"
	// MomentPrompt is one that was left unanswered, or failed.
	MomentPrompt MomentKind = "prompt"
	// MomentSuccess is a sign-in that succeeded.
	MomentSuccess MomentKind = "success"
	// MomentMethod is a change of the methods for the second factor.
	MomentMethod MomentKind = "method"
	// MomentChange is another change of the account: an inbox rule, a consent to an
	// application, a new password.
	MomentChange MomentKind = "change"
	// MomentRisk is a risk that Entra ID detected.
	MomentRisk MomentKind = "risk"
	// MomentLeftOut stands for those that the timeline has no room for.
	MomentLeftOut MomentKind = "left-out"
)

// Reference names another alert.
type Reference struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Created time.Time `json:"created"`
	// Severity is what it was reported with, and Identity what it is about: see
	// Identity. They are zero where nobody needs them.
	Severity Severity `json:"severity,omitempty"`
	Identity string   `json:"identity,omitempty"`
	// News is the kind of the finding that the update is about. It is empty in alerts
	// of versions before.
	News FindingKind `json:"news,omitempty"`
}
