package sample

import "strings"

// The shipped rules, by their names.
const (
	RejectionRule = "mfa-rejected-by-user"
	FatigueRule   = "mfa-fatigue"
)

// Plant is what a detection must find of one person's story, or must not.
type Plant struct {
	Story Story
	// User is the user principal name in lower case, and UserID the object id.
	User, UserID string
	// Rules are the shipped rules that must report it. Where there is none, no rule
	// may.
	Rules []string
	// Severities are the least and the most that it is reported with in the end,
	// by the severities' names.
	Least, Most string
	// Findings are the kinds of findings that its alerts must have, those that
	// update earlier ones included.
	Findings []string
	// Compromised says that the attacker got in.
	Compromised bool
}

// verdict is what must be found of a story.
type verdict struct {
	rules       []string
	least, most string
	findings    []string
	compromised bool
}

var (
	refusal = verdict{rules: []string{RejectionRule}, least: "Medium", most: "Medium"}
	// harmless is a refusal that has an explanation.
	harmless = verdict{rules: []string{RejectionRule}, least: "Informational", most: "Low", findings: []string{"known-device"}}
)

// broken is a refusal after which the attacker got in.
func broken(findings ...string) verdict {
	return verdict{rules: []string{RejectionRule}, least: "High", most: "High", findings: findings, compromised: true}
}

// tired is also what the rule for fatigue finds: many prompts before the one that was
// approved.
func tired(v verdict) verdict {
	v.rules = append(v.rules, FatigueRule)
	return v
}

// serious is a refusal that matters for what is found.
func serious(findings ...string) verdict {
	return verdict{rules: []string{RejectionRule}, least: "High", most: "High", findings: findings}
}

// verdicts has that of each person of a story, in the order of the cast.
var verdicts = map[Story][]verdict{
	PlainRejection:          {refusal, broken("success-same-ip"), refusal},
	OtherCaseRejection:      {broken("success-same-network")},
	IPv6Rejection:           {refusal},
	ScriptRejection:         {refusal},
	GuestRejection:          {refusal},
	AdminRejection:          {serious("privileged-role")},
	KnownPlaceRejection:     {harmless},
	MistakenRejection:       {harmless},
	RefusedThenSignedIn:     {broken("success-same-sign-in")},
	RejectedThenElsewhere:   {broken("success-elsewhere")},
	OtherAccount:            {broken("other-account-success"), {}},
	FraudReport:             {{rules: []string{RejectionRule}, least: "Medium", most: "High"}},
	PushBombingRejected:     {serious("bombing")},
	PushBombingAccepted:     {tired(broken("success-same-sign-in", "mfa-method-changed", "inbox-rule", "app-consent", "bombing"))},
	NonInteractiveRejection: {broken("success-non-interactive")},
	SharedCorrelation:       {refusal},
	BothTables:              {refusal},
	RejectedTwice:           {refusal},
	LateRejection:           {refusal, refusal},
	HourBoundary:            {refusal},
	QuarterBoundary:         {{rules: []string{RejectionRule}, least: "Medium", most: "High"}}, // with one prompt of their own it is a bombing
	WindowStart:             {refusal},
	Hostile:                 {refusal},
	FatigueApproved:         {{rules: []string{FatigueRule}, least: "High", most: "High", compromised: true}},
	FatigueUnanswered:       {{}},
	Timeout:                 {{}},
	DuplicateAttempt:        {{}},
	WrongNumber:             {{}},
	WrongCode:               {{}},
}

// plants returns what must be found of the people of the stories.
func (t *tenant) plants() []Plant {
	var all []Plant
	for _, s := range castStories() {
		for i, p := range t.cast[s] {
			v := verdicts[s][i]
			all = append(all, Plant{
				Story: s, User: strings.ToLower(p.upn), UserID: p.id,
				Rules: v.rules, Least: v.least, Most: v.most, Findings: v.findings, Compromised: v.compromised,
			})
		}
	}
	return all
}

// castStories lists the stories that have people of their own, in the order of
// the cast.
func castStories() []Story {
	var list []Story
	seen := map[Story]bool{}
	for _, c := range cast {
		if !seen[c.story] {
			seen[c.story] = true
			list = append(list, c.story)
		}
	}
	return append(list, GuestRejection)
}
