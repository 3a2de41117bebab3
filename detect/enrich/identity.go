package enrich

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"pushback/detect/notify/text"
)

// identityLasts is how far back IdentityInfo reaches: each account is written
// there when it changes, all are every 14 days, and a record is kept 30 days.
// https://learn.microsoft.com/azure/sentinel/ueba-reference#identityinfo-table
const identityLasts = 30 * 24 * time.Hour

func (b *batch) identity(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	b.learn(a, r.text("UserId"), r.text("User"))
	at := r.time("TimeGenerated")
	if a.known && at.Before(a.knownAt) {
		return // a record without an id, of before
	}
	a.known, a.knownAt, a.facts = true, at, nil
	a.blast, a.roles = r.text("BlastRadius"), r.list("AssignedRoles")
	slices.SortStableFunc(a.roles, func(x, y string) int {
		return cmp.Compare(btoi(privileged(y)), btoi(privileged(x)))
	})
	a.risk = ""
	if state := r.text("RiskState"); strings.EqualFold(state, "AtRisk") || strings.EqualFold(state, "ConfirmedCompromised") {
		a.risk = state
	}
	enabled, isBool := r.value("IsAccountEnabled").(bool)
	a.disabled = isBool && !enabled
	for _, f := range []struct{ name, column string }{
		{"Name", "AccountDisplayName"}, {"Job title", "JobTitle"}, {"Department", "Department"}, {"Manager", "Manager"}, {"Country", "Country"},
		{"Enabled", "IsAccountEnabled"}, {"MFA registered", "IsMFARegistered"}, {"User type", "UserType"}, {"Roles", ""}, {"Groups", "GroupMembership"},
		{"Tags", "Tags"}, {"Blast radius", "BlastRadius"}, {"Risk level", "RiskLevel"}, {"Risk state", "RiskState"}, {"Last seen", "LastSeenDate"},
	} {
		values := a.roles
		if f.column != "" {
			values = r.list(f.column)
		}
		values = all(values, text.Item)
		if t, ok := r.value(f.column).(time.Time); ok {
			values = []string{t.UTC().Format(time.DateTime)}
		}
		if len(values) == 1 && strings.EqualFold(values[0], "None") {
			continue // no risk
		}
		a.facts = append(a.facts, fact(f.name, values...)...)
	}
}
