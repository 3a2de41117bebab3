package enrich

import (
	"slices"
	"strings"

	"pushback/detect/alert"
)

// assessStanding finds what makes the account matter more, whatever was rejected.
func (b *batch) assessStanding(f findings, a alert.Alert, s subject) {
	if i := slices.IndexFunc(s.roles, privileged); i >= 0 {
		f.add(alert.FoundPrivilegedRole, "holds the role "+s.roles[i], "%s holds the role %s", s.title, s.roles[i])
	}
	if strings.EqualFold(s.blast, "High") {
		f.add(alert.FoundHighBlastRadius, "high blast radius", "the blast radius of %s is high", s.title)
	}
	if s.risk != "" {
		f.add(alert.FoundRiskyUser, "at risk in Entra ID", "Entra ID holds %s to be at risk: %s", s.title, s.risk)
	}
	if s.disabled {
		f.add(alert.FoundDisabledAccount, "disabled by now", "%s is disabled by now", s.title)
	}
	earlier := s.rejections
	for _, p := range s.prompts {
		if p.kind == alert.MomentRejected && p.last.Before(a.Span.Start) && !p.logged.Before(recent(b)) { // others are of the history
			earlier++
		}
	}
	if earlier > 0 {
		f.add(alert.FoundRepeated, "rejected "+count(earlier, "prompt")+" before", "%s rejected %s before, in %.0f days", s.title, count(earlier, "prompt"), b.config.History.Hours()/24)
	}
	if len(s.insights) > 0 {
		f.add(alert.FoundUnusual, "unusual to UEBA", "UEBA, %s: %s", s.title, strings.Join(s.unusual(3), ", "))
	}
}

// privileged reports whether a directory role lets its holder take over
// others' accounts or the tenant.
func privileged(role string) bool {
	return strings.Contains(strings.ToLower(role), "administrator") || strings.EqualFold(role, "Company Administrator") ||
		strings.EqualFold(role, "Security Operator") || strings.EqualFold(role, "Partner Tier2 Support")
}
