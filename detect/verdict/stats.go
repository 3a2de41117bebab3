package verdict

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"pushback/detect/alert"
)

// Stats is what is known of the alerts of a rule over some days.
type Stats struct {
	RuleID   string `json:"rule"`
	RuleName string `json:"ruleName"`
	// Alerts counts those that were reported, and HeldBack the others.
	Alerts   int     `json:"alerts"`
	PerDay   float64 `json:"alertsPerDay"`
	HeldBack int     `json:"heldBack"`
	// The alerts by what became of their incidents. Of those that are Unknown no
	// incident is known.
	TruePositive   int `json:"truePositive"`
	FalsePositive  int `json:"falsePositive"`
	BenignPositive int `json:"benignPositive"`
	Undetermined   int `json:"undetermined"`
	Open           int `json:"open"`
	Unknown        int `json:"unknown"`
	// Reasons are the alerts by the reason that an analyst gave, under the class.
	Reasons map[Class]map[string]int `json:"reasons,omitempty"`
	// Incidents counts the incidents that the alerts are in, and Closed those of them
	// that are closed. MedianToClose is how long half of these took at most, nil if it
	// is known of none.
	Incidents     int      `json:"incidents"`
	Closed        int      `json:"closed"`
	MedianToClose *Seconds `json:"medianSecondsToClose"`
}

// Seconds is a length of time that is written as a number of seconds.
type Seconds float64

// Duration returns it as a duration.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Count counts alerts by their rules.
type Count struct {
	since, now time.Time
	rules      map[string]*tally
	cases      cases
}

// tally is what is counted of a rule.
type tally struct {
	Stats
	latest    time.Time // when the alert was made whose name of the rule counts
	incidents map[int]*Incident
}

// NewCount returns a count of the alerts that were made since a time, until now.
func NewCount(since, now time.Time) *Count {
	return &Count{since: since, now: now, rules: map[string]*tally{}, cases: newCases()}
}

// Add counts an alert, of which the incident is nil if none is known. One that was made
// before the count began counts only as far as it was a true positive: nobody in it is
// proposed to be silenced. If it is not counted, it is so only for the proposals.
func (c *Count) Add(a alert.Alert, i *Incident, counted bool) {
	within := !a.Created.Before(c.since) && !a.Created.After(c.now.Add(soon))
	c.cases.add(a, i, within && counted)
	if !within || !counted {
		return
	}
	t := c.rules[a.RuleID]
	if t == nil {
		t = &tally{Stats: Stats{RuleID: a.RuleID}, incidents: map[int]*Incident{}}
		c.rules[a.RuleID] = t
	}
	if t.RuleName == "" || a.Created.After(t.latest) {
		t.RuleName, t.latest = a.RuleName, a.Created
	}
	t.add(a, i)
}

func (t *tally) add(a alert.Alert, i *Incident) {
	if a.HeldBack != nil {
		t.HeldBack++
		return
	}
	t.Alerts++
	if i == nil {
		t.Unknown++
		return
	}
	t.incidents[i.Number] = i
	switch i.Class {
	case TruePositive:
		t.TruePositive++
	case FalsePositive:
		t.FalsePositive++
	case BenignPositive:
		t.BenignPositive++
	case Undetermined:
		t.Undetermined++
	default:
		t.Open++
	}
	if i.Reason != "" {
		if t.Reasons == nil {
			t.Reasons = map[Class]map[string]int{}
		}
		if t.Reasons[i.Class] == nil {
			t.Reasons[i.Class] = map[string]int{}
		}
		t.Reasons[i.Class][i.Reason]++
	}
}

// Stats returns what was counted, the rules with most alerts first.
func (c *Count) Stats() []Stats {
	list := []Stats{}
	days := c.now.Sub(c.since).Hours() / 24
	for _, t := range c.rules {
		s := t.Stats
		if days > 0 {
			s.PerDay = float64(s.Alerts) / days
		}
		s.Incidents = len(t.incidents)
		var took []time.Duration
		for _, i := range t.incidents {
			if !i.Open() {
				s.Closed++
			}
			if d, ok := i.TookToClose(); ok {
				took = append(took, d)
			}
		}
		if m, ok := median(took); ok {
			seconds := Seconds(m.Seconds())
			s.MedianToClose = &seconds
		}
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b Stats) int {
		return cmp.Or(cmp.Compare(b.Alerts, a.Alerts), cmp.Compare(a.RuleName, b.RuleName), cmp.Compare(a.RuleID, b.RuleID))
	})
	return list
}

// Total returns the rules of a count as one, without a name.
func (c *Count) Total() Stats {
	all := tally{incidents: map[int]*Incident{}}
	sum := NewCount(c.since, c.now)
	for _, t := range c.rules {
		maps.Copy(all.incidents, t.incidents)
		all.Alerts, all.HeldBack = all.Alerts+t.Alerts, all.HeldBack+t.HeldBack
		all.TruePositive, all.FalsePositive = all.TruePositive+t.TruePositive, all.FalsePositive+t.FalsePositive
		all.BenignPositive, all.Undetermined = all.BenignPositive+t.BenignPositive, all.Undetermined+t.Undetermined
		all.Open, all.Unknown = all.Open+t.Open, all.Unknown+t.Unknown
	}
	sum.rules[""] = &all
	return sum.Stats()[0]
}

// median returns the middle of some lengths of time, or of two in the middle what lies
// between them. It is false if there are none.
func median(list []time.Duration) (time.Duration, bool) {
	if len(list) == 0 {
		return 0, false
	}
	list = slices.Sorted(slices.Values(list))
	n := len(list) / 2
	if len(list)%2 == 1 {
		return list[n], true
	}
	return list[n-1] + (list[n]-list[n-1])/2, true
}
