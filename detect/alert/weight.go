package alert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The custom details that weigh, whatever rule has them. They count events of the
// alert: refused prompts, and prompts that the user reported.
const (
	Rejections   = "Rejections"
	FraudReports = "FraudReports"
	// Prompts counts the prompts that an approval ended.
	Prompts = "Prompts"
	// ApprovedTime is when they were ended.
	ApprovedTime = "ApprovedTime"
)

// Weighs reports whether a custom detail of that name is one that Weigh and Compromised
// look at.
func Weighs(detail string) bool { return detail == Rejections || detail == FraudReports }

// FraudReported reports whether a user reported a prompt that the alert is about.
func (a Alert) FraudReported() bool {
	return a.Count(FraudReports) > 0
}

// Compromised reports whether somebody may have got in: a user reported a prompt,
// or the context says so. Such an alert is never held back, and never cut from a
// list.
func (a Alert) Compromised() bool { return a.FraudReported() || a.Context.Compromised() }

// Compromised reports whether one of the findings says that somebody may have got
// in, or uses an account that is not theirs.
func (c *Context) Compromised() bool {
	return c != nil && slices.ContainsFunc(c.Findings, func(f Finding) bool { return f.Kind.Compromises() })
}

// compromising are the words by which kinds of findings say what somebody did who
// got in. A name with one of them needs no other entry to count.
var compromising = []string{"success", "changed", "added", "deleted", "registered", "reset", "consent", "inbox", "fraud"}

// Compromises reports whether findings of the kind say that somebody may have got
// in: the name has success, or what else is done with an account.
func (k FindingKind) Compromises() bool {
	return slices.ContainsFunc(strings.Split(string(k), "-"), func(word string) bool { return slices.Contains(compromising, word) })
}

// CompareByWeight orders alerts, the one that matters most first: by severity,
// then how many alerts it stands for, whether somebody may have got in, the
// gravest finding, what the account can reach, how many prompts were refused, or
// else events there are, and how many findings; then by time. Whatever lists alerts or cuts a list
// of them goes by it.
func CompareByWeight(a, b Alert) int { return CompareWeights(Weigh(a), Weigh(b)) }

// Weight is what alerts are ordered by. Of many it is cheaper to keep than to
// weigh each time.
type Weight struct {
	severity    Severity
	stormed     int
	compromised bool
	gravest     int // the place of the kind among all, the weightiest first
	reach       bool
	refused     int64
	findings    int
	start       time.Time
}

// Weigh returns the weight of an alert.
func Weigh(a Alert) Weight {
	w := Weight{
		severity: a.Severity, compromised: a.Compromised(), gravest: len(findingKinds), refused: max(a.Count(Rejections), a.events()),
		reach: a.Context.Has(FoundPrivilegedRole) || a.Context.Has(FoundHighBlastRadius),
		start: a.Span.Start,
	}
	if a.Storm != nil {
		w.stormed = a.Storm.Alerts
	}
	if a.FraudReported() {
		w.gravest = slices.Index(findingKinds, FoundMethodChanged)
	}
	if a.Context != nil {
		w.findings = len(a.Context.Findings)
		for _, f := range a.Context.Findings {
			if i := slices.Index(findingKinds, f.Kind); i >= 0 {
				w.gravest = min(w.gravest, i)
			} else if slices.ContainsFunc(a.Context.Steps, func(s Step) bool { return s.Kind == f.Kind && s.Severity > Informational }) {
				// What raises the severity by the rule's own word weighs what a bombing does.
				w.gravest = min(w.gravest, slices.Index(findingKinds, FoundBombing))
			}
		}
	}
	return w
}

// CompareWeights orders weights, the heaviest first.
func CompareWeights(a, b Weight) int {
	return cmp.Or(cmp.Compare(b.severity, a.severity), cmp.Compare(b.stormed, a.stormed), trueFirst(a.compromised, b.compromised),
		cmp.Compare(a.gravest, b.gravest), trueFirst(a.reach, b.reach), cmp.Compare(b.refused, a.refused), cmp.Compare(b.findings, a.findings),
		a.start.Compare(b.start))
}

func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// SortByWeight sorts alerts, the heaviest first. Those of one weight keep their
// order.
func SortByWeight(alerts []Alert) {
	type weighed struct {
		Weight
		from int
	}
	list := make([]weighed, len(alerts))
	for i, a := range alerts {
		list[i] = weighed{Weigh(a), i}
	}
	slices.SortStableFunc(list, func(x, y weighed) int { return CompareWeights(x.Weight, y.Weight) })
	// Each moves to its place, and what was there to its own, and so on: a second list
	// of very many alerts would take as much memory again.
	for i := range list {
		first := alerts[i]
		for at := i; ; {
			from := list[at].from
			list[at].from = at
			if from == i {
				alerts[at] = first
				break
			}
			alerts[at] = alerts[from]
			at = from
		}
	}
}

// Count returns the greatest number that a custom detail has, or zero.
func (a Alert) Count(detail string) int64 {
	most := int64(0)
	for _, d := range a.CustomDetails {
		if d.Name != detail {
			continue
		}
		for _, v := range d.Values {
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
				most = max(most, n)
			}
		}
	}
	return most
}

// events counts the events of the activities, but for the marks of groups.
func (a Alert) events() int64 {
	n := int64(0)
	for _, activity := range a.Activities {
		for _, e := range activity.Events {
			if _, _, isMark := e.GroupMark(); !isMark {
				n++
			}
		}
	}
	return n
}

// Account returns what tells the account of an alert apart from others: the id of
// its first Account entity, or else that one's name. Without an account it is
// whom the alert is about, or nothing.
func (a Alert) Account() string {
	for _, e := range a.Entities {
		if e.Type != "Account" || len(e.Fields) == 0 {
			continue
		}
		for _, identifier := range []string{"AadUserId", "FullName", "Name"} {
			for _, f := range e.Fields {
				if v := strings.ToLower(strings.TrimSpace(f.Value)); f.Identifier == identifier && v != "" {
					return identifier + " " + v
				}
			}
		}
	}
	if who := Identity(a.Activities); who != "" {
		return "identity " + who
	}
	return ""
}
