package enrich

import (
	"cmp"
	"slices"

	"pushback/detect/alert"
)

// rejections are the prompts of an account that an alert is about, which were
// not approved, with where and on what they were.
type rejections struct {
	prompts                      []prompt // oldest first
	networks, countries, devices map[string]bool
	// named has the names of the devices, and whether a device of that name is not
	// one of before.
	named map[string]bool
}

// rejectedOf returns the prompts that an alert is about.
func rejectedOf(a alert.Alert, s subject, addresses []string) rejections {
	r := rejections{networks: map[string]bool{}, countries: map[string]bool{}, devices: map[string]bool{}, named: map[string]bool{}}
	for _, p := range s.prompts {
		if p.kind == alert.MomentSuccess || !slices.Contains(addresses, p.address) || p.last.Before(a.Span.Start) || p.time.After(a.Span.End) {
			continue
		}
		if p.network != "" && p.network != "0" {
			r.networks[p.network] = true
		}
		if p.country != "" {
			r.countries[p.country] = true
		}
		if p.device != "" {
			r.devices[p.address+" "+p.device] = true
		}
		if p.deviceName != "" {
			r.named[p.deviceName] = r.named[p.deviceName] || s.owned[p.device+" "+p.deviceName] == 0
		}
		r.prompts = append(r.prompts, p)
	}
	return r
}

// assessSuccesses finds where the account signed in afterwards. Without a prompt
// that was not approved, a success says nothing.
func (r rejections) assessSuccesses(f findings, s subject, addresses []string) {
	if len(r.prompts) == 0 {
		return
	}
	first := r.prompts[0].time
	for _, p := range s.prompts {
		if p.kind != alert.MomentSuccess || p.last.Before(first) || p.time.Sub(first) > alert.AftermathLasts {
			continue
		}
		var when string
		for _, before := range r.prompts {
			if !before.time.After(p.last) {
				when = ago(p.last.Sub(before.time)) + " after " + inVain[before.kind]
			}
		}
		app := cmp.Or(p.app, "application unknown")
		switch {
		case p.refusedFirst && slices.Contains(addresses, p.address):
			f.add(alert.FoundSuccessSameSignIn, "signed in within the same sign-in "+when, "%s rejected a prompt and then signed in within the same sign-in, from %s, %s (%s)", s.title, p.address, when, app)
		case slices.Contains(addresses, p.address):
			f.add(alert.FoundSuccessSameIP, "signed in from the same address "+when, "%s signed in successfully from the same address, %s, %s (%s)", s.title, p.address, when, app)
		case r.networks[p.network]:
			f.add(alert.FoundSuccessSameNetwork, "signed in from the same network "+when, "%s signed in successfully from the same network, AS%s, %s (%s)", s.title, p.network, when, app)
		default:
			f.add(alert.FoundSuccessElsewhere, "signed in from elsewhere "+when, "%s signed in from elsewhere, %s, %s (%s): ask whether that was the user", s.title, cmp.Or(p.address, "address unknown"), when, app)
		}
	}
}

// inVain is what happened at a prompt that was not approved.
var inVain = map[alert.MomentKind]string{alert.MomentRejected: "rejecting", alert.MomentPrompt: "a prompt in vain"}
