package enrich

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// assessStanding finds what makes the account matter more, whatever was rejected.
func (b *batch) assessStanding(f findings, a alert.Alert, s subject) {
	if i := slices.IndexFunc(s.roles, privileged); i >= 0 {
		f.add(alert.FoundPrivilegedRole, said{reason: "holds the role " + text.Quoted(s.roles[i])}, "%s holds the role %s", s.title, text.Quoted(s.roles[i]))
	}
	if strings.EqualFold(s.blast, "High") {
		f.add(alert.FoundHighBlastRadius, said{reason: "high blast radius"}, "the blast radius of %s is high", s.title)
	}
	if s.risk != "" {
		f.add(alert.FoundRiskyUser, said{reason: "at risk in Entra ID", brief: "at risk in Entra ID: " + text.Quoted(s.risk)}, "Entra ID holds %s to be at risk: %s", s.title, text.Quoted(s.risk))
	}
	if s.disabled {
		f.add(alert.FoundDisabledAccount, said{reason: "disabled by now", brief: "the account is disabled by now"}, "%s is disabled by now", s.title)
	}
	b.assessRepeated(f, a, s)
	if len(s.unusual()) > 0 {
		set := s.unusual()
		f.add(alert.FoundUnusual, said{reason: "unusual to UEBA", brief: "unusual to UEBA: " + strings.Join(head(set, 2), ", ")},
			"UEBA finds %s unusual: %s", s.title, strings.Join(head(set, 3), ", "))
	}
}

// assessRepeated finds that the account rejected prompts before, or often. Who
// asks now and then does not stand out by the hour, but does by the day.
func (b *batch) assessRepeated(f findings, a alert.Alert, s subject) {
	earlier, times := s.rejections, slices.Clone(s.rejectedAt)
	for i := range s.prompts {
		p := &s.prompts[i]
		if p.kind != alert.MomentRejected || p.logged.Before(recent(b)) { // others are of the history
			continue
		}
		if p.last.Before(a.Span.Start) {
			earlier++
		}
		times = append(times, p.time)
	}
	if n := mostIn(times, a.Span.Start, repeatedWithin); n >= b.config.Repeated {
		f.add(alert.FoundRepeated, said{reason: "rejected " + count(int64(n), "prompt") + " within 24 hours"}, "%s rejected %s within 24 hours", s.title, count(int64(n), "prompt"))
		return
	}
	if earlier > 0 {
		reason := "rejected " + count(earlier, "prompt") + " before"
		f.add(alert.FoundRepeated, said{reason: reason, brief: fmt.Sprintf("%s, in %.0f days", reason, b.config.History.Hours()/24)}, "%s rejected %s before, in %.0f days", s.title, count(earlier, "prompt"), b.config.History.Hours()/24)
		f.mild(alert.FoundRepeated)
	}
}

// repeatedWithin is the time that many rejections are counted in.
const repeatedWithin = 24 * time.Hour

// mostIn is how many of the times fall within so long, at most, where the last
// of them is not before from.
func mostIn(times []time.Time, from time.Time, within time.Duration) int {
	slices.SortFunc(times, time.Time.Compare)
	most, first := 0, 0
	for i, t := range times {
		for t.Sub(times[first]) > within {
			first++
		}
		if !t.Before(from) {
			most = max(most, i-first+1)
		}
	}
	return most
}

// privileged reports whether a directory role lets its holder take over
// others' accounts or the tenant.
func privileged(role string) bool {
	return strings.Contains(strings.ToLower(role), "administrator") || strings.EqualFold(role, "Company Administrator") ||
		strings.EqualFold(role, "Security Operator") || strings.EqualFold(role, "Partner Tier2 Support")
}
