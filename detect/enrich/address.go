package enrich

import (
	"fmt"
	"slices"
	"strings"

	"pushback/detect/alert"
)

// address is what is known of an IP address.
type address struct {
	ueba          bool
	priority, sum int64
	records       int64
	failing       []string // accounts that failed since the window began
	succeeded     []string // accounts that signed in before
}

// addressOf returns the address of an IP entity.
func addressOf(e alert.Entity) string {
	if e.Type == "IP" {
		for _, f := range e.Fields {
			if f.Identifier == "Address" {
				return canonical(f.Value)
			}
		}
	}
	return ""
}

// canonical returns what addresses are compared by.
func canonical(address string) string {
	return strings.ToLower(strings.TrimSpace(alert.CanonicalAddress(address)))
}

func (b *batch) assessAddress(f findings, c *alert.Context, ip string, subjects []subject) {
	known := b.addresses[ip]
	if known == nil {
		return
	}
	others := func(names []string) []string {
		names = slices.Compact(slices.Sorted(slices.Values(names)))
		return slices.DeleteFunc(names, func(n string) bool {
			return n == "" || slices.ContainsFunc(subjects, func(s subject) bool { return s.name == n })
		})
	}
	failing, succeeded := others(known.failing), others(known.succeeded)
	if len(failing) > 0 {
		f.add(alert.FoundSharedAddress, count(int64(len(failing)), "other account")+" failed or rejected from the address", "%s failed or rejected from %s too: %s", count(int64(len(failing)), "other account"), ip, strings.Join(head(failing, 3), ", "))
	}
	if known.ueba {
		score := known.sum
		if slices.ContainsFunc(subjects, func(s subject) bool { return strings.EqualFold(s.blast, "High") }) {
			score++
		}
		if c.RiskScore != nil {
			score = max(score, *c.RiskScore)
		}
		c.RiskScore = &score
	}
	var facts []alert.Detail
	facts = append(facts, fact("Failing accounts", failing...)...)
	facts = append(facts, fact("Used before by", succeeded...)...)
	if known.ueba {
		facts = append(facts, fact("Investigation priority", fmt.Sprintf("%d at most, of %s", known.priority, count(known.records, "UEBA record")))...)
	}
	if len(facts) > 0 {
		c.Sections = append(c.Sections, alert.Section{Title: "Address", Subject: ip, Facts: facts})
	}
}

func (b *batch) prevalence(r row) {
	a := b.addresses[canonical(r.text("Address"))]
	if a == nil {
		return
	}
	if r.number("Failed") > 0 {
		a.failing = append(a.failing, strings.ToLower(r.text("User")))
	}
	if r.number("Succeeded") > 0 {
		a.succeeded = append(a.succeeded, strings.ToLower(r.text("User")))
	}
}

func (b *batch) uebaAddress(r row) {
	if a := b.addresses[canonical(r.text("Address"))]; a != nil {
		a.ueba, a.records = true, a.records+r.number("Records")
		a.sum += r.number("Sum")
		a.priority = max(a.priority, r.number("Priority"))
	}
}
