package enrich

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// change is something that happened to an account: to its methods for the second
// factor, its password, its mailbox, or what applications may do in its name.
type change struct {
	time time.Time
	kind alert.FindingKind
	// what is the operation, detail says more of it, and by who did it, if that was
	// not the user. The last two are for a sentence.
	what, detail, by string
	// quiet says that it is for the timeline alone.
	quiet bool
}

// text is what happened, and who did it.
func (c change) text() string {
	said := text.Quoted(c.what) + c.detail
	if c.by != "" {
		said += ", by " + c.by
	}
	return said
}

// brief is what happened without what the kind of it says already.
func (c change) brief() string {
	said := strings.Trim(c.detail, " ,:()")
	if said == "" {
		said = text.Quoted(c.what)
	}
	if c.by != "" {
		said += ", by " + c.by
	}
	return said
}

// assessChanges finds what happened to the account afterwards. The distance is
// from the first prompt, or where the sign-ins show none from the beginning of
// what the alert is about.
func (b *batch) assessChanges(f findings, a alert.Alert, s subject, r rejections) {
	start, end, from := a.Span.Start, a.Span.End.Add(b.config.Aftermath), "it began"
	if len(r.prompts) > 0 {
		start, end, from = r.begun, r.to, "the first prompt"
	}
	if start.IsZero() {
		return
	}
	for _, c := range s.changes {
		after := c.time.Sub(start)
		if c.quiet || after < 0 || c.time.After(end) {
			continue
		}
		when := ago(after) + " after " + from
		what := func(reason string) said { return said{reason: reason, brief: reason + ": " + c.brief(), at: c.time} }
		switch c.kind {
		case alert.FoundMethodChanged:
			f.add(c.kind, what("MFA methods changed "+when), "the MFA methods of %s changed %s: %s", s.title, when, c.text())
		case alert.FoundInboxRule:
			f.add(c.kind, what("inbox rule or forwarding "+when), "the mailbox of %s got an inbox rule or forwarding %s: %s", s.title, when, c.text())
		case alert.FoundAppConsent:
			f.add(c.kind, what("consent to an application "+when), "%s gave an application access %s: %s", s.title, when, c.text())
		case alert.FoundPasswordReset:
			f.add(c.kind, what("password reset "+when), "the password of %s was reset %s: %s", s.title, when, c.text())
		}
	}
	b.assessDetections(f, s, start.Add(-lookBefore), end)
}

// assessDetections finds the risks that Entra ID detected around the prompts. A
// high one speaks of a compromise. Others mostly come with the refused sign-in
// itself, and so does one a little before it.
func (b *batch) assessDetections(f findings, s subject, from, to time.Time) {
	var found []string
	high := false
	for _, d := range s.detections {
		if d.time.Before(from) || d.time.After(to) {
			continue
		}
		high = high || d.level == "high"
		if words := d.text(); !slices.Contains(found, words) {
			found = append(found, words)
		}
	}
	if len(found) > 0 {
		risks := strings.Join(head(found, 3), ", ")
		f.add(alert.FoundRiskDetection, said{reason: "Entra ID detected a high risk", brief: "Entra ID detected " + risks}, "Entra ID detected for %s: %s", s.title, risks)
		if !high {
			f.mild(alert.FoundRiskDetection)
		}
	}
}

// detection is a risk that Entra ID detected.
type detection struct {
	time                  time.Time
	event, level, address string
}

// text names the risk as an analyst would: unfamiliar features (medium).
func (d detection) text() string {
	words := text.Quoted(strings.ToLower(spaced(d.event)))
	switch d.level {
	case "high", "medium", "low":
		return words + " (" + d.level + ")"
	}
	return words
}

// moments are what happened to the account, for the timeline.
func (s subject) moments() []alert.Moment {
	var list []alert.Moment
	for _, c := range s.changes {
		kind := alert.MomentChange
		if c.kind == alert.FoundMethodChanged {
			kind = alert.MomentMethod
		}
		list = append(list, alert.Moment{Time: c.time, Kind: kind, Text: c.text(), Brief: text.Finding(c.kind)})
	}
	for _, d := range s.detections {
		m := alert.Moment{Time: d.time, Kind: alert.MomentRisk, Text: "Entra ID detected " + d.text(), Brief: "Entra ID detected " + d.text(), From: d.address}
		if d.address != "" {
			m.Text += " from " + text.Quoted(d.address)
		}
		list = append(list, m)
	}
	return list
}

// changed takes a row of what else happened.
func (b *batch) changed(r row) {
	source := r.text("Source")
	if r.time("TimeGenerated").IsZero() {
		b.tables[source] = true
		return
	}
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil { // the key of a mailbox's user is not always the id of the account
		a = b.find("", r.text("User"))
	}
	switch {
	case a == nil:
	case source == "AuditLogs":
		a.changes = append(a.changes, audited(r))
	case source == riskTable:
		a.detections = append(a.detections, detection{r.time("TimeGenerated"), r.text("Operation"), r.text("Level"), canonical(r.text("Address"))})
	default:
		if c, ok := mailed(r); ok {
			a.changes = append(a.changes, c)
		}
	}
}

// audited is a change in AuditLogs.
func audited(r row) change {
	others := r.value("ByOthers") == true
	c := change{time: r.time("TimeGenerated"), what: r.text("Operation")}
	if others {
		c.by = text.QuotedOr(r.text("By"), "somebody else")
	}
	switch r.text("Change") {
	case "method":
		c.kind = alert.FoundMethodChanged
		if reason := r.text("Reason"); reason != "" && !strings.EqualFold(reason, c.what) {
			c.detail = " (" + text.Quoted(reason) + ")"
		}
	case "reset":
		// Who refuses a prompt does well to change the password.
		c.kind, c.quiet = alert.FoundPasswordReset, !others
	case "consent":
		c.kind = alert.FoundAppConsent
		if target := r.text("Target"); target != "" {
			c.detail = ", " + text.Quoted(target)
		}
	}
	return c
}

// mailed is a change in OfficeActivity, if it is one.
func mailed(r row) (change, bool) {
	c := change{time: r.time("TimeGenerated"), kind: alert.FoundInboxRule, what: strings.TrimSuffix(r.text("Operation"), ".")}
	if by := r.text("By"); by != "" && !strings.EqualFold(by, r.text("User")) {
		c.by = text.Quoted(by)
	}
	if !strings.Contains(c.what, "InboxRule") && c.what != "Set-Mailbox" {
		c.kind = alert.FoundAppConsent
		return c, true
	}
	does, ok := ruleOf(c.what, r.text("Parameters"))
	c.detail = does
	return c, ok
}

// telling are the parameters of a rule or a mailbox that say where mail goes.
var telling = []string{"ForwardTo", "RedirectTo", "ForwardAsAttachmentTo", "ForwardingSmtpAddress", "ForwardingAddress", "MoveToFolder", "DeleteMessage", "SoftDeleteMessage", "MarkAsRead"}

// ruleOf says what a rule does, and reports false for what is no new rule and
// does not forward: the other settings of a mailbox, and a rule that goes.
func ruleOf(operation, parameters string) (does string, ok bool) {
	var list []struct {
		Name  string
		Value any
	}
	if err := json.Unmarshal([]byte(parameters), &list); err != nil {
		list = nil // how they are written is not ours to judge: the operation counts
	}
	forwards := false
	var parts []string
	for _, p := range list {
		value := strings.TrimSpace(fmt.Sprint(p.Value))
		if p.Value == nil {
			value = ""
		}
		switch {
		case p.Name == "RuleOperation" && (strings.HasPrefix(value, "Remove") || strings.HasPrefix(value, "Delete")):
			return "", false
		case value == "" || strings.EqualFold(value, "false") || !slices.Contains(telling, p.Name):
			continue
		}
		forwards = forwards || strings.HasPrefix(p.Name, "Forward")
		if r := []rune(value); len(r) > 100 {
			value = string(r[:100]) + "…"
		}
		parts = append(parts, p.Name+" "+text.Quoted(value))
	}
	if operation == "Set-Mailbox" && !forwards {
		return "", false
	}
	if len(parts) > 0 {
		does = ": " + strings.Join(head(parts, 3), ", ")
	}
	return does, true
}
