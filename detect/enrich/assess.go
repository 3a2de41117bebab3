package enrich

import (
	"cmp"
	"fmt"
	"slices"

	"pushback/detect/alert"
)

// subject is an account of an alert with what it did around the alert.
type subject struct {
	*account
	title   string
	prompts []prompt // until the batch's time, oldest first
}

// assess fills in the context of an alert and sets its severity.
func (b *batch) assess(a *alert.Alert, missing map[string]string) {
	var subjects []subject
	var addresses []string
	seen := map[any]bool{}
	for _, e := range a.Entities {
		id, name := accountOf(e)
		if acc := b.find(id, name); acc != nil && !seen[acc] {
			seen[acc] = true
			s := subject{account: acc, title: cmp.Or(name, id), prompts: slices.Clone(acc.prompts)}
			slices.SortFunc(s.prompts, func(x, y prompt) int {
				return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.kind, y.kind), cmp.Compare(x.session, y.session), cmp.Compare(x.address, y.address))
			})
			// Rows come in any order.
			slices.SortFunc(s.methods, func(x, y method) int { return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.what, y.what)) })
			subjects = append(subjects, s)
		}
		if ip := addressOf(e); ip != "" && !seen[ip] {
			seen[ip] = true
			addresses = append(addresses, ip)
		}
	}
	if len(subjects) == 0 && len(addresses) == 0 {
		return
	}
	c := &alert.Context{RuleSeverity: a.Severity}
	f := findings{}
	for _, s := range subjects {
		b.assessAccount(f, c, *a, s, addresses, missing)
		c.Sections = append(c.Sections, b.sections(s)...)
		c.Timeline = append(c.Timeline, timeline(s)...)
		for _, m := range s.methods {
			c.Timeline = append(c.Timeline, alert.Moment{Time: m.time, Kind: alert.MomentMethod, Text: m.what})
		}
	}
	for _, ip := range addresses {
		b.assessAddress(f, c, ip, subjects)
	}
	slices.SortStableFunc(c.Timeline, func(x, y alert.Moment) int { return x.Time.Compare(y.Time) })
	if len(c.Timeline) > mostMoments { // the last ones matter most
		c.Timeline = c.Timeline[len(c.Timeline)-mostMoments:]
	}
	for _, k := range kinds {
		if why, ok := missing[k.name]; ok && (k.accounts && len(subjects) > 0 || !k.accounts && len(addresses) > 0) {
			c.Unavailable = append(c.Unavailable, fmt.Sprintf("%s: not available, %s", k.name, why))
		}
	}
	list := f.list()
	for _, found := range list {
		c.Findings = append(c.Findings, found.Finding)
	}
	if c.Steps = b.config.Steps.apply(a.Severity, list); len(c.Steps) > 0 {
		a.Severity = c.Steps[len(c.Steps)-1].Severity
	}
	a.Context = c
}

// findings are sentences by kind. An alert has one of each kind: about the
// first entity that it holds for.
type findings map[alert.FindingKind]finding

// finding is a finding with the reason that it gives for another severity, in a
// few words.
type finding struct {
	alert.Finding
	reason string
}

func (f findings) add(kind alert.FindingKind, reason, format string, args ...any) {
	if _, ok := f[kind]; !ok {
		f[kind] = finding{alert.Finding{Kind: kind, Text: fmt.Sprintf(format, args...)}, reason}
	}
}

func (f findings) list() []finding {
	var list []finding
	for _, kind := range alert.FindingKinds() {
		if found, ok := f[kind]; ok {
			list = append(list, found)
		}
	}
	return list
}

// assessAccount adds what stands out about an account of an alert, and the values
// of the alert that are new for it.
func (b *batch) assessAccount(f findings, c *alert.Context, a alert.Alert, s subject, addresses []string, missing map[string]string) {
	r := rejectedOf(a, s, addresses)
	r.assessSuccesses(f, s, addresses)
	r.assessMethods(f, s)
	b.assessStanding(f, a, s)
	// What is new takes something to compare with.
	if _, unknown := missing[signInsBefore]; !unknown && s.signIns > 0 {
		b.assessNovelty(f, c, s, r, addresses)
	}
}
