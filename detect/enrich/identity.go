package enrich

import (
	"cmp"
	"slices"
	"strings"
)

// identity takes who an account is, with the facts that the definition names.
func (k *kind) identity(b *batch, r row) {
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
	r = r.with("AssignedRoles", a.roles)
	for _, f := range k.Facts {
		values := r.values(f.Column)
		if len(values) == 1 && strings.EqualFold(values[0], "None") {
			continue // no risk
		}
		a.facts = append(a.facts, fact(f.Label, values...)...)
	}
}
