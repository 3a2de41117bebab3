package detect

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"pushback/detect/alert"
)

// Rules that share a story look at what the others reported. So a process runs
// one of them only while it has the leases of all: nobody else records anything
// of the story meanwhile, and what a process before recorded is there to be read.

// reportReach is how far a user's report can be from what it is about, in time.
const reportReach = 4 * time.Hour

// relatedFor is how far back of a window what another rule of the story reported
// is looked for.
const relatedFor = 7 * 24 * time.Hour

// join gives each rule the others of its story.
func join(all []*progress) {
	for _, p := range all {
		for _, other := range all {
			if other != p && p.rule.Story != "" && other.rule.Story == p.rule.Story {
				p.others = append(p.others, other)
			}
		}
	}
}

// relate makes updates of those alerts that are about what another rule of the
// story reported before: a part of the same events, or the same account at the
// same time. A user's report and what it is about may be hours apart, and of the
// same rule.
func (r *runner) relate(ctx context.Context, p *progress, alerts []alert.Alert, now time.Time) error {
	if p.rule.Story == "" || len(alerts) == 0 || alerts[0].Storm != nil {
		return nil
	}
	since := now
	for _, a := range alerts {
		if a.Span.Start.Before(since) {
			since = a.Span.Start
		}
	}
	if earliest := now.Add(-relatedFor); since.Before(earliest) {
		since = earliest
	}
	since = since.Add(-reportReach)
	index := newStoryIndex(alerts)
	for _, other := range append([]*progress{p}, p.others...) {
		// An attack can have another end by now: a late record shows it.
		own := other == p
		related, err := r.history.Related(ctx, other.rule.ID, since, func(b alert.Alert) bool {
			return b.Storm == nil && !r.config.wasHeldBack(b) && len(index.about(b, own, p.rule.NoFollowUp)) > 0
		})
		if err != nil {
			return &ledgerError{"asking what rules of the same story reported", err}
		}
		// The first that stands for itself, rather than an update of another.
		slices.SortStableFunc(related, func(x, y alert.Alert) int {
			return cmp.Or(cmp.Compare(order(x), order(y)), x.Created.Compare(y.Created), cmp.Compare(x.ID, y.ID))
		})
		for _, b := range related {
			for _, i := range index.about(b, own, p.rule.NoFollowUp) {
				if a := &alerts[i]; a.Updates == nil {
					a.Updates = &alert.Reference{ID: b.ID, Title: b.Title, Created: b.Created, Severity: severestOf(b), Identity: alert.Identity(b.Activities)}
				}
			}
		}
	}
	return nil
}

// severestOf is the severity of an alert, or of what it updates if that is higher: an
// update of it is no less severe.
func severestOf(a alert.Alert) alert.Severity {
	if a.Updates != nil {
		return max(a.Severity, a.Updates.Severity)
	}
	return a.Severity
}

// storyIndex finds which of many alerts another one is about.
type storyIndex struct {
	alerts             []alert.Alert
	byEvent            map[alert.EventID][]int
	byAccount, byNames map[string][]int
}

func newStoryIndex(alerts []alert.Alert) storyIndex {
	s := storyIndex{alerts, map[alert.EventID][]int{}, map[string][]int{}, map[string][]int{}}
	for i, a := range alerts {
		for e := range singleEvents(a) {
			s.byEvent[e] = append(s.byEvent[e], i)
		}
		for _, account := range accountsOf(a) {
			// Without an id, or a name, very many would be one account.
			if account.id != "" {
				s.byAccount[account.id] = append(s.byAccount[account.id], i)
			}
			if account.name != "" {
				s.byNames[account.name] = append(s.byNames[account.name], i)
			}
		}
	}
	return s
}

// about returns the indexes of the alerts that have an event in common with
// another, or an account at the same time. Of the rule's own alerts there are only
// those that users reported, and attacks.
func (s storyIndex) about(b alert.Alert, own, isAttack bool) (list []int) {
	if !own {
		for e := range singleEvents(b) {
			list = append(list, s.byEvent[e]...)
		}
	}
	for _, account := range accountsOf(b) {
		for _, i := range slices.Concat(s.byAccount[account.id], s.byNames[account.name]) {
			a := s.alerts[i]
			reach := time.Duration(0)
			switch {
			case a.FraudReported() || b.FraudReported():
				reach = reportReach
			case own && !isAttack:
				continue
			}
			if !a.Span.Start.After(b.Span.End.Add(reach)) && !b.Span.Start.After(a.Span.End.Add(reach)) && sameAccount(a, b) {
				list = append(list, i)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// singleEvents yields the ids of an alert's events, without the marks of groups.
func singleEvents(a alert.Alert) iter.Seq[alert.EventID] {
	return func(yield func(alert.EventID) bool) {
		for _, activity := range a.Activities {
			for _, e := range activity.Events {
				if _, _, mark := e.GroupMark(); !mark && !yield(e) {
					return
				}
			}
		}
	}
}

// order puts what stands for itself before what updates something.
func order(a alert.Alert) int {
	if a.Updates != nil {
		return 1
	}
	return 0
}

// sameAccount reports whether two alerts have an account in common: by its id, or
// where one of them has none by its name.
func sameAccount(a, b alert.Alert) bool {
	for _, x := range accountsOf(a) {
		for _, y := range accountsOf(b) {
			if x.id != "" && y.id != "" {
				if x.id == y.id {
					return true
				}
			} else if x.name != "" && x.name == y.name {
				return true
			}
		}
	}
	return false
}

// accountName is what an entity says of an account, in lower case.
type accountName struct{ id, name string }

func accountsOf(a alert.Alert) (list []accountName) {
	for _, e := range a.Entities {
		if id, name := e.Account(); id != "" || name != "" {
			list = append(list, accountName{id, name})
		}
	}
	return list
}

// reportedByOthers returns what other rules of a rule's story reported since a
// time.
func (r *runner) reportedByOthers(ctx context.Context, p *progress, since time.Time) (all []alert.Alert, err error) {
	for _, other := range p.others {
		list, err := r.history.Related(ctx, other.rule.ID, since, func(b alert.Alert) bool { return b.Storm == nil && !r.config.wasHeldBack(b) })
		if err != nil {
			return nil, err
		}
		if other.rule.NoFollowUp {
			sayOwnSuccesses(list)
		}
		all = append(all, list...)
	}
	return all, nil
}

// sayOwnSuccesses has alerts that are about a sign-in say so, whatever their
// context is: another sign-in of the account is no news of them.
func sayOwnSuccesses(list []alert.Alert) {
	var findings []alert.Finding
	for _, kind := range alert.FindingKinds() {
		if kind.IsOwnSuccess() {
			findings = append(findings, alert.Finding{Kind: kind})
		}
	}
	for i := range list {
		list[i].Context = saying(list[i].Context, findings)
	}
}
