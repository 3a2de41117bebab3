package detect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

// followedFor is how long an alert is followed up. The aftermath is counted from
// the last prompt, which may come late in it, and so again.
const followedFor = 3 * alert.AftermathLasts

// follow looks whether there is news of what a rule reported lately, and records
// updates. Each alert is updated once for each kind of news. It is done with the
// rule's windows, so that a tick without any asks nothing. It calls settle before
// it records anything.
func (r *runner) follow(ctx context.Context, p *progress, now time.Time, settle func()) {
	if p.lease == nil || len(p.run.Windows) == 0 || hopeless(p.run.Windows[len(p.run.Windows)-1].Err) || ctx.Err() != nil {
		return
	}
	ctx, release := workspace.Hold(ctx)
	defer release()
	err := guarded(func() error {
		recent, left, err := r.history.Recent(ctx, p.rule.ID, now.Add(-followedFor))
		if err != nil {
			return err
		}
		if left > 0 {
			p.run.warn(fmt.Sprintf("rule %q: warning: %s too many to follow up: what comes of them is not reported", p.rule.Name, counted(left, "alert is", "alerts are")))
		}
		if len(recent) == 0 {
			return nil
		}
		if p.rule.NoFollowUp {
			sayOwnSuccesses(recent)
		}
		others, err := r.reportedByOthers(ctx, p, now.Add(-followedFor))
		if err != nil {
			return err
		}
		open := followed(recent, others)
		if len(open) == 0 {
			return nil
		}
		updates, warnings := r.config.Enricher.Aftermath(ctx, open, now)
		for _, w := range warnings {
			p.run.warn(fmt.Sprintf("rule %q: warning: %s", p.rule.Name, w))
		}
		updates = once(updates, open)
		settle()
		if len(updates) == 0 || !p.keepLease(ctx, now) {
			return nil
		}
		r.holdUpdates(ctx, p, updates, open, now)
		e := r.entry(p, p.state, slices.Clone(updates))
		if err := record(ctx, r.history, e); err != nil {
			return err
		}
		p.touched = false // the state went with it
		p.run.Updates, p.run.UpdatesHeldBack = updates, len(e.HeldBack)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		p.fail("following up what it reported", err)
	}
}

// followed returns the alerts among recent ones, oldest first, that may be
// updated. The context of each has all that was said of it: what its updates
// said, and what others of the same account or address said after it, also those
// of other rules of the story.
func followed(recent, others []alert.Alert) []alert.Alert {
	byID := map[string]int{}
	var open []alert.Alert
	resumed := map[string]bool{} // from then on the other one is followed
	for _, a := range recent {
		resumed[a.Resumes] = true
	}
	for _, a := range recent {
		if a.Updates != nil || resumed[a.ID] {
			continue
		}
		byID[a.ID] = len(open)
		open = append(open, a)
	}
	all := slices.Concat(recent, others)
	slices.SortStableFunc(all, func(a, b alert.Alert) int { return a.Created.Compare(b.Created) })
	for _, a := range all {
		if i, ok := byID[referenceOf(a)]; ok && a.Updates != nil && a.Context != nil {
			open[i].Context = saying(open[i].Context, a.Context.Findings)
		}
	}
	// From the newest on: what was said of a subject since.
	said := map[string][]statement{}
	for _, a := range slices.Backward(all) {
		about := subjectsOf(a)
		if i, ok := byID[a.ID]; ok {
			for _, subject := range about {
				var others []alert.Finding
				for _, s := range said[subject] {
					if s.of != a.ID {
						others = append(others, alert.Finding{Kind: s.kind})
					}
				}
				open[i].Context = saying(open[i].Context, others)
			}
		}
		if a.Context == nil {
			continue
		}
		for _, subject := range about {
			for _, f := range a.Context.Findings {
				s := statement{cmp.Or(referenceOf(a), a.ID), shared(f.Kind)}
				if isAbout(f.Kind, subject) && !f.Weak && !slices.Contains(said[subject], s) && len(said[subject]) < mostSaid {
					said[subject] = append(said[subject], s)
				}
			}
		}
	}
	return open
}

// statement is what was said of a subject, by an alert or its update.
type statement struct {
	of   string // the alert's id
	kind alert.FindingKind
}

// mostSaid bounds what is kept of a subject: there are few kinds, and two alerts
// that say one are enough.
const mostSaid = 100

func referenceOf(a alert.Alert) string {
	if a.Updates == nil {
		return ""
	}
	return a.Updates.ID
}

// shared is what a finding of one alert says about another of the same account: a
// sign-in from the address of one is a sign-in from elsewhere to the other, which
// is not said again, while one from its own address is.
func shared(kind alert.FindingKind) alert.FindingKind {
	if kind == alert.FoundSuccessSameSignIn || kind == alert.FoundSuccessSameIP {
		return alert.FoundSuccessSameNetwork
	}
	return kind
}

// The subjects of alerts are accounts and addresses, by a key that begins with the
// one or the other.
const (
	anAccount = "account "
	anAddress = "address "
)

// subjectsOf returns what an alert's findings can be about.
func subjectsOf(a alert.Alert) []string {
	var list []string
	for _, e := range a.Entities {
		if id, name := e.Account(); id != "" || name != "" {
			list = append(list, anAccount+cmp.Or(id, name))
		}
		if ip := e.Address(); ip != "" {
			list = append(list, anAddress+ip)
		}
	}
	return list
}

// isAbout reports whether a finding is followed, and about a subject.
func isAbout(kind alert.FindingKind, subject string) bool {
	if !kind.IsFollowed() {
		return false
	}
	return strings.HasPrefix(subject, anAddress) == (kind == alert.FoundOtherSuccess)
}

// saying returns a context with more findings.
func saying(c *alert.Context, more []alert.Finding) *alert.Context {
	if len(more) == 0 {
		return c
	}
	var with alert.Context
	if c != nil {
		with = *c
	}
	with.Findings = append(slices.Clip(with.Findings), more...)
	return &with
}

// once keeps the updates that bring news, and of those that bring the same news of
// an account or an address to several alerts, the gravest.
func once(updates, open []alert.Alert) []alert.Alert {
	said := map[string]*alert.Context{}
	for _, a := range open {
		said[a.ID] = a.Context
	}
	newsOf := func(u alert.Alert) (kinds []alert.FindingKind) {
		if u.Context == nil {
			return nil
		}
		for _, f := range u.Context.Findings {
			if f.Kind.IsFollowed() && !f.Weak && !said[u.Updates.ID].Says(f.Kind) {
				kinds = append(kinds, f.Kind)
			}
		}
		return kinds
	}
	rank := func(u alert.Alert) int {
		if kinds := newsOf(u); len(kinds) > 0 {
			return slices.Index(alert.FindingKinds(), kinds[0])
		}
		return len(alert.FindingKinds())
	}
	slices.SortStableFunc(updates, func(x, y alert.Alert) int { return cmp.Compare(rank(x), rank(y)) })
	taken := map[string]bool{}
	return slices.DeleteFunc(updates, func(u alert.Alert) bool {
		fresh := false
		var keys []string
		for _, kind := range newsOf(u) {
			about := slices.DeleteFunc(subjectsOf(u), func(subject string) bool { return !isAbout(kind, subject) })
			// What is from the alert's own address is said of each alert.
			fresh = fresh || len(about) == 0 || kind == alert.FoundSuccessSameIP || kind == alert.FoundSuccessSameSignIn
			for _, subject := range about {
				key := subject + " " + string(shared(kind))
				fresh = fresh || !taken[key]
				keys = append(keys, key)
			}
		}
		for _, key := range keys {
			taken[key] = taken[key] || fresh
		}
		return !fresh
	})
}
