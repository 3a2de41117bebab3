package enrich

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// address is what is known of an IP address.
type address struct {
	ueba          bool
	priority, sum int64
	records       int64
	failing       []visitor // accounts that failed since the window began
	succeeded     []visitor // accounts that signed in before
	regulars      []string  // accounts that signed in long before, by their key
	many          bool      // there are more of them than an alert keeps
}

// visitor is an account that signed in, or failed to, from an address.
type visitor struct {
	*account                   // nil if no alert is about it
	name                       string
	refused, failed, succeeded int64
	last                       time.Time
}

// byWeight returns the names of visitors, each once: first those who can reach
// much, as far as that is known, then by the prompts that they refused, by their
// sign-ins and by time. Whoever chooses a name does not choose its place. Those
// who are left out are not among them.
func byWeight(visitors []visitor, leftOut func(visitor) bool) []string {
	reach := func(v visitor) int {
		a := v.account
		return btoi(a != nil && (strings.EqualFold(a.blast, "High") || slices.ContainsFunc(a.roles, privileged)))
	}
	list := slices.DeleteFunc(slices.Clone(visitors), leftOut)
	slices.SortStableFunc(list, func(x, y visitor) int {
		return cmp.Or(cmp.Compare(reach(y), reach(x)), cmp.Compare(y.refused, x.refused), cmp.Compare(y.succeeded, x.succeeded), cmp.Compare(y.failed, x.failed),
			y.last.Compare(x.last), cmp.Compare(x.name, y.name))
	})
	var names []string
	seen := map[string]bool{}
	for _, v := range list {
		if !seen[v.name] {
			seen[v.name] = true
			names = append(names, v.name)
		}
	}
	return names
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
	others := func(visitors []visitor) []string {
		return byWeight(visitors, func(v visitor) bool {
			return v.name == "" || slices.ContainsFunc(subjects, func(s subject) bool { return cmp.Or(s.name, s.id) == v.name })
		})
	}
	failing, succeeded := others(known.failing), others(known.succeeded)
	if len(failing) > 0 {
		n, names := count(int64(len(failing)), "other account"), strings.Join(head(all(failing, text.Quoted), 3), ", ")
		reason := n + " failed or rejected from the address"
		f.add(alert.FoundSharedAddress, said{reason: reason, brief: reason + ": " + names}, "%s failed or rejected from %s too: %s", n, text.Quoted(ip), names)
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
	facts = append(facts, fact("Failing accounts", all(failing, text.Item)...)...)
	facts = append(facts, fact("Used before by", all(succeeded, text.Item)...)...)
	if known.ueba {
		facts = append(facts, fact("Investigation priority", priority(known.priority, known.records))...)
	}
	if len(facts) > 0 {
		c.Sections = append(c.Sections, alert.Section{Title: "Address", Subject: ip, Facts: facts})
	}
	if len(known.regulars) > 0 || known.many {
		c.Regulars = append(c.Regulars, regularsOf(ip, known))
	}
}

// place is what an address is compared by where a host can choose among several:
// IPv6 addresses by their network.
func (b *batch) place(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !addr.Is6() {
		return ip
	}
	prefix, err := addr.WithZone("").Prefix(min(max(b.config.IPv6Prefix, 0), 128))
	if err != nil {
		return ip
	}
	return prefix.String()
}

// partsOf are words that stand in the IPv6 addresses of a place however they are
// spelled: its groups up to the first of zeros, of which there may be none.
func (b *batch) partsOf(addresses []string) []string {
	parts := map[string]bool{}
	for _, ip := range addresses {
		addr, err := netip.ParseAddr(ip)
		if err != nil || !addr.Is6() {
			continue
		}
		bytes := addr.As16()
		var short, long []string
		for i := range min(max(b.config.IPv6Prefix, 16), 128) / 16 {
			group := binary.BigEndian.Uint16(bytes[2*i:])
			if i > 0 && group == 0 {
				break
			}
			short, long = append(short, fmt.Sprintf("%x", group)), append(long, fmt.Sprintf("%04x", group))
		}
		parts[strings.Join(short, ":")], parts[strings.Join(long, ":")] = true, true
	}
	return slices.Sorted(maps.Keys(parts))
}

// mapped are the spellings of IPv4 addresses as IPv6 ones.
func mapped(addresses []string) (spellings []string) {
	for _, ip := range addresses {
		if addr, err := netip.ParseAddr(ip); err == nil && addr.Is4() {
			b := addr.As4()
			spellings = append(spellings, "::ffff:"+ip, fmt.Sprintf("::ffff:%x:%x", binary.BigEndian.Uint16(b[:]), binary.BigEndian.Uint16(b[2:])))
		}
	}
	return spellings
}

// assessVisitors finds other accounts that signed in from where the prompts of one
// were: who holds one password may hold others. Nothing stands out where the
// account itself is at home, or the other is. It returns these sign-ins.
func (b *batch) assessVisitors(f findings, s subject, r rejections, subjects []subject, addresses []string) (around events) {
	if len(r.prompts) == 0 {
		return around
	}
	others := map[string]bool{}
	var worst *prompt
	done := map[string]bool{}
	for _, ip := range addresses {
		place, known := b.place(ip), b.addresses[ip]
		if done[place] || s.used[ip] > 0 || known == nil || known.many {
			continue
		}
		done[place] = true
		for i := range b.visitors[place] {
			p := &b.visitors[place][i]
			if len(r.prompts) > 0 && p.time.Before(r.from) && !p.last.Before(r.from) {
				p = p.at(p.last) // of several, the first is too early
			}
			if !r.counts(p) || slices.ContainsFunc(subjects, func(s subject) bool { return s.account == p.of }) || slices.Contains(known.regulars, p.account) {
				continue
			}
			if len(others) == 0 || graver(&r, p, worst) {
				worst = p
			}
			others[p.account] = true
			around.add(event{first: p, n: 1, until: p.time, weight: weightGrave, who: p.title()})
		}
	}
	if len(others) == 0 {
		return around
	}
	did := "signed in"
	if worst.stopped() {
		did = "approved a prompt"
	}
	when := r.when(worst)
	app, rest := text.QuotedOr(worst.app, "application unknown"), more(len(others)-1, "account")
	f.add(alert.FoundOtherSuccess, said{reason: "another account " + did + " from the address " + when + worst.ended(), at: worst.last, from: worst.address,
		brief: fmt.Sprintf("%s %s from the address %s%s (%s)%s", worst.title(), did, when, worst.ended(), app, rest)},
		"%s %s from %s, %s at %s%s (%s)%s", worst.title(), did, text.QuotedOr(worst.address, "an unknown address"), when, s.title, worst.ended(), app, rest)
	return around
}

func (b *batch) prevalence(r row) {
	a := b.addresses[canonical(r.text("Address"))]
	if a == nil {
		return
	}
	name := strings.ToLower(cmp.Or(r.text("User"), r.text("Account")))
	own := b.find(r.text("Account"), name)
	if own != nil {
		name = cmp.Or(own.name, own.id) // whatever the row calls it
	}
	v := visitor{account: own, name: name, refused: r.number("Refused"), failed: r.number("Failed"), succeeded: r.number("Succeeded"), last: r.time("Last")}
	if v.failed > 0 {
		a.failing = append(a.failing, v)
	}
	if v.succeeded > 0 {
		a.succeeded = append(a.succeeded, v)
	}
	if r.value("IsRegular") == true {
		a.regulars = append(a.regulars, r.text("Account"))
	}
}

func (b *batch) uebaAddress(r row) {
	if a := b.addresses[canonical(r.text("Address"))]; a != nil {
		a.ueba, a.records = true, a.records+r.number("Records")
		a.sum += r.number("Sum")
		a.priority = max(a.priority, r.number("Priority"))
	}
}
