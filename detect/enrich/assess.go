package enrich

import (
	"cmp"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// subject is an account of an alert with what it did around the alert.
type subject struct {
	*account
	title   string   // for a sentence
	label   string   // for a place of its own
	prompts []prompt // until the batch's time, oldest first
}

// assess fills in the context of an alert and sets its severity.
func (b *batch) assess(a *alert.Alert, missing map[string]string) {
	var subjects []subject
	var addresses []string
	seen := map[any]bool{}
	for _, e := range a.Entities {
		id, name := byID(e.Account())
		if acc := b.find(id, name); acc != nil && !seen[acc] {
			seen[acc] = true
			subjects = append(subjects, subject{account: acc, title: text.Quoted(cmp.Or(name, acc.name, id)), label: cmp.Or(name, acc.name, id), prompts: acc.prompts})
		}
		if ip := e.Address(); ip != "" && !seen[ip] {
			seen[ip] = true
			addresses = append(addresses, ip)
		}
	}
	if len(subjects) == 0 && len(addresses) == 0 && !b.bringsAbout(*a) {
		return
	}
	c := &alert.Context{RuleSeverity: a.Severity}
	f := findings{}
	var around events
	asked := &alert.Asked{}
	for _, s := range subjects {
		r := b.rejectedOf(*a, s, addresses)
		r.count(s.prompts, asked)
		around.join(b.assessAccount(f, c, *a, s, r, subjects, addresses, missing))
		c.Sections = append(c.Sections, b.sections(s, missing)...)
		if !b.historyMissing {
			c.Usual = append(c.Usual, usualOf(s))
		}
	}
	for _, ip := range addresses {
		b.assessAddress(f, c, ip, subjects)
	}
	b.assessBrought(f, c, *a)
	if !b.onlyWhether { // else it is asked only whether there is news
		c.Timeline = timeline(around)
	}
	if _, unknown := missing[aftermath]; !unknown && len(subjects) > 0 {
		c.Asked = asked
	}
	for _, k := range kinds() {
		for _, name := range k.names() {
			if why, ok := missing[name]; ok && (k.isOf("Account") && len(subjects) > 0 || k.isOf("IP") && len(addresses) > 0) {
				c.Unavailable = append(c.Unavailable, fmt.Sprintf("%s: not available, %s", name, why))
				c.Failed = c.Failed || b.failed[name]
			}
		}
	}
	if why, ok := missing[nonInteractiveSignIns]; ok && len(subjects) > 0 {
		c.Unavailable = append(c.Unavailable, fmt.Sprintf("%s: not available, %s", nonInteractiveSignIns, why))
	}
	b.bringsNot(c, *a)
	list := f.list(b.brought)
	for _, found := range list {
		c.Findings = append(c.Findings, found.Finding)
	}
	if c.Steps = b.config.Steps.apply(a.Severity, list); len(c.Steps) > 0 {
		a.Severity = c.Steps[len(c.Steps)-1].Severity
	}
	a.Context = c
}

// giveUp gives an alert for which there is no time left a context that says so.
// What was found could have raised the severity, so nothing lowers it.
func (b *batch) giveUp(a *alert.Alert) {
	a.Context = &alert.Context{RuleSeverity: a.Severity, Unavailable: []string{"Assessment: not available, the time for it was over"}, Failed: true}
}

// findings are sentences by kind. An alert has one of each kind: about the
// first entity that it holds for.
type findings map[alert.FindingKind]finding

// finding is a finding with the reason that it gives for another severity, in a
// few words.
type finding struct {
	alert.Finding
	reason string
	mild   bool // it does not change the severity
	// change is what a finding of the rule's own does to the severity. It is nil for
	// those that Steps are about.
	change *rule.SeverityChange
}

// add takes a finding of a kind that there is none of yet. The text names the
// entity.
func (f findings) add(kind alert.FindingKind, s said, format string, args ...any) {
	if _, ok := f[kind]; !ok {
		f[kind] = finding{reason: s.reason,
			Finding: alert.Finding{Kind: kind, Text: fmt.Sprintf(format, args...), Brief: cmp.Or(s.brief, s.reason), Reason: s.reason, Time: s.at, Address: s.from}}
	}
}

// said is what a finding says without the name of its entity.
type said struct {
	reason string
	brief  string    // or the same as the reason
	at     time.Time // when it happened, if at a time
	from   string    // from which address
}

// weaken says of a finding that there was nothing to judge it by.
func (f findings) weaken(kind alert.FindingKind) {
	if found, ok := f[kind]; ok {
		found.Weak = true
		f[kind] = found
	}
}

// mild has a finding leave the severity as it is.
func (f findings) mild(kind alert.FindingKind) {
	found := f[kind]
	found.mild = true
	f[kind] = found
}

// list returns the findings, the weightiest first: see [alert.KindsWith].
func (f findings) list(brought []*brought) []finding {
	var raising, others []alert.FindingKind
	for _, k := range brought {
		for _, own := range k.Findings {
			if own.Severity.By > 0 || own.Severity.By == 0 && own.Severity.To > alert.Informational {
				raising = append(raising, own.Kind)
			} else {
				others = append(others, own.Kind)
			}
		}
	}
	var list []finding
	for _, kind := range alert.KindsWith(raising, others) {
		if found, ok := f[kind]; ok {
			list = append(list, found)
		}
	}
	return list
}

// assessAccount adds what stands out about an account of an alert, and the values
// of the alert that are new for it. It returns what the account did around the
// alert.
func (b *batch) assessAccount(f findings, c *alert.Context, a alert.Alert, s subject, r rejections, subjects []subject, addresses []string, missing map[string]string) events {
	grave := b.assessSuccesses(f, s, r)
	around := r.events(s, grave)
	around.join(b.assessVisitors(f, s, r, subjects, addresses))
	b.assessChanges(f, a, s, r)
	b.assessBombing(f, s, r)
	b.assessStanding(f, a, s)
	// What is new takes something to compare with.
	if _, unknown := missing[signInsBefore]; !unknown && !s.isNone() {
		b.assessNovelty(f, c, s, r, addresses)
	}
	return around
}
