// Package rule reads scheduled detection rules in the YAML format of
// Microsoft Sentinel's analytics rules, as Microsoft and its users publish
// them, and holds the rule that Pushback ships with.
//
// A rule that Parse or Load returns is valid: its required fields are set, its
// entity mappings name entities and identifiers that Sentinel knows, and its
// query period is not shorter than its frequency. Whether its query is good
// KQL, and whether the columns it names are in the query's result, only a KQL
// engine knows: Query.Locate and Rule.Columns give that engine's caller the
// place in the file to complain about.
package rule

import (
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
)

// Rule is one scheduled or near-real-time rule.
type Rule struct {
	// File is the name that the rule was read under, for messages.
	File string

	ID          string // a GUID
	Name        string
	Description string // without the stray quotes that many published rules carry
	Version     string
	Status      string
	Kind        Kind
	Severity    alert.Severity

	// Disabled is set by `enabled: false`. Such a rule is read and checked
	// like any other; not running it is up to the caller.
	Disabled bool

	RequiredDataConnectors []Connector

	// QueryFrequency is how often the rule runs, QueryPeriod how far back each
	// run looks. Both are zero in an NRT rule that does not set them.
	QueryFrequency time.Duration
	QueryPeriod    time.Duration

	Trigger Trigger

	Tactics    []string // as Sentinel spells them: InitialAccess
	Techniques []string // T1078 or T1078.004
	Tags       []string // a tag with a value reads "Name: value"

	Query Query

	EntityMappings []EntityMapping
	// EntityColumns names the columns that hold lists of entities as JSON, as
	// Entities of SecurityAlert does: Sentinel's sentinelEntitiesMappings.
	EntityColumns []string

	CustomDetails []CustomDetail // in the file's order
	AlertDetails  AlertDetails
	Grouping      Grouping

	SuppressionEnabled  bool
	SuppressionDuration time.Duration

	Incident IncidentConfiguration

	// Identity names the columns whose values say whether two rows are the
	// same activity, when the columns of the entity mappings should not. It is
	// Pushback's own addition to the format: `pushback: {identity: [Column]}`.
	Identity []string

	// Events names the columns that hold the ids of the single events of a
	// row: with them a row is news if one of its events was not reported, and
	// without them if its time was not. They should be ids that no client
	// chooses. It is Pushback's own
	// too: `pushback: {events: [Column]}`.
	Events []string

	// Guidance is the address, https, of the page that says what to do about
	// the rule's alerts, or nothing: `pushback: {guidance: https://...}`.
	Guidance string

	// Remediation says what to do about the rule's alerts, in words, or nothing:
	// `pushback: {remediation: TEXT}`, and recommendedActions of a rule of Defender.
	Remediation string

	// Card is what the rule says of the cards of its alerts.
	Card Card

	// Story names the story that the rule shares with others of the same name:
	// what they find of the same entities is one incident, and what one of them
	// found of the same activity before is updated. Without a name the story is the
	// rule's own. It is Pushback's own too: `pushback: {story: NAME}`.
	Story string

	// NoFollowUp says that a sign-in afterwards is no news of what the rule reports,
	// since that is about one. It is Pushback's own too: `pushback: {followUp: false}`.
	NoFollowUp bool

	// Context is what the rule has looked up about the entities of its alerts, beside
	// what Pushback looks up itself: `pushback: {context: [...]}`.
	Context []Context

	// at holds where in the file a value was written, by its path.
	at map[string]position

	// cases are those in the rule's own file, and caseProblems what is wrong with
	// them: a mistake in a case keeps no rule from running.
	cases        []Case
	caseProblems []Problem
	shipped      bool
}

// Kind is how a rule is scheduled.
type Kind int

// The kinds of rule that Pushback runs.
const (
	Scheduled Kind = iota
	NRT
)

var kindNames = []string{Scheduled: "Scheduled", NRT: "NRT"}

// String returns the name that Sentinel uses.
func (k Kind) String() string { return nameOf(kindNames, int(k), "Kind") }

// Connector is a data connector that a rule needs, with the tables or data
// types it needs of it.
type Connector struct {
	ConnectorID string
	DataTypes   []string
}

// Trigger is the condition on the number of rows under which a rule raises
// alerts. The zero value is "more than 0 rows".
type Trigger struct {
	Operator  Operator
	Threshold int
}

// Met reports whether a result of this many rows triggers the rule.
func (t Trigger) Met(rows int) bool {
	switch t.Operator {
	case LessThan:
		return rows < t.Threshold
	case Equal:
		return rows == t.Threshold
	case NotEqual:
		return rows != t.Threshold
	default:
		return rows > t.Threshold
	}
}

// String returns the condition in words, such as "more than 0 rows".
func (t Trigger) String() string {
	words := [...]string{GreaterThan: "more than", LessThan: "fewer than", Equal: "exactly", NotEqual: "other than"}
	word := words[GreaterThan]
	if t.Operator >= 0 && int(t.Operator) < len(words) {
		word = words[t.Operator]
	}
	if t.Threshold == 1 {
		return word + " 1 row"
	}
	return fmt.Sprintf("%s %d rows", word, t.Threshold)
}

// Operator compares the number of rows with the threshold.
type Operator int

// The operators of Sentinel.
const (
	GreaterThan Operator = iota
	LessThan
	Equal
	NotEqual
)

var operatorNames = []string{GreaterThan: "GreaterThan", LessThan: "LessThan", Equal: "Equal", NotEqual: "NotEqual"}

// String returns the long name that Sentinel uses.
func (o Operator) String() string { return nameOf(operatorNames, int(o), "Operator") }

// EntityMapping says which columns of a row identify an entity.
type EntityMapping struct {
	EntityType    string // as Sentinel spells it: Account, IP
	FieldMappings []FieldMapping
}

// FieldMapping gives an identifier of an entity the value of a column.
type FieldMapping struct {
	Identifier string // as Sentinel spells it: AadUserId
	Column     string
}

// CustomDetail shows a column of the result on the alert under a name.
type CustomDetail struct {
	Name   string
	Column string
}

// AlertDetails overrides what an alert says with content of its row. What is
// zero is not overridden.
type AlertDetails struct {
	DisplayNameFormat Format
	DescriptionFormat Format
	TacticsColumn     string
	SeverityColumn    string
	DynamicProperties []DynamicProperty
}

// DynamicProperty gives a property of the alert the value of a column.
type DynamicProperty struct {
	Property string // as Sentinel spells it: AlertLink, ProductName
	Column   string
}

// Grouping says how rows become alerts.
type Grouping int

// The groupings of Sentinel.
const (
	SingleAlert    Grouping = iota // all rows of a run are one alert
	AlertPerResult                 // each row is an alert
)

var groupingNames = []string{SingleAlert: "SingleAlert", AlertPerResult: "AlertPerResult"}

// String returns the name that Sentinel uses.
func (g Grouping) String() string { return nameOf(groupingNames, int(g), "Grouping") }

// IncidentConfiguration says whether alerts open incidents, and which alerts
// share one.
type IncidentConfiguration struct {
	CreateIncident bool // true unless the rule says otherwise
	Grouping       IncidentGrouping
}

// IncidentGrouping says which alerts join an incident that is already there.
type IncidentGrouping struct {
	Enabled              bool
	ReopenClosedIncident bool
	LookbackDuration     time.Duration // 5 hours, Sentinel's default, unless the rule says otherwise
	MatchingMethod       MatchingMethod

	// What must be equal under Selected.
	GroupByEntities      []string // entity types
	GroupByAlertDetails  []string // DisplayName, Severity
	GroupByCustomDetails []string // names of custom details
}

// MatchingMethod says what two alerts must share to be grouped.
type MatchingMethod int

// The matching methods of Sentinel.
const (
	AllEntities MatchingMethod = iota // every mapped entity
	AnyAlert                          // nothing but the rule
	Selected                          // what the GroupBy lists name
)

var matchingMethodNames = []string{AllEntities: "AllEntities", AnyAlert: "AnyAlert", Selected: "Selected"}

// String returns the name that Sentinel uses.
func (m MatchingMethod) String() string { return nameOf(matchingMethodNames, int(m), "MatchingMethod") }

func nameOf(names []string, i int, typ string) string {
	if i < 0 || i >= len(names) {
		return fmt.Sprintf("%s(%d)", typ, i)
	}
	return names[i]
}

// StoryID returns the id under which the ledger keeps what is noted of the rule's
// stories: its own, or that of the story that it shares.
func (r *Rule) StoryID() string {
	if r.Story == "" {
		return r.ID
	}
	return alert.StoryID(r.Story)
}

// AddressColumns returns the columns that the entity mappings make IP addresses
// of, each once and in the rule's order.
func (r *Rule) AddressColumns() []string {
	var columns []string
	for _, m := range r.EntityMappings {
		for _, f := range m.FieldMappings {
			if IsAddress(m.EntityType, f.Identifier) && !slices.Contains(columns, f.Column) {
				columns = append(columns, f.Column)
			}
		}
	}
	return columns
}

// IdentityColumns returns the columns whose values identify an activity: those
// of Identity, else those that the entity mappings name and those that hold lists
// of entities, each once and in the rule's order. It is empty if the rule has neither.
func (r *Rule) IdentityColumns() []string {
	if len(r.Identity) > 0 {
		return slices.Clone(r.Identity)
	}
	var columns []string
	for _, m := range r.EntityMappings {
		for _, f := range m.FieldMappings {
			if !slices.Contains(columns, f.Column) {
				columns = append(columns, f.Column)
			}
		}
	}
	for _, column := range r.EntityColumns {
		if !slices.Contains(columns, column) {
			columns = append(columns, column)
		}
	}
	return columns
}
