package enrich

import (
	"slices"
	"strings"

	"pushback/detect/alert"
)

// mostUsual is how many values of a kind an alert keeps of what is usual: an
// account may have used very many.
const mostUsual = 50

// A sign-in is judged by what the account used long before: that comes from its
// history, or from an alert that has it of then.

// isUsual reports whether a sign-in is on a device and in a network that are the
// account's own.
func (u usual) isUsual(p *prompt) bool {
	return p.device != "" && u.machines[p.device] > 0 && (u.networks[p.network] > 0 || u.used[p.address] > 0)
}

// strangeDevice is what a device adds to the strangeness of a sign-in.
const strangeDevice = 2

// strangeness is how much of a sign-in the account was never seen with.
func (u usual) strangeness(p *prompt) int {
	n := 0
	if p.network != "" && u.networks[p.network] == 0 {
		n += 4
	}
	if p.device != "" && u.machines[p.device] == 0 {
		n += strangeDevice
	}
	if u.used[p.address] == 0 && !u.isUsual(p) {
		n++
	}
	return n
}

// unseen names what of a sign-in the account was never seen with.
func (b *batch) unseen(s subject, p *prompt) string {
	if b.historyMissing {
		return "where what is usual is not known"
	}
	if s.isNone() {
		return "with no sign-in before to compare it with"
	}
	var list []string
	if p.network != "" && s.networks[p.network] == 0 {
		list = append(list, "a network")
	}
	if p.device != "" && s.machines[p.device] == 0 {
		list = append(list, "a device")
	}
	if len(list) == 0 {
		list = append(list, "an address")
	}
	return "on " + strings.Join(list, " and ") + " never seen before"
}

// usualOf is what an alert keeps of what an account used long before, so that a
// later sign-in can be judged without looking it up again.
func usualOf(s subject) alert.Usual {
	top := func(c counts) []string {
		names := byCount(c)
		return names[:min(len(names), mostUsual)]
	}
	return alert.Usual{Account: s.key(), Addresses: top(s.used), Networks: top(s.networks), Devices: top(s.machines)}
}

// regularsOf is what an alert keeps of who is at home at an address.
func regularsOf(ip string, a *address) alert.Regulars {
	slices.Sort(a.regulars)
	a.regulars = slices.Compact(a.regulars)
	return alert.Regulars{Address: ip, Accounts: a.regulars[:min(len(a.regulars), mostUsual)], Many: a.many || len(a.regulars) > mostUsual}
}

// recall takes over what an alert knows of what was usual.
func (b *batch) recall(c *alert.Context) {
	if c == nil {
		return
	}
	for _, u := range c.Usual {
		if a := b.find(u.Account, u.Account); a != nil {
			for _, part := range []struct {
				to   *counts
				from []string
			}{{&a.recalled.used, u.Addresses}, {&a.recalled.networks, u.Networks}, {&a.recalled.machines, u.Devices}} {
				for _, name := range part.from {
					part.to.add(name, 1)
				}
			}
		}
	}
	for _, r := range c.Regulars {
		if ip := b.addresses[r.Address]; ip != nil {
			ip.regulars, ip.many = append(ip.regulars, r.Accounts...), ip.many || r.Many
		}
	}
}
